//! `softmax`.

use models::{logistic, softmax};
use nalgebra::DVector;
use solvers::{Aid, Strategy};

use super::{around, assert_derivatives, assert_itd_is_aid, assert_means, few};

#[test]
fn derivatives_means_and_strategies_agree() {
    let task = softmax::<f64>(few(20, 6, 3)).expect("classes");
    assert_derivatives(&task);
    assert_means(&task);
    let x = DVector::from_element(6, -1.0);
    assert_itd_is_aid(&task, &x, 400);
}

/// With scores ∓½⟨w, a⟩ of two classes, the cross-entropy is the log-loss of w, and the penalty
/// half of its own.
#[test]
fn two_classes_are_a_logistic_regression() {
    let splits = few(20, 6, 2);
    let (two, one) = (softmax::<f64>(splits.clone()), logistic::<f64>(splits));
    let (two, one) = (two.expect("classes"), one.expect("binary"));
    let (x, w) = (around(&one.x), around(one.bilevel.start()));
    let (two, one) = (two.bilevel, one.bilevel);
    let halved = x.add_scalar(-2f64.ln());
    let y: Vec<f64> = w
        .iter()
        .map(|w| -0.5 * w)
        .chain(w.iter().map(|w| 0.5 * w))
        .collect();
    for (a, b) in [(two.lower(), one.lower()), (two.upper(), one.upper())] {
        let a = a.point().value(&[x.as_slice(), &y]);
        let b = b.point().value(&[halved.as_slice(), w.as_slice()]);
        assert!((a - b).abs() < 1e-14, "{a} {b}");
    }
}

/// The constants that are stated bound the error of a rough answer.
#[test]
fn certificates_hold() {
    let problem = softmax::<f64>(few(30, 5, 4)).expect("classes");
    let x = DVector::from_element(5, -1.0);
    let run = |strategy: &dyn Strategy<f64>| super::estimate(strategy, &problem, &x);
    let exact = run(&solvers::Exact).hypergradient;
    for tolerance in [1e-1, 1e-2, 1e-4] {
        let rough = run(&Aid::cg().lower_tolerance(tolerance));
        let bound = rough.certificate.expect("constants are stated").bound;
        let error = (&rough.hypergradient - &exact).norm();
        assert!(error <= bound, "{error:e} {bound:e}");
    }
}
