//! `X = A⁻¹B`.
//!
//! With Π the projection onto what is read of a matrix, and bars for adjoints:
//! `dX = A⁻¹(dB − Π(dA) X)`, so `B̄ = A⁻ᵀX̄` and `Ā = −Π(B̄Xᵀ)`. Along a direction
//! `dB̄ = A⁻ᵀ(dX̄ − Π(dA)ᵀ B̄)` and `dĀ = −Π(dB̄ Xᵀ + B̄ dXᵀ)`. (M. Giles, Collected matrix derivative
//! results for forward and reverse mode algorithmic differentiation, 2008, section 2.3.1.)

use super::kind::Kind;
use crate::kernels::{View, add, axpy, matmul_add};
use crate::operands::{OperandAdjoints, OperandTangents, Operands, Stash};
use crate::primitive::{Asked, Primitive};
use crate::real::Real;
use crate::shape::Shape;

/// Systems of `count` matrices of `n` rows, side by side, each with `k` right-hand sides.
///
/// Kept for each: the factor | X. Scratch: two of `n × n` | three of `n × k`.
pub(crate) struct Solve {
    pub(crate) kind: Kind,
    pub(crate) n: usize,
    pub(crate) k: usize,
    pub(crate) count: usize,
}

/// What the rules need of one system.
struct System<'a, T> {
    kind: Kind,
    n: usize,
    a: &'a [T],
    factor: &'a [T],
    x: &'a [T],
}

impl<T: Real> System<'_, T> {
    fn solve(&self, b: &mut [T], transposed: bool) {
        self.kind
            .solve((self.a, self.factor), self.n, b, transposed);
    }

    /// `out −= Π(dA) v`, or with its transpose; `moved` is overwritten with `−Π(dA)`.
    fn subtract(&self, da: &[T], v: &[T], transposed: bool, moved: &mut [T], out: &mut [T]) {
        let (n, k) = (self.n, v.len() / self.n);
        for (m, d) in moved.iter_mut().zip(da) {
            *m = -*d;
        }
        self.kind.project(moved, n);
        let moved = View::new(moved, n, n).t_if(transposed);
        matmul_add(out, false, moved, View::new(v, n, k));
    }

    /// Overwrites `out` with dX.
    fn tangent(&self, da: Option<&[T]>, db: Option<&[T]>, moved: &mut [T], out: &mut [T]) {
        match db {
            Some(db) => out.copy_from_slice(db),
            None => out.fill(T::zero()),
        }
        if let Some(da) = da {
            self.subtract(da, self.x, false, moved, out);
        }
        self.solve(out, false);
    }

    /// Adds `−Π(Σ b xᵀ)` to `out`, by way of `sum`.
    fn outer(&self, pairs: &[(&[T], &[T])], sum: &mut [T], out: &mut [T]) {
        let n = self.n;
        sum.fill(T::zero());
        for (b, x) in pairs {
            let k = b.len() / n;
            matmul_add(sum, false, View::new(b, n, k), View::new(x, n, k).t());
        }
        self.kind.project(sum, n);
        axpy(out, -T::one(), sum);
    }
}

impl Solve {
    /// Entries of a matrix and of its right-hand sides.
    fn sizes(&self) -> (usize, usize) {
        (self.n * self.n, self.n * self.k)
    }

    /// Each system with what it keeps, in `kept` or evaluated before.
    fn system<'a, T>(&self, i: usize, a: &'a [T], kept: &'a [T]) -> System<'a, T> {
        let ((square, right), own) = (self.sizes(), self.kept());
        let (factor, x) = kept[i * own..][..own].split_at(own - right);
        System {
            kind: self.kind,
            n: self.n,
            a: &a[i * square..][..square],
            factor,
            x,
        }
    }

    fn kept(&self) -> usize {
        self.kind.factor_len(self.n) + self.n * self.k
    }
}

/// The part of system `i`.
fn part<T>(of: Option<&[T]>, i: usize, len: usize) -> Option<&[T]> {
    of.map(|of| &of[i * len..][..len])
}

