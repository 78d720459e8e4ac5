//! SABA.

use autodiff::bytes::Buffer;
use autodiff::kernels::axpy;
use autodiff::{Inputs, Point, Real};

use crate::expect;
use crate::ledger::Ledger;
use crate::problem::Bilevel;

use super::super::ground::Batches;
use super::super::rule::{Rule, Setting, Update};
use super::super::state::State;
use super::soba::Directions;

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
    type Ground = Batches<T>;

    fn name(&self) -> String {
        "saba".into()
    }

    fn complaint(&self, run: &Setting<'_, T>) -> Option<String> {
        let (upper, lower) = run.batch;
        if (upper, lower) != (1, 1) {
            return Some(format!(
                "batches of {upper} and {lower}: expected single samples, which the tables are of"
            ));
        }
        expect::positive("step", self.step).or(expect::positive("ratio", self.ratio))
    }

    fn begin<'p>(&self, _: &'p Bilevel<T>, state: &mut State<T>) -> Box<dyn Update<T> + 'p> {
        let (dim_x, dim_y) = (state.x.len(), state.y.len());
        let mut upper = Table::new(state, state.on.upper.samples(), &[dim_x, dim_y]);
        let mut lower = Table::new(state, state.on.lower.samples(), &[dim_x, dim_y, dim_y]);
        let at = [state.x.as_slice(), state.y.as_slice()];
        for sample in 0..upper.samples {
            let point = state.on.upper.sample(sample);
            point.differentiate(&at, Inputs::ALL);
            upper.fill(sample, &of_upper(point));
        }
        for sample in 0..lower.samples {
            let point = state.on.lower.sample(sample);
            point.linearise_along(&at, &[None, Some(&state.on.v)]);
            lower.fill(sample, &of_lower(point));
        }
        Box::new(Reduced {
            rule: *self,
            upper,
            lower,
            along: Directions::new(state),
        })
    }
}

/// A step, with the tables of both levels.
struct Reduced<T: Real> {
    rule: Saba,
    upper: Table<T>,
    lower: Table<T>,
    along: Directions<T>,
}

impl<T: Real> Update<T> for Reduced<T> {
    fn step(&mut self, s: &mut State<T>, _: usize) {
        let Reduced {
            rule,
            upper,
            lower,
            along,
        } = self;
        let at = [s.x.as_slice(), s.y.as_slice()];
        s.on.upper.draw().differentiate(&at, Inputs::ALL);
        let sample = s.on.upper.batch()[0];
        upper.reduce(sample, &of_upper(s.on.upper.again()));
        s.on.lower
            .draw()
            .linearise_along(&at, &[None, Some(&s.on.v)]);
        let sample = s.on.lower.batch()[0];
        lower.reduce(sample, &of_lower(s.on.lower.again()));

        along.x.copy_from_slice(upper.part(0));
        axpy(&mut along.x, T::one(), lower.part(0));
        along.v.copy_from_slice(upper.part(1));
        axpy(&mut along.v, T::one(), lower.part(1));
        along.y.copy_from_slice(lower.part(2));
        s.on.direction.copy_from_slice(&along.x);
        along.step(s, rule.step, rule.step / rule.ratio);
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

/// What each sample gave when it was last drawn, and the mean of that.
struct Table<T: Real> {
    samples: usize,
    /// Where each part of a row ends.
    ends: Vec<usize>,
    rows: Buffer<T>,
    mean: Buffer<T>,
    /// The direction: new − old + mean.
    reduced: Buffer<T>,
}

impl<T: Real> Table<T> {
    fn new(state: &State<T>, samples: usize, parts: &[usize]) -> Self {
        let ends: Vec<usize> = parts
            .iter()
            .scan(0, |end, part| {
                *end += part;
                Some(*end)
            })
            .collect();
        let width = *ends.last().expect("a table has parts");
        Table {
            rows: state.buffer(samples * width),
            mean: state.buffer(width),
            reduced: state.buffer(width),
            samples,
            ends,
        }
    }

    fn visit(&mut self, ledger: &mut Ledger) {
        ledger.entries("the table of the samples", &mut self.rows);
        ledger.entries("the table's mean", &mut self.mean);
    }

    fn range(&self, part: usize) -> std::ops::Range<usize> {
        let start = if part == 0 { 0 } else { self.ends[part - 1] };
        start..self.ends[part]
    }

    /// Sets the row of a sample for the first time.
    fn fill(&mut self, sample: usize, parts: &[&[T]]) {
        let first = sample * self.mean.len();
        let share = T::of(1.0 / self.samples as f64);
        for (k, new) in parts.iter().enumerate() {
            let range = self.range(k);
            self.rows[first + range.start..first + range.end].copy_from_slice(new);
            axpy(&mut self.mean[range], share, new);
        }
    }

    /// The direction from what a sample gives now; the sample's row is set to that.
    fn reduce(&mut self, sample: usize, parts: &[&[T]]) {
        let first = sample * self.mean.len();
        let share = T::of(1.0 / self.samples as f64);
        for (k, new) in parts.iter().enumerate() {
            for (i, new) in self.range(k).zip(*new) {
                let change = *new - self.rows[first + i];
                self.reduced[i] = change + self.mean[i];
                self.mean[i] += change * share;
                self.rows[first + i] = *new;
            }
        }
    }

    fn part(&self, part: usize) -> &[T] {
        &self.reduced[self.range(part)]
    }
}
