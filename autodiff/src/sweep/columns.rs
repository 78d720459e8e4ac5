//! The rules over several columns of a [`Block`](crate::block::Block) at once.
//!
//! The columns of a matrix product's right operand are those of one wider matrix, and products of a
//! matrix with `width` vectors take some of these in each pass over the matrix. Elementwise rules compute
//! their factors once for all columns, linear ones go through the columns. A block of one column is the
//! plain rule.
//!
//! Every column has the bits of a sweep of its own, except for products with such a wider matrix: the
//! crate `gemm` sums their terms in another order than those with the matrix itself.

use std::mem::take;
use std::ops::Range;

use crate::kernels::{add_products, dot, sum};
use crate::operands::Operands;
use crate::program::Node;
use crate::real::Real;
use crate::rules::elementwise::{Binary, Side, Unary};

/// Factors that are computed at once, on the stack.
const CHUNK: usize = 64;

/// `out += f′(a) · t` for every column t, with u = f(a); here as below `out` is overwritten if it is
/// `fresh`.
#[inline]
pub(super) fn unary_first<T: Real>(
    f: Unary,
    p: T,
    [a, u]: [&[T]; 2],
    t: &[T],
    out: &mut [T],
    fresh: bool,
) {
    if t.len() == a.len() {
        return f.first(p, [a, u, t], out, fresh);
    }
    let factors = |at: Range<usize>, w: &mut [T]| {
        let ones = &[T::one(); CHUNK][..at.len()];
        f.first(p, [&a[at.clone()], &u[at], ones], w, true);
    };
    scaled(a.len(), factors, t, out, fresh);
}

/// `out += f″(a) · s · t` for every column t.
#[inline]
fn unary_second<T: Real>(
    f: Unary,
    p: T,
    [a, u]: [&[T]; 2],
    s: &[T],
    t: &[T],
    out: &mut [T],
    fresh: bool,
) {
    if t.len() == a.len() {
        return f.second(p, [a, u, s, t], out, fresh);
    }
    let factors = |at: Range<usize>, w: &mut [T]| {
        let ones = &[T::one(); CHUNK][..at.len()];
        f.second(p, [&a[at.clone()], &u[at.clone()], &s[at], ones], w, true);
    };
    scaled(a.len(), factors, t, out, fresh);
}

/// `out += f′(a) · r` for every column r, then `out += f″(a) · s · t` for every column t, where there are
/// such.
#[inline]
pub(super) fn unary_both<T: Real>(
    f: Unary,
    p: T,
    [a, u]: [&[T]; 2],
    (r, s, t): (Option<&[T]>, &[T], Option<&[T]>),
    out: &mut [T],
    fresh: bool,
) {
    if let (Some(r), Some(t)) = (r, t)
        && t.len() == a.len()
    {
        return f.both(p, [a, u, r, s, t], out, fresh);
    }
    if let Some(r) = r {
        unary_first(f, p, [a, u], r, out, fresh);
    }
    if let Some(t) = t {
        unary_second(f, p, [a, u], s, t, out, fresh && r.is_none());
    }
}

/// The operands of a binary operation and the length of its value.
#[derive(Clone, Copy)]
pub(super) struct Pair<'a, T> {
    a: &'a [T],
    b: &'a [T],
    len: usize,
}

impl<'a, T: Real> Pair<'a, T> {
    #[inline(always)]
    pub(super) fn of(a: &'a Operands<'_, T>, node: &Node<T>) -> Self {
        Pair {
            a: a.get(0),
            b: a.get(1),
            len: node.shape.len(),
        }
    }

    fn part(self, at: Range<usize>) -> Self {
        let of = |a: &'a [T]| match a.len() == self.len {
            true => &a[at.clone()],
            false => a,
        };
        Pair {
            a: of(self.a),
            b: of(self.b),
            len: at.len(),
        }
    }
}

/// `out += ∂f/∂by · t` for every column t; an operand of one entry goes with all of the other's.
#[inline(always)]
pub(super) fn binary_first<T: Real>(
    f: Binary,
    by: Side,
    pair: Pair<'_, T>,
    (width, t): (usize, &[T]),
    out: &mut [T],
    fresh: bool,
) {
    if width == 1 && out.len() == pair.len {
        return f.first(by, [pair.a, pair.b], t, out, fresh);
    }
    binary_first_block(f, by, pair, (width, t), out, fresh);
}

/// `out = ∂f/∂a · t + ∂f/∂b · t` of the tangents that there are, for every column t.
#[inline(always)]
pub(super) fn binary_along<T: Real>(
    f: Binary,
    pair: Pair<'_, T>,
    (width, moves): (usize, [Option<&[T]>; 2]),
    out: &mut [T],
) {
    if let ([Some(t), Some(w)], 1) = (moves, width) {
        return f.along([pair.a, pair.b], [t, w], out);
    }
    // The first term takes the place of what stood there.
    let mut fresh = true;
    for (side, t) in Side::BOTH.into_iter().zip(moves) {
        if let Some(t) = t {
            binary_first(f, side, pair, (width, t), out, take(&mut fresh));
        }
    }
}

