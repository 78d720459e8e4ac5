//! Mistakes that people make, each found and named; and functions of which nothing can be said.

use autodiff::check::{Check, Report, Rung, Trial, Verdict};
use autodiff::{Var, objective};

fn mismatched(report: &Report, check: &str) -> Vec<usize> {
    let of = report
        .mismatches()
        .filter(|t| t.check == check && t.rung == Rung::Differences);
    let mut entries: Vec<usize> = of.filter_map(|t| Some(t.place.entry?.1)).collect();
    entries.dedup();
    entries
}

const X: [f64; 3] = [0.7, -1.1, 0.4];

fn f(x: &[f64]) -> f64 {
    x[0] * x[0] * x[1].sin() + x[2].exp() * x[0]
}

fn gradient(x: &[f64]) -> Vec<f64> {
    vec![
        2.0 * x[0] * x[1].sin() + x[2].exp(),
        x[0] * x[0] * x[1].cos(),
        x[2].exp() * x[0],
    ]
}

fn product(x: &[f64], v: &[f64]) -> Vec<f64> {
    let (a, b, c) = (2.0 * x[1].sin(), 2.0 * x[0] * x[1].cos(), x[2].exp());
    vec![
        a * v[0] + b * v[1] + c * v[2],
        b * v[0] - x[0] * x[0] * x[1].sin() * v[1],
        c * v[0] + c * x[0] * v[2],
    ]
}

#[test]
fn a_sign_a_factor_and_a_dropped_term_are_named() {
    assert!(Check::new().hessian(f, gradient, product, &X).passed());
    type Mistake = fn(&[f64], Vec<f64>) -> Vec<f64>;
    let gradients: [(Mistake, usize); 3] = [
        (|_, g| vec![g[0], -g[1], g[2]], 1),
        (|_, g| vec![g[0], g[1], 0.5 * g[2]], 2),
        (|x, g| vec![g[0] - x[2].exp(), g[1], g[2]], 0),
    ];
    for (mistake, entry) in gradients {
        let report = Check::new().gradient(f, |x| mistake(x, gradient(x)), &X);
        assert_eq!(mismatched(&report, "gradient"), [entry], "{report}");
        let taylor = report
            .mismatches()
            .any(|t| t.rung == Rung::Taylor && t.check == "gradient");
        assert!(taylor, "{report}");
    }
    // The cross term of x₀ and x₂ is dropped on one side: not symmetric either.
    let dropped = |x: &[f64], v: &[f64]| {
        let mut p = product(x, v);
        p[2] -= x[2].exp() * v[0];
        p
    };
    let report = Check::new().hessian(f, gradient, dropped, &X);
    assert_eq!(mismatched(&report, "product"), [2], "{report}");
    assert!(
        report.mismatches().any(|t| t.check == "⟨w,Hv⟩ = ⟨v,Hw⟩"),
        "{report}"
    );
    assert!(mismatched(&report, "gradient").is_empty());
}

#[test]
fn a_transposed_matrix_is_found() {
    // f = ½‖Ax‖², its gradient AᵀAx.
    let a = [[1.0, 2.0], [-0.5, 0.25]];
    let times = |x: &[f64]| -> Vec<f64> { a.iter().map(|r| r[0] * x[0] + r[1] * x[1]).collect() };
    let turned =
        |u: &[f64]| -> Vec<f64> { (0..2).map(|j| a[0][j] * u[0] + a[1][j] * u[1]).collect() };
    let f = |x: &[f64]| 0.5 * times(x).iter().map(|u| u * u).sum::<f64>();
    let x = [0.3, -0.8];
    assert!(Check::new().gradient(f, |x| turned(&times(x)), &x).passed());
    let report = Check::new().gradient(f, |x| times(&times(x)), &x);
    assert_eq!(mismatched(&report, "gradient"), [0, 1], "{report}");
}

