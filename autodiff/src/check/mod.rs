//! The gradient checker: a ladder of ways to one derivative, the tightest first.
//!
//! | rung | what is compared | to |
//! |---|---|---|
//! | [identities](Rung::Identities) | `⟨u,Jv⟩ = ⟨Jᵀu,v⟩`, `⟨w,Hv⟩ = ⟨v,Hw⟩`, the cross block's two sides, linearity, the joint sweep and its parts | rounding |
//! | [cross-mode](Rung::CrossMode) | reverse mode against forward mode on hyper-dual numbers, written for checking alone | rounding |
//! | [complex step](Rung::ComplexStep) | `Im f(x + ihv)/h` where every operation is holomorphic | rounding |
//! | [differences](Rung::Differences) | extrapolated central differences on a plateau of steps | their own error |
//! | [Taylor](Rung::Taylor) | the rates 1, 2, 3 of the remainders of Taylor's formula | ±0.2 |
//!
//! Rounding is bounded, not guessed: the bound is `ε N Σ|terms|`, with ε twice the unit roundoff, N
//! the operations on the longest path through the program and the sum over all paths, both
//! accumulated from the program. Differences measure the noise of the function before they trust a
//! step. So there are three verdicts: nothing passes that would also have passed with an entry off
//! by a relative [`PERTURBATION`] (of an entry that is 0: of the largest one), nothing is a mismatch
//! that noise explains, and what is left is [unchecked](Verdict::Unchecked), with the reason.
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
mod ladder;
mod primitives;
mod programs;
mod report;
mod steps;
mod taylor;
mod trial;

use std::sync::Arc;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub use report::{Control, Report, Row};
pub use trial::{Operation, PERTURBATION, Place, Rung, Trial, Verdict};

use crate::program::Inputs;
use crate::rules::elementwise::Domain;
use crate::unroll::Step;
use crate::{Objective, Primitive, Program, Real, Shape};

use function::{Closures, Function, Loop, Recorded, wide};
use ladder::Frame;
use programs::{Swept, stopped};
use steps::Stepped;

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
}

