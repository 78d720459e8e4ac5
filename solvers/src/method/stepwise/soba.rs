//! SOBA and its kin: one rule, whatever its directions are estimated by.

use autodiff::Real;

use crate::catalogue::{Call, OuterRule, Place, Settings};
use crate::method::{Batches, Begun, MethodEntry, Motion, Rule, State, keeping};
use crate::schedule::Schedule;

use super::estimator::Estimator;
use super::{Named, average, averaging, count_of, drawn, length};

/// SOBA: y, v and x move at once along estimates of three directions, `∇_y g` for y,
/// `∇²_yy g · v + ∇_y F` for v, and `∇²_xy g · v + ∇_x F` for x, all at the old (x, y, v); v tends to
/// minus the solution of the linear system.
///
/// How they are estimated is a slot, as is how each variable moves. The methods of the field are
/// values, with plain steps of common lengths ρ, and ρ / ratio for x:
///
/// | method | estimator | ρ of its analysis | running mean of x's directions |
/// |---|---|---|---|
/// | SOBA | [`Plain`](Estimator::Plain) | ρ₀ / √(t + 1) | 1 (none) |
/// | MA-SOBA | [`Plain`](Estimator::Plain) | ρ₀ / √(t + 1) | below 1 |
/// | SABA | [`Saga`](Estimator::Saga) | constant | 1 |
/// | MA-SABA | [`Saga`](Estimator::Saga) | constant | below 1 |
/// | FSLA | [`Storm`](Estimator::Storm) with weights 1 of y and v | ρ₀ / √(t + 1) | 1 |
/// | SRMBA | [`Storm`](Estimator::Storm), weights falling like t^−⅔ | ρ₀ / (t + 1)^⅓ | 1 |
/// | SRBA | [`Sarah`](Estimator::Sarah) | constant | 1 |
/// | SPABA | [`Page`](Estimator::Page) | constant | 1 |
///
/// # Requirements on the problem
/// F once and g twice differentiable; g strongly convex in y, with steps of y and v below 2 over its
/// largest curvature.
///
/// # Cost in oracle calls
/// That of the [`Estimator`]: of SOBA one gradient of F, one of g and one Hessian-vector product per
/// step.
///
/// # Reference
/// SOBA and SABA: M. Dagréou et al., A framework for bilevel optimization that enables stochastic and
/// global variance reduction algorithms, NeurIPS 2022. MA-SOBA: X. Chen, T. Xiao and
/// K. Balasubramanian, Optimal algorithms for stochastic bilevel optimization under relaxed smoothness
/// conditions, 2023. FSLA: J. Li, B. Gu and H. Huang, A fully single loop algorithm for bilevel
/// optimization without Hessian inverse, AAAI 2022. SRBA: M. Dagréou et al., A lower bound and a
/// near-optimal algorithm for bilevel empirical risk minimization, AISTATS 2024. SRMBA, MA-SABA and
/// SPABA: T. Chu, D. Xu, W. Yao and J. Zhang, SPABA: a single-loop and probabilistic stochastic
/// bilevel algorithm achieving optimal sample complexity, ICML 2024.
///
/// # Example
/// ```
/// use autodiff::{Var, sampled};
/// use nalgebra::dvector;
/// use solvers::sampling::Sampling;
/// use solvers::{Bilevel, Estimator, Method, Motion, Optimiser, Outer, Schedule, Soba};
///
/// let b = [0.5, 1.0, 1.5, 0.0, 2.0];
/// let upper = sampled(5, move |x: Var, y: Var, batch: &[usize]| {
///     let terms = batch.iter().map(|i| 0.5 * (y - b[*i]).norm_squared());
///     Var::sum_of(terms) / batch.len() as f64 + 0.5 * x.norm_squared()
/// });
/// let lower = sampled(5, move |x: Var, y: Var, _: &[usize]| 0.5 * (y - x).norm_squared());
/// let problem = Bilevel::sampled(upper, lower, 1, 1)?;
///
/// let srba = Soba::new(Estimator::Sarah { period: 10 }, Schedule::Constant(0.1), 1.0);
/// let momentum = Soba {
///     x: Optimiser::Momentum { rate: 0.02, momentum: 0.8 }.into(),
///     ..srba
/// };
/// for rule in [srba, momentum] {
///     let method = Outer::new(rule, 2000).sampling(Sampling::new(1).batches(2, 2));
///     let mut run = method.begin(&problem, dvector![0.0])?;
///     assert!(run.finish().is_success());
///     assert!((run.x()[0] - 0.5).abs() < 1e-10); // no noise is left of the samples
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Soba {
    /// How the directions are estimated.
    pub estimator: Estimator,
    /// θ in (0, 1]: x moves along `q ← (1 − θ) q + θ d`, which begins as the first direction d; 1
    /// keeps nothing of the last.
    pub averaging: f64,
    /// How y moves.
    pub y: Motion,
    /// How v moves.
    pub v: Motion,
    /// How x moves.
    pub x: Motion,
}

