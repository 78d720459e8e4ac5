//! Special arguments, and equal bits on every path.

use autodiff::Real;
use autodiff::vector::{self, Lanes};

/// Each function at NaN, ∞, −∞, 0 and −0.
#[test]
fn special_arguments_have_their_values() {
    const INF: f64 = f64::INFINITY;
    const NAN: f64 = f64::NAN;
    let half = 0.5;
    let ln_2 = std::f64::consts::LN_2;
    macro_rules! check {
        ($($name:ident: $values:expr;)*) => {$({
            let want: [f64; 5] = $values;
            let mut out = [0f64; 5];
            vector::$name(&[NAN, INF, -INF, 0.0, -0.0], &mut out);
            let mut single = [0f32; 5];
            vector::$name(&[NAN, INF, -INF, 0.0, -0.0].map(|a| a as f32), &mut single);
            for i in 0..5 {
                let same = |a: f64, b: f64| a.is_nan() && b.is_nan() || a.to_bits() == b.to_bits();
                assert!(same(out[i], want[i]), "{} {i}: {}", stringify!($name), out[i]);
                let (got, want) = (single[i], want[i] as f32);
                assert!(same(got.into(), want.into()), "{} {i}: {got}", stringify!($name));
            }
        })*};
    }
    check! {
        exp: [NAN, INF, 0.0, 1.0, 1.0];
        exp_m1: [NAN, INF, -1.0, 0.0, -0.0];
        ln: [NAN, INF, NAN, -INF, -INF];
        ln_1p: [NAN, INF, NAN, 0.0, -0.0];
        tanh: [NAN, 1.0, -1.0, 0.0, -0.0];
        sigmoid: [NAN, 1.0, 0.0, half, half];
        softplus: [NAN, INF, 0.0, ln_2, ln_2];
    }
}

#[test]
fn ranges_end_where_they_must() {
    let of = |f: fn(&[f64], &mut [f64]), a: f64| {
        let mut out = [0.0];
        f(&[a], &mut out);
        out[0]
    };
    // The largest argument of a finite exponential, the least of a positive one, and their
    // neighbours.
    assert!(of(vector::exp, 709.782_712_893_384).is_finite());
    assert_eq!(of(vector::exp, 709.782_712_893_384_1), f64::INFINITY);
    assert!(of(vector::exp_m1, 709.782_712_893_384).is_finite());
    assert_eq!(of(vector::exp_m1, 1e300), f64::INFINITY);
    assert_eq!(of(vector::exp, -745.133_219_101_941_1), 5e-324);
    assert_eq!(of(vector::exp, -745.133_219_101_941_2), 0.0);
    assert_eq!(of(vector::ln, 5e-324), -744.440_071_921_381_2);
    assert_eq!(of(vector::ln, f64::MAX), 709.782_712_893_384);
    assert_eq!(of(vector::ln_1p, f64::MAX), 709.782_712_893_384);
    assert_eq!(of(vector::ln_1p, -1.0), f64::NEG_INFINITY);
    for f in [vector::ln, vector::ln_1p] {
        assert!(of(f, -2.0).is_nan());
    }
    for f in [vector::tanh, vector::ln_1p, vector::exp_m1] {
        for a in [5e-324, -3e-310, 1e-300] {
            assert_eq!(of(f, a), a);
        }
    }
    assert_eq!(of(vector::softplus, -744.0), of(vector::exp, -744.0));
    assert_eq!(of(vector::sigmoid, -744.0), of(vector::exp, -744.0));
}

/// The dispatched kernels on slices of every length against single numbers.
/// A function of one number by itself, without vector instructions.
fn alone<T: Real>(a: T, f: impl Fn(T::Pack<pulp::Scalar>) -> T::Pack<pulp::Scalar>) -> T {
    let mut out = [T::default()];
    T::store(f(T::load(pulp::Scalar, &[a])), &mut out);
    out[0]
}

#[test]
fn bits_depend_on_the_argument_alone() {
    let a: Vec<f64> = (0..203)
        .map(|i| f64::from(i - 101) * 0.37 * 1.05f64.powi(i % 40))
        .chain([
            f64::INFINITY,
            f64::NEG_INFINITY,
            1e-310,
            -0.0,
            709.9,
            -745.1,
        ])
        .collect();
    let single: Vec<f32> = a.iter().map(|a| *a as f32).collect();
    macro_rules! check {
        ($($name:ident)*) => {$(
            for (from, to) in (0..a.len()).zip(1..).chain([(0, 7), (3, 13), (0, 209), (5, 160)]) {
                let mut out = vec![0.0; to - from];
                vector::$name(&a[from..to], &mut out);
                for (a, got) in a[from..to].iter().zip(&out) {
                    let want = alone(*a, |a| a.$name());
                    let same = want.is_nan() && got.is_nan() || want.to_bits() == got.to_bits();
                    assert!(same, "{}({a:e}) = {got:e}, {want:e}", stringify!($name));
                }
                let mut out = vec![0.0; to - from];
                vector::$name(&single[from..to], &mut out);
                for (a, got) in single[from..to].iter().zip(&out) {
                    let want = alone(*a, |a| a.$name());
                    let same = want.is_nan() && got.is_nan() || want.to_bits() == got.to_bits();
                    assert!(same, "{}({a:e}f32) = {got:e}, {want:e}", stringify!($name));
                }
            }
        )*};
    }
    check!(exp exp_m1 ln ln_1p tanh sigmoid softplus);
}

#[test]
#[should_panic(expected = "2 arguments do not go with 3 results")]
fn lengths_must_agree() {
    vector::exp(&[1.0, 2.0], &mut [0.0; 3]);
}
