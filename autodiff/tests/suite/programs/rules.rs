//! The rules of single operations: rows against their own differences, limits at extreme
//! arguments, adjoints of linear operations. (The engine's own tests hold a formula for every row.)

use autodiff::arbitrary::numbers::{dot, slope};
use autodiff::rules::elementwise::Unary;
use autodiff::{Program, Real, Shape, Var};

/// `f, f′, f″` of one entry, from the sweeps.
fn measured<T: Real>(f: Unary, parameter: f64, a: f64) -> [f64; 3] {
    let program = Program::<T>::record(&[Shape::SCALAR], |v| v[0].elementwise(f, parameter));
    let mut point = program.point();
    let value = point.linearise(&[&[T::of(a)]]);
    let directional = point.directional(&[Some(&[T::one()])]);
    assert_eq!(
        directional.f64(),
        point.gradient(0)[0].f64(),
        "{}",
        f.name()
    );
    point.second(&[Some(&[T::one()])]);
    [value, point.gradient(0)[0], point.product(0)[0]].map(T::f64)
}

#[test]
fn every_unary_row_agrees_with_its_own_differences() {
    for f in Unary::ALL {
        // Steps are 0.05 at most: these points stay in every domain.
        for a in [0.3, 0.8] {
            let [value, first, second] = measured::<f64>(*f, 1.5, a);
            for (order, want) in [(0, first), (1, second)] {
                let noise = 8.0 * f64::EPSILON * (1.0 + value.abs() + first.abs());
                let got = slope(noise, |t| measured::<f64>(*f, 1.5, a + t)[order]);
                let off = (got.slope - want).abs();
                assert!(off <= 10.0 * got.error, "{} at {a}: {got:?}", f.name());
            }
        }
    }
}

#[test]
fn the_logistic_family_has_its_limits_at_extreme_arguments() {
    fn check<T: Real>(far: f64) {
        let at = |f: Unary, a: f64| measured::<T>(f, 0.0, a);
        assert_eq!(at(Unary::Sigmoid, far), [1.0, 0.0, 0.0]);
        assert_eq!(at(Unary::Softplus, far), [T::of(far).f64(), 1.0, 0.0]);
        assert_eq!(at(Unary::Tanh, far), [1.0, 0.0, 0.0]);
        assert_eq!(at(Unary::Tanh, -far), [-1.0, 0.0, 0.0]);
        for f in [Unary::Sigmoid, Unary::Softplus] {
            for v in at(f, -far) {
                assert!((0.0..1e-40).contains(&v), "{} at −{far}: {v:e}", f.name());
            }
        }
    }
    check::<f64>(800.0);
    check::<f64>(1e300);
    check::<f32>(100.0);
    check::<f32>(1e30);
    // In between, the small side keeps its relative precision.
    let tail = (-40f64).exp();
    for f in [Unary::Sigmoid, Unary::Softplus] {
        for v in measured::<f64>(f, 0.0, -40.0) {
            assert!((v / tail - 1.0).abs() < 1e-14, "{}: {v:e}", f.name());
        }
    }
}

#[test]
fn kinks_have_the_documented_values_at_zero() {
    assert_eq!(measured::<f64>(Unary::Abs, 0.0, 0.0), [0.0, 0.0, 0.0]);
    assert_eq!(measured::<f64>(Unary::Abs, 0.0, -0.0), [0.0, 0.0, 0.0]);
    assert_eq!(measured::<f64>(Unary::Relu, 0.0, 0.0), [0.0, 0.0, 0.0]);
    assert_eq!(measured::<f64>(Unary::SmoothAbs, 0.5, 0.0), [0.5, 0.0, 2.0]);
}

#[test]
fn no_operation_hides_a_nan() {
    for f in Unary::ALL {
        let value = measured_value(*f, f64::NAN);
        assert!(value.is_nan(), "{}(NaN) = {value}", f.name());
    }
    let program = Program::<f64>::record(&[Shape::vector(3)], |v| v[0].log_sum_exp());
    assert!(program.point().value(&[&[1.0, f64::NAN, 0.0]]).is_nan());
}

fn measured_value(f: Unary, a: f64) -> f64 {
    let program = Program::<f64>::record(&[Shape::SCALAR], |v| v[0].elementwise(f, 1.5));
    program.point().value(&[&[a]])
}

