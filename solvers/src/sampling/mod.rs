//! Mini-batches: how they are drawn, and the objectives over them.

mod draws;
mod level;
mod per_sample;

pub(crate) use draws::below;
pub use draws::{DrawRule, Draws};
pub use level::Level;
pub(crate) use per_sample::PerSample;

use std::fmt;
use std::sync::Arc;

use autodiff::{Meter, Real, Sampled};

use crate::Bilevel;

/// How a stochastic method draws: the batch of each level, the rule and the seed.
///
/// Each level has its own stream of the seed, so what one level draws does not depend on the
/// other. Unless told otherwise: single samples, with replacement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampling {
    seed: u64,
    /// Samples in a batch; all if `None`.
    upper: Option<usize>,
    lower: Option<usize>,
    rule: DrawRule,
}

impl Sampling {
    /// Single samples of both levels, drawn with replacement from this seed.
    pub fn new(seed: u64) -> Self {
        Sampling {
            seed,
            upper: Some(1),
            lower: Some(1),
            rule: DrawRule::WithReplacement,
        }
    }

    /// All samples of both levels each time.
    pub fn whole() -> Self {
        Sampling {
            upper: None,
            lower: None,
            rule: DrawRule::Epochs,
            ..Self::new(0)
        }
    }

    /// Draws from another seed.
    #[must_use]
    pub fn seeded(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Samples in a batch of the upper and of the lower objective: from 1 to all of them; anything
    /// else is refused before the run begins.
    #[must_use]
    pub fn batches(mut self, upper: usize, lower: usize) -> Self {
        self.upper = Some(upper);
        self.lower = Some(lower);
        self
    }

    /// How batches are drawn.
    #[must_use]
    pub fn rule(mut self, rule: DrawRule) -> Self {
        self.rule = rule;
        self
    }

    /// Samples in a batch of the upper and of the lower objective of a problem. A level without samples
    /// beside one that has some is whole, whatever the other draws.
    pub fn batch<T: Real>(&self, problem: &Bilevel<T>) -> (usize, usize) {
        let (upper, lower) = problem.samples();
        let of = |asked: Option<usize>, samples: usize, other: usize| match asked {
            Some(batch) if samples > 1 || other == 1 => batch,
            _ => samples,
        };
        (of(self.upper, upper, lower), of(self.lower, lower, upper))
    }

    /// Whether some level is drawn from, where both have samples.
    pub fn draws(&self) -> bool {
        self.upper.is_some() || self.lower.is_some()
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The reason why a problem cannot be drawn from in this way, if it cannot.
    pub(crate) fn complaint<T: Real>(&self, problem: &Bilevel<T>) -> Option<String> {
        let ((upper, lower), batch) = (problem.samples(), self.batch(problem));
        let check = |level: &str, batch: usize, samples: usize| {
            let bad = batch == 0 || batch > samples;
            bad.then(|| match samples {
                1 => format!("batch of {batch}: the {level} objective has 1 sample, expected 1"),
                n => format!(
                    "batch of {batch}: the {level} objective has {n} samples, expected 1 to {n}"
                ),
            })
        };
        check("upper", batch.0, upper).or(check("lower", batch.1, lower))
    }

    /// The two levels of a problem, at the first draw.
    pub(crate) fn levels<T: Real>(
        &self,
        problem: &Bilevel<T>,
        meter: &Meter,
    ) -> (Level<T>, Level<T>) {
        let dims = (problem.dim_x(), problem.dim_y());
        let ((upper, lower), batch) = (problem.samples(), self.batch(problem));
        let draws =
            |samples, batch, stream| Draws::new(self.rule, samples, batch, self.seed, stream);
        let Levels {
            upper: f, lower: g, ..
        } = problem.levels().clone();
        (
            Level::new(
                problem.upper(),
                f,
                dims,
                draws(upper, batch.0, Draws::UPPER),
                meter,
            ),
            Level::new(
                problem.lower(),
                g,
                dims,
                draws(lower, batch.1, Draws::LOWER),
                meter,
            ),
        )
    }
}

/// What the two objectives of a problem are means of.
#[derive(Clone)]
pub(crate) struct Levels<T: Real> {
    upper: Option<Arc<dyn Sampled<T>>>,
    lower: Option<Arc<dyn Sampled<T>>>,
    /// Both levels by blocks, where every sample has a lower level of its own.
    pub(crate) own: Option<PerSample<T>>,
}

impl<T: Real> Levels<T> {
    pub(crate) fn new(upper: impl Sampled<T> + 'static, lower: impl Sampled<T> + 'static) -> Self {
        Levels {
            upper: Some(Arc::new(upper)),
            lower: Some(Arc::new(lower)),
            own: None,
        }
    }

    /// Both as they were given, where they are means.
    pub(crate) fn given(&self) -> Option<[&Arc<dyn Sampled<T>>; 2]> {
        match &self.own {
            Some(own) => Some([&own.upper, &own.lower]),
            None => Some([self.upper.as_ref()?, self.lower.as_ref()?]),
        }
    }

    pub(crate) fn counts(&self) -> (usize, usize) {
        let count = |of: &Option<Arc<dyn Sampled<T>>>| of.as_ref().map_or(1, |s| s.samples());
        (count(&self.upper), count(&self.lower))
    }
}

impl<T: Real> Default for Levels<T> {
    fn default() -> Self {
        Levels {
            upper: None,
            lower: None,
            own: None,
        }
    }
}

impl<T: Real> fmt::Debug for Levels<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (upper, lower) = self.counts();
        write!(f, "Levels({upper} and {lower} samples)")
    }
}
