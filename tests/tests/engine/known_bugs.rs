//! Bugs found in well-known libraries for implicit and iterative differentiation, each as a copy
//! broken on purpose that its test tells from the right one:
//!
//! * conjugate gradients that break off before the new iterate is stored, and return the one before;
//! * conjugate gradients whose update of the residual ignores the damping of the step;
//! * conjugate gradients started warm whose first residual is b although the first guess is not 0;
//! * conjugate gradients that give up and return zeros without a word;
//! * conjugate gradients in single precision in which tiny cotangents underflow;
//! * Adam unrolled: the derivative of √0 makes the reverse pass NaN;
//! * a truncated gradient that is scaled as if the step's length were 1.

use autodiff::unroll::{Memory, Step, Unrolled};
use autodiff::{Meter, Objective, Real, Var, objective};
use nalgebra::{DMatrix, DVector, dvector};
use solvers::linear::{self, Cg, LinearSolver, Operator, Outcome, Report, Scratch};
use solvers::{Aid, Bilevel, Itd, Status, Strategy};

/// What a copy of conjugate gradients gets wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    /// Nothing: the copy is a right one.
    Nothing,
    /// The loop is left before the iterate is replaced.
    ReturnsTheOneBefore,
    /// The iterate moves by 0.9 of the step, the residual by all of it.
    IgnoresDamping,
    /// The first residual is b.
    StartsWarmAsIfCold,
    /// Zeros, and converged, where the iterations ran out.
    GivesUpSilently,
}

/// Conjugate gradients as in a textbook, without a scaling of the right-hand side.
#[derive(Clone, Copy, Debug)]
struct Copy {
    fault: Fault,
    tolerance: f64,
    limit: usize,
}

impl Copy {
    fn with(fault: Fault) -> Self {
        Copy {
            fault,
            tolerance: 1e-10,
            limit: 100,
        }
    }
}

impl<T: Real> LinearSolver<T> for Copy {
    fn name(&self) -> &'static str {
        "copy"
    }

    fn tolerance(&self) -> f64 {
        self.tolerance
    }

    fn bytes(&self, n: usize) -> usize {
        4 * n * size_of::<T>()
    }

    fn solve(
        &self,
        h: &mut dyn Operator<T>,
        b: &[T],
        v: &mut [T],
        _: &mut Scratch<'_, T>,
    ) -> Report {
        let n = b.len();
        let dot = |a: &[T], b: &[T]| (0..n).fold(T::zero(), |s, i| s + a[i] * b[i]);
        let damping = T::of(if self.fault == Fault::IgnoresDamping {
            0.9
        } else {
            1.0
        });
        let mut hp = vec![T::zero(); n];
        let mut r = b.to_vec();
        if self.fault != Fault::StartsWarmAsIfCold {
            h.apply(v, &mut hp);
            (0..n).for_each(|i| r[i] -= hp[i]);
        }
        let enough = T::of(self.tolerance * self.tolerance) * dot(b, b);
        let (mut p, mut rr, mut iterations) = (r.clone(), dot(&r, &r), 0);
        while rr > enough && iterations < self.limit {
            h.apply(&p, &mut hp);
            let alpha = rr / dot(&p, &hp);
            let next: Vec<T> = (0..n).map(|i| v[i] + damping * alpha * p[i]).collect();
            (0..n).for_each(|i| r[i] -= alpha * hp[i]);
            iterations += 1;
            let after = dot(&r, &r);
            if self.fault == Fault::ReturnsTheOneBefore && after <= enough {
                break;
            }
            v.copy_from_slice(&next);
            (0..n).for_each(|i| p[i] = r[i] + after / rr * p[i]);
            rr = after;
        }
        let out = rr > enough && iterations == self.limit;
        if out && self.fault == Fault::GivesUpSilently {
            v.fill(T::zero());
        }
        let silent = self.fault == Fault::GivesUpSilently;
        let outcome = if out && !silent {
            Outcome::Exhausted
        } else {
            Outcome::Converged
        };
        Report {
            outcome,
            iterations,
        }
    }
}

