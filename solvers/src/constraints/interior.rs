//! A primal-dual interior point method for a constrained level of order one.

use autodiff::cholesky;
use nalgebra::{DMatrix, DVector};

use super::level::{Model, Second};

/// Where the method ended.
pub(super) struct Inner {
    pub(super) y: DVector<f64>,
    /// Of the equalities, then of the inequalities.
    pub(super) multipliers: DVector<f64>,
    /// Of the inequalities: `c + s = 0`.
    pub(super) slacks: DVector<f64>,
    pub(super) iterations: usize,
}

/// The least slack and multiplier's product with it that the method starts with.
const BEGUN: f64 = 0.1;
/// The part of the way to the boundary that a step goes.
const SHORT: f64 = 0.995;
/// What is added to the diagonal at first, and at most.
const ADDED: (f64, f64) = (1e-10, 1e6);

/// Follows the central path from `start` until all of `∇_yL = 0`, `c_E = 0`, `c_I + s = 0` and
/// `s∘λ = 0` hold to `tolerance`, or no step helps.
///
/// Each step is Newton's for these equations with `s∘λ = σμ`, σ by Mehrotra's predictor, as far as
/// slacks and multipliers stay positive and the residual falls.
///
/// Reference: J. Nocedal and S. Wright, Numerical optimization, 2006, sections 16.6 and 19.3.
pub(super) fn follow(
    model: &mut dyn Model,
    start: DVector<f64>,
    tolerance: f64,
    limit: usize,
) -> Inner {
    let (equal, count) = (model.equal(), model.count());
    let mut at = Inner {
        multipliers: DVector::zeros(count),
        slacks: DVector::zeros(count - equal),
        y: start,
        iterations: 0,
    };
    let mut here = model.second(&at.y, &at.multipliers);
    for i in 0..count - equal {
        at.slacks[i] = (-here.c[equal + i]).max(BEGUN);
        at.multipliers[equal + i] = BEGUN / at.slacks[i];
    }
    if count > equal {
        here = model.second(&at.y, &at.multipliers);
    }
    while at.iterations < limit && here.is_finite() {
        let newton = Newton::new(&here, equal, &at);
        if newton.left() <= tolerance {
            break;
        }
        let Some(factor) = newton.factor() else {
            break;
        };
        let straight = newton.direction(&factor, 0.0);
        let far = at.stepped(&straight, at.boundary(&straight));
        let sigma = match newton.mu > 0.0 {
            true => (far.mu(equal) / newton.mu).powi(3).min(1.0),
            false => 0.0,
        };
        let target = sigma * newton.mu;
        let direction = newton.direction(&factor, target);
        let mut length = (SHORT * at.boundary(&direction)).min(1.0);
        let before = newton.merit(target);
        let next = loop {
            let next = at.stepped(&direction, length);
            let first = model.first(&next.y, &next.multipliers);
            let after = merit(&first.gradient, &first.c, equal, &next, target);
            if after <= (1.0 - 1e-4 * length) * before {
                break Some(next);
            }
            length *= 0.5;
            if length < 1e-8 {
                break None;
            }
        };
        let Some(next) = next else {
            break;
        };
        at = next;
        at.iterations += 1;
        here = model.second(&at.y, &at.multipliers);
    }
    at
}

/// A direction of y, the multipliers and the slacks.
struct Direction {
    y: DVector<f64>,
    multipliers: DVector<f64>,
    slacks: DVector<f64>,
}

impl Inner {
    /// The mean of `s∘λ`.
    fn mu(&self, equal: usize) -> f64 {
        let inequalities = self.multipliers.rows_range(equal..);
        match self.slacks.len() {
            0 => 0.0,
            n => self.slacks.dot(&inequalities) / n as f64,
        }
    }

    fn stepped(&self, d: &Direction, length: f64) -> Inner {
        Inner {
            y: &self.y + &d.y * length,
            multipliers: &self.multipliers + &d.multipliers * length,
            slacks: &self.slacks + &d.slacks * length,
            iterations: self.iterations,
        }
    }

    /// How far a direction goes until a slack or a multiplier of an inequality is 0; at most 1.
    fn boundary(&self, d: &Direction) -> f64 {
        let equal = self.multipliers.len() - self.slacks.len();
        let slacks = self.slacks.iter().zip(d.slacks.iter());
        let multipliers = self.multipliers.iter().zip(d.multipliers.iter());
        slacks
            .chain(multipliers.skip(equal))
            .filter(|(_, d)| **d < 0.0)
            .fold(1.0, |length, (at, d)| f64::min(length, -at / d))
    }
}

