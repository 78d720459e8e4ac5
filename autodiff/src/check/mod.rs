//! The gradient checker: a ladder of ways to one derivative, the tightest first.
//!
//! | rung | what is compared | to |
//! |---|---|---|
//! | [identities](Rung::Identities) | `⟨u,Jv⟩ = ⟨Jᵀu,v⟩`, `⟨w,Hv⟩ = ⟨v,Hw⟩`, the cross block's two sides, linearity; products by the joint sweep, after it, in blocks, and as a block of the Hessian | rounding |
//! | [cross-mode](Rung::CrossMode) | reverse mode against forward mode on hyper-dual numbers, written for checking alone | rounding |
//! | [complex step](Rung::ComplexStep) | `Im f(x + ihv)/h` where every operation is holomorphic | rounding |
//! | [differences](Rung::Differences) | extrapolated central differences on a plateau of steps | their own error |
//! | [Taylor](Rung::Taylor) | the rates 1, 2, 3 of the remainders of Taylor's formula | ±0.2 |
//!
//! Rounding is bounded, not guessed: the bound is `ε N Σ|terms|`, with ε twice the unit roundoff, N
//! the operations on the longest path through the program and the sum over all paths, both
//! accumulated from the program. Differences measure the noise of the function before they trust a
//! step. So nothing passes that would also have passed with an entry off by a relative
//! [`PERTURBATION`] (of an entry that is 0: of the largest one), nothing is a mismatch that noise
//! explains, a derivative between those on either side of a [kink](Verdict::Kink) is neither, and
//! what is left is [unchecked](Verdict::Unchecked), with the reason. A report passes where each
//! derivative was told from a wrong one somewhere; else it is [undecided](Report::undecided).
//!
//! On functions of your own, without any recording:
//! ```
//! use autodiff::check::Check;
//!
//! let f = |x: &[f64]| x[0] * x[0] * x[1].sin();
//! let grad = |x: &[f64]| vec![2.0 * x[0] * x[1].sin(), x[0] * x[0] * x[1].cos()];
//! autodiff::assert_checked!(Check::new().gradient(f, grad, &[1.5, 0.7]));
//!
//! // A missing factor in entry 0.
//! let wrong = |x: &[f64]| vec![x[0] * x[1].sin(), x[0] * x[0] * x[1].cos()];
//! let report = Check::new().gradient(f, wrong, &[1.5, 0.7]);
//! assert_eq!(report.mismatches().next().unwrap().place.entry, Some((0, 0)));
//! println!("{report}");
//! ```

mod blame;
mod complex;
mod differences;
mod function;
mod jet;
mod kinks;
mod ladder;
mod primitives;
mod programs;
mod report;
mod steps;
mod subjects;
mod taylor;
mod trial;

pub use report::{Control, Report, Row};
pub use trial::{Operation, PERTURBATION, Place, Rung, Trial, Verdict};

/// Errors of differences, as their plateau shows them, are trusted to this factor.
const DIFFERENCES: f64 = 10.0;

/// How derivatives are checked: the seed and the rungs; its methods check something and report.
///
/// # Example
/// A recorded function:
/// ```
/// use autodiff::check::Check;
/// use autodiff::{Program, Shape};
///
/// let g = Program::<f64>::record(&[Shape::vector(2); 2], |v| 0.5 * v[0].exp().dot(v[1].square()));
/// let report = Check::new().program(&g, &[&[0.1, -0.3], &[1.0, 2.0]]);
/// assert!(report.passed(), "{report}");
/// assert!(report.control().has_power());
/// ```
#[derive(Clone, Debug)]
#[must_use = "a check does nothing until it is given something to check"]
pub struct Check {
    seed: u64,
    factor: f64,
    rungs: Vec<Rung>,
    directions: usize,
    entries: usize,
    epsilon: f64,
}

impl Default for Check {
    fn default() -> Self {
        Check {
            seed: 0,
            factor: 1.0,
            rungs: Rung::ALL.to_vec(),
            directions: 2,
            entries: 256,
            epsilon: f64::EPSILON,
        }
    }
}

impl Check {
    /// All rungs, two directions, seed 0.
    pub fn new() -> Self {
        Check::default()
    }

    /// The seed of directions, of the sample of entries and of random operands.
    pub fn seed(self, seed: u64) -> Self {
        Check { seed, ..self }
    }

    /// A factor on every tolerance; 1 unless said otherwise. What has no power with it is unchecked.
    ///
    /// # Panics
    /// If it is not positive.
    #[track_caller]
    pub fn factor(self, factor: f64) -> Self {
        assert!(factor > 0.0, "factor {factor}: expected a positive one");
        Check { factor, ..self }
    }

    /// The distance from 1 to the next number that functions of yours compute with; that of `f64` unless
    /// said otherwise. A function that works in single precision inside says `f32::EPSILON`.
    ///
    /// ```
    /// use autodiff::check::Check;
    ///
    /// let f = |x: &[f64]| f64::from((x[0] as f32).sin());
    /// let grad = |x: &[f64]| vec![f64::from((x[0] as f32).cos())];
    /// let single = Check::new().epsilon(f64::from(f32::EPSILON));
    /// assert!(single.gradient(f, grad, &[0.7]).mismatches().next().is_none());
    /// ```
    ///
    /// # Panics
    /// If it is not positive.
    #[track_caller]
    pub fn epsilon(self, epsilon: f64) -> Self {
        assert!(epsilon > 0.0, "epsilon {epsilon}: expected a positive one");
        Check { epsilon, ..self }
    }

    /// The rungs to climb; all unless said otherwise.
    pub fn rungs(self, rungs: &[Rung]) -> Self {
        Check {
            rungs: rungs.to_vec(),
            ..self
        }
    }

    /// The number of directions of products and remainders.
    ///
    /// # Panics
    /// If it is 0.
    #[track_caller]
    pub fn directions(self, directions: usize) -> Self {
        assert!(directions > 0, "directions: expected at least 1");
        Check { directions, ..self }
    }

    /// The most entries that are looked at one by one, 256 unless said otherwise; of a longer
    /// derivative a sample is, and the rest along the directions.
    ///
    /// # Panics
    /// If it is 0.
    #[track_caller]
    pub fn entries(self, entries: usize) -> Self {
        assert!(entries > 0, "entries: expected at least 1");
        Check { entries, ..self }
    }
}

/// Panics with the report's table, at the caller's line, if the report did not pass: if something
/// mismatched, or a derivative could not be told from a wrong one anywhere.
///
/// # Panics
/// See above.
#[track_caller]
pub fn assert_checked(report: &Report) {
    assert!(report.passed(), "{report}");
}

/// [`assert_checked`] of a report that is an expression.
///
/// ```
/// use autodiff::check::Check;
///
/// let f = |x: &[f64]| x[0].cos();
/// autodiff::assert_checked!(Check::new().gradient(f, |x| vec![-x[0].sin()], &[0.4]));
/// ```
#[macro_export]
macro_rules! assert_checked {
    ($report:expr) => {
        $crate::check::assert_checked(&$report)
    };
}
