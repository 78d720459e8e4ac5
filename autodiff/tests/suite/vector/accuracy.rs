//! The stated error bounds. The worst errors found are printed (`--nocapture`).

use super::double::Double;
use autodiff::vector;

/// A function: kernels of both types, references, bounds in units in the last place.
struct Row {
    name: &'static str,
    f64: fn(&[f64], &mut [f64]),
    f32: fn(&[f32], &mut [f32]),
    double: fn(Double) -> Double,
    /// For `f32` arguments.
    library: fn(f64) -> f64,
    bound_f64: f64,
    bound_f32: f64,
}

const ROWS: [Row; 7] = {
    macro_rules! row {
        ($name:ident, $library:expr, $f64:literal, $f32:literal) => {
            Row {
                name: stringify!($name),
                f64: vector::$name,
                f32: vector::$name,
                double: Double::$name,
                library: $library,
                bound_f64: $f64,
                bound_f32: $f32,
            }
        };
    }
    [
        row!(exp, f64::exp, 1.0, 1.0),
        row!(exp_m1, f64::exp_m1, 2.0, 2.0),
        row!(ln, f64::ln, 1.0, 1.0),
        row!(ln_1p, f64::ln_1p, 1.0, 1.0),
        row!(tanh, f64::tanh, 3.0, 3.0),
        row!(sigmoid, |x| 1.0 / (1.0 + (-x).exp()), 2.5, 2.5),
        row!(softplus, softplus, 2.0, 2.0),
    ]
};

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

#[derive(Default)]
struct Worst {
    error: f64,
    argument: f64,
}

impl Worst {
    fn note(&mut self, error: f64, argument: f64) {
        assert!(!error.is_nan(), "no comparison at {argument:e}");
        if error > self.error {
            *self = Worst { error, argument };
        }
    }

    fn report(&self, name: &str, kind: &str, bound: f64) {
        let Worst { error, argument } = self;
        println!("{name} {kind}: {error:.3} ulp at {argument:e}, bound {bound}");
        assert!(
            *error <= bound,
            "{name} {kind}: {error} ulp at {argument:e}"
        );
    }
}

/// The distance of `got` from `want` in units of the spacing of `f64` at `want`, which is the same
/// for all numbers below `least`.
fn ulps(got: f64, want: Double, least: f64) -> f64 {
    let size = want.0.abs().max(least);
    let binade = f64::from_bits(size.to_bits() & f64::INFINITY.to_bits());
    (((got - want.0) - want.1) / f64::EPSILON / binade).abs()
}

/// SplitMix64 (Steele, Lea and Flood, 2014).
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Numbers from every part of the line: all exponents, the range where functions bend, the edges
/// of overflow and underflow, and places where the range reduction changes its `k`.
fn arguments() -> Vec<f64> {
    let mut state = 0x9E37_79B9_7F4A_7C15;
    let mut unit = || (random(&mut state) >> 11) as f64 * 2f64.powi(-53) * 2.0 - 1.0;
    let mut bits = 1;
    let mut a = vec![
        0.0,
        -0.0,
        f64::MIN_POSITIVE,
        5e-324,
        -5e-324,
        f64::MAX,
        f64::MIN,
    ];
    for _ in 0..30_000 {
        let any = f64::from_bits(random(&mut bits));
        a.extend(any.is_finite().then_some(any));
        for width in [0.5, 2.0, 20.0, 750.0] {
            a.push(width * unit());
        }
        a.push(1.0 + 0.5 * unit());
        a.push(2f64.powi((25.0 * unit()) as i32) * (1.0 + 1e-3 * unit()));
        // Results just above the least positive number.
        a.push(-726.5 + 19.5 * unit());
    }
    for k in -1080..1030 {
        let edge = (f64::from(k) + 0.5) * std::f64::consts::LN_2;
        a.extend([edge.next_down(), edge, edge.next_up()]);
    }
    a
}

#[test]
fn f64_errors_are_within_the_bounds() {
    let a = arguments();
    let mut out = vec![0.0; a.len()];
    for row in &ROWS {
        (row.f64)(&a, &mut out);
        let mut worst = Worst::default();
        for (a, got) in a.iter().zip(&out) {
            // Where a reference would overflow or has no value, `edges` says what is due.
            let defined = match row.name {
                "ln" => *a > 0.0,
                "ln_1p" => *a > -1.0,
                "exp" | "exp_m1" => a.abs() < 709.7,
                _ => a.abs() < 745.1,
            };
            if !defined {
                continue;
            }
            let error = if *a < -600.0 && ["exp", "sigmoid", "softplus"].contains(&row.name) {
                // All three are eᵃ to hundreds of digits, and may be no normal numbers.
                let lift = 2f64.powi(200);
                let want = Double(*a, 0.0).exp_lifted();
                ulps(*got * lift, want, f64::MIN_POSITIVE * lift)
            } else {
                ulps(*got, (row.double)(Double(*a, 0.0)), f64::MIN_POSITIVE)
            };
            worst.note(error, *a);
        }
        worst.report(row.name, "f64", row.bound_f64);
    }
}

/// The same for an `f32` and a reference with a few roundings of an `f64`.
fn ulps32(got: f32, want: f64) -> f64 {
    if want.is_nan() || want.is_infinite() {
        let same = want.is_nan() && got.is_nan() || f64::from(got) == want;
        return if same { 0.0 } else { f64::INFINITY };
    }
    let size = (want.abs() as f32).clamp(f32::MIN_POSITIVE, f32::MAX);
    let spacing = f32::from_bits(size.to_bits() & f32::INFINITY.to_bits()) * f32::EPSILON;
    // Infinity stands for the next power of two, as in rounding.
    let got = match got.is_infinite() {
        true => 2f64.powi(128).copysign(f64::from(got)),
        false => f64::from(got),
    };
    let want = want.clamp(-2f64.powi(128), 2f64.powi(128));
    ((got - want) / f64::from(spacing)).abs()
}

/// A stride through all bit patterns, or every one with `BILEVEL_ULP=full`.
#[test]
fn f32_errors_are_within_the_bounds() {
    let full = std::env::var("BILEVEL_ULP").is_ok_and(|v| v == "full");
    let step = if full { 1 } else { 2039 };
    const BLOCK: usize = 4096;
    for row in &ROWS {
        let mut worst = Worst::default();
        let mut a = Vec::with_capacity(BLOCK);
        let mut out = [0f32; BLOCK];
        let mut patterns = (0..=u32::MAX).step_by(step).map(f32::from_bits);
        loop {
            a.clear();
            a.extend(patterns.by_ref().take(BLOCK));
            if a.is_empty() {
                break;
            }
            let out = &mut out[..a.len()];
            (row.f32)(&a, out);
            for (a, got) in a.iter().zip(out) {
                let want = (row.library)(f64::from(*a));
                worst.note(ulps32(*got, want), f64::from(*a));
            }
        }
        worst.report(row.name, "f32", row.bound_f32);
    }
}
