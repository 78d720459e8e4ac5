//! An iteration of ISGD.

mod shared;

use autodiff::Real;
use autodiff::bytes::Buffer;
use autodiff::kernels::{axpy, norm};

use crate::Status;
use crate::certificate::Certificate;
use crate::default_tolerance;
use crate::inner::StepLength;
use crate::ledger::Ledger;
use crate::linear::Scratch;
use crate::lower::accelerated;
use crate::method::implicit::{Accuracy, ImplicitVectors};
use crate::method::{Advance, Batches, Ground, State, Update, iterate_status};
use crate::optimiser::{Moving, Optimise};
use crate::schedule::Schedule;

use super::Accuracies;

/// Iterations of one solve of the lower level.
const LOWER_LIMIT: usize = 100_000;

/// What is kept from one iteration to the next. The second vector of the batches holds the solutions
/// of the linear systems, their direction the mean of the batch's hypergradients.
pub(super) struct Inexact<T: Real> {
    accuracies: Accuracies,
    batches: Batches<T>,
    optimiser: Box<dyn Moving<T>>,
    implicit: ImplicitVectors<T>,
    /// What finding step lengths needs.
    found: Buffer<T>,
    /// F and ‖∇_y g‖ where the report begins.
    began: (f64, f64),
}

/// How the solves of a sample ended, and what is certified of its hypergradient.
type Met = (Status, Option<Certificate>);

impl<T: Real> Inexact<T> {
    pub(super) fn new(
        accuracies: Accuracies,
        optimiser: &impl Optimise<T>,
        s: &State<'_, T>,
    ) -> Result<Self, String> {
        let batches = Batches::of_samples(s)?;
        let (meter, block) = (batches.meter(), batches.block.unwrap_or(s.y.len()));
        let found = match s.problem.states_constants() {
            true => 0,
            false => StepLength::Auto.spare(block),
        };
        Ok(Inexact {
            accuracies,
            optimiser: optimiser.begin(s.x.len(), meter)?,
            implicit: ImplicitVectors::new(s.x.len(), block, 3 * block, meter),
            found: batches.buffer(found),
            began: (f64::NAN, f64::NAN),
            batches,
        })
    }

    /// The hypergradient of one sample, or of the batch drawn last: left in `implicit.z`.
    fn sample(&mut self, s: &mut State<'_, T>, sample: Option<usize>, certified: bool) -> Met {
        let within_reach = |c: Schedule| c.at(s.iteration).max(default_tolerance::<T>());
        let epsilon = within_reach(self.accuracies.lower);
        let delta = within_reach(self.accuracies.linear.unwrap_or(self.accuracies.lower));
        let last = s.is_last();
        let b = &mut self.batches;
        let (upper, lower) = match sample {
            Some(i) => (b.upper.sample(i), b.lower.sample(i)),
            None => (b.upper.again(), b.lower.whole()),
        };
        let block = self.implicit.q.len();
        let first = block * sample.unwrap_or(0);
        let x = s.x.as_slice();
        let y = &mut s.y.as_mut_slice()[first..first + block];
        let problem = s.problem;
        let (tolerance, step) = match problem.constants(x, y) {
            Some(c) => (c.strong_convexity * epsilon, 1.0 / c.smoothness),
            None => (
                epsilon,
                StepLength::Auto.resolve(lower, x, y, &mut self.found),
            ),
        };
        let implicit = &mut self.implicit;
        let scratch = &mut Scratch::new(&mut implicit.room, &b.meter);
        let reached = accelerated(lower, x, y, step, tolerance, LOWER_LIMIT, scratch);
        implicit.q.copy_from_slice(&b.v[first..first + block]);
        let delta = Accuracy::Absolute(delta);
        let found = implicit.solve(upper, lower, [x, y], delta, &b.meter);
        b.v[first..first + block].copy_from_slice(&implicit.q);
        let start = &problem.start().as_slice()[first..first + block];
        let (status, warning) = found.end(
            reached.residual,
            tolerance,
            [start, y],
            reached.curvature,
            last,
        );
        s.warnings.extend(warning);
        let constants = |y: &[T]| problem.constants(x, y).expect("stated");
        let certificate = (certified && problem.states_constants())
            .then(|| Certificate::at(constants, 1, y, found.size, upper, lower))
            .flatten();
        (status, certificate)
    }

    /// The mean hypergradient of the next batch: left as the direction of the batches.
    fn mean(&mut self, s: &mut State<'_, T>) -> Met {
        let b = &mut self.batches;
        let own = b.block.is_some();
        let count = match own {
            true => b.upper.skip(),
            // One lower level: F on the batch as a whole.
            false => {
                b.upper.draw();
                1
            }
        };
        // A batch has constants of its own, which the problem does not state.
        let certified = own || b.upper.batch().len() == b.upper.samples();
        b.direction.fill(T::zero());
        let share = 1.0 / count as f64;
        let (mut status, mut certificates, mut sums) = (Status::Converged, 0, [0.0; 4]);
        let shared = own && shared::are_shared(self.batches.upper.batch());
        let mut shared = shared.then(|| self.share(s, certified));
        for i in 0..count {
            let sample = own.then(|| self.batches.upper.batch()[i]);
            let (met, certificate) = match &mut shared {
                Some(shared) => self.take(shared, s, i, certified),
                None => self.sample(s, sample, certified),
            };
            axpy(&mut self.batches.direction, T::of(share), &self.implicit.z);
            if status.is_success() {
                status = met;
            }
            if let Some(c) = certificate {
                certificates += 1;
                sums.iter_mut()
                    .zip(c.parts())
                    .for_each(|(sum, c)| *sum += c);
            }
        }
        let certificate = (certificates == count).then(|| {
            let mean = Certificate::of_parts(sums.map(|sum| sum * share));
            Certificate {
                descent: mean.bound < norm(&self.batches.direction).f64(),
                ..mean
            }
        });
        (status, certificate)
    }
}

impl<T: Real> Update<T> for Inexact<T> {
    fn step(&mut self, s: &mut State<'_, T>) -> Advance {
        let made = s.iteration;
        let mut unmeasured = None;
        if s.begins_report() {
            self.began = self.batches.measure(s);
            let upper = self.began.0;
            unmeasured = (!upper.is_finite()).then(|| Status::NonFinite {
                place: format!("the objective F is {upper} after {made} iterations"),
            });
        }
        let (upper, lower_residual) = self.began;
        let (met, certificate) = self.mean(s);
        if self.batches.direction.iter().all(|v| v.is_finite()) {
            let alpha = self.accuracies.step.at(made);
            self.optimiser
                .step(s.x.as_mut_slice(), &self.batches.direction, alpha);
            s.project();
        }
        let size = norm(&self.batches.direction).f64();
        let mut left = None;
        if s.ends_report() {
            let iterates = [s.x.as_slice(), s.y.as_slice(), &self.batches.direction];
            let finite = iterate_status(made + 1, &iterates);
            left = s.grown(upper, lower_residual, size);
            if !finite.is_success() {
                s.end();
                left = Some(finite);
            }
        }
        Advance {
            upper,
            lower_residual,
            hypergradient_norm: size,
            status: left.or(unmeasured).unwrap_or(met),
            accuracy: Some(self.accuracies.lower.at(made)),
            certificate,
        }
    }

    fn ground(&mut self) -> &mut dyn Ground<T> {
        &mut self.batches
    }

    fn visit(&mut self, ledger: &mut Ledger) {
        self.optimiser.visit(ledger);
    }
}
