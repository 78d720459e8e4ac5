//! The constants that a problem states.

use std::fmt;
use std::sync::Arc;

use autodiff::Real;

use crate::Bilevel;

use super::Constants;

/// A function of (x, y) that gives a problem's constants.
type ConstantsOf<T> = Arc<dyn Fn(&[T], &[T]) -> Constants + Send + Sync>;

/// The constants that a problem states.
#[derive(Clone, Default)]
pub(crate) struct Stated<T>(Option<ConstantsOf<T>>);

impl<T> Stated<T> {
    pub(crate) fn new(f: impl Fn(&[T], &[T]) -> Constants + Send + Sync + 'static) -> Self {
        Stated(Some(Arc::new(f)))
    }

    pub(crate) fn at(&self, x: &[T], y: &[T]) -> Option<Constants> {
        self.0.as_ref().map(|f| f(x, y))
    }

    pub(crate) fn any(&self) -> bool {
        self.0.is_some()
    }
}

impl<T> fmt::Debug for Stated<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.any() { "stated" } else { "unknown" })
    }
}

impl<T: Real> Bilevel<T> {
    /// Adds the constants that [`Certificate`](crate::Certificate)s are made of, as a function of
    /// (x, y). What they promise is the caller's to know: an overstated μ, or
    /// any other constant that is too good, makes certificates that do not hold.
    ///
    /// For a problem [`per_sample`](Bilevel::per_sample) they are those of each f_i and g_i, as a
    /// function of x and the sample's own block.
    ///
    /// # Example
    /// ```
    /// use autodiff::{Var, objective};
    /// use nalgebra::dvector;
    /// use solvers::{Aid, Bilevel, Constants, Strategy};
    ///
    /// let upper = objective(|x: Var, y: Var| 0.5 * (y - 1.0).norm_squared() + 0.5 * x.norm_squared());
    /// let lower = objective(|x: Var, y: Var| 0.5 * (y - x).norm_squared());
    /// let problem = Bilevel::new(upper, lower, 1, 1)?.with_constants(|_, _| Constants {
    ///     strong_convexity: 1.0,
    ///     smoothness: 1.0,
    ///     hessian_lipschitz: 0.0,
    ///     cross_norm: 1.0,
    ///     cross_lipschitz: 0.0,
    ///     upper_smoothness: 1.0,
    ///     upper_cross: 0.0,
    /// });
    /// let x = dvector![0.3];
    /// let rough = Aid::cg().lower_steps(2, solvers::StepLength::Fixed(0.5));
    /// let estimate = rough.hypergradient(&problem, &x, &mut problem.workspace())?;
    /// let certificate = estimate.certificate.expect("the constants are stated");
    /// let error = (estimate.hypergradient[0] - (2.0 * 0.3 - 1.0)).abs();
    /// assert!(certificate.certified && error <= certificate.bound * (1.0 + 1e-12));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_constants(
        mut self,
        constants: impl Fn(&[T], &[T]) -> Constants + Send + Sync + 'static,
    ) -> Self {
        self.constants = Stated::new(constants);
        self
    }

    /// The constants at (x, y) as stated; `None` if they are not.
    pub fn constants(&self, x: &[T], y: &[T]) -> Option<Constants> {
        self.constants.at(x, y)
    }

    /// Whether the problem states its constants.
    pub fn states_constants(&self) -> bool {
        self.constants.any()
    }
}
