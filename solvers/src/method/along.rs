//! A step of x along an estimate of the hypergradient.

use autodiff::{Meter, Real};
use nalgebra::DVector;

use crate::optimiser::{Moving, Optimise};
use crate::workspace::Workspace;
use crate::{Estimate, Ledger, Status};

use super::{Advance, State, value_status};

/// What moves x along estimates, with what it keeps.
pub(super) struct Along<T: Real> {
    optimiser: Box<dyn Moving<T>>,
    /// x before a step.
    before: DVector<T>,
}

impl<T: Real> Along<T> {
    pub(super) fn begin(
        optimiser: &dyn Optimise<T>,
        s: &State<'_, T>,
        meter: &Meter,
    ) -> Result<Self, String> {
        Ok(Along {
            optimiser: optimiser.begin(s.x.len(), meter)?,
            before: s.x.clone(),
        })
    }

    /// Takes up the estimate's y and moves x. A direction that is not finite, or a step out of all
    /// range, would destroy x: x then stays where it is, and the run ends.
    pub(super) fn step(
        &mut self,
        s: &mut State<'_, T>,
        estimate: Estimate<T>,
        work: &Workspace<T>,
    ) -> Advance {
        s.y = estimate.y;
        s.warnings.extend(estimate.warnings);
        let mut status = estimate.status;
        if status.is_success() {
            let at = [s.x.as_slice(), s.y.as_slice()];
            let failure = value_status(estimate.upper, &work.upper, &at);
            status = failure.unwrap_or(status);
        }
        let direction = estimate.hypergradient.as_slice();
        if finite(direction) {
            self.before.copy_from(&s.x);
            self.optimiser.step(s.x.as_mut_slice(), direction, 1.0);
            s.project();
            if !finite(s.x.as_slice()) {
                s.x.copy_from(&self.before);
                s.end();
                let place = format!("in the outer step of iteration {}", s.iteration + 1);
                status = Status::NonFinite { place };
            }
        } else {
            s.end();
        }
        let size = estimate.hypergradient.norm().f64();
        let grown = s.grown(estimate.upper, estimate.lower_residual, size);
        if status.is_success() {
            status = grown.unwrap_or(status);
        }
        Advance {
            upper: estimate.upper,
            lower_residual: estimate.lower_residual,
            hypergradient_norm: size,
            status,
            accuracy: None,
            certificate: estimate.certificate,
        }
    }

    pub(super) fn visit(&mut self, ledger: &mut Ledger) {
        self.optimiser.visit(ledger);
    }
}

/// Whether all entries are numbers.
pub(super) fn finite<T: Real>(v: &[T]) -> bool {
    v.iter().all(|v| v.is_finite())
}
