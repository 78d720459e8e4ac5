//! Bytes and time of the memory policies of unrolled loops.
//!
//! ```
//! use autodiff::{Var, objective};
//! use nalgebra::dvector;
//! use solvers::{Bilevel, Itd};
//! use study::{Subject, memory};
//!
//! let upper = objective(|x: Var, y: Var| 0.5 * (y - 1.0).norm_squared() + 0.5 * x.norm_squared());
//! let lower = objective(|x: Var, y: Var| 0.5 * (y - x).norm_squared());
//! let problem = Bilevel::new(upper, lower, 1, 1)?;
//! let subject = Subject::new("scalar", &problem, dvector![0.3]);
//!
//! let records = memory::run(&subject, Itd::reverse, &[10, 100], Some(64 << 10))?;
//! assert!(records.iter().all(|r| r.peak_bytes.is_none_or(|peak| peak == r.predicted_bytes)));
//! println!("{}", memory::table(&records));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod page;

use autodiff::Real;
use autodiff::unroll::{Memory, ParseMemoryError};
use serde::Serialize;
use solvers::{ConfigError, Itd, Strategy};

use crate::Subject;
use crate::plan::is_zero;
use crate::timing::Timing;

pub use page::table;

/// The status of a policy that was not run because it would not fit.
pub const OVER_BUDGET: &str = "over-budget";
/// Slots of a policy that leaves them open, where there is no budget.
const SLOTS: usize = 10;
/// Forward mode is no default beyond so many entries of x: it costs a product for each.
const FORWARD_ENTRIES: usize = 100;

/// A policy as asked for: some leave open how many slots they have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// This one.
    Fixed(Memory),
    /// Binomial checkpointing with as many slots as fit.
    Checkpointed,
    /// Online checkpointing with as many slots as fit.
    Online,
    /// On disk, with as many slots in memory as fit.
    Disk,
}

impl Policy {
    /// The policies that make sense for `x` of so many entries and such a loop.
    pub fn default_for<T: Real>(dim_x: usize, itd: &Itd) -> Vec<Self> {
        let mut policies = vec![
            Policy::Fixed(Memory::Taped),
            Policy::Fixed(Memory::Stored),
            Policy::Checkpointed,
            Policy::Online,
            Policy::Fixed(Memory::Truncated { steps: SLOTS }),
        ];
        if can_run::<T>(itd, Memory::Reversible).is_ok() {
            policies.push(Policy::Fixed(Memory::Reversible));
        }
        if dim_x <= FORWARD_ENTRIES {
            policies.push(Policy::Fixed(Memory::Forward));
        }
        policies
    }

    /// The memory policy for a loop and a budget in bytes; with one slot where none fits.
    pub fn resolve<T: Real>(
        self,
        subject: &Subject<'_, T>,
        itd: &Itd,
        budget: Option<usize>,
    ) -> Memory {
        let policy = match self {
            Policy::Fixed(memory) => return memory,
            Policy::Checkpointed => |slots| Memory::Checkpointed { slots },
            Policy::Online => |slots| Memory::Online { slots },
            Policy::Disk => |slots| Memory::Disk { slots },
        };
        policy(match budget {
            Some(bytes) => itd
                .most_slots(subject.problem(), bytes, policy)
                .unwrap_or(1),
            None => SLOTS,
        })
    }

    /// Whether the loop's steps can be run under the policy.
    ///
    /// # Errors
    /// If they cannot: one line.
    pub fn check<T: Real>(self, itd: &Itd) -> Result<(), ConfigError> {
        match self {
            Policy::Fixed(memory) => can_run::<T>(itd, memory),
            Policy::Checkpointed | Policy::Online | Policy::Disk => Ok(()),
        }
    }

    /// The name without numbers, which is the same at every depth.
    pub fn family(self) -> String {
        match self {
            Policy::Fixed(memory) => memory.to_string(),
            Policy::Checkpointed => "checkpointed".into(),
            Policy::Online => "online".into(),
            Policy::Disk => "disk".into(),
        }
    }
}

fn can_run<T: Real>(itd: &Itd, memory: Memory) -> Result<(), ConfigError> {
    Strategy::<T>::validate(&itd.clone().memory(memory))
}

