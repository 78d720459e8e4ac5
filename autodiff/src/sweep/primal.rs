//! The primal sweep: values, in the order of recording.

use crate::primitive::{Asked, Need, Operands, Stash};
use crate::program::{Inputs, Node, Op, Program};
use crate::real::Real;
use crate::workspace::Workspace;

use super::{concat_start, reaching, reverse, reverse_bytes, split};

/// Computes the values that depend on the `changed` inputs, and keeps what `need` asks for.
///
/// Inputs are set before with [`Workspace::set_input`]; what depends only on the others is kept
/// from the sweep before, which is how a loop invariant is computed once.
pub fn primal<T: Real>(program: &Program<T>, work: &mut Workspace<T>, changed: Inputs, need: Need) {
    run(program, work, Plan::new(work, changed, need, true));
}

/// [`primal`] for a reverse sweep alone: values that no derivative rule reads are left out, the
/// output among them. A gradient inside that nobody reads is left to the reverse sweep, which
/// evaluates the function and pulls back through it in one [`joint`](super::joint) sweep.
pub(crate) fn primal_for_reverse<T: Real>(
    program: &Program<T>,
    work: &mut Workspace<T>,
    changed: Inputs,
) {
    run(
        program,
        work,
        Plan::new(work, changed, Need::Gradient, false),
    );
}

fn run<T: Real>(program: &Program<T>, work: &mut Workspace<T>, plan: Plan) {
    work.make_scratch();
    for node in &program.nodes {
        if plan.takes(node) {
            evaluate(program, work, node, plan);
        }
    }
    plan.close(work);
}

/// What a primal sweep has to do, from what the sweeps before left.
#[derive(Clone, Copy)]
pub(super) struct Plan {
    changed: Inputs,
    need: Need,
    /// Whether values are computed that no derivative rule reads.
    whole: bool,
    /// Whether nothing was computed before.
    first: bool,
    /// Whether a stash was not filled far enough.
    upgrade: bool,
    /// The inputs that changed since values that no derivative rule reads were computed last;
    /// `None` before the first time.
    unread: Option<Inputs>,
}

impl Plan {
    pub(super) fn new<T: Real>(
        work: &Workspace<T>,
        changed: Inputs,
        need: Need,
        whole: bool,
    ) -> Self {
        Plan {
            changed,
            need,
            whole,
            first: work.level.is_none(),
            upgrade: work.level.is_some_and(|level| need > level),
            unread: work.unread,
        }
    }

    /// Whether there is anything to do at a node.
    pub(super) fn takes<T: Real>(self, node: &Node<T>) -> bool {
        if matches!(node.op, Op::Input | Op::Constant) {
            return false;
        }
        let keeps = matches!(node.op, Op::Fused(_) | Op::Gradient { .. });
        let kept_for_derivatives = keeps && node.depends != Inputs::NONE;
        if !(self.whole || node.activity.value || kept_for_derivatives) {
            return false;
        }
        let late = self.whole
            && !node.activity.value
            && self.unread.is_none_or(|inputs| node.reads.meets(inputs));
        self.first
            || node.reads.meets(self.changed)
            || (self.upgrade && keeps)
            || late
            || self.defers(node)
    }

    /// Whether a gradient inside is left to the reverse sweep.
    fn defers<T: Real>(self, node: &Node<T>) -> bool {
        !self.whole
            && self.need == Need::Gradient
            && !node.activity.value
            && matches!(node.op, Op::Gradient { .. })
    }

    /// What a primitive is asked for.
    pub(super) fn asked<T: Real>(self, node: &Node<T>) -> Asked {
        let differentiable = node.depends != Inputs::NONE;
        Asked {
            value: self.whole || node.activity.value,
            first: self.need >= Need::Gradient && differentiable,
            second: self.need >= Need::Curvature && differentiable,
        }
    }

    /// Notes what was computed.
    pub(super) fn close<T: Real>(self, work: &mut Workspace<T>) {
        work.level = Some(self.need);
        work.unread = match self.unread {
            _ if self.whole => Some(Inputs::NONE),
            Some(inputs) => Some(inputs.and(self.changed)),
            None => None,
        };
        // They belong to the values of before.
        work.forget_derivatives();
        work.sweeps.values += 1;
    }
}

/// Computes the value of one node.
pub(super) fn evaluate<T: Real>(
    program: &Program<T>,
    work: &mut Workspace<T>,
    node: &Node<T>,
    plan: Plan,
) {
    let (done, out) = split(&mut work.values, node);
    let done = &*done;
    let arg = |k: usize| program.value(node.args[k], done);
    let shape = |k: usize| program.nodes[node.args[k] as usize].shape;
    match &node.op {
        Op::Input | Op::Constant => unreachable!("no plan takes them"),
        Op::Unary(f, p) => f.eval(*p, arg(0), out),
        Op::Binary(f) => f.eval(arg(0), arg(1), out),
        Op::Bilinear(f) => {
            out.fill(T::zero());
            f.apply(arg(0), shape(0), arg(1), shape(1), out);
        }
        Op::Linear(f) => {
            out.fill(T::zero());
            for k in 0..node.args.len() {
                let start = concat_start(program, node, k);
                f.apply(start, arg(k), shape(k), out, node.shape);
            }
        }
        Op::Fused(f) => {
            let operands = Operands {
                program,
                node,
                values: done,
            };
            let stash = Stash::of(node, &mut work.stash, &mut work.scratch);
            f.eval(&operands, plan.asked(node), out, stash);
        }
        Op::Gradient { of, wrt } => {
            let inner = &mut work.nested[node.nested];
            for (k, a) in node.args.iter().enumerate() {
                let reads = program.nodes[*a as usize].reads;
                if plan.first || reads.meets(plan.changed) {
                    inner.set_input(of, k, arg(k));
                    inner.pending = inner.pending.and(Inputs::one(k));
                }
            }
            inner.deferred = plan.defers(node);
            if inner.deferred {
                return;
            }
            // The outer derivative is the inner function's second one.
            let (need, wanted) = match plan.need {
                Need::Value => (Need::Gradient, Inputs::one(*wrt)),
                _ => {
                    let reached = reaching(program, node, Inputs::ALL);
                    (Need::Curvature, reached.and(Inputs::one(*wrt)))
                }
            };
            let changed = std::mem::replace(&mut inner.pending, Inputs::NONE);
            run(of, inner, Plan::new(inner, changed, need, false));
            reverse(of, inner, &[T::one()], wanted);
            out.copy_from_slice(inner.adjoint(of, *wrt));
        }
    }
}

/// Bytes that the first primal sweep makes: the adjoints of the gradients inside.
pub(crate) fn primal_bytes<T: Real>(program: &Program<T>) -> usize {
    let inner = program.nodes.iter().filter_map(|n| n.op.gradient_of());
    inner
        .map(|of| primal_bytes(of) + reverse_bytes(of, Inputs::ALL))
        .sum()
}

/// Bytes of the scratch that the first primal sweep makes, in the gradients inside as well.
pub(crate) fn scratch_bytes<T: Real>(program: &Program<T>) -> usize {
    let inner = program.nodes.iter().filter_map(|n| n.op.gradient_of());
    program.scratch_len * size_of::<T>() + inner.map(scratch_bytes).sum::<usize>()
}
