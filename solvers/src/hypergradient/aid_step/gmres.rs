//! Generalised minimal residuals for the system of a fixed point.

use autodiff::bytes::{Buffer, Category};
use autodiff::kernels::{axpy, dot, norm};
use autodiff::{Meter, Real};

use super::system::{Linearised, Solution};

/// The vectors of one start: a basis, and the small least-squares problem in it.
struct Krylov<T: Real> {
    /// Orthonormal vectors, one after the other; one more than the iterations.
    basis: Buffer<T>,
    /// The triangular factor, columns of `m` entries.
    factor: Buffer<T>,
    /// Cosine and sine of each rotation, then the rotated right-hand side of m + 1 entries.
    small: Buffer<T>,
    m: usize,
    /// One over the smallest pivot of the latest factor: the inverse is at least about this large.
    reach: f64,
    /// The least and the largest magnitude of vᵀ(I − A)v, of all vectors of the bases.
    least: f64,
    largest: f64,
}

/// Entries of the three buffers.
fn lengths(restart: usize, n: usize) -> (usize, [usize; 3]) {
    let m = restart.min(n);
    (m, [(m + 1) * n, m * m, 3 * m + 1])
}

/// Bytes that [`solve`] holds for `n` unknowns.
pub(super) fn bytes<T: Real>(restart: usize, n: usize) -> usize {
    lengths(restart, n).1.iter().sum::<usize>() * size_of::<T>()
}

/// Solves from p = 0. `residual` is spare, as long as p.
pub(super) fn solve<T: Real>(
    (restart, tolerance, limit): (usize, f64, usize),
    linearised: &mut Linearised<'_, T>,
    b: &[T],
    p: &mut [T],
    residual: &mut [T],
    meter: &Meter,
) -> Solution {
    let (m, [basis, factor, small]) = lengths(restart, b.len());
    let buffer = |len: usize| Buffer::zeros(len, Category::Solver, meter);
    let mut krylov = Krylov {
        basis: buffer(basis),
        factor: buffer(factor),
        small: buffer(small),
        m,
        reach: 0.0,
        least: f64::INFINITY,
        largest: 0.0,
    };
    let mut iterations = 0;
    let mut last = f64::INFINITY;
    let mut reach = 0.0f64;
    loop {
        // From the solution itself: the one in the small problem is only estimated.
        let reached = linearised.residual(b, p, residual);
        let stalled = reached >= 0.999 * last || reached.is_nan();
        if reached <= tolerance || iterations >= limit || stalled {
            return Solution {
                residual: reached,
                iterations,
                reach: reach.max(norm(p).f64()),
                repels: krylov.repels(),
                error: f64::NAN,
            };
        }
        last = reached;
        let room = limit - iterations;
        iterations += krylov.start(linearised, residual, p, T::of(0.5 * tolerance), room);
        reach = reach.max(krylov.reach);
    }
}

impl<T: Real> Krylov<T> {
    /// See [`Solution::repels`].
    fn repels(&self) -> Option<f64> {
        let relative = self.least / self.largest;
        (relative < -T::EPSILON.sqrt()).then_some(relative)
    }

    /// Adds to `p` what makes the residual, `r` before, least over the Krylov space; returns the
    /// iterations made.
    fn start(
        &mut self,
        linearised: &mut Linearised<'_, T>,
        r: &[T],
        p: &mut [T],
        tolerance: T,
        room: usize,
    ) -> usize {
        let (n, m) = (r.len(), self.m);
        let beta = norm(r);
        for (v, r) in self.basis.iter_mut().zip(r) {
            *v = *r / beta;
        }
        let (turns, rest) = self.small.split_at_mut(2 * m);
        rest.fill(T::zero());
        rest[0] = beta;
        let mut made = 0;
        while made < m.min(room) && rest[made].abs() > tolerance {
            let (known, next) = self.basis.split_at_mut((made + 1) * n);
            let next = &mut next[..n];
            let latest = &known[made * n..];
            linearised.pull(latest, next);
            for (next, v) in next.iter_mut().zip(latest) {
                *next = *v - *next;
            }
            let size = norm(next);
            let column = &mut self.factor[made * m..][..m];
            for (h, v) in column.iter_mut().zip(known.chunks_exact(n)) {
                *h = dot(v, next);
                axpy(next, -*h, v);
            }
            let own = column[made].f64();
            self.least = self.least.min(own);
            self.largest = self.largest.max(own.abs());
            let below = norm(next);
            for k in 0..made {
                let (c, s) = (turns[2 * k], turns[2 * k + 1]);
                (column[k], column[k + 1]) = (
                    c * column[k] + s * column[k + 1],
                    c * column[k + 1] - s * column[k],
                );
            }
            let radius = norm(&[column[made], below]);
            // Nothing new and nothing that helps: the matrix is singular on this space.
            if radius <= T::of(4.0 * T::EPSILON) * size {
                break;
            }
            let (c, s) = (column[made] / radius, below / radius);
            (turns[2 * made], turns[2 * made + 1]) = (c, s);
            column[made] = radius;
            (rest[made], rest[made + 1]) = (c * rest[made], -s * rest[made]);
            made += 1;
            if below <= T::of(4.0 * T::EPSILON) * size {
                break;
            }
            next.iter_mut().for_each(|v| *v /= below);
        }
        let pivots = (0..made).map(|k| self.factor[k * m + k].f64().abs());
        self.reach = 1.0 / pivots.fold(f64::INFINITY, f64::min);
        for k in (0..made).rev() {
            let mut value = rest[k];
            for j in k + 1..made {
                value -= self.factor[j * m + k] * rest[j];
            }
            rest[k] = value / self.factor[k * m + k];
        }
        for (k, v) in self.basis.chunks_exact(n).take(made).enumerate() {
            axpy(p, rest[k], v);
        }
        made
    }
}
