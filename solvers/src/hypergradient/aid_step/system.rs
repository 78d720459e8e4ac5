//! The linear system of a fixed point, which is not symmetric: `(I − A) p = b`, `A = (∂_yΦ)ᵀ`.

use autodiff::Real;
use autodiff::kernels::{add, norm};
use autodiff::unroll::Unrolled;

use crate::accuracy::PROBED;
use crate::inner::InnerStep;
use crate::linear::{Cg, Gmres, LinearSolver, Operator, Scratch, system::along_all};

/// How `(I − ∂_yΦ)ᵀ p = ∇_yF` is solved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StepSystem {
    /// `p ← ∇_yF + (∂_yΦ)ᵀ p`: contracts as fast as the steps themselves, with no vectors beside p.
    #[default]
    Iteration,
    /// [`Cg`](crate::linear::Cg), where ∂_yΦ is symmetric.
    Cg,
    /// [`Gmres`](crate::linear::Gmres).
    Gmres {
        /// Iterations between two starts; at least 1.
        restart: usize,
    },
}

/// The step at the fixed point, with the product of its transposed derivative.
pub(in super::super) struct Linearised<'a, T: Real> {
    /// After a forward pass of one step.
    pub(in super::super) steps: &'a mut Unrolled<T>,
    pub(in super::super) inner: &'a InnerStep,
    /// As long as the state.
    pub(in super::super) cotangent: &'a mut [T],
}

impl<T: Real> Linearised<'_, T> {
    /// Overwrites `out` with `(∂_yΦ)ᵀ p`, and returns `(∂_xΦ)ᵀ p`.
    pub(in super::super) fn pull(&mut self, p: &[T], out: &mut [T]) -> &[T] {
        let (first, rest) = self.cotangent.split_at_mut(p.len());
        first.copy_from_slice(p);
        rest.fill(T::zero());
        let (by_x, by_start) = self.steps.reverse(self.cotangent);
        self.inner.pull_start(by_start, out);
        by_x
    }

    /// Overwrites `out` with `b − p + (∂_yΦ)ᵀ p`, and returns its norm.
    pub(super) fn residual(&mut self, b: &[T], p: &[T], out: &mut [T]) -> f64 {
        self.pull(p, out);
        for ((out, b), p) in out.iter_mut().zip(b).zip(p) {
            *out = *b + *out - *p;
        }
        norm(out).f64()
    }
}

/// I − A.
impl<T: Real> Operator<T> for Linearised<'_, T> {
    fn apply(&mut self, v: &[T], out: &mut [T]) {
        self.pull(v, out);
        for (out, v) in out.iter_mut().zip(v) {
            *out = *v - *out;
        }
    }
}

/// How a solve ended.
pub(super) struct Solution {
    /// ‖b − (I − A) p‖ / ‖b‖, recomputed from p.
    pub(super) residual: f64,
    pub(super) iterations: usize,
    /// How much (I − A)⁻¹ was seen to lengthen a vector, at least: y is about this many steps off
    /// the fixed point.
    pub(super) reach: f64,
    /// The most negative value of vᵀ(I − A)v met, in units of the largest, if that is negative beyond
    /// rounding: no step with a smooth part that is convex has one, and the fixed point repels.
    pub(super) repels: Option<f64>,
    /// An estimate of how far p is off, as a part of its size.
    pub(super) error: f64,
}

/// GMRES on a problem that is small enough to be probed.
fn probe(n: usize) -> Gmres {
    Gmres::new(n).tolerance(1e-3).max_iterations(n)
}

/// Entries of scratch that [`solve`] takes for `n` unknowns.
pub(super) fn scratch<T: Real>(system: StepSystem, n: usize) -> usize {
    let own = match system {
        StepSystem::Iteration => n,
        StepSystem::Cg => n + LinearSolver::<T>::scratch(&Cg::new(), n),
        StepSystem::Gmres { restart } => LinearSolver::<T>::scratch(&Gmres::new(restart), n),
    };
    let probed = match n <= PROBED {
        true => LinearSolver::<T>::scratch(&probe(n), n),
        false => 0,
    };
    n + own.max(probed)
}

/// Overwrites `p` with the solution for the right-hand side `b`.
pub(super) fn solve<T: Real>(
    system: StepSystem,
    (tolerance, limit): (f64, usize),
    linearised: &mut Linearised<'_, T>,
    b: &[T],
    p: &mut [T],
    scratch: &mut Scratch<'_, T>,
) -> Solution {
    let (mut reach, mut repels) = (1.0, None);
    let n = b.len();
    let ([right], mut scratch) = scratch.split(n);
    if n <= PROBED {
        // On small problems a system with another right-hand side, which no direction is orthogonal
        // to, meets what b may hide.
        along_all(right);
        p.fill(T::zero());
        let met = probe(n).run(linearised, right, p, &mut scratch);
        (reach, repels) = (met.reach, met.negative::<T>());
    }
    p.fill(T::zero());
    let scale = norm(b);
    if scale == T::zero() {
        return Solution {
            residual: 0.0,
            iterations: 0,
            reach,
            repels,
            error: 0.0,
        };
    }
    // A tiny right-hand side would underflow in the inner products.
    for (right, b) in right.iter_mut().zip(b) {
        *right = *b / scale;
    }
    let solution = match system {
        StepSystem::Iteration => {
            let [residual] = scratch.vectors(n);
            iterate(linearised, right, p, residual, tolerance, limit)
        }
        StepSystem::Cg => {
            let ([left], mut scratch) = scratch.split(n);
            let cg = Cg::new().tolerance(tolerance).max_iterations(limit);
            let report = cg.solve(linearised, right, p, &mut scratch);
            Solution {
                residual: linearised.residual(right, p, left),
                iterations: report.iterations,
                reach: norm(p).f64(),
                repels: None,
                error: f64::NAN,
            }
        }
        StepSystem::Gmres { restart } => {
            let gmres = Gmres::new(restart)
                .tolerance(tolerance)
                .max_iterations(limit);
            let met = gmres.run(linearised, right, p, &mut scratch);
            Solution {
                residual: met.residual,
                iterations: met.report.iterations,
                reach: met.reach,
                repels: met.negative::<T>(),
                error: f64::NAN,
            }
        }
    };
    let reach = solution.reach.max(reach);
    // I − A itself is known to the precision and no better.
    let residual = solution.residual / norm(p).f64();
    let error = residual.max(T::EPSILON) * reach;
    p.iter_mut().for_each(|p| *p *= scale);
    Solution {
        reach,
        error,
        repels: solution.repels.or(repels),
        ..solution
    }
}

/// Growth of the residual after which an iteration is given up.
const DIVERGED: f64 = 1e6;

fn iterate<T: Real>(
    linearised: &mut Linearised<'_, T>,
    b: &[T],
    p: &mut [T],
    residual: &mut [T],
    tolerance: f64,
    limit: usize,
) -> Solution {
    let mut iterations = 0;
    let (mut last, mut rate) = (f64::NAN, 0.0);
    loop {
        let reached = linearised.residual(b, p, residual);
        // What is below the root of the precision may be rounding.
        if reached > T::EPSILON.sqrt() {
            rate = (reached / last).clamp(0.0, 1.0);
            last = reached;
        }
        let lost = reached >= DIVERGED || reached.is_nan();
        if reached <= tolerance || iterations == limit || lost {
            return Solution {
                residual: reached,
                iterations,
                reach: norm(p).f64().max(1.0 / (1.0 - rate)),
                repels: None,
                error: f64::NAN,
            };
        }
        add(p, residual);
        iterations += 1;
    }
}
