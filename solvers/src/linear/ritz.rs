//! Ritz vectors of a matrix, from what a search meets of it: kept, recalled, and taken out of a system.

use autodiff::Real;
use autodiff::kernels::{axpy, dot, norm};

use super::common::relative;
use super::small::{eigen, follow, gram, orthonormalise, rotate};
use super::{Operator, Outcome, Report, Scratch, flat};

/// Vectors that are collected, for each one that is kept.
pub(super) const WINDOW: usize = 2;

/// Room for Ritz vectors with their products: those of W first, then those that are collected.
pub(super) struct Ritz<'s, T: Real> {
    n: usize,
    /// Vectors that are kept.
    keep: usize,
    /// Vectors of W.
    count: usize,
    z: &'s mut [T],
    hz: &'s mut [T],
    values: &'s mut [T],
    along: &'s mut [T],
    small: &'s mut [T],
}

impl<'s, T: Real> Ritz<'s, T> {
    /// Entries for `m` vectors: with their products, three numbers for each, and two small matrices.
    pub(super) fn entries(n: usize, m: usize) -> usize {
        2 * n * m + 3 * m + 2 * m * m
    }

    pub(super) fn new(n: usize, keep: usize, scratch: Scratch<'s, T>) -> Self {
        let m = (1 + WINDOW) * keep;
        let ([z, hz], scratch) = scratch.take(n * m);
        let ([values, along], scratch) = scratch.take(m);
        let ([small], _) = scratch.take(m + 2 * m * m);
        Ritz {
            n,
            keep,
            count: 0,
            z,
            hz,
            values,
            along,
            small,
        }
    }

    /// W of what was `kept`, in the basis in which E is diagonal; or what H is along it.
    pub(super) fn recall(&mut self, h: &mut dyn Operator<T>, kept: &[T]) -> Option<Outcome> {
        let n = self.n;
        let z = &mut self.z[..kept.len()];
        z.copy_from_slice(kept);
        let rank = orthonormalise(z, n, T::EPSILON.sqrt(), self.small);
        if rank == 0 {
            return None;
        }
        // Not as a block, which would hold more where something was kept than where nothing was.
        let products = self.hz.chunks_exact_mut(n);
        for (z, hz) in self.z[..rank * n].chunks_exact(n).zip(products) {
            h.apply(z, hz);
        }
        let hz = &self.hz[..rank * n];
        if hz.iter().any(|h| !h.is_finite()) {
            return Some(Outcome::NonFinite);
        }
        // E inherits the rounding of HW, which is larger where W all but misses the range of H.
        let largest = longest(hz, n);
        let all = (&mut self.z[..rank * n], &mut self.hz[..rank * n]);
        ritz(n, all, rank, (self.values, self.small));
        let flaw = told::<T>(n, self.values[0].f64(), largest);
        if flaw.is_none() {
            self.count = rank;
        }
        flaw
    }

    /// W, and the window beside it.
    pub(super) fn split(&mut self) -> (Space<'_, T>, Window<'_, T>) {
        let at = self.count * self.n;
        let (z, more) = self.z.split_at_mut(at);
        let (hz, products) = self.hz.split_at_mut(at);
        let (values, own) = self.values.split_at_mut(self.count);
        let space = Space {
            n: self.n,
            count: self.count,
            z,
            hz,
            values,
            along: &mut self.along[..self.count],
        };
        let window = Window {
            n: self.n,
            keep: self.keep,
            count: 0,
            z: more,
            hz: products,
            values: own,
            small: self.small,
        };
        (space, window)
    }

    /// Overwrites `kept` with the best of W and `collected` vectors of the window. How the solve ended,
    /// with what W's curvature is beside the largest that was met.
    pub(super) fn left(&mut self, collected: usize, report: Report, kept: &mut [T]) -> Outcome {
        if collected == 0 || report.outcome.flaw().is_some() {
            return report.outcome;
        }
        let (n, all) = (self.n, self.count + collected);
        let least = self.values[..self.count].first().map(|l| l.f64());
        let vectors = (&mut self.z[..all * n], &mut self.hz[..all * n]);
        let largest = longest(vectors.1, n);
        let found = ritz(n, vectors, self.keep, (self.values, self.small));
        kept.fill(T::zero());
        if self.count > 0 || report.iterations > self.keep {
            let entries = found * n;
            kept[..entries].copy_from_slice(&self.z[..entries]);
        }
        least
            .and_then(|least| told::<T>(n, least, largest))
            .unwrap_or(report.outcome)
    }
}

/// The largest norm of these vectors.
fn longest<T: Real>(vectors: &[T], n: usize) -> f64 {
    (vectors.chunks_exact(n)).fold(0.0, |most, v| norm(v).f64().max(most))
}

/// What a least curvature beside the largest says of H.
fn told<T: Real>(n: usize, least: f64, largest: f64) -> Option<Outcome> {
    let relative_curvature = relative(least, largest);
    let flat = flat::<T>(n);
    if relative_curvature < -flat {
        Some(Outcome::Negative { relative_curvature })
    } else if relative_curvature <= flat {
        Some(Outcome::Singular { relative_curvature })
    } else {
        None
    }
}

