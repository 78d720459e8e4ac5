//! `ln |det A|`.
//!
//! With `G = A⁻ᵀ`, `d ln |det A| = ⟨G, dA⟩` and `dG = −G dAᵀ G`.

use super::kind::Kind;
use crate::kernels::{View, axpy, dot, matmul_add};
use crate::operands::{OperandAdjoints, OperandTangents, Operands, Stash};
use crate::primitive::{Asked, Primitive};
use crate::real::Real;
use crate::shape::Shape;

/// Of `count` matrices of `n` rows, side by side: a row of as many.
///
/// Kept for each: G. Scratch: the factor and one of `n × n`, or two of `n × n`.
pub(crate) struct LogDet {
    pub(crate) kind: Kind,
    pub(crate) n: usize,
    pub(crate) count: usize,
}

impl LogDet {
    fn square(&self) -> usize {
        self.n * self.n
    }
}

impl<T: Real> Primitive<T> for LogDet {
    fn name(&self) -> &str {
        match self.kind {
            Kind::Positive => "log_det",
            _ => "log_abs_det",
        }
    }

    fn output_shape(&self, _: &[Shape]) -> Result<Shape, String> {
        Ok(Shape::matrix(1, self.count))
    }

    fn stash_len(&self, _: &[Shape]) -> usize {
        self.count * self.square()
    }

    fn scratch_len(&self, _: &[Shape]) -> usize {
        self.kind.factor_len(self.n) + self.square()
    }

    fn eval(&self, a: &Operands<'_, T>, asked: Asked, out: &mut [T], mut stash: Stash<'_, T>) {
        let (n, square) = (self.n, self.square());
        let (kept, scratch) = stash.split();
        let factor = &mut scratch[..self.kind.factor_len(n)];
        for (i, out) in out.iter_mut().enumerate() {
            let a = &a.get(0)[i * square..][..square];
            self.kind.factor(a, n, factor);
            let logs = (0..n).map(|j| factor[j * (n + 1)].abs().ln());
            let sum = logs.fold(T::zero(), |sum, log| sum + log);
            *out = match self.kind {
                Kind::Positive => sum + sum,
                _ => sum,
            };
            if asked.first || asked.second {
                let g = &mut kept[i * square..][..square];
                g.fill(T::zero());
                g.iter_mut().step_by(n + 1).for_each(|one| *one = T::one());
                self.kind.solve((a, factor), n, g, true);
                self.kind.project(g, n);
            }
        }
    }

    fn jvp(
        &self,
        _: &Operands<'_, T>,
        t: &OperandTangents<'_, T>,
        stash: Stash<'_, T>,
        out: &mut [T],
    ) {
        let square = self.square();
        for (i, out) in out.iter_mut().enumerate() {
            let own = i * square..(i + 1) * square;
            *out = t
                .get(0)
                .map_or(T::zero(), |t| dot(&stash[own.clone()], &t[own]));
        }
    }

    fn vjp(
        &self,
        _: &Operands<'_, T>,
        stash: Stash<'_, T>,
        u: &[T],
        adjoints: &mut OperandAdjoints<'_, T>,
    ) {
        let Some(out) = adjoints.get(0) else { return };
        let square = self.square();
        for (i, u) in u.iter().enumerate() {
            let own = i * square..(i + 1) * square;
            axpy(&mut out[own.clone()], *u, &stash[own]);
        }
    }

    fn vjp_tangent(
        &self,
        _: &Operands<'_, T>,
        t: &OperandTangents<'_, T>,
        mut stash: Stash<'_, T>,
        u: &[T],
        du: Option<&[T]>,
        adjoint_tangents: &mut OperandAdjoints<'_, T>,
    ) {
        let Some(out) = adjoint_tangents.get(0) else {
            return;
        };
        let (n, square) = (self.n, self.square());
        let (kept, scratch) = stash.split();
        let (product, rest) = scratch.split_at_mut(square);
        let change = &mut rest[..square];
        for (i, u) in u.iter().enumerate() {
            let own = i * square..(i + 1) * square;
            let (g, out) = (&kept[own.clone()], &mut out[own.clone()]);
            if let Some(du) = du {
                axpy(out, du[i], g);
            }
            if let Some(da) = t.get(0) {
                let view = |of| View::new(of, n, n);
                product.fill(T::zero());
                matmul_add(product, false, view(&da[own]).t(), view(g));
                change.fill(T::zero());
                matmul_add(change, false, view(g), view(product));
                self.kind.project(change, n);
                axpy(out, -*u, change);
            }
        }
    }
}
