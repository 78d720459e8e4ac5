//! Bilinear rules over a block of directions.

use crate::operands::Operation;
use crate::real::Real;
use crate::rules::bilinear::Bilinear;
use crate::shape::Shape;

use super::columns::each;

/// Fewer vectors than these are multiplied one by one: a product of matrices copies its operands
/// first, which for two or three columns costs more than it saves.
const FEW: usize = 4;

/// A bilinear operation on operands of these shapes, its value of shape `out`.
#[derive(Clone, Copy)]
pub(super) struct Product {
    f: Bilinear,
    left: Shape,
    right: Shape,
    out: Shape,
}

impl Product {
    #[inline(always)]
    pub(super) fn of<T: Real>(f: Bilinear, at: Operation<'_, T>) -> Self {
        Product {
            f,
            left: at.shape(0),
            right: at.shape(1),
            out: at.node.shape,
        }
    }

    /// The least columns that make a wider right operand worth it.
    fn few(self) -> usize {
        match self.right.rows == 1 || self.right.cols == 1 {
            true => FEW,
            false => 2,
        }
    }

    /// `out += B(t, b)` for every column t; here as below `out` is overwritten if it is `fresh`.
    #[inline]
    pub(super) fn along_left<T: Real>(
        self,
        width: usize,
        t: &[T],
        b: &[T],
        out: &mut [T],
        fresh: bool,
    ) {
        let Product { f, left, right, .. } = self;
        if width > 1 && f.apply_columns((true, false), (b, right), (t, left), out, fresh) {
            return;
        }
        each(width, t, out, |t, out| {
            f.apply(t, left, b, right, out, fresh);
        });
    }

    /// `out += B(a, t)` for every column t.
    #[inline]
    pub(super) fn along_right<T: Real>(
        self,
        width: usize,
        a: &[T],
        t: &[T],
        out: &mut [T],
        fresh: bool,
    ) {
        let Product { f, left, right, .. } = self;
        if width > 1 && f.apply_columns((false, false), (a, left), (t, right), out, fresh) {
            return;
        }
        if width >= self.few()
            && let Some((f, wide)) = f.wide_right(right, width)
        {
            return f.apply(a, left, t, wide, out, fresh);
        }
        each(width, t, out, |t, out| {
            f.apply(a, left, t, right, out, fresh);
        });
    }

    /// `out += ∂⟨u, B(a, b)⟩/∂a` for every column u.
    #[inline]
    pub(super) fn left_adjoint<T: Real>(
        self,
        width: usize,
        u: &[T],
        b: &[T],
        out: &mut [T],
        fresh: bool,
    ) {
        let shape = self.out;
        let Product { f, left, right, .. } = self;
        if width > 1 && f.apply_columns((true, true), (b, right), (u, left), out, fresh) {
            return;
        }
        each(width, u, out, |u, out| {
            f.left_adjoint(u, shape, b, right, out, fresh);
        });
    }

    /// `out += ∂⟨u, B(a, b)⟩/∂b` for every column u.
    #[inline]
    pub(super) fn right_adjoint<T: Real>(
        self,
        width: usize,
        u: &[T],
        a: &[T],
        out: &mut [T],
        fresh: bool,
    ) {
        let shape = self.out;
        let Product { f, left, right, .. } = self;
        if width > 1 && f.apply_columns((false, true), (a, left), (u, right), out, fresh) {
            return;
        }
        if width >= self.few()
            && let Some((f, _)) = f.wide_right(right, width)
        {
            let wide = Shape::matrix(shape.rows, shape.cols * width);
            return f.right_adjoint(u, wide, a, left, out, fresh);
        }
        each(width, u, out, |u, out| {
            f.right_adjoint(u, shape, a, left, out, fresh);
        });
    }

    /// `out += ∂⟨u, B(a, t)⟩/∂a` for every column t.
    pub(super) fn left_adjoint_along<T: Real>(
        self,
        width: usize,
        u: &[T],
        t: &[T],
        out: &mut [T],
        fresh: bool,
    ) {
        let Product { f, right, .. } = self;
        each(width, t, out, |t, out| {
            f.left_adjoint(u, self.out, t, right, out, fresh);
        });
    }

    /// `out += ∂⟨u, B(t, b)⟩/∂b` for every column t.
    pub(super) fn right_adjoint_along<T: Real>(
        self,
        width: usize,
        u: &[T],
        t: &[T],
        out: &mut [T],
        fresh: bool,
    ) {
        let Product { f, left, .. } = self;
        each(width, t, out, |t, out| {
            f.right_adjoint(u, self.out, t, left, out, fresh);
        });
    }
}
