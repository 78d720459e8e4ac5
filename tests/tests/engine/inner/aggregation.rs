//! Descent aggregation: its kinds of step, its schedules, and its one-stage form.

use autodiff::unroll::Memory;
use autodiff::{Var, objective};
use models::closed_form;
use nalgebra::{DMatrix, DVector, dmatrix, dvector};
use solvers::{
    At, Bda, Bilevel, Constraint, Descent, Exact, FixedPart, InnerStep, Itd, Method, Optimiser,
    Schedule, Strategy,
};

use crate::inner::{beside, close, cube, curved, point, quadratic, run, soft};

fn counterexample() -> Bilevel<f64> {
    closed_form::bda_counterexample(1).bilevel
}

/// The root of a hypergradient that is linear in x.
fn root(problem: &Bilevel<f64>, strategy: &dyn Strategy<f64>) -> f64 {
    let value = |x| run(problem, strategy, &dvector![x]).hypergradient[0];
    let (a, b) = (value(0.0), value(2.0));
    assert!((value(1.0) - 0.5 * (a + b)).abs() < 1e-11, "linear in x");
    2.0 * a / (a - b)
}

fn kinds() -> [(InnerStep, Option<FixedPart>); 6] {
    let (cube, ball) = (cube(0.05, 0.6), Constraint::Ball { radius: 0.7 });
    [
        (InnerStep::Momentum(0.5), None),
        (InnerStep::Nesterov(0.5), None),
        (InnerStep::GradientDescent, Some(cube.into())),
        (InnerStep::GradientDescent, Some(Constraint::Simplex.into())),
        (InnerStep::GradientDescent, Some(ball.into())),
        (InnerStep::Fista, Some(cube.into())),
    ]
}

#[test]
fn every_kind_of_step_differentiates_its_own_map() {
    for (inner, part) in kinds() {
        let (problem, x) = (beside(curved(3), part), point(3));
        let bda = Bda::new(6).steps(0.2, 0.15).inner(inner.clone());
        let h = run(&problem, &bda, &x).hypergradient;
        let value = |x: &DVector<f64>| run(&problem, &bda, x).upper;
        for i in 0..3 {
            let mut e = DVector::zeros(3);
            e[i] = 1e-5;
            let slope = (value(&(&x + &e)) - value(&(&x - &e))) / 2e-5;
            assert!((h[i] - slope).abs() < 2e-8, "{inner}: {} and {slope}", h[i]);
        }
        for memory in [Memory::Taped, Memory::Truncated { steps: 6 }] {
            let other = run(&problem, &bda.clone().memory(memory), &x).hypergradient;
            assert_eq!(other, h, "{inner} {part:?} {memory}");
        }
        let forward = run(&problem, &bda.memory(Memory::Forward), &x).hypergradient;
        close(&forward, &h, 1e-13);
    }
}

#[test]
fn momentum_runs_backwards_too() {
    let (problem, x) = (curved(3), point(3));
    let bda = Bda::new(20)
        .steps(0.2, 0.15)
        .inner(InnerStep::Momentum(0.5));
    let stored = run(&problem, &bda, &x);
    let undone = run(&problem, &bda.memory(Memory::Reversible), &x);
    assert!(undone.status.is_success(), "{undone}");
    close(&undone.hypergradient, &stored.hypergradient, 1e-10);
}

#[test]
fn without_momentum_it_is_the_plain_step() {
    let problem = counterexample();
    let bda = Bda::new(16).steps(0.7, 0.2);
    for (inner, part) in [
        (InnerStep::Momentum(0.0), None),
        (InnerStep::Nesterov(0.0), None),
        (InnerStep::GradientDescent, Some(cube(-1e6, 1e6).into())),
    ] {
        let (same, held) = (bda.clone().inner(inner), beside(problem.clone(), part));
        for x in [0.0, 2.0] {
            let (a, b) = (
                run(&held, &same, &dvector![x]),
                run(&problem, &bda, &dvector![x]),
            );
            close(&a.hypergradient, &b.hypergradient, 1e-13);
        }
    }
}

