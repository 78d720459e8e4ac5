//! A computation that is interrupted stops soon, says so, and leaves nothing that looks like a result.

use std::thread;
use std::time::{Duration, Instant};

use autodiff::unroll::Memory;
use autodiff::{Meter, Var, objective};
use nalgebra::{DVector, dvector};
use solvers::{
    Aid, Bilevel, Descent, Estimator, Exact, Itd, LowerSolve, Method, Optimiser, Outer, Schedule,
    Soba, Status, StepLength, Strategy,
};

const N: usize = 40;

fn problem() -> Bilevel<f64> {
    let scales: Vec<f64> = (0..N).map(|i| 10f64.powf(-(i as f64) / 8.0)).collect();
    let lower = objective(move |x: Var, y: Var| {
        0.5 * (y - x).square().dot(x.vector(&scales)) + 1e-3 * y.powi(4).sum()
    });
    let upper = objective(|_: Var, y: Var| 0.5 * (y - 1.0).norm_squared());
    Bilevel::new(upper, lower, N, N).expect("a valid problem")
}

/// Interrupts a meter after some milliseconds, and says when.
fn soon(meter: Meter) -> thread::JoinHandle<Instant> {
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(60));
        meter.interrupt().set(true);
        Instant::now()
    })
}

const DEEP: usize = 10_000_000;

#[test]
fn a_loop_of_any_depth_is_left_within_a_tenth_of_a_second() {
    let problem = problem();
    let x = DVector::from_element(N, 0.3);
    for strategy in [
        &Itd::reverse(DEEP)
            .step(0.5)
            .memory(Memory::Online { slots: 20 }) as &dyn Strategy<f64>,
        &Itd::reverse(DEEP).step(0.5).memory(Memory::Forward),
        &Itd::reverse(DEEP)
            .step(0.5)
            .memory(Memory::Truncated { steps: 3 }),
        &Aid::cg().lower_steps(DEEP, StepLength::Fixed(0.5)),
    ] {
        let mut work = problem.workspace();
        let alarm = soon(work.meter().clone());
        let estimate = strategy
            .hypergradient(&problem, &x, &mut work)
            .expect("valid settings");
        let since = alarm.join().expect("no panic").elapsed();
        assert!(
            since < Duration::from_millis(100),
            "{strategy:?}: {since:?}"
        );
        assert_eq!(estimate.status, Status::Interrupted, "{strategy:?}");
        assert!(!estimate.status.is_success());
        assert!(estimate.hypergradient.iter().all(|v| v.is_nan()));
        assert!(estimate.upper.is_nan() && estimate.lower_residual.is_nan());
        assert!(estimate.oracles.total() > 0, "{strategy:?}");
    }
}

/// Under the interrupt every call stops at its first sweep; when it is lifted, the workspace gives the
/// bits that a fresh one gives.
#[test]
fn a_workspace_that_was_interrupted_anywhere_answers_as_a_fresh_one() {
    let problem = problem();
    let x = DVector::from_element(N, 0.3);
    let strategies: [&dyn Strategy<f64>; 5] = [
        &Aid::cg(),
        &Exact,
        &Itd::reverse(200).step(0.5),
        &Itd::reverse(60).step(0.5).memory(Memory::Taped),
        &Aid::cg().lower(LowerSolve::Accelerated {
            tolerance: None,
            limit: None,
        }),
    ];
    for strategy in strategies {
        let fresh = strategy
            .hypergradient(&problem, &x, &mut problem.workspace())
            .expect("valid settings");
        let mut work = problem.workspace();
        for after in 0..12u64 {
            // Wherever it is by then.
            let meter = work.meter().clone();
            let alarm = thread::spawn(move || {
                thread::sleep(Duration::from_micros(150 * after));
                meter.interrupt().set(true);
            });
            let other = DVector::from_element(N, 0.3 + 0.01 * after as f64);
            let call = strategy.hypergradient(&problem, &other, &mut work);
            let status = call.expect("valid settings").status;
            assert!(status == Status::Interrupted || status.is_success());
            alarm.join().expect("no panic");
            let at_once = strategy.hypergradient(&problem, &x, &mut work);
            assert_eq!(at_once.expect("valid").status, Status::Interrupted);
            work.meter().interrupt().set(false);
            let again = strategy
                .hypergradient(&problem, &x, &mut work)
                .expect("valid settings");
            assert_eq!(again.status, fresh.status);
            assert_eq!(again.hypergradient, fresh.hypergradient, "{strategy:?}");
            assert_eq!(again.y, fresh.y, "{strategy:?}");
        }
    }
}

#[test]
fn a_guess_and_a_start_outlive_an_interrupt() {
    let problem = problem();
    let (x, y) = (DVector::from_element(N, 0.3), DVector::from_element(N, 0.2));
    let mut work = problem.workspace();
    work.meter().interrupt().set(true);
    let mut guess = DVector::from_element(N, 0.1);
    let at = solvers::At::new(&x).start(&y).linear(&mut guess);
    let estimate = Aid::cg().hypergradient_at(&problem, at, &mut work);
    let estimate = estimate.expect("valid settings");
    assert_eq!((estimate.status, estimate.y), (Status::Interrupted, y));
    assert_eq!(guess, DVector::from_element(N, 0.1));
}

#[test]
fn a_run_ends_with_the_iteration_that_was_interrupted() {
    let upper = objective(|x: Var, y: Var| 0.5 * (y - 1.0).norm_squared() + 0.5 * x.norm_squared());
    let lower = objective(|x: Var, y: Var| 0.5 * (y - x).norm_squared());
    let problem = Bilevel::new(upper, lower, 1, 1).expect("a valid problem");
    let rate = Optimiser::GradientDescent { rate: 0.4 };
    let deep = Descent::new(
        Itd::reverse(DEEP).memory(Memory::Online { slots: 9 }),
        rate,
        9,
    );
    let soba = Soba::new(Estimator::Plain, Schedule::Constant(1e-3), 1.0);
    let endless = Outer::new(soba, usize::MAX).report_every(usize::MAX);
    let methods: [Box<dyn Method<f64>>; 2] = [Box::new(deep), Box::new(endless)];
    for method in methods {
        let mut run = method.begin(&problem, dvector![0.0]).expect("valid");
        let alarm = soon(run.meter());
        let finish = run.finish();
        let since = alarm.join().expect("no panic").elapsed();
        assert!(since < Duration::from_millis(100), "{since:?}");
        let (_, status) = finish.failure.expect("no success");
        assert_eq!(status, Status::Interrupted);
        assert!(run.step().is_none());
    }
}

/// A run that is interrupted and restored from what was saved goes on bit for bit.
#[test]
fn a_run_goes_on_from_what_was_saved_before_the_interrupt() {
    let problem = problem();
    let rate = Optimiser::GradientDescent { rate: 0.4 };
    let method = Descent::new(Itd::reverse(50).step(0.5), rate, 6).warm_start(true);
    let x = DVector::from_element(N, 0.3);
    let mut whole = method.begin(&problem, x.clone()).expect("valid");
    whole.finish();
    let mut run = method.begin(&problem, x.clone()).expect("valid");
    (0..3).for_each(|_| drop(run.step()));
    let saved = run.save();
    run.meter().interrupt().set(true);
    let stopped = run.step().expect("a report");
    assert_eq!(
        (stopped.status, stopped.iteration),
        (Status::Interrupted, 3)
    );
    let mut again = method.begin(&problem, x).expect("valid");
    again.restore(&saved).expect("of this run");
    assert!(again.finish().is_success());
    assert_eq!((again.x(), again.y()), (whole.x(), whole.y()));
}
