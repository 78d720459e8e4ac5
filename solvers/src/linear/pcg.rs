//! Conjugate gradients with a preconditioner.

use std::fmt::Debug;
use std::sync::Arc;

use autodiff::Real;
use autodiff::bytes::{Category, Claim};

use crate::hypergradient::Room;

use super::cg::{Preconditioned, iterate};
use super::dense::BLOCK;
use super::low_rank::{LowRank, Sketch};
use super::{
    LinearEntry, LinearSolver, Operator, Outcome, Report, Scratch, Until, ends, scaled_residual,
};

/// A symmetric positive definite stand-in for H⁻¹: a value of one slot of [`Pcg`].
///
/// # Example
/// One over the diagonal of H, where a user knows it. Columns of very different scale then cost
/// nothing:
/// ```
/// use autodiff::{Meter, Real};
/// use solvers::linear::{Cg, Operator, Outcome, Pcg, Preconditioner, Scratch, solve};
///
/// #[derive(Debug)]
/// struct Diagonal(Vec<f64>);
///
/// impl<T: Real> Preconditioner<T> for Diagonal {
///     fn name(&self) -> &'static str {
///         "diagonal-cg"
///     }
///
///     fn prepare<'s>(
///         &'s self,
///         _: &mut dyn Operator<T>,
///         n: usize,
///         _: Scratch<'s, T>,
///     ) -> Result<impl Operator<T> + 's, Outcome> {
///         assert_eq!(n, self.0.len());
///         Ok(|r: &[T], z: &mut [T]| {
///             for i in 0..r.len() {
///                 z[i] = r[i] / T::of(self.0[i]);
///             }
///         })
///     }
/// }
///
/// let scale: Vec<f64> = (0..40).map(|i| 10f64.powf(i as f64 / 10.0)).collect();
/// let mut h = |v: &[f64], out: &mut [f64]| {
///     for i in 0..v.len() {
///         let beside = if i > 0 { scale[i].min(scale[i - 1]) * v[i - 1] } else { 0.0 };
///         let after = if i < 39 { scale[i].min(scale[i + 1]) * v[i + 1] } else { 0.0 };
///         out[i] = 3.0 * scale[i] * v[i] + beside + after;
///     }
/// };
/// let own = Pcg::with(Diagonal(scale.clone()));
/// let (mut v, b) = ([0.0; 40], [1.0; 40]);
/// let preconditioned = solve(&own, &mut h, &b, &mut v, &Meter::new());
/// assert_eq!(preconditioned.outcome, Outcome::Converged);
/// let plain = solve(&Cg::new(), &mut h, &b, &mut [0.0; 40], &Meter::new());
/// assert!(3 * preconditioned.iterations < plain.iterations);
/// ```
pub trait Preconditioner<T: Real>: Debug + Send + Sync {
    /// The name in records of the solver that it makes.
    fn name(&self) -> &'static str;

    /// The reason why these settings fit no system, if they do not.
    fn complaint(&self) -> Option<String> {
        None
    }

    /// Entries of [`Scratch`] that it takes, and holds on to, for `n` unknowns.
    fn scratch(&self, n: usize) -> usize {
        let _ = n;
        0
    }

    /// Bytes that it allocates beside its scratch, for `n` unknowns: [`Pcg`] counts them.
    fn bytes(&self, n: usize) -> usize {
        let _ = n;
        0
    }

    /// The most vectors that it hands to a product with H at once.
    fn block(&self, n: usize) -> usize {
        let _ = n;
        1
    }

    /// The map `r ↦ z` that stands in for the product with H⁻¹, for `n` unknowns; or what it found of
    /// H that it cannot be made of.
    ///
    /// # Errors
    /// An outcome that is the solver's.
    fn prepare<'s>(
        &'s self,
        h: &mut dyn Operator<T>,
        n: usize,
        scratch: Scratch<'s, T>,
    ) -> Result<impl Operator<T> + 's, Outcome>;
}

/// [`Cg`](super::Cg) on a system that a [`Preconditioner`] has made rounder.
///
/// # Requirements on the problem
/// As [`Cg`](super::Cg). A preconditioner that is not positive definite along a residual is reported
/// as negative curvature.
///
/// # Cost in oracle calls
/// What making the preconditioner takes, then that of [`Cg`](super::Cg).
///
/// # Reference
/// P. Concus, G. Golub and D. O'Leary, A generalized conjugate gradient method for the numerical
/// solution of elliptic partial differential equations, 1976.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pcg<P> {
    preconditioner: P,
    until: Until,
}

impl<P> Pcg<P> {
    /// Relative residual 1e-10 (1e-5 in `f32`) and at most `4 dim_y + 100` iterations.
    pub fn with(preconditioner: P) -> Self {
        Pcg {
            preconditioner,
            until: Until::default(),
        }
    }
}

ends!(Pcg<P>);

