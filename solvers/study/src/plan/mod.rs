//! Schedules for a byte budget, found without running anything.

mod page;

use autodiff::Real;
use autodiff::unroll::Memory;
use serde::Serialize;
use solvers::{ANY_DEPTH, Budget, BudgetError, ConfigError, Itd, Plan, Strategy};

use crate::Subject;

pub use page::table;

/// A schedule, and whether it fits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Record {
    /// The problem's name.
    pub problem: String,
    /// The memory policy.
    pub policy: String,
    /// Steps that are unrolled; `None` if any number of them fits.
    pub depth: Option<usize>,
    /// The peak in bytes.
    pub predicted_bytes: usize,
    /// Bytes on disk; not written where there are none.
    #[serde(skip_serializing_if = "is_zero")]
    pub predicted_disk_bytes: usize,
    /// Steps that the reverse pass runs again; `None` if they depend on the depth.
    pub recomputed_steps: Option<usize>,
    /// The budget in bytes.
    pub budget: usize,
    /// The budget on disk in bytes; not written where there is none.
    #[serde(skip_serializing_if = "is_zero")]
    pub disk_budget: usize,
    /// Whether the peak is within it.
    pub fits: bool,
}

pub(crate) fn is_zero(bytes: &usize) -> bool {
    *bytes == 0
}

impl Record {
    fn of<T: Real>(subject: &Subject<'_, T>, plan: &Plan) -> Self {
        Record {
            problem: subject.name().to_owned(),
            policy: plan.memory.to_string(),
            depth: Some(plan.depth),
            predicted_bytes: plan.predicted_bytes,
            predicted_disk_bytes: plan.predicted_disk_bytes,
            recomputed_steps: Some(plan.recomputed_steps),
            budget: plan.budget.memory,
            disk_budget: plan.budget.disk,
            fits: plan.predicted_bytes <= plan.budget.memory,
        }
    }
}

/// The fastest schedule of a loop that fits; else the smallest one there is, and the reason.
///
/// # Errors
/// If the loop's settings do not fit, or the problem does not suit them.
pub fn fastest<T: Real>(
    subject: &Subject<'_, T>,
    itd: &Itd,
    budget: impl Into<Budget>,
) -> Result<(Record, Option<BudgetError>), ConfigError> {
    Strategy::<T>::validate(itd)?;
    itd.suits(subject.problem())?;
    Ok(match itd.plan(subject.problem(), budget) {
        Ok(plan) => (Record::of(subject, &plan), None),
        Err(error) => (Record::of(subject, &error.smallest), Some(error)),
    })
}

/// The deepest loop that fits, for each policy; `at` makes the loop of a depth, as
/// [`Itd::reverse`] does.
///
/// # Errors
/// If the loop's settings do not fit, or the problem does not suit them.
pub fn deepest<T: Real>(
    subject: &Subject<'_, T>,
    at: impl Fn(usize) -> Itd,
    budget: impl Into<Budget>,
) -> Result<Vec<Record>, ConfigError> {
    Strategy::<T>::validate(&at(1))?;
    at(1).suits(subject.problem())?;
    let budget = budget.into();
    let most = |policy: fn(usize) -> Memory| {
        let slots = at(ANY_DEPTH).most_slots(subject.problem(), budget.memory, policy);
        policy(slots.unwrap_or(1))
    };
    let disk = (budget.disk > 0).then(|| most(|slots| Memory::Disk { slots }));
    let policies = [
        Memory::Taped,
        Memory::Stored,
        most(|slots| Memory::Checkpointed { slots }),
        Memory::Reversible,
        Memory::Forward,
    ];
    let policies = policies.into_iter().chain(disk);
    let can_run = |m: &Memory| Strategy::<T>::validate(&at(1).memory(*m)).is_ok();
    let record = |memory: Memory| {
        let deepest = at(1).memory(memory).deepest(subject.problem(), budget);
        // Where not even one step fits, what one step takes.
        let depth = deepest.unwrap_or(1);
        let any = depth == ANY_DEPTH;
        let repeats = any && matches!(memory, Memory::Checkpointed { .. });
        Record {
            problem: subject.name().to_owned(),
            policy: memory.to_string(),
            depth: (!any).then_some(depth),
            predicted_bytes: at(depth)
                .memory(memory)
                .predicted_peak_bytes(subject.problem()),
            recomputed_steps: (!repeats).then(|| match memory {
                Memory::Disk { .. } => memory.recomputed_steps(depth),
                _ => 0,
            }),
            predicted_disk_bytes: at(depth)
                .memory(memory)
                .predicted_disk_bytes(subject.problem()),
            budget: budget.memory,
            disk_budget: budget.disk,
            fits: deepest.is_some(),
        }
    };
    Ok(policies.filter(can_run).map(record).collect())
}

#[cfg(test)]
mod tests {
    use nalgebra::DVector;
    use solvers::InnerStep;

    use super::*;
    use crate::tests::distance;

    #[test]
    fn the_fastest_fits_or_says_what_would() {
        let problem = distance(5);
        let subject = Subject::new("distance", &problem, DVector::zeros(5));
        let (record, none) = fastest(&subject, &Itd::reverse(500), 64 << 10).expect("a loop");
        assert!(record.fits && none.is_none());
        assert!(record.predicted_bytes <= 64 << 10);
        let (record, error) = fastest(&subject, &Itd::reverse(500), 64).expect("a loop");
        let smallest = error.expect("64 bytes hold nothing").smallest;
        assert!(!record.fits && record.predicted_bytes == smallest.predicted_bytes);
        let (record, none) =
            fastest(&subject, &Itd::reverse(500), smallest.predicted_bytes).expect("a loop");
        assert!(record.fits && none.is_none());
    }

    #[test]
    fn the_deepest_loops_fit() {
        let problem = distance(5);
        let subject = Subject::new("distance", &problem, DVector::zeros(5));
        let records = deepest(&subject, Itd::reverse, 1 << 20).expect("a loop");
        assert!(
            records
                .iter()
                .all(|r| r.fits && r.predicted_bytes <= 1 << 20)
        );
        let depth = |i: usize| records[i].depth;
        assert!(depth(0) < depth(1));
        assert_eq!((depth(2), depth(3)), (None, None));
        let none = deepest(&subject, Itd::reverse, 10).expect("a loop");
        assert!(none.iter().all(|r| !r.fits));
        // On a disk of 1 MiB, states of five numbers: as many segments as it has room for.
        let disk = Budget {
            memory: 1 << 20,
            disk: 1 << 20,
        };
        let records = deepest(&subject, Itd::reverse, disk).expect("a loop");
        let last = records.last().expect("a policy on disk");
        assert!(last.policy.starts_with("disk:") && last.fits, "{last:?}");
        assert!(last.depth > depth(1).map(|d| 1000 * d) && last.predicted_disk_bytes <= 1 << 20);
        assert!(last.predicted_disk_bytes > (1 << 20) - 40);
        let ball = |depth| Itd::reverse(depth).inner(InnerStep::Momentum(0.9));
        let records = deepest(&subject, ball, 1 << 20).expect("a loop");
        let depth = |i: usize| records[i].depth;
        assert_eq!(records[3].policy, "reversible");
        assert!(records[3].fits && depth(3) > depth(1).map(|d| 100 * d));
    }
}