fn solve<T: Real>(
    solver: &dyn LinearSolver<T>,
    h: &DMatrix<f64>,
    b: &[f64],
    start: &[f64],
) -> (Vec<f64>, Report) {
    let narrow = |v: &[f64]| v.iter().map(|v| T::of(*v)).collect::<Vec<T>>();
    let h = h.map(T::of);
    let mut product = |p: &[T], out: &mut [T]| {
        out.copy_from_slice((&h * DVector::from_column_slice(p)).as_slice());
    };
    let mut v = narrow(start);
    let report = linear::solve(solver, &mut product, &narrow(b), &mut v, &Meter::new());
    (v.iter().map(|v| v.f64()).collect(), report)
}

fn is_close(got: &[f64], want: &[f64], tolerance: f64) -> bool {
    let off = got.iter().zip(want).map(|(a, b)| (a - b).abs());
    let size = want.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    off.fold(0.0, f64::max) <= tolerance * size
}

fn diagonal(d: &[f64]) -> DMatrix<f64> {
    DMatrix::from_diagonal(&DVector::from_column_slice(d))
}

/// The problem g = ½ (y − x)ᵀH(y − x), F = ½‖y‖², whose hypergradient at x is x.
fn quadratic(h: &DMatrix<f64>) -> Bilevel<f64> {
    let n = h.nrows();
    let lower = objective(|x: Var, y: Var| 0.5 * (h * (y - x)).dot(y - x));
    let upper = objective(|_: Var, y: Var| 0.5 * y.norm_squared());
    Bilevel::new(upper, lower, n, n).expect("valid")
}

#[test]
fn the_last_iterate_is_returned() {
    let right = |solver: &dyn LinearSolver<f64>| {
        let (half, _) = solve(solver, &diagonal(&[0.5; 3]), &[1.0, 2.0, 3.0], &[0.0; 3]);
        let (three, _) = solve(solver, &diagonal(&[1.0, 2.0, 3.0]), &[1.0; 3], &[0.0; 3]);
        let thirds = [1.0, 0.5, 1.0 / 3.0];
        [
            is_close(&half, &[2.0, 4.0, 6.0], 1e-12),
            is_close(&three, &thirds, 1e-12),
        ]
    };
    assert_eq!(right(&Cg::new()), [true; 2]);
    assert_eq!(right(&Copy::with(Fault::Nothing)), [true; 2]);
    assert_eq!(right(&Copy::with(Fault::ReturnsTheOneBefore)), [false; 2]);
    // The numbers that the bug was found by.
    let broken = Copy::with(Fault::ReturnsTheOneBefore);
    let (half, _) = solve::<f64>(&broken, &diagonal(&[0.5; 3]), &[1.0, 2.0, 3.0], &[0.0; 3]);
    assert_eq!(half, [0.0; 3]);
    let (three, _) = solve::<f64>(&broken, &diagonal(&[1.0, 2.0, 3.0]), &[1.0; 3], &[0.0; 3]);
    assert!(is_close(&three, &[0.9, 0.6, 0.3], 1e-12), "{three:?}");
}

/// The solver says that it converged; the residual recomputed from its solution tells.
#[test]
fn a_residual_that_ignores_the_damping_is_found_out() {
    let bilevel = quadratic(&diagonal(&[1.0, 2.0, 3.0, 4.0]));
    let x = dvector![1.0, -2.0, 0.5, 3.0];
    let run = |strategy: &dyn Strategy<f64>| {
        let estimate = strategy.hypergradient(&bilevel, &x, &mut bilevel.workspace());
        let estimate = estimate.expect("valid");
        let right = is_close(estimate.hypergradient.as_slice(), x.as_slice(), 1e-9);
        (right, estimate.status)
    };
    let single = |fault| {
        Aid::with(Copy {
            limit: 4,
            ..Copy::with(fault)
        })
    };
    assert_eq!(run(&Aid::cg()), (true, Status::Converged));
    assert_eq!(run(&single(Fault::Nothing)), (true, Status::Converged));
    let (right, status) = run(&single(Fault::IgnoresDamping));
    assert!(!right);
    assert_eq!(status.code(), "linear-not-converged", "{status}");
}

