//! Fused losses against their expansion into elementary operations.

use std::sync::Arc;

use autodiff::{Inputs, Meter, Point, Program, Real, Shape, Sparse, Var};
use models::Dataset;
use models::data::Samples;
use nalgebra::DMatrix;

fn samples(n: usize, d: usize, classes: usize) -> Samples {
    let features = DMatrix::from_fn(d, n, |i, j| ((3 * i + 7 * j) as f64 * 0.37).sin());
    let class = |j: usize| (j * j + j / 3) % classes;
    let labels = (0..n).map(|j| match classes {
        2 => 2.0 * class(j) as f64 - 1.0,
        _ => class(j) as f64,
    });
    Samples {
        labels: labels.collect(),
        features: features.into(),
    }
}

/// Directions of a block.
const WIDTH: usize = 11;

/// Value, gradients and products of two programs agree.
pub(crate) fn agree<T: Real>(fused: &Arc<Program<T>>, plain: &Arc<Program<T>>, tolerance: f64) {
    let vector = |k: usize, shift: f64| -> Vec<T> {
        let len = fused.input_shape(k).len();
        (0..len)
            .map(|i| T::of(0.7 * (1.9 * i as f64 + shift).cos()))
            .collect()
    };
    let inputs: Vec<Vec<T>> = (0..fused.inputs()).map(|k| vector(k, k as f64)).collect();
    let inputs: Vec<&[T]> = inputs.iter().map(|v| &v[..]).collect();
    let moves: Vec<Vec<T>> = (0..fused.inputs())
        .map(|k| vector(k, 5.0 + k as f64))
        .collect();
    let (mut a, mut b): (Point<T>, Point<T>) = (fused.point(), plain.point());
    let close = |x: &[T], y: &[T], what: &str| {
        let scale = y.iter().map(|v| v.f64().abs()).fold(1e-3, f64::max);
        for (x, y) in x.iter().zip(y) {
            let error = (x.f64() - y.f64()).abs();
            assert!(error <= tolerance * scale, "{what}: {x} against {y}");
        }
    };
    close(&[a.linearise(&inputs)], &[b.linearise(&inputs)], "value");
    for k in 0..inputs.len() {
        close(a.gradient(k), b.gradient(k), "gradient");
    }
    // Every subset of the inputs moves.
    for subset in 1..1usize << inputs.len() {
        let directions: Vec<Option<&[T]>> = moves
            .iter()
            .enumerate()
            .map(|(k, v)| (subset >> k & 1 == 1).then_some(&v[..]))
            .collect();
        close(
            &[a.directional(&directions)],
            &[b.directional(&directions)],
            "derivative",
        );
        a.second(&directions);
        b.second(&directions);
        for k in 0..inputs.len() {
            close(a.product(k), b.product(k), "product");
        }
        // So many at once, more than go through a pass together: each shorter than the one before.
        let columns = |v: &&[T]| {
            let column = |c: usize| v.iter().map(move |v| *v / T::of((c + 1) as f64));
            Vec::from_iter((0..WIDTH).flat_map(column))
        };
        let blocks = Vec::from_iter(directions.iter().map(|v| v.as_ref().map(columns)));
        let blocks = Vec::from_iter(blocks.iter().map(|v| v.as_deref()));
        a.second_block(WIDTH, &blocks, Inputs::ALL);
        for k in 0..inputs.len() {
            let block = a.product(k).chunks(inputs[k].len()).enumerate();
            for (c, column) in block {
                let want = b.product(k).iter().map(|v| *v / T::of((c + 1) as f64));
                close(column, &Vec::from_iter(want), "product of a block");
            }
        }
        // Evaluated along the direction, to the bit.
        let mut joint = fused.point();
        let value = joint.linearise_along(&inputs, &directions);
        assert_eq!(value, a.value(&inputs), "value");
        a.linearise(&inputs);
        a.second(&directions);
        for k in 0..inputs.len() {
            assert_eq!(joint.gradient(k), a.gradient(k), "gradient");
            assert_eq!(joint.product(k), a.product(k), "product");
        }
    }
}

