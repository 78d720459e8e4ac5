//! The Lasso and the elastic net by other criteria than validation samples: K-fold cross-validation and
//! Stein's unbiased risk estimate.

use autodiff::{Real, Var};
use nalgebra::{DMatrix, DVector};
use solvers::{Folds, Part, Sure};

use super::lasso::drawn;
use super::orthonormal::{Design, not_zero};
use crate::catalogue::{Data, Defaults, Entry, Given, make};
use crate::data::{DataError, Labels, Samples, Splits};
use crate::dataset::Dataset;
use crate::task::{Metric, Task};

/// Folds of the cross-validation.
const FOLDS: usize = 5;

/// Problem `lasso-cv`: with the training and validation samples dealt to five folds by `seed`,
/// lower = Σ_k ‖A_k y_k − t_k‖²/2n_k + eˣ Σ_k ‖y_k‖₁ over the rows outside of fold k, upper = the mean over
/// the folds of ‖B_k y_k − u_k‖²/2m_k on the rows in it. y has the weights of each fold, one after the
/// other.
///
/// # Panics
/// If there are fewer than five samples.
#[track_caller]
#[inline(never)]
pub fn lasso_cv<T: Real>(splits: Splits, seed: u64) -> Task<T> {
    let part = Part::l1(|x: Var<'_, T>| x.exp());
    cross_validated("lasso-cv", pooled(splits), seed, 1, part)
}

/// Problem `elastic-net-cv`: as [`lasso_cv`] with `e^{x₀}‖y‖₁ + ½e^{x₁}‖y‖²`.
///
/// # Panics
/// As [`lasso_cv`].
#[track_caller]
#[inline(never)]
pub fn elastic_net_cv<T: Real>(splits: Splits, seed: u64) -> Task<T> {
    let part = Part::elastic_net(|x: Var<'_, T>| x.at(0).exp(), |x: Var<'_, T>| x.at(1).exp());
    cross_validated("elastic-net-cv", pooled(splits), seed, 2, part)
}

/// The training and validation samples, as neither criterion keeps any apart.
fn pooled(splits: Splits) -> Samples {
    splits.train.and(&splits.valid)
}

fn cross_validated<T: Real>(
    name: &'static str,
    samples: Samples,
    seed: u64,
    weights: usize,
    part: Part<T>,
) -> Task<T> {
    let (folds, dim) = (Folds::new(samples.len(), FOLDS, seed), samples.dim());
    let problem = folds.problem(
        |_, y, rows| loss(&samples, y, rows),
        |_, y, rows| loss(&samples, y, rows),
        weights,
        dim,
    );
    let problem = problem.and_then(|problem| problem.with_part(part));
    let problem = problem.unwrap_or_else(|error| panic!("problem `{name}`: {error}"));
    let x = DVector::from_element(weights, T::of(tenth(samples)));
    let nonzero = Metric::new("nonzero", move |_, y: &DVector<T>| {
        y.iter().filter(|v| **v != T::zero()).count() as f64 / FOLDS as f64
    });
    Task {
        metrics: vec![nonzero],
        ..Task::new(name, problem, x)
    }
}

/// ‖Ay − t‖²/2n of these rows.
fn loss<'r, T: Real>(samples: &Samples, y: Var<'r, T>, rows: &[usize]) -> Var<'r, T> {
    Dataset::<T>::targets(&samples.subset(rows)).squared_loss(y)
}

/// ln of a tenth of the weight at which y is 0.
fn tenth(samples: Samples) -> f64 {
    let empty = samples.subset(&[]);
    let design = Design {
        train: samples,
        valid: empty,
        test: None,
    };
    (0.1 * design.largest_weight()).max(f64::MIN_POSITIVE).ln()
}

