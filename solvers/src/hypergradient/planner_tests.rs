use autodiff::{Real, Var, objective};
use nalgebra::DVector;

use super::*;
use crate::{Estimate, InnerStep, Strategy};

/// g = ½ Σ e^{x_j} y_j² + ½‖y − 1‖², F = ½‖y − 2‖² + ½‖x‖², with x and y of `n` entries.
fn problem<T: Real>(n: usize) -> Bilevel<T> {
    let half = T::of(0.5);
    let lower = objective(move |x: Var<'_, T>, y: Var<'_, T>| {
        (x.exp().dot(y.square()) + (y - T::one()).norm_squared()) * half
    });
    let upper = objective(move |x: Var<'_, T>, y: Var<'_, T>| {
        ((y - T::of(2.0)).norm_squared() + x.norm_squared()) * half
    });
    Bilevel::new(upper, lower, n, n).expect("a valid problem")
}

fn run<T: Real>(problem: &Bilevel<T>, itd: &Itd) -> Estimate<T> {
    let x = DVector::from_fn(problem.dim_x(), |i, _| T::of(0.1 * (i as f64).sin()));
    itd.hypergradient(problem, &x, &mut problem.workspace())
        .expect("valid settings")
}

fn policies() -> [Memory; 10] {
    [
        Memory::Taped,
        Memory::Stored,
        Memory::Checkpointed { slots: 1 },
        Memory::Checkpointed { slots: 5 },
        Memory::Online { slots: 5 },
        Memory::Disk { slots: 1 },
        Memory::Disk { slots: 5 },
        Memory::Truncated { steps: 5 },
        Memory::Reversible,
        Memory::Forward,
    ]
}

/// The policies that such steps can be run under.
fn policies_for(inner: InnerStep) -> impl Iterator<Item = Memory> {
    let can_run = move |m: &Memory| inner.memory_complaint::<f64>(*m).is_none();
    policies().into_iter().filter(can_run)
}

fn peaks<T: Real>() {
    for (n, depth) in [(1, 1), (1, 40), (7, 2), (7, 40)] {
        let problem = problem::<T>(n);
        for inner in [
            InnerStep::GradientDescent,
            InnerStep::Momentum(0.5),
            InnerStep::Nesterov(0.5),
        ] {
            for memory in policies_for(inner.clone()) {
                let auto = Itd::reverse(depth).inner(inner.clone()).memory(memory);
                for itd in [auto.clone().step(0.2), auto] {
                    let estimate = run(&problem, &itd);
                    let predicted = itd.predicted_peak_bytes(&problem);
                    assert_eq!(estimate.bytes.peak, predicted, "{n} entries, {itd:?}");
                    let on_disk = itd.predicted_disk_bytes(&problem);
                    assert_eq!(estimate.bytes.disk, on_disk, "{n} entries, {itd:?}");
                    let again = memory.recomputed_steps(depth);
                    assert_eq!(estimate.recomputed_steps, again, "{itd:?}");
                }
            }
        }
    }
}

#[test]
fn the_predicted_peak_is_the_measured_one() {
    peaks::<f64>();
    peaks::<f32>();
}

#[test]
fn a_second_call_in_the_same_workspace_has_the_same_peak() {
    let problem = problem::<f64>(4);
    let x = DVector::zeros(4);
    let inner = InnerStep::Momentum(0.5);
    for memory in policies_for(inner.clone()) {
        let auto = Itd::reverse(30).inner(inner.clone()).memory(memory);
        for itd in [auto.clone().step(0.2), auto] {
            let mut work = problem.workspace();
            for _ in 0..2 {
                let estimate = itd.hypergradient(&problem, &x, &mut work).unwrap();
                assert_eq!(estimate.bytes.peak, itd.predicted_peak_bytes(&problem));
            }
        }
    }
}

