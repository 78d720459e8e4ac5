//! Hypergradients of random bilevel problems.

use autodiff::kernels::axpy;
use autodiff::unroll::Memory;
use autodiff::{Point, Real};
use nalgebra::{DMatrix, DVector, SymmetricEigen};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use solvers::arbitrary::{Coordinates, Problem};
use solvers::linear::Cg;
use solvers::{Aid, Bda, Bilevel, Estimate, Exact, InnerStep, Itd, Strategy};

use crate::numbers::bits;

/// A strategy's hypergradient at a point; its settings are valid.
pub fn estimate<T: Real>(
    bilevel: &Bilevel<T>,
    x: &DVector<T>,
    strategy: &dyn Strategy<T>,
) -> Estimate<T> {
    let mut work = bilevel.workspace();
    strategy
        .hypergradient(bilevel, x, &mut work)
        .expect("valid settings")
}

fn close(what: &str, got: &DVector<f64>, want: &DVector<f64>, tolerance: f64) -> TestCaseResult {
    let bound = tolerance * (1.0 + want.norm());
    let error = (got - want).norm();
    prop_assert!(
        error <= bound,
        "{what}: {got:?}, not {want:?}: {error:e} above {bound:e}"
    );
    Ok(())
}

fn condition(problem: &Problem) -> f64 {
    let known = problem.constants();
    known.smoothness / known.strong_convexity
}

/// The longest step that descends for sure.
fn length(problem: &Problem) -> f64 {
    1.0 / problem.constants().smoothness
}

/// Conjugate gradients, to the rounding of the condition number.
fn implicit() -> Aid<Cg> {
    Aid::with(Cg::new().tolerance(1e-13)).lower_tolerance(1e-13)
}

/// A quadratic's answer is known: implicit strategies reach it.
pub fn implicit_strategies_reach_the_closed_form(problem: Problem) -> TestCaseResult {
    let problem = Problem {
        bend: 0.0,
        ..problem
    };
    let (bilevel, x) = (problem.bilevel::<f64>(), problem.x());
    let want = problem.hypergradient(&x).expect("a quadratic");
    let tolerance = 1e-12 * condition(&problem);
    for strategy in [
        &Exact as &dyn Strategy<f64>,
        &implicit(),
        &Aid::direct().lower_tolerance(1e-13),
    ] {
        let got = estimate(&bilevel, &x, strategy);
        close(&got.strategy, &got.hypergradient, &want, tolerance)?;
    }
    Ok(())
}

/// The dense Hessian of the lower level.
fn hessian(point: &mut Point<f64>, x: &[f64], y: &[f64]) -> DMatrix<f64> {
    point.linearise(&[x, y]);
    let n = y.len();
    let mut h = DMatrix::zeros(n, n);
    for j in 0..n {
        let unit = DVector::from_fn(n, |i, _| f64::from(i == j));
        point.second(&[None, Some(unit.as_slice())]);
        h.column_mut(j).copy_from_slice(point.product(1));
    }
    h
}

/// The constants that a problem states hold: the spectrum's ends, and how fast it moves.
pub fn the_stated_constants_hold(problem: Problem) -> TestCaseResult {
    let bilevel = problem.bilevel::<f64>();
    let mut point = bilevel.lower().point();
    let (x, y) = (problem.x(), problem.y());
    let known = problem.constants();
    let at = |point: &mut Point<f64>, y: &DVector<f64>| hessian(point, x.as_slice(), y.as_slice());
    let h = at(&mut point, &y);
    let eigenvalues = SymmetricEigen::new(h.clone()).eigenvalues;
    let slack = 1e-12;
    prop_assert!(
        eigenvalues.min() >= known.strong_convexity - slack,
        "{eigenvalues}"
    );
    prop_assert!(
        eigenvalues.max() <= known.smoothness + slack,
        "{eigenvalues}"
    );
    let moved = y.map(|v| 0.9 * v + 0.05);
    let change = SymmetricEigen::new(at(&mut point, &moved) - h)
        .eigenvalues
        .amax();
    prop_assert!(change <= known.hessian_lipschitz * (moved - y).norm() + slack);
    Ok(())
}

/// What implicit differentiation gives at (x, y) for a solution v of the linear system.
fn with_solution(bilevel: &Bilevel<f64>, x: &[f64], y: &[f64], v: &[f64]) -> DVector<f64> {
    let (mut upper, mut lower) = (bilevel.upper().point(), bilevel.lower().point());
    upper.linearise(&[x, y]);
    lower.linearise(&[x, y]);
    lower.second(&[None, Some(v)]);
    let mut result = upper.gradient(0).to_vec();
    axpy(&mut result, -1.0, lower.product(0));
    DVector::from_vec(result)
}

