//! Identities between the sweeps.
//!
//! Two ways to one number differ by rounding alone: the bound is the unit roundoff times the
//! number of operations times the size of the terms, so that a wrong or missing term stands out.

use crate::arbitrary::Case;
use crate::inputs::Inputs;
use crate::point::Point;
use crate::program::Program;
use crate::real::Real;
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use crate::arbitrary::numbers::{
    directions, dot, gradients, joint_dot, largest, products, shifted, slices,
};

/// What rounding may leave of a difference between sums of terms of size `terms`.
pub fn rounding<T: Real>(program: &Program<T>, terms: f64) -> f64 {
    SLACK * T::EPSILON * program.len() as f64 * (1.0 + terms)
}

/// For the growth of rounding errors through a program, whose values and derivatives are of order
/// one but not bounded by it.
const SLACK: f64 = 64.0;

pub(super) fn close<T: Real>(
    what: &str,
    program: &Program<T>,
    a: f64,
    b: f64,
    terms: f64,
) -> TestCaseResult {
    let bound = rounding(program, terms);
    // Not `>`, which a NaN would pass.
    prop_assert!(
        (a - b).abs() <= bound,
        "{what}: {a:e} and {b:e} differ by {:e}, more than {bound:e}\n{program:?}",
        (a - b).abs()
    );
    Ok(())
}

/// The program's point, linearised at the case's inputs.
pub fn linearised(case: &Case) -> Point<f64> {
    let mut point = case.graph.record::<f64>().point();
    point.linearise(&slices(&case.at()));
    point
}

/// The products along a direction.
pub fn second(point: &mut Point<f64>, along: &[Vec<f64>]) -> Vec<Vec<f64>> {
    point.second(&directions(along));
    products(point)
}

/// ⟨u, Jv⟩ = ⟨Jᵀu, v⟩.
pub fn tangents_and_adjoints_are_transposes(case: Case) -> TestCaseResult {
    let program = case.graph.record_vector::<f64>();
    let (mut point, v) = (program.point(), case.v());
    let entries = point.linearise_vector(&slices(&case.at())).len();
    let u = case.cotangent(entries);
    point.pull_back(&u, Inputs::ALL);
    let pulled = gradients(&point);
    let pushed = point.push_forward(&directions(&v));
    let pushed = pushed.map_or_else(|| vec![0.0; u.len()], <[f64]>::to_vec);
    let (left, size) = dot(&u, &pushed);
    let (right, other) = joint_dot(&pulled, &v);
    close("⟨u, Jv⟩ = ⟨Jᵀu, v⟩", &program, left, right, size + other)
}

/// Df·v = ⟨∇f, v⟩.
pub fn the_directional_derivative_is_the_gradient_times_the_direction(
    case: Case,
) -> TestCaseResult {
    let mut point = linearised(&case);
    let (want, size) = joint_dot(&gradients(&point), &case.v());
    let got = point.directional(&directions(&case.v()));
    close("Df·v = ⟨∇f, v⟩", &point.program().clone(), got, want, size)
}

/// ⟨w, Hv⟩ = ⟨v, Hw⟩.
pub fn the_hessian_is_symmetric_over_all_inputs_jointly(case: Case) -> TestCaseResult {
    let mut point = linearised(&case);
    let (v, w) = (case.v(), case.w());
    let hv = second(&mut point, &v);
    let hw = second(&mut point, &w);
    let (left, size) = joint_dot(&w, &hv);
    let (right, other) = joint_dot(&v, &hw);
    close(
        "⟨w, Hv⟩ = ⟨v, Hw⟩",
        point.program(),
        left,
        right,
        size + other,
    )
}