/// The norm of what is left of the equations, with `s∘λ = target`.
fn merit(gradient: &DVector<f64>, c: &DVector<f64>, equal: usize, at: &Inner, target: f64) -> f64 {
    let mut squares = gradient.norm_squared() + c.rows_range(..equal).norm_squared();
    for (i, slack) in at.slacks.iter().enumerate() {
        squares += (c[equal + i] + slack).powi(2);
        squares += (slack * at.multipliers[equal + i] - target).powi(2);
    }
    squares.sqrt()
}

/// The equations at a point.
struct Newton<'a> {
    here: &'a Second,
    equal: usize,
    at: &'a Inner,
    mu: f64,
    /// Added to the equalities' curvature: no step changes by it.
    weight: f64,
}

/// `W = ∇²_yy L + A_Iᵀ diag(λ/s) A_I + …` and `A_E W⁻¹A_Eᵀ`, factored.
struct Factor {
    w: DMatrix<f64>,
    schur: DMatrix<f64>,
    /// `W⁻¹A_Eᵀ`.
    across: DMatrix<f64>,
}

impl<'a> Newton<'a> {
    fn new(here: &'a Second, equal: usize, at: &'a Inner) -> Self {
        Newton {
            here,
            equal,
            at,
            mu: at.mu(equal),
            weight: here.hessian.amax().max(1.0),
        }
    }

    /// The largest of what is left of the equations.
    fn left(&self) -> f64 {
        let equalities = self.here.c.rows_range(..self.equal).amax();
        let mut left = self.here.gradient.amax().max(equalities);
        for (i, slack) in self.at.slacks.iter().enumerate() {
            let k = self.equal + i;
            left = left.max((self.here.c[k] + slack).abs());
            left = left.max(slack * self.at.multipliers[k]);
        }
        left
    }

    fn merit(&self, target: f64) -> f64 {
        let (gradient, c) = (&self.here.gradient, &self.here.c);
        merit(gradient, c, self.equal, self.at, target)
    }

    fn factor(&self) -> Option<Factor> {
        let (here, equal, n) = (self.here, self.equal, self.at.y.len());
        let mut w = here.hessian.clone();
        let (e, inequalities) = (
            here.jacobian.rows_range(..equal),
            here.jacobian.rows_range(equal..),
        );
        let mut scaled = inequalities.into_owned();
        for (i, mut row) in scaled.row_iter_mut().enumerate() {
            row *= (self.at.multipliers[equal + i] / self.at.slacks[i]).sqrt();
        }
        w += scaled.tr_mul(&scaled) + e.tr_mul(&e) * self.weight;
        // A level that is flat somewhere, or not convex, has more on its diagonal.
        let mut added = ADDED.0;
        let w = loop {
            let mut factor = w.clone();
            (0..n).for_each(|i| factor[(i, i)] += added);
            if cholesky::factor(factor.as_mut_slice(), n).is_ok() {
                break factor;
            }
            added *= 100.0;
            if !(added <= ADDED.1) {
                return None;
            }
        };
        let mut across = e.transpose();
        for mut column in across.column_iter_mut() {
            cholesky::solve(w.as_slice(), column.as_mut_slice());
        }
        let mut schur = e * &across;
        // Dependent equalities leave it singular.
        let least = 1e-13 * schur.diagonal().amax().max(f64::MIN_POSITIVE);
        (0..equal).for_each(|i| schur[(i, i)] += least);
        cholesky::factor(schur.as_mut_slice(), equal).ok()?;
        Some(Factor { w, schur, across })
    }

    /// Newton's direction to `s∘λ = target`.
    fn direction(&self, factor: &Factor, target: f64) -> Direction {
        let (here, equal, at) = (self.here, self.equal, self.at);
        let e = here.jacobian.rows_range(..equal);
        let inequalities = here.jacobian.rows_range(equal..);
        let left = here.c.rows_range(equal..) + &at.slacks;
        let multiplier = |i: usize| at.multipliers[equal + i];
        let pulled = DVector::from_fn(at.slacks.len(), |i, _| {
            let slack = at.slacks[i];
            (target - slack * multiplier(i) + multiplier(i) * left[i]) / slack
        });
        let off = here.c.rows_range(..equal);
        let mut y = -&here.gradient - inequalities.tr_mul(&pulled) - e.tr_mul(&off) * self.weight;
        cholesky::solve(factor.w.as_slice(), y.as_mut_slice());
        let mut equalities = e * &y + off;
        cholesky::solve(factor.schur.as_slice(), equalities.as_mut_slice());
        y -= &factor.across * &equalities;
        let moved = inequalities * &y;
        let slacks = -left - &moved;
        let mut multipliers = DVector::zeros(at.multipliers.len());
        multipliers.rows_range_mut(..equal).copy_from(&equalities);
        for i in 0..at.slacks.len() {
            multipliers[equal + i] = pulled[i] + multiplier(i) * moved[i] / at.slacks[i];
        }
        Direction {
            y,
            multipliers,
            slacks,
        }
    }
}
