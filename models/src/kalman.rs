//! The noises of a linear dynamic model, by the likelihood of its innovations.

use autodiff::{Real, Var, objective};
use nalgebra::{DMatrix, DVector};

use crate::catalogue::{Data, Defaults, Entry, Given, Size, make};
use crate::data::{DataError, Labels, Samples, Splits};
use crate::gaussian::Gaussian;
use crate::task::Task;

/// Observations of a user's series at most: matrices of twice as many rows are dense.
const MOST: usize = 1000;

/// Variance of the level and the slope before the first observation.
const DIFFUSE: f64 = 10.0;

/// Problem `kalman`: a level and a slope (l_t, s_t) that move by `l_t = l_{t−1} + s_{t−1} + w_t` and
/// `s_t = s_{t−1} + v_t` are observed as `b_t = l_t + e_t`; w, v and e are normal with the variances
/// `e^{x₀}`, `e^{x₁}` and `e^{x₂}`, and (l₁, s₁) is normal around 0 with a variance of 10. y holds the
/// states, two for each t, and the lower level is the smoother: g = ½ yᵀPy − e^{−x₂} bᵀl +
/// ½ e^{−x₂} ‖b‖², minus the logarithm of the joint density without its constants, with the precision
/// matrix P(x) of the states given the observations.
///
/// Upper = minus the logarithm of the likelihood of the observations, for each of them:
/// `(g(x, y) + ½ ln det P + ½ Σ_t ln(2π variance) terms)/n`, which at y* is the sum over the
/// innovations of a Kalman filter. x starts at 0.
///
/// # Panics
/// If there are fewer than two observations.
///
/// # Reference
/// J. Durbin and S. J. Koopman, Time series analysis by state space methods, 2nd edition, 2012,
/// sections 3.2 and 7.2.
#[track_caller]
#[inline(never)]
pub fn kalman<T: Real>(observations: &[f64]) -> Task<T> {
    let n = observations.len();
    assert!(n > 1, "{n} observations: expected at least 2");
    // Differences of the levels and of the slopes, the first state, and the levels: rows of y.
    let (level, slope) = (|t: usize| 2 * t, |t: usize| 2 * t + 1);
    let mut by = [n - 1, n - 1, 2, n].map(|rows| DMatrix::<T>::zeros(rows, 2 * n));
    for t in 1..n {
        by[0][(t - 1, level(t))] = T::one();
        by[0][(t - 1, level(t - 1))] = -T::one();
        by[0][(t - 1, slope(t - 1))] = -T::one();
        by[1][(t - 1, slope(t))] = T::one();
        by[1][(t - 1, slope(t - 1))] = -T::one();
    }
    by[2][(0, level(0))] = T::one();
    by[2][(1, slope(0))] = T::one();
    (0..n).for_each(|t| by[3][(t, level(t))] = T::one());
    let squares = by.each_ref().map(|rows| rows.tr_mul(rows));
    let b = DVector::from_iterator(n, observations.iter().map(|b| T::of(*b)));
    let (half, count) = (T::of(0.5), n as f64);
    let model = Trend { by, b };
    let lower = {
        let model = model.clone();
        objective(move |x: Var<'_, T>, y: Var<'_, T>| model.fit(x, y))
    };
    let upper = objective(move |x: Var<'_, T>, y: Var<'_, T>| {
        let weights = (-x).exp();
        let precision = [0, 1, 3].into_iter().zip(0..);
        let precision = precision.map(|(k, i)| x.matrix(&squares[k]) * weights.at(i));
        let first = x.matrix(&squares[2]) * T::of(1.0 / DIFFUSE);
        let precision = Var::sum_of(precision) + first;
        let moves = (x.at(0) + x.at(1)) * T::of(count - 1.0) + x.at(2) * T::of(count);
        let constant = count * std::f64::consts::TAU.ln() + 2.0 * DIFFUSE.ln();
        let volume = precision.log_det() + moves + T::of(constant);
        (model.fit(x, y) + volume * half) * T::of(1.0 / count)
    });
    Task::plain("kalman", upper, lower, DVector::zeros(3), 2 * n)
}

