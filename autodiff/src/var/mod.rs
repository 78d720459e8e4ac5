//! `Var`: the handle that objectives are written on.

mod operators;
mod products;
mod reductions;
mod smooth;
mod structure;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use nalgebra::DMatrix;
use smallvec::SmallVec;

use crate::leaves::Leaves;
use crate::primitive::Primitive;
use crate::program::{Op, Program};
use crate::real::Real;
use crate::recorder::Recorder;
use crate::rules::elementwise::{Binary, Unary};
use crate::rules::linear::Linear;
use crate::shape::Shape;
use crate::site::Site;

/// A value of a recording: a `Copy` handle with a shape and no number.
///
/// Arithmetic on `Var`s appends operations to the recording. The lifetime is a brand: a `Var` can
/// neither leave the closure it was given to nor meet a `Var` of another recording.
///
/// Every method panics, at the caller's line and with the shapes, where shapes do not fit.
pub struct Var<'r, T: Real = f64> {
    pub(crate) recorder: &'r Recorder<T>,
    pub(crate) id: u32,
    shape: Shape,
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
    /// The handle of a recorded value.
    pub(crate) fn of(recorder: &'r Recorder<T>, id: u32) -> Self {
        Var {
            recorder,
            id,
            shape: recorder.node(id).shape,
            brand: PhantomData,
        }
    }

    /// The handles of inputs of these shapes, with which a recording begins.
    #[track_caller]
    pub(crate) fn inputs(recorder: &'r Recorder<T>, shapes: &[Shape]) -> Vec<Self> {
        assert!(
            (1..=64).contains(&shapes.len()),
            "a program has 1 to 64 inputs, not {}",
            shapes.len()
        );
        let input = |shape: &Shape| Var::of(recorder, recorder.input(*shape));
        shapes.iter().map(input).collect()
    }

    /// The number of its node.
    pub(crate) fn id(self) -> u32 {
        self.id
    }

    #[track_caller]
    fn constant(self, shape: Shape, data: impl Iterator<Item = T>) -> Self {
        Var::of(self.recorder, self.recorder.constant(shape, data))
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

    /// Records what `f` makes of this value under this site: messages then name it, and not a line of
    /// Rust.
    ///
    /// ```
    /// use autodiff::{Program, Shape};
    ///
    /// let program = Program::<f64>::record(&[Shape::SCALAR], |v| {
    ///     v[0].recorded_at("objective.py:12", |x| x.ln())
    /// });
    /// let found = program.find_non_finite(&[&[-1.0]], &[None]).expect("ln(−1)");
    /// assert!(found.to_string().ends_with("recorded at objective.py:12)"));
    /// ```
    pub fn recorded_at<R>(self, site: impl Into<Site>, f: impl FnOnce(Self) -> R) -> R {
        let before = self.recorder.set_site(Some(site.into()));
        let made = f(self);
        self.recorder.set_site(before);
        made
    }

    // ---- constants

    /// A scalar constant of this recording.
    #[track_caller]
    pub fn scalar(self, value: T) -> Self {
        self.constant(Shape::SCALAR, [value].into_iter())
    }

    /// A constant vector of this recording.
    #[track_caller]
    pub fn vector(self, data: &[T]) -> Self {
        let shape = Shape::vector(data.len());
        self.constant(shape, data.iter().copied())
    }

    /// A constant matrix of this recording.
    #[track_caller]
    pub fn matrix(self, data: &DMatrix<T>) -> Self {
        let shape = Shape::matrix(data.nrows(), data.ncols());
        self.constant(shape, data.iter().copied())
    }

    // ---- elementwise (the unary methods come from the table in `rules::elementwise`)

    #[track_caller]
    #[inline(never)]
    pub(crate) fn unary(self, f: Unary, p: T) -> Self {
        match self.smooth_power(f, p) {
            Some(smooth) => smooth,
            None => self.apply(Op::Unary(f, p), &[self], self.shape),
        }
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
    #[inline(never)]
    pub fn elementwise_with(self, f: Binary, other: Self) -> Self {
        let (a, b) = (self.shape, other.shape);
        let fits = |p: usize, q: usize| p == q || p == 1 || q == 1;
        assert!(
            fits(a.rows, b.rows) && fits(a.cols, b.cols),
            "{}: {a} with {b}: shapes must be equal, or one a scalar, a row or a column that repeats",
            f.name()
        );
        let smooth = match f {
            Binary::Mul => self.smooth_product(other),
            Binary::Add => self.smooth_sum(other),
            _ => None,
        };
        if let Some(smooth) = smooth {
            return smooth;
        }
        let joint = |p: usize, q: usize| if p == 1 { q } else { p };
        let shape = Shape::matrix(joint(a.rows, b.rows), joint(a.cols, b.cols));
        let operands = [self.fit(shape), other.fit(shape)];
        self.apply(Op::Binary(f), &operands, shape)
    }

    /// This operand as a binary row takes it: a scalar, or of the value's shape. (A closure would
    /// not hand the caller's line on.)
    #[track_caller]
    fn fit(self, shape: Shape) -> Self {
        if self.shape == shape || self.shape.is_scalar() {
            self
        } else {
            self.broadcast(shape)
        }
    }

    /// The entries clipped to `low..=high`: what [`max`](Var::max) and [`min`](Var::min) with these
    /// scalars give.
    #[must_use]
    #[track_caller]
    pub fn clip(self, low: f64, high: f64) -> Self {
        assert!(low <= high, "clip: to {low}..={high}");
        let (low, high) = (self.scalar(T::of(low)), self.scalar(T::of(high)));
        self.max(low).min(high)
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
        self.apply(Op::Fused(Arc::new(primitive)), &operands, shape)
    }

    /// The same operation on the same operands, once more.
    #[track_caller]
    pub(crate) fn once_more(self) -> Self {
        let (op, operands) = {
            let node = self.recorder.node(self.id);
            let of = node.args.iter().map(|a| Var::of(self.recorder, *a));
            (node.op.clone(), of.collect::<SmallVec<[Self; 4]>>())
        };
        self.apply(op, &operands, self.shape)
    }

    /// The gradient of the scalar program `of` by its input `wrt`, at these arguments, as an
    /// operation: its pullback is a Hessian-vector product of `of`.
    #[must_use]
    #[track_caller]
    #[inline(never)]
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
        let of = of.clone();
        arguments[wrt].apply(Op::Gradient { of, wrt }, arguments, shape)
    }

    #[track_caller]
    #[inline(never)]
    pub(crate) fn leaves(self, leaves: Leaves<T>, operands: &[Self], shape: Shape) -> Self {
        self.apply(Op::Leaves(leaves), operands, shape)
    }

    #[track_caller]
    fn linear(self, f: Linear, operands: &[Self], shape: Shape) -> Self {
        self.apply(Op::Linear(f), operands, shape)
    }

    #[track_caller]
    fn apply(self, op: Op<T>, operands: &[Self], shape: Shape) -> Self {
        let operands = operands.iter().map(|v| v.id);
        Var::of(self.recorder, self.recorder.operation(op, operands, shape))
    }
}

impl<T: Real> Program<T> {
    /// Records `f` on inputs of these shapes.
    ///
    /// `f` sees [`Var`]s, which have shapes but no values, so a recording holds for every value of
    /// the inputs. A `Var` cannot leave its recording:
    /// ```compile_fail
    /// # use autodiff::{Program, Shape, Var};
    /// let mut kept: Option<Var> = None;
    /// Program::<f64>::record(&[Shape::SCALAR], |v| { kept = Some(v[0]); v[0] });
    /// ```
    ///
    /// # Panics
    /// If there are no inputs or more than 64; shape mistakes inside `f` panic at the line of `f`
    /// where they are made, with both shapes.
    #[track_caller]
    pub fn record<F>(inputs: &[Shape], f: F) -> Arc<Program<T>>
    where
        F: for<'r> FnOnce(&[Var<'r, T>]) -> Var<'r, T>,
    {
        let recorder = Recorder::new();
        let vars = Var::inputs(&recorder, inputs);
        let output = f(&vars).id;
        Arc::new(recorder.finish(inputs.len(), output))
    }
}
