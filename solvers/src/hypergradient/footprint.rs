//! The bytes that every estimate holds, from its problem and its loop alone.

use autodiff::unroll::{Memory, Step};
use autodiff::{Point, Program, Real};

use crate::Bilevel;

/// What a call of a strategy holds beside its scratch and its answer: both levels, differentiated
/// once, and what is added here.
#[derive(Debug)]
pub struct Footprint<T: Real> {
    /// Along how many directions at once F and g are differentiated twice; 0 for not at all.
    pub(super) second: [usize; 2],
    /// The step that is recorded for a loop.
    pub(super) step: Option<Step<T>>,
    /// Bytes of that loop, and of what is allocated beside the scratch.
    pub(super) beside: usize,
}

impl<T: Real> Default for Footprint<T> {
    fn default() -> Self {
        Footprint::new()
    }
}

impl<T: Real> Footprint<T> {
    /// Of a strategy that takes first derivatives alone and runs no loop.
    pub fn new() -> Self {
        Footprint {
            second: [0, 0],
            step: None,
            beside: 0,
        }
    }

    /// Differentiates F and g twice, along this many directions at once.
    #[must_use]
    pub fn second(mut self, upper: usize, lower: usize) -> Self {
        self.second = [upper, lower];
        self
    }

    /// Records this step.
    #[must_use]
    pub(super) fn recorded(mut self, step: &Step<T>) -> Self {
        self.step = Some(step.clone());
        self
    }

    /// Holds this many bytes more: of a loop, or of what a library allocates.
    #[must_use]
    pub fn beside(mut self, bytes: usize) -> Self {
        self.beside = self.beside.saturating_add(bytes);
        self
    }

    /// All of it in a workspace for `problem`, in bytes.
    pub(super) fn bytes(&self, problem: &Bilevel<T>) -> usize {
        let levels = [&**problem.upper(), &**problem.lower()];
        let mut bytes = self.beside;
        for (program, second) in levels.into_iter().zip(self.second) {
            bytes = bytes.saturating_add(Point::gradient_bytes(program) - program.bytes());
            if second > 0 {
                bytes = bytes.saturating_add(Point::second_block_bytes(program, second));
            }
        }
        let step = self.step.as_ref().map(Step::program);
        let part = problem.recorded_part();
        bytes = bytes.saturating_add(part.map_or(0, |part| part.bytes()));
        let part = part.into_iter().flat_map(|part| part.programs());
        let constraints = problem.recorded_constraints();
        bytes = bytes.saturating_add(constraints.map_or(0, |of| of.bytes()));
        let constraints = constraints.map(|of| &*of.program);
        let start = problem.start_of_x().map(|start| &**start);
        let of_start = start.map_or(0, |start| Point::gradient_bytes(start) - start.bytes());
        bytes = bytes.saturating_add(of_start);
        let programs = levels.into_iter().chain(step).chain(part);
        let programs = programs.chain(constraints).chain(start);
        bytes.saturating_add(Program::bytes_together(programs))
    }
}

/// Bytes of a loop of these steps without their recordings.
#[track_caller]
pub(super) fn loop_bytes<T: Real>(step: &Step<T>, depth: usize, memory: Memory) -> usize {
    step.peak_bytes(depth, memory) - step.program().bytes()
}

#[cfg(test)]
#[path = "footprint_tests.rs"]
mod tests;
