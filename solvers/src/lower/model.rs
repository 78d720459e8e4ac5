//! The quadratic model of a fused loss beside an h of entries, on a working set.

use autodiff::kernels::axpy;
use autodiff::{Point, Real, cholesky};

use super::working::Working;
use crate::part::Entries;

/// Rounds of a model, each of some epochs of coordinate descent and a step of Newton's.
const ROUNDS: usize = 200;
/// Epochs before the free entries are solved for at once: at least so many where they do not stay.
const EPOCHS: usize = 10;
/// Epochs over the columns of samples in which the free entries stay before these are solved for at once: a
/// block of the Hessian and a factor take as long as many.
const STAY: usize = 3;
/// Multiplications of a factorisation in the time of one with an entry that is looked up.
const DENSE: usize = 16;
/// Iterations without a new least residual after which rounding is what is left.
pub(super) const PATIENCE: usize = 8;
/// The part of a change of the gradient that a model may be off by if the Hessian is to be the same.
const SAME: f64 = 1e-9;

/// The time of a factor of so many entries, in looked-up entries.
fn factor_work(entries: usize) -> usize {
    entries.pow(3) / (3 * DENSE)
}

/// The quadratic model of g with h among the entries of a working set, whose Hessian is in a [`Working`]:
/// as a dense block, of which the gradient of the model follows each step; or as columns of samples, which
/// the gradient is computed from where it is needed, and of which an image of the steps is kept.
#[derive(Default)]
pub(super) struct Model<T> {
    /// The entries of y, ascending.
    pub(super) of: Vec<usize>,
    /// Those of the model before it, if there was one.
    pub(super) before: Vec<usize>,
    /// The curvature of g at each.
    diagonal: Vec<T>,
    /// Where it starts, and where it is.
    start: Vec<T>,
    t: Vec<T>,
    /// The gradient of g's model.
    gradient: Vec<T>,
    /// What the way promises: the change of g's model to first order, and of h.
    first: Vec<T>,
    /// The places of the free entries, in the order of the rows of their factor, and a step of each.
    free: Vec<usize>,
    way: Vec<T>,
    /// The entries and the gradient before a step of Newton's.
    kept: [Vec<T>; 2],
}

impl<T: Real> Model<T> {
    pub(super) fn start(&mut self, working: &Working<T>, y: &[T], gradient: &[T]) {
        let of = &self.of;
        let gathered = |from: &[T], to: &mut Vec<T>| {
            to.clear();
            to.extend(of.iter().map(|i| from[*i]));
        };
        gathered(y, &mut self.start);
        gathered(y, &mut self.t);
        gathered(gradient, &mut self.gradient);
        gathered(gradient, &mut self.first);
        self.diagonal.clear();
        self.diagonal
            .extend((0..of.len()).map(|p| working.diagonal(p)));
    }

    /// Whether its minimiser is worth a factor, of about so many free entries among `n`: where that takes no
    /// longer than a pass over the samples, or no entry is new, so that this may well be the last model.
    /// A dense block has cost as much already.
    pub(super) fn is_worth_a_factor(&self, free: usize, n: usize, working: &Working<T>) -> bool {
        let pass = 2 * working.columns.entries() * n / self.of.len();
        let known = |i: &usize| self.before.binary_search(i).is_ok();
        !working.by_columns || factor_work(free) <= pass || self.of.iter().all(known)
    }

    /// Brings it to a minimiser, to this length of the least subgradient or as far as rounding lets it. The
    /// point is linearised where it starts.
    pub(super) fn minimise(
        &mut self,
        point: &mut Point<T>,
        h: &Entries<'_, T>,
        working: &mut Working<T>,
        tolerance: f64,
    ) {
        let (mut least, mut since) = (f64::INFINITY, 0);
        for _ in 0..ROUNDS {
            match working.by_columns {
                true => self.descend_by_columns(h, working, tolerance),
                false => self.descend(h, working),
            }
            if self.residual(h) > tolerance {
                self.newton(point, h, working);
            }
            let residual = self.residual(h);
            since = if residual < 0.5 * least { 0 } else { since + 1 };
            least = least.min(residual);
            // Written so that a NaN ends it.
            if !(residual > tolerance) || since > PATIENCE {
                break;
            }
        }
    }