/// W with HW, such that `WᵀHW` is the diagonal matrix of `values`, which are positive and ascend.
pub(super) struct Space<'s, T: Real> {
    n: usize,
    pub(super) count: usize,
    z: &'s [T],
    hz: &'s [T],
    values: &'s [T],
    /// Room for a number a vector.
    along: &'s mut [T],
}

impl<T: Real> Space<'_, T> {
    fn each(&self) -> impl Iterator<Item = (&[T], &[T], T)> {
        let products = self.hz.chunks_exact(self.n);
        let pairs = self.z.chunks_exact(self.n).zip(products);
        pairs
            .zip(self.values)
            .map(|((w, hw), value)| (w, hw, *value))
    }

    /// Takes the part of the solution that is in W from the residual `r` to `v`.
    pub(super) fn take_from(&self, r: &mut [T], v: &mut [T]) {
        for (w, hw, value) in self.each() {
            let along = dot(w, r) / value;
            axpy(v, along, w);
            axpy(r, -along, hw);
        }
    }

    /// `z ← (PᵀP + τ W E⁻¹ Wᵀ) r`, with the largest of the values for τ.
    pub(super) fn precondition(&mut self, r: &[T], z: &mut [T]) {
        let tau = self.values[self.count - 1];
        z.copy_from_slice(r);
        for (w, hw, value) in self.each() {
            axpy(z, -dot(w, r) / value, hw);
        }
        for k in 0..self.count {
            let (w, hw) = (&self.z[k * self.n..], &self.hz[k * self.n..]);
            let along = tau * dot(&w[..self.n], r) - dot(&hw[..self.n], z);
            self.along[k] = along / self.values[k];
        }
        for (along, w) in self.along.iter().zip(self.z.chunks_exact(self.n)) {
            axpy(z, *along, w);
        }
    }
}

/// Directions that were searched, as Ritz vectors once there are too many.
pub(super) struct Window<'s, T: Real> {
    n: usize,
    keep: usize,
    pub(super) count: usize,
    z: &'s mut [T],
    hz: &'s mut [T],
    values: &'s mut [T],
    small: &'s mut [T],
}

impl<T: Real> Window<'_, T> {
    /// A direction and its product.
    pub(super) fn see(&mut self, p: &[T], hp: &[T]) {
        let (n, size) = (self.n, norm(p));
        if self.keep == 0 || !(size > T::zero()) || !norm(hp).is_finite() {
            return;
        }
        if self.count == WINDOW * self.keep {
            let entries = self.count * n;
            let vectors = (&mut self.z[..entries], &mut self.hz[..entries]);
            self.count = ritz(n, vectors, self.keep, (self.values, self.small));
        }
        let at = self.count * n..(self.count + 1) * n;
        let (z, hz) = (&mut self.z[at.clone()], &mut self.hz[at]);
        for i in 0..n {
            (z[i], hz[i]) = (p[i] / size, hp[i] / size);
        }
        self.count += 1;
    }
}

/// Replaces vectors and their products with H by at most `keep` Ritz vectors, with products and ascending
/// values: those without which the others are least spread. Says how many.
fn ritz<T: Real>(
    n: usize,
    (z, hz): (&mut [T], &mut [T]),
    keep: usize,
    (values, small): (&mut [T], &mut [T]),
) -> usize {
    let count = z.len() / n;
    let (square, rest) = small.split_at_mut(count * count);
    let rank = orthonormalise(z, n, T::EPSILON.sqrt(), square);
    if rank == 0 {
        return 0;
    }
    follow(hz, n, square);
    let (z, hz) = (&mut z[..rank * n], &mut hz[..rank * n]);
    let (u, row) = rest.split_at_mut(rank * rank);
    let square = &mut square[..rank * rank];
    gram(z, hz, n, square);
    if square.iter().any(|entry| !entry.is_finite()) {
        return 0;
    }
    eigen(square, rank, values, u);
    let keep = keep.min(rank);
    let low = lowest(&values[..rank], keep);
    values.copy_within(low + rank - keep..rank, low);
    u.copy_within((low + rank - keep) * rank..rank * rank, low * rank);
    for vectors in [z, hz] {
        rotate(vectors, n, &u[..keep * rank], row);
    }
    keep
}

/// How many of `keep` values that are taken from the ascending `values` are to be the lowest, the others
/// being the highest, so that the ratio of those that stay is least.
fn lowest<T: Real>(values: &[T], keep: usize) -> usize {
    let rest = values.len() - keep;
    if rest == 0 {
        return keep;
    }
    // What is no more than rounding of the largest has no ratio.
    let least = values[values.len() - 1].f64() * T::EPSILON;
    let spread = |low: usize| values[low + rest - 1].f64() / values[low].f64().max(least);
    let all = (0..=keep).map(|low| (low, spread(low)));
    all.fold((keep, f64::INFINITY), |best, one| match one.1 < best.1 {
        true => one,
        false => best,
    })
    .0
}
