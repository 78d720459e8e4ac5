//! Non-linear reductions.

use crate::kernels::{axpy, dot};
use crate::{Need, OperandAdjoints, OperandTangents, Operands, Primitive, Real, Shape};

/// `ln Σ eᵃ` along each column, shifted by the largest entry: `r×c → 1×c`.
///
/// The stash holds the softmax of each column.
pub(crate) struct LogSumExp {
    /// Rows of the operand.
    pub(crate) rows: usize,
}

/// Overwrites `p` with the softmax of `a` and returns `ln Σ eᵃ`.
pub fn softmax<T: Real>(a: &[T], p: &mut [T]) -> T {
    let largest = a.iter().fold(a[0], |m, v| m.max(*v));
    let mut total = T::zero();
    for (p, a) in p.iter_mut().zip(a) {
        *p = (*a - largest).exp();
        total += *p;
    }
    let scale = total.recip();
    p.iter_mut().for_each(|p| *p *= scale);
    largest + total.ln()
}

impl<T: Real> Primitive<T> for LogSumExp {
    fn name(&self) -> &str {
        "log_sum_exp"
    }

    fn output_shape(&self, operands: &[Shape]) -> Result<Shape, String> {
        match operands {
            [a] if a.rows > 0 => Ok(Shape::matrix(1, a.cols)),
            _ => Err("one operand with at least one row".into()),
        }
    }

    fn stash_len(&self, operands: &[Shape]) -> usize {
        operands[0].len()
    }

    fn eval(&self, a: &Operands<'_, T>, _: Need, out: &mut [T], stash: &mut [T]) {
        let columns = a.get(0).chunks_exact(self.rows);
        for ((o, a), p) in out
            .iter_mut()
            .zip(columns)
            .zip(stash.chunks_exact_mut(self.rows))
        {
            *o = softmax(a, p);
        }
    }

    fn jvp(
        &self,
        _: &Operands<'_, T>,
        tangents: &OperandTangents<'_, T>,
        stash: &mut [T],
        out: &mut [T],
    ) {
        let Some(t) = tangents.get(0) else {
            return out.fill(T::zero());
        };
        let columns = t.chunks_exact(self.rows).zip(stash.chunks_exact(self.rows));
        for (o, (t, p)) in out.iter_mut().zip(columns) {
            *o = dot(p, t);
        }
    }

    fn vjp(
        &self,
        _: &Operands<'_, T>,
        stash: &mut [T],
        u: &[T],
        adjoints: &mut OperandAdjoints<'_, T>,
    ) {
        let Some(out) = adjoints.get(0) else { return };
        let columns = out
            .chunks_exact_mut(self.rows)
            .zip(stash.chunks_exact(self.rows));
        for ((out, p), u) in columns.zip(u) {
            axpy(out, *u, p);
        }
    }

    fn vjp_tangent(
        &self,
        _: &Operands<'_, T>,
        tangents: &OperandTangents<'_, T>,
        stash: &mut [T],
        u: &[T],
        du: &[T],
        adjoint_tangents: &mut OperandAdjoints<'_, T>,
    ) {
        let Some(out) = adjoint_tangents.get(0) else {
            return;
        };
        for (j, out) in out.chunks_exact_mut(self.rows).enumerate() {
            let p = &stash[j * self.rows..][..self.rows];
            axpy(out, du[j], p);
            if let Some(t) = tangents.get(0) {
                let t = &t[j * self.rows..][..self.rows];
                let mean = dot(p, t);
                for i in 0..self.rows {
                    out[i] += u[j] * p[i] * (t[i] - mean);
                }
            }
        }
    }
}
