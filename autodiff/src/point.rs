//! A function linearised at a point: once, for many products.

mod products;

use std::fmt;
use std::sync::Arc;

use crate::bytes::Meter;
use crate::inputs::Inputs;
use crate::kinks::Kink;
use crate::linearised::{Extent, Need};
use crate::non_finite::NonFinite;
use crate::program::Program;
use crate::real::Real;
use crate::recordings::Share;
use crate::sweep::{Sweep, primal_bytes, reverse_bytes, scratch_bytes};
use crate::workspace::{Sweeps, Workspace};

/// A program with buffers of its own: a function that can be evaluated, differentiated, or
/// linearised once for many products with its derivatives.
///
/// | | of a scalar | of any shape |
/// |---|---|---|
/// | value | [`value`](Point::value) | [`evaluate`](Point::evaluate) |
/// | and its derivatives | [`linearise`](Point::linearise) | [`linearise_vector`](Point::linearise_vector) |
/// | forward mode, Jv | [`directional`](Point::directional) | [`push_forward`](Point::push_forward) |
/// | reverse mode, Jᵀu | [`gradient`](Point::gradient) | [`pull_back`](Point::pull_back) |
/// | second order, (∂Jᵀ/∂v)u | [`second`](Point::second) | [`second`](Point::second) after [`pull_back`](Point::pull_back) |
/// | Gauss–Newton, JᵀH_ℓJ v | [`gauss_newton`](Point::gauss_newton) | |
///
/// Buffers are made at their first use, and again for a wider block of directions; after that
/// nothing is allocated.
///
/// # Example
/// One sweep gives the Hessian-vector product and the cross product:
/// ```
/// use autodiff::{Program, Shape};
///
/// // g(x, y) = x y²
/// let g = Program::<f64>::record(&[Shape::SCALAR; 2], |v| v[0] * v[1].square());
/// let mut point = g.point();
/// assert_eq!(point.linearise(&[&[3.0], &[5.0]]), 75.0);
/// assert_eq!((point.gradient(0), point.gradient(1)), (&[25.0][..], &[30.0][..]));
/// point.second(&[None, Some(&[1.0])]);
/// assert_eq!(point.product(0), [10.0]); // ∂²g/∂x∂y = 2y
/// assert_eq!(point.product(1), [6.0]); // ∂²g/∂y² = 2x
/// ```
/// A function with two values, its Jacobian from either side:
/// ```
/// use autodiff::{Inputs, Program, Shape};
///
/// // f(x) = (x₀ x₁, x₁²)
/// let f = Program::<f64>::record(&[Shape::vector(2)], |v| v[0] * v[0].at(1));
/// let mut point = f.point();
/// assert_eq!(point.linearise_vector(&[&[2.0, 3.0]]), [6.0, 9.0]);
/// assert_eq!(point.push_forward(&[Some(&[1.0, 0.0])]), Some(&[3.0, 0.0][..])); // column 0
/// point.pull_back(&[1.0, 0.0], Inputs::ALL);
/// assert_eq!(point.gradient(0), [3.0, 2.0]); // row 0
/// point.second(&[Some(&[1.0, 0.0])]);
/// assert_eq!(point.product(0), [0.0, 1.0]); // its derivative by x₀
/// ```
pub struct Point<T: Real> {
    program: Arc<Program<T>>,
    work: Workspace<T>,
    _share: Share<T>,
}

impl<T: Real> fmt::Debug for Point<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Point")
            .field("program", &self.program.summary())
            .field("state", &self.work.state)
            .finish_non_exhaustive()
    }
}

impl<T: Real> Point<T> {
    /// A point of `program`, its bytes counted on `meter`.
    pub fn new(program: Arc<Program<T>>, meter: &Meter) -> Self {
        Point {
            work: Workspace::new(&program, meter),
            _share: Share::new(&program, meter),
            program,
        }
    }

    /// Predicts the bytes of a point after [`differentiate`](Point::differentiate): the recording,
    /// values and adjoints.
    pub fn gradient_bytes(program: &Program<T>) -> usize {
        let sweeps =
            scratch_bytes(program) + primal_bytes(program) + reverse_bytes(program, Inputs::ALL);
        program.bytes() + Workspace::bytes(program) + sweeps
    }

    /// The program.
    pub fn program(&self) -> &Arc<Program<T>> {
        &self.program
    }

    /// Sets the last inputs of the program, which every later call leaves out: what a function depends
    /// on beside its variables, such as the samples of a [`Batch`](crate::Batch).
    ///
    /// # Panics
    /// If a length differs from its input's, or there are more of them than inputs.
    #[track_caller]
    pub fn hold(&mut self, inputs: &[&[T]]) {
        let count = self.program.inputs();
        assert!(
            inputs.len() <= count,
            "{} inputs to hold: the program has {count}",
            inputs.len()
        );
        self.work.held = inputs.len();
        for (k, input) in inputs.iter().enumerate() {
            self.work
                .set_input(&self.program, count - inputs.len() + k, input);
        }
    }