#[test]
fn a_warm_start_solves_the_same_system() {
    let h = diagonal(&[1.0, 2.0, 3.0]);
    let right = |solver: &dyn LinearSolver<f64>| {
        let (v, _) = solve(solver, &h, &[1.0; 3], &[5.0, -7.0, 100.0]);
        is_close(&v, &[1.0, 0.5, 1.0 / 3.0], 1e-9)
    };
    assert!(right(&Cg::new()));
    assert!(right(&Copy::with(Fault::Nothing)));
    assert!(!right(&Copy::with(Fault::StartsWarmAsIfCold)));
}

#[test]
fn giving_up_is_said_and_the_best_iterate_returned() {
    let d: Vec<f64> = (1..=20).map(|i| f64::from(i * i)).collect();
    let right = |solver: &dyn LinearSolver<f64>| {
        let (v, report) = solve(solver, &diagonal(&d), &[1.0; 20], &[0.0; 20]);
        let residual: f64 = (0..20).map(|i| (d[i] * v[i] - 1.0).powi(2)).sum();
        (residual < 20.0 && v != [0.0; 20], report.outcome)
    };
    let copy = |fault| Copy {
        limit: 3,
        ..Copy::with(fault)
    };
    let mild = Cg::new().max_iterations(3);
    assert_eq!(right(&mild), (true, Outcome::Exhausted));
    assert_eq!(
        right(&copy(Fault::GivesUpSilently)),
        (false, Outcome::Converged)
    );

    // Even from such a solver, an estimate does not claim success.
    let bilevel = quadratic(&diagonal(&d));
    let x = DVector::from_element(20, 1.0);
    let silent = Aid::with(copy(Fault::GivesUpSilently));
    let estimate = silent.hypergradient(&bilevel, &x, &mut bilevel.workspace());
    assert!(!estimate.expect("valid").status.is_success());
}

#[test]
fn tiny_cotangents_do_not_underflow() {
    let h = diagonal(&[1.0, 2.0, 3.0]);
    let b = [1e-30, 2e-30, 3e-30];
    let copy = Copy {
        tolerance: 1e-5,
        ..Copy::with(Fault::Nothing)
    };
    let right = |solver: &dyn LinearSolver<f32>| {
        is_close(&solve(solver, &h, &b, &[0.0; 3]).0, &[1e-30; 3], 1e-5)
    };
    assert!(right(&Cg::new()));
    // ‖b‖² is 0 in single precision: the copy, right otherwise, takes 0 for a solution.
    assert!(!right(&copy));
    let (large, _) = solve::<f32>(&copy, &h, &[1.0, 2.0, 3.0], &[0.0; 3]);
    assert!(is_close(&large, &[1.0; 3], 1e-5));
}

