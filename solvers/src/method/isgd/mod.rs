//! ISGD: stochastic descent along inexact hypergradients.

mod run;

use autodiff::bytes::{Buffer, Category};
use autodiff::{Meter, Real};
use nalgebra::DVector;

use crate::inner::StepLength;
use crate::optimiser::Moments;
use crate::sampling::{Level, Sampling};
use crate::{Bilevel, ConfigError, Constraint, Optimiser, Oracles, Schedule};

use super::growth::Growth;
use super::implicit::ImplicitVectors;
use super::{Method, Run};
use run::IsgdRun;

/// Inexact stochastic gradient descent: `x ← x − α_k z`, z the hypergradient of a mini-batch of the
/// upper samples, with lower level and linear system solved to ε_k and δ_k.
///
/// Where each sample has a lower level of its own ([`Bilevel::per_sample`]), those of the batch are
/// solved, from the sample's last y and q, and z is the mean; else the one lower level is, on all
/// its samples. With [constants](Bilevel::with_constants) ε_k bounds `‖y − y*‖`, without them
/// `‖∇_y g‖`; δ_k bounds `‖Hq − ∇_yF‖`. A fixed ε leaves a bias that no step length removes; under
/// schedules that tend to 0, with `Σ α_k = ∞` and `Σ α_k² < ∞`, there is none.
///
/// # Requirements on the problem
/// F once and g twice differentiable; g strongly convex in y.
///
/// # Cost in oracle calls
/// For each sample of the batch, or once: FISTA, one gradient an iteration; a linear system by
/// conjugate gradients; without constants some 20 Hessian-vector products that find the step length.
/// Each report evaluates F and ∇_y g on all samples, which is not counted.
///
/// # Reference
/// M. S. Salehi, S. Mukherjee, L. Roberts and M. J. Ehrhardt, Bilevel learning with inexact
/// stochastic gradients, 2024.
#[derive(Clone, Debug, PartialEq)]
pub struct Isgd {
    iterations: usize,
    step: Schedule,
    accuracy: Schedule,
    linear_accuracy: Option<Schedule>,
    optimiser: Optimiser,
    sampling: Sampling,
    report_every: usize,
    constraint: Constraint,
}

impl Isgd {
    /// `iterations` steps on single samples with `α_k = step (k+1)^−0.75` and
    /// `ε_k = δ_k = 0.1 (k+1)^−0.75`.
    pub fn new(iterations: usize, step: f64) -> Self {
        let power = |a| Schedule::Power { a, q: 0.75 };
        Isgd {
            iterations,
            step: power(step),
            accuracy: power(0.1),
            linear_accuracy: None,
            optimiser: Optimiser::GradientDescent { rate: 1.0 },
            sampling: Sampling::new(0),
            report_every: 1,
            constraint: Constraint::None,
        }
    }

    /// The step lengths α_k: constant, `Power` with q in (0.5, 1], `PowerLog` with q in [0.5, 1], or
    /// harmonic.
    #[must_use]
    pub fn step(mut self, schedule: Schedule) -> Self {
        self.step = schedule;
        self
    }

    /// The accuracies ε_k, and δ_k unless it has its own; where they fall below 1e-10 (1e-5 in
    /// `f32`), that is taken instead.
    #[must_use]
    pub fn accuracy(mut self, schedule: Schedule) -> Self {
        self.accuracy = schedule;
        self
    }

    /// The accuracies δ_k of the linear system.
    #[must_use]
    pub fn linear_accuracy(mut self, schedule: Schedule) -> Self {
        self.linear_accuracy = Some(schedule);
        self
    }

    /// What moves x along z, its rate multiplied by α_k: Adam, say; plain steps of rate 1 unless
    /// given.
    #[must_use]
    pub fn optimiser(mut self, optimiser: Optimiser) -> Self {
        self.optimiser = optimiser;
        self
    }

    /// How batches of the upper samples are drawn.
    #[must_use]
    pub fn sampling(mut self, sampling: Sampling) -> Self {
        self.sampling = sampling;
        self
    }

    /// One [`Progress`](crate::Progress) for so many iterations.
    #[must_use]
    pub fn report_every(mut self, iterations: usize) -> Self {
        self.report_every = iterations;
        self
    }

