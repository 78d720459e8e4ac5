//! HOAG: implicit hypergradients to accuracies from a schedule.

use autodiff::Real;
use autodiff::bytes::{Buffer, Category};
use autodiff::kernels::{axpy, norm};
use nalgebra::DVector;

use crate::inner::{NEWTON_LIMIT, newton};
use crate::{
    Bilevel, Certificate, ConfigError, Constraint, Ledger, Schedule, Status, Workspace,
    default_tolerance,
};

use super::implicit::{ImplicitVectors, implicit_direction};
use super::{Method, Progress, Run};

/// Descent along implicit hypergradients p, both of whose solves are as accurate as a schedule says,
/// with steps `x − p/L` whose L adapts.
///
/// With g the value of F, ε_k and ε_{k−1} the accuracies and Δ the distance moved: where
/// `g ≤ g_old + C ε_k + ε_{k−1}(C + 1)Δ − LΔ²`, C = ¼, L is multiplied by 0.95; where
/// `g ≥ g_min + 0.2 |g_min|`, g_min the least value so far, the step is taken back, L doubled and all later accuracies halved. So is a step to where F or p is not
/// finite. No step follows the last judgement, so the run ends at a point that was judged.
///
/// For a convex φ and exact values the first condition cannot hold, as `φ ≥ φ_old − LΔ²`: steps grow
/// only while the accuracies are coarse, and between the two conditions nothing changes. So values
/// may rise a little from step to step. The reference takes a step back at 1.2 g_old, by which small
/// rises add up without end (on a quadratic with L just below half its curvature), and which values
/// below 0 turn about.
///
/// # Requirements on the problem
/// F once and g twice differentiable; the Hessian of g in y positive definite at the solution. No
/// constants; nothing vouches for the accuracy being enough, so the values need not fall.
///
/// # Cost in oracle calls
/// In each iteration a solve of the lower level to `‖∇_y g‖ ≤ ε_k` by Newton's method from the last
/// y, and a linear system to `‖Hq − ∇_yF‖ ≤ ε_k` from the last q.
///
/// # Reference
/// F. Pedregosa, Hyperparameter optimization with approximate gradient, ICML 2016, and its code for
/// the rule of L.
#[derive(Clone, Debug, PartialEq)]
pub struct Hoag {
    iterations: usize,
    accuracy: Schedule,
    smoothness: Option<f64>,
    limit: usize,
    constraint: Constraint,
}

const C: f64 = 0.25;

impl Hoag {
    /// `iterations` steps, with accuracies `0.1 · 0.9ᵏ`, and the first step of length 1.
    ///
    /// The schedules of the reference are `Geometric { a, decay: 0.9 }`, and `Power { a, q }` with
    /// q = 2 and q = 3.
    pub fn new(iterations: usize) -> Self {
        Hoag {
            iterations,
            accuracy: Schedule::Geometric { a: 0.1, decay: 0.9 },
            smoothness: None,
            limit: NEWTON_LIMIT,
            constraint: Constraint::None,
        }
    }

    /// The accuracies ε_k; where they fall below 1e-10 (1e-5 in `f32`), that is taken instead.
    #[must_use]
    pub fn accuracy(mut self, schedule: Schedule) -> Self {
        self.accuracy = schedule;
        self
    }

    /// The first L; unless given, the norm of the first hypergradient.
    #[must_use]
    pub fn smoothness(mut self, l: f64) -> Self {
        self.smoothness = Some(l);
        self
    }

    /// The most iterations of Newton's method in one solve of the lower level, 200 unless given.
    #[must_use]
    pub fn lower_limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Projects every entry of x to `low ..= high`.
    #[must_use]
    pub fn bounds(self, low: f64, high: f64) -> Self {
        self.constraint(Constraint::Box { low, high })
    }

    /// Projects x to a set, at the start and after each step.
    #[must_use]
    pub fn constraint(mut self, constraint: Constraint) -> Self {
        self.constraint = constraint;
        self
    }

    fn complaint(&self) -> Option<String> {
        let none = (self.iterations == 0).then(|| "0 iterations: expected at least 1".to_owned());
        let unsolved = (self.limit == 0)
            .then(|| "at most 0 iterations on the lower level: expected at least 1".to_owned());
        let smoothness = self.smoothness.filter(|l| !(l.is_finite() && *l > 0.0));
        none.or(unsolved)
            .or(self.accuracy.complaint("accuracy"))
            .or(smoothness.map(|l| format!("smoothness {l}: expected a positive number")))
            .or(self.constraint.complaint())
    }
}

impl<T: Real> Method<T> for Hoag {
    fn name(&self) -> String {
        "hoag".into()
    }

    fn begin<'p>(
        &self,
        problem: &'p Bilevel<T>,
        mut x: DVector<T>,
    ) -> Result<Box<dyn Run<T> + 'p>, ConfigError> {
        problem.expect_no_step("hoag")?;
        if let Some(reason) = self.complaint() {
            let strategy = "hoag".into();
            return Err(ConfigError { strategy, reason });
        }
        assert_eq!(x.len(), problem.dim_x(), "entries of the outer variable");
        self.constraint.project(x.as_mut_slice());
        let work = problem.workspace();
        let meter = work.meter().clone();
        let (dim_x, dim_y) = (problem.dim_x(), problem.dim_y());
        let buffer = |len| Buffer::zeros(len, Category::Solver, &meter);
        Ok(Box::new(HoagRun {
            implicit: ImplicitVectors::new(dim_x, dim_y, &meter),
            spare: [buffer(dim_y), buffer(dim_y), buffer(dim_y)],
            kept_x: buffer(dim_x),
            kept_y: buffer(dim_y),
            kept_z: buffer(dim_x),
            kept: None,
            least: f64::INFINITY,
            y: problem.start().clone(),
            work,
            problem,
            x,
            smoothness: self.smoothness,
            sharper: 1.0,
            settings: self.clone(),
            iteration: 0,
        }))
    }
}

