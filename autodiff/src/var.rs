//! `Var`: the handle that objectives are written on.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use nalgebra::{DMatrix, DVector};
use smallvec::SmallVec;

use crate::program::{Inputs, Op, Program};
use crate::recorder::{self, Recorder};
use crate::rules::bilinear::Bilinear;
use crate::rules::elementwise::{Binary, Unary};
use crate::rules::linear::Linear;
use crate::rules::reduce::LogSumExp;
use crate::{Primitive, Real, Shape};

/// A value of a recording: a `Copy` handle with a shape and no number.
///
/// Arithmetic on `Var`s appends operations to the recording. The lifetime is a brand: a `Var` can
/// neither leave the closure it was given to nor meet a `Var` of another recording.
///
/// Every method panics, at the caller's line and with the shapes, where shapes do not fit.
pub struct Var<'r, T: Real = f64> {
    recorder: &'r Recorder<T>,
    id: u32,
    shape: Shape,
    reads: Inputs,
    depends: Inputs,
    // Invariance in 'r is what keeps two recordings apart.
    brand: PhantomData<fn(&'r ()) -> &'r ()>,
}

impl<T: Real> Clone for Var<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Real> Copy for Var<'_, T> {}

impl<T: Real> fmt::Debug for Var<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "%{}: {}", self.id, self.shape)
    }
}