    /// Projects every entry of x to `low ..= high`.
    #[must_use]
    pub fn bounds(self, low: f64, high: f64) -> Self {
        self.constraint(Constraint::Box { low, high })
    }

    /// Projects x to a set, at the start and after each step.
    #[must_use]
    pub fn constraint(mut self, constraint: Constraint) -> Self {
        self.constraint = constraint;
        self
    }

    fn complaint(&self) -> Option<String> {
        let none = self.iterations == 0 || self.report_every == 0;
        let none = none.then(|| "0 iterations: expected at least 1".to_owned());
        let linear = self.linear_accuracy.unwrap_or(self.accuracy);
        none.or(self.step.complaint("step length"))
            .or(step_complaint(self.step))
            .or(self.accuracy.complaint("accuracy"))
            .or(linear.complaint("linear accuracy"))
            .or(self.optimiser.complaint())
            .or(self.constraint.complaint())
    }
}

/// Why steps of these lengths do not lead to a solution through noise, if they do not.
fn step_complaint(step: Schedule) -> Option<String> {
    match step {
        Schedule::Power { q, .. } if !(q > 0.5 && q <= 1.0) => Some(format!(
            "step length falls with power {q}: expected q in (0.5, 1], such as {}, so that Σα is \
             infinite and Σα² is not",
            if q > 1.0 { "1" } else { "0.51" }
        )),
        Schedule::PowerLog { q, .. } if !(0.5..=1.0).contains(&q) => Some(format!(
            "step length falls with power {q} and a logarithm: expected q in [0.5, 1], such as {}",
            if q > 1.0 { "1" } else { "0.5" }
        )),
        Schedule::InverseRoot { .. } => Some(
            "step length falls with power 0.5, so that Σα² is infinite: expected power:A:0.51, or \
             power-log:A:0.5"
                .into(),
        ),
        step if step.is_summable() => Some(format!(
            "step lengths {step} have a finite sum, so x would stop short: expected power:A:1"
        )),
        _ => None,
    }
}

impl<T: Real> Method<T> for Isgd {
    fn name(&self) -> String {
        "isgd".into()
    }

    fn begin<'p>(
        &self,
        problem: &'p Bilevel<T>,
        mut x: DVector<T>,
    ) -> Result<Box<dyn Run<T> + 'p>, ConfigError> {
        problem.expect_no_step("isgd")?;
        // The lower level is never drawn from.
        let whole = problem.samples().1;
        let sampling = self.sampling.batches(self.sampling.batch(problem).0, whole);
        let complaint = self.complaint().or(sampling.complaint(problem));
        if let Some(reason) = complaint {
            let strategy = "isgd".into();
            return Err(ConfigError { strategy, reason });
        }
        assert_eq!(x.len(), problem.dim_x(), "entries of the outer variable");
        self.constraint.project(x.as_mut_slice());
        let meter = Meter::new();
        let (dim_x, dim_y) = (problem.dim_x(), problem.dim_y());
        let (mut upper, mut lower) = sampling.levels(problem, &meter);
        let own = problem.levels().own.as_ref();
        let block = own.map_or(dim_y, |own| own.block);
        if let Some(own) = own {
            let dims = (dim_x, block);
            let draws = upper.draws().clone();
            let (f, g) = (own.upper.clone(), own.lower.clone());
            upper = Level::new(problem.upper(), Some(f), dims, draws.clone(), &meter);
            lower = Level::new(problem.lower(), Some(g), dims, draws, &meter);
        }
        let buffer = |len| Buffer::zeros(len, Category::Solver, &meter);
        let found = if problem.states_constants() {
            0
        } else {
            StepLength::Auto.spare(block)
        };
        Ok(Box::new(IsgdRun {
            moments: Moments::new(self.optimiser, dim_x, &meter),
            implicit: ImplicitVectors::new(dim_x, block, 2 * block, &meter),
            found: buffer(found),
            direction: buffer(dim_x),
            q: buffer(dim_y),
            y: problem.start().clone(),
            upper,
            lower,
            reports: Oracles::default(),
            meter,
            problem,
            x,
            settings: self.clone(),
            iteration: 0,
            stopped: false,
            growth: Growth::default(),
            warnings: Vec::new(),
        }))
    }
}
