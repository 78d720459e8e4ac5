//! One lower level for each thing that is measured: without it, the answer would be wrong in silence.

use autodiff::{Real, Var, objective};
use nalgebra::{DVector, dvector};
use solvers::linear::Neumann;
use solvers::{Aid, AidStep, Bilevel, InnerStep, Itd, LowerSolve, StepSystem, Strategy};

use crate::right_or_told::{off, right, run, to_one};

/// Wrong by more than 1 %, under a success with a warning.
#[track_caller]
fn warned(estimate: &solvers::Estimate<f64>, want: &[f64], word: &str) {
    let off = off(estimate, want);
    assert!(off > 1e-2, "right after all, off by {off:.1e}: {estimate}");
    let said = estimate.warnings.iter().any(|w| w.contains(word));
    assert!(estimate.status.is_success() && said, "{estimate}");
}

/// F hardly looks at slow entries that x moves far: what is left of the cotangent is small, and what
/// steps before the first would have added is not. Of more entries than are looked at one by one.
#[test]
fn what_is_owed_to_more_steps_is_told() {
    let n = 26;
    let vector =
        |first: f64, rest: f64| DVector::from_fn(n, |i, _| if i == 0 { first } else { rest });
    let (d, c, b) = (vector(1.0, 1e-6), vector(1.0, 1e3), vector(1e4, 1.0));
    let want = b.component_mul(&c);
    let start = c.clone();
    let upper = objective(move |_x: Var, y: Var| y.dot(y.vector(b.as_slice())));
    let lower = objective(move |x: Var, y: Var| {
        let r = y - x * y.vector(c.as_slice());
        0.5 * r.square().dot(y.vector(d.as_slice()))
    });
    let problem = Bilevel::new(upper, lower, n, n).expect("a valid problem");
    let problem = problem.starting_from(start);
    let estimate = run(&problem, &Itd::reverse(100), &vec![1.0; n]);
    assert!(estimate.left.unwrap() < 1e-3 && estimate.distance.unwrap() < 1e-6);
    warned(
        &estimate,
        want.as_slice(),
        "of the hypergradient to more of them",
    );
    // The implicit answer is right, and says nothing.
    right(&run(&problem, &Aid::cg(), &vec![1.0; n]), want.as_slice());
}

/// What g is flat in may be of any size, and hides how far the rest of y is off.
#[test]
fn a_large_entry_that_g_does_not_see_hides_no_distance() {
    let upper = objective(|_x: Var, y: Var| 0.5 * (y.at(0) - 0.25).square());
    let lower = objective(|x: Var, y: Var| 0.5 * (y.at(0) - x.at(0)).square());
    let problem = Bilevel::new(upper, lower, 1, 2).expect("a valid problem");
    let problem = problem.starting_from(dvector![1e4, 1e7]);
    let few = run(&problem, &Itd::reverse(20).step(0.5), &[0.2]);
    assert!(few.left.unwrap() < 1e-3);
    warned(&few, &[-0.05], "of its size from where they lead");
}

/// 1/3 (y − a)³ has no minimum, and at its inflection nothing but rounding for a second derivative.
#[test]
fn an_inflection_is_no_minimum() {
    let cubic = objective(|x: Var, y: Var| (y - x).powi(3).sum() / 3.0);
    let upper = objective(|_x: Var, y: Var| 0.5 * y.norm_squared());
    let problem = Bilevel::new(upper, cubic, 1, 1).expect("a valid problem");
    for a in [0.3, 1.7, -21.0] {
        // The nearest number on either side, where H is ±2ε|a|.
        for start in [a * (1.0 + f64::EPSILON), a * (1.0 - f64::EPSILON)] {
            let problem = problem.clone().starting_from(dvector![start]);
            for estimate in [
                run(&problem, &Aid::cg(), &[a]),
                run(&problem, &Aid::direct(), &[a]),
                run(&problem, &AidStep::new(InnerStep::GradientDescent), &[a]),
                run(&problem, &Itd::reverse(50), &[a]),
            ] {
                let told = !estimate.status.is_success() || !estimate.warnings.is_empty();
                assert!(told, "{estimate}");
            }
        }
    }
}

/// Methods that see no curvature, and a tolerance, leave y farther from such a zero: there H is small and
/// no rounding, and the distance that it gives is a part of the way to the next y with half of it.
#[test]
fn an_inflection_is_no_minimum_from_afar() {
    fn told<T: Real>() {
        let cubic = objective(|x: Var<T>, y: Var<T>| (y - x).powi(3).sum());
        let upper = objective(|_x: Var<T>, y: Var<T>| y.norm_squared());
        let problem = Bilevel::new(upper, cubic, 1, 1).expect("a valid problem");
        let limit = None;
        for a in [0.3, -1.7, 21.0] {
            let problem = problem.clone().starting_from(dvector![T::of(a + 1.3)]);
            for tolerance in [None, Some(1e-3), Some(1e-5), Some(1e-7), Some(1e-9)] {
                for lower in [
                    LowerSolve::Lbfgs { tolerance, limit },
                    LowerSolve::Accelerated { tolerance, limit },
                    LowerSolve::Newton { tolerance, limit },
                ] {
                    holds(&Aid::cg().lower(lower), &problem, a);
                }
                let steps = AidStep::new(InnerStep::GradientDescent);
                let given = |tolerance| steps.clone().tolerance(tolerance);
                holds(&tolerance.map_or(steps.clone(), given), &problem, a);
            }
        }
    }
    fn holds<T: Real>(strategy: &dyn Strategy<T>, problem: &Bilevel<T>, a: f64) {
        let (x, mut work) = (dvector![T::of(a)], problem.workspace());
        let estimate = strategy.hypergradient(problem, &x, &mut work);
        let estimate = estimate.expect("valid settings");
        assert!(!estimate.status.is_success(), "{estimate}");
    }
    told::<f64>();
    told::<f32>();
}

/// A fixed point of steps from which they lead away is a maximum, however well its equation is solved.
#[test]
fn a_fixed_point_that_repels_is_no_solution() {
    let well =
        || objective(|x: Var, y: Var| (0.25 * y.powi(4) - 0.5 * y.square()).sum() - x.dot(y));
    // On both sides of the size up to which a probe looks.
    for n in [3, 24] {
        let problem = Bilevel::new(to_one(), well(), n, n).expect("a valid problem");
        let gmres =
            AidStep::new(InnerStep::GradientDescent).system(StepSystem::Gmres { restart: 5 });
        let estimate = run(&problem, &gmres, &vec![0.0; n]);
        assert!(!estimate.status.is_success(), "{estimate}");
    }
}

/// Three terms of a series that wants thousands.
#[test]
fn a_linear_system_that_is_solved_in_part_is_told() {
    let n = 24;
    let scale = DVector::from_fn(n, |i, _| 10f64.powf(-3.0 * i as f64 / (n - 1) as f64));
    let lower =
        objective(move |x: Var, y: Var| 0.5 * (y - x).square().dot(y.vector(scale.as_slice())));
    let problem = Bilevel::new(to_one(), lower, n, n).expect("a valid problem");
    let few = Aid::with(Neumann::new().order(3));
    let estimate = run(&problem, &few, &vec![0.5; n]);
    warned(
        &estimate,
        &vec![-0.5; n],
        "the linear system's solution may be off",
    );
}