#[test]
fn accelerated_aggregation_goes_to_one_on_the_counterexample() {
    let problem = counterexample();
    let error = |depth, inner| {
        let bda = Bda::new(depth).steps(0.7, 0.2).inner(inner);
        (root(&problem, &bda) - 1.0).abs()
    };
    for inner in [InnerStep::Momentum(0.3), InnerStep::Nesterov(0.3)] {
        let errors = [64, 256, 1024].map(|depth| error(depth, inner.clone()));
        assert!(
            errors[2] < errors[1] && errors[1] < errors[0],
            "{inner}: {errors:?}"
        );
        assert!(errors[2] < 0.01, "{inner}: {errors:?}");
    }
}

#[test]
fn a_projection_moves_the_limit_as_it_must() {
    // y₂ ≤ 0.4 by the box: φ(x) = ½(x − 0.4)² + ½(x − 1)² for x in it above 0.4, so x* = 0.7.
    let problem = beside(counterexample(), Some(cube(-9.0, 9.0).into()));
    let bda = Bda::new(4000).steps(0.7, 0.2);
    assert!((root(&problem, &bda) - 1.0).abs() < 2e-3);
    let lower = objective(|x: Var, y: Var| 0.5 * y.at(0).square() - x * y.at(0));
    let upper = objective(|x: Var, y: Var| {
        0.5 * (x - y.at(1)).square() + 0.5 * (0.1 * y.at(0) - 0.1).square()
    });
    let problem = Bilevel::new(upper, lower, 1, 2).expect("valid");
    let problem = beside(problem, Some(cube(-9.0, 0.4).into()));
    // y₁ = min(x, 0.4), y₂ = min(x, 0.4): at x = 0.7 both are held, and φ' = x − 0.4.
    let estimate = run(&problem, &bda, &dvector![0.7]);
    assert!((estimate.hypergradient[0] - 0.3).abs() < 1e-3, "{estimate}");
    close(&estimate.y, &dvector![0.4, 0.4], 1e-3);
}

#[test]
fn one_stage_is_the_last_step_alone() {
    // On quadratics the differences are exact.
    let problems = [
        counterexample(),
        quadratic(&dmatrix![2.0, 0.5; 0.5, 1.0], &[1.0, -0.5]),
    ];
    for problem in &problems {
        let x = point(problem.dim_x());
        for depth in [1, 2, 16] {
            let bda = Bda::new(depth).steps(0.3, 0.2);
            let truncated = bda.clone().memory(Memory::Truncated { steps: 1 });
            let truncated = run(problem, &truncated, &x);
            let one_stage = run(problem, &bda.one_stage(), &x);
            close(&one_stage.hypergradient, &truncated.hypergradient, 1e-12);
            close(&one_stage.y, &truncated.y, 1e-14);
            // None but those that look at where the loop has come to.
            let looks = one_stage.oracles.lower.hvps;
            assert!((1..=depth.div_ceil(8) + 1).contains(&looks), "{one_stage}");
            assert_eq!(one_stage.oracles.upper.hvps, 0);
        }
    }
    // Elsewhere they are off by O(ε²).
    let (problem, x) = (curved(3), point(3));
    let bda = Bda::new(5).steps(0.2, 0.15);
    let truncated = run(
        &problem,
        &bda.clone().memory(Memory::Truncated { steps: 1 }),
        &x,
    );
    let one_stage = run(&problem, &bda.one_stage(), &x);
    let error = (&one_stage.hypergradient - &truncated.hypergradient).norm();
    assert!(error > 1e-12 && error < 1e-4, "{error}");
}

#[test]
fn an_outer_schedule_is_constant_within_a_loop() {
    let (problem, x) = (curved(3), point(3));
    let bda = Bda::new(8).steps(0.2, 0.15);
    let outer = bda.clone().outer_schedule(Schedule::harmonic(0.6));
    let mut work = problem.workspace();
    for t in [0, 1, 5] {
        let at = At::new(&x).iteration(t);
        let scheduled = outer
            .hypergradient_at(&problem, at, &mut work)
            .expect("valid");
        let constant = bda
            .clone()
            .schedule(Schedule::Constant(0.6 / (t + 1) as f64));
        close(
            &scheduled.hypergradient,
            &run(&problem, &constant, &x).hypergradient,
            1e-15,
        );
        let summable = |w: &String| w.contains("summable");
        assert!(!scheduled.warnings.iter().any(summable), "{scheduled}");
    }
}