/// Adam on g(x, y) = ½(y₀ − x)², which never moves y₁: with `root(v)` for √v. The derivative by x
/// of y₀ after some steps, and where something is not finite.
fn adam(
    root: impl for<'r> Fn(Var<'r>) -> Var<'r> + std::marker::Copy,
) -> (f64, Option<autodiff::unroll::NonFiniteStep>) {
    let g = objective(|x: Var, y: Var| 0.5 * (y.at(0) - x).square() + 0.0 * x * y.at(1).square());
    let g = g.record(1, 2);
    let (b1, b2) = (0.9, 0.999);
    let correct = move |k: usize, c: &mut [f64]| {
        let t = k as i32 + 1;
        c.copy_from_slice(&[
            1.0 / (1.0 - f64::powi(b1, t)),
            1.0 / (1.0 - f64::powi(b2, t)),
        ]);
    };
    let step = Step::scheduled(1, 6, 2, correct, |x, state, c| {
        let (y, m, v) = (state.slice(0, 2), state.slice(2, 2), state.slice(4, 2));
        let d = Var::gradient(&g, 1, &[x, y]);
        let m = m * b1 + d * (1.0 - b1);
        let v = v * b2 + d.square() * (1.0 - b2);
        let moved = y - 0.1 * (m * c.at(0)) / (root(v * c.at(1)) + 1e-8);
        moved.concat(&[m, v])
    });
    let mut unrolled = Unrolled::new(step, &Meter::new());
    let (x, cotangent) = ([1.0], [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    unrolled.forward(&x, &[0.0; 6], 20, Memory::Stored);
    let by_x = unrolled.reverse(&cotangent).0[0];
    let found = unrolled.find_non_finite(&x, &[0.0; 6], 20, Memory::Stored, &cotangent);
    (by_x, found)
}

#[test]
fn unrolled_adam_is_finite_where_an_entry_does_not_move() {
    // √v at v = 0: NaN, and said where.
    let (by_x, found) = adam(|v| v.sqrt());
    assert!(by_x.is_nan());
    let found = found.expect("NaN");
    assert_eq!((found.step, found.back), (19, true));
    assert_eq!(found.at.expect("an operation").operation, "sqrt");
    // √(v + ε²) is what to write.
    let (by_x, found) = adam(|v| (v + 1e-24).sqrt());
    assert_eq!(found, None);
    // Differences of the same loop, with the formula of the entry that moves.
    let y = |x: f64| {
        let (mut y, mut m, mut v) = (0.0, 0.0, 0.0);
        for t in 1..=20 {
            let d: f64 = y - x;
            m = 0.9 * m + 0.1 * d;
            v = 0.999 * v + 0.001 * d * d;
            let c = (1.0 / (1.0 - 0.9f64.powi(t)), 1.0 / (1.0 - 0.999f64.powi(t)));
            y -= 0.1 * (m * c.0) / ((v * c.1 + 1e-24f64).sqrt() + 1e-8);
        }
        y
    };
    let slope = (y(1.0 + 1e-5) - y(1.0 - 1e-5)) / 2e-5;
    assert!((by_x - slope).abs() < 1e-8, "{by_x} and {slope}");
}

#[test]
fn a_truncated_gradient_has_the_steps_length() {
    // g = ½a(y − x)², F = ½(y − 1)² + ½x²: the last k of K steps give x + (1 − (1 − sa)^k)(y_K − 1).
    let a = 2.0;
    let lower = objective(move |x: Var, y: Var| 0.5 * a * (y - x).norm_squared());
    let upper = objective(|x: Var, y: Var| 0.5 * (y - 1.0).norm_squared() + 0.5 * x.norm_squared());
    let bilevel = Bilevel::new(upper, lower, 1, 1).expect("valid");
    let (x, depth) = (0.3, 9);
    for s in [0.2f64, 0.4, 0.05] {
        for steps in [1, 3, 9] {
            let y = x * (1.0 - (1.0 - s * a).powi(depth));
            let right = |by_x: f64| {
                let share = 1.0 - (1.0 - s * a).powi(steps);
                (by_x - (x + share * (y - 1.0))).abs() < 1e-14
            };
            let itd = Itd::reverse(depth as usize).step(s);
            let itd = itd.memory(Memory::Truncated {
                steps: steps as usize,
            });
            let estimate = itd.hypergradient(&bilevel, &dvector![x], &mut bilevel.workspace());
            assert!(
                right(estimate.expect("valid").hypergradient[0]),
                "{s}, {steps}"
            );
            // The sweep with and without the length of its steps: Σ (1 − sa)^j [s] a.
            let swept = |length: f64| {
                let terms = (0..steps).map(|j| (1.0 - s * a).powi(j) * length * a);
                x + terms.sum::<f64>() * (y - 1.0)
            };
            assert!(right(swept(s)));
            assert!(!right(swept(1.0)), "{s}, {steps}");
        }
    }
}
