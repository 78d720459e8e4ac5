//! Methods whose accuracies are chosen or fall, by name, with their settings.

use autodiff::Real;
use models::Task;
use solvers::sampling::{DrawRule, Sampling};
use solvers::{Constraint, Hoag, Isgd, Maid, Method, Optimiser, Schedule};

use super::settings::SolveSettings;

/// The method of this name, if it is one of those; its settings were looked at.
pub(super) fn method<T: Real>(
    name: &str,
    task: &Task<T>,
    settings: &SolveSettings,
    optimiser: Optimiser,
) -> Option<Box<dyn Method<T>>> {
    let given = &settings.method;
    let a = given.accuracy();
    let falling = given.accuracy_power.map(|q| Schedule::Power { a, q });
    Some(match name {
        "maid" => {
            let mut maid = Maid::new(given.iterations()).accuracy(a);
            if let Some(step) = given.first_step {
                maid = maid.step(step);
            }
            Box::new(match given.tolerance {
                Some(tolerance) => maid.tolerance(tolerance),
                None => maid,
            })
        }
        "hoag" => {
            let hoag = Hoag::new(given.iterations())
                .accuracy(falling.unwrap_or(Schedule::Geometric { a, decay: 0.9 }))
                .constraint(Constraint::from(task.bounds));
            Box::new(match given.lower_limit {
                Some(limit) => hoag.lower_limit(limit),
                None => hoag,
            })
        }
        "isgd" => {
            let (samples, _) = task.bilevel.samples();
            let own = task.bilevel.blocks() > 1;
            // Solving the lower level is what costs: one for each sample, or one for all.
            let batch = given.batch.unwrap_or(if own { 1 } else { 16.min(samples) });
            let sampling = Sampling::new(settings.seed)
                .batches(batch, 1)
                .rule(DrawRule::Epochs);
            // The rate is that of the optimiser.
            let step = Schedule::Power {
                a: 1.0,
                q: given.step_power(),
            };
            let power = given.accuracy_power.unwrap_or(0.75);
            let isgd = Isgd::new(given.iterations(), 1.0)
                .step(step)
                .optimiser(optimiser)
                .accuracy(falling.unwrap_or(Schedule::Power { a, q: power }))
                .sampling(sampling)
                .constraint(Constraint::from(task.bounds));
            Box::new(isgd)
        }
        _ => return None,
    })
}
