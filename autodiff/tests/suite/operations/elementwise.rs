//! The rows of the tables against formulas written anew, and against differences of these.

use autodiff::rules::elementwise::{Binary, Domain, Unary, sigmoid};
use autodiff::{Program, Real, Shape};

use crate::operations::harness::{Function, assert_close, check_at};

/// The definition of a row.
fn unary(f: Unary, a: f64, p: f64) -> f64 {
    match f {
        Unary::Neg => -a,
        Unary::Exp => a.exp(),
        Unary::Ln => a.ln(),
        Unary::Sqrt => a.sqrt(),
        Unary::Square => a * a,
        Unary::Recip => 1.0 / a,
        Unary::Sin => a.sin(),
        Unary::Cos => a.cos(),
        Unary::Tanh => 1.0 - 2.0 / ((2.0 * a).exp() + 1.0),
        Unary::Sigmoid => 1.0 / (1.0 + (-a).exp()),
        Unary::Softplus => (1.0 + a.exp()).ln(),
        Unary::Abs => a.max(-a),
        Unary::Relu => a.max(0.0),
        Unary::SquaredRelu => a.max(0.0) * a,
        Unary::SmoothAbs => (a * a + p * p).sqrt(),
        Unary::Powf => (p * a.ln()).exp(),
        Unary::Powi => (0..p.round() as usize).map(|_| a).product(),
        Unary::Cbrt => a.signum() * a.abs().powf(1.0 / 3.0),
        Unary::Log1p => (1.0 + a).ln(),
        Unary::Expm1 => a.exp() - 1.0,
        Unary::Xlogx => a * a.ln(),
        Unary::Sinh => (a.exp() - (-a).exp()) / 2.0,
        Unary::Cosh => (a.exp() + (-a).exp()) / 2.0,
        Unary::Asinh => a.signum() * (a.abs() + (a * a + 1.0).sqrt()).ln(),
        Unary::Tan => a.sin() / a.cos(),
        Unary::Atan => (a / (1.0 + a * a).sqrt()).asin(),
        Unary::Erf => erf_by_simpson(a),
        Unary::LogSigmoid => -(1.0 + (-a).exp()).ln(),
        Unary::LogCosh => a.cosh().ln(),
        Unary::SoftSign => a / (1.0 + a.abs()),
        Unary::Silu => a / (1.0 + (-a).exp()),
        Unary::Gelu => {
            let c = (2.0 / std::f64::consts::PI).sqrt();
            0.5 * a * (1.0 + (c * (a + 0.044715 * a.powi(3))).tanh())
        }
        Unary::Elu if a > 0.0 => a,
        Unary::Elu => p * (a.exp() - 1.0),
        Unary::LeakyRelu => a.max(0.0) + p * a.min(0.0),
        Unary::Huber if a.abs() <= p => a * a / 2.0,
        Unary::Huber => p * (a.abs() - p / 2.0),
    }
}

fn erf_by_simpson(a: f64) -> f64 {
    let (n, f) = (2000, |t: f64| (-t * t).exp());
    let h = a / f64::from(n);
    let inside = |k: i32| f64::from(2 + 2 * (k % 2)) * f(f64::from(k) * h);
    let sum = f(0.0) + f(a) + (1..n).map(inside).sum::<f64>();
    std::f64::consts::FRAC_2_SQRT_PI * sum * h / 3.0
}

fn binary(f: Binary, a: f64, b: f64) -> f64 {
    match f {
        Binary::Add => a + b,
        Binary::Sub => a - b,
        Binary::Mul => a * b,
        Binary::Div => a / b,
        Binary::Pow => (b * a.ln()).exp(),
        Binary::Max => (a + b + (a - b).abs()) / 2.0,
        Binary::Min => (a + b - (a - b).abs()) / 2.0,
        Binary::Atan2 => angle(a, b),
        Binary::Hypot => (a * a + b * b).sqrt(),
        Binary::LogAddExp => (a.exp() + b.exp()).ln(),
    }
}

/// The half-angle formula.
fn angle(y: f64, x: f64) -> f64 {
    let h = (x * x + y * y).sqrt();
    if x > 0.0 {
        2.0 * (y / (h + x)).atan()
    } else {
        2.0 * ((h - x) / y).atan()
    }
}

/// Operands of a domain, away from what it leaves out.
fn samples(domain: Domain, other: f64) -> Vec<f64> {
    let grid = (-29..30).map(|i| f64::from(i) * 0.1 + 0.0123);
    let inside = |a: &f64| match domain {
        Domain::All => true,
        Domain::NonZero => a.abs() > 0.5,
        Domain::Positive => *a > 0.5,
        Domain::Unit => a.abs() < 0.95,
        Domain::OffParameter => (a.abs() - other).abs() > 0.05,
        Domain::Unequal => (a - other).abs() > 0.05,
    };
    grid.filter(inside).collect()
}

