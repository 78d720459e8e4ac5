//! Numbers of samples, kept as narrow as they are exact.

mod grid;
mod packed;

use std::fmt;

use nalgebra::DMatrix;

use crate::batch::{Places, index_of};
use crate::matvec::Columns;
use crate::real::Real;
use crate::simd::{fetch, line};
use grid::{Grid, Grids};
pub(crate) use packed::Packed;

/// Numbers of samples, a row of the same width for each, that a [`Batch`](crate::Batch) picks rows
/// from and a [`RowPass`](crate::rows::RowPass) goes over. Cloning shares them.
///
/// They are kept in the narrowest [`Storage`] that gives every one of them back to the bit, found by
/// trying: a table of 8-bit images takes an eighth of its numbers in `f64`. Rows start at multiples
/// of 64 bytes where that costs no more than a tenth.
///
/// ```
/// use autodiff::{Storage, Table};
///
/// let pixels = Table::<f64>::of_entries(&[0.0, 7.0 / 255.0, 1.0]);
/// assert_eq!(pixels.storage(), Storage::Bytes);
/// assert_eq!(pixels.row(1), [7.0 / 255.0]);
/// assert_eq!(Table::of_entries(&[0.5, 300.5]).storage(), Storage::Words);
/// assert_eq!(Table::of_entries(&[0.5, -1.5]).storage(), Storage::Single);
/// assert_eq!(Table::of_entries(&[0.1, -1.5]).storage(), Storage::Whole);
/// ```
#[derive(Clone)]
pub struct Table<T = f64> {
    rows: Rows<T>,
    len: usize,
    width: usize,
}

/// How the numbers of a [`Table`] are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Storage {
    /// Numbers of 8 bits, times a scale.
    Bytes,
    /// Numbers of 16 bits, times a scale.
    Words,
    /// `f32`.
    Single,
    /// The type that is computed with.
    Whole,
}

impl fmt::Display for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Storage::Bytes => "8-bit numbers with a scale",
            Storage::Words => "16-bit numbers with a scale",
            Storage::Single => "f32",
            Storage::Whole => "as computed with",
        })
    }
}

#[derive(Clone)]
pub(crate) enum Rows<T> {
    Bytes(Packed<u8>, Grid<T>),
    Words(Packed<u16>, Grid<T>),
    Single(Packed<f32>),
    Whole(Packed<T>),
}

impl<T: Real> fmt::Debug for Table<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (len, width) = (self.len, self.width);
        write!(f, "Table<{}>({len} × {width}, {})", T::NAME, self.storage())
    }
}

impl<T: Real> Table<T> {
    /// The rows of a matrix.
    ///
    /// # Panics
    /// If the matrix has no columns.
    #[track_caller]
    #[inline(never)]
    pub fn of_rows(matrix: &DMatrix<T>) -> Self {
        let (len, width) = matrix.shape();
        Self::from_fn(len, width, |k| matrix[(k / width, k % width)])
    }

    /// One number for each sample.
    #[inline(never)]
    pub fn of_entries(entries: &[T]) -> Self {
        Self::from_fn(entries.len(), 1, |k| entries[k])
    }

    /// Samples of `width` entries, one after the other.
    ///
    /// # Panics
    /// If the width is 0, or the entries are not a whole number of samples.
    #[track_caller]
    #[inline(never)]
    pub fn of_samples(entries: &[T], width: usize) -> Self {
        assert!(
            width > 0 && entries.len().is_multiple_of(width),
            "{} entries in samples of {width}: expected whole samples",
            entries.len()
        );
        Self::from_fn(entries.len() / width, width, |k| entries[k])
    }

    /// `len` samples of `width` entries, of which `entry` gives number `k` of all: entry `k % width`
    /// of sample `k / width`. It is asked for each several times.
    ///
    /// # Panics
    /// If the width is 0.
    #[track_caller]
    pub fn from_fn(len: usize, width: usize, entry: impl Fn(usize) -> T) -> Self {
        assert!(width > 0, "samples of 0 entries: expected at least 1");
        let table = |rows| Table { rows, len, width };
        let grids = Grids::of((0..len * width).map(&entry));
        let bytes = grids.bytes().and_then(|grid| {
            let rows = Packed::of(len, width, |k| grid.code(entry(k)))?;
            Some(Rows::Bytes(rows, grid))
        });
        let words = || {
            let grid = grids.words()?;
            let rows = Packed::of(len, width, |k| grid.code(entry(k)))?;
            Some(Rows::Words(rows, grid))
        };
        if let Some(rows) = bytes.or_else(words) {
            return table(rows);
        }
        if size_of::<T>() > 4 {
            let single = |v: T| {
                let single = v.f64() as f32;
                (f64::from(single).to_bits() == v.f64().to_bits()).then_some(single)
            };
            if let Some(rows) = Packed::of(len, width, |k| single(entry(k))) {
                return table(Rows::Single(rows));
            }
        }
        let rows = Packed::of(len, width, |k| Some(entry(k)));
        table(Rows::Whole(rows.expect("every number is one of its type")))
    }

