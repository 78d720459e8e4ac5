//! Loops that end where the upper level is worst off.

use autodiff::unroll::{Memory, Unrolled};
use autodiff::{Point, Real};

use crate::accuracy::TOLD;
use crate::{Bilevel, Status};

use super::super::unrolled::Seen;
use super::Itd;

impl Itd {
    /// Differentiates the first k of the steps alone, k being the one that leads to the largest of
    /// `F(x, y_1), …, F(x, y_K)`: so F at a solution that some step comes near is at most what x is made
    /// small at, whether or not the lower level is convex. Steps that a lower level asks for may lead away
    /// from a stationary point of it; the derivative is that of the steps, whether or not they come to a
    /// solution. [`lower_iterations`](crate::Estimate::lower_iterations) is k; the bytes that are
    /// [predicted](crate::Strategy::predicted_peak_bytes) are those of k = K.
    ///
    /// It takes K values of F, K gradients of g on the way forward and k more where k < K, and no
    /// products that look at how far y has come.
    ///
    /// # Reference
    /// R. Liu, Y. Liu, S. Zeng and J. Zhang, Towards gradient-based bilevel optimization with non-convex
    /// followers and beyond, NeurIPS 2021: pessimistic trajectory truncation.
    #[must_use]
    pub fn pessimistic(mut self) -> Self {
        self.pessimistic = true;
        self
    }

    /// Why a loop that ends so cannot be differentiated as it is to be.
    pub(super) fn truncation_complaint(&self) -> Option<String> {
        let expected = match (self.tolerance, self.memory) {
            _ if !self.pessimistic => return None,
            (Some(t), _) => format!("tolerance {t}: expected none"),
            (None, memory @ (Memory::Forward | Memory::Truncated { .. })) => {
                format!("memory {memory}: expected one that is pulled back through all steps")
            }
            _ => return None,
        };
        Some(format!("{expected}, as the loop ends where F is largest"))
    }

    /// Why it suits no loop of a problem.
    pub(super) fn truncation_misfit<T: Real>(&self, problem: &Bilevel<T>) -> Option<String> {
        (self.pessimistic && problem.is_equation()).then(|| {
            "the lower level is the equation of a map, whose loop is to end at its solution: expected \
             itd or aid-step"
                .to_owned()
        })
    }
}

/// Runs a loop of `depth` steps from `start` and goes back to the state, of those after a step, whose y
/// has the largest F; to the first of them, or to the first where F is no number. Where that is the last
/// one, nothing is run again.
pub(super) fn forward<'s, T: Real>(
    steps: &'s mut Unrolled<T>,
    upper: &mut Point<T>,
    [x, start]: [&[T]; 2],
    dim_y: usize,
    depth: usize,
    memory: Memory,
) -> &'s [T] {
    let (mut end, mut worst) = (1, f64::NEG_INFINITY);
    let mut look = |made: usize, state: &[T]| {
        let value = match made {
            0 => return false,
            _ => upper.value(&[x, &state[..dim_y]]).f64(),
        };
        if value > worst || value.is_nan() {
            (end, worst) = (made, value);
        }
        value.is_nan()
    };
    steps.forward_until(x, start, depth, memory, &mut look);
    // The last state comes after all looks, unless one of them stopped there.
    look(steps.depth(), steps.state());
    if end < steps.depth() {
        steps.forward_until(x, start, depth, memory, |made, _| made == end);
    }
    steps.state()
}

/// The status of such a loop. Steps down a lower level that is not convex may begin where it is curved
/// downwards: its gradient and the cotangent grow then, and nothing goes wrong as long as g falls.
pub(super) fn status(status: Status, falls: impl FnOnce() -> bool) -> Status {
    match status {
        Status::LowerDiverged { after, .. } if after.is_finite() && falls() => Status::Unrolled,
        other => other,
    }
}

/// What the user should know of the y where it ends.
pub(super) fn warning(seen: &Seen, depth: usize) -> Option<String> {
    let distance = seen.distance();
    (distance > TOLD).then(|| {
        format!(
            "of {depth} steps F is largest after {}, where y is some {distance:.1e} of its size from where \
             they lead: this is the derivative of these steps, and y is no solution of the lower level",
            seen.depth
        )
    })
}