/// The block of the Hessian between the first input and the last, read either way.
pub fn the_cross_block_is_the_same_from_both_sides(case: Case) -> TestCaseResult {
    let mut point = linearised(&case);
    let (v, w) = (case.v(), case.w());
    let last = v.len() - 1;
    let only = |k: usize, d: &'_ [f64]| -> Vec<Vec<f64>> {
        let blank = |(i, v): (usize, &Vec<f64>)| match i == k {
            true => d.to_vec(),
            false => vec![0.0; v.len()],
        };
        v.iter().enumerate().map(blank).collect()
    };
    // A direction that is `None` is one of zeros.
    let mut alone: Vec<Option<&[f64]>> = vec![None; v.len()];
    alone[0] = Some(&v[0]);
    point.second(&alone);
    let by_none = products(&point);
    let by_zeros = second(&mut point, &only(0, &v[0]));
    for (a, b) in by_none.iter().zip(&by_zeros) {
        prop_assert_eq!(a, b);
    }
    let from_last = second(&mut point, &only(last, &w[last]));
    let (left, size) = dot(&w[last], &by_none[last]);
    let (right, other) = dot(&v[0], &from_last[0]);
    close("cross block", point.program(), left, right, size + other)
}

/// H(v − 2.5 w) = Hv − 2.5 Hw.
pub fn the_second_sweep_is_linear_in_its_direction(case: Case) -> TestCaseResult {
    let mut point = linearised(&case);
    let (v, w) = (case.v(), case.w());
    let hv = second(&mut point, &v);
    let hw = second(&mut point, &w);
    let joint = second(&mut point, &shifted(&v, -2.5, &w));
    for (k, joint) in joint.iter().enumerate() {
        let terms = largest(&hv[k]) + 2.5 * largest(&hw[k]);
        for (i, got) in joint.iter().enumerate() {
            let want = hv[k][i] - 2.5 * hw[k][i];
            close("H(v − 2.5 w)", point.program(), *got, want, terms)?;
        }
    }
    Ok(())
}

/// Value, gradients and products in `f32` are within the rounding of `f32` of those in `f64`.
pub fn single_precision_is_within_its_rounding_of_double(case: Case) -> TestCaseResult {
    let single = |a: &[Vec<f64>]| -> Vec<Vec<f32>> {
        let cast = |v: &Vec<f64>| v.iter().map(|v| *v as f32).collect();
        a.iter().map(cast).collect()
    };
    let mut exact = case.graph.record::<f64>().point();
    let mut point = case.graph.record::<f32>().point();
    // The numbers drawn are ones that single precision has.
    let (at, v) = (case.at(), case.v());
    let want = exact.linearise(&slices(&at));
    let got = point.linearise(&slices(&single(&at)));
    exact.second(&directions(&v));
    point.second(&directions(&single(&v)));
    let program = point.program();
    close("value", program, got.f64(), want, want.abs())?;
    let pairs = [
        ("gradient", gradients(&exact), gradients(&point)),
        ("product", products(&exact), products(&point)),
    ];
    for (what, exact, got) in pairs {
        let terms = exact.iter().map(|v| largest(v)).fold(0.0, f64::max);
        for (want, got) in exact.iter().flatten().zip(got.iter().flatten()) {
            close(what, program, got.f64(), *want, terms)?;
        }
    }
    Ok(())
}

/// `stop_gradient` of an input.
pub fn a_stopped_input_has_no_derivative_and_changes_no_other(case: Case) -> TestCaseResult {
    let mut point = linearised(&case);
    let mut stopped = case.graph.record_stopped::<f64>(0).point();
    let value = stopped.linearise(&slices(&case.at()));
    prop_assert_eq!(value, point.value(&slices(&case.at())));
    point.linearise(&slices(&case.at()));
    let mut v = case.v();
    stopped.second(&directions(&v));
    v[0].fill(0.0);
    point.second(&directions(&v));
    for k in 0..v.len() {
        let zeros = vec![0.0; v[k].len()];
        let (gradient, product) = match k {
            0 => (&zeros[..], &zeros[..]),
            _ => (point.gradient(k), point.product(k)),
        };
        prop_assert_eq!(stopped.gradient(k), gradient);
        prop_assert_eq!(stopped.product(k), product);
    }
    Ok(())
}
