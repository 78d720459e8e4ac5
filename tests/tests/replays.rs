//! What was computed before leaves no trace: replays, subsets and partial sweeps of random
//! programs give the same bits.

use std::sync::Arc;

use autodiff::sweep::{primal, reverse, second};
use autodiff::{Inputs, Meter, Need, Point, Program, Shape, Workspace};
use bilevel_tests::campaign::for_all;
use bilevel_tests::numbers::{bits, directions, gradients, products, slices};
use bilevel_tests::programs::{Case, case};
use proptest::prelude::*;

const SAMPLE: u32 = 1000;

/// Value, gradients and products at the case's point, as bits.
fn everything(point: &mut Point<f64>, case: &Case) -> Vec<Vec<u64>> {
    let value = point.linearise(&slices(&case.at()));
    point.second(&directions(&case.v()));
    let vectors = [gradients(point), products(point)].concat();
    let vectors = vectors.iter().map(|v| bits(v));
    vectors.chain([vec![value.to_bits()]]).collect()
}

#[test]
fn a_used_workspace_is_as_good_as_a_fresh_one() {
    for_all(file!(), SAMPLE, case(), |case| {
        let program = case.program.record::<f64>();
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
        let again = &mut case.program.record::<f64>().point();
        prop_assert_eq!(&fresh, &everything(again, &case));
        Ok(())
    });
}

#[test]
fn a_subset_of_wanted_inputs_has_the_bits_of_the_full_sweep() {
    for_all(file!(), SAMPLE, case(), |case| {
        let program = case.program.record::<f64>();
        let mut full = program.point();
        full.linearise(&slices(&case.at()));
        full.second(&directions(&case.v()));
        let mut part = program.point();
        let count = program.inputs();
        for subset in 1..1usize << count {
            let members = || (0..count).filter(|k| subset >> k & 1 == 1);
            let wanted = members().fold(Inputs::NONE, |s, k| s.and(Inputs::one(k)));
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
    });
}

/// A program with its workspace: what a point is made of, with partial sweeps.
struct Bench {
    program: Arc<Program<f64>>,
    work: Workspace<f64>,
}

impl Bench {
    fn new(program: &Arc<Program<f64>>) -> Self {
        Bench {
            work: program.workspace(&Meter::new()),
            program: program.clone(),
        }
    }

    fn set(&mut self, inputs: &[Vec<f64>], which: impl Fn(usize) -> bool) -> Inputs {
        let mut changed = Inputs::NONE;
        for (k, input) in inputs.iter().enumerate().filter(|(k, _)| which(*k)) {
            self.work.set_input(&self.program, k, input);
            changed = changed.and(Inputs::one(k));
        }
        changed
    }

    fn primal(&mut self, changed: Inputs, need: Need) {
        primal(&self.program, &mut self.work, changed, need);
    }

    /// The output, and as far as `need` allows the gradients and their derivatives, as bits.
    fn sweep(&mut self, need: Need, along: &[Vec<f64>]) -> Vec<Vec<u64>> {
        let mut all = vec![bits(self.work.output(&self.program))];
        let inputs = 0..self.program.inputs();
        if need >= Need::Gradient {
            reverse(&self.program, &mut self.work, &[1.0], Inputs::ALL);
            let adjoint = |k: usize| bits(self.work.adjoint(&self.program, k));
            all.extend(inputs.clone().map(adjoint));
        }
        if need >= Need::Curvature {
            let along = directions(along);
            second(&self.program, &mut self.work, &along, Inputs::ALL);
            let adjoint_tangent = |k: usize| bits(self.work.adjoint_tangent(&self.program, k));
            all.extend(inputs.map(adjoint_tangent));
        }
        all
    }
}

const NEEDS: [Need; 3] = [Need::Value, Need::Gradient, Need::Curvature];

fn need() -> impl Strategy<Value = Need> {
    (0usize..3).prop_map(|i| NEEDS[i])
}

#[test]
fn a_partial_sweep_is_as_good_as_a_full_one() {
    let moves = proptest::collection::vec((need(), 0usize..8), 1..6);
    for_all(file!(), SAMPLE, (case(), moves), |(case, moves)| {
        // A stopped input must be followed all the same.
        let program = match moves.len() % 2 {
            0 => case.program.record_stopped::<f64>(0),
            _ => case.program.record::<f64>(),
        };
        let mut partial = Bench::new(&program);
        let mut inputs = case.at();
        partial.set(&inputs, |_| true);
        partial.primal(Inputs::NONE, moves[0].0);
        for (step, (need, subset)) in moves.into_iter().enumerate() {
            let moved = |k: usize| subset >> k & 1 == 1;
            for (k, input) in inputs.iter_mut().enumerate().filter(|(k, _)| moved(*k)) {
                let from = [case.v(), case.w(), case.at()];
                input.clone_from(&from[step % 3][k]);
            }
            let changed = partial.set(&inputs, moved);
            partial.primal(changed, need);
            let mut full = Bench::new(&program);
            full.set(&inputs, |_| true);
            full.primal(Inputs::ALL, need);
            let v = case.v();
            prop_assert_eq!(partial.sweep(need, &v), full.sweep(need, &v));
        }
        Ok(())
    });
}

#[test]
fn raising_and_lowering_the_need_changes_no_bit() {
    for_all(file!(), SAMPLE, case(), |case| {
        let program = case.program.record::<f64>();
        let (at, v) = (case.at(), case.v());
        let fresh = NEEDS.map(|need| {
            let mut bench = Bench::new(&program);
            bench.set(&at, |_| true);
            bench.primal(Inputs::ALL, need);
            bench.sweep(need, &v)
        });
        let mut bench = Bench::new(&program);
        bench.set(&at, |_| true);
        // With and without anything changed: a stash must follow the need alone.
        for changed in [Inputs::ALL, Inputs::NONE, Inputs::one(0)] {
            for level in [0, 2, 1, 2, 0, 1, 0, 2] {
                bench.primal(changed, NEEDS[level]);
                prop_assert_eq!(&bench.sweep(NEEDS[level], &v), &fresh[level]);
            }
        }
        Ok(())
    });
}

/// Derivatives that were not computed are refused, never read from what an earlier sweep left.
#[test]
fn stale_derivatives_are_refused() {
    let message = |f: &dyn Fn(&mut Point<f64>)| {
        let program = Program::<f64>::record(&[Shape::vector(2)], |v| v[0].exp().sum());
        let mut point = program.point();
        point.linearise(&[&[1.0, 2.0]]);
        point.value(&[&[3.0, 4.0]]);
        let call = std::panic::AssertUnwindSafe(|| f(&mut point));
        let panic = std::panic::catch_unwind(call).expect_err("a panic");
        let text = panic.downcast_ref::<String>().cloned();
        text.or(panic.downcast_ref::<&str>().map(|s| s.to_string()))
            .expect("a message")
    };
    assert!(
        message(&|p| {
            p.gradient(0);
        })
        .contains("was not computed")
    );
    assert!(
        message(&|p| {
            p.directional(&[Some(&[1.0, 1.0])]);
        })
        .contains("primal sweep")
    );
    assert!(message(&|p| p.second(&[Some(&[1.0, 1.0])])).contains("linearisation"));
}
