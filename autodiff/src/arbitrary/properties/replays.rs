//! What was computed before leaves no trace, to the bit.

use std::sync::Arc;

use crate::arbitrary::Case;
use crate::bytes::Meter;
use crate::inputs::Inputs;
use crate::linearised::Need;
use crate::point::Point;
use crate::program::Program;
use crate::sweep::Sweep;
use crate::var::Var;
use crate::workspace::Workspace;
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use crate::arbitrary::numbers::{bits, directions, gradients, products, slices};

/// Value, gradients and products at the case's point, as bits.
fn everything(point: &mut Point<f64>, case: &Case) -> Vec<Vec<u64>> {
    let value = point.linearise(&slices(&case.at()));
    point.second(&directions(&case.v()));
    let vectors = [gradients(point), products(point)].concat();
    let vectors = vectors.iter().map(|v| bits(v));
    vectors.chain([vec![value.to_bits()]]).collect()
}

/// A program with its workspace: what a point is made of, with partial sweeps.
struct Bench<'p> {
    program: &'p Program<f64>,
    work: Workspace<f64>,
}

impl<'p> Bench<'p> {
    /// Before any sweep.
    fn new(program: &'p Program<f64>) -> Self {
        Bench {
            work: Workspace::new(program, &Meter::new()),
            program,
        }
    }

    /// Sets some of the inputs.
    fn set(&mut self, inputs: &[Vec<f64>], which: impl Fn(usize) -> bool) {
        for (k, input) in inputs.iter().enumerate().filter(|(k, _)| which(*k)) {
            self.work.set_input(self.program, k, input);
        }
    }

    /// A primal sweep, and the others that `need` allows: the output, the gradients and their
    /// derivatives, as bits.
    fn sweep(&mut self, need: Need, along: &[Vec<f64>]) -> Vec<Vec<u64>> {
        let mut sweep = Sweep::of(self.program, &mut self.work);
        sweep.primal(need);
        if need >= Need::Gradient {
            sweep.reverse(&[1.0], Inputs::ALL);
        }
        if need >= Need::Curvature {
            sweep.second(1, &directions(along), Inputs::ALL);
        }
        let (program, work) = (self.program, &self.work);
        let mut all = vec![bits(work.output(program))];
        let inputs = 0..program.inputs();
        if need >= Need::Gradient {
            all.extend(inputs.clone().map(|k| bits(work.adjoint(program, k))));
        }
        if need >= Need::Curvature {
            all.extend(inputs.map(|k| bits(work.adjoint_tangent(program, k))));
        }
        all
    }
}

/// Every level of a primal sweep.
const NEEDS: [Need; 3] = [Need::Value, Need::Gradient, Need::Curvature];

/// Sweeps in which some inputs are new, each of a level in `0..3` and a set of inputs, one bit each.
pub fn a_partial_sweep_is_as_good_as_a_full_one(
    case: Case,
    moves: Vec<(usize, usize)>,
) -> TestCaseResult {
    // A stopped input must be followed all the same.
    let program = match moves.len() % 2 {
        0 => case.graph.record_stopped::<f64>(0),
        _ => case.graph.record::<f64>(),
    };
    let mut partial = Bench::new(&program);
    let mut inputs = case.at();
    partial.set(&inputs, |_| true);
    Sweep::of(&program, &mut partial.work).primal(NEEDS[moves[0].0]);
    for (step, (level, subset)) in moves.into_iter().enumerate() {
        let (need, moved) = (NEEDS[level], |k: usize| subset >> k & 1 == 1);
        for (k, input) in inputs.iter_mut().enumerate().filter(|(k, _)| moved(*k)) {
            let from = [case.v(), case.w(), case.at()];
            input.clone_from(&from[step % 3][k]);
        }
        partial.set(&inputs, moved);
        let mut full = Bench::new(&program);
        full.set(&inputs, |_| true);
        let v = case.v();
        prop_assert_eq!(partial.sweep(need, &v), full.sweep(need, &v));
    }
    Ok(())
}

/// A point that was used at other inputs, and one recorded again, give the bits of a fresh one.
pub fn a_used_workspace_is_as_good_as_a_fresh_one(case: Case) -> TestCaseResult {
    let program = case.graph.record::<f64>();
    let fresh = everything(&mut program.point(), &case);
    let mut point = program.point();
    // Other points, at every need, and directions that leave tangents behind.
    point.value(&slices(&case.v()));
    point.differentiate(&slices(&case.w()), Inputs::ALL);
    point.linearise(&slices(&case.v()));
    point.second(&directions(&case.w()));
    point.directional(&directions(&case.w()));
    prop_assert_eq!(&fresh, &everything(&mut point, &case));
    prop_assert_eq!(&fresh, &everything(&mut point, &case));
    let again = &mut case.graph.record::<f64>().point();
    prop_assert_eq!(&fresh, &everything(again, &case));
    Ok(())
}

