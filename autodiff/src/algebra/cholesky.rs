//! `A = LLᵀ`, of the symmetric part of A.
//!
//! With Φ the lower triangle and half of the diagonal, S the symmetric part and `N = Φ(L⁻¹ dS L⁻ᵀ)`:
//! `dL = LN`, and `Ā` is the symmetric part of `L⁻ᵀ P L⁻¹` with `P = Φ(LᵀL̄)`. Along a direction, as
//! `d(L⁻¹) = −N L⁻¹`, `dĀ` is that of `L⁻ᵀ (dP − NᵀP − PN) L⁻¹` with `dP = Φ(NᵀLᵀL̄ + LᵀdL̄)`.
//! (I. Murray, Differentiation of the Cholesky decomposition, arXiv 1602.07527, section 3.)

use nalgebra::{DMatrixView, DMatrixViewMut};

use super::factor;
use super::kind::Kind;
use super::triangular::{Half, solve};
use crate::kernels::{View, add, axpy, matmul_add};
use crate::operands::{OperandAdjoints, OperandTangents, Operands, Stash};
use crate::primitive::{Asked, Primitive};
use crate::real::Real;
use crate::shape::Shape;

/// Of `count` matrices of `n` rows, side by side.
///
/// Kept for each: `U = Lᵀ`. Scratch: N | LᵀL̄ | P | what is between `L⁻ᵀ` and `L⁻¹`, each of `n × n`.
pub(crate) struct Cholesky {
    pub(crate) n: usize,
    pub(crate) count: usize,
}

impl Cholesky {
    fn square(&self) -> usize {
        self.n * self.n
    }

    /// `L⁻¹ M L⁻ᵀ`, or `L⁻ᵀ M L⁻¹`, transposed, in place of M.
    fn between<T: Real>(&self, u: &[T], m: &mut [T], transposed: bool) {
        let n = self.n;
        if n == 0 {
            return;
        }
        for turn in [true, false] {
            let (u, b) = (
                DMatrixView::from_slice(u, n, n),
                DMatrixViewMut::from_slice(m, n, n),
            );
            solve(u, b, Half::Upper, !transposed);
            if turn {
                transpose(m, n);
            }
        }
    }

    /// Overwrites `out` with N.
    fn moved<T: Real>(&self, u: &[T], da: &[T], out: &mut [T]) {
        out.copy_from_slice(da);
        Kind::Positive.project(out, self.n);
        self.between(u, out, false);
        phi(out, self.n);
    }

    /// `out += a b` of square matrices, the first perhaps transposed.
    fn product<T: Real>(&self, a: &[T], transposed: bool, b: &[T], out: &mut [T]) {
        let view = |of| View::new(of, self.n, self.n);
        matmul_add(out, false, view(a).t_if(transposed), view(b));
    }
}

fn transpose<T: Real>(m: &mut [T], n: usize) {
    for j in 0..n {
        for i in 0..j {
            m.swap(i + j * n, j + i * n);
        }
    }
}

/// The lower triangle with half of the diagonal, in place.
fn phi<T: Real>(m: &mut [T], n: usize) {
    Kind::Lower.project(m, n);
    m.iter_mut().step_by(n + 1).for_each(|d| *d *= T::of(0.5));
}

impl<T: Real> Primitive<T> for Cholesky {
    fn name(&self) -> &str {
        "cholesky"
    }

    fn output_shape(&self, operands: &[Shape]) -> Result<Shape, String> {
        Ok(operands[0])
    }

    fn stash_len(&self, _: &[Shape]) -> usize {
        self.count * self.square()
    }

    fn scratch_len(&self, _: &[Shape]) -> usize {
        4 * self.square()
    }

    fn eval(&self, a: &Operands<'_, T>, _: Asked, out: &mut [T], mut stash: Stash<'_, T>) {
        let square = self.square();
        for i in 0..self.count {
            let own = i * square..(i + 1) * square;
            let (u, out) = (&mut stash[own.clone()], &mut out[own.clone()]);
            factor::cholesky(&a.get(0)[own], self.n, u);
            out.copy_from_slice(u);
            transpose(out, self.n);
        }
    }

    fn jvp(
        &self,
        _: &Operands<'_, T>,
        t: &OperandTangents<'_, T>,
        mut stash: Stash<'_, T>,
        out: &mut [T],
    ) {
        out.fill(T::zero());
        let (square, Some(t)) = (self.square(), t.get(0)) else {
            return;
        };
        let (kept, scratch) = stash.split();
        let n = &mut scratch[..square];
        for i in 0..self.count {
            let own = i * square..(i + 1) * square;
            let (u, out) = (&kept[own.clone()], &mut out[own.clone()]);
            self.moved(u, &t[own], n);
            self.product(u, true, n, out);
            Kind::Lower.project(out, self.n);
        }
    }

    fn vjp(
        &self,
        _: &Operands<'_, T>,
        mut stash: Stash<'_, T>,
        adjoint: &[T],
        adjoints: &mut OperandAdjoints<'_, T>,
    ) {
        let Some(out) = adjoints.get(0) else { return };
        let square = self.square();
        let (kept, scratch) = stash.split();
        let p = &mut scratch[..square];
        for i in 0..self.count {
            let own = i * square..(i + 1) * square;
            let u = &kept[own.clone()];
            p.fill(T::zero());
            self.product(u, false, &adjoint[own.clone()], p);
            phi(p, self.n);
            self.between(u, p, true);
            Kind::Positive.project(p, self.n);
            add(&mut out[own], p);
        }
    }

    fn vjp_tangent(
        &self,
        _: &Operands<'_, T>,
        t: &OperandTangents<'_, T>,
        mut stash: Stash<'_, T>,
        adjoint: &[T],
        adjoint_tangent: Option<&[T]>,
        adjoint_tangents: &mut OperandAdjoints<'_, T>,
    ) {
        let Some(out) = adjoint_tangents.get(0) else {
            return;
        };
        let square = self.square();
        let (kept, scratch) = stash.split();
        let (n, scratch) = scratch.split_at_mut(square);
        let (q, scratch) = scratch.split_at_mut(square);
        let (p, middle) = scratch.split_at_mut(square);
        for i in 0..self.count {
            let own = i * square..(i + 1) * square;
            let u = &kept[own.clone()];
            middle.fill(T::zero());
            if let Some(du) = adjoint_tangent {
                self.product(u, false, &du[own.clone()], middle);
            }
            if let Some(t) = t.get(0) {
                self.moved(u, &t[own.clone()], n);
                q.fill(T::zero());
                self.product(u, false, &adjoint[own.clone()], q);
                self.product(n, true, q, middle);
                phi(middle, self.n);
                p.copy_from_slice(q);
                phi(p, self.n);
                // NᵀP + PN
                q.fill(T::zero());
                self.product(n, true, p, q);
                self.product(p, false, n, q);
                axpy(middle, -T::one(), q);
            } else {
                phi(middle, self.n);
            }
            self.between(u, middle, true);
            Kind::Positive.project(middle, self.n);
            add(&mut out[own], middle);
        }
    }
}