impl<'r, T: Real> Var<'r, T> {
    pub(crate) fn new(
        recorder: &'r Recorder<T>,
        id: u32,
        shape: Shape,
        reads: Inputs,
        depends: Inputs,
    ) -> Self {
        Var {
            recorder,
            id,
            shape,
            reads,
            depends,
            brand: PhantomData,
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    pub(crate) fn reads(&self) -> Inputs {
        self.reads
    }

    pub(crate) fn depends(&self) -> Inputs {
        self.depends
    }

    /// The shape.
    pub fn shape(self) -> Shape {
        self.shape
    }

    /// Number of entries.
    pub fn len(self) -> usize {
        self.shape.len()
    }

    /// Whether there are no entries.
    pub fn is_empty(self) -> bool {
        self.shape.is_empty()
    }

    // ---- constants

    /// A scalar constant of this recording.
    #[track_caller]
    pub fn scalar(self, value: T) -> Self {
        self.recorder.constant(Shape::SCALAR, [value].into_iter())
    }

    /// A constant vector of this recording.
    #[track_caller]
    pub fn vector(self, data: &[T]) -> Self {
        let shape = Shape::vector(data.len());
        self.recorder.constant(shape, data.iter().copied())
    }

    /// A constant matrix of this recording.
    #[track_caller]
    pub fn matrix(self, data: &DMatrix<T>) -> Self {
        let shape = Shape::matrix(data.nrows(), data.ncols());
        self.recorder.constant(shape, data.iter().copied())
    }

    // ---- elementwise (the unary methods come from the table in `rules::elementwise`)

    #[track_caller]
    pub(crate) fn unary(self, f: Unary, p: T) -> Self {
        self.apply(Op::Unary(f, p), &[self], self.shape)
    }

    /// A row of the unary table by value: what a generator of programs uses.
    #[must_use]
    #[track_caller]
    pub fn elementwise(self, f: Unary, parameter: f64) -> Self {
        self.unary(f, T::of(parameter))
    }

    /// A row of the binary table by value. Scalars, rows and columns are repeated to fit.
    #[must_use]
    #[track_caller]
    pub fn elementwise_with(self, f: Binary, other: Self) -> Self {
        let (a, b) = (self.shape, other.shape);
        let fits = |p: usize, q: usize| p == q || p == 1 || q == 1;
        assert!(
            fits(a.rows, b.rows) && fits(a.cols, b.cols),
            "{}: {a} with {b}: shapes must be equal, or one a scalar, a row or a column that repeats",
            f.name()
        );
        let joint = |p: usize, q: usize| if p == 1 { q } else { p };
        let shape = Shape::matrix(joint(a.rows, b.rows), joint(a.cols, b.cols));
        let fit = |v: Self| {
            if v.shape == shape || v.shape.is_scalar() {
                v
            } else {
                v.broadcast(shape)
            }
        };
        let operands = [fit(self), fit(other)];
        self.apply(Op::Binary(f), &operands, shape)
    }

    // ---- reductions

    /// Sum of all entries: a scalar.
    #[must_use]
    #[track_caller]
    pub fn sum(self) -> Self {
        self.linear(Linear::Sum, &[self], Shape::SCALAR)
    }

    /// Mean of all entries: a scalar.
    #[must_use]
    #[track_caller]
    pub fn mean(self) -> Self {
        assert!(!self.is_empty(), "mean of {}", self.shape);
        self.sum() * T::of(1.0 / self.len() as f64)
    }

    /// Sum of each column: `r×c → 1×c`.
    #[must_use]
    #[track_caller]
    pub fn sum_rows(self) -> Self {
        let shape = Shape::matrix(1, self.shape.cols);
        self.linear(Linear::SumRows, &[self], shape)
    }

    /// Sum of each row: `r×c → r×1`.
    #[must_use]
    #[track_caller]
    pub fn sum_cols(self) -> Self {
        let shape = Shape::vector(self.shape.rows);
        self.linear(Linear::SumCols, &[self], shape)
    }

    /// `Σ aᵢ²`: a scalar.
    #[must_use]
    #[track_caller]
    pub fn norm_squared(self) -> Self {
        self.dot(self)
    }

    /// `ln Σ eᵃ` of each column, without overflow: `r×c → 1×c`.
    #[must_use]
    #[track_caller]
    pub fn log_sum_exp(self) -> Self {
        let rows = self.shape.rows;
        self.fused(LogSumExp { rows }, &[])
    }

    // ---- products

    /// `Σ aᵢ bᵢ` of two values of one shape: a scalar.
    #[must_use]
    #[track_caller]
    pub fn dot(self, other: Self) -> Self {
        let (a, b) = (self.shape, other.shape);
        assert!(a == b, "dot: {a} with {b}: shapes must be equal");
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
        let op = Op::Bilinear(Bilinear::MatMul {
            transpose_left,
            transpose_right,
        });
        self.apply(op, &[self, other], Shape::matrix(a.rows, b.cols))
    }

    // ---- rearrangements

    /// `len` consecutive entries from `start` on, in column-major order: a vector.
    #[must_use]
    #[track_caller]
    pub fn slice(self, start: usize, len: usize) -> Self {
        assert!(
            start + len <= self.len(),
            "slice: entries {start}..{} of {}",
            start + len,
            self.shape
        );
        self.linear(Linear::Slice(start), &[self], Shape::vector(len))
    }

    /// Entry `i`, in column-major order: a scalar.
    #[must_use]
    #[track_caller]
    pub fn at(self, i: usize) -> Self {
        assert!(i < self.len(), "at: entry {i} of {}", self.shape);
        self.slice(i, 1)
    }

    /// The entries at these positions, in column-major order: a vector.
    #[must_use]
    #[track_caller]
    pub fn gather(self, positions: &[usize]) -> Self {
        if let Some(bad) = positions.iter().find(|p| **p >= self.len()) {
            panic!("gather: entry {bad} of {}", self.shape);
        }
        let shape = Shape::vector(positions.len());
        self.linear(Linear::Gather(positions.into()), &[self], shape)
    }

    /// The same entries, in column-major order, in another shape.
    #[must_use]
    #[track_caller]
    pub fn reshape(self, rows: usize, cols: usize) -> Self {
        let shape = Shape::matrix(rows, cols);
        assert!(
            shape.len() == self.len(),
            "reshape: {} to {shape}: the number of entries must be equal",
            self.shape
        );
        self.linear(Linear::Reshape, &[self], shape)
    }

    /// Rows and columns exchanged.
    #[must_use]
    #[track_caller]
    pub fn transpose(self) -> Self {
        self.linear(Linear::Transpose, &[self], self.shape.transposed())
    }

    /// This vector followed by others: a vector.
    #[must_use]
    #[track_caller]
    pub fn concat(self, others: &[Self]) -> Self {
        let operands: SmallVec<[Self; 4]> =
            [self].into_iter().chain(others.iter().copied()).collect();
        let len = operands.iter().map(|v| v.len()).sum();
        self.linear(Linear::Concat, &operands, Shape::vector(len))
    }

    /// A scalar, a row or a column repeated to a shape.
    #[must_use]
    #[track_caller]
    pub fn broadcast(self, shape: Shape) -> Self {
        let (a, fits) = (self.shape, |from: usize, to: usize| from == to || from == 1);
        assert!(
            fits(a.rows, shape.rows) && fits(a.cols, shape.cols),
            "broadcast: {a} to {shape}: each side must be equal or 1"
        );
        self.linear(Linear::Broadcast, &[self], shape)
    }

    /// The value itself, as a constant to every derivative.
    #[must_use]
    #[track_caller]
    pub fn stop_gradient(self) -> Self {
        self.linear(Linear::StopGradient, &[self], self.shape)
    }

    // ---- larger operations

    /// A hand-fused operation on this operand and `others`.
    #[must_use]
    #[track_caller]
    pub fn fused(self, primitive: impl Primitive<T>, others: &[Self]) -> Self {
        let operands: SmallVec<[Self; 4]> =
            [self].into_iter().chain(others.iter().copied()).collect();
        let shapes: SmallVec<[Shape; 4]> = operands.iter().map(|v| v.shape).collect();
        let shape = match primitive.output_shape(&shapes) {
            Ok(shape) => shape,
            Err(expected) => {
                let got: Vec<String> = shapes.iter().map(Shape::to_string).collect();
                let (name, got) = (primitive.name(), got.join(", "));
                panic!("{name}: got {got}: expected {expected}");
            }
        };
        self.apply(Op::Fused(Box::new(primitive)), &operands, shape)
    }

    /// The gradient of the scalar program `of` by its input `wrt`, at these arguments, as an
    /// operation: its pullback is a Hessian-vector product of `of`.
    #[must_use]
    #[track_caller]
    pub fn gradient(of: &Arc<Program<T>>, wrt: usize, arguments: &[Self]) -> Self {
        assert!(
            of.output_shape().is_scalar(),
            "gradient: of a function with value {}: expected a scalar",
            of.output_shape()
        );
        assert!(
            wrt < of.inputs() && arguments.len() == of.inputs(),
            "gradient: by input {wrt} with {} arguments: the function has {} inputs",
            arguments.len(),
            of.inputs()
        );
        for (k, a) in arguments.iter().enumerate() {
            let want = of.input_shape(k);
            assert!(
                a.len() == want.len(),
                "gradient: argument {k} is {}: expected {want}",
                a.shape
            );
        }
        let shape = arguments[wrt].shape;
        arguments[wrt].apply(recorder::gradient(of, wrt), arguments, shape)
    }

    #[track_caller]
    fn linear(self, f: Linear, operands: &[Self], shape: Shape) -> Self {
        self.apply(Op::Linear(f), operands, shape)
    }

    #[track_caller]
    fn apply(self, op: Op<T>, operands: &[Self], shape: Shape) -> Self {
        self.recorder.operation(op, operands, shape)
    }
}

/// Operators; data of the caller (`&DMatrix`, `&DVector`, scalars) becomes constants.
mod operators {
    use super::*;
    use std::ops::{Add, Div, Mul, Neg, Sub};

    macro_rules! operator {
        ($($Trait:ident $method:ident $Row:ident;)*) => { $(
            impl<'r, T: Real> $Trait for Var<'r, T> {
                type Output = Var<'r, T>;
                #[track_caller]
                fn $method(self, other: Self) -> Self { self.elementwise_with(Binary::$Row, other) }
            }

            impl<'r, T: Real> $Trait<T> for Var<'r, T> {
                type Output = Var<'r, T>;
                #[track_caller]
                fn $method(self, other: T) -> Self {
                    self.elementwise_with(Binary::$Row, self.scalar(other))
                }
            }

            impl<'r> $Trait<Var<'r, f64>> for f64 {
                type Output = Var<'r, f64>;
                #[track_caller]
                fn $method(self, other: Var<'r, f64>) -> Var<'r, f64> {
                    other.scalar(self).elementwise_with(Binary::$Row, other)
                }
            }

            impl<'r> $Trait<Var<'r, f32>> for f32 {
                type Output = Var<'r, f32>;
                #[track_caller]
                fn $method(self, other: Var<'r, f32>) -> Var<'r, f32> {
                    other.scalar(self).elementwise_with(Binary::$Row, other)
                }
            }
        )* };
    }

    operator! {
        Add add Add;
        Sub sub Sub;
        Mul mul Mul;
        Div div Div;
    }

    macro_rules! with_vector {
        ($($Trait:ident $method:ident $Row:ident;)*) => { $(
            impl<'r, T: Real> $Trait<&DVector<T>> for Var<'r, T> {
                type Output = Var<'r, T>;
                #[track_caller]
                fn $method(self, other: &DVector<T>) -> Self {
                    self.elementwise_with(Binary::$Row, self.vector(other.as_slice()))
                }
            }
        )* };
    }

    with_vector! {
        Add add Add;
        Sub sub Sub;
    }

    impl<T: Real> Neg for Var<'_, T> {
        type Output = Self;
        #[track_caller]
        fn neg(self) -> Self {
            self.neg_()
        }
    }

    /// The matrix product with a constant matrix.
    impl<'r, T: Real> Mul<Var<'r, T>> for &DMatrix<T> {
        type Output = Var<'r, T>;
        #[track_caller]
        fn mul(self, v: Var<'r, T>) -> Var<'r, T> {
            v.matrix(self).matmul(v)
        }
    }
}
