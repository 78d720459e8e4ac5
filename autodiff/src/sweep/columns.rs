//! The rules over several columns of a [`Block`](crate::block::Block) at once.
//!
//! The columns of a matrix product's right operand are those of one wider matrix, and products of a
//! matrix with `width` vectors take some of these in each pass over the matrix. Elementwise rules compute
//! their factors once for all columns, linear ones go through the columns. A block of one column is the
//! plain rule.
//!
//! Every column has the bits of a sweep of its own, except for products with such a wider matrix: the
//! crate `gemm` sums their terms in another order than those with the matrix itself.

use std::ops::Range;

use crate::kernels::{add_products, dot};
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
pub(super) fn unary_second<T: Real>(
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

fn binary_first_block<T: Real>(
    f: Binary,
    by: Side,
    pair: Pair<'_, T>,
    (width, t): (usize, &[T]),
    out: &mut [T],
    fresh: bool,
) {
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
