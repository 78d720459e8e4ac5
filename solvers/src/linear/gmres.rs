//! Generalised minimal residuals: the matrix need not be symmetric.

use std::sync::Arc;

use autodiff::Real;
use autodiff::kernels::{axpy, dot, norm};

use super::{
    LinearEntry, LinearSolver, Operator, Outcome, Report, Scratch, Until, ends, flat, positive,
    scaled_residual,
};

/// The method of generalised minimal residuals, started again after a number of iterations.
///
/// # Requirements on the problem
/// Any matrix that is not singular, symmetric or not. The residual's norm never rises within a start;
/// restarts that no longer reduce it end the iteration. Negative curvature of a symmetric one is
/// reported beside the solution, as [`Minres`](super::Minres) does.
///
/// # Cost in oracle calls
/// One product per iteration, one per start after the first, and one that recomputes the last
/// residual. `restart + 1` vectors are kept; in exact arithmetic it is done after as many
/// iterations as there are unknowns, if it is not started again before.
///
/// # Reference
/// Y. Saad and M. Schultz, GMRES: a generalized minimal residual algorithm for solving nonsymmetric
/// linear systems, 1986.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gmres {
    restart: usize,
    until: Until,
}

impl Gmres {
    /// Started again after `restart` iterations; relative residual 1e-10 (1e-5 in `f32`) and at most
    /// `4 dim_y + 100` iterations.
    pub fn new(restart: usize) -> Self {
        Gmres {
            restart,
            until: Until::default(),
        }
    }

    /// Entries of the basis, the factor and the small least-squares problem for `n` unknowns, after
    /// the size of the space.
    fn lengths(&self, n: usize) -> (usize, [usize; 3]) {
        let m = self.restart.min(n);
        (m, [(m + 1) * n, m * m, 3 * m + 1])
    }

    /// [`LinearSolver::solve`], with what it met on its way.
    pub(crate) fn run<T: Real>(
        &self,
        h: &mut dyn Operator<T>,
        b: &[T],
        v: &mut [T],
        scratch: &mut Scratch<'_, T>,
    ) -> Met {
        let n = b.len();
        let (m, [basis, factor, small]) = self.lengths(n);
        let ([r, next], mut scratch) = scratch.split(n);
        let ([basis], mut scratch) = scratch.split(basis);
        let ([factor], mut scratch) = scratch.split(factor);
        let [small] = scratch.vectors(small);
        let mut met = Met {
            report: Report::OF_ZERO,
            residual: 0.0,
            reach: 0.0,
            least: f64::INFINITY,
            largest: 0.0,
            pivot: f64::INFINITY,
        };
        let Some(scale) = scaled_residual(h, b, v, r) else {
            return met;
        };
        let (tolerance, limit) = self.until.of::<T>(n);
        let mut krylov = Krylov {
            basis,
            factor,
            small,
            next,
            m,
        };
        let mut last = f64::INFINITY;
        met.report.outcome = loop {
            let reached = norm(r).f64();
            met.residual = reached;
            if reached.is_nan() {
                break Outcome::NonFinite;
            }
            if reached <= tolerance {
                break Outcome::Converged;
            }
            if met.report.iterations >= limit || reached >= 0.999 * last {
                break Outcome::Exhausted;
            }
            last = reached;
            let room = limit - met.report.iterations;
            krylov.start(h, r, v, T::of(0.5 * tolerance), room, &mut met);
            // From the solution itself: the residual in the small problem is only estimated.
            h.apply(v, krylov.next);
            for i in 0..n {
                r[i] = b[i] / scale - krylov.next[i];
            }
        };
        met.reach = met.reach.max(norm(v).f64());
        v.iter_mut().for_each(|v| *v *= scale);
        met
    }
}

ends!(Gmres);

impl<T: Real> LinearSolver<T> for Gmres {
    fn name(&self) -> &'static str {
        "gmres"
    }

    fn tolerance(&self) -> f64 {
        self.until.tolerance::<T>()
    }

    fn complaint(&self) -> Option<String> {
        let restart = (self.restart == 0)
            .then(|| "restart after 0 iterations: expected at least 1".to_owned());
        restart.or(positive("tolerance", LinearSolver::<T>::tolerance(self)))
    }

    fn solves_indefinite(&self) -> bool {
        true
    }

    /// The residual and a product; a basis of one vector more than the iterations of a start, and
    /// the small least-squares problem in it.
    fn scratch(&self, n: usize) -> usize {
        2 * n + self.lengths(n).1.iter().sum::<usize>()
    }

    #[inline(never)]
    fn solve(
        &self,
        h: &mut dyn Operator<T>,
        b: &[T],
        v: &mut [T],
        scratch: &mut Scratch<'_, T>,
    ) -> Report {
        let met = self.run(h, b, v, scratch);
        let relative_curvature = met.pivot / met.largest;
        let negative = (relative_curvature < -flat::<T>(b.len())).then_some(relative_curvature);
        let outcome = match (met.report.outcome, negative) {
            (Outcome::Converged | Outcome::Exhausted, Some(relative_curvature)) => {
                Outcome::Negative { relative_curvature }
            }
            (outcome, _) => outcome,
        };
        Report {
            outcome,
            ..met.report
        }
    }
}

