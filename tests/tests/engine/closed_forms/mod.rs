//! The closed-form problems, to the digits known.

mod argmin;
mod edges;
mod gaussian_process;
mod group_ridge;
mod nonconvex;
mod pessimistic;
mod random_quadratics;
mod robust;
mod scales;

use models::{Task, closed_form};
use nalgebra::{DVector, dvector};
use solvers::{
    Aid, Bda, Descent, Estimate, Exact, Gda, Itd, Method, Optimiser, Schedule, Status, StepLength,
    Strategy,
};

fn at(task: &Task<f64>, strategy: &dyn Strategy<f64>, x: f64) -> Estimate<f64> {
    let problem = &task.bilevel;
    let mut work = problem.workspace();
    strategy
        .hypergradient(problem, &dvector![x], &mut work)
        .expect("valid settings")
}

/// The root of a hypergradient that is linear in x, from its values at 0 and 2.
fn root(task: &Task<f64>, strategy: &dyn Strategy<f64>) -> f64 {
    let value = |x| at(task, strategy, x).hypergradient[0];
    let (a, b) = (value(0.0), value(2.0));
    assert!((value(1.0) - 0.5 * (a + b)).abs() < 1e-12, "linear in x");
    2.0 * a / (a - b)
}

#[track_caller]
fn close(got: f64, want: f64, tolerance: f64) {
    assert!(
        (got - want).abs() <= tolerance,
        "got {got}, expected {want}"
    );
}

fn run(
    method: &dyn Method<f64>,
    task: &Task<f64>,
    x: DVector<f64>,
) -> (DVector<f64>, DVector<f64>) {
    let problem = &task.bilevel;
    let mut run = method.begin(problem, x).expect("valid settings");
    while let Some(progress) = run.step() {
        assert!(progress.status.is_success(), "{}", progress.status);
    }
    (run.x().clone(), run.y().clone())
}

// 1. The BDA counter-example.

#[test]
fn itd_goes_to_one_half_on_the_counterexample() {
    let task = closed_form::bda_counterexample(1);
    for depth in [1, 4, 16, 64] {
        let r = 1.0 - 0.8f64.powi(depth);
        let itd = Itd::reverse(depth as usize).step(0.2);
        close(root(&task, &itd), r / (1.0 + r * r), 1e-12);
    }
    close(root(&task, &Itd::reverse(16).step(0.2)), 0.499796276, 5e-10);
}

#[test]
fn bda_goes_to_one_on_the_counterexample() {
    let task = closed_form::bda_counterexample(1);
    let bda = |depth| Bda::new(depth).steps(0.7, 0.2);
    close(
        at(&task, &bda(16), 0.0).hypergradient[0],
        -0.729590852,
        5e-10,
    );
    close(
        at(&task, &bda(16), 2.0).hypergradient[0],
        0.862081934,
        5e-10,
    );
    close(root(&task, &bda(16)), 0.916759850, 5e-10);
    close(root(&task, &bda(64)), 0.970904, 5e-7);
    close(root(&task, &bda(1024)), 0.995930, 5e-7);
}

#[test]
fn a_summable_schedule_stalls_and_is_warned_of() {
    let task = closed_form::bda_counterexample(1);
    let schedule = Schedule::Geometric { a: 0.6, decay: 0.9 };
    let stalling = |depth| Bda::new(depth).schedule(schedule).steps(0.1, 0.1);
    let (there, further) = (root(&task, &stalling(256)), root(&task, &stalling(2048)));
    close(there, 0.77197, 1e-5);
    close(there, further, 1e-9);
    let warned = |bda: &Bda| {
        let warnings = at(&task, bda, 0.0).warnings;
        warnings.iter().filter(|w| w.contains("summable")).count()
    };
    assert_eq!(warned(&stalling(8)), 1);
    assert_eq!(warned(&Bda::new(8)), 0);
}

#[test]
fn gda_finds_one_for_every_penalty() {
    let task = closed_form::bda_counterexample(1);
    for alpha in [0.5, 1.0, 4.0] {
        // One stage at a constant penalty.
        let gda = Gda::new(20_000, Optimiser::GradientDescent { rate: 0.05 })
            .penalty(alpha, 1.0)
            .steps(0.2 / alpha, 0.2)
            .bounds(-100.0, 100.0);
        let (x, y) = run(&gda, &task, dvector![0.0]);
        close(x[0], 1.0, 1e-9);
        close(y[0], 1.0, 1e-9);
        close(y[1], 1.0, 1e-9);
    }
}

#[test]
fn aid_reports_the_singular_hessian() {
    let task = closed_form::bda_counterexample(1);
    // At x = 0 the right-hand side lies in the range of H: only looking further finds the flaw.
    for x in [0.0, 0.3, 2.0] {
        for strategy in [
            &Aid::cg() as &dyn Strategy<f64>,
            &Aid::direct(),
            &Aid::cg().lower_steps(16, StepLength::Fixed(0.2)),
            &Exact,
        ] {
            let estimate = at(&task, strategy, x);
            assert!(
                matches!(estimate.status, Status::SingularHessian { .. }),
                "{} at {x}: {}",
                estimate.strategy,
                estimate.status
            );
            assert!(estimate.status.to_string().contains("BDA"), "a remedy");
        }
    }
}

