//! Lasso and elastic net.

use std::sync::Arc;

use autodiff::{Real, Var};
use nalgebra::DVector;
use solvers::Part;

use super::orthonormal::Design;
use crate::catalogue::{Data, Defaults, Entry, make};
use crate::data::{Labels, Splits};
use crate::gaussian::Gaussian;
use crate::task::{Known, Task};

/// Coefficients of an orthonormal design at which the best weights are known: what the training
/// samples see, and what the validation samples say.
struct Chosen {
    seen: Vec<f64>,
    signal: Vec<f64>,
}

/// The best weights of the ℓ₁ norm and of the squares in the closed forms.
const BEST: (f64, f64) = (0.3, 0.25);

impl Chosen {
    /// With λ and θ = 1/(1 + ρ): of `dim` features every other one is kept, where the training samples
    /// see a_j s_j with a_j > λ and the validation samples say `s_j (θ (a_j − λ) + e_j)`, with an e that
    /// is orthogonal to 1 and, for ρ > 0, to a. φ is then least at (λ, ρ) among those that keep these
    /// features. The others are noise of size below λ.
    fn draw(dim: usize, (lambda, rho): (f64, f64), numbers: &mut Gaussian) -> Self {
        let theta = 1.0 / (1.0 + rho);
        let kept = dim.div_ceil(2);
        let sizes = DVector::from_fn(kept, |j, _| lambda * (1.5 + j as f64 * 2.0 / kept as f64));
        let mut off = DVector::from_fn(kept, |_, _| 0.3 * lambda * numbers.draw());
        let ones = DVector::from_element(kept, 1.0);
        let slope = &sizes - &ones * sizes.mean();
        let orthogonal = if rho > 0.0 {
            vec![ones, slope]
        } else {
            vec![ones]
        };
        for direction in orthogonal {
            let along = off.dot(&direction) / direction.norm_squared();
            off.axpy(-along, &direction, 1.0);
        }
        let mut chosen = Chosen {
            seen: Vec::new(),
            signal: Vec::new(),
        };
        for j in 0..dim {
            let sign = numbers.draw().signum();
            let (seen, signal) = match j % 2 {
                0 => (sizes[j / 2], theta * (sizes[j / 2] - lambda) + off[j / 2]),
                _ => (lambda * (0.2 + 0.5 * (j as f64).sin().abs()), 0.0),
            };
            chosen.seen.push(sign * seen);
            chosen.signal.push(sign * signal);
        }
        chosen
    }
}

/// `max(|z| − λ, 0) sign z`.
fn shrink(z: f64, lambda: f64) -> f64 {
    z.signum() * (z.abs() - lambda).max(0.0)
}

/// Problem `lasso`: lower = ‖Ay − t‖²/2n + eˣ‖y‖₁, upper = ‖By − u‖²/2m with one weight for all of `dim`
/// features, where A and B have orthonormal columns times √n, twice as many rows as columns, and
/// come with t and u of `seed`.
///
/// y*_j = sign(c_j) max(|c_j| − eˣ, 0) with c = Aᵀt/n, and with w = Bᵀu/m
/// `∂φ = −eˣ Σ_S sign(c_j)(y*_j − w_j)` over the support S. By the choice of w, x* = ln 0.3. φ has kinks
/// where a feature leaves.
///
/// # Panics
/// If there are fewer than 4 features.
#[track_caller]
#[inline(never)]
pub fn lasso<T: Real>(dim: usize, seed: u64) -> Task<T> {
    let (design, Chosen { seen, signal }) = draw(dim, seed);
    let task = of_one_weight(design);
    let hypergradient = move |x: &DVector<T>| {
        let lambda = x[0].f64().exp();
        let terms = seen
            .iter()
            .zip(&signal)
            .map(|(c, w)| match shrink(*c, lambda) {
                0.0 => 0.0,
                y => -lambda * c.signum() * (y - w),
            });
        DVector::from_element(1, T::of(terms.sum()))
    };
    Task {
        known: Some(Known {
            hypergradient: Arc::new(hypergradient),
            solution: DVector::from_element(1, T::of(BEST.0.ln())),
        }),
        ..task
    }
}