    /// The number of samples.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no samples.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Entries of a sample.
    pub fn width(&self) -> usize {
        self.width
    }

    /// How the numbers are kept.
    pub fn storage(&self) -> Storage {
        match &self.rows {
            Rows::Bytes(..) => Storage::Bytes,
            Rows::Words(..) => Storage::Words,
            Rows::Single(_) => Storage::Single,
            Rows::Whole(_) => Storage::Whole,
        }
    }

    /// Bytes that the numbers take, padding included.
    pub fn bytes(&self) -> usize {
        match &self.rows {
            Rows::Bytes(rows, _) => rows.bytes(),
            Rows::Words(rows, _) => rows.bytes(),
            Rows::Single(rows) => rows.bytes(),
            Rows::Whole(rows) => rows.bytes(),
        }
    }

    /// The entries of sample `i`.
    ///
    /// # Panics
    /// If there is no such sample.
    #[must_use]
    #[track_caller]
    pub fn row(&self, i: usize) -> Vec<T> {
        let mut row = vec![T::zero(); self.width];
        self.read(i, &mut row);
        row
    }

    /// Overwrites `out` with the entries of sample `i`.
    ///
    /// # Panics
    /// If there is no such sample, or `out` is not as long as one.
    #[inline(always)]
    #[track_caller]
    pub fn read(&self, i: usize, out: &mut [T]) {
        assert!(out.len() == self.width, "room for the entries of a sample");
        self.visit(i, |j, entry| out[j] = entry);
    }

    /// Calls `take` with each entry of sample `i` and its number.
    #[inline(always)]
    #[track_caller]
    pub(crate) fn visit(&self, i: usize, mut take: impl FnMut(usize, T)) {
        assert!(i < self.len, "sample {i} of {}", self.len);
        let place = |stride: usize| i * stride..i * stride + self.width;
        match &self.rows {
            Rows::Bytes(rows, grid) => {
                let codes = rows.all()[place(rows.stride)].iter().enumerate();
                codes.for_each(|(j, k)| take(j, grid.value(T::of((*k).into()))));
            }
            Rows::Words(rows, grid) => {
                let codes = rows.all()[place(rows.stride)].iter().enumerate();
                codes.for_each(|(j, k)| take(j, grid.value(T::of((*k).into()))));
            }
            Rows::Single(rows) => {
                let entries = rows.all()[place(rows.stride)].iter().enumerate();
                entries.for_each(|(j, v)| take(j, T::of((*v).into())));
            }
            Rows::Whole(rows) => {
                let entries = rows.all()[place(rows.stride)].iter().enumerate();
                entries.for_each(|(j, v)| take(j, *v));
            }
        }
    }

    /// Overwrites `out` with the entries `of` of sample `i`.
    ///
    /// # Panics
    /// If there is no such sample or entry, or `out` does not have as many entries as `of`.
    #[track_caller]
    #[inline(never)]
    pub fn pick(&self, i: usize, of: &[usize], out: &mut [T]) {
        assert!(i < self.len, "sample {i} of {}", self.len);
        assert!(out.len() == of.len(), "room for {} entries", of.len());
        let place = |stride: usize| i * stride..i * stride + self.width;
        match &self.rows {
            Rows::Bytes(rows, grid) => {
                let all = &rows.all()[place(rows.stride)];
                let value = |j: &usize| grid.value(T::of(all[*j].into()));
                out.iter_mut().zip(of).for_each(|(o, j)| *o = value(j));
            }
            Rows::Words(rows, grid) => {
                let all = &rows.all()[place(rows.stride)];
                let value = |j: &usize| grid.value(T::of(all[*j].into()));
                out.iter_mut().zip(of).for_each(|(o, j)| *o = value(j));
            }
            Rows::Single(rows) => {
                let all = &rows.all()[place(rows.stride)];
                let value = |j: &usize| T::of(all[*j].into());
                out.iter_mut().zip(of).for_each(|(o, j)| *o = value(j));
            }
            Rows::Whole(rows) => {
                let all = &rows.all()[place(rows.stride)];
                out.iter_mut().zip(of).for_each(|(o, j)| *o = all[*j]);
            }
        }
    }

    /// Some of the samples, kept in the same way.
    ///
    /// # Panics
    /// If there is no sample of an index.
    #[must_use]
    #[track_caller]
    #[inline(never)]
    pub fn select(&self, samples: &[usize]) -> Self {
        let rows = match &self.rows {
            Rows::Bytes(rows, grid) => Rows::Bytes(rows.select(samples), *grid),
            Rows::Words(rows, grid) => Rows::Words(rows.select(samples), *grid),
            Rows::Single(rows) => Rows::Single(rows.select(samples)),
            Rows::Whole(rows) => Rows::Whole(rows.select(samples)),
        };
        Table {
            rows,
            len: samples.len(),
            width: self.width,
        }
    }

    /// A sample in each column.
    #[inline(never)]
    pub fn columns(&self) -> DMatrix<T> {
        let mut all = DMatrix::zeros(self.width, self.len);
        let columns = all.as_mut_slice().chunks_exact_mut(self.width);
        columns.enumerate().for_each(|(i, out)| self.read(i, out));
        all
    }