/// Sizes around the blocks and registers of the kernels.
const SIZES: [(usize, usize); 9] = [
    (1, 1),
    (3, 2),
    (4, 4),
    (5, 3),
    (63, 9),
    (64, 8),
    (67, 17),
    (200, 33),
    (1100, 5),
];

fn logistic<T: Real>(tolerance: f64) {
    for (n, d) in SIZES {
        let samples = samples(n, d, 2);
        let data = Dataset::<T>::binary(&samples);
        let rows = samples.features.dense().transpose().map(T::of);
        let labels: Vec<T> = samples.labels.iter().map(|t| T::of(*t)).collect();
        // Twice the loss and a term beside it, so that its adjoint is not 1.
        let shapes = [Shape::vector(d)];
        let with = |loss: &dyn for<'r> Fn(Var<'r, T>) -> Var<'r, T>| {
            Program::record(&shapes, |v| loss(v[0]) * T::of(2.0) + v[0].norm_squared())
        };
        let fused = with(&|w| data.logistic_loss(w));
        let plain = with(&|w| (-((&rows * w) * w.vector(&labels))).softplus().mean());
        agree(&fused, &plain, tolerance);
    }
}

/// The weighted cross-entropy in elementary operations.
fn expansion<'r, T: Real>(
    samples: &Samples,
    classes: usize,
    w: Var<'r, T>,
    s: Var<'r, T>,
) -> Var<'r, T> {
    let (d, n) = samples.features.dense().shape();
    let features = w.matrix(&samples.features.dense().map(T::of));
    let label = |i: usize| samples.labels[i] as usize;
    let at: Vec<usize> = (0..n).map(|i| i * classes + label(i)).collect();
    // classes × n, from d × classes weights.
    let logits = w.reshape(d, classes).tr_matmul(features);
    let losses = logits.log_sum_exp().reshape(n, 1) - logits.gather(&at);
    (losses * s).mean()
}

fn softmax<T: Real>(tolerance: f64) {
    for ((n, d), classes) in SIZES.into_iter().zip([3, 4, 5, 8, 10, 12, 16, 21, 3]) {
        let samples = samples(n, d, classes);
        let data = Dataset::<T>::classes(&samples, classes);
        let shapes = [Shape::vector(classes * d), Shape::vector(n)];
        let weighted = Program::record(&shapes, |v| {
            data.weighted_cross_entropy(v[0], v[1].sigmoid()) * T::of(2.0)
        });
        let plain = Program::record(&shapes, |v| {
            expansion(&samples, classes, v[0], v[1].sigmoid()) * T::of(2.0)
        });
        agree(&weighted, &plain, tolerance);
        let even = Program::record(&shapes[..1], |v| data.cross_entropy(v[0]));
        let ones = vec![T::one(); n];
        let plain = Program::record(&shapes[..1], |v| {
            expansion(&samples, classes, v[0], v[0].vector(&ones))
        });
        agree(&even, &plain, tolerance);
    }
}

#[test]
fn logistic_loss_is_its_expansion() {
    logistic::<f64>(1e-12);
    logistic::<f32>(1e-4);
}

#[test]
fn cross_entropy_is_its_expansion() {
    softmax::<f64>(1e-12);
    softmax::<f32>(1e-4);
}

/// What `run` gives on so many threads.
fn on<R: Send>(threads: usize, run: impl Fn() -> R + Send) -> R {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    pool.build().expect("a pool").install(run)
}

/// The same bits on one thread and on several, on data large enough to be shared out.
#[test]
fn the_number_of_threads_does_not_matter() {
    let (n, d, classes) = (3001, 40, 10);
    let data = Dataset::<f64>::classes(&samples(n, d, classes), classes);
    let program = Program::record(&[Shape::vector(classes * d), Shape::vector(n)], |v| {
        data.weighted_cross_entropy(v[0], v[1])
    });
    let bits = |threads: usize| {
        on(threads, || {
            let mut point = program.point();
            let w: Vec<f64> = (0..classes * d).map(|i| (i as f64).sin()).collect();
            let s: Vec<f64> = (0..n).map(|i| 0.5 + 0.4 * (i as f64).cos()).collect();
            let value = point.linearise(&[&w, &s]);
            point.second(&[Some(&w), Some(&s)]);
            let all = [
                point.gradient(0),
                point.gradient(1),
                point.product(0),
                point.product(1),
            ];
            let numbers = all.into_iter().flatten().chain([&value]);
            numbers.map(|v| v.to_bits()).collect::<Vec<u64>>()
        })
    };
    assert_eq!(bits(1), bits(2));
    assert_eq!(bits(1), bits(5));
}