/// The rows of y that are moves of the level and of the slope, the first state, and the levels; and
/// what was observed of these.
#[derive(Clone, Debug)]
struct Trend<T: Real> {
    by: [DMatrix<T>; 4],
    b: DVector<T>,
}

impl<T: Real> Trend<T> {
    /// Half of the sum of squares over their variances.
    fn fit<'r>(&self, x: Var<'r, T>, y: Var<'r, T>) -> Var<'r, T> {
        let weights = (-x).exp();
        let moved = [0, 1].map(|k| (&self.by[k] * y).norm_squared() * weights.at(k));
        let off = (&self.by[3] * y - &self.b).norm_squared() * weights.at(2);
        let first = (&self.by[2] * y).norm_squared() * T::of(1.0 / DIFFUSE);
        (moved[0] + moved[1] + off + first) * T::of(0.5)
    }
}

/// Observations of a model with the variances 0.1, 0.01 and 0.5.
fn drawn(n: usize, seed: u64) -> Vec<f64> {
    let mut numbers = Gaussian::new(seed, 0);
    let (mut level, mut slope) = (0.0, 0.1);
    let observe = |_: usize| {
        level += slope + 0.1f64.sqrt() * numbers.draw();
        slope += 0.1 * numbers.draw();
        level + 0.5f64.sqrt() * numbers.draw()
    };
    (0..n).map(observe).collect()
}

/// A user's series over its own scale: less its mean, and over its standard deviation, since the first
/// state has a variance of its own.
fn scaled(splits: &Splits, given: &mut Given) -> Result<Vec<f64>, DataError> {
    let parts = [
        Some(&splits.train),
        Some(&splits.valid),
        splits.test.as_ref(),
    ];
    let labels = |part: &Samples| part.labels.clone();
    let series = Vec::from_iter(parts.into_iter().flatten().flat_map(labels));
    let n = series.len();
    if n > MOST {
        return Err(DataError::TooLarge {
            file: splits.source.clone(),
            found: format!("a series of {n}"),
            limit: MOST.to_string(),
        });
    }
    let mean = series.iter().sum::<f64>() / n as f64;
    // Over the largest first, so that squares neither overflow nor vanish.
    let largest = series.iter().fold(0.0, |m: f64, b| m.max((b - mean).abs()));
    let square = |b: &f64| ((b - mean) / largest).powi(2);
    let deviation = largest * (series.iter().map(square).sum::<f64>() / n as f64).sqrt();
    // Of a constant series the rounding of its mean is left, which is no scale.
    let size = series.iter().fold(0.0, |m: f64, b| m.max(b.abs()));
    let rounding = n as f64 * f64::EPSILON * size;
    if !(deviation > rounding && deviation.is_finite()) {
        return Err(DataError::Empty {
            file: splits.source.clone(),
            place: "the series".into(),
            what: "two numbers that differ",
        });
    }
    given.notes.push(format!(
        "one series of {n} in the order of its rows, less its mean {mean:.4e} and over its standard \
         deviation {deviation:.4e}"
    ));
    if splits.train.dim() > 0 {
        let others = splits.train.dim();
        given
            .notes
            .push(format!("{others} other columns are not read"));
    }
    Ok(series.iter().map(|b| (b - mean) / deviation).collect())
}

/// The entry of [`kalman`].
pub static KALMAN: Entry = Entry::new(
    "kalman",
    "noises of a local linear trend by the likelihood of its innovations; a smoother below",
    [
        "ln of the variances of level, slope and observation",
        "level and slope at each time",
    ],
    make!(|given| {
        let series = match given.table.take() {
            Some(splits) => scaled(&splits, given)?,
            None => drawn(if given.size == Size::Small { 6 } else { 60 }, given.seed),
        };
        Ok(kalman(&series))
    }),
)
.takes(Data::Table(Labels::Series))
.defaults(Defaults::adam(0.1, 0.01).iterations(200));
