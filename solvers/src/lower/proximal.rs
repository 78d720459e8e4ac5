//! Minimisation of a lower level with a part beside g: accelerated proximal steps, then Newton's on
//! the face that they come to.

use autodiff::kernels::add;
use autodiff::{Inputs, Point, Real};

use super::LowerAt;
use super::newton::Minimum;
use crate::accuracy::Curvature;
use crate::linear::{Cg, LinearSolver, Scratch};
use crate::part::{After, Face, OnFace, PartPoint};

/// Iterations without a new least residual after which rounding is what is left.
const PATIENCE: usize = 500;
/// The proximal step after which Newton's are tried again; each try that fails doubles it.
const NEXT_TRY: usize = 8;
/// The most steps of Newton's method in a row, and the relative residual of their linear systems.
const NEWTON: (usize, f64) = (30, 1e-4);
/// Growth of the residual after which a step is too long for the curvature that was met.
const GROWN: f64 = 1e3;
/// How often a step is made shorter.
const SHORTER: usize = 30;

/// Entries of scratch that [`proximal`] takes for `n` variables.
pub(crate) fn proximal_scratch<T: Real>(n: usize) -> usize {
    7 * n + LinearSolver::<T>::scratch(&Cg::new(), n)
}

/// Replaces `y` by a minimiser of `g(x, ·) + h(x, ·)`, to `‖y − P_s(y − s ∇_y g)‖ ≤ s · tolerance`, after
/// `limit` iterations, or when the residual is down to rounding. `step` is the length s, and is made
/// shorter where it proves too long.
///
/// FISTA (A. Beck and M. Teboulle, 2009), begun again where the momentum points away from where the
/// step leads (B. O'Donoghue and E. Candès, Adaptive restart for accelerated gradient schemes, 2015).
/// With `newton`, Newton's method is tried on the [face](Face) of an iterate now and then: where the
/// active set is that of the solution, it ends there.
pub(crate) fn proximal<T: Real>(
    at: &mut LowerAt<'_, '_, T>,
    y: &mut [T],
    step: &mut f64,
    (tolerance, limit): (f64, usize),
    newton: bool,
) -> Minimum {
    let (n, x, point) = (y.len(), at.x, &mut *at.point);
    let part = at.part.as_deref_mut().expect("a part beside g");
    let ([next, last, kept], mut scratch) = at.scratch.split(n);
    let (mut t, mut iterations, mut next_try, mut shortened) = (1.0f64, 0, 0, 0);
    let (mut least, mut least_at, mut first) = (f64::INFINITY, 0, f64::NAN);
    last.copy_from_slice(y);
    kept.copy_from_slice(y);
    loop {
        // y is the extrapolated point; its residual is no less than that of `next`.
        point.differentiate(&[x, y], Inputs::one(1));
        next.copy_from_slice(y);
        After::of(Some(part)).descend(point, x, *step, next);
        let residual = distance(next, y) / *step;
        if first.is_nan() {
            first = residual;
        }
        if residual < least {
            (least, least_at) = (residual, iterations);
        }
        // Written so that a NaN is too much.
        if !(residual <= GROWN * first) && shortened < SHORTER && iterations < limit {
            *step *= 0.25;
            shortened += 1;
            iterations += 1;
            (t, first, least, least_at) = (1.0, f64::NAN, f64::INFINITY, iterations);
            y.copy_from_slice(kept);
            last.copy_from_slice(kept);
            continue;
        }
        let stuck = iterations - least_at > PATIENCE || !residual.is_finite();
        let ends = residual <= tolerance || iterations >= limit || stuck;
        if ends || newton && iterations >= next_try {
            let most = if newton {
                NEWTON.0.min(limit - iterations.min(limit))
            } else {
                0
            };
            // No dearer than what was done before.
            let until = (tolerance, most, 50 + 2 * iterations);
            let reached = on_face(point, part, x, next, *step, until, &mut scratch);
            iterations += reached.iterations;
            y.copy_from_slice(next);
            if ends || !(reached.residual > tolerance) {
                return Minimum {
                    iterations,
                    ..reached
                };
            }
            // On from where it has led, or from where it began.
            next_try = (2 * iterations).max(NEXT_TRY);
            (t, least, least_at) = (1.0, reached.residual, iterations);
            last.copy_from_slice(next);
            kept.copy_from_slice(next);
            iterations += 1;
            continue;
        }
        let mut uphill = 0.0;
        for i in 0..n {
            uphill += ((y[i] - next[i]) * (next[i] - last[i])).f64();
        }
        if uphill > 0.0 {
            t = 1.0;
        }
        let grown = 0.5 * (1.0 + (1.0 + 4.0 * t * t).sqrt());
        let beta = T::of((t - 1.0) / grown);
        for i in 0..n {
            y[i] = next[i] + beta * (next[i] - last[i]);
            last[i] = next[i];
        }
        t = grown;
        iterations += 1;
    }
}

/// ‖a − b‖.
fn distance<T: Real>(a: &[T], b: &[T]) -> f64 {
    let squares = a.iter().zip(b).map(|(a, b)| (*a - *b).f64().powi(2));
    squares.sum::<f64>().sqrt()
}

/// Newton's method on the face of `y`, where a proximal step has led, as long as the residual is
/// halved at least; `limit` steps, each of `products` products with H at most. With the step's way r on the face, `M u = r/s` gives the next y as `y + D u`, and a
/// proximal step takes it back to the face where that is not flat.
fn on_face<T: Real>(
    point: &mut Point<T>,
    part: &mut PartPoint<T>,
    x: &[T],
    y: &mut [T],
    step: f64,
    (tolerance, limit, products): (f64, usize, usize),
    scratch: &mut Scratch<'_, T>,
) -> Minimum {
    let n = y.len();
    let ([way, u, trial, spare], mut scratch) = scratch.split(n);
    let mut curvature = Curvature::new();
    let mut residual = After::of(Some(part)).residual(point, x, y, step, way);
    let mut iterations = 0;
    while residual > tolerance && iterations < limit && residual.is_finite() {
        way.iter_mut().for_each(|v| *v *= T::of(1.0 / step));
        point.linearise(&[x, y]);
        spare.copy_from_slice(point.gradient(1));
        let mut face = Face::at(part, [x, y], spare, step, false, scratch.meter());
        u.fill(T::zero());
        let mut h = OnFace::new(point, &mut face);
        let cg = Cg::new().tolerance(NEWTON.1).max_iterations(products);
        cg.solve(&mut h, way, u, &mut scratch);
        let met = h.curvature();
        trial.copy_from_slice(u);
        face.project(trial);
        add(trial, y);
        point.differentiate(&[x, trial], Inputs::one(1));
        After::of(Some(part)).descend(point, x, step, trial);
        iterations += 1;
        let now = After::of(Some(part)).residual(point, x, trial, step, way);
        // Written so that a NaN ends it.
        if !(now <= 0.5 * residual) {
            break;
        }
        (residual, curvature) = (now, met);
        y.copy_from_slice(trial);
    }
    Minimum {
        residual,
        iterations,
        curvature,
    }
}
