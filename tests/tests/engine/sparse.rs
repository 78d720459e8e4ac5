//! Losses over sparse samples are those over the same samples with their zeros.

use autodiff::{Batch, Batched, Objective, Program, Real, Shape, Sparse, Var, batched, objective};
use models::data::{Features, Samples, Splits};
use models::{Dataset, logistic, ridge_on, softmax};
use nalgebra::{DMatrix, DVector};
use solvers::{Aid, Exact, Itd, Strategy};

use crate::fused::agree;

/// About a quarter of the entries, and a sample and a feature without any.
fn samples(n: usize, d: usize, classes: usize) -> [Samples; 2] {
    let value = |i: usize, j: usize| ((3 * i + 7 * j) as f64 * 0.37).sin();
    let dense = DMatrix::from_fn(d, n, |i, j| match (5 * i + 3 * j * j) % 13 < 4 {
        true if j != 1 && i != 2 => value(i, j),
        _ => 0.0,
    });
    let class = |j: usize| (j * j + j / 3) % classes;
    let labels: Vec<f64> = (0..n)
        .map(|j| match classes {
            0..2 => value(j, 3),
            2 => 2.0 * class(j) as f64 - 1.0,
            _ => class(j) as f64,
        })
        .collect();
    let features = [
        Features::Sparse(Sparse::of_dense(&dense.transpose())),
        Features::Dense(dense),
    ];
    features.map(|features| Samples {
        features,
        labels: labels.clone(),
    })
}

/// Sizes around the groups and blocks of the passes.
const SIZES: [(usize, usize); 7] = [
    (1, 1),
    (3, 4),
    (15, 7),
    (16, 9),
    (33, 3),
    (130, 17),
    (700, 5),
];

fn scalar_losses<T: Real>(tolerance: f64) {
    for (n, d) in SIZES {
        let with = |of: &dyn for<'r> Fn(Var<'r, T>) -> Var<'r, T>| {
            Program::record(&[Shape::vector(d)], |v| {
                of(v[0]) * T::of(2.0) + v[0].norm_squared()
            })
        };
        let [a, b] = samples(n, d, 2).map(|s| Dataset::<T>::binary(&s));
        let [a, b] = [a, b].map(|data| with(&|w| data.logistic_loss(w)));
        agree(&a, &b, tolerance);
        let all = samples(n, d, 1);
        let rows = all[1].features.to_dense().transpose().map(T::of);
        let targets: Vec<T> = all[1].labels.iter().map(|t| T::of(*t)).collect();
        let plain = with(&|w| (&rows * w - w.vector(&targets)).square().mean() * T::of(0.5));
        for data in all.map(|s| Dataset::<T>::targets(&s)) {
            agree(&with(&|w| data.squared_loss(w)), &plain, tolerance);
        }
    }
}

fn cross_entropies<T: Real>(tolerance: f64) {
    for ((n, d), classes) in SIZES.into_iter().zip([3, 4, 5, 8, 10, 12, 70]) {
        let shapes = [Shape::vector(classes * d), Shape::vector(n)];
        let all = samples(n, d, classes).map(|s| Dataset::<T>::classes(&s, classes));
        let [a, b] = all.each_ref().map(|data| {
            Program::record(&shapes, |v| {
                data.weighted_cross_entropy(v[0], v[1].sigmoid()) * T::of(2.0)
            })
        });
        agree(&a, &b, tolerance);
        let [a, b] = all.map(|data| Program::record(&shapes[..1], |v| data.cross_entropy(v[0])));
        agree(&a, &b, tolerance);
    }
}

#[test]
fn losses_are_those_of_dense_samples_in_every_sweep() {
    scalar_losses::<f64>(1e-12);
    scalar_losses::<f32>(2e-4);
    cross_entropies::<f64>(1e-12);
    cross_entropies::<f32>(2e-4);
}

