//! Strategies and their settings of steps.

use std::sync::Arc;

use autodiff::Real;
use autodiff::unroll::Memory;

use super::dice::Dice;
use super::{Case, Promise};
use crate::linear::{FixedPoint, Gmres, Minres, Neumann, Nystrom, OneStep, Pcg, Recycled};
use crate::{
    Aid, AidStep, Bda, Exact, FixedPart, InnerStep, Itd, Kkt, LowerCurvature, LowerSolve,
    StepLength, StepSystem, Strategy,
};

/// A strategy as it is drawn for a case.
#[derive(Clone, Debug)]
pub struct Setting<T: Real> {
    /// The strategy's kind, as in tables.
    pub kind: &'static str,
    /// All that was set.
    pub text: String,
    /// The strategy.
    pub strategy: Arc<dyn Strategy<T>>,
    /// What a success of it promises.
    pub promise: Promise,
}

/// The kinds for a smooth lower level, as often as they are drawn.
const SMOOTH: [&str; 38] = [
    "exact",
    "aid-cg",
    "aid-cg",
    "aid-damped",
    "aid-direct",
    "aid-minres",
    "aid-neumann",
    "aid-fixed-point",
    "aid-nystrom",
    "aid-one-step",
    "aid-gmres",
    "aid-nystrom-cg",
    "aid-jacobi-cg",
    "aid-recycled-cg",
    "aid-accelerated",
    "aid-lbfgs",
    "aid-steps",
    "aid-steps",
    "aid-limit",
    "aid-tolerance",
    "aid-tolerance",
    "aid-tolerance",
    "aid-step",
    "aid-step",
    "aid-step-gmres",
    "aid-step-tolerance",
    "itd",
    "itd",
    "itd",
    "itd-memory",
    "itd-memory",
    "itd-truncated",
    "itd-tolerance",
    "itd-tolerance",
    "bda",
    "bda",
    "one-stage",
    "itd-reversible",
];

/// Strategies that know a part of the problem.
const BESIDE: [&str; 20] = [
    "aid-tolerance",
    "aid-tolerance",
    "aid-tolerance",
    "aid-step-tolerance",
    "exact",
    "aid-cg",
    "aid-cg",
    "aid-direct",
    "aid-minres",
    "aid-gmres",
    "aid-recycled-cg",
    "aid-accelerated",
    "aid-steps",
    "aid-limit",
    "aid-step",
    "aid-step-gmres",
    "itd",
    "itd-memory",
    "itd-tolerance",
    "bda",
];
/// Strategies that know constraints between the levels.
const CONSTRAINED: [&str; 3] = ["kkt", "kkt", "exact"];

/// Strategies that know the equation of a map.
const MAPS: [&str; 7] = [
    "aid-step",
    "aid-step",
    "aid-step",
    "aid-step-gmres",
    "aid-step-tolerance",
    "itd",
    "itd-memory",
];

/// Parts of 1/L that a fixed step may be long; most are sensible.
const LENGTHS: [f64; 10] = [1.0, 1.0, 0.5, 1.9, 2.5, 5.0, 1e-3, 1e-5, 1e-7, 1e-9];

impl<T: Real> Setting<T> {
    /// The setting for this case: a function of its seed and number.
    pub fn draw(case: &Case) -> Self {
        // Another stream than the case's own.
        let mut dice = Dice::new(!case.seed, case.number);
        let kinds: &[&'static str] = match case.set {
            _ if case.is_constrained() => &CONSTRAINED,
            _ if case.is_map() => &MAPS,
            Some(_) => &BESIDE,
            None => &SMOOTH,
        };
        let kind = match (dice.pick(kinds), case.set) {
            // A threshold belongs to one level alone.
            ("bda", Some(FixedPart::L1 { .. })) => "itd",
            (kind, _) => kind,
        };
        Setting::of_kind(case, kind, &mut dice)
    }

    fn new(kind: &'static str, strategy: impl Strategy<T> + 'static) -> Self {
        Setting {
            kind,
            text: format!("{strategy:?}"),
            strategy: Arc::new(strategy),
            promise: Promise::SOLVED,
        }
    }

    fn limited(mut self) -> Self {
        self.promise.limited = true;
        self
    }

