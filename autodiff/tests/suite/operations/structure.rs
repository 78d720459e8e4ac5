//! Parts, copies, stacks, differences of neighbours, and operators.

use autodiff::{Program, Shape, Var};
use nalgebra::{DMatrix, DVector};

use crate::operations::harness::check;

const R: usize = 3;
const C: usize = 4;
const MATRIX: [Shape; 1] = [Shape::matrix(R, C)];

fn matrix(a: &[f64], rows: usize) -> DMatrix<f64> {
    DMatrix::from_column_slice(rows, a.len() / rows, a)
}

/// Of the first operand as a matrix of three rows.
fn of(f: impl Fn(DMatrix<f64>) -> DMatrix<f64>) -> impl Fn(&[Vec<f64>]) -> Vec<f64> {
    move |a| f(matrix(&a[0], R)).as_slice().to_vec()
}

#[test]
fn parts_of_a_matrix() {
    check!(
        "row",
        MATRIX,
        |v| v[0].row(1).square(),
        of(|a| a.rows(1, 1).map(|v| v * v))
    );
    check!(
        "col",
        MATRIX,
        |v| v[0].col(2).square(),
        of(|a| a.columns(2, 1).map(|v| v * v))
    );
    check!(
        "rows",
        MATRIX,
        |v| v[0].rows(1..3).square(),
        of(|a| a.rows(1, 2).map(|v| v * v))
    );
    let f = of(|a| a.columns(1, 3).map(|v| v * v));
    check!("columns", MATRIX, |v| v[0].columns(1..4).square(), f);
    let f = of(|a| DMatrix::from_fn(3, 1, |i, _| a[(i, i)].exp()));
    check!("diagonal", MATRIX, |v| v[0].diagonal().exp(), f);
    let f = |a: &[Vec<f64>]| vec![matrix(&a[0], 3).trace().powi(2)];
    check!("trace", [Shape::matrix(3, 3)], |v| v[0].trace().square(), f);
}

#[test]
fn larger_values_from_smaller_ones() {
    let vectors = [Shape::vector(3), Shape::vector(2)];
    let f = |a: &[Vec<f64>]| (matrix(&a[0], 3) * matrix(&a[1], 1)).as_slice().to_vec();
    check!("outer", vectors, |v| v[0].outer(v[1]), f);
    let f = |a: &[Vec<f64>]| {
        let d = DMatrix::from_diagonal(&DVector::from_vec(a[0].clone()));
        (&d * &d).as_slice().to_vec()
    };
    check!(
        "diag",
        [Shape::vector(3)],
        |v| v[0].diag().matmul(v[0].diag()),
        f
    );
    let f = |a: &[Vec<f64>]| a[0].iter().flat_map(|v| [v * v; 3]).collect();
    check!("repeat", [Shape::vector(4)], |v| v[0].repeat(3).square(), f);
    let f = |a: &[Vec<f64>]| {
        [&a[0][..], &a[0], &a[0]]
            .concat()
            .iter()
            .map(|v| v * v)
            .collect()
    };
    check!("tile", [Shape::vector(4)], |v| v[0].tile(3).square(), f);
}

#[test]
fn stacks() {
    let beside = [
        Shape::matrix(2, 3),
        Shape::matrix(2, 1),
        Shape::matrix(2, 2),
    ];
    let f = |a: &[Vec<f64>]| a.concat().iter().map(|v| v.exp()).collect();
    check!("hstack", beside, |v| v[0].hstack(&[v[1], v[2]]).exp(), f);
    let below = [
        Shape::matrix(2, 3),
        Shape::matrix(1, 3),
        Shape::matrix(3, 3),
    ];
    let f = |a: &[Vec<f64>]| {
        let parts = [matrix(&a[0], 2), matrix(&a[1], 1), matrix(&a[2], 3)];
        let entry = |k: usize| match k % 6 {
            i @ 0..2 => parts[0][(i, k / 6)],
            2 => parts[1][(0, k / 6)],
            i => parts[2][(i - 3, k / 6)],
        };
        (0..18).map(entry).map(f64::exp).collect()
    };
    check!("vstack", below, |v| v[0].vstack(&[v[1], v[2]]).exp(), f);
    let vectors = [Shape::vector(2), Shape::vector(3)];
    let f = |a: &[Vec<f64>]| a.concat().iter().map(|v| v.exp()).collect();
    check!(
        "vstack of vectors",
        vectors,
        |v| v[0].vstack(&[v[1]]).exp(),
        f
    );
}

