//! Methods made of small steps by name, with their settings.

use autodiff::Real;
use models::Task;
use solvers::{
    Amigo, Bome, Bsa, Constraint, F2sa, Fsla, Method, Outer, Pbgd, Rule, Saba, Schedule, Soba,
    StocBio, StochasticAid,
};

use super::defaults;
use super::settings::SolveSettings;

/// Samples in a mini-batch unless given otherwise, or all if there are fewer.
const BATCH: usize = 16;

/// The method of this name, if it is one of those; its settings were looked at.
pub(super) fn method<T: Real>(
    name: &str,
    task: &Task<T>,
    settings: &SolveSettings,
) -> Option<Box<dyn Method<T>>> {
    let make = Make { task, settings };
    let given = &settings.method;
    let v = given
        .step
        .unwrap_or_else(|| defaults::inner_length(task.name));
    let (x, y) = (Schedule::Constant(given.rate()), Schedule::Constant(v));
    let (inner, ratio) = (given.inner_steps(), v / given.rate());
    let step = Schedule::InverseRoot { a: v };
    Some(match name {
        "pbgd" => make.first_order(Pbgd {
            first: given.penalty(),
            last: given.penalty() * given.growth().powi(given.stages().min(1000) as i32),
            ramp: given.steps() / 2,
            inner,
            inner_step: v,
            step: v,
        }),
        "f2sa" => make.first_order(F2sa {
            penalty: given.penalty(),
            growth: given.growth() / 100.0,
            inner,
            inner_step: v,
            step: given.rate(),
        }),
        "bome" => make.first_order(Bome {
            inner,
            inner_step: v,
            fall: 0.5,
            step: given.rate(),
        }),
        "stochastic-aid" => make.drawn(StochasticAid {
            inner,
            x,
            y,
            z: v,
            averaging: 0.9,
        }),
        "soba" => make.drawn(Soba { step, ratio }),
        "saba" => make.of(Saba { step: v, ratio }, task.bilevel.means().map(|_| 1)),
        "fsla" => make.drawn(Fsla {
            step,
            ratio,
            averaging: 0.5,
        }),
        "amigo" => make.drawn(Amigo {
            inner,
            linear: inner,
            y,
            v,
            x,
        }),
        "stocbio" => make.drawn(StocBio {
            inner,
            factors: inner,
            y,
            v,
            x,
        }),
        "bsa" | "ttsa" => make.drawn(Bsa {
            inner: if name == "bsa" { inner } else { 1 },
            terms: inner,
            y,
            v,
            x,
        }),
        _ => return None,
    })
}

struct Make<'a, T: Real> {
    task: &'a Task<T>,
    settings: &'a SolveSettings,
}

impl<T: Real> Make<'_, T> {
    /// On whole objectives unless batches are given.
    fn first_order<R: Rule<T> + 'static>(&self, rule: R) -> Box<dyn Method<T>> {
        self.of(rule, None)
    }

    /// On mini-batches where the task has samples.
    fn drawn<R: Rule<T> + 'static>(&self, rule: R) -> Box<dyn Method<T>> {
        let (upper, lower) = self.task.bilevel.samples();
        let batch = self
            .task
            .bilevel
            .means()
            .map(|_| BATCH.min(upper).min(lower));
        self.of(rule, batch)
    }

    fn of<R: Rule<T> + 'static>(&self, rule: R, batch: Option<usize>) -> Box<dyn Method<T>> {
        let given = &self.settings.method;
        let every = given.steps().div_ceil(given.iterations()).max(1);
        let method = Outer::new(rule, given.steps())
            .sampling(self.settings.sampling(batch))
            .report_every(every)
            .constraint(Constraint::from(self.task.bounds));
        Box::new(method)
    }
}
