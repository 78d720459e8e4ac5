//! The bytes that every estimate holds, from its problem and its loop alone.

use autodiff::unroll::{Memory, Step};
use autodiff::{Point, Program, Real};

use crate::{Bilevel, Workspace};

/// Bytes of a workspace whose objectives were both differentiated, with the recordings of a `step`
/// but not its loop; `second` says along how many directions at once (F, g) were differentiated
/// twice.
pub(super) fn workspace_bytes<T: Real>(
    problem: &Bilevel<T>,
    second: [usize; 2],
    step: Option<&Step<T>>,
) -> usize {
    let levels = [&**problem.upper(), &**problem.lower()];
    let mut bytes = Workspace::start_bytes(problem);
    for (program, second) in levels.into_iter().zip(second) {
        bytes += Point::gradient_bytes(program) - program.bytes();
        if second > 0 {
            bytes += Point::second_block_bytes(program, second);
        }
    }
    let step = step.map(Step::program);
    bytes + Program::bytes_together(levels.into_iter().chain(step))
}

/// Bytes of a loop of these steps without their recordings.
#[track_caller]
pub(super) fn loop_bytes<T: Real>(step: &Step<T>, depth: usize, memory: Memory) -> usize {
    step.peak_bytes(depth, memory) - step.program().bytes()
}

#[cfg(test)]
#[path = "footprint_tests.rs"]
mod tests;
