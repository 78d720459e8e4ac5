//! A run of MAID.

use autodiff::bytes::Buffer;
use autodiff::kernels::{axpy, norm};
use autodiff::{Inputs, Real};
use nalgebra::DVector;

use crate::inner::{AcceleratedVectors, accelerated};
use crate::{Bilevel, Certificate, Ledger, Status, Workspace};

use super::super::implicit::{Implicit, ImplicitVectors, Scale, implicit_direction};
use super::super::{Progress, Run};
use super::{ETA, LENGTHEN, Maid, SHARPEN, SHORTEN};

/// Iterations of one solve of the lower level.
const LOWER_LIMIT: usize = 100_000;

/// The state of a run.
pub(super) struct MaidRun<'p, T: Real> {
    pub(super) settings: Maid,
    pub(super) problem: &'p Bilevel<T>,
    pub(super) work: Workspace<T>,
    pub(super) implicit: ImplicitVectors<T>,
    pub(super) accelerated: AcceleratedVectors<T>,
    pub(super) trial_x: Buffer<T>,
    pub(super) trial_y: Buffer<T>,
    pub(super) x: DVector<T>,
    pub(super) y: DVector<T>,
    /// ε and δ, which go together.
    pub(super) accuracy: f64,
    pub(super) step: f64,
    pub(super) backtracks: usize,
    pub(super) tolerance: f64,
    pub(super) iteration: usize,
    pub(super) ended: bool,
}

/// A hypergradient with what vouches for it.
struct Accepted {
    value: f64,
    residual: f64,
    size: f64,
    certificate: Option<Certificate>,
    status: Status,
    /// Whether no step is to follow.
    last: bool,
}

impl<T: Real> MaidRun<'_, T> {
    /// Solves the lower level at x to ε; the gradient there is left in the point. The residual, and
    /// the flaw if it was not reached.
    fn solve(&mut self, trial: bool) -> (f64, Option<Status>) {
        let (x, y): (&[T], &mut [T]) = match trial {
            true => (&self.trial_x, &mut self.trial_y),
            false => (self.x.as_slice(), self.y.as_mut_slice()),
        };
        let Some(scale) = Scale::at(self.problem, x, y) else {
            let place = "in the problem's constants, or μ is not positive".into();
            return (f64::NAN, Some(Status::NonFinite { place }));
        };
        let tolerance = scale.lower * self.accuracy;
        let (point, vectors) = (&mut self.work.lower, &mut self.accelerated);
        let reached = accelerated(point, x, y, scale.step, tolerance, LOWER_LIMIT, vectors);
        let residual = reached.residual;
        // Written so that a NaN is a flaw.
        let met = residual <= tolerance;
        let flaw = (!met).then_some(Status::LowerNotConverged {
            residual,
            tolerance,
        });
        (residual, flaw)
    }

    /// A hypergradient whose certificate is at most (1 − η) of its size, or that ends the run.
    fn accept(&mut self) -> Accepted {
        loop {
            let (residual, flaw) = self.solve(false);
            let (x, y) = (self.x.as_slice(), self.y.as_slice());
            let scale = Scale::at(self.problem, x, y).map_or(1.0, |s| s.linear);
            let delta = scale * self.accuracy;
            let (upper, lower) = (&mut self.work.upper, &mut self.work.lower);
            let ImplicitVectors { q, z, cg } = &mut self.implicit;
            let found = implicit_direction(upper, lower, [x, y], delta, q, z, cg);
            let Implicit { value, status, .. } = found;
            let size = norm(z).f64();
            let certificate = Certificate::stated(self.problem, x, y, size, upper, lower);
            let bound = certificate.map_or(f64::INFINITY, |c| c.bound);
            // Zeros of both are a solution.
            let solved = bound + size <= self.tolerance;
            let stuck = flaw.or(
                (found.residual > delta).then_some(Status::LinearNotConverged {
                    residual: found.residual,
                    tolerance: delta,
                }),
            );
            let trusted = bound <= (1.0 - ETA) * size;
            let status = match (status, stuck) {
                (Status::Converged, Some(flaw)) if !solved && !trusted => flaw,
                (status, _) => status,
            };
            let last = solved || !status.is_success();
            if last || trusted {
                return Accepted {
                    value,
                    residual,
                    size,
                    certificate,
                    status,
                    last,
                };
            }
            self.accuracy *= SHARPEN;
        }
    }

    /// Tries steps along −z from the first length on; on success x and y are there.
    fn search(&mut self, from: &Accepted) -> bool {
        let below = from.value - from.certificate.map_or(f64::NAN, |c| c.upper_error);
        let mut length = self.step;
        for _ in 0..self.backtracks {
            self.trial_x.copy_from_slice(self.x.as_slice());
            axpy(&mut self.trial_x, T::of(-length), &self.implicit.z);
            self.trial_y.copy_from_slice(self.y.as_slice());
            let (_, flaw) = self.solve(true);
            if !matches!(flaw, Some(Status::NonFinite { .. })) {
                let at: [&[T]; 2] = [&self.trial_x, &self.trial_y];
                let (upper, lower) = (&mut self.work.upper, &self.work.lower);
                let value = upper.differentiate(&at, Inputs::one(1)).f64();
                let error = Certificate::upper_error(self.problem, at[0], at[1], upper, lower);
                let wanted = Maid::DECREASE * length * from.size * from.size;
                if value + error - below + wanted <= 0.0 {
                    self.x.copy_from_slice(&self.trial_x);
                    self.y.copy_from_slice(&self.trial_y);
                    self.step = length * LENGTHEN;
                    return true;
                }
            }
            length *= SHORTEN;
        }
        false
    }
}

impl<T: Real> Run<T> for MaidRun<'_, T> {
    fn step(&mut self) -> Option<Progress> {
        if self.ended || self.iteration == self.settings.iterations {
            return None;
        }
        self.iteration += 1;
        let (accepted, accuracy) = loop {
            let accepted = self.accept();
            let accuracy = self.accuracy;
            if accepted.last {
                self.ended = true;
                break (accepted, accuracy);
            }
            if self.search(&accepted) {
                self.accuracy *= self.settings.accuracy_growth;
                break (accepted, accuracy);
            }
            self.accuracy *= SHARPEN;
            self.backtracks += 1;
        };
        let oracles = self.work.oracles();
        Some(Progress {
            iteration: self.iteration,
            upper: accepted.value,
            lower_residual: accepted.residual,
            hypergradient_norm: accepted.size,
            status: accepted.status,
            accuracy: Some(accuracy),
            certificate: accepted.certificate,
            oracles,
            peak_bytes: self.work.bytes().peak,
            warnings: Vec::new(),
        })
    }

    fn iterations(&self) -> usize {
        self.settings.iterations
    }

    fn x(&self) -> &DVector<T> {
        &self.x
    }

    fn y(&self) -> &DVector<T> {
        &self.y
    }

    fn visit(&mut self, ledger: &mut Ledger) {
        ledger.count("iterations made", &mut self.iteration);
        ledger.flag("whether the run has ended", &mut self.ended);
        ledger.entries("x", self.x.as_mut_slice());
        ledger.entries("y", self.y.as_mut_slice());
        self.implicit.visit(ledger);
        ledger.number("the accuracy", &mut self.accuracy);
        ledger.number("the step length", &mut self.step);
        ledger.count("the backtracks", &mut self.backtracks);
        self.work.visit(ledger);
    }
}