#[test]
fn sums_and_differences_of_neighbours() {
    let f = of(|a| DMatrix::from_fn(R, C, |i, j| (0..=i).map(|k| a[(k, j)]).sum::<f64>().exp()));
    check!("cumsum", MATRIX, |v| v[0].cumsum().exp(), f);
    let f = of(|a| {
        let d = |i: usize, j: usize| {
            if j + 1 < C {
                a[(i, j + 1)] - a[(i, j)]
            } else {
                0.0
            }
        };
        DMatrix::from_fn(R, C, |i, j| d(i, j).exp())
    });
    check!("dx", MATRIX, |v| v[0].dx().exp(), f);
    let f = of(|a| {
        let d = |i: usize, j: usize| {
            if i + 1 < R {
                a[(i + 1, j)] - a[(i, j)]
            } else {
                0.0
            }
        };
        DMatrix::from_fn(R, C, |i, j| d(i, j).exp())
    });
    check!("dy", MATRIX, |v| v[0].dy().exp(), f);
    // Smoothed isotropic total variation, as an imaging model writes it.
    let f = |a: &[Vec<f64>]| {
        let a = matrix(&a[0], R);
        let mut total = 0.0;
        for i in 0..R {
            for j in 0..C {
                let right = if j + 1 < C {
                    a[(i, j + 1)] - a[(i, j)]
                } else {
                    0.0
                };
                let below = if i + 1 < R {
                    a[(i + 1, j)] - a[(i, j)]
                } else {
                    0.0
                };
                total += (right * right + below * below + 0.01).sqrt();
            }
        }
        vec![total]
    };
    check!(
        "total variation",
        MATRIX,
        |v| {
            (v[0].dx().square() + v[0].dy().square() + 0.01)
                .sqrt()
                .sum()
        },
        f
    );
}

#[test]
fn single_rows_and_columns_have_no_differences() {
    let f = Program::<f64>::record(&[Shape::vector(3)], |v| v[0].dx().exp().sum());
    assert_eq!(f.point().value(&[&[1.0, 2.0, 4.0]]), 3.0);
    let f = Program::<f64>::record(&[Shape::matrix(1, 3)], |v| v[0].dy().exp().sum());
    assert_eq!(f.point().value(&[&[1.0, 2.0, 4.0]]), 3.0);
}

#[test]
fn operators_take_references_and_data() {
    let (a, b) = (
        DVector::from_vec(vec![1.0, 2.0]),
        DMatrix::from_element(2, 1, 3.0),
    );
    let f = Program::<f64>::record(&[Shape::vector(2); 2], |v| {
        let (x, y) = (v[0], v[1]);
        let data = (&a - x) + (y - &b) + (&b + x) * (x + &a) - (&b - y) / (&a + x);
        let (x_, y_) = (&v[0], &v[1]);
        (data + x_ - x_ * y_ / x + y * y_ + x_ / y).sum()
    });
    let value = f.point().value(&[&[5.0, 7.0], &[2.0, 3.0]]);
    let by_hand = |x: f64, y: f64, a: f64| {
        let data = (a - x) + (y - 3.0) + (3.0 + x) * (x + a) - (3.0 - y) / (a + x);
        data + x - x * y / x + y * y + x / y
    };
    let want = by_hand(5.0, 2.0, 1.0) + by_hand(7.0, 3.0, 2.0);
    assert!((value - want).abs() < 1e-13);
}

#[test]
fn sums_of_values() {
    let f = |a: &[Vec<f64>]| a[0].iter().map(|v| v.exp() + v * v + a[1][0]).collect();
    check!(
        "sum_of",
        [Shape::vector(3), Shape::SCALAR],
        |v| { Var::sum_of([v[0].exp(), v[0].square(), v[1]]) },
        f
    );
}
