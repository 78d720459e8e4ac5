//! The block of `Aᵀ C A` that some features make, with a curvature for each sample.

use autodiff::{FewColumns, HESSIAN_ROOM, Places, Real, Sparse, SparseColumns, Table};
use nalgebra::{DMatrixView, DMatrixViewMut, Dyn};

use crate::pass::Going;
use crate::store::Store;

impl<T: Real> Going<T> {
    /// Overwrites `out`, column by column, with `Σ_i c_i a_ij a_ik` over the samples, j and k from `of`,
    /// which ascend. `room` is that of [`Primitive::hessian_among`](autodiff::Primitive::hessian_among).
    pub(crate) fn curvature_among(
        &self,
        at: Places<'_, T>,
        curvatures: &[T],
        of: &[usize],
        room: &mut [T],
        out: &mut [T],
    ) {
        out.fill(T::zero());
        let sample = |i: usize| at.index(i);
        match &self.samples {
            Store::Dense(table) => dense(table, sample, curvatures, of, room, out),
            Store::Sparse(sparse) => {
                let columns = self.columns.as_deref().unwrap_or_default();
                if columns.is_empty() || !few_columns(columns, curvatures, of, room, out) {
                    few(sparse, sample, curvatures, of, room, out);
                }
            }
        }
    }

    /// Overwrites `out` with the columns `of` of the samples, each entry times the root of its sample's
    /// curvature; whether there are samples by columns, and room for these.
    pub(crate) fn roots_among(
        &self,
        curvatures: &[T],
        of: &[usize],
        out: &mut FewColumns<T>,
    ) -> bool {
        let Some(blocks) = self.columns.as_deref().filter(|_| out.begin(self.n)) else {
            return false;
        };
        of.iter().all(|j| {
            let mut first = 0;
            let column = blocks.iter().flat_map(|columns| {
                let start = first;
                first += columns.rows();
                let root = move |(i, v): (usize, T)| (start + i, v * curvatures[start + i].sqrt());
                columns.column(*j).map(root)
            });
            out.push(column)
        })
    }
}

/// Some samples at a time, as columns of the features asked for, each times the root of its curvature:
/// the product with its transpose is the block.
fn dense<T: Real>(
    table: &Table<T>,
    sample: impl Fn(usize) -> usize,
    curvatures: &[T],
    of: &[usize],
    room: &mut [T],
    out: &mut [T],
) {
    let m = of.len();
    let mut block = DMatrixViewMut::from_slice(out, m, m);
    for (k, curvatures) in curvatures.chunks(HESSIAN_ROOM).enumerate() {
        let columns = &mut room[..m * curvatures.len()];
        for (i, (column, c)) in columns
            .chunks_exact_mut(m.max(1))
            .zip(curvatures)
            .enumerate()
        {
            table.pick(sample(k * HESSIAN_ROOM + i), of, column);
            let root = c.sqrt();
            column.iter_mut().for_each(|v| *v *= root);
        }
        let few = DMatrixView::from_slice(columns, m, curvatures.len());
        let turned = DMatrixView::from_slice_with_strides_generic(
            columns,
            Dyn(curvatures.len()),
            Dyn(m),
            Dyn(m),
            Dyn(1),
        );
        block.gemm(T::one(), &few, &turned, T::one());
    }
}

/// Row after row, by a map from features to their places in `of`.
fn few<T: Real>(
    sparse: &Sparse<T>,
    sample: impl Fn(usize) -> usize,
    curvatures: &[T],
    of: &[usize],
    room: &mut [T],
    out: &mut [T],
) {
    let m = of.len();
    let (places, rest) = room.split_at_mut(sparse.columns());
    let (found, values) = rest[..2 * m].split_at_mut(m);
    // From 1 on, as 0 is none: whole numbers as far as any matrix goes.
    places.fill(T::zero());
    for (p, j) in of.iter().enumerate() {
        places[*j] = T::of((p + 1) as f64);
    }
    for (i, c) in curvatures.iter().enumerate() {
        let (columns, entries) = sparse.row(sample(i));
        let mut count = 0;
        for (j, v) in columns.iter().zip(entries) {
            let p = places[*j as usize];
            if p > T::zero() {
                (found[count], values[count]) = (p - T::one(), *v);
                count += 1;
            }
        }
        add_row(&found[..count], &values[..count], *c, m, out);
    }
}

