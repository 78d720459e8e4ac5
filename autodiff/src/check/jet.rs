//! Forward-over-forward: an evaluator of programs over hyper-dual numbers, for checking alone.
//!
//! Each value `u` carries two tangents and the mixed second derivative, `u + u_a ε + u_b ε′ + u_ab
//! εε′` with ε² = ε′² = 0 (J. Fike and J. Alonso, The development of hyper-dual numbers for exact
//! second-derivative calculations, AIAA 2011-886). It goes forward alone and shares no sweep with
//! the engine: only the rows of the rule tables, the products, and the primitives' own `eval` and
//! `jvp`.
//!
//! Along go the sizes of the terms: what the same sums come to where every term is taken in
//! absolute value. Two ways of adding and multiplying the same terms differ by no more than
//! `2 N u` times that size, with N the operations on the longest path and u the unit roundoff
//! (N. Higham, Accuracy and stability of numerical algorithms, 2002, lemma 3.1).

pub(super) mod fused;
mod step;

use std::sync::Arc;

use crate::inputs::Inputs;
use crate::operands::Operation;
use crate::point::Point;
use crate::primitive::Asked;
use crate::program::{Node, Op, Program};
use crate::real::Real;

use fused::Fused;

/// Roundings of an elementwise operation and its derivatives.
const ELEMENTWISE: f64 = 16.0;

/// What goes along with the values, laid out like them.
#[derive(Clone, Default)]
struct Along<T> {
    a: Vec<T>,
    b: Vec<T>,
    ab: Vec<T>,
    /// The sizes of the terms of these three.
    sizes: [Vec<T>; 3],
    /// Errors of `ab` other than rounding: of primitives differentiated by differences.
    error: Vec<T>,
}

/// A program with the jets of its values at a point.
pub(super) struct Jets<'p, T: Real> {
    program: &'p Program<T>,
    values: Vec<T>,
    stash: Vec<T>,
    scratch: Vec<T>,
    along: Along<T>,
    /// Operations on the longest path to each node.
    operations: Vec<f64>,
    fused: Vec<Option<Fused<T>>>,
    inner: Vec<Option<Inner<T>>>,
    /// Of each sum of leaves, those.
    leaves: Vec<Vec<Jets<'p, T>>>,
    /// Whether `b` carries the rounding errors of the values, in units of roundoff.
    drifting: bool,
}

/// A gradient inside: the function's point, which gives the value, and its arguments.
struct Inner<T: Real> {
    point: Point<T>,
    of: Arc<Program<T>>,
}

/// A derivative of the output's entry with a bound of its error.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounded {
    pub(super) value: f64,
    pub(super) bound: f64,
    /// Sum of the absolute values of its terms.
    pub(super) size: f64,
}

impl<T> Along<T> {
    /// All of it, buffer by buffer.
    fn buffers(&mut self) -> [&mut Vec<T>; 7] {
        let [a, b, ab] = &mut self.sizes;
        [
            &mut self.a,
            &mut self.b,
            &mut self.ab,
            a,
            b,
            ab,
            &mut self.error,
        ]
    }
}

