//! Ridge regression whose best penalties are known: the ratios of noise to signal.

use std::sync::Arc;

use autodiff::{Real, Var, objective};
use nalgebra::{DMatrix, DVector};
use solvers::Constants;

use crate::catalogue::{Entry, make};
use crate::gaussian::Gaussian;
use crate::task::{Known, Task};

/// Logarithms of the ratios of noise to signal, from the first group to the last.
const RATIOS: (f64, f64) = (-3.0, 1.0);

/// Problem `group-ridge`: ridge regression with one penalty for each of `groups` groups of `size`
/// features: lower = ½‖Ay − t‖² + ½ Σ_g e^{x_g}‖y_g‖², upper = ½‖By − u‖², where A and B have
/// orthonormal columns, twice as many rows as columns, and come with t and u of `seed`.
///
/// Aᵀt = w + e with a signal w and, in each group, a noise e_g orthogonal to w_g; Bᵀu = w. So
/// y*_g = s(x_g)(w_g + e_g) with s(x) = 1/(1 + eˣ), ∂φ/∂x_g = −s(1 − s)(s(‖w_g‖² + ‖e_g‖²) − ‖w_g‖²),
/// and the best penalty of a group is its ratio of noise to signal, e^{x_g} = ‖e_g‖²/‖w_g‖²: the
/// shrinkage of Wiener's filter. ln of the ratios goes from −3 to 1. φ is not convex in x.
///
/// Constants: μ = 1 + min eˣ, L_g = 1 + max eˣ, L_H = 0, L_J = max eˣ, ‖∇²_xy g‖ = max e^{x_g}‖y_g‖,
/// L_F = 1.
///
/// # Panics
/// If there are no groups, or one has fewer than 2 features.
///
/// # Reference
/// G. Golub, M. Heath and G. Wahba, Generalized cross-validation as a method for choosing a good
/// ridge parameter, Technometrics 21, 1979, for the choice that x stands for.
#[track_caller]
#[inline(never)]
pub fn group_ridge<T: Real>(groups: usize, size: usize, seed: u64) -> Task<T> {
    assert!(
        groups > 0 && size > 1,
        "{groups} groups of {size} features: expected at least 1 of at least 2"
    );
    let dim = groups * size;
    let mut numbers = Gaussian::new(seed, 0);
    let signal = DMatrix::from_fn(size, groups, |_, _| numbers.draw());
    let mut noise = DMatrix::from_fn(size, groups, |_, _| numbers.draw());
    let ratio = |g: usize| {
        let along = g as f64 / (groups - 1).max(1) as f64;
        RATIOS.0 + along * (RATIOS.1 - RATIOS.0)
    };
    for (g, (mut e, w)) in noise
        .column_iter_mut()
        .zip(signal.column_iter())
        .enumerate()
    {
        let along = e.dot(&w) / w.norm_squared();
        e.axpy(-along, &w, 1.0);
        e *= (0.5 * ratio(g)).exp() * w.norm() / e.norm();
    }
    // Targets with a part that no y explains.
    let mut samples = |coefficients: DMatrix<f64>| {
        let features = DMatrix::from_fn(2 * dim, dim, |_, _| numbers.draw())
            .qr()
            .q();
        let rest = DVector::from_fn(2 * dim, |_, _| 0.1 * numbers.draw());
        let targets = &features
            * (DVector::from_column_slice(coefficients.as_slice()) - features.tr_mul(&rest))
            + rest;
        (features.map(T::of), targets.map(T::of))
    };
    let ((a, t), (b, u)) = (samples(&signal + &noise), samples(signal.clone()));

    let power = |m: &DMatrix<f64>| {
        m.column_iter()
            .map(|c| c.norm_squared())
            .collect::<Vec<_>>()
    };
    let (signal, noise) = (power(&signal), power(&noise));
    let known = Known {
        solution: DVector::from_fn(groups, |g, _| T::of(ratio(g))),
        hypergradient: Arc::new(move |x: &DVector<T>| {
            DVector::from_fn(groups, |g, _| {
                let s = 1.0 / (1.0 + x[g].f64().exp());
                T::of(-s * (1.0 - s) * (s * (signal[g] + noise[g]) - signal[g]))
            })
        }),
    };
    let half = T::of(0.5);
    let lower = objective(|x: Var<'_, T>, y: Var<'_, T>| {
        let squares = y
            .reshape(size, groups)
            .square()
            .sum_rows()
            .reshape(groups, 1);
        ((&a * y - &t).norm_squared() + x.exp().dot(squares)) * half
    });
    let upper = objective(|_: Var<'_, T>, y: Var<'_, T>| (&b * y - &u).norm_squared() * half);
    let task = Task::plain("group-ridge", upper, lower, DVector::zeros(groups), dim);
    Task {
        known: Some(known),
        ..task.with_constants(move |x, y| constants(x, y, size))
    }
}

fn constants<T: Real>(x: &[T], y: &[T], size: usize) -> Constants {
    let weights = || x.iter().map(|x| x.f64().exp());
    let max = weights().fold(0.0, f64::max);
    let norms = y
        .chunks_exact(size)
        .map(|y| y.iter().map(|v| v.f64().powi(2)).sum::<f64>().sqrt());
    Constants {
        strong_convexity: 1.0 + weights().fold(f64::INFINITY, f64::min),
        smoothness: 1.0 + max,
        hessian_lipschitz: 0.0,
        cross_norm: weights().zip(norms).map(|(w, y)| w * y).fold(0.0, f64::max),
        cross_lipschitz: max,
        upper_smoothness: 1.0,
        upper_cross: 0.0,
    }
}

/// The entry of [`group_ridge`].
pub static GROUP_RIDGE: Entry = Entry::new(
    "group-ridge",
    "closed form 11: ridge regression, a penalty for each of 4 groups of features; x* = -3 to 1",
    [
        "ln of the penalty of each group of features",
        "weights of the features",
    ],
    make!(|given| Ok(group_ridge(
        4,
        if given.is_small() { 2 } else { 5 },
        given.seed
    ))),
);
