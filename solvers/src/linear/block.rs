//! Conjugate gradients with several right-hand sides at once.

use autodiff::kernels::{axpy, dot, norm};
use autodiff::{Real, cholesky};

use super::small::{eigen, gram, orthonormalise, rotate};
use super::{Operator, Outcome, Report, Scratch, flat, least_ritz, relative};

/// Entries of scratch that [`solve`] takes, for `count` right-hand sides of `n` unknowns.
pub(super) fn scratch(n: usize, count: usize) -> usize {
    3 * n * count + 5 * count * count + 3 * count
}

/// Block conjugate gradients from the columns of `v`, until each residual is at most `tolerance` times
/// its right-hand side or `limit` is reached; one product with a block an iteration.
///
/// Residuals are `Q C` with orthonormal Q, and directions are orthonormal: where right-hand sides depend on
/// each other, at the start or on the way, the block becomes narrower, and breaks down nowhere. What
/// curvatures the block meets are those of a small matrix, so that a negative one is seen whichever
/// combination of the directions has it.
///
/// D. O'Leary, The block conjugate gradient algorithm and related methods, Linear Algebra and its
/// Applications 29, 1980; narrower blocks as in H. Ji and Y. Li, A breakdown-free block conjugate gradient
/// method, BIT 57, 2017; residuals as in A. Dubrulle, Retooling the method of block conjugate gradients,
/// ETNA 12, 2001.
pub(super) fn solve<T: Real>(
    h: &mut dyn Operator<T>,
    b: &[T],
    v: &mut [T],
    (tolerance, limit): (f64, usize),
    reports: &mut [Report],
    scratch: Scratch<'_, T>,
) {
    let count = reports.len();
    let n = b.len() / count;
    let ([q, p, hp], scratch) = scratch.take(n * count);
    let ([c, s, e, small, u], scratch) = scratch.take(count * count);
    let ([sizes, values, row], _) = scratch.take(count);
    begin(h, b, v, (sizes, q), reports);
    let mut at = Block { count, rank: 0, c };
    at.rank = orthonormalise(q, n, part::<T>(), at.c);
    let mut width = at.rank;
    p[..n * width].copy_from_slice(&q[..n * width]);
    let mut largest = 0.0f64;
    let mut iterations = 0;
    let outcome = loop {
        if !at.see(reports, tolerance, iterations) {
            break Outcome::Converged;
        }
        if iterations == limit || width == 0 {
            break Outcome::Exhausted;
        }
        let (p, hp) = (&mut p[..n * width], &mut hp[..n * width]);
        h.apply(p, hp);
        let (e, kept) = (&mut e[..width * width], &mut small[..width * width]);
        gram(p, hp, n, e);
        if !e.iter().all(|e| e.is_finite()) {
            break Outcome::NonFinite;
        }
        let diagonal = e.iter().step_by(width + 1);
        largest = diagonal.fold(largest, |most, e| e.f64().abs().max(most));
        kept.copy_from_slice(e);
        if !definite::<T>(e, width, n, largest) {
            eigen(kept, width, values, u);
            rotate(p, n, &u[..width], row);
            rotate(hp, n, &u[..width], row);
            if let Some(flaw) = flaw(h, (&mut p[..n], &mut hp[..n]), values[0].f64(), largest) {
                break flaw;
            }
            break Outcome::Exhausted;
        }
        // X ← X + P α C with α = E⁻¹ PᵀQ, and R ← R − HP α C.
        let rank = at.rank;
        let alpha = &mut small[..width * rank];
        products(p, &q[..n * rank], n, alpha);
        (alpha.chunks_exact_mut(width)).for_each(|column| cholesky::solve(e, column));
        for j in 0..count {
            for (i, p) in p.chunks_exact(n).enumerate() {
                let of = (0..rank).map(|k| alpha[k * width + i] * at.c[j * count + k]);
                axpy(
                    &mut v[j * n..][..n],
                    of.fold(T::zero(), |sum, t| sum + t),
                    p,
                );
            }
        }
        for (q, alpha) in q.chunks_exact_mut(n).zip(alpha.chunks_exact(width)) {
            for (hp, alpha) in hp.chunks_exact(n).zip(alpha) {
                axpy(q, -*alpha, hp);
            }
        }
        let left = orthonormalise(&mut q[..n * rank], n, part::<T>(), s);
        at.narrow(left, s, row);
        // P ← Q − P E⁻¹ (HP)ᵀ Q.
        let beta = &mut small[..width * left];
        products(hp, &q[..n * left], n, beta);
        (beta.chunks_exact_mut(width)).for_each(|column| cholesky::solve(e, column));
        for i in 0..n {
            (0..width).for_each(|k| row[k] = p[k * n + i]);
            for (j, beta) in beta.chunks_exact(width).enumerate() {
                let of = row.iter().zip(beta).map(|(p, b)| *p * *b);
                p[j * n + i] = of.fold(q[j * n + i], |rest, t| rest - t);
            }
        }
        width = orthonormalise(&mut p[..n * left], n, part::<T>(), s);
        iterations += 1;
    };
    for (j, report) in reports.iter_mut().enumerate() {
        v[j * n..][..n].iter_mut().for_each(|v| *v *= sizes[j]);
        let flawed = outcome.flaw().is_some();
        // What tells of H tells of it whichever right-hand side met it; one without has a solution.
        let there = sizes[j] != T::zero() && report.outcome != Outcome::NonFinite;
        if there && (flawed || report.outcome != Outcome::Converged) {
            *report = Report {
                outcome,
                iterations,
            };
        }
    }
}

