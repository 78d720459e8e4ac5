//! A bilevel problem with what is known about it.

use std::fmt;
use std::sync::Arc;

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
    /// Bounds on every entry of x.
    pub bounds: Option<(f64, f64)>,
    /// The closed form, if there is one.
    pub known: Option<Known<T>>,
    /// The constants at (x, y), if they are known.
    pub constants: Option<ConstantsOf<T>>,
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
