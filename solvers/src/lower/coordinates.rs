//! Minimisation of a fused loss beside an h of entries: Newton's method on working sets, by coordinate
//! descent.

use autodiff::kernels::axpy;
use autodiff::{Point, Real, cholesky};

use super::LowerAt;
use super::newton::Minimum;
use super::working::Working;
use crate::accuracy::{Curvature, solved};
use crate::part::{Entries, Prox};

/// The fewest entries that a working set is filled up to, and the growth of it.
const FEW: usize = 16;
/// Rounds of the quadratic model, each of some epochs of coordinate descent and a step of Newton's.
const ROUNDS: usize = 200;
/// Epochs before the free entries are solved for at once: until they stay, and at most so many.
const EPOCHS: usize = 10;
/// Iterations without a new least residual after which rounding is what is left.
const PATIENCE: usize = 8;
/// Room for so many working sets' worth of free entries, one block after the other; with more patience.
const IN_BLOCKS: usize = 4;
/// The part of a change of the gradient that a model may be off by if the Hessian is to be the same.
const SAME: f64 = 1e-9;
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
/// Each iteration takes one gradient of g and the block of its Hessian among the free entries and those
/// of the largest subgradients, as many again. That quadratic model with h is minimised by coordinate
/// descent, and once the free entries stay by their linear system, so that the rate of coordinate
/// descent does not matter; a line search takes the step where g is not quadratic.
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
        working.form_wanted(point);
        formed = true;
        if ends {
            continue;
        }
        model.start(&working.of, y, point.gradient(1));
        // Where others are left out that are no solution either, all of it is for nothing.
        let forcing = if covers { T::EPSILON.sqrt() } else { 1.0 };
        let own = model.residual(&h, &working.of);
        let until = (0.1 * goal).max(FORCING * forcing * own);
        model.minimise(&h, working, until);
        let taken = model.step(point, &h, x, y, &working.of, (value, residual));
        iterations += 1;
        match taken {
            Some(now) => value = now,
            None => stands = true,
        }
        working.stands = model.foretold(&working.of, y, point.gradient(1));
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

/// The quadratic model of g with h among the entries of a working set.
#[derive(Default)]
struct Model<T> {
    /// Where it starts, and where it is.
    start: Vec<T>,
    t: Vec<T>,
    /// The gradient of g's model.
    gradient: Vec<T>,
    /// What the way promises: the change of g's model to first order, and of h.
    first: Vec<T>,
    way: Vec<T>,
    /// The entries and the gradient before a step of Newton's.
    kept: [Vec<T>; 2],
}

impl<T: Real> Model<T> {
    fn start(&mut self, of: &[usize], y: &[T], gradient: &[T]) {
        let gathered = |from: &[T], to: &mut Vec<T>| {
            to.clear();
            to.extend(of.iter().map(|i| from[*i]));
        };
        gathered(y, &mut self.start);
        gathered(y, &mut self.t);
        gathered(gradient, &mut self.gradient);
        gathered(gradient, &mut self.first);
    }

    /// Brings it to a minimiser, to this length of the least subgradient or as far as rounding lets it.
    fn minimise(&mut self, h: &Entries<'_, T>, working: &mut Working<T>, tolerance: f64) {
        let (mut least, mut since) = (f64::INFINITY, 0);
        for _ in 0..ROUNDS {
            for _ in 0..EPOCHS {
                if self.epoch(h, working) == 0 {
                    break;
                }
            }
            if self.residual(h, &working.of) > tolerance {
                self.newton(h, working);
            }
            let residual = self.residual(h, &working.of);
            since = if residual < 0.5 * least { 0 } else { since + 1 };
            least = least.min(residual);
            // Written so that a NaN ends it.
            if !(residual > tolerance) || since > PATIENCE {
                break;
            }
        }
    }

    /// The length of the least subgradient of the model.
    fn residual(&self, h: &Entries<'_, T>, of: &[usize]) -> f64 {
        let squares = of.iter().enumerate().map(|(p, i)| {
            let subgradient = h.at(*i).least(self.t[p], self.gradient[p]);
            subgradient.f64().powi(2)
        });
        squares.sum::<f64>().sqrt()
    }

    /// The value of the model, but for a constant.
    fn value(&self, h: &Entries<'_, T>, of: &[usize]) -> f64 {
        let mut value = 0.0;
        for (p, i) in of.iter().enumerate() {
            let mean = 0.5 * (self.first[p] + self.gradient[p]).f64();
            value += mean * (self.t[p] - self.start[p]).f64() + h.at(*i).value(self.t[p]);
        }
        value
    }

    /// Coordinate descent once around: how many entries became free or are no longer.
    fn epoch(&mut self, h: &Entries<'_, T>, working: &Working<T>) -> usize {
        let mut changed = 0;
        for (p, column) in working.columns().enumerate() {
            let a = column[p];
            if !(a > T::zero()) {
                continue;
            }
            let h = h.at(working.of[p]);
            let next = h.prox(self.t[p] - self.gradient[p] / a, a);
            if next != self.t[p] {
                changed += usize::from(h.is_free(next) != h.is_free(self.t[p]));
                self.move_to(p, next, column);
            }
        }
        changed
    }

