//! Which memory policy a byte budget allows.

use autodiff::Real;
use autodiff::bytes::human_bytes;
use autodiff::unroll::{Memory, Step};

use crate::Bilevel;

use super::Itd;
use super::footprint::loop_bytes;

/// What a loop may hold. A number alone is bytes of memory, and no disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Bytes of memory.
    pub memory: usize,
    /// Bytes on disk.
    pub disk: usize,
}

impl From<usize> for Budget {
    fn from(memory: usize) -> Self {
        Budget { memory, disk: 0 }
    }
}

/// A memory policy chosen for a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Plan {
    /// The policy.
    pub memory: Memory,
    /// Unroll depth K.
    pub depth: usize,
    /// The peak of the estimate's workspace, in bytes.
    pub predicted_bytes: usize,
    /// Bytes on disk.
    pub predicted_disk_bytes: usize,
    /// Steps that the reverse pass runs again.
    pub recomputed_steps: usize,
    /// The budget.
    pub budget: Budget,
}

/// No memory policy fits a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a budget of {} bytes holds no {depth} steps under any memory policy: the smallest that could is {} bytes ({}), with {}",
    budget.memory, smallest.predicted_bytes, human_bytes(smallest.predicted_bytes), smallest.memory
)]
#[non_exhaustive]
pub struct BudgetError {
    /// Unroll depth K.
    pub depth: usize,
    /// The budget.
    pub budget: Budget,
    /// What the smallest budget that could would be used for; its bytes are that budget.
    pub smallest: Plan,
}

/// A depth for what does not depend on it.
pub const ANY_DEPTH: usize = usize::MAX;

/// The bytes of an unrolled estimate, except those that depend on depth and policy.
struct Unrolling<T: Real> {
    step: Step<T>,
    /// Bytes outside the loop, under policies that look at its end and under those that do not.
    looking: usize,
    blind: usize,
    itd: Itd,
    dim_y: usize,
}

impl<T: Real> Unrolling<T> {
    fn of(itd: &Itd, problem: &Bilevel<T>) -> Self {
        // The length is one number in the recording, whichever it is.
        let step = itd.steps.recorded(problem, 0.5);
        let outside = |memory| {
            let vectors = itd.scratch_under(memory, problem) + problem.dim_x() + problem.dim_y();
            let footprint = itd.footprint_under(memory, problem, &step);
            footprint.bytes(problem) + vectors * size_of::<T>()
        };
        Unrolling {
            looking: outside(Memory::Forward),
            blind: outside(Memory::Stored),
            itd: itd.clone(),
            dim_y: problem.dim_y(),
            step,
        }
    }

    /// The peak: everything stays until the estimate is done.
    #[track_caller]
    fn peak(&self, depth: usize, memory: Memory) -> usize {
        let outside = match self.itd.looks(memory, self.dim_y) {
            true => self.looking,
            false => self.blind,
        };
        outside.saturating_add(loop_bytes(&self.step, depth, memory))
    }

    fn disk(&self, depth: usize, memory: Memory) -> usize {
        memory.disk_bytes(depth, self.step.dim_state(), size_of::<T>())
    }

    fn plan(&self, depth: usize, memory: Memory, budget: Budget) -> Plan {
        Plan {
            memory,
            depth,
            predicted_bytes: self.peak(depth, memory),
            predicted_disk_bytes: self.disk(depth, memory),
            recomputed_steps: memory.recomputed_steps(depth),
            budget,
        }
    }

    /// The most slots that fit, if one does.
    fn slots(
        &self,
        depth: usize,
        budget: usize,
        policy: impl Fn(usize) -> Memory,
    ) -> Option<usize> {
        // More slots than bytes never fit.
        let most = depth.saturating_sub(1).min(budget).max(1);
        largest(most, |slots| self.peak(depth, policy(slots)) <= budget)
    }

    /// The fastest plan that fits among the policies that are the same bit for bit, and those that
    /// are not if they may be.
    fn cheapest(&self, depth: usize, budget: Budget, any_bits: bool) -> Result<Plan, BudgetError> {
        let checkpointed = |slots| Memory::Checkpointed { slots };
        let slots = self.slots(depth, budget.memory, checkpointed).unwrap_or(1);
        let mut candidates = vec![Memory::Taped, Memory::Stored, checkpointed(slots)];
        // As few states in memory as the disk allows: the more are on it, the fewer steps go again.
        let state = (self.step.dim_state() * size_of::<T>()).max(1);
        let slots = depth.div_ceil((budget.disk / state).max(1));
        candidates.extend((budget.disk >= state).then_some(Memory::Disk { slots }));
        if any_bits {
            let others = [Memory::Reversible, Memory::Forward].into_iter();
            candidates.extend(others.filter(|m| self.step.complaint(*m).is_none()));
        }
        let plans = || candidates.iter().map(|m| self.plan(depth, *m, budget));
        let dim_x = self.step.dim_x();
        plans()
            .filter(|p| p.predicted_bytes <= budget.memory)
            // A loop on a grid has a range, so it gives way to one in floating point; and a disk
            // takes time of its own.
            .min_by_key(|p| {
                let on_grid = p.memory == Memory::Reversible;
                let sweeps = p.memory.sweeps(depth, dim_x);
                (sweeps, on_grid, p.predicted_disk_bytes, p.predicted_bytes)
            })
            .ok_or_else(|| BudgetError {
                depth,
                budget,
                smallest: plans()
                    .min_by_key(|p| p.predicted_bytes)
                    .expect("there are candidates"),
            })
    }
}

