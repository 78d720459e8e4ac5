//! Quadratic lower levels with closed-form answers: ridge regression, and least squares twice.

use std::sync::Arc;

use autodiff::{Real, Var, objective};
use nalgebra::{DMatrix, DVector};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use solvers::Constants;

use crate::catalogue::{Data, Defaults, Entry, make};
use crate::curvatures::WORK;
use crate::data::{Labels, Samples, Splits};
use crate::design::Design;
use crate::task::{Known, Metric, Task};

/// A matrix with entries of variance 1/rows.
fn random(rng: &mut ChaCha8Rng, rows: usize, cols: usize) -> DMatrix<f64> {
    let half = (3.0 / rows as f64).sqrt();
    DMatrix::from_fn(rows, cols, |_, _| rng.random_range(-half..half))
}

fn largest(m: &DMatrix<f64>) -> f64 {
    m.singular_values().max()
}

/// Problem `ridge`: lower = ½‖Xy − t‖² + ½ Σ e^{x_j} y_j², upper = ½‖X_v y − t_v‖², with x and y of
/// `dim` entries, `4 dim` training and `2 dim` validation samples drawn from `seed`.
///
/// y* = (XᵀX + diag eˣ)⁻¹Xᵀt and ∂φ/∂x_j = −e^{x_j} y*_j [H⁻¹X_vᵀ(X_v y* − t_v)]_j, which
/// [`ridge_hypergradient`] evaluates. Constants: μ = λ_min(XᵀX) + min eˣ, L_H = 0, L_J = max eˣ,
/// ‖∇²_xy g‖ = max e^{x_j}|y_j|, L_F = ‖X_v‖².
#[inline(never)]
pub fn ridge<T: Real>(dim: usize, seed: u64) -> Task<T> {
    Ridge::draw(dim, seed).task()
}

/// [`ridge`] of these samples, whose labels are the targets; there is no intercept. The metric is
/// the mean squared error on the test samples, if there are any. Of sparse, many or large samples 0 and
/// ‖X‖² in the Frobenius norm stand for the extreme eigenvalues in the constants.
///
/// ```
/// use models::data::{Labels, Reading};
///
/// let file = tempfile::NamedTempFile::new()?;
/// std::fs::write(&file, "area,rooms,target\n30,1,310.5\n55,2,520\n80,3,799\n95,3,930\n")?;
/// let reading = Reading { labels: Labels::Targets, standardise: true, ..Reading::default() };
/// let task = models::ridge_on::<f64>(reading.load(file.path())?.splits);
/// assert_eq!(task.bilevel.dim_y(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[inline(never)]
pub fn ridge_on<T: Real>(splits: Splits) -> Task<T> {
    Ridge::of(splits).task()
}

/// The entry of [`ridge`].
pub static RIDGE: Entry = Entry::new(
    "ridge",
    "closed form 6: ridge regression, one penalty per feature; random samples",
    [
        "ln of the penalty of each feature",
        "weights of the features",
    ],
    make!(|given| Ok(match given.table.take() {
        Some(splits) => ridge_on(splits),
        None => ridge(if given.is_small() { 6 } else { 20 }, given.seed),
    })),
)
.takes(Data::Table(Labels::Targets))
.with_sparse();

/// φ(x) and ∇φ(x) of [`ridge`] in closed form.
pub fn ridge_hypergradient(dim: usize, seed: u64, x: &DVector<f64>) -> (f64, DVector<f64>) {
    let Ridge { train, valid, .. } = Ridge::draw(dim, seed);
    let dense = |(m, t): Rows| match m {
        Design::Dense(m) => (m, t),
        Design::Sparse(_) => unreachable!("what is drawn is dense"),
    };
    let (train, valid) = (dense(train), dense(valid));
    let weights = x.map(f64::exp);
    let h = train.0.tr_mul(&train.0) + DMatrix::from_diagonal(&weights);
    let factor = h.cholesky().expect("positive definite");
    let y = factor.solve(&train.0.tr_mul(&train.1));
    let r = &valid.0 * &y - &valid.1;
    let v = factor.solve(&valid.0.tr_mul(&r));
    let gradient = DVector::from_fn(dim, |j, _| -weights[j] * y[j] * v[j]);
    (0.5 * r.norm_squared(), gradient)
}

/// Samples as rows, and their targets.
type Rows = (Design<f64>, DVector<f64>);

struct Ridge {
    train: Rows,
    valid: Rows,
    test: Option<Rows>,
}

impl Ridge {
    /// Every other weight of the truth is 0, so that the features differ in what they deserve.
    fn draw(dim: usize, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let truth = DVector::from_fn(dim, |j, _| match j % 2 {
            0 => rng.random_range(-1.0..1.0),
            _ => 0.0,
        });
        let mut samples = |count| {
            let m = random(&mut rng, count, dim);
            let noise = DVector::from_fn(count, |_, _| rng.random_range(-0.3..0.3));
            let t = &m * &truth + noise;
            (Design::Dense(m), t)
        };
        Ridge {
            train: samples(4 * dim),
            valid: samples(2 * dim),
            test: None,
        }
    }

    fn of(splits: Splits) -> Self {
        let rows = |part: Samples| (Design::of(part.features), DVector::from_vec(part.labels));
        Ridge {
            train: rows(splits.train),
            valid: rows(splits.valid),
            test: splits.test.map(rows),
        }
    }

