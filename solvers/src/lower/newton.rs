//! Minimisation of the lower level to a tolerance: Newton's method with conjugate gradients, which a
//! dense factor of an earlier Hessian makes short.

use autodiff::kernels::{axpy, dot, norm};
use autodiff::{Point, Real};

use crate::accuracy::Curvature;
use crate::hessian::Hessian;
use crate::linear::dense::Factor;
use crate::linear::{Cg, LinearSolver, Outcome, Pcg, Report, Scratch};

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

/// Entries of scratch that [`newton`] takes for `n` variables, with `factors` or without.
pub(crate) fn newton_scratch<T: Real>(n: usize, factors: bool) -> usize {
    // The product with a preconditioner is a vector more.
    let preconditioned = if factors { n } else { 0 };
    3 * n + LinearSolver::<T>::scratch(&Cg::new(), n) + preconditioned
}

/// The slope upwards at the end of a step, as a part of that downwards at its start, above which it
/// went too far: of a half Newton's method takes fewest steps across kinks that are smoothed, a tenth
/// fewer than without.
const OVERSHOT: f64 = 0.5;
/// Iterations unless told otherwise.
pub(crate) const NEWTON_LIMIT: usize = 200;

/// Variables up to which conjugate gradients are short enough by themselves.
const FEW: usize = 32;
/// Products in blocks that cost what one with a single vector does: from 1.6 of fused losses to 2.8 of
/// recorded products of matrices.
const GAIN: usize = 2;

/// How the systems of Newton's steps are solved: by conjugate gradients, and once these took as many
/// products as a dense Hessian costs, with the factor of one that is used until they do again.
struct Steps<T: Real> {
    factors: bool,
    factor: Option<Factor<T>>,
    /// Products since the factor was made, or since the start.
    spent: usize,
}

impl<T: Real> Steps<T> {
    /// Overwrites `step` with `H⁻¹ b`, to this relative residual.
    fn solve(
        &mut self,
        h: &mut Hessian<'_, T>,
        b: &[T],
        step: &mut [T],
        tolerance: f64,
        scratch: &mut Scratch<'_, T>,
    ) {
        step.fill(T::zero());
        let n = b.len();
        if self.factors {
            let left = (n / GAIN).saturating_sub(self.spent).max(1);
            let report = self.to(tolerance, Some(left), h, b, step, scratch);
            self.spent += report.iterations;
            if report.outcome != Outcome::Exhausted {
                return;
            }
            // Dropped first, so that two are never held at one time.
            self.factor = None;
            self.factor = Factor::of(h, n, scratch.meter());
            self.spent = 0;
            // Where H is not definite, the direction that says so is what is wanted.
            self.factors = self.factor.is_some();
            if self.factors {
                self.to(tolerance, None, h, b, step, scratch);
                return;
            }
            step.fill(T::zero());
        }
        Cg::new().tolerance(tolerance).solve(h, b, step, scratch);
    }

    /// From `step` on, for so many iterations if a limit is given.
    fn to(
        &self,
        tolerance: f64,
        limit: Option<usize>,
        h: &mut Hessian<'_, T>,
        b: &[T],
        step: &mut [T],
        scratch: &mut Scratch<'_, T>,
    ) -> Report {
        let limit = limit.unwrap_or(4 * b.len() + 100);
        match &self.factor {
            None => {
                let cg = Cg::new().tolerance(tolerance).max_iterations(limit);
                cg.solve(h, b, step, scratch)
            }
            Some(factor) => {
                let cg = Pcg::with(factor).tolerance(tolerance);
                cg.max_iterations(limit).solve(h, b, step, scratch)
            }
        }
    }
}