impl Default for Check {
    fn default() -> Self {
        Check {
            seed: 0,
            factor: 1.0,
            rungs: Rung::ALL.to_vec(),
            directions: 2,
            entries: 256,
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

    /// Checks the gradient of a function of yours at `x`.
    ///
    /// # Panics
    /// If a gradient does not have as many entries as `x`.
    #[track_caller]
    pub fn gradient(
        &self,
        f: impl FnMut(&[f64]) -> f64,
        grad: impl FnMut(&[f64]) -> Vec<f64>,
        x: &[f64],
    ) -> Report {
        let hvp = None::<fn(&[f64], &[f64]) -> Vec<f64>>;
        self.report("gradient", self.function(&mut Closures { f, grad, hvp }, x))
    }

    /// Checks the gradient and the Hessian's products `hvp(x, v)` of a function of yours at `x`.
    ///
    /// # Panics
    /// If a gradient or a product does not have as many entries as `x`.
    ///
    /// # Example
    /// ```
    /// use autodiff::check::Check;
    ///
    /// let f = |x: &[f64]| x[0].exp() * x[1];
    /// let grad = |x: &[f64]| vec![x[0].exp() * x[1], x[0].exp()];
    /// // The cross term is dropped.
    /// let hvp = |x: &[f64], v: &[f64]| vec![x[0].exp() * x[1] * v[0], x[0].exp() * v[0]];
    /// let report = Check::new().hessian(f, grad, hvp, &[0.3, -1.2]);
    /// assert!(report.mismatches().all(|t| t.check != "gradient"));
    /// assert!(report.mismatches().any(|t| t.check == "product" && t.place.entry == Some((0, 0))));
    /// ```
    #[track_caller]
    pub fn hessian(
        &self,
        f: impl FnMut(&[f64]) -> f64,
        grad: impl FnMut(&[f64]) -> Vec<f64>,
        hvp: impl FnMut(&[f64], &[f64]) -> Vec<f64>,
        x: &[f64],
    ) -> Report {
        let hvp = Some(hvp);
        self.report("hessian", self.function(&mut Closures { f, grad, hvp }, x))
    }

    /// Checks a recorded scalar function at a point: gradients, products, and the sweeps against
    /// each other.
    ///
    /// # Panics
    /// If the program's value is not a scalar, or the inputs are not those of its shapes.
    #[track_caller]
    pub fn program<T: Real>(&self, program: &Arc<Program<T>>, at: &[&[T]]) -> Report {
        self.complain(program, at);
        let x = wide(&at.concat());
        let frame = Frame::new(self, &x);
        let mut function = Recorded::new(program);
        let gradient = function.gradient(&x);
        let products = products(&mut function, &frame);
        let mut swept = Swept::new(program, at);
        let (g, p) = (&gradient[..], products.as_deref());
        let mut trials = Vec::new();
        if self.climbs(Rung::Identities) {
            trials.extend(swept.identities(&frame));
        }
        if self.climbs(Rung::CrossMode) {
            trials.extend(swept.cross_mode(&frame, g, p));
        }
        let stopped = stopped(program, Inputs::ALL);
        if self.climbs(Rung::ComplexStep) && stopped.is_none() {
            trials.extend(swept.complex_step(&frame, g));
        }
        trials.extend(match stopped {
            Some(operation) => self.unreachable(operation),
            None => self.values(&mut function, &frame, g, p),
        });
        let culprit = trials.iter().any(|t| t.verdict == Verdict::Mismatch);
        if let Some(operation) = culprit.then(|| blame::operation(program, at)).flatten() {
            for trial in trials.iter_mut().filter(|t| t.verdict == Verdict::Mismatch) {
                trial.place.operation = Some(operation.clone());
            }
        }
        self.report("program", trials)
    }

    /// Checks an objective of `x` and `y`; see [`program`](Check::program).
    ///
    /// # Panics
    /// If its value is not a scalar.
    #[track_caller]
    pub fn objective<T: Real>(&self, objective: &impl Objective<T>, x: &[T], y: &[T]) -> Report {
        self.program(&objective.record(x.len(), y.len()), &[x, y])
            .named("objective")
    }

    /// Checks a step and the loop of `depth` of them from `state`: the step's tangent against its
    /// adjoint, the loop backwards against forwards, and the loop's value, through a random
    /// cotangent of the last state, against differences.
    ///
    /// # Panics
    /// If a length is not that of the step's input, or the depth is 0.
    ///
    /// # Example
    /// ```
    /// use autodiff::check::Check;
    /// use autodiff::unroll::Step;
    /// use autodiff::{Objective, Var, objective};
    ///
    /// let g = objective(|x: Var, y: Var| (y - x).square().dot(y.exp())).record(2, 2);
    /// let step = Step::new(2, 2, |x, y, _| y - 0.1 * Var::gradient(&g, 1, &[x, y]));
    /// autodiff::assert_checked!(Check::new().step(&step, &[0.5, -0.2], &[0.1, 0.3], 5));
    /// ```
    #[track_caller]
    pub fn step<T: Real>(&self, step: &Step<T>, x: &[T], state: &[T], depth: usize) -> Report {
        assert!(depth > 0, "depth 0: expected at least 1 step");
        for (k, given) in [x, state].into_iter().enumerate() {
            let expected = step.program().input_shape(k);
            assert!(
                given.len() == expected.len(),
                "input {k} of the step has {} entries: expected {expected}",
                given.len()
            );
        }
        let at = wide(&[x, state].concat());
        let frame = Frame::new(self, &at);
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed ^ 1);
        let cotangent: Vec<f64> = (0..state.len())
            .map(|_| rng.random_range(0.5..1.5))
            .collect();
        let mut function = Loop::new(step, depth, &cotangent);
        let gradient = function.gradient(&at);
        let stepped = Stepped {
            step,
            x,
            state,
            depth,
        };
        let mut trials = Vec::new();
        if self.climbs(Rung::Identities) {
            trials.extend(stepped.identities(&frame, &cotangent));
        }
        if self.climbs(Rung::CrossMode) {
            trials.extend(stepped.cross_mode(&frame, &mut function, &gradient));
        }
        let by = Inputs::one(0).and(Inputs::one(1));
        trials.extend(match stopped(step.program(), by) {
            Some(operation) => self.unreachable(operation),
            None => self.values(&mut function, &frame, &gradient, None),
        });
        self.report("step", trials)
    }

    /// Checks a primitive on operands of these shapes, drawn from `domain` by the seed. Its value
    /// goes through a weighted sum and half the square of another one, so that every rule meets
    /// adjoints that move.
    ///
    /// # Panics
    /// If the primitive refuses the shapes.
    #[track_caller]
    pub fn primitive<T: Real>(
        &self,
        primitive: impl Primitive<T>,
        operands: &[Shape],
        domain: Domain,
    ) -> Report {
        let name = primitive.name().to_owned();
        let program = primitives::wrapped(primitive, operands, self.seed);
        let at = primitives::operands::<T>(operands, domain, self.seed);
        self.program(&program, &function::slices(&at)).named(name)
    }

    fn climbs(&self, rung: Rung) -> bool {
        self.rungs.contains(&rung)
    }

    fn report(&self, subject: &str, trials: Vec<Trial>) -> Report {
        Report {
            subject: subject.to_owned(),
            seed: self.seed,
            trials,
        }
    }

    /// The rungs of a function that is nothing but its values and derivatives.
    #[track_caller]
    fn function(&self, f: &mut impl Function, x: &[f64]) -> Vec<Trial> {
        let frame = Frame::new(self, x);
        let gradient = f.gradient(x);
        let products = products(f, &frame);
        let mut trials = Vec::new();
        if let Some(products) = &products
            && self.climbs(Rung::Identities)
        {
            trials.extend(frame.product_identities(f, products));
        }
        trials.extend(self.values(f, &frame, &gradient, products.as_deref()));
        trials
    }

    fn values(
        &self,
        f: &mut impl Function,
        frame: &Frame<'_>,
        gradient: &[f64],
        products: Option<&[Vec<f64>]>,
    ) -> Vec<Trial> {
        let mut trials = Vec::new();
        if self.climbs(Rung::Differences) {
            trials.extend(frame.gradient_differences(f, gradient));
            if let Some(products) = products {
                trials.extend(frame.product_differences(f, products));
            }
        }
        if self.climbs(Rung::Taylor) {
            trials.extend(frame.taylor(f, gradient, products));
        }
        trials
    }

    /// The rungs that compare with values, where a stopped gradient sets the two apart.
    fn unreachable(&self, operation: Operation) -> Vec<Trial> {
        let rungs = [Rung::ComplexStep, Rung::Differences, Rung::Taylor];
        let climbed = rungs.into_iter().filter(|rung| self.climbs(*rung));
        let trial = |rung| {
            let reason = "its derivative is not that of the value".to_owned();
            let place = Place {
                operation: Some(operation.clone()),
                ..Place::default()
            };
            Trial::unchecked("gradient", rung, f64::NAN, reason, place)
        };
        climbed.map(trial).collect()
    }

    #[track_caller]
    fn complain<T: Real>(&self, program: &Program<T>, at: &[&[T]]) {
        assert!(
            program.output_shape().is_scalar(),
            "the program's value is {}: expected a scalar",
            program.output_shape()
        );
        let shapes: Vec<Shape> = (0..program.inputs())
            .map(|k| program.input_shape(k))
            .collect();
        if !at
            .iter()
            .map(|a| a.len())
            .eq(shapes.iter().map(|s| s.len()))
        {
            let got: Vec<usize> = at.iter().map(|a| a.len()).collect();
            let want: Vec<String> = shapes.iter().map(Shape::to_string).collect();
            panic!("inputs of {got:?} entries: expected {}", want.join(", "));
        }
    }
}

/// The Hessian's products with every direction, if there are any.
fn products(f: &mut impl Function, frame: &Frame<'_>) -> Option<Vec<Vec<f64>>> {
    let directions = frame.directions.iter();
    directions.map(|v| f.product(frame.x, v)).collect()
}

/// Panics with the report's table, at the caller's line, if the report did not pass: if something
/// mismatched, or nothing could be compared.
///
/// # Panics
/// See above.
#[track_caller]
pub fn assert_checked(report: &Report) {
    assert!(report.passed(), "{report}");
}

/// [`assert_checked`](crate::check::assert_checked) of a report that is an expression.
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
