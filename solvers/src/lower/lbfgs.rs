//! Minimisation of a smooth lower level by L-BFGS.

use autodiff::kernels::{axpy, dot, norm};
use autodiff::{Inputs, Point, Real};

use super::newton::Minimum;
use crate::accuracy::Curvature;
use crate::linear::Scratch;

/// Pairs of steps and changes of the gradient that are kept.
const PAIRS: usize = 16;
/// What a step must lower g by, as a part of what its slope promises, and the part of the slope that
/// may be left.
const WOLFE: (f64, f64) = (1e-4, 0.9);
/// Trials of a line search.
const TRIALS: usize = 100;
/// Iterations without a new least residual after which rounding is what is left.
const PATIENCE: usize = 500;

/// Entries of scratch that [`lbfgs`] takes for `n` variables.
pub(crate) fn lbfgs_scratch(n: usize) -> usize {
    (4 + 2 * PAIRS) * n
}

/// Replaces `y` by a stationary point of `g(x, ·)` below where it starts, to `‖∇_y g‖ ≤ tolerance`, after
/// `limit` iterations, or when the residual is down to rounding; a gradient or two an iteration, and no
/// second derivatives: what kind of point it is, the linear system after it tells.
///
/// The two-loop recursion (J. Nocedal and S. Wright, Numerical Optimization, 2006, algorithms 7.4 and
/// 7.5) with a line search by doubling and halving for the weak conditions of Wolfe (A. Lewis and
/// M. Overton, Nonsmooth optimization via quasi-Newton methods, 2013, algorithm 4.6), which by their
/// second half keep the matrix positive definite where g is not convex. Where values no longer tell, the
/// slope alone decides (W. Hager and H. Zhang, A new conjugate gradient method, 2005, (4.1)).
pub(crate) fn lbfgs<T: Real>(
    point: &mut Point<T>,
    x: &[T],
    y: &mut [T],
    (tolerance, limit): (f64, usize),
    scratch: &mut Scratch<'_, T>,
) -> Minimum {
    let n = y.len();
    let ([way, gradient, trial, best], mut scratch) = scratch.split(n);
    let [room] = scratch.vectors(2 * PAIRS * n);
    let mut pairs = Pairs {
        room,
        n,
        products: [T::zero(); PAIRS],
        made: 0,
        kept: 0,
    };
    let by_y = Inputs::one(1);
    let mut value = point.differentiate(&[x, y], by_y);
    let (mut least, mut least_at, mut iterations) = (f64::INFINITY, 0, 0);
    best.copy_from_slice(y);
    loop {
        gradient.copy_from_slice(point.gradient(1));
        let residual = norm(gradient).f64();
        if residual < least {
            (least, least_at) = (residual, iterations);
            best.copy_from_slice(y);
        }
        let stuck = iterations - least_at > PATIENCE || !residual.is_finite();
        if residual <= tolerance || iterations >= limit || stuck {
            break;
        }
        pairs.direction(gradient, way);
        let mut slope = dot(gradient, way);
        // Written so that a NaN begins anew.
        if !(slope < T::zero()) {
            pairs.kept = 0;
            pairs.direction(gradient, way);
            slope = dot(gradient, way);
        }
        let rounding = T::of(1e3 * T::EPSILON) * value.abs();
        let (mut low, mut high) = (T::zero(), None);
        let mut length = T::one();
        let mut reached = None;
        for _ in 0..TRIALS {
            trial.copy_from_slice(y);
            axpy(trial, length, way);
            let now = point.differentiate(&[x, trial], by_y);
            let left = dot(point.gradient(1), way);
            let falls = now <= value + T::of(WOLFE.0) * length * slope;
            // Of a quadratic model the value is the mean slope times the length.
            let level =
                (now - value).abs() <= rounding && left <= T::of(2.0 * WOLFE.0 - 1.0) * slope;
            if !(falls || level) || !left.is_finite() {
                high = Some(length);
            } else if left < T::of(WOLFE.1) * slope {
                low = length;
            } else {
                reached = Some(now);
                break;
            }
            length = match high {
                Some(high) => (low + high) * T::of(0.5),
                None => length * T::of(2.0),
            };
        }
        iterations += 1;
        let Some(now) = reached else {
            if pairs.kept == 0 {
                break;
            }
            // Once more along the gradient itself.
            pairs.kept = 0;
            point.differentiate(&[x, y], by_y);
            continue;
        };
        pairs.keep([&*y, trial], [&*gradient, point.gradient(1)]);
        y.copy_from_slice(trial);
        value = now;
    }
    y.copy_from_slice(best);
    Minimum {
        residual: least,
        iterations,
        curvature: Curvature::new(),
    }
}