#[test]
fn a_wrong_derivative_at_0_is_found_and_a_kink_is_not_decided() {
    let f = |x: &[f64]| x[0] * x[1].exp() + x[1];
    let right = |x: &[f64]| vec![x[1].exp(), x[0] * x[1].exp() + 1.0];
    let wrong = |x: &[f64]| {
        let mut g = right(x);
        if x[0] == 0.0 {
            g[0] = 0.0;
        }
        g
    };
    assert!(Check::new().gradient(f, right, &[0.0, 0.2]).passed());
    let report = Check::new().gradient(f, wrong, &[0.0, 0.2]);
    assert_eq!(mismatched(&report, "gradient"), [0], "{report}");

    for slope in [-1.0, 0.0, 1.0] {
        let grad = |x: &[f64]| vec![slope * (1.0 + x[0]), 2.0 * x[1]];
        let report = Check::new().gradient(|x| x[0].abs() + x[1] * x[1], grad, &[0.0, 0.5]);
        let kink = report
            .trials()
            .iter()
            .find(|t| t.place.entry == Some((0, 0)));
        let Verdict::Kink(reason) = &kink.expect("entry 0").verdict else {
            panic!("{report}");
        };
        assert!(reason.contains("slopes from either side"), "{report}");
    }
}

/// A branch cut: the value jumps, its derivatives go on.
#[test]
fn a_jump_nearby_is_neither_a_mistake_nor_hides_one() {
    let f = |x: &[f64]| x[0].atan2(x[1]) + x[0] * x[1];
    let gradient = |x: &[f64]| {
        let square = x[0] * x[0] + x[1] * x[1];
        vec![x[1] / square + x[1], -x[0] / square + x[0]]
    };
    let wrong = |x: &[f64]| vec![gradient(x)[0] * (1.0 + 1e-6), gradient(x)[1]];
    for power in -17..=0 {
        for side in [-1.0, 0.0, 1.0] {
            let x = [side * 10f64.powi(power), -0.8];
            let report = Check::new().gradient(f, gradient, &x);
            assert!(report.mismatches().next().is_none(), "{x:?}: {report}");
            let report = Check::new().gradient(f, wrong, &x);
            let entry = |t: &&Trial| t.place.entry == Some((0, 0));
            let verdict = &report.trials().iter().find(entry).expect("entry 0").verdict;
            assert!(!matches!(verdict, Verdict::Pass), "{x:?}: {report}");
        }
    }
}

#[test]
fn small_and_large_multiples_are_no_mistakes() {
    for power in (-300..=300).step_by(20) {
        let scale = 10f64.powi(power);
        let g = objective(move |x: Var, y: Var| {
            ((x * y).exp().sum() + y.norm_squared().square()) * scale
        });
        let report = Check::new().objective(&g, &[0.1, -0.3], &[0.2, 0.7]);
        assert!(report.mismatches().next().is_none(), "1e{power}: {report}");
        let pass = |t: &&Trial| matches!(t.verdict, Verdict::Pass);
        assert!(report.trials().iter().filter(pass).count() > 20, "{report}");
    }
}

#[test]
fn noise_is_not_taken_for_a_mistake_nor_a_mistake_for_right() {
    // Computed to 1e-9, as by an iteration that stops.
    let rough = |x: &[f64]| (f(x) * 1e9).round() / 1e9;
    let report = Check::new().gradient(rough, gradient, &X);
    assert!(report.mismatches().next().is_none(), "{report}");
    let wrong = |x: &[f64]| gradient(x).iter().map(|g| g * 1.01).collect();
    let report = Check::new().gradient(rough, wrong, &X);
    assert_eq!(mismatched(&report, "gradient"), [0, 1, 2], "{report}");
}

#[test]
fn what_is_not_finite_or_all_zero_is_told_apart() {
    let nan = |_: &[f64]| vec![f64::NAN; 3];
    let report = Check::new().gradient(f, nan, &X);
    assert_eq!(mismatched(&report, "gradient"), [0, 1, 2], "{report}");
    let report = Check::new().gradient(|_| f64::NAN, gradient, &X);
    assert!(
        !report.passed() && report.mismatches().next().is_none(),
        "{report}"
    );
    let report = Check::new().gradient(|_| 3.0, |_| vec![0.0; 3], &X);
    assert!(report.passed(), "{report}");
    assert!(!report.control().has_power(), "nothing to perturb");
}

#[test]
#[should_panic(expected = "the gradient has 2 entries: expected 3")]
fn a_gradient_of_another_length_is_refused() {
    let _ = Check::new().gradient(f, |_| vec![0.0; 2], &X);
}

#[test]
#[should_panic(expected = "mismatch")]
fn the_assertion_panics_with_the_table() {
    autodiff::assert_checked!(Check::new().gradient(f, |_| vec![1.0; 3], &X));
}
