//! Problems with known answers.

use std::sync::Arc;

use autodiff::{Objective, Real, Var, objective};
use nalgebra::{DMatrix, DVector};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use solvers::Constants;

use crate::catalogue::{Defaults, Entry, Given, Size, make};
use crate::task::{Known, Task};

/// A scalar problem's answer: its hypergradient as a function, and its solution.
pub(crate) fn known<T: Real>(
    solution: f64,
    hypergradient: impl Fn(f64) -> f64 + Send + Sync + 'static,
) -> Option<Known<T>> {
    known_by_entry(1, solution, hypergradient)
}

/// The answer of a problem whose n entries of x are alike and apart.
fn known_by_entry<T: Real>(
    n: usize,
    solution: f64,
    hypergradient: impl Fn(f64) -> f64 + Send + Sync + 'static,
) -> Option<Known<T>> {
    Some(Known {
        hypergradient: Arc::new(move |x: &DVector<T>| x.map(|x| T::of(hypergradient(x.f64())))),
        solution: DVector::from_element(n, T::of(solution)),
    })
}

/// Problem `bda-counterexample`: x has n entries and y = (y₁, y₂) twice as many,
/// F = ½‖x − y₂‖² + ½‖y₁ − 1‖², g = ½‖y₁‖² − xᵀy₁, each x in [−100, 100].
///
/// The lower level leaves y₂ free: its Hessian is singular. The best of its solutions makes
/// φ(x) = ½‖x − 1‖²; the solution is x = 1, y = (1, 1), F = 0. Unrolling from y = 0 leaves y₂ = 0 and
/// goes to x = ½.
///
/// # Panics
/// If n is 0.
///
/// # Reference
/// R. Liu et al., ICML 2020, counter-example 1, which has n = 1.
#[track_caller]
#[inline(never)]
pub fn bda_counterexample<T: Real>(n: usize) -> Task<T> {
    let upper = objective(move |x: Var<'_, T>, y: Var<'_, T>| aggregated_upper(n, x, y));
    aggregated(
        "bda-counterexample",
        n,
        upper,
        known_by_entry(n, 1.0, |x| x - 1.0),
    )
}

/// The entry of [`bda_counterexample`].
pub static BDA_COUNTEREXAMPLE: Entry = Entry::new(
    "bda-counterexample",
    "closed form 1: the lower level has many solutions; x* = 1, plain unrolling goes to 1/2",
    [
        "the outer variables",
        "the two halves of the lower variable",
    ],
    make!(|given| Ok(bda_counterexample(entries(given)))),
)
.with_large();

/// Problem `bda-discriminating`: [`bda_counterexample`] with ½‖x‖² added to F, so that each way of
/// aggregating ends elsewhere. The solution is x = ½; without aggregation it is 1/3.
///
/// # Panics
/// As that.
#[track_caller]
#[inline(never)]
pub fn bda_discriminating<T: Real>(n: usize) -> Task<T> {
    let half = T::of(0.5);
    let upper = objective(move |x: Var<'_, T>, y: Var<'_, T>| {
        aggregated_upper(n, x, y) + x.norm_squared() * half
    });
    aggregated(
        "bda-discriminating",
        n,
        upper,
        known_by_entry(n, 0.5, |x| 2.0 * x - 1.0),
    )
}

/// The entry of [`bda_discriminating`].
pub static BDA_DISCRIMINATING: Entry = Entry::new(
    "bda-discriminating",
    "closed form 2: each way of aggregating ends elsewhere; x* = 1/2",
    [
        "the outer variables",
        "the two halves of the lower variable",
    ],
    make!(|given| Ok(bda_discriminating(entries(given)))),
)
.with_large();

/// The entries of x of the two.
fn entries(given: &Given) -> usize {
    match given.size {
        Size::Large => 100,
        _ => 1,
    }
}

#[track_caller]
fn aggregated<T: Real>(
    name: &'static str,
    n: usize,
    upper: impl Objective<T>,
    known: Option<Known<T>>,
) -> Task<T> {
    assert!(n > 0, "x of 0 entries: expected at least 1");
    let half = T::of(0.5);
    let lower = objective(move |x: Var<'_, T>, y: Var<'_, T>| {
        let first = y.slice(0, n);
        first.norm_squared() * half - x.dot(first)
    });
    Task {
        bounds: Some((-100.0, 100.0)),
        known,
        ..Task::plain(
            name,
            upper,
            lower,
            DVector::from_element(n, T::of(2.0)),
            2 * n,
        )
    }
}

fn aggregated_upper<'r, T: Real>(n: usize, x: Var<'r, T>, y: Var<'r, T>) -> Var<'r, T> {
    let half = T::of(0.5);
    let (first, second) = (y.slice(0, n) - T::one(), x - y.slice(n, n));
    second.norm_squared() * half + first.norm_squared() * half
}

/// Problem `penalty-bias`: F = ½(y − 1)² + ½x², g = ½(y − x)². The solution is x = ½; a penalty α
/// leads to x = α/(1 + 2α).
#[inline(never)]
pub fn penalty_bias<T: Real>() -> Task<T> {
    Task {
        known: known(0.5, |x| 2.0 * x - 1.0),
        ..scalar_problem("penalty-bias", 1.0, 0.0)
    }
}

/// The entry of [`penalty_bias`].
pub static PENALTY_BIAS: Entry = Entry::new(
    "penalty-bias",
    "closed form 3: a penalty α ends at α/(1+2α) instead of 1/2",
    ["the outer variable", "the lower variable"],
    make!(|_| Ok(penalty_bias())),
);

