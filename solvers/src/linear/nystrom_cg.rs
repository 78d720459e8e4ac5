//! Conjugate gradients with a preconditioner from a random sketch.

use std::sync::Arc;

use autodiff::Real;
use autodiff::bytes::{Category, Claim};

use crate::default_tolerance;
use crate::hypergradient::Room;

use super::cg::Cg;
use super::dense::BLOCK;
use super::low_rank::{LowRank, Sketch};
use super::{LinearEntry, LinearSolver, Operator, Outcome, Report, Scratch};

/// [`Cg`](super::Cg) on a system that a Nyström approximation of H has made rounder: by its inverse
/// where it knows H, and one over its least eigenvalue elsewhere.
///
/// # Requirements on the problem
/// As [`Cg`](super::Cg). It pays where H has few eigenvalues that are much larger than the others:
/// their spread no longer counts, only that of the rest.
///
/// # Cost in oracle calls
/// As many Hessian-vector products as the rank, in blocks of sixteen, then one for each iteration,
/// with `4 dim_y · rank` operations; twice `dim_y · rank` scalars.
///
/// # Reference
/// Z. Frangella, J. Tropp and M. Udell, Randomized Nyström preconditioning, SIAM Journal on Matrix
/// Analysis and Applications 44(2), 2023.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NystromCg {
    rank: usize,
    tolerance: Option<f64>,
    max_iterations: Option<usize>,
}

impl NystromCg {
    /// A preconditioner of this rank, or of `dim_y` if that is less; relative residual 1e-10 (1e-5 in
    /// `f32`) and at most `4 dim_y + 100` iterations.
    pub fn new(rank: usize) -> Self {
        NystromCg {
            rank,
            tolerance: None,
            max_iterations: None,
        }
    }

    /// Stops at `‖Hv − b‖ ≤ tolerance ‖b‖`.
    #[must_use]
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = Some(tolerance);
        self
    }

    /// Stops after this many iterations.
    #[must_use]
    pub fn max_iterations(mut self, count: usize) -> Self {
        self.max_iterations = Some(count);
        self
    }
}

impl<T: Real> LinearSolver<T> for NystromCg {
    fn name(&self) -> &'static str {
        "nystrom-cg"
    }

    fn tolerance(&self) -> f64 {
        self.tolerance.unwrap_or(default_tolerance::<T>())
    }

    fn complaint(&self) -> Option<String> {
        match self.rank {
            0 => Some("rank 0: expected at least 1".to_owned()),
            _ => super::positive("tolerance", LinearSolver::<T>::tolerance(self)),
        }
    }

    fn scratch(&self, n: usize) -> usize {
        5 * n
    }

    /// The approximation too.
    fn bytes(&self, n: usize) -> usize {
        LowRank::<T>::bytes(n, self.rank.min(n)) + 5 * n * size_of::<T>()
    }

    fn block(&self, n: usize) -> usize {
        self.rank.min(n).clamp(1, BLOCK)
    }

    fn room(&self, n: usize) -> Room {
        Room {
            bytes: LinearSolver::<T>::bytes(self, n),
            less: "a lower rank, or aid-cg",
            ..Room::default()
        }
    }

    fn solve(
        &self,
        h: &mut dyn Operator<T>,
        b: &[T],
        v: &mut [T],
        scratch: &mut Scratch<'_, T>,
    ) -> Report {
        let (n, k) = (b.len(), self.rank.min(b.len()));
        let _bytes = Claim::new(LowRank::<T>::bytes(n, k), Category::Solver, scratch.meter());
        if b.iter().all(|b| *b == T::zero()) {
            v.fill(T::zero());
            return Report {
                outcome: Outcome::Converged,
                iterations: 0,
            };
        }
        let sketch = LowRank::new(h, n, k, Sketch::Gaussian, 0);
        // No inner product can be made of it.
        if let Some(outcome @ (Outcome::Negative { .. } | Outcome::NonFinite)) = sketch.flaw {
            return Report {
                outcome,
                iterations: 0,
            };
        }
        // H where it is known; its least eigenvalue elsewhere.
        let inverse = |r: &[T], z: &mut [T]| {
            let elsewhere = sketch.least().unwrap_or(T::one());
            z.fill(T::zero());
            sketch.add_inverse(T::zero(), elsewhere, r, z);
        };
        let cg = Cg::new().tolerance(LinearSolver::<T>::tolerance(self));
        let limit = self.max_iterations.unwrap_or(4 * n + 100);
        let cg = cg.max_iterations(limit);
        cg.preconditioned(h, b, v, Some(&inverse), scratch)
    }
}

/// The rank of `aid-nystrom-cg` unless it is given.
const RANK: usize = 20;

/// The name `aid-nystrom-cg`.
pub(super) fn entry<T: Real>() -> LinearEntry<T> {
    let about = "aid-cg, preconditioned by a Nyström approximation of rank 20; aid-nystrom-cg:RANK";
    LinearEntry::new("aid-nystrom-cg[:RANK]", about, &["tolerance"], |call| {
        let cg = NystromCg::new(call.count()?.unwrap_or(RANK));
        let tolerance = call.settings.tolerance;
        Ok(Arc::new(tolerance.map_or(cg, |t| cg.tolerance(t))))
    })
    .descent("aid-cg with a preconditioner; aid-nystrom-cg:RANK of this rank")
}
