//! The primal sweep: values, in the order of recording.

use crate::inputs::Inputs;
use crate::linearised::{Extent, Late, Need};
use crate::operands::Operation;
use crate::primitive::Asked;
use crate::program::{Node, Op, Program};
use crate::real::Real;
use crate::workspace::Workspace;

use super::{Sweep, few, leaves, reverse_bytes, split};

impl<T: Real> Sweep<'_, T> {
    /// Computes the values that depend on the inputs that were set since the last primal sweep, and
    /// keeps what `need` asks for.
    ///
    /// What depends only on other inputs is kept from the sweep before: so a loop invariant is
    /// computed once.
    #[inline(never)]
    pub(crate) fn primal(&mut self, need: Need) {
        let plan = Plan::new(self.work, need, Extent::Whole);
        self.run(plan);
    }

    /// [`primal`](Sweep::primal) for a reverse sweep alone: values that no derivative rule reads are
    /// left out, the output among them. A gradient inside that nobody reads is left to the reverse
    /// sweep, which evaluates the function and pulls back through it in one
    /// [`joint`](Sweep::joint) sweep.
    #[inline(never)]
    pub(crate) fn primal_for_reverse(&mut self) {
        let plan = Plan::new(self.work, Need::Gradient, Extent::Derivatives);
        self.run(plan);
    }

    /// A primal sweep for a gradient or for curvature, and the [`reverse`](Sweep::reverse) sweep of the
    /// `wanted` inputs after it: what is known to be pulled back is, of leaves, while it is in a cache.
    ///
    /// # Panics
    /// As [`reverse`](Sweep::reverse).
    #[track_caller]
    #[inline(never)]
    pub(crate) fn differentiate(
        &mut self,
        (need, extent): (Need, Extent),
        cotangent: &[T],
        wanted: Inputs,
    ) {
        self.run(Plan::new(self.work, need, extent).ahead(wanted));
        self.reverse(cotangent, wanted);
    }

    pub(super) fn run(&mut self, plan: Plan) {
        self.work.make_scratch();
        let mut rest = &self.program.nodes[..];
        while let Some((node, behind)) = rest.split_first() {
            if node.few {
                let done = few::evaluate(self.program, rest, plan, &mut self.work.values);
                rest = &rest[done..];
                continue;
            }
            if plan.takes(node) {
                self.evaluate(node, plan);
            }
            rest = behind;
        }
        plan.close(self.work);
    }

    /// Computes the value of one node.
    pub(super) fn evaluate(&mut self, node: &Node<T>, plan: Plan) {
        let (program, work) = (self.program, &mut *self.work);
        let at = Operation { program, node };
        let (done, out) = split(&mut work.values, node, 1);
        let a = at.operands(done);
        match &node.op {
            Op::Input | Op::Constant => unreachable!("no plan takes them"),
            Op::Unary(f, p) => f.eval(*p, a.get(0), out),
            Op::Binary(f) => f.eval(a.get(0), a.get(1), out),
            Op::Bilinear(f) => f.apply(a.get(0), at.shape(0), a.get(1), at.shape(1), out, true),
            Op::Linear(f) => {
                for k in 0..a.len() {
                    let start = at.concat_start(k);
                    f.apply(start, a.get(k), at.shape(k), out, node.shape, true);
                }
            }
            Op::Fused(f) => {
                let stash = at.stash(&mut work.stash, &mut work.scratch);
                f.eval(&a, plan.asked(node), out, stash);
            }
            Op::Leaves(all) => {
                leaves::evaluate(all, at, &a, &mut work.nested, plan, out);
            }
            Op::Gradient { of, wrt } => {
                let inner = &mut work.nested[node.nested as usize];
                for (k, arg) in node.args.iter().enumerate() {
                    if plan.renews(program.nodes[*arg as usize].reads, node) {
                        inner.set_input(of, k, a.get(k));
                    }
                }
                if plan.defers(node) {
                    return;
                }
                // The outer derivative is the inner function's second one.
                let (need, wanted) = match plan.need {
                    Need::Value => (Need::Gradient, Inputs::one(*wrt)),
                    _ => {
                        let reached = at.reached_by(Inputs::ALL);
                        (Need::Curvature, reached.union(Inputs::one(*wrt)))
                    }
                };
                let how = (need, Extent::Derivatives);
                Sweep::of(of, inner).differentiate(how, &[T::one()], wanted);
                out.copy_from_slice(inner.adjoint(of, *wrt));
            }
        }
    }
}