/// What is left of a vector beside others, as a part of it, that is nothing but rounding.
fn part<T: Real>() -> f64 {
    100.0 * T::EPSILON
}

/// Scales each system to a right-hand side of unit norm, as [`scaled_residual`](super::scaled_residual)
/// does, and writes the residuals to `r` and the scales to `sizes`. What has no solution that is a number
/// is answered with 0 and told.
fn begin<T: Real>(
    h: &mut dyn Operator<T>,
    b: &[T],
    v: &mut [T],
    (sizes, r): (&mut [T], &mut [T]),
    reports: &mut [Report],
) {
    let n = b.len() / reports.len();
    let warm = v.iter().any(|v| *v != T::zero());
    if warm {
        h.apply(v, r);
    }
    for (j, report) in reports.iter_mut().enumerate() {
        let of = j * n..(j + 1) * n;
        let (b, v, r) = (&b[of.clone()], &mut v[of.clone()], &mut r[of]);
        let size = norm(b);
        sizes[j] = size;
        let outcome = match size.is_finite() {
            true => Outcome::Converged,
            false => Outcome::NonFinite,
        };
        *report = Report {
            outcome,
            iterations: 0,
        };
        if size == T::zero() || !size.is_finite() {
            v.fill(T::zero());
            r.fill(T::zero());
            sizes[j] = T::zero();
            continue;
        }
        for i in 0..n {
            let hv = if warm { r[i] } else { T::zero() };
            r[i] = (b[i] - hv) / size;
            v[i] /= size;
        }
        if !norm(r).is_finite() {
            r.fill(T::zero());
            report.outcome = Outcome::NonFinite;
        }
    }
}

/// Residuals as combinations of an orthonormal basis.
struct Block<'s, T: Real> {
    count: usize,
    /// Vectors of the basis.
    rank: usize,
    /// A residual a column, of as many entries as there are residuals.
    c: &'s mut [T],
}

impl<T: Real> Block<'_, T> {
    /// Says of each residual whether it is small enough, with the iterations it took if it was not so
    /// before; and whether one is left that is not.
    fn see(&self, reports: &mut [Report], tolerance: f64, iterations: usize) -> bool {
        let mut any = false;
        for (report, c) in reports.iter_mut().zip(self.c.chunks_exact(self.count)) {
            let residual = norm(&c[..self.rank]).f64();
            if report.outcome == Outcome::NonFinite {
                continue;
            }
            if residual <= tolerance {
                if report.outcome != Outcome::Converged {
                    report.iterations = iterations;
                }
                report.outcome = Outcome::Converged;
            } else {
                report.outcome = Outcome::Exhausted;
                any = true;
            }
        }
        any
    }

    /// The coefficients in a basis of `left` vectors, in which the columns of `s` are the last one's.
    fn narrow(&mut self, left: usize, s: &[T], row: &mut [T]) {
        for c in self.c.chunks_exact_mut(self.count) {
            row[..self.rank].copy_from_slice(&c[..self.rank]);
            for (i, c) in c.iter_mut().enumerate() {
                let of = (0..self.rank).map(|k| s[k * self.rank + i] * row[k]);
                *c = match i < left {
                    true => of.fold(T::zero(), |sum, t| sum + t),
                    false => T::zero(),
                };
            }
        }
        self.rank = left;
    }
}

/// Overwrites `out`, column by column, with `aᵀb`.
fn products<T: Real>(a: &[T], b: &[T], n: usize, out: &mut [T]) {
    let pairs = (b.chunks_exact(n)).flat_map(|b| a.chunks_exact(n).map(move |a| (a, b)));
    out.iter_mut()
        .zip(pairs)
        .for_each(|(out, (a, b))| *out = dot(a, b));
}

/// Replaces E by its factor, unless its least curvature may be nothing beside the largest.
fn definite<T: Real>(e: &mut [T], width: usize, n: usize, largest: f64) -> bool {
    let pivots = |e: &[T]| {
        let each = e.iter().step_by(width + 1);
        each.fold(f64::INFINITY, |least, pivot| least.min(pivot.f64().powi(2)))
    };
    cholesky::factor(e, width).is_ok() && relative(pivots(e), largest) > flat::<T>(n)
}

/// What a direction of the least curvature in a block tells of H.
fn flaw<T: Real>(
    h: &mut dyn Operator<T>,
    (p, hp): (&mut [T], &mut [T]),
    least: f64,
    largest: f64,
) -> Option<Outcome> {
    let flat = flat::<T>(p.len());
    let relative_curvature = relative(least, largest);
    if relative_curvature < -flat {
        return Some(Outcome::Negative { relative_curvature });
    }
    // An indefinite H has directions of no curvature as well.
    let ritz = least_ritz(h, p, hp, largest);
    Some(match ritz < -flat {
        true => Outcome::Negative {
            relative_curvature: ritz,
        },
        false => Outcome::Singular { relative_curvature },
    })
}
