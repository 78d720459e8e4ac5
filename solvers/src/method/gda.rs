//! Gradient descent–ascent on the minimax reformulation.

use autodiff::bytes::{Buffer, Category};
use autodiff::kernels::{axpy, norm};
use autodiff::{Inputs, Real};
use nalgebra::DVector;

use crate::inner::StepLength;
use crate::optimiser::Moments;
use crate::{Bilevel, ConfigError, Constraint, Optimiser, Status, Workspace};

use super::{Method, Progress, Run, bounds_complaint, project};

/// Multi-stage gradient descent–ascent on `min_{x,y} max_u F(x, y) + α (g(x, y) − g(x, u))`.
///
/// In stage i = 0, 1, … the penalty is `α = α₀ τ^{i+1}` and all step lengths shrink by `τ^{−i}`.
/// Each iteration moves u, y and x at once:
/// `u −= lr_u α ∇_u g(x, u)`, `y −= lr_y ∇_y (F + αg)(x, y)`,
/// `x −= lr_x [∇_xF + α (∇_x g(x, y) − ∇_x g(x, u))]`.
///
/// # Requirements on the problem
/// F and g once differentiable; the lower level need not have a single solution. For a fixed α the
/// solution is biased by O(1/α).
///
/// # Cost in oracle calls
/// Three gradients per iteration and no Hessian-vector product; memory independent of the number
/// of iterations.
///
/// # Reference
/// X. Wang et al., Effective bilevel optimization via minimax reformulation, 2023.
#[derive(Clone, Debug, PartialEq)]
pub struct Gda {
    stages: usize,
    per_stage: usize,
    report_every: usize,
    penalty: f64,
    growth: f64,
    u_length: StepLength,
    y_length: StepLength,
    x_optimiser: Optimiser,
    constraint: Constraint,
}

impl Gda {
    /// `stages` of `per_stage` iterations with α₀ = 0.03 and τ = 2, automatic lengths for u and y,
    /// and this optimiser for x.
    pub fn new(stages: usize, per_stage: usize, x_optimiser: Optimiser) -> Self {
        Gda {
            stages,
            per_stage,
            report_every: 1,
            penalty: 0.03,
            growth: 2.0,
            u_length: StepLength::Auto,
            y_length: StepLength::Auto,
            x_optimiser,
            constraint: Constraint::None,
        }
    }

    /// α₀ and τ.
    #[must_use]
    pub fn penalty(mut self, start: f64, growth: f64) -> Self {
        self.penalty = start;
        self.growth = growth;
        self
    }

    /// Step lengths of u and y in the first stage.
    #[must_use]
    pub fn steps(mut self, u: f64, y: f64) -> Self {
        self.u_length = StepLength::Fixed(u);
        self.y_length = StepLength::Fixed(y);
        self
    }

    /// One [`Progress`] for so many iterations.
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
        let positive = |what: &str, v: f64, least: f64| {
            let bad = !(v.is_finite() && v > least);
            bad.then(|| format!("{what} {v}: expected a number above {least}"))
        };
        if self.stages == 0 || self.per_stage == 0 || self.report_every == 0 {
            return Some("0 iterations: expected at least 1 stage of 1 iteration".into());
        }
        positive("penalty α₀", self.penalty, 0.0)
            .or(positive("growth τ", self.growth, 0.0))
            .or(self.u_length.complaint())
            .or(self.y_length.complaint())
            .or(self.x_optimiser.complaint())
            .or(bounds_complaint(self.constraint))
    }
}

impl<T: Real> Method<T> for Gda {
    fn name(&self) -> String {
        "gda".into()
    }

