//! Every byte is counted, and known before it is made.

use autodiff::arbitrary::properties::bytes as property;
use autodiff::arbitrary::{case, for_all};

const SAMPLE: u32 = 500;

#[test]
fn the_bytes_of_a_point_are_those_predicted() {
    for_all(
        file!(),
        SAMPLE,
        case(),
        property::the_bytes_of_a_point_are_those_predicted,
    );
}

#[test]
fn the_bytes_of_gradients_inside_are_predicted() {
    for_all(
        file!(),
        SAMPLE,
        case(),
        property::the_bytes_of_gradients_inside_are_predicted,
    );
}
