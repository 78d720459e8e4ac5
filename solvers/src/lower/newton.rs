//! Minimisation of the lower level to a tolerance: Newton's method with conjugate gradients.

use autodiff::kernels::{axpy, dot, norm};
use autodiff::{Point, Real};

use crate::accuracy::Curvature;
use crate::hessian::Hessian;
use crate::linear::{Cg, LinearSolver, Scratch};

/// Where a minimisation ended.
pub(crate) struct Minimum {
    /// ‖∇_y g‖ there.
    pub(crate) residual: f64,
    pub(crate) iterations: usize,
    /// The curvature met by the last steps, where second derivatives were looked at.
    pub(crate) curvature: Curvature,
}

/// How Newton's steps shrink, over several calls.
///
/// They are computed to a tenth: at a minimiser with curvature each full one is at most about a tenth
/// of the one before; at a zero of order p of g, as of a quartic or at the inflection of a cubic, it is
/// the part (p − 2)/(p − 1) of it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Trend {
    /// The curvature met by the first of them.
    first: Option<f64>,
    latest: f64,
    last: f64,
    alike: usize,
}

impl Trend {
    /// Steps that shrink alike in a row before they count as those to a zero of higher order.
    const DEGENERATE: usize = 4;

    /// A step of this length, `full` if it was not shortened and helped.
    fn step(&mut self, moved: f64, full: bool, curvature: f64) {
        let alike = full && moved > 0.3 * self.last && moved < 0.9 * self.last;
        self.alike = if alike { self.alike + 1 } else { 0 };
        (self.last, self.latest) = (moved, curvature);
        self.first.get_or_insert(curvature);
    }

    /// The curvature at the end in units of that at the start, where the last steps went to a zero
    /// of higher order.
    pub(crate) fn degenerate(&self) -> Option<f64> {
        let first = self.first.filter(|_| self.alike >= Self::DEGENERATE)?;
        Some(self.latest / first)
    }
}

/// Entries of scratch that [`newton`] takes for `n` variables.
pub(crate) fn newton_scratch<T: Real>(n: usize) -> usize {
    3 * n + LinearSolver::<T>::scratch(&Cg::new(), n)
}

/// Iterations unless told otherwise.
pub(crate) const NEWTON_LIMIT: usize = 200;

/// Replaces `y` by a minimiser of `g(x, ·)`, to `‖∇_y g‖ ≤ tolerance`, for `limit` iterations or
/// until no step helps.
///
/// Steps along directions of conjugate gradients, cut short by negative curvature, with
/// backtracking (Nocedal and Wright, Numerical Optimization, 2006, algorithm 7.1).
pub(crate) fn newton<T: Real>(
    point: &mut Point<T>,
    x: &[T],
    y: &mut [T],
    (tolerance, limit): (f64, usize),
    scratch: &mut Scratch<'_, T>,
    trend: &mut Trend,
) -> Minimum {
    let n = y.len();
    let ([gradient, step, next], mut scratch) = scratch.split(n);
    let mut value = point.linearise(&[x, y]);
    let mut residual = norm(point.gradient(1)).f64();
    let mut iterations = 0;
    // Of the values, where it was found to be more than theirs.
    let mut measured = T::zero();
    let mut curvature = Curvature::new();
    while residual > tolerance && iterations < limit {
        let before = residual;
        for i in 0..n {
            gradient[i] = -point.gradient(1)[i];
        }
        step.fill(T::zero());
        let forcing = residual.sqrt().min(0.1).max(T::EPSILON * 16.0);
        let cg = Cg::new().tolerance(forcing);
        let mut h = Hessian::of(point);
        cg.solve(&mut h, gradient, step, &mut scratch);
        curvature = h.curvature();
        // The gradient itself where the curvature gave no direction of descent.
        if dot(gradient, step) <= T::zero() || step.iter().any(|v| !v.is_finite()) {
            step.copy_from_slice(gradient);
        }
        let slope = dot(gradient, step);
        let mut rounding = measured.max(T::of(1e3 * T::EPSILON) * value.abs());
        let mut length = T::one();
        // The largest change over the shortest steps.
        let mut noise = T::zero();
        let improved = loop {
            next.copy_from_slice(y);
            axpy(next, length, step);
            let reached = point.linearise(&[x, next]);
            let now = norm(point.gradient(1)).f64();
            let change = (reached - value).abs();
            let decreases = reached < value && reached <= value - T::of(1e-4) * length * slope;
            // Near the minimum the values no longer tell: there the gradient must shrink.
            let level = change <= rounding && now < residual;
            if now.is_finite() && (decreases || level) {
                value = reached;
                residual = now;
                break true;
            }
            if length.f64() < 1e-5 && change.is_finite() {
                noise = noise.max(change);
            }
            length *= T::of(0.5);
            if length.f64() < 1e-10 {
                if noise <= rounding {
                    break false;
                }
                // Along a direction of descent the shortest steps go down, except for rounding: that
                // of the objective's terms, which may be larger than its value.
                (measured, rounding) = (noise, noise);
                length = T::one();
            }
        };
        iterations += 1;
        if improved {
            let full = length == T::one() && 2.0 * residual < before;
            trend.step(norm(step).f64(), full, curvature.least());
        }
        if !improved {
            point.linearise(&[x, y]);
            break;
        }
        y.copy_from_slice(next);
    }
    Minimum {
        residual,
        iterations,
        curvature,
    }
}
