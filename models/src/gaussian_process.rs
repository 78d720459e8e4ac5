//! Gaussian processes: length scales, signal and noise by validation or by the marginal likelihood.

use autodiff::{Real, Var, objective};
use nalgebra::{DMatrix, DVector};

use crate::catalogue::{Data, Defaults, Entry, Given, make};
use crate::data::{DataError, Labels, Samples, Splits};
use crate::gaussian::Gaussian;
use crate::task::{Metric, Task};

/// Training samples at most: a kernel has an entry for each pair of them.
const MOST: usize = 4096;

/// What x is chosen by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Half of the mean squared error on the validation samples.
    Validation,
    /// Minus the logarithm of the marginal likelihood of the training samples, for each.
    Likelihood,
}

/// Problems `gaussian-process` and `gaussian-process-likelihood`: regression by a Gaussian process
/// with the kernel `k(a, b) = eˢ exp(−½ Σ_j e^{−2x_j} (a_j − b_j)²)`. x holds the logarithms of the
/// length scale of each feature, then that of the signal eˢ and of the noise e^r, and y the weights of
/// the n training samples: with `C = K + e^r I`, lower = ½ yᵀCy − yᵀt. So y* = C⁻¹t.
///
/// Upper by [`Evidence::Validation`] = ½ mean (K_v y − t_v)², and by [`Evidence::Likelihood`]
/// = (½ tᵀy + ½ ln det C)/n + ½ ln 2π, whose hypergradient along dC is
/// (½ tr(C⁻¹ dC) − ½ y*ᵀ dC y*)/n. The metric is the mean squared error on the test samples, if there
/// are any. x starts at 0, but for the noise, which starts at −2: features and targets are best
/// standardised.
///
/// # Errors
/// [`DataError::TooLarge`] if there are more than 4096 training samples.
///
/// # Reference
/// C. Rasmussen and C. Williams, Gaussian Processes for Machine Learning, 2006, equations 2.25, 2.30
/// and 5.9.
#[inline(never)]
pub fn gaussian_process<T: Real>(splits: Splits, by: Evidence) -> Result<Task<T>, DataError> {
    let n = splits.train.len();
    if n > MOST {
        return Err(DataError::TooLarge {
            file: splits.source,
            found: format!("{n} training samples, of which a kernel has an entry for each pair"),
            limit: format!("{MOST}, the first rows of the file"),
        });
    }
    let rows = |part: &Samples| part.features.dense().transpose().map(T::of);
    let (a, b) = (rows(&splits.train), rows(&splits.valid));
    let targets =
        |part: &Samples| DVector::from_iterator(part.len(), part.labels.iter().map(|t| T::of(*t)));
    let (t, u) = (targets(&splits.train), targets(&splits.valid));
    let (d, half) = (a.ncols(), T::of(0.5));
    let lower = {
        let (a, t) = (a.clone(), t.clone());
        objective(move |x: Var<'_, T>, y: Var<'_, T>| {
            let product = covariance(x, &a).matmul(y);
            y.dot(product) * half - y.dot(y.vector(t.as_slice()))
        })
    };
    let start = DVector::from_fn(d + 2, |j, _| T::of(if j == d + 1 { -2.0 } else { 0.0 }));
    let task = match by {
        Evidence::Validation => {
            let a = a.clone();
            let upper = objective(move |x: Var<'_, T>, y: Var<'_, T>| {
                let left = kernel(x, &b, &a).matmul(y) - &u;
                left.norm_squared() * (half / T::of(u.len() as f64))
            });
            Task::plain("gaussian-process", upper, lower, start, n)
        }
        Evidence::Likelihood => {
            let a = a.clone();
            let constant = T::of(0.5 * std::f64::consts::TAU.ln());
            let upper = objective(move |x: Var<'_, T>, y: Var<'_, T>| {
                let fit = y.dot(y.vector(t.as_slice()));
                let volume = covariance(x, &a).log_det();
                (fit + volume) * (half / T::of(n as f64)) + constant
            });
            Task::plain("gaussian-process-likelihood", upper, lower, start, n)
        }
    };
    let metrics = splits.test.map(|test| {
        let (c, w) = (rows(&test), targets(&test));
        let shapes = [d + 2, n].map(autodiff::Shape::vector);
        let error = autodiff::Program::record(&shapes, |v| {
            (kernel(v[0], &c, &a).matmul(v[1]) - &w).norm_squared() * T::of(1.0 / w.len() as f64)
        });
        Metric::value("test_mse", error)
    });
    Ok(Task {
        metrics: metrics.into_iter().collect(),
        ..task
    })
}

