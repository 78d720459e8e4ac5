//! Complex steps: the derivative of a holomorphic function as `Im f(x + i h v) / h`, for an h so
//! small that nothing cancels and nothing is cut off.
//!
//! W. Squire and G. Trapp, Using complex variables to estimate derivatives of real functions, SIAM
//! Review 40(1), 1998.
//!
//! An operation takes part if it is holomorphic around the reals of its domain and has a complex
//! form here: the table's exponentials, logarithms, powers, hyperbolic and trigonometric functions
//! and what is made of them, `logaddexp` and `hypot`, and every linear and bilinear operation. Left
//! out are what bends at a point (`abs`, `relu`, `elu`, `leaky_relu`, `soft_sign`, `huber`, `max`,
//! `min`, `cbrt`), `erf`, `atan` and `atan2`, primitives, and gradients inside.

use nalgebra::{Complex, ComplexField};

use super::trial::Operation;
use crate::program::{Op, Program};
use crate::real::Real;
use crate::rules::elementwise::{Binary, Unary};

type C = Complex<f64>;

/// The step: far below the square root of the smallest number relative to one.
pub(super) const STEP: f64 = 1e-100;

/// Why a program has no complex step.
pub(super) struct Barred {
    pub(super) reason: String,
    pub(super) operation: Operation,
}

/// The derivatives of the output along `v` at `at`, all inputs' entries in one row.
pub(super) fn derivative<T: Real>(
    program: &Program<T>,
    at: &[f64],
    v: &[f64],
) -> Result<Vec<f64>, Barred> {
    let mut start = 0;
    let inputs = (0..program.inputs()).map(|k| {
        let own = start..start + program.input_shape(k).len();
        start = own.end;
        own.map(|i| C::new(at[i], STEP * v[i])).collect()
    });
    let value = evaluate(program, inputs.collect())?;
    Ok(value.iter().map(|z| z.im / STEP).collect())
}

/// The output's value at complex inputs.
fn evaluate<T: Real>(program: &Program<T>, inputs: Vec<Vec<C>>) -> Result<Vec<C>, Barred> {
    let mut values: Vec<Vec<C>> = Vec::with_capacity(program.nodes.len());
    let mut inputs = inputs.into_iter();
    for (position, node) in program.nodes.iter().enumerate() {
        let n = node.shape.len();
        let arg = |k: usize| &values[node.args[k] as usize];
        let barred = |reason: &str| Barred {
            reason: reason.to_owned(),
            operation: Operation {
                name: node.op.name().to_owned(),
                position,
                site: node.site.clone(),
            },
        };
        let value: Vec<C> = match &node.op {
            Op::Input => inputs.next().expect("one for each"),
            Op::Constant => {
                let data = &program.constants[node.place()];
                data.iter().map(|c| C::new(c.f64(), 0.0)).collect()
            }
            Op::Unary(f, p) => {
                let f = unary(*f).ok_or_else(|| barred("it has no complex form"))?;
                arg(0).iter().map(|z| f(*z, p.f64())).collect()
            }
            Op::Binary(f) => {
                let f = binary(*f).ok_or_else(|| barred("it has no complex form"))?;
                let (a, b) = (arg(0), arg(1));
                let at = |v: &Vec<C>, i: usize| v[i * usize::from(v.len() > 1)];
                (0..n).map(|i| f(at(a, i), at(b, i))).collect()
            }
            Op::Bilinear(f) => {
                let shape = |k: usize| program.nodes[node.args[k] as usize].shape;
                let (mut re, mut im) = (vec![0.0; n], vec![0.0; n]);
                let ((a, ai), (b, bi)) = (parts(arg(0)), parts(arg(1)));
                f.apply(&a, shape(0), &b, shape(1), &mut re, true);
                f.apply(&a, shape(0), &bi, shape(1), &mut im, false);
                f.apply(&ai, shape(0), &b, shape(1), &mut im, false);
                // The product of the imaginary parts is below the smallest of the real ones.
                joined(re, im)
            }
            Op::Linear(f) => {
                let (mut re, mut im, mut start) = (vec![0.0; n], vec![0.0; n], 0);
                for k in 0..node.args.len() {
                    let shape = program.nodes[node.args[k] as usize].shape;
                    let (a, ai) = parts(arg(k));
                    f.apply(start, &a, shape, &mut re, node.shape, false);
                    f.apply(start, &ai, shape, &mut im, node.shape, false);
                    start += shape.len();
                }
                joined(re, im)
            }
            Op::Fused(_) => return Err(barred("a primitive has no complex form")),
            Op::Leaves(leaves) => {
                let mut sum = C::new(0.0, 0.0);
                for leaf in &leaves.all {
                    let operands = leaf.operands().map(|k| arg(k).clone());
                    sum += evaluate(&leaf.of, operands.collect())?[0] * leaf.weight.f64();
                }
                vec![sum]
            }
            Op::Gradient { .. } => return Err(barred("a gradient inside has no complex form")),
        };
        values.push(value);
    }
    Ok(values.swap_remove(program.output))
}

