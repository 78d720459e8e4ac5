//! Gradient descent–ascent on the minimax reformulation.

use autodiff::Real;
use autodiff::kernels::norm;
use nalgebra::DVector;

use crate::inner::StepLength;
use crate::optimiser::Moments;
use crate::sampling::Sampling;
use crate::{Bilevel, ConfigError, Constraint, Ledger, Optimiser, Schedule};

use super::stepwise::{Penalised, Rule, State, Stepwise, Update};
use super::{Method, Run};

/// Multi-stage gradient descent–ascent on `min_{x,y} max_u F(x, y) + α (g(x, y) − g(x, u))`.
///
/// In stage i = 0, 1, … the penalty is `α = α₀ τ^{i+1}` and all step lengths shrink by `τ^{−i}`, times
/// a schedule that begins anew in each stage.
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
pub struct Gda {
    stages: usize,
    per_stage: usize,
    report_every: usize,
    penalty: f64,
    growth: f64,
    schedule: Schedule,
    /// Gradient descent with an automatic length if `None`.
    u_optimiser: Option<Optimiser>,
    y_optimiser: Option<Optimiser>,
    x_optimiser: Optimiser,
    sampling: Sampling,
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
            schedule: Schedule::Constant(1.0),
            u_optimiser: None,
            y_optimiser: None,
            x_optimiser,
            sampling: Sampling::whole(),
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

    /// Step lengths of u and y in the first stage, by plain gradient descent.
    #[must_use]
    pub fn steps(self, u: f64, y: f64) -> Self {
        let plain = |rate| Optimiser::GradientDescent { rate };
        self.optimisers(plain(u), plain(y))
    }

    /// Optimisers of u and y; what they keep goes on from stage to stage.
    #[must_use]
    pub fn optimisers(mut self, u: Optimiser, y: Optimiser) -> Self {
        self.u_optimiser = Some(u);
        self.y_optimiser = Some(y);
        self
    }

    /// A factor of all step lengths, anew in each stage: constant, cosine or exponential.
    #[must_use]
    pub fn schedule(mut self, schedule: Schedule) -> Self {
        self.schedule = schedule;
        self
    }

    /// How batches are drawn: one of F, and one of g for both its gradients.
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

    /// The optimisers of u and y: plain gradient descent unless given, its lengths found at the
    /// start unless given.
    fn inner_optimisers<T: Real>(&self, state: &mut State<T>) -> (Optimiser, Optimiser) {
        let plain = |rate| Optimiser::GradientDescent { rate };
        if let (Some(u), Some(y)) = (self.u_optimiser, self.y_optimiser) {
            return (u, y);
        }
        // At penalty α, u follows a function of curvature αL_g and y one of L_F + αL_g.
        let alpha = self.penalty * self.growth;
        let auto = StepLength::Auto;
        let mut spare = state.buffer(auto.spare(state.y.len()));
        let at = (state.x.as_slice(), state.y.as_slice());
        let lower = auto.resolve(state.lower.whole(), at.0, at.1, &mut spare);
        let upper = auto.resolve(state.upper.whole(), at.0, at.1, &mut spare);
        (
            self.u_optimiser.unwrap_or(plain(lower / alpha)),
            self.y_optimiser
                .unwrap_or(plain(1.0 / (1.0 / upper + alpha / lower))),
        )
    }
}

impl<T: Real> Method<T> for Gda {
    fn name(&self) -> String {
        "gda".into()
    }

    fn begin<'p>(
        &self,
        problem: &'p Bilevel<T>,
        x: DVector<T>,
    ) -> Result<Box<dyn Run<T> + 'p>, ConfigError> {
        let iterations = self.stages.saturating_mul(self.per_stage);
        Stepwise::new(self.clone(), iterations)
            .sampling(self.sampling)
            .report_every(self.report_every)
            .constraint(self.constraint)
            .begin(problem, x)
    }
}

impl<T: Real> Rule<T> for Gda {
    fn name(&self) -> &'static str {
        "gda"
    }

    fn complaint(&self, _: (usize, usize)) -> Option<String> {
        let positive = |what: &str, v: f64, least: f64| {
            let bad = !(v.is_finite() && v > least);
            bad.then(|| format!("{what} {v}: expected a number above {least}"))
        };
        let of = |optimiser: Option<Optimiser>| optimiser.and_then(Optimiser::complaint);
        positive("penalty α₀", self.penalty, 0.0)
            .or(positive("growth τ", self.growth, 0.0))
            .or(self.schedule.complaint("schedule"))
            .or(of(self.u_optimiser))
            .or(of(self.y_optimiser))
            .or(self.x_optimiser.complaint())
    }

    fn begin(&self, state: &mut State<T>) -> Box<dyn Update<T>> {
        let (u, y) = self.inner_optimisers(state);
        let meter = state.meter().clone();
        state.v.copy_from_slice(state.y.as_slice());
        Box::new(Moves {
            u: Moments::new(u, state.y.len(), &meter),
            y: Moments::new(y, state.y.len(), &meter),
            x: Moments::new(self.x_optimiser, state.x.len(), &meter),
            gradients: Penalised::new(state),
            start: f64::NAN,
            first: f64::NAN,
            settings: self.clone(),
        })
    }
}

/// An iteration, with the optimisers of the three variables.
struct Moves<T: Real> {
    settings: Gda,
    u: Moments<T>,
    y: Moments<T>,
    x: Moments<T>,
    gradients: Penalised<T>,
    /// Norm of the gradients where the run began.
    start: f64,
    /// The same where the stage began.
    first: f64,
}

impl<T: Real> Moves<T> {
    fn size(&self) -> f64 {
        let Penalised { x, y, u } = &self.gradients;
        let squares = [x, y, u].map(|d| norm(d).f64().powi(2));
        squares.iter().sum::<f64>().sqrt()
    }
}

impl<T: Real> Update<T> for Moves<T> {
    fn step(&mut self, s: &mut State<T>, t: usize) {
        let settings = &self.settings;
        let (stage, within) = (t / settings.per_stage, t % settings.per_stage);
        let alpha = settings.penalty * settings.growth.powi(stage as i32 + 1);
        let factor = settings.growth.powi(-(stage as i32)) * settings.schedule.at(within);
        let gradients = &mut self.gradients;
        gradients.draw(s, alpha);
        gradients.u.iter_mut().for_each(|d| *d *= T::of(alpha));
        s.direction.copy_from_slice(&gradients.x);
        self.u.step(&mut s.v, &gradients.u, factor);
        self.y.step(s.y.as_mut_slice(), &gradients.y, factor);
        self.x.step(s.x.as_mut_slice(), &gradients.x, factor);

        let last = stage + 1 == settings.stages && within > 0 && within + 1 == settings.per_stage;
        let whole = settings.sampling == Sampling::whole();
        if within == 0 {
            self.first = self.size();
        }
        if t == 0 {
            self.start = self.first;
        }
        if last && whole {
            let (first, after) = (self.first, self.size());
            if after >= first && after > 1e-6 * self.start {
                s.warnings.push(format!(
                    "the iterates do not settle: in the last stage the norm of the gradients went \
                     from {first:.2e} to {after:.2e}, as where they rotate about a saddle point; \
                     take shorter steps, or more of them"
                ));
            }
        }
    }

    fn visit(&mut self, ledger: &mut Ledger) {
        self.u.visit(ledger);
        self.y.visit(ledger);
        self.x.visit(ledger);
        ledger.number("the norm where the run began", &mut self.start);
        ledger.number("the norm where the stage began", &mut self.first);
    }
}
