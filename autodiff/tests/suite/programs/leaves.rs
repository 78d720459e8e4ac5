//! A sum of leaves against the same sum recorded as one program.

use std::sync::Arc;

use autodiff::check::Check;
use autodiff::unroll::{Memory, Step, Unrolled};
use autodiff::{Inputs, Meter, Objective, Point, Program, Shape, Var, objective};

/// Entries of a block of y.
const BLOCK: usize = 5;

/// `Σ eˣ √(yᵢ² + 1) + ⟨y, sin x₀⟩`, which bends in both and mixes them.
fn term<'r>(x: Var<'r>, y: Var<'r>) -> Var<'r> {
    x.at(0).exp() * (y.square() + 1.0).sqrt().sum() + (x.at(1).sin() * y).sum().square()
}

fn times<'r>(factor: bool, x: Var<'r>, sum: Var<'r>) -> Var<'r> {
    if factor { x.at(1).cosh() * sum } else { sum }
}

/// Three leaves, of two blocks, two and one, times what depends on x if `factor`, so that
/// the sum's own adjoint moves.
fn both(factor: bool) -> [Arc<Program<f64>>; 2] {
    let shapes = [Shape::vector(2), Shape::vector(5 * BLOCK)];
    let leaf = |blocks: usize| {
        let shapes = [Shape::vector(2), Shape::vector(blocks * BLOCK)];
        Program::<f64>::record(&shapes, |v| {
            let terms = (0..blocks).map(|k| term(v[0], v[1].slice(k * BLOCK, BLOCK)));
            Var::sum_of(terms)
        })
    };
    let leaves = Program::record(&shapes, |v| {
        let parts = [(0, 2), (2, 2), (4, 1)].map(|(first, count)| {
            let y = v[1].slice(first * BLOCK, count * BLOCK);
            (leaf(count), 0.2, vec![v[0], y])
        });
        times(factor, v[0], Var::sum_of_leaves(&parts))
    });
    let plain = Program::record(&shapes, |v| {
        let terms = (0..5).map(|k| term(v[0], v[1].slice(k * BLOCK, BLOCK)));
        times(factor, v[0], Var::sum_of(terms) * 0.2)
    });
    [leaves, plain]
}

fn wave(n: usize, phase: f64) -> Vec<f64> {
    (0..n).map(|i| (phase + 1.7 * i as f64).sin()).collect()
}

#[track_caller]
fn close(a: &[f64], b: &[f64]) {
    let scale = b.iter().fold(1.0, |m: f64, v| m.max(v.abs()));
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        assert!((a - b).abs() <= 1e-13 * scale, "{a} against {b}");
    }
}

#[test]
fn a_sum_of_leaves_has_the_derivatives_of_the_plain_sum() {
    for factor in [false, true] {
        let [leaves, plain] = both(factor);
        let (mut a, mut b) = (leaves.point(), plain.point());
        for phase in [0.1, 2.0] {
            let (x, y) = (wave(2, phase), wave(5 * BLOCK, 3.0 * phase));
            let (u, v) = (wave(2, -phase), wave(5 * BLOCK, 0.5 - phase));
            close(&[a.value(&[&x, &y])], &[b.value(&[&x, &y])]);
            close(&[a.linearise(&[&x, &y])], &[b.linearise(&[&x, &y])]);
            for along in [
                [Some(&u[..]), Some(&v[..])],
                [None, Some(&v)],
                [Some(&u), None],
            ] {
                a.second(&along);
                b.second(&along);
                for k in [0, 1] {
                    close(a.gradient(k), b.gradient(k));
                    close(a.product(k), b.product(k));
                }
                close(&[a.directional(&along)], &[b.directional(&along)]);
            }
            let two: Vec<f64> = [wave(5 * BLOCK, 1.0), wave(5 * BLOCK, 2.0)].concat();
            a.second_block(2, &[None, Some(&two)], Inputs::ALL);
            b.second_block(2, &[None, Some(&two)], Inputs::ALL);
            close(a.product(0), b.product(0));
            close(a.product(1), b.product(1));
            // One sweep is the three.
            a.linearise(&[&x, &y]);
            a.second(&[None, Some(&v)]);
            let three = [a.product(0).to_vec(), a.product(1).to_vec()];
            let mut fresh = leaves.point();
            fresh.linearise_along(&[&x, &y], &[None, Some(&v)]);
            assert_eq!(
                [fresh.product(0), fresh.product(1)],
                [&three[0][..], &three[1]]
            );
            fresh.second_at(&[&x, &y], &[None, Some(&v)], Inputs::ALL);
            assert_eq!(
                [fresh.product(0), fresh.product(1)],
                [&three[0][..], &three[1]]
            );
            // y alone was set anew.
            let z = wave(5 * BLOCK, 9.0 * phase);
            close(&[a.linearise(&[&x, &z])], &[b.linearise(&[&x, &z])]);
            close(a.gradient(1), b.gradient(1));
        }
    }
}

