//! Hand-fused operations: the trait that users implement for their own kernels.

use crate::program::{Inputs, Node, Program};
use crate::{Real, Shape};

/// What a primal sweep must leave behind for the sweeps that follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// The value alone.
    Value,
    /// Also what [`Primitive::vjp`] reads from the stash.
    Gradient,
    /// Also what [`Primitive::jvp`] and [`Primitive::vjp_tangent`] read from it.
    Curvature,
}

/// The values of a primitive's operands.
///
/// Like its siblings it looks operands up when they are asked for: any number of them, and nothing
/// allocated.
pub struct Operands<'a, T: Real> {
    pub(crate) program: &'a Program<T>,
    pub(crate) node: &'a Node<T>,
    pub(crate) values: &'a [T],
}

#[allow(clippy::len_without_is_empty)] // an operation has at least one operand
impl<T: Real> Operands<'_, T> {
    /// Number of operands.
    pub fn len(&self) -> usize {
        self.node.args.len()
    }

    /// The entries of operand `k`, in column-major order.
    pub fn get(&self, k: usize) -> &[T] {
        self.program.value(self.node.args[k], self.values)
    }
}

/// The tangents of a primitive's operands; an operand that does not move has none.
pub struct OperandTangents<'a, T: Real> {
    pub(crate) program: &'a Program<T>,
    pub(crate) node: &'a Node<T>,
    pub(crate) tangents: &'a [T],
    pub(crate) moving: Inputs,
}

#[allow(clippy::len_without_is_empty)]
impl<T: Real> OperandTangents<'_, T> {
    /// Number of operands.
    pub fn len(&self) -> usize {
        self.node.args.len()
    }

    /// The tangent of operand `k`, or `None` where it is zero.
    pub fn get(&self, k: usize) -> Option<&[T]> {
        let place = self.program.slot(self.node.args[k], self.moving)?;
        Some(&self.tangents[place])
    }
}

/// The adjoints of a primitive's operands, to be **added to**.
pub struct OperandAdjoints<'a, T: Real> {
    pub(crate) program: &'a Program<T>,
    pub(crate) node: &'a Node<T>,
    pub(crate) adjoints: &'a mut [T],
    pub(crate) wanted: Inputs,
}

#[allow(clippy::len_without_is_empty)]
impl<T: Real> OperandAdjoints<'_, T> {
    /// Number of operands.
    pub fn len(&self) -> usize {
        self.node.args.len()
    }

    /// The adjoint of operand `k`, or `None` where nobody asks for it.
    pub fn get(&mut self, k: usize) -> Option<&mut [T]> {
        let place = self.program.slot(self.node.args[k], self.wanted)?;
        Some(&mut self.adjoints[place])
    }

    /// Whether the adjoint of operand `k` is asked for.
    pub fn wants(&self, k: usize) -> bool {
        let arg = self.node.args[k];
        self.program.slot(arg, self.wanted).is_some()
    }
}

/// An operation with hand-written rules for every sweep.
///
/// There are no default bodies: forgetting a rule is a compile error. The engine calls `eval` once
/// per linearisation and the other rules any number of times after it; what `eval` computes on the
/// way (weights, probabilities, a whole gradient) goes to the `stash`, so that each further
/// product at the same point recomputes nothing. A rule may also use a part of the stash that no
/// other rule reads as its scratch.
///
/// Slices hold column-major entries. Rules must be deterministic, and must **add** to adjoints and
/// **overwrite** values and tangents.
///
/// # Example
/// `u = ½‖a‖²` as a primitive:
/// ```
/// use autodiff::{Need, OperandAdjoints, OperandTangents, Operands, Primitive, Program, Real, Shape};
///
/// struct HalfSquaredNorm;
///
/// impl<T: Real> Primitive<T> for HalfSquaredNorm {
///     fn name(&self) -> &str { "half_squared_norm" }
///     fn output_shape(&self, operands: &[Shape]) -> Result<Shape, String> {
///         match operands { [_] => Ok(Shape::SCALAR), _ => Err("one operand".into()) }
///     }
///     fn stash_len(&self, _: &[Shape]) -> usize { 0 }
///     fn eval(&self, a: &Operands<'_, T>, _: Need, out: &mut [T], _: &mut [T]) {
///         out[0] = T::of(0.5) * autodiff::kernels::dot(a.get(0), a.get(0));
///     }
///     fn jvp(&self, a: &Operands<'_, T>, t: &OperandTangents<'_, T>, _: &mut [T], out: &mut [T]) {
///         out[0] = t.get(0).map_or(T::zero(), |t| autodiff::kernels::dot(a.get(0), t));
///     }
///     fn vjp(&self, a: &Operands<'_, T>, _: &mut [T], u: &[T], adjoints: &mut OperandAdjoints<'_, T>) {
///         if let Some(out) = adjoints.get(0) { autodiff::kernels::axpy(out, u[0], a.get(0)); }
///     }
///     fn vjp_tangent(&self, a: &Operands<'_, T>, t: &OperandTangents<'_, T>, _: &mut [T], u: &[T],
///                    du: &[T], adjoints: &mut OperandAdjoints<'_, T>) {
///         if let Some(out) = adjoints.get(0) {
///             autodiff::kernels::axpy(out, du[0], a.get(0));
///             if let Some(t) = t.get(0) { autodiff::kernels::axpy(out, u[0], t); }
///         }
///     }
/// }
///
/// let program = Program::<f64>::record(&[Shape::vector(2)], |v| v[0].fused(HalfSquaredNorm, &[]));
/// let mut point = program.point();
/// assert_eq!(point.linearise(&[&[3.0, 4.0]]), 12.5);
/// assert_eq!(point.gradient(0), [3.0, 4.0]);
/// ```
pub trait Primitive<T: Real>: Send + Sync + 'static {
    /// The name shown in messages.
    fn name(&self) -> &str;

    /// The shape of the value for operands of these shapes, or in words what was expected.
    fn output_shape(&self, operands: &[Shape]) -> Result<Shape, String>;

    /// How many scalars `eval` keeps for the other rules.
    fn stash_len(&self, operands: &[Shape]) -> usize;

    /// Overwrites `out` with the value, and of the stash what `need` asks for.
    fn eval(&self, operands: &Operands<'_, T>, need: Need, out: &mut [T], stash: &mut [T]);

    /// Overwrites `out` with the tangent of the value.
    fn jvp(
        &self,
        operands: &Operands<'_, T>,
        tangents: &OperandTangents<'_, T>,
        stash: &mut [T],
        out: &mut [T],
    );

    /// Adds to each wanted adjoint `ūᵀ ∂u/∂a`.
    fn vjp(
        &self,
        operands: &Operands<'_, T>,
        stash: &mut [T],
        adjoint: &[T],
        adjoints: &mut OperandAdjoints<'_, T>,
    );

    /// Adds to each wanted adjoint tangent the derivative of what [`vjp`](Primitive::vjp) adds,
    /// along the operands' tangents and the tangent of `ū`.
    fn vjp_tangent(
        &self,
        operands: &Operands<'_, T>,
        tangents: &OperandTangents<'_, T>,
        stash: &mut [T],
        adjoint: &[T],
        adjoint_tangent: &[T],
        adjoint_tangents: &mut OperandAdjoints<'_, T>,
    );
}
