//! Products with a sparse matrix: those with the dense one, in every sweep.

use autodiff::{Inputs, Program, Real, Shape, Sparse, SparseError};
use nalgebra::DMatrix;

use crate::operations::harness::{check, noise};

/// About one entry in three, and a row and a column without any.
fn matrix(rows: usize, columns: usize) -> DMatrix<f64> {
    let all = noise(rows * columns, 3);
    DMatrix::from_fn(rows, columns, |i, j| match (7 * i + 3 * j) % 11 % 3 {
        0 if i != 1 && j != 2 => all[i + j * rows],
        _ => 0.0,
    })
}

#[test]
fn products_are_those_with_the_dense_matrix() {
    let dense = matrix(5, 7);
    let of = |t: bool| {
        let m = if t { dense.transpose() } else { dense.clone() };
        move |a: &[Vec<f64>]| {
            let v = DMatrix::from_column_slice(m.ncols(), 2, &a[0]);
            (&m * v).as_slice().to_vec()
        }
    };
    fn sparse<T: Real>(dense: &DMatrix<f64>) -> Sparse<T> {
        Sparse::of_dense(dense).map(T::of)
    }
    check!(
        "sparse_mul",
        [Shape::matrix(7, 2)],
        |v| &sparse(&dense) * v[0],
        of(false)
    );
    check!(
        "sparse_tr_mul",
        [Shape::matrix(5, 2)],
        |v| sparse(&dense).tr_mul(v[0]),
        of(true)
    );
}

/// Of a size that is cut into blocks: on any number of threads the same bits, and the dense sums.
#[test]
fn large_products_have_the_same_bits_on_any_number_of_threads() {
    let (rows, columns, each) = (4000, 50, 200);
    let places = |i: usize| (0..columns).filter(move |j| (i * 13 + j * 7) % 60 < 48);
    let (mut starts, mut all) = (vec![0], Vec::new());
    for i in 0..rows {
        all.extend(places(i).map(|j| j as u32));
        starts.push(all.len());
    }
    assert!(all.len() > each * columns * 8);
    let values = noise(all.len(), 5);
    let sparse = Sparse::new(rows, columns, starts, all, values).unwrap();
    let (v, u) = (noise(columns * 2, 1), noise(rows * 2, 2));
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let shape = [Shape::matrix(columns, 2)];
            let mut point = Program::<f64>::record(&shape, |v| &sparse * v[0]).point();
            let product = point.linearise_vector(&[&v]).to_vec();
            point.pull_back(&u, Inputs::ALL);
            (product, point.gradient(0).to_vec())
        })
    };
    let (product, back) = run(1);
    assert_eq!((product.clone(), back.clone()), run(2));
    assert_eq!((product.clone(), back.clone()), run(3));
    let dense = sparse.to_dense();
    let near = |got: &[f64], want: DMatrix<f64>| {
        let pairs = got.iter().zip(want.iter());
        assert!(
            pairs.clone().count() == got.len() && pairs.clone().all(|(a, b)| (a - b).abs() < 1e-11)
        );
    };
    near(
        &product,
        &dense * DMatrix::from_column_slice(columns, 2, &v),
    );
    near(
        &back,
        dense.transpose() * DMatrix::from_column_slice(rows, 2, &u),
    );
}

#[test]
fn rows_are_selected_and_values_mapped() {
    let dense = matrix(5, 7);
    let sparse = Sparse::of_dense(&dense);
    assert_eq!(sparse.to_dense(), dense);
    let rows = [4, 1, 4, 0];
    let selected = DMatrix::from_rows(&rows.map(|i| dense.row(i).into_owned()));
    assert_eq!(sparse.select(&rows).to_dense(), selected);
    assert_eq!(sparse.map(|v| v * 2.0).to_dense(), &dense * 2.0);
    let by_column = sparse.map_by_column(|j, v| v * j as f64).to_dense();
    assert_eq!(
        by_column,
        DMatrix::from_fn(5, 7, |i, j| dense[(i, j)] * j as f64)
    );
    let v = noise(7, 1);
    let product = (&dense * DMatrix::from_column_slice(7, 1, &v))[(3, 0)];
    assert!((sparse.row_dot(3, &v) - product).abs() < 1e-15);
}

#[test]
fn what_is_no_matrix_is_an_error() {
    let new = |starts: &[usize], places: &[u32], values: usize| {
        Sparse::new(2, 3, starts.to_vec(), places.to_vec(), vec![1.0; values]).unwrap_err()
    };
    assert!(matches!(
        new(&[0, 1, 2], &[0, 1], 3),
        SparseError::Counts { .. }
    ));
    assert!(matches!(new(&[0, 2], &[0, 1], 2), SparseError::Rows { .. }));
    assert!(matches!(
        new(&[0, 3, 2], &[0, 1], 2),
        SparseError::Start { .. }
    ));
    assert!(matches!(
        new(&[0, 1, 3], &[0, 1], 2),
        SparseError::End { .. }
    ));
    assert!(matches!(
        new(&[1, 1, 2], &[0, 1], 2),
        SparseError::End { .. }
    ));
    assert!(matches!(
        new(&[0, 1, 2], &[0, 3], 2),
        SparseError::Beyond {
            row: 1,
            found: 3,
            ..
        }
    ));
    assert!(matches!(
        new(&[0, 2, 2], &[1, 1], 2),
        SparseError::Order { entry: 1, .. }
    ));
}
