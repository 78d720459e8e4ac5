//! What a run keeps, whatever its method.

use std::time::{Duration, Instant};

use autodiff::Real;
use nalgebra::DVector;

use crate::ledger::Ledger;
use crate::problem::Bilevel;
use crate::sampling::Sampling;
use crate::trap::Trap;
use crate::workspace::Workspace;
use crate::{Oracles, Status};

use super::growth::{Growth, joint_norm};
use super::project::Project;
use super::rule::Ground;

/// The state of a run, whatever its method.
#[derive(Debug)]
pub struct State<'p, T: Real> {
    /// The problem.
    pub problem: &'p Bilevel<T>,
    /// The outer variable.
    pub x: DVector<T>,
    /// The inner variable.
    pub y: DVector<T>,
    /// Remarks for the next report.
    pub warnings: Vec<String>,
    /// How batches are drawn, if it was given.
    pub(super) sampling: Option<Sampling>,
    /// Iterations made.
    pub(super) iteration: usize,
    /// Iterations in all.
    pub(super) iterations: usize,
    pub(super) report_every: usize,
    /// Whether the run has come to its end before that. No status is kept: the last report has it.
    pub(super) ended: bool,
    pub(super) constraint: Box<dyn Project<T>>,
    /// Whether x was projected in this iteration: a second projection may round otherwise.
    pub(super) projected: bool,
    pub(super) growth: Growth,
    /// Sweeps that measured for reports, which are not counted.
    pub(super) reports: Oracles,
    /// Derivatives of single samples in those.
    pub(super) reports_touched: usize,
    /// Time that they took.
    pub(super) measuring: Duration,
}

impl<T: Real> State<'_, T> {
    /// How batches are drawn: all samples at once unless given.
    pub fn sampling(&self) -> Sampling {
        self.sampling.unwrap_or(Sampling::whole())
    }

    /// A workspace, for methods that differentiate whole objectives.
    ///
    /// # Errors
    /// If batches were to be drawn.
    pub fn workspace(&self) -> Result<Workspace<T>, String> {
        match self.sampling {
            None => Ok(self.problem.workspace()),
            Some(_) => Err("a sampling: expected none, as no batches are drawn".into()),
        }
    }

    /// Iterations made before this one.
    pub fn iteration(&self) -> usize {
        self.iteration
    }

    /// Ends the run with this iteration.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// Whether no iteration follows this one.
    pub fn is_last(&self) -> bool {
        self.ended || self.iteration + 1 == self.iterations
    }

    /// Whether this iteration is the first of a report.
    pub fn begins_report(&self) -> bool {
        self.iteration.is_multiple_of(self.report_every)
    }

    /// Whether this iteration is the last of a report.
    pub fn ends_report(&self) -> bool {
        self.is_last() || (self.iteration + 1).is_multiple_of(self.report_every)
    }

    /// Whether x is held to a set.
    pub fn is_held(&self) -> bool {
        self.constraint.holds()
    }

    /// Projects x to its set. The driver does so after each step; a rule need not, unless it looks
    /// at what became of x.
    pub fn project(&mut self) {
        if !std::mem::replace(&mut self.projected, true) {
            self.constraint.project(self.x.as_mut_slice());
        }
    }

    /// Compares F, ‖∇_y g‖, the norm of the direction of x, and that of x and y together, with
    /// those of the first two iterations. A run that has left all measure ends: the failure.
    pub fn grown(&mut self, upper: f64, residual: f64, direction: f64) -> Option<Status> {
        let iterates = joint_norm(&[self.x.as_slice(), self.y.as_slice()]);
        let sizes = [upper, residual, direction, iterates];
        let grown = self.growth.look(sizes, self.iteration + 1);
        self.ended |= grown.is_some();
        grown
    }

    /// Says that steps find their length, so that the first say nothing of how far a run goes: only
    /// what grows together counts as growth.
    pub fn steps_adapt(&mut self) {
        self.growth = Growth::adaptive();
    }

    /// The failure of a run that has come to its end where its start has kept y in a trap, which is
    /// measured for its report and not counted.
    pub(super) fn kept_in_a_trap(&mut self, ground: &mut dyn Ground<T>) -> Option<Status> {
        let (started, of) = (Instant::now(), self.problem.samples());
        let (before, touched) = (ground.oracles(), ground.touched(of));
        let meter = ground.meter().clone();
        let at = [self.x.as_slice(), self.y.as_slice()];
        let found = Trap::at_end(self.problem, at, ground.lower(), &meter);
        self.reports += ground.oracles() - before;
        self.reports_touched += ground.touched(of) - touched;
        self.measuring += started.elapsed();
        found
    }

    /// Completes an iteration.
    pub(super) fn count(&mut self) {
        self.project();
        self.projected = false;
        self.iteration += 1;
    }

    pub(super) fn visit(&mut self, ledger: &mut Ledger) {
        let all = self.iterations;
        ledger.count("iterations made", &mut self.iteration);
        if self.iteration > all {
            let found = self.iteration as u64;
            ledger.refuse("iterations made", found, format!("at most {all}"));
        }
        ledger.flag("whether the run has ended", &mut self.ended);
        ledger.entries("x", self.x.as_mut_slice());
        ledger.entries("y", self.y.as_mut_slice());
        ledger.oracles(&mut self.reports);
        ledger.count("samples touched for reports", &mut self.reports_touched);
        self.growth.visit(ledger);
    }
}
