//! Minimisation of a fused loss beside an h of entries: Newton's method on working sets, by coordinate
//! descent.

use autodiff::Real;

use super::LowerAt;
use super::model::{Model, PATIENCE};
use super::newton::Minimum;
use super::working::Working;
use crate::accuracy::{Curvature, solved};
use crate::part::{Entries, Prox};

/// The fewest entries that a working set is filled up to, and the growth of it.
const FEW: usize = 16;
/// Room for so many working sets' worth of free entries, one block after the other; with more patience.
const IN_BLOCKS: usize = 4;
/// The part of the residual that the quadratic model leaves, where another one follows.
const FORCING: f64 = 0.05;

/// Entries of scratch for `n` variables.
pub(crate) fn coordinates_scratch(n: usize) -> usize {
    2 * n
}

/// Where it ended.
pub(crate) struct Coordinates {
    pub(crate) minimum: Minimum,
    /// The residual that it began with.
    pub(crate) before: f64,
    /// g + h at the end.
    pub(crate) value: f64,
}

/// Replaces `y` by a minimiser of `g(x, ·) + h(x, ·)`, until the least subgradient there is no longer than
/// `tolerance`, for `limit` iterations, or until the residual is down to rounding; `None` where four
/// times as many entries as a [`Working`] has room for are free, or blocks of them lead no further, with
/// y brought nearer. `step` becomes one over the largest curvature among the entries looked at. g is left
/// linearised at y. Within the tolerance it goes on as long as each iteration leaves a tenth, until the
/// residual is a small part of that of the start: near the end Newton's steps are that good, and each
/// takes less than looking whether y is near enough. With the `value` of g + h where that is so already, it goes on from what it left,
/// by the factor at hand.
///
/// Each iteration takes one gradient of g and its Hessian among the free entries and those of the largest
/// subgradients, as many again. That quadratic [model](Model) with h is minimised by coordinate descent,
/// and once the free entries stay by their linear system, so that the rate of coordinate descent does not
/// matter; a line search takes the step where g is not quadratic.
///
/// References: T. Johnson and C. Guestrin, Blitz: a principled meta-algorithm for scaling sparse
/// optimization, ICML 2015; J. Lee, Y. Sun and M. Saunders, Proximal Newton-type methods for minimizing
/// composite functions, SIAM Journal on Optimization 24(3), 2014.
pub(crate) fn coordinates<T: Real>(
    at: &mut LowerAt<'_, '_, T>,
    y: &mut [T],
    step: &mut Option<f64>,
    (tolerance, limit): (f64, usize),
    value: Option<f64>,
) -> Option<Coordinates> {
    let (n, x, point) = (y.len(), at.x, &mut *at.point);
    let [sizes, order] = at.scratch.vectors(n);
    let most = Working::<T>::most(n);
    let working = at.working.as_deref_mut()?;
    let (h, prox, _) = at.part.as_deref_mut()?.with_entries(x)?;
    for (i, y) in y.iter_mut().enumerate() {
        *y = h.at(i).allowed(*y);
    }
    if value.is_none() {
        working.forget();
        working.stands = false;
    }
    let mut model = Model::default();
    let mut value = value.unwrap_or_else(|| point.linearise(&[x, y]).f64() + h.value(y));
    let (mut least, mut least_at, mut iterations) = (f64::INFINITY, 0, 0);
    let (mut before, mut last, mut formed, mut stands) = (None, 0.0, false, false);
    loop {
        let (residual, free) = subgradients(&h, y, point.gradient(1), sizes);
        let before = *before.get_or_insert(residual);
        if residual < least {
            (least, least_at) = (residual, iterations);
        }
        // With room for others that are no solution either.
        let whole = (free + FEW).min(n) <= most;
        let patience = if whole {
            PATIENCE
        } else {
            IN_BLOCKS * PATIENCE
        };
        let stuck = stands || iterations - least_at >= patience || !residual.is_finite();
        let goal = tolerance.min(solved::<T>() * before);
        let done = residual <= goal || residual <= tolerance && !(residual < 0.1 * last);
        let ends = done || iterations >= limit || stuck;
        last = residual;
        if free > IN_BLOCKS * most || !whole && stuck && residual > tolerance {
            working.forget();
            return None;
        }
        if ends && formed {
            let largest = working.largest();
            *step = Some(if largest > 0.0 { 1.0 / largest } else { 1.0 });
            let agree = agrees(prox, x, y, point.gradient(1), *step, residual, sizes);
            let minimum = Minimum {
                residual,
                iterations,
                curvature: Curvature::new(),
            };
            return agree.then_some(Coordinates {
                minimum,
                before,
                value,
            });
        }
        if !whole {
            // Among more than there is room for those are next that are farthest from a solution.
            for (i, size) in sizes.iter_mut().enumerate() {
                *size = h.at(i).least(y[i], point.gradient(1)[i]).abs();
            }
        }
        let covers = choose(&h, y, sizes, order, free, &mut working.wanted);
        std::mem::swap(&mut model.of, &mut model.before);
        working.look(point, &mut model.of);
        formed = true;
        if ends {
            continue;
        }
        model.start(working, y, point.gradient(1));
        // Where others are left out that are no solution either, or new ones will be, all of it is for
        // nothing.
        let last = covers && model.is_worth_a_factor(free, n, working);
        let forcing = if last { T::EPSILON.sqrt() } else { 1.0 };
        let until = (0.1 * goal).max(FORCING * forcing * model.residual(&h));
        model.minimise(point, &h, working, until);
        let taken = model.step(point, &h, x, y, (value, residual));
        iterations += 1;
        match taken {
            Some(now) => value = now,
            None => stands = true,
        }
        working.stands &= model.foretold(y, point.gradient(1));
    }
}

