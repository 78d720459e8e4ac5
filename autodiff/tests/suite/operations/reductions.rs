//! Reductions of all entries, of columns and of rows.

use autodiff::{Program, Shape};

use crate::operations::harness::check;

const R: usize = 3;
const C: usize = 4;
const MATRIX: [Shape; 1] = [Shape::matrix(R, C)];

fn columns(a: &[f64]) -> Vec<Vec<f64>> {
    a.chunks(R).map(<[f64]>::to_vec).collect()
}

fn rows(a: &[f64]) -> Vec<Vec<f64>> {
    (0..R)
        .map(|i| (0..C).map(|j| a[i + j * R]).collect())
        .collect()
}

fn of_columns(f: impl Fn(&[f64]) -> f64) -> impl Fn(&[Vec<f64>]) -> Vec<f64> {
    move |a| columns(&a[0]).iter().map(|c| f(c)).collect()
}

fn of_rows(f: impl Fn(&[f64]) -> f64) -> impl Fn(&[Vec<f64>]) -> Vec<f64> {
    move |a| rows(&a[0]).iter().map(|r| f(r)).collect()
}

fn mean(a: &[f64]) -> f64 {
    a.iter().sum::<f64>() / a.len() as f64
}

fn variance(a: &[f64]) -> f64 {
    mean(&a.iter().map(|v| v * v).collect::<Vec<_>>()) - mean(a) * mean(a)
}

fn log_sum_exp(a: &[f64]) -> f64 {
    a.iter().map(|v| v.exp()).sum::<f64>().ln()
}