#[test]
fn nor_does_it_for_blocks_of_products() {
    let (n, d) = (9001, 40);
    let data = Dataset::<f64>::binary(&samples(n, d, 2));
    let program = Program::record(&[Shape::vector(d)], |v| data.logistic_loss(v[0]));
    let w: Vec<f64> = (0..d).map(|i| (i as f64).sin()).collect();
    let block: Vec<f64> = (0..16 * d).map(|i| (i as f64).cos()).collect();
    let bits = |threads: usize| {
        on(threads, || {
            let mut point = program.point();
            point.linearise(&[&w]);
            point.second_block(16, &[Some(&block)], Inputs::ALL);
            Vec::from_iter(point.product(0).iter().map(|v| v.to_bits()))
        })
    };
    assert_eq!(bits(1), bits(2));
    assert_eq!(bits(1), bits(5));
}

/// A block of products of one loss: each as alone, in as many bytes as were predicted.
fn block_by_block<T: Real>(data: &Dataset<T>) {
    let (d, loss) = (data.dim(), data.clone());
    let program = Program::record(&[Shape::vector(d)], |v: &[Var<'_, T>]| {
        loss.logistic_loss(v[0])
    });
    let wave = |len: usize| Vec::from_iter((0..len).map(|i| T::of((1.3 * i as f64).sin())));
    let w = wave(d);
    for width in [2, 3, 7, 8, 9, 16, 17] {
        let block = wave(width * d);
        let meter = Meter::new();
        let mut point = Point::new(program.clone(), &meter);
        point.linearise(&[&w]);
        point.second_block(width, &[Some(&block)], Inputs::ALL);
        let predicted =
            Point::gradient_bytes(&program) + Point::second_block_bytes(&program, width);
        assert_eq!(meter.read().live(), predicted, "{width} directions");
        assert_eq!(meter.read().peak, predicted, "{width} directions");
        let products = point.product(0).to_vec();
        let mut alone = program.point();
        alone.linearise(&[&w]);
        for (product, v) in products.chunks(d).zip(block.chunks(d)) {
            alone.second(&[Some(v)]);
            assert_eq!(alone.product(0), product, "{width} directions");
        }
        // The room of a block is one that a point can have, and then it needs no more.
        let other = Meter::new();
        let mut restored = Point::new(program.clone(), &other);
        assert!(restored.make_room(&point.room()));
        restored.linearise(&[&w]);
        restored.second_block(width, &[Some(&block)], Inputs::ALL);
        assert_eq!(other.read().peak, predicted, "{width} directions");
        assert_eq!(restored.product(0), products);
        let mut lengths = point.room();
        lengths[0] += 1;
        assert!(
            !program.point().make_room(&lengths),
            "a scratch of no block"
        );
    }
}

fn blocks_of<T: Real>() {
    for (n, d) in SIZES {
        let dense = samples(n, d, 2);
        block_by_block::<T>(&Dataset::binary(&dense));
        let features = DMatrix::from_fn(n, d, |j, i| match (i + j) % 3 {
            0 => 0.0,
            _ => (0.3 * (2 * i + 5 * j) as f64).cos(),
        });
        block_by_block::<T>(&Dataset::binary(&Samples {
            features: Sparse::of_dense(&features).into(),
            labels: dense.labels,
        }));
    }
}

#[test]
fn blocks_of_products_have_the_bits_of_each_and_the_bytes_that_are_predicted() {
    blocks_of::<f64>();
    blocks_of::<f32>();
}
