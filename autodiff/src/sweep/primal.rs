//! The primal sweep: values, in the order of recording.

use crate::program::{Inputs, Op, Program};
use crate::{Need, Operands, Real, Workspace};

use super::{concat_start, reaching, reverse, reverse_bytes, split};

/// Computes the values that depend on the `changed` inputs, and keeps what `need` asks for.
///
/// Inputs are set before with [`Workspace::set_input`]; what depends only on the others is kept
/// from the sweep before, which is how a loop invariant is computed once.
pub fn primal<T: Real>(program: &Program<T>, work: &mut Workspace<T>, changed: Inputs, need: Need) {
    let first = work.level.is_none();
    // A stash that was not filled far enough is filled anew.
    let upgrade = work.level.is_some_and(|level| need > level);
    for node in &program.nodes {
        let keeps = matches!(node.op, Op::Fused(_) | Op::Gradient { .. });
        if !(first || node.reads.meets(changed) || (upgrade && keeps)) {
            continue;
        }
        if matches!(node.op, Op::Input | Op::Constant) {
            continue;
        }
        let (done, out) = split(&mut work.values, node);
        let done = &*done;
        let arg = |k: usize| program.value(node.args[k], done);
        let shape = |k: usize| program.nodes[node.args[k] as usize].shape;
        match &node.op {
            Op::Input | Op::Constant => unreachable!("skipped above"),
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
                let (start, len) = node.stash;
                let stash = &mut work.stash[start..start + len];
                let operands = Operands {
                    program,
                    node,
                    values: done,
                };
                f.eval(&operands, need, out, stash);
            }
            Op::Gradient { of, wrt } => {
                let inner = &mut work.nested[node.nested];
                let mut inner_changed = Inputs::NONE;
                for (k, a) in node.args.iter().enumerate() {
                    let reads = program.nodes[*a as usize].reads;
                    if first || reads.meets(changed) {
                        inner.set_input(of, k, arg(k));
                        inner_changed = inner_changed.and(Inputs::one(k));
                    }
                }
                // The outer derivative is the inner function's second one.
                let (inner_need, wanted) = match need {
                    Need::Value => (Need::Gradient, Inputs::one(*wrt)),
                    _ => {
                        let reached = reaching(program, node, Inputs::ALL);
                        (Need::Curvature, reached.and(Inputs::one(*wrt)))
                    }
                };
                primal(of, inner, inner_changed, inner_need);
                reverse(of, inner, &[T::one()], wanted);
                out.copy_from_slice(inner.adjoint(of, *wrt));
            }
        }
    }
    work.level = Some(match work.level {
        Some(level) if !upgrade => level.min(need),
        _ => need,
    });
    // The adjoints belong to the values of before.
    work.reversed = Inputs::NONE;
    work.sweeps.values += 1;
}

/// Bytes that the first primal sweep makes: the adjoints of the gradients inside.
pub(crate) fn primal_bytes<T: Real>(program: &Program<T>) -> usize {
    let inner = program.nodes.iter().filter_map(|n| n.op.gradient_of());
    inner
        .map(|of| primal_bytes(of) + reverse_bytes(of, Inputs::ALL))
        .sum()
}
