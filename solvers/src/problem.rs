//! The one problem definition.

use std::sync::Arc;

use autodiff::{Objective, Program, Real};
use nalgebra::DVector;

use crate::Workspace;

/// A bilevel problem: `min_x F(x, y*(x))` with `y*(x) = argmin_y g(x, y)`.
///
/// The two objectives are written once; every strategy and every method runs on them.
///
/// # Example
/// ```
/// use autodiff::{Var, objective};
/// use solvers::Bilevel;
///
/// let upper = objective(|x: Var, y: Var| 0.5 * (y - 1.0).norm_squared() + 0.5 * x.norm_squared());
/// let lower = objective(|x: Var, y: Var| 0.5 * (y - x).norm_squared());
/// let problem = Bilevel::new(upper, lower, 1, 1)?;
/// assert_eq!(problem.dim_x(), 1);
/// # Ok::<(), solvers::ProblemError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Bilevel<T: Real> {
    upper: Arc<Program<T>>,
    lower: Arc<Program<T>>,
    dim_x: usize,
    dim_y: usize,
    start: DVector<T>,
}

/// Why two objectives are not a bilevel problem.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProblemError {
    /// A dimension is 0.
    #[error("the {level} variable has dimension 0: expected at least 1")]
    Empty {
        /// `"outer"` or `"inner"`.
        level: &'static str,
    },
    /// An objective's value is not a scalar.
    #[error("the {level} objective is a {shape}: expected a scalar")]
    NotScalar {
        /// `"upper"` or `"lower"`.
        level: &'static str,
        /// The shape found.
        shape: String,
    },
    /// The lower objective does not use y, so it has no minimiser to find.
    #[error("the lower objective does not depend on y")]
    NoLowerProblem,
    /// An objective was recorded for other dimensions.
    #[error(
        "the {level} objective takes x of {found_x} and y of {found_y} entries: expected {dim_x} and {dim_y}"
    )]
    Dimensions {
        /// `"upper"` or `"lower"`.
        level: &'static str,
        /// Entries of x the objective takes.
        found_x: usize,
        /// Entries of y the objective takes.
        found_y: usize,
        /// Entries of x of the problem.
        dim_x: usize,
        /// Entries of y of the problem.
        dim_y: usize,
    },
    /// An objective takes a gradient inside, so it has no second derivatives here.
    #[error(
        "the {level} objective takes a gradient inside: its second derivatives are not available"
    )]
    NestedGradient {
        /// `"upper"` or `"lower"`.
        level: &'static str,
    },
}

impl<T: Real> Bilevel<T> {
    /// The problem of these objectives, with `x` of `dim_x` and `y` of `dim_y` entries. The lower
    /// level starts from y = 0 unless [`starting_from`](Bilevel::starting_from) says otherwise.
    ///
    /// # Errors
    /// See [`ProblemError`].
    pub fn new(
        upper: impl Objective<T>,
        lower: impl Objective<T>,
        dim_x: usize,
        dim_y: usize,
    ) -> Result<Self, ProblemError> {
        for (level, dim) in [("outer", dim_x), ("inner", dim_y)] {
            if dim == 0 {
                return Err(ProblemError::Empty { level });
            }
        }
        let (upper, lower) = (upper.record(dim_x, dim_y), lower.record(dim_x, dim_y));
        for (level, program) in [("upper", &upper), ("lower", &lower)] {
            check(level, program, dim_x, dim_y)?;
        }
        if !lower.reads(1) {
            return Err(ProblemError::NoLowerProblem);
        }
        Ok(Bilevel {
            upper,
            lower,
            dim_x,
            dim_y,
            start: DVector::zeros(dim_y),
        })
    }

    /// The same problem, its lower level started from `y`.
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
        self
    }

    /// Entries of x.
    pub fn dim_x(&self) -> usize {
        self.dim_x
    }

    /// Entries of y.
    pub fn dim_y(&self) -> usize {
        self.dim_y
    }

    /// The upper objective F(x, y).
    pub fn upper(&self) -> &Arc<Program<T>> {
        &self.upper
    }

    /// The lower objective g(x, y).
    pub fn lower(&self) -> &Arc<Program<T>> {
        &self.lower
    }

    /// Where the lower level starts.
    pub fn start(&self) -> &DVector<T> {
        &self.start
    }

    /// A workspace for this problem.
    pub fn workspace(&self) -> Workspace<T> {
        Workspace::new(self)
    }
}

fn check<T: Real>(
    level: &'static str,
    program: &Program<T>,
    dim_x: usize,
    dim_y: usize,
) -> Result<(), ProblemError> {
    let len = |k: usize| {
        if k < program.inputs() {
            program.input_shape(k).len()
        } else {
            0
        }
    };
    if program.inputs() != 2 || (len(0), len(1)) != (dim_x, dim_y) {
        return Err(ProblemError::Dimensions {
            level,
            found_x: len(0),
            found_y: len(1),
            dim_x,
            dim_y,
        });
    }
    if !program.output_shape().is_scalar() {
        return Err(ProblemError::NotScalar {
            level,
            shape: program.output_shape().to_string(),
        });
    }
    if program.has_gradients() {
        return Err(ProblemError::NestedGradient { level });
    }
    Ok(())
}