impl Soba {
    /// Plain steps of these lengths for y and v, and of these over `ratio` for x.
    pub fn new(estimator: Estimator, step: Schedule, ratio: f64) -> Self {
        Soba {
            estimator,
            averaging: 1.0,
            y: step.into(),
            v: step.into(),
            x: Motion::from(step).over(ratio),
        }
    }
}

impl<T: Real> Rule<T> for Soba {
    const NAME: &'static str = "soba";

    fn name(&self) -> String {
        let one = Schedule::Constant(1.0);
        let name = match self.estimator {
            Estimator::Plain => "soba",
            Estimator::Saga => "saba",
            Estimator::Storm { y, v, .. } if (y, v) == (one, one) => "fsla",
            Estimator::Storm { .. } => "srmba",
            Estimator::Sarah { .. } => "srba",
            Estimator::Page { .. } => "spaba",
        };
        let mean = if self.averaging < 1.0 { "ma-" } else { "" };
        format!("{mean}{name}")
    }

    fn begin<'p>(&self, s: &mut State<'p, T>) -> Begun<'p, T> {
        self.estimator.check()?;
        averaging(self.averaging)?;
        let mut batches = Batches::new(s)?;
        let meter = batches.meter.clone();
        let (dim_x, dim_y) = (s.x.len(), s.y.len());
        let movers = [
            self.y.begin("y", dim_y, &meter)?,
            self.v.begin("v", dim_y, &meter)?,
            self.x.begin("x", dim_x, &meter)?,
        ];
        let estimating = self.estimator.begin(s, &mut batches)?;
        let weight = self.averaging;
        Ok(keeping(batches, (estimating, movers), move |s, b, kept| {
            let (estimating, [y, v, x]) = kept;
            let (t, along) = (s.iteration(), estimating.draw(s, b));
            if weight < 1.0 && t > 0 {
                average(&mut b.direction, weight, &along.x);
            } else {
                b.direction.copy_from_slice(&along.x);
            }
            y.step(t, s.y.as_mut_slice(), &along.y);
            v.step(t, &mut b.v, &along.v);
            x.step(t, s.x.as_mut_slice(), &b.direction);
        }))
    }
}

/// A value with steps of y and v as the settings say, times a schedule, and of x by their optimiser.
fn of(settings: &Settings, estimator: Estimator, shape: fn(f64) -> Schedule) -> Soba {
    let (step, ratio) = (shape(length(settings)), length(settings) / settings.rate());
    let plain = Soba::new(estimator, step, ratio);
    match settings.optimiser() {
        OuterRule::Gd => plain,
        _ => Soba {
            x: Motion::from(settings.mover()).factor(shape(1.0)),
            ..plain
        },
    }
}

fn falling(a: f64) -> Schedule {
    Schedule::InverseRoot { a }
}