/// The system's products and right-hand side at (x, y).
fn system(
    bilevel: &Bilevel<f64>,
    x: &[f64],
    y: &[f64],
) -> (impl FnMut(&[f64]) -> Vec<f64>, Vec<f64>) {
    let (mut upper, mut lower) = (bilevel.upper().point(), bilevel.lower().point());
    upper.linearise(&[x, y]);
    lower.linearise(&[x, y]);
    let b = upper.gradient(1).to_vec();
    let product = move |v: &[f64]| {
        lower.second(&[None, Some(v)]);
        lower.product(1).to_vec()
    };
    (product, b)
}

/// `v ← v − s(Hv − b)`, so many times from 0.
fn fixed_point(
    mut product: impl FnMut(&[f64]) -> Vec<f64>,
    b: &[f64],
    s: f64,
    times: usize,
) -> Vec<f64> {
    let mut v = vec![0.0; b.len()];
    for _ in 0..times {
        let hv = product(&v);
        for i in 0..v.len() {
            v[i] -= s * (hv[i] - b[i]);
        }
    }
    v
}

/// `s Σ (I − sH)^k b` for k up to `last`.
fn neumann(
    mut product: impl FnMut(&[f64]) -> Vec<f64>,
    b: &[f64],
    s: f64,
    last: usize,
) -> Vec<f64> {
    let mut term: Vec<f64> = b.iter().map(|b| s * b).collect();
    let mut sum = term.clone();
    for _ in 0..last {
        let h_term = product(&term);
        axpy(&mut term, -s, &h_term);
        axpy(&mut sum, 1.0, &term);
    }
    sum
}

const TERMS: [usize; 4] = [1, 2, 7, 30];

/// K steps unrolled from y* are K fixed-point steps on the linear system there.
pub fn itd_from_the_solution_is_the_fixed_point_of_aid(problem: Problem) -> TestCaseResult {
    let (bilevel, x, s) = (problem.bilevel::<f64>(), problem.x(), length(&problem));
    let solution = estimate(&bilevel, &x, &Exact).y;
    let (xs, y) = (x.as_slice(), solution.as_slice());
    let bilevel = bilevel.clone().starting_from(solution.clone());
    for steps in TERMS {
        let (product, b) = system(&bilevel, xs, y);
        let want = with_solution(&bilevel, xs, y, &fixed_point(product, &b, s, steps));
        let got = estimate(&bilevel, &x, &Itd::reverse(steps).step(s)).hypergradient;
        // y* is a solution up to the rounding of its condition.
        close(
            "ITD from y*",
            &got,
            &want,
            1e-13 * condition(&problem) + 1e-12,
        )?;
    }
    Ok(())
}

/// A Neumann series up to power K is K + 1 fixed-point steps.
pub fn a_neumann_series_is_the_fixed_point_with_one_step_more(problem: Problem) -> TestCaseResult {
    let (bilevel, s) = (problem.bilevel::<f64>(), length(&problem));
    let (x, y) = (problem.x(), problem.y());
    for last in TERMS {
        let (product, b) = system(&bilevel, x.as_slice(), y.as_slice());
        let series = DVector::from_vec(neumann(product, &b, s, last));
        let (product, b) = system(&bilevel, x.as_slice(), y.as_slice());
        let steps = DVector::from_vec(fixed_point(product, &b, s, last + 1));
        close("Neumann", &series, &steps, 1e-13)?;
    }
    Ok(())
}

/// Every memory policy, a truncation to all steps among them, gives the bits of all states stored.
pub fn memory_policies_give_the_same_hypergradient(problem: Problem) -> TestCaseResult {
    let (bilevel, x, s) = (problem.bilevel::<f64>(), problem.x(), length(&problem));
    let depth = 11;
    let itd = Itd::reverse(depth).step(s);
    let momentum = itd.clone().inner(InnerStep::Momentum(0.5));
    let bda = Bda::new(depth).steps(s, s);
    let policies = [
        Memory::Taped,
        Memory::Checkpointed { slots: 3 },
        Memory::Online { slots: 3 },
        Memory::Disk { slots: 3 },
        Memory::Truncated { steps: depth },
    ];
    let of = |strategy: &dyn Strategy<f64>| {
        bits(estimate(&bilevel, &x, strategy).hypergradient.as_slice())
    };
    let stored = [of(&itd), of(&momentum), of(&bda)];
    for memory in policies {
        let got = [
            of(&itd.clone().memory(memory)),
            of(&momentum.clone().memory(memory)),
            of(&bda.clone().memory(memory)),
        ];
        prop_assert_eq!(&got, &stored, "{}", memory);
    }
    Ok(())
}

