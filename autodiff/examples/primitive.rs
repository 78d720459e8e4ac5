//! A primitive of your own: log-sum-exp of a vector, with hand-written rules for every sweep.
//!
//! `cargo run -p bilevel-autodiff --example primitive`

use autodiff::check::Check;
use autodiff::kernels::{axpy, dot};
use autodiff::rules::elementwise::Domain;
use autodiff::{
    Asked, OperandAdjoints, OperandTangents, Operands, Primitive, Program, Real, Shape, Stash,
};

/// `u = ln Σ e^{aᵢ}`. The stash keeps its gradient, `pᵢ = e^{aᵢ − u}`: whatever a sweep asks for
/// later is made of p alone.
struct LogSumExp;

impl<T: Real> Primitive<T> for LogSumExp {
    fn name(&self) -> &str {
        "log_sum_exp"
    }

    fn output_shape(&self, operands: &[Shape]) -> Result<Shape, String> {
        match operands {
            [a] if !a.is_empty() => Ok(Shape::SCALAR),
            _ => Err("one operand of at least one entry".into()),
        }
    }

    fn stash_len(&self, operands: &[Shape]) -> usize {
        operands[0].len()
    }

    fn eval(&self, a: &Operands<'_, T>, _: Asked, out: &mut [T], mut p: Stash<'_, T>) {
        let a = a.get(0);
        // Without the largest entry in the exponent it would overflow.
        let largest = a.iter().fold(a[0], |m, v| if *v > m { *v } else { m });
        let mut sum = T::zero();
        for (p, a) in p.iter_mut().zip(a) {
            *p = (*a - largest).exp();
            sum += *p;
        }
        p.iter_mut().for_each(|p| *p /= sum);
        out[0] = largest + sum.ln();
    }

    /// `u̇ = ⟨p, ȧ⟩`
    fn jvp(&self, _: &Operands<'_, T>, t: &OperandTangents<'_, T>, p: Stash<'_, T>, out: &mut [T]) {
        out[0] = t.get(0).map_or(T::zero(), |t| dot(&p, t));
    }

    /// `ā += ū p`
    fn vjp(
        &self,
        _: &Operands<'_, T>,
        p: Stash<'_, T>,
        u: &[T],
        adjoints: &mut OperandAdjoints<'_, T>,
    ) {
        if let Some(out) = adjoints.get(0) {
            axpy(out, u[0], &p);
        }
    }

    /// The derivative of that: `ū (p ∘ ȧ − ⟨p, ȧ⟩ p) + ū̇ p`
    fn vjp_tangent(
        &self,
        _: &Operands<'_, T>,
        t: &OperandTangents<'_, T>,
        p: Stash<'_, T>,
        u: &[T],
        du: Option<&[T]>,
        adjoints: &mut OperandAdjoints<'_, T>,
    ) {
        let Some(out) = adjoints.get(0) else { return };
        if let Some(t) = t.get(0) {
            let mean = dot(&p, t);
            for i in 0..out.len() {
                out[i] += u[0] * p[i] * (t[i] - mean);
            }
        }
        if let Some(du) = du {
            axpy(out, du[0], &p);
        }
    }
}

fn main() {
    let program = Program::<f64>::record(&[Shape::vector(3)], |v| v[0].fused(LogSumExp, &[]));
    let mut point = program.point();
    // e^1000 is infinite; the value is not.
    let value = point.linearise(&[&[1000.0, 1001.0, 1002.0]]);
    println!("value    {value:.6}");
    println!("gradient {:.6?}", point.gradient(0));
    point.second(&[Some(&[1.0, 0.0, 0.0])]);
    println!("H e₁     {:.6?}", point.product(0));
    let sum: f64 = point.gradient(0).iter().sum();
    assert!((sum - 1.0).abs() < 1e-12, "softmax sums to 1");

    // Each rule against the others, hyper-dual numbers and differences.
    let report = Check::new().primitive::<f64>(LogSumExp, &[Shape::vector(4)], Domain::All);
    println!("\n{report}");
    assert!(report.passed() && report.control().has_power());
}
