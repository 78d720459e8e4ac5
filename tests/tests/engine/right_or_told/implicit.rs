//! Implicit strategies on lower levels whose residual tells little of their solution.

use autodiff::{Var, objective};
use nalgebra::dvector;
use solvers::{
    Aid, AidStep, Bilevel, Constraint, Exact, InnerStep, Itd, StepLength, StepSystem, Strategy,
};

use crate::right_or_told::{fails, right, right_or_told, run, to_one};

/// Curvatures that are 1e12 apart: steps are as short as the largest wants them.
#[test]
fn a_small_residual_beside_a_large_curvature_is_no_solution() {
    for large in [1e6, 1e12] {
        let scale = [large, 1.0];
        let lower = objective(move |x: Var, y: Var| 0.5 * (y - x).square().dot(y.vector(&scale)));
        let problem = Bilevel::new(to_one(), lower, 2, 2).expect("a valid problem");
        let problem = problem.starting_from(dvector![0.5, 0.5]);
        let inside = Constraint::Box {
            low: 0.0,
            high: 10.0,
        };
        let held = problem.clone().with_part(inside.into()).expect("a part");
        for system in [StepSystem::Iteration, StepSystem::Gmres { restart: 5 }] {
            let strategy = AidStep::new(InnerStep::GradientDescent).system(system);
            let estimate = run(&held, &strategy.limit(20_000), &[3.0, 4.0]);
            right_or_told(&estimate, &[2.0, 3.0]);
        }
        right_or_told(&run(&held, &Aid::cg(), &[3.0, 4.0]), &[2.0, 3.0]);
        right(&run(&problem, &Aid::cg(), &[3.0, 4.0]), &[2.0, 3.0]);
    }
}

#[test]
fn a_count_of_lower_steps_that_leaves_y_far_is_no_success() {
    let lower = objective(|x: Var, y: Var| 0.5 * (y - x).norm_squared());
    let problem = Bilevel::new(to_one(), lower, 1, 1).expect("a valid problem");
    for (depth, length) in [(1, 1e-3), (10, 1e-3), (3, 0.1)] {
        let few = Aid::cg().lower_steps(depth, StepLength::Fixed(length));
        fails(&run(&problem, &few, &[5.0]), &["lower-inaccurate"]);
    }
    let enough = Aid::cg().lower_steps(100, StepLength::Fixed(0.5));
    right(&run(&problem, &enough, &[5.0]), &[4.0]);
}

/// (1 − s)ᴷ of the way is left: solved below 1e-7 of y, in need of a word above 3e-4, and no
/// approximation above a tenth.
#[test]
fn a_count_of_lower_steps_is_judged_by_its_distance() {
    let lower = objective(|x: Var, y: Var| 0.5 * (y - x).norm_squared());
    let problem = Bilevel::new(to_one(), lower, 1, 1).expect("a valid problem");
    for (depth, code, warns) in [
        (3, "lower-inaccurate", false),
        (5, "stepped", true),
        (16, "stepped", false),
        (40, "converged", false),
    ] {
        let steps = Aid::cg().lower_steps(depth, StepLength::Fixed(0.5));
        let estimate = run(&problem, &steps, &[5.0]);
        assert_eq!(estimate.status.code(), code, "{estimate}");
        assert_eq!(!estimate.warnings.is_empty(), warns, "{estimate}");
        let left = 0.5f64.powi(depth as i32);
        let distance = estimate.distance.expect("it was measured");
        assert!((distance - left / (1.0 - left)).abs() <= 1e-9 * distance);
    }
}

#[test]
fn a_limit_of_iterations_that_leaves_y_far_is_no_success() {
    let lower = objective(|x: Var, y: Var| {
        let r = y.at(1) - x.at(1);
        0.5e12 * (y.at(0) - x.at(0)).square() + 0.25 * r.powi(4) + 0.5 * r.square()
    });
    let problem = Bilevel::new(to_one(), lower, 2, 2).expect("a valid problem");
    let problem = problem.starting_from(dvector![0.0, 20.0]);
    for limit in [1, 3, 5] {
        let few = Aid::cg().lower_limit(limit);
        let codes = ["lower-inaccurate", "lower-not-converged"];
        fails(&run(&problem, &few, &[3.0, 4.0]), &codes);
    }
    right(&run(&problem, &Aid::cg(), &[3.0, 4.0]), &[2.0, 3.0]);
}

/// Separable data: ln(1 + e⁻ʸ) + ½λy², whose solution is large and whose gradient is small long
/// before it. y* solves λy = 1/(1 + eʸ), and dy*/dln λ = −λy/(λ + σ(y)σ(−y)).
#[test]
fn separable_data_are_solved_or_told() {
    let upper = objective(|_x: Var, y: Var| 0.5 * (y - 5.0).norm_squared());
    let lower =
        objective(|x: Var, y: Var| (-y).softplus().sum() + 0.5 * x.exp() * y.norm_squared());
    let problem = Bilevel::new(upper, lower, 1, 1).expect("a valid problem");
    for x in [-5.0, -15.0, -25.0, -30.0, -40.0] {
        let weight = f64::exp(x);
        // Bisection: λy grows and the other side falls.
        let (mut low, mut high) = (0.0, 100.0);
        for _ in 0..200 {
            let y: f64 = 0.5 * (low + high);
            if weight * y < 1.0 / (1.0 + y.exp()) {
                low = y;
            } else {
                high = y;
            }
        }
        let y = low;
        let curvature = weight + (-y).exp() / (1.0 + (-y).exp()).powi(2);
        let want = [(y - 5.0) * -weight * y / curvature];
        let strategies: [&dyn Strategy<f64>; 5] = [
            &Aid::cg(),
            &Aid::direct(),
            &Exact,
            &Itd::reverse(20_000).tolerance(1e-5),
            &Itd::reverse(1000),
        ];
        for strategy in strategies {
            right_or_told(&run(&problem, strategy, &[x]), &want);
        }
        if x >= -30.0 {
            right(&run(&problem, &Aid::cg(), &[x]), &want);
        }
    }
}

/// ½c(y₀ − x)², flat in y₁, which F does not see and which starts far away: beside it y₀ is near
/// wherever it is, and `f32` lets no step of it be seen.
#[test]
fn a_fixed_point_that_is_near_for_a_flat_entry_alone_is_no_success() {
    for curvature in [0.1f32, 0.35] {
        for far in [0.0f32, 1e3, 1e4, 7.6e4, 3e5, 1e6] {
            let lower = objective(move |x: Var<f32>, y: Var<f32>| {
                (y.at(0) - x).square() * (0.5 * curvature)
            });
            let upper = objective(|_: Var<f32>, y: Var<f32>| (y.at(0) - 1.0).square() * 0.5f32);
            let problem = Bilevel::new(upper, lower, 1, 2).expect("a valid problem");
            let problem = problem.starting_from(dvector![0.0, far]);
            for inner in [InnerStep::GradientDescent, InnerStep::Fista] {
                let aid = AidStep::new(inner).system(StepSystem::Gmres { restart: 30 });
                let mut work = problem.workspace();
                let estimate = aid.hypergradient(&problem, &dvector![0.3], &mut work);
                let estimate = estimate.expect("valid settings");
                let off = (estimate.hypergradient[0] + 0.7).abs() / 0.7;
                let success = estimate.status.is_success();
                assert!(!success || off < 1e-3, "{far}, off {off:e}: {estimate}");
                assert!(success || far >= 1e3, "{estimate}");
                assert!(!success || far < 1e6, "{estimate}");
            }
        }
    }
}
