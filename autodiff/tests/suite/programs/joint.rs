//! The joint sweep against the three it stands for, bit for bit.

use autodiff::arbitrary::Wave;
use autodiff::arbitrary::case;
use autodiff::arbitrary::for_all;
use autodiff::arbitrary::numbers::{directions, gradients, products, slices};
use autodiff::{Inputs, Point, Program, Shape};
use proptest::prelude::*;

fn bits(vectors: &[Vec<f64>]) -> Vec<Vec<u64>> {
    let entries = |v: &Vec<f64>| v.iter().map(|v| v.to_bits()).collect();
    vectors.iter().map(entries).collect()
}

#[test]
fn it_gives_the_bits_of_its_parts_for_every_subset_of_directions() {
    for_all(file!(), 1500, (case(), any::<u8>()), |(case, subset)| {
        let program = case.graph.record::<f64>();
        let (at, v, w) = (case.at(), case.v(), case.w());
        let some = |v: &'_ [Vec<f64>]| -> Vec<Option<Vec<f64>>> {
            let each = v.iter().enumerate();
            each.map(|(k, v)| (subset >> (k % 8) & 1 == 1).then(|| v.clone()))
                .collect()
        };
        let along = some(&v);
        let along: Vec<Option<&[f64]>> = along.iter().map(Option::as_deref).collect();
        let mut parts: Point<f64> = program.point();
        let value = parts.linearise(&slices(&at));
        parts.second(&along);

        let mut point = program.point();
        // At another place first, so that nothing can be right by being new.
        point.linearise_along(&slices(&w), &directions(&v));
        let got = point.linearise_along(&slices(&at), &along);
        prop_assert_eq!(got.to_bits(), value.to_bits());
        prop_assert_eq!(bits(&gradients(&point)), bits(&gradients(&parts)));
        prop_assert_eq!(bits(&products(&point)), bits(&products(&parts)));
        // And further products at the same point.
        for more in [&w, &v] {
            point.second(&directions(more));
            parts.second(&directions(more));
            prop_assert_eq!(bits(&products(&point)), bits(&products(&parts)));
        }
        let counts = point.sweeps();
        prop_assert_eq!((counts.values, counts.gradients, counts.hvps), (2, 2, 4));

        // Without the value, which is there again when it is asked for.
        for at in [&w, &at] {
            point.gradient_along(&slices(at), &along);
            parts.linearise(&slices(at));
            parts.second(&along);
            prop_assert_eq!(bits(&gradients(&point)), bits(&gradients(&parts)));
            prop_assert_eq!(bits(&products(&point)), bits(&products(&parts)));
            point.second(&directions(&v));
            parts.second(&directions(&v));
            prop_assert_eq!(bits(&products(&point)), bits(&products(&parts)));
            point.gradient_at(&slices(at), Inputs::ALL);
            prop_assert_eq!(bits(&gradients(&point)), bits(&gradients(&parts)));
        }
        prop_assert_eq!(point.value(&slices(&at)).to_bits(), value.to_bits());

        // The products alone, and then everything again at another point.
        point.linearise(&slices(&at));
        parts.linearise(&slices(&at));
        parts.second(&along);
        point.second_at(&slices(&w), &directions(&v), Inputs::ALL);
        point.second_at(&slices(&at), &along, Inputs::ALL);
        prop_assert_eq!(bits(&products(&point)), bits(&products(&parts)));
        prop_assert_eq!(point.value(&slices(&at)).to_bits(), value.to_bits());
        point.linearise(&slices(&w));
        parts.linearise(&slices(&w));
        prop_assert_eq!(bits(&gradients(&point)), bits(&gradients(&parts)));
        Ok(())
    });
}

#[test]
#[should_panic(expected = "a second sweep needs a linearisation")]
fn a_plain_evaluation_after_it_refuses_further_products() {
    let program = autodiff::Program::<f64>::record(&[autodiff::Shape::SCALAR], |v| v[0].square());
    let mut point = program.point();
    point.linearise_along(&[&[1.0]], &[Some(&[1.0])]);
    point.differentiate(&[&[2.0]], Inputs::ALL);
    point.second(&[Some(&[1.0])]);
}

/// A primitive whose tangent nothing reads is asked for what its adjoint needs all the same.
#[test]
fn a_primitive_in_a_linear_place_has_its_gradient() {
    let shape = [Shape::vector(2)];
    let program = Program::<f64>::record(&shape, |v| v[0].fused(Wave { operands: 1 }, &[]).sum());
    let mut point = program.point();
    let at = [0.3, -1.2];
    point.linearise_along(&[&at], &[Some(&[1.0, 2.0])]);
    for (got, x) in point.gradient(0).iter().zip(at) {
        assert!((got - (x.sin() + x * x.cos())).abs() < 1e-15);
    }
    let bends = at.map(|x| 2.0 * x.cos() - x * x.sin());
    let want = [bends[0], 2.0 * bends[1]];
    for (got, want) in point.product(0).iter().zip(want) {
        assert!((got - want).abs() < 1e-15);
    }
}
