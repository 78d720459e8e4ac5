//! Samples that are chosen when a program runs: a batch is an input of it, and no recording.

use crate::operands::{OperandAdjoints, OperandTangents, Operands, Stash};
use crate::primitive::{Asked, Primitive};
use crate::real::Real;
use crate::shape::Shape;
use crate::table::Table;
use crate::var::Var;

/// The samples that a mean is over, in the recording of it: all of them, or those whose indices an
/// input of the program holds.
///
/// [`batched`](crate::batched) gives it to its closure.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'r, T: Real = f64> {
    /// A value of the recording, for constants.
    at: Var<'r, T>,
    indices: Option<Var<'r, T>>,
    len: usize,
}

impl<'r, T: Real> Batch<'r, T> {
    /// All of `samples` samples, in their order, in the recording that `at` is of.
    pub(crate) fn all(at: Var<'r, T>, samples: usize) -> Self {
        Batch {
            at,
            indices: None,
            len: samples,
        }
    }

    /// The samples whose indices are the entries of a vector, for a recording that is made step by
    /// step. Nothing is differentiated by an index: an input of indices goes through
    /// [`stop_gradient`](Var::stop_gradient) before.
    pub fn picked(indices: Var<'r, T>) -> Self {
        Batch {
            at: indices,
            indices: Some(indices),
            len: indices.len(),
        }
    }

    /// The number of samples in the batch.
    // A batch is never empty.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(self) -> usize {
        self.len
    }

    /// The indices of the samples, as numbers that nothing is differentiated by: for a
    /// [`Primitive`](crate::Primitive) that reads samples where they are. `None` if the batch is all
    /// samples in their order.
    pub fn indices(self) -> Option<Var<'r, T>> {
        self.indices
    }

    /// The rows of a table that are the batch's: a constant of `len` rows and the table's columns, a
    /// vector if it has one column.
    ///
    /// # Panics
    /// When the program runs, if there is no row of an index.
    #[must_use]
    #[track_caller]
    pub fn rows(self, table: &Table<T>) -> Var<'r, T> {
        self.pick(table, false)
    }

    /// The transpose of [`rows`](Batch::rows): a column for each sample of the batch.
    ///
    /// A product with a vector, such as [`tr_matmul`](Var::tr_matmul), copies no sample: it reads them where
    /// they are in the table, if they are [kept](crate::Storage::Whole) as they are computed with.
    ///
    /// # Panics
    /// As [`rows`](Batch::rows).
    #[must_use]
    #[track_caller]
    pub fn columns(self, table: &Table<T>) -> Var<'r, T> {
        self.pick(table, true)
    }

    #[track_caller]
    #[inline(never)]
    fn pick(self, table: &Table<T>, columns: bool) -> Var<'r, T> {
        let n = self.len;
        let Some(indices) = self.indices else {
            assert!(
                table.len() == n,
                "a table of {} samples: the objective has {n}",
                table.len()
            );
            let all = table.columns();
            return self.at.matrix(&if columns { all } else { all.transpose() });
        };
        let table = table.clone();
        indices.fused(PickSamples { table, columns }, &[])
    }

    /// The entries of a vector that are the batch's, if it has one for each sample: a vector of `len`
    /// entries, which the derivatives of the others are 0 by.
    ///
    /// # Panics
    /// When the program runs, if there is no entry of an index.
    #[must_use]
    #[track_caller]
    pub fn entries(self, of: Var<'r, T>) -> Var<'r, T> {
        match self.indices {
            Some(indices) => of.pick(indices),
            None => {
                assert!(
                    of.len() == self.len,
                    "a vector of {} entries: the objective has {} samples",
                    of.len(),
                    self.len
                );
                of
            }
        }
    }
}

impl<'r, T: Real> Var<'r, T> {
    /// The entries at the positions that another vector holds when the program runs, in column-major
    /// order: a vector. Nothing is differentiated by a position.
    ///
    /// [`gather`](Var::gather) is for positions that are known while recording.
    ///
    /// # Panics
    /// When the program runs, if a position is no whole number, or there is no entry at it.
    #[must_use]
    #[track_caller]
    #[inline(never)]
    pub fn pick(self, positions: Self) -> Self {
        self.fused(PickEntries, &[positions.stop_gradient()])
    }
}

/// The index that an entry of [`Batch::indices`] stands for.
///
/// # Panics
/// If it is not a whole number from 0 on.
#[inline]
pub fn index_of<T: Real>(entry: T) -> usize {
    let (number, index) = (entry.f64(), entry.f64() as usize);
    // A NaN is refused too.
    assert!(
        index as f64 == number,
        "index {number} of a sample or an entry: expected a whole number from 0 on"
    );
    index
}

/// Which samples a pass goes over.
#[derive(Clone, Copy, Debug)]
pub enum Places<'a, T> {
    /// Neighbours in their order, from this one on.
    From(usize),
    /// Those of these indices.
    At(&'a [T]),
}

impl<'a, T: Real> Places<'a, T> {
    /// All samples in their order, or those of these indices, which may be neighbours.
    ///
    /// # Panics
    /// If neighbours begin at no whole number from 0 on.
    #[track_caller]
    pub fn of(at: Option<&'a [T]>) -> Self {
        let Some(at) = at else {
            return Places::From(0);
        };
        let Some(first) = at.first() else {
            return Places::At(at);
        };
        // All of them are looked at, in vectors.
        let pairs = at.iter().zip(&at[1..]);
        match pairs.fold(true, |all, (i, next)| all & (*next - *i == T::one())) {
            true => Places::From(index_of(*first)),
            false => Places::At(at),
        }
    }