#[track_caller]
fn draw(dim: usize, seed: u64) -> (Design, Chosen) {
    expect_features(dim);
    let mut numbers = Gaussian::new(seed, 0);
    let chosen = Chosen::draw(dim, (BEST.0, 0.0), &mut numbers);
    let design = Design::orthonormal(&chosen.seen, &chosen.signal, &mut numbers);
    (design, chosen)
}

/// The samples of [`lasso`].
#[track_caller]
pub(super) fn drawn(dim: usize, seed: u64) -> Design {
    draw(dim, seed).0
}

/// [`lasso`] of these samples, whose labels are the targets; there is no intercept. x starts at a
/// tenth of the weight at which y is 0. The metrics are the number of entries of y that are not 0, and
/// the mean squared error on the test samples, if there are any.
#[inline(never)]
pub fn lasso_on<T: Real>(splits: Splits) -> Task<T> {
    of_one_weight(Design::of(splits))
}

fn of_one_weight<T: Real>(design: Design) -> Task<T> {
    let start = DVector::from_element(1, T::of(tenth(&design)));
    design.task("lasso", start, Part::l1(|x: Var<'_, T>| x.exp()))
}

/// ln of a tenth of the weight at which y is 0.
fn tenth(design: &Design) -> f64 {
    (0.1 * design.largest_weight()).max(f64::MIN_POSITIVE).ln()
}

#[track_caller]
fn expect_features(dim: usize) {
    assert!(dim > 3, "{dim} features: expected at least 4");
}

/// Problem `elastic-net`: as [`lasso`] with `e^{x₀}‖y‖₁ + ½e^{x₁}‖y‖²`.
///
/// y*_j = sign(c_j) max(|c_j| − λ, 0)/(1 + ρ) with (λ, ρ) = eˣ, so that
/// `∂φ/∂x₀ = −λ/(1 + ρ) Σ_S sign(c_j)(y*_j − w_j)` and `∂φ/∂x₁ = −ρ/(1 + ρ) Σ_S y*_j (y*_j − w_j)`;
/// x* = (ln 0.3, ln 0.25).
///
/// # Panics
/// If there are fewer than 4 features.
#[track_caller]
#[inline(never)]
pub fn elastic_net<T: Real>(dim: usize, seed: u64) -> Task<T> {
    expect_features(dim);
    let mut numbers = Gaussian::new(seed, 0);
    let Chosen { seen, signal } = Chosen::draw(dim, BEST, &mut numbers);
    let design = Design::orthonormal(&seen, &signal, &mut numbers);
    let task = of_two_weights(design);
    let hypergradient = move |x: &DVector<T>| {
        let (lambda, rho) = (x[0].f64().exp(), x[1].f64().exp());
        let mut sums = [0.0; 2];
        for (c, w) in seen.iter().zip(&signal) {
            let y = shrink(*c, lambda) / (1.0 + rho);
            if y != 0.0 {
                sums[0] -= lambda / (1.0 + rho) * c.signum() * (y - w);
                sums[1] -= rho / (1.0 + rho) * y * (y - w);
            }
        }
        DVector::from_row_slice(&sums.map(T::of))
    };
    let solution = [BEST.0.ln(), BEST.1.ln()].map(T::of);
    Task {
        known: Some(Known {
            hypergradient: Arc::new(hypergradient),
            solution: DVector::from_row_slice(&solution),
        }),
        ..task
    }
}

/// [`elastic_net`] of these samples, as [`lasso_on`].
#[inline(never)]
pub fn elastic_net_on<T: Real>(splits: Splits) -> Task<T> {
    of_two_weights(Design::of(splits))
}

fn of_two_weights<T: Real>(design: Design) -> Task<T> {
    let start = T::of(tenth(&design));
    let part = Part::elastic_net(|x: Var<'_, T>| x.at(0).exp(), |x: Var<'_, T>| x.at(1).exp());
    design.task(
        "elastic-net",
        DVector::from_row_slice(&[start, start]),
        part,
    )
}

/// Problem `weighted-lasso`: as [`lasso`] with a weight for each feature, `Σ_j e^{x_j}|y_j|`.
///
/// `∂φ/∂x_j = −e^{x_j} sign(c_j)(y*_j − w_j)` on the support; the validation samples say a part of what
/// the training samples see, w_j = θ_j c_j, so e^{x*_j} = (1 − θ_j)|c_j|.
///
/// # Panics
/// If there are fewer than 4 features.
#[track_caller]
#[inline(never)]
pub fn weighted_lasso<T: Real>(dim: usize, seed: u64) -> Task<T> {
    expect_features(dim);
    let mut numbers = Gaussian::new(seed, 0);
    let seen: Vec<f64> = (0..dim)
        .map(|j| numbers.draw().signum() * (0.5 + (j as f64 * 1.7).sin().abs()))
        .collect();
    let share = |j: usize| 0.3 + 0.6 * j as f64 / dim as f64;
    let signal: Vec<f64> = (0..dim).map(|j| share(j) * seen[j]).collect();
    let design = Design::orthonormal(&seen, &signal, &mut numbers);
    let task = of_each_weight(design);
    let solution = DVector::from_fn(dim, |j, _| T::of(((1.0 - share(j)) * seen[j].abs()).ln()));
    let hypergradient = move |x: &DVector<T>| {
        DVector::from_fn(dim, |j, _| {
            let lambda = x[j].f64().exp();
            let y = shrink(seen[j], lambda);
            let kept = if y == 0.0 { 0.0 } else { 1.0 };
            T::of(-kept * lambda * seen[j].signum() * (y - signal[j]))
        })
    };
    Task {
        known: Some(Known {
            hypergradient: Arc::new(hypergradient),
            solution,
        }),
        ..task
    }
}

/// [`weighted_lasso`] of these samples, as [`lasso_on`].
#[inline(never)]
pub fn weighted_lasso_on<T: Real>(splits: Splits) -> Task<T> {
    of_each_weight(Design::of(splits))
}

fn of_each_weight<T: Real>(design: Design) -> Task<T> {
    let dim = design.dim();
    let start = DVector::from_element(dim, T::of(tenth(&design)));
    design.task("weighted-lasso", start, Part::l1(|x: Var<'_, T>| x.exp()))
}

/// The entry of [`lasso`].
pub static LASSO: Entry = Entry::new(
    "lasso",
    "closed form 12: the Lasso, the weight of its l1 norm; orthonormal design, x* = ln 0.3",
    ["ln of the weight of the l1 norm", "weights of the features"],
    make!(|given| Ok(match given.table.take() {
        Some(splits) => lasso_on(splits),
        None => lasso(if given.is_small() { 6 } else { 40 }, given.seed),
    })),
)
.takes(Data::Table(Labels::Targets))
.with_sparse()
.defaults(Defaults::adam(0.05, 0.005));

/// The entry of [`elastic_net`].
pub static ELASTIC_NET: Entry = Entry::new(
    "elastic-net",
    "closed form 13: the elastic net, both weights; orthonormal design",
    [
        "ln of the weights of the l1 norm and of the squares",
        "weights of the features",
    ],
    make!(|given| Ok(match given.table.take() {
        Some(splits) => elastic_net_on(splits),
        None => elastic_net(if given.is_small() { 6 } else { 40 }, given.seed),
    })),
)
.takes(Data::Table(Labels::Targets))
.with_sparse()
.defaults(Defaults::adam(0.05, 0.005));

/// The entry of [`weighted_lasso`].
pub static WEIGHTED_LASSO: Entry = Entry::new(
    "weighted-lasso",
    "closed form 14: the Lasso with a weight for each feature; orthonormal design",
    [
        "ln of the weight of each feature",
        "weights of the features",
    ],
    make!(|given| Ok(match given.table.take() {
        Some(splits) => weighted_lasso_on(splits),
        None => weighted_lasso(if given.is_small() { 6 } else { 40 }, given.seed),
    })),
)
.takes(Data::Table(Labels::Targets))
.with_sparse()
.defaults(Defaults::adam(0.05, 0.005));
