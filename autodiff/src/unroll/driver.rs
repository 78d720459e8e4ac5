//! The moves every memory policy is made of: one step forward, one step back.

mod momentum;

use crate::bytes::{Buffer, Category, Meter};
use crate::inputs::Inputs;
use crate::kernels::{add, dot, dot_f64};
use crate::linearised::Need;
use crate::program::Program;
use crate::real::Real;
use crate::sweep::Sweep;
use crate::workspace::{Sweeps, Workspace};

use super::Step;
use super::fall::{Fall, distance};
use super::non_finite::Watch;

const X: usize = 0;
const STATE: usize = 1;
const COEFFICIENTS: usize = 2;

/// The inputs that derivatives are taken by.
pub(super) const INPUTS: Inputs = Inputs::one(X).union(Inputs::one(STATE));

/// A step with its workspace, the state on the way forward and the cotangents on the way back.
pub(super) struct Driver<T: Real> {
    pub(super) step: Step<T>,
    work: Workspace<T>,
    state: Buffer<T>,
    coefficients: Buffer<T>,
    state_cotangent: Buffer<T>,
    x_cotangent: Buffer<T>,
    /// Steps back since the cotangent was set.
    pulled: usize,
    /// How the cotangent of the iterate falls meanwhile.
    pub(super) fall: Fall,
    /// Whether steps are looked at for what is not finite.
    pub(super) watch: Watch,
}

impl<T: Real> Driver<T> {
    pub(super) fn new(step: Step<T>, meter: &Meter) -> Self {
        let len = |k: usize| step.program.input_shape(k).len();
        let buffer = |len: usize| Buffer::zeros(len, Category::Solver, meter);
        Driver {
            work: Workspace::new(&step.program, meter),
            state: buffer(len(STATE)),
            coefficients: buffer(len(COEFFICIENTS)),
            state_cotangent: buffer(len(STATE)),
            x_cotangent: buffer(len(X)),
            pulled: 0,
            fall: Fall::default(),
            watch: Watch::Off,
            step,
        }
    }

    /// Bytes of a driver of `step` before its first sweep.
    pub(super) fn bytes(step: &Step<T>) -> usize {
        let len = |k: usize| step.program.input_shape(k).len();
        let scalars = 2 * len(STATE) + len(COEFFICIENTS) + len(X);
        Workspace::bytes(&step.program) + scalars * size_of::<T>()
    }

    /// Sets `x` and the state.
    #[track_caller]
    pub(super) fn start(&mut self, x: &[T], state: &[T]) {
        assert_eq!(state.len(), self.state.len(), "length of the first state");
        self.work.set_input(&self.step.program, X, x);
        self.state.copy_from_slice(state);
    }

    pub(super) fn dim_x(&self) -> usize {
        self.x_cotangent.len()
    }

    pub(super) fn state(&self) -> &[T] {
        &self.state
    }

    pub(super) fn set_state(&mut self, state: &[T]) {
        self.state.copy_from_slice(state);
    }

    /// How far the iterate moved in the step that the workspace was swept for last.
    pub(super) fn moved_since(&self, work: &Workspace<T>) -> f64 {
        let before = &work.input(&self.step.program, STATE)[..self.step.leading];
        distance(&self.state[..before.len()], before)
    }

    /// [`moved_since`](Driver::moved_since) the driver's own last sweep.
    pub(super) fn moved(&self) -> f64 {
        self.moved_since(&self.work)
    }

    /// Exchanges the state for another of its length.
    pub(super) fn swap_state(&mut self, other: &mut Buffer<T>) {
        std::mem::swap(&mut self.state, other);
    }

    // ---- forward

    /// Replaces the state by that after iteration `k`.
    pub(super) fn advance(&mut self, k: usize) {
        self.advance_with(k, Need::Value);
    }

