//! Every byte that a point holds is counted, and known before it is made.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use super::replays::gradient_of;
use crate::arbitrary::Case;
use crate::arbitrary::numbers::{directions, slices};
use crate::bytes::Meter;
use crate::inputs::Inputs;
use crate::point::Point;
use crate::program::Program;
use crate::var::Var;

/// The bytes of a point are those predicted from its program, sweep by sweep.
pub fn the_bytes_of_a_point_are_those_predicted(case: Case) -> TestCaseResult {
    let program = case.graph.record::<f64>();
    let (at, v) = (case.at(), case.v());
    let meter = Meter::new();
    let mut point = Point::new(program.clone(), &meter);
    point.differentiate(&slices(&at), Inputs::ALL);
    let mut expected = Point::gradient_bytes(&program);
    prop_assert_eq!(meter.read().live(), expected);
    point.linearise(&slices(&at));
    prop_assert_eq!(meter.read().live(), expected);
    point.second(&directions(&v));
    expected += Point::second_bytes(&program);
    prop_assert_eq!(meter.read().live(), expected);
    point.linearise(&slices(&at));
    point.second(&directions(&v));
    prop_assert_eq!(meter.read().peak, expected);
    Ok(())
}

/// The same for a program with a gradient inside, whose own sweeps hold bytes too, and for one with
/// such a program inside.
pub fn the_bytes_of_gradients_inside_are_predicted(case: Case) -> TestCaseResult {
    let f = case.graph.record::<f64>();
    let gradient = gradient_of(&f, &case);
    let scalar: Arc<Program<f64>> = Program::record(&case.graph.shapes(), |v| {
        let g = Var::gradient(&f, f.inputs() - 1, v);
        let other = Var::gradient(&f, 0, v);
        (2.0 * g).sum() + other.square().sum()
    });
    for program in [gradient, scalar] {
        if !program.output_shape().is_scalar() {
            continue;
        }
        let meter = Meter::new();
        let mut point = Point::new(program.clone(), &meter);
        point.differentiate(&slices(&case.at()), Inputs::ALL);
        let expected = Point::gradient_bytes(&program);
        prop_assert_eq!(meter.read().live(), expected);
        prop_assert_eq!(meter.read().peak, expected);
    }
    Ok(())
}
