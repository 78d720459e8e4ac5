//! Calls of a point in any order, for fused losses and for every problem of the catalogue: what one leaves
//! behind changes no bit of the next.

use std::sync::Arc;

use autodiff::arbitrary::for_all;
use autodiff::arbitrary::properties::calls::any_calls_have_the_bits_of_a_fresh_point;
use autodiff::{Batch, Batched, Program, Real, Sampled, Sparse, Var, batched};
use models::catalogue::{self, Entry};
use models::data::{Features, Samples};
use models::{Activation, Dataset, Mlp};
use nalgebra::DMatrix;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

/// A mean over samples that is fused, and how they are kept and asked for.
#[derive(Clone, Copy, Debug)]
struct Mean {
    /// 0 logistic, 1 squared, 2 softmax, 3 softmax with a weight a sample, 4 a network.
    loss: usize,
    n: usize,
    d: usize,
    classes: usize,
    /// 0 whole numbers of a byte, 1 of single precision, 2 any, 3 sparse.
    kept: usize,
    /// Samples of a batch, or all of them.
    batch: Option<usize>,
    threads: usize,
}

fn mean() -> impl Strategy<Value = Mean> {
    let sizes = (
        prop_oneof![1usize..20, 1usize..300],
        1usize..40,
        prop_oneof![2usize..6, 2usize..70],
    );
    let batch = prop_oneof![Just(None), (1usize..100).prop_map(Some)];
    let drawn = (0usize..5, sizes, 0usize..4, batch, 1usize..=2);
    drawn.prop_map(|(loss, (n, d, classes), kept, batch, threads)| Mean {
        loss,
        n,
        d,
        classes,
        kept: if loss == 4 { kept % 3 } else { kept },
        batch,
        threads,
    })
}

impl Mean {
    fn samples(&self) -> Samples {
        let (n, d) = (self.n, self.d);
        let entry = |i: usize, j: usize| {
            let wave = ((3 * i + 7 * j) as f64 * 0.37).sin();
            match self.kept {
                0 => ((13 * i + 29 * j + i * j) % 7) as f64,
                1 => f64::from(wave as f32),
                3 if (5 * i + 3 * j * j) % 13 > 4 => 0.0,
                _ => wave,
            }
        };
        let label = |j: usize| match self.loss {
            0 => [1.0, -1.0][(j * j + j / 3) % 2],
            1 => (j as f64).cos(),
            _ => ((j * j + j / 3) % self.classes) as f64,
        };
        let dense = DMatrix::from_fn(d, n, entry);
        Samples {
            features: match self.kept {
                3 => Features::Sparse(Sparse::of_dense(&dense.transpose())),
                _ => Features::Dense(dense),
            },
            labels: Vec::from_iter((0..n).map(label)),
        }
    }

    /// Its program, and the samples of the batch if it takes some.
    fn program<T: Real>(&self) -> (Arc<Program<T>>, Vec<T>) {
        let (samples, loss, n) = (self.samples(), self.loss, self.n);
        let data = match loss {
            0 => Dataset::binary(&samples),
            1 => Dataset::targets(&samples),
            _ => Dataset::classes(&samples, self.classes),
        };
        let net = Mlp::new(&[self.d, 5, self.classes], Activation::Tanh);
        let (dim_x, dim_y) = match loss {
            0 | 1 => (1, self.d),
            2 => (1, self.d * self.classes),
            3 => (n, self.d * self.classes),
            _ => (1, net.layout().len()),
        };
        let mean = batched(n, move |x: Var<T>, y: Var<T>, at: Batch<T>| match loss {
            0 => data.logistic_loss_of(at, y) * x.exp().sum(),
            1 => data.squared_loss_of(at, y),
            2 => data.cross_entropy_of(at, y),
            3 => data.weighted_cross_entropy_of(at, y, at.entries(x.sigmoid())),
            _ => data.mlp_losses_of(at, &net, y).mean(),
        });
        match self.batch {
            None => {
                let all = Vec::from_iter(0..n);
                (mean.program(dim_x, dim_y, &all), Vec::new())
            }
            Some(len) => {
                let drawn = (0..len).map(|k| T::of(((k * k + 3 * k) % n) as f64));
                (mean.batch_program(dim_x, dim_y, len), drawn.collect())
            }
        }
    }

    fn holds<T: Real>(&self, words: &[u32]) -> TestCaseResult {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(self.threads);
        let pool = pool.build().expect("a pool");
        pool.install(|| {
            let (program, drawn) = self.program::<T>();
            let hold: &[&[T]] = if drawn.is_empty() { &[] } else { &[&drawn] };
            any_calls_have_the_bits_of_a_fresh_point(&program, &wave, hold, words)
        })
    }
}

/// Numbers of order a third.
fn wave<T: Real>(round: usize, k: usize, len: usize) -> Vec<T> {
    let shift = (3 * round + 5 * k) as f64;
    Vec::from_iter((0..len).map(|i| T::of(0.3 * (1.9 * i as f64 + shift).cos())))
}

fn words() -> impl Strategy<Value = Vec<u32>> {
    vec(0u32..1 << 24, 1..40)
}

#[test]
fn fused_means_of_samples() {
    for_all(file!(), 400, (mean(), words()), |(mean, words)| {
        mean.holds::<f64>(&words)?;
        mean.holds::<f32>(&words)
    });
}

/// Both levels of a problem, all samples and batches, near its start.
fn both_levels<T: Real>(entry: &Entry, words: &[u32]) -> TestCaseResult {
    let task = entry.small::<T>(0).expect("embedded data");
    let bilevel = &task.bilevel;
    let bases = [&task.x, bilevel.start()];
    let near = |round: usize, k: usize, len: usize| {
        let base = bases[k].iter().copied();
        // Directions have a multiple of the length, points are near the base.
        let way = wave::<T>(round, k, len);
        match round % 2 {
            0 => Vec::from_iter(base.zip(way).map(|(b, w)| b + w * T::of(0.1))),
            _ => way,
        }
    };
    for program in [bilevel.lower(), bilevel.upper()] {
        any_calls_have_the_bits_of_a_fresh_point(program, &near, &[], words)?;
    }
    let (x, y) = (bilevel.dim_x(), bilevel.dim_y());
    for mean in bilevel.means().into_iter().flatten() {
        let Some(batched) = mean.batched() else {
            continue;
        };
        for len in [1, 7, 40] {
            let drawn = (0..len).map(|k| T::of(((k * k + 3 * k) % mean.samples()) as f64));
            let drawn = Vec::from_iter(drawn);
            let program = batched.batch_program(x, y, len);
            any_calls_have_the_bits_of_a_fresh_point(&program, &near, &[&drawn], words)?;
        }
    }
    Ok(())
}

#[test]
fn problems_of_the_catalogue() {
    for name in catalogue::names(|_| true) {
        let entry = catalogue::named(name).expect("its name");
        for_all(file!(), 6, words(), |words| {
            both_levels::<f64>(entry, &words)?;
            both_levels::<f32>(entry, &words)
        });
    }
}