fn parts(v: &[C]) -> (Vec<f64>, Vec<f64>) {
    v.iter().map(|z| (z.re, z.im)).unzip()
}

fn joined(re: Vec<f64>, im: Vec<f64>) -> Vec<C> {
    re.into_iter()
        .zip(im)
        .map(|(re, im)| C::new(re, im))
        .collect()
}

fn unary(f: Unary) -> Option<fn(C, f64) -> C> {
    Some(match f {
        Unary::Neg => |z, _| -z,
        Unary::Exp => |z, _| z.exp(),
        Unary::Ln => |z, _| z.ln(),
        Unary::Sqrt => |z, _| z.sqrt(),
        Unary::Square => |z, _| z * z,
        Unary::Recip => |z, _| one() / z,
        Unary::Sin => |z, _| z.sin(),
        Unary::Cos => |z, _| z.cos(),
        Unary::Tan => |z, _| z.sin() / z.cos(),
        Unary::Tanh => |z, _| tanh(z),
        Unary::Sinh => |z, _| z.sinh(),
        Unary::Cosh => |z, _| z.cosh(),
        Unary::Asinh => |z, _| {
            // Odd, and without cancellation where the real part is positive.
            let s = if z.re < 0.0 { -z } else { z };
            let u = (s + (s * s + one()).sqrt()).ln();
            if z.re < 0.0 { -u } else { u }
        },
        Unary::Sigmoid => |z, _| sigmoid(z),
        Unary::Softplus => |z, _| softplus(z),
        Unary::LogSigmoid => |z, _| -softplus(-z),
        Unary::LogCosh => |z, _| {
            let s = if z.re < 0.0 { -z } else { z };
            if s.re < 1.0 {
                // Near 0 the other form cancels: ½ ln(1 + sinh² z).
                return ln_1p(s.sinh() * s.sinh()) * 0.5;
            }
            s + softplus(-s - s) - C::new(std::f64::consts::LN_2, 0.0)
        },
        Unary::Silu => |z, _| z * sigmoid(z),
        Unary::Gelu => |z, _| {
            let inner = (z + z * z * z * 0.044715) * (2.0 / std::f64::consts::PI).sqrt();
            z * 0.5 * (one() + tanh(inner))
        },
        Unary::SmoothAbs => |z, p| (z * z + C::new(p * p, 0.0)).sqrt(),
        Unary::Powf => |z, p| ComplexField::powf(z, p),
        Unary::Powi => |z, p| whole_power(z, p.round() as i32),
        // Their real parts are those of the reals: the imaginary part's square is nothing.
        Unary::Log1p => |z, _| C::new(z.re.ln_1p(), z.im.atan2(1.0 + z.re)),
        Unary::Expm1 => |z, _| C::new(z.re.exp_m1(), z.re.exp() * z.im.sin()),
        Unary::Xlogx => |z, _| z * z.ln(),
        _ => return None,
    })
}

fn binary(f: Binary) -> Option<fn(C, C) -> C> {
    Some(match f {
        Binary::Add => |a, b| a + b,
        Binary::Sub => |a, b| a - b,
        Binary::Mul => |a, b| a * b,
        Binary::Div => |a, b| a / b,
        Binary::Pow => |a, b| (b * a.ln()).exp(),
        Binary::Hypot => |a, b| (a * a + b * b).sqrt(),
        Binary::LogAddExp => |a, b| {
            if a.re >= b.re {
                a + softplus(b - a)
            } else {
                b + softplus(a - b)
            }
        },
        Binary::Max | Binary::Min | Binary::Atan2 => return None,
    })
}

fn one() -> C {
    C::new(1.0, 0.0)
}

/// By products: a polar form would give a negative base an argument of π, whose sine is not 0.
fn whole_power(z: C, n: i32) -> C {
    let power = (0..n.unsigned_abs()).fold(one(), |power, _| power * z);
    if n < 0 { one() / power } else { power }
}

/// `ln(1 + z)`, as exact for small z as for others.
fn ln_1p(z: C) -> C {
    let square = 2.0 * z.re + z.re * z.re + z.im * z.im;
    C::new(0.5 * square.ln_1p(), z.im.atan2(1.0 + z.re))
}

fn tanh(z: C) -> C {
    let (t, y) = (z.re.tanh(), z.im.tan());
    C::new(t, y) / C::new(1.0, t * y)
}

fn sigmoid(z: C) -> C {
    if z.re >= 0.0 {
        one() / (one() + (-z).exp())
    } else {
        let e = z.exp();
        e / (one() + e)
    }
}

fn softplus(z: C) -> C {
    if z.re > 0.0 {
        z + (one() + (-z).exp()).ln()
    } else {
        (one() + z.exp()).ln()
    }
}