    /// [`advance`](Driver::advance), with the linearised step left in `kept`.
    pub(super) fn advance_keeping(&mut self, k: usize, kept: &mut Workspace<T>) {
        self.exchange(kept);
        let program = &self.step.program;
        self.work.set_input(program, X, kept.input(program, X));
        self.advance_with(k, Need::Gradient);
        self.exchange(kept);
    }

    /// [`advance`](Driver::advance), with the derivative of the state by `x` taken along: one
    /// column for each entry of `x`. They go in blocks of as many columns as `units`, unit vectors
    /// of `x`, has room for; it is zero before and after. If asked to `measure`, says how far the
    /// derivative moved, as a part of its norm.
    pub(super) fn advance_tangents(
        &mut self,
        k: usize,
        by_x: &mut [T],
        units: &mut [T],
        measure: bool,
    ) -> Option<f64> {
        let (mut change, mut size) = (0.0f64, 0.0f64);
        self.advance_with(k, Need::Curvature);
        let program = &self.step.program;
        let (dim_x, dim_state) = (self.x_cotangent.len(), self.state.len());
        let room = units.len() / dim_x.max(1);
        let blocks = by_x.chunks_mut((dim_state * room).max(1));
        for (block, first) in blocks.zip((0..).step_by(room.max(1))) {
            let width = block.len() / dim_state;
            let entry = |c: usize| first + c + c * dim_x;
            (0..width).for_each(|c| units[entry(c)] = T::one());
            let directions = [Some(&units[..dim_x * width]), Some(&*block), None];
            let moved = Sweep::of(program, &mut self.work).tangent(width, &directions);
            let watched = moved.filter(|_| matches!(self.watch, Watch::On));
            let found = watched.and_then(|m| m.iter().position(|v| !v.is_finite()));
            let moved = if let Some(found) = found {
                // The one column again by itself, where its tangents stand alone.
                let c = found / dim_state;
                let (unit, column) = (&units[dim_x * c..], &block[dim_state * c..]);
                let alone = [Some(&unit[..dim_x]), Some(&column[..dim_state]), None];
                Sweep::of(program, &mut self.work).tangent(1, &alone);
                self.watch = Watch::Forward(k, program.first_non_finite_tangent(&self.work));
                Sweep::of(program, &mut self.work).tangent(width, &directions)
            } else {
                moved
            };
            if measure {
                for (i, old) in block.iter().enumerate() {
                    let new = moved.map_or(0.0, |m| m[i].f64());
                    change += (new - old.f64()).powi(2);
                    size += new * new;
                }
            }
            match moved {
                Some(moved) => block.copy_from_slice(moved),
                None => block.fill(T::zero()),
            }
            (0..width).for_each(|c| units[entry(c)] = T::zero());
        }
        let part = if change == 0.0 {
            0.0
        } else {
            (change / size).sqrt()
        };
        measure.then_some(part)
    }

    // ---- back

    /// Sets the cotangent of the state, or that of its leading entries where the rest has none.
    #[track_caller]
    pub(super) fn set_cotangent(&mut self, cotangent: &[T]) {
        let (leading, all) = (self.step.leading, self.state_cotangent.len());
        assert!(
            cotangent.len() == leading || cotangent.len() == all,
            "cotangent with {} entries: expected {leading} or {all}",
            cotangent.len()
        );
        let (first, rest) = self.state_cotangent.split_at_mut(cotangent.len());
        first.copy_from_slice(cotangent);
        rest.fill(T::zero());
        self.x_cotangent.fill(T::zero());
        self.pulled = 0;
        self.fall.start(&self.state_cotangent[..leading]);
    }

    /// Pulls the cotangents back through iteration `k`, which started from `before`.
    pub(super) fn pull_back(&mut self, k: usize, before: &[T]) {
        self.work.set_input(&self.step.program, STATE, before);
        self.pull_back_latest(k);
    }

    /// [`pull_back`](Driver::pull_back) through the iteration that starts from the state.
    pub(super) fn pull_back_here(&mut self, k: usize) {
        self.work.set_input(&self.step.program, STATE, &self.state);
        self.pull_back_latest(k);
    }