struct HoagRun<'p, T: Real> {
    settings: Hoag,
    problem: &'p Bilevel<T>,
    work: Workspace<T>,
    implicit: ImplicitVectors<T>,
    spare: [Buffer<T>; 3],
    /// The last point that was not taken back, and its hypergradient.
    kept_x: Buffer<T>,
    kept_y: Buffer<T>,
    kept_z: Buffer<T>,
    /// Its value and accuracy.
    kept: Option<(f64, f64)>,
    /// The least value of a point that was not taken back.
    least: f64,
    x: DVector<T>,
    y: DVector<T>,
    smoothness: Option<f64>,
    /// What accuracies are multiplied by.
    sharper: f64,
    iteration: usize,
}

impl<T: Real> HoagRun<'_, T> {
    /// Judges the step that led here by its value; whether it stays.
    fn judge(&mut self, value: f64, accuracy: f64) -> bool {
        let (Some((old, before)), Some(l)) = (self.kept, self.smoothness) else {
            return true;
        };
        let squares = self.x.iter().zip(self.kept_x.iter());
        let squares = squares.map(|(a, b)| (*a - *b).f64().powi(2));
        let moved = squares.sum::<f64>().sqrt();
        let allowed = C * accuracy + before * (C + 1.0) * moved - l * moved * moved;
        if value <= old + allowed {
            self.smoothness = Some(0.95 * l);
            return true;
        }
        // Written so that a NaN is taken back.
        let stays = value < self.least + 0.2 * self.least.abs();
        if !stays {
            self.smoothness = Some(2.0 * l);
            self.sharper *= 0.5;
        }
        stays
    }
}

impl<T: Real> Run<T> for HoagRun<'_, T> {
    fn step(&mut self) -> Option<Progress> {
        if self.iteration == self.settings.iterations {
            return None;
        }
        let accuracy = self.sharper * self.settings.accuracy.at(self.iteration);
        let accuracy = accuracy.max(default_tolerance::<T>());
        self.iteration += 1;
        let (upper, lower) = (&mut self.work.upper, &mut self.work.lower);
        let ImplicitVectors { q, z, cg } = &mut self.implicit;
        let (x, y) = (self.x.as_slice(), self.y.as_mut_slice());
        let until = (accuracy, self.settings.limit);
        let residual = newton(lower, x, y, until, &mut self.spare, cg).residual;
        let found = implicit_direction(upper, lower, [x, y], accuracy, q, z, cg);
        let size = norm(z).f64();
        let certificate = Certificate::stated(self.problem, x, y, size, upper, lower);
        let mut status = match found.status {
            Status::Converged if residual.is_nan() || residual > accuracy => {
                Status::LowerNotConverged {
                    residual,
                    tolerance: accuracy,
                }
            }
            status => status,
        };
        let usable = z.iter().all(|z| z.is_finite()) && found.value.is_finite();
        let mut warnings = Vec::new();
        let stays = usable && self.judge(found.value, accuracy);
        if stays {
            self.kept = Some((found.value, accuracy));
            self.least = self.least.min(found.value);
            self.kept_x.copy_from_slice(self.x.as_slice());
            self.kept_y.copy_from_slice(self.y.as_slice());
            self.kept_z.copy_from_slice(&self.implicit.z);
        } else if self.kept.is_some() {
            if !usable {
                self.smoothness = self.smoothness.map(|l| 2.0 * l);
                // What is not finite is no guess to start from.
                self.implicit.q.fill(T::zero());
            }
            self.y.copy_from_slice(&self.kept_y);
            status = Status::Converged;
            warnings.push(match usable {
                true => "steps that raised the upper objective were taken back".into(),
                false => "steps to where the objectives are not finite were taken back".into(),
            });
        } else {
            self.settings.iterations = self.iteration;
        }
        if self.kept.is_some() {
            // A hypergradient of 0 has nowhere to go.
            let first = norm(&self.kept_z).f64().max(f64::MIN_POSITIVE);
            let l = *self.smoothness.get_or_insert(first);
            self.x.copy_from_slice(&self.kept_x);
            if self.iteration < self.settings.iterations {
                axpy(self.x.as_mut_slice(), T::of(-1.0 / l), &self.kept_z);
            }
            self.settings.constraint.project(self.x.as_mut_slice());
        }
        Some(Progress {
            iteration: self.iteration,
            upper: found.value,
            lower_residual: residual,
            hypergradient_norm: size,
            status,
            accuracy: Some(accuracy),
            certificate,
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
        let (mut value, mut accuracy) = self.kept.unzip();
        ledger.optional("the value that was kept", &mut value);
        ledger.optional("the accuracy that was kept", &mut accuracy);
        self.kept = value.zip(accuracy);
        ledger.number("the least value", &mut self.least);
        ledger.optional("the smoothness", &mut self.smoothness);
        ledger.number("the factor of accuracies", &mut self.sharper);
        self.work.visit(ledger);
    }
}
