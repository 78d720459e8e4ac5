//! Where a method stands when budgets are spent.

use autodiff::Real;
use models::Task;
use nalgebra::DVector;
use solvers::{Method, Progress, Status};

/// The last point of a run within a budget.
#[derive(Clone)]
pub(super) struct Spent<T: Real> {
    pub(super) x: DVector<T>,
    pub(super) y: DVector<T>,
    /// How much of the budget.
    pub(super) spent: usize,
    pub(super) steps: usize,
    pub(super) peak_bytes: usize,
    pub(super) status: Status,
}

/// Runs a method until the last of the budgets, which ascend, is spent: the last point within each of
/// them. `cost` is what a run has spent at a report.
pub(super) fn spent<T: Real>(
    task: &Task<T>,
    method: &dyn Method<T>,
    budgets: &[usize],
    cost: impl Fn(&Progress) -> usize,
) -> Result<Vec<Spent<T>>, String> {
    let begun = method.begin(&task.bilevel, task.x.clone());
    let mut run = begun.map_err(|e| e.to_string())?;
    let mut end = Spent {
        x: run.x().clone(),
        y: run.y().clone(),
        spent: 0,
        steps: 0,
        peak_bytes: 0,
        status: Status::Stepped,
    };
    let mut ends = Vec::new();
    while ends.len() < budgets.len() {
        let Some(progress) = run.step() else { break };
        let spent = cost(&progress);
        while ends.len() < budgets.len() && spent > budgets[ends.len()] {
            ends.push(end.clone());
        }
        end = Spent {
            x: run.x().clone(),
            y: run.y().clone(),
            spent,
            steps: progress.iteration,
            peak_bytes: progress.peak_bytes,
            status: progress.status,
        };
    }
    // It may end before its budget.
    ends.resize(budgets.len(), end);
    Ok(ends)
}