/// The same from the columns alone, sorted by rows; whether there is room for them.
fn few_columns<T: Real>(
    blocks: &[SparseColumns<T>],
    curvatures: &[T],
    of: &[usize],
    room: &mut [T],
    out: &mut [T],
) -> bool {
    let entries =
        |columns: &SparseColumns<T>| of.iter().map(|j| columns.column(*j).count()).sum::<usize>();
    // All of these are whole numbers of T.
    let exact = |count: usize| count as f64 * T::EPSILON < 0.5;
    let fits = |columns| {
        let count = entries(columns);
        columns.rows() + 2 * count <= room.len() && exact(count)
    };
    if !blocks.iter().all(fits) {
        return false;
    }
    let mut rest = curvatures;
    for columns in blocks {
        let (curvatures, after) = rest.split_at(columns.rows());
        rest = after;
        let (ends, all) = room.split_at_mut(columns.rows());
        let (found, values) = all.split_at_mut(all.len() / 2);
        ends.fill(T::zero());
        for j in of {
            columns.column(*j).for_each(|(i, _)| ends[i] += T::one());
        }
        let mut count = T::zero();
        for end in ends.iter_mut() {
            count += std::mem::replace(end, count);
        }
        for (p, j) in of.iter().enumerate() {
            for (i, v) in columns.column(*j) {
                let at = ends[i].f64() as usize;
                (found[at], values[at]) = (T::of(p as f64), v);
                ends[i] += T::one();
            }
        }
        let mut start = 0;
        for (end, c) in ends.iter().zip(curvatures) {
            let row = start..end.f64() as usize;
            start = row.end;
            add_row(&found[row.clone()], &values[row], *c, of.len(), out);
        }
    }
    true
}

/// Adds the products of what was found in a row, at these places.
fn add_row<T: Real>(found: &[T], values: &[T], c: T, m: usize, out: &mut [T]) {
    for a in 0..found.len() {
        let (i, scaled) = (found[a].f64() as usize, values[a] * c);
        out[i * m + i] += scaled * values[a];
        for b in a + 1..found.len() {
            let (k, product) = (found[b].f64() as usize, scaled * values[b]);
            // Both halves: few are found in a row, and the block may be large.
            out[i * m + k] += product;
            out[k * m + i] += product;
        }
    }
}

#[cfg(test)]
mod tests {
    use autodiff::{HESSIAN_ROOM, Inputs, Objective, Var, objective};
    use nalgebra::DMatrix;

    use crate::Dataset;
    use crate::data::{Features, Samples};

    fn blocks_are_those_of_products(features: Features) {
        let (d, n) = (features.dim(), features.len());
        let samples = |labels: Vec<f64>| Samples {
            features: features.clone(),
            labels,
        };
        let signs = samples(
            (0..n)
                .map(|i| if i % 3 == 0 { 1.0 } else { -1.0 })
                .collect(),
        );
        let targets = samples((0..n).map(|i| (i as f64).sin()).collect());
        let (logistic, squared) = (Dataset::<f64>::binary(&signs), Dataset::targets(&targets));
        let y: Vec<f64> = (0..d).map(|j| (0.7 * j as f64).cos()).collect();
        let of: Vec<usize> = (0..d).filter(|j| j % 3 != 1).collect();
        let programs = [
            objective(move |_: Var, y: Var| logistic.logistic_loss(y)).record(1, d),
            objective(move |_: Var, y: Var| squared.squared_loss(y)).record(1, d),
        ];
        for program in programs {
            assert!(program.knows_hessian(1) && !program.knows_hessian(0));
            let mut point = program.point();
            point.linearise(&[&[0.0], &y]);
            let mut block = vec![f64::NAN; of.len() * of.len()];
            let mut room = vec![f64::NAN; HESSIAN_ROOM * of.len() + d];
            point.hessian_among(1, &of, &mut room, &mut block);
            for (k, j) in of.iter().enumerate() {
                let mut unit = vec![0.0; d];
                unit[*j] = 1.0;
                point.second_by(&[None, Some(&unit)], Inputs::one(1));
                for (i, row) in of.iter().enumerate() {
                    let (found, want) = (block[k * of.len() + i], point.product(1)[*row]);
                    assert!((found - want).abs() < 1e-14, "{i} {k}: {found} {want}");
                }
            }
        }
    }