impl std::str::FromStr for Policy {
    type Err = ParseMemoryError;

    fn from_str(text: &str) -> Result<Self, ParseMemoryError> {
        match text {
            "checkpointed" => Ok(Policy::Checkpointed),
            "online" => Ok(Policy::Online),
            "disk" => Ok(Policy::Disk),
            _ => text.parse().map(Policy::Fixed),
        }
    }
}

/// One policy at one depth.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    /// The problem's name.
    pub problem: String,
    /// The policy, with its numbers.
    pub policy: String,
    /// The policy as asked for.
    #[serde(skip)]
    pub family: String,
    /// Steps that are unrolled.
    pub depth: usize,
    /// How the computation ended, in a word; [`OVER_BUDGET`] if it was not run.
    pub status: &'static str,
    /// The most bytes held at one time; `None` if it was not run.
    pub peak_bytes: Option<usize>,
    /// The peak in bytes, predicted without running anything.
    pub predicted_bytes: usize,
    /// The most bytes on disk at one time; not written where there are none.
    #[serde(skip_serializing_if = "is_zero")]
    pub disk_bytes: usize,
    /// The bytes on disk, predicted without running anything.
    #[serde(skip_serializing_if = "is_zero")]
    pub predicted_disk_bytes: usize,
    /// Steps that the reverse pass ran, or would run, again.
    pub recomputed_steps: usize,
    /// Wall-clock time, the median of up to five runs; `None` if it was not run.
    pub seconds: Option<f64>,
    /// The least and the largest of these times.
    pub seconds_range: Option<(f64, f64)>,
    /// Norm of the hypergradient; `None` if it was not run.
    pub hypergradient_norm: Option<f64>,
    /// The budget in bytes.
    pub budget: Option<usize>,
    /// How the computation ended, in a sentence with a remedy.
    pub message: String,
    /// Whether the status is what was asked for.
    #[serde(skip)]
    pub success: bool,
    /// Whether the policy gives the derivative that the others give, to the last bit: forward mode
    /// and the grid round differently, and a truncated sweep is another derivative.
    #[serde(skip)]
    pub exact: bool,
}

/// The records of a loop under each policy that makes sense for it, at each depth; `at` makes the
/// loop of a depth, as [`Itd::reverse`] does. What would go over the budget in bytes is not run.
///
/// # Errors
/// If the loop's settings do not fit, or the problem does not suit them; before any work.
pub fn run<T: Real>(
    subject: &Subject<'_, T>,
    at: impl Fn(usize) -> Itd,
    depths: &[usize],
    budget: Option<usize>,
) -> Result<Vec<Record>, ConfigError> {
    for depth in depths {
        Strategy::<T>::validate(&at(*depth))?;
    }
    let policies = Policy::default_for::<T>(subject.problem().dim_x(), &at(1));
    let each = policies
        .into_iter()
        .flat_map(|p| depths.iter().map(move |d| (p, *d)));
    each.map(|(policy, depth)| measure(subject, &at(depth), depth, policy, budget))
        .collect()
}

