//! Rows of a sparse matrix column by column, for sums over the rows.

use std::cmp::Reverse;
use std::ops::Range;

use super::Sparse;
use crate::real::Real;

/// Columns that are summed side by side.
const WIDE: usize = 8;

/// Some rows of a [`Sparse`] column by column: sums `Σ_i z_i a_ij` are then read where z stands, and not
/// written all over the columns. [`SparseRows::by_columns`](super::SparseRows::by_columns) has a pass take
/// them.
///
/// Columns stand in groups of eight of about as many entries, those of the k-th entries of a group side
/// by side, shorter ones filled up (the layout SELL-C-σ of M. Kreutzer, G. Hager, G. Wellein, H. Fehske
/// and A. Bishop, A unified sparse matrix data format for efficient general sparse matrix-vector
/// multiplication on modern processors with wide SIMD units, SIAM Journal on Scientific Computing 36(5),
/// 2014). Filling takes no more than eight times the longest column. Each column is summed from its first
/// row to its last: to the bit what adding row after row gives.
#[derive(Debug)]
pub struct SparseColumns<T> {
    rows: usize,
    /// The columns by the number of their entries, the largest first.
    order: Vec<u32>,
    /// Where each column stands among these.
    slots: Vec<u32>,
    /// Where each group starts among the lines, and where the last one ends.
    starts: Vec<usize>,
    /// The rows of the entries, or `rows` where there is none.
    places: Vec<[u32; WIDE]>,
    values: Vec<[T; WIDE]>,
}

impl<T: Real> SparseColumns<T> {
    /// Those rows of a matrix.
    ///
    /// # Panics
    /// If there are no such rows, or 2³² of them or more.
    #[track_caller]
    pub fn of(matrix: &Sparse<T>, rows: Range<usize>) -> Self {
        let (first, len) = (rows.start, rows.len());
        let none = u32::try_from(len).expect("fewer than 2³² rows");
        let mut counts = vec![0usize; matrix.columns()];
        for i in rows.clone() {
            for j in matrix.row(i).0 {
                counts[*j as usize] += 1;
            }
        }
        // Columns fit into 32 bits, as they do in a row.
        let mut order: Vec<u32> = (0..counts.len()).map(|j| j as u32).collect();
        order.sort_by_key(|j| Reverse(counts[*j as usize]));
        let mut starts = vec![0];
        for group in order.chunks(WIDE) {
            starts.push(starts[starts.len() - 1] + counts[group[0] as usize]);
        }
        let lines = starts[starts.len() - 1];
        let mut places = vec![[none; WIDE]; lines];
        let mut values = vec![[T::zero(); WIDE]; lines];
        let mut slots = vec![0; counts.len()];
        // Where the next entry of each column goes.
        let mut next = vec![(0, 0); counts.len()];
        for (at, j) in order.iter().enumerate() {
            slots[*j as usize] = at as u32;
            next[*j as usize] = (starts[at / WIDE], at % WIDE);
        }
        for i in rows {
            let (columns, entries) = matrix.row(i);
            for (j, v) in columns.iter().zip(entries) {
                let (line, lane) = &mut next[*j as usize];
                places[*line][*lane] = (i - first) as u32;
                values[*line][*lane] = *v;
                *line += 1;
            }
        }
        SparseColumns {
            rows: len,
            order,
            slots,
            starts,
            places,
            values,
        }
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The number of columns.
    pub fn columns(&self) -> usize {
        self.order.len()
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        let lines = self.places.len() * WIDE * (size_of::<u32>() + size_of::<T>());
        lines + 2 * size_of_val(&*self.order) + size_of_val(&*self.starts)
    }

    /// The rows and values of the entries of column `j`, from the first row to the last.
    ///
    /// # Panics
    /// If there is no such column.
    #[inline]
    #[track_caller]
    pub fn column(&self, j: usize) -> impl Iterator<Item = (usize, T)> + '_ {
        let (group, k) = (self.slots[j] as usize / WIDE, self.slots[j] as usize % WIDE);
        let lines = self.starts[group]..self.starts[group + 1];
        let all = self.places[lines.clone()].iter().zip(&self.values[lines]);
        let all = all.map(move |(places, values)| (places[k] as usize, values[k]));
        all.take_while(|(i, _)| *i < self.rows)
    }

    /// Overwrites `out` with `Σ_i z_i a_ij` of each column j. `z` has an entry for each row, and behind
    /// them a 0, which is what there is no entry of.
    ///
    /// # Panics
    /// If a length does not fit.
    #[inline(always)]
    pub(crate) fn sum(&self, z: &[T], out: &mut [T]) {
        assert_eq!(z.len(), self.rows + 1, "an entry for each row and a 0");
        assert_eq!(out.len(), self.order.len(), "a sum for each column");
        for (group, ends) in self.order.chunks(WIDE).zip(self.starts.windows(2)) {
            let lines = ends[0]..ends[1];
            let mut sums = [T::zero(); WIDE];
            for (places, values) in self.places[lines.clone()].iter().zip(&self.values[lines]) {
                for k in 0..WIDE {
                    sums[k] += z[places[k] as usize] * values[k];
                }
            }
            for (j, sum) in group.iter().zip(sums) {
                out[*j as usize] = sum;
            }
        }
    }
}
