//! An implicit hypergradient to an accuracy that is asked for, at a y that is there already.

use autodiff::bytes::{Buffer, Category};
use autodiff::kernels::norm;
use autodiff::{Inputs, Meter, Point, Real};

use crate::accuracy::{Curvature, LOST, TOLD, part, solved};
use crate::linear::system::{self, Known};
use crate::linear::{Cg, Scratch};
use crate::{Bilevel, Ledger, Status, default_tolerance};

use super::value_status;

/// What the linear system needs, made once for any number of solves.
pub(super) struct ImplicitVectors<T: Real> {
    /// Its solution, which the next solve starts from.
    pub(super) q: Buffer<T>,
    /// `∇_xF − ∇²_xy g · q`.
    pub(super) z: Buffer<T>,
    /// Room for a conjugate gradient, and for whatever solves the lower level.
    pub(super) room: Buffer<T>,
}

impl<T: Real> ImplicitVectors<T> {
    /// `lower` is the room for what solves the lower level.
    pub(super) fn new(dim_x: usize, dim_y: usize, lower: usize, meter: &Meter) -> Self {
        let system = system::scratch::<T>(&Cg::new(), dim_y, false);
        let buffer = |len| Buffer::zeros(len, Category::Solver, meter);
        ImplicitVectors {
            q: buffer(dim_y),
            z: buffer(dim_x),
            room: buffer(lower.max(system)),
        }
    }

    /// Solves `H q = ∇_yF` to `accuracy` from the `q` that is there, and overwrites `z`. F is then
    /// differentiated, and g linearised and differentiated twice along q, at (x, y).
    pub(super) fn solve(
        &mut self,
        upper: &mut Point<T>,
        lower: &mut Point<T>,
        at: [&[T]; 2],
        accuracy: Accuracy,
        meter: &Meter,
    ) -> Implicit {
        let value = upper.differentiate(&at, Inputs::ALL).f64();
        lower.linearise(&at);
        let b = upper.gradient(1);
        let size = norm(b).f64();
        let relative = accuracy.relative::<T>(size);
        let cg = Cg::new().tolerance(relative);
        let scratch = Scratch::new(&mut self.room, meter);
        let v = (&mut self.q[..], &mut [][..]);
        let solution = system::solve(&cg, lower, None, b, v, scratch, Known::Positive);
        let z = &mut self.z;
        for i in 0..z.len() {
            z[i] = upper.gradient(0)[i] - lower.product(0)[i];
        }
        let mut status = match solution.flawed {
            true => solution.status,
            false => Status::Converged,
        };
        if status.is_success() {
            let infinite = !z.iter().all(|z| z.is_finite());
            let place = || "in the hypergradient".into();
            let failure = value_status(value, upper, &at)
                .or_else(|| infinite.then(|| Status::NonFinite { place: place() }));
            status = failure.unwrap_or(status);
        }
        Implicit {
            value,
            size: norm(z).f64(),
            residual: solution.residual * if size > 0.0 { size } else { 1.0 },
            status,
            curvature: solution.curvature,
        }
    }

    /// The next solve starts from `q`; the rest is overwritten.
    pub(super) fn visit(&mut self, ledger: &mut Ledger) {
        ledger.entries("the solution of the linear system", &mut self.q);
    }
}

/// How accurately a linear system is to be solved: what `‖Hq − ∇_yF‖` may be.
#[derive(Clone, Copy)]
pub(super) enum Accuracy {
    /// This.
    Absolute(f64),
    /// This, and this part of ‖∇_yF‖, as far as the precision goes: so an F that is small has a
    /// hypergradient too.
    Either(f64),
}

impl Accuracy {
    /// The part of ‖∇_yF‖, which is `size`.
    fn relative<T: Real>(self, size: f64) -> f64 {
        match self {
            Accuracy::Absolute(delta) if size > 0.0 => delta / size,
            Accuracy::Absolute(_) => 1.0,
            Accuracy::Either(delta) => (delta / size.max(1.0)).max(default_tolerance::<T>()),
        }
    }
}

