//! What was computed before leaves no trace: replays, subsets and partial sweeps of random
//! programs give the same bits.

use autodiff::arbitrary::case;
use autodiff::arbitrary::for_all;
use autodiff::arbitrary::properties::{calls, plans, replays as property};

const SAMPLE: u32 = 1000;

#[test]
fn a_used_workspace_is_as_good_as_a_fresh_one() {
    for_all(
        file!(),
        SAMPLE,
        case(),
        property::a_used_workspace_is_as_good_as_a_fresh_one,
    );
}

#[test]
fn calls_in_any_order_have_the_bits_of_a_fresh_point() {
    for_all(
        file!(),
        SAMPLE,
        case(),
        calls::calls_in_any_order_have_the_bits_of_a_fresh_point,
    );
}

#[test]
fn a_planned_program_has_the_bits_of_the_plain_one() {
    for_all(
        file!(),
        SAMPLE,
        case(),
        plans::a_planned_program_has_the_bits_of_the_plain_one,
    );
}

#[test]
fn a_subset_of_wanted_inputs_has_the_bits_of_the_full_sweep() {
    for_all(
        file!(),
        SAMPLE,
        case(),
        property::a_subset_of_wanted_inputs_has_the_bits_of_the_full_sweep,
    );
}

#[test]
fn a_partial_sweep_is_as_good_as_a_full_one() {
    let moves = proptest::collection::vec((0usize..3, 0usize..8), 1..6);
    for_all(file!(), SAMPLE, (case(), moves), |(case, moves)| {
        property::a_partial_sweep_is_as_good_as_a_full_one(case, moves)
    });
}

#[test]
fn raising_and_lowering_the_need_changes_no_bit() {
    for_all(
        file!(),
        SAMPLE,
        case(),
        property::raising_and_lowering_the_need_changes_no_bit,
    );
}
