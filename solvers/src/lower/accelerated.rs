//! Minimisation of the lower level to a tolerance by an accelerated gradient method.

use autodiff::kernels::norm;
use autodiff::{Inputs, Point, Real};

use super::newton::Minimum;
use crate::accuracy::Curvature;
use crate::linear::Scratch;

/// Iterations without a new least residual after which rounding is what is left.
const PATIENCE: usize = 500;

/// A step of length s is too long where the curvature along the last move is beyond this over s.
const TOO_LONG: f64 = 1.25;

/// Replaces `y` by a minimiser of `g(x, ·)`, to `‖∇_y g‖ ≤ tolerance`, after `limit` iterations, or
/// when the residual is down to rounding; one gradient each, with steps of length `step`, which is
/// at most one over the largest curvature where it starts.
///
/// FISTA (A. Beck and M. Teboulle, 2009), begun again where the momentum points uphill
/// (B. O'Donoghue and E. Candès, Adaptive restart for accelerated gradient schemes, 2015), so that
/// μ need not be known. Where more curvature is met on the way, as in a smooth image that a noisy one
/// leads to, the step is one over it from there on, and the momentum begins again. Three vectors of
/// scratch.
pub(crate) fn accelerated<T: Real>(
    point: &mut Point<T>,
    x: &[T],
    y: &mut [T],
    step: f64,
    tolerance: f64,
    limit: usize,
    scratch: &mut Scratch<'_, T>,
) -> Minimum {
    let [next, last, before] = scratch.vectors(y.len());
    last.copy_from_slice(y);
    let (mut step, mut t, mut iterations) = (step, 1.0f64, 0);
    let (mut least, mut least_at) = (f64::INFINITY, 0);
    loop {
        // The residual is that of the extrapolated point, which is the one returned.
        point.differentiate(&[x, y], Inputs::one(1));
        let residual = norm(point.gradient(1)).f64();
        if residual < least {
            (least, least_at) = (residual, iterations);
        }
        let stuck = iterations - least_at > PATIENCE || !residual.is_finite();
        if residual <= tolerance || iterations == limit || stuck {
            return Minimum {
                residual,
                iterations,
                curvature: Curvature::new(),
            };
        }
        let gradient = point.gradient(1);
        if iterations > 0
            && let Some(curvature) = met(y, gradient, (last, before), step)
            && curvature * step > TOO_LONG
        {
            (step, t) = (1.0 / curvature, 1.0);
        }
        before.copy_from_slice(gradient);
        let mut uphill = 0.0;
        for i in 0..y.len() {
            let g = point.gradient(1)[i];
            next[i] = y[i] - T::of(step) * g;
            uphill += (g * (next[i] - last[i])).f64();
        }
        if uphill > 0.0 {
            t = 1.0;
        }
        let grown = 0.5 * (1.0 + (1.0 + 4.0 * t * t).sqrt());
        let beta = T::of((t - 1.0) / grown);
        for i in 0..y.len() {
            y[i] = next[i] + beta * (next[i] - last[i]);
            last[i] = next[i];
        }
        t = grown;
        iterations += 1;
    }
}

/// The curvature of g along the way to y, with this gradient, from the point whose step led to `last` and
/// whose gradient was `before`; `None` where the way is so short that rounding decides.
fn met<T: Real>(y: &[T], gradient: &[T], (last, before): (&[T], &[T]), step: f64) -> Option<f64> {
    let (mut moved, mut turned) = (0.0, 0.0);
    for i in 0..y.len() {
        let way = (y[i] - (last[i] + T::of(step) * before[i])).f64();
        moved += way * way;
        turned += way * (gradient[i] - before[i]).f64();
    }
    let short = 1e3 * T::EPSILON * norm(y).f64();
    (moved > short * short).then(|| turned / moved)
}

#[cfg(test)]
mod tests {
    use super::*;
    use autodiff::{Meter, Objective, Var, objective};

    #[test]
    fn ill_conditioned_quadratics_take_the_root_of_the_condition_number() {
        let scales: Vec<f64> = (0..8)
            .map(|i| 10f64.powf(-4.0 * f64::from(i) / 7.0))
            .collect();
        let g = objective(|x: Var, y: Var| 0.5 * (y - x).square().dot(x.vector(&scales)));
        let x = [1.0; 8];
        let mut point = g.record(8, 8).point();
        let (mut entries, meter) = ([0.0; 24], Meter::new());
        let mut scratch = Scratch::new(&mut entries, &meter);
        let mut y = [0.0; 8];
        let mut solve = |y: &mut [f64], tolerance| {
            accelerated(&mut point, &x, y, 1.0, tolerance, 100_000, &mut scratch)
        };
        let minimum = solve(&mut y, 1e-10);
        assert!(minimum.residual <= 1e-10);
        // √κ = 100, and ln(1e10) ≈ 23.
        assert!(minimum.iterations < 4 * 100 * 23, "{}", minimum.iterations);
        y.iter().for_each(|y| assert!((y - 1.0).abs() <= 1e-6));
        // Rounding is noticed: the tolerance is out of reach.
        let stuck = solve(&mut y, 0.0);
        assert!(stuck.residual < 1e-12 && stuck.iterations < 20_000);
    }

    /// ½ ln(1 + (y/δ)²) has the curvature 1/δ² at 0, and hardly any far from it: a length that suits the
    /// start is a hundred times too long at the end.
    #[test]
    fn a_curvature_that_grows_on_the_way_shortens_the_step() {
        let g = objective(|x: Var, y: Var| {
            (0.5 * ((10.0 * y).square() + 1.0).ln()).sum() + 0.5 * (y - x).norm_squared()
        });
        let x = [3.0, -2.0, 1.0];
        let mut point = g.record(3, 3).point();
        let (mut entries, meter) = ([0.0; 9], Meter::new());
        let mut scratch = Scratch::new(&mut entries, &meter);
        let mut y = [0.01, 0.3, -0.2];
        let minimum = accelerated(&mut point, &x, &mut y, 0.5, 1e-10, 100_000, &mut scratch);
        assert!(minimum.residual <= 1e-10, "{}", minimum.residual);
        assert!(minimum.iterations < 1000, "{}", minimum.iterations);
    }
}
