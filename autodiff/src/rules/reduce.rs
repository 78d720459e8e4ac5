//! Non-linear reductions.

use crate::kernels::{axpy, dot, norm};
use crate::operands::{OperandAdjoints, OperandTangents, Operands, Stash};
use crate::primitive::{Asked, Primitive};
use crate::real::Real;
use crate::shape::Shape;
use crate::vector::{Formula, Lanes};

/// `ln Σ eᵃ` along each column, shifted by the largest entry: `r×c → 1×c`.
///
/// The stash holds the softmax of each column.
pub(crate) struct LogSumExp {
    /// Rows of the operand.
    pub(crate) rows: usize,
}

/// `exp(a − shift)`.
#[derive(Clone, Copy)]
struct ShiftedExp {
    shift: f64,
}

impl Formula<1> for ShiftedExp {
    #[inline(always)]
    fn of<V: Lanes>(self, [a]: [V; 1], _: V) -> V {
        (a - a.of(self.shift)).exp()
    }
}

/// Overwrites `p` with the softmax of `a` and returns `ln Σ eᵃ`.
///
/// # Panics
/// If `a` is empty, or shorter than `p`.
pub fn softmax<T: Real>(a: &[T], p: &mut [T]) -> T {
    let largest = largest(a);
    let shift = largest.f64();
    T::each(ShiftedExp { shift }, &[a], p, true);
    largest + normalise(p).ln()
}

#[inline(always)]
fn largest<T: Real>(a: &[T]) -> T {
    a.iter().fold(a[0], |m, v| m.max(*v))
}