    fn of_kind(case: &Case, kind: &'static str, dice: &mut Dice) -> Self {
        let depth = dice.pick(&[10, 10, 100, 100, 1000]);
        let inner = step(case, dice);
        let length = match dice.chance(0.6) {
            true => StepLength::Auto,
            false => StepLength::Fixed(dice.pick(&LENGTHS) / case.curvature()),
        };
        // Where there is no curvature to speak of there is no such length.
        let length = match length {
            StepLength::Fixed(length) if !length.is_finite() => StepLength::Auto,
            length => length,
        };
        // The rate takes the place of a length.
        let length = if case.is_map() {
            StepLength::Auto
        } else {
            length
        };
        let is_adam = matches!(inner, InnerStep::Adam { .. });
        let length = if is_adam { StepLength::Auto } else { length };
        let itd = |depth: usize, inner: InnerStep, memory: Memory| {
            let itd = Itd::reverse(depth).inner(inner).memory(memory);
            match length {
                StepLength::Auto => itd,
                StepLength::Fixed(length) => itd.step(length),
            }
        };
        match kind {
            "exact" => Setting::new(kind, Exact),
            "kkt" => Setting::new(kind, Kkt::new()),
            "aid-cg" => Setting::new(kind, Aid::cg()),
            "aid-damped" => {
                let (part, size) = (dice.power(-6.0, 0.0), case.curvature());
                let usual = size.is_finite() && part * size > 0.0;
                let curvature = LowerCurvature::Damped(if usual { part * size } else { part });
                Setting::new(kind, Aid::cg().curvature(curvature))
            }
            "aid-direct" => Setting::new(kind, Aid::direct()),
            "aid-minres" => Setting::new(kind, Aid::with(Minres::new())),
            "aid-neumann" => match dice.pick(&[0, 10, 100]) {
                0 => Setting::new(kind, Aid::with(Neumann::new())),
                order => Setting::new(kind, Aid::with(Neumann::new().order(order))),
            },
            "aid-fixed-point" => match dice.pick(&[0, 10, 100]) {
                0 => Setting::new(kind, Aid::with(FixedPoint::new())),
                steps => Setting::new(kind, Aid::with(FixedPoint::new().steps(steps))),
            },
            "aid-nystrom" => Setting::new(kind, Aid::with(Nystrom::new(dice.pick(&[1, 2, 5, 20])))),
            "aid-one-step" => Setting::new(kind, Aid::with(OneStep::new())),
            "aid-gmres" => Setting::new(kind, Aid::with(Gmres::new(dice.pick(&[2, 5, 50])))),
            "aid-nystrom-cg" => Setting::new(kind, Aid::with(Pcg::nystrom(dice.pick(&[1, 3, 20])))),
            "aid-jacobi-cg" => Setting::new(kind, Aid::with(Pcg::jacobi(dice.pick(&[1, 3, 16])))),
            "aid-recycled-cg" => {
                Setting::new(kind, Aid::with(Recycled::new(dice.pick(&[1, 3, 8]))))
            }
            "aid-accelerated" => {
                let (tolerance, limit) = (None, None);
                let lower = LowerSolve::Accelerated { tolerance, limit };
                Setting::new(kind, Aid::cg().lower(lower))
            }
            "aid-lbfgs" => {
                let (tolerance, limit) = (None, None);
                let lower = LowerSolve::Lbfgs { tolerance, limit };
                Setting::new(kind, Aid::cg().lower(lower))
            }
            "aid-steps" => Setting::steps(kind, dice, (depth, inner, length)),
            "aid-limit" => Setting::new(kind, Aid::cg().lower_limit(1 + dice.below(6))).limited(),
            "aid-tolerance" => {
                let tolerance = Some(loose(case, dice));
                let limit = dice.pick(&[None, None, Some(3), Some(30)]);
                let lower = match dice.below(if case.set.is_some() { 4 } else { 5 }) {
                    0 => LowerSolve::Accelerated { tolerance, limit },
                    1..=3 => LowerSolve::Newton { tolerance, limit },
                    _ => LowerSolve::Lbfgs { tolerance, limit },
                };
                match dice.chance(0.7) {
                    true => Setting::new(kind, Aid::cg().lower(lower)),
                    false => Setting::new(kind, Aid::direct().lower(lower)),
                }
                .limited()
            }
            "aid-step-tolerance" => {
                let tolerance = dice.power(-7.0, -1.0);
                let strategy = AidStep::new(settling(inner)).tolerance(tolerance);
                let strategy = strategy.limit(20_000);
                match dice.chance(0.5) {
                    true => Setting::new(kind, strategy),
                    false => Setting::new(kind, strategy.system(StepSystem::Gmres { restart: 30 })),
                }
                .limited()
            }
            "aid-step" => Setting::fixed_point(kind, dice, (inner, length), StepSystem::Iteration),
            "aid-step-gmres" => {
                let restart = dice.pick(&[2, 5, 30]);
                Setting::fixed_point(kind, dice, (inner, length), StepSystem::Gmres { restart })
            }
            "itd" => Setting::new(kind, itd(depth, inner, Memory::Stored)),
            "itd-memory" => {
                let slots = 1 + dice.below(9);
                let memory = dice.pick(&[
                    Memory::Taped,
                    Memory::Checkpointed { slots },
                    Memory::Online { slots },
                    Memory::Forward,
                ]);
                // Few slots make a long loop quadratic in its depth.
                Setting::new(kind, itd(depth.min(100), inner, memory))
            }
            "itd-truncated" => {
                let steps = dice.pick(&[1, 5, 50]);
                Setting::new(kind, itd(depth, inner, Memory::Truncated { steps }))
            }
            "itd-reversible" => {
                let momentum = InnerStep::Momentum(0.9);
                Setting::new(kind, itd(depth, momentum, Memory::Reversible))
            }
            "itd-tolerance" => {
                let tolerance = dice.power(-8.0, -1.0);
                let strategy = itd(2 * depth, inner, Memory::Stored).tolerance(tolerance);
                Setting::new(kind, strategy).limited()
            }
            "one-stage" => {
                let strategy = Bda::new(depth).one_stage();
                Setting {
                    promise: Promise::AGGREGATED,
                    ..Setting::new(kind, strategy)
                }
            }
            _ => {
                let bda = match inner {
                    // Its rate is no length that the two levels could share.
                    InnerStep::Adam { .. } => Bda::new(depth),
                    _ => Bda::new(depth).inner(inner),
                };
                let bda = match length {
                    StepLength::Auto => bda,
                    StepLength::Fixed(length) => bda.lower_step(length),
                };
                Setting {
                    promise: Promise::AGGREGATED,
                    ..Setting::new("bda", bda)
                }
            }
        }
    }

