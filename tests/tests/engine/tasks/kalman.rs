//! The local linear trend, beside a Kalman filter.

use models::kalman;
use nalgebra::{DVector, Matrix2, RowVector2, Vector2, dvector};
use solvers::{Aid, Status, Strategy};

/// Minus the logarithm of the likelihood of the observations, for each, by the innovations.
fn filter(b: &[f64], x: &DVector<f64>) -> f64 {
    let [level, slope, noise] = [x[0].exp(), x[1].exp(), x[2].exp()];
    let (mut mean, mut spread) = (Vector2::zeros(), Matrix2::identity() * 10.0);
    let move_by = Matrix2::new(1.0, 1.0, 0.0, 1.0);
    let moved = Matrix2::new(level, 0.0, 0.0, slope);
    let see = RowVector2::new(1.0, 0.0);
    let mut sum = 0.0;
    for (t, b) in b.iter().enumerate() {
        if t > 0 {
            mean = move_by * mean;
            spread = move_by * spread * move_by.transpose() + moved;
        }
        let variance = (see * spread * see.transpose())[0] + noise;
        let innovation = b - (see * mean)[0];
        sum += 0.5 * (innovation * innovation / variance + (std::f64::consts::TAU * variance).ln());
        let gain = spread * see.transpose() / variance;
        mean += gain * innovation;
        spread -= gain * see * spread;
    }
    sum / b.len() as f64
}

#[test]
fn the_upper_objective_is_the_likelihood_of_a_kalman_filter_s_innovations() {
    let b: Vec<f64> = (0..15)
        .map(|t| 0.2 * t as f64 + (t as f64 * 1.7).sin())
        .collect();
    let task = kalman::<f64>(&b);
    for x in [
        dvector![0.0, 0.0, 0.0],
        dvector![-1.0, -3.0, 0.5],
        dvector![0.7, -5.0, -2.0],
    ] {
        let estimate = Aid::cg()
            .hypergradient(&task.bilevel, &x, &mut task.bilevel.workspace())
            .expect("it suits");
        assert_eq!(estimate.status, Status::Converged, "{estimate}");
        let want = filter(&b, &x);
        assert!(
            (estimate.upper - want).abs() < 1e-9,
            "{} {want}",
            estimate.upper
        );
        for i in 0..3 {
            let at = |by: f64| {
                let mut x = x.clone();
                x[i] += by;
                filter(&b, &x)
            };
            let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
            let h = estimate.hypergradient[i];
            assert!((h - difference).abs() < 1e-7, "{i}: {h} {difference}");
        }
    }
}