/// Problem `lasso-sure`: lower = ‖Ay − t‖²/2n + eˣ‖y‖₁ on the training and validation samples, upper =
/// Stein's unbiased estimate of ‖Ay − E t‖²/n, by the direction of `seed` (see [`Sure`]). The noise of t
/// is that of the residuals of least squares: σ² = ‖Aŷ − t‖²/(n − d), with σ 1e-8 of the largest target at
/// least.
///
/// # Errors
/// If there are no more samples than features, so that no residual tells the noise.
#[inline(never)]
pub fn lasso_sure<T: Real>(splits: Splits, seed: u64, file: &str) -> Result<Task<T>, DataError> {
    let samples = pooled(splits);
    let (n, dim) = (samples.len(), samples.dim());
    let few = || DataError::TooFewFor {
        file: file.to_owned(),
        found: n,
        expected: dim + 1,
        what: "the noise that `lasso-sure` takes from the residuals of least squares",
    };
    let design: DMatrix<f64> = samples.features.to_dense().transpose();
    let targets = DVector::from_column_slice(&samples.labels);
    if n <= dim {
        return Err(few());
    }
    let svd = design.clone().svd(true, true);
    let rank = svd.rank(1e-10 * svd.singular_values.max());
    let fitted = svd.solve(&targets, 1e-10 * svd.singular_values.max());
    let left = &targets - &design * fitted.map_err(|_| few())?;
    let sigma = (left.norm_squared() / (n - rank) as f64).sqrt();
    // Where they leave nothing, all but nothing is noise.
    let least = 1e-8 * targets.amax();
    let sigma = if least > 0.0 { sigma.max(least) } else { 1e-8 };
    let (a, scale) = (design.map(T::of), T::of(0.5 / n as f64));
    let problem = Sure::new(targets.map(T::of), sigma, seed)
        .problem(
            |_: Var<'_, T>, y: Var<'_, T>| &a * y,
            |_: Var<'_, T>, y: Var<'_, T>, b: Var<'_, T>| (&a * y - b).norm_squared() * scale,
            1,
            dim,
        )
        .and_then(|problem| problem.with_part(Part::l1(|x: Var<'_, T>| x.exp())));
    let problem = problem.unwrap_or_else(|error| panic!("problem `lasso-sure`: {error}"));
    let x = DVector::from_element(1, T::of(tenth(samples)));
    let own = not_zero::<T>();
    let nonzero = Metric::new("nonzero", move |x, y: &DVector<T>| {
        (own.measure)(x, &y.rows(0, dim).into_owned())
    });
    Ok(Task {
        metrics: vec![nonzero],
        ..Task::new("lasso-sure", problem, x)
    })
}

/// The user's samples, or those of the closed form of the Lasso.
fn splits(given: &mut Given) -> Splits {
    let dim = if given.is_small() { 6 } else { 40 };
    let own = || drawn(dim, given.seed).splits();
    given.table.take().unwrap_or_else(own)
}

/// The entry of [`lasso_cv`].
pub static LASSO_CV: Entry = Entry::new(
    "lasso-cv",
    "the Lasso by cross-validation over five folds of all samples",
    [
        "ln of the weight of the l1 norm",
        "weights of the features, of each fold",
    ],
    make!(|given| {
        let splits = splits(given);
        enough(&splits, &given.file)?;
        Ok(lasso_cv(splits, given.seed))
    }),
)
.takes(Data::Table(Labels::Targets))
.defaults(Defaults::adam(0.05, 0.005));

/// The entry of [`elastic_net_cv`].
pub static ELASTIC_NET_CV: Entry = Entry::new(
    "elastic-net-cv",
    "the elastic net by cross-validation over five folds of all samples",
    [
        "ln of the weights of the l1 norm and of the squares",
        "weights of the features, of each fold",
    ],
    make!(|given| {
        let splits = splits(given);
        enough(&splits, &given.file)?;
        Ok(elastic_net_cv(splits, given.seed))
    }),
)
.takes(Data::Table(Labels::Targets))
.defaults(Defaults::adam(0.05, 0.005));

/// The entry of [`lasso_sure`].
pub static LASSO_SURE: Entry = Entry::new(
    "lasso-sure",
    "the Lasso by Stein's unbiased risk estimate on all samples",
    [
        "ln of the weight of the l1 norm",
        "weights of the features, as fitted and to moved targets",
    ],
    make!(|given| {
        let splits = splits(given);
        lasso_sure(splits, given.seed, &given.file)
    }),
)
.takes(Data::Table(Labels::Targets))
.defaults(Defaults::adam(0.05, 0.005));

/// Refuses fewer samples than folds.
fn enough(splits: &Splits, file: &str) -> Result<(), DataError> {
    let found = splits.train.len() + splits.valid.len();
    match found < FOLDS {
        false => Ok(()),
        true => Err(DataError::TooFewFor {
            file: file.to_owned(),
            found,
            expected: FOLDS,
            what: "five folds",
        }),
    }
}