    fn task<T: Real>(self) -> Task<T> {
        let Ridge { train, valid, test } = self;
        let dim = train.0.columns();
        let ((least, greatest), (_, smooth)) = (curvatures(&train.0), curvatures(&valid.0));
        let half = T::of(0.5);
        let cast = |(m, t): &Rows| (m.cast::<T>(), t.map(T::of));
        let ((a, t), (b, u)) = (cast(&train), cast(&valid));
        let lower = objective(|x: Var<'_, T>, y: Var<'_, T>| {
            ((a.times(y) - &t).norm_squared() + x.exp().dot(y.square())) * half
        });
        let upper =
            objective(|_: Var<'_, T>, y: Var<'_, T>| (b.times(y) - &u).norm_squared() * half);
        let start = DVector::from_element(dim, T::of(-2.0));
        let task = Task::plain("ridge", upper, lower, start, dim);
        let task = task.with_constants(move |x, y| {
            let weights: Vec<f64> = x.iter().map(|x| x.f64().exp()).collect();
            let max = weights.iter().copied().fold(0.0, f64::max);
            let min = weights.iter().copied().fold(f64::INFINITY, f64::min);
            let products = weights.iter().zip(y).map(|(w, y)| w * y.f64().abs());
            Constants {
                strong_convexity: least + min,
                smoothness: greatest + max,
                hessian_lipschitz: 0.0,
                cross_norm: products.fold(0.0, f64::max),
                cross_lipschitz: max,
                upper_smoothness: smooth,
                upper_cross: 0.0,
            }
        });
        let metrics = test.map(|(m, t)| {
            Metric::new("test_mse", move |_, y: &DVector<T>| {
                (m.product(&y.map(|v| v.f64())) - &t).norm_squared() / t.len() as f64
            })
        });
        Task {
            metrics: metrics.into_iter().collect(),
            ..task
        }
    }
}

/// The least and the largest eigenvalue of mᵀm; bounds on them where they would take long.
fn curvatures(design: &Design<f64>) -> (f64, f64) {
    let trace = design.norm_squared();
    let Design::Dense(m) = design else {
        return (0.0, trace);
    };
    let (rows, columns) = m.shape();
    if !trace.is_finite() || rows * columns * rows.min(columns) > WORK {
        return (0.0, trace);
    }
    let spectrum = m.singular_values().map(|s| s * s);
    let least = if rows < columns { 0.0 } else { spectrum.min() };
    (least, spectrum.max())
}

/// Problem `least-squares`: lower = ‖Cx + Dy − e‖², upper = ‖Ay − b‖², x of 3 and y of 5 entries, all
/// from `seed`.
///
/// y* = D⁺(e − Cx) and ∇φ = −2(AD⁺C)ᵀ(Ay* − b). Constants: μ and L_g are twice the extreme
/// eigenvalues of DᵀD, ‖∇²_xy g‖ = 2‖CᵀD‖, L_F = 2‖A‖², the others 0.
#[inline(never)]
pub fn least_squares<T: Real>(seed: u64) -> Task<T> {
    let (dim_x, dim_y) = (3, 5);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut draw = |rows, cols| random(&mut rng, rows, cols);
    let (c, d, a) = (draw(12, dim_x), draw(12, dim_y), draw(8, dim_y));
    let (e, b) = (draw(12, 1) * 3.0, draw(8, 1) * 3.0);
    let pseudo = d
        .clone()
        .pseudo_inverse(1e-12)
        .expect("a tolerance that is not negative");
    let slope = -(&a * &pseudo * &c);
    let offset = &a * &pseudo * &e - &b;
    let solution = slope
        .clone()
        .svd(true, true)
        .solve(&-&offset, 1e-12)
        .expect("both sides of the decomposition");
    let known = Known {
        hypergradient: Arc::new(move |x: &DVector<T>| {
            let r = &slope * x.map(|v| v.f64()) + &offset;
            (slope.tr_mul(&r) * 2.0).column(0).map(T::of)
        }),
        solution: solution.column(0).map(T::of),
    };
    let spectrum = d.singular_values().map(|s| 2.0 * s * s);
    let stated = Constants {
        strong_convexity: spectrum.min(),
        smoothness: spectrum.max(),
        hessian_lipschitz: 0.0,
        cross_norm: 2.0 * largest(&c.tr_mul(&d)),
        cross_lipschitz: 0.0,
        upper_smoothness: 2.0 * largest(&a).powi(2),
        upper_cross: 0.0,
    };
    let (c, d, a) = (c.map(T::of), d.map(T::of), a.map(T::of));
    let (e, b) = (e.column(0).map(T::of), b.column(0).map(T::of));
    let lower = objective(|x: Var<'_, T>, y: Var<'_, T>| (&c * x + &d * y - &e).norm_squared());
    let upper = objective(|_: Var<'_, T>, y: Var<'_, T>| (&a * y - &b).norm_squared());
    Task {
        known: Some(known),
        ..Task::plain("least-squares", upper, lower, DVector::zeros(dim_x), dim_y)
            .with_constants(move |_, _| stated)
    }
}

/// The entry of [`least_squares`].
pub static LEAST_SQUARES: Entry = Entry::new(
    "least-squares",
    "closed form 7: least squares on both levels, x of 3 and y of 5 entries",
    ["the outer variables", "the lower variables"],
    make!(|given| Ok(least_squares(given.seed))),
)
.defaults(Defaults::NONE.small_rate(0.03));
