//! A run of HOAG.

use autodiff::bytes::Buffer;
use autodiff::kernels::{axpy, norm};
use autodiff::{Inputs, Real};
use nalgebra::DVector;

use crate::linear::Scratch;
use crate::lower::{Trend, newton};
use crate::{Bilevel, Certificate, Constraint, Ledger, Status, Workspace, default_tolerance};

use super::super::growth::{Growth, Sizes, joint_norm};
use super::super::implicit::{Accuracy, ImplicitVectors, implicit_direction, rounding_of};
use super::super::{Progress, Run};
use super::Hoag;
use super::settling::Settling;
use super::trial::Trial;

/// Steps taken back in a row after which the hypergradient is computed anew, to the accuracy that
/// has become sharper since.
const RENEWED: usize = 3;

/// Changes of the largest |F| by less than this many rounding units tell nothing at the end.
const ROUNDING: f64 = 1e3;

/// The state of a run.
pub(super) struct HoagRun<'p, T: Real> {
    pub(super) settings: Hoag,
    pub(super) problem: &'p Bilevel<T>,
    pub(super) work: Workspace<T>,
    pub(super) implicit: ImplicitVectors<T>,
    /// The last point that was not taken back, and its hypergradient.
    pub(super) kept_x: Buffer<T>,
    pub(super) kept_y: Buffer<T>,
    pub(super) kept_z: Buffer<T>,
    pub(super) kept: Option<Kept>,
    pub(super) x: DVector<T>,
    pub(super) y: DVector<T>,
    pub(super) smoothness: Option<f64>,
    /// What accuracies are multiplied by.
    pub(super) sharper: f64,
    /// The largest ‖∇_y g‖ that a solve of the lower level began with.
    pub(super) steepest: f64,
    /// The largest |F| of a point that was kept.
    pub(super) largest: f64,
    pub(super) settling: Settling,
    pub(super) growth: Growth,
    pub(super) iteration: usize,
}

/// Numbers of a point.
#[derive(Clone, Copy)]
pub(super) struct Kept {
    /// F.
    value: f64,
    /// How far F is from that of the solved lower level, to first order: `‖q‖‖∇_y g‖`.
    error: f64,
    /// What rounding may change F by.
    rounding: f64,
    residual: f64,
}

impl<T: Real> HoagRun<'_, T> {
    /// Judges the step that led from the kept point to here; whether it stays.
    fn judge(&mut self, now: Kept) -> bool {
        let (Some(kept), Some(l)) = (self.kept, self.smoothness) else {
            return true;
        };
        let (mut slope, mut squares) = (0.0, 0.0);
        for i in 0..self.x.len() {
            let d = (self.x[i] - self.kept_x[i]).f64();
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
            bounded: self.settings.constraint != Constraint::None,
        };
        let verdict = trial.judge(l);
        self.smoothness = Some(verdict.smoothness);
        if verdict.sharpen {
            self.sharper *= 0.5;
        }
        // A hypergradient that was computed anew is no step.
        if verdict.stays && trial.moved > 0.0 {
            self.settling.stayed(-slope, -trial.rise);
        }
        verdict.stays
    }

    /// Goes back to the kept point. From there another, shorter step follows, or none where the
    /// hypergradient there is to be computed anew.
    fn go_back(&mut self, usable: bool) -> String {
        let l = self.smoothness.unwrap_or(1.0);
        let promised = norm(&self.kept_z).f64().powi(2) / l;
        if !usable {
            self.smoothness = self.smoothness.map(|l| 10.0 * l);
            // What is not finite is no guess to start from.
            self.implicit.q.fill(T::zero());
        }
        self.settling.refused(promised);
        self.y.copy_from_slice(&self.kept_y);
        match usable {
            true => "steps that raised the upper objective were taken back".into(),
            false => "steps to where the objectives are not finite were taken back".into(),
        }
    }

    /// Makes the step from the kept point, unless it is the last or there is none.
    fn move_on(&mut self, renew: bool) {
        // A hypergradient of 0 has nowhere to go.
        let first = norm(&self.kept_z).f64().max(f64::MIN_POSITIVE);
        let l = *self.smoothness.get_or_insert(first);
        self.x.copy_from_slice(&self.kept_x);
        if self.iteration < self.settings.iterations && !renew {
            axpy(self.x.as_mut_slice(), T::of(-1.0 / l), &self.kept_z);
        }
        self.settings.constraint.project(self.x.as_mut_slice());
    }
}

