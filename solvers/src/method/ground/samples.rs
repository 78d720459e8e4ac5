//! Batches of upper samples, with the lower level of each.

use autodiff::{Meter, Real};

use crate::estimate::Oracles;
use crate::ledger::Ledger;
use crate::problem::Bilevel;
use crate::sampling::{Level, Sampling};

use super::super::rule::{Advance, Update};
use super::super::state::State;
use super::{Ground, measure, told};

/// Batches of the upper samples, the lower level never drawn from: each step says what it met.
///
/// Where each sample has a lower level of its own ([`Bilevel::per_sample`]), both levels are those
/// of the samples, as functions of their own blocks of y.
pub struct Samples<T: Real> {
    /// F.
    pub upper: Level<T>,
    /// g.
    pub lower: Level<T>,
    /// Entries of the block of y of each sample, where each has a lower level of its own.
    pub block: Option<usize>,
    meter: Meter,
}

/// That of the upper level alone.
fn upper_alone<T: Real>(problem: &Bilevel<T>, sampling: Option<Sampling>) -> Sampling {
    let sampling = sampling.unwrap_or(Sampling::whole());
    sampling.batches(sampling.batch(problem).0, problem.samples().1)
}

impl<T: Real> Ground<T> for Samples<T> {
    type Said = Advance;

    fn new(problem: &Bilevel<T>, sampling: Option<Sampling>) -> Self {
        let meter = Meter::new();
        let (mut upper, mut lower) = upper_alone(problem, sampling).levels(problem, &meter);
        let own = problem.levels().own.as_ref();
        if let Some(own) = own {
            let dims = (problem.dim_x(), own.block);
            let draws = upper.draws().clone();
            let (f, g) = (own.upper.clone(), own.lower.clone());
            upper = Level::new(problem.upper(), Some(f), dims, draws.clone(), &meter);
            lower = Level::new(problem.lower(), Some(g), dims, draws, &meter);
        }
        Samples {
            upper,
            lower,
            block: own.map(|own| own.block),
            meter,
        }
    }

    fn complaint(problem: &Bilevel<T>, sampling: Option<Sampling>) -> Option<String> {
        upper_alone(problem, sampling).complaint(problem)
    }

    fn report(
        state: &mut State<T, Self>,
        update: &mut dyn Update<T, Self>,
        count: usize,
    ) -> Advance {
        told(state, update, count)
    }

    fn oracles(&self) -> Oracles {
        Oracles {
            upper: self.upper.sweeps(),
            lower: self.lower.sweeps(),
        }
    }

    fn meter(&self) -> &Meter {
        &self.meter
    }

    fn visit(&mut self, ledger: &mut Ledger) {
        self.upper.visit(ledger);
        self.lower.visit(ledger);
        ledger.peak(&self.meter);
    }
}

impl<T: Real> State<T, Samples<T>> {
    /// F and ‖∇_y g‖ on all samples, which is not counted.
    pub(in super::super) fn measure(&mut self) -> (f64, f64) {
        self.uncounted(|s| {
            let (x, y) = (s.x.as_slice(), s.y.as_slice());
            let Some(block) = s.on.block else {
                return measure((s.on.upper.whole(), s.on.lower.whole()), [x, y]);
            };
            let n = (y.len() / block) as f64;
            let (mut value, mut squares) = (0.0, 0.0);
            for (i, y) in y.chunks_exact(block).enumerate() {
                let points = (s.on.upper.sample(i), s.on.lower.sample(i));
                let (upper, residual) = measure(points, [x, y]);
                value += upper / n;
                squares += (residual / n).powi(2);
            }
            (value, squares.sqrt())
        })
    }
}
