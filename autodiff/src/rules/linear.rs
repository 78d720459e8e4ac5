//! Linear operations: reductions, rearrangements and copies, each with its adjoint.

use std::sync::Arc;

use crate::kernels::{add, sum};
use crate::real::Real;
use crate::shape::Shape;

/// A linear operation of one or more operands; `u = Σₖ Lₖ aₖ`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Linear {
    /// Sum of all entries.
    Sum,
    /// Sum along each column: `r×c → 1×c`.
    SumRows,
    /// Sum along each row: `r×c → r×1`.
    SumCols,
    /// Repeats a scalar, a row or a column to a shape.
    Broadcast,
    /// A run of consecutive entries, in column-major order, from this one on.
    Slice(usize),
    /// The operands' entries, one operand after the other.
    Concat,
    /// The same entries in another shape.
    Reshape,
    /// Rows and columns exchanged.
    Transpose,
    /// The entries at these positions; one position may stand more than once.
    Gather(Arc<[usize]>),
    /// The diagonal matrix with these entries.
    Diag,
    /// Sums of the entries up to each one, down each column.
    CumSum,
    /// Forward differences down each column; 0 in the last row.
    Dy,
    /// Forward differences along each row; 0 in the last column.
    Dx,
    /// The value itself, with derivative zero.
    StopGradient,
}