impl Itd {
    /// The fastest memory policy whose peak is within `budget`, bytes or a [`Budget`] with a disk:
    /// taped, stored, checkpointed with the most slots that fit, on disk with as few as fit it,
    /// reversible if the steps can be undone, or forward mode, by the number of sweeps and then by
    /// bytes. Reversible comes after another one with as many sweeps. What a disk takes to write
    /// and to read is not known, and not counted.
    ///
    /// # Errors
    /// If none is, with the smallest budget that could.
    pub fn plan<T: Real>(
        &self,
        problem: &Bilevel<T>,
        budget: impl Into<Budget>,
    ) -> Result<Plan, BudgetError> {
        Unrolling::of(self, problem).cheapest(self.depth, budget.into(), true)
    }

    /// Takes the fastest memory policy whose peak for `problem` is within
    /// `budget`, bytes or a [`Budget`] with a disk.
    ///
    /// Neither forward mode nor reversible is among them: the numbers are the same, bit for bit, for every budget.
    ///
    /// # Errors
    /// If none fits, with the smallest budget that could.
    ///
    /// # Example
    /// ```
    /// use autodiff::{Var, objective};
    /// use nalgebra::dvector;
    /// use solvers::{Bilevel, Itd, Strategy};
    ///
    /// let upper = objective(|_: Var, y: Var| 0.5 * (y - 1.0).norm_squared());
    /// let lower = objective(|x: Var, y: Var| 0.5 * (y - x).norm_squared());
    /// let problem = Bilevel::new(upper, lower, 1, 1)?;
    ///
    /// let deep = Itd::reverse(10_000).budget(&problem, 64 << 10)?;
    /// let estimate = deep.hypergradient(&problem, &dvector![0.3], &mut problem.workspace())?;
    /// assert!(estimate.bytes.peak <= 64 << 10);
    ///
    /// let error = Itd::reverse(10_000).budget(&problem, 100).unwrap_err();
    /// assert!(Itd::reverse(10_000).budget(&problem, error.smallest.predicted_bytes).is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn budget<T: Real>(
        self,
        problem: &Bilevel<T>,
        budget: impl Into<Budget>,
    ) -> Result<Self, BudgetError> {
        let plan = Unrolling::of(&self, problem).cheapest(self.depth, budget.into(), false)?;
        Ok(self.memory(plan.memory))
    }

    /// The most slots of a `policy` such as [`Memory::Checkpointed`] with which the peak is within
    /// `budget` bytes, if it is with one; never more than the depth has use for.
    pub fn most_slots<T: Real>(
        &self,
        problem: &Bilevel<T>,
        budget: usize,
        policy: impl Fn(usize) -> Memory,
    ) -> Option<usize> {
        Unrolling::of(self, problem).slots(self.depth, budget, policy)
    }

    /// The deepest loop whose peak under this strategy's memory policy is within `budget`, bytes or
    /// a [`Budget`] with a disk: `None` if there is none, [`ANY_DEPTH`] if the peak does not grow.
    pub fn deepest<T: Real>(
        &self,
        problem: &Bilevel<T>,
        budget: impl Into<Budget>,
    ) -> Option<usize> {
        let (footprint, budget) = (Unrolling::of(self, problem), budget.into());
        largest(ANY_DEPTH, |depth| {
            footprint.peak(depth, self.memory) <= budget.memory
                && footprint.disk(depth, self.memory) <= budget.disk
        })
    }
}

/// The largest of the numbers 1..=`most` that a monotone condition holds for.
fn largest(most: usize, holds: impl Fn(usize) -> bool) -> Option<usize> {
    if holds(most) {
        return Some(most);
    }
    // It holds at `low`, or `low` is 0; it does not at `high`.
    let (mut low, mut high) = (0, most);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    (low > 0).then_some(low)
}

#[cfg(test)]
#[path = "planner_tests.rs"]
mod tests;