fn largest(a: &[f64]) -> f64 {
    a.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

fn smallest(a: &[f64]) -> f64 {
    a.iter().copied().fold(f64::INFINITY, f64::min)
}

fn norm(a: &[f64]) -> f64 {
    a.iter().map(|v| v * v).sum::<f64>().sqrt()
}

#[test]
fn reductions_of_columns_and_rows() {
    check!("mean_rows", MATRIX, |v| v[0].mean_rows(), of_columns(mean));
    check!("mean_cols", MATRIX, |v| v[0].mean_cols(), of_rows(mean));
    check!("max_rows", MATRIX, |v| v[0].max_rows(), of_columns(largest));
    check!("max_cols", MATRIX, |v| v[0].max_cols(), of_rows(largest));
    check!(
        "min_rows",
        MATRIX,
        |v| v[0].min_rows(),
        of_columns(smallest)
    );
    check!("min_cols", MATRIX, |v| v[0].min_cols(), of_rows(smallest));
    check!(
        "variance_rows",
        MATRIX,
        |v| v[0].variance_rows(),
        of_columns(variance)
    );
    check!(
        "variance_cols",
        MATRIX,
        |v| v[0].variance_cols(),
        of_rows(variance)
    );
    check!(
        "log_sum_exp",
        MATRIX,
        |v| v[0].log_sum_exp(),
        of_columns(log_sum_exp)
    );
    check!(
        "log_sum_exp_cols",
        MATRIX,
        |v| v[0].log_sum_exp_cols(),
        of_rows(log_sum_exp)
    );
}

#[test]
fn reductions_of_all_entries() {
    let all = |f: fn(&[f64]) -> f64| move |a: &[Vec<f64>]| vec![f(&a[0])];
    check!("variance", MATRIX, |v| v[0].variance(), all(variance));
    check!("max_all", MATRIX, |v| v[0].max_all(), all(largest));
    check!("min_all", MATRIX, |v| v[0].min_all(), all(smallest));
    check!("norm", MATRIX, |v| v[0].norm(), all(norm));
    let smooth = |a: &[f64]| (norm(a).powi(2) + 0.01).sqrt();
    check!(
        "smooth_norm",
        MATRIX,
        |v| v[0].smooth_norm(0.1),
        all(smooth)
    );
    // Curvature through a norm that is itself scaled.
    let squared = |a: &[f64]| norm(a).powi(3);
    check!("norm cubed", MATRIX, |v| v[0].norm().powi(3), all(squared));
}

#[test]
fn softmax_of_columns_and_rows() {
    let shares = |log: bool| {
        move |part: &[f64]| -> Vec<f64> {
            let total: f64 = part.iter().map(|v| v.exp()).sum();
            let share = |v: &f64| v.exp() / total;
            let value = |v: &f64| if log { share(v).ln() } else { share(v) };
            part.iter().map(value).collect()
        }
    };
    let of_columns = |log: bool| {
        move |a: &[Vec<f64>]| columns(&a[0]).iter().flat_map(|c| shares(log)(c)).collect()
    };
    let of_rows = |log: bool| {
        move |a: &[Vec<f64>]| {
            let values: Vec<Vec<f64>> = rows(&a[0]).iter().map(|r| shares(log)(r)).collect();
            let column = |j: usize| (0..R).map(|i| values[i][j]).collect::<Vec<_>>();
            (0..C).flat_map(column).collect()
        }
    };
    check!("softmax", MATRIX, |v| v[0].softmax(), of_columns(false));
    check!(
        "log_softmax",
        MATRIX,
        |v| v[0].log_softmax(),
        of_columns(true)
    );
    check!(
        "softmax_cols",
        MATRIX,
        |v| v[0].softmax_cols(),
        of_rows(false)
    );
    check!(
        "log_softmax_cols",
        MATRIX,
        |v| v[0].log_softmax_cols(),
        of_rows(true)
    );
}

#[test]
fn softmax_of_large_scores_is_finite() {
    let f = Program::<f64>::record(&[Shape::vector(3)], |v| v[0].softmax().at(0));
    let mut point = f.point();
    assert_eq!(point.linearise(&[&[1000.0, 0.0, -1000.0]]), 1.0);
    assert_eq!(point.gradient(0), [0.0; 3]);
}

#[test]
fn of_equal_entries_the_first_has_the_derivative() {
    for smallest in [false, true] {
        let f = Program::<f64>::record(&[Shape::vector(4)], |v| {
            if smallest {
                v[0].min_all()
            } else {
                v[0].max_all()
            }
        });
        let (a, want) = if smallest {
            ([2.0, 1.0, 1.0, 3.0], [0.0, 1.0, 0.0, 0.0])
        } else {
            ([2.0, 3.0, 1.0, 3.0], [0.0, 1.0, 0.0, 0.0])
        };
        let mut point = f.point();
        point.linearise(&[&a]);
        assert_eq!(point.gradient(0), want);
        for at in 0..4 {
            let mut a = a;
            a[at] = f64::NAN;
            assert!(point.value(&[&a]).is_nan(), "NaN in entry {at}");
        }
    }
}

#[test]
fn the_norm_keeps_extreme_scales_and_nan() {
    let f = Program::<f64>::record(&[Shape::vector(2)], |v| v[0].norm());
    let mut point = f.point();
    for scale in [1e-200, 1e200] {
        let value = point.linearise(&[&[3.0 * scale, 4.0 * scale]]);
        assert!((value / (5.0 * scale) - 1.0).abs() < 1e-15);
        assert!((point.gradient(0)[0] - 0.6).abs() < 1e-15);
    }
    assert!(point.value(&[&[0.0, f64::NAN]]).is_nan());
}

/// Where the norm has no derivative it is taken as 0, along any direction too.
#[test]
fn the_norm_of_nothing_moves_nowhere() {
    let f = Program::<f64>::record(&[Shape::vector(2)], |v| v[0].norm());
    let mut point = f.point();
    point.linearise(&[&[0.0, 0.0]]);
    assert_eq!(point.gradient(0), [0.0; 2]);
    assert_eq!(point.directional(&[Some(&[1.0, -2.0])]), 0.0);
}

/// ½ max(a)² has the second derivative 1 at its largest entry.
#[test]
fn extremes_have_the_second_derivative_of_what_follows() {
    let f = Program::<f64>::record(&[Shape::vector(3)], |v| {
        v[0].max_all().square() * 0.5 + v[0].min_all().square()
    });
    let mut point = f.point();
    point.linearise(&[&[1.0, 3.0, 2.0]]);
    point.second(&[Some(&[5.0, 7.0, 11.0])]);
    assert_eq!(point.product(0), [10.0, 7.0, 0.0]);
}