/// The permutation that reverses, after a turn by one.
fn permutation(n: usize) -> Vec<usize> {
    (0..n).map(|i| (2 * n - 1 - i + 1) % n).collect()
}

fn permuting(n: usize) -> DMatrix<f64> {
    let to = permutation(n);
    DMatrix::from_fn(n, n, |i, j| f64::from(to[j] == i))
}

/// Permuting the entries of x and y permutes the hypergradient, and the order of the samples does
/// not matter.
pub fn permutations_permute(problem: Problem) -> TestCaseResult {
    let s = length(&problem);
    let strategies: [&dyn Strategy<f64>; 5] = [
        &Exact,
        &implicit(),
        &Itd::reverse(9).step(s),
        &Itd::reverse(9).step(s).inner(InnerStep::Nesterov(0.5)),
        &Bda::new(9).steps(s, s),
    ];
    let coordinates = Coordinates {
        x: permuting(problem.dim_x),
        y: permuting(problem.dim_y),
        samples: permutation(problem.samples),
    };
    equivariant(&problem, &coordinates, strategies)
}

fn equivariant<const N: usize>(
    problem: &Problem,
    coordinates: &Coordinates,
    strategies: [&dyn Strategy<f64>; N],
) -> TestCaseResult {
    let (plain, other) = (
        problem.bilevel::<f64>(),
        problem.bilevel_in::<f64>(coordinates),
    );
    let x = problem.x();
    let inverse = coordinates.x.clone().try_inverse().expect("invertible");
    for strategy in strategies {
        let want = coordinates
            .x
            .tr_mul(&estimate(&plain, &x, strategy).hypergradient);
        let got = estimate(&other, &(&inverse * &x), strategy).hypergradient;
        close(&strategy.name(), &got, &want, 1e-12 * condition(problem))?;
    }
    Ok(())
}

/// Scaling the entries of x scales the hypergradient's the other way; scaling those of y changes
/// no implicit answer, and no unrolled one if the step's length is scaled along.
pub fn scalings_scale(problem: Problem) -> TestCaseResult {
    let s = length(&problem);
    let powers = |n: usize| DVector::from_fn(n, |i, _| [0.5, 2.0, 1.0, 0.25][i % 4]);
    let mut coordinates = Coordinates::identity(&problem);
    coordinates.x = DMatrix::from_diagonal(&powers(problem.dim_x));
    let unrolled = Itd::reverse(9).step(s);
    equivariant(&problem, &coordinates, [&unrolled, &implicit(), &Exact])?;
    coordinates.y = DMatrix::from_diagonal(&powers(problem.dim_y));
    equivariant(
        &problem,
        &coordinates,
        [
            &Exact as &dyn Strategy<f64>,
            &Aid::direct().lower_tolerance(1e-13),
        ],
    )?;

    // y = 4 y′ makes the curvature 16 times as large.
    coordinates.y = DMatrix::identity(problem.dim_y, problem.dim_y) * 4.0;
    let (plain, other) = (
        problem.bilevel::<f64>(),
        problem.bilevel_in::<f64>(&coordinates),
    );
    let x = problem.x();
    let moved = x.component_div(&powers(problem.dim_x));
    let want = coordinates
        .x
        .tr_mul(&estimate(&plain, &x, &unrolled).hypergradient);
    let got = estimate(&other, &moved, &Itd::reverse(9).step(s / 16.0)).hypergradient;
    close("ITD, scaled", &got, &want, 1e-12)
}

/// Single precision is within its rounding of double: of the K steps for unrolled strategies, of
/// the condition number for implicit ones.
pub fn single_precision_is_within_its_rounding(problem: Problem) -> TestCaseResult {
    let s = length(&problem);
    let (double, single) = (problem.bilevel::<f64>(), problem.bilevel::<f32>());
    let x = problem.x();
    let narrow = x.map(|v| v as f32);
    let depth = 20;
    let pair: [(&dyn Strategy<f64>, &dyn Strategy<f32>, f64); 3] = [
        (
            &Itd::reverse(depth).step(s),
            &Itd::reverse(depth).step(s),
            16.0 * depth as f64,
        ),
        (
            &Bda::new(depth).steps(s, s),
            &Bda::new(depth).steps(s, s),
            16.0 * depth as f64,
        ),
        (&Exact, &Exact, 64.0 * condition(&problem).powi(2)),
    ];
    for (wide, thin, growth) in pair {
        let want = estimate(&double, &x, wide).hypergradient;
        let got = estimate(&single, &narrow, thin)
            .hypergradient
            .map(f64::from);
        close(&wide.name(), &got, &want, f64::from(f32::EPSILON) * growth)?;
    }
    Ok(())
}
