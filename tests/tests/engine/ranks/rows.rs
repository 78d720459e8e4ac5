//! Samples of which each rank holds its own rows: the losses of all samples, to the bit.

use std::ops::Range;

use autodiff::{Inputs, Objective, Program, Var, objective};
use bilevel_tests::crew::crew;
use models::data::Samples;
use models::{Dataset, RankedDataset};
use nalgebra::DMatrix;
use std::sync::Arc;

const D: usize = 7;
const CLASSES: usize = 3;

fn samples(rows: Range<usize>, label: fn(usize) -> f64) -> Samples {
    let feature = |j: usize, i: usize| ((13 * j + 7 * (rows.start + i)) as f64).sin();
    Samples {
        features: DMatrix::from_fn(D, rows.len(), feature).into(),
        labels: rows.map(label).collect(),
    }
}

fn sign(i: usize) -> f64 {
    if i.is_multiple_of(3) { 1.0 } else { -1.0 }
}

fn target(i: usize) -> f64 {
    (i as f64).cos()
}

fn class(i: usize) -> f64 {
    (i % CLASSES) as f64
}

/// Value, gradients, products and a block of them, of x and y.
fn numbers(program: &Arc<Program<f64>>) -> Vec<u64> {
    let wave = |k: usize, phase: f64| -> Vec<f64> {
        let entries = 0..program.input_shape(k).len();
        entries
            .map(|i| 0.3 * (phase + i as f64).sin() + 0.5)
            .collect()
    };
    let (x, y, u, v) = (wave(0, 0.1), wave(1, 0.2), wave(0, 0.3), wave(1, 0.4));
    let mut point = program.point();
    let mut all = vec![point.linearise(&[&x, &y])];
    all.extend((0..2).flat_map(|k| point.gradient(k).to_vec()));
    point.second_by(&[Some(&u), Some(&v)], Inputs::ALL);
    all.extend((0..2).flat_map(|k| point.product(k).to_vec()));
    let blocks = [&u, &v].map(|of| of.repeat(3));
    point.second_block(3, &[Some(&blocks[0]), Some(&blocks[1])], Inputs::ALL);
    all.extend((0..2).flat_map(|k| point.product(k).to_vec()));
    all.into_iter().map(f64::to_bits).collect()
}

#[test]
fn losses_of_own_rows_are_those_of_all_samples() {
    for n in [1, 63, 200, 1000, 5000] {
        let (binary, targets) = (
            Dataset::<f64>::binary(&samples(0..n, sign)),
            Dataset::<f64>::targets(&samples(0..n, target)),
        );
        let classes = Dataset::<f64>::classes(&samples(0..n, class), CLASSES);
        let of_all = [
            objective(move |_: Var, y: Var| binary.logistic_loss(y)).record(1, D),
            objective(move |_: Var, y: Var| targets.squared_loss(y)).record(1, D),
            objective(move |x: Var, y: Var| classes.weighted_cross_entropy(y, x))
                .record(n, CLASSES * D),
        ];
        let want = of_all.each_ref().map(numbers);
        for size in [1, 2, 3, 7] {
            let got = crew(size, 1, || {
                let rows = |classes| RankedDataset::<f64>::rows(n, classes);
                let binary = RankedDataset::binary(&samples(rows(1), sign), n);
                let targets = RankedDataset::targets(&samples(rows(1), target), n);
                let own = samples(rows(CLASSES), class);
                let classes = RankedDataset::classes(&own, CLASSES, n);
                let held = binary.bytes();
                let of_own = [
                    objective(move |_: Var, y: Var| binary.logistic_loss(y)).record(1, D),
                    objective(move |_: Var, y: Var| targets.squared_loss(y)).record(1, D),
                    objective(move |x: Var, y: Var| classes.weighted_cross_entropy(y, x))
                        .record(n, CLASSES * D),
                ];
                // A block of the Hessian would need the samples of others.
                assert_eq!(of_own[0].knows_hessian(1), size == 1);
                (of_own.each_ref().map(numbers), held)
            });
            let held: usize = got.iter().map(|(_, bytes)| bytes).sum();
            assert_eq!(
                held,
                RankedDataset::<f64>::binary(&samples(0..n, sign), n).bytes()
            );
            for (rank, (got, _)) in got.iter().enumerate() {
                assert!(*got == want, "{n} samples, rank {rank} of {size}");
            }
        }
    }
}

#[test]
#[should_panic(expected = "3 samples of rank 0: expected the 200 of 200 in 0..200")]
fn other_rows_are_refused() {
    let _ = RankedDataset::<f64>::binary(&samples(0..3, sign), 200);
}
