//! How fast hypergradients come near the right one, and the identities behind it.

use autodiff::{Var, objective};
use nalgebra::{DVector, dvector};
use solvers::{Aid, AidStep, Bilevel, Exact, InnerStep, Itd, StepLength, Strategy};

use crate::inner::{beside, close, curved, point, run};

/// g = Σ ½e^{x_i} y_i² − y_i, F = ½‖y − ½‖², with curvatures h = e^x from 1/10.5 to 1.
fn spectrum(n: usize) -> (Bilevel<f64>, DVector<f64>) {
    let lower = objective(|x: Var, y: Var| 0.5 * x.exp().dot(y.square()) - y.sum());
    let upper = objective(|_: Var, y: Var| 0.5 * (y - 0.5).norm_squared());
    let x = DVector::from_fn(n, |i, _| 10.5f64.ln() * (i as f64 / (n - 1) as f64 - 1.0));
    (Bilevel::new(upper, lower, n, n).expect("valid"), x)
}

/// y_K = (1 − qᴷ)/h and its derivative by x, q = 1 − h, for steps of length 1.
fn unrolled(h: f64, k: i32) -> (f64, f64) {
    let q = 1.0 - h;
    let y = (1.0 - q.powi(k)) / h;
    (y, -y + f64::from(k) * q.powi(k - 1))
}

/// e^(slope) of the line through (K, ln error), K in a range.
fn rate(error: impl Fn(usize) -> f64) -> f64 {
    let points: Vec<(f64, f64)> = (60..=150)
        .step_by(10)
        .map(|k| (k as f64, error(k).ln()))
        .collect();
    let n = points.len() as f64;
    let mean = |f: fn(&(f64, f64)) -> f64| points.iter().map(f).sum::<f64>() / n;
    let (x, y) = (mean(|p| p.0), mean(|p| p.1));
    let (mut above, mut below) = (0.0, 0.0);
    for p in &points {
        above += (p.0 - x) * (p.1 - y);
        below += (p.0 - x) * (p.0 - x);
    }
    (above / below).exp()
}

#[test]
fn the_error_of_unrolling_falls_as_k_times_q_to_the_k() {
    let (problem, x) = spectrum(8);
    let exact = x.map(|x| -(1.0 / x.exp() - 0.5) / x.exp());
    close(&run(&problem, &Exact, &x).hypergradient, &exact, 1e-11);
    let itd = |k: usize| run(&problem, &Itd::reverse(k).step(1.0), &x).hypergradient;
    for k in [1, 7, 100] {
        let want = x.map(|x| {
            let (y, by_x) = unrolled(x.exp(), k as i32);
            (y - 0.5) * by_x
        });
        close(&itd(k), &want, 1e-11);
    }
    let aid = |k: usize| {
        let aid = Aid::direct().lower_steps(k, StepLength::Fixed(1.0));
        run(&problem, &aid, &x).hypergradient
    };
    // q = 1 − 1/10.5 = 0.9048. On another problem of this condition 0.9115 and 0.9018 were measured.
    let q = 1.0 - 1.0 / 10.5;
    let (unrolling, implicit) = (
        rate(|k| (itd(k) - &exact).norm()),
        rate(|k| (aid(k) - &exact).norm()),
    );
    assert!((implicit - q).abs() < 1e-3, "{implicit}");
    assert!((unrolling - 0.9115).abs() < 2e-3, "{unrolling}");
    // The factor K: 90 steps on, the error is K times (1 + 90/60) of what qᴷ alone would leave.
    assert!(unrolling > implicit + 5e-3, "{unrolling} and {implicit}");
    let worse = (itd(100) - &exact).norm() / (aid(100) - &exact).norm();
    assert!((5.0..12.0).contains(&worse), "{worse}");
}

#[test]
fn steps_unrolled_from_the_solution_are_iterations_on_the_linear_system() {
    let (problem, x) = (curved(4), point(4));
    let solved = run(&problem, &Exact, &x).y;
    let problem = problem.starting_from(solved);
    for k in [1, 2, 10, 40] {
        let itd = run(&problem, &Itd::reverse(k).step(0.2), &x);
        let aid = AidStep::new(InnerStep::GradientDescent).step(0.2).limit(k);
        let aid = run(&problem, &aid.tolerance(1e-15), &x);
        assert_eq!(aid.linear_iterations, k);
        close(&itd.hypergradient, &aid.hypergradient, 9e-13);
    }
}

#[test]
fn what_is_left_of_the_cotangent_is_the_linear_residual() {
    // g = ½a(y − x)²: (1 − sa)ᴷ.
    let a = nalgebra::DMatrix::from_element(1, 1, 2.0);
    let problem = crate::inner::quadratic(&a, &[1.0]);
    for k in [1usize, 3, 10] {
        let itd = Itd::reverse(k).step(0.2).tolerance(1e-30);
        let estimate = run(&problem, &itd, &dvector![0.3]);
        let left = estimate.linear_residual.expect("a tolerance was given");
        assert!((left - 0.6f64.powi(k as i32)).abs() < 1e-14, "{left}");
    }
}

#[test]
fn implicit_and_unrolled_meet_for_every_kind_of_step() {
    for (inner, part) in crate::inner::kinds() {
        let (problem, x) = (beside(curved(5), part), point(5));
        let aid = AidStep::new(inner.clone()).tolerance(1e-12);
        if Strategy::<f64>::validate(&aid).is_err() {
            // Adam has no fixed-point map.
            continue;
        }
        let implicit = run(&problem, &aid, &x);
        assert!(implicit.status.is_success(), "{inner} {part:?}: {implicit}");
        let others: [&dyn Strategy<f64>; 2] = [&Itd::reverse(2000).inner(inner), &Exact];
        for other in others {
            let other = run(&problem, other, &x);
            close(&implicit.hypergradient, &other.hypergradient, 1e-9);
        }
    }
}
