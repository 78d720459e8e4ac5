//! What the bits of a pass over samples do not depend on: the width of the vectors, and how the
//! samples are kept.

use autodiff::vector::{Width, limit_width, width};
use autodiff::{
    Batch, Batched, Inputs, Objective, Real, Sampled, Storage, Var, batched, objective,
};
use models::Dataset;
use models::data::Samples;
use nalgebra::DMatrix;

/// Sizes around a line of samples, a line of features and a block.
const SIZES: [(usize, usize); 6] = [(1, 1), (7, 3), (17, 8), (33, 22), (70, 35), (150, 17)];

/// The mean loss of samples, of signs if there are two classes.
fn dataset<T: Real>(features: &DMatrix<f64>, classes: usize) -> Dataset<T> {
    let class = |j: usize| (j * j + j / 3) % classes;
    let label = |j: usize| match classes {
        2 => 2.0 * class(j) as f64 - 1.0,
        _ => class(j) as f64,
    };
    let samples = Samples {
        features: features.clone().into(),
        labels: Vec::from_iter((0..features.ncols()).map(label)),
    };
    match classes {
        2 => Dataset::binary(&samples),
        _ => Dataset::classes(&samples, classes),
    }
}

fn wave<T: Real>(len: usize, shift: f64) -> Vec<T> {
    Vec::from_iter((0..len).map(|i| T::of(0.3 * (1.9 * i as f64 + shift).cos())))
}

/// Value, gradient, a product at the point and in one pass, and a block, of all samples and of a batch.
fn bits<T: Real>(data: &Dataset<T>, classes: usize) -> Vec<u64> {
    let (n, loss) = (data.len(), data.clone());
    let loss = batched(n, move |_: Var<T>, y: Var<T>, at: Batch<T>| match classes {
        2 => loss.logistic_loss_of(at, y),
        _ => loss.cross_entropy_of(at, y),
    });
    let dim = data.dim() * if classes == 2 { 1 } else { classes };
    let (x, y, v) = ([T::one()], wave::<T>(dim, 1.0), wave::<T>(dim, 5.0));
    let (inputs, moves) = ([&x[..], &y], [None, Some(&v[..])]);
    let all = Vec::from_iter(0..n);
    let some = Vec::from_iter((0..n).map(|i| T::of((i * i % n) as f64)));
    let mut found = Vec::new();
    for picks in [false, true] {
        let mut point = if picks {
            let mut point = loss.batch_program(1, dim, n).point();
            point.hold(&[&some]);
            point
        } else {
            loss.program(1, dim, &all).point()
        };
        found.push(point.linearise(&inputs));
        found.extend_from_slice(point.gradient(1));
        point.second(&moves);
        found.extend_from_slice(point.product(1));
        let block = wave::<T>(11 * dim, 2.0);
        point.second_block(11, &[None, Some(&block)], Inputs::ALL);
        found.extend_from_slice(point.product(1));
        found.push(point.linearise_along(&inputs, &moves));
        point.second(&moves);
        found.extend_from_slice(point.product(1));
    }
    Vec::from_iter(found.iter().map(|v| v.f64().to_bits()))
}

/// A product along one direction after a pass along another, and after a pass along none: what is kept of
/// the samples does not depend on how many go together, which is not the same in the two.
#[test]
fn a_product_after_a_pass_along_another_direction_has_the_same_bits() {
    fn holds<T: Real>() {
        for (n, d) in SIZES {
            let features = DMatrix::from_fn(d, n, |i, j| ((3 * i + 7 * j) as f64 * 0.37).sin());
            for classes in [2, 3, 4, 10, 31, 32, 40, 63, 64] {
                let samples = Samples {
                    features: features.clone().into(),
                    labels: Vec::from_iter((0..n).map(|j| ((j * j + j / 3) % classes) as f64)),
                };
                let data = Dataset::<T>::classes(&samples, classes);
                let dim = d * classes;
                let loss = objective(move |_: Var<T>, y: Var<T>| data.cross_entropy(y));
                let mut point = Objective::record(&loss, 1, dim).point();
                let (x, y) = ([T::one()], wave::<T>(dim, 1.0));
                let (v, other) = (wave::<T>(dim, 5.0), wave::<T>(dim, 2.0));
                let inputs = [&x[..], &y];
                point.linearise(&inputs);
                point.second(&[None, Some(&other)]);
                let want = point.product(1).to_vec();
                point.linearise_along(&inputs, &[None, Some(&v)]);
                point.second(&[None, Some(&other)]);
                assert!(point.product(1) == want, "{n} × {d}, {classes}");
            }
        }
    }
    holds::<f64>();
    holds::<f32>();
}

fn every_width<T: Real>() {
    for (n, d) in SIZES {
        let features = DMatrix::from_fn(d, n, |i, j| ((3 * i + 7 * j) as f64 * 0.37).sin());
        for classes in [2, 3, 4, 7, 10, 70] {
            let data = dataset::<T>(&features, classes);
            let of = |most: Width| {
                limit_width(most);
                bits(&data, classes)
            };
            let narrow = of(Width::Narrow);
            assert!(narrow == of(Width::Scalar), "scalar: {n} × {d}, {classes}");
            assert!(narrow == of(Width::Wide), "wide: {n} × {d}, {classes}");
        }
    }
}

/// AVX-512, AVX2 and no vectors at all, where the processor has them.
#[test]
fn passes_have_the_same_bits_with_vectors_of_every_width() {
    let before = width();
    every_width::<f64>();
    every_width::<f32>();
    assert_eq!(limit_width(Width::Wide), before);
}

fn every_storage<T: Real>(number: impl Fn(f64) -> f64, storage: Storage) {
    for (n, d) in SIZES {
        // From 0 to 250, and some of each.
        let entry = |i: usize, j: usize| number(((13 * i + 29 * j + i * j) % 251) as f64);
        let narrow = DMatrix::from_fn(d, n, entry);
        // One more sample, which is no number of anything narrower.
        let wide = DMatrix::from_fn(d, n + 1, |i, j| match j {
            j if j == n => -1.0 / 3.0,
            j => entry(i, j),
        });
        for classes in [2, 10] {
            let narrow = dataset::<T>(&narrow, classes);
            let wide = dataset::<T>(&wide, classes).select(&Vec::from_iter(0..n));
            assert_eq!(wide.storage(), Some(Storage::Whole));
            if n * d > 250 {
                assert_eq!(narrow.storage(), Some(storage));
                assert!(2 * narrow.bytes() <= wide.bytes() + 64 * n);
            }
            assert!(
                bits(&narrow, classes) == bits(&wide, classes),
                "{n} × {d}, {classes}"
            );
        }
    }
}

#[test]
fn data_kept_narrow_give_the_bits_of_data_kept_whole() {
    every_storage::<f64>(|k| k, Storage::Bytes);
    every_storage::<f64>(|k| k / 255.0, Storage::Bytes);
    every_storage::<f64>(|k| 260.0 * k, Storage::Bytes);
    every_storage::<f64>(|k| (k * 257.0 + 1.0) / 65535.0, Storage::Words);
    every_storage::<f64>(|k| (k - 100.0) / 64.0, Storage::Single);
    every_storage::<f64>(|k| f64::from((0.1 * k).sin() as f32), Storage::Single);
    every_storage::<f32>(|k| k / 255.0, Storage::Bytes);
    every_storage::<f32>(|k| k * 257.0 + 1.0, Storage::Words);
}
