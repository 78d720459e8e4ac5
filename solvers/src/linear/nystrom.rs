//! The Nyström approximation of the inverse.

use std::sync::Arc;

use autodiff::Real;
use autodiff::bytes::{Category, Claim};

use crate::hypergradient::Room;

use super::dense::BLOCK;
use super::low_rank::LowRank;
pub use super::low_rank::Sketch;
use super::{LinearEntry, LinearSolver, Operator, Outcome, Report, Scratch, scaled_residual};

/// Approximates H by `Ĥ = C W⁺ Cᵀ` of low rank, with `C = HΩ` and `W = ΩᵀHΩ` for a random Ω, and
/// answers `v = (Ĥ + ρI)⁻¹ b` by the identity of Woodbury, in the eigenvectors of Ĥ.
///
/// # Requirements on the problem
/// H symmetric positive semidefinite, with few eigenvalues that are not small: with E = H − Ĥ, which
/// is semidefinite too, the error of the inverse of `H + ρI` is at most `‖E‖/(ρ(‖E‖ + ρ))`. A sketch
/// that meets negative curvature, or none, is reported.
///
/// # Cost in oracle calls
/// As many Hessian-vector products as the rank, in blocks of sixteen, and one for a first guess
/// that is not zero, whose residual is then solved for; `O(dim_y rank²)` operations and twice
/// `dim_y · rank` scalars.
///
/// # Reference
/// R. Hataya and M. Yamada, Nyström method for accurate and scalable implicit differentiation,
/// AISTATS 2023. The bound is that of Z. Frangella, J. Tropp and M. Udell, Randomized Nyström
/// preconditioning, 2023.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Nystrom {
    rank: usize,
    damping: Option<f64>,
    sketch: Sketch,
    seed: u64,
}

impl Nystrom {
    /// Of this rank, or of `dim_y` if that is less; a Gaussian sketch from seed 0.
    ///
    /// Unless told otherwise, Ĥ is not damped where it is known, and stands for its least
    /// eigenvalue elsewhere. With a rank of `dim_y` the answer is then exact.
    pub fn new(rank: usize) -> Self {
        Nystrom {
            rank,
            damping: None,
            sketch: Sketch::default(),
            seed: 0,
        }
    }

    /// The damping ρ, in units of the curvature; with 0 the inverse is Ĥ⁺.
    #[must_use]
    pub fn damping(mut self, damping: f64) -> Self {
        self.damping = Some(damping);
        self
    }

    /// The kind of directions.
    #[must_use]
    pub fn sketch(mut self, sketch: Sketch) -> Self {
        self.sketch = sketch;
        self
    }

    /// The seed they are drawn from.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }
}

impl<T: Real> LinearSolver<T> for Nystrom {
    fn name(&self) -> &'static str {
        "nystrom"
    }

    fn complaint(&self) -> Option<String> {
        match self.damping {
            _ if self.rank == 0 => Some("rank 0: expected at least 1".to_owned()),
            Some(d) if !(d.is_finite() && d >= 0.0) => {
                Some(format!("damping {d}: expected a positive number, or 0"))
            }
            _ => None,
        }
    }

    /// The residual of the first guess.
    fn scratch(&self, n: usize) -> usize {
        n
    }

    /// The approximation too.
    fn bytes(&self, n: usize) -> usize {
        LowRank::<T>::bytes(n, self.rank.min(n)) + n * size_of::<T>()
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

    #[inline(never)]
    fn solve(
        &self,
        h: &mut dyn Operator<T>,
        b: &[T],
        v: &mut [T],
        scratch: &mut Scratch<'_, T>,
    ) -> Report {
        let (n, k) = (b.len(), self.rank.min(b.len()));
        let _bytes = Claim::new(LowRank::<T>::bytes(n, k), Category::Solver, scratch.meter());
        let [r] = scratch.vectors(n);
        let Some(scale) = scaled_residual(h, b, v, r) else {
            return Report::OF_ZERO;
        };
        let h = LowRank::new(h, n, k, self.sketch, self.seed);
        let (rho, tau) = match self.damping {
            Some(damping) => (T::of(damping), T::of(damping)),
            None if k == n => (T::zero(), T::zero()),
            None => (T::zero(), h.least().unwrap_or(T::zero())),
        };
        h.add_inverse(rho, tau, r, v);
        v.iter_mut().for_each(|v| *v *= scale);
        let exact = k == n && rho == T::zero();
        let done = match exact {
            true => Outcome::Converged,
            false => Outcome::Approximate,
        };
        Report {
            outcome: h.flaw.unwrap_or(done),
            iterations: k,
        }
    }
}

/// The rank of `aid-nystrom` unless it is given.
const RANK: usize = 20;

/// The name `aid-nystrom`.
pub(super) fn entry<T: Real>() -> LinearEntry<T> {
    let about = "the same by a Nyström approximation of rank 20; aid-nystrom:RANK of this rank";
    LinearEntry::new("aid-nystrom[:RANK]", about, &[], |call| {
        Ok(Arc::new(Nystrom::new(call.count()?.unwrap_or(RANK))))
    })
    .descent("the same, by a Nyström approximation; aid-nystrom:RANK of this rank")
}