impl<T: Real> Primitive<T> for Solve {
    fn name(&self) -> &str {
        self.kind.solver()
    }

    fn output_shape(&self, operands: &[Shape]) -> Result<Shape, String> {
        Ok(operands[1])
    }

    fn stash_len(&self, _: &[Shape]) -> usize {
        self.count * self.kept()
    }

    fn scratch_len(&self, _: &[Shape]) -> usize {
        let (square, right) = self.sizes();
        2 * square + 3 * right
    }

    fn eval(&self, a: &Operands<'_, T>, _: Asked, out: &mut [T], mut stash: Stash<'_, T>) {
        let ((square, right), own) = (self.sizes(), self.kept());
        out.copy_from_slice(a.get(1));
        for i in 0..self.count {
            let (a, x) = (
                &a.get(0)[i * square..][..square],
                &mut out[i * right..][..right],
            );
            let (factor, kept) = stash[i * own..][..own].split_at_mut(own - right);
            self.kind.factor(a, self.n, factor);
            self.kind.solve((a, factor), self.n, x, false);
            kept.copy_from_slice(x);
        }
    }

    fn jvp(
        &self,
        a: &Operands<'_, T>,
        t: &OperandTangents<'_, T>,
        mut stash: Stash<'_, T>,
        out: &mut [T],
    ) {
        let (square, right) = self.sizes();
        let (kept, scratch) = stash.split();
        for i in 0..self.count {
            let (da, db) = (part(t.get(0), i, square), part(t.get(1), i, right));
            let out = &mut out[i * right..][..right];
            let system = self.system(i, a.get(0), kept);
            system.tangent(da, db, &mut scratch[..square], out);
        }
    }

    fn vjp(
        &self,
        a: &Operands<'_, T>,
        mut stash: Stash<'_, T>,
        u: &[T],
        adjoints: &mut OperandAdjoints<'_, T>,
    ) {
        let (square, right) = self.sizes();
        let (kept, scratch) = stash.split();
        let (sum, scratch) = scratch.split_at_mut(square);
        let b = &mut scratch[..right];
        for i in 0..self.count {
            let system = self.system(i, a.get(0), kept);
            b.copy_from_slice(&u[i * right..][..right]);
            system.solve(b, true);
            if let Some(out) = adjoints.get(1) {
                add(&mut out[i * right..][..right], b);
            }
            if let Some(out) = adjoints.get(0) {
                system.outer(&[(b, system.x)], sum, &mut out[i * square..][..square]);
            }
        }
    }

    fn vjp_tangent(
        &self,
        a: &Operands<'_, T>,
        t: &OperandTangents<'_, T>,
        mut stash: Stash<'_, T>,
        u: &[T],
        du: Option<&[T]>,
        adjoint_tangents: &mut OperandAdjoints<'_, T>,
    ) {
        let (square, right) = self.sizes();
        let (kept, scratch) = stash.split();
        let (moved, scratch) = scratch.split_at_mut(square);
        let (sum, scratch) = scratch.split_at_mut(square);
        let (b, scratch) = scratch.split_at_mut(right);
        let (dx, db) = scratch.split_at_mut(right);
        for i in 0..self.count {
            let system = self.system(i, a.get(0), kept);
            let da = part(t.get(0), i, square);
            b.copy_from_slice(&u[i * right..][..right]);
            system.solve(b, true);
            match part(du, i, right) {
                Some(du) => db.copy_from_slice(du),
                None => db.fill(T::zero()),
            }
            if let Some(da) = da {
                system.subtract(da, b, true, moved, db);
            }
            system.solve(db, true);
            if let Some(out) = adjoint_tangents.get(1) {
                add(&mut out[i * right..][..right], db);
            }
            if let Some(out) = adjoint_tangents.get(0) {
                system.tangent(da, part(t.get(1), i, right), moved, dx);
                let pairs = [(&*db, system.x), (&*b, &*dx)];
                system.outer(&pairs, sum, &mut out[i * square..][..square]);
            }
        }
    }
}