/// What a primal sweep has to do, from what the sweeps before left.
#[derive(Clone, Copy)]
pub(super) struct Plan {
    pub(super) need: Need,
    /// Whose values are computed.
    extent: Extent,
    /// Whether nothing was computed before.
    first: bool,
    /// Whether a stash was not filled far enough.
    upgrade: bool,
    /// The inputs that were set since the last primal sweep.
    changed: Inputs,
    /// The inputs that changed since the values were computed that some sweeps leave out.
    late: Late,
    /// The inputs whose adjoints a reverse sweep computes right after.
    pub(super) ahead: Inputs,
}

impl Plan {
    pub(super) fn new<T: Real>(work: &Workspace<T>, need: Need, extent: Extent) -> Self {
        let before = work.state.need();
        Plan {
            need,
            extent,
            first: before.is_none(),
            upgrade: before.is_some_and(|before| need > before),
            changed: work.state.set_since(),
            late: work.state.late(),
            ahead: Inputs::NONE,
        }
    }

    /// With a reverse sweep of these inputs right after.
    pub(super) fn ahead(self, ahead: Inputs) -> Self {
        Plan { ahead, ..self }
    }

    /// Whether there is anything to do at a node.
    pub(super) fn takes<T: Real>(self, node: &Node<T>) -> bool {
        if matches!(node.op, Op::Input | Op::Constant) || node.view {
            return false;
        }
        let keeps = match &node.op {
            Op::Fused(f) => !f.is_linear() || node.stash.1 > 0,
            Op::Gradient { .. } | Op::Leaves(_) => true,
            _ => false,
        };
        let kept_for_derivatives = keeps && node.depends != Inputs::NONE;
        if !(node.activity.value <= self.extent || kept_for_derivatives) {
            return false;
        }
        self.renews(node.reads, node) || (self.upgrade && keeps) || self.defers(node)
    }

    /// Whether a value that reads these inputs is newer than what was computed of a node.
    pub(super) fn renews<T: Real>(self, reads: Inputs, node: &Node<T>) -> bool {
        let late = self.late.of(node.activity.value);
        let waited = node.activity.value <= self.extent && late.is_none_or(|l| reads.meets(l));
        self.first || reads.meets(self.changed) || waited
    }

    /// Whether a gradient inside is left to the reverse sweep.
    fn defers<T: Real>(self, node: &Node<T>) -> bool {
        self.need == Need::Gradient
            && node.activity.value > self.extent
            && matches!(node.op, Op::Gradient { .. })
    }

    /// What a primitive is asked for.
    pub(super) fn asked<T: Real>(self, node: &Node<T>) -> Asked {
        let differentiable = node.depends != Inputs::NONE;
        Asked {
            value: node.activity.value <= self.extent,
            first: self.need >= Need::Gradient && differentiable,
            second: self.need >= Need::Curvature && differentiable,
        }
    }

    /// Notes what was computed.
    pub(super) fn close<T: Real>(self, work: &mut Workspace<T>) {
        work.state.evaluated(self.need, self.extent);
        work.sweeps.values += 1;
    }
}

/// Bytes that the first primal sweep makes: the adjoints of the gradients inside.
#[inline(never)]
pub(crate) fn primal_bytes<T: Real>(program: &Program<T>) -> usize {
    let nodes = || program.nodes.iter();
    let gradients = nodes().filter_map(|n| n.op.gradient_of());
    let gradients = gradients.map(|of| primal_bytes(of) + reverse_bytes(of, Inputs::ALL));
    let leaves = nodes().flat_map(|n| n.op.leaves());
    gradients.sum::<usize>() + leaves.map(primal_bytes).sum::<usize>()
}

/// Bytes of the scratch that the first primal sweep makes, in the gradients inside as well.
#[inline(never)]
pub(crate) fn scratch_bytes<T: Real>(program: &Program<T>) -> usize {
    let inner = program.nodes.iter().flat_map(|n| n.op.inner());
    program.scratch_len * size_of::<T>() + inner.map(scratch_bytes).sum::<usize>()
}