    /// The value at `inputs`, and nothing else.
    ///
    /// # Panics
    /// If the number of inputs or a length differs from the program's, as in all methods of a point,
    /// or the program's value is not a scalar, as in all that return one.
    #[track_caller]
    pub fn value(&mut self, inputs: &[&[T]]) -> T {
        self.expect_scalar();
        self.entries(inputs, Need::Value)[0]
    }

    /// The value at `inputs`, of any shape, and nothing else: its entries in column-major order.
    ///
    /// # Panics
    /// If the number of inputs or a length differs from the program's.
    #[track_caller]
    pub fn evaluate(&mut self, inputs: &[&[T]]) -> &[T] {
        self.entries(inputs, Need::Value)
    }

    /// [`evaluate`](Point::evaluate), and what [`pull_back`](Point::pull_back),
    /// [`push_forward`](Point::push_forward) and [`second`](Point::second) need: any number of them
    /// may follow.
    ///
    /// # Panics
    /// As [`evaluate`](Point::evaluate).
    #[track_caller]
    pub fn linearise_vector(&mut self, inputs: &[&[T]]) -> &[T] {
        self.entries(inputs, Need::Curvature)
    }

    /// Pulls a cotangent u of the value f back to the inputs `wanted`, in reverse mode.
    ///
    /// [`gradient`](Point::gradient) then gives the vector-Jacobian product Jᵀu, which is the gradient
    /// of ⟨u, f⟩, and [`second`](Point::second) the products with the Hessian of ⟨u, f⟩.
    ///
    /// # Panics
    /// If the lengths of cotangent and value differ, or the program was not linearised.
    #[track_caller]
    pub fn pull_back(&mut self, cotangent: &[T], wanted: Inputs) {
        self.sweep().reverse(cotangent, wanted);
    }

    /// Pushes a direction v of each input, `None` being zero, forward to the value.
    ///
    /// Returns the Jacobian-vector product Jv, or `None` where the value does not depend on the
    /// inputs that move.
    ///
    /// # Panics
    /// If a length differs from its input's, or the program was not linearised.
    #[track_caller]
    pub fn push_forward(&mut self, directions: &[Option<&[T]>]) -> Option<&[T]> {
        self.sweep().tangent(1, directions)
    }

    /// The value at `inputs` and its [`gradient`](Point::gradient)s by the inputs `wanted`.
    #[track_caller]
    pub fn differentiate(&mut self, inputs: &[&[T]], wanted: Inputs) -> T {
        self.sweep_at(inputs, (Need::Gradient, Extent::Whole), wanted);
        self.work.output(&self.program)[0]
    }

    /// The [`gradient`](Point::gradient)s alone at a new point, by the inputs `wanted`.
    ///
    /// Leaves out what only the value needs.
    #[track_caller]
    pub fn gradient_at(&mut self, inputs: &[&[T]], wanted: Inputs) {
        self.sweep_at(inputs, (Need::Gradient, Extent::Derivatives), wanted);
    }

    /// The value at `inputs`, the gradients by all of them, and what [`second`](Point::second)
    /// needs.
    #[track_caller]
    pub fn linearise(&mut self, inputs: &[&[T]]) -> T {
        self.sweep_at(inputs, (Need::Curvature, Extent::Whole), Inputs::ALL);
        self.work.output(&self.program)[0]
    }

    /// [`linearise`](Point::linearise) and [`second`](Point::second) in one, for a direction that is
    /// known beforehand.
    ///
    /// Fused losses then pass over their data once instead of twice, with the same bits. Further
    /// [`second`](Point::second) sweeps may follow.
    #[track_caller]
    pub fn linearise_along(&mut self, inputs: &[&[T]], directions: &[Option<&[T]>]) -> T {
        self.expect_scalar();
        self.set(inputs);
        self.sweep().joint(true, directions, Inputs::ALL);
        self.work.output(&self.program)[0]
    }

    /// [`linearise_along`](Point::linearise_along) without the value: leaves out what only that needs.
    #[track_caller]
    pub fn gradient_along(&mut self, inputs: &[&[T]], directions: &[Option<&[T]>]) {
        self.expect_scalar();
        self.set(inputs);
        self.sweep().joint(false, directions, Inputs::ALL);
    }

    /// The [`product`](Point::product)s alone at a new point, along a direction that is known
    /// beforehand.
    ///
    /// Leaves out what only the value and the gradients need. Further products need a
    /// [`linearise`](Point::linearise).
    #[track_caller]
    pub fn second_at(&mut self, inputs: &[&[T]], directions: &[Option<&[T]>], wanted: Inputs) {
        self.expect_scalar();
        self.set(inputs);
        self.sweep().products(directions, wanted);
    }

