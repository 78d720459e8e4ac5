//! Products: each is linear in either operand.

use crate::program::Op;
use crate::real::Real;
use crate::rules::bilinear::Bilinear;
use crate::rules::conv::{Conv2d, Padding};
use crate::shape::Shape;
use crate::var::Var;

impl<T: Real> Var<'_, T> {
    /// `Σ aᵢ bᵢ` of two values of one shape: a scalar.
    #[must_use]
    #[track_caller]
    pub fn dot(self, other: Self) -> Self {
        let (a, b) = (self.shape, other.shape);
        assert!(a == b, "dot: {a} with {b}: shapes must be equal");
        if let Some(square) = self.smooth_product(other) {
            return square.sum();
        }
        self.apply(Op::Bilinear(Bilinear::Dot), &[self, other], Shape::SCALAR)
    }

    /// Matrix product `a · b`; vectors are matrices of one column.
    #[must_use]
    #[track_caller]
    pub fn matmul(self, other: Self) -> Self {
        self.product(other, false, false)
    }

    /// `aᵀ · b`, without forming the transpose.
    #[must_use]
    #[track_caller]
    pub fn tr_matmul(self, other: Self) -> Self {
        self.product(other, true, false)
    }

    /// `a · bᵀ`, without forming the transpose.
    #[must_use]
    #[track_caller]
    pub fn matmul_tr(self, other: Self) -> Self {
        self.product(other, false, true)
    }

    #[track_caller]
    #[inline(never)]
    fn product(self, other: Self, transpose_left: bool, transpose_right: bool) -> Self {
        let flip = |s: Shape, t: bool| if t { s.transposed() } else { s };
        let (a, b) = (
            flip(self.shape, transpose_left),
            flip(other.shape, transpose_right),
        );
        assert!(
            a.cols == b.rows,
            "matmul: {a} times {b}: the columns of the first must be the rows of the second"
        );
        if a.rows == 1
            && b.cols == 1
            && let Some(square) = self.smooth_product(other)
        {
            return square.sum();
        }
        if let Some(product) = self.picked_product(other, (transpose_left, transpose_right)) {
            return product;
        }
        let op = Op::Bilinear(Bilinear::MatMul {
            transpose_left,
            transpose_right,
        });
        self.apply(op, &[self, other], Shape::matrix(a.rows, b.cols))
    }

    /// `a · bᵀ` of two vectors: a matrix.
    #[must_use]
    #[track_caller]
    #[inline(never)]
    pub fn outer(self, other: Self) -> Self {
        let (a, b) = (self.shape, other.shape);
        assert!(
            a.cols == 1 && b.cols == 1,
            "outer: {a} with {b}: expected two vectors"
        );
        self.matmul_tr(other)
    }

    /// Convolution of this image with a small kernel: of the image's shape, or smaller with
    /// [`Padding::Valid`].
    ///
    /// `u[i, j] = Σ k[p, q] a[i + cp − p, j + cq − q]`: the kernel is turned around, as in NumPy's
    /// `convolve`, and centred at `cp = (kh − 1) / 2`, rounded down, as in SciPy's `convolve2d`.
    ///
    /// # Panics
    /// If the kernel does not fit the image: half of it with [`Padding::Reflect`], all of it with
    /// [`Padding::Wrap`] and [`Padding::Valid`].
    ///
    /// ```
    /// use autodiff::{Padding, Program, Shape};
    ///
    /// // A blur by an unknown kernel, mirrored at the edges.
    /// let shapes = [Shape::matrix(8, 8), Shape::matrix(3, 3)];
    /// let blur = Program::<f64>::record(&shapes, |v| {
    ///     v[0].conv2d(v[1], Padding::Reflect).norm_squared()
    /// });
    /// assert_eq!(blur.point().value(&[&[1.0; 64], &[1.0 / 8.0; 9]]), 81.0);
    /// ```
    #[must_use]
    #[track_caller]
    #[inline(never)]
    pub fn conv2d(self, kernel: Self, padding: Padding) -> Self {
        let conv = self.convolution("conv2d", kernel.shape, padding);
        let op = Op::Bilinear(Bilinear::Conv2d(conv));
        self.apply(op, &[self, kernel], conv.output())
    }

    /// [`conv2d`](Var::conv2d) of this image with several kernels of `kernel_rows × kernel_cols`,
    /// one in each column of `filters`: the values are the columns of the result, each with the
    /// image's columns one after the other.
    ///
    /// # Panics
    /// Like `conv2d`, and if the rows of `filters` are not as many as a kernel's entries.
    #[must_use]
    #[track_caller]
    #[inline(never)]
    pub fn conv2d_filters(
        self,
        filters: Self,
        (kernel_rows, kernel_cols): (usize, usize),
        padding: Padding,
    ) -> Self {
        let kernel = Shape::matrix(kernel_rows, kernel_cols);
        assert!(
            kernel.len() == filters.shape.rows,
            "conv2d_filters: {} holds no kernels of {kernel_rows}×{kernel_cols} in its columns",
            filters.shape
        );
        let conv = self.convolution("conv2d_filters", kernel, padding);
        let op = Op::Bilinear(Bilinear::Conv2d(conv));
        let shape = Shape::matrix(conv.output().len(), filters.shape.cols);
        self.apply(op, &[self, filters], shape)
    }

    #[track_caller]
    fn convolution(self, name: &str, kernel: Shape, padding: Padding) -> Conv2d {
        let (image, rows, cols) = (self.shape, kernel.rows, kernel.cols);
        match Conv2d::new(image, kernel, padding) {
            Some(conv) => conv,
            None => {
                panic!("{name}: {image} with a kernel of {rows}×{cols}: too large for {padding:?}")
            }
        }
    }
}
