//! Strategies on data: agreement with the exact hypergradient, and with central differences of the
//! map each really differentiates.

use autodiff::Real;
use autodiff::bytes::Category;
use autodiff::unroll::Memory;
use models::data::{self, Splits};
use models::{HyperCleaning, Task, hyper_cleaning, logistic};
use nalgebra::DVector;
use solvers::linear::Cg;
use solvers::{Aid, Bda, Bilevel, Estimate, Exact, InnerStep, Itd, Schedule, StepLength, Strategy};

/// Fewer samples of the same kind, so that deep loops stay cheap.
fn shrink(splits: Splits, n: usize) -> Splits {
    let first: Vec<usize> = (0..n).collect();
    Splits {
        train: splits.train.subset(&first),
        valid: splits.valid.subset(&(0..40).collect::<Vec<_>>()),
        ..splits
    }
}

fn logistic_task<T: Real>() -> Task<T> {
    let mut task = logistic(shrink(data::digits_parity(0), 80)).expect("good labels");
    // A mild penalty, uneven over the features.
    task.x = DVector::from_fn(64, |i, _| T::of(-2.0 + (i as f64).sin()));
    task
}

fn cleaning_task<T: Real>(penalty: f64) -> Task<T> {
    let (splits, marks) = data::digits_cleaning(1, 0.5);
    let settings = HyperCleaning {
        penalty,
        ..HyperCleaning::default()
    };
    let marks = marks[..48].to_vec();
    let mut task = hyper_cleaning(shrink(splits, 48), Some(marks), settings).expect("good labels");
    task.x = DVector::from_fn(48, |i, _| T::of((1.7 * i as f64).sin()));
    task
}

fn estimate<T: Real>(task: &Task<T>, strategy: &dyn Strategy<T>) -> Estimate<T> {
    let problem = &task.bilevel;
    let mut work = problem.workspace();
    let estimate = strategy
        .hypergradient(problem, &task.x, &mut work)
        .expect("valid settings");
    assert!(estimate.status.is_success(), "{estimate}");
    estimate
}

fn relative<T: Real>(a: &DVector<T>, b: &DVector<T>) -> f64 {
    ((a - b).norm() / b.norm()).f64()
}

#[test]
fn all_strategies_reach_the_exact_hypergradient_on_logistic() {
    let task = logistic_task::<f64>();
    let exact = estimate(&task, &Exact).hypergradient;
    for strategy in [
        &Itd::reverse(6000) as &dyn Strategy<f64>,
        &Itd::reverse(1000).inner(InnerStep::Nesterov(0.85)),
        &Itd::reverse(2000).inner(InnerStep::Momentum(0.8)),
        &Aid::cg().lower_tolerance(1e-13),
        &Aid::direct().lower_tolerance(1e-13),
        &Aid::cg().lower_steps(6000, StepLength::Auto),
    ] {
        let error = relative(&estimate(&task, strategy).hypergradient, &exact);
        assert!(error <= 1e-10, "{strategy:?}: {error:e}");
    }
}

#[test]
fn all_strategies_reach_the_exact_hypergradient_on_hyper_cleaning() {
    let task = cleaning_task::<f64>(0.001);
    let exact = estimate(&task, &Exact).hypergradient;
    for strategy in [
        &Itd::reverse(3000).inner(InnerStep::Nesterov(0.95)) as &dyn Strategy<f64>,
        &Aid::with(Cg::new().tolerance(1e-13)).lower_tolerance(1e-13),
        &Aid::direct().lower_tolerance(1e-13),
    ] {
        let error = relative(&estimate(&task, strategy).hypergradient, &exact);
        assert!(error <= 1e-10, "{strategy:?}: {error:e}");
    }
}

#[test]
fn bda_approaches_the_exact_hypergradient_as_its_schedule_falls() {
    let task = logistic_task::<f64>();
    let exact = estimate(&task, &Exact).hypergradient;
    let error = |depth| relative(&estimate(&task, &Bda::new(depth)).hypergradient, &exact);
    let errors = [500, 2000, 8000].map(error);
    // The bias falls like α_K, which is one over the depth.
    for pair in errors.windows(2) {
        let ratio = pair[0] / pair[1];
        assert!((2.5..6.0).contains(&ratio), "{errors:?}");
    }
}

