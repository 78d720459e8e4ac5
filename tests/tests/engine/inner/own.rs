//! Kinds of step of one's own: copies of ours give the same bits wherever ours may stand.

use autodiff::unroll::Memory;
use autodiff::{Real, Var};
use solvers::{
    Aid, AidStep, Bda, InnerStep, Itd, LowerSolve, Numbers, Recorded, StepAt, StepLength, StepRule,
    StepSystem, Strategy,
};

use crate::inner::{curved, point, run};

/// FISTA without a proximal map: two parts that start alike, and a number of each step.
#[derive(Debug)]
struct Accelerated;

impl StepRule for Accelerated {
    fn name(&self) -> String {
        "copy-of-fista".into()
    }

    fn parts(&self) -> usize {
        2
    }

    fn starts_alike(&self) -> bool {
        true
    }

    fn numbers(&self) -> (usize, Numbers) {
        (1, Box::new(|k, c| c[0] = k as f64 / (k as f64 + 3.0)))
    }
}

impl<T: Real> Recorded<T> for Accelerated {
    fn next<'r>(&self, at: &StepAt<'r, '_, T>) -> Vec<Var<'r, T>> {
        let (y, before) = (at.part(0), at.part(1));
        let z = y + (y - before) * at.number(0);
        vec![z - at.along(z), y]
    }
}

/// Adam of rate 0.1: three parts, of which two start at 0, and two numbers.
#[derive(Debug)]
struct Moments;

impl StepRule for Moments {
    fn name(&self) -> String {
        "copy-of-adam:0.1".into()
    }

    fn parts(&self) -> usize {
        3
    }

    fn numbers(&self) -> (usize, Numbers) {
        let correct = |k: usize, c: &mut [f64]| {
            let t = k as f64 + 1.0;
            c[0] = 0.1 / (1.0 - 0.9f64.powf(t));
            c[1] = 1.0 / (1.0 - 0.999f64.powf(t));
        };
        (2, Box::new(correct))
    }

    fn rate(&self) -> Option<f64> {
        Some(0.1)
    }

    fn unsettled(&self) -> Option<String> {
        Some("it divides by what it has moved".into())
    }
}

impl<T: Real> Recorded<T> for Moments {
    fn next<'r>(&self, at: &StepAt<'r, '_, T>) -> Vec<Var<'r, T>> {
        let (y, m, v) = (at.part(0), at.part(1), at.part(2));
        let d = at.along(y);
        let m = m * T::of(0.9) + d * T::of(1.0 - 0.9);
        let v = v * T::of(0.999) + d.square() * T::of(1.0 - 0.999);
        let root = (v * at.number(1) + T::of(0.1 * 0.1)).sqrt() + T::of(0.0);
        vec![y - m * at.number(0) / root, m, v]
    }
}

/// The copy and what it is a copy of.
fn pairs() -> [[InnerStep; 2]; 2] {
    let fista = "fista".parse().expect("a name");
    [
        [InnerStep::own(Accelerated), fista],
        [InnerStep::own(Moments), InnerStep::Adam { rate: 0.1 }],
    ]
}

/// Every strategy that takes steps, with these.
fn strategies(inner: &InnerStep) -> Vec<Box<dyn Strategy<f64>>> {
    let itd = |memory| Itd::reverse(25).inner(inner.clone()).memory(memory);
    let steps = LowerSolve::Steps {
        depth: 25,
        inner: inner.clone(),
        length: StepLength::Auto,
    };
    let fixed_point = AidStep::new(inner.clone());
    vec![
        Box::new(itd(Memory::Stored)),
        Box::new(itd(Memory::Taped)),
        Box::new(itd(Memory::Checkpointed { slots: 4 })),
        Box::new(itd(Memory::Online { slots: 4 })),
        Box::new(itd(Memory::Truncated { steps: 7 })),
        Box::new(itd(Memory::Forward)),
        Box::new(itd(Memory::Reversible)),
        Box::new(Itd::reverse(400).inner(inner.clone()).tolerance(1e-8)),
        Box::new(Bda::new(25).inner(inner.clone())),
        Box::new(Aid::cg().lower(steps)),
        Box::new(fixed_point.clone()),
        Box::new(fixed_point.system(StepSystem::Gmres { restart: 5 })),
    ]
}

#[test]
fn a_copy_of_a_kind_of_step_has_its_bits() {
    // On both sides of the size up to which the end of a loop is always looked at.
    for n in [3, 24] {
        let (problem, x) = (curved(n), point(n));
        for [own, ours] in pairs() {
            for (own, ours) in strategies(&own).iter().zip(strategies(&ours)) {
                if let Err(refused) = ours.validate() {
                    // Neither can be undone, nor is Adam at rest at a fixed point.
                    assert!(own.validate().is_err(), "{own:?}: {refused}");
                    continue;
                }
                let (got, want) = (run(&problem, &**own, &x), run(&problem, &*ours, &x));
                assert_eq!(got.hypergradient, want.hypergradient, "{own:?}");
                assert_eq!(got.y, want.y, "{own:?}");
                assert_eq!(got.status, want.status, "{own:?}");
                assert_eq!(got.oracles, want.oracles, "{own:?}");
                assert_eq!(got.step, want.step, "{own:?}");
                assert_eq!(got.bytes.peak, want.bytes.peak, "{own:?}");
                assert_eq!(got.bytes.peak, own.predicted_peak_bytes(&problem));
            }
        }
    }
}

#[test]
fn the_name_of_a_step_of_ones_own_is_what_is_shown() {
    let [[own, _], [adam, _]] = pairs();
    assert_eq!(own.to_string(), "copy-of-fista");
    let given = Itd::reverse(5).inner(adam).step(0.2);
    let refused = Strategy::<f64>::validate(&given).expect_err("a rate of its own");
    let text = "step length 0.2 beside copy-of-adam of rate 0.1: expected the rate alone";
    assert!(refused.to_string().contains(text), "{refused}");
}
