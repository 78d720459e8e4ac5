//! Anderson's acceleration of a fixed-point iteration.

use autodiff::Real;
use autodiff::kernels::{dot_f64, norm};
use nalgebra::{DMatrix, DVector};

use crate::linear::Scratch;

/// The most differences that are kept.
const WINDOW: usize = 8;
/// Growth of the residual after which the best point is gone back to.
const GROWN: f64 = 2.0;
/// How often that may happen with nothing gained.
const RETURNS: usize = 8;

/// How an iteration ended; y and `Φ(y) − y` are those of the least residual.
pub(super) struct Reached {
    /// The residual where it started.
    pub(super) before: f64,
    /// The least one.
    pub(super) after: f64,
    /// How often Φ was evaluated.
    pub(super) evaluations: usize,
}

/// Entries of scratch that [`accelerate`] takes.
pub(super) fn scratch(n: usize) -> usize {
    (2 * WINDOW + 4) * n
}

/// Replaces `y` by a point with `‖Φ(y) − y‖ ≤ tolerance · ‖y‖`, or the best that was met until no
/// step helps. `map` overwrites its second argument by Φ of the first.
///
/// Each point is the one that a combination of the last differences leaves the least residual for,
/// and a step of Φ from there. Where the residual grows twofold the iteration goes back to the best
/// point, forgets, and takes a plain step.
///
/// # Reference
/// H. F. Walker and P. Ni, Anderson acceleration for fixed-point iterations, SIAM Journal on Numerical
/// Analysis 49, 2011, type II.
pub(super) fn accelerate<T: Real>(
    map: &mut dyn FnMut(&[T], &mut [T]),
    y: &mut [T],
    (tolerance, limit): (f64, usize),
    scratch: &mut Scratch<'_, T>,
) -> Reached {
    let n = y.len();
    let ([f, last_y, last_f, best], mut rest) = scratch.split(n);
    let [moves, falls] = rest.vectors(WINDOW * n);
    let mut residual = |y: &[T], f: &mut [T]| {
        map(y, f);
        for (f, y) in f.iter_mut().zip(y) {
            *f -= *y;
        }
        norm(f).f64()
    };
    let before = residual(y, f);
    let (mut least, mut kept, mut made, mut returned) = (before, 0, 1, 0);
    best.copy_from_slice(y);
    while least > tolerance * norm(best).f64() && made < limit && least.is_finite() {
        // γ of least ‖f − F γ‖.
        let filled = kept.min(WINDOW);
        let gamma = combination(&falls[..filled * n], f);
        last_y.copy_from_slice(y);
        last_f.copy_from_slice(f);
        for i in 0..n {
            y[i] += f[i];
            for (k, by) in gamma.iter().enumerate() {
                y[i] -= T::of(*by) * (moves[k * n + i] + falls[k * n + i]);
            }
        }
        let now = residual(y, f);
        made += 1;
        if now < least {
            if now < 0.99 * least {
                returned = 0;
            }
            least = now;
            best.copy_from_slice(y);
        }
        // Written so that a NaN goes back.
        if !(now <= GROWN * least) {
            returned += 1;
            if returned > RETURNS {
                break;
            }
            y.copy_from_slice(best);
            residual(y, f);
            made += 1;
            kept = 0;
            continue;
        }
        let place = (kept % WINDOW) * n;
        for i in 0..n {
            moves[place + i] = y[i] - last_y[i];
            falls[place + i] = f[i] - last_f[i];
        }
        kept += 1;
        let moved = norm(&moves[place..place + n]).f64();
        if moved <= 2.0 * T::EPSILON * norm(y).f64() {
            break;
        }
    }
    y.copy_from_slice(best);
    Reached {
        before,
        after: least,
        evaluations: made,
    }
}

/// The coefficients of the columns that leave the least of `f`; none where they cannot be told.
fn combination<T: Real>(columns: &[T], f: &[T]) -> DVector<f64> {
    let n = f.len();
    let columns: Vec<&[T]> = columns.chunks_exact(n).collect();
    let k = columns.len();
    let sizes: Vec<f64> = columns.iter().map(|c| dot_f64(c, c).sqrt()).collect();
    if k == 0 || sizes.contains(&0.0) {
        return DVector::zeros(0);
    }
    let gram = DMatrix::from_fn(k, k, |i, j| {
        let ridge = if i == j {
            1e2 * T::EPSILON.powf(0.75)
        } else {
            0.0
        };
        dot_f64(columns[i], columns[j]) / (sizes[i] * sizes[j]) + ridge
    });
    let right = DVector::from_fn(k, |i, _| dot_f64(columns[i], f) / sizes[i]);
    match gram.cholesky() {
        Some(factor) => {
            let solved = factor.solve(&right);
            DVector::from_fn(k, |i, _| solved[i] / sizes[i])
        }
        None => DVector::zeros(0),
    }
}

#[cfg(test)]
mod tests {
    use autodiff::Meter;

    use super::*;

    fn run(map: impl Fn(&[f64], &mut [f64]), start: &[f64], tolerance: f64) -> (Vec<f64>, Reached) {
        let mut y = start.to_vec();
        let mut entries = vec![0.0; scratch(y.len())];
        let meter = Meter::new();
        let mut scratch = Scratch::new(&mut entries, &meter);
        let mut map = |y: &[f64], out: &mut [f64]| map(y, out);
        let reached = accelerate(&mut map, &mut y, (tolerance, 2000), &mut scratch);
        (y, reached)
    }

    #[test]
    fn a_linear_map_is_solved_in_as_many_steps_as_it_has_unknowns() {
        // y ← y − s(Dy − 1) with a condition of 1000: thousands of plain steps.
        let d = [1.0, 0.3, 0.02, 1e-3];
        let map = |y: &[f64], out: &mut [f64]| {
            (0..4).for_each(|i| out[i] = y[i] - (d[i] * y[i] - 1.0));
        };
        let (y, reached) = run(map, &[0.0; 4], 1e-13);
        assert!(reached.evaluations < 40, "{}", reached.evaluations);
        for (y, d) in y.iter().zip(d) {
            assert!((y * d - 1.0).abs() < 1e-9, "{y}");
        }
    }

    #[test]
    fn a_map_that_plain_steps_leave_is_solved_and_one_without_a_fixed_point_ends() {
        let (y, reached) = run(|y, out| out[0] = 3.0 - 2.0 * y[0], &[5.0], 1e-12);
        assert!((y[0] - 1.0).abs() < 1e-11 && reached.after < 1e-11);
        let (_, reached) = run(|y, out| out[0] = y[0] + 1.0 + y[0] * y[0], &[0.5], 1e-12);
        assert!(reached.after > 0.5 && reached.evaluations <= 2001);
    }
}
