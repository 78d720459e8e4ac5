//! An iteration of ISGD.

use autodiff::Real;
use autodiff::bytes::Buffer;
use autodiff::kernels::{axpy, norm};

use crate::certificate::Certificate;
use crate::default_tolerance;
use crate::estimate::Status;
use crate::inner::{AcceleratedVectors, StepLength, accelerated};
use crate::ledger::Ledger;
use crate::optimiser::Moving;
use crate::problem::Bilevel;
use crate::schedule::Schedule;

use super::super::ground::Samples;
use super::super::implicit::{Accuracy, ImplicitVectors, implicit_direction};
use super::super::iterate_status;
use super::super::rule::{Advance, Update};
use super::super::state::State;
use super::Accuracies;

/// Iterations of one solve of the lower level.
const LOWER_LIMIT: usize = 100_000;

/// What is kept from one iteration to the next.
pub(super) struct Inexact<'p, T: Real> {
    accuracies: Accuracies,
    problem: &'p Bilevel<T>,
    optimiser: Box<dyn Moving<T>>,
    implicit: ImplicitVectors<T>,
    accelerated: AcceleratedVectors<T>,
    /// What finding step lengths needs.
    found: Buffer<T>,
    /// The mean of the batch's hypergradients.
    direction: Buffer<T>,
    /// The solutions of the linear systems.
    q: Buffer<T>,
    /// F and ‖∇_y g‖ where the report begins.
    began: (f64, f64),
}

impl<'p, T: Real> Inexact<'p, T> {
    pub(super) fn new(
        accuracies: Accuracies,
        optimiser: Box<dyn Moving<T>>,
        problem: &'p Bilevel<T>,
        state: &State<T, Samples<T>>,
    ) -> Self {
        let meter = state.meter();
        let (dim_x, dim_y) = (state.x.len(), state.y.len());
        let block = state.on.block.unwrap_or(dim_y);
        let found = if problem.states_constants() {
            0
        } else {
            StepLength::Auto.spare(block)
        };
        Inexact {
            accuracies,
            problem,
            optimiser,
            implicit: ImplicitVectors::new(dim_x, block, meter),
            accelerated: AcceleratedVectors::new(block, meter),
            found: state.buffer(found),
            direction: state.buffer(dim_x),
            q: state.buffer(dim_y),
            began: (f64::NAN, f64::NAN),
        }
    }

    /// The hypergradient of one sample, or of the batch drawn last: left in `implicit.z`.
    fn sample(
        &mut self,
        s: &mut State<T, Samples<T>>,
        made: usize,
        sample: Option<usize>,
        certified: bool,
    ) -> (Status, Option<Certificate>) {
        let within_reach = |s: Schedule| s.at(made).max(default_tolerance::<T>());
        let epsilon = within_reach(self.accuracies.lower);
        let delta = within_reach(self.accuracies.linear.unwrap_or(self.accuracies.lower));
        let last = s.is_last();
        let (upper, lower) = match sample {
            Some(i) => (s.on.upper.sample(i), s.on.lower.sample(i)),
            None => (s.on.upper.again(), s.on.lower.whole()),
        };
        let block = self.implicit.q.len();
        let first = block * sample.unwrap_or(0);
        let x = s.x.as_slice();
        let y = &mut s.y.as_mut_slice()[first..first + block];
        let problem = self.problem;
        let (tolerance, step) = match problem.constants(x, y) {
            Some(c) => (c.strong_convexity * epsilon, 1.0 / c.smoothness),
            None => (
                epsilon,
                StepLength::Auto.resolve(lower, x, y, &mut self.found),
            ),
        };
        let vectors = &mut self.accelerated;
        let reached = accelerated(lower, x, y, step, tolerance, LOWER_LIMIT, vectors);
        let ImplicitVectors { q, z, cg } = &mut self.implicit;
        q.copy_from_slice(&self.q[first..first + block]);
        let found = implicit_direction(upper, lower, [x, y], Accuracy::Absolute(delta), q, z, cg);
        self.q[first..first + block].copy_from_slice(q);
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
        let size = norm(z).f64();
        let certificate = (certified && problem.states_constants())
            .then(|| Certificate::at(constants, 1, y, size, upper, lower))
            .flatten();
        (status, certificate)
    }

    /// The mean hypergradient of the next batch: left in `direction`.
    fn mean(&mut self, s: &mut State<T, Samples<T>>, made: usize) -> (Status, Option<Certificate>) {
        let own = s.on.block.is_some();
        let count = match own {
            true => s.on.upper.skip(),
            // One lower level: F on the batch as a whole.
            false => {
                s.on.upper.draw();
                1
            }
        };
        // A batch has constants of its own, which the problem does not state.
        let certified = own || s.on.upper.batch().len() == s.on.upper.samples();
        self.direction.fill(T::zero());
        let share = 1.0 / count as f64;
        let (mut status, mut certificates, mut sums) = (Status::Converged, 0, [0.0; 4]);
        for i in 0..count {
            let sample = own.then(|| s.on.upper.batch()[i]);
            let (met, certificate) = self.sample(s, made, sample, certified);
            axpy(&mut self.direction, T::of(share), &self.implicit.z);
            if status.is_success() {
                status = met;
            }
            if let Some(c) = certificate {
                certificates += 1;
                let parts = [c.bound, c.lower_error, c.linear_residual, c.upper_error];
                sums.iter_mut().zip(parts).for_each(|(sum, c)| *sum += c);
            }
        }
        let certificate = (certificates == count).then(|| {
            let [bound, lower_error, linear_residual, upper_error] = sums.map(|sum| sum * share);
            Certificate {
                bound,
                certified: true,
                lower_error,
                linear_residual,
                upper_error,
                descent: bound < norm(&self.direction).f64(),
            }
        });
        (status, certificate)
    }
}

impl<T: Real> Update<T, Samples<T>> for Inexact<'_, T> {
    fn step(&mut self, s: &mut State<T, Samples<T>>, made: usize) -> Advance {
        let mut unmeasured = None;
        if s.begins_report() {
            self.began = s.measure();
            let upper = self.began.0;
            unmeasured = (!upper.is_finite()).then(|| Status::NonFinite {
                place: format!("the objective F is {upper} after {made} iterations"),
            });
        }
        let (upper, lower_residual) = self.began;
        let (met, certificate) = self.mean(s, made);
        if self.direction.iter().all(|v| v.is_finite()) {
            let alpha = self.accuracies.step.at(made);
            self.optimiser
                .step(s.x.as_mut_slice(), &self.direction, alpha);
            s.project();
        }
        let size = norm(&self.direction).f64();
        let mut left = None;
        if s.ends_report() {
            let iterates = [s.x.as_slice(), s.y.as_slice(), &self.direction];
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

    fn visit(&mut self, ledger: &mut Ledger) {
        ledger.entries("the solutions of the linear systems", &mut self.q);
        self.optimiser.visit(ledger);
    }
}
