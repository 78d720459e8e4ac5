//! `group-ridge`: the best penalties are the ratios of noise to signal.

use models::group_ridge;
use nalgebra::DVector;
use solvers::{Aid, Descent, Exact, Itd, Optimiser, Strategy};

use super::{close, run};

fn away(task: &models::Task<f64>, by: f64) -> DVector<f64> {
    let known = task.known.as_ref().expect("a closed form");
    known.solution.map(|v| v + by)
}

#[test]
fn every_strategy_finds_the_slope() {
    for seed in 0..3 {
        let task = group_ridge::<f64>(4, 3, seed);
        let (problem, x) = (&task.bilevel, away(&task, 0.7));
        let want = (task.known.as_ref().expect("a closed form").hypergradient)(&x);
        for strategy in [
            &Exact as &dyn Strategy<f64>,
            &Aid::cg(),
            &Aid::direct(),
            &Itd::reverse(400),
        ] {
            let estimate = strategy
                .hypergradient(problem, &x, &mut problem.workspace())
                .expect("valid settings");
            let off = (&estimate.hypergradient - &want).norm();
            assert!(off <= 1e-9 * want.norm(), "{off:e}: {estimate}");
        }
    }
}

/// No slope there, and F grows whichever penalty moves either way.
#[test]
fn nothing_is_better_than_the_ratio_of_noise_to_signal() {
    let task = group_ridge::<f64>(4, 5, 7);
    let known = task.known.as_ref().expect("a closed form");
    assert_eq!((known.solution[0], known.solution[3]), (-3.0, 1.0));
    assert!((known.hypergradient)(&known.solution).amax() < 1e-14);
    let mut work = task.bilevel.workspace();
    let mut upper = |x: &DVector<f64>| {
        let estimate = Exact.hypergradient(&task.bilevel, x, &mut work);
        estimate.expect("it has no settings").upper
    };
    let least = upper(&known.solution);
    for group in 0..4 {
        for step in [-0.2, 0.2] {
            let mut x = known.solution.clone();
            x[group] += step;
            assert!(upper(&x) > least, "group {group}, {step}");
        }
    }
}

#[test]
fn descent_ends_there() {
    let task = group_ridge::<f64>(3, 4, 1);
    let rate = Optimiser::GradientDescent { rate: 1.0 };
    let (x, _) = run(&Descent::new(Aid::cg(), rate, 4000), &task, task.x.clone());
    let known = task.known.as_ref().expect("a closed form");
    for (got, want) in x.iter().zip(&known.solution) {
        close(*got, *want, 1e-6);
    }
}

/// At the solution, away from it, and where y is far from y*.
#[test]
fn the_stated_constants_bound_the_error() {
    let task = group_ridge::<f64>(4, 3, 2);
    let known = task.known.as_ref().expect("a closed form");
    for by in [-2.0, 0.0, 1.5] {
        let x = away(&task, by);
        for steps in [1, 3, 10] {
            let rough = Aid::cg().lower_steps(steps, solvers::StepLength::Auto);
            let estimate = rough
                .hypergradient(&task.bilevel, &x, &mut task.bilevel.workspace())
                .expect("valid settings");
            let bound = estimate.certificate.as_ref().expect("constants").bound;
            let error = (&estimate.hypergradient - (known.hypergradient)(&x)).norm();
            assert!(error <= bound * (1.0 + 1e-9) + 1e-13, "{error:e} {bound:e}");
        }
    }
}
