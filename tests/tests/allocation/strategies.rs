//! A strategy's second call allocates what it returns, and nothing else. Dense factorisations and
//! sketches are left out: their matrices are those of a library, and made at each call.

use autodiff::unroll::Memory;
use autodiff::{Var, objective};
use nalgebra::DVector;
use solvers::linear::{Cg, FixedPoint, Gmres, Minres, Neumann, OneStep};
use solvers::{
    Aid, AidStep, At, Bda, Bilevel, InnerStep, Itd, LowerCurvature, LowerSolve, StepSystem,
    Strategy,
};

use crate::steady::repeated;

fn problem(n: usize) -> Bilevel<f64> {
    let lower = objective(|x: Var, y: Var| {
        0.5 * (y - x.tanh()).outputs().norm_squared() + 0.05 * (y * y).norm_squared()
    });
    let upper =
        objective(|x: Var, y: Var| 0.5 * (y - 1.0).norm_squared() + 0.05 * x.norm_squared());
    Bilevel::new(upper, lower, n, n).expect("a valid problem")
}

/// Each with `depth` steps, if it takes steps.
fn strategies(depth: usize) -> Vec<Box<dyn Strategy<f64>>> {
    let itd = || Itd::reverse(depth);
    let steps = LowerSolve::Steps {
        depth,
        inner: InnerStep::Momentum(0.2),
        length: Default::default(),
    };
    let accelerated = LowerSolve::Accelerated {
        tolerance: None,
        limit: None,
    };
    vec![
        Box::new(itd()),
        Box::new(itd().memory(Memory::Taped)),
        Box::new(itd().memory(Memory::Checkpointed { slots: 7 })),
        Box::new(
            itd()
                .inner(InnerStep::Momentum(0.2))
                .memory(Memory::Reversible),
        ),
        Box::new(itd().inner(InnerStep::Adam { rate: 0.3 })),
        Box::new(itd().tolerance(1e-9).memory(Memory::Stored)),
        Box::new(Bda::new(depth)),
        Box::new(Bda::new(depth).one_stage()),
        Box::new(Aid::with(Cg::new())),
        Box::new(Aid::cg().curvature(LowerCurvature::Damped(0.1))),
        Box::new(Aid::cg().curvature(LowerCurvature::GaussNewton { damping: 0.1 })),
        Box::new(Aid::with(Cg::new()).lower(steps)),
        Box::new(Aid::with(Cg::new()).lower(accelerated)),
        Box::new(Aid::with(Minres::new())),
        Box::new(Aid::with(Gmres::new(10))),
        Box::new(Aid::with(Neumann::new())),
        Box::new(Aid::with(FixedPoint::new())),
        Box::new(Aid::with(OneStep::new())),
        Box::new(AidStep::new(InnerStep::GradientDescent)),
        Box::new(AidStep::new(InnerStep::GradientDescent).system(StepSystem::Gmres { restart: 9 })),
    ]
}

#[test]
fn a_second_call_allocates_what_it_returns() {
    // On both sides of the size up to which flat directions are looked for.
    for (n, depth) in [(7, 60), (40, 120)] {
        let (problem, x) = (problem(n), DVector::from_element(n, 0.3));
        for strategy in strategies(depth) {
            let mut work = problem.workspace();
            let mut guess = DVector::zeros(n);
            let mut remarks = 0;
            let made = repeated(|| {
                let at = At::new(&x).linear(&mut guess);
                let estimate = strategy.hypergradient_at(&problem, at, &mut work);
                let estimate = estimate.expect("valid settings");
                remarks += estimate.warnings.len();
            });
            // The hypergradient and y, the name, and remarks: a text and perhaps a list each.
            let returned = 2 * 99 + repeated(|| drop(strategy.name()));
            // Going from a loop that keeps nothing to one linearised step and back makes what is kept
            // again, each time.
            let kept = match strategy.name().starts_with("aid-step") {
                true => 16 * 99,
                false => 0,
            };
            assert!(
                made >= returned && made <= returned + kept + 8 * remarks,
                "{strategy:?}, {n} entries, {remarks} remarks: {made} allocations in 99 calls, \
                 {returned} for what is returned"
            );
        }
    }
}
