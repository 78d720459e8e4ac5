//! What is known of the unkind lower levels, found another way: by the recorded objectives.

use nalgebra::{DMatrix, DVector};
use solvers::arbitrary::unkind::{Case, Danger, Family, Solution};
use solvers::{Bilevel, Constraint, FixedPart};

/// Cases of each family.
const CASES: u64 = 400;

fn cases(of: impl Fn(&Case) -> bool) -> impl Iterator<Item = Case> {
    let all = Family::ALL.into_iter();
    let cases = all.flat_map(|f| (0..CASES).map(move |i| Case::of_family(f, 17, i)));
    cases.filter(move |c| !c.truth.solutions.is_empty() && of(c))
}

fn named(case: &Case) -> String {
    let (family, number) = (case.family, case.number);
    format!("{family:?} {number}, {}", case.form)
}

/// The lower objective with its threshold, and whether y is in the set.
fn lower(case: &Case, problem: &Bilevel<f64>, y: &DVector<f64>) -> f64 {
    let g = problem
        .lower()
        .point()
        .value(&[case.x.as_slice(), y.as_slice()]);
    match case.set {
        Some(FixedPart::L1 { weight }) => g + weight * y.lp_norm(1),
        _ => g,
    }
}

fn into_the_set(case: &Case, y: &mut DVector<f64>) {
    if let Some(FixedPart::Set(constraint)) = case.set {
        // The simplex of a part has a sum of its own.
        let sum = match constraint {
            Constraint::Simplex => case.truth.solutions[0].y.sum(),
            _ => 1.0,
        };
        *y /= sum;
        Constraint::project(constraint, y.as_mut_slice());
        *y *= sum;
    }
}

/// No point beside a solution has a lower value than rounding explains.
#[test]
fn solutions_are_minimisers() {
    let mut looked = 0;
    for case in cases(|c| !c.form.contains("F without")) {
        let problem = case.bilevel::<f64>();
        for solution in &case.truth.solutions {
            let best = lower(&case, &problem, &solution.y);
            let gradient_terms = best.abs();
            for k in 0..40 {
                let size = case.size(solution) * 10f64.powi(-(k % 4) - 1);
                let wave = |i: usize| (1.0 + 0.7 * (i as f64) + 2.3 * f64::from(k)).sin();
                let mut y = &solution.y + DVector::from_fn(solution.y.len(), |i, _| wave(i)) * size;
                into_the_set(&case, &mut y);
                if case.violation(&y) > 0.0 {
                    continue;
                }
                let value = lower(&case, &problem, &y);
                let slack = 1e-9 * gradient_terms.max(value.abs());
                assert!(
                    // Outside of a domain there is no value.
                    value.is_nan() || value >= best - slack,
                    "{}: {value:e} below {best:e} at {size:e}",
                    named(&case)
                );
                looked += 1;
            }
        }
    }
    assert!(looked > 10_000, "{looked}");
}

/// H y′ = −∇²_yx g and ∇_y g = 0 where g is smooth and held by nothing.
#[test]
fn slopes_solve_the_implicit_equation() {
    let mut looked = 0;
    let smooth = |c: &Case| {
        let held = c.set.is_some() || c.family == Family::Constraints;
        !held && c.truth.danger == Danger::None
            || ["double well", "KL divergence", "quartic"].contains(&c.form)
    };
    // Smooth functions made of kinked operations are looked at beside their kinks alone.
    let beside = |c: &Case| c.family != Family::Kinks || c.x.norm() > 0.0;
    for case in cases(|c| smooth(c) && beside(c)) {
        let problem = case.bilevel::<f64>();
        for solution in &case.truth.solutions {
            let (worst_gradient, worst) = residuals(&case, &problem, solution);
            assert!(
                worst_gradient < 1e-6,
                "{}: {worst_gradient:e}",
                named(&case)
            );
            assert!(worst < 1e-6, "{}: slope {worst:e}", named(&case));
            looked += 1;
        }
    }
    assert!(looked > 1000, "{looked}");
}

/// ‖∇_y g‖ and ‖H y′ + ∇²_yx g‖, each in units of what its terms have.
fn residuals(case: &Case, problem: &Bilevel<f64>, solution: &Solution) -> (f64, f64) {
    let mut point = problem.lower().point();
    let at = [case.x.as_slice(), solution.y.as_slice()];
    point.linearise(&at);
    let gradient = DVector::from_column_slice(point.gradient(1));
    let (n, m) = (solution.y.len(), case.x.len());
    let mut hessian = DMatrix::zeros(n, n);
    let mut cross = DMatrix::zeros(n, m);
    for i in 0..n {
        let e = DVector::from_fn(n, |j, _| f64::from(i == j));
        point.second(&[None, Some(e.as_slice())]);
        hessian.column_mut(i).copy_from_slice(point.product(1));
        cross.row_mut(i).copy_from_slice(point.product(0));
    }
    let terms = hessian.norm() * case.size(solution) + cross.norm() * case.x.norm();
    let size = hessian.norm() * solution.slope.norm() + cross.norm();
    let left = (&hessian * &solution.slope + &cross).norm();
    let part = |a: f64, b: f64| if a == 0.0 { 0.0 } else { a / b };
    (part(gradient.norm(), terms), part(left, size))
}

