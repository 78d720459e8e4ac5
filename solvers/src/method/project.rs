//! Sets that the outer variable is held to.

use std::fmt::Debug;

use autodiff::Real;

use crate::method::Constraint;

/// A closed convex set that a method projects x to, at the start and after each step: a value of one
/// slot. The sets of [`Constraint`] are some.
///
/// # Example
/// A half-space, `aᵀx ≤ b`:
/// ```
/// use autodiff::{Var, objective};
/// use nalgebra::dvector;
/// use solvers::{Aid, Bilevel, Descent, Method, Optimiser, Project};
///
/// #[derive(Clone, Debug)]
/// struct HalfSpace {
///     a: Vec<f64>,
///     b: f64,
/// }
///
/// impl Project<f64> for HalfSpace {
///     fn project(&self, v: &mut [f64]) {
///         let dot = |u: &[f64], v: &[f64]| u.iter().zip(v).map(|(u, v)| u * v).sum::<f64>();
///         let beyond = (dot(&self.a, v) - self.b).max(0.0) / dot(&self.a, &self.a);
///         v.iter_mut().zip(&self.a).for_each(|(v, a)| *v -= beyond * a);
///     }
///
///     fn check(&self, dim: usize) -> Result<(), String> {
///         match self.a.len() {
///             n if n == dim => Ok(()),
///             n => Err(format!("a half-space of {n} entries: expected {dim}")),
///         }
///     }
/// }
///
/// let upper = objective(|x: Var, y: Var| 0.5 * (y - 1.0).norm_squared() + 0.5 * x.norm_squared());
/// let lower = objective(|x: Var, y: Var| 0.5 * (y - x).norm_squared());
/// let problem = Bilevel::new(upper, lower, 2, 2)?;
/// let descent = Descent::new(Aid::cg(), Optimiser::GradientDescent { rate: 0.4 }, 50)
///     .constraint(HalfSpace { a: vec![1.0, 1.0], b: 0.5 });
/// let mut run = descent.begin(&problem, dvector![0.0, 0.0])?;
/// assert!(run.finish().is_success());
/// // Without it the solution is (½, ½).
/// assert!((run.x()[0] - 0.25).abs() < 1e-9 && (run.x()[1] - 0.25).abs() < 1e-9);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Project<T: Real>: Debug + Send + Sync {
    /// Replaces `v` by the nearest point of the set. NaN should stay NaN.
    fn project(&self, v: &mut [T]);

    /// Whether there are points outside, so that a step may be cut short.
    fn holds(&self) -> bool {
        true
    }

    /// Whether this is a set of vectors of `dim` entries.
    ///
    /// # Errors
    /// With the reason in one line, and what was expected.
    fn check(&self, _dim: usize) -> Result<(), String> {
        Ok(())
    }
}

impl<T: Real> Project<T> for Constraint {
    fn project(&self, v: &mut [T]) {
        (*self).project(v);
    }

    fn holds(&self) -> bool {
        *self != Constraint::None
    }

    fn check(&self, _: usize) -> Result<(), String> {
        self.complaint().map_or(Ok(()), Err)
    }
}