impl<T: Real> Run<T> for HoagRun<'_, T> {
    fn step(&mut self) -> Option<Progress> {
        if self.iteration == self.settings.iterations {
            return None;
        }
        let asked = self.sharper * self.settings.accuracy.at(self.iteration);
        let accuracy = asked.max(default_tolerance::<T>());
        self.iteration += 1;
        let (upper, lower) = (&mut self.work.upper, &mut self.work.lower);
        let ImplicitVectors { q, z, room } = &mut self.implicit;
        let mut scratch = Scratch::new(room, &self.work.meter);
        let (x, y) = (self.x.as_slice(), self.y.as_mut_slice());
        lower.differentiate(&[x, y], Inputs::one(1));
        let start = norm(lower.gradient(1)).f64();
        if start.is_finite() {
            self.steepest = self.steepest.max(start);
        }
        // A lower level whose gradients are small is solved to a part of them.
        let scale = Some(self.steepest).filter(|s| *s > 0.0 && *s < 1.0);
        let until = (accuracy * scale.unwrap_or(1.0), self.settings.limit);
        let trend = &mut Trend::default();
        let minimum = newton(lower, x, y, until, &mut scratch, trend);
        let residual = minimum.residual;
        let exhausted = minimum.iterations == self.settings.limit && residual > accuracy;
        let delta = Accuracy::Either(accuracy);
        let found = implicit_direction(upper, lower, [x, y], delta, q, z, scratch);
        let mut size = norm(z).f64();
        let rounding = rounding_of(found.value, [x, y], [z, upper.gradient(1)]);
        let certificate = Certificate::stated(self.problem, x, y, size, upper, lower);
        let ends = [self.problem.start().as_slice(), y];
        let last = self.iteration == self.settings.iterations;
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
            error: norm(q).f64() * residual,
            rounding,
            residual,
        };
        let mut warnings = Vec::from_iter(coarse);
        let stays = usable && self.judge(now);
        if stays {
            self.kept = Some(now);
            self.largest = self.largest.max(now.value.abs());
            self.kept_x.copy_from_slice(self.x.as_slice());
            self.kept_y.copy_from_slice(self.y.as_slice());
            self.kept_z.copy_from_slice(&self.implicit.z);
            let sizes = Sizes {
                upper: now.value,
                residual,
                direction: size,
                iterates: joint_norm(&[self.x.as_slice(), self.y.as_slice()]),
            };
            if let Some(grown) = self.growth.look(sizes, self.iteration) {
                status = grown;
                self.settings.iterations = self.iteration;
            }
        } else if let Some(kept) = self.kept {
            warnings.push(self.go_back(usable));
            // The run is at the kept point, so that is what is reported.
            (now, size) = (kept, norm(&self.kept_z).f64());
            if !usable {
                status = Status::Converged;
            }
        } else {
            self.settings.iterations = self.iteration;
        }
        if self.kept.is_some() {
            let renew = !stays && self.settling.refused_in_a_row().is_multiple_of(RENEWED);
            self.move_on(renew);
        }
        if self.iteration == self.settings.iterations {
            let rounding = ROUNDING * T::EPSILON * self.largest;
            warnings.extend(self.settling.warning(rounding));
        }
        Some(Progress {
            iteration: self.iteration,
            upper: now.value,
            lower_residual: now.residual,
            hypergradient_norm: size,
            status,
            accuracy: Some(accuracy),
            certificate: certificate.filter(|_| stays),
            oracles: self.work.oracles(),
            peak_bytes: self.work.bytes().peak,
            warnings,
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
        ledger.count("iterations in all", &mut self.settings.iterations);
        ledger.entries("x", self.x.as_mut_slice());
        ledger.entries("y", self.y.as_mut_slice());
        self.implicit.visit(ledger);
        ledger.entries("the x that was kept", &mut self.kept_x);
        ledger.entries("the y that was kept", &mut self.kept_y);
        ledger.entries("the hypergradient that was kept", &mut self.kept_z);
        self.visit_kept(ledger);
        ledger.optional("the smoothness", &mut self.smoothness);
        ledger.number("the factor of accuracies", &mut self.sharper);
        ledger.number("the largest residual", &mut self.steepest);
        ledger.number("the largest value", &mut self.largest);
        self.settling.visit(ledger);
        self.growth.visit(ledger);
        self.work.visit(ledger);
    }
}

impl<T: Real> HoagRun<'_, T> {
    fn visit_kept(&mut self, ledger: &mut Ledger) {
        let mut there = self.kept.is_some();
        let mut kept = self.kept.unwrap_or(Kept {
            value: 0.0,
            error: 0.0,
            rounding: 0.0,
            residual: 0.0,
        });
        ledger.flag("whether a point was kept", &mut there);
        ledger.number("its value", &mut kept.value);
        ledger.number("the error of it", &mut kept.error);
        ledger.number("the rounding of it", &mut kept.rounding);
        ledger.number("its residual", &mut kept.residual);
        self.kept = there.then_some(kept);
    }
}
