//! A few columns of a sparse matrix, in room that is kept.

use super::{add_to, dot};
use crate::real::Real;

/// A few columns of a sparse matrix, one after the other, in room that is made once: for what goes over
/// them again and again, one at a time.
#[derive(Debug)]
pub struct FewColumns<T> {
    rows: usize,
    /// The most rows and entries together, now and in all.
    limit: usize,
    room: usize,
    /// Where each column starts, and where the last one ends.
    starts: Vec<usize>,
    places: Vec<u32>,
    values: Vec<T>,
}

impl<T: Real> FewColumns<T> {
    /// Room for so many `columns`, with no more than `room` rows and entries together. What is not used is
    /// reserved alone.
    pub fn with_room(columns: usize, room: usize) -> Self {
        FewColumns {
            rows: 0,
            limit: room,
            room,
            starts: Vec::with_capacity(columns + 1),
            places: Vec::with_capacity(room),
            values: Vec::with_capacity(room),
        }
    }

    /// Bytes of such a room.
    pub fn bytes(columns: usize, room: usize) -> usize {
        (columns + 1) * size_of::<usize>() + room * (size_of::<u32>() + size_of::<T>())
    }

    /// Leaves no column, and from now on no more than `limit` rows and entries together, or what there is
    /// room for.
    pub fn clear(&mut self, limit: usize) {
        self.limit = limit.min(self.room);
        self.begin(0);
    }

    /// Begins with no column of so many rows; whether there is room for these.
    pub fn begin(&mut self, rows: usize) -> bool {
        self.rows = rows;
        self.starts.clear();
        self.starts.push(0);
        self.places.clear();
        self.values.clear();
        rows <= self.limit && u32::try_from(rows).is_ok()
    }

    /// Appends a column of these rows and values; whether there was room for it.
    ///
    /// # Panics
    /// If there is no such row.
    #[track_caller]
    pub fn push(&mut self, column: impl Iterator<Item = (usize, T)>) -> bool {
        for (row, value) in column {
            if self.rows + self.values.len() >= self.limit {
                return false;
            }
            assert!(row < self.rows, "row {row} of {}", self.rows);
            self.places.push(row as u32);
            self.values.push(value);
        }
        self.starts.push(self.values.len());
        true
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The number of columns.
    pub fn columns(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// The number of entries.
    pub fn entries(&self) -> usize {
        self.values.len()
    }

    #[inline(always)]
    fn column(&self, k: usize) -> (&[u32], &[T]) {
        let own = self.starts[k]..self.starts[k + 1];
        (&self.places[own.clone()], &self.values[own])
    }

    /// `⟨b_k, z⟩` of column `k`.
    ///
    /// # Panics
    /// If there is no such column, or `z` does not have an entry for each row.
    #[inline]
    #[track_caller]
    pub fn dot(&self, k: usize, z: &[T]) -> T {
        let (places, values) = self.column(k);
        dot(places, values, &z[..self.rows])
    }

    /// `z += scale · b_k` of column `k`.
    ///
    /// # Panics
    /// If there is no such column, or `z` does not have an entry for each row.
    #[inline]
    #[track_caller]
    pub fn add_to(&self, k: usize, scale: T, z: &mut [T]) {
        let (places, values) = self.column(k);
        add_to(places, values, scale, &mut z[..self.rows]);
    }

    /// `‖b_k‖²` of column `k`.
    ///
    /// # Panics
    /// If there is no such column.
    #[track_caller]
    pub fn norm_squared(&self, k: usize) -> T {
        let square = |sum: T, v: &T| sum + *v * *v;
        self.column(k).1.iter().fold(T::zero(), square)
    }
}

#[cfg(test)]
mod tests {
    use super::FewColumns;

    #[test]
    fn columns_are_pushed_until_rows_and_entries_fill_the_room() {
        let mut few = FewColumns::<f64>::with_room(3, 9);
        few.clear(100);
        assert_eq!((few.columns(), few.entries(), few.rows()), (0, 0, 0));
        assert!(few.begin(4));
        assert!(few.push([(0, 2.0), (3, -1.0)].into_iter()));
        assert!(few.push(std::iter::empty()));
        assert!(few.push([(1, 4.0), (2, 1.0), (3, 3.0)].into_iter()));
        assert_eq!((few.columns(), few.entries(), few.rows()), (3, 5, 4));
        let mut z = [1.0, 10.0, 100.0, 1000.0];
        assert_eq!(few.dot(0, &z), -998.0);
        assert_eq!(few.dot(1, &z), 0.0);
        assert_eq!(few.dot(2, &z), 3140.0);
        assert_eq!([0, 1, 2].map(|k| few.norm_squared(k)), [5.0, 0.0, 26.0]);
        few.add_to(2, 0.5, &mut z);
        assert_eq!(z, [1.0, 12.0, 100.5, 1001.5]);
        // Four rows and five entries are all.
        assert!(!few.push([(0, 1.0)].into_iter()));
        // Less than there is room for, if so asked, and no more.
        few.clear(3);
        assert!(!few.begin(4) && few.begin(2));
        assert!(!few.push([(0, 1.0), (1, 1.0)].into_iter()));
        assert!(few.begin(2) && few.push([(1, 1.0)].into_iter()));
        few.clear(usize::MAX);
        assert!(!few.begin(10));
    }

    #[test]
    #[should_panic(expected = "row 2 of 2")]
    fn a_row_beyond_the_last_is_refused() {
        let mut few = FewColumns::<f64>::with_room(1, 9);
        few.begin(2);
        few.push([(2, 1.0)].into_iter());
    }
}