#[test]
fn a_sum_of_leaves_passes_the_checker() {
    let [leaves, _] = both(true);
    let (x, y) = (wave(2, 0.3), wave(5 * BLOCK, 1.0));
    let report = Check::new().program(&leaves, &[&x, &y]);
    assert!(report.passed(), "{report}");
}

/// Unrolled steps along the gradient of a sum of leaves, under every policy.
#[test]
fn loops_along_the_gradient_of_a_sum_of_leaves_have_the_plain_derivatives() {
    let (x, start) = (wave(2, 0.3), wave(5 * BLOCK, 1.0));
    let cotangent = wave(5 * BLOCK, 0.2);
    let run = |g: &Arc<Program<f64>>, memory: Memory| {
        let step = Step::new(2, 5 * BLOCK, |x, y, _| {
            y - 0.05 * Var::gradient(g, 1, &[x, y])
        });
        let predicted = step.peak_bytes(7, memory);
        let meter = Meter::new();
        let mut steps = Unrolled::new(step, &meter);
        let last = steps.forward(&x, &start, 7, memory).to_vec();
        let pulled = steps.reverse(&cotangent).0.to_vec();
        assert_eq!(meter.read().peak, predicted, "{memory}");
        (last, pulled)
    };
    let [leaves, plain] = both(false);
    for memory in [
        Memory::Stored,
        Memory::Taped,
        Memory::Checkpointed { slots: 2 },
    ] {
        let (a, b) = (run(&leaves, memory), run(&plain, memory));
        close(&a.0, &b.0);
        close(&a.1, &b.1);
    }
}

#[test]
fn bytes_are_those_that_are_predicted() {
    let [leaves, _] = both(true);
    let (x, y) = (wave(2, 0.3), wave(5 * BLOCK, 1.0));
    let (meter, v) = (Meter::new(), wave(15 * BLOCK, 2.0));
    let mut point = Point::new(leaves.clone(), &meter);
    point.linearise(&[&x, &y]);
    let linearised = Point::gradient_bytes(&leaves);
    assert_eq!(meter.read().peak, linearised);
    point.second_block(3, &[None, Some(&v)], Inputs::ALL);
    assert_eq!(
        meter.read().peak,
        linearised + Point::second_block_bytes(&leaves, 3)
    );
}

#[test]
fn what_is_wrong_inside_a_leaf_is_named_there() {
    let leaf = objective(|x: Var, y: Var| (x * y.ln()).sum() + y.abs().sum()).record(1, 2);
    let sum = objective(move |x: Var, y: Var| {
        let parts = [0, 2].map(|first| (leaf.clone(), 0.5, vec![x, y.slice(first, 2)]));
        Var::sum_of_leaves(&parts)
    });
    let mut point = sum.record(1, 4).point();
    assert!(point.program().has_kinks());
    point.linearise(&[&[0.0], &[1.0, 2.0, 3.0, 0.0]]);
    let found = point.first_non_finite().expect("ln 0");
    assert_eq!((&found.operation[..], found.entry), ("ln", 1));
    let kinks = point.kinks();
    assert_eq!((kinks.len(), &kinks[0].operation[..]), (1, "abs"));
}

#[test]
fn the_bits_are_the_same_on_any_number_of_threads() {
    let leaf = objective(|x: Var, y: Var| (x * y.sin()).exp().sum()).record(1, 20_000);
    let sum = objective(move |x: Var, y: Var| {
        let part = |k: usize| (leaf.clone(), 0.3, vec![x, y.slice(k * 20_000, 20_000)]);
        Var::sum_of_leaves(&[0, 1, 2, 3, 4].map(part))
    });
    let program = sum.record(1, 100_000);
    let (y, v) = (wave(100_000, 0.1), wave(100_000, 0.2));
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().expect("a pool").install(|| {
            let mut point = program.point();
            let value = point.linearise(&[&[0.7], &y]);
            point.second(&[None, Some(&v)]);
            let [g, p] = [point.gradient(0)[0], point.product(0)[0]];
            (
                value,
                g,
                p,
                point.gradient(1).to_vec(),
                point.product(1).to_vec(),
            )
        })
    };
    let one = on(1);
    assert!(one == on(2) && one == on(3));
}