    /// The gradient by input `k`, of its length, after [`differentiate`](Point::differentiate),
    /// [`linearise`](Point::linearise) or [`pull_back`](Point::pull_back).
    ///
    /// # Panics
    /// If this gradient was not asked for since the last evaluation.
    #[track_caller]
    pub fn gradient(&self, k: usize) -> &[T] {
        self.work.adjoint(&self.program, k)
    }

    /// How often the program was swept.
    pub fn sweeps(&self) -> Sweeps {
        self.work.sweeps
    }

    /// How often `of` was swept, by gradients of it inside the program.
    pub fn sweeps_of(&self, of: &Program<T>) -> Sweeps {
        self.work.sweeps_of(&self.program, of)
    }

    /// The lengths of the buffers that were made at their first use.
    ///
    /// A saved run records them, so that a point of the same program can hold as many bytes when
    /// the run is continued: see [`make_room`](Point::make_room).
    pub fn room(&self) -> Vec<usize> {
        let mut lengths = Vec::new();
        self.work.note_room(&mut lengths);
        lengths
    }

    /// Makes the buffers whose lengths another point of the program gave as its
    /// [`room`](Point::room).
    ///
    /// Returns whether a point of the program can have these lengths; if not, some of the buffers
    /// may have been made.
    pub fn make_room(&mut self, lengths: &[usize]) -> bool {
        let mut lengths = lengths.iter().copied();
        self.work.make_room(&self.program, &mut lengths) && lengths.next().is_none()
    }

    /// Where the first value that is not finite arose in the last evaluation.
    #[inline(never)]
    pub fn first_non_finite(&self) -> Option<NonFinite> {
        self.program.first_non_finite(&self.work)
    }

    /// The kinks that the last evaluation was at, within rounding, each with its operation and the
    /// line that recorded it. A derivative there is a convention.
    ///
    /// Looks at the values of the last evaluation: no sweep is made, and nothing is allocated where no
    /// kink is near. (Leaves of a [sum](crate::Var::sum_of_leaves) whose values went with a gradient are
    /// evaluated again.)
    ///
    /// Where gradients were computed, a kink whose derivative is multiplied by a constant 0 does not
    /// count. Gradients inside the program are not looked into.
    ///
    /// # Panics
    /// If nothing was evaluated.
    ///
    /// # Example
    /// ```
    /// use autodiff::{Program, Shape};
    ///
    /// let f = Program::<f64>::record(&[Shape::vector(3)], |v| (v[0] - 1.0).abs().sum());
    /// let mut point = f.point();
    /// point.linearise(&[&[1.0, 2.0, 1.0]]);
    /// let kinks = point.kinks();
    /// assert_eq!(kinks.iter().map(|k| k.entry).collect::<Vec<_>>(), [0, 2]);
    /// assert_eq!(kinks[0].sides, Some((-1.0, 1.0)));
    /// assert!(kinks[0].to_string().starts_with("abs at entry 0 ("));
    /// assert!(kinks[0].to_string().ends_with("), whose derivative jumps from -1 to 1"));
    /// point.linearise(&[&[1.1, 2.0, 0.9]]);
    /// assert!(point.kinks().is_empty());
    /// ```
    #[track_caller]
    #[inline(never)]
    pub fn kinks(&self) -> Vec<Kink> {
        assert!(
            self.work.state.need().is_some(),
            "kinks: nothing was evaluated: ask for a value or a derivative first"
        );
        self.program.kinks(&self.work)
    }

    pub(crate) fn sweep(&mut self) -> Sweep<'_, T> {
        Sweep::of(&self.program, &mut self.work)
    }

    /// A primal sweep and a reverse one.
    #[track_caller]
    fn sweep_at(&mut self, inputs: &[&[T]], how: (Need, Extent), wanted: Inputs) {
        self.expect_scalar();
        self.set(inputs);
        self.sweep().differentiate(how, &[T::one()], wanted);
    }

    #[track_caller]
    fn entries(&mut self, inputs: &[&[T]], need: Need) -> &[T] {
        self.set(inputs);
        self.sweep().primal(need);
        self.work.output(&self.program)
    }

    #[track_caller]
    fn expect_scalar(&self) {
        assert!(
            self.program.output_shape().is_scalar(),
            "the program's value is {}: expected a scalar",
            self.program.output_shape()
        );
    }

    #[track_caller]
    fn set(&mut self, inputs: &[&[T]]) {
        assert_eq!(
            inputs.len() + self.work.held,
            self.program.inputs(),
            "number of inputs of the program"
        );
        for (k, input) in inputs.iter().enumerate() {
            self.work.set_input(&self.program, k, input);
        }
    }
}

impl<T: Real> Program<T> {
    /// A point of this program with a meter of its own.
    pub fn point(self: &Arc<Self>) -> Point<T> {
        Point::new(self.clone(), &Meter::new())
    }
}