/// Whether the recorded proximal map knows of the same h: with it y is as near to a solution.
fn agrees<T: Real>(
    prox: &mut Prox<T>,
    x: &[T],
    y: &[T],
    gradient: &[T],
    step: Option<f64>,
    residual: f64,
    next: &mut [T],
) -> bool {
    let s = step.unwrap_or(1.0);
    let mut size = 0.0f64;
    for (i, next) in next.iter_mut().enumerate() {
        let way = T::of(s) * gradient[i];
        *next = y[i] - way;
        size = size.max(y[i].f64().abs()).max(way.f64().abs());
    }
    let squares = prox
        .value(x, next, s)
        .iter()
        .zip(y)
        .map(|(a, b)| (*a - *b).f64().powi(2));
    let rounding = 1e3 * T::EPSILON * size * (y.len() as f64).sqrt();
    // Written so that a NaN agrees: what is not finite is told elsewhere.
    !(squares.sum::<f64>().sqrt() > 2.0 * s * residual + rounding)
}

/// The length of the least subgradient, and the number of free entries. `sizes` becomes each entry's
/// part of it, infinite for a free one.
fn subgradients<T: Real>(
    h: &Entries<'_, T>,
    y: &[T],
    gradient: &[T],
    sizes: &mut [T],
) -> (f64, usize) {
    let (mut squares, mut free) = (0.0, 0);
    for (i, size) in sizes.iter_mut().enumerate() {
        let h = h.at(i);
        let least = h.least(y[i], gradient[i]);
        squares += least.f64().powi(2);
        *size = least.abs();
        if h.is_free(y[i]) {
            *size = T::of(f64::INFINITY);
            free += 1;
        }
    }
    (squares.sqrt(), free)
}

/// The working set: the free entries, and those of the largest sizes; whether these are all that are
/// not 0.
fn choose<T: Real>(
    h: &Entries<'_, T>,
    y: &[T],
    sizes: &[T],
    order: &mut [T],
    free: usize,
    of: &mut Vec<usize>,
) -> bool {
    let n = y.len();
    let count = (2 * free).max(FEW).min(Working::<T>::most(n));
    order.copy_from_slice(sizes);
    let bound = match count < n {
        true => {
            let descending = |a: &T, b: &T| b.f64().total_cmp(&a.f64());
            *order.select_nth_unstable_by(count - 1, descending).1
        }
        false => T::zero(),
    };
    of.clear();
    for (i, size) in sizes.iter().enumerate() {
        let some = *size > bound || *size == bound && *size > T::zero();
        if some && (of.len() < count || h.at(i).is_free(y[i])) {
            of.push(i);
        }
    }
    if of.is_empty() {
        of.push(0);
    }
    of.truncate(Working::<T>::most(n));
    of.len() == sizes.iter().filter(|size| **size > T::zero()).count()
}