#[test]
fn every_budget_is_kept_and_changes_no_bit() {
    let problem = problem::<f64>(6);
    let deep = Itd::reverse(300);
    let most = deep
        .clone()
        .memory(Memory::Taped)
        .predicted_peak_bytes(&problem);
    let reference = run(&problem, &deep.clone().budget(&problem, most).unwrap());
    let least = deep.clone().budget(&problem, 0).unwrap_err();
    assert_eq!(least.smallest.memory, Memory::Checkpointed { slots: 1 });
    let least = least.smallest.predicted_bytes;
    assert!(deep.clone().budget(&problem, least - 1).is_err());
    let mut again = usize::MAX;
    for budget in [
        least,
        least + 500,
        least + 3000,
        (least + most) / 4,
        most - 1,
        most,
    ] {
        let itd = deep.clone().budget(&problem, budget).unwrap();
        let estimate = run(&problem, &itd);
        assert!(estimate.bytes.peak <= budget, "{itd:?}");
        assert_eq!(estimate.hypergradient, reference.hypergradient, "{itd:?}");
        assert!(estimate.recomputed_steps <= again, "{itd:?}");
        again = estimate.recomputed_steps;
    }
}

#[test]
fn the_plan_is_the_fastest_that_fits() {
    let deep = Itd::reverse(1000);
    let plan = |n: usize, budget: usize| deep.plan(&problem::<f64>(n), budget);
    // One entry: forward mode costs as many sweeps as the tape, and less memory.
    assert_eq!(plan(1, 1 << 30).unwrap().memory, Memory::Forward);
    assert_eq!(plan(20, 1 << 30).unwrap().memory, Memory::Taped);
    assert_eq!(plan(20, 300_000).unwrap().memory, Memory::Stored);
    let tight = plan(20, 100_000).unwrap();
    let Memory::Checkpointed { slots } = tight.memory else {
        panic!("{tight:?}");
    };
    let more = Memory::Checkpointed { slots: slots + 1 };
    let more = deep.clone().memory(more);
    assert!(tight.predicted_bytes <= 100_000);
    assert!(more.predicted_peak_bytes(&problem::<f64>(20)) > 100_000);
    let none = plan(20, 5_000).unwrap_err();
    let message = none.to_string();
    assert!(
        message.contains(&none.smallest.predicted_bytes.to_string()) && !message.contains('\n')
    );
    assert!(plan(20, none.smallest.predicted_bytes).is_ok());
}

#[test]
fn a_loop_that_can_be_undone_fits_where_its_states_do_not() {
    let problem = problem::<f64>(20);
    let ball = |decay| Itd::reverse(1000).inner(InnerStep::Momentum(decay));
    assert_eq!(
        ball(0.9).plan(&problem, 500_000).unwrap().memory,
        Memory::Stored
    );
    let plan = ball(0.9).plan(&problem, 40_000).unwrap();
    assert_eq!(
        (plan.memory, plan.recomputed_steps),
        (Memory::Reversible, 0)
    );
    // Not one of the same bits, nor for a decay that no integer can be multiplied by and back.
    let budget = ball(0.9).budget(&problem, 40_000).unwrap();
    assert!(matches!(budget.memory, Memory::Checkpointed { .. }));
    let odd = ball(0.123_456_789).plan(&problem, 40_000).unwrap();
    assert!(matches!(odd.memory, Memory::Checkpointed { .. }));
}

#[test]
fn the_deepest_loop_fits_and_the_next_does_not() {
    let problem = problem::<f64>(20);
    let budget = 1 << 20;
    for memory in [Memory::Taped, Memory::Stored] {
        let at = |depth| Itd::reverse(depth).memory(memory);
        let deepest = at(1).deepest(&problem, budget).unwrap();
        assert!(at(deepest).predicted_peak_bytes(&problem) <= budget);
        assert!(at(deepest + 1).predicted_peak_bytes(&problem) > budget);
        assert_eq!(at(1).deepest(&problem, 100), None);
    }
    let forward = Itd::reverse(1).memory(Memory::Forward);
    assert_eq!(forward.deepest(&problem, budget), Some(ANY_DEPTH));
}
