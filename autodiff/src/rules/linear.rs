//! Linear operations: reductions, rearrangements and copies, each with its adjoint.

use std::sync::Arc;

use super::differences;
use crate::kernels::{add, put, put_number, sum};
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
    /// The value itself, marked as the outputs of a model.
    Outputs,
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
            Linear::Outputs => "outputs",
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

    /// Whether every entry of the value is written at once.
    fn writes(&self) -> bool {
        use Linear::{Broadcast, Concat, Dx, Dy, Outputs, Reshape, Slice, StopGradient};
        let copies = matches!(self, Broadcast | Slice(_) | Concat | Reshape | StopGradient);
        copies || matches!(self, Dx | Dy | Outputs)
    }

    /// Whether every entry that comes back to an operand is written at once.
    fn writes_adjoint(&self) -> bool {
        use Linear::{Concat, Dx, Dy, Outputs, Reshape, Sum, SumCols, SumRows};
        let copies = matches!(self, Sum | SumRows | SumCols | Concat | Reshape);
        copies || matches!(self, Dx | Dy | Outputs)
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
        // What is added to entry by entry, and not in one go.
        if fresh && !self.writes() {
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
            Linear::Broadcast => {
                let columns = out.chunks_exact_mut(su.rows.max(1)).enumerate();
                columns.for_each(|(j, out)| match repeated(sa, j) {
                    from if sa.rows > 1 => put(out, &a[from..][..sa.rows], fresh),
                    from => put_number(out, a[from], fresh),
                });
            }
            Linear::Slice(from) => put(out, &a[*from..*from + su.len()], fresh),
            Linear::Concat | Linear::Reshape | Linear::StopGradient | Linear::Outputs => {
                put(out, a, fresh);
            }
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
            Linear::Dy => differences::forward(a, out, (sa.rows, 1), fresh),
            Linear::Dx => differences::forward(a, out, (a.len(), sa.rows), fresh),
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
        if fresh && !self.writes_adjoint() {
            out.fill(T::zero());
        }
        match self {
            Linear::Sum => put_number(out, u[0], fresh),
            Linear::SumRows => {
                for (column, v) in out.chunks_exact_mut(sa.rows.max(1)).zip(u) {
                    put_number(column, *v, fresh);
                }
            }
            Linear::SumCols => {
                for column in out.chunks_exact_mut(sa.rows.max(1)) {
                    put(column, u, fresh);
                }
            }
            Linear::Broadcast => {
                let columns = u.chunks_exact(su.rows.max(1)).enumerate();
                columns.for_each(|(j, u)| match repeated(sa, j) {
                    from if sa.rows > 1 => add(&mut out[from..][..sa.rows], u),
                    from => out[from] += sum(u),
                });
            }
            Linear::Slice(from) => add(&mut out[*from..*from + su.len()], u),
            Linear::Concat => put(out, &u[start..start + sa.len()], fresh),
            Linear::Reshape | Linear::Outputs => put(out, u, fresh),
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
            Linear::Dy => differences::backward(u, out, (sa.rows, 1), fresh),
            Linear::Dx => differences::backward(u, out, (u.len(), sa.rows), fresh),
            Linear::StopGradient => {}
        }
    }
}

/// The first entry of what is repeated in column `j` of a broadcast of a value of shape `from`.
fn repeated(from: Shape, j: usize) -> usize {
    if from.cols > 1 { j * from.rows } else { 0 }
}

/// Calls `f(to, from)` for each entry of the transposition of a value of shape `from`.
fn transposed(from: Shape, mut f: impl FnMut(usize, usize)) {
    for j in 0..from.cols {
        for i in 0..from.rows {
            f(j + i * from.cols, i + j * from.rows);
        }
    }
}