/// Central differences of `x ↦ F(x, y(x))` along `v`, with one Richardson extrapolation.
fn difference(task: &Task<f64>, strategy: &dyn Strategy<f64>, v: &DVector<f64>) -> f64 {
    let value = |h: f64| {
        let moved = Task {
            x: &task.x + v * h,
            ..task.clone()
        };
        estimate(&moved, strategy).upper
    };
    let central = |h: f64| (value(h) - value(-h)) / (2.0 * h);
    let h = 2e-3;
    (4.0 * central(h / 2.0) - central(h)) / 3.0
}

#[test]
fn unrolled_strategies_differentiate_their_own_map() {
    for task in [logistic_task::<f64>(), cleaning_task::<f64>(0.01)] {
        // Far from converged, so that the K-step map is not that of the solution.
        let strategies: [&dyn Strategy<f64>; 6] = [
            &Itd::reverse(1).step(0.5),
            &Itd::reverse(7).step(0.5),
            &Itd::reverse(7).step(0.3).inner(InnerStep::Momentum(0.9)),
            &Itd::reverse(7).step(0.3).inner(InnerStep::Nesterov(0.9)),
            &Bda::new(9).steps(0.4, 0.5),
            &Bda::new(9)
                .schedule(Schedule::Constant(0.3))
                .steps(0.4, 0.5),
        ];
        let exact = estimate(&task, &Exact).hypergradient;
        for strategy in strategies {
            let got = estimate(&task, strategy).hypergradient;
            for seed in 0..3 {
                let v = DVector::from_fn(got.len(), |i, _| ((i * 7 + seed) as f64 * 1.3).cos());
                let want = difference(&task, strategy, &v);
                // One step from y = 0 does not feel the penalty: its derivative by x is 0.
                let scale = got.norm().max(1e-3) * v.norm();
                let error = (got.dot(&v) - want).abs() / scale;
                assert!(error < 1e-8, "{strategy:?}: {error:e}");
            }
            assert!(
                relative(&got, &exact) > 1e-4,
                "{strategy:?} has not converged"
            );
        }
    }
}

#[test]
fn implicit_strategies_differentiate_the_solution() {
    for task in [logistic_task::<f64>(), cleaning_task::<f64>(0.01)] {
        for strategy in [
            &Aid::cg().lower_tolerance(1e-12) as &dyn Strategy<f64>,
            &Aid::direct().lower_tolerance(1e-12),
        ] {
            let got = estimate(&task, strategy).hypergradient;
            let v = DVector::from_fn(got.len(), |i, _| (i as f64 * 0.9).sin());
            let error = (got.dot(&v) - difference(&task, strategy, &v)).abs();
            assert!(
                error / (got.norm() * v.norm()) < 1e-8,
                "{strategy:?}: {error:e}"
            );
        }
    }
}

#[test]
fn the_reversible_loop_gives_the_hypergradient_of_the_stored_one() {
    let task = logistic_task::<f64>();
    let stored = Itd::reverse(400).inner(InnerStep::Momentum(0.8));
    let reversible = stored.clone().memory(Memory::Reversible);
    let (stored, reversible) = (estimate(&task, &stored), estimate(&task, &reversible));
    assert_eq!(reversible.strategy, "itd-reversible");
    let error = relative(&reversible.hypergradient, &stored.hypergradient);
    assert!(error < 1e-11, "{error:e}");
    let (one, other) = (reversible.oracles.lower, stored.oracles.lower);
    // What looks at the last y, which is rounded to a grid here, may end an iteration apart.
    assert!(
        one.gradients.abs_diff(other.gradients) <= 1,
        "{one:?} {other:?}"
    );
    assert!(one.hvps.abs_diff(other.hvps) <= 1, "{one:?} {other:?}");
    let kept = |e: &Estimate<f64>| e.bytes.peak_in(Category::Checkpoints);
    assert!(50 * kept(&reversible) < kept(&stored));
}

#[test]
fn a_loop_that_leaves_the_grid_is_said_to() {
    let task = logistic_task::<f64>();
    let problem = &task.bilevel;
    let itd = Itd::reverse(400)
        .inner(InnerStep::Momentum(0.9))
        .step(100.0)
        .memory(Memory::Reversible);
    let estimate = itd
        .hypergradient(problem, &task.x, &mut problem.workspace())
        .expect("valid settings");
    assert_eq!(estimate.status.code(), "irreversible", "{estimate}");
    assert!(estimate.status.to_string().contains("16384"), "{estimate}");
    assert!(estimate.hypergradient.iter().all(|v| v.is_nan()));
}

