//! A bilevel problem with what is known about it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use autodiff::{Objective, Program, Real, Sampled};
use nalgebra::DVector;
use solvers::{Bilevel, Constants, Constraints, FixedPart, Part, ProblemError};

use crate::data::ReadData;
use crate::held_out::HeldOut;

type Measure<T> = Arc<dyn Fn(&DVector<T>, &DVector<T>) -> f64 + Send + Sync>;
type Closed<T> = Arc<dyn Fn(&DVector<T>) -> DVector<T> + Send + Sync>;

/// A number that is reported and never optimised: test accuracy, a score.
#[derive(Clone)]
pub struct Metric<T: Real> {
    /// Its name in records.
    pub name: &'static str,
    /// Whether it is parts of a hundred.
    pub percent: bool,
    /// Its value at `(x, y)`.
    pub measure: Measure<T>,
}

impl<T: Real> Metric<T> {
    /// A metric measured by a closure.
    pub(crate) fn new(
        name: &'static str,
        measure: impl Fn(&DVector<T>, &DVector<T>) -> f64 + Send + Sync + 'static,
    ) -> Self {
        Metric {
            name,
            percent: false,
            measure: Arc::new(measure),
        }
    }

    /// A metric in percent.
    pub(crate) fn percent(
        name: &'static str,
        measure: impl Fn(&DVector<T>, &DVector<T>) -> f64 + Send + Sync + 'static,
    ) -> Self {
        Metric {
            percent: true,
            ..Self::new(name, measure)
        }
    }

    /// A metric that is the value of a scalar program of (x, y).
    pub(crate) fn value(name: &'static str, program: Arc<Program<T>>) -> Self {
        Self::new(name, move |x, y| {
            program.point().value(&[x.as_slice(), y.as_slice()]).f64()
        })
    }
}

/// What is known of a problem in closed form.
#[derive(Clone)]
pub struct Known<T: Real> {
    /// The hypergradient at `x`; with many lower solutions, that of the best one for F.
    pub hypergradient: Closed<T>,
    /// The outer solution.
    pub solution: DVector<T>,
}

/// A bilevel problem with its name, a start, and what is known about it.
#[derive(Clone)]
pub struct Task<T: Real> {
    /// The problem's name on the command line.
    pub name: &'static str,
    /// The two objectives, where y starts, and the constants, if they are known.
    pub bilevel: Bilevel<T>,
    /// Where x starts.
    pub x: DVector<T>,
    /// What is measured along the way.
    pub metrics: Vec<Metric<T>>,
    /// Samples kept apart.
    pub held_out: Option<HeldOut<T>>,
    /// Bounds on every entry of x.
    pub bounds: Option<(f64, f64)>,
    /// The closed form, if there is one.
    pub known: Option<Known<T>>,
    /// How the user's data was read, if it is made of such.
    pub read: Option<ReadData>,
    /// The part that the user put [beside g](Task::beside).
    pub part: Option<FixedPart>,
}

impl<T: Real> Task<T> {
    /// A task of a problem and a start of x; nothing else is known about it.
    ///
    /// # Panics
    /// If x does not have as many entries as the problem says.
    #[track_caller]
    pub fn new(name: &'static str, bilevel: Bilevel<T>, x: DVector<T>) -> Self {
        let (found, expected) = (x.len(), bilevel.dim_x());
        assert!(
            found == expected,
            "start of x has {found} entries: expected {expected}"
        );
        Task {
            name,
            bilevel,
            x,
            metrics: Vec::new(),
            held_out: None,
            bounds: None,
            known: None,
            read: None,
            part: None,
        }
    }

    /// A task of two objectives, y starting from 0.
    pub(crate) fn plain(
        name: &'static str,
        upper: impl Objective<T>,
        lower: impl Objective<T>,
        x: DVector<T>,
        dim_y: usize,
    ) -> Self {
        Self::of(name, Bilevel::new(upper, lower, x.len(), dim_y), x)
    }

