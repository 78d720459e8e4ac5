//! An iteration of HOAG.

use autodiff::bytes::{Buffer, Category};
use autodiff::kernels::{axpy, norm};
use autodiff::{Inputs, Real};

use crate::Status;
use crate::certificate::Certificate;
use crate::default_tolerance;
use crate::ledger::Ledger;
use crate::linear::Scratch;
use crate::lower::{Trend, newton, newton_scratch};
use crate::method::implicit::{Accuracy, ImplicitVectors, rounding_of};
use crate::method::{Advance, Ground, State, Update};
use crate::workspace::Workspace;

use super::Hoag;
use super::settling::Settling;
use super::trial::Trial;

/// Steps taken back in a row after which the hypergradient is computed again, to the accuracy that
/// has become sharper since.
const RENEWED: usize = 3;

/// Changes of the largest |F| by less than this many rounding units tell nothing at the end.
const ROUNDING: f64 = 1e3;

/// What is kept from one iteration to the next.
pub(super) struct Adapting<T: Real> {
    settings: Hoag,
    work: Workspace<T>,
    implicit: ImplicitVectors<T>,
    /// The last point that was not taken back, and its hypergradient.
    kept_x: Buffer<T>,
    kept_y: Buffer<T>,
    kept_z: Buffer<T>,
    kept: Option<Kept>,
    smoothness: Option<f64>,
    /// What accuracies are multiplied by.
    sharper: f64,
    /// The largest ‖∇_y g‖ that a solve of the lower level began with, of steps that stayed.
    steepest: f64,
    /// The largest |F| of a point that was kept.
    largest: f64,
    settling: Settling,
}

/// Numbers of a point.
#[derive(Clone, Copy, Default)]
struct Kept {
    /// F.
    value: f64,
    /// How far F is from that of the solved lower level, to first order: `‖q‖‖∇_y g‖`.
    error: f64,
    /// What rounding may change F by.
    rounding: f64,
    residual: f64,
}

impl<T: Real> Adapting<T> {
    pub(super) fn new(settings: Hoag, s: &State<'_, T>) -> Result<Self, String> {
        let work = s.workspace()?;
        let (dim_x, dim_y) = (s.x.len(), s.y.len());
        let buffer = |len| Buffer::zeros(len, Category::Solver, work.meter());
        let room = newton_scratch::<T>(dim_y, false);
        Ok(Adapting {
            implicit: ImplicitVectors::new(dim_x, dim_y, room, work.meter()),
            kept_x: buffer(dim_x),
            kept_y: buffer(dim_y),
            kept_z: buffer(dim_x),
            kept: None,
            smoothness: settings.smoothness,
            sharper: 1.0,
            steepest: 0.0,
            largest: 0.0,
            settling: Settling::default(),
            settings,
            work,
        })
    }

    /// Judges the step that led from the kept point to x; whether it stays.
    fn judge(&mut self, x: &[T], now: Kept, bounded: bool) -> bool {
        let (Some(kept), Some(l)) = (self.kept, self.smoothness) else {
            return true;
        };
        let (mut slope, mut squares) = (0.0, 0.0);
        for i in 0..x.len() {
            let d = (x[i] - self.kept_x[i]).f64();
            slope += self.kept_z[i].f64() * d;
            squares += d * d;
        }
        let trial = Trial {
            slope,
            moved: squares.sqrt(),
            rise: now.value - kept.value,
            // A point that is known far worse than the last is not taken for what it may be.
            error: kept.error + now.error.min(kept.error),
            rounding: now.rounding + kept.rounding,
            bounded,
        };
        let verdict = trial.judge(l);
        self.smoothness = Some(verdict.smoothness);
        if verdict.sharpen {
            self.sharper *= 0.5;
        }
        // A hypergradient that was computed again is no step.
        if verdict.stays && trial.moved > 0.0 {
            self.settling.stayed(-slope, -trial.rise);
        }
        verdict.stays
    }

    /// Takes the step back: y becomes the kept point's. From there another, shorter step follows,
    /// or none where the hypergradient there is to be computed again.
    fn go_back(&mut self, y: &mut [T], usable: bool) -> &'static str {
        let l = self.smoothness.unwrap_or(1.0);
        let promised = norm(&self.kept_z).f64().powi(2) / l;
        self.settling.refused(promised);
        y.copy_from_slice(&self.kept_y);
        if usable {
            return "steps that raised the upper objective were taken back";
        }
        self.smoothness = self.smoothness.map(|l| 10.0 * l);
        // What is not finite is no guess to start from.
        self.implicit.q.fill(T::zero());
        "steps to where the objectives are not finite were taken back"
    }

    /// Makes the step from the kept point, unless it is the last or there is none.
    fn move_on(&mut self, x: &mut [T], goes_on: bool) {
        // A hypergradient of 0 has nowhere to go.
        let first = norm(&self.kept_z).f64().max(f64::MIN_POSITIVE);
        let l = *self.smoothness.get_or_insert(first);
        x.copy_from_slice(&self.kept_x);
        if goes_on {
            axpy(x, T::of(-1.0 / l), &self.kept_z);
        }
    }
}

