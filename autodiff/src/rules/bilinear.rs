//! Bilinear operations: one product and its two adjoints give every sweep.

use super::conv;
use crate::kernels::{View, columns, dot, matmul, products, put_multiple};
use crate::real::Real;
use crate::shape::Shape;

/// A bilinear operation `u = B(a, b)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Bilinear {
    /// `Σ aᵢ bᵢ` of two values of one shape.
    Dot,
    /// `op(a) · op(b)`, where `op` transposes if asked to.
    MatMul {
        /// Whether `a` is transposed.
        transpose_left: bool,
        /// Whether `b` is transposed.
        transpose_right: bool,
    },
    /// Convolution of an image with kernels.
    Conv2d(conv::Conv2d),
}

use Bilinear::{Conv2d, Dot, MatMul};

impl Bilinear {
    /// The operation's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Dot => "dot",
            MatMul { .. } => "matmul",
            Conv2d(_) => "conv2d",
        }
    }

    /// Zeroes what is fresh, where terms are only added.
    fn clear<T: Real>(self, out: &mut [T], fresh: bool) {
        if fresh && matches!(self, Conv2d(_)) {
            out.fill(T::zero());
        }
    }

    /// The operation on `width` right operands of shape `sb`, one after the other, and their shape
    /// together, where they are columns of one matrix.
    pub(crate) fn wide_right(self, sb: Shape, width: usize) -> Option<(Bilinear, Shape)> {
        let MatMul {
            transpose_left,
            transpose_right,
        } = self
        else {
            return None;
        };
        // Transposing a vector moves no entry.
        let vector = sb.rows == 1 || sb.cols == 1;
        let shape = match transpose_right {
            false => sb,
            true if vector => sb.transposed(),
            true => return None,
        };
        let f = MatMul {
            transpose_left,
            transpose_right: false,
        };
        Some((f, Shape::matrix(shape.rows, shape.cols * width)))
    }

    /// `out += B(a, b)`; here as below `out` is overwritten if it is `fresh`.
    pub(crate) fn apply<T: Real>(
        self,
        a: &[T],
        sa: Shape,
        b: &[T],
        sb: Shape,
        out: &mut [T],
        fresh: bool,
    ) {
        self.clear(out, fresh);
        match self {
            Dot => out[0] = dot(a, b) + if fresh { T::zero() } else { out[0] },
            Conv2d(f) => f.apply(a, b, out),
            MatMul {
                transpose_left,
                transpose_right,
            } => {
                let a = View::new(a, sa.rows, sa.cols).t_if(transpose_left);
                let b = View::new(b, sb.rows, sb.cols).t_if(transpose_right);
                matmul(out, false, a, b, fresh);
            }
        }
    }

    /// The matrix m that a vector of shape `sv`, the `left` or the right operand, is multiplied with, as
    /// one that stands left of it; `None` of anything but a vector.
    fn matrix<'a, T: Real>(
        self,
        left: bool,
        (m, sm): (&'a [T], Shape),
        sv: Shape,
    ) -> Option<View<'a, T>> {
        let MatMul {
            transpose_left,
            transpose_right,
        } = self
        else {
            return None;
        };
        let m = View::new(m, sm.rows, sm.cols);
        let (m, lying) = match left {
            true => (m.t_if(!transpose_right), !transpose_left),
            false => (m.t_if(transpose_left), transpose_right),
        };
        let vector = if lying { sv.rows } else { sv.cols } == 1;
        vector.then_some(m)
    }

    /// `out = B(m, v)` and `moved = B(m, t)`, or `B(v, m)` and `B(t, m)` if the vector is `left`, in one
    /// pass over a matrix m. It was not done, and `false`, of anything but a matrix with a vector.
    pub(crate) fn apply_along<T: Real>(
        self,
        left: bool,
        m: (&[T], Shape),
        ([v, t], sv): ([&[T]; 2], Shape),
        outs: [&mut [T]; 2],
    ) -> bool {
        let matrix = self.matrix(left, m, sv);
        matrix.is_some_and(|m| products(m, [v, t], outs, true))
    }

    /// `out += B(m, v)` for every column v, or with the vector as the `left` operand; or `back`, the
    /// derivative of `⟨v, B(m, w)⟩` by a vector w. It was not done, and `false`, as above.
    pub(crate) fn apply_columns<T: Real>(
        self,
        (left, back): (bool, bool),
        m: (&[T], Shape),
        (vs, sv): (&[T], Shape),
        out: &mut [T],
        fresh: bool,
    ) -> bool {
        let matrix = self.matrix(left, m, sv);
        matrix.is_some_and(|m| columns(m.t_if(back), vs, out, fresh))
    }

    /// `out += ∂⟨ū, B(a, b)⟩/∂a`, for `ū` of shape `su`.
    pub(crate) fn left_adjoint<T: Real>(
        self,
        u: &[T],
        su: Shape,
        b: &[T],
        sb: Shape,
        out: &mut [T],
        fresh: bool,
    ) {
        self.clear(out, fresh);
        match self {
            Dot => put_multiple(out, u[0], b, fresh),
            Conv2d(f) => f.image_adjoint(u, b, out),
            MatMul {
                transpose_left,
                transpose_right,
            } => {
                let b = View::new(b, sb.rows, sb.cols).t_if(transpose_right);
                let u = View::new(u, su.rows, su.cols);
                matmul(out, transpose_left, u, b.t(), fresh);
            }
        }
    }

    /// `out += ∂⟨ū, B(a, b)⟩/∂b`, for `ū` of shape `su`.
    pub(crate) fn right_adjoint<T: Real>(
        self,
        u: &[T],
        su: Shape,
        a: &[T],
        sa: Shape,
        out: &mut [T],
        fresh: bool,
    ) {
        self.clear(out, fresh);
        match self {
            Dot => put_multiple(out, u[0], a, fresh),
            Conv2d(f) => f.kernel_adjoint(u, a, out),
            MatMul {
                transpose_left,
                transpose_right,
            } => {
                let a = View::new(a, sa.rows, sa.cols).t_if(transpose_left);
                let u = View::new(u, su.rows, su.cols);
                matmul(out, transpose_right, a.t(), u, fresh);
            }
        }
    }
}