#[test]
fn log_sum_exp_is_shifted_by_the_largest_entry() {
    let program = Program::<f64>::record(&[Shape::vector(3)], |v| v[0].log_sum_exp());
    let mut point = program.point();
    for far in [1e4, -1e4] {
        let value = point.linearise(&[&[far, far, far + 1.0]]);
        let total = 2.0 + 1f64.exp();
        assert!((value - far - total.ln()).abs() < 1e-11, "{value}");
        let p = [1.0 / total, 1.0 / total, 1f64.exp() / total];
        for (got, want) in point.gradient(0).iter().zip(p) {
            assert!((got - want).abs() < 1e-15);
        }
        // ∇² = diag(p) − p pᵀ
        point.second(&[Some(&[0.0, 1.0, 0.0])]);
        let want = [-p[0] * p[1], p[1] - p[1] * p[1], -p[2] * p[1]];
        for (got, want) in point.product(0).iter().zip(want) {
            assert!((got - want).abs() < 1e-15);
        }
    }
    // Entries far apart: the softmax is a unit vector, and nothing overflows.
    assert_eq!(point.linearise(&[&[1e4, -1e4, 0.0]]), 1e4);
    assert_eq!(point.gradient(0), [1.0, 0.0, 0.0]);
}

/// ⟨u, L a⟩ = ⟨Lᵀ u, a⟩, and L of the unit vectors against a matrix of zeros and ones given by
/// `entry(to, from)`.
fn linear(
    shape: Shape,
    f: impl for<'r> Fn(Var<'r, f64>) -> Var<'r, f64>,
    entry: impl Fn(usize, usize) -> f64,
) {
    let program = Program::<f64>::record(&[shape], |v| f(v[0]));
    let out = program.output_shape().len();
    let name = format!("{program:?}");
    let image: Vec<f64> = (0..out).map(|i| (i as f64 + 0.7).sin()).collect();
    let scalar = Program::<f64>::record(&[shape], |v| {
        let u = f(v[0]);
        u.dot(v[0].vector(&image).reshape(u.shape().rows, u.shape().cols))
    });
    let mut point = scalar.point();
    let a: Vec<f64> = (0..shape.len()).map(|i| (i as f64 - 1.3).cos()).collect();
    let value = point.linearise(&[&a]);
    assert!(
        (value - dot(point.gradient(0), &a).0).abs() < 1e-14,
        "{name}"
    );
    for (from, got) in point.gradient(0).iter().enumerate() {
        let want: f64 = (0..out).map(|to| entry(to, from) * image[to]).sum();
        assert!((got - want).abs() < 1e-14, "{name}");
    }
    for from in 0..shape.len() {
        let mut unit = vec![0.0; shape.len()];
        unit[from] = 1.0;
        let want: f64 = (0..out).map(|to| entry(to, from) * image[to]).sum();
        let got = point.directional(&[Some(&unit)]);
        assert!((got - want).abs() < 1e-14, "{name}");
        point.second(&[Some(&unit)]);
        assert!(point.product(0).iter().all(|p| *p == 0.0), "{name}");
    }
}

#[test]
fn every_linear_operation_has_its_adjoint() {
    let s = Shape::matrix(3, 4);
    let is = |b: bool| if b { 1.0 } else { 0.0 };
    linear(s, |a| a.sum(), |_, _| 1.0);
    linear(s, |a| a.mean(), |_, _| 1.0 / 12.0);
    linear(s, |a| a.sum_rows(), |to, from| is(from / 3 == to));
    linear(s, |a| a.sum_cols(), |to, from| is(from % 3 == to));
    linear(s, |a| a.slice(5, 4), |to, from| is(from == to + 5));
    linear(s, |a| a.at(7), |_, from| is(from == 7));
    linear(s, |a| a.reshape(2, 6), |to, from| is(from == to));
    linear(
        s,
        |a| a.transpose(),
        |to, from| is(from / 3 == to % 4 && from % 3 == to / 4),
    );
    linear(
        s,
        |a| a.gather(&[2, 2, 11, 0]),
        |to, from| is(from == [2, 2, 11, 0][to]),
    );
    linear(s, |a| a.concat(&[a, a]), |to, from| is(to % 12 == from));
    linear(s, |a| -a, |to, from| -is(to == from));
    let wide = Shape::matrix(3, 4);
    linear(Shape::SCALAR, |a| a.broadcast(wide), |_, _| 1.0);
    linear(
        Shape::vector(3),
        |a| a.broadcast(wide),
        |to, from| is(to % 3 == from),
    );
    linear(
        Shape::matrix(1, 4),
        |a| a.broadcast(wide),
        |to, from| is(to / 3 == from),
    );
}

#[test]
fn values_without_entries_pass_every_sweep() {
    let shapes = [Shape::vector(0), Shape::vector(2)];
    let program = Program::<f64>::record(&shapes, |v| {
        let none = (v[0].exp() * v[1].at(0)).concat(&[v[0]]);
        none.sum() + none.dot(none) + v[1].dot(v[1]) + v[0].tr_matmul(v[0])
    });
    let mut point = program.point();
    assert_eq!(point.linearise(&[&[], &[1.0, 2.0]]), 5.0);
    assert_eq!(point.gradient(1), [2.0, 4.0]);
    point.second(&[Some(&[]), Some(&[1.0, 0.0])]);
    assert_eq!(point.product(1), [2.0, 0.0]);
}