/// Problem `scalar`: F = ½(y − 1)² + ½x², g = ½·2·(y − x)², at x = 0.3. After K steps of length s
/// from 0, with r = 1 − (1 − 2s)ᴷ, ITD gives x + r(rx − 1) and AID x + (rx − 1); exact is 2x − 1.
#[inline(never)]
pub fn scalar<T: Real>() -> Task<T> {
    Task {
        known: known(0.5, |x| 2.0 * x - 1.0),
        ..scalar_problem("scalar", 2.0, 0.3)
    }
}

/// The entry of [`scalar`].
pub static SCALAR: Entry = Entry::new(
    "scalar",
    "closed form 4: one-dimensional, the errors of ITD and AID are known",
    ["the outer variable", "the lower variable"],
    make!(|_| Ok(scalar())),
);

/// The constants of g = ½a(y − x)², F = ½(y − 1)² + ½x².
fn scalar_constants(a: f64) -> Constants {
    Constants {
        strong_convexity: a,
        smoothness: a,
        hessian_lipschitz: 0.0,
        cross_norm: a,
        cross_lipschitz: 0.0,
        upper_smoothness: 1.0,
        upper_cross: 0.0,
    }
}

fn scalar_problem<T: Real>(name: &'static str, a: f64, x: f64) -> Task<T> {
    let (half, half_a) = (T::of(0.5), T::of(0.5 * a));
    let upper = objective(move |x: Var<'_, T>, y: Var<'_, T>| {
        ((y - T::one()).square() + x.square()) * half
    });
    let lower = objective(move |x: Var<'_, T>, y: Var<'_, T>| (y - x).square() * half_a);
    Task::plain(name, upper, lower, DVector::from_element(1, T::of(x)), 1)
        .with_constants(move |_, _| scalar_constants(a))
}

/// Problem `quadratic`: F = ½yᵀAy + ½(x − x̂)ᵀD(x − x̂), g = ½yᵀAy − xᵀBy with a random well-conditioned
/// A (`dim_y × dim_y`), B (`dim_x × dim_y`), a positive diagonal D and x̂, all from `seed`.
///
/// y* = A⁻¹Bᵀx, ∇φ = BA⁻¹Bᵀx + D(x − x̂), x* = (BA⁻¹Bᵀ + D)⁻¹Dx̂.
#[inline(never)]
pub fn quadratic<T: Real>(dim_x: usize, dim_y: usize, seed: u64) -> Task<T> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut draw = |_: usize, _: usize| rng.random_range(-1.0..1.0);
    let m = DMatrix::<f64>::from_fn(dim_y, dim_y, &mut draw);
    let a = &m * m.transpose() / dim_y as f64 + DMatrix::identity(dim_y, dim_y) * 0.5;
    let b = DMatrix::<f64>::from_fn(dim_x, dim_y, &mut draw);
    let target = DMatrix::<f64>::from_fn(dim_x, 1, &mut draw)
        .column(0)
        .into_owned();
    let weights = DMatrix::<f64>::from_fn(dim_x, 1, |i, j| 1.0 + 0.5 * draw(i, j));
    let d = DMatrix::from_diagonal(&weights.column(0).into_owned());

    let inverse = a
        .clone()
        .cholesky()
        .expect("A is positive definite")
        .inverse();
    let reduced = &b * inverse * b.transpose();
    let linear = &d * &target;
    let spectrum = a.symmetric_eigenvalues();
    let stated = Constants {
        strong_convexity: spectrum.min(),
        smoothness: spectrum.max(),
        hessian_lipschitz: 0.0,
        cross_norm: b.singular_values().max(),
        cross_lipschitz: 0.0,
        upper_smoothness: spectrum.max(),
        upper_cross: 0.0,
    };
    let solution = (&reduced + &d)
        .cholesky()
        .expect("a sum of positive definite matrices")
        .solve(&linear);
    let slope = reduced + &d;
    let known = Known {
        hypergradient: Arc::new(move |x: &DVector<T>| {
            (&slope * x.map(|v| v.f64()) - &linear).map(T::of)
        }),
        solution: solution.map(T::of),
    };

    let (a, b, d, target) = (a.map(T::of), b.map(T::of), d.map(T::of), target.map(T::of));
    // Away from 0, where y* and ∇_yF are 0 and every strategy is right.
    let start = DVector::from_fn(dim_x, |i, _| T::of(0.5 - 0.25 * (i % 4) as f64));
    let half = T::of(0.5);
    let upper = objective(|x: Var<'_, T>, y: Var<'_, T>| {
        let away = x - &target;
        (y.dot(&a * y) + away.dot(&d * away)) * half
    });
    let lower = objective(|x: Var<'_, T>, y: Var<'_, T>| y.dot(&a * y) * half - x.dot(&b * y));
    Task {
        known: Some(known),
        ..Task::plain("quadratic", upper, lower, start, dim_y).with_constants(move |_, _| stated)
    }
}

/// The entry of [`quadratic`].
pub static QUADRATIC: Entry = Entry::new(
    "quadratic",
    "closed form 5: a random quadratic problem, x of 5 and y of 8 entries",
    ["the outer variables", "the lower variables"],
    make!(|given| Ok(quadratic(5, 8, given.seed))),
)
.defaults(Defaults::NONE.small_rate(0.005).inner_step(0.1));
