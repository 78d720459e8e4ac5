//! A run of ISGD.

use autodiff::bytes::Buffer;
use autodiff::kernels::{axpy, norm};
use autodiff::{Inputs, Meter, Real};
use nalgebra::DVector;

use crate::inner::StepLength;
use crate::linear::Scratch;
use crate::lower::accelerated;
use crate::optimiser::Moments;
use crate::sampling::Level;
use crate::{Bilevel, Certificate, Ledger, Oracles, Schedule, Status, default_tolerance};

use super::super::growth::{Growth, Sizes, joint_norm};
use super::super::implicit::{Accuracy, ImplicitVectors, implicit_direction};
use super::super::{Progress, Run, iterate_status};
use super::Isgd;

/// Iterations of one solve of the lower level.
const LOWER_LIMIT: usize = 100_000;

/// The state of a run.
pub(super) struct IsgdRun<'p, T: Real> {
    pub(super) settings: Isgd,
    pub(super) problem: &'p Bilevel<T>,
    pub(super) upper: Level<T>,
    pub(super) lower: Level<T>,
    pub(super) moments: Moments<T>,
    pub(super) implicit: ImplicitVectors<T>,
    /// What finding step lengths needs.
    pub(super) found: Buffer<T>,
    /// The mean of the batch's hypergradients.
    pub(super) direction: Buffer<T>,
    /// The solutions of the linear systems.
    pub(super) q: Buffer<T>,
    pub(super) x: DVector<T>,
    pub(super) y: DVector<T>,
    /// Sweeps of the reports.
    pub(super) reports: Oracles,
    pub(super) meter: Meter,
    pub(super) iteration: usize,
    pub(super) stopped: bool,
    pub(super) growth: Growth,
    /// Of the latest report.
    pub(super) warnings: Vec<String>,
}

/// What one step met.
struct Met {
    status: Status,
    certificate: Option<Certificate>,
}

impl<T: Real> IsgdRun<'_, T> {
    fn oracles(&self) -> Oracles {
        Oracles {
            upper: self.upper.sweeps(),
            lower: self.lower.sweeps(),
        }
    }

    fn advance(&mut self) -> Met {
        let own = self.problem.levels().own.is_some();
        let batch = match own {
            true => self.upper.next_batch(),
            // One lower level: F on the batch as a whole.
            false => {
                self.upper.draw();
                vec![0]
            }
        };
        // A batch has constants of its own, which the problem does not state.
        let whole = self.upper.batch().len() == self.upper.samples();
        self.direction.fill(T::zero());
        let share = 1.0 / batch.len() as f64;
        let (mut status, mut mean) = (Status::Converged, Vec::new());
        for sample in &batch {
            let met = self.sample(own.then_some(*sample), own || whole);
            axpy(&mut self.direction, T::of(share), &self.implicit.z);
            if status.is_success() {
                status = met.status;
            }
            mean.extend(met.certificate);
        }
        let certificate = (mean.len() == batch.len()).then(|| {
            let of = |part: fn(&Certificate) -> f64| mean.iter().map(part).sum::<f64>() * share;
            let bound = of(|c| c.bound);
            Certificate {
                bound,
                certified: true,
                lower_error: of(|c| c.lower_error),
                linear_residual: of(|c| c.linear_residual),
                upper_error: of(|c| c.upper_error),
                descent: bound < norm(&self.direction).f64(),
            }
        });
        if self.direction.iter().all(|v| v.is_finite()) {
            let alpha = self.settings.step.at(self.iteration);
            self.moments
                .step(self.x.as_mut_slice(), &self.direction, alpha);
            self.settings.constraint.project(self.x.as_mut_slice());
        }
        self.iteration += 1;
        Met {
            status,
            certificate,
        }
    }

    /// The hypergradient of one sample, or of the batch drawn last: left in `implicit.z`.
    fn sample(&mut self, sample: Option<usize>, certified: bool) -> Met {
        let k = self.iteration;
        let within_reach = |s: Schedule| s.at(k).max(default_tolerance::<T>());
        let linear = self.settings.linear_accuracy;
        let epsilon = within_reach(self.settings.accuracy);
        let delta = within_reach(linear.unwrap_or(self.settings.accuracy));
        let (upper, lower) = match sample {
            Some(i) => (self.upper.sample(i), self.lower.sample(i)),
            None => (self.upper.again(), self.lower.whole()),
        };
        let block = self.y.len() / self.problem.blocks();
        let first = block * sample.unwrap_or(0);
        let x = self.x.as_slice();
        let y = &mut self.y.as_mut_slice()[first..first + block];
        let constants = self.problem.constants(x, y);
        let (tolerance, step) = match constants {
            Some(c) => (c.strong_convexity * epsilon, 1.0 / c.smoothness),
            None => (
                epsilon,
                StepLength::Auto.resolve(lower, x, y, &mut self.found),
            ),
        };
        let ImplicitVectors { q, z, room } = &mut self.implicit;
        let mut scratch = Scratch::new(room, &self.meter);
        let until = LOWER_LIMIT;
        let reached = accelerated(lower, x, y, step, tolerance, until, &mut scratch);
        q.copy_from_slice(&self.q[first..first + block]);
        let found = implicit_direction(
            upper,
            lower,
            [x, y],
            Accuracy::Absolute(delta),
            q,
            z,
            scratch,
        );
        self.q[first..first + block].copy_from_slice(q);
        let residual = reached.residual;
        let start = &self.problem.start().as_slice()[first..first + block];
        let last = self.iteration + 1 == self.settings.iterations;
        let (status, warning) = found.end(residual, tolerance, [start, y], reached.curvature, last);
        self.warnings.extend(warning);
        let problem = self.problem;
        let constants = |y: &[T]| problem.constants(x, y).expect("stated");
        let size = norm(z).f64();
        let certificate = (certified && problem.states_constants())
            .then(|| Certificate::at(constants, 1, y, size, upper, lower))
            .flatten();
        Met {
            status,
            certificate,
        }
    }

    /// F and ‖∇_y g‖ on all samples.
    fn measure(&mut self) -> (f64, f64) {
        let before = self.oracles();
        let (n, block) = (self.problem.blocks(), self.y.len() / self.problem.blocks());
        let own = self.problem.levels().own.is_some();
        let (mut value, mut squares) = (0.0, 0.0);
        for i in 0..n {
            let at = [
                self.x.as_slice(),
                &self.y.as_slice()[i * block..(i + 1) * block],
            ];
            let (upper, lower) = match own {
                true => (self.upper.sample(i), self.lower.sample(i)),
                false => (self.upper.whole(), self.lower.whole()),
            };
            value += upper.value(&at).f64() / n as f64;
            lower.differentiate(&at, Inputs::one(1));
            squares += (norm(lower.gradient(1)).f64() / n as f64).powi(2);
        }
        self.reports += self.oracles() - before;
        (value, squares.sqrt())
    }
}

