//! The one problem definition.

mod constraints;
mod error;
mod map;
mod part;
mod start;

use std::sync::Arc;

use autodiff::unroll::Step;
use autodiff::{Objective, Program, Real, Sampled};
use nalgebra::DVector;

pub use error::ProblemError;

use crate::certificate::Stated;
use crate::part::Recorded;
use crate::sampling::Levels;
use crate::{Workspace, constraints as between};

/// A bilevel problem: `min_x F(x, y*(x))` with `y*(x) = argmin_y g(x, y)`, or with
/// `y*(x) = argmin_y g(x, y) + h(x, y)` for an h that is not smooth, or a set
/// ([`with_part`](Bilevel::with_part)).
///
/// The objectives are written once; every strategy and every method runs on them, or refuses them in
/// a line.
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
    start_of_x: Option<Arc<Program<T>>>,
    step: Option<Step<T>>,
    /// Whether those steps are a map whose fixed point y is, however it is come by.
    equation: bool,
    part: Option<Arc<Recorded<T>>>,
    constraints: Option<Arc<between::Recorded<T>>>,
    pub(crate) samples: Levels<T>,
    pub(crate) constants: Stated<T>,
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
        not_empty(dim_x, dim_y)?;
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
            start_of_x: None,
            step: None,
            equation: false,
            part: None,
            constraints: None,
            samples: Levels::default(),
            constants: Stated::default(),
        })
    }

    /// The problem of two means over samples, with `x` of `dim_x` and `y` of `dim_y` entries. Its
    /// [`upper`](Bilevel::upper) and [`lower`](Bilevel::lower) are the means over all samples, so
    /// every strategy runs on it; stochastic methods draw batches.
    ///
    /// A level without samples is an [`objective`](fn@autodiff::objective): a mean over one.
    ///
    /// # Example
    /// ```
    /// use autodiff::{Var, objective, sampled};
    /// use solvers::Bilevel;
    ///
    /// let b = [0.5, 1.0, 1.5];
    /// let upper = sampled(3, move |_x: Var, y: Var, batch: &[usize]| {
    ///     let terms = batch.iter().map(|i| 0.5 * (y - b[*i]).norm_squared());
    ///     Var::sum_of(terms) / batch.len() as f64
    /// });
    /// let lower = objective(|x: Var, y: Var| 0.5 * (y - x).norm_squared());
    /// let problem = Bilevel::sampled(upper, lower, 1, 1)?;
    /// assert_eq!(problem.samples(), (3, 1));
    /// # Ok::<(), solvers::ProblemError>(())
    /// ```
    ///
    /// # Errors
    /// See [`ProblemError`].
    pub fn sampled(
        upper: impl Sampled<T> + 'static,
        lower: impl Sampled<T> + 'static,
        dim_x: usize,
        dim_y: usize,
    ) -> Result<Self, ProblemError> {
        not_empty(dim_x, dim_y)?;
        for (level, samples) in [("upper", upper.samples()), ("lower", lower.samples())] {
            if samples == 0 {
                return Err(ProblemError::NoSamples { level });
            }
        }
        let whole = |of: &dyn Sampled<T>| {
            let all: Vec<usize> = (0..of.samples()).collect();
            of.program(dim_x, dim_y, &all)
        };
        let problem = Self::new(whole(&upper), whole(&lower), dim_x, dim_y)?;
        Ok(Bilevel {
            samples: Levels::new(upper, lower),
            ..problem
        })
    }

    /// The numbers of samples of the upper and the lower objective; 1 for one that is no mean.
    pub fn samples(&self) -> (usize, usize) {
        self.samples.counts()
    }

    /// The upper and the lower objective as [`sampled`](Bilevel::sampled) or
    /// [`per_sample`](Bilevel::per_sample) took them; `None` if neither made the problem. All samples
    /// give [`upper`](Bilevel::upper) and [`lower`](Bilevel::lower).
    pub fn means(&self) -> Option<[&Arc<dyn Sampled<T>>; 2]> {
        self.samples.given()
    }

    pub(crate) fn levels(&self) -> &Levels<T> {
        &self.samples
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

    /// Puts another function of x, y and what a workspace holds beside them in F's place.
    pub(crate) fn replace_upper(&mut self, upper: Arc<Program<T>>) {
        self.upper = upper;
    }

    /// The lower objective g(x, y).
    pub fn lower(&self) -> &Arc<Program<T>> {
        &self.lower
    }

    /// A workspace for this problem.
    #[inline(never)]
    pub fn workspace(&self) -> Workspace<T> {
        Workspace::new(self)
    }
}

fn not_empty(dim_x: usize, dim_y: usize) -> Result<(), ProblemError> {
    match (dim_x, dim_y) {
        (0, _) => Err(ProblemError::Empty { level: "outer" }),
        (_, 0) => Err(ProblemError::Empty { level: "inner" }),
        _ => Ok(()),
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
