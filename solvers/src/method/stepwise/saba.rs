//! SABA.

use autodiff::bytes::Buffer;
use autodiff::kernels::axpy;
use autodiff::{Inputs, Point, Real};

use crate::catalogue::Place;
use crate::expect;
use crate::ledger::Ledger;
use crate::method::{Advance, Batches, Begun, Ground, MethodEntry, Rule, State, Update};

use super::soba::Directions;
use super::{entry as named, length};

/// SABA: [`Soba`](super::Soba) with the variance reduction of SAGA and constant steps.
///
/// A table of each level keeps what each sample gave when it was last drawn; a direction is what the
/// sample gives now, less what it gave then, plus the mean of the table. The tables are filled at the
/// start by one pass over all samples.
///
/// # Requirements on the problem
/// F once and g twice differentiable; g strongly convex in y; single samples, and room for the
/// tables: `n_F (dim_x + dim_y) + n_g (dim_x + 2 dim_y)` numbers.
///
/// # Cost in oracle calls
/// One gradient of F, one gradient of g and one Hessian-vector product per step; for each sample as
/// much at the start.
///
/// # Reference
/// M. Dagréou et al., A framework for bilevel optimization that enables stochastic and global
/// variance reduction algorithms, NeurIPS 2022.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Saba {
    /// ρ.
    pub step: f64,
    /// ρ over the step of x.
    pub ratio: f64,
}

impl<T: Real> Rule<T> for Saba {
    const NAME: &'static str = "saba";

    fn begin<'p>(&self, s: &mut State<'p, T>) -> Begun<'p, T> {
        let mut batches = Batches::new(s)?;
        let (upper, lower) = s.sampling().batch(s.problem);
        if (upper, lower) != (1, 1) {
            return Err(format!(
                "batches of {upper} and {lower}: expected single samples, which the tables are of"
            ));
        }
        expect::positive("step", self.step)?;
        expect::positive("ratio", self.ratio)?;
        let (dim_x, dim_y) = (s.x.len(), s.y.len());
        let samples = (batches.upper.samples(), batches.lower.samples());
        let mut upper = Table::new(&batches, samples.0, dim_x + dim_y);
        let mut lower = Table::new(&batches, samples.1, dim_x + 2 * dim_y);
        let at = [s.x.as_slice(), s.y.as_slice()];
        for sample in 0..samples.0 {
            let point = batches.upper.sample(sample);
            point.differentiate(&at, Inputs::ALL);
            upper.reduce(sample, &of_upper(point));
        }
        for sample in 0..samples.1 {
            let point = batches.lower.sample(sample);
            point.linearise_along(&at, &[None, Some(&batches.v)]);
            lower.reduce(sample, &of_lower(point));
        }
        Ok(Box::new(Reduced {
            rule: *self,
            upper,
            lower,
            along: Directions::new(s, &batches),
            batches,
        }))
    }
}

/// A step, with the tables of both levels.
struct Reduced<T: Real> {
    rule: Saba,
    batches: Batches<T>,
    upper: Table<T>,
    lower: Table<T>,
    along: Directions<T>,
}

impl<T: Real> Update<T> for Reduced<T> {
    fn step(&mut self, s: &mut State<'_, T>) -> Advance {
        let (rule, along) = (self.rule, &mut self.along);
        let (upper, lower) = (&mut self.upper, &mut self.lower);
        self.batches.measured(s, |s, b| {
            let at = [s.x.as_slice(), s.y.as_slice()];
            b.upper.draw().differentiate(&at, Inputs::ALL);
            let sample = b.upper.batch()[0];
            upper.reduce(sample, &of_upper(b.upper.again()));
            b.lower.draw().linearise_along(&at, &[None, Some(&b.v)]);
            let sample = b.lower.batch()[0];
            lower.reduce(sample, &of_lower(b.lower.again()));

            let (upper_x, upper_y) = upper.reduced.split_at(s.x.len());
            let (lower_x, lower_y) = lower.reduced.split_at(s.x.len());
            let (product, gradient) = lower_y.split_at(s.y.len());
            along.x.copy_from_slice(upper_x);
            axpy(&mut along.x, T::one(), lower_x);
            along.v.copy_from_slice(upper_y);
            axpy(&mut along.v, T::one(), product);
            along.y.copy_from_slice(gradient);
            b.direction.copy_from_slice(&along.x);
            along.step(s, b, rule.step, rule.step / rule.ratio);
        })
    }

    fn ground(&mut self) -> &mut dyn Ground {
        &mut self.batches
    }

    fn visit(&mut self, ledger: &mut Ledger) {
        self.upper.visit(ledger);
        self.lower.visit(ledger);
    }
}

/// ∇_xF and ∇_yF.
fn of_upper<T: Real>(point: &Point<T>) -> [&[T]; 2] {
    [point.gradient(0), point.gradient(1)]
}

/// ∇²_xy g · v, ∇²_yy g · v and ∇_y g.
fn of_lower<T: Real>(point: &Point<T>) -> [&[T]; 3] {
    [point.product(0), point.product(1), point.gradient(1)]
}

/// What each sample gave when it was last drawn, 0 before, and the mean of that.
struct Table<T: Real> {
    share: T,
    rows: Buffer<T>,
    mean: Buffer<T>,
    /// The direction: new − old + mean.
    reduced: Buffer<T>,
}

impl<T: Real> Table<T> {
    fn new(batches: &Batches<T>, samples: usize, width: usize) -> Self {
        Table {
            share: T::of(1.0 / samples as f64),
            rows: batches.buffer(samples * width),
            mean: batches.buffer(width),
            reduced: batches.buffer(width),
        }
    }

    fn visit(&mut self, ledger: &mut Ledger) {
        ledger.entries("the table of the samples", &mut self.rows);
        ledger.entries("the table's mean", &mut self.mean);
    }

    /// The direction from what a sample gives now, in parts; the sample's row is set to that.
    fn reduce(&mut self, sample: usize, parts: &[&[T]]) {
        let first = sample * self.mean.len();
        for (i, new) in parts.iter().copied().flatten().enumerate() {
            let change = *new - self.rows[first + i];
            self.reduced[i] = change + self.mean[i];
            self.mean[i] += change * self.share;
            self.rows[first + i] = *new;
        }
    }
}

/// The name `saba`.
pub(super) fn entry<T: Real>() -> MethodEntry<T> {
    let about = "soba with the variance reduction of SAGA, on single samples";
    let single = |place: &Place| place.samples.map(|_| 1);
    named(["saba", about], &["rate"], single, |settings| Saba {
        step: length(settings),
        ratio: length(settings) / settings.rate(),
    })
}
