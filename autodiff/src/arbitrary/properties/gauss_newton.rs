//! Gauss–Newton products of a loss of a random vector program.

use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use crate::arbitrary::numbers::{bits, directions, gradients, largest, products, slices};
use crate::arbitrary::{Case, loss};
use crate::inputs::Inputs;
use crate::program::Program;

use super::sweeps::close;

/// `Jᵀ H_ℓ J v`, J of the vector program by its own sweeps, and H_ℓ of the loss alone.
pub fn its_products_are_those_of_the_jacobian_and_the_loss(case: Case) -> TestCaseResult {
    let (at, v) = (case.at(), case.v());
    let mut marked = case.graph.record_loss::<f64>(true).point();
    marked.linearise(&slices(&at));
    marked.gauss_newton(&directions(&v), Inputs::ALL);

    let mut model = case.graph.record_vector::<f64>().point();
    let outputs = model.linearise_vector(&slices(&at)).to_vec();
    let of_loss = Program::record(&[model.program().output_shape()], |z| loss(z[0]));
    let mut of_loss = of_loss.point();
    of_loss.linearise(&[&outputs]);
    let moved = match model.push_forward(&directions(&v)) {
        Some(moved) => moved.to_vec(),
        None => vec![0.0; outputs.len()],
    };
    of_loss.second(&[Some(&moved)]);
    let curved = of_loss.product(0).to_vec();
    model.pull_back(&curved, Inputs::ALL);

    let terms = largest(&outputs).max(largest(&moved)) * largest(&curved).max(1.0);
    let sizes = gradients(&model);
    let terms = sizes.iter().map(|g| largest(g)).fold(terms, f64::max);
    for (want, got) in gradients(&model).iter().zip(products(&marked)) {
        for (want, got) in want.iter().zip(got) {
            close("product", marked.program(), got, *want, terms)?;
        }
    }
    // vᵀGv = (Jv)ᵀ H_ℓ (Jv) of a convex loss.
    let square: f64 = (products(&marked).iter().flatten())
        .zip(v.iter().flatten())
        .map(|(g, v)| g * v)
        .sum();
    let bound = super::sweeps::rounding(marked.program(), terms * largest(&v.concat()));
    prop_assert!(square >= -bound, "vᵀGv = {square:e}");
    Ok(())
}

/// Values, gradients and Hessian-vector products have the same bits with a mark and without.
pub fn a_mark_changes_no_other_sweep(case: Case) -> TestCaseResult {
    let (at, v) = (case.at(), case.v());
    let [marked, unmarked] = [true, false].map(|marked| {
        let mut point = case.graph.record_loss::<f64>(marked).point();
        let value = point.linearise(&slices(&at));
        let first = gradients(&point);
        point.second(&directions(&v));
        let second = products(&point);
        bits(&[vec![value], first.concat(), second.concat()].concat())
    });
    prop_assert_eq!(marked, unmarked);
    Ok(())
}
