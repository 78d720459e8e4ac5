//! The product of a constant sparse matrix, or of its transpose, with a value.

use std::ops::Mul;

use smallvec::SmallVec;

use super::{Sparse, add_to, dot};
use crate::kernels::add;
use crate::operands::{OperandAdjoints, OperandTangents, Operands, Stash};
use crate::primitive::{Asked, Primitive};
use crate::real::Real;
use crate::shape::Shape;
use crate::threads::for_each;
use crate::var::Var;

/// At most this many blocks of rows, whatever the machine.
const BLOCKS: usize = 16;
/// Entries that a block has for each number of a partial sum, at least.
const DENSE: usize = 4;

/// `A v`, or `Aᵀ v`, of the columns of `v`.
struct SparseProduct<T> {
    matrix: Sparse<T>,
    transposed: bool,
}

impl<T: Real> Sparse<T> {
    /// Rows of a block, so that partial sums of all columns are no more than a part of the work: as
    /// sizes alone say, so that the bits do not depend on the number of threads.
    pub(crate) fn block(&self, blocks: usize) -> usize {
        self.rows().div_ceil(blocks.max(1)).max(1)
    }

    /// The number of blocks of rows of a product with partial sums of all columns.
    fn blocks(&self) -> usize {
        (self.entries() / (DENSE * self.columns.max(1))).clamp(1, BLOCKS)
    }

    /// `out += A v`, each column.
    fn add_product(&self, v: &[T], out: &mut [T]) {
        if self.rows() == 0 || self.columns == 0 {
            return;
        }
        let columns = v.chunks_exact(self.columns);
        for (v, out) in columns.zip(out.chunks_exact_mut(self.rows())) {
            let len = self.block(BLOCKS);
            let mut parts: SmallVec<[(usize, &mut [T]); BLOCKS]> =
                out.chunks_mut(len).enumerate().collect();
            for_each(&mut parts, self.entries(), |(block, out)| {
                for (i, out) in (*block * len..).zip(out.iter_mut()) {
                    let (places, values) = self.row(i);
                    *out += dot(places, values, v);
                }
            });
        }
    }

    /// `out += Aᵀ v`, each column; `partial` holds a sum for each block, if there are several.
    fn add_transposed(&self, v: &[T], partial: &mut [T], out: &mut [T]) {
        if self.rows() == 0 || self.columns == 0 {
            return;
        }
        let rows = |first: usize, v: &[T], out: &mut [T]| {
            for (i, z) in (first..).zip(v) {
                let (places, values) = self.row(i);
                add_to(places, values, *z, out);
            }
        };
        let columns = v.chunks_exact(self.rows());
        for (v, out) in columns.zip(out.chunks_exact_mut(self.columns)) {
            if partial.is_empty() {
                rows(0, v, out);
                continue;
            }
            let len = self.block(self.blocks());
            let sums = partial.chunks_exact_mut(self.columns);
            let blocks = v.chunks(len).zip(sums).enumerate();
            let mut parts: SmallVec<[_; BLOCKS]> = blocks.collect();
            for_each(&mut parts, self.entries(), |(block, (v, sum))| {
                sum.fill(T::zero());
                rows(*block * len, v, sum);
            });
            parts.iter().for_each(|(_, (_, sum))| add(out, sum));
        }
    }

    /// `Aᵀ v` of the columns of a value, without forming the transpose.
    ///
    /// # Panics
    /// If `v` does not have as many rows as this matrix.
    #[must_use]
    #[track_caller]
    #[inline(never)]
    pub fn tr_mul<'r>(&self, v: Var<'r, T>) -> Var<'r, T> {
        self.times(v, true)
    }

    #[track_caller]
    fn times<'r>(&self, v: Var<'r, T>, transposed: bool) -> Var<'r, T> {
        let matrix = self.clone();
        v.fused(SparseProduct { matrix, transposed }, &[])
    }
}

/// The matrix product with a constant sparse matrix.
impl<'r, T: Real> Mul<Var<'r, T>> for &Sparse<T> {
    type Output = Var<'r, T>;
    #[track_caller]
    #[inline(never)]
    fn mul(self, v: Var<'r, T>) -> Var<'r, T> {
        self.times(v, false)
    }
}

impl<T: Real> SparseProduct<T> {
    fn shape(&self) -> Shape {
        let shape = Shape::matrix(self.matrix.rows(), self.matrix.columns());
        match self.transposed {
            true => shape.transposed(),
            false => shape,
        }
    }

    /// `out += A v`, or with the transpose where it is not that which is multiplied with.
    fn add(&self, back: bool, v: &[T], mut stash: Stash<'_, T>, out: &mut [T]) {
        match self.transposed == back {
            true => self.matrix.add_product(v, out),
            false => self.matrix.add_transposed(v, stash.split().1, out),
        }
    }
}

impl<T: Real> Primitive<T> for SparseProduct<T> {
    fn name(&self) -> &str {
        match self.transposed {
            true => "sparse_tr_mul",
            false => "sparse_mul",
        }
    }

    fn output_shape(&self, operands: &[Shape]) -> Result<Shape, String> {
        let shape = self.shape();
        match operands {
            [v] if v.rows == shape.cols => Ok(Shape::matrix(shape.rows, v.cols)),
            _ => Err(format!(
                "{} rows, for a sparse matrix of {}×{}",
                shape.cols, shape.rows, shape.cols
            )),
        }
    }

    fn stash_len(&self, _: &[Shape]) -> usize {
        0
    }

    fn is_linear(&self) -> bool {
        true
    }

    fn scratch_len(&self, _: &[Shape]) -> usize {
        match self.matrix.blocks() {
            1 => 0,
            blocks => blocks * self.matrix.columns(),
        }
    }

    fn eval(&self, a: &Operands<'_, T>, _: Asked, out: &mut [T], stash: Stash<'_, T>) {
        out.fill(T::zero());
        self.add(false, a.get(0), stash, out);
    }

    fn jvp(
        &self,
        _: &Operands<'_, T>,
        t: &OperandTangents<'_, T>,
        stash: Stash<'_, T>,
        out: &mut [T],
    ) {
        out.fill(T::zero());
        if let Some(t) = t.get(0) {
            self.add(false, t, stash, out);
        }
    }

    // The columns of a block are columns like those of an operand.
    fn jvp_block(
        &self,
        a: &Operands<'_, T>,
        t: &OperandTangents<'_, T>,
        stash: Stash<'_, T>,
        out: &mut [T],
    ) {
        self.jvp(a, t, stash, out);
    }

    fn vjp(
        &self,
        _: &Operands<'_, T>,
        stash: Stash<'_, T>,
        u: &[T],
        adjoints: &mut OperandAdjoints<'_, T>,
    ) {
        if let Some(out) = adjoints.get(0) {
            self.add(true, u, stash, out);
        }
    }

    fn vjp_tangent(
        &self,
        a: &Operands<'_, T>,
        _: &OperandTangents<'_, T>,
        stash: Stash<'_, T>,
        _: &[T],
        du: Option<&[T]>,
        adjoint_tangents: &mut OperandAdjoints<'_, T>,
    ) {
        if let Some(du) = du {
            self.vjp(a, stash, du, adjoint_tangents);
        }
    }

    fn vjp_tangent_block(
        &self,
        a: &Operands<'_, T>,
        t: &OperandTangents<'_, T>,
        stash: Stash<'_, T>,
        u: &[T],
        du: Option<&[T]>,
        adjoint_tangents: &mut OperandAdjoints<'_, T>,
    ) {
        self.vjp_tangent(a, t, stash, u, du, adjoint_tangents);
    }
}
