//! Room for blocks of the Hessian among few entries, and their factors.

use autodiff::bytes::{Category, Claim};
use autodiff::kernels::dot;
use autodiff::{FewColumns, HESSIAN_ROOM, Meter, Point, Real, cholesky};

use crate::Bilevel;
use crate::part::Recorded;

/// The most entries of y that a working set has.
const MOST: usize = 1024;
/// Changed entries that take as long as a new factor of so many times more.
const CHANGE: usize = 32;
/// A block is kept that has at most so many times the entries that are wanted.
const SPARE: (usize, usize) = (5, 4);
/// Numbers of a dense block that are gone through in the time of an entry of a column, or a sample, that is
/// looked up.
const APART: usize = 4;
/// Units of rounding within which a diagonal is the same.
const SAME: f64 = 64.0;

/// Room for blocks of the Hessian of g among few entries of y.
#[derive(Debug)]
pub(crate) struct Working<T> {
    /// The entries, ascending.
    pub(crate) of: Vec<usize>,
    /// Those that are to be among them next, ascending.
    pub(crate) wanted: Vec<usize>,
    /// The block among them, in the first entries.
    block: Vec<T>,
    /// Whether the block is that where g is linearised now, and not only nearby.
    pub(crate) stands: bool,
    /// A factor of a part of it, or of an earlier one, with the curvature of h; the entries of y of that,
    /// in the order of its rows, and their places in the block.
    pub(crate) factor: Vec<T>,
    pub(crate) factored: Vec<usize>,
    pub(crate) places: Vec<usize>,
    /// The same entries, ascending, and the diagonal of what was factored.
    ascending: Vec<usize>,
    diagonal: Vec<T>,
    /// Rows of the factor that go.
    gone: Vec<usize>,
    room: Vec<T>,
    /// The Hessian among the entries of a [model](super::model::Model) as `BᵀB`, column by column, and the
    /// image `Bt` of its steps t: where going over these is less work than over a block.
    pub(crate) columns: FewColumns<T>,
    pub(crate) image: Vec<T>,
    pub(crate) by_columns: bool,
    dim_y: usize,
    _bytes: Claim,
}

impl<T: Real> Working<T> {
    /// Whether the lower level is a fused loss beside an h of entries, so that it has one.
    pub(crate) fn suits(problem: &Bilevel<T>) -> bool {
        let by_entries = |part: &std::sync::Arc<Recorded<T>>| part.map().entrywise().is_some();
        problem.recorded_part().is_some_and(by_entries) && problem.lower().knows_hessian(1)
    }

    /// The most entries of y among `n`.
    pub(crate) fn most(n: usize) -> usize {
        n.min(MOST)
    }

    /// Bytes that it takes for `n` entries of y.
    pub(crate) fn bytes(n: usize) -> usize {
        let most = Self::most(n);
        // With the vectors of a model of coordinate descent.
        let apart = most * most / APART;
        let numbers = 2 * most * most + (HESSIAN_ROOM + 9) * most + n + apart;
        numbers * size_of::<T>()
            + 8 * most * size_of::<usize>()
            + FewColumns::<T>::bytes(most, apart)
    }

    /// Room for `n` entries of y. What is not used is reserved alone.
    pub(crate) fn new(n: usize, meter: &Meter) -> Self {
        let most = Self::most(n);
        Working {
            of: Vec::with_capacity(most),
            wanted: Vec::with_capacity(most),
            block: Vec::with_capacity(most * most),
            factor: Vec::with_capacity(most * most),
            stands: false,
            factored: Vec::with_capacity(most),
            places: Vec::with_capacity(most),
            ascending: Vec::with_capacity(most),
            diagonal: Vec::with_capacity(most),
            gone: Vec::with_capacity(most),
            room: Vec::with_capacity(HESSIAN_ROOM * most + n),
            columns: FewColumns::with_room(most, most * most / APART),
            image: Vec::with_capacity(most * most / APART),
            by_columns: false,
            dim_y: n,
            _bytes: Claim::new(Self::bytes(n), Category::Solver, meter),
        }
    }

