//! The bytes of many derivatives of one solution, without running anything.

use autodiff::{Point, Real};

use crate::linear::LinearSolver;
use crate::linear::dense::BLOCK;
use crate::linear::system;
use crate::{Layer, Strategy};

impl<T: Real> Layer<T> {
    /// The most bytes that the workspace of [`pull_back`](Layer::pull_back) with `count` cotangents holds,
    /// without running anything, and with the matrix that comes back.
    ///
    /// The peak of the [estimate](crate::Sensitivities::estimate) is exactly this, in a workspace that was
    /// fresh or used by this strategy alone for as many. Of an implicit strategy from outside of this crate
    /// that holds if it allocates nothing beside its scratch but what its [solver](Strategy::implicit) says.
    ///
    /// # Panics
    /// If the strategy's settings are not valid.
    ///
    /// # Example
    /// ```
    /// use autodiff::{Var, objective};
    /// use nalgebra::{DMatrix, DVector};
    /// use solvers::{Aid, Layer, Row};
    ///
    /// let g = objective(|x: Var, y: Var| 0.5 * (y - x).norm_squared() + 0.1 * y.exp().sum());
    /// let layer = Layer::new(g, 50, 50)?;
    /// let predicted = layer.predicted_pull_back_bytes(&Aid::cg(), 20);
    /// let row = Row::new(DVector::from_element(50, 0.3));
    /// let cotangents = DMatrix::from_fn(50, 20, |i, j| ((i * j) as f64).sin());
    /// let back = layer.pull_back(&Aid::cg(), &row, &cotangents, &mut layer.workspace())?;
    /// assert_eq!(back.estimate.bytes.peak, predicted);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline(never)]
    pub fn predicted_pull_back_bytes(&self, strategy: &dyn Strategy<T>, count: usize) -> usize {
        self.predicted_bytes(strategy, count, self.problem.dim_x() * count)
    }

    /// The same of [`jacobian`](Layer::jacobian).
    ///
    /// # Panics
    /// As [`predicted_pull_back_bytes`](Layer::predicted_pull_back_bytes).
    #[inline(never)]
    pub fn predicted_jacobian_bytes(&self, strategy: &dyn Strategy<T>) -> usize {
        let (dim_x, dim_y) = (self.problem.dim_x(), self.problem.dim_y());
        let count = match self.in_blocks(strategy) {
            Some(_) => dim_x.min(dim_y),
            None => dim_y,
        };
        self.predicted_bytes(strategy, count, dim_x * dim_y)
    }

    /// Of `count` systems, with a matrix of so many entries.
    fn predicted_bytes(&self, strategy: &dyn Strategy<T>, count: usize, entries: usize) -> usize {
        let problem = &self.problem;
        let (call, matrix) = (
            strategy.predicted_peak_bytes(problem),
            entries * size_of::<T>(),
        );
        if count == 0 {
            return call;
        }
        let Some(linear) = self.in_blocks(strategy) else {
            // Each cotangent is a call.
            return call.saturating_add(matrix);
        };
        let (m, n, g) = (problem.dim_x(), problem.dim_y(), problem.lower());
        let width = count.min(BLOCK);
        let beside = system::beside(linear, n);
        // What a call gives to its caller and what its solver allocates are gone after it.
        let start = problem.start_of_x().map_or(0, |_| n);
        let held = call.saturating_sub((m + n + start) * size_of::<T>() + beside);
        let second = |width| Point::second_block_bytes(g, width);
        let before = linear.block(n);
        let wider = second(width.max(before)) - second(before);
        let room = Self::block_entries(linear, [m, n], width) * size_of::<T>();
        let after = held.saturating_add(room + beside + matrix);
        call.max(after).saturating_add(wider)
    }

    /// Entries of scratch that a block of systems takes.
    pub(super) fn block_entries(
        linear: &dyn LinearSolver<T>,
        [m, n]: [usize; 2],
        width: usize,
    ) -> usize {
        width * (2 * n + m) + linear.block_scratch(n, width)
    }
}
