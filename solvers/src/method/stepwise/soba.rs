//! SOBA.

use autodiff::Real;
use autodiff::bytes::Buffer;
use autodiff::kernels::axpy;

use crate::expect;
use crate::method::{Batches, Begun, MethodEntry, Rule, State, memoryless};
use crate::schedule::Schedule;

use super::{drawn, entry as named, length};

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
    const NAME: &'static str = "soba";

    fn begin<'p>(&self, s: &mut State<'p, T>) -> Begun<'p, T> {
        self.step.check("step")?;
        expect::positive("ratio", self.ratio)?;
        let (rule, batches) = (*self, Batches::new(s)?);
        let mut at = Directions::new(s, &batches);
        Ok(memoryless(batches, move |s, b| {
            at.draw(s, b);
            b.direction.copy_from_slice(&at.x);
            let length = rule.step.at(s.iteration());
            at.step(s, b, length, length / rule.ratio);
        }))
    }
}

/// The three directions of SOBA and its kin.
pub(super) struct Directions<T: Real> {
    pub(super) x: Buffer<T>,
    pub(super) y: Buffer<T>,
    pub(super) v: Buffer<T>,
}

impl<T: Real> Directions<T> {
    pub(super) fn new(s: &State<'_, T>, b: &Batches<T>) -> Self {
        Directions {
            x: b.buffer(s.x.len()),
            y: b.buffer(s.y.len()),
            v: b.buffer(s.y.len()),
        }
    }

    /// One batch of each level, at the state.
    pub(super) fn draw(&mut self, s: &State<'_, T>, b: &mut Batches<T>) {
        b.upper_gradients(s, &mut self.x, &mut self.v);
        let point = b.lower.draw();
        let at = [s.x.as_slice(), s.y.as_slice()];
        point.linearise_along(&at, &[None, Some(&b.v)]);
        self.y.copy_from_slice(point.gradient(1));
        axpy(&mut self.v, T::one(), point.product(1));
        axpy(&mut self.x, T::one(), point.product(0));
    }

    /// Moves y and v along the directions, and x along that of the batches.
    pub(super) fn step(&self, s: &mut State<'_, T>, b: &mut Batches<T>, inner: f64, outer: f64) {
        axpy(s.y.as_mut_slice(), T::of(-inner), &self.y);
        axpy(&mut b.v, T::of(-inner), &self.v);
        axpy(s.x.as_mut_slice(), T::of(-outer), &b.direction);
    }
}

/// The name `soba`.
pub(super) fn entry<T: Real>() -> MethodEntry<T> {
    let about = "mini-batches: y, v and x move at once, steps fall like 1/sqrt(t)";
    named(["soba", about], &["rate"], drawn, |settings| Soba {
        step: Schedule::InverseRoot {
            a: length(settings),
        },
        ratio: length(settings) / settings.rate(),
    })
}