/// Runs `itd` on a problem under a policy, in a workspace of its own, unless it would go over the
/// budget. What is quick is run up to five times for the sake of its time.
///
/// # Errors
/// If the loop's settings do not fit, or the problem does not suit them; before any work.
#[inline(never)]
pub fn measure<T: Real>(
    subject: &Subject<'_, T>,
    itd: &Itd,
    depth: usize,
    policy: Policy,
    budget: Option<usize>,
) -> Result<Record, ConfigError> {
    Strategy::<T>::validate(itd)?;
    itd.suits(subject.problem())?;
    let memory = policy.resolve(subject, itd, budget);
    let itd = itd.clone().memory(memory);
    let predicted = itd.predicted_peak_bytes(subject.problem());
    // No block of memory is larger than this.
    let limit = budget.unwrap_or(isize::MAX as usize);
    let skipped = Record {
        problem: subject.name().to_owned(),
        policy: memory.to_string(),
        family: policy.family(),
        depth,
        status: OVER_BUDGET,
        peak_bytes: None,
        predicted_bytes: predicted,
        disk_bytes: 0,
        predicted_disk_bytes: itd.predicted_disk_bytes(subject.problem()),
        recomputed_steps: 0,
        seconds: None,
        seconds_range: None,
        hypergradient_norm: None,
        budget,
        message: format!("not run: it would hold {predicted} bytes, the budget is {limit}"),
        success: true,
        exact: !matches!(
            memory,
            Memory::Truncated { .. } | Memory::Forward | Memory::Reversible
        ),
    };
    if predicted > limit {
        return Ok(Record {
            recomputed_steps: memory.recomputed_steps(depth),
            ..skipped
        });
    }
    let estimate = || {
        let mut work = subject.problem().workspace();
        itd.hypergradient(subject.problem(), subject.x(), &mut work)
    };
    let first = estimate()?;
    let again = || estimate().map_or(f64::NAN, |again| again.seconds);
    let (timing, estimate) = (Timing::of(first.seconds, again), first);
    Ok(Record {
        status: estimate.status.code(),
        peak_bytes: Some(estimate.bytes.peak),
        disk_bytes: estimate.bytes.disk,
        recomputed_steps: estimate.recomputed_steps,
        seconds: Some(timing.seconds),
        seconds_range: Some(timing.range),
        hypergradient_norm: Some(estimate.hypergradient.norm().f64()),
        message: estimate.status.to_string(),
        success: estimate.status.is_success(),
        ..skipped
    })
}

#[cfg(test)]
mod tests {
    use nalgebra::dvector;
    use solvers::InnerStep;

    use super::*;
    use crate::tests::distance;

    #[test]
    fn predictions_are_the_measurements() {
        let problem = distance(1);
        let subject = Subject::new("distance", &problem, dvector![0.3]);
        for depth in [1, 10, 1000] {
            let itd = Itd::reverse(depth).inner(InnerStep::Momentum(0.5));
            let policies = Policy::default_for::<f64>(1, &itd);
            assert!(policies.contains(&Policy::Fixed(Memory::Reversible)));
            for policy in policies.into_iter().chain([Policy::Disk]) {
                let record = measure(&subject, &itd, depth, policy, None).expect("a loop");
                assert_eq!(
                    record.peak_bytes,
                    Some(record.predicted_bytes),
                    "{record:?}"
                );
                assert_eq!(record.disk_bytes, record.predicted_disk_bytes, "{record:?}");
                let writes = policy == Policy::Disk && depth > SLOTS;
                assert_eq!(record.disk_bytes > 0, writes, "{record:?}");
                assert!(record.success, "{record:?}");
            }
        }
    }

    #[test]
    fn a_depth_of_no_steps_is_refused() {
        let problem = distance(1);
        let subject = Subject::new("distance", &problem, dvector![0.3]);
        let refused = run(&subject, Itd::reverse, &[10, 0], None).expect_err("no steps");
        assert!(
            refused.to_string().contains("expected at least 1"),
            "{refused}"
        );
    }

    #[test]
    fn what_does_not_fit_is_not_run_and_slots_are_those_that_fit() {
        let (problem, depth, budget) = (distance(1), 10_000, 32 << 10);
        let subject = Subject::new("distance", &problem, dvector![0.3]);
        let itd = Itd::reverse(depth);
        let run = |policy: &str, budget| {
            let policy = policy.parse().expect("a policy");
            measure(&subject, &itd, depth, policy, Some(budget)).expect("a loop")
        };
        let stored = run("stored", budget);
        assert_eq!((stored.status, stored.peak_bytes), (OVER_BUDGET, None));
        assert!(stored.predicted_bytes > budget);
        let fits = run("checkpointed", budget);
        assert!(fits.peak_bytes.is_some_and(|b| b <= budget), "{fits:?}");
        assert!(fits.recomputed_steps > 0);
        let online = run("online", budget);
        assert_eq!(online.hypergradient_norm, fits.hypergradient_norm);
        let none = run("checkpointed", 100);
        assert_eq!(
            (none.status, &*none.policy),
            (OVER_BUDGET, "checkpointed:1")
        );
    }
}
