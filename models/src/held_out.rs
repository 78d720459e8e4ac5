//! Samples kept apart: their lower level is solved at the x of a run, for their metrics.

use autodiff::{Real, Sampled};
use nalgebra::DVector;
use solvers::{Bilevel, solve_lower};

use crate::task::{Metric, whole};

/// ‖∇_y g‖ that these lower levels are solved to, if the precision allows: metrics then change by far
/// less than their digits.
const TOLERANCE: f64 = 1e-6;
/// ‖∇_y g‖ that they are solved to in `f32`.
const TOLERANCE_F32: f64 = 1e-4;

/// A lower level on samples that are kept apart, at the same x: it is solved for the metrics alone.
#[derive(Debug, Clone)]
pub struct HeldOut<T: Real> {
    /// g on these samples with the start of its y. F takes no part; g stands in its place.
    pub bilevel: Bilevel<T>,
    /// What is measured at x and its solution.
    pub metrics: Vec<Metric<T>>,
}

impl<T: Real> HeldOut<T> {
    /// The samples of `lower`, for x of `dim_x` entries.
    pub(crate) fn new(
        lower: &dyn Sampled<T>,
        dim_x: usize,
        y: DVector<T>,
        metric: Metric<T>,
    ) -> Self {
        let g = whole(lower, dim_x, y.len());
        let problem = Bilevel::new(g.clone(), g, dim_x, y.len());
        let problem = problem.expect("the lower level of the samples trained on is one");
        HeldOut {
            bilevel: problem.starting_from(y),
            metrics: vec![metric],
        }
    }

    /// The solution at x, always from the same start; all NaN where it was not found.
    pub fn solution(&self, x: &DVector<T>) -> DVector<T> {
        let tolerance = if T::NAME == "f32" {
            TOLERANCE_F32
        } else {
            TOLERANCE
        };
        let solution = solve_lower(&self.bilevel, x, tolerance);
        if solution.status.is_success() {
            return solution.y;
        }
        // A metric of anything else would be one of the solver.
        solution.y.map(|_| T::of(f64::NAN))
    }

    /// The metrics by name at x and the solution there.
    pub(crate) fn measure(&self, x: &DVector<T>) -> Vec<(&'static str, f64)> {
        let y = self.solution(x);
        let metrics = self.metrics.iter();
        metrics.map(|m| (m.name, (m.measure)(x, &y))).collect()
    }
}
