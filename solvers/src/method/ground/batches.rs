//! Mini-batches of both levels.

use autodiff::bytes::{Buffer, Category};
use autodiff::kernels::norm;
use autodiff::{Inputs, Meter, Real};

use crate::estimate::{Oracles, Status};
use crate::ledger::Ledger;
use crate::problem::Bilevel;
use crate::sampling::{Level, Sampling};

use super::super::growth::{Sizes, joint_norm};
use super::super::rule::{Advance, Update};
use super::super::state::State;
use super::super::{iterate_status, value_status};
use super::{Ground, measure};

/// Batches of both levels, or whole objectives unless a [`Sampling`] is given, with two vectors that
/// methods made of small steps have in common.
///
/// Steps say nothing of themselves: F and ‖∇_y g‖ are measured on all samples at both ends of each
/// report, which is not counted. A run fails, and ends, where an iterate or F is no finite number,
/// and where the iterates have grown beyond all measure: to 1e8 times what they were after one step,
/// or to 1e6 times together with the direction of x and the root of F.
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
    /// How batches are drawn.
    pub sampling: Sampling,
    /// F and ‖∇_y g‖ where the last report ended.
    at: Option<(f64, f64)>,
    meter: Meter,
}

impl<T: Real> Ground<T> for Batches<T> {
    type Said = ();

    fn new(problem: &Bilevel<T>, sampling: Option<Sampling>) -> Self {
        let sampling = sampling.unwrap_or(Sampling::whole());
        let meter = Meter::new();
        let buffer = |len: usize| Buffer::zeros(len, Category::Solver, &meter);
        let (upper, lower) = sampling.levels(problem, &meter);
        Batches {
            v: buffer(problem.dim_y()),
            direction: buffer(problem.dim_x()),
            upper,
            lower,
            sampling,
            at: None,
            meter,
        }
    }

    fn complaint(problem: &Bilevel<T>, sampling: Option<Sampling>) -> Option<String> {
        sampling?.complaint(problem)
    }

    fn report(
        state: &mut State<T, Self>,
        update: &mut dyn Update<T, Self>,
        count: usize,
    ) -> Advance {
        let mut step = |s: &mut State<T, Self>| {
            update.step(s, s.iteration);
            s.count();
        };
        let before = state.on.at.unwrap_or_else(|| state.measure());
        let mut began = None;
        if state.iteration == 0 {
            // What later sizes are compared with: those of the start and of one step.
            state.look(before);
            began = state.value_status(before.0);
        }
        step(state);
        if state.iteration == 1 {
            let after = state.measure();
            state.look(after);
        }
        for _ in 1..count {
            if state.ended {
                break;
            }
            step(state);
        }
        let after = state.measure();
        state.on.at = Some(after);
        let status = state.status(after);
        state.ended |= !status.is_success();
        Advance {
            upper: before.0,
            lower_residual: before.1,
            hypergradient_norm: norm(&state.on.direction).f64(),
            status: began.unwrap_or(status),
            accuracy: None,
            certificate: None,
        }
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

impl<T: Real> State<T> {
    /// F and ‖∇_y g‖ on all samples, which is not counted.
    fn measure(&mut self) -> (f64, f64) {
        self.uncounted(|s| {
            let points = (s.on.upper.whole(), s.on.lower.whole());
            measure(points, [s.x.as_slice(), s.y.as_slice()])
        })
    }

    /// Looks at the sizes here, F and ‖∇_y g‖ being these; the failure, if they have left all measure.
    fn look(&mut self, (upper, residual): (f64, f64)) -> Option<Status> {
        let sizes = Sizes {
            upper,
            residual,
            direction: norm(&self.on.direction).f64(),
            iterates: joint_norm(&self.iterates()),
        };
        self.growth.look(sizes, self.iteration)
    }

    fn iterates(&self) -> [&[T]; 3] {
        [self.x.as_slice(), self.y.as_slice(), &self.on.v]
    }

    /// How the steps up to here ended, F and ‖∇_y g‖ being these.
    fn status(&mut self, at: (f64, f64)) -> Status {
        let stepped = iterate_status(self.iteration, &self.iterates());
        if !stepped.is_success() {
            return stepped;
        }
        let grown = self.look(at);
        self.value_status(at.0).or(grown).unwrap_or(stepped)
    }

    /// The failure of F here, which has this value.
    fn value_status(&mut self, value: f64) -> Option<Status> {
        let at = [self.x.as_slice(), self.y.as_slice()];
        value_status(value, self.on.upper.whole(), &at)
    }

    /// Draws a batch of F and overwrites `in_x` and `in_y` with its gradients at (x, y).
    pub fn upper_gradients(&mut self, in_x: &mut [T], in_y: &mut [T]) {
        let point = self.on.upper.draw();
        point.differentiate(&[self.x.as_slice(), self.y.as_slice()], Inputs::ALL);
        in_x.copy_from_slice(point.gradient(0));
        in_y.copy_from_slice(point.gradient(1));
    }

    /// Draws a batch of g: ∇_y g at (x, y).
    pub fn lower_gradient(&mut self) -> &[T] {
        let point = self.on.lower.draw();
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
        let point = self.on.lower.draw();
        let at = [self.x.as_slice(), self.y.as_slice()];
        point.second_at(&at, &[None, Some(&self.on.v)], Inputs::one(by));
        point.product(by)
    }
}