    /// Has the Hessian among the [`wanted`](Working::wanted), of a g that was linearised: as columns where
    /// that is less work, or as the block, perhaps among some more. `of` becomes the entries that it is
    /// among.
    pub(crate) fn look(&mut self, point: &mut Point<T>, of: &mut Vec<usize>) {
        let m = self.wanted.len();
        self.columns.clear(m * m / APART);
        self.by_columns = point.hessian_roots(1, &self.wanted, &mut self.columns);
        if self.by_columns {
            of.clone_from(&self.wanted);
            self.image.clear();
            self.image.resize(self.columns.rows(), T::zero());
        } else {
            self.form_wanted(point);
            of.clone_from(&self.of);
        }
    }

    /// The second derivative at a place of what was [looked](Working::look) at.
    pub(crate) fn diagonal(&self, place: usize) -> T {
        match self.by_columns {
            true => self.columns.norm_squared(place),
            false => self.block[place * self.of.len() + place],
        }
    }

    /// Makes the block among the [`wanted`](Working::wanted), or leaves that of some more which stands.
    pub(crate) fn form_wanted(&mut self, point: &mut Point<T>) {
        let few_more = self.of.len() * SPARE.1 <= self.wanted.len() * SPARE.0;
        let known = |i: &usize| self.of.binary_search(i).is_ok();
        if !(self.stands && few_more && self.wanted.iter().all(known)) {
            std::mem::swap(&mut self.of, &mut self.wanted);
            self.form(point);
        }
    }

    /// Makes the block among [`of`](Working::of), of a g that was linearised.
    pub(crate) fn form(&mut self, point: &mut Point<T>) {
        let m = self.of.len();
        // All of it is overwritten: what is there need not be cleared.
        if self.block.len() < m * m {
            self.block.resize(m * m, T::zero());
        }
        self.room.resize(HESSIAN_ROOM * m + self.dim_y, T::zero());
        point.hessian_among(1, &self.of, &mut self.room, &mut self.block[..m * m]);
        self.stands = true;
    }

    /// A column of the block.
    pub(crate) fn column(&self, place: usize) -> &[T] {
        let m = self.of.len();
        &self.block[place * m..][..m]
    }

    /// Forgets the factor.
    pub(crate) fn forget(&mut self) {
        self.factored.clear();
        self.ascending.clear();
        self.diagonal.clear();
    }

    /// Whether the factor is of these entries of y, which ascend.
    pub(crate) fn is_factored(&self, entries: impl Iterator<Item = usize>) -> bool {
        self.ascending.iter().copied().eq(entries)
    }

    /// Factors the part of the block that some places of it make, with a `curvature` added to the
    /// diagonal for the entry of y at each; `is_free` says which, of a place and its entry. Whether it
    /// is positive definite. A factor of nearly the same entries is changed where its diagonal was the
    /// same: each entry that goes or comes takes some n² operations.
    pub(crate) fn factor(
        &mut self,
        is_free: impl Fn(usize, usize) -> bool,
        curvature: impl Fn(usize) -> T,
    ) -> bool {
        let (m, of) = (self.of.len(), &self.of);
        let diagonal = |p: usize| self.block[p * m + p] + curvature(of[p]);
        self.places.clear();
        self.places.extend((0..m).filter(|p| is_free(*p, of[*p])));
        self.gone.clear();
        let mut alike = !self.factored.is_empty();
        for (row, (entry, before)) in self.factored.iter().zip(&self.diagonal).enumerate() {
            match of.binary_search(entry).ok().filter(|p| is_free(*p, *entry)) {
                None => self.gone.push(row),
                Some(p) => {
                    let moved = (diagonal(p) - *before).abs().f64();
                    alike &= moved <= SAME * T::EPSILON * before.abs().f64();
                }
            }
        }
        let kept = self.factored.len() - self.gone.len();
        let changes = self.gone.len() + self.places.len() - kept;
        let change = alike && changes * CHANGE <= self.places.len();
        let changed = change && self.change(&curvature);
        if !changed && !self.whole(&curvature) {
            self.forget();
            return false;
        }
        let k = self.factored.len();
        let pivots = || self.factor.iter().step_by(k + 1).map(|p| p.f64());
        let least = pivots().fold(f64::INFINITY, f64::min);
        let largest = pivots().fold(0.0, f64::max);
        let definite = (least / largest).powi(2) > k as f64 * T::EPSILON;
        if definite {
            self.ascending.clear();
            self.ascending.extend_from_slice(&self.factored);
            self.ascending.sort_unstable();
        } else {
            self.forget();
        }
        definite
    }

