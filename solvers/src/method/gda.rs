//! Gradient descent–ascent on the minimax reformulation.

use std::sync::Arc;

use autodiff::Real;

use crate::catalogue::Family;
use crate::expect;
use crate::inner::StepLength;
use crate::ledger::Ledger;
use crate::optimiser::{Moving, Optimise, Optimiser};
use crate::sampling::Sampling;
use crate::schedule::Schedule;

use super::MethodEntry;
use super::stepwise::Penalised;
use super::{Advance, Batches, Begun, Ground, Outer, Rule, State, Update};

/// Multi-stage gradient descent–ascent on `min_{x,y} max_u F(x, y) + α (g(x, y) − g(x, u))`.
///
/// In stage i = 0, 1, … the penalty is `α = α₀ τ^{i+1}` and all step lengths shrink by `τ^{−i}`, times
/// a schedule that begins again in each stage.
/// Each iteration moves u, y and x at once:
/// `u −= lr_u α ∇_u g(x, u)`, `y −= lr_y ∇_y (F + αg)(x, y)`,
/// `x −= lr_x [∇_xF + α (∇_x g(x, y) − ∇_x g(x, u))]`.
///
/// # Requirements on the problem
/// F and g once differentiable; the lower level need not have a single solution. For a fixed α the
/// solution is biased by O(1/α). Where the gradients do not shrink in the last stage, as where the
/// iterates rotate about a saddle point, the last report has a warning.
///
/// # Cost in oracle calls
/// Three gradients per iteration and no Hessian-vector product; memory independent of the number
/// of iterations.
///
/// # Reference
/// X. Wang et al., Effective bilevel optimization via minimax reformulation, 2023.
#[derive(Clone, Debug, PartialEq)]
pub struct Gda<O = Optimiser> {
    stages: Stages,
    /// Gradient descent with an automatic length if `None`.
    u_optimiser: Option<Optimiser>,
    y_optimiser: Option<Optimiser>,
    x_optimiser: O,
}

/// How the penalty and the step lengths change.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Stages {
    length: usize,
    penalty: f64,
    growth: f64,
    schedule: Schedule,
}

impl<O> Gda<O> {
    /// `iterations` iterations in stages of 1000, with α₀ = 0.03 and τ = 2, automatic lengths for u
    /// and y, and this optimiser for x.
    pub fn new(iterations: usize, x_optimiser: O) -> Outer<Self> {
        let rule = Gda {
            stages: Stages {
                length: 1000,
                penalty: 0.03,
                growth: 2.0,
                schedule: Schedule::Constant(1.0),
            },
            u_optimiser: None,
            y_optimiser: None,
            x_optimiser,
        };
        Outer::new(rule, iterations)
    }

    /// The optimisers of u and y: plain gradient descent unless given, its lengths found at the
    /// start unless given.
    fn inner_optimisers<T: Real>(
        &self,
        s: &State<'_, T>,
        b: &mut Batches<T>,
    ) -> (Optimiser, Optimiser) {
        if let (Some(u), Some(y)) = (self.u_optimiser, self.y_optimiser) {
            return (u, y);
        }
        // At penalty α, u follows a function of curvature αL_g and y one of L_F + αL_g.
        let alpha = self.stages.penalty * self.stages.growth;
        let mut spare = b.buffer(StepLength::Auto.spare(s.y.len()));
        let mut found = |point| {
            let (x, y) = (s.x.as_slice(), s.y.as_slice());
            StepLength::Auto.resolve(point, x, y, &mut spare)
        };
        let (lower, upper) = (found(b.lower.whole()), found(b.upper.whole()));
        let plain = |rate| Optimiser::GradientDescent { rate };
        let y = plain(1.0 / (1.0 / upper + alpha / lower));
        (
            self.u_optimiser.unwrap_or(plain(lower / alpha)),
            self.y_optimiser.unwrap_or(y),
        )
    }
}

impl<O, C> Outer<Gda<O>, C> {
    /// The iterations of a stage; the last may have fewer.
    #[must_use]
    pub fn stage_iterations(mut self, iterations: usize) -> Self {
        self.rule.stages.length = iterations;
        self
    }

    /// α₀ and τ.
    #[must_use]
    pub fn penalty(mut self, start: f64, growth: f64) -> Self {
        self.rule.stages.penalty = start;
        self.rule.stages.growth = growth;
        self
    }

    /// Step lengths of u and y in the first stage, by plain gradient descent.
    #[must_use]
    pub fn steps(self, u: f64, y: f64) -> Self {
        let plain = |rate| Optimiser::GradientDescent { rate };
        self.optimisers(plain(u), plain(y))
    }

    /// Optimisers of u and y; what they keep goes on from stage to stage.
    #[must_use]
    pub fn optimisers(mut self, u: Optimiser, y: Optimiser) -> Self {
        self.rule.u_optimiser = Some(u);
        self.rule.y_optimiser = Some(y);
        self
    }