impl<T: Real> Update<T> for Adapting<T> {
    fn step(&mut self, s: &mut State<'_, T>) -> Advance {
        let asked = self.sharper * self.settings.accuracy.at(s.iteration);
        let accuracy = asked.max(default_tolerance::<T>());
        let last = s.is_last();
        let (upper, lower) = (&mut self.work.upper, &mut self.work.lower);
        let implicit = &mut self.implicit;
        let scratch = &mut Scratch::new(&mut implicit.room, &self.work.meter);
        let (x, y) = (s.x.as_slice(), s.y.as_mut_slice());
        lower.differentiate(&[x, y], Inputs::one(1));
        let start = norm(lower.gradient(1)).f64();
        let begun = if start.is_finite() { start } else { 0.0 };
        let steepest = self.steepest.max(begun);
        // A lower level whose gradients are small is solved to a part of them.
        let scale = Some(steepest).filter(|s| *s > 0.0 && *s < 1.0);
        let until = (accuracy * scale.unwrap_or(1.0), self.settings.limit);
        let trend = &mut Trend::default();
        let minimum = newton(lower, x, y, until, false, scratch, trend);
        let residual = minimum.residual;
        let exhausted = minimum.iterations == self.settings.limit && residual > accuracy;
        let delta = Accuracy::Either(accuracy);
        let found = implicit.solve(upper, lower, [x, y], delta, &self.work.meter);
        let (mut size, z) = (found.size, &implicit.z);
        let rounding = rounding_of(found.value, [x, y], [z, upper.gradient(1)]);
        let certificate = Certificate::stated(s.problem, x, y, size, upper, lower);
        let ends = [s.problem.start().as_slice(), y];
        let (mut status, coarse) = found.end(residual, accuracy, ends, minimum.curvature, last);
        if exhausted && status.is_success() {
            status = Status::LowerNotConverged {
                residual,
                tolerance: accuracy,
            };
        }
        let usable = z.iter().all(|z| z.is_finite()) && found.value.is_finite();
        let mut now = Kept {
            value: found.value,
            error: norm(&implicit.q).f64() * residual,
            rounding,
            residual,
        };
        s.warnings.extend(coarse);
        let stays = usable && self.judge(s.x.as_slice(), now, s.is_held());
        if stays {
            // A step far too long, which is taken back, would make all later solves coarse.
            self.steepest = steepest;
            self.kept = Some(now);
            self.largest = self.largest.max(now.value.abs());
            self.kept_x.copy_from_slice(s.x.as_slice());
            self.kept_y.copy_from_slice(s.y.as_slice());
            self.kept_z.copy_from_slice(&self.implicit.z);
            status = s.grown(now.value, residual, size).unwrap_or(status);
        } else if let Some(kept) = self.kept {
            let remark = self.go_back(s.y.as_mut_slice(), usable);
            s.warnings.push(remark.into());
            // The run is at the kept point, so that is what is reported.
            (now, size) = (kept, norm(&self.kept_z).f64());
            if !usable {
                status = Status::Converged;
            }
        } else {
            s.end();
        }
        if self.kept.is_some() {
            let renew = !stays && self.settling.refused_in_a_row().is_multiple_of(RENEWED);
            let goes_on = !s.is_last() && !renew;
            self.move_on(s.x.as_mut_slice(), goes_on);
        }
        if s.is_last() {
            let rounding = ROUNDING * T::EPSILON * self.largest;
            s.warnings.extend(self.settling.warning(rounding));
        }
        Advance {
            upper: now.value,
            lower_residual: now.residual,
            hypergradient_norm: size,
            status,
            accuracy: Some(accuracy),
            certificate: certificate.filter(|_| stays),
        }
    }

    fn ground(&mut self) -> &mut dyn Ground<T> {
        &mut self.work
    }

    fn visit(&mut self, ledger: &mut Ledger) {
        self.implicit.visit(ledger);
        ledger.entries("the x that was kept", &mut self.kept_x);
        ledger.entries("the y that was kept", &mut self.kept_y);
        ledger.entries("the hypergradient that was kept", &mut self.kept_z);
        let mut there = self.kept.is_some();
        let mut kept = self.kept.unwrap_or_default();
        ledger.flag("whether a point was kept", &mut there);
        ledger.number("its value", &mut kept.value);
        ledger.number("the error of it", &mut kept.error);
        ledger.number("the rounding of it", &mut kept.rounding);
        ledger.number("its residual", &mut kept.residual);
        self.kept = there.then_some(kept);
        ledger.optional("the smoothness", &mut self.smoothness);
        ledger.number("the factor of accuracies", &mut self.sharper);
        ledger.number("the largest residual", &mut self.steepest);
        ledger.number("the largest value", &mut self.largest);
        self.settling.visit(ledger);
    }
}
