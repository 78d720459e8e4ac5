use autodiff::{Var, objective};
use nalgebra::DVector;

use super::*;
use crate::linear::{
    Cg, Direct, FixedPoint, Gmres, LinearSolver, Minres, Neumann, Nystrom, OneStep, Recycled,
};
use crate::{
    Aid, AidStep, At, Bda, Constraint, Exact, FixedPart, InnerStep, Itd, LowerCurvature,
    LowerSolve, StepLength, StepSystem, Strategy,
};

/// g = ½ Σ e^{x_j} y_j² + ½‖y − 1‖² + ¼ Σ y_j⁴, F = ½‖y − 2‖² + ½‖x‖², x and y of `n` entries.
fn problem<T: Real>(n: usize) -> Bilevel<T> {
    let half = T::of(0.5);
    let lower = objective(move |x: Var<'_, T>, y: Var<'_, T>| {
        let convex = x.exp().dot(y.square()) + (y - T::one()).outputs().norm_squared();
        (convex + y.square().norm_squared() * half) * half
    });
    let upper = objective(move |x: Var<'_, T>, y: Var<'_, T>| {
        ((y - T::of(2.0)).norm_squared() + x.norm_squared()) * half
    });
    Bilevel::new(upper, lower, n, n).expect("a valid problem")
}

/// Three calls in one workspace, the later ones from where the lower level is solved already, the last
/// one with a guess of the linear system.
fn check<T: Real>(problem: &Bilevel<T>, strategy: &dyn Strategy<T>, predicted: usize) {
    let x = DVector::from_fn(problem.dim_x(), |i, _| T::of(0.1 * (i as f64).sin()));
    let mut work = problem.workspace();
    let (mut y, mut guess) = (problem.start().clone(), problem.start().clone());
    for call in 0..3 {
        let at = At::new(&x).start(&y);
        let at = if call == 2 { at.linear(&mut guess) } else { at };
        let estimate = strategy
            .hypergradient_at(problem, at, &mut work)
            .expect("valid settings");
        assert_eq!(estimate.bytes.peak, predicted, "call {call}, {strategy:?}");
        y = estimate.y;
    }
}

fn check_linear<T: Real>(problem: &Bilevel<T>, linear: impl LinearSolver<T> + 'static) {
    let aid = Aid::with(linear).lower_tolerance(1e-3);
    check(problem, &aid, aid.predicted_peak_bytes(problem));
}