/// Iterations between two starts of `aid-gmres`, unless they are given.
const RESTART: usize = 50;

/// `aid-gmres`.
pub(super) fn entry<T: Real>() -> LinearEntry<T> {
    let about =
        "the same by generalised minimal residuals, begun again every 50 products or RESTART";
    LinearEntry::new("aid-gmres[:RESTART]", about, &["tolerance"], |call| {
        Ok(Arc::new(Gmres {
            restart: call.count()?.unwrap_or(RESTART),
            until: Until::to(call.settings.tolerance),
        }))
    })
    .descent("the same, by generalised minimal residuals")
}

/// What a solve has met.
#[derive(Debug)]
pub(crate) struct Met {
    pub(crate) report: Report,
    /// ‖Hv − b‖ / ‖b‖, computed from v.
    pub(crate) residual: f64,
    /// How much the inverse was seen to lengthen a vector, at least: one over the smallest pivot of a
    /// triangular factor, or the solution of a right-hand side of norm 1.
    pub(crate) reach: f64,
    /// The least and the largest magnitude of vᵀHv, of all vectors v of the bases.
    least: f64,
    largest: f64,
    /// The least curvature pᵀHp/pᵀp along the conjugate directions p of the bases, for a symmetric H:
    /// the pivots of the tridiagonal matrix in them. One is negative where H is, as in conjugate
    /// gradients.
    pivot: f64,
}

impl Met {
    /// The most negative value of vᵀHv, in units of the largest, if that is negative beyond rounding.
    pub(crate) fn negative<T: Real>(&self) -> Option<f64> {
        let relative = self.least / self.largest;
        (relative < -T::EPSILON.sqrt()).then_some(relative)
    }
}

/// The vectors of one start: a basis, and the small least-squares problem in it.
struct Krylov<'a, T: Real> {
    /// Orthonormal vectors, one after the other; one more than the iterations.
    basis: &'a mut [T],
    /// The triangular factor, columns of `m` entries.
    factor: &'a mut [T],
    /// Cosine and sine of each rotation, then the rotated right-hand side of m + 1 entries.
    small: &'a mut [T],
    /// Room for a product.
    next: &'a mut [T],
    m: usize,
}

impl<T: Real> Krylov<'_, T> {
    /// Adds to `p` what makes the residual, `r` before, least over the Krylov space.
    fn start(
        &mut self,
        h: &mut dyn Operator<T>,
        r: &[T],
        p: &mut [T],
        tolerance: T,
        room: usize,
        met: &mut Met,
    ) {
        let (n, m) = (r.len(), self.m);
        let beta = norm(r);
        for (v, r) in self.basis.iter_mut().zip(r) {
            *v = *r / beta;
        }
        let (turns, rest) = self.small.split_at_mut(2 * m);
        rest.fill(T::zero());
        rest[0] = beta;
        let mut made = 0;
        // The latest pivot, the square of its direction, and the entry beside it.
        let mut before: Option<(f64, f64, f64)> = None;
        while made < m.min(room) && rest[made].abs() > tolerance {
            let (known, next) = self.basis.split_at_mut((made + 1) * n);
            let next = &mut next[..n];
            let latest = &known[made * n..];
            h.apply(latest, next);
            let size = norm(next);
            let column = &mut self.factor[made * m..][..m];
            for (h, v) in column.iter_mut().zip(known.chunks_exact(n)) {
                *h = dot(v, next);
                axpy(next, -*h, v);
            }
            let own = column[made].f64();
            met.least = met.least.min(own);
            met.largest = met.largest.max(own.abs());
            let below = norm(next);
            let (pivot, square) = match before {
                None => (own, 1.0),
                Some((pivot, square, beside)) => {
                    let share = beside / pivot;
                    (own - beside * share, 1.0 + share * share * square)
                }
            };
            met.pivot = met.pivot.min(pivot / square);
            before = Some((pivot, square, below.f64()));
            for k in 0..made {
                let (c, s) = (turns[2 * k], turns[2 * k + 1]);
                (column[k], column[k + 1]) = (
                    c * column[k] + s * column[k + 1],
                    c * column[k + 1] - s * column[k],
                );
            }
            let radius = norm(&[column[made], below]);
            // Nothing new and nothing that helps: the matrix is singular on this space.
            if radius <= T::of(4.0 * T::EPSILON) * size {
                break;
            }
            let (c, s) = (column[made] / radius, below / radius);
            (turns[2 * made], turns[2 * made + 1]) = (c, s);
            column[made] = radius;
            (rest[made], rest[made + 1]) = (c * rest[made], -s * rest[made]);
            made += 1;
            if below <= T::of(4.0 * T::EPSILON) * size {
                break;
            }
            next.iter_mut().for_each(|v| *v /= below);
        }
        let pivots = (0..made).map(|k| self.factor[k * m + k].f64().abs());
        met.reach = met.reach.max(1.0 / pivots.fold(f64::INFINITY, f64::min));
        met.report.iterations += made;
        for k in (0..made).rev() {
            let mut value = rest[k];
            for j in k + 1..made {
                value -= self.factor[j * m + k] * rest[j];
            }
            rest[k] = value / self.factor[k * m + k];
        }
        for (k, v) in self.basis.chunks_exact(n).take(made).enumerate() {
            axpy(p, rest[k], v);
        }
    }
}
