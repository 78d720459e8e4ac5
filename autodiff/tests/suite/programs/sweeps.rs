//! Identities between the sweeps over random programs, and differences last.

use autodiff::arbitrary::for_all;
use autodiff::arbitrary::numbers::{gradients, joint_dot, shifted, slices, slope};
use autodiff::arbitrary::properties::sweeps as property;
use autodiff::arbitrary::properties::sweeps::{linearised, rounding, second};
use autodiff::arbitrary::{Case, case};
use autodiff::{Inputs, Point};
use proptest::prelude::*;

const SAMPLE: u32 = 1500;

#[test]
fn tangents_and_adjoints_are_transposes() {
    for_all(
        file!(),
        SAMPLE,
        case(),
        property::tangents_and_adjoints_are_transposes,
    );
}

#[test]
fn the_directional_derivative_is_the_gradient_times_the_direction() {
    for_all(
        file!(),
        SAMPLE,
        case(),
        property::the_directional_derivative_is_the_gradient_times_the_direction,
    );
}

#[test]
fn the_hessian_is_symmetric_over_all_inputs_jointly() {
    for_all(
        file!(),
        SAMPLE,
        case(),
        property::the_hessian_is_symmetric_over_all_inputs_jointly,
    );
}

#[test]
fn the_cross_block_is_the_same_from_both_sides() {
    for_all(
        file!(),
        SAMPLE,
        case(),
        property::the_cross_block_is_the_same_from_both_sides,
    );
}

#[test]
fn the_second_sweep_is_linear_in_its_direction() {
    for_all(
        file!(),
        SAMPLE,
        case(),
        property::the_second_sweep_is_linear_in_its_direction,
    );
}

/// Differences of which the bound is too wide say nothing: so many in a hundred may be so.
const BLUNT_PERCENT: usize = 10;

/// Checks slopes against differences; `exact` gives the derivative of `f` at 0 and the size of
/// the terms of `f`.
fn against_differences(
    exact: impl Fn(&mut Point<f64>, &Case) -> (f64, f64),
    f: impl Fn(&mut Point<f64>, &Case, f64) -> f64,
) {
    let (all, blunt) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    for_all(file!(), SAMPLE / 3, case(), |case| {
        let mut point = linearised(&case);
        let (want, terms) = exact(&mut point, &case);
        let noise = rounding(point.program(), terms);
        let got = slope(noise, |t| f(&mut point, &case, t));
        let bound = 20.0 * got.error;
        all.set(all.get() + 1);
        blunt.set(blunt.get() + usize::from(bound > 1e-4 * (1.0 + want.abs())));
        prop_assert!(
            (got.slope - want).abs() <= bound,
            "{want:e} is by differences {got:?}\n{:?}",
            point.program()
        );
        Ok(())
    });
    let (all, blunt): (usize, usize) = (all.get(), blunt.get());
    assert!(
        100 * blunt <= BLUNT_PERCENT * all,
        "{blunt} of {all} differences say nothing"
    );
}

#[test]
fn gradients_agree_with_differences_of_values() {
    against_differences(
        |point, case| {
            let value = point.linearise(&slices(&case.at()));
            (joint_dot(&gradients(point), &case.v()).0, value.abs())
        },
        |point, case, t| point.value(&slices(&shifted(&case.at(), t, &case.v()))),
    );
}

#[test]
fn second_sweeps_agree_with_differences_of_gradients() {
    against_differences(
        |point, case| {
            let (_, terms) = joint_dot(&gradients(point), &case.w());
            let hv = second(point, &case.v());
            (joint_dot(&hv, &case.w()).0, terms)
        },
        |point, case, t| {
            let at = shifted(&case.at(), t, &case.v());
            point.differentiate(&slices(&at), Inputs::ALL);
            joint_dot(&gradients(point), &case.w()).0
        },
    );
}

#[test]
fn single_precision_is_within_its_rounding_of_double() {
    for_all(
        file!(),
        SAMPLE,
        case(),
        property::single_precision_is_within_its_rounding_of_double,
    );
}

#[test]
fn a_stopped_input_has_no_derivative_and_changes_no_other() {
    for_all(
        file!(),
        SAMPLE / 3,
        case(),
        property::a_stopped_input_has_no_derivative_and_changes_no_other,
    );
}
