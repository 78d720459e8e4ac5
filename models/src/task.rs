//! A bilevel problem with what is known about it.

use std::fmt;
use std::sync::Arc;

use autodiff::unroll::Step;
use autodiff::{Program, Real, Sampled};
use nalgebra::DVector;

type Measure<T> = Arc<dyn Fn(&DVector<T>, &DVector<T>) -> f64 + Send + Sync>;
type ConstantsOf<T> = Arc<dyn Fn(&[T], &[T]) -> Constants + Send + Sync>;
type Closed<T> = Arc<dyn Fn(&DVector<T>) -> DVector<T> + Send + Sync>;

/// A number that is reported and never optimised: test accuracy, a score.
#[derive(Clone)]
pub struct Metric<T: Real> {
    /// Its name in records.
    pub name: &'static str,
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
            measure: Arc::new(measure),
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

/// The objectives of a problem as means over samples.
#[derive(Clone)]
pub struct Means<T: Real> {
    /// F; all its samples give [`Task::upper`].
    pub upper: Arc<dyn Sampled<T>>,
    /// g; all its samples give [`Task::lower`].
    pub lower: Arc<dyn Sampled<T>>,
    /// Entries of a sample's block of y, where each sample has a lower level of its own; a batch is
    /// then recorded with y of its samples' blocks alone.
    pub block: Option<usize>,
}

/// A lower level on samples that are kept apart, at the same x: to be solved for the metrics alone.
#[derive(Clone)]
pub struct HeldOut<T: Real> {
    /// g on these samples.
    pub lower: Arc<Program<T>>,
    /// Where its y starts.
    pub y: DVector<T>,
    /// What is measured at x and its solution.
    pub metrics: Vec<Metric<T>>,
}

/// What is known of a problem's derivatives at one x, for all y unless said otherwise, in spectral
/// norms or bounds on them; for a problem with one lower level per sample, of each sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Constants {
    /// μ: no eigenvalue of ∇²_yy g is below this; positive.
    pub strong_convexity: f64,
    /// L_g: none is above this.
    pub smoothness: f64,
    /// L_H: Lipschitz constant of ∇²_yy g in y.
    pub hessian_lipschitz: f64,
    /// ‖∇²_xy g(x, y)‖ at this y.
    pub cross_norm: f64,
    /// L_J: Lipschitz constant of ∇²_xy g in y.
    pub cross_lipschitz: f64,
    /// L_F: Lipschitz constant of ∇_yF in y.
    pub upper_smoothness: f64,
    /// Lipschitz constant of ∇_xF in y.
    pub upper_cross: f64,
}

/// The two objectives of a bilevel problem, a start, and what is known about it.
#[derive(Clone)]
pub struct Task<T: Real> {
    /// The problem's name on the command line.
    pub name: &'static str,
    /// F(x, y).
    pub upper: Arc<Program<T>>,
    /// g(x, y).
    pub lower: Arc<Program<T>>,
    /// The same as means over samples, where mini-batches can be drawn.
    pub means: Option<Means<T>>,
    /// Where x starts.
    pub x: DVector<T>,
    /// Where y starts.
    pub y: DVector<T>,
    /// What is measured along the way.
    pub metrics: Vec<Metric<T>>,
    /// How y moves, where x is part of the step: y is then what steps from the start lead to, and no
    /// solution of the lower level.
    pub step: Option<Step<T>>,
    /// Samples kept apart.
    pub held_out: Option<HeldOut<T>>,
    /// Bounds on every entry of x.
    pub bounds: Option<(f64, f64)>,
    /// The closed form, if there is one.
    pub known: Option<Known<T>>,
    /// The constants at (x, y), if they are known.
    pub constants: Option<ConstantsOf<T>>,
}

impl<T: Real> Task<T> {
    /// A task of two means over samples that have y in common; nothing else is known about it.
    pub(crate) fn sampled(
        name: &'static str,
        upper: impl Sampled<T> + 'static,
        lower: impl Sampled<T> + 'static,
        x: DVector<T>,
        y: DVector<T>,
    ) -> Self {
        Task {
            name,
            upper: whole(&upper, x.len(), y.len()),
            lower: whole(&lower, x.len(), y.len()),
            means: Some(Means {
                upper: Arc::new(upper),
                lower: Arc::new(lower),
                block: None,
            }),
            x,
            y,
            metrics: Vec::new(),
            step: None,
            held_out: None,
            bounds: None,
            known: None,
            constants: None,
        }
    }

    /// The same with a block of y for each sample, all of the same length.
    pub(crate) fn per_sample(
        name: &'static str,
        upper: impl Sampled<T> + 'static,
        lower: impl Sampled<T> + 'static,
        x: DVector<T>,
        y: DVector<T>,
    ) -> Self {
        let mut task = Self::sampled(name, upper, lower, x, y);
        let entries = task.y.len();
        if let Some(means) = &mut task.means {
            means.block = Some(entries / means.lower.samples());
        }
        task
    }
}

impl<T: Real> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (x, y) = (self.x.len(), self.y.len());
        write!(f, "Task({}: x of {x}, y of {y} entries)", self.name)
    }
}

/// The mean over all samples, for `x` of `dim_x` and `y` of `dim_y` entries.
pub(crate) fn whole<T: Real>(of: &dyn Sampled<T>, dim_x: usize, dim_y: usize) -> Arc<Program<T>> {
    let all: Vec<usize> = (0..of.samples()).collect();
    of.program(dim_x, dim_y, &all)
}
