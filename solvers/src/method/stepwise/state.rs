//! What the steps of a method share.

use autodiff::bytes::{Buffer, Category};
use autodiff::{Inputs, Meter, Real};
use nalgebra::DVector;

use crate::sampling::Level;
use crate::{Ledger, Oracles};

/// What the steps of a method move, and what they draw from.
#[derive(Debug)]
pub struct State<T: Real> {
    /// The outer variable.
    pub x: DVector<T>,
    /// The inner variable.
    pub y: DVector<T>,
    /// A second vector of `dim_y` entries, 0 at the start: the solution of the linear system; in
    /// first-order methods that of the lower level alone.
    pub v: Buffer<T>,
    /// What x was last moved along, of `dim_x` entries.
    pub direction: Buffer<T>,
    /// F.
    pub upper: Level<T>,
    /// g.
    pub lower: Level<T>,
    /// The seed of the draws.
    pub seed: u64,
    /// Remarks for the next report.
    pub warnings: Vec<String>,
    pub(super) meter: Meter,
}

impl<T: Real> State<T> {
    /// The meter of the run's buffers.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Sweeps so far.
    pub(super) fn oracles(&self) -> Oracles {
        Oracles {
            upper: self.upper.sweeps(),
            lower: self.lower.sweeps(),
        }
    }

    /// All but the seed, and the remarks, which a report has taken.
    pub(super) fn visit(&mut self, ledger: &mut Ledger) {
        ledger.entries("x", self.x.as_mut_slice());
        ledger.entries("y", self.y.as_mut_slice());
        ledger.entries("the second vector", &mut self.v);
        ledger.entries("the direction of x", &mut self.direction);
        self.upper.visit(ledger);
        self.lower.visit(ledger);
    }

    /// A counted vector of zeros.
    pub fn buffer(&self, len: usize) -> Buffer<T> {
        Buffer::zeros(len, Category::Solver, &self.meter)
    }

    /// Draws a batch of F and overwrites `in_x` and `in_y` with its gradients at (x, y).
    pub fn upper_gradients(&mut self, in_x: &mut [T], in_y: &mut [T]) {
        let point = self.upper.draw();
        point.differentiate(&[self.x.as_slice(), self.y.as_slice()], Inputs::ALL);
        in_x.copy_from_slice(point.gradient(0));
        in_y.copy_from_slice(point.gradient(1));
    }

    /// Draws a batch of g: ∇_y g at (x, y).
    pub fn lower_gradient(&mut self) -> &[T] {
        let point = self.lower.draw();
        point.differentiate(&[self.x.as_slice(), self.y.as_slice()], Inputs::one(1));
        point.gradient(1)
    }

    /// Draws a batch of g: ∇²_yy g · v at (x, y).
    pub fn hessian_product(&mut self) -> &[T] {
        self.product(1)
    }

    /// Draws a batch of g: ∇²_xy g · v at (x, y).
    pub fn cross_product(&mut self) -> &[T] {
        self.product(0)
    }

    fn product(&mut self, by: usize) -> &[T] {
        let point = self.lower.draw();
        let at = [self.x.as_slice(), self.y.as_slice()];
        point.second_at(&at, &[None, Some(&self.v)], Inputs::one(by));
        point.product(by)
    }
}
