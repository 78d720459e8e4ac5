//! Random quadratics in the manner of the bilevel benchmark.

use std::sync::Arc;

use autodiff::{Batch, Real, Table, Var, batched};
use nalgebra::{DMatrix, DVector};
use solvers::Constants;

use crate::catalogue::{Defaults, Entry, Size, make};
use crate::gaussian::Gaussian;
use crate::task::{Known, Task};

/// Smallest and largest curvature of the two levels, and the size of the cross term.
const SPECTRUM: (f64, f64) = (0.1, 1.0);
const CROSS: f64 = 0.1;

/// Problem `random-quadratics`: both levels are means over quadratics of rank one, as many as
/// `samples` says of the upper and of the lower level.
///
/// `gᵢ = ½ (uᵢᵀS y)² + 0.1 (pᵢᵀx)(uᵢᵀS y) + dᵢᵀy` and `Fᵢ = ½ (vᵢᵀS y)² + ½ (wᵢᵀS'x)² + aᵢᵀy + bᵢᵀx`, where
/// u, v, w, d, a, b are normal, `pᵢ = Q uᵢ` for a Q with orthonormal columns or rows, and S² and S'²
/// have logarithmically spaced entries from 0.1 to 1, the spectrum that the mean tends to.
///
/// The closed form is that of the samples drawn. The benchmark's problems are reproduced in
/// distribution only, not number for number.
///
/// # Panics
/// If a level has fewer than twice as many samples as there are variables, where its mean may be
/// singular.
///
/// # Reference
/// M. Dagréou et al., A framework for bilevel optimization that enables stochastic and global
/// variance reduction algorithms, NeurIPS 2022, and its benchmark.
#[track_caller]
#[inline(never)]
pub fn random_quadratics<T: Real>(
    dim_x: usize,
    dim_y: usize,
    samples: (usize, usize),
    seed: u64,
) -> Task<T> {
    let (least, (m, n)) = (2 * dim_x.max(dim_y), samples);
    assert!(
        m.min(n) >= least,
        "{m} and {n} samples: expected at least {least} of each level"
    );
    let mut numbers = Gaussian::new(seed, 5);
    let mut rows = |n: usize, dim| DMatrix::<f64>::from_fn(n, dim, |_, _| numbers.draw());
    let (u, v, w) = (rows(n, dim_y), rows(m, dim_y), rows(m, dim_x));
    let (d, a, b) = (rows(n, dim_y), rows(m, dim_y), rows(m, dim_x));
    let larger = dim_x.max(dim_y);
    let turn = DMatrix::from_fn(larger, larger, |_, _| numbers.draw());
    let turn = turn.qr().q().view((0, 0), (dim_x, dim_y)).into_owned();
    let p = &u * turn.transpose() * CROSS;
    let (u, v, w) = (&u * scales(dim_y), &v * scales(dim_y), &w * scales(dim_x));

    let curvatures = [&u, &v, &w].map(|rows| rows.tr_mul(rows) / rows.nrows() as f64);
    let cross = p.tr_mul(&u) / n as f64;
    let spectrum = curvatures[0].symmetric_eigenvalues();
    let stated = Constants {
        strong_convexity: spectrum.min(),
        smoothness: spectrum.max(),
        hessian_lipschitz: 0.0,
        cross_norm: cross.singular_values().max(),
        cross_lipschitz: 0.0,
        upper_smoothness: curvatures[1].symmetric_eigenvalues().max(),
        upper_cross: 0.0,
    };
    let linear = [&d, &a, &b].map(|m| m.row_mean().transpose());
    let known = known(curvatures, cross, linear);
    let half = T::of(0.5);
    let table = |m: DMatrix<f64>| Table::of_rows(&m.map(T::of));
    let [u, p, d, v, w, a, b] = [u, p, d, v, w, a, b].map(table);
    let lower = batched(n, move |x: Var<T>, y: Var<T>, batch: Batch<T>| {
        let of = |table, z| batch.columns(table).tr_matmul(z);
        let (along, cross, linear) = (of(&u, y), of(&p, x), of(&d, y));
        let sum = along.norm_squared() * half + cross.dot(along) + linear.sum();
        sum * T::of(1.0 / batch.len() as f64)
    });
    let upper = batched(m, move |x: Var<T>, y: Var<T>, batch: Batch<T>| {
        let of = |table, z| batch.columns(table).tr_matmul(z);
        let squares = of(&v, y).norm_squared() + of(&w, x).norm_squared();
        let linear = of(&a, y).sum() + of(&b, x).sum();
        (squares * half + linear) * T::of(1.0 / batch.len() as f64)
    });
    let (x, y) = (DVector::zeros(dim_x), DVector::zeros(dim_y));
    Task {
        known: Some(known),
        ..Task::sampled("random-quadratics", upper, lower, x, y).with_constants(move |_, _| stated)
    }
}

/// The entry of [`random_quadratics`].
pub static RANDOM_QUADRATICS: Entry = Entry::new(
    "random-quadratics",
    "closed form 8: means over 1000 quadratics of rank one, x of 10 and y of 20 entries",
    ["the outer variables", "the lower variables"],
    make!(|given| {
        let (dim_x, dim_y, samples) = match given.size {
            Size::Small => (4, 6, (40, 40)),
            Size::Usual => (10, 20, (1000, 1000)),
            // The sizes of the benchmark.
            Size::Large => (10, 100, (1024, 32_768)),
        };
        Ok(random_quadratics(dim_x, dim_y, samples, given.seed))
    }),
)
.with_large()
.defaults(Defaults::NONE.inner_step(0.05));

/// A diagonal whose squares are logarithmically spaced over the spectrum.
fn scales(dim: usize) -> DMatrix<f64> {
    let (low, high) = SPECTRUM;
    let last = dim.saturating_sub(1).max(1) as f64;
    let square = |i: usize| low * (high / low).powf(i as f64 / last);
    DMatrix::from_diagonal(&DVector::from_fn(dim, |i, _| square(i).sqrt()))
}

/// From the means over the samples: the curvatures `[H, H_F, W]`, the cross term C of `xᵀCy`, and the
/// linear terms `[d, a, b]`.
///
/// y* = −H⁻¹(Cᵀx + d), ∇φ = Wx + b − CH⁻¹(H_F y* + a).
fn known<T: Real>(
    [h, upper, outer]: [DMatrix<f64>; 3],
    cross: DMatrix<f64>,
    [d, a, b]: [DVector<f64>; 3],
) -> Known<T> {
    let h = h.cholesky().expect("more samples than variables");
    // CH⁻¹, and the affine map that ∇φ is.
    let weight = h.solve(&cross.transpose()).transpose();
    let slope = outer + &weight * &upper * weight.transpose();
    let offset = b - &weight * (a - upper * h.solve(&d));
    let solution = slope
        .clone()
        .cholesky()
        .expect("a sum of positive definite matrices")
        .solve(&-&offset);
    Known {
        solution: solution.map(T::of),
        hypergradient: Arc::new(move |x: &DVector<T>| {
            (&slope * x.map(|v| v.f64()) + &offset).map(T::of)
        }),
    }
}
