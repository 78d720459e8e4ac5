//! What was computed before leaves no trace: replays, subsets and partial sweeps of random
//! programs give the same bits.

use autodiff::arbitrary::case;
use autodiff::arbitrary::for_all;
use autodiff::arbitrary::properties::replays as property;
use autodiff::arbitrary::properties::replays::{Bench, NEEDS};
use autodiff::{Inputs, Need};
use proptest::prelude::*;

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
fn a_subset_of_wanted_inputs_has_the_bits_of_the_full_sweep() {
    for_all(
        file!(),
        SAMPLE,
        case(),
        property::a_subset_of_wanted_inputs_has_the_bits_of_the_full_sweep,
    );
}

fn need() -> impl Strategy<Value = Need> {
    (0usize..3).prop_map(|i| NEEDS[i])
}

#[test]
fn a_partial_sweep_is_as_good_as_a_full_one() {
    let moves = proptest::collection::vec((need(), 0usize..8), 1..6);
    for_all(file!(), SAMPLE, (case(), moves), |(case, moves)| {
        // A stopped input must be followed all the same.
        let program = match moves.len() % 2 {
            0 => case.graph.record_stopped::<f64>(0),
            _ => case.graph.record::<f64>(),
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
    for_all(
        file!(),
        SAMPLE,
        case(),
        property::raising_and_lowering_the_need_changes_no_bit,
    );
}
