//! Sums of leaves on several ranks: each sweep, and what is looked for in the values.

use std::sync::Arc;

use autodiff::unroll::{Memory, Step, Unrolled};
use autodiff::{Inputs, Meter, Objective, Point, Program, Shape, Var, objective, ranks};
use bilevel_tests::crew::crew;

/// Entries of y of a leaf.
const BLOCK: usize = 3;
const LEAVES: usize = 5;
const DIM: usize = LEAVES * BLOCK;

/// A term that bends in both and mixes them; one with a kink where y is 1 if `bent`.
fn term<'r>(x: Var<'r>, y: Var<'r>, bent: bool) -> Var<'r> {
    let smooth =
        x.at(0).exp() * (y.square() + 1.0).sqrt().sum() + (x.at(1).sin() * y).sum().square();
    if bent {
        smooth + (y - 1.0).abs().sum()
    } else {
        smooth
    }
}

fn sum<'r>(x: Var<'r>, y: Var<'r>, bent: bool) -> Var<'r> {
    let leaves = (0..LEAVES).map(|k| {
        let shapes = [Shape::vector(2), Shape::vector(BLOCK)];
        let leaf = Program::record(&shapes, |v| term(v[0], v[1], bent));
        (
            leaf,
            0.1 + 0.3 * k as f64,
            vec![x, y.slice(k * BLOCK, BLOCK)],
        )
    });
    let leaves: Vec<_> = leaves.collect();
    // Its own adjoint moves.
    x.at(1).cosh() * Var::sum_of_leaves(&leaves)
}

fn program(bent: bool) -> Arc<Program<f64>> {
    let shapes = [Shape::vector(2), Shape::vector(DIM)];
    Program::record(&shapes, |v| sum(v[0], v[1], bent))
}

fn wave(n: usize, phase: f64) -> Vec<f64> {
    (0..n).map(|i| (phase + 1.7 * i as f64).sin()).collect()
}

/// What `f` comes to is the same alone and on crews; what those sent.
#[track_caller]
fn same<R: PartialEq + std::fmt::Debug + Send>(f: impl Fn() -> R + Sync) -> usize {
    let want = f();
    let mut messages = 0;
    for (size, threads) in [(1, 2), (2, 1), (3, 2), (4, 1), (7, 1)] {
        for (rank, (got, traffic)) in crew(size, threads, || (f(), ranks::traffic()))
            .into_iter()
            .enumerate()
        {
            assert_eq!(got, want, "rank {rank} of {size}");
            assert_eq!(traffic.messages > 0, size > 1);
            messages = traffic.messages;
        }
    }
    messages
}

fn numbers(point: &Point<f64>, of: impl Fn(&Point<f64>, usize) -> Vec<f64>) -> Vec<u64> {
    let both = (0..2).flat_map(|k| of(point, k));
    both.map(f64::to_bits).collect()
}

#[test]
fn every_sweep_has_the_bits_and_the_bytes_of_one_rank() {
    let (x, y, u, v) = (wave(2, 0.3), wave(DIM, 1.0), wave(2, 2.0), wave(DIM, 0.1));
    let block = wave(3 * DIM, 0.7);
    same(|| {
        let meter = Meter::new();
        let mut point = Point::new(program(false), &meter);
        let mut all = Vec::new();
        let gradients = |p: &Point<f64>| numbers(p, |p, k| p.gradient(k).to_vec());
        let products = |p: &Point<f64>| numbers(p, |p, k| p.product(k).to_vec());
        all.push(vec![point.value(&[&x, &y]).to_bits()]);
        all.push(vec![
            point
                .differentiate(&[&y[..2], &y], Inputs::one(1))
                .to_bits(),
        ]);
        all.push(point.gradient(1).iter().map(|v| v.to_bits()).collect());
        all.push(vec![point.linearise(&[&x, &y]).to_bits()]);
        all.push(gradients(&point));
        for directions in [[Some(&u[..]), Some(&v)], [None, Some(&v)], [Some(&u), None]] {
            point.second(&directions);
            all.push(products(&point));
            all.push(vec![point.directional(&directions).to_bits()]);
        }
        point.second_block(3, &[None, Some(&block)], Inputs::ALL);
        all.push(products(&point));
        let along = point.linearise_along(&[&u, &v], &[Some(&x), Some(&y)]);
        all.push(vec![along.to_bits()]);
        all.push([gradients(&point), products(&point)].concat());
        point.second_at(&[&x, &v], &[None, Some(&u.repeat(8)[..DIM])], Inputs::ALL);
        all.push(products(&point));
        (all, format!("{:?}", meter.read()))
    });
}

#[test]
fn a_loop_over_gradients_of_leaves_has_the_bits_of_one_rank() {
    let (x, y, u) = (wave(2, 0.3), wave(DIM, 1.0), wave(DIM, 2.0));
    for memory in [Memory::Stored, Memory::Checkpointed { slots: 2 }] {
        same(|| {
            let g = objective(|x: Var, y: Var| sum(x, y, false)).record(2, DIM);
            let step = Step::new(2, DIM, move |x, y, _| {
                y - 0.01 * Var::gradient(&g, 1, &[x, y])
            });
            let mut descent = Unrolled::new(step, &Meter::new());
            let end = descent.forward(&x, &y, 6, memory).to_vec();
            let (by_x, by_y) = descent.reverse(&u);
            [end, by_x.to_vec(), by_y.to_vec()]
                .map(|v| Vec::from_iter(v.iter().map(|v| v.to_bits())))
        });
    }
}

#[test]
fn kinks_and_what_is_not_finite_are_seen_whoever_has_the_leaf() {
    let x = wave(2, 0.3);
    for at in [0, 7, DIM - 1] {
        let mut y = wave(DIM, 1.0);
        y[at] = 1.0;
        same(|| {
            let mut point = program(true).point();
            point.linearise(&[&x, &y]);
            let kinks = point.kinks();
            assert_eq!(kinks.len(), 1);
            kinks[0].to_string()
        });
        y[at] = f64::INFINITY;
        same(|| {
            let mut point = program(false).point();
            point.linearise(&[&x, &y]);
            let found = point.first_non_finite().map(|found| found.to_string());
            (
                found,
                point
                    .program()
                    .find_non_finite(&[&x, &y], &[None, None])
                    .map(|f| f.to_string()),
            )
        });
    }
}

#[test]
#[should_panic(expected = "go on outside of `threads::for_each`")]
fn a_sum_that_ranks_evaluated_is_not_swept_further_by_one() {
    struct Two;
    impl std::fmt::Debug for Two {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("two")
        }
    }
    impl ranks::Ranks for Two {
        fn rank(&self) -> usize {
            0
        }
        fn size(&self) -> usize {
            2
        }
        // Its own numbers are all that there is.
        fn gather(&self, counts: &[usize], all: &mut [u8]) {
            let (own, other) = all.split_at_mut(counts[0]);
            other[..8].copy_from_slice(&own[..8]);
        }
        fn fail(&self, _: u8, reason: &str) -> ! {
            panic!("{reason}")
        }
    }
    ranks::enter(Two, || {
        let mut point = program(false).point();
        point.linearise(&[&wave(2, 0.3), &wave(DIM, 1.0)]);
        autodiff::threads::for_each(&mut [point], 1, |point| {
            point.second(&[None, Some(&wave(DIM, 2.0))]);
        });
    });
}
