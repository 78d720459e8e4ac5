//! The sweeps of a sum of [leaves](crate::leaves): those of each leaf in its own workspace, on several
//! threads, and what they give added in the order of the leaves. Ranks sweep their share each; a leaf of
//! another rank has what its sweeps would have made and left here, but for the values between.
//!
//! Adjoints inside a leaf are those of its weight: the sum's own adjoint u is multiplied with when they
//! are handed on, so that they stay when u moves.

use smallvec::SmallVec;

use crate::adjoints::Adjoints;
use crate::block::Block;
use crate::bytes::Meter;
use crate::inputs::Inputs;
use crate::kernels::{axpy, put_multiple};
use crate::leaves::{Leaf, Leaves};
use crate::linearised::{Extent, Linearised, Need};
use crate::operands::{OperandAdjoints, OperandTangents, Operands, Operation};
use crate::program::Node;
use crate::ranks;
use crate::real::Real;
use crate::threads::{for_each, worth};
use crate::workspace::Workspace;

use super::Sweep;
use super::ahead::{self, begin, renew};
use super::primal::Plan;
use super::second::Back;

/// A leaf with its workspace.
type Part<'a, T> = (&'a Leaf<T>, &'a mut Workspace<T>);

/// Does something for every leaf of this rank, side by side.
fn each<T: Real>(
    leaves: &Leaves<T>,
    node: &Node<T>,
    nested: &mut [Workspace<T>],
    width: usize,
    f: impl Fn(&Leaf<T>, &mut Workspace<T>) + Sync + Send,
) {
    let mine = leaves.mine();
    let nested = &mut nested[node.nested as usize..][mine.clone()];
    assert_are_here(nested);
    let mut parts: SmallVec<[Part<'_, T>; 64]> = leaves.all[mine].iter().zip(nested).collect();
    for_each(&mut parts, leaves.work * width, |(leaf, work)| {
        f(leaf, work)
    });
}

fn assert_are_here<T: Real>(leaves: &[Workspace<T>]) {
    assert!(
        leaves.iter().all(|work| !work.elsewhere),
        "a sum of leaves that ranks evaluated together: go on outside of `threads::for_each`"
    );
}

/// Most leaves that go one after the other, so that each but the first finds the buffers of the one before in
/// a cache.
const IN_TURN: usize = 64;

/// [`each`], a few after the other: buffers go on from a leaf to the next, and each keeps what comes out of
/// it.
pub(super) fn in_turn<T: Real>(
    leaves: &Leaves<T>,
    node: &Node<T>,
    nested: &mut [Workspace<T>],
    width: usize,
    f: impl Fn(&Leaf<T>, &mut Workspace<T>) + Sync + Send,
    hand_on: impl Fn(&Leaf<T>, &mut Workspace<T>, &mut Workspace<T>) + Sync + Send,
) {
    let (mine, work) = (leaves.mine(), leaves.work * width);
    let nested = &mut nested[node.nested as usize..][mine.clone()];
    assert_are_here(nested);
    let len = mine.len().div_ceil(worth(work)).clamp(1, IN_TURN);
    let chunks = leaves.all[mine].chunks(len).zip(nested.chunks_mut(len));
    let mut chunks: SmallVec<[_; 64]> = chunks.collect();
    for_each(&mut chunks, work, |(leaves, nested)| {
        for (k, leaf) in leaves.iter().enumerate() {
            let (work, next) = nested[k..].split_first_mut().expect("a workspace each");
            work.handed_on = false;
            f(leaf, work);
            if let Some(next) = next.first_mut() {
                hand_on(leaf, work, next);
            }
        }
    });
}

/// [`in_turn`] along some directions: the buffers of tangents and of those of adjoints go on.
fn each_along<T: Real>(
    leaves: &Leaves<T>,
    node: &Node<T>,
    nested: &mut [Workspace<T>],
    width: usize,
    f: impl Fn(&Leaf<T>, &mut Workspace<T>) + Sync + Send,
) {
    in_turn(leaves, node, nested, width, f, |leaf, work, next| {
        work.hand_tangents_on(&leaf.of, width, next);
    });
}

/// Has the leaves of other ranks go on as their sweeps did, by `follow`, and exchanges the numbers that
/// `each` hands out of every leaf.
fn exchange<T: Real>(
    leaves: &Leaves<T>,
    node: &Node<T>,
    nested: &mut [Workspace<T>],
    follow: impl Fn(&Leaf<T>, &mut Workspace<T>),
    each: impl Fn(&Leaf<T>, &mut Workspace<T>, &mut dyn FnMut(&mut [T])),
) {
    if !leaves.are_shared() {
        return;
    }
    let nested = &mut nested[node.nested as usize..][..leaves.all.len()];
    let mut counts = Vec::with_capacity(ranks::size());
    for rank in 0..ranks::size() {
        let mut count = 0;
        for i in leaves.of_rank(rank) {
            let (leaf, work) = (&leaves.all[i], &mut nested[i]);
            if rank != ranks::rank() {
                follow(leaf, work);
                work.elsewhere = true;
            }
            each(leaf, work, &mut |numbers| count += numbers.len());
        }
        counts.push(count);
    }
    let len = counts.iter().sum();
    if len == 0 {
        return;
    }
    let mut message = Vec::with_capacity(len);
    for (leaf, work) in leaves.all.iter().zip(&mut *nested) {
        each(leaf, work, &mut |numbers| {
            message.extend_from_slice(numbers)
        });
    }
    let message = ranks::exchange(&counts, message);
    let mut rest = &message[..];
    for (leaf, work) in leaves.all.iter().zip(nested) {
        each(leaf, work, &mut |numbers| {
            let (here, after) = rest.split_at(numbers.len());
            numbers.copy_from_slice(here);
            rest = after;
        });
    }
}

impl<T: Real> Leaf<T> {
    /// Calls `f` with the values between, which are found again, from the sum's operands `a`, if they are
    /// not here.
    pub(crate) fn seen<R>(
        &self,
        a: &Operands<'_, T>,
        work: &Workspace<T>,
        f: impl FnOnce(&Workspace<T>) -> R,
    ) -> R {
        if work.is_here() {
            return f(work);
        }
        ranks::alone(|| {
            let mut own = Workspace::new(&self.of, &Meter::new());
            self.set(a, &mut own, |_| true);
            let (need, by) = (work.state.need().unwrap_or(Need::Value), work.state.by());
            let plan = Plan::new(&own, need, work.state.extent());
            let mut within = Sweep::of(&self.of, &mut own);
            within.run(plan);
            if by != Inputs::NONE {
                within.reverse(&[self.weight], by);
            }
            f(&own)
        })
    }

    /// Sets those inputs that are the operands `which` of the sum.
    pub(super) fn set(
        &self,
        a: &Operands<'_, T>,
        work: &mut Workspace<T>,
        which: impl Fn(usize) -> bool,
    ) {
        for (k, operand) in self.operands().enumerate() {
            if which(operand) {
                work.set_input(&self.of, k, a.get(operand));
            }
        }
    }

    /// Hands out what stands for each of some of its inputs.
    fn of_inputs(
        &self,
        wanted: Inputs,
        adjoints: &mut Adjoints<T>,
        width: usize,
        hand: &mut dyn FnMut(&mut [T]),
    ) {
        for k in (0..self.of.inputs()).filter(|k| wanted.meets(Inputs::one(*k))) {
            hand(adjoints.of_input_mut(&self.of.nodes[k], width));
        }
    }

    /// Its inputs among those operands of the sum that some inputs of the program reach.
    pub(super) fn reached(&self, at: Operation<'_, T>, inputs: Inputs) -> Inputs {
        let operands = self.operands();
        let reached = operands.enumerate().filter(|(_, operand)| {
            let arg = at.node.args[*operand] as usize;
            at.program.nodes[arg].depends.meets(inputs)
        });
        reached.fold(Inputs::NONE, |all, (k, _)| all.union(Inputs::one(k)))
    }
}

/// The value, and what the plan asks for: with the leaves' adjoints, if a reverse sweep follows.
pub(super) fn evaluate<T: Real>(
    leaves: &Leaves<T>,
    at: Operation<'_, T>,
    a: &Operands<'_, T>,
    nested: &mut [Workspace<T>],
    plan: Plan,
    out: &mut [T],
) {
    let (need, whole) = (plan.need, plan.asked(at.node).value);
    let extent = if whole {
        Extent::Whole
    } else {
        Extent::Derivatives
    };
    begin(leaves, at, nested);
    if at.node.depends.meets(plan.ahead) && !leaves.are_shared() {
        ahead::differentiate(leaves, at, a, nested, plan, extent);
        return value(leaves, at, nested, plan, out);
    }
    each(leaves, at.node, nested, 1, |leaf, work| {
        renew(leaf, at, a, work, plan);
        let mut within = Sweep::of(&leaf.of, work);
        within.run(Plan::new(within.work, need, extent));
    });
    let follow = |leaf: &Leaf<T>, work: &mut Workspace<T>| {
        renew(leaf, at, a, work, plan);
        work.make_scratch();
        Plan::new(work, need, extent).close(work);
    };
    exchange(leaves, at.node, nested, follow, |leaf, work, hand| {
        if whole && let Some(output) = work.output_mut(&leaf.of) {
            hand(output);
        }
    });
    value(leaves, at, nested, plan, out);
}

/// The value, from the leaves' own.
pub(super) fn value<T: Real>(
    leaves: &Leaves<T>,
    at: Operation<'_, T>,
    nested: &[Workspace<T>],
    plan: Plan,
    out: &mut [T],
) {
    if plan.asked(at.node).value {
        let nested = &nested[at.node.nested as usize..];
        let terms = leaves.all.iter().zip(nested);
        let terms = terms.map(|(leaf, work)| leaf.weight * work.output(&leaf.of)[0]);
        out[0] = terms.fold(T::zero(), |sum, term| sum + term);
    }
}

/// Adds to the adjoints what the sum's own hands on.
pub(super) fn pull<T: Real>(
    leaves: &Leaves<T>,
    at: Operation<'_, T>,
    a: &Operands<'_, T>,
    nested: &mut [Workspace<T>],
    wanted: Inputs,
    u: T,
    adjoints: &mut OperandAdjoints<'_, T>,
) {
    each(leaves, at.node, nested, 1, |leaf, work| {
        let wanted = leaf.reached(at, wanted);
        let done = work.state.has_gradient_by(wanted) || work.state.has_products_alone();
        if done && !leaves.are_shared() {
            return;
        }
        if work.passed_on {
            // Inputs are wanted that were not when it was.
            (work.passed_on, work.state) = (false, Linearised::Not);
            leaf.set(a, work, |_| true);
            let how = (Need::Gradient, Extent::Derivatives);
            return Sweep::of(&leaf.of, work).differentiate(how, &[leaf.weight], wanted);
        }
        Sweep::of(&leaf.of, work).reverse(&[leaf.weight], wanted);
    });
    let follow = |leaf: &Leaf<T>, work: &mut Workspace<T>| {
        let wanted = leaf.reached(at, wanted);
        work.state.begin_reverse();
        work.sweeps.gradients += 1;
        work.adjoints.begin(&leaf.of, 1);
        work.adjoints.end(&leaf.of, 1, wanted);
        work.state.reversed(wanted);
    };
    exchange(leaves, at.node, nested, follow, |leaf, work, hand| {
        leaf.of_inputs(leaf.reached(at, wanted), &mut work.adjoints, 1, hand);
    });
    for (leaf, work) in leaves.all.iter().zip(&nested[at.node.nested as usize..]) {
        for (k, operand) in leaf.operands().enumerate() {
            if let Some((out, fresh)) = adjoints.take(operand) {
                put_multiple(out, u, work.adjoint(&leaf.of, k), fresh);
            }
        }
    }
}

/// Copies the tangents of a leaf's operands to its workspace; what moves there.
pub(super) fn seed<T: Real>(
    leaf: &Leaf<T>,
    within: &mut Sweep<'_, T>,
    tangents: &OperandTangents<'_, T>,
) -> Block {
    let width = tangents.width();
    let mut moving = Inputs::NONE;
    for (k, operand) in leaf.operands().enumerate() {
        if let Some(t) = tangents.get(operand) {
            moving = moving.union(within.seed_one(width, k, t).moving);
        }
    }
    Block { moving, width }
}

/// Overwrites `out` with the tangents of the sum, a column each.
pub(super) fn push<T: Real>(
    leaves: &Leaves<T>,
    at: Operation<'_, T>,
    nested: &mut [Workspace<T>],
    tangents: &OperandTangents<'_, T>,
    out: &mut [T],
) {
    let width = tangents.width();
    each_along(leaves, at.node, nested, width, |leaf, work| {
        let mut within = Sweep::of(&leaf.of, work);
        let block = seed(leaf, &mut within, tangents);
        within.push_along(block);
    });
    let follow = |leaf: &Leaf<T>, work: &mut Workspace<T>| {
        seed(leaf, &mut Sweep::of(&leaf.of, work), tangents);
    };
    exchange(leaves, at.node, nested, follow, |leaf, work, hand| {
        let moving = leaf.moving(tangents);
        if let Some(moved) = work.output_tangent_mut(&leaf.of, moving, width) {
            hand(moved);
        }
    });
    out.fill(T::zero());
    for (leaf, work) in leaves.all.iter().zip(&nested[at.node.nested as usize..]) {
        let moving = leaf.moving(tangents);
        if let Some(moved) = work.output_tangent(&leaf.of, moving, out.len()) {
            axpy(out, leaf.weight, moved);
        }
    }
}

impl<T: Real> Leaf<T> {
    fn moving(&self, tangents: &OperandTangents<'_, T>) -> Inputs {
        let operands = self.operands().enumerate();
        let moving = operands.filter(|(_, operand)| tangents.get(*operand).is_some());
        moving.fold(Inputs::NONE, |all, (k, _)| all.union(Inputs::one(k)))
    }
}

/// Adds to the adjoints' tangents what the operands' tangents and that of the sum's own adjoint hand
/// on, in columns.
#[allow(clippy::too_many_arguments)]
pub(super) fn pull_tangents<T: Real>(
    leaves: &Leaves<T>,
    at: Operation<'_, T>,
    nested: &mut [Workspace<T>],
    (wanted, way): (Inputs, Back),
    tangents: &OperandTangents<'_, T>,
    (u, du): (T, Option<&[T]>),
    adjoints: &mut OperandAdjoints<'_, T>,
) {
    let width = tangents.width();
    let way = match way {
        Back::Evaluated => Back::Whole,
        way => way,
    };
    let along = |leaf: &Leaf<T>, work: &mut Workspace<T>| {
        let mut within = Sweep::of(&leaf.of, work);
        let block = seed(leaf, &mut within, tangents);
        if block.moving != Inputs::NONE {
            within.second_along(block, leaf.reached(at, wanted), way);
        }
    };
    let own = &nested[at.node.nested as usize..][leaves.mine()];
    if !(tangents.evaluated() && own.iter().all(|work| work.ahead)) {
        each_along(leaves, at.node, nested, width, along);
    }
    let follow = |leaf: &Leaf<T>, work: &mut Workspace<T>| {
        let block = seed(leaf, &mut Sweep::of(&leaf.of, work), tangents);
        if block.moving != Inputs::NONE {
            let wanted = leaf.reached(at, wanted);
            work.state.begin_second(wanted);
            work.sweeps.hvps += width;
            work.adjoint_tangents.begin(&leaf.of, width);
            work.adjoint_tangents.end(&leaf.of, width, wanted);
            work.state.moved(wanted, block);
        }
    };
    exchange(leaves, at.node, nested, follow, |leaf, work, hand| {
        if leaf.moving(tangents) != Inputs::NONE {
            let wanted = leaf.reached(at, wanted);
            leaf.of_inputs(wanted, &mut work.adjoint_tangents, width, hand);
        }
    });
    for (leaf, work) in leaves.all.iter().zip(&nested[at.node.nested as usize..]) {
        let moves = leaf.moving(tangents) != Inputs::NONE;
        for (k, operand) in leaf.operands().enumerate() {
            if moves && let Some((out, fresh)) = adjoints.take(operand) {
                put_multiple(out, u, work.adjoint_tangent(&leaf.of, k), fresh);
            }
            let (Some(du), Some(out)) = (du, adjoints.get(operand)) else {
                continue;
            };
            let adjoint = work.adjoint(&leaf.of, k);
            for (column, du) in out.chunks_exact_mut(adjoint.len()).zip(du) {
                axpy(column, *du, adjoint);
            }
        }
    }
}
