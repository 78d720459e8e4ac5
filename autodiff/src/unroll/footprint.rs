//! The bytes of a loop, from its step alone: no buffer is made.

use crate::bytes::Category;
use crate::real::Real;
use crate::sweep::{primal_bytes, reverse_bytes, scratch_bytes, tangent_bytes};
use crate::workspace::Workspace;

use super::checkpointed::Checkpointed;
use super::disk::Disk;
use super::driver::{Driver, INPUTS};
use super::forward::width;
use super::reversible::Reversible;
use super::{Memory, Step};

impl<T: Real> Step<T> {
    /// The most bytes that a loop of `depth` of these steps holds under `memory`, in one forward
    /// and one reverse pass: the recorded step, what one step needs, and what the policy keeps.
    ///
    /// A fresh [`Unrolled`](super::Unrolled) loop's [`Meter`](crate::Meter) reads exactly this as
    /// its peak, unless something else on it shares a recording with the loop. For a loop that may stop early `depth` is its limit.
    ///
    /// # Panics
    /// If the step cannot run under `memory`.
    #[track_caller]
    #[inline(never)]
    pub fn peak_bytes(&self, depth: usize, memory: Memory) -> usize {
        let program = &self.program;
        let forward = match memory {
            _ if depth == 0 => 0,
            // Each step of the tape has its own.
            Memory::Taped => scratch_bytes(program),
            _ => scratch_bytes(program) + primal_bytes(program),
        };
        let entries = self.dim_x() * self.dim_state();
        let derivative = match memory {
            Memory::Forward if depth > 0 && entries > 0 => {
                tangent_bytes(program, INPUTS, width(self.dim_x()))
            }
            Memory::Forward => 0,
            _ if memory.differentiated_steps(depth) > 0 => reverse_bytes(program, INPUTS),
            _ => 0,
        };
        let mut kept = [0; Category::ALL.len()];
        for (bytes, category) in kept.iter_mut().zip(Category::ALL) {
            *bytes = self.kept_bytes(depth, memory, category);
        }
        let parts = [program.bytes(), Driver::bytes(self), forward, derivative];
        let parts = parts.into_iter().chain(kept);
        parts.fold(0, usize::saturating_add)
    }

    /// The bytes of one category that `memory` keeps for a loop of `depth` steps, beyond the
    /// buffers of a single step, which are held under every policy.
    ///
    /// [`Meter`](crate::Meter) readings are predicted exactly: [`Category::Checkpoints`] holds the
    /// states, or under [`Memory::Reversible`] the lost bits; [`Category::Values`] and
    /// [`Category::Adjoints`] the linearised steps of [`Memory::Taped`]; [`Category::Tangents`] the
    /// derivative by x of [`Memory::Forward`] and a block of its directions; and
    /// [`Category::Solver`] the schedule of [`Memory::Checkpointed`] and [`Memory::Online`] and the
    /// state they walk with on the way back, or the state on the grid of [`Memory::Reversible`] and
    /// the last one; under [`Memory::Disk`] the last one alone. For a loop that may stop
    /// early `depth` is its limit, except under [`Memory::Taped`], where it is the depth.
    ///
    /// # Panics
    /// If the step cannot run under `memory`.
    #[track_caller]
    #[inline(never)]
    pub fn kept_bytes(&self, depth: usize, memory: Memory, category: Category) -> usize {
        let (dim_state, scalar) = (self.dim_state(), size_of::<T>());
        match (memory, category) {
            (Memory::Reversible, _) => {
                // A closure would lose the caller's line.
                let decay = match self.decay() {
                    Ok(decay) => decay,
                    Err(complaint) => panic!("{memory}: {complaint}"),
                };
                match category {
                    Category::Checkpoints => Reversible::<T>::lost_bytes(dim_state, depth, decay),
                    Category::Solver => Reversible::<T>::state_bytes(dim_state),
                    _ => 0,
                }
            }
            (_, Category::Checkpoints) => memory.checkpoint_bytes(depth, dim_state, scalar),
            (Memory::Taped, _) => {
                depth.saturating_mul(Workspace::linearisation_bytes(&self.program, category))
            }
            (Memory::Checkpointed { .. } | Memory::Online { .. }, Category::Solver) => {
                Checkpointed::<T>::walking_bytes(dim_state, memory.states(depth))
            }
            (Memory::Disk { slots }, Category::Solver) => {
                Disk::<T>::walking_bytes(dim_state, depth, slots)
            }
            (Memory::Forward, Category::Tangents) => {
                (dim_state + width(self.dim_x())) * self.dim_x() * scalar
            }
            _ => 0,
        }
    }
}