#[test]
fn single_precision_agrees_to_its_rounding() {
    let double = estimate(&logistic_task::<f64>(), &Itd::reverse(50).step(0.5));
    let single = estimate(&logistic_task::<f32>(), &Itd::reverse(50).step(0.5));
    let error = relative(&single.hypergradient.map(f64::from), &double.hypergradient);
    assert!(error < 1e-4, "{error:e}");
    let implicit = estimate(&logistic_task::<f32>(), &Aid::cg());
    let exact = estimate(&logistic_task::<f64>(), &Exact);
    let error = relative(&implicit.hypergradient.map(f64::from), &exact.hypergradient);
    assert!(error < 1e-3, "{error:e}");
}

#[test]
fn counts_are_those_of_the_documentation() {
    let task = logistic_task::<f64>();
    let depth = 13;
    let itd = estimate(&task, &Itd::reverse(depth).step(0.5));
    // K forward, K on the way back, one residual at each end, and one or two for what no sample has; one
    // product per step.
    let looks = itd.oracles.lower.gradients - (2 * depth + 2);
    assert!(looks == 1 || looks == 2, "{looks}");
    assert_eq!(itd.oracles.lower.hvps, depth);
    assert_eq!(itd.oracles.upper.gradients, 1);
    let bda = estimate(&task, &Bda::new(depth).steps(0.5, 0.5));
    // One more for every eight steps looks at the last y.
    assert_eq!(bda.oracles.lower.hvps, depth + depth.div_ceil(8));
    assert_eq!(bda.oracles.upper.hvps, depth);
    let one_stage = estimate(&task, &Bda::new(depth).steps(0.5, 0.5).one_stage());
    assert_eq!(one_stage.oracles.lower.hvps, depth.div_ceil(8));
    assert_eq!(one_stage.oracles.upper.hvps, 0);
    let momentum = Itd::reverse(depth)
        .step(0.5)
        .inner(InnerStep::Momentum(0.5));
    let momentum = estimate(&task, &momentum);
    assert_eq!(momentum.oracles.lower.hvps, depth + depth.div_ceil(8));
    // Many enough to come near.
    let steps = 2000;
    let direct = Aid::direct().lower_steps(steps, StepLength::Fixed(0.5));
    let direct = estimate(&task, &direct);
    assert_eq!(direct.oracles.lower.hvps, 64 + 1);
    let cg = estimate(&task, &Aid::cg().lower_steps(steps, StepLength::Fixed(0.5)));
    assert_eq!(cg.oracles.lower.hvps, cg.linear_iterations + 1);
}

#[test]
fn stored_states_are_the_only_bytes_that_grow_with_depth() {
    let task = logistic_task::<f64>();
    let peak = |depth| estimate(&task, &Itd::reverse(depth).step(0.5)).bytes.peak;
    let (a, b) = (peak(100), peak(1100));
    assert_eq!(b - a, 1000 * 64 * size_of::<f64>());
}

#[test]
fn a_workspace_gives_the_same_bits_again() {
    let task = logistic_task::<f64>();
    let problem = &task.bilevel;
    let mut work = problem.workspace();
    let strategies: [&dyn Strategy<f64>; 3] = [&Itd::reverse(20), &Bda::new(20), &Aid::cg()];
    for strategy in strategies.into_iter().chain(strategies) {
        let used = strategy
            .hypergradient(problem, &task.x, &mut work)
            .expect("valid");
        let fresh = estimate(&task, strategy);
        assert_eq!(used.hypergradient, fresh.hypergradient);
        assert_eq!(used.oracles, fresh.oracles);
    }
}

#[test]
fn trouble_is_reported_with_a_remedy() {
    let task = logistic_task::<f64>();
    let problem = &task.bilevel;
    let mut work = problem.workspace();
    let mut status = |s: &dyn Strategy<f64>| {
        let estimate = s.hypergradient(problem, &task.x, &mut work).expect("valid");
        estimate.status
    };
    let diverged = status(&Itd::reverse(60).step(50.0));
    assert_eq!(diverged.code(), "lower-diverged", "{diverged}");
    assert!(diverged.to_string().contains("shorter step"));
    let overflow = status(&Itd::reverse(3000).step(1e3));
    assert!(!overflow.is_success(), "{overflow}");
    let unmet = status(&Aid::cg().lower_tolerance(1e-30));
    assert_eq!(unmet.code(), "lower-not-converged", "{unmet}");
}