#[test]
fn batches_are_data_sets_of_their_own() {
    let (n, d, batch) = (40, 9, [3usize, 39, 3, 0, 1, 17]);
    let indices = batch.map(|i| i as f64);
    let w: Vec<f64> = (0..3 * d).map(|i| (1.7 * i as f64).cos()).collect();
    type Loss = for<'r> fn(&Dataset<f64>, Option<Batch<'r, f64>>, Var<'r>) -> Var<'r>;
    let losses: [(usize, Loss); 3] = [
        (2, |data, batch, w| match batch {
            Some(batch) => data.logistic_loss_of(batch, w),
            None => data.logistic_loss(w),
        }),
        (1, |data, batch, w| match batch {
            Some(batch) => data.squared_loss_of(batch, w),
            None => data.squared_loss(w),
        }),
        (3, |data, batch, w| match batch {
            Some(batch) => data.cross_entropy_of(batch, w),
            None => data.cross_entropy(w),
        }),
    ];
    for (classes, loss) in losses {
        let [sparse, _] = samples(n, d, classes);
        let data = match classes {
            1 => Dataset::targets(&sparse),
            2 => Dataset::binary(&sparse),
            _ => Dataset::classes(&sparse, classes),
        };
        // Two classes have one vector of weights.
        let w = &w[..if classes == 2 { d } else { classes * d }];
        let picked = data.select(&batch);
        let alone = objective(|_: Var, y: Var| loss(&picked, None, y)).record(1, w.len());
        let whole = batched(n, move |_: Var, y: Var, b: Batch| loss(&data, Some(b), y));
        let program = whole.batch_program(1, w.len(), batch.len());
        let (mut a, mut b) = (program.point(), alone.point());
        assert_eq!(
            a.linearise(&[&[0.0], w, &indices]),
            b.linearise(&[&[0.0], w])
        );
        assert_eq!(a.gradient(1), b.gradient(1));
        a.second(&[None, Some(w), None]);
        b.second(&[None, Some(w)]);
        assert_eq!(a.product(1), b.product(1));
    }
}

/// Of a size that is cut into blocks and goes to several threads.
#[test]
fn the_bits_do_not_depend_on_the_number_of_threads() {
    let (n, d) = (9000, 60);
    for classes in [2, 5] {
        let [sparse, _] = samples(n, d, classes);
        let outputs = if classes == 2 { 1 } else { classes };
        let w: Vec<f64> = (0..outputs * d).map(|i| (1.7 * i as f64).cos()).collect();
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            pool.build().expect("a pool").install(|| {
                let program = match classes {
                    2 => {
                        let data = Dataset::<f64>::binary(&sparse);
                        Program::record(&[Shape::vector(w.len())], |v| data.logistic_loss(v[0]))
                    }
                    _ => {
                        let data = Dataset::<f64>::classes(&sparse, classes);
                        Program::record(&[Shape::vector(w.len())], |v| data.cross_entropy(v[0]))
                    }
                };
                let mut point = program.point();
                let value = point.linearise(&[&w]);
                point.second(&[Some(&w)]);
                (value, point.gradient(0).to_vec(), point.product(0).to_vec())
            })
        };
        let one = run(1);
        assert_eq!(one, run(2));
        assert_eq!(one, run(3));
    }
}

