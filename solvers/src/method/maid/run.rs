//! An iteration of MAID.

use autodiff::bytes::{Buffer, Category};
use autodiff::kernels::axpy;
use autodiff::{Inputs, Real};

use crate::Status;
use crate::certificate::Certificate;
use crate::ledger::Ledger;
use crate::linear::Scratch;
use crate::lower::accelerated;
use crate::method::implicit::{Accuracy, ImplicitVectors, Scale, rounding_of};
use crate::method::{Advance, Ground, State, Update};
use crate::workspace::Workspace;

use super::trial::Trial;
use super::{ETA, LENGTHEN, Maid, SHARPEN, SHORTEN};

/// Iterations of one solve of the lower level.
const LOWER_LIMIT: usize = 100_000;
/// Trials that the first step length is found by, at most: each goes a factor of 100.
const FIRST_TRIALS: usize = 20;

/// A hypergradient of a problem of scale 1 from which a step changes φ by no more than its rounding.
fn smallest<T: Real>() -> f64 {
    T::EPSILON.powf(0.375)
}

/// What is kept from one iteration to the next.
pub(super) struct Certified<T: Real> {
    settings: Maid,
    work: Workspace<T>,
    implicit: ImplicitVectors<T>,
    trial_x: Buffer<T>,
    trial_y: Buffer<T>,
    /// ε and δ, which go together.
    accuracy: f64,
    /// The next length to be tried; `None` until it is found.
    step: Option<f64>,
    /// Whether a step was ever refused, so that its scale is known from both sides.
    refused: bool,
    backtracks: usize,
    /// Of ‖∇φ‖; `None` until the scale of the problem is known.
    tolerance: Option<f64>,
    /// φ(x) where the first step that was accepted began: the tolerance is scaled by it.
    first: Option<f64>,
}

/// A hypergradient with what vouches for it.
struct Accepted {
    said: Advance,
    /// What keeps the accuracy from being sharpened, if something does.
    stuck: Option<Status>,
    /// Whether the bound on ‖∇φ‖ is as small as rounding lets a step tell, whatever the scale.
    small: bool,
    /// Whether no step is to follow.
    last: bool,
}

impl<T: Real> Certified<T> {
    pub(super) fn new(settings: Maid, s: &State<'_, T>) -> Result<Self, String> {
        let work = s.workspace()?;
        let (dim_x, dim_y) = (s.x.len(), s.y.len());
        let buffer = |len| Buffer::zeros(len, Category::Solver, work.meter());
        Ok(Certified {
            implicit: ImplicitVectors::new(dim_x, dim_y, 3 * dim_y, work.meter()),
            trial_x: buffer(dim_x),
            trial_y: buffer(dim_y),
            accuracy: settings.accuracy,
            step: settings.step,
            refused: false,
            backtracks: settings.backtracks,
            tolerance: settings.tolerance,
            first: None,
            settings,
            work,
        })
    }