/// Divides by the sum, and returns it.
#[inline(always)]
fn normalise<T: Real>(p: &mut [T]) -> T {
    // Four sums at once, so that no addition waits for the one before.
    let mut sums = [T::zero(); 4];
    let (fours, rest) = p.as_chunks::<4>();
    for four in fours {
        for k in 0..4 {
            sums[k] += four[k];
        }
    }
    let total = rest
        .iter()
        .fold((sums[0] + sums[1]) + (sums[2] + sums[3]), |s, p| s + *p);
    let scale = total.recip();
    p.iter_mut().for_each(|p| *p *= scale);
    total
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

    fn eval(&self, a: &Operands<'_, T>, _: Asked, out: &mut [T], mut stash: Stash<'_, T>) {
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
        stash: Stash<'_, T>,
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
        stash: Stash<'_, T>,
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
        stash: Stash<'_, T>,
        u: &[T],
        du: Option<&[T]>,
        adjoint_tangents: &mut OperandAdjoints<'_, T>,
    ) {
        let Some(out) = adjoint_tangents.get(0) else {
            return;
        };
        for (j, out) in out.chunks_exact_mut(self.rows).enumerate() {
            let p = &stash[j * self.rows..][..self.rows];
            if let Some(du) = du {
                axpy(out, du[j], p);
            }
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

/// `√Σ a²`: a scalar, with derivatives 0 where all entries are 0.
///
/// The stash holds the norm.
pub(crate) struct Norm;

impl<T: Real> Primitive<T> for Norm {
    fn name(&self) -> &str {
        "norm"
    }

    fn is_norm(&self) -> bool {
        true
    }

    fn has_kinks(&self) -> bool {
        true
    }

    fn kinks(&self, operands: &Operands<'_, T>, found: &mut dyn FnMut(usize)) {
        let (a, bound) = (operands.get(0), operands.rounding_bound(0));
        if a.is_empty() || a.iter().any(|v| v.abs() > bound) {
            return;
        }
        let rounding = operands.rounding(0);
        if a.iter().zip(rounding).all(|(v, r)| v.abs() <= r) {
            found(0);
        }
    }

    fn output_shape(&self, operands: &[Shape]) -> Result<Shape, String> {
        match operands {
            [_] => Ok(Shape::SCALAR),
            _ => Err("one operand".into()),
        }
    }

    fn stash_len(&self, _: &[Shape]) -> usize {
        1
    }

    fn eval(&self, a: &Operands<'_, T>, _: Asked, out: &mut [T], mut stash: Stash<'_, T>) {
        out[0] = norm(a.get(0));
        stash[0] = out[0];
    }

    fn jvp(
        &self,
        a: &Operands<'_, T>,
        tangents: &OperandTangents<'_, T>,
        stash: Stash<'_, T>,
        out: &mut [T],
    ) {
        out[0] = match tangents.get(0) {
            Some(t) if stash[0] != T::zero() => dot(a.get(0), t) / stash[0],
            _ => T::zero(),
        };
    }

    fn vjp(
        &self,
        a: &Operands<'_, T>,
        stash: Stash<'_, T>,
        u: &[T],
        adjoints: &mut OperandAdjoints<'_, T>,
    ) {
        if let Some(out) = adjoints.get(0)
            && stash[0] != T::zero()
        {
            axpy(out, u[0] / stash[0], a.get(0));
        }
    }

    fn vjp_tangent(
        &self,
        a: &Operands<'_, T>,
        tangents: &OperandTangents<'_, T>,
        stash: Stash<'_, T>,
        u: &[T],
        du: Option<&[T]>,
        adjoint_tangents: &mut OperandAdjoints<'_, T>,
    ) {
        let Some(out) = adjoint_tangents.get(0) else {
            return;
        };
        let (a, n) = (a.get(0), stash[0]);
        if n == T::zero() {
            return;
        }
        if let Some(du) = du {
            axpy(out, du[0] / n, a);
        }
        if let Some(t) = tangents.get(0) {
            let along = dot(a, t) / n;
            axpy(out, u[0] / n, t);
            axpy(out, -(u[0] / n) * (along / n), a);
        }
    }
}

/// Which end of the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The largest.
    Max,
    /// The smallest.
    Min,
}

/// The largest or smallest entry of each column: `r×c → 1×c`; the first of equal ones counts.
pub(crate) struct Extreme {
    /// Rows of the operand.
    pub(crate) rows: usize,
    /// Which entry is sought.
    pub(crate) end: End,
}

impl Extreme {
    /// Position of the extreme entry of each column, in column-major order: finding it again costs
    /// no more than adding to the column would.
    fn positions<T: Real>(&self, a: &[T]) -> impl Iterator<Item = usize> {
        let columns = a.chunks_exact(self.rows).enumerate();
        columns.map(|(j, column)| j * self.rows + self.position(column))
    }

    /// The first NaN, or the first extreme entry.
    fn position<T: Real>(&self, column: &[T]) -> usize {
        let mut best = 0;
        for (i, v) in column.iter().enumerate() {
            let beats = match self.end {
                End::Max => *v > column[best],
                End::Min => *v < column[best],
            };
            if beats {
                best = i;
            } else if v.partial_cmp(v).is_none() {
                return i;
            }
        }
        best
    }
}

impl<T: Real> Primitive<T> for Extreme {
    fn name(&self) -> &str {
        match self.end {
            End::Max => "max_rows",
            End::Min => "min_rows",
        }
    }

    fn output_shape(&self, operands: &[Shape]) -> Result<Shape, String> {
        match operands {
            [a] if a.rows > 0 => Ok(Shape::matrix(1, a.cols)),
            _ => Err("one operand with at least one row".into()),
        }
    }

    fn has_kinks(&self) -> bool {
        self.rows > 1
    }

    fn kinks(&self, operands: &Operands<'_, T>, found: &mut dyn FnMut(usize)) {
        let (a, bound) = (operands.get(0), operands.rounding_bound(0));
        let tied = |at: usize, apart: &dyn Fn(usize) -> T| {
            let column = at - at % self.rows..;
            let others = column.take(self.rows).filter(|i| *i != at);
            others.into_iter().any(|i| (a[at] - a[i]).abs() <= apart(i))
        };
        let near = |at: &usize| tied(*at, &|_| bound + bound);
        if !self.positions(a).any(|at| near(&at)) {
            return;
        }
        let rounding = operands.rounding(0);
        for (j, at) in self.positions(a).enumerate() {
            if tied(at, &|i| rounding[at] + rounding[i]) {
                found(j);
            }
        }
    }

    fn stash_len(&self, _: &[Shape]) -> usize {
        0
    }

    fn eval(&self, a: &Operands<'_, T>, _: Asked, out: &mut [T], _: Stash<'_, T>) {
        let a = a.get(0);
        for (o, at) in out.iter_mut().zip(self.positions(a)) {
            *o = a[at];
        }
    }

    fn jvp(
        &self,
        a: &Operands<'_, T>,
        tangents: &OperandTangents<'_, T>,
        _: Stash<'_, T>,
        out: &mut [T],
    ) {
        let Some(t) = tangents.get(0) else {
            return out.fill(T::zero());
        };
        for (o, at) in out.iter_mut().zip(self.positions(a.get(0))) {
            *o = t[at];
        }
    }

    fn vjp(
        &self,
        a: &Operands<'_, T>,
        _: Stash<'_, T>,
        u: &[T],
        adjoints: &mut OperandAdjoints<'_, T>,
    ) {
        let Some(out) = adjoints.get(0) else { return };
        for (u, at) in u.iter().zip(self.positions(a.get(0))) {
            out[at] += *u;
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
        // Linear between ties.
        if let Some(du) = du {
            self.vjp(a, stash, du, adjoint_tangents);
        }
    }
}
