//! Smooth compositions of operations with kinks are recorded as what they are.

use autodiff::{Program, Real, Shape, Var};

/// Value, gradient and Hessian by its columns at `at`.
fn all<T: Real>(at: &[f64], f: impl for<'r> Fn(Var<'r, T>) -> Var<'r, T>) -> Vec<f64> {
    let program = Program::<T>::record(&[Shape::vector(at.len())], |v| f(v[0]));
    assert!(!program.has_kinks(), "{program:?}");
    let mut point = program.point();
    let narrow: Vec<T> = at.iter().map(|a| T::of(*a)).collect();
    let value = point.linearise(&[&narrow]);
    let mut all = vec![value.f64()];
    all.extend(point.gradient(0).iter().map(|g| g.f64()));
    for i in 0..at.len() {
        let mut unit = vec![T::zero(); at.len()];
        unit[i] = T::one();
        point.second(&[Some(&unit)]);
        all.extend(point.product(0).iter().map(|h| h.f64()));
    }
    all
}

type Form<T> = (&'static str, for<'r> fn(Var<'r, T>) -> Var<'r, T>);

/// Ways to write `Σ aᵢ²`.
fn squares<T: Real>() -> Vec<Form<T>> {
    vec![
        ("norm, square", |a| a.norm().square()),
        ("norm, powi", |a| a.norm().powi(2)),
        ("norm, powf", |a| a.norm().powf(2.0)),
        ("norm by norm", |a| a.norm() * a.norm()),
        ("norm by itself", |a| {
            let norm = a.norm();
            norm * norm
        }),
        ("norm, norm squared", |a| a.norm().norm_squared()),
        ("abs, square", |a| a.abs().square().sum()),
        ("abs by abs", |a| (a.abs() * a.abs()).sum()),
        ("abs, norm squared", |a| a.abs().norm_squared()),
        ("abs, dot", |a| a.abs().dot(a.abs())),
        ("abs, product", |a| a.abs().tr_matmul(a.abs()).sum()),
        ("hypot", |a| a.at(0).hypot(a.at(1)).square()),
        ("two halves", |a| {
            (a.relu().square() + (-a).relu().square()).sum()
        }),
        ("two halves, from the left", |a| {
            ((-a).relu().square() + a.relu().square()).sum()
        }),
        ("two halves, summed", |a| {
            a.relu().square().sum() + (-a).relu().square().sum()
        }),
        ("two halves, norm squared", |a| {
            a.relu().norm_squared() + (-a).relu().norm_squared()
        }),
        ("two maxima", |a| {
            let zero = a.scalar(T::zero());
            (a.max(zero).square() + (-a).max(zero).powi(2)).sum()
        }),
    ]
}

fn check<T: Real>() {
    for at in [[0.0, 0.0], [0.0, -1.5], [0.5, 2.0]] {
        let want = all::<T>(&at, |a| a.norm_squared());
        for (name, f) in squares::<T>() {
            assert_eq!(all::<T>(&at, f), want, "{name} at {at:?}");
        }
    }
}

#[test]
fn squares_of_roots_have_the_derivatives_of_a_square() {
    check::<f64>();
    check::<f32>();
}

#[test]
fn even_powers_have_the_derivatives_of_a_power() {
    for at in [[0.0, 0.0], [0.5, -1.5]] {
        let want = all::<f64>(&at, |a| a.powi(4).sum());
        let close = |got: Vec<f64>| got.iter().zip(&want).all(|(a, b)| (a - b).abs() < 1e-13);
        assert!(close(all::<f64>(&at, |a| a.abs().powi(4).sum())));
        assert!(close(all::<f64>(&at, |a| a.abs().powf(4.0).sum())));
        let want = all::<f64>(&at, |a| a.norm_squared().square());
        assert_eq!(all::<f64>(&at, |a| a.norm().powi(4)), want);
    }
    // Odd and broken powers are left as they are.
    let others: [for<'r> fn(Var<'r>) -> Var<'r>; 2] = [|a| a.abs().powi(3), |a| a.abs().powf(2.5)];
    for f in others {
        assert!(Program::<f64>::record(&[Shape::SCALAR], |v| f(v[0])).has_kinks());
    }
}

/// A half of a square alone: the mean of both second derivatives.
#[test]
fn a_squared_half_has_its_mean_curvature_at_zero() {
    let half = |f: for<'r> fn(Var<'r>) -> Var<'r>, at: f64| {
        let program = Program::<f64>::record(&[Shape::SCALAR], |v| f(v[0]));
        assert_eq!(program.operations().last(), Some("squared_relu"));
        let mut point = program.point();
        let value = point.linearise(&[&[at]]);
        point.second(&[Some(&[1.0])]);
        let kinks: Vec<usize> = point.kinks().iter().map(|k| k.order).collect();
        ([value, point.gradient(0)[0], point.product(0)[0]], kinks)
    };
    let above: [for<'r> fn(Var<'r>) -> Var<'r>; 3] = [
        |a| a.relu().square(),
        |a| a.max(a.scalar(0.0)).square(),
        |a| a.scalar(0.0).max(a).square(),
    ];
    for f in above {
        assert_eq!(half(f, 0.0), ([0.0, 0.0, 1.0], vec![2]));
        assert_eq!(half(f, 3.0), ([9.0, 6.0, 2.0], vec![]));
        assert_eq!(half(f, -3.0), ([0.0, 0.0, 0.0], vec![]));
    }
    let below: for<'r> fn(Var<'r>) -> Var<'r> = |a| a.min(a.scalar(0.0)).square();
    assert_eq!(half(below, -3.0), ([9.0, -6.0, 2.0], vec![]));
    assert_eq!(half(below, 0.0), ([0.0, -0.0, 1.0], vec![2]));
}