/// Gradients and products by a subset of the inputs.
pub fn a_subset_of_wanted_inputs_has_the_bits_of_the_full_sweep(case: Case) -> TestCaseResult {
    let program = case.graph.record::<f64>();
    let mut full = program.point();
    full.linearise(&slices(&case.at()));
    full.second(&directions(&case.v()));
    let mut part = program.point();
    let count = program.inputs();
    for subset in 1..1usize << count {
        let members = || (0..count).filter(|k| subset >> k & 1 == 1);
        let wanted = members().fold(Inputs::NONE, |s, k| s.union(Inputs::one(k)));
        part.differentiate(&slices(&case.at()), wanted);
        for k in members() {
            prop_assert_eq!(bits(part.gradient(k)), bits(full.gradient(k)));
        }
        part.linearise(&slices(&case.at()));
        part.second_by(&directions(&case.v()), wanted);
        for k in members() {
            prop_assert_eq!(bits(part.product(k)), bits(full.product(k)));
        }
    }
    Ok(())
}

/// Raising and lowering what a primal sweep keeps.
pub fn raising_and_lowering_the_need_changes_no_bit(case: Case) -> TestCaseResult {
    let program = case.graph.record::<f64>();
    let (at, v) = (case.at(), case.v());
    let fresh = NEEDS.map(|need| {
        let mut bench = Bench::new(&program);
        bench.set(&at, |_| true);
        bench.sweep(need, &v)
    });
    let mut bench = Bench::new(&program);
    bench.set(&at, |_| true);
    // With and without anything set: a stash must follow the need alone.
    for set in [Inputs::ALL, Inputs::NONE, Inputs::one(0)] {
        for level in [0, 2, 1, 2, 0, 1, 0, 2] {
            bench.set(&at, |k| set.contains(Inputs::one(k)));
            prop_assert_eq!(&bench.sweep(NEEDS[level], &v), &fresh[level]);
        }
    }
    Ok(())
}

/// `∇ₖ f`, for the last input `k`.
pub fn gradient_of(f: &Arc<Program<f64>>, case: &Case) -> Arc<Program<f64>> {
    let last = f.inputs() - 1;
    Program::record(&case.graph.shapes(), |v| Var::gradient(f, last, v))
}

/// A gradient taken inside a program: its value, and both its derivatives, are those of the function.
pub fn both_derivatives_of_a_gradient_are_products_of_the_function(case: Case) -> TestCaseResult {
    let f = case.graph.record::<f64>();
    let last = f.inputs() - 1;
    let mut point = f.point();
    point.linearise(&slices(&case.at()));

    let program = gradient_of(&f, &case);
    let mut work = Workspace::new(&program, &Meter::new());
    for (k, a) in case.at().iter().enumerate() {
        work.set_input(&program, k, a);
    }
    // First as a mere value, as a loop on its way forward does.
    for need in [Need::Value, Need::Gradient] {
        Sweep::of(&program, &mut work).primal(need);
        prop_assert_eq!(work.output(&program), point.gradient(last));
    }

    let w = case.w();
    let mut along: Vec<Option<&[f64]>> = vec![None; w.len()];
    along[last] = Some(&w[last]);
    point.second(&along);
    Sweep::of(&program, &mut work).reverse(&w[last], Inputs::ALL);
    for (k, product) in products(&point).iter().enumerate() {
        prop_assert_eq!(work.adjoint(&program, k), &product[..]);
    }

    let v = case.v();
    point.second(&directions(&v));
    Sweep::of(&program, &mut work).primal(Need::Curvature);
    match Sweep::of(&program, &mut work).tangent(1, &directions(&v)) {
        Some(tangent) => prop_assert_eq!(tangent, point.product(last)),
        None => prop_assert!(point.product(last).iter().all(|p| *p == 0.0)),
    }
    Ok(())
}

/// The joint sweep has the bits of the three it stands for.
pub fn a_joint_sweep_has_the_bits_of_its_parts(case: Case) -> TestCaseResult {
    let program = case.graph.record::<f64>();
    let (at, v, w) = (case.at(), case.v(), case.w());
    let mut parts = program.point();
    let value = parts.linearise(&slices(&at));
    parts.second(&directions(&v));
    let mut point = program.point();
    // At another place first, so that nothing can be right by being new.
    point.linearise_along(&slices(&w), &directions(&w));
    let got = point.linearise_along(&slices(&at), &directions(&v));
    prop_assert_eq!(got.to_bits(), value.to_bits());
    for (a, b) in [
        (gradients(&point), gradients(&parts)),
        (products(&point), products(&parts)),
    ] {
        prop_assert_eq!(bits(&a.concat()), bits(&b.concat()));
    }
    Ok(())
}