fn binary_first_block<T: Real>(
    f: Binary,
    by: Side,
    pair: Pair<'_, T>,
    (width, t): (usize, &[T]),
    out: &mut [T],
    fresh: bool,
) {
    // To a number that goes with all entries comes their sum.
    if f.hands_on(by) && out.len() == width && t.len() == pair.len * width {
        if fresh {
            out.fill(T::zero());
        }
        let columns = t.chunks_exact(pair.len.max(1));
        return out.iter_mut().zip(columns).for_each(|(o, t)| *o += sum(t));
    }
    let factors = |at: Range<usize>, w: &mut [T]| {
        let Pair { a, b, .. } = pair.part(at);
        f.first(by, [a, b], &[T::one()], w, true);
    };
    scaled_or_summed(pair.len, factors, (width, t), out, fresh);
}

/// `out += ∂²f/∂by∂along · s · t` for every column t.
pub(super) fn binary_second<T: Real>(
    f: Binary,
    (by, along): (Side, Side),
    pair: Pair<'_, T>,
    s: &[T],
    (width, t): (usize, &[T]),
    out: &mut [T],
    fresh: bool,
) {
    if width == 1 && out.len() == pair.len {
        return f.second((by, along), [pair.a, pair.b], s, t, out, fresh);
    }
    let factors = |at: Range<usize>, w: &mut [T]| {
        let Pair { a, b, .. } = pair.part(at.clone());
        f.second((by, along), [a, b], &s[at], &[T::one()], w, true);
    };
    scaled_or_summed(pair.len, factors, (width, t), out, fresh);
}

/// `out += w · t` for every column t of length n, entry by entry, for factors w that are written.
fn scaled<T: Real>(
    n: usize,
    factors: impl Fn(Range<usize>, &mut [T]),
    t: &[T],
    out: &mut [T],
    fresh: bool,
) {
    let mut w = [T::zero(); CHUNK];
    for start in (0..n).step_by(CHUNK) {
        let at = start..n.min(start + CHUNK);
        let w = &mut w[..at.len()];
        factors(at.clone(), w);
        for (out, t) in out.chunks_exact_mut(n).zip(t.chunks_exact(n)) {
            add_products(&mut out[at.clone()], w, &t[at.clone()], fresh);
        }
    }
}

/// [`scaled`], where the columns of t may have one entry for all factors, and those of `out` one
/// that sums them.
fn scaled_or_summed<T: Real>(
    n: usize,
    factors: impl Fn(Range<usize>, &mut [T]),
    (width, t): (usize, &[T]),
    out: &mut [T],
    fresh: bool,
) {
    let (from, to) = (t.len() / width, out.len() / width);
    if (from, to) == (n, n) {
        return scaled(n, factors, t, out, fresh);
    }
    if fresh {
        out.fill(T::zero());
    }
    let (step, out_step) = (usize::from(from > 1), usize::from(to > 1));
    let mut w = [T::zero(); CHUNK];
    for start in (0..n).step_by(CHUNK) {
        let at = start..n.min(start + CHUNK);
        let w = &mut w[..at.len()];
        factors(at.clone(), w);
        if (from, to) == (n, 1) {
            for (out, t) in out.iter_mut().zip(t.chunks_exact(n)) {
                *out += dot(w, &t[at.clone()]);
            }
            continue;
        }
        for c in 0..width {
            for (i, w) in at.clone().zip(&*w) {
                out[c * to + i * out_step] += *w * t[c * from + i * step];
            }
        }
    }
}

/// Calls `rule` with each column of `from` and of `to`.
#[inline]
pub(super) fn each<T>(
    width: usize,
    from: &[T],
    to: &mut [T],
    mut rule: impl FnMut(&[T], &mut [T]),
) {
    let (len, out) = (from.len() / width, to.len() / width);
    for c in 0..width {
        rule(&from[c * len..][..len], &mut to[c * out..][..out]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(n: usize, step: f64) -> Vec<f64> {
        (0..n).map(|i| 1.5 + (i as f64 * step).sin()).collect()
    }

    #[test]
    fn two_terms_in_one_pass_have_the_bits_of_one_after_the_other() {
        let n = 21;
        let [a, b, t, w, r] = [0.3, 0.7, 1.1, 1.7, 2.3].map(|step| numbers(n, step));
        let old = numbers(n, 0.9);
        for fresh in [false, true] {
            for f in Unary::ALL.iter().copied() {
                let mut u = vec![0.0; n];
                f.eval(0.75, &a, &mut u);
                let (mut one, mut two) = (old.clone(), old.clone());
                let both = (Some(&r[..]), &b[..], Some(&t[..]));
                unary_both(f, 0.75, [&a, &u], both, &mut one, fresh);
                f.first(0.75, [&a, &u, &r], &mut two, fresh);
                f.second(0.75, [&a, &u, &b, &t], &mut two, false);
                assert_eq!(one, two, "{}", f.name());
            }
        }
        // A number goes with all entries, whichever operand it is.
        for f in Binary::ALL.iter().copied() {
            for [(a, t), (b, w)] in [
                [(&a[..], &t[..]), (&b[..], &w[..])],
                [(&a[..1], &t[..1]), (&b[..], &w[..])],
                [(&a[..], &t[..]), (&b[..1], &w[..1])],
            ] {
                let pair = Pair { a, b, len: n };
                let (mut one, mut two) = (old.clone(), old.clone());
                binary_along(f, pair, (1, [Some(t), Some(w)]), &mut one);
                binary_first(f, Side::Left, pair, (1, t), &mut two, true);
                binary_first(f, Side::Right, pair, (1, w), &mut two, false);
                assert_eq!(one, two, "{}", f.name());
            }
        }
    }
}