impl Linear {
    /// The operation's name.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Linear::Sum => "sum",
            Linear::SumRows => "sum_rows",
            Linear::SumCols => "sum_cols",
            Linear::Broadcast => "broadcast",
            Linear::Slice(_) => "slice",
            Linear::Concat => "concat",
            Linear::Reshape => "reshape",
            Linear::Transpose => "transpose",
            Linear::Gather(_) => "gather",
            Linear::Diag => "diag",
            Linear::CumSum => "cumsum",
            Linear::Dy => "dy",
            Linear::Dx => "dx",
            Linear::StopGradient => "stop_gradient",
        }
    }

    /// Whether entry `i` of a value of this shape is 0 for every operand.
    pub(crate) fn leaves_zero(&self, i: usize, shape: Shape) -> bool {
        match self {
            Linear::Dy => (i + 1).is_multiple_of(shape.rows),
            Linear::Dx => i + shape.rows >= shape.len(),
            Linear::Diag => !i.is_multiple_of(shape.rows + 1),
            _ => false,
        }
    }

    /// `out += Lₖ a`, where operand `k` has shape `sa`, starts at entry `start` of a
    /// concatenation, and `out` has shape `su`; it is overwritten if it is `fresh`, of a concatenation
    /// the operand's part alone.
    pub(crate) fn apply<T: Real>(
        &self,
        start: usize,
        a: &[T],
        sa: Shape,
        out: &mut [T],
        su: Shape,
        fresh: bool,
    ) {
        let out = match self {
            Linear::Concat => &mut out[start..start + sa.len()],
            _ => out,
        };
        if fresh {
            out.fill(T::zero());
        }
        match self {
            Linear::Sum => out[0] += sum(a),
            Linear::SumRows => {
                for (o, column) in out.iter_mut().zip(a.chunks_exact(sa.rows.max(1))) {
                    *o += sum(column);
                }
            }
            Linear::SumCols => {
                for column in a.chunks_exact(sa.rows.max(1)) {
                    add(out, column);
                }
            }
            Linear::Broadcast => repeated(sa, su, |to, from| out[to] += a[from]),
            Linear::Slice(from) => add(out, &a[*from..*from + su.len()]),
            Linear::Concat | Linear::Reshape | Linear::StopGradient => add(out, a),
            Linear::Transpose => transposed(sa, |to, from| out[to] += a[from]),
            Linear::Gather(at) => {
                for (o, from) in out.iter_mut().zip(at.iter()) {
                    *o += a[*from];
                }
            }
            Linear::Diag => {
                for (i, v) in a.iter().enumerate() {
                    out[i * (a.len() + 1)] += *v;
                }
            }
            Linear::CumSum => {
                let n = sa.rows.max(1);
                for (o, a) in out.chunks_exact_mut(n).zip(a.chunks_exact(n)) {
                    let mut total = T::zero();
                    for (o, v) in o.iter_mut().zip(a) {
                        total += *v;
                        *o += total;
                    }
                }
            }
            Linear::Dy => differences_down(sa, |i| out[i] += a[i + 1] - a[i]),
            Linear::Dx => differences_along(sa, |i| out[i] += a[i + sa.rows] - a[i]),
        }
    }

    /// `out += Lₖᵀ ū`, with the arguments of [`apply`](Linear::apply).
    pub(crate) fn adjoint<T: Real>(
        &self,
        start: usize,
        u: &[T],
        su: Shape,
        out: &mut [T],
        sa: Shape,
        fresh: bool,
    ) {
        if fresh {
            out.fill(T::zero());
        }
        match self {
            Linear::Sum => out.iter_mut().for_each(|o| *o += u[0]),
            Linear::SumRows => {
                for (column, v) in out.chunks_exact_mut(sa.rows.max(1)).zip(u) {
                    column.iter_mut().for_each(|o| *o += *v);
                }
            }
            Linear::SumCols => {
                for column in out.chunks_exact_mut(sa.rows.max(1)) {
                    add(column, u);
                }
            }
            Linear::Broadcast => repeated(sa, su, |to, from| out[from] += u[to]),
            Linear::Slice(from) => add(&mut out[*from..*from + su.len()], u),
            Linear::Concat => add(out, &u[start..start + sa.len()]),
            Linear::Reshape => add(out, u),
            Linear::Transpose => transposed(sa, |to, from| out[from] += u[to]),
            Linear::Gather(at) => {
                for (v, from) in u.iter().zip(at.iter()) {
                    out[*from] += *v;
                }
            }
            Linear::Diag => {
                let n = out.len();
                for (i, o) in out.iter_mut().enumerate() {
                    *o += u[i * (n + 1)];
                }
            }
            Linear::CumSum => {
                let n = sa.rows.max(1);
                for (o, u) in out.chunks_exact_mut(n).zip(u.chunks_exact(n)) {
                    let mut total = T::zero();
                    for (o, v) in o.iter_mut().zip(u).rev() {
                        total += *v;
                        *o += total;
                    }
                }
            }
            Linear::Dy => differences_down(sa, |i| {
                out[i + 1] += u[i];
                out[i] -= u[i];
            }),
            Linear::Dx => differences_along(sa, |i| {
                out[i + sa.rows] += u[i];
                out[i] -= u[i];
            }),
            Linear::StopGradient => {}
        }
    }
}

/// Calls `f(to, from)` for each entry of the broadcast of shape `from` to shape `to`.
fn repeated(from: Shape, to: Shape, mut f: impl FnMut(usize, usize)) {
    let row_step = usize::from(from.rows > 1);
    let col_step = if from.cols > 1 { from.rows } else { 0 };
    for j in 0..to.cols {
        for i in 0..to.rows {
            f(i + j * to.rows, i * row_step + j * col_step);
        }
    }
}

/// Calls `f(to, from)` for each entry of the transposition of a value of shape `from`.
fn transposed(from: Shape, mut f: impl FnMut(usize, usize)) {
    for j in 0..from.cols {
        for i in 0..from.rows {
            f(j + i * from.cols, i + j * from.rows);
        }
    }
}

/// Calls `f` with the position of each entry that has one below it.
fn differences_down(shape: Shape, mut f: impl FnMut(usize)) {
    for j in 0..shape.cols {
        (1..shape.rows).for_each(|i| f(i - 1 + j * shape.rows));
    }
}

/// Calls `f` with the position of each entry that has one to its right.
fn differences_along(shape: Shape, f: impl FnMut(usize)) {
    (0..shape.rows * shape.cols.saturating_sub(1)).for_each(f);
}
