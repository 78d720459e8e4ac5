//! Runs of elementwise operations on few entries, each run in one kernel.
//!
//! On a handful of entries an operation takes less time than to look it up, to choose instructions for it
//! and to call its kernel. A run is gone through by one kernel, which has the formulas of all of them: the
//! same formulas, entry by entry, so the same bits.

use pulp::{Simd, WithSimd};

use crate::adjoints::Open;
use crate::operands::Targets;
use crate::program::{Node, Op, Program};
use crate::real::Real;
use crate::rules::elementwise::Side;
use crate::simd::dispatch;

use super::primal::Plan;

/// Most entries of a value in a run: with more a kernel of its own costs little beside its work.
const FEW: usize = 32;

/// Whether a node may be in a run, from the nodes before it.
pub(crate) fn is_few<T: Real>(node: &Node<T>, before: &[Node<T>]) -> bool {
    let len = node.shape.len();
    let elementwise = matches!(node.op, Op::Unary(..) | Op::Binary(_));
    let as_long = |arg: &u32| before[*arg as usize].shape.len() == len;
    elementwise && 0 < len && len <= FEW && node.args.iter().all(as_long)
}

/// Computes the values of the run that `rest` begins with, as far as the plan takes them; the number of
/// its nodes.
pub(super) fn evaluate<T: Real>(
    program: &Program<T>,
    rest: &[Node<T>],
    plan: Plan,
    values: &mut [T],
) -> usize {
    dispatch(Evaluate {
        program,
        rest,
        plan,
        values,
    })
}

struct Evaluate<'a, T: Real> {
    program: &'a Program<T>,
    rest: &'a [Node<T>],
    plan: Plan,
    values: &'a mut [T],
}

impl<T: Real> WithSimd for Evaluate<'_, T> {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> usize {
        let Evaluate {
            program,
            rest,
            plan,
            values,
        } = self;
        for (done, node) in rest.iter().enumerate() {
            if !node.few {
                return done;
            }
            if !plan.takes(node) {
                continue;
            }
            let (before, out) = values.split_at_mut(node.start);
            let out = &mut out[..node.shape.len()];
            let a = program.value(node.args[0], before);
            let mut at = 0;
            match node.op {
                Op::Unary(f, p) => {
                    let p = T::fill(simd, p);
                    while at < out.len() {
                        let end = end::<T, S>(at, out.len());
                        let a = T::load(simd, &a[at..end]);
                        T::store(f.value_at(a, p), &mut out[at..end]);
                        at = end;
                    }
                }
                Op::Binary(f) => {
                    let b = program.value(node.args[1], before);
                    while at < out.len() {
                        let end = end::<T, S>(at, out.len());
                        let a = T::load(simd, &a[at..end]);
                        let b = T::load(simd, &b[at..end]);
                        T::store(f.value_at(a, b), &mut out[at..end]);
                        at = end;
                    }
                }
                _ => unreachable!("elementwise"),
            }
        }
        rest.len()
    }
}

/// Pulls back through the run that `rest` ends with; the number of its nodes.
pub(super) fn pull<T: Real>(
    program: &Program<T>,
    rest: &[Node<T>],
    targets: Targets,
    values: &[T],
    all: Open<'_, T>,
) -> usize {
    dispatch(Pull {
        program,
        rest,
        targets,
        values,
        all,
    })
}

struct Pull<'a, T: Real> {
    program: &'a Program<T>,
    rest: &'a [Node<T>],
    targets: Targets,
    values: &'a [T],
    all: Open<'a, T>,
}

impl<T: Real> WithSimd for Pull<'_, T> {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> usize {
        let Pull {
            program,
            rest,
            targets,
            values,
            mut all,
        } = self;
        for (done, node) in rest.iter().rev().enumerate() {
            if !node.few {
                return done;
            }
            if !targets.takes(node) || !all.settle(program, node, 1) {
                continue;
            }
            let (n, from) = (node.shape.len(), node.back.start);
            let left = target(program, node.args[0], targets, &mut all);
            let a = program.value(node.args[0], values);
            let mut at = 0;
            match node.op {
                Op::Unary(f, p) => {
                    let Some(to) = left else { continue };
                    let (u, p) = (&values[node.place()], T::fill(simd, p));
                    while at < n {
                        let end = end::<T, S>(at, n);
                        let a = T::load(simd, &a[at..end]);
                        let u = T::load(simd, &u[at..end]);
                        let t = T::load(simd, &all.entries[from + at..from + end]);
                        let came = f.slope_at(a, u, p) * t;
                        add_to::<T, S>(simd, all.entries, to, (at, end), came);
                        at = end;
                    }
                }
                Op::Binary(f) => {
                    let right = target(program, node.args[1], targets, &mut all);
                    let b = program.value(node.args[1], values);
                    while at < n {
                        let end = end::<T, S>(at, n);
                        let a = T::load(simd, &a[at..end]);
                        let b = T::load(simd, &b[at..end]);
                        let t = T::load(simd, &all.entries[from + at..from + end]);
                        if let Some(to) = left {
                            let came = f.slope_at(Side::Left, a, b) * t;
                            add_to::<T, S>(simd, all.entries, to, (at, end), came);
                        }
                        if let Some(to) = right {
                            let came = f.slope_at(Side::Right, a, b) * t;
                            add_to::<T, S>(simd, all.entries, to, (at, end), came);
                        }
                        at = end;
                    }
                }
                _ => unreachable!("elementwise"),
            }
        }
        rest.len()
    }
}

