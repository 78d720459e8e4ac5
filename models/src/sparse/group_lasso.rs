//! Group Lasso.

use std::sync::Arc;

use autodiff::{Real, Var};
use nalgebra::DVector;
use solvers::Part;

use super::orthonormal::Design;
use crate::catalogue::{Data, Defaults, Entry, make};
use crate::data::{Labels, Splits};
use crate::gaussian::Gaussian;
use crate::task::{Known, Task};

/// Problem `group-lasso`: lower = ‖Ay − t‖²/2n + Σ_g e^{x_g}‖y_g‖, upper = ‖By − u‖²/2m, with one weight for
/// each of `groups` groups of `size` features, and samples as in [`lasso`](crate::lasso).
///
/// y*_g = max(1 − e^{x_g}/‖c_g‖, 0) c_g with c = Aᵀt/n, and `∂φ/∂x_g = −e^{x_g} ĉ_gᵀ(y*_g − w_g)` where a
/// group is kept, with ĉ_g = c_g/‖c_g‖ and w = Bᵀu/m; e^{x*_g} = ‖c_g‖ − ĉ_gᵀw_g.
///
/// # Panics
/// If there are no groups, or one has fewer than 2 features.
///
/// # Reference
/// M. Yuan and Y. Lin, Model selection and estimation in regression with grouped variables, 2006.
#[track_caller]
#[inline(never)]
pub fn group_lasso<T: Real>(groups: usize, size: usize, seed: u64) -> Task<T> {
    assert!(
        groups > 0 && size > 1,
        "{groups} groups of {size} features: expected at least 1 of at least 2"
    );
    let dim = groups * size;
    let mut numbers = Gaussian::new(seed, 0);
    let seen: Vec<f64> = (0..dim).map(|_| numbers.draw()).collect();
    // A part of what is seen, and something across.
    let share = |j: usize| 0.3 + 0.5 * (j / size) as f64 / groups as f64;
    let signal: Vec<f64> = (0..dim)
        .map(|j| share(j) * seen[j] + 0.1 * (1.3 * j as f64).sin())
        .collect();
    let design = Design::orthonormal(&seen, &signal, &mut numbers);
    let block = move |of: &[f64], g: usize| DVector::from_column_slice(&of[g * size..][..size]);
    let solution = DVector::from_fn(groups, |g, _| {
        let (c, w) = (block(&seen, g), block(&signal, g));
        let weight = c.norm() - c.dot(&w) / c.norm();
        T::of(weight.max(1e-3).ln())
    });
    let task = of_groups(design, groups);
    let hypergradient = move |x: &DVector<T>| {
        DVector::from_fn(groups, |g, _| {
            let (c, w) = (block(&seen, g), block(&signal, g));
            let (size, weight) = (c.norm(), x[g].f64().exp());
            let share = 1.0 - weight / size;
            T::of(match share > 0.0 {
                true => -weight / size * c.dot(&(&c * share - w)),
                false => 0.0,
            })
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

/// [`group_lasso`] of these samples, whose labels are the targets: as many groups as features make pairs, at
/// most 8, of neighbours, the first ones larger by one where they do not come out even. x starts at a tenth
/// of the weight of an ℓ₁ norm at which y is 0.
///
/// # Panics
/// If there are no training or validation samples, or no features.
#[inline(never)]
pub fn group_lasso_on<T: Real>(splits: Splits) -> Task<T> {
    let design = Design::of(splits);
    let groups = (design.dim() / 2).clamp(1, 8);
    of_groups(design, groups)
}

fn of_groups<T: Real>(design: Design, groups: usize) -> Task<T> {
    let least = (0.1 * design.largest_weight()).max(f64::MIN_POSITIVE);
    let start = DVector::from_element(groups, T::of(least.ln()));
    let (each, more) = (design.dim() / groups, design.dim() % groups);
    let first = |g: usize| g * each + g.min(more);
    let members = (0..groups).map(|g| (first(g)..first(g + 1)).collect());
    let part = Part::group_lasso(members.collect(), |x: Var<'_, T>| x.exp());
    design.task("group-lasso", start, part)
}

/// The entry of [`group_lasso`].
pub static GROUP_LASSO: Entry = Entry::new(
    "group-lasso",
    "closed form 15: the group Lasso, a weight for each of 8 groups; orthonormal design",
    [
        "ln of the weight of each group of features",
        "weights of the features",
    ],
    make!(|given| Ok(match (given.table.take(), given.is_small()) {
        (Some(splits), _) => group_lasso_on(splits),
        (None, true) => group_lasso(3, 2, given.seed),
        (None, false) => group_lasso(8, 5, given.seed),
    })),
)
.takes(Data::Table(Labels::Targets))
.with_sparse()
.defaults(Defaults::adam(0.05, 0.005));