#[test]
fn descent_tells_the_outer_iteration() {
    // At α = 0.5 with equal steps the discriminating variant ends at 1/5; as α falls, at 1/2.
    let problem = closed_form::bda_discriminating::<f64>(1).bilevel;
    let end = |bda: Bda| {
        let rate = Optimiser::GradientDescent { rate: 0.2 };
        let descent = Descent::new(bda.steps(0.5, 0.5), rate, 80);
        let mut run = descent.begin(&problem, dvector![0.0]).expect("valid");
        while let Some(progress) = run.step() {
            assert!(progress.status.is_success(), "{}", progress.status);
        }
        run.x()[0]
    };
    let constant = end(Bda::new(2000).schedule(Schedule::Constant(0.5)));
    assert!((constant - 0.2).abs() < 1e-6, "{constant}");
    let falling = end(Bda::new(2000).outer_schedule(Schedule::harmonic(0.5)));
    assert!((falling - 0.5).abs() < 0.02, "{falling}");
    // What is summable over outer iterations is warned of as well.
    let geometric = Schedule::Geometric { a: 0.5, decay: 0.9 };
    let estimate = run(
        &problem,
        &Bda::new(3).outer_schedule(geometric),
        &dvector![0.0],
    );
    let warned = estimate.warnings.iter().any(|w| w.contains("α/(t+1)"));
    assert!(warned, "{estimate}");
}

#[test]
fn where_the_lower_level_has_one_solution_there_is_no_advantage() {
    let (problem, x) = (curved(4), point(4));
    let exact = run(&problem, &Exact, &x).hypergradient;
    let mut errors = Vec::new();
    for depth in [50, 200] {
        let itd = Itd::reverse(depth).step(0.15);
        let bda = Bda::new(depth).steps(0.15, 0.15);
        let of = |strategy: &dyn Strategy<f64>| run(&problem, strategy, &x);
        let (itd, bda) = (of(&itd), of(&bda));
        let error = |h: &DVector<f64>| (h - &exact).norm();
        assert!(
            error(&bda.hypergradient) > 10.0 * error(&itd.hypergradient),
            "{bda}"
        );
        assert!(bda.oracles.total() > itd.oracles.total());
        errors.push(error(&bda.hypergradient));
    }
    // It falls with the schedule: four times the steps, a quarter of the error.
    let ratio = errors[0] / errors[1];
    assert!((2.5..6.0).contains(&ratio), "{errors:?}");
}

#[test]
fn what_cannot_be_aggregated_is_refused() {
    let problem = quadratic(&DMatrix::identity(1, 1), &[1.0]);
    let threshold = beside(problem.clone(), Some(soft(0.1)));
    let error = Bda::new(3).suits(&threshold).expect_err("of one level");
    assert!(
        error.to_string().contains("expected a set, or itd"),
        "{error}"
    );
    let momentum = Bda::new(3).inner(InnerStep::Momentum(0.5));
    for (strategy, part) in [
        (
            &momentum.one_stage() as &dyn Strategy<f64>,
            "its last step is momentum:0.5: expected gd",
        ),
        (
            &Bda::new(3).memory(Memory::Taped).one_stage(),
            "expected no memory policy taped",
        ),
        (
            &Bda::new(0).one_stage(),
            "depth 0: expected at least 1 step",
        ),
        (
            &Bda::new(3).memory(Memory::Reversible),
            "expected momentum, or checkpointed:SLOTS",
        ),
        (
            &Bda::new(3).outer_schedule(Schedule::Constant(2.0)),
            "expected α_k in (0, 1]",
        ),
    ] {
        let error = strategy.hypergradient(&problem, &dvector![0.0], &mut problem.workspace());
        let error = error.expect_err(part).to_string();
        assert!(error.contains(part), "{error}");
    }
}
