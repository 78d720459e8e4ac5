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
    let a = settings.accuracy;
    let falling = settings.accuracy_power.map(|q| Schedule::Power { a, q });
    Some(match name {
        "maid" => {
            let mut maid = Maid::new(settings.iterations).accuracy(a);
            if let Some(step) = settings.first_step {
                maid = maid.step(step);
            }
            Box::new(match settings.tolerance {
                Some(tolerance) => maid.tolerance(tolerance),
                None => maid,
            })
        }
        "hoag" => {
            let hoag = Hoag::new(settings.iterations)
                .accuracy(falling.unwrap_or(Schedule::Geometric { a, decay: 0.9 }))
                .constraint(Constraint::from(task.bounds));
            Box::new(match settings.lower_limit {
                Some(limit) => hoag.lower_limit(limit),
                None => hoag,
            })
        }
        "isgd" => {
            let (samples, _) = task.bilevel.samples();
            let own = task.bilevel.blocks() > 1;
            // Solving the lower level is what costs: one for each sample, or one for all.
            let batch = settings
                .batch
                .unwrap_or(if own { 1 } else { 16.min(samples) });
            let sampling = Sampling::new(settings.seed)
                .batches(batch, 1)
                .rule(DrawRule::Epochs);
            // The rate is that of the optimiser.
            let step = Schedule::Power {
                a: 1.0,
                q: settings.step_power,
            };
            let power = settings.accuracy_power.unwrap_or(0.75);
            let isgd = Isgd::new(settings.iterations, 1.0)
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