/// Differences of order 8 for the first and second derivative.
fn differences(f: impl Fn(f64) -> f64, a: f64) -> (f64, f64) {
    let h = 5e-3;
    let first = [4.0 / 5.0, -1.0 / 5.0, 4.0 / 105.0, -1.0 / 280.0];
    let second = [8.0 / 5.0, -1.0 / 5.0, 8.0 / 315.0, -1.0 / 560.0];
    let (mut d1, mut d2) = (0.0, -205.0 / 72.0 * f(a));
    for k in 0..4 {
        let s = (k + 1) as f64 * h;
        d1 += first[k] * (f(a + s) - f(a - s));
        d2 += second[k] * (f(a + s) + f(a - s));
    }
    (d1 / h, d2 / (h * h))
}

fn unary_rows<T: Real>(tolerance: [f64; 3]) {
    for f in Unary::ALL.iter().copied() {
        for p in [0.5, 1.0, 2.0] {
            let a = samples(f.domain(), p);
            let n = a.len();
            let shapes = [Shape::vector(n)];
            let mut program = Function::<T>::new(&shapes, |v| v[0].elementwise(f, p));
            let a: Vec<f64> = a.iter().map(|a| T::of(*a).f64()).collect();
            let ones = vec![1.0; n];
            let value = program.value(std::slice::from_ref(&a));
            let d1 = program.vjp(&ones).remove(0);
            let d2 = program.hvp(std::slice::from_ref(&ones)).remove(0);
            for i in 0..n {
                let (want1, want2) = differences(|a| unary(f, a, p), a[i]);
                let what = |d: &str| format!("{} with {p} at {}: {d}", f.name(), a[i]);
                let want = unary(f, a[i], p);
                assert_close(&value[i..=i], &[want], tolerance[0], &what("value"));
                assert_close(&d1[i..=i], &[want1], tolerance[1], &what("f′"));
                assert_close(&d2[i..=i], &[want2], tolerance[2], &what("f″"));
            }
        }
    }
}

#[test]
fn unary_rows_match_their_definitions() {
    unary_rows::<f64>([1e-14, 1e-11, 5e-9]);
    unary_rows::<f32>([1e-5, 1e-5, 1e-5]);
}

fn binary_rows<T: Real>(tolerance: [f64; 3]) {
    for f in Binary::ALL.iter().copied() {
        let shapes = [Shape::SCALAR; 2];
        let mut program = Function::<T>::new(&shapes, |v| v[0].elementwise_with(f, v[1]));
        for a in samples(f.left_domain(), f64::NAN).into_iter().step_by(3) {
            for b in samples(f.domain(), a).into_iter().step_by(2) {
                let (a, b) = (T::of(a).f64(), T::of(b).f64());
                let what = |d: &str| format!("{} of {a}, {b}: {d}", f.name());
                let value = program.value(&[vec![a], vec![b]]);
                assert_close(&value, &[binary(f, a, b)], tolerance[0], &what("value"));
                let (fa, faa) = differences(|a| binary(f, a, b), a);
                let (fb, fbb) = differences(|b| binary(f, a, b), b);
                let fab = differences(|a| differences(|b| binary(f, a, b), b).0, a).0;
                let d1 = program.vjp(&[1.0]).concat();
                assert_close(&d1, &[fa, fb], tolerance[1], &what("first"));
                let along_a = program.hvp(&[vec![1.0], vec![0.0]]).concat();
                let along_b = program.hvp(&[vec![0.0], vec![1.0]]).concat();
                assert_close(&along_a, &[faa, fab], tolerance[2], &what("along a"));
                assert_close(&along_b, &[fab, fbb], tolerance[2], &what("along b"));
            }
        }
    }
}

#[test]
fn binary_rows_match_their_definitions() {
    binary_rows::<f64>([1e-14, 1e-9, 1e-6]);
    binary_rows::<f32>([1e-5, 1e-5, 1e-5]);
}