#[test]
fn settings_are_checked_before_any_work() {
    let reversible = |inner| Itd::reverse(5).inner(inner).memory(Memory::Reversible);
    let bad: [(&dyn Strategy<f64>, &str); 12] = [
        (&reversible(InnerStep::GradientDescent), "expected momentum"),
        (&reversible(InnerStep::Nesterov(0.9)), "expected momentum"),
        (&reversible(InnerStep::Momentum(0.0)), "decay 0: expected"),
        (&reversible(InnerStep::Momentum(0.123_456_7)), "such as"),
        (&Bda::new(5).memory(Memory::Reversible), "checkpointed"),
        (&Itd::reverse(0), "depth 0"),
        (&Itd::reverse(5).step(-1.0), "step length -1"),
        (&Bda::new(0), "depth 0"),
        (&Bda::new(5).schedule(Schedule::Constant(1.5)), "α_0 = 1.5"),
        (&Aid::cg().lower_tolerance(-1.0), "tolerance -1"),
        (&Aid::cg().lower_limit(0), "at most 0 iterations"),
        (&Aid::cg().lower_steps(0, StepLength::Auto), "depth 0"),
    ];
    for (strategy, reason) in bad {
        let error = strategy.validate().expect_err(reason).to_string();
        assert!(error.contains(reason), "{error}");
    }
}

/// The curvature at the start says nothing of a wall further down: a first trial step that lands in
/// it is halved, more than once, and the loop goes on from there.
#[test]
fn automatic_lengths_survive_a_first_step_that_is_rejected() {
    use autodiff::{Var, objective};
    let lower = objective(|_: Var, y: Var| 0.5 * y.norm_squared() + ((0.3 - y) * 30.0).exp().sum());
    let upper = objective(|x: Var, y: Var| 0.5 * (y - x).norm_squared());
    let problem = Bilevel::<f64>::new(upper, lower, 1, 1)
        .expect("a problem")
        .starting_from(DVector::from_element(1, 3.0));
    let x = DVector::from_element(1, 0.7);
    let strategies: [&dyn Strategy<f64>; 3] = [&Itd::reverse(200), &Bda::new(200), &Aid::cg()];
    for strategy in strategies {
        let estimate = strategy.hypergradient(&problem, &x, &mut problem.workspace());
        let estimate = estimate.expect("valid settings");
        assert!(estimate.status.is_success(), "{estimate}");
        assert!((0.3..0.6).contains(&estimate.y[0]), "{estimate}");
    }
}

#[test]
fn an_estimate_comes_back_from_its_record_as_it_was() {
    let made = estimate(&logistic_task::<f64>(), &Aid::cg());
    let record = serde_json::to_value(&made).expect("finite numbers");
    assert_eq!(record["status"]["code"], made.status.code());
    assert_eq!(
        record["hypergradient"][0].as_f64(),
        Some(made.hypergradient[0])
    );
    let back: Estimate<f64> = serde_json::from_value(record).expect("a record of its own");
    assert_eq!(
        (&back.hypergradient, &back.y),
        (&made.hypergradient, &made.y)
    );
    assert_eq!((&back.status, back.oracles), (&made.status, made.oracles));
    assert_eq!((back.bytes, back.seconds), (made.bytes, made.seconds));
}

#[test]
fn a_status_is_recorded_with_its_word() {
    use autodiff::unroll::Irreversible;
    use solvers::Status;
    let limit = Irreversible::OutOfRange {
        step: 3,
        limit: 16384.0,
    };
    for status in [
        Status::Converged,
        Status::LinearDiverged { growth: 1.5 },
        Status::Irreversible(limit),
        Status::Irreversible(Irreversible::Strayed),
    ] {
        let record = serde_json::to_value(&status).expect("finite numbers");
        assert_eq!(record["code"], status.code());
        let back: Status = serde_json::from_value(record).expect("a record of its own");
        assert_eq!(back, status);
    }
}
