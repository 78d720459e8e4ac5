//! Minimal residuals: H may be indefinite or singular.

use std::sync::Arc;

use autodiff::Real;
use autodiff::kernels::{axpy, dot, norm};

use super::{
    LinearEntry, LinearSolver, Operator, Outcome, Report, Scratch, Until, ends, flat, lift,
    scaled_residual,
};

/// The method of minimal residuals.
///
/// # Requirements on the problem
/// H symmetric: definite, indefinite or singular. Negative curvature is reported beside the
/// solution. On a singular H, started from zero, the answer is H⁺b, the solution of least norm,
/// where b is in the range of H; where it is not, the system has none, the answer is the
/// least-squares solution of least norm (to about the square root of the precision), and the
/// outcome [`Outcome::Inconsistent`] says so.
///
/// # Cost in oracle calls
/// One Hessian-vector product per iteration, one for a first guess that is not zero, and one more
/// at the end of an inconsistent system. The residual's norm never rises; on a definite H the
/// iterations are about those of [`Cg`](super::Cg).
///
/// # Reference
/// C. Paige and M. Saunders, Solution of sparse indefinite systems of linear equations, 1975. The
/// curvature met and the solution of least norm are after Y. Liu and F. Roosta, MINRES: from
/// negative curvature detection to monotonicity properties, 2022, and Y. Liu, A. Milzarek and
/// F. Roosta, Obtaining pseudo-inverse solutions with MINRES, 2023.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Minres {
    until: Until,
}

impl Minres {
    /// Relative residual 1e-10 (1e-5 in `f32`) and at most `4 dim_y + 100` iterations.
    pub fn new() -> Self {
        Self::default()
    }
}

ends!(Minres);

/// The QR factors of the Lanczos matrix, as far as the next step needs them.
struct Rotations {
    c: f64,
    s: f64,
    /// Subdiagonal entry of the Lanczos matrix above the present row.
    beta: f64,
    delta: f64,
    epsilon: f64,
    /// Norm of the residual.
    phi: f64,
}

impl<T: Real> LinearSolver<T> for Minres {
    fn name(&self) -> &'static str {
        "minres"
    }

    fn tolerance(&self) -> f64 {
        self.until.tolerance::<T>()
    }

    fn solves_indefinite(&self) -> bool {
        true
    }

    /// Three Lanczos vectors and two directions.
    fn scratch(&self, n: usize) -> usize {
        5 * n
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
        let [mut lanczos, mut before, mut next, mut d, mut d_before] = scratch.vectors(n);
        for vector in [&mut before, &mut d, &mut d_before] {
            vector.fill(T::zero());
        }
        let Some(scale) = scaled_residual(h, b, v, lanczos) else {
            return Report::OF_ZERO;
        };
        let (tolerance, limit) = self.until.of::<T>(n);
        // ‖Hr‖ falls to about the root of the precision before rounding lifts it again.
        let (flat, null) = (flat::<T>(n), 8.0 * T::EPSILON.sqrt());
        let mut q = Rotations {
            c: -1.0,
            s: 0.0,
            beta: 0.0,
            delta: 0.0,
            epsilon: 0.0,
            phi: norm(lanczos).f64(),
        };
        if q.phi > 0.0 {
            let phi = T::of(q.phi);
            lanczos.iter_mut().for_each(|l| *l /= phi);
        }
        let (mut least, mut largest) = (f64::INFINITY, 0.0f64);
        let mut iterations = 0;
        let outcome = loop {
            if !q.phi.is_finite() {
                break Outcome::NonFinite;
            }
            if q.phi <= tolerance {
                break Outcome::Converged;
            }
            if iterations == limit {
                break Outcome::Exhausted;
            }
            h.apply(lanczos, next);
            axpy(next, T::of(-q.beta), before);
            let alpha = dot(lanczos, next);
            axpy(next, -alpha, lanczos);
            let (alpha, beta) = (alpha.f64(), norm(next).f64());
            if !(alpha.is_finite() && beta.is_finite()) {
                break Outcome::NonFinite;
            }
            largest = largest.max((q.beta * q.beta + alpha * alpha + beta * beta).sqrt());
            let diagonal = q.s * q.delta - q.c * alpha;
            // rᵀHr / rᵀr, and ‖Hr‖ / ‖r‖, of the residual r so far.
            let curvature = -q.c * diagonal;
            let size = diagonal.hypot(q.c * beta);
            least = least.min(curvature);
            // Both, since an ill-conditioned H makes the second one small as well.
            if size <= null * largest && curvature.abs() <= flat * largest {
                break Outcome::Inconsistent { residual: q.phi };
            }
            let above = q.c * q.delta + q.s * alpha;
            let gamma = diagonal.hypot(beta);
            for i in 0..n {
                d_before[i] = (lanczos[i] - T::of(above) * d[i] - T::of(q.epsilon) * d_before[i])
                    / T::of(gamma);
            }
            std::mem::swap(&mut d, &mut d_before);
            (q.epsilon, q.delta) = (q.s * beta, -q.c * beta);
            (q.c, q.s) = (diagonal / gamma, beta / gamma);
            axpy(v, T::of(q.c * q.phi), d);
            q.phi *= q.s;
            q.beta = beta;
            iterations += 1;
            if beta > 0.0 {
                next.iter_mut().for_each(|l| *l /= T::of(beta));
            }
            std::mem::swap(&mut before, &mut lanczos);
            std::mem::swap(&mut lanczos, &mut next);
        };
        if let Outcome::Inconsistent { .. } = outcome {
            h.apply(v, next);
            for i in 0..n {
                next[i] = b[i] / scale - next[i];
            }
            lift(v, next);
        }
        v.iter_mut().for_each(|v| *v *= scale);
        let negative = largest > 0.0 && least < -flat * largest;
        Report {
            outcome: match outcome {
                Outcome::Converged | Outcome::Exhausted if negative => Outcome::Negative {
                    relative_curvature: least / largest,
                },
                outcome => outcome,
            },
            iterations,
        }
    }
}

