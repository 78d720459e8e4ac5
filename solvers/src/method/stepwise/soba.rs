//! SOBA.

use autodiff::Real;
use autodiff::kernels::axpy;

use crate::expect;
use crate::problem::Bilevel;
use crate::schedule::Schedule;

use super::super::ground::Batches;
use super::super::rule::{Rule, Setting, Update, memoryless};
use super::super::state::State;

/// SOBA: y, v and x move at once along unbiased directions of one batch of each level.
///
/// `y −= ρ ∇_y g`, `v −= ρ (∇²_yy g · v + ∇_y F)`, `x −= (ρ / ratio) (∇²_xy g · v + ∇_x F)`, all at
/// the old (x, y, v); v tends to minus the solution of the linear system.
///
/// # Requirements on the problem
/// F once and g twice differentiable; g strongly convex in y.
///
/// # Cost in oracle calls
/// One gradient of F, one gradient of g and one Hessian-vector product per step.
///
/// # Reference
/// M. Dagréou et al., A framework for bilevel optimization that enables stochastic and global
/// variance reduction algorithms, NeurIPS 2022.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Soba {
    /// ρ; the analysis has ρ₀/√(t + 1).
    pub step: Schedule,
    /// ρ over the step of x.
    pub ratio: f64,
}

impl<T: Real> Rule<T> for Soba {
    type Ground = Batches<T>;

    fn name(&self) -> String {
        "soba".into()
    }

    fn complaint(&self, _: &Setting<'_, T>) -> Option<String> {
        let ratio = expect::positive("ratio", self.ratio);
        self.step.complaint("step").or(ratio)
    }

    fn begin<'p>(&self, _: &'p Bilevel<T>, state: &mut State<T>) -> Box<dyn Update<T> + 'p> {
        let rule = *self;
        let mut at = Directions::new(state);
        memoryless(move |s, t| {
            at.draw(s);
            s.on.direction.copy_from_slice(&at.x);
            at.step(s, rule.step.at(t), rule.step.at(t) / rule.ratio);
        })
    }
}

/// The three directions of SOBA and its kin.
pub(super) struct Directions<T: Real> {
    pub(super) x: autodiff::bytes::Buffer<T>,
    pub(super) y: autodiff::bytes::Buffer<T>,
    pub(super) v: autodiff::bytes::Buffer<T>,
}

impl<T: Real> Directions<T> {
    pub(super) fn new(state: &State<T>) -> Self {
        let (x, y) = (state.x.len(), state.y.len());
        Directions {
            x: state.buffer(x),
            y: state.buffer(y),
            v: state.buffer(y),
        }
    }

    /// One batch of each level, at the state.
    pub(super) fn draw(&mut self, s: &mut State<T>) {
        s.upper_gradients(&mut self.x, &mut self.v);
        let point = s.on.lower.draw();
        let at = [s.x.as_slice(), s.y.as_slice()];
        point.linearise_along(&at, &[None, Some(&s.on.v)]);
        self.y.copy_from_slice(point.gradient(1));
        axpy(&mut self.v, T::one(), point.product(1));
        axpy(&mut self.x, T::one(), point.product(0));
    }

    /// Moves y and v along the directions, and x along the state's.
    pub(super) fn step(&self, s: &mut State<T>, inner: f64, outer: f64) {
        axpy(s.y.as_mut_slice(), T::of(-inner), &self.y);
        axpy(&mut s.on.v, T::of(-inner), &self.v);
        axpy(s.x.as_mut_slice(), T::of(-outer), &s.on.direction);
    }
}
