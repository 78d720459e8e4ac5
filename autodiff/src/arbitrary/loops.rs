//! Random loops: steps that take the gradient of a random program.

use std::sync::Arc;

use proptest::prelude::*;

use super::draw::{Case, case};
use super::shrink::{Simplifying, simplifying};
use crate::program::Program;
use crate::real::Real;
use crate::unroll::{Memory, Step};
use crate::var::Var;

/// How the state of a [`Loop`] moves along the gradient of its program f by the last input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepKind {
    /// `y − s ∇f`.
    GradientDescent,
    /// Heavy ball, `v ← ½ v − s ∇f`, `y ← y + v`: the one kind that can be undone.
    Momentum,
    /// `y − s_k ∇f` with a step length that falls from step to step.
    Scheduled,
    /// `cos y − ¼ tanh ∇f`: not linear in the gradient.
    Nonlinear,
}

impl StepKind {
    /// Every kind.
    pub const ALL: [StepKind; 4] = [
        StepKind::GradientDescent,
        StepKind::Momentum,
        StepKind::Scheduled,
        StepKind::Nonlinear,
    ];
}

/// A loop with the point and the directions of its [`Case`].
///
/// The state is the program's last input, x all others one after the other; both are vectors.
#[derive(Clone, Debug)]
pub struct Loop {
    /// The program whose gradient is taken, and numbers for x, the first state and cotangents.
    pub case: Case,
    /// The kind of step.
    pub kind: StepKind,
    /// Number of steps.
    pub depth: usize,
    /// Slots of the policies that take a number of them.
    pub slots: usize,
}

/// The length of the steps along a gradient.
const LENGTH: f64 = 0.0625;

impl Loop {
    /// The program of the gradient.
    pub fn program<T: Real>(&self) -> Arc<Program<T>> {
        self.case.graph.record_tame()
    }

    /// x, as one vector.
    pub fn x(&self) -> Vec<f64> {
        let inputs = self.case.at();
        inputs[..inputs.len() - 1].concat()
    }

    /// The first state.
    pub fn start(&self) -> Vec<f64> {
        self.state(self.case.at())
    }

    /// A cotangent of the last state.
    pub fn cotangent(&self) -> Vec<f64> {
        self.state(self.case.w())
    }

    fn state(&self, mut inputs: Vec<Vec<f64>>) -> Vec<f64> {
        let mut state = inputs.pop().expect("at least one input");
        if self.kind == StepKind::Momentum {
            state.extend(vec![0.0; state.len()]);
        }
        state
    }

    /// One step on `f`, which is [`program`](Loop::program): recorded as in a loop, with
    /// coefficients as a variable.
    pub fn record<'r, T: Real>(
        &self,
        f: &Arc<Program<T>>,
        x: Var<'r, T>,
        state: Var<'r, T>,
        c: Option<Var<'r, T>>,
    ) -> Var<'r, T> {
        let s = T::of(LENGTH);
        let force = |y: Var<'r, T>| gradient(f, x, y);
        match self.kind {
            StepKind::GradientDescent => state - force(state) * s,
            StepKind::Scheduled => {
                let c = c.expect("a scheduled step has a coefficient");
                state - force(state) * c.at(0)
            }
            StepKind::Nonlinear => state.cos() - force(state).tanh() * T::of(0.25),
            StepKind::Momentum => {
                let d = state.len() / 2;
                let (y, v) = (state.slice(0, d), state.slice(d, d));
                let v = v * T::of(0.5) + force(y) * -s;
                (y + v).concat(&[v])
            }
        }
    }

    /// The coefficient of step `k`, for [`StepKind::Scheduled`].
    pub fn coefficient(k: usize) -> f64 {
        LENGTH / (k as f64 + 1.0)
    }

    /// The step on `f`, which is [`program`](Loop::program).
    pub fn step<T: Real>(&self, f: &Arc<Program<T>>) -> Step<T> {
        let (dim_x, dim_state) = (self.x().len(), self.start().len());
        match self.kind {
            StepKind::Momentum => Step::momentum(dim_x, dim_state / 2, 0.5, |x, y, _| {
                gradient(f, x, y) * T::of(-LENGTH)
            }),
            StepKind::Scheduled => {
                let coefficient = |k: usize, c: &mut [T]| c[0] = T::of(Self::coefficient(k));
                Step::scheduled(dim_x, dim_state, 1, coefficient, |x, y, c| {
                    self.record(f, x, y, Some(c))
                })
            }
            _ => Step::new(dim_x, dim_state, |x, y, _| self.record(f, x, y, None)),
        }
    }

    /// The policies that give the derivatives of all steps from the same iterates.
    pub fn policies(&self) -> [Memory; 6] {
        [
            Memory::Taped,
            Memory::Stored,
            Memory::Checkpointed { slots: self.slots },
            Memory::Online { slots: self.slots },
            Memory::Disk { slots: self.slots },
            Memory::Truncated {
                steps: self.depth + self.slots - 1,
            },
        ]
    }
}

/// ∇f by its last input, the others being the slices of `x`.
fn gradient<'r, T: Real>(f: &Arc<Program<T>>, x: Var<'r, T>, y: Var<'r, T>) -> Var<'r, T> {
    let last = f.inputs() - 1;
    let mut start = 0;
    let mut arguments = Vec::with_capacity(last + 1);
    for k in 0..last {
        let len = f.input_shape(k).len();
        arguments.push(x.slice(start, len));
        start += len;
    }
    arguments.push(y);
    let (len, gradient) = (y.len(), Var::gradient(f, last, &arguments));
    gradient.reshape(len, 1)
}

/// A loop of up to 6 steps.
pub fn unrolled() -> Simplifying<impl Strategy<Value = Loop>> {
    let kind = (0..StepKind::ALL.len()).prop_map(|k| StepKind::ALL[k]);
    let drawn = (case(), kind, 0usize..=6, 1usize..=4);
    simplifying(drawn.prop_map(|(case, kind, depth, slots)| Loop {
        case,
        kind,
        depth,
        slots,
    }))
}