/// What is drawn from a domain may be moved by rounding, in single precision too: across a jump it
/// would give another value.
#[test]
fn values_do_not_jump_within_a_domain() {
    let about_zero = |domain, other: f64| -> Vec<[f64; 2]> {
        let pair = |a: f64| [a, a + 1e-9];
        let mut pairs: Vec<_> = samples(domain, other).into_iter().map(pair).collect();
        if domain == Domain::All {
            pairs.push([-1e-9, 1e-9]);
        }
        pairs
    };
    for f in Binary::ALL.iter().copied() {
        let shapes = [Shape::SCALAR; 2];
        let mut program = Function::<f64>::new(&shapes, |v| v[0].elementwise_with(f, v[1]));
        for a in about_zero(f.left_domain(), f64::NAN) {
            for b in about_zero(f.domain(), a[0]) {
                let value = program.value(&[vec![a[0]], vec![b[0]]])[0];
                let moved = program.value(&[vec![a[1]], vec![b[1]]])[0];
                let jump = (moved - value).abs();
                assert!(jump < 1e-6, "{} of {a:?}, {b:?}: {jump:e}", f.name());
            }
        }
    }
}

#[test]
fn rows_repeat_their_operands_in_every_sweep() {
    let shapes = [
        (Shape::matrix(3, 4), Shape::matrix(1, 4)),
        (Shape::matrix(3, 4), Shape::vector(3)),
        (Shape::vector(3), Shape::matrix(1, 4)),
        (Shape::SCALAR, Shape::matrix(3, 4)),
        (Shape::matrix(3, 4), Shape::SCALAR),
    ];
    for (sa, sb) in shapes {
        for f in Binary::ALL.iter().copied() {
            // Second operands are above 1.5, first ones within (0.5, 1.5): every domain has both.
            let fill = |s: Shape, to: f64| -> Vec<f64> {
                let number = |i: usize| to - 0.9 * (i as f64 * 1.3).sin().abs();
                (0..s.len()).map(number).collect()
            };
            let a = [fill(sa, 1.4), fill(sb, 2.5)];
            let index = |s: Shape, i: usize, j: usize| (i % s.rows) + (j % s.cols) * s.rows;
            let definition = |a: &[Vec<f64>]| {
                let (r, c) = (sa.rows.max(sb.rows), sa.cols.max(sb.cols));
                let entry = |k: usize| {
                    let (i, j) = (k % r, k / r);
                    binary(f, a[0][index(sa, i, j)], a[1][index(sb, i, j)])
                };
                (0..r * c).map(entry).collect()
            };
            let (name, shapes) = (f.name(), [sa, sb]);
            check_at::<f64, _>(
                name,
                &shapes,
                &a,
                |v| v[0].elementwise_with(f, v[1]),
                definition,
            );
            check_at::<f32, _>(
                name,
                &shapes,
                &a,
                |v| v[0].elementwise_with(f, v[1]),
                definition,
            );
        }
    }
}

#[test]
fn erf_has_the_digits_of_the_tables() {
    let table = [
        (1e-10, 1.1283791670955126e-10),
        (0.5, 0.5204998778130465),
        (1.0, 0.8427007929497149),
        (2.0, 0.9953222650189527),
        (3.0, 0.9999779095030014),
        (4.0, 0.9999999845827421),
        (7.0, 1.0),
    ];
    for (a, want) in table {
        for s in [1.0, -1.0] {
            let got: f64 = autodiff::rules::elementwise::erf(s * a);
            assert!((got / (s * want) - 1.0).abs() < 1e-15, "erf({a}): {got}");
        }
    }
}

/// Value, first and second derivative of a scalar program.
fn jet(a: f64, f: impl for<'r> Fn(autodiff::Var<'r>) -> autodiff::Var<'r>) -> [f64; 3] {
    let mut point = Program::record(&[Shape::SCALAR], |v| f(v[0])).point();
    let value = point.linearise(&[&[a]]);
    point.second(&[Some(&[1.0])]);
    [value, point.gradient(0)[0], point.product(0)[0]]
}

