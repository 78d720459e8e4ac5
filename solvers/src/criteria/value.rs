//! The gradient of the lower level's optimal value.

use std::sync::Arc;

use autodiff::{Inputs, Objective, Real};

use crate::accuracy::part;
use crate::loops::Loops;
use crate::lower::LowerSolve;
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
        let steps = self.lower.steps().map(|_| {
            "a count of steps on the lower level: expected a solver that goes to a tolerance"
                .to_owned()
        });
        self.lower.complaint().or(steps)
    }

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
        self.lower.scratch(problem, false)
    }

    fn footprint(&self, _: &Bilevel<T>) -> Footprint<T> {
        Footprint::new().second(0, 1)
    }

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
        let (x, least) = (*x, (default_tolerance::<T>(), false));
        let levels = [&mut **upper, &mut **lower];
        let loops: &mut Loops<T> = loops;
        let mut solved = self
            .lower
            .solve(problem, levels, None, None, x, y, least, loops, scratch);
        let distance = loop {
            let distance = part(solved.curvature.distance(solved.residual), y, start);
            let more = self
                .lower
                .go_on(lower, None, None, x, y, &mut solved, distance, scratch);
            if more != Some(true) {
                break distance;
            }
        };
        let value = upper.differentiate(&[x, y], Inputs::ALL);
        hypergradient.copy_from_slice(upper.gradient(0));
        // A product is what solving takes, so that every call holds as much.
        lower.linearise(&[x, y]);
        lower.second(&[None, Some(start)]);
        let (status, warning) = self.lower.judge::<T>(&solved, distance);
        let mut answer = Answer::new(status, value.f64(), solved.residual);
        answer.distance = Some(distance);
        answer.lower_iterations = solved.iterations;
        answer.step = solved.step;
        answer.warnings.extend(warning);
        answer
    }
}
