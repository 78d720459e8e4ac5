//! Regularisers of images.

use models::{
    Convex, Filters, Photographs, Task, foe_denoising, icnn_denoising, tv_deblurring,
    tv_denoising_on,
};
use nalgebra::{DMatrix, DVector};
use solvers::{Aid, Exact};

use super::{around, assert_derivatives, assert_itd_is_aid, estimate};

const SMALL: Photographs = Photographs {
    train: 2,
    test: 1,
    size: 6,
    tiles: 1,
    seed: 0,
};

fn foe() -> Task<f64> {
    let filters = Filters {
        count: 2,
        width: 3,
        seed: 1,
    };
    foe_denoising(&SMALL, filters)
}

fn icnn() -> Task<f64> {
    let network = Convex {
        filters: 2,
        width: 3,
        units: 2,
        seed: 1,
    };
    icnn_denoising(&SMALL, network)
}

#[test]
fn derivatives_and_strategies_agree() {
    for task in [foe(), icnn(), tv_deblurring(&SMALL)] {
        assert_derivatives(&task);
        assert_itd_is_aid(&task, &task.x, 600);
    }
}

/// Two shifted constants: an image's energy beside the fidelity does not see them.
#[test]
fn regularisers_see_no_constant() {
    for task in [foe(), icnn()] {
        let (x, y) = (around(&task.x), around(task.bilevel.start()));
        let lower = |y: &DVector<f64>| {
            task.bilevel
                .lower()
                .point()
                .value(&[x.as_slice(), y.as_slice()])
        };
        let fidelity = |y: &DVector<f64>| 0.5 * (y - task.bilevel.start()).norm_squared() / 2.0;
        let shifted = y.add_scalar(0.37);
        let (a, b) = (
            lower(&y) - fidelity(&y),
            lower(&shifted) - fidelity(&shifted),
        );
        assert!(a.abs() > 1e-3 && (a - b).abs() < 1e-12, "{a} {b}");
    }
}

/// Without filters there is nothing to pay, so the observation is the answer.
#[test]
fn no_filters_leave_the_image() {
    let task = foe();
    let mut x = task.x.clone();
    x.rows_mut(4, x.len() - 4).fill(0.0);
    let solution = estimate(&Aid::cg(), &task, &x);
    assert!((&solution.y - task.bilevel.start()).amax() < 1e-10);
}

/// The lower level of a network is convex in y, with the curvature of the fidelity at least.
#[test]
fn input_convex_networks_are_convex() {
    let task = icnn();
    let (x, y) = (around(&task.x), around(task.bilevel.start()));
    let spectrum = hessian(&task, &x, &y).symmetric_eigenvalues();
    // Means over two images.
    assert!(spectrum.min() >= 0.5 - 1e-12, "{}", spectrum.min());
    assert!(spectrum.max() > 0.5 + 1e-6);
}

/// The Hessian's spectrum lies between the constants that deblurring states, and they bound the
/// error of a rough answer.
#[test]
fn deblurring_states_its_constants() {
    let photographs = Photographs {
        train: 1,
        test: 0,
        ..SMALL
    };
    let task = tv_deblurring::<f64>(&photographs);
    let (x, y) = (around(&task.x), around(task.bilevel.start()));
    let spectrum = hessian(&task, &x, &y).symmetric_eigenvalues();
    let stated = task.bilevel.constants(x.as_slice(), y.as_slice());
    let stated = stated.expect("stated");
    assert!(spectrum.min() >= stated.strong_convexity - 1e-12);
    assert!(spectrum.max() <= stated.smoothness + 1e-12);
    let exact = estimate(&Exact, &task, &x).hypergradient;
    for tolerance in [1e-2, 1e-4] {
        let rough = estimate(&Aid::cg().lower_tolerance(tolerance), &task, &x);
        let bound = rough.certificate.expect("constants").bound;
        assert!((&rough.hypergradient - &exact).norm() <= bound);
    }
}

/// Tiles of one photograph are on one side of the split, and cover what the whole does.
#[test]
fn photographs_are_split_by_image() {
    let tiled = tv_denoising_on::<f64>(&Photographs::tiled(0));
    assert_eq!(tiled.bilevel.dim_y(), 16 * 256);
    let apart = tiled.held_out.as_ref().expect("two photographs");
    assert_eq!(apart.bilevel.dim_y(), 8 * 256);
    let metrics = tiled.measure(&tiled.x, tiled.bilevel.start());
    // At y = b it is the noise alone: −20 log₁₀(25/255) = 20.17 dB.
    let noise = metrics["psnr"];
    assert!((noise - 20.17).abs() < 0.3, "{noise}");
    // Solved, the images kept apart are better than that.
    assert!(metrics["test_psnr"] > noise + 2.0);
}

fn hessian(task: &Task<f64>, x: &DVector<f64>, y: &DVector<f64>) -> DMatrix<f64> {
    let mut point = task.bilevel.lower().point();
    point.linearise(&[x.as_slice(), y.as_slice()]);
    let n = y.len();
    let mut hessian = DMatrix::zeros(n, n);
    for j in 0..n {
        let unit: Vec<f64> = (0..n).map(|i| f64::from(i == j)).collect();
        point.second(&[None, Some(&unit)]);
        hessian.column_mut(j).copy_from_slice(point.product(1));
    }
    (&hessian + hessian.transpose()) * 0.5
}