    /// Coordinate descent by the dense block, until the free entries stay once around.
    fn descend(&mut self, h: &Entries<'_, T>, working: &Working<T>) {
        for _ in 0..EPOCHS {
            let mut changed = 0;
            for p in 0..self.of.len() {
                if let Some(next) = self.next(h, p, self.gradient[p]) {
                    changed += usize::from(self.turns(h, p, next));
                    self.move_to(p, next, working);
                }
            }
            if changed == 0 {
                break;
            }
        }
    }

    /// Coordinate descent by the columns, until the free entries stay for some epochs, or the moves of one are
    /// within the tolerance; for no longer than a factor would take.
    fn descend_by_columns(&mut self, h: &Entries<'_, T>, working: &mut Working<T>, tolerance: f64) {
        let free = (self.of.iter().zip(&self.t)).filter(|(i, t)| h.at(**i).is_free(**t));
        let epoch = (2 * working.columns.entries()).max(1);
        let most = EPOCHS.max(factor_work(free.count()) / epoch);
        let mut stayed = 0;
        for _ in 0..most {
            let (mut changed, mut squares) = (0, 0.0);
            for p in 0..self.of.len() {
                let gradient = self.first[p] + working.columns.dot(p, &working.image);
                if let Some(next) = self.next(h, p, gradient) {
                    changed += usize::from(self.turns(h, p, next));
                    let moved = next - self.t[p];
                    self.t[p] = next;
                    working.columns.add_to(p, moved, &mut working.image);
                    let bend = self.diagonal[p] + h.at(self.of[p]).curvature();
                    squares += (bend * moved).f64().powi(2);
                }
            }
            stayed = if changed == 0 { stayed + 1 } else { 0 };
            // Written so that a NaN ends it.
            if stayed >= STAY || !(squares.sqrt() > 0.5 * tolerance) {
                break;
            }
        }
        self.settle(working);
    }

    /// The gradient where it is now, from the columns, with no rounding of steps that were taken back.
    fn settle(&mut self, working: &mut Working<T>) {
        if !working.by_columns {
            return;
        }
        let Working { columns, image, .. } = working;
        image.fill(T::zero());
        for (p, (t, start)) in self.t.iter().zip(&self.start).enumerate() {
            if t != start {
                columns.add_to(p, *t - *start, image);
            }
        }
        for (p, (gradient, first)) in self.gradient.iter_mut().zip(&self.first).enumerate() {
            *gradient = *first + columns.dot(p, image);
        }
    }

    /// The length of the least subgradient of the model.
    pub(super) fn residual(&self, h: &Entries<'_, T>) -> f64 {
        let squares = self.of.iter().enumerate().map(|(p, i)| {
            let subgradient = h.at(*i).least(self.t[p], self.gradient[p]);
            subgradient.f64().powi(2)
        });
        squares.sum::<f64>().sqrt()
    }

    /// The value of the model, but for a constant.
    fn value(&self, h: &Entries<'_, T>) -> f64 {
        let mut value = 0.0;
        for (p, i) in self.of.iter().enumerate() {
            let mean = 0.5 * (self.first[p] + self.gradient[p]).f64();
            value += mean * (self.t[p] - self.start[p]).f64() + h.at(*i).value(self.t[p]);
        }
        value
    }

    /// Where a step along one entry ends, with this gradient there, if it is another place.
    #[inline(always)]
    fn next(&self, h: &Entries<'_, T>, p: usize, gradient: T) -> Option<T> {
        let a = self.diagonal[p];
        let next = (a > T::zero()).then(|| h.at(self.of[p]).prox(self.t[p] - gradient / a, a))?;
        (next != self.t[p]).then_some(next)
    }

    /// Whether an entry becomes free there or is no longer.
    fn turns(&self, h: &Entries<'_, T>, p: usize, next: T) -> bool {
        let h = h.at(self.of[p]);
        h.is_free(next) != h.is_free(self.t[p])
    }

    /// Moves an entry, with the gradient by the dense block; by the columns it waits for
    /// [`settle`](Model::settle).
    fn move_to(&mut self, p: usize, end: T, working: &Working<T>) {
        let moved = end - self.t[p];
        self.t[p] = end;
        if !working.by_columns {
            axpy(&mut self.gradient, moved, working.column(p));
        }
    }

