//! The gradient of the lower level's optimal value.

use std::sync::Arc;

use autodiff::{Inputs, Objective, Real};

use crate::accuracy::part;
use crate::lower::{Lower, LowerAt, LowerSolve};
use crate::settling::Settling;
use crate::{Answer, Bilevel, Call, Footprint, ProblemError, Strategy, default_tolerance};

impl<T: Real> Bilevel<T> {
    /// The problem whose outer function is the optimal value `min_y g(x, y)` itself: F is g.
    /// [`Envelope`] has its gradient.
    ///
    /// # Errors
    /// As [`new`](Bilevel::new).
    pub fn optimal_value(
        lower: impl Objective<T>,
        dim_x: usize,
        dim_y: usize,
    ) -> Result<Self, ProblemError> {
        let g = lower.record(dim_x, dim_y);
        Bilevel::new(g.clone(), g, dim_x, dim_y)
    }
}

/// The gradient `∇_xg(x, y*)` of the [optimal value](Bilevel::optimal_value) `min_y g(x, y)`: as
/// ∇_yg = 0 there, y's own derivative adds nothing, and there is no linear system. It is the gradient
/// also where the solution is not unique, if every solution has the same ∇_xg.
///
/// # Requirements on the problem
/// F is g: the problem is one of [`Bilevel::optimal_value`]. [`Aid`](crate::Aid) takes it too, solves a
/// system with a right-hand side that is rounding, and knows parts beside g.
///
/// # Cost in oracle calls
/// The lower level's, one gradient, and one product, without which a call that starts at the solution
/// would hold less than is predicted.
///
/// # Reference
/// J. M. Danskin, The theory of max-min and its application to weapons allocation problems, 1967.
///
/// # Example
/// min_y ½(y − x)² + ½y² is ¼x²:
/// ```
/// use autodiff::{Var, objective};
/// use nalgebra::dvector;
/// use solvers::{Bilevel, Envelope, Strategy};
///
/// let g = objective(|x: Var, y: Var| 0.5 * (y - x).norm_squared() + 0.5 * y.norm_squared());
/// let problem = Bilevel::optimal_value(g, 1, 1)?;
/// let x = dvector![3.0];
/// let estimate = Envelope::new().hypergradient(&problem, &x, &mut problem.workspace())?;
/// assert!((estimate.hypergradient[0] - 1.5).abs() < 1e-12);
/// assert_eq!(estimate.linear_iterations, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Envelope {
    lower: LowerSolve,
}

impl Envelope {
    /// The lower level by Newton's method, to its tolerance.
    pub fn new() -> Self {
        Envelope::default()
    }

    /// How the lower level is solved.
    #[must_use]
    pub fn lower(mut self, lower: LowerSolve) -> Self {
        self.lower = lower;
        self
    }
}

impl<T: Real> Strategy<T> for Envelope {
    fn name(&self) -> String {
        "envelope".into()
    }

    fn complaint(&self) -> Option<String> {
        let steps = (!self.lower.solves()).then(|| {
            "a lower level that is not solved: expected a solver that goes to a tolerance"
                .to_owned()
        });
        self.lower.complaint().or(steps)
    }

    #[inline(never)]
    fn misfit(&self, problem: &Bilevel<T>) -> Option<String> {
        let own = !Arc::ptr_eq(problem.upper(), problem.lower());
        let own = own.then(|| {
            "F is not g, so that y's derivative counts: expected a problem of \
             Bilevel::optimal_value, or aid-cg"
                .to_owned()
        });
        problem.not_smooth().or(own)
    }

    fn scratch(&self, problem: &Bilevel<T>) -> usize {
        let last = Settling::<T>::entries(self.lower.tolerance(), problem.dim_x());
        last + self.lower.scratch(problem, false)
    }

    fn footprint(&self, _: &Bilevel<T>) -> Footprint<T> {
        Footprint::new().second(0, 1)
    }

    #[inline(never)]
    fn differentiate(&self, call: &mut Call<'_, T>) -> Answer {
        let Call {
            problem,
            x,
            start,
            upper,
            lower,
            loops,
            y,
            hypergradient,
            scratch,
            ..
        } = call;
        let (x, start) = (*x, *start);
        let given = self.lower.tolerance();
        let ([last], mut scratch) = scratch.split(Settling::<T>::entries(given, x.len()));
        let mut settling = Settling::new(given, last);
        let mut at = LowerAt {
            point: lower,
            part: None,
            working: None,
            x,
            scratch: &mut scratch,
        };
        let least = (default_tolerance::<T>(), false);
        let mut solved = self.lower.solve(problem, &mut at, y, least, (upper, loops));
        let mut value = T::zero();
        let look = |_: &mut LowerAt<'_, '_, T>, y: &[T], solved: &Lower| {
            let distance = part(solved.curvature.distance(solved.residual), y, start);
            value = upper.differentiate(&[x, y], Inputs::ALL);
            hypergradient.copy_from_slice(upper.gradient(0));
            settling.look(hypergradient, &[]);
            let more = settling.wanted(distance, false);
            (distance, more.map(|part| (distance, 0.1 * part)))
        };
        let (distance, _) = self.lower.until(&mut at, y, &mut solved, look);
        // A product is what solving takes, so that every call holds as much.
        lower.linearise(&[x, y]);
        lower.second(&[None, Some(start)]);
        let enough = settling.is_enough();
        let (mut status, warning) = self.lower.judge::<T>(&solved, distance, enough);
        if let (true, Some(unsettled)) = (status.is_success(), settling.complaint()) {
            status = unsettled;
        }
        let mut answer = Answer::new(status, value.f64(), solved.residual);
        answer.distance = Some(distance);
        answer.change = settling.change();
        answer.lower_iterations = solved.iterations;
        answer.step = solved.step;
        answer.warnings.extend(warning);
        answer
    }
}