/// Solutions at x beside follow the slope.
#[test]
fn slopes_are_those_of_the_solutions() {
    let mut looked = 0;
    for case in cases(|c| c.truth.danger != Danger::Ambiguous) {
        for (which, solution) in case.truth.solutions.iter().enumerate() {
            for k in 0..case.x.len() {
                let step = 1e-6 * case.unit_of_x();
                let at = |sign: f64| {
                    let mut x = case.x.clone();
                    x[k] += sign * step;
                    let truth = case.truth_at(&x);
                    truth.solutions[which].y.clone()
                };
                let want = (at(1.0) - at(-1.0)) / (2.0 * step);
                let off = (&want - solution.slope.column(k)).norm();
                let rounding = 1e-9 * solution.y.norm() / step;
                assert!(
                    off <= 1e-4 * (want.norm() + solution.slope.norm()) + rounding,
                    "{}: {want} is not {}",
                    named(&case),
                    solution.slope.column(k)
                );
                looked += 1;
            }
        }
    }
    assert!(looked > 1000, "{looked}");
}

/// The hypergradient is the derivative of F along the solutions.
#[test]
fn hypergradients_are_differences_of_the_upper_level() {
    let mut looked = 0;
    for case in cases(|c| c.truth.danger != Danger::Ambiguous && !c.form.contains("F without")) {
        let problem = case.bilevel::<f64>();
        let mut point = problem.upper().point();
        for (which, solution) in case.truth.solutions.iter().enumerate() {
            let want = case.hypergradient(solution);
            for k in 0..case.x.len() {
                let step = 1e-5 * case.unit_of_x();
                let mut value = |sign: f64| {
                    let mut x = case.x.clone();
                    x[k] += sign * step;
                    let y = &case.truth_at(&x).solutions[which].y;
                    point.value(&[x.as_slice(), y.as_slice()])
                };
                let (above, below) = (value(1.0), value(-1.0));
                let found = (above - below) / (2.0 * step);
                let rounding = 1e-9 * (above.abs() + below.abs()) / step;
                assert!(
                    (found - want[k]).abs() <= 1e-4 * want.norm() + rounding,
                    "{}: {found:e} for {:e}",
                    named(&case),
                    want[k]
                );
                looked += 1;
            }
        }
    }
    assert!(looked > 1000, "{looked}");
}

/// Where there is no solution, no start is spared: from any point there is a way down, or the level
/// has no value there.
#[test]
fn levels_without_a_solution_have_none() {
    let mut looked = 0;
    for number in 0..CASES {
        let case = Case::of_family(Family::Nowhere, 23, number);
        assert!(case.truth.solutions.is_empty());
        let problem = case.bilevel::<f64>();
        let mut point = problem.lower().point();
        let n = case.start.len();
        let unit = case.size(&Solution {
            y: DVector::zeros(n),
            slope: DMatrix::zeros(n, case.x.len()),
        });
        let far = 1e7 * unit + 10.0 * case.start.norm();
        let mut value = |y: &DVector<f64>| point.value(&[case.x.as_slice(), y.as_slice()]);
        let here = value(&case.start);
        // Along each axis and the diagonals that the signs of these give.
        let ways = (0..n).flat_map(|i| {
            [1.0, -1.0].map(|s| DVector::from_fn(n, |j, _| if i == j { s } else { 0.0 }))
        });
        let found = ways
            .into_iter()
            .any(|way| value(&(&case.start + way * far)) < here);
        let tail =
            case.form.contains("tail") || case.form.contains("ridge") || case.form == "softplus";
        assert!(found || tail, "{}: {here:e}", named(&case));
        looked += usize::from(found);
    }
    assert!(looked as u64 > CASES / 3, "{looked}");
}

#[test]
fn a_case_is_a_function_of_its_seed_and_number() {
    for number in 0..50 {
        let (first, again) = (Case::draw(5, number), Case::draw(5, number));
        assert_eq!(format!("{first:?}"), format!("{again:?}"));
        assert_ne!(format!("{first:?}"), format!("{:?}", Case::draw(6, number)));
    }
}

/// In single precision the problem is the same: its numbers are those that `f32` holds.
#[test]
fn the_numbers_of_a_case_are_those_of_its_precision() {
    let mut looked = 0;
    for case in (0..500).map(|i| Case::draw(9, i)).filter(|c| c.single) {
        for v in case.x.iter().chain(&case.start) {
            assert_eq!(f64::from(*v as f32), *v);
        }
        looked += 1;
    }
    assert!(looked > 50, "{looked}");
}