    /// Makes the factor of what stands at the [`places`](Working::places) anew.
    fn whole(&mut self, curvature: impl Fn(usize) -> T) -> bool {
        let (m, k) = (self.of.len(), self.places.len());
        self.forget();
        self.factored
            .extend(self.places.iter().map(|p| self.of[*p]));
        self.factor.resize(k * k, T::zero());
        for (j, column) in self.factor.chunks_exact_mut(k.max(1)).enumerate() {
            let from = &self.block[self.places[j] * m..][..m];
            for (to, p) in column[j..].iter_mut().zip(&self.places[j..]) {
                *to = from[*p];
            }
            column[j] += curvature(self.factored[j]);
            self.diagonal.push(column[j]);
        }
        cholesky::factor(&mut self.factor, k).is_ok()
    }

    /// Takes the rows that have [gone](Working::gone) from the factor and appends what is new.
    fn change(&mut self, curvature: impl Fn(usize) -> T) -> bool {
        let (m, n) = (self.of.len(), self.factored.len());
        let of = &self.of;
        if !self.gone.is_empty() {
            cholesky::remove(&mut self.factor, n, &self.gone, &mut self.room);
            for row in self.gone.iter().rev() {
                self.factored.remove(*row);
                self.diagonal.remove(*row);
            }
        }
        let kept = self.factored.len();
        let known = &self.ascending;
        let new = (self.places.iter()).filter(|p| known.binary_search(&of[**p]).is_err());
        for p in new {
            self.factored.push(of[*p]);
            self.diagonal
                .push(self.block[p * m + p] + curvature(of[*p]));
        }
        let place = |entry: &usize| of.binary_search(entry).expect("an entry of the block");
        self.places.clear();
        self.places.extend(self.factored.iter().map(place));
        let k = self.factored.len();
        self.factor.resize(k * k, T::zero());
        let (places, block, diagonal) = (&self.places, &self.block, &self.diagonal);
        let mut column = |new: usize, out: &mut [T]| {
            let row = kept + new;
            let from = &block[places[row] * m..][..m];
            for (out, p) in out.iter_mut().zip(places) {
                *out = from[*p];
            }
            out[row] = diagonal[row];
        };
        let size = (kept, k - kept);
        let appended = cholesky::append(&mut self.factor, size, &mut self.room, &mut column);
        if appended.is_err() {
            self.places.sort_unstable();
        }
        appended.is_ok()
    }

    /// The largest curvature of what was [looked](Working::look) at, by some steps of the power method.
    pub(crate) fn largest(&mut self) -> f64 {
        let m = match self.by_columns {
            true => self.columns.columns(),
            false => self.of.len(),
        };
        let mut v: Vec<T> = (0..m)
            .map(|i| T::of(1.0 + 0.3 * (i as f64).sin()))
            .collect();
        let mut largest = 0.0;
        for _ in 0..4 {
            let product = self.times(&v);
            let size = dot(&product, &product).sqrt();
            let before = dot(&v, &v).sqrt();
            largest = (size / before).f64();
            if !(largest > 0.0) {
                break;
            }
            v = product.iter().map(|p| *p / size).collect();
        }
        largest
    }

    fn times(&mut self, v: &[T]) -> Vec<T> {
        if !self.by_columns {
            let m = self.of.len();
            let columns = self.block[..m * m].chunks_exact(m.max(1));
            return columns.map(|c| dot(c, v)).collect();
        }
        self.image.fill(T::zero());
        for (p, v) in v.iter().enumerate() {
            self.columns.add_to(p, *v, &mut self.image);
        }
        let image = &self.image;
        (0..v.len()).map(|p| self.columns.dot(p, image)).collect()
    }
}