    fn begin<'p>(
        &self,
        problem: &'p Bilevel<T>,
        mut x: DVector<T>,
    ) -> Result<Box<dyn Run<T> + 'p>, ConfigError> {
        if let Some(reason) = self.complaint() {
            return Err(ConfigError {
                strategy: Method::<T>::name(self),
                reason,
            });
        }
        assert_eq!(x.len(), problem.dim_x(), "entries of the outer variable");
        project(&mut x, self.constraint);
        let mut work = problem.workspace();
        let start = problem.start().clone();
        let at = (x.as_slice(), start.as_slice());
        // At penalty α, u follows a function of curvature αL_g and y one of L_F + αL_g.
        let alpha = self.penalty * self.growth;
        let auto = StepLength::Auto;
        let (mut u_length, mut y_length) = (0.0, 0.0);
        if self.u_length == auto || self.y_length == auto {
            let spare = auto.spare(problem.dim_y());
            let mut spare = Buffer::zeros(spare, Category::Solver, work.meter());
            let lower = auto.resolve(&mut work.lower, at.0, at.1, &mut spare);
            let upper = auto.resolve(&mut work.upper, at.0, at.1, &mut spare);
            u_length = lower / alpha;
            y_length = 1.0 / (1.0 / upper + alpha / lower);
        }
        if let StepLength::Fixed(length) = self.u_length {
            u_length = length;
        }
        if let StepLength::Fixed(length) = self.y_length {
            y_length = length;
        }
        let buffer = |len: usize| Buffer::zeros(len, Category::Solver, work.meter());
        Ok(Box::new(GdaRun {
            u: start.clone(),
            moments: Moments::new(self.x_optimiser, x.len()),
            x_direction: buffer(problem.dim_x()),
            y_direction: buffer(problem.dim_y()),
            lengths: (u_length, y_length),
            y: start,
            work,
            settings: self.clone(),
            x,
            iteration: 0,
            stopped: false,
        }))
    }
}

struct GdaRun<T: Real> {
    settings: Gda,
    work: Workspace<T>,
    moments: Moments<T>,
    x: DVector<T>,
    y: DVector<T>,
    u: DVector<T>,
    x_direction: Buffer<T>,
    y_direction: Buffer<T>,
    /// Step lengths of u and y in the first stage.
    lengths: (f64, f64),
    iteration: usize,
    stopped: bool,
}

impl<T: Real> GdaRun<T> {
    /// One iteration; returns F and ‖∇_y g‖ where it started.
    fn iterate(&mut self) -> (f64, f64) {
        let stage = (self.iteration / self.settings.per_stage) as i32;
        let shrink = self.settings.growth.powi(-stage);
        let alpha = T::of(self.settings.penalty * self.settings.growth.powi(stage + 1));
        let work = &mut self.work;
        let (x, y) = (self.x.as_slice(), self.y.as_slice());

        let upper = work.upper.differentiate(&[x, y], Inputs::ALL).f64();
        self.x_direction.copy_from_slice(work.upper.gradient(0));
        self.y_direction.copy_from_slice(work.upper.gradient(1));
        work.lower.differentiate(&[x, y], Inputs::ALL);
        axpy(&mut self.x_direction, alpha, work.lower.gradient(0));
        axpy(&mut self.y_direction, alpha, work.lower.gradient(1));
        let residual = norm(work.lower.gradient(1)).f64();
        work.lower
            .differentiate(&[x, self.u.as_slice()], Inputs::ALL);
        axpy(&mut self.x_direction, -alpha, work.lower.gradient(0));

        let (u_length, y_length) = self.lengths;
        let u_step = T::of(-u_length * shrink) * alpha;
        axpy(self.u.as_mut_slice(), u_step, work.lower.gradient(1));
        axpy(
            self.y.as_mut_slice(),
            T::of(-y_length * shrink),
            &self.y_direction,
        );
        self.moments
            .step(self.x.as_mut_slice(), &self.x_direction, shrink);
        project(&mut self.x, self.settings.constraint);
        self.iteration += 1;
        (upper, residual)
    }

    fn status(&self) -> Status {
        let finite = |v: &DVector<T>| v.iter().all(|v| v.is_finite());
        if finite(&self.x) && finite(&self.y) && finite(&self.u) {
            return Status::Converged;
        }
        Status::NonFinite {
            place: format!("in the iterate after {} iterations", self.iteration),
        }
    }
}

impl<T: Real> Run<T> for GdaRun<T> {
    fn step(&mut self) -> Option<Progress> {
        let total = self.settings.stages * self.settings.per_stage;
        if self.stopped || self.iteration == total {
            return None;
        }
        let count = self.settings.report_every.min(total - self.iteration);
        let (mut upper, mut lower_residual) = (f64::NAN, f64::NAN);
        for _ in 0..count {
            (upper, lower_residual) = self.iterate();
        }
        let status = self.status();
        self.stopped = !status.is_success();
        Some(Progress {
            iteration: self.iteration.div_ceil(self.settings.report_every),
            upper,
            lower_residual,
            hypergradient_norm: norm(&self.x_direction).f64(),
            status,
            oracles: self.work.oracles(),
            peak_bytes: self.work.bytes().peak,
            warnings: Vec::new(),
        })
    }

    fn iterations(&self) -> usize {
        (self.settings.stages * self.settings.per_stage).div_ceil(self.settings.report_every)
    }

    fn x(&self) -> &DVector<T> {
        &self.x
    }

    fn y(&self) -> &DVector<T> {
        &self.y
    }
}
