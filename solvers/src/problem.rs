//! The one problem definition.

use std::sync::Arc;

use autodiff::unroll::Step;
use autodiff::{Objective, Program, Real, Sampled, Shape, Var};
use nalgebra::DVector;

use crate::certificate::Stated;
use crate::part::{Part, Recorded};
use crate::sampling::Levels;
use crate::{ConfigError, Workspace};

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
    part: Option<Arc<Recorded<T>>>,
    pub(crate) samples: Levels<T>,
    pub(crate) constants: Stated<T>,
}

/// Why two objectives are not a bilevel problem.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
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
    /// An objective is a mean over no samples.
    #[error("the {level} objective is a mean over 0 samples: expected at least 1")]
    NoSamples {
        /// `"upper"` or `"lower"`.
        level: &'static str,
    },
    /// Levels of a problem with one lower level per sample differ in their samples.
    #[error("the upper objective has {upper} samples and the lower {lower}: expected the same")]
    SamplesDiffer {
        /// Samples of the upper objective.
        upper: usize,
        /// Samples of the lower objective.
        lower: usize,
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
    /// A part of the lower level is none for this y.
    #[error("the part {part}: {reason}")]
    Part {
        /// Its name.
        part: String,
        /// What is wrong and what was expected.
        reason: String,
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
            part: None,
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

    /// Makes y what the steps make of the start: x is then part of the steps, as learning rates are,
    /// and not of g alone.
    ///
    /// [`Itd`](crate::Itd) differentiates through these steps, in place of steps of its own. No
    /// equation says where they end, so whatever differentiates the solution of the lower level, or
    /// takes its steps itself, refuses the problem.
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
        self
    }

    /// The problem whose lower level is `min_y g(x, y) + h(x, y)` with this part h of the lower level,
    /// or `min_y g(x, y)` over y in this set.
    ///
    /// Gradient steps and FISTA then end in its proximal map, so [`Itd`](crate::Itd),
    /// [`AidStep`](crate::AidStep) and, for sets, [`Bda`](crate::Bda) differentiate it, and
    /// [`Aid`](crate::Aid) and [`Exact`](crate::Exact) solve their linear system on the face that y
    /// lies on. What solves `∇_y g = 0` refuses the problem.
    ///
    /// # Errors
    /// If the part is none of y of `dim_y` entries, its parameters do not have the lengths they must
    /// have, or the problem has steps of its own.
    pub fn with_part(mut self, part: Part<T>) -> Result<Self, ProblemError> {
        let name = part.name();
        let wrong = |reason| ProblemError::Part { part: name, reason };
        if self.step.is_some() {
            let reason = "the problem has steps of its own: expected none beside a part";
            return Err(wrong(reason.to_owned()));
        }
        let recorded = Recorded::new(part, self.dim_x, self.dim_y).map_err(wrong)?;
        self.part = Some(Arc::new(recorded));
        Ok(self)
    }

    /// What the lower level has [beside g](Bilevel::with_part).
    pub fn part(&self) -> Option<&Part<T>> {
        self.part.as_ref().map(|recorded| &recorded.part)
    }

    pub(crate) fn recorded_part(&self) -> Option<&Arc<Recorded<T>>> {
        self.part.as_ref()
    }

    /// The steps that y moves by, where the problem [brings its own](Bilevel::with_step).
    pub fn step(&self) -> Option<&Step<T>> {
        self.step.as_ref()
    }

    /// The reason why nothing but unrolling its own steps can be run on it, if it brings some.
    pub(crate) fn own_step(&self) -> Option<String> {
        self.step.as_ref().map(|_| {
            "the problem has steps of its own, which x is part of, and no solution of a lower level \
             to differentiate: expected itd"
                .to_owned()
        })
    }

    /// The reason why what solves `∇_y g = 0` cannot be run on it, if it has a part beside g or steps
    /// of its own.
    pub(crate) fn not_smooth(&self) -> Option<String> {
        let part = self.part.as_ref().map(|recorded| {
            let name = recorded.part.name();
            format!(
                "the lower level has a part beside g ({name}), so ∇_y g = 0 does not solve it: expected \
                 aid-cg, aid-step or itd, or descent by one of them"
            )
        });
        part.or_else(|| self.own_step())
    }

    /// Refuses a problem whose lower level is not `∇_y g = 0`.
    pub(crate) fn expect_smooth(&self, strategy: impl Into<String>) -> Result<(), ConfigError> {
        self.not_smooth().map_or(Ok(()), |reason| {
            let of = strategy.into();
            Err(ConfigError::Problem { of, reason })
        })
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

    /// Where the lower level starts, unless it is a [function of x](Bilevel::starting_at).
    pub fn start(&self) -> &DVector<T> {
        &self.start
    }

    /// A workspace for this problem.
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
