//! A planned program beside the plain one.

use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use crate::arbitrary::Case;
use crate::arbitrary::numbers::{directions, gradients, products, slices};
use crate::inputs::Inputs;
use crate::point::Point;

/// Directions in the widest block that is compared.
const WIDTH: usize = 5;

/// Bits, the sign of zero aside.
fn bits(a: &[f64]) -> Vec<u64> {
    a.iter().map(|v| (v + 0.0).to_bits()).collect()
}

/// What every sweep of a point gives, as bits.
fn everything(point: &mut Point<f64>, case: &Case) -> Vec<Vec<u64>> {
    let (at, other, v) = (case.at(), case.w(), case.v());
    let inputs = v.len();
    let mut all = vec![bits(&[point.value(&slices(&at))])];
    point.differentiate(&slices(&at), Inputs::ALL);
    all.extend(gradients(point).iter().map(|g| bits(g)));
    // From what another point and a block of directions left.
    for (at, along) in [(&at, &v), (&other, &at), (&at, &v)] {
        all.push(bits(&[point.linearise(&slices(at))]));
        point.second(&directions(along));
        all.extend(
            [gradients(point), products(point)]
                .concat()
                .iter()
                .map(|p| bits(p)),
        );
        all.push(bits(&[point.directional(&directions(along))]));
        let block: Vec<Vec<f64>> = along.iter().map(|v| v.repeat(WIDTH)).collect();
        point.second_block(WIDTH, &directions(&block), Inputs::ALL);
        all.extend(products(point).iter().map(|p| bits(p)));
        let mut out = vec![f64::NAN; WIDTH];
        point.directional_block(WIDTH, &directions(&block), &mut out);
        all.push(bits(&out));
        // Each input alone: it moves alone, and is asked for alone.
        for k in 0..inputs {
            let mut alone: Vec<Option<&[f64]>> = vec![None; inputs];
            alone[k] = Some(&along[k]);
            let (one, last) = (Inputs::one(k), inputs - 1 - k);
            point.second_at(&slices(at), &alone, Inputs::one(last));
            all.push(bits(point.product(last)));
            all.push(bits(&[point.linearise_along(&slices(at), &alone)]));
            all.extend(
                [gradients(point), products(point)]
                    .concat()
                    .iter()
                    .map(|p| bits(p)),
            );
            point.differentiate(&slices(at), one);
            all.push(bits(point.gradient(k)));
            point.gradient_at(&slices(at), one);
            all.push(bits(point.gradient(k)));
        }
    }
    all
}

/// Views, written adjoints and planned buffers change no bit of any sweep.
pub fn a_planned_program_has_the_bits_of_the_plain_one(case: Case) -> TestCaseResult {
    let program = case.graph.record::<f64>();
    let planned = everything(&mut program.point(), &case);
    let plain = everything(&mut program.plain().point(), &case);
    prop_assert_eq!(planned, plain, "{:?}", program);
    Ok(())
}