fn falling_slowly(a: f64) -> Schedule {
    Schedule::Power { a, q: 1.0 / 3.0 }
}

/// Steps in which as many samples are drawn as half of those of both levels.
fn half_a_pass(call: &Call<'_>) -> usize {
    let (upper, lower) = call.place.samples.unwrap_or((1, 1));
    let batch = call.settings.batch.or(drawn(call.place)).unwrap_or(1);
    ((upper + lower) / (2 * batch)).max(1)
}

/// The name `soba`.
pub(super) fn plain<T: Real>() -> MethodEntry<T> {
    let about = "mini-batches: y, v and x move at once, steps fall like 1/sqrt(t)";
    Named::new("soba", about).entry(|call| Ok(of(call.settings, Estimator::Plain, falling)))
}

/// The name `ma-soba`.
pub(super) fn averaged<T: Real>() -> MethodEntry<T> {
    let about = "soba with a running mean of the directions of x";
    Named::new("ma-soba", about).entry(|call| {
        Ok(Soba {
            averaging: 0.1,
            ..of(call.settings, Estimator::Plain, falling)
        })
    })
}

/// The name `saba`.
pub(super) fn saga<T: Real>() -> MethodEntry<T> {
    let about = "soba with the variance reduction of SAGA: a table of each sample; constant steps";
    Named::new("saba", about)
        .drawing(single)
        .entry(|call| Ok(of(call.settings, Estimator::Saga, Schedule::Constant)))
}

/// The name `ma-saba`.
pub(super) fn averaged_saga<T: Real>() -> MethodEntry<T> {
    let about = "saba with a running mean of the directions of x";
    Named::new("ma-saba", about).drawing(single).entry(|call| {
        Ok(Soba {
            averaging: 0.2,
            ..of(call.settings, Estimator::Saga, Schedule::Constant)
        })
    })
}

fn single(place: &Place) -> Option<usize> {
    place.samples.map(|_| 1)
}

/// The name `fsla`.
pub(super) fn momentum<T: Real>() -> MethodEntry<T> {
    let about = "soba with the momentum of STORM for the directions of x";
    Named::new("fsla", about).entry(|call| {
        let one = Schedule::Constant(1.0);
        let storm = Estimator::Storm {
            x: Schedule::Constant(0.5),
            y: one,
            v: one,
        };
        Ok(of(call.settings, storm, falling))
    })
}

/// The name `srmba`.
pub(super) fn storm<T: Real>() -> MethodEntry<T> {
    let about = "soba with the momentum of STORM for all directions, steps fall like t^(-1/3)";
    Named::new("srmba", about).entry(|call| {
        // η = ½, and 15 and 3 times that for y and v.
        let weight = |a| Schedule::Power { a, q: 2.0 / 3.0 };
        let storm = Estimator::Storm {
            x: weight(0.5),
            y: weight(7.5),
            v: weight(1.5),
        };
        Ok(of(call.settings, storm, falling_slowly))
    })
}

/// The name `srba`.
pub(super) fn sarah<T: Real>() -> MethodEntry<T> {
    let about = "soba with the variance reduction of SARAH: all samples once in PERIOD steps";
    Named::new("srba[:PERIOD]", about).entry(|call| {
        let period = count_of(call, half_a_pass(call))?;
        Ok(of(
            call.settings,
            Estimator::Sarah { period },
            Schedule::Constant,
        ))
    })
}

/// The name `spaba`.
pub(super) fn page<T: Real>() -> MethodEntry<T> {
    let about =
        "soba with the variance reduction of PAGE: all samples once in PERIOD steps on average";
    Named::new("spaba[:PERIOD]", about).entry(|call| {
        let chance = 1.0 / count_of(call, half_a_pass(call))? as f64;
        Ok(of(
            call.settings,
            Estimator::Page { chance },
            Schedule::Constant,
        ))
    })
}
