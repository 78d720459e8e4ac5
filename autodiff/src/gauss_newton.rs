//! Gauss–Newton products: second derivatives of a loss, and first ones of the model before it.

use crate::inputs::Inputs;
use crate::point::Point;
use crate::program::{Op, Program};
use crate::real::Real;
use crate::rules::linear::Linear;

impl<T: Real> Program<T> {
    /// Whether something is marked as [`outputs`](crate::Var::outputs), here or in a leaf.
    pub fn has_outputs(&self) -> bool {
        let mut ops = self.nodes.iter().map(|node| &node.op);
        ops.any(|op| {
            matches!(op, Op::Linear(Linear::Outputs)) || op.leaves().any(Program::has_outputs)
        })
    }
}

impl<T: Real> Point<T> {
    /// [`second_by`](Point::second_by) with the generalised Gauss–Newton matrix in place of the Hessian:
    /// the second derivatives of whatever the marked [`outputs`](crate::Var::outputs) are computed from
    /// are left out.
    ///
    /// For a loss `g(y) = ℓ(z(y), y)` with outputs z, J = ∂z/∂y and H_ℓ the second derivatives of ℓ by
    /// both its arguments, [`product`](Point::product) is then `[J; I]ᵀ H_ℓ [J; I] v`: positive
    /// semidefinite where ℓ is convex, and the Hessian itself where z is linear in y. What is left out is
    /// `Σ_k ∂ℓ/∂z_k ∇²z_k`. What outputs are computed from is taken as linear wherever it is used, so
    /// that a hidden layer that the loss reads too is as if it were among the outputs.
    ///
    /// # Cost in oracle calls
    /// A Hessian-vector product, and counted as one.
    ///
    /// # Panics
    /// As [`second`](Point::second), or if nothing is [marked](Program::has_outputs).
    ///
    /// # Reference
    /// N. Schraudolph, Fast curvature matrix-vector products for second-order gradient descent, Neural
    /// Computation 14(7), 2002.
    ///
    /// # Example
    /// g(y) = ½ (y² − 3)², outputs z = y²: g'' = z'² + (z − 3) z'' at y = 1, of which z'² stays.
    /// ```
    /// use autodiff::{Inputs, Program, Shape};
    ///
    /// let g = Program::<f64>::record(&[Shape::SCALAR], |v| {
    ///     0.5 * (v[0].square().outputs() - 3.0).square()
    /// });
    /// let mut point = g.point();
    /// point.linearise(&[&[1.0]]);
    /// point.second(&[Some(&[1.0])]);
    /// assert_eq!(point.product(0), [0.0]);
    /// point.gauss_newton(&[Some(&[1.0])], Inputs::ALL);
    /// assert_eq!(point.product(0), [4.0]);
    /// ```
    #[track_caller]
    pub fn gauss_newton(&mut self, directions: &[Option<&[T]>], wanted: Inputs) {
        self.gauss_newton_block(1, directions, wanted);
    }

    /// [`gauss_newton`](Point::gauss_newton) along `width` directions at once, as
    /// [`second_block`](Point::second_block).
    ///
    /// # Panics
    /// If the block is empty, and as [`gauss_newton`](Point::gauss_newton).
    #[track_caller]
    pub fn gauss_newton_block(
        &mut self,
        width: usize,
        directions: &[Option<&[T]>],
        wanted: Inputs,
    ) {
        assert!(
            self.program().has_outputs(),
            "a Gauss–Newton product of a program without outputs: mark them by `outputs()`"
        );
        self.sweep().gauss_newton(width, directions, wanted);
    }
}