/// Where what comes back to an operand stands, and whether it is the first; `None` if nothing is to be
/// written there.
#[inline(always)]
fn target<T: Real>(
    program: &Program<T>,
    id: u32,
    targets: Targets,
    all: &mut Open<'_, T>,
) -> Option<(usize, bool)> {
    let node = &program.nodes[id as usize];
    match targets.takes(node) && !node.back.carried {
        true => Some((node.back.start, all.is_first(node, 1))),
        false => None,
    }
}

/// Adds what came to entries from `to` on, or writes it if it is the first.
#[inline(always)]
fn add_to<T: Real, S: Simd>(
    simd: S,
    entries: &mut [T],
    (to, first): (usize, bool),
    (at, end): (usize, usize),
    came: T::Pack<S>,
) {
    let out = &mut entries[to + at..to + end];
    let old = match first {
        true => T::fill(simd, T::zero()),
        false => T::load(simd, out),
    };
    T::store(old + came, out);
}

/// The end of the vector of entries from `at` on: the last one may be shorter.
#[inline(always)]
fn end<T: Real, S: Simd>(at: usize, len: usize) -> usize {
    len.min(at + T::lanes::<S>())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::rules::elementwise::{Binary, Unary};
    use crate::shape::Shape;
    use crate::simd::{Width, limit_width};

    /// Every operation in one run, from entries in (0, 1) and to such, with an operand that is a part of
    /// another one, a constant, and one that is both operands.
    fn program<T: Real>(len: usize) -> Arc<Program<T>> {
        Program::record(&[Shape::vector(len), Shape::vector(2 * len)], |v| {
            let (b, c) = (v[1].slice(len, len), v[0].vector(&vec![T::of(0.4); len]));
            let mut z = v[0];
            for f in Unary::ALL.iter().copied() {
                z = (z * b + z.elementwise(f, 0.75)).sigmoid();
            }
            for f in Binary::ALL.iter().copied() {
                z = (z.elementwise_with(f, b) - c.elementwise_with(f, z)).sigmoid();
                z = (z * z + b).sigmoid();
            }
            z.sum()
        })
    }

    /// The value and both gradients, at one point, then with another second input.
    fn bits<T: Real>(program: &Arc<Program<T>>, len: usize) -> Vec<u64> {
        let numbers = |n: usize, step: f64| {
            Vec::from_iter((0..n).map(|i| T::of(0.5 + 0.4 * (1.0 + i as f64 * step).sin())))
        };
        let mut point = program.point();
        let mut found = Vec::new();
        for step in [0.7, 1.3] {
            let value = point.linearise(&[&numbers(len, 0.3), &numbers(2 * len, step)]);
            let all = [point.gradient(0), point.gradient(1)].concat();
            found.extend([value].iter().chain(&all).map(|v| v.f64().to_bits()));
        }
        found
    }

    fn check<T: Real>() {
        for len in [1, 2, 7, 8, 10, 16, 17, FEW, FEW + 1] {
            let program = program::<T>(len);
            let runs = program.nodes.iter().filter(|n| n.few).count();
            assert_eq!(runs > 100, len <= FEW, "{len}: {runs} nodes in runs");
            limit_width(Width::Wide);
            let expected = bits(&program.plain(), len);
            let finite = expected.iter().all(|v| f64::from_bits(*v).is_finite());
            assert!(finite, "{len}: not in the domain");
            for most in [Width::Scalar, Width::Narrow, Width::Wide] {
                limit_width(most);
                assert!(bits(&program, len) == expected, "{len}, {most:?}");
            }
        }
    }

    #[test]
    fn runs_have_the_bits_of_operations_one_by_one() {
        check::<f64>();
        check::<f32>();
    }
}