#[test]
fn what_was_recorded_for_nothing_is_taken_out() {
    let operations = |f: for<'r> fn(Var<'r>) -> Var<'r>| {
        let program = Program::<f64>::record(&[Shape::vector(3)], |v| f(v[0]));
        let names: Vec<String> = program.operations().map(str::to_owned).collect();
        names.join(" ")
    };
    assert_eq!(operations(|a| a.norm().square()), "input dot");
    assert_eq!(
        operations(|a| a.exp().abs().square().sum()),
        "input exp square sum"
    );
    assert_eq!(
        operations(|a| (a.relu().square() + (-a).relu().square()).sum()),
        "input square sum"
    );
    // What is used elsewhere stays.
    assert_eq!(
        operations(|a| {
            let norm = a.norm();
            norm.square() + norm
        }),
        "input norm dot add"
    );
    // So that a value has the same bits with its gradient stopped and without.
    assert_eq!(
        operations(|a| a.stop_gradient().norm().square() + a.sum()),
        "input stop_gradient dot sum add"
    );
}

/// Lines, other values and stopped gradients are those of before.
#[test]
fn other_products_and_sums_are_left_alone() {
    let program = Program::<f64>::record(&[Shape::vector(2); 2], |v| {
        let (a, b) = (v[0], v[1]);
        let products = a.abs() * b.abs() + a.relu() * a.abs();
        let halves = a.relu().square() + (-b).relu().square() + a.relu().square();
        (products + halves).sum() + a.norm() * b.norm()
    });
    let want = |a: [f64; 2], b: [f64; 2]| {
        let entry = |(a, b): (&f64, &f64)| {
            let products = a.abs() * b.abs() + a.max(0.0) * a.abs();
            products + 2.0 * a.max(0.0).powi(2) + (-b).max(0.0).powi(2)
        };
        let norm = |a: [f64; 2]| a[0].hypot(a[1]);
        a.iter().zip(&b).map(entry).sum::<f64>() + norm(a) * norm(b)
    };
    for (a, b) in [([0.5, -1.5], [-2.0, 0.3]), ([1.0, 2.0], [3.0, -4.0])] {
        let got = program.point().value(&[&a, &b]);
        assert!((got - want(a, b)).abs() < 1e-13);
    }
}