    /// [`pull_back`](Driver::pull_back) through the iteration that was swept last: the workspace
    /// still has what it started from.
    pub(super) fn pull_back_latest(&mut self, k: usize) {
        self.set_coefficients(k);
        Sweep::of(&self.step.program, &mut self.work).primal_for_reverse();
        self.pull();
    }

    /// [`pull_back`](Driver::pull_back) through an iteration that
    /// [`advance_keeping`](Driver::advance_keeping) linearised.
    pub(super) fn pull_back_kept(&mut self, kept: &mut Workspace<T>) {
        self.exchange(kept);
        self.pull();
        self.exchange(kept);
    }

    /// Sets the cotangent of `x` from the derivative of the last state by `x`.
    pub(super) fn pull_back_tangents(&mut self, by_x: &[T]) {
        let columns = by_x.chunks_exact(self.state.len().max(1));
        for (out, column) in self.x_cotangent.iter_mut().zip(columns) {
            *out = dot(column, &self.state_cotangent);
        }
    }

    /// The norm of the latest addend to the cotangent of `x` as a part of that of the sum, or that of
    /// the state's cotangent if it is more.
    pub(super) fn share_of_first(&self) -> f64 {
        if self.pulled == 0 {
            return 0.0;
        }
        let squares = |v: &[T]| dot_f64(v, v);
        let addend = squares(self.work.latest_adjoint(&self.step.program, X));
        let share = (addend / squares(&self.x_cotangent)).sqrt();
        // What is below the root of the precision may be rounding; and where x has no part at all
        // there is NaN.
        let share = if share > T::EPSILON.sqrt() {
            share
        } else {
            0.0
        };
        share.max(self.fall.share())
    }

    /// The cotangents of `x` and of the state.
    pub(super) fn cotangents(&self) -> (&[T], &[T]) {
        (&self.x_cotangent, &self.state_cotangent)
    }

    pub(super) fn sweeps_of(&self, of: &Program<T>) -> Sweeps {
        self.work.sweeps_of(&self.step.program, of)
    }

    fn advance_with(&mut self, k: usize, need: Need) {
        self.work.set_input(&self.step.program, STATE, &self.state);
        self.sweep(k, need);
        let out = self.work.output(&self.step.program);
        self.state.copy_from_slice(out);
    }

    fn sweep(&mut self, k: usize, need: Need) {
        self.set_coefficients(k);
        Sweep::of(&self.step.program, &mut self.work).primal(need);
        if matches!(self.watch, Watch::On) {
            let program = &self.step.program;
            if bad(self.work.output(program)) {
                self.watch = Watch::Forward(k, program.first_non_finite(&self.work));
            }
        }
    }

    /// Sets the coefficients of iteration `k`.
    fn set_coefficients(&mut self, k: usize) {
        (self.step.coefficients)(k, &mut self.coefficients);
        let program = &self.step.program;
        self.work
            .set_input(program, COEFFICIENTS, &self.coefficients);
    }

    fn pull(&mut self) {
        let program = &self.step.program;
        Sweep::of(program, &mut self.work).reverse(&self.state_cotangent, INPUTS);
        add(&mut self.x_cotangent, self.work.adjoint(program, X));
        self.state_cotangent
            .copy_from_slice(self.work.adjoint(program, STATE));
        if matches!(self.watch, Watch::On) && (bad(&self.state_cotangent) || bad(&self.x_cotangent))
        {
            let at = program.first_non_finite_adjoint(&self.work);
            self.watch = Watch::Back(self.pulled, at);
        }
        self.pulled += 1;
        self.fall.look(&self.state_cotangent[..self.step.leading]);
    }

    /// Exchanges the workspace for another, all but its scratch and its counts.
    fn exchange(&mut self, other: &mut Workspace<T>) {
        self.work.swap_scratch(other);
        std::mem::swap(&mut self.work, other);
    }
}

fn bad<T: Real>(entries: &[T]) -> bool {
    entries.iter().any(|v| !v.is_finite())
}
