//! What can be checked: functions of your own, programs, objectives, steps and primitives.

use std::sync::Arc;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::inputs::Inputs;
use crate::objective::Objective;
use crate::primitive::Primitive;
use crate::program::Program;
use crate::real::Real;
use crate::rules::elementwise::Domain;
use crate::shape::Shape;
use crate::unroll::Step;

use super::function::{self, Closures, Function, OfLoop, OfProgram, wide};
use super::ladder::Frame;
use super::programs::{Swept, stopped};
use super::steps::Stepped;
use super::{Check, Operation, Place, Report, Rung, Trial, Verdict, blame, kinks, primitives};

impl Check {
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
        self.report(
            "gradient",
            self.function(&mut self.closures(f, grad, hvp), x),
        )
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
        self.report(
            "hessian",
            self.function(&mut self.closures(f, grad, hvp), x),
        )
    }

    /// Checks a recorded scalar function at a point: gradients, products, and the sweeps against
    /// each other.
    ///
    /// # Panics
    /// If the program's value is not a scalar, or the inputs are not those of its shapes.
    #[track_caller]
    #[inline(never)]
    pub fn program<T: Real>(&self, program: &Arc<Program<T>>, at: &[&[T]]) -> Report {
        self.complain(program, at);
        let x = wide(&at.concat());
        let mut frame = Frame::new(self, &x);
        let mut function = OfProgram::new(program);
        let gradient = function.gradient(&x);
        let products = products(&mut function, &frame);
        let mut swept = Swept::new(program, at);
        frame.terms = swept.terms(&frame.scales);
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
        let differences = self.climbs(Rung::Differences);
        kinks::name(&mut trials, &swept.point.kinks(), differences);
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
    #[inline(never)]
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
        let mut function = OfLoop::new(step, depth, &cotangent);
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
        let by = Inputs::one(0).union(Inputs::one(1));
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

    fn report(&self, subject: &str, mut trials: Vec<Trial>) -> Report {
        kinks::settle(&mut trials);
        Report {
            subject: subject.to_owned(),
            seed: self.seed,
            trials,
            excused: false,
        }
    }

    /// The rungs of a function that is nothing but its values and derivatives.
    #[track_caller]
    fn closures<F, G, H>(&self, f: F, grad: G, hvp: Option<H>) -> Closures<F, G, H> {
        let epsilon = self.epsilon;
        Closures {
            f,
            grad,
            hvp,
            epsilon,
        }
    }

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
            let kink = trials.iter().any(|t| matches!(t.verdict, Verdict::Kink(_)));
            trials.extend(frame.taylor(f, gradient, products, kink));
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