/// The latest steps s and changes z of the gradient, in turn.
struct Pairs<'a, T> {
    room: &'a mut [T],
    n: usize,
    /// `sᵀz` of each.
    products: [T; PAIRS],
    made: usize,
    kept: usize,
}

impl<T: Real> Pairs<'_, T> {
    fn at(&self, k: usize) -> [&[T]; 2] {
        let pair = &self.room[2 * (k % PAIRS) * self.n..][..2 * self.n];
        let (step, change) = pair.split_at(self.n);
        [step, change]
    }

    /// Keeps a pair with positive curvature.
    fn keep(&mut self, [from, to]: [&[T]; 2], [before, after]: [&[T]; 2]) {
        let (slot, n) = (self.made % PAIRS, self.n);
        let (step, change) = self.room[2 * slot * n..][..2 * n].split_at_mut(n);
        for i in 0..n {
            step[i] = to[i] - from[i];
            change[i] = after[i] - before[i];
        }
        let product = dot(step, change);
        let sizes = norm(step).f64() * norm(change).f64();
        if product.f64() > 10.0 * T::EPSILON * sizes {
            self.products[slot] = product;
            self.made += 1;
            self.kept = (self.kept + 1).min(PAIRS);
        }
    }

    /// Overwrites `way` with `−B⁻¹` times the gradient.
    fn direction(&self, gradient: &[T], way: &mut [T]) {
        for (way, g) in way.iter_mut().zip(gradient) {
            *way = -*g;
        }
        let mut along = [T::zero(); PAIRS];
        let kept = self.made - self.kept..self.made;
        for k in kept.clone().rev() {
            let [step, change] = self.at(k);
            along[k % PAIRS] = dot(step, way) / self.products[k % PAIRS];
            axpy(way, -along[k % PAIRS], change);
        }
        if let Some(last) = kept.clone().next_back() {
            let [_, change] = self.at(last);
            let scale = self.products[last % PAIRS] / dot(change, change);
            way.iter_mut().for_each(|v| *v *= scale);
        }
        for k in kept {
            let [step, change] = self.at(k);
            let back = dot(change, way) / self.products[k % PAIRS];
            axpy(way, along[k % PAIRS] - back, step);
        }
    }
}

#[cfg(test)]
mod tests {
    use autodiff::{Meter, Objective, Var, objective};

    use super::*;

    fn run(g: impl Objective<f64>, y: &mut [f64], tolerance: f64) -> Minimum {
        let n = y.len();
        let mut point = g.record(1, n).point();
        let (mut entries, meter) = (vec![0.0; lbfgs_scratch(n)], Meter::new());
        let mut scratch = Scratch::new(&mut entries, &meter);
        lbfgs(&mut point, &[0.0], y, (tolerance, 10_000), &mut scratch)
    }

    #[test]
    fn it_comes_to_the_minimiser_of_rosenbrock_in_few_iterations() {
        let g = objective(|_: Var, y: Var| {
            let (a, b) = (y.slice(0, 19), y.slice(1, 19));
            100.0 * (b - a.square()).square().sum() + (a - 1.0).square().sum()
        });
        let mut y = vec![-1.2; 20];
        let minimum = run(g, &mut y, 1e-10);
        assert!(minimum.residual <= 1e-10 && minimum.iterations < 300);
        y.iter()
            .for_each(|y| assert!((y - 1.0).abs() < 1e-9, "{y}"));
    }

    #[test]
    fn units_and_constants_do_not_matter_and_rounding_is_noticed() {
        for scale in [1e-9, 1.0, 1e9] {
            let g = objective(move |_: Var, y: Var| {
                scale * ((y - 0.5).cosh().sum() + 1e3) + scale * (y.at(0) - y.at(1)).square()
            });
            let mut y = [3.0, -2.0, 1.0];
            let minimum = run(g, &mut y, 0.0);
            assert!(
                minimum.residual < 1e-13 * scale,
                "{scale}: {}",
                minimum.residual
            );
            y.iter()
                .for_each(|y| assert!((y - 0.5).abs() < 1e-12, "{scale}: {y}"));
        }
    }
}