/// Each problem that takes sparse samples: the hypergradients of the dense ones, bytes as predicted,
/// and constants that are no sharper.
#[test]
fn problems_of_sparse_samples_have_the_hypergradients_of_dense_ones() {
    let splits = |classes: usize| {
        let [a, b] = [samples(60, 8, classes), samples(31, 8, classes)];
        let of = |k: usize| Splits {
            train: a[k].clone(),
            valid: b[k].clone(),
            test: Some(b[k].clone()),
            source: "test".into(),
        };
        [of(0), of(1)]
    };
    let tasks = [
        splits(2).map(|s| logistic::<f64>(s).expect("two labels")),
        splits(3).map(|s| softmax::<f64>(s).expect("classes")),
        splits(1).map(ridge_on::<f64>),
    ];
    for [sparse, dense] in tasks {
        let x = DVector::from_fn(sparse.x.len(), |j, _| -1.0 - 0.1 * j as f64);
        for strategy in [&Exact as &dyn Strategy<f64>, &Aid::cg(), &Itd::reverse(60)] {
            let [a, b] = [&sparse, &dense].map(|task| {
                let mut work = task.bilevel.workspace();
                let estimate = strategy.hypergradient(&task.bilevel, &x, &mut work);
                let estimate = estimate.expect("valid settings");
                let predicted = strategy.predicted_peak_bytes(&task.bilevel);
                assert_eq!(estimate.bytes.peak, predicted, "{}", task.name);
                (estimate.hypergradient, task.measure(&x, &estimate.y))
            });
            let off = (&a.0 - &b.0).norm() / b.0.norm();
            assert!(off < 1e-9, "{}: {off:e}", sparse.name);
            assert_eq!(a.1.len(), b.1.len());
        }
        let constants = |task: &models::Task<f64>| {
            let y = task.bilevel.start();
            task.bilevel.constants(x.as_slice(), y.as_slice())
        };
        if let (Some(a), Some(b)) = (constants(&sparse), constants(&dense)) {
            assert!(a.smoothness >= b.smoothness * (1.0 - 1e-9));
            assert!(a.strong_convexity <= b.strong_convexity);
            assert!(a.hessian_lipschitz >= b.hessian_lipschitz * (1.0 - 1e-9));
            assert!(a.upper_smoothness >= b.upper_smoothness * (1.0 - 1e-9));
        }
    }
}

#[test]
#[should_panic(expected = "expected a dense table")]
fn what_needs_zeros_says_so() {
    let [sparse, _] = samples(6, 4, 2);
    let _ = sparse.features.dense();
}

/// With more features than a near cache has room for, sums are taken by columns: to the bit what a batch of
/// all samples gives, which goes row by row, on any number of threads; and the copy is counted.
#[test]
fn wide_samples_are_summed_by_columns_with_the_bits_of_rows() {
    for (n, d) in [(3, 5000), (150, 5003), (700, 6000)] {
        for classes in [1, 2] {
            let [sparse, _] = samples(n, d, classes);
            let (data, apart) = match classes {
                1 => (Dataset::<f64>::targets(&sparse), Dataset::targets(&sparse)),
                _ => (Dataset::<f64>::binary(&sparse), Dataset::binary(&sparse)),
            };
            let w: Vec<f64> = (0..d).map(|i| (1.7 * i as f64).cos()).collect();
            let v: Vec<f64> = (0..d).map(|i| (0.3 * i as f64).sin()).collect();
            let held = data.bytes();
            let whole = objective(|_: Var, y: Var| match classes {
                1 => data.squared_loss(y),
                _ => data.logistic_loss(y),
            })
            .record(1, d);
            assert!(data.bytes() > 2 * held, "{held} {}", data.bytes());
            assert_eq!(data.clone().bytes(), data.bytes());
            let by_rows = batched(n, move |_: Var, y: Var, b: Batch| match classes {
                1 => apart.squared_loss_of(b, y),
                _ => apart.logistic_loss_of(b, y),
            })
            .batch_program(1, d, n);
            let indices: Vec<f64> = (0..n).map(|i| i as f64).collect();
            let mut rows = by_rows.point();
            let value = rows.linearise(&[&[0.0], &w, &indices]);
            rows.second(&[None, Some(&v), None]);
            let wanted = (value, rows.gradient(1).to_vec(), rows.product(1).to_vec());
            for threads in [1, 2, 3] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
                let found = pool.expect("a pool").install(|| {
                    let mut point = whole.point();
                    let value = point.linearise(&[&[0.0], &w]);
                    point.second(&[None, Some(&v)]);
                    (value, point.gradient(1).to_vec(), point.product(1).to_vec())
                });
                assert!(found == wanted, "{n} {d} {classes}, {threads} threads");
            }
        }
    }
}
