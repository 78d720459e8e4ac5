//! At a kink a derivative is a convention: one between the slopes on either side is no mistake, and
//! nothing is passed that was not told from a wrong one.

use autodiff::check::{Check, Report, Rung, Verdict};
use autodiff::{Program, Real, Shape, Var};

fn is_kink(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Kink(_))
}

#[track_caller]
fn undecided(report: &Report, derivatives: &[&str]) {
    assert!(report.mismatches().next().is_none(), "{report}");
    assert!(report.is_undecided() && !report.passed(), "{report}");
    assert_eq!(report.undecided(), derivatives, "{report}");
    let text = report.to_string();
    assert!(text.contains("  undecided: "), "{text}");
    assert!(text.contains("take another point"), "{text}");
}

#[track_caller]
fn wrong(report: &Report, entry: usize) {
    let at = |t: &autodiff::check::Trial| t.place.entry == Some((0, entry));
    assert!(report.mismatches().any(at), "{report}");
    assert!(!report.passed() && !report.is_undecided(), "{report}");
}

#[test]
fn a_slope_between_those_on_either_side_is_undecided_and_one_outside_is_wrong() {
    let at_zero = |slope: f64| Check::new().gradient(|x| x[0].abs(), |_| vec![slope], &[0.0]);
    for slope in [-1.0, -0.3, 0.0, 0.5, 1.0] {
        undecided(&at_zero(slope), &["gradient"]);
    }
    for slope in [-2.0, 1.001, 7.0, f64::NAN] {
        wrong(&at_zero(slope), 0);
    }
}

#[test]
fn a_kink_beside_smooth_entries_passes_and_is_told() {
    // Kinks of other heights, at other scales, beside a smooth entry.
    for (height, scale) in [(1.0, 1.0), (1e-3, 1.0), (40.0, 1e-6), (1.0, 1e8)] {
        for slope in [-1.0, -0.25, 0.0, 1.0] {
            let f = |x: &[f64]| scale * (height * x[0].abs() + (1.0 + x[1]).exp());
            let report = |slope: f64, factor: f64| {
                let smooth = move |x: &[f64]| scale * factor * (1.0 + x[1]).exp();
                let grad = move |x: &[f64]| vec![scale * height * slope, smooth(x)];
                Check::new().gradient(f, grad, &[0.0, 0.5])
            };
            let right = report(slope, 1.0);
            assert!(right.passed(), "{right}");
            let own = |t: &&autodiff::check::Trial| t.place.entry == Some((0, 0));
            let mut own = right.trials().iter().filter(own);
            assert!(own.all(|t| is_kink(&t.verdict)), "{right}");
            assert!(right.to_string().contains("kink"), "{right}");
            wrong(&report(slope, 1.0 + 1e-5), 1);
        }
        for slope in [-1.01, 1.5] {
            let f = |x: &[f64]| scale * (height * x[0].abs() + (1.0 + x[1]).exp());
            let grad = |x: &[f64]| vec![scale * height * slope, scale * (1.0 + x[1]).exp()];
            wrong(&Check::new().gradient(f, grad, &[0.0, 0.5]), 0);
        }
    }
}

type Form<T> = (&'static str, for<'r> fn(Var<'r, T>) -> Var<'r, T>);

fn kinked<T: Real>() -> Vec<Form<T>> {
    vec![
        ("abs", |a| a.abs().sum()),
        ("relu", |a| a.relu().sum()),
        ("leaky_relu", |a| a.leaky_relu(0.1).sum()),
        ("norm", |a| a.norm()),
        ("hypot", |a| a.at(0).hypot(a.at(1))),
        ("max", |a| a.at(0).max(a.at(1))),
        ("max_rows", |a| a.max_all()),
    ]
}

fn programs<T: Real>() {
    for (name, f) in kinked::<T>() {
        let alone = Program::<T>::record(&[Shape::vector(2)], |v| f(v[0]));
        let zeros = [T::zero(); 2];
        for rungs in [Rung::ALL, &[Rung::Identities, Rung::CrossMode]] {
            let report = Check::new().rungs(rungs).program(&alone, &[&zeros]);
            assert!(report.mismatches().next().is_none(), "{name}: {report}");
            assert!(report.is_undecided(), "{name}: {report}");
            assert!(report.undecided().contains(&"gradient"), "{name}: {report}");
            let named = |t: &autodiff::check::Trial| {
                let operation = t.place.operation.as_ref();
                operation.is_some_and(|o| o.name == name)
            };
            let mut kinks = report.trials().iter().filter(|t| is_kink(&t.verdict));
            assert!(kinks.any(named), "{name}: {report}");
        }
        if T::NAME == "f32" {
            continue; // rounding hides too much for anything to pass
        }
        let beside = [T::of(0.7), T::of(0.2)];
        let report = Check::new().program(&alone, &[&beside]);
        assert!(report.passed(), "{name}: {report}");

        // Beside smooth entries that are decided.
        let shapes = [Shape::vector(2); 2];
        let both = Program::<T>::record(&shapes, |v| f(v[0]) + v[1].exp().dot(v[1]));
        let report = Check::new().program(&both, &[&zeros, &beside]);
        assert!(report.passed(), "{name}: {report}");
    }
}

#[test]
fn recorded_kinks_are_named_and_undecided() {
    programs::<f64>();
    programs::<f32>();
}

#[test]
fn smooth_compositions_pass_where_their_parts_have_kinks() {
    let forms: [for<'r> fn(Var<'r>) -> Var<'r>; 4] = [
        |a| a.norm().square() + a.sum(),
        |a| a.abs().square().sum() + a.sum(),
        |a| a.at(0).hypot(a.at(1)).square() + a.sum(),
        |a| (a.relu().square() + (-a).relu().square()).sum() + a.sum(),
    ];
    for f in forms {
        let program = Program::<f64>::record(&[Shape::vector(2)], |v| f(v[0]));
        let report = Check::new().program(&program, &[&[0.0, 0.0]]);
        assert!(report.passed(), "{report}");
    }
}

#[test]
fn a_jump_of_the_second_derivative_leaves_the_gradient_decided() {
    let forms: [for<'r> fn(Var<'r>) -> Var<'r>; 3] = [
        |a| a.relu().square().sum() + a.sum(),
        |a| (a + 0.5).huber(0.5).sum(),
        |a| a.soft_sign().sum(),
    ];
    for f in forms {
        let program = Program::<f64>::record(&[Shape::vector(1)], |v| f(v[0]));
        undecided(&Check::new().program(&program, &[&[0.0]]), &["product"]);
    }
    let f = |x: &[f64]| x[0].max(0.0).powi(2) + x[0];
    let grad = |x: &[f64]| vec![2.0 * x[0].max(0.0) + 1.0];
    let with = |bend: f64| Check::new().hessian(f, grad, move |_, v| vec![bend * v[0]], &[0.0]);
    for bend in [0.0, 1.0, 2.0] {
        undecided(&with(bend), &["product"]);
    }
    for bend in [-0.1, 2.1] {
        wrong(&with(bend), 0);
    }
}