    /// The width in whole lines of `T`: what a pass reads of each sample, and the length of its
    /// weights.
    pub fn padded(&self) -> usize {
        self.width.next_multiple_of(line::<T>())
    }

    /// The entries of sample `i` and all behind them, if they are kept as they are computed with.
    ///
    /// # Panics
    /// If there is no such sample.
    #[inline(always)]
    pub(crate) fn kept_from(&self, i: usize) -> Option<&[T]> {
        let Rows::Whole(rows) = &self.rows else {
            return None;
        };
        assert!(i < self.len, "sample {i} of {}", self.len);
        Some(&rows.all()[i * rows.stride..])
    }

    /// Whether products can read samples where they are: they are kept as they are computed with.
    pub(crate) fn is_whole(&self) -> bool {
        matches!(self.rows, Rows::Whole(_))
    }

    /// The samples of these indices where they are, each as a column.
    ///
    /// # Panics
    /// If there is no sample of an index, or [not all](Table::is_whole) are as they are computed with.
    pub(crate) fn columns_at<'a>(&'a self, at: &'a [T]) -> Columns<'a, T> {
        let Rows::Whole(rows) = &self.rows else {
            panic!("{self:?}: products read samples that are kept whole");
        };
        let count = at.len();
        let place = |i: usize| {
            assert!(i < self.len, "sample {i} of {}", self.len);
            i
        };
        let (first, at) = match Places::of(Some(at)) {
            Places::From(first) => {
                place(first + at.len() - 1);
                (first, None)
            }
            Places::At(at) => {
                at.iter().for_each(|i| {
                    place(index_of(*i));
                });
                (0, Some(at))
            }
        };
        let entries = &rows.all()[first * rows.stride..];
        if at.is_none() {
            fetch(&entries[..count * rows.stride]);
        }
        Columns {
            entries,
            rows: self.width,
            count,
            stride: rows.stride,
            at,
        }
    }

    /// The samples where they are, if a pass can read them there: each in whole lines.
    pub(crate) fn in_lines(&self) -> Option<&Packed<T>> {
        match &self.rows {
            Rows::Whole(rows) if rows.stride == self.padded() => Some(rows),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::LINE;

    fn check<T: Real>(entries: &[T], storage: Storage) {
        let table = Table::of_samples(entries, 3);
        assert_eq!(table.storage(), storage, "{entries:?}");
        let read = Vec::from_iter((0..table.len()).flat_map(|i| table.row(i)));
        let bits = |a: &[T]| Vec::from_iter(a.iter().map(|v| v.f64().to_bits()));
        assert_eq!(bits(&read), bits(entries));
        let picked = table.select(&[1, 0, 1]);
        assert_eq!(picked.storage(), storage);
        assert_eq!(bits(&picked.row(0)), bits(&entries[3..6]));
    }

    #[test]
    fn numbers_are_kept_as_narrow_as_they_are_exact() {
        check(&[0.0, 1.0, 255.0, 3.0, 7.0, 2.0], Storage::Bytes);
        check(&[0.0, 1.0, 256.0, 3.0, 7.0, 2.0], Storage::Words);
        check(&[0.0, 1.0, 65536.0, 3.0, 7.0, 2.0], Storage::Single);
        check(&[0.0, 1.0, -1.0, 3.0, 7.0, 2.0], Storage::Single);
        check(&[0.0, -0.0, 1.0, 3.0, 7.0, 2.0], Storage::Single);
        check(&[0.0, f64::INFINITY, 1.0, 3.0, 7.0, 2.0], Storage::Single);
        check(&[0.0, 1e300, 1.0, 3.0, 7.0, 2.0], Storage::Whole);
        check(&[0.0, 0.1f64.sin(), 1.0, 3.0, 7.0, 2.0], Storage::Whole);
        check(&[0.0; 6], Storage::Bytes);
        check(&[0.0f32, -1.0, 3.5, 3.0, 7.0, 2.0], Storage::Whole);
        assert!(Table::of_entries(&[f64::NAN, 1.0]).row(0)[0].is_nan());
    }

    #[test]
    fn every_fraction_of_a_whole_number_is_found_again() {
        for q in (1..300).chain([1000, 10000, 65535]) {
            let of = |k: u32| f64::from(k) / f64::from(q);
            let entries = Vec::from_iter((0..300).map(|k| of(k * k % q.max(200))));
            let table = Table::of_entries(&entries);
            assert!(table.storage() <= Storage::Words, "1/{q}");
            for (i, entry) in entries.iter().enumerate() {
                assert_eq!(table.row(i)[0].to_bits(), entry.to_bits(), "1/{q}");
            }
        }
    }

    #[test]
    fn samples_start_at_lines_where_that_is_cheap() {
        let start = |width: usize| {
            let table = Table::from_fn(5, width, |k| (k as f64).sin());
            let rows = table.in_lines()?;
            Some((rows.all().as_ptr().align_offset(LINE), rows.stride))
        };
        assert_eq!(start(16), Some((0, 16)));
        assert_eq!(start(500), Some((0, 504)));
        assert_eq!(start(10), None);
    }
}
