//! PBGD-Free: what it leaves out, and where that is nothing.

use autodiff::{Var, objective};
use models::closed_form;
use solvers::{Bilevel, Method, Outer, PbgdFree};

use super::{close, run};

pub(super) fn pbgd_free(penalty: f64) -> PbgdFree {
    PbgdFree {
        penalty,
        y: 0.5.into(),
        x: 0.2.into(),
    }
}

/// Where y answers x and F is not flat in y, no penalty brings it to the solution: it ends where
/// ∇_xF = 0 and ∇_y(F + γg) = 0, here at x = 0 and y = 1/(1 + γ), and φ is least at ½.
#[test]
fn without_the_value_function_a_larger_penalty_does_not_help() {
    for gamma in [1.0, 4.0, 64.0] {
        let problem = closed_form::penalty_bias().bilevel;
        let (_, x, y) = run(&Outer::new(pbgd_free(gamma), 2000), &problem, &[0.7]);
        close(x[0], 0.0, 1e-9);
        close(y[0], 1.0 / (1.0 + gamma), 1e-9);
        // The negative example of the paper's own code: φ = 10(x − 1) + x² is least at −5.
        let upper = objective(|x: Var, y: Var| 10.0 * y.sum() + x.norm_squared());
        let lower = objective(|x: Var, y: Var| (y - x + 1.0).norm_squared());
        let problem = Bilevel::new(upper, lower, 1, 1).unwrap();
        let (_, x, y) = run(&Outer::new(pbgd_free(gamma), 2000), &problem, &[1.0]);
        close(x[0], 0.0, 1e-9);
        close(y[0], -1.0 - 5.0 / gamma, 1e-9);
    }
}

/// Where the lower solutions are best above too (∇_yF = 0 there) it is right whatever the penalty; where
/// they do not answer x, as y is, to O(1/γ).
#[test]
fn without_the_value_function_flat_objectives_are_solved() {
    for gamma in [2.0, 8.0] {
        let method = Outer::new(pbgd_free(gamma), 4000);
        let upper = objective(|x: Var, y: Var| {
            0.5 * (x - 1.0).norm_squared() + (y - 2.0 * x).norm_squared()
        });
        let lower = objective(|x: Var, y: Var| 0.5 * (y - 2.0 * x).norm_squared());
        let flat = Bilevel::new(upper, lower, 1, 1).unwrap();
        let (_, x, y) = run(&method, &flat, &[0.0]);
        close(x[0], 1.0, 1e-9);
        close(y[0], 2.0, 1e-9);
        // φ = ½(x − 1)² + 3x is least at −2; the fixed point has x = 1 − y and γ(y − 3) + x = 0.
        let upper = objective(|x: Var, y: Var| 0.5 * (x - 1.0).norm_squared() + x.dot(y));
        let lower = objective(|_: Var, y: Var| 0.5 * (y - 3.0).norm_squared());
        let apart = Bilevel::new(upper, lower, 1, 1).unwrap();
        let (_, x, _) = run(&method, &apart, &[0.0]);
        close(x[0], -2.0 * gamma / (gamma - 1.0), 1e-9);
    }
}

/// x would stay where it began, with every report a success.
#[test]
fn without_the_value_function_an_objective_that_knows_no_x_is_refused() {
    let upper = objective(|_: Var, y: Var| 0.5 * (y - 1.0).norm_squared());
    let lower = objective(|x: Var, y: Var| 0.5 * (y - x).norm_squared());
    let problem = Bilevel::new(upper, lower, 1, 1).unwrap();
    let method = Outer::new(pbgd_free(4.0), 10);
    let begun = method.begin(&problem, nalgebra::dvector![0.0]);
    let refused = begun.map(|_| ()).unwrap_err().to_string();
    assert!(refused.contains("F is no function of x"), "{refused}");
}
