//! Forward differences of runs of entries, and their adjoint, each in one pass.

use pulp::{Simd, WithSimd};

use crate::real::Real;
use crate::simd::dispatch_plain;

/// `out[i] += a[i + step] − a[i]` in each run of `len` entries, but for the last `step` of it; here as
/// below `out` is overwritten if it is `fresh`.
pub(crate) fn forward<T: Real>(a: &[T], out: &mut [T], (len, step): (usize, usize), fresh: bool) {
    let runs = (len, step.min(len));
    dispatch_plain(
        out.len(),
        Forward {
            a,
            out,
            runs,
            fresh,
        },
    );
}

/// The adjoint: `out[i + step] += u[i]` and `out[i] −= u[i]`, of every entry in this order.
pub(crate) fn backward<T: Real>(u: &[T], out: &mut [T], (len, step): (usize, usize), fresh: bool) {
    let runs = (len, step.min(len));
    dispatch_plain(
        out.len(),
        Backward {
            u,
            out,
            runs,
            fresh,
        },
    );
}

struct Forward<'a, T> {
    a: &'a [T],
    out: &'a mut [T],
    runs: (usize, usize),
    fresh: bool,
}

impl<T: Real> WithSimd for Forward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let ((len, step), fresh) = (self.runs, self.fresh);
        if len == 0 {
            return;
        }
        for (out, a) in self.out.chunks_exact_mut(len).zip(self.a.chunks_exact(len)) {
            let (out, last) = out.split_at_mut(len - step);
            let pairs = a[step..].iter().zip(a);
            match fresh {
                true => {
                    out.iter_mut()
                        .zip(pairs)
                        .for_each(|(o, (b, a))| *o = T::zero() + (*b - *a));
                    last.fill(T::zero());
                }
                false => out
                    .iter_mut()
                    .zip(pairs)
                    .for_each(|(o, (b, a))| *o += *b - *a),
            }
        }
    }
}

struct Backward<'a, T> {
    u: &'a [T],
    out: &'a mut [T],
    runs: (usize, usize),
    fresh: bool,
}

impl<T: Real> WithSimd for Backward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let ((len, step), fresh) = (self.runs, self.fresh);
        if len == 0 {
            return;
        }
        for (out, u) in self.out.chunks_exact_mut(len).zip(self.u.chunks_exact(len)) {
            if fresh && 2 * step <= len {
                let (first, rest) = out.split_at_mut(step);
                let (inner, last) = rest.split_at_mut(len - 2 * step);
                let at = |o: &mut T, from: T, own: T| *o = (T::zero() + from) - own;
                first
                    .iter_mut()
                    .zip(u)
                    .for_each(|(o, own)| *o = T::zero() - *own);
                let pairs = u.iter().zip(&u[step..]);
                inner
                    .iter_mut()
                    .zip(pairs)
                    .for_each(|(o, (from, own))| at(o, *from, *own));
                last.iter_mut()
                    .zip(&u[len - 2 * step..])
                    .for_each(|(o, from)| *o = T::zero() + *from);
                continue;
            }
            if fresh {
                out.fill(T::zero());
            }
            let u = &u[..len - step];
            out[step..].iter_mut().zip(u).for_each(|(o, u)| *o += *u);
            out.iter_mut().zip(u).for_each(|(o, u)| *o -= *u);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs, their lengths and steps: those of one entry and of one step are all edge.
    const SIZES: [(usize, usize, usize); 8] = [
        (0, 0, 1),
        (3, 1, 1),
        (1, 5, 5),
        (4, 2, 1),
        (3, 7, 1),
        (1, 12, 4),
        (1, 21, 14),
        (9, 33, 1),
    ];

    fn numbers(n: usize, step: f64) -> Vec<f64> {
        (0..n).map(|i| (i as f64 * step).sin()).collect()
    }

    #[test]
    fn differences_and_their_adjoint_are_those_of_the_definition() {
        for (runs, len, step) in SIZES {
            let n = runs * len;
            let (a, old) = (numbers(n, 0.7), numbers(n, 1.3));
            for fresh in [false, true] {
                let start = match fresh {
                    true => vec![f64::NAN; n],
                    false => old.clone(),
                };
                let from = |i: usize| if fresh { 0.0 } else { old[i] };
                let pairs = (0..n).filter(|i| i % len.max(1) + step < len);
                let (mut want, mut back) = (Vec::from_iter((0..n).map(from)), vec![]);
                back.clone_from(&want);
                for i in pairs.clone() {
                    want[i] += a[i + step] - a[i];
                    back[i + step] += a[i];
                }
                pairs.for_each(|i| back[i] -= a[i]);
                let mut out = start.clone();
                forward(&a, &mut out, (len, step), fresh);
                assert_eq!(out, want, "{runs} runs of {len}, step {step}");
                let mut out = start;
                backward(&a, &mut out, (len, step), fresh);
                assert_eq!(out, back, "{runs} runs of {len}, step {step}, adjoint");
            }
        }
    }
}
