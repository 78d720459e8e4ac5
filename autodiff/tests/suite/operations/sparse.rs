//! Products with a sparse matrix: those with the dense one, in every sweep.

use autodiff::rows::{Rule, Simd};
use autodiff::{
    Inputs, Places, Program, Real, Shape, Sparse, SparseColumns, SparseError, SparsePass,
    SparseRows,
};
use nalgebra::DMatrix;
use proptest::prelude::*;

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

/// Products become coefficients: of every sample another one.
struct Scaled;

impl<T: Real, const N: usize> Rule<T, N> for Scaled {
    #[inline(always)]
    fn apply<S: Simd>(&mut self, _: S, first: usize, count: usize, z: [&mut [T]; N]) {
        for z in z {
            for (k, z) in z[..count].iter_mut().enumerate() {
                *z = *z * T::of(0.5) + T::of(((first + k) as f64).sin());
            }
        }
    }
}

fn sums_of_some_rows<T: Real, const N: usize>(
    sparse: &Sparse<T>,
    (first, len): (usize, usize),
    summed: usize,
    by_columns: bool,
) -> Vec<f64> {
    let d = sparse.columns();
    let weights: [Vec<T>; N] = std::array::from_fn(|k| {
        let all = noise(d, k + 11);
        all.iter().map(|v| T::of(*v)).collect()
    });
    let columns = SparseColumns::of(sparse, first..first + len);
    let samples = SparseRows::of(sparse, Places::of(None), sparse.rows()).part(first, len);
    // What a scratch had before is nothing.
    let (samples, room) = match by_columns {
        true => (
            samples.by_columns(&columns),
            SparsePass::<T, N>::scratch_len_by_columns(len),
        ),
        false => (samples, SparsePass::<T, N>::scratch_len(1)),
    };
    let mut sums = vec![T::of(f64::NAN); summed * d];
    SparsePass {
        samples,
        weights: weights.each_ref().map(|w| &w[..]),
        sums: &mut sums,
        scratch: &mut vec![T::of(f64::NAN); room],
    }
    .run(Scaled);
    sums.iter().map(|v| v.f64()).collect()
}

fn columns_sum_as_rows_do<T: Real>(dense: &DMatrix<f64>, (first, len): (usize, usize)) {
    let sparse = Sparse::of_dense(dense).map(T::of);
    let bits = |sums: Vec<f64>| sums.into_iter().map(f64::to_bits).collect::<Vec<_>>();
    let one = |columns| bits(sums_of_some_rows::<T, 1>(&sparse, (first, len), 1, columns));
    assert_eq!(one(true), one(false));
    for summed in [1, 2] {
        let two = |columns| {
            let sums = sums_of_some_rows::<T, 2>(&sparse, (first, len), summed, columns);
            bits(sums)
        };
        assert_eq!(two(true), two(false), "{summed} of two");
    }
    let columns = SparseColumns::of(&sparse, first..first + len);
    for j in 0..sparse.columns() {
        let wanted = (0..len).map(|i| (i, dense[(first + i, j)]));
        let wanted = wanted.filter(|(_, v)| *v != 0.0);
        let wanted: Vec<(usize, T)> = wanted.map(|(i, v)| (i, T::of(v))).collect();
        assert_eq!(columns.column(j).collect::<Vec<_>>(), wanted, "column {j}");
    }
    assert_eq!((columns.rows(), columns.columns()), (len, sparse.columns()));
    let entries: usize = (0..sparse.columns())
        .map(|j| columns.column(j).count())
        .sum();
    assert!(columns.bytes() >= entries * (size_of::<T>() + size_of::<u32>()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn sums_by_columns_have_the_bits_of_sums_by_rows(
        (rows, columns) in (1usize..70, 1usize..40),
        entries in 1u64..5,
        seed in any::<u64>(),
        cut in any::<(u16, u16)>(),
    ) {
        // Rows and columns of all lengths, some of them empty.
        let dense = DMatrix::from_fn(rows, columns, |i, j| {
            let mixed = (seed ^ (i * 1_000_003 + j) as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33;
            let kept = mixed % 7 < entries && (j % 5 != 3 || mixed.is_multiple_of(11)) && i % 13 != 7;
            if kept { (mixed as f64).sin() } else { 0.0 }
        });
        let first = usize::from(cut.0) % rows;
        let len = usize::from(cut.1) % (rows - first + 1);
        columns_sum_as_rows_do::<f64>(&dense, (first, len));
        columns_sum_as_rows_do::<f32>(&dense, (first, len));
    }
}