    fn move_to(&mut self, p: usize, end: T, column: &[T]) {
        let moved = end - self.t[p];
        self.t[p] = end;
        axpy(&mut self.gradient, moved, column);
    }

    /// A step of Newton's method among the free entries: all the way, each as far as it stays free, or
    /// if that does not lower the model all as far as they stay free.
    fn newton(&mut self, h: &Entries<'_, T>, working: &mut Working<T>) {
        let definite = working.factor(|p, i| h.at(i).is_free(self.t[p]), |i| h.at(i).curvature());
        let (free, working) = (&working.places, &*working);
        if !definite || free.is_empty() {
            return;
        }
        let of = |p: usize| h.at(working.of[p]);
        self.way.clear();
        let least = |p: &usize| -of(*p).least(self.t[*p], self.gradient[*p]);
        self.way.extend(free.iter().map(least));
        cholesky::solve(&working.factor, &mut self.way);
        let before = self.value(h, &working.of);
        for (kept, of) in self.kept.iter_mut().zip([&self.t, &self.gradient]) {
            kept.clone_from(of);
        }
        let (mut part, mut first) = (T::one(), None);
        for (k, p) in free.iter().enumerate() {
            let (reach, end) = of(*p).reach(self.t[*p], self.way[k]);
            if reach < part {
                (part, first) = (reach, Some((k, end)));
            }
            // All the way, each up to where it is no longer free.
            self.move_to(*p, end, working.column(*p));
        }
        if first.is_some() && !(self.value(h, &working.of) < before) {
            std::mem::swap(&mut self.t, &mut self.kept[0]);
            std::mem::swap(&mut self.gradient, &mut self.kept[1]);
            for (k, p) in free.iter().enumerate() {
                let end = match first {
                    Some((first, end)) if first == k => end,
                    _ => of(*p).allowed(self.t[*p] + part * self.way[k]),
                };
                self.move_to(*p, end, working.column(*p));
            }
        }
    }

    /// Whether y is where the model ended, and g has the gradient there that the model foretold: the
    /// Hessian is then the same. By what the gradient has changed, or by its rounding.
    fn foretold(&self, of: &[usize], y: &[T], gradient: &[T]) -> bool {
        let (mut off, mut moved, mut size) = (0.0f64, 0.0f64, 0.0f64);
        for (p, i) in of.iter().enumerate() {
            if y[*i] != self.t[p] {
                return false;
            }
            // Written so that a NaN stays.
            let apart = (gradient[*i] - self.gradient[p]).abs().f64();
            off = if apart <= off { off } else { apart };
            moved = moved.max((self.gradient[p] - self.first[p]).abs().f64());
            size = size.max(gradient[*i].abs().f64());
        }
        off <= SAME * moved + 64.0 * T::EPSILON * size
    }

    /// Takes the step to where the model is, or a part of it that lowers g + h from `value`, or near the
    /// minimum the `residual`: the value there, with g linearised, or `None` with y as it was.
    fn step(
        &self,
        point: &mut Point<T>,
        h: &Entries<'_, T>,
        x: &[T],
        y: &mut [T],
        of: &[usize],
        (value, residual): (f64, f64),
    ) -> Option<f64> {
        let mut promised = 0.0;
        for (p, i) in of.iter().enumerate() {
            let h = h.at(*i);
            let moved = (self.t[p] - self.start[p]).f64();
            promised += self.first[p].f64() * moved + h.value(self.t[p]) - h.value(self.start[p]);
        }
        let rounding = 1e3 * T::EPSILON * value.abs();
        let mut length = T::one();
        while length.f64() > 1e-10 {
            for (p, i) in of.iter().enumerate() {
                // The end itself where it is the end: zeros and bounds are met to the bit.
                y[*i] = match length == T::one() {
                    true => self.t[p],
                    false => self.start[p] + length * (self.t[p] - self.start[p]),
                };
            }
            let reached = point.linearise(&[x, y]).f64() + h.value(y);
            if reached <= value + 1e-4 * length.f64() * promised && reached < value {
                return Some(reached);
            }
            if (reached - value).abs() <= rounding {
                let gradient = point.gradient(1).iter().enumerate();
                let squares = gradient.map(|(i, g)| h.at(i).least(y[i], *g).f64().powi(2));
                if squares.sum::<f64>().sqrt() < residual {
                    return Some(reached);
                }
                if length.f64() < 1e-3 {
                    break;
                }
            }
            length *= T::of(0.5);
        }
        for (p, i) in of.iter().enumerate() {
            y[*i] = self.start[p];
        }
        point.linearise(&[x, y]);
        None
    }
}