#[test]
fn conventions_hold_at_kinks_and_edges() {
    assert_eq!(jet(0.0, |a| a.abs()), [0.0; 3]);
    assert_eq!(jet(0.0, |a| a.relu()), [0.0; 3]);
    assert_eq!(jet(0.0, |a| a.leaky_relu(0.1)), [0.0, 0.1, 0.0]);
    assert_eq!(jet(0.0, |a| a.elu(2.0)), [0.0, 2.0, 2.0]);
    assert_eq!(jet(0.0, |a| a.soft_sign()), [0.0, 1.0, 0.0]);
    assert_eq!(jet(2.0, |a| a.huber(2.0)), [2.0, 2.0, 1.0]);
    assert_eq!(jet(0.0, |a| a.xlogx())[..2], [0.0, f64::NEG_INFINITY]);
    assert_eq!(jet(0.0, |a| a.powi(0)), [1.0, 0.0, 0.0]);
    assert_eq!(jet(0.0, |a| a.powi(1)), [0.0, 1.0, 0.0]);
    assert_eq!(jet(0.0, |a| a.powf(1.0)), [0.0, 1.0, 0.0]);
    assert_eq!(jet(-2.0, |a| a.powi(-2)), [0.25, 0.25, 0.375]);
    assert_eq!(jet(1.0, |a| a.max(a.scalar(1.0))), [1.0, 0.5, 0.0]);
    assert_eq!(jet(1.0, |a| a.min(a.scalar(1.0))), [1.0, 0.5, 0.0]);
    assert_eq!(jet(1.0, |a| a.clip(-1.0, 1.0)), [1.0, 0.5, 0.0]);
    assert_eq!(jet(3.0, |a| a.clip(-1.0, 1.0)), [1.0, 0.0, 0.0]);
    assert_eq!(jet(0.0, |a| a.hypot(a)), [0.0; 3]);
    assert_eq!(jet(0.0, |a| a.norm()), [0.0; 3]);
    assert_eq!(jet(0.0, |a| a.smooth_norm(0.5)), [0.5, 0.0, 2.0]);
    assert_eq!(jet(0.0, |a| a.scalar(0.0).pow(a + 2.0)), [0.0; 3]);
    assert_eq!(jet(0.0, |a| a.pow(a.scalar(2.0))), [0.0, 0.0, 2.0]);
}

#[test]
fn log_cosh_is_exact_near_0_and_where_its_two_forms_meet() {
    for a in [1e-150, 1e-8, -1e-3, 0.1, -0.999, 1.0, 1.001, 3.0] {
        let want = 0.5 * f64::sinh(a).powi(2).ln_1p();
        let [value, ..] = jet(a, |a| a.log_cosh());
        assert!(
            (value - want).abs() <= 1e-14 * want,
            "{a}: {value}, not {want}"
        );
    }
}

#[test]
fn large_operands_do_not_overflow() {
    assert_eq!(jet(800.0, |a| a.log_sigmoid()), [0.0; 3]);
    assert_eq!(jet(-800.0, |a| a.log_sigmoid()), [-800.0, 1.0, 0.0]);
    assert_eq!(jet(800.0, |a| a.log_cosh())[1..], [1.0, 0.0]);
    assert_eq!(
        jet(800.0, |a| a.logaddexp(a.scalar(0.0))),
        [800.0, 1.0, 0.0]
    );
    let [value, slope, _] = jet(3e200, |a| a.hypot(a.scalar(4e200)));
    assert_close(&[value / 5e200, slope], &[1.0, 0.6], 1e-15, "hypot");
    assert_eq!(jet(-800.0, |a| a.silu()), [0.0; 3]);
    assert_eq!(jet(30.0, |a| a.gelu()), [30.0, 1.0, 0.0]);
}

#[test]
fn the_hypotenuse_of_an_infinite_side_is_infinite() {
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    let value = |a: f64, b: f64| jet(a, |a| a.hypot(a.scalar(b)))[0];
    for (a, b) in [
        (inf, inf),
        (-inf, inf),
        (inf, -inf),
        (1.0, inf),
        (-inf, 2.0),
    ] {
        assert_eq!(value(a, b), inf, "{a}, {b}");
    }
    assert!(value(inf, nan).is_nan() && value(nan, -inf).is_nan());
}

#[test]
fn the_scalar_sigmoid_is_that_of_the_row() {
    for a in [-800.0, -30.0, -1.5, -0.0, 0.0, 1e-9, 0.7, 30.0, 800.0] {
        let want = if a > -700.0 {
            1.0 / (1.0 + f64::exp(-a))
        } else {
            0.0
        };
        assert!((sigmoid(a) - want).abs() <= 1e-15, "{a}");
        let [row, ..] = jet(a, |a| a.sigmoid());
        assert!((sigmoid(a) - row).abs() <= 4e-16 * row, "{a}: {row:e}");
    }
    assert!(sigmoid(f64::NAN).is_nan());
}

#[test]
fn no_row_launders_a_nan() {
    for f in Unary::ALL.iter().copied() {
        let [value, ..] = jet(f64::NAN, |a| a.elementwise(f, 2.0));
        assert!(value.is_nan(), "{}", f.name());
    }
    for f in Binary::ALL.iter().copied() {
        for other in [1.0, f64::INFINITY] {
            let first = jet(f64::NAN, |a| a.elementwise_with(f, a.scalar(other)));
            let second = jet(f64::NAN, |a| a.scalar(other + 1.0).elementwise_with(f, a));
            assert!(first[0].is_nan() && second[0].is_nan(), "{}", f.name());
        }
    }
}