impl<'p, T: Real> Jets<'p, T> {
    /// The values at a point, all inputs' entries in one row.
    pub(super) fn new(program: &'p Program<T>, at: &[T]) -> Self {
        let zeros = || vec![T::zero(); program.plan.values_len];
        let inner = |node: &Node<T>| match &node.op {
            Op::Gradient { of, .. } => Some(Inner {
                point: of.point(),
                of: of.clone(),
            }),
            _ => None,
        };
        let leaves = |node: &'p Node<T>| {
            let zeros = |of: &Program<T>| {
                let lens = (0..of.inputs()).map(|k| of.input_shape(k).len());
                vec![T::zero(); lens.sum()]
            };
            let leaves = node.op.leaves();
            leaves.map(|of| Jets::new(of, &zeros(of))).collect()
        };
        let mut jets = Jets {
            program,
            values: zeros(),
            stash: vec![T::zero(); program.stash_len],
            scratch: vec![T::zero(); program.scratch_len],
            along: Along {
                a: zeros(),
                b: zeros(),
                ab: zeros(),
                sizes: [zeros(), zeros(), zeros()],
                error: zeros(),
            },
            operations: vec![0.0; program.nodes.len()],
            fused: program.nodes.iter().map(|_| None).collect(),
            inner: program.nodes.iter().map(inner).collect(),
            leaves: program.nodes.iter().map(leaves).collect(),
            drifting: false,
        };
        jets.move_to(at);
        jets
    }

    /// The same with the rounding errors of the values along `b`, so that the size of `ab` is that
    /// of what they make of the derivative along `a`.
    pub(super) fn drifting(self) -> Self {
        let drifting = |leaves: Vec<Self>| leaves.into_iter().map(Self::drifting).collect();
        Jets {
            drifting: true,
            leaves: self.leaves.into_iter().map(drifting).collect(),
            ..self
        }
    }

    /// The values at another point.
    pub(super) fn move_to(&mut self, at: &[T]) {
        let program = self.program;
        for (i, entry) in program.input_places().zip(at) {
            self.values[i] = *entry;
        }
        for (id, node) in program.nodes.iter().enumerate() {
            let longest = node.args.iter().map(|a| self.operations[*a as usize]);
            self.operations[id] = longest.fold(0.0, f64::max) + operations(program, node);
            self.fused[id] = None;
            if matches!(node.op, Op::Input | Op::Constant) || node.view {
                continue;
            }
            let (done, rest) = self.values.split_at_mut(node.start);
            let out = &mut rest[..node.shape.len()];
            if let (Op::Gradient { wrt, .. }, Some(inner)) = (&node.op, &mut self.inner[id]) {
                let arguments: Vec<&[T]> =
                    node.args.iter().map(|a| program.value(*a, done)).collect();
                inner.point.differentiate(&arguments, Inputs::one(*wrt));
                out.copy_from_slice(inner.point.gradient(*wrt));
                continue;
            }
            if let Op::Leaves(leaves) = &node.op {
                out[0] = T::zero();
                for (leaf, jets) in leaves.all.iter().zip(&mut self.leaves[id]) {
                    let operands = leaf.operands();
                    let operands = operands.map(|k| program.value(node.args[k], done));
                    jets.move_to(&operands.collect::<Vec<_>>().concat());
                    out[0] += leaf.weight * jets.value()[0];
                }
                continue;
            }
            evaluate(
                Operation { program, node },
                done,
                out,
                &mut self.stash,
                &mut self.scratch,
            );
        }
    }

    /// All values, laid out as in a workspace.
    pub(super) fn values(&self) -> &[T] {
        &self.values
    }

    /// The output's value.
    pub(super) fn value(&self) -> &[T] {
        self.program.value(self.program.output as u32, &self.values)
    }

    /// Carries tangents of the inputs to the output; without `b`, the first derivative alone.
    ///
    /// # Errors
    /// With the reason, where a second derivative inside is not available.
    pub(super) fn push(&mut self, a: &[T], b: Option<&[T]>) -> Result<(), String> {
        let size = |v: &[T]| v.iter().map(|v| v.abs()).collect::<Vec<T>>();
        self.push_sized(a, &size(a), b)
    }

    /// [`push`](Jets::push) of a tangent whose terms have these sizes.
    pub(super) fn push_sized(
        &mut self,
        a: &[T],
        size: &[T],
        b: Option<&[T]>,
    ) -> Result<(), String> {
        let mut along = std::mem::take(&mut self.along);
        let zero = T::zero();
        for (k, i) in self.program.input_places().enumerate() {
            (along.a[i], along.sizes[0][i]) = (a[k], size[k]);
            let b = b.map_or(zero, |b| b[k]);
            along.b[i] = b;
            along.sizes[1][i] = b.abs();
            if self.drifting {
                // A derivative's own formula may cancel as if its argument were rounded.
                along.sizes[1][i] += T::of(ELEMENTWISE) * self.values[i].abs();
            }
            along.ab[i] = zero;
            along.sizes[2][i] = zero;
            along.error[i] = zero;
        }
        self.along = along;
        self.carry(b.is_some())
    }

    /// Carries what stands along the inputs to the output.
    fn carry(&mut self, twice: bool) -> Result<(), String> {
        let program = self.program;
        let mut along = std::mem::take(&mut self.along);
        let mut result = Ok(());
        for (id, node) in program.nodes.iter().enumerate() {
            let given = matches!(node.op, Op::Input | Op::Constant) || node.view;
            if given || node.depends == Inputs::NONE {
                continue;
            }
            result = result.and(self.step(id, node, &mut along, twice));
            if self.drifting {
                for i in node.place() {
                    along.sizes[1][i] += T::of(operations(program, node)) * self.values[i].abs();
                }
            }
        }
        self.along = along;
        result
    }

    /// The output's derivative along `a`, entry `i`, against another way of adding the same terms.
    pub(super) fn first(&self, i: usize) -> Bounded {
        let node = &self.program.nodes[self.program.output];
        if node.depends == Inputs::NONE {
            return Bounded {
                value: 0.0,
                bound: 0.0,
                size: 0.0,
            };
        }
        let at = node.start + i;
        let size = self.along.sizes[0][at].f64();
        let drift = if self.drifting {
            self.along.sizes[2][at].f64()
        } else {
            0.0
        };
        Bounded {
            value: self.along.a[at].f64(),
            bound: T::EPSILON * (self.paths() * size + drift),
            size,
        }
    }

    /// The output's mixed second derivative along `a` and `b`, entry 0.
    pub(super) fn mixed(&self) -> Bounded {
        let node = &self.program.nodes[self.program.output];
        if node.depends == Inputs::NONE {
            return Bounded {
                value: 0.0,
                bound: 0.0,
                size: 0.0,
            };
        }
        let size = self.along.sizes[2][node.start].f64();
        Bounded {
            value: self.along.ab[node.start].f64(),
            bound: T::EPSILON * self.paths() * size + self.along.error[node.start].f64(),
            size,
        }
    }

    /// The size of the terms of the derivative along `a`, of every entry of the output.
    pub(super) fn first_sizes(&self) -> Vec<T> {
        let node = &self.program.nodes[self.program.output];
        match node.depends {
            Inputs::NONE => vec![T::zero(); node.shape.len()],
            _ => self.along.sizes[0][node.place()].to_vec(),
        }
    }

    /// Roundings on the longest path, with those of adding what comes together on the way back.
    pub(super) fn paths(&self) -> f64 {
        self.operations[self.program.output] + self.program.nodes.len() as f64
    }
}

