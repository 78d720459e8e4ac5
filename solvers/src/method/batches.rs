//! Mini-batches of both levels, and steps that are measured from outside.

use std::time::Instant;

use autodiff::bytes::{Buffer, Category};
use autodiff::kernels::norm;
use autodiff::{Inputs, Meter, Point, Real};

use crate::ledger::Ledger;
use crate::sampling::{Level, Sampling};
use crate::{Oracles, Status};

use super::growth::joint_norm;
use super::rule::{Advance, Ground};
use super::state::State;
use super::{iterate_status, value_status};

/// Batches of both levels, or whole objectives unless a [`Sampling`] is given, with two vectors that
/// methods made of small steps have in common.
#[derive(Debug)]
pub struct Batches<T: Real> {
    /// A second vector of `dim_y` entries, 0 at the start: the solution of the linear system; in
    /// first-order methods that of the lower level alone.
    pub v: Buffer<T>,
    /// What x was last moved along, of `dim_x` entries.
    pub direction: Buffer<T>,
    /// F.
    pub upper: Level<T>,
    /// g.
    pub lower: Level<T>,
    /// Entries of the block of y of each sample, where each has a lower level of its own.
    pub(super) block: Option<usize>,
    /// F and ‖∇_y g‖ where the last report ended.
    at: Option<(f64, f64)>,
    /// The failure of F where the run began, until it is reported.
    began: Option<Status>,
    pub(super) meter: Meter,
}

impl<T: Real> Batches<T> {
    /// Batches of both levels, drawn as the run says.
    ///
    /// # Errors
    /// If the problem cannot be drawn from in this way.
    pub fn new(s: &State<'_, T>) -> Result<Self, String> {
        Self::drawn(s, s.sampling())
    }

    /// Batches of the upper samples, the lower level never drawn from. Where each sample has a lower
    /// level of its own, both levels are those of the samples, as functions of their own blocks of y.
    pub(super) fn of_samples(s: &State<'_, T>) -> Result<Self, String> {
        let sampling = s.sampling();
        let whole = s.problem.samples().1;
        let mut batches = Self::drawn(s, sampling.batches(sampling.batch(s.problem).0, whole))?;
        if let Some(own) = &s.problem.levels().own {
            let (dims, meter) = ((s.x.len(), own.block), &batches.meter);
            let draws = batches.upper.draws().clone();
            let (f, g) = (own.upper.clone(), own.lower.clone());
            batches.upper = Level::new(s.problem.upper(), Some(f), dims, draws.clone(), meter);
            batches.lower = Level::new(s.problem.lower(), Some(g), dims, draws, meter);
            batches.block = Some(own.block);
        }
        Ok(batches)
    }

    fn drawn(s: &State<'_, T>, sampling: Sampling) -> Result<Self, String> {
        if let Some(reason) = sampling.complaint(s.problem) {
            return Err(reason);
        }
        let meter = Meter::new();
        let buffer = |len: usize| Buffer::zeros(len, Category::Solver, &meter);
        let (upper, lower) = sampling.levels(s.problem, &meter);
        Ok(Batches {
            v: buffer(s.y.len()),
            direction: buffer(s.x.len()),
            upper,
            lower,
            block: None,
            at: None,
            began: None,
            meter,
        })
    }

    /// A counted vector of zeros.
    pub fn buffer(&self, len: usize) -> Buffer<T> {
        Buffer::zeros(len, Category::Solver, &self.meter)
    }

    /// Makes a step that says nothing of itself, in one iteration: F and ‖∇_y g‖ are measured on all
    /// samples at both ends of each report, which is not counted.
    ///
    /// A run fails, and ends, where an iterate or F is no finite number, and where the iterates have
    /// grown beyond all measure: to 1e8 times what they were after one step, or to 1e6 times
    /// together with the direction of x and the root of F.
    pub fn measured<'p>(
        &mut self,
        s: &mut State<'p, T>,
        step: impl FnOnce(&mut State<'p, T>, &mut Self),
    ) -> Advance {
        let before = self.at.unwrap_or_else(|| self.measure(s));
        self.at = Some(before);
        let first = s.iteration == 0;
        if first {
            // What later sizes are compared with: those of the start and of one step.
            self.look(s, before, 0);
            self.began = self.value_status(s, before.0);
        }
        step(s, self);
        s.project();
        if first {
            let after = self.measure(s);
            self.look(s, after, 1);
        }
        let mut status = Status::Stepped;
        if s.ends_report() {
            let after = self.measure(s);
            self.at = Some(after);
            status = self.status(s, after);
            s.ended |= !status.is_success();
            status = self.began.take().unwrap_or(status);
        }
        Advance {
            upper: before.0,
            lower_residual: before.1,
            hypergradient_norm: norm(&self.direction).f64(),
            status,
            accuracy: None,
            certificate: None,
        }
    }