fn peaks<T: Real>() {
    // On both sides of the size up to which a flat direction is looked for.
    for n in [1, 7, 20, 21, 40] {
        let problem = problem::<T>(n);
        let steps = |inner, length| LowerSolve::Steps {
            depth: 12,
            inner,
            length,
        };
        for lower in [
            LowerSolve::default(),
            LowerSolve::Newton {
                tolerance: Some(1e-3),
                limit: Some(7),
            },
            LowerSolve::Accelerated {
                tolerance: None,
                limit: None,
            },
            LowerSolve::Lbfgs {
                tolerance: None,
                limit: None,
            },
            steps(InnerStep::GradientDescent, StepLength::Auto),
            steps(InnerStep::GradientDescent, StepLength::Fixed(0.1)),
            steps(InnerStep::Momentum(0.5), StepLength::Auto),
            steps(InnerStep::Nesterov(0.5), StepLength::Fixed(0.1)),
            steps(InnerStep::Adam { rate: 0.1 }, StepLength::Auto),
        ] {
            let cg = Aid::with(Cg::new()).lower(lower.clone());
            check(&problem, &cg, cg.predicted_peak_bytes(&problem));
            let direct = Aid::with(Direct).lower(lower);
            check(&problem, &direct, direct.predicted_peak_bytes(&problem));
        }
        check_linear(&problem, Cg::new());
        for curvature in [
            LowerCurvature::Damped(0.1),
            LowerCurvature::GaussNewton { damping: 0.0 },
        ] {
            let cg = Aid::cg().curvature(curvature);
            check(&problem, &cg, cg.predicted_peak_bytes(&problem));
            let direct = Aid::direct().curvature(curvature);
            check(&problem, &direct, direct.predicted_peak_bytes(&problem));
        }
        check_linear(&problem, Minres::new());
        check_linear(&problem, Gmres::new(5));
        check_linear(&problem, Neumann::new());
        check_linear(&problem, Neumann::new().order(3));
        check_linear(&problem, FixedPoint::new().step(StepLength::Fixed(0.01)));
        check_linear(&problem, Nystrom::new(5));
        check_linear(&problem, Recycled::new(3));
        check_linear(&problem, OneStep::new());
        check_linear(&problem, OneStep::new().step(StepLength::Fixed(0.01)));
        check(&problem, &Exact, Exact.predicted_peak_bytes(&problem));
        for memory in [
            Memory::Taped,
            Memory::Stored,
            Memory::Checkpointed { slots: 3 },
            Memory::Online { slots: 3 },
            Memory::Truncated { steps: 4 },
            Memory::Forward,
        ] {
            let bda = Bda::new(12).memory(memory);
            for bda in [
                bda.clone(),
                bda.clone().lower_step(0.1),
                bda.steps(0.1, 0.1),
            ] {
                check(&problem, &bda, bda.predicted_peak_bytes(&problem));
            }
        }
        for inner in STEPS {
            inner_steps(&problem, inner.clone());
        }
        for part in PARTS {
            let problem = problem.clone().with_part((*part).into()).expect("a part");
            for inner in [InnerStep::GradientDescent, InnerStep::Fista] {
                inner_steps(&problem, inner);
            }
        }
        for bda in [Bda::new(12), Bda::new(1).steps(0.1, 0.1)] {
            let one_stage = bda.one_stage();
            let predicted = one_stage.predicted_peak_bytes(&problem);
            check(&problem, &one_stage, predicted);
        }
    }
}

const STEPS: &[InnerStep] = &[
    InnerStep::GradientDescent,
    InnerStep::Momentum(0.5),
    InnerStep::Nesterov(0.5),
    InnerStep::Adam { rate: 0.1 },
    InnerStep::Fista,
];

const PARTS: &[FixedPart] = &[
    FixedPart::L1 { weight: 0.1 },
    FixedPart::Set(Constraint::Box {
        low: 0.0,
        high: 0.5,
    }),
    FixedPart::Set(Constraint::Simplex),
    FixedPart::Set(Constraint::Ball { radius: 0.5 }),
];

/// Every strategy that takes steps of any kind.
fn inner_steps<T: Real>(problem: &Bilevel<T>, inner: InnerStep) {
    let valid =
        |strategy: &dyn Strategy<T>| strategy.validate().is_ok() && strategy.suits(problem).is_ok();
    for memory in [Memory::Stored, Memory::Online { slots: 3 }, Memory::Forward] {
        let itd = Itd::reverse(12).inner(inner.clone()).memory(memory);
        let stopping = itd.clone().tolerance(0.1);
        for itd in [itd.clone().step(0.1), itd, stopping] {
            if valid(&itd) {
                check(problem, &itd, itd.predicted_peak_bytes(problem));
            }
        }
        let bda = Bda::new(12).inner(inner.clone()).memory(memory);
        if valid(&bda) {
            check(problem, &bda, bda.predicted_peak_bytes(problem));
        }
    }
    for system in [StepSystem::Iteration, StepSystem::Gmres { restart: 5 }] {
        let aid = AidStep::new(inner.clone()).tolerance(1e-3).system(system);
        if valid(&aid) {
            check(problem, &aid, aid.predicted_peak_bytes(problem));
        }
    }
}

#[test]
fn the_predicted_peaks_are_the_measured_ones() {
    peaks::<f64>();
    peaks::<f32>();
}