/// Roundings that an operation and its adjoint add to a path.
fn operations<T: Real>(program: &Program<T>, node: &Node<T>) -> f64 {
    let lengths = node
        .args
        .iter()
        .map(|a| program.nodes[*a as usize].shape.len());
    let longest = lengths.clone().fold(node.shape.len(), usize::max) as f64;
    match &node.op {
        Op::Input | Op::Constant => 0.0,
        Op::Unary(..) | Op::Binary(_) => ELEMENTWISE + longest,
        Op::Linear(_) | Op::Bilinear(_) => longest + 2.0,
        Op::Leaves(leaves) => {
            let count = leaves.all.len() as f64;
            let all = leaves.all.iter().flat_map(|leaf| {
                let of = &leaf.of;
                of.nodes.iter().map(|n| 1.0 + operations(of, n))
            });
            count + all.sum::<f64>()
        }
        // Its adjoint is a second sweep of the function.
        Op::Gradient { of, .. } => {
            let inner = of.nodes.iter().map(|n| 1.0 + operations(of, n));
            2.0 * inner.sum::<f64>()
        }
        Op::Fused(_) => {
            let kept = node.stash.1 + node.scratch.1 + lengths.sum::<usize>();
            ELEMENTWISE + (kept + node.shape.len()) as f64
        }
    }
}

/// The value of an operation other than a gradient.
fn evaluate<T: Real>(
    at: Operation<'_, T>,
    done: &[T],
    out: &mut [T],
    stash: &mut [T],
    scratch: &mut [T],
) {
    let a = at.operands(done);
    match &at.node.op {
        Op::Input | Op::Constant | Op::Gradient { .. } | Op::Leaves(_) => {}
        Op::Unary(f, p) => f.eval(*p, a.get(0), out),
        Op::Binary(f) => f.eval(a.get(0), a.get(1), out),
        Op::Bilinear(f) => {
            f.apply(a.get(0), at.shape(0), a.get(1), at.shape(1), out, true);
        }
        Op::Linear(f) => {
            out.fill(T::zero());
            let mut start = 0;
            for k in 0..a.len() {
                f.apply(start, a.get(k), at.shape(k), out, at.node.shape, false);
                start += at.shape(k).len();
            }
        }
        Op::Fused(f) => f.eval(&a, ALL, out, at.stash(stash, scratch)),
    }
}

/// Everything that a primitive can be asked for.
const ALL: Asked = Asked {
    value: true,
    first: true,
    second: true,
};