    /// F and ‖∇_y g‖ on all samples, which is not counted.
    pub(super) fn measure(&mut self, s: &mut State<'_, T>) -> (f64, f64) {
        let (started, of) = (Instant::now(), s.problem.samples());
        let (before, touched) = (self.oracles(), self.touched(of));
        let (x, y) = (s.x.as_slice(), s.y.as_slice());
        let at = |upper: &mut Point<T>, lower: &mut Point<T>, y| {
            let value = upper.value(&[x, y]).f64();
            lower.gradient_at(&[x, y], Inputs::one(1));
            (value, norm(lower.gradient(1)).f64())
        };
        let found = match self.block {
            None => at(self.upper.whole(), self.lower.whole(), y),
            Some(block) => {
                let n = (y.len() / block) as f64;
                let (mut value, mut squares) = (0.0, 0.0);
                for (i, y) in y.chunks_exact(block).enumerate() {
                    let (upper, residual) = at(self.upper.sample(i), self.lower.sample(i), y);
                    value += upper / n;
                    squares += (residual / n).powi(2);
                }
                (value, squares.sqrt())
            }
        };
        s.reports += self.oracles() - before;
        s.reports_touched += self.touched(of) - touched;
        s.measuring += started.elapsed();
        found
    }

    /// Looks at the sizes here, F and ‖∇_y g‖ being these; the failure, if they have left all measure.
    fn look(&self, s: &mut State<'_, T>, at: (f64, f64), iteration: usize) -> Option<Status> {
        let iterates = joint_norm(&[s.x.as_slice(), s.y.as_slice(), &self.v]);
        let sizes = [at.0, at.1, norm(&self.direction).f64(), iterates];
        s.growth.look(sizes, iteration)
    }

    /// How the steps up to here ended, F and ‖∇_y g‖ being these.
    fn status(&mut self, s: &mut State<'_, T>, at: (f64, f64)) -> Status {
        let made = s.iteration + 1;
        let stepped = iterate_status(made, &[s.x.as_slice(), s.y.as_slice(), &self.v]);
        if !stepped.is_success() {
            return stepped;
        }
        let grown = self.look(s, at, made);
        self.value_status(s, at.0).or(grown).unwrap_or(stepped)
    }

    /// The failure of F here, which has this value.
    fn value_status(&mut self, s: &State<'_, T>, value: f64) -> Option<Status> {
        let at = [s.x.as_slice(), s.y.as_slice()];
        value_status(value, self.upper.whole(), &at)
    }

    /// Draws a batch of F and overwrites `in_x` and `in_y` with its gradients at (x, y).
    pub fn upper_gradients(&mut self, s: &State<'_, T>, in_x: &mut [T], in_y: &mut [T]) {
        let point = self.upper.draw();
        point.gradient_at(&[s.x.as_slice(), s.y.as_slice()], Inputs::ALL);
        in_x.copy_from_slice(point.gradient(0));
        in_y.copy_from_slice(point.gradient(1));
    }

    /// Draws a batch of g: ∇_y g at (x, y).
    pub fn lower_gradient(&mut self, s: &State<'_, T>) -> &[T] {
        let point = self.lower.draw();
        point.gradient_at(&[s.x.as_slice(), s.y.as_slice()], Inputs::one(1));
        point.gradient(1)
    }

    /// Draws a batch of g: ∇²_yy g · v at (x, y).
    pub fn hessian_product(&mut self, s: &State<'_, T>) -> &[T] {
        self.product(s, 1)
    }

    /// Draws a batch of g: ∇²_xy g · v at (x, y).
    pub fn cross_product(&mut self, s: &State<'_, T>) -> &[T] {
        self.product(s, 0)
    }

    fn product(&mut self, s: &State<'_, T>, by: usize) -> &[T] {
        let point = self.lower.draw();
        let at = [s.x.as_slice(), s.y.as_slice()];
        point.second_at(&at, &[None, Some(&self.v)], Inputs::one(by));
        point.product(by)
    }
}

impl<T: Real> Ground<T> for Batches<T> {
    fn oracles(&self) -> Oracles {
        Oracles {
            upper: self.upper.sweeps(),
            lower: self.lower.sweeps(),
        }
    }

    fn touched(&self, _: (usize, usize)) -> usize {
        self.upper.touched() + self.lower.touched()
    }

    fn lower(&mut self) -> &mut Point<T> {
        self.lower.whole()
    }

    fn meter(&self) -> &Meter {
        &self.meter
    }

    fn visit(&mut self, ledger: &mut Ledger) {
        let (mut upper, mut residual) = self.at.unzip();
        ledger.optional("F where the last report ended", &mut upper);
        ledger.optional("the residual there", &mut residual);
        self.at = upper.zip(residual);
        ledger.entries("the second vector", &mut self.v);
        ledger.entries("the direction of x", &mut self.direction);
        self.upper.visit(ledger);
        self.lower.visit(ledger);
        ledger.peak(&self.meter);
    }
}