/// What was reached.
pub(super) struct Implicit {
    /// F.
    pub(super) value: f64,
    /// ‖z‖.
    pub(super) size: f64,
    /// ‖Hq − ∇_yF‖, recomputed.
    pub(super) residual: f64,
    /// A flaw of the Hessian, or converged.
    pub(super) status: Status,
    /// The smallest curvature that the linear system met.
    curvature: Curvature,
}

impl Implicit {
    /// How an iteration ended whose lower level came to `residual`, where `tolerance` was asked for,
    /// at y, started from `start`, where the lower level's own solver `met` some curvature; and at the `last` one what is to be said of it.
    ///
    /// Accuracies that a schedule makes coarse are no failure as long as more iterations follow:
    /// then nothing counts as converged whose y is not within 1e-7 of its size (3e-4 in `f32`).
    pub(super) fn end<T: Real>(
        &self,
        residual: f64,
        tolerance: f64,
        [start, y]: [&[T]; 2],
        met: Curvature,
        last: bool,
    ) -> (Status, Option<String>) {
        if self.status != Status::Converged {
            return (self.status.clone(), None);
        }
        let curvature = self.curvature.and(met);
        let distance = part(curvature.distance(residual), y, start);
        // Where no product was made nothing tells how far y is.
        if residual <= tolerance && residual > 0.0 && curvature.least().is_infinite() {
            return (Status::Stepped, None);
        }
        // Written so that a NaN is no success.
        if distance <= solved::<T>() {
            (Status::Converged, None)
        } else if !(residual <= tolerance) {
            let short = Status::LowerNotConverged {
                residual,
                tolerance,
            };
            (short, None)
        } else if last && !(distance <= 1.0) {
            let allowed = LOST;
            (Status::LowerInaccurate { distance, allowed }, None)
        } else {
            let warning = (last && distance > TOLD).then(|| {
                format!(
                    "y is off the lower level's solution by some {distance:.1e} of its size at the \
                     last iteration: ask for a finer accuracy"
                )
            });
            (Status::Stepped, warning)
        }
    }
}

/// Rounding units of x, y and F that a change of F is no more than by chance.
const UNITS: f64 = 64.0;

/// What rounding may change F by, which has this value and these gradients at (x, y): where F is a
/// sum of larger terms, it is that of x and y that tells.
pub(super) fn rounding_of<T: Real>(value: f64, at: [&[T]; 2], gradients: [&[T]; 2]) -> f64 {
    let product = |i: usize| norm(at[i]).f64() * norm(gradients[i]).f64();
    UNITS * T::EPSILON * (value.abs() + product(0) + product(1))
}

/// Converts a residual over all blocks into the mean accuracy of a block that it guarantees.
#[derive(Clone, Copy)]
pub(super) struct Scale {
    /// ‖∇_y g‖ over the mean of `‖y_i − y_i*‖` that it is enough for.
    pub(super) lower: f64,
    /// ‖Hq − ∇_yF‖ over the mean of `‖q_i − q_i*‖` that it is enough for.
    pub(super) linear: f64,
    /// One over the largest curvature of g.
    pub(super) step: f64,
}

impl Scale {
    /// By the constants of `problem` at (x, y); `None` without usable ones.
    pub(super) fn at<T: Real>(problem: &Bilevel<T>, x: &[T], y: &[T]) -> Option<Self> {
        let n = problem.blocks();
        let (mut least, mut largest) = (f64::INFINITY, 0.0f64);
        for block in y.chunks_exact(y.len() / n) {
            let c = problem.constants(x, block)?;
            least = least.min(c.strong_convexity);
            largest = largest.max(c.smoothness);
        }
        let n = n as f64;
        let usable = least > 0.0 && least.is_finite() && largest.is_finite() && largest > 0.0;
        usable.then_some(Scale {
            // mean n‖∇_i‖/μ ≤ √n ‖∇‖/μ
            lower: least / n.sqrt(),
            linear: 1.0 / n.sqrt(),
            step: n / largest,
        })
    }
}