    /// A factor of all step lengths, begun again in each stage: constant, cosine or exponential.
    #[must_use]
    pub fn schedule(mut self, schedule: Schedule) -> Self {
        self.rule.stages.schedule = schedule;
        self
    }
}

impl<T: Real, O: Optimise<T>> Rule<T> for Gda<O> {
    const NAME: &'static str = "gda";

    fn begin<'p>(&self, s: &mut State<'p, T>) -> Begun<'p, T> {
        expect::at_least_1("stage iterations", self.stages.length)?;
        let above_0 = |what: &str, v: f64| expect::number(what, v, v > 0.0, "a number above 0");
        above_0("penalty α₀", self.stages.penalty)?;
        above_0("growth τ", self.stages.growth)?;
        self.stages.schedule.check("schedule")?;
        for given in [self.u_optimiser, self.y_optimiser].into_iter().flatten() {
            given.check()?;
        }
        let mut batches = Batches::new(s)?;
        let (u, y) = self.inner_optimisers(s, &mut batches);
        batches.v.copy_from_slice(s.y.as_slice());
        let (dim_x, dim_y, meter) = (s.x.len(), s.y.len(), batches.meter());
        let x = self.x_optimiser.begin(dim_x, meter)?;
        Ok(Box::new(Moves {
            u: u.unchecked(dim_y, meter),
            y: y.unchecked(dim_y, meter),
            x,
            gradients: Penalised::new(s, &batches),
            start: f64::NAN,
            first: f64::NAN,
            stages: self.stages,
            batches,
        }))
    }
}

/// An iteration, with the optimisers of the three variables.
struct Moves<T: Real> {
    stages: Stages,
    batches: Batches<T>,
    u: Box<dyn Moving<T>>,
    y: Box<dyn Moving<T>>,
    x: Box<dyn Moving<T>>,
    gradients: Penalised<T>,
    /// Norm of the gradients where the run began.
    start: f64,
    /// Their norm where the stage began.
    first: f64,
}

impl<T: Real> Update<T> for Moves<T> {
    fn step(&mut self, s: &mut State<'_, T>) -> Advance {
        let (stages, t) = (self.stages, s.iteration);
        let (stage, within) = (t / stages.length, t % stages.length);
        let alpha = stages.penalty * stages.growth.powi(stage as i32 + 1);
        let factor = stages.growth.powi(-(stage as i32)) * stages.schedule.at(within);
        let last = s.is_last() && within > 0;
        let gradients = &mut self.gradients;
        let said = self.batches.measured(s, |s, b| {
            gradients.draw(s, b, alpha);
            gradients.u.iter_mut().for_each(|d| *d *= T::of(alpha));
            b.direction.copy_from_slice(&gradients.x);
            self.u.step(&mut b.v, &gradients.u, factor);
            self.y.step(s.y.as_mut_slice(), &gradients.y, factor);
            self.x.step(s.x.as_mut_slice(), &gradients.x, factor);
        });

        if within == 0 {
            self.first = gradients.size();
        }
        if t == 0 {
            self.start = self.first;
        }
        if last && s.sampling() == Sampling::whole() {
            let (first, after) = (self.first, gradients.size());
            if after >= first && after > 1e-6 * self.start {
                s.warnings.push(format!(
                    "the iterates do not settle: in the last stage the norm of the gradients went \
                     from {first:.2e} to {after:.2e}, as where they rotate about a saddle point; \
                     take shorter steps, or more of them"
                ));
            }
        }
        said
    }

    fn ground(&mut self) -> &mut dyn Ground<T> {
        &mut self.batches
    }

    fn visit(&mut self, ledger: &mut Ledger) {
        for moving in [&mut self.u, &mut self.y, &mut self.x] {
            moving.visit(ledger);
        }
        ledger.number("the norm where the run began", &mut self.start);
        ledger.number("the norm where the stage began", &mut self.first);
    }
}

/// The name `gda`.
pub(super) fn entry<T: Real>() -> MethodEntry<T> {
    let accepts = [
        "iterations",
        "report_every",
        "optimiser",
        "rate",
        "adam_eps",
        "adam_eps_root",
        "stage_iterations",
        "penalty",
        "growth",
        "batch",
    ];
    let about = "multi-stage gradient descent-ascent, first-order only";
    MethodEntry::new("gda", about, &accepts, |call| {
        let settings = call.settings;
        let gda = Gda::new(settings.iterations(), settings.mover())
            .report_every(settings.report_every())
            .stage_iterations(settings.stage_iterations())
            .penalty(settings.penalty(), settings.growth())
            .sampling(call.place.sampling(settings, None));
        Ok(Arc::new(gda.constraint(call.place.constraint)))
    })
    .of(Family::Ascent)
}
