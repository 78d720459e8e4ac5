//! Leaves whose buffers go on from one to the next: whatever a point did before, a sweep has the bits of
//! one at a point that was made for it.

use std::sync::Arc;

use autodiff::unroll::{Memory, Step, Unrolled};
use autodiff::{Inputs, Meter, Point, Program, Shape, Var};
use proptest::prelude::*;

/// Entries of a block of y, and leaves, each with two entries of x of which the next one has the second.
const BLOCK: usize = 6;
const LEAVES: usize = 5;
const SIZES: [usize; 2] = [LEAVES + 1, LEAVES * BLOCK];

/// A factor of the sum, whether the sum's value is bent, whether what depends on x alone is most of a
/// leaf's work, and whether a leaf has a kink.
#[derive(Clone, Copy, Debug)]
struct Kind {
    factor: bool,
    bent: bool,
    heavy: bool,
    kinked: bool,
}

fn term<'r>(kind: Kind, x: Var<'r>, y: Var<'r>) -> Var<'r> {
    let mut weight = x.at(0).exp();
    if kind.heavy {
        let columns = x.sin().concat(&[x; 30]).sin().square();
        weight = weight + columns.sum() * 0.01;
    }
    let bends = (y.square() + 1.0).sqrt().sum() + (x.at(1).sin() * y).sum().square();
    let all = weight * bends;
    if kind.kinked {
        all + y.abs().sum()
    } else {
        all
    }
}

/// With leaves, or the same as one program.
fn sum(kind: Kind, in_leaves: bool) -> Arc<Program<f64>> {
    let leaf = Program::<f64>::record(&[Shape::vector(2), Shape::vector(BLOCK)], |v| {
        term(kind, v[0], v[1])
    });
    Program::record(&SIZES.map(Shape::vector), |v| {
        // What each leaf reads is bent before, so that what comes back to it is asked for.
        let y = if kind.factor { v[1].sinh() } else { v[1] };
        let at = |k: usize| [v[0].slice(k, 2), y.slice(k * BLOCK, BLOCK)];
        let part = |k: usize| (leaf.clone(), 0.3, at(k).to_vec());
        let sum = match in_leaves {
            true => Var::sum_of_leaves(&Vec::from_iter((0..LEAVES).map(part))),
            false => Var::sum_of((0..LEAVES).map(|k| term(kind, at(k)[0], at(k)[1]))) * 0.3,
        };
        match kind.bent {
            true => (sum * 0.01).exp() * v[0].at(0),
            false => sum,
        }
    })
}

/// What is asked of a point, and which of x and y are set anew before.
#[derive(Clone, Copy, Debug)]
struct Move {
    asked: u8,
    wanted: u8,
    new: (bool, bool),
}

struct At {
    x: Vec<f64>,
    y: Vec<f64>,
    along: [Vec<f64>; 2],
}

fn wave(n: usize, phase: f64) -> Vec<f64> {
    (0..n).map(|i| (phase + 1.7 * i as f64).sin()).collect()
}

/// All that a move gives, as bits; `linearised` says whether one that starts from a linearisation may.
fn answer(point: &mut Point<f64>, at: &At, step: Move, linearised: bool) -> Vec<u64> {
    let inputs = [&at.x[..], &at.y];
    let wanted = match step.wanted {
        0 => Inputs::one(0),
        1 => Inputs::one(1),
        _ => Inputs::ALL,
    };
    let which: Vec<usize> = match step.wanted {
        0 | 1 => vec![usize::from(step.wanted)],
        _ => vec![0, 1],
    };
    let along = match step.wanted {
        0 => [Some(&at.along[0][..]), None],
        1 => [None, Some(&at.along[1][..])],
        _ => [Some(&at.along[0][..]), Some(&at.along[1])],
    };
    let mut found = Vec::new();
    let gradients = |point: &Point<f64>| -> Vec<f64> {
        which
            .iter()
            .flat_map(|k| point.gradient(*k).to_vec())
            .collect()
    };
    let products = |point: &Point<f64>, which: &[usize]| -> Vec<f64> {
        which
            .iter()
            .flat_map(|k| point.product(*k).to_vec())
            .collect()
    };
    match step.asked {
        0 => found.push(point.value(&inputs)),
        1 => {
            found.push(point.differentiate(&inputs, wanted));
            found.extend(gradients(point));
        }
        2 => {
            point.gradient_at(&inputs, wanted);
            found.extend(gradients(point));
            let kinks = point.kinks();
            found.extend(kinks.iter().map(|k| k.entry as f64));
        }
        3 => {
            found.push(point.linearise(&inputs));
            found.extend(gradients(point));
        }
        4 => {
            found.push(point.linearise_along(&inputs, &along));
            found.extend(gradients(point));
            found.extend(products(point, &[0, 1]));
        }
        5 => {
            point.gradient_along(&inputs, &along);
            found.extend(gradients(point));
            found.extend(products(point, &[0, 1]));
        }
        6 => {
            point.second_at(&inputs, &along, wanted);
            found.extend(products(point, &which));
        }
        // By one input, then by all at the same place.
        7 => {
            found.push(point.differentiate(&inputs, wanted));
            point.pull_back(&[2.0], Inputs::ALL);
            found.extend(point.gradient(0).iter().chain(point.gradient(1)));
        }
        _ => {
            if !linearised {
                found.push(point.linearise(&inputs));
            }
            point.second_by(&along, wanted);
            found.extend(products(point, &which));
            found.push(point.directional(&along));
            let kinks = point.kinks();
            found.extend(kinks.iter().map(|k| k.entry as f64));
            found.push(point.first_non_finite().map_or(-1.0, |f| f.entry as f64));
        }
    }
    found.iter().map(|v| v.to_bits()).collect()
}