impl Pcg<Sketched> {
    /// With a [`Sketched`] preconditioner of this rank, or of `dim_y` if that is less.
    pub fn nystrom(rank: usize) -> Self {
        Pcg::with(Sketched { rank })
    }
}

impl<T: Real, P: Preconditioner<T>> LinearSolver<T> for Pcg<P> {
    fn name(&self) -> &'static str {
        self.preconditioner.name()
    }

    fn tolerance(&self) -> f64 {
        self.until.tolerance::<T>()
    }

    fn complaint(&self) -> Option<String> {
        let tolerance = || super::positive("tolerance", LinearSolver::<T>::tolerance(self));
        self.preconditioner.complaint().or_else(tolerance)
    }

    fn scratch(&self, n: usize) -> usize {
        5 * n + self.preconditioner.scratch(n)
    }

    /// The preconditioner's too.
    fn bytes(&self, n: usize) -> usize {
        LinearSolver::<T>::scratch(self, n) * size_of::<T>() + self.preconditioner.bytes(n)
    }

    fn block(&self, n: usize) -> usize {
        self.preconditioner.block(n)
    }

    fn room(&self, n: usize) -> Room {
        Room {
            bytes: LinearSolver::<T>::bytes(self, n),
            less: "a smaller preconditioner, or aid-cg",
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
        let n = b.len();
        let bytes = self.preconditioner.bytes(n);
        let _bytes = Claim::new(bytes, Category::Solver, scratch.meter());
        let ([r, z, p, hp, best], rest) = scratch.split(n);
        let Some(scale) = scaled_residual(h, b, v, r) else {
            return Report::OF_ZERO;
        };
        let until = self.until.of::<T>(n);
        let report = match self.preconditioner.prepare(h, n, rest) {
            Err(outcome) => Report {
                outcome,
                iterations: 0,
            },
            Ok(mut inverse) => {
                let preconditioned = Preconditioned {
                    inverse: &mut inverse,
                    z,
                };
                iterate(h, v, [r, p, hp, best], until, Some(preconditioned))
            }
        };
        v.iter_mut().for_each(|v| *v *= scale);
        report
    }
}

/// The inverse of a Nyström approximation of H where that knows H, and one over its least eigenvalue
/// elsewhere.
///
/// It pays where H has few eigenvalues that are much larger than the others: their spread no longer
/// counts, only that of the rest.
///
/// # Cost in oracle calls
/// As many Hessian-vector products as the rank, in blocks of sixteen; `4 dim_y · rank` operations an
/// iteration; twice `dim_y · rank` scalars.
///
/// # Reference
/// Z. Frangella, J. Tropp and M. Udell, Randomized Nyström preconditioning, SIAM Journal on Matrix
/// Analysis and Applications 44(2), 2023.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sketched {
    rank: usize,
}

impl<T: Real> Preconditioner<T> for Sketched {
    fn name(&self) -> &'static str {
        "nystrom-cg"
    }

    fn complaint(&self) -> Option<String> {
        (self.rank == 0).then(|| "rank 0: expected at least 1".to_owned())
    }

    fn bytes(&self, n: usize) -> usize {
        LowRank::<T>::bytes(n, self.rank.min(n))
    }

    fn block(&self, n: usize) -> usize {
        self.rank.min(n).clamp(1, BLOCK)
    }

    fn prepare<'s>(
        &'s self,
        h: &mut dyn Operator<T>,
        n: usize,
        _: Scratch<'s, T>,
    ) -> Result<impl Operator<T> + 's, Outcome> {
        let sketch = LowRank::new(h, n, self.rank.min(n), Sketch::Gaussian, 0);
        match sketch.flaw {
            // No inner product can be made of it.
            Some(outcome @ (Outcome::Negative { .. } | Outcome::NonFinite)) => Err(outcome),
            _ => Ok(move |r: &[T], z: &mut [T]| {
                let elsewhere = sketch.least().unwrap_or(T::one());
                z.fill(T::zero());
                sketch.add_inverse(T::zero(), elsewhere, r, z);
            }),
        }
    }
}

/// The rank of `aid-nystrom-cg` unless it is given.
const RANK: usize = 20;

/// The name `aid-nystrom-cg`.
pub(super) fn entry<T: Real>() -> LinearEntry<T> {
    let about = "aid-cg, preconditioned by a Nyström approximation of rank 20; aid-nystrom-cg:RANK";
    LinearEntry::new("aid-nystrom-cg[:RANK]", about, &["tolerance"], |call| {
        let cg = Pcg::nystrom(call.count()?.unwrap_or(RANK));
        let tolerance = call.settings.tolerance;
        Ok(Arc::new(tolerance.map_or(cg, |t| cg.tolerance(t))))
    })
    .descent("aid-cg with a preconditioner; aid-nystrom-cg:RANK of this rank")
}