// 2. The discriminating variant.

#[test]
fn each_aggregation_ends_elsewhere() {
    let task = closed_form::bda_discriminating(1);
    close(root(&task, &Itd::reverse(400).step(0.5)), 1.0 / 3.0, 1e-12);
    let constant = Bda::new(4000)
        .schedule(Schedule::Constant(0.5))
        .steps(0.5, 0.5);
    close(root(&task, &constant), 0.2, 1e-9);
    let slow = Schedule::Harmonic { a: 1.0, c: 2.0 };
    let bda = Bda::new(20_000).schedule(slow).steps(0.5, 0.5);
    close(root(&task, &bda), 0.499959, 1e-6);
}

// 3. The bias of a penalty.

#[test]
fn gda_is_biased_as_the_penalty_says() {
    let task = closed_form::penalty_bias();
    for (alpha, want) in [
        (1.0, 1.0 / 3.0),
        (2.0, 2.0 / 5.0),
        (4.0, 4.0 / 9.0),
        (8.0, 8.0 / 17.0),
    ] {
        let gda = Gda::new(40_000, Optimiser::GradientDescent { rate: 0.02 })
            .penalty(alpha, 1.0)
            .steps(0.5 / alpha, 0.5 / (1.0 + alpha));
        let (x, y) = run(&gda, &task, dvector![0.0]);
        close(x[0], want, 1e-9);
        close(y[0], (1.0 + alpha * want) / (1.0 + alpha), 1e-9);
    }
    let descent = Descent::new(Aid::cg(), Optimiser::GradientDescent { rate: 0.4 }, 200);
    let (x, _) = run(&descent, &task, dvector![0.0]);
    close(x[0], 0.5, 1e-12);
}

// 4. Scalar ITD and AID.

#[test]
fn scalar_itd_and_aid_are_as_derived() {
    let task = closed_form::scalar();
    for (s, depth, x) in [(0.2_f64, 5, 0.3), (0.1, 1, -0.7), (0.3, 12, 1.9)] {
        let r = 1.0 - (1.0 - 2.0 * s).powi(depth);
        let itd = Itd::reverse(depth as usize).step(s);
        close(
            at(&task, &itd, x).hypergradient[0],
            x + r * (r * x - 1.0),
            1e-14,
        );
        let aid = Aid::cg().lower_steps(depth as usize, StepLength::Fixed(s));
        close(
            at(&task, &aid, x).hypergradient[0],
            x + (r * x - 1.0),
            1e-14,
        );
        close(at(&task, &Exact, x).hypergradient[0], 2.0 * x - 1.0, 1e-14);
    }
    let itd = at(&task, &Itd::reverse(5).step(0.2), 0.3);
    close(itd.hypergradient[0], -0.36708201, 5e-9);
    let aid = at(
        &task,
        &Aid::direct().lower_steps(5, StepLength::Fixed(0.2)),
        0.3,
    );
    close(aid.hypergradient[0], -0.423328, 5e-7);
}

// 5. The quadratic problem.

#[test]
fn quadratic_hypergradients_and_solution_are_exact() {
    for (dim_x, dim_y, seed) in [(1, 1, 1), (3, 5, 2), (7, 4, 3), (2, 30, 4)] {
        let task = closed_form::quadratic::<f64>(dim_x, dim_y, seed);
        let known = task.known.as_ref().expect("a closed form");
        let problem = &task.bilevel;
        let x = DVector::from_fn(dim_x, |i, _| 0.3 + 0.1 * i as f64);
        let want = (known.hypergradient)(&x);
        let mut work = problem.workspace();
        let strategies: [&dyn Strategy<f64>; 4] = [
            &Exact,
            &Aid::cg().lower_tolerance(1e-12),
            &Aid::direct(),
            &Itd::reverse(2000),
        ];
        for strategy in strategies {
            let estimate = strategy
                .hypergradient(problem, &x, &mut work)
                .expect("valid");
            let error = (&estimate.hypergradient - &want).norm() / want.norm();
            assert!(error < 1e-9, "{}: {error:e}", estimate.strategy);
            assert!(estimate.status.is_success(), "{}", estimate.status);
        }
        // Conjugate gradients end in at most dim_y iterations.
        let estimate = Aid::cg()
            .hypergradient(problem, &x, &mut work)
            .expect("valid");
        assert!(
            estimate.linear_iterations <= dim_y,
            "{}",
            estimate.linear_iterations
        );

        let gd = Optimiser::GradientDescent { rate: 0.04 };
        let (x, _) = run(&Descent::new(Aid::cg(), gd, 1000), &task, task.x.clone());
        assert!((x - &known.solution).norm() < 1e-8);
    }
}
