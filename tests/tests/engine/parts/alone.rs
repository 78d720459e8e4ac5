//! A solver that shares nothing with ours: proximal gradient steps with maps in plain numbers.

use nalgebra::{DMatrix, DVector};

/// `P_s(z)` in place.
pub(crate) type Map = Box<dyn Fn(&DVector<f64>, &mut DVector<f64>, f64)>;

/// argmin ½(y − d)ᵀQ(y − d) + h, where `map` has h's proximal map at x.
pub(crate) fn solve(
    q: &DMatrix<f64>,
    d: &DVector<f64>,
    x: &DVector<f64>,
    map: &Map,
) -> DVector<f64> {
    let s = 1.0 / q.symmetric_eigenvalues().max();
    let mut y = DVector::zeros(d.len());
    for _ in 0..200_000 {
        let mut next = &y - q * (&y - d) * s;
        map(x, &mut next, s);
        let moved = (&next - &y).amax();
        y = next;
        if moved < 1e-16 {
            break;
        }
    }
    y
}

pub(crate) fn shrink(z: f64, t: f64) -> f64 {
    z.signum() * (z.abs() - t).max(0.0)
}

/// The projection to the simplex of sum `r`, by sorting.
pub(crate) fn simplex(z: &DVector<f64>, r: f64) -> DVector<f64> {
    let mut sorted: Vec<f64> = z.iter().copied().collect();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let (mut sum, mut tau) = (0.0, f64::NAN);
    for (k, v) in sorted.iter().enumerate() {
        sum += v;
        let candidate = (sum - r) / (k + 1) as f64;
        if v - candidate > 0.0 {
            tau = candidate;
        }
    }
    z.map(|v| (v - tau).max(0.0))
}

/// The projection to the ℓ₁ ball.
pub(crate) fn l1_ball(z: &DVector<f64>, r: f64) -> DVector<f64> {
    if z.lp_norm(1) <= r {
        return z.clone();
    }
    let size = simplex(&z.abs(), r);
    z.zip_map(&size, |z, p| z.signum() * p)
}

pub(crate) fn shrink_group(z: &mut DVector<f64>, group: &[usize], t: f64) {
    let size = group.iter().map(|i| z[*i] * z[*i]).sum::<f64>().sqrt();
    let share = (1.0 - t / size).max(0.0);
    group.iter().for_each(|i| z[*i] *= share);
}
