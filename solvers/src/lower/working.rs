//! Room for blocks of the Hessian among few entries, and their factors.

use autodiff::bytes::{Category, Claim};
use autodiff::kernels::dot;
use autodiff::{HESSIAN_ROOM, Meter, Point, Real, cholesky};

use crate::Bilevel;
use crate::part::Recorded;

/// The most entries of y that a working set has.
const MOST: usize = 1024;

/// Room for blocks of the Hessian of g among few entries of y.
#[derive(Debug)]
pub(crate) struct Working<T> {
    /// The entries, ascending.
    pub(crate) of: Vec<usize>,
    /// The block among them.
    pub(crate) block: Vec<T>,
    /// A factor of a part of it, or of an earlier one, and the entries of y of that.
    pub(crate) factor: Vec<T>,
    pub(crate) factored: Vec<usize>,
    room: Vec<T>,
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
        let numbers = 2 * most * most + (HESSIAN_ROOM + 7) * most + n;
        numbers * size_of::<T>() + 3 * most * size_of::<usize>()
    }

    /// Room for `n` entries of y. What is not used is reserved alone.
    pub(crate) fn new(n: usize, meter: &Meter) -> Self {
        let most = Self::most(n);
        Working {
            of: Vec::with_capacity(most),
            block: Vec::with_capacity(most * most),
            factor: Vec::with_capacity(most * most),
            factored: Vec::with_capacity(most),
            room: Vec::with_capacity(HESSIAN_ROOM * most + n),
            dim_y: n,
            _bytes: Claim::new(Self::bytes(n), Category::Solver, meter),
        }
    }

    /// Makes the block among [`of`](Working::of), of a g that was linearised.
    pub(crate) fn form(&mut self, point: &mut Point<T>) {
        let m = self.of.len();
        self.block.resize(m * m, T::zero());
        self.room.resize(HESSIAN_ROOM * m + self.dim_y, T::zero());
        point.hessian_among(1, &self.of, &mut self.room, &mut self.block);
    }

    /// Factors the part of the block that the numbers `some` of its rows make, each entry given with its
    /// place there by `entry`; whether it is positive definite.
    pub(crate) fn factor(&mut self, some: &[usize], entry: impl Fn(T, usize, usize) -> T) -> bool {
        let (m, k) = (self.of.len(), some.len());
        self.factor.resize(k * k, T::zero());
        for (j, column) in self.factor.chunks_exact_mut(k.max(1)).enumerate() {
            for i in j..k {
                column[i] = entry(self.block[some[j] * m + some[i]], i, j);
            }
        }
        self.factored.clear();
        if cholesky::factor(&mut self.factor, k).is_err() {
            return false;
        }
        let pivots = || self.factor.iter().step_by(k + 1).map(|p| p.f64());
        let least = pivots().fold(f64::INFINITY, f64::min);
        let largest = pivots().fold(0.0, f64::max);
        let definite = (least / largest).powi(2) > k as f64 * T::EPSILON;
        if definite {
            self.factored.extend(some.iter().map(|p| self.of[*p]));
        }
        definite
    }

    /// The largest curvature of the block, by some steps of the power method.
    pub(crate) fn largest(&self) -> f64 {
        let m = self.of.len();
        let mut v: Vec<T> = (0..m)
            .map(|i| T::of(1.0 + 0.3 * (i as f64).sin()))
            .collect();
        let mut largest = 0.0;
        for _ in 0..4 {
            let product: Vec<T> = self.block.chunks_exact(m).map(|c| dot(c, &v)).collect();
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
}