    /// Factors the Hessian among the free entries, whose block is made first where there is none: whether
    /// there are such, and it is positive definite. The places of its rows are then in `free`.
    fn factor(
        &mut self,
        point: &mut Point<T>,
        h: &Entries<'_, T>,
        working: &mut Working<T>,
    ) -> bool {
        let (of, t) = (&self.of, &self.t);
        let is_free = |p: usize| h.at(of[p]).is_free(t[p]);
        if working.by_columns {
            working.wanted.clear();
            let free = (0..of.len()).filter(|p| is_free(*p));
            working.wanted.extend(free.map(|p| of[p]));
            if working.wanted.is_empty() {
                return false;
            }
            working.form_wanted(point);
        }
        // The block may have more entries than those of this set, which are then not free.
        let definite = working.factor(
            |_, i| of.binary_search(&i).is_ok_and(is_free),
            |i| h.at(i).curvature(),
        );
        self.free.clear();
        if definite {
            let place = |i: &usize| of.binary_search(i).expect("an entry of the set");
            self.free.extend(working.factored.iter().map(place));
        }
        !self.free.is_empty()
    }

    /// A step of Newton's method among the free entries: all the way, each as far as it stays free, or
    /// if that does not lower the model all as far as they stay free.
    fn newton(&mut self, point: &mut Point<T>, h: &Entries<'_, T>, working: &mut Working<T>) {
        if !self.factor(point, h, working) {
            return;
        }
        let free = std::mem::take(&mut self.free);
        self.way.clear();
        let least = |p: &usize| -h.at(self.of[*p]).least(self.t[*p], self.gradient[*p]);
        self.way.extend(free.iter().map(least));
        cholesky::solve(&working.factor, &mut self.way);
        let before = self.value(h);
        for (kept, of) in self.kept.iter_mut().zip([&self.t, &self.gradient]) {
            kept.clone_from(of);
        }
        let (mut part, mut first) = (T::one(), None);
        for (k, p) in free.iter().enumerate() {
            let (reach, end) = h.at(self.of[*p]).reach(self.t[*p], self.way[k]);
            if reach < part {
                (part, first) = (reach, Some((k, end)));
            }
            // All the way, each up to where it is no longer free.
            self.move_to(*p, end, working);
        }
        self.settle(working);
        if first.is_some() && !(self.value(h) < before) {
            std::mem::swap(&mut self.t, &mut self.kept[0]);
            std::mem::swap(&mut self.gradient, &mut self.kept[1]);
            for (k, p) in free.iter().enumerate() {
                let end = match first {
                    Some((first, end)) if first == k => end,
                    _ => h.at(self.of[*p]).allowed(self.t[*p] + part * self.way[k]),
                };
                self.move_to(*p, end, working);
            }
            self.settle(working);
        }
        self.free = free;
    }

    /// Whether y is where the model ended, and g has the gradient there that the model foretold: the
    /// Hessian is then the same. By what the gradient has changed, or by its rounding.
    pub(super) fn foretold(&self, y: &[T], gradient: &[T]) -> bool {
        let (mut off, mut moved, mut size) = (0.0f64, 0.0f64, 0.0f64);
        for (p, i) in self.of.iter().enumerate() {
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
    pub(super) fn step(
        &self,
        point: &mut Point<T>,
        h: &Entries<'_, T>,
        x: &[T],
        y: &mut [T],
        (value, residual): (f64, f64),
    ) -> Option<f64> {
        let mut promised = 0.0;
        for (p, i) in self.of.iter().enumerate() {
            let h = h.at(*i);
            let moved = (self.t[p] - self.start[p]).f64();
            promised += self.first[p].f64() * moved + h.value(self.t[p]) - h.value(self.start[p]);
        }
        let rounding = 1e3 * T::EPSILON * value.abs();
        let mut length = T::one();
        while length.f64() > 1e-10 {
            for (p, i) in self.of.iter().enumerate() {
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
        for (p, i) in self.of.iter().enumerate() {
            y[*i] = self.start[p];
        }
        point.linearise(&[x, y]);
        None
    }
}
