//! Where the lower level starts.

use std::sync::Arc;

use autodiff::{Program, Real, Shape, Var};
use nalgebra::DVector;

use super::Bilevel;

impl<T: Real> Bilevel<T> {
    /// Starts the lower level from `y`.
    ///
    /// # Panics
    /// If `y` does not have `dim_y` entries.
    #[must_use]
    #[track_caller]
    pub fn starting_from(mut self, y: DVector<T>) -> Self {
        assert!(
            y.len() == self.dim_y,
            "start of the lower level has {} entries: expected {}",
            y.len(),
            self.dim_y
        );
        self.start = y;
        self.start_of_x = None;
        self
    }

    /// Starts the lower level from y₀(x), a recorded function of x: a learned initialisation, as in
    /// MAML, is x itself.
    ///
    /// What unrolls the lower level from there ([`Itd`](crate::Itd), [`Bda`](crate::Bda)) differentiates
    /// the start too, and gives the derivative of its steps, whether or not they come to a solution. To
    /// the solution of a lower level, which implicit strategies and other methods look for, the start is
    /// nothing but a start. A call that [starts](crate::At::start) elsewhere does not depend on y₀.
    ///
    /// # Panics
    /// If the function does not give `dim_y` entries.
    ///
    /// # Reference
    /// C. Finn, P. Abbeel and S. Levine, Model-agnostic meta-learning for fast adaptation of deep
    /// networks, ICML 2017.
    ///
    /// # Example
    /// One step of length ½ on ½(y − 1)² from x halves the way: y = ½(x + 1).
    /// ```
    /// use autodiff::{Var, objective};
    /// use nalgebra::dvector;
    /// use solvers::{Bilevel, Itd, Strategy};
    ///
    /// let upper = objective(|_: Var, y: Var| 0.5 * (y - 3.0).norm_squared());
    /// let lower = objective(|_: Var, y: Var| 0.5 * (y - 1.0).norm_squared());
    /// let problem = Bilevel::new(upper, lower, 1, 1)?.starting_at(|x: Var| x);
    /// let itd = Itd::reverse(1).step(0.5);
    /// let estimate = itd.hypergradient(&problem, &dvector![0.2], &mut problem.workspace())?;
    /// assert!((estimate.hypergradient[0] - 0.5 * (0.6 - 3.0)).abs() < 1e-15);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    #[track_caller]
    pub fn starting_at<S>(mut self, start: S) -> Self
    where
        S: for<'r> Fn(Var<'r, T>) -> Var<'r, T>,
    {
        let program = Program::record(&[Shape::vector(self.dim_x)], |v| start(v[0]));
        let found = program.output_shape().len();
        assert!(
            found == self.dim_y,
            "start of the lower level has {found} entries: expected {}",
            self.dim_y
        );
        self.start_of_x = Some(program);
        self
    }

    /// The function of x that the lower level starts from, if [there is one](Bilevel::starting_at).
    pub fn start_of_x(&self) -> Option<&Arc<Program<T>>> {
        self.start_of_x.as_ref()
    }

    /// Where the lower level starts at x.
    pub(crate) fn start_at(&self, x: &[T]) -> DVector<T> {
        match &self.start_of_x {
            Some(program) => DVector::from_column_slice(program.point().evaluate(&[x])),
            None => self.start.clone(),
        }
    }

    /// Where the lower level starts, unless it is a [function of x](Bilevel::starting_at).
    pub fn start(&self) -> &DVector<T> {
        &self.start
    }
}