/// Whether a linearisation stands after a move.
fn linearises(step: Move) -> bool {
    matches!(step.asked, 3..=5 | 8)
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = (0..9u8, 0..3u8, any::<(bool, bool)>());
    let one = one.prop_map(|(asked, wanted, new)| Move { asked, wanted, new });
    prop::collection::vec(one, 2..14)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn a_sweep_has_the_bits_of_one_at_a_new_point(
        (factor, bent, heavy, kinked) in any::<(bool, bool, bool, bool)>(),
        moves in moves(),
    ) {
        let program = sum(Kind { factor, bent, heavy, kinked }, true);
        let mut used = program.point();
        let along = [wave(SIZES[0], 0.4), wave(SIZES[1], 0.9)];
        let mut at = At { x: wave(SIZES[0], 0.1), y: wave(SIZES[1], 1.0), along };
        let mut linearised = false;
        for (k, step) in moves.into_iter().enumerate() {
            let phase = 0.37 * (k + 1) as f64;
            if step.new.0 {
                at.x = wave(SIZES[0], phase);
            }
            if step.new.1 {
                // A kink, and what is not finite, in turn.
                at.y = wave(SIZES[1], phase);
                at.y[k % BLOCK] = if k % 3 == 0 { 0.0 } else { at.y[0] };
            }
            let stands = linearised && step.new == (false, false);
            let found = answer(&mut used, &at, step, stands);
            let mut fresh = program.point();
            if stands && step.asked == 8 {
                fresh.linearise(&[&at.x, &at.y]);
            }
            let expected = answer(&mut fresh, &at, step, stands);
            prop_assert_eq!(found, expected, "move {}: {:?}", k, step);
            linearised = linearises(step);
        }
    }
}

/// In a loop y alone is set at each step: what depends on x stands from the step before, or went with a
/// leaf's values.
#[test]
fn loops_along_their_gradients_are_those_of_one_program() {
    let flags = (0..8u8).map(|k| [1, 2, 4].map(|bit| k & bit > 0));
    for [factor, bent, heavy] in flags {
        let kind = Kind {
            factor,
            bent,
            heavy,
            kinked: false,
        };
        let run = |in_leaves: bool, memory: Memory| {
            let g = sum(kind, in_leaves);
            let step = Step::new(SIZES[0], SIZES[1], |x, y, _| {
                y - 0.01 * Var::gradient(&g, 1, &[x, y])
            });
            let mut steps = Unrolled::new(step, &Meter::new());
            let mut all = Vec::new();
            for phase in [0.1, 2.0] {
                let (x, start) = (wave(SIZES[0], phase), wave(SIZES[1], 1.0 + phase));
                all.extend_from_slice(steps.forward(&x, &start, 6, memory));
                let (by_x, by_start) = steps.reverse(&wave(SIZES[1], 0.2));
                all.extend(by_x.iter().chain(by_start));
            }
            all
        };
        for memory in [
            Memory::Stored,
            Memory::Taped,
            Memory::Checkpointed { slots: 2 },
        ] {
            let pairs = run(true, memory).into_iter().zip(run(false, memory));
            for (i, (a, b)) in pairs.enumerate() {
                let far = (a - b).abs() > 1e-12 * b.abs().max(1.0);
                assert!(!far, "{kind:?}, {memory}: {a} against {b} in entry {i}");
            }
        }
    }
}
