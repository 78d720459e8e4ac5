//! Random loops: see the properties.

use autodiff::arbitrary::for_all;
use autodiff::arbitrary::properties::loops as property;
use autodiff::arbitrary::unrolled;

const SAMPLE: u32 = 400;

#[test]
fn every_policy_gives_the_same_bits() {
    for_all(
        file!(),
        SAMPLE,
        unrolled(),
        property::every_policy_gives_the_same_bits,
    );
}

#[test]
fn a_loop_is_one_long_program() {
    for_all(
        file!(),
        SAMPLE,
        unrolled(),
        property::a_loop_is_one_long_program,
    );
}

#[test]
fn forward_mode_agrees_with_reverse_mode() {
    for_all(
        file!(),
        SAMPLE,
        unrolled(),
        property::forward_mode_agrees_with_reverse_mode,
    );
}

#[test]
fn momentum_undone_is_momentum_stored() {
    for_all(
        file!(),
        SAMPLE,
        unrolled(),
        property::momentum_undone_is_momentum_stored,
    );
}
