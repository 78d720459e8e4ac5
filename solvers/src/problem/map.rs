//! Steps of the problem's own, and the equation of a map.

use autodiff::unroll::Step;
use autodiff::{Objective, Program, Real, Shape, Var};

use super::{Bilevel, ProblemError, not_empty};

impl<T: Real> Bilevel<T> {
    /// Makes y what the steps make of the start: x is then part of the steps, as learning rates are,
    /// and not of g alone.
    ///
    /// [`Itd`](crate::Itd) differentiates through these steps, in place of steps of its own, and
    /// [`AidStep`](crate::AidStep) their fixed point, unless they change from one to the next. What
    /// differentiates `∇_y g = 0`, or takes steps on g itself, refuses the problem.
    ///
    /// # Panics
    /// If the step is not one of x of `dim_x` and a state of `dim_y` entries.
    ///
    /// # Example
    /// The best step length of ½y² from y = 1 towards ½ is ½, by one step:
    /// ```
    /// use autodiff::unroll::Step;
    /// use autodiff::{Var, objective};
    /// use nalgebra::dvector;
    /// use solvers::{Aid, Bilevel, Itd, Strategy};
    ///
    /// let upper = objective(|_: Var, y: Var| 0.5 * (y - 0.5).norm_squared());
    /// let lower = objective(|_: Var, y: Var| 0.5 * y.norm_squared());
    /// let problem = Bilevel::new(upper, lower, 1, 1)?.starting_from(dvector![1.0]);
    /// let gradient = problem.lower().clone();
    /// let step = Step::new(1, 1, |x, y, _| y - x * Var::gradient(&gradient, 1, &[x, y]));
    /// let problem = problem.with_step(step);
    ///
    /// let x = dvector![0.2]; // y₁ = 0.8, dF/dx = −(y₁ − 0.5)
    /// let estimate = Itd::reverse(1).hypergradient(&problem, &x, &mut problem.workspace())?;
    /// assert!((estimate.hypergradient[0] + 0.3).abs() < 1e-15);
    /// let refused = Aid::cg().hypergradient(&problem, &x, &mut problem.workspace());
    /// assert!(refused.unwrap_err().to_string().contains("steps of its own"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    #[track_caller]
    pub fn with_step(mut self, step: Step<T>) -> Self {
        assert!(
            self.part.is_none(),
            "steps of a problem with a part beside g: expected steps that end in its proximal map, \
             and no part"
        );
        assert!(
            self.constraints.is_none(),
            "steps of a problem with constraints: expected none of its own"
        );
        let (found, expected) = ((step.dim_x(), step.dim_state()), (self.dim_x, self.dim_y));
        assert!(
            found == expected,
            "a step of x of {} and a state of {} entries: expected {} and {}",
            found.0,
            found.1,
            expected.0,
            expected.1
        );
        self.step = Some(step);
        self.equation = false;
        self
    }

    /// The problem whose lower level is the equation `y = Φ(x, y)` of a map: an equilibrium.
    ///
    /// Φ is the problem's [step](Bilevel::with_step): [`AidStep`](crate::AidStep) solves and
    /// differentiates the equation, [`Itd`](crate::Itd) unrolls it from the start, and says where that
    /// is not yet the derivative of a solution. g is `½‖Φ(x, y) − y‖²`, for who wants its value.
    ///
    /// # Errors
    /// As [`new`](Bilevel::new).
    ///
    /// # Panics
    /// If Φ does not give `dim_y` entries.
    ///
    /// # Reference
    /// S. Bai, J. Z. Kolter and V. Koltun, Deep equilibrium models, NeurIPS 2019.
    ///
    /// # Example
    /// `y = ½y + x` has y = 2x:
    /// ```
    /// use autodiff::{Var, objective};
    /// use nalgebra::dvector;
    /// use solvers::{AidStep, Bilevel, InnerStep, Strategy};
    ///
    /// let upper = objective(|_: Var, y: Var| 0.5 * (y - 1.0).norm_squared());
    /// let problem = Bilevel::fixed_point(upper, |x: Var, y: Var| 0.5 * y + x, 1, 1)?;
    /// let strategy = AidStep::new(InnerStep::GradientDescent);
    /// let estimate = strategy.hypergradient(&problem, &dvector![0.2], &mut problem.workspace())?;
    /// assert!((estimate.hypergradient[0] - 2.0 * (0.4 - 1.0)).abs() < 1e-9);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn fixed_point<M>(
        upper: impl Objective<T>,
        map: M,
        dim_x: usize,
        dim_y: usize,
    ) -> Result<Self, ProblemError>
    where
        M: for<'r> Fn(Var<'r, T>, Var<'r, T>) -> Var<'r, T>,
    {
        not_empty(dim_x, dim_y)?;
        let step = Step::new(dim_x, dim_y, |x, y, _| map(x, y));
        let half = T::of(0.5);
        let shapes = [dim_x, dim_y].map(Shape::vector);
        let lower = Program::record(&shapes, |v| (map(v[0], v[1]) - v[1]).norm_squared() * half);
        Ok(Bilevel {
            equation: true,
            ..Self::new(upper, lower, dim_x, dim_y)?.with_step(step)
        })
    }

    /// Whether y is the solution of [`y = Φ(x, y)`](Bilevel::fixed_point), and not what so many steps
    /// make of it.
    pub(crate) fn is_equation(&self) -> bool {
        self.equation
    }

    /// The steps that y moves by, where the problem [brings its own](Bilevel::with_step).
    pub fn step(&self) -> Option<&Step<T>> {
        self.step.as_ref()
    }

    /// The reason why nothing but unrolling its own steps can be run on it, if it brings some, or
    /// nothing but what solves its constraints.
    pub(crate) fn own_step(&self) -> Option<String> {
        if self.constraints.is_some() {
            return self.constrained();
        }
        self.step.as_ref().map(|_| {
            "the problem has steps of its own, which x is part of, and no solution of a lower level \
             to differentiate: expected aid-step or itd"
                .to_owned()
        })
    }
}
