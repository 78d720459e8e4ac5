//! Bilinear operations: one product and its two adjoints give every sweep.

use super::conv;
use crate::kernels::{View, axpy, dot, matmul};
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

    /// Zeroes what is fresh, unless the product takes its place.
    fn clear<T: Real>(self, out: &mut [T], fresh: bool) {
        if fresh && !matches!(self, MatMul { .. }) {
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

    /// The operation turned around, `B(a, b)ᵀ` of `b` and `aᵀ`, on `width` left operands of shape
    /// `sa` that are rows, and the shape of their transposes together.
    pub(crate) fn wide_left(self, sa: Shape, width: usize) -> Option<(Bilinear, Shape)> {
        let MatMul {
            transpose_left,
            transpose_right,
        } = self
        else {
            return None;
        };
        let shape = if transpose_left { sa.transposed() } else { sa };
        let turned = MatMul {
            transpose_left: !transpose_right,
            transpose_right: false,
        };
        (shape.rows == 1).then_some((turned, Shape::matrix(shape.cols, width)))
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
            Dot => out[0] += dot(a, b),
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
            Dot => axpy(out, u[0], b),
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
            Dot => axpy(out, u[0], a),
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
