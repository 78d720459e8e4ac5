//! Problems for the stability of stochastic methods: two of them can differ in one sample.

use autodiff::{Batch, Real, Sampled, Table, Var, batched};
use nalgebra::{DMatrix, DVector};

use crate::catalogue::{Data, Defaults, Entry, make};
use crate::data::{Labels, Samples, Splits};
use crate::gaussian::Gaussian;
use crate::task::{Metric, Task, whole};

/// Samples of the test set, which the metric `test_loss` is the upper objective on.
const TEST_SAMPLES: usize = 2000;

/// Problem `ridge-prior`: ridge regression towards a point x that validation samples teach.
///
/// Lower = mean ½(cᵀy − d)² + ½‖y − x‖² over 50 training samples, upper = mean ½(aᵀy − b)² over `n`
/// validation samples; x and y have 5 entries. Entries of a are N(0, 0.04), of c N(0, 0.25); b and d
/// are those of a true w ~ N(0, I) with noise of variance 1.
///
/// Everything comes of `seed`; the validation samples of a smaller `n` are the first ones of a
/// larger. Where `swapped` names one of them, another draw takes its place.
///
/// # Panics
/// If `n` is 0 or `swapped` is not below it.
#[track_caller]
#[inline(never)]
pub fn ridge_prior<T: Real>(n: usize, seed: u64, swapped: Option<usize>) -> Task<T> {
    let dim = 5;
    let truth = Gaussian::new(seed, 0).vector(dim, 1.0);
    let train = Regression::draw(50, &truth, 0.25, 1.0, &mut Gaussian::new(seed, 1));
    let [valid, test] = held_out(n, &truth, 0.04, 1.0, seed, swapped);
    towards(train, valid, Some(test))
}

/// [`ridge_prior`] of these samples, whose labels are the targets; there is no intercept.
#[inline(never)]
pub fn ridge_prior_on<T: Real>(splits: Splits) -> Task<T> {
    let of = Regression::of;
    towards(of(splits.train), of(splits.valid), splits.test.map(of))
}

fn towards<T: Real>(train: Regression, valid: Regression, test: Option<Regression>) -> Task<T> {
    let (n_train, dim, half) = (train.len(), train.features.ncols(), T::of(0.5));
    let train = train.tables();
    let upper = |of: Regression| {
        let (n, of) = (of.len(), of.tables());
        batched(n, move |_: Var<T>, y: Var<T>, batch: Batch<T>| {
            of.mean_square(y, batch) * half
        })
    };
    let lower = batched(n_train, move |x: Var<T>, y: Var<T>, batch: Batch<T>| {
        (train.mean_square(y, batch) + (y - x).norm_squared()) * half
    });
    let start = DVector::zeros(dim);
    let test = test.map(upper);
    task("ridge-prior", upper(valid), test, lower, start, dim)
}

/// The entry of [`ridge_prior`].
pub static RIDGE_PRIOR: Entry = Entry::new(
    "ridge-prior",
    "small toy of `stability`: the point that ridge regression tends to; random samples",
    [
        "the point that the weights tend to",
        "weights of the features",
    ],
    make!(|given| Ok(match given.table.take() {
        Some(splits) => ridge_prior_on(splits),
        None => ridge_prior(100, given.seed, None),
    })),
)
.takes(Data::Table(Labels::Targets))
.defaults(Defaults::NONE.inner_step(0.1));

/// Problem `orthogonal-map`: a map X that validation samples teach, kept near the orthogonal ones.
///
/// Upper = mean (aᵀy − b)² + 0.1 ‖XᵀX − I‖² over `n` validation samples, lower = mean (cᵀXy − d)² +
/// 0.1 ‖y‖² over 2000 training samples, X of 10 × 10 entries from the identity. Entries of a and c
/// are N(0, 0.05), the noise has variance 0.1; b = aᵀw and d = cᵀXw for a true w ~ N(0, I) and a random
/// rotation X.
///
/// Seed and swapping are those of [`ridge_prior`].
///
/// # Panics
/// As [`ridge_prior`].
///
/// # Reference
/// The toy of the stability analysis of AID-based bilevel optimisation, which leaves the two
/// penalties and the truth open.
#[track_caller]
#[inline(never)]
pub fn orthogonal_map<T: Real>(n: usize, seed: u64, swapped: Option<usize>) -> Task<T> {
    let dim = 10;
    let mut truths = Gaussian::new(seed, 0);
    let truth = truths.vector(dim, 1.0);
    let rotation = DMatrix::from_fn(dim, dim, |_, _| truths.draw()).qr().q();
    let train = Regression::draw(
        2000,
        &(rotation * &truth),
        0.05,
        0.1,
        &mut Gaussian::new(seed, 1),
    );
    let [valid, test] = held_out(n, &truth, 0.05, 0.1, seed, swapped);
    let (n_train, train, tenth) = (train.len(), train.tables(), T::of(0.1));
    let upper = |of: Regression| {
        let (n, of) = (of.len(), of.tables());
        batched(n, move |x: Var<T>, y: Var<T>, batch: Batch<T>| {
            let map = x.reshape(dim, dim);
            let away = map.tr_matmul(map) - x.matrix(&DMatrix::identity(dim, dim));
            of.mean_square(y, batch) + away.norm_squared() * tenth
        })
    };
    let lower = batched(n_train, move |x: Var<T>, y: Var<T>, batch: Batch<T>| {
        let mapped = x.reshape(dim, dim).matmul(y);
        train.mean_square(mapped, batch) + y.norm_squared() * tenth
    });
    let identity = DMatrix::<T>::identity(dim, dim);
    let start = DVector::from_column_slice(identity.as_slice());
    task(
        "orthogonal-map",
        upper(valid),
        Some(upper(test)),
        lower,
        start,
        dim,
    )
}