    /// Solves the lower level at x to ε; the gradient there is left in the point. The residual, and
    /// the flaw if it was not reached.
    fn solve(&mut self, s: &mut State<'_, T>, trial: bool) -> (f64, Option<Status>) {
        let (x, y): (&[T], &mut [T]) = match trial {
            true => (&self.trial_x, &mut self.trial_y),
            false => (s.x.as_slice(), s.y.as_mut_slice()),
        };
        let Some(scale) = Scale::at(s.problem, x, y) else {
            let place = "in the problem's constants, or μ is not positive".into();
            return (f64::NAN, Some(Status::NonFinite { place }));
        };
        let tolerance = scale.lower * self.accuracy;
        let scratch = &mut Scratch::new(&mut self.implicit.room, &self.work.meter);
        let (lower, step) = (&mut self.work.lower, scale.step);
        let reached = accelerated(lower, x, y, step, tolerance, LOWER_LIMIT, scratch);
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
    fn accept(&mut self, s: &mut State<'_, T>) -> Accepted {
        loop {
            let (residual, flaw) = self.solve(s, false);
            let (x, y) = (s.x.as_slice(), s.y.as_slice());
            let scale = Scale::at(s.problem, x, y).map_or(1.0, |s| s.linear);
            let delta = scale * self.accuracy;
            let (upper, lower) = (&mut self.work.upper, &mut self.work.lower);
            let (accuracy, meter) = (Accuracy::Absolute(delta), &self.work.meter);
            let found = self.implicit.solve(upper, lower, [x, y], accuracy, meter);
            let size = found.size;
            let certificate = Certificate::stated(s.problem, x, y, size, upper, lower);
            let bound = certificate.map_or(f64::INFINITY, |c| c.bound);
            // Zeros of both are a solution.
            let within = |tolerance: f64| bound + size <= tolerance;
            let mut solved = self.tolerance.is_some_and(within);
            let stuck = flaw.or(
                (found.residual > delta).then_some(Status::LinearNotConverged {
                    residual: found.residual,
                    tolerance: delta,
                }),
            );
            let trusted = bound <= (1.0 - ETA) * size;
            let given = self.settings.tolerance.is_some();
            let small = !given && within(smallest::<T>());
            solved |= stuck.is_some() && !trusted && small;
            let status = match (found.status, stuck.clone()) {
                (Status::Converged, Some(flaw)) if !solved && !trusted => flaw,
                (status, _) => status,
            };
            let last = solved || !status.is_success();
            if last || trusted {
                return Accepted {
                    said: Advance {
                        upper: found.value,
                        lower_residual: residual,
                        hypergradient_norm: size,
                        status,
                        accuracy: Some(self.accuracy),
                        certificate,
                    },
                    stuck,
                    small,
                    last,
                };
            }
            self.accuracy *= SHARPEN;
        }
    }

    /// Solves the lower level where a step of this length along −z leads, and measures it.
    fn try_step(&mut self, s: &mut State<'_, T>, from: &Advance, length: f64) -> Trial {
        self.trial_x.copy_from_slice(s.x.as_slice());
        axpy(&mut self.trial_x, T::of(-length), &self.implicit.z);
        self.trial_y.copy_from_slice(s.y.as_slice());
        let (_, flaw) = self.solve(s, true);
        let (mut rise, mut error, mut rounding) = (f64::NAN, f64::NAN, f64::NAN);
        if !matches!(flaw, Some(Status::NonFinite { .. })) {
            let at: [&[T]; 2] = [&self.trial_x, &self.trial_y];
            let (upper, lower) = (&mut self.work.upper, &self.work.lower);
            rise = upper.differentiate(&at, Inputs::one(1)).f64() - from.upper;
            let gradients = [self.implicit.z.as_ref(), upper.gradient(1)];
            rounding = rounding_of(from.upper, at, gradients);
            error = Certificate::upper_error(s.problem, at[0], at[1], upper, lower);
        }
        Trial {
            length,
            slope: length * from.hypergradient_norm * from.hypergradient_norm,
            rise,
            error: error + from.certificate.map_or(f64::NAN, |c| c.upper_error),
            rounding,
        }
    }

    /// One over the curvature of φ along −z, as far as trials tell.
    fn first_length(&mut self, s: &mut State<'_, T>, from: &Advance) -> f64 {
        let guess = from.upper.abs() / (from.hypergradient_norm * from.hypergradient_norm);
        let usable = guess.is_finite() && guess > 0.0;
        let mut length = if usable { guess } else { 1.0 };
        for _ in 0..FIRST_TRIALS {
            let trial = self.try_step(s, from, length);
            let next = trial.ideal();
            if (0.1..10.0).contains(&(next / length)) {
                return next;
            }
            length = next;
        }
        length
    }

    /// Tries steps along −z from the first length on; on success x and y are there.
    fn search(&mut self, s: &mut State<'_, T>, from: &Advance) -> bool {
        let mut length = match self.step {
            Some(length) => length,
            None => self.first_length(s, from),
        };
        self.step = Some(length);
        let mut undecided = 0;
        while undecided < self.backtracks {
            let trial = self.try_step(s, from, length);
            if trial.falls() {
                s.x.as_mut_slice().copy_from_slice(&self.trial_x);
                s.y.as_mut_slice().copy_from_slice(&self.trial_y);
                let growth = match self.refused {
                    true => LENGTHEN,
                    false => (trial.longest_safe() / length).clamp(LENGTHEN, 10.0),
                };
                self.step = Some(length * growth);
                return true;
            }
            if trial.is_too_long() {
                self.refused = true;
                length = trial.ideal().min(SHORTEN * length);
                self.step = Some(length);
            } else {
                undecided += 1;
                // Until a step was too long, one that the errors hide may be too short.
                let longer = !self.refused && trial.is_hidden();
                length *= if longer { 10.0 } else { SHORTEN };
            }
        }
        false
    }

    /// Sets the tolerance, unless it was given, from φ where the first step began and the length of
    /// a step: of the first one that was accepted, and of longer ones until one was too long. A first
    /// length that is far too short says nothing of the curvature, and its tolerance is met at once.
    fn scale_tolerance(&mut self, from: &Advance, length: f64) {
        let first = *self.first.get_or_insert(from.upper.abs());
        let scale = (first / length).sqrt();
        let scale = if scale > 0.0 { scale.min(1.0) } else { 1.0 };
        let tolerance = scale * smallest::<T>();
        self.tolerance = Some(self.tolerance.map_or(tolerance, |t| t.min(tolerance)));
    }
}

impl<T: Real> Update<T> for Certified<T> {
    fn step(&mut self, s: &mut State<'_, T>) -> Advance {
        let mut said = loop {
            let Accepted {
                mut said,
                stuck,
                small,
                last,
            } = self.accept(s);
            if last {
                s.end();
                break said;
            }
            let settled =
                self.settings.tolerance.is_some() || (self.refused && self.first.is_some());
            if self.search(s, &said) {
                if !settled {
                    let length = self.step.expect("a step was made");
                    self.scale_tolerance(&said, length);
                }
                self.accuracy *= self.settings.accuracy_growth;
                break said;
            }
            if let Some(stuck) = stuck {
                // Neither a shorter step nor a sharper accuracy is to be had.
                s.end();
                if !small {
                    said.status = stuck;
                }
                break said;
            }
            self.accuracy *= SHARPEN;
            self.backtracks += 1;
        };
        if let Some(grown) = s.grown(said.upper, said.lower_residual, said.hypergradient_norm) {
            said.status = grown;
        }
        said
    }

    fn ground(&mut self) -> &mut dyn Ground<T> {
        &mut self.work
    }

    fn visit(&mut self, ledger: &mut Ledger) {
        self.implicit.visit(ledger);
        ledger.number("the accuracy", &mut self.accuracy);
        ledger.optional("the step length", &mut self.step);
        ledger.flag("whether a step was refused", &mut self.refused);
        ledger.optional("the tolerance", &mut self.tolerance);
        ledger.optional("the first value", &mut self.first);
        ledger.count("the backtracks", &mut self.backtracks);
    }
}