    fn steps(
        kind: &'static str,
        dice: &mut Dice,
        (depth, inner, length): (usize, InnerStep, StepLength),
    ) -> Self {
        let lower = LowerSolve::Steps {
            depth,
            inner,
            length,
        };
        match dice.pick(&[0, 0, 1, 2]) {
            0 => Setting::new(kind, Aid::cg().lower(lower)),
            1 => Setting::new(kind, Aid::direct().lower(lower)),
            _ => Setting::new(kind, Aid::with(Minres::new()).lower(lower)),
        }
    }

    fn fixed_point(
        kind: &'static str,
        dice: &mut Dice,
        (inner, length): (InnerStep, StepLength),
        system: StepSystem,
    ) -> Self {
        let strategy = AidStep::new(settling(inner)).system(system);
        let strategy = match length {
            StepLength::Auto => strategy,
            StepLength::Fixed(length) => strategy.step(length),
        };
        match dice.chance(0.2) {
            // As a user has it: slow where it does not settle.
            true => Setting::new(kind, strategy),
            false => Setting::new(kind, strategy.limit(2000)).limited(),
        }
    }
}

/// The same, or plain steps where it has no fixed point to differentiate.
fn settling(inner: InnerStep) -> InnerStep {
    match inner {
        InnerStep::Adam { .. } => InnerStep::GradientDescent,
        other => other,
    }
}

/// A tolerance of the lower level's residual, loose for most solutions.
fn loose(case: &Case, dice: &mut Dice) -> f64 {
    let part = dice.power(-7.0, -0.5);
    let size = case.truth.solutions.first().map_or(1.0, |s| case.size(s));
    let tolerance = part * case.curvature() * size;
    match tolerance.is_finite() && tolerance > 0.0 {
        true => tolerance,
        false => part,
    }
}

/// A kind of step for the case.
fn step(case: &Case, dice: &mut Dice) -> InnerStep {
    let beta = dice.pick(&[0.5, 0.9]);
    if case.is_map() {
        return InnerStep::GradientDescent;
    }
    if case.set.is_some() {
        return match dice.chance(0.7) {
            true => InnerStep::GradientDescent,
            false => InnerStep::Fista,
        };
    }
    match dice.below(10) {
        0..=4 => InnerStep::GradientDescent,
        5 => InnerStep::Momentum(beta),
        6 | 7 => InnerStep::Nesterov(beta),
        8 => InnerStep::Fista,
        _ => InnerStep::Adam {
            rate: dice.power(-3.0, 0.0),
        },
    }
}