/// The entry of [`orthogonal_map`].
pub static ORTHOGONAL_MAP: Entry = Entry::new(
    "orthogonal-map",
    "the published toy of `stability`: a near-orthogonal 10 x 10 map; random samples",
    [
        "entries of the map, column by column",
        "weights behind the map",
    ],
    make!(|given| Ok(orthogonal_map(500, given.seed, None))),
)
.defaults(Defaults::NONE.inner_step(0.05));

fn task<T: Real>(
    name: &'static str,
    upper: impl Sampled<T> + 'static,
    test: Option<impl Sampled<T>>,
    lower: impl Sampled<T> + 'static,
    x: DVector<T>,
    dim_y: usize,
) -> Task<T> {
    let dim_x = x.len();
    let loss = |test| Metric::value("test_loss", whole(&test, dim_x, dim_y));
    Task {
        metrics: test.map(loss).into_iter().collect(),
        ..Task::sampled(name, upper, lower, x, DVector::zeros(dim_y))
    }
}

/// The validation samples, one of them perhaps replaced, and the test samples.
#[track_caller]
fn held_out(
    n: usize,
    truth: &DVector<f64>,
    variance: f64,
    noise: f64,
    seed: u64,
    swapped: Option<usize>,
) -> [Regression; 2] {
    assert!(n > 0, "0 validation samples: expected at least 1");
    let draw = |count: usize, stream: u64| {
        let mut numbers = Gaussian::new(seed, stream);
        Regression::draw(count, truth, variance, noise, &mut numbers)
    };
    let mut valid = draw(n, 2);
    if let Some(sample) = swapped {
        assert!(sample < n, "sample {sample} of {n} validation samples");
        let other = draw(1, 3);
        valid.features.set_row(sample, &other.features.row(0));
        valid.targets[sample] = other.targets[0];
    }
    [valid, draw(TEST_SAMPLES, 4)]
}

/// Samples of a linear model, one in each row.
struct Regression {
    features: DMatrix<f64>,
    targets: DVector<f64>,
}

impl Regression {
    /// Sample after sample, so that fewer samples are the first ones of more.
    fn draw(
        count: usize,
        truth: &DVector<f64>,
        variance: f64,
        noise: f64,
        numbers: &mut Gaussian,
    ) -> Self {
        let dim = truth.len();
        let mut features = DMatrix::zeros(count, dim);
        let mut targets = DVector::zeros(count);
        for i in 0..count {
            let row = numbers.vector(dim, variance);
            targets[i] = row.dot(truth) + noise.sqrt() * numbers.draw();
            features.set_row(i, &row.transpose());
        }
        Regression { features, targets }
    }

    fn of(samples: Samples) -> Self {
        Regression {
            features: samples.features.dense().transpose(),
            targets: DVector::from_vec(samples.labels),
        }
    }

    fn len(&self) -> usize {
        self.targets.len()
    }

    /// The samples as objectives use them.
    fn tables<T: Real>(self) -> Tables<T> {
        Tables {
            features: Table::of_rows(&self.features.map(T::of)),
            targets: Table::of_entries(self.targets.map(T::of).as_slice()),
        }
    }
}

/// A [`Regression`] that batches pick from.
struct Tables<T> {
    features: Table<T>,
    targets: Table<T>,
}

impl<T: Real> Tables<T> {
    /// `mean_{i in batch} (aᵢᵀw − bᵢ)²`.
    fn mean_square<'r>(&self, w: Var<'r, T>, batch: Batch<'r, T>) -> Var<'r, T> {
        let left = batch.rows(&self.features).matmul(w) - batch.rows(&self.targets);
        left.norm_squared() * T::of(1.0 / batch.len() as f64)
    }
}