    /// A task of two means over samples that have y in common.
    #[track_caller]
    pub(crate) fn sampled(
        name: &'static str,
        upper: impl Sampled<T> + 'static,
        lower: impl Sampled<T> + 'static,
        x: DVector<T>,
        y: DVector<T>,
    ) -> Self {
        let problem = Bilevel::sampled(upper, lower, x.len(), y.len());
        Self::of(name, problem, x).starting_from(y)
    }

    /// A task of two means over samples with a block of y for each, all of the same length.
    #[track_caller]
    pub(crate) fn per_sample(
        name: &'static str,
        upper: impl Sampled<T> + 'static,
        lower: impl Sampled<T> + 'static,
        x: DVector<T>,
        y: DVector<T>,
    ) -> Self {
        let block = y.len() / lower.samples().max(1);
        let problem = Bilevel::per_sample(upper, lower, x.len(), block);
        Self::of(name, problem, x).starting_from(y)
    }

    /// The objectives of the models make a problem wherever there are samples.
    #[track_caller]
    fn of(name: &'static str, problem: Result<Bilevel<T>, ProblemError>, x: DVector<T>) -> Self {
        match problem {
            Ok(bilevel) => Self::new(name, bilevel, x),
            Err(error) => panic!("problem `{name}`: {error}"),
        }
    }

    /// Starts y from these entries.
    ///
    /// # Panics
    /// If they are not as many as y has.
    #[must_use]
    #[track_caller]
    pub fn starting_from(self, y: DVector<T>) -> Self {
        Task {
            bilevel: self.bilevel.starting_from(y),
            ..self
        }
    }

    /// Puts this part beside g.
    ///
    /// # Panics
    /// If it is none of this y.
    #[must_use]
    #[track_caller]
    pub(crate) fn with_part(self, part: Part<T>) -> Self {
        match self.bilevel.with_part(part) {
            Ok(bilevel) => Task { bilevel, ..self },
            Err(error) => panic!("problem `{}`: {error}", self.name),
        }
    }

    /// Puts the lower level under these constraints.
    ///
    /// # Panics
    /// If they are none of this x and y.
    #[must_use]
    #[track_caller]
    pub(crate) fn with_constraints(self, constraints: Constraints<T>) -> Self {
        match self.bilevel.with_constraints(constraints) {
            Ok(bilevel) => Task { bilevel, ..self },
            Err(error) => panic!("problem `{}`: {error}", self.name),
        }
    }

    /// Adds constants that are known at (x, y).
    #[must_use]
    pub(crate) fn with_constants(
        self,
        constants: impl Fn(&[T], &[T]) -> Constants + Send + Sync + 'static,
    ) -> Self {
        Task {
            bilevel: self.bilevel.with_constants(constants),
            ..self
        }
    }

    /// The metrics at (x, y) by name, and those of samples kept apart at x and their own solution.
    pub fn measure(&self, x: &DVector<T>, y: &DVector<T>) -> BTreeMap<&'static str, f64> {
        let own = self.metrics.iter().map(|m| (m.name, (m.measure)(x, y)));
        let apart = self.held_out.iter().flat_map(|apart| apart.measure(x));
        own.chain(apart).collect()
    }

    /// The names of the metrics that are parts of a hundred.
    pub fn percent(&self) -> impl Iterator<Item = &'static str> {
        let apart = self.held_out.iter().flat_map(|apart| &apart.metrics);
        let all = self.metrics.iter().chain(apart);
        all.filter(|m| m.percent).map(|m| m.name)
    }
}

impl<T: Real> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (x, y) = (self.bilevel.dim_x(), self.bilevel.dim_y());
        write!(f, "Task({}: x of {x}, y of {y} entries)", self.name)
    }
}

impl<T: Real> fmt::Debug for Metric<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Metric({})", self.name)
    }
}

impl<T: Real> fmt::Debug for Known<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Known(x of {} entries)", self.solution.len())
    }
}

/// The mean over all samples, for `x` of `dim_x` and `y` of `dim_y` entries.
pub(crate) fn whole<T: Real>(of: &dyn Sampled<T>, dim_x: usize, dim_y: usize) -> Arc<Program<T>> {
    let all: Vec<usize> = (0..of.samples()).collect();
    of.program(dim_x, dim_y, &all)
}