    /// The index of sample `i` of these.
    ///
    /// # Panics
    /// If its index is not a whole number from 0 on.
    #[inline(always)]
    pub fn index(self, i: usize) -> usize {
        match self {
            Places::From(first) => first + i,
            Places::At(at) => index_of(at[i]),
        }
    }

    /// The places of these from number `first` on.
    #[inline(always)]
    pub(crate) fn from(self, first: usize) -> Self {
        match self {
            Places::From(start) => Places::From(start + first),
            Places::At(at) => Places::At(&at[first..]),
        }
    }
}

/// Samples of a table whose indices are the operand, as rows or as columns.
struct PickSamples<T> {
    table: Table<T>,
    columns: bool,
}

impl<T: Real> Primitive<T> for PickSamples<T> {
    fn name(&self) -> &str {
        "samples of a batch"
    }

    fn output_shape(&self, operands: &[Shape]) -> Result<Shape, String> {
        match operands {
            [at] if at.cols == 1 => {
                let shape = Shape::matrix(at.rows, self.table.width());
                Ok(if self.columns {
                    shape.transposed()
                } else {
                    shape
                })
            }
            _ => Err("a vector of indices".to_owned()),
        }
    }

    fn stash_len(&self, _: &[Shape]) -> usize {
        0
    }

    // Of one entry each, a product would add up in another order.
    fn samples(&self) -> Option<&Table<T>> {
        let in_place = self.columns && self.table.width() > 1 && self.table.is_whole();
        in_place.then_some(&self.table)
    }

    fn eval(&self, a: &Operands<'_, T>, _: Asked, out: &mut [T], _: Stash<'_, T>) {
        let (at, width) = (a.get(0), self.table.width());
        for (k, i) in at.iter().enumerate() {
            let i = index_of(*i);
            if self.columns {
                self.table.read(i, &mut out[k * width..][..width]);
            } else {
                self.table
                    .visit(i, |j, entry| out[k + j * at.len()] = entry);
            }
        }
    }

    // Nothing is differentiated by an index.
    fn jvp(&self, _: &Operands<'_, T>, _: &OperandTangents<'_, T>, _: Stash<'_, T>, out: &mut [T]) {
        out.fill(T::zero());
    }

    fn vjp(&self, _: &Operands<'_, T>, _: Stash<'_, T>, _: &[T], _: &mut OperandAdjoints<'_, T>) {}

    fn vjp_tangent(
        &self,
        _: &Operands<'_, T>,
        _: &OperandTangents<'_, T>,
        _: Stash<'_, T>,
        _: &[T],
        _: Option<&[T]>,
        _: &mut OperandAdjoints<'_, T>,
    ) {
    }
}

/// Entries of the first operand whose indices are the second.
struct PickEntries;

impl PickEntries {
    fn pick<T: Real>(from: &[T], at: &[T], out: &mut [T]) {
        for (out, i) in out.iter_mut().zip(at) {
            *out = from[index_of(*i)];
        }
    }

    /// Adds each entry to the place that it was picked from.
    fn put<T: Real>(entries: &[T], at: &[T], out: &mut [T]) {
        for (entry, i) in entries.iter().zip(at) {
            out[index_of(*i)] += *entry;
        }
    }
}

impl<T: Real> Primitive<T> for PickEntries {
    fn name(&self) -> &str {
        "pick"
    }

    fn output_shape(&self, operands: &[Shape]) -> Result<Shape, String> {
        match operands {
            [_, at] if at.cols == 1 => Ok(*at),
            _ => Err("entries, and a vector of positions".to_owned()),
        }
    }

    fn stash_len(&self, _: &[Shape]) -> usize {
        0
    }

    fn eval(&self, a: &Operands<'_, T>, _: Asked, out: &mut [T], _: Stash<'_, T>) {
        Self::pick(a.get(0), a.get(1), out);
    }

    fn jvp(
        &self,
        a: &Operands<'_, T>,
        tangents: &OperandTangents<'_, T>,
        _: Stash<'_, T>,
        out: &mut [T],
    ) {
        match tangents.get(0) {
            Some(tangent) => Self::pick(tangent, a.get(1), out),
            None => out.fill(T::zero()),
        }
    }

    fn vjp(
        &self,
        a: &Operands<'_, T>,
        _: Stash<'_, T>,
        u: &[T],
        adjoints: &mut OperandAdjoints<'_, T>,
    ) {
        if let Some(out) = adjoints.get(0) {
            Self::put(u, a.get(1), out);
        }
    }

    fn vjp_tangent(
        &self,
        a: &Operands<'_, T>,
        _: &OperandTangents<'_, T>,
        _: Stash<'_, T>,
        _: &[T],
        du: Option<&[T]>,
        adjoint_tangents: &mut OperandAdjoints<'_, T>,
    ) {
        if let (Some(du), Some(out)) = (du, adjoint_tangents.get(0)) {
            Self::put(du, a.get(1), out);
        }
    }
}