/// Replaces `y` by a minimiser of `g(x, ·)`, to `‖∇_y g‖ ≤ tolerance`, for `limit` iterations or
/// until no step helps. With `factors` a dense factor of the Hessian may be held.
///
/// Steps along directions of conjugate gradients, cut short by negative curvature, with
/// backtracking (Nocedal and Wright, Numerical Optimization, 2006, algorithm 7.1), which ends no step
/// where g goes up again half as steeply as it went down: the upper half of the strong Wolfe conditions
/// (the same, (3.7b)).
pub(crate) fn newton<T: Real>(
    point: &mut Point<T>,
    x: &[T],
    y: &mut [T],
    (tolerance, limit): (f64, usize),
    factors: bool,
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
    let mut steps = Steps {
        factors: factors && n > FEW,
        factor: None,
        spent: 0,
    };
    while residual > tolerance && iterations < limit {
        let (before, higher) = (residual, value);
        for i in 0..n {
            gradient[i] = -point.gradient(1)[i];
        }
        let forcing = residual.sqrt().min(0.1).max(T::EPSILON * 16.0);
        let mut h = Hessian::of(point);
        steps.solve(&mut h, gradient, step, forcing, &mut scratch);
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
            // Lower on the other side of a narrow valley, where the next step would come back.
            let beyond = dot(point.gradient(1), step) > T::of(OVERSHOT) * slope;
            // Near the minimum the values no longer tell: there the gradient must shrink.
            let level = change <= rounding && now < residual;
            if now.is_finite() && ((decreases && !beyond) || level) {
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
        // As exact as the precision allows: by a factor each step is a small part of the one before.
        let told = (higher - value).abs() > rounding;
        if steps.factor.is_some() && !told && 2.0 * residual > before {
            break;
        }
    }
    Minimum {
        residual,
        iterations,
        curvature,
    }
}

#[cfg(test)]
mod tests {
    use autodiff::{Meter, Objective, Var, objective};

    use super::*;

    /// Σ dᵢ (cosh yᵢ − bᵢ yᵢ), with curvatures over six orders of magnitude: the minimiser's entries are
    /// asinh bᵢ.
    fn run(n: usize, factors: bool) -> (Minimum, Vec<f64>, usize, usize) {
        let of = |f: &dyn Fn(f64) -> f64| Vec::from_iter((0..n).map(|i| f(i as f64 / n as f64)));
        let (d, b) = (of(&|i| 10f64.powf(6.0 * i)), of(&|i| (9.0 * i).sin()));
        let solution: Vec<f64> = b.iter().map(|b| b.asinh()).collect();
        let g = objective(move |_: Var, y: Var| (y.cosh() - y.vector(&b) * y).dot(y.vector(&d)));
        let meter = Meter::new();
        let mut point = Point::new(g.record(1, n), &meter);
        let mut room = vec![0.0; newton_scratch::<f64>(n, factors)];
        let mut y = vec![1.0; n];
        let scratch = &mut Scratch::new(&mut room, &meter);
        let trend = &mut Trend::default();
        let found = newton(
            &mut point,
            &[0.0],
            &mut y,
            (1e-8, 100),
            factors,
            scratch,
            trend,
        );
        let apart = y.iter().zip(&solution).map(|(a, b)| (a - b).abs());
        assert!(apart.fold(0.0, f64::max) < 1e-7, "{n}");
        assert!(found.residual <= 1e-8, "{n}: {}", found.residual);
        let held = meter.read().peak_in(autodiff::bytes::Category::Solver);
        (found, y, point.sweeps().hvps, held)
    }

    #[test]
    fn a_factor_that_is_kept_saves_products_and_leads_to_the_same_minimiser() {
        let (n, bytes) = (200, Factor::<f64>::bytes(200));
        let ((_, _, plain, none), (_, _, kept, held)) = (run(n, false), run(n, true));
        assert!(
            2 * kept < plain,
            "{kept} products, {plain} without a factor"
        );
        assert_eq!((none, held), (0, bytes));
    }

    #[test]
    fn few_variables_need_none() {
        let (plain, kept) = (run(FEW, false), run(FEW, true));
        assert_eq!((plain.1, plain.2, 0), (kept.1, kept.2, kept.3));
    }
}