/// The kernel of each row of `a` with each of `b`.
fn kernel<'r, T: Real>(x: Var<'r, T>, a: &DMatrix<T>, b: &DMatrix<T>) -> Var<'r, T> {
    let d = a.ncols();
    let scales = (-x.slice(0, d)).exp().transpose();
    let (p, q) = (x.matrix(a) * scales, x.matrix(b) * scales);
    // ‖p − q‖² = ‖p‖² + ‖q‖² − 2 pᵀq
    let lengths = |v: Var<'r, T>| v.square().sum_cols();
    let distances = lengths(p) + lengths(q).transpose() - p.matmul_tr(q) * T::of(2.0);
    (x.slice(d, 1) - distances * T::of(0.5)).exp()
}

/// The covariance of targets at the rows of `a`: the kernel and the noise.
fn covariance<'r, T: Real>(x: Var<'r, T>, a: &DMatrix<T>) -> Var<'r, T> {
    let (n, d) = a.shape();
    let noise = x.slice(d + 1, 1).exp() * x.matrix(&DMatrix::identity(n, n));
    kernel(x, a, a) + noise
}

/// Samples of a function of two features, the second of which it depends on less: 40 to train on, and
/// 20 each to validate and to test on, with a noise of 0.1; 8 and 4 in the small size.
fn drawn(given: &Given) -> Splits {
    let mut numbers = Gaussian::new(given.seed, 0);
    let mut samples = |count: usize| {
        let features = DMatrix::from_fn(2, count, |_, _| numbers.draw());
        let value = |a: &[f64]| (2.0 * a[0]).sin() + 0.3 * a[1];
        let labels = features.column_iter();
        let labels = labels.map(|a| value(&[a[0], a[1]]) + 0.1 * numbers.draw());
        Samples {
            labels: labels.collect(),
            features: features.into(),
        }
    };
    let count = if given.is_small() { 4 } else { 20 };
    Splits {
        train: samples(2 * count),
        valid: samples(count),
        test: Some(samples(count)),
        source: String::new(),
    }
}

fn made<T: Real>(given: &mut Given, by: Evidence) -> Result<Task<T>, DataError> {
    let splits = match given.table.take() {
        Some(splits) => splits,
        None => drawn(given),
    };
    gaussian_process(splits, by)
}

const VARIABLES: [&str; 2] = [
    "ln of the length scale of each feature, of the signal and of the noise",
    "weights of the training samples",
];

/// The curvature of the lower level grows as the signal does, and steps that suit the start diverge on
/// the way unless they are short.
const DEFAULTS: Defaults = Defaults::adam(0.01, 0.01).inner_step(0.02).iterations(200);

/// The entry of [`gaussian_process`] by validation.
pub static GAUSSIAN_PROCESS: Entry = Entry::new(
    "gaussian-process",
    "a Gaussian process, its length scales, signal and noise by validation",
    VARIABLES,
    make!(|given| made(given, Evidence::Validation)),
)
.takes(Data::Table(Labels::Targets))
.defaults(DEFAULTS);

/// The entry of [`gaussian_process`] by the marginal likelihood.
pub static GAUSSIAN_PROCESS_LIKELIHOOD: Entry = Entry::new(
    "gaussian-process-likelihood",
    "the same by the marginal likelihood, with a log-determinant in F",
    VARIABLES,
    make!(|given| made(given, Evidence::Likelihood)),
)
.takes(Data::Table(Labels::Targets))
.defaults(DEFAULTS);