    /// Sorted by rows from the columns, and row by row where there is no room for that: the same bits.
    #[test]
    fn blocks_from_columns_are_those_from_rows() {
        let (d, n) = (4200, 90);
        let dense = DMatrix::from_fn(n, d, |i, j| match (j * 13 + i * 7) % 11 {
            0 => ((j + 3 * i) as f64).sin(),
            _ => 0.0,
        });
        let features: Features = autodiff::Sparse::of_dense(&dense).into();
        let labels = (0..n).map(|i| (i as f64).sin()).collect();
        let data = Dataset::<f64>::targets(&Samples { features, labels });
        let going = data.over_all();
        let columns = going.columns.as_deref().expect("a copy by columns");
        let crate::store::Store::Sparse(sparse) = &going.samples else {
            unreachable!("sparse samples")
        };
        let curvatures: Vec<f64> = (0..n).map(|i| 1.0 + (i as f64).cos()).collect();
        for step in [1, 3, 700] {
            let of: Vec<usize> = (2..d).step_by(step).take(300).collect();
            let m = of.len();
            let mut room = vec![f64::NAN; HESSIAN_ROOM * m + d];
            let (mut a, mut b) = (vec![0.0; m * m], vec![0.0; m * m]);
            assert!(super::few_columns(
                columns,
                &curvatures,
                &of,
                &mut room,
                &mut a
            ));
            super::few(sparse, |i| i, &curvatures, &of, &mut room, &mut b);
            assert!(a == b, "{step}");
            let entries = a.iter().filter(|v| **v != 0.0).count();
            // Of those far apart few share a sample.
            assert!(step == 700 || entries > m, "{step}: {entries}");
            // The same block by the columns of its root, but for rounding.
            let mut roots = autodiff::FewColumns::with_room(m, 100_000);
            assert!(going.roots_among(&curvatures, &of, &mut roots));
            assert_eq!((roots.columns(), roots.rows()), (m, n));
            for (p, column) in b.chunks_exact(m).enumerate() {
                let mut image = vec![0.0; n];
                roots.add_to(p, 1.0, &mut image);
                for (q, wanted) in column.iter().enumerate() {
                    assert!((roots.dot(q, &image) - wanted).abs() < 1e-14, "{p} {q}");
                }
            }
            roots.clear(n + roots.entries() - 1);
            assert!(!going.roots_among(&curvatures, &of, &mut roots));
            let fits = super::few_columns(columns, &curvatures, &of, &mut room[..n], &mut a);
            assert!(!fits && a == b);
        }
    }

    #[test]
    fn blocks_of_the_hessian_are_those_of_its_products() {
        for n in [1, 63, 64, 150] {
            let dense = DMatrix::from_fn(7, n, |j, i| ((j * 13 + i * 7) as f64).sin());
            let sparse = dense.map(|v| if v.abs() < 0.6 { 0.0 } else { v });
            blocks_are_those_of_products(dense.into());
            let rows = autodiff::Sparse::of_dense(&sparse.transpose());
            blocks_are_those_of_products(rows.into());
        }
    }
}
