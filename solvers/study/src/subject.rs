//! A problem at a point, with what is known about it.

use std::fmt;
use std::sync::Arc;

use autodiff::Real;
use nalgebra::DVector;
use serde_json::{Map, Value};
use solvers::Bilevel;
use solvers::catalogue::Place;

use crate::solve;

/// Numbers at (x, y), each with its name.
type Measure<'p, T> =
    Arc<dyn Fn(&DVector<T>, &DVector<T>) -> Vec<(String, f64)> + Send + Sync + 'p>;

/// A problem under a name, at a point x, with what is known about it: what every study takes.
///
/// # Example
/// ```
/// use autodiff::{Var, objective};
/// use nalgebra::dvector;
/// use solvers::Bilevel;
/// use study::Subject;
///
/// let upper = objective(|x: Var, y: Var| 0.5 * (y - 1.0).norm_squared() + 0.5 * x.norm_squared());
/// let lower = objective(|x: Var, y: Var| 0.5 * (y - x).norm_squared());
/// let problem = Bilevel::new(upper, lower, 1, 1)?;
/// let subject = Subject::new("scalar", &problem, dvector![0.3])
///     .with_closed_form(dvector![2.0 * 0.3 - 1.0])
///     .with_metric("distance", |x, _| (x[0] - 0.5).abs());
/// assert_eq!(subject.measure(&dvector![0.5], &dvector![0.5])["distance"], 0.0);
/// # Ok::<(), solvers::ProblemError>(())
/// ```
#[derive(Clone)]
pub struct Subject<'p, T: Real> {
    name: String,
    problem: &'p Bilevel<T>,
    x: DVector<T>,
    closed_form: Option<DVector<T>>,
    measures: Vec<Measure<'p, T>>,
    percent: Vec<String>,
    bounds: Option<(f64, f64)>,
}

impl<'p, T: Real> Subject<'p, T> {
    /// A problem at x, under the name that its records carry. Nothing else is known about it.
    ///
    /// # Panics
    /// If x does not have as many entries as the problem says.
    #[track_caller]
    pub fn new(name: impl Into<String>, problem: &'p Bilevel<T>, x: DVector<T>) -> Self {
        let (name, found, expected) = (name.into(), x.len(), problem.dim_x());
        assert!(
            found == expected,
            "x of `{name}` has {found} entries: expected {expected}"
        );
        Subject {
            name,
            problem,
            x,
            closed_form: None,
            measures: Vec::new(),
            percent: Vec::new(),
            bounds: None,
        }
    }

    /// Adds the hypergradient at x as a closed form gives it: errors are measured against it.
    ///
    /// # Panics
    /// If it does not have as many entries as x.
    #[must_use]
    #[track_caller]
    pub fn with_closed_form(self, hypergradient: DVector<T>) -> Self {
        let (name, found, expected) = (&self.name, hypergradient.len(), self.x.len());
        assert!(
            found == expected,
            "the hypergradient of `{name}` has {found} entries: expected {expected}"
        );
        Subject {
            closed_form: Some(hypergradient),
            ..self
        }
    }

    /// Adds a number that is measured at (x, y) along a run, and never optimised.
    ///
    /// # Panics
    /// If the name is that of a field of [`solve::Record`], beside which it stands in JSON.
    #[must_use]
    #[track_caller]
    pub fn with_metric(
        self,
        name: impl Into<String>,
        metric: impl Fn(&DVector<T>, &DVector<T>) -> f64 + Send + Sync + 'p,
    ) -> Self {
        let name = name.into();
        not_taken(&name);
        self.with_metrics(move |x, y| vec![(name.clone(), metric(x, y))])
    }

    /// Adds numbers that are measured together, each with its name: see
    /// [`with_metric`](Subject::with_metric).
    #[must_use]
    pub fn with_metrics(
        mut self,
        metrics: impl Fn(&DVector<T>, &DVector<T>) -> Vec<(String, f64)> + Send + Sync + 'p,
    ) -> Self {
        self.measures.push(Arc::new(metrics));
        self
    }

    /// Has pages show the metric of this name as parts of a hundred.
    #[must_use]
    pub fn with_percent(mut self, metric: impl Into<String>) -> Self {
        self.percent.push(metric.into());
        self
    }

    /// Sets bounds on every entry of x, for methods that are made by name for its
    /// [`place`](Subject::place).
    #[must_use]
    pub fn with_bounds(self, bounds: (f64, f64)) -> Self {
        Subject {
            bounds: Some(bounds),
            ..self
        }
    }

    /// The name in its records.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The problem.
    pub fn problem(&self) -> &'p Bilevel<T> {
        self.problem
    }

    /// The point, where runs start.
    pub fn x(&self) -> &DVector<T> {
        &self.x
    }

    /// The hypergradient at the point in closed form, if it is known.
    pub fn closed_form(&self) -> Option<&DVector<T>> {
        self.closed_form.as_ref()
    }

    /// The bounds on every entry of x, if it has any.
    pub fn bounds(&self) -> Option<(f64, f64)> {
        self.bounds
    }

    /// The metrics at (x, y), by name.
    ///
    /// # Panics
    /// If a name is that of a field of [`solve::Record`].
    pub fn measure(&self, x: &DVector<T>, y: &DVector<T>) -> Map<String, Value> {
        let measured = self.measures.iter().flat_map(|measure| measure(x, y));
        measured
            .map(|(name, v)| {
                not_taken(&name);
                (name, v.into())
            })
            .collect()
    }

    /// The names of metrics that are parts of a hundred.
    pub fn percent(&self) -> &[String] {
        &self.percent
    }

    /// What a method by name is made for: see [`solvers::catalogue::method`].
    pub fn place(&self, seed: u64) -> Place {
        Place {
            samples: self.problem.means().map(|_| self.problem.samples()),
            per_sample: self.problem.blocks() > 1,
            constraint: self.bounds.into(),
            seed,
        }
    }
}

/// A metric's name is not that of another number of the record.
#[track_caller]
fn not_taken(name: &str) {
    assert!(
        !solve::FIELDS.contains(&name),
        "metric `{name}`: expected a name that no field of `solve::Record` has"
    );
}

impl<T: Real> fmt::Debug for Subject<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (x, y) = (self.problem.dim_x(), self.problem.dim_y());
        write!(f, "Subject({}: x of {x}, y of {y} entries)", self.name)
    }
}
