//! Whether any y satisfies the constraints.

use autodiff::cholesky;
use nalgebra::{DMatrix, DVector};

use super::level::Model;

/// Steps that look for a y.
const LIMIT: usize = 200;

/// By how much constraints are violated: the norm of c_E and of what is positive of c_I.
pub(super) fn violation(equal: usize, c: &DVector<f64>) -> f64 {
    over(equal, c).norm()
}

fn over(equal: usize, c: &DVector<f64>) -> DVector<f64> {
    DVector::from_fn(c.len(), |i, _| if i < equal { c[i] } else { c[i].max(0.0) })
}

/// Goes from `y` to where the violation is least, by steps of Levenberg and Marquardt; that and the y.
pub(super) fn nearest(model: &mut dyn Model, mut y: DVector<f64>) -> (f64, DVector<f64>) {
    let (equal, n) = (model.equal(), y.len());
    let none = DVector::zeros(model.count());
    let mut damping = 1e-6;
    let mut here = model.second(&y, &none);
    for _ in 0..LIMIT {
        let off = over(equal, &here.c);
        let size = off.norm();
        if !(size > 4.0 * model.epsilon()) {
            break;
        }
        let mut active = here.jacobian.clone();
        for (i, mut row) in active.row_iter_mut().enumerate() {
            if off[i] == 0.0 {
                row.fill(0.0);
            }
        }
        let down = active.tr_mul(&off);
        if down.norm() <= 1e-12 * size * active.norm() {
            break;
        }
        let square = active.tr_mul(&active);
        let stepped = loop {
            let mut factor: DMatrix<f64> = square.clone();
            (0..n).for_each(|i| factor[(i, i)] += damping * (1.0 + square.amax()));
            let mut step = -&down;
            if cholesky::factor(factor.as_mut_slice(), n).is_ok() {
                cholesky::solve(factor.as_slice(), step.as_mut_slice());
                let next = &y + step;
                let after = violation(equal, &model.first(&next, &none).c);
                if after < size {
                    damping *= 0.1;
                    break Some(next);
                }
            }
            damping *= 10.0;
            if damping > 1e12 {
                break None;
            }
        };
        let Some(next) = stepped else {
            break;
        };
        y = next;
        here = model.second(&y, &none);
        if !here.is_finite() {
            break;
        }
    }
    (violation(equal, &here.c), y)
}