/// The name `aid-minres`.
pub(super) fn entry<T: Real>() -> LinearEntry<T> {
    let about = "implicit differentiation, linear system by minimal residuals: any Hessian";
    LinearEntry::new("aid-minres", about, &["tolerance"], |call| {
        Ok(Arc::new(Minres {
            until: Until::to(call.settings.tolerance),
        }))
    })
    .descent("descent along implicit hypergradients, by minimal residuals")
}

#[cfg(test)]
mod tests {
    use autodiff::Meter;

    use super::super::solve;
    use super::*;

    fn diagonal(d: &[f64], b: &[f64], minres: Minres) -> (Vec<f64>, Report) {
        let mut v = vec![0.0; b.len()];
        let mut product = |p: &[f64], out: &mut [f64]| {
            for i in 0..p.len() {
                out[i] = d[i] * p[i];
            }
        };
        let report = solve(&minres, &mut product, b, &mut v, &Meter::new());
        (v, report)
    }

    #[test]
    fn the_residual_never_rises() {
        let sign = |i: i32| if i % 3 == 0 { -1.0 } else { 1.0 };
        let d: Vec<f64> = (1..=12).map(|i| f64::from(i) * sign(i)).collect();
        let b = [1.0; 12];
        let mut last = 12f64.sqrt();
        for count in 1..=12 {
            let (v, report) = diagonal(&d, &b, Minres::new().max_iterations(count));
            assert_eq!(report.iterations, count);
            let r: f64 = (0..12).map(|i| (d[i] * v[i] - 1.0).powi(2)).sum();
            assert!(r.sqrt() <= last * (1.0 + 1e-12), "{count}");
            last = r.sqrt();
        }
        assert!(last < 1e-9, "as many steps as eigenvalues: {last:e}");
    }

    #[test]
    fn the_curvature_of_an_indefinite_matrix_is_within_its_spectrum() {
        let (v, report) = diagonal(&[2.0, -1.0], &[1.0, 5.0], Minres::new());
        assert!((v[0] - 0.5).abs() < 1e-14 && (v[1] + 5.0).abs() < 1e-14);
        let Outcome::Negative { relative_curvature } = report.outcome else {
            panic!("{report:?}")
        };
        assert!((-1.0..0.0).contains(&relative_curvature));
    }
}