impl<T: Real> Run<T> for IsgdRun<'_, T> {
    fn step(&mut self) -> Option<Progress> {
        let settings = &self.settings;
        if self.stopped || self.iteration == settings.iterations {
            return None;
        }
        let every = settings.report_every;
        let count = every.min(settings.iterations - self.iteration);
        let accuracy = settings.accuracy.at(self.iteration + count - 1);
        let (upper, lower_residual) = self.measure();
        let unmeasured = (!upper.is_finite()).then(|| Status::NonFinite {
            place: format!(
                "the objective F is {upper} after {} iterations",
                self.iteration
            ),
        });
        let mut met = self.advance();
        for _ in 1..count {
            let next = self.advance();
            if met.status.is_success() {
                met.status = next.status;
            }
            met.certificate = next.certificate;
        }
        let iterates = [self.x.as_slice(), self.y.as_slice(), &self.direction];
        let finite = iterate_status(self.iteration, &iterates);
        let sizes = Sizes {
            upper,
            residual: lower_residual,
            direction: norm(&self.direction).f64(),
            iterates: joint_norm(&iterates[..2]),
        };
        let grown = self.growth.look(sizes, self.iteration);
        let left = if finite.is_success() {
            grown
        } else {
            Some(finite)
        };
        self.stopped = left.is_some();
        Some(Progress {
            iteration: self.iteration.div_ceil(every),
            upper,
            lower_residual,
            hypergradient_norm: sizes.direction,
            status: left.or(unmeasured).unwrap_or(met.status),
            accuracy: Some(accuracy),
            certificate: met.certificate,
            oracles: self.oracles() - self.reports,
            peak_bytes: self.meter.read().peak,
            warnings: {
                let mut warnings = std::mem::take(&mut self.warnings);
                warnings.extend(self.growth.warning());
                warnings
            },
        })
    }

    fn iterations(&self) -> usize {
        self.settings
            .iterations
            .div_ceil(self.settings.report_every)
    }

    fn x(&self) -> &DVector<T> {
        &self.x
    }

    fn y(&self) -> &DVector<T> {
        &self.y
    }

    fn visit(&mut self, ledger: &mut Ledger) {
        ledger.count("iterations made", &mut self.iteration);
        ledger.flag("whether the run has ended", &mut self.stopped);
        ledger.entries("x", self.x.as_mut_slice());
        ledger.entries("y", self.y.as_mut_slice());
        ledger.entries("the solutions of the linear systems", &mut self.q);
        self.moments.visit(ledger);
        self.upper.visit(ledger);
        self.lower.visit(ledger);
        ledger.oracles(&mut self.reports);
        ledger.peak(&self.meter);
        self.growth.visit(ledger);
    }
}
