//! The pass over sparse samples that fused losses are made of.

use pulp::{Simd, WithSimd};

use super::{Sparse, SparseColumns, add_to, dot};
use crate::batch::Places;
use crate::real::Real;
use crate::rows::Rule;
use crate::simd::{dispatch_lines, line};

/// The samples that a [`SparsePass`] goes over.
#[derive(Clone, Copy, Debug)]
pub struct SparseRows<'a, T: Real> {
    of: &'a Sparse<T>,
    at: Places<'a, T>,
    len: usize,
    columns: Option<&'a SparseColumns<T>>,
}

impl<'a, T: Real> SparseRows<'a, T> {
    /// `len` rows of a matrix.
    pub fn of(matrix: &'a Sparse<T>, at: Places<'a, T>, len: usize) -> Self {
        SparseRows {
            of: matrix,
            at,
            len,
            columns: None,
        }
    }

    /// These with their entries column by column, by which a pass of one class sums: the same bits, and
    /// faster where there are more columns than a near cache has room for.
    ///
    /// # Panics
    /// If they are of other sizes.
    #[must_use]
    #[track_caller]
    pub fn by_columns(self, columns: &'a SparseColumns<T>) -> Self {
        let expected = (self.len, self.of.columns());
        let found = (columns.rows(), columns.columns());
        assert_eq!(found, expected, "the rows and columns of the samples");
        SparseRows {
            columns: Some(columns),
            ..self
        }
    }

    /// `len` of these from `first` on, row by row.
    ///
    /// # Panics
    /// If there are not so many.
    #[must_use]
    #[track_caller]
    pub fn part(self, first: usize, len: usize) -> Self {
        assert!(first + len <= self.len, "a part of the samples");
        SparseRows {
            at: self.at.from(first),
            len,
            columns: None,
            ..self
        }
    }

    #[inline(always)]
    fn row(&self, i: usize) -> (&'a [u32], &'a [T]) {
        self.of.row(self.at.index(i))
    }
}

/// A [`RowPass`](crate::rows::RowPass) over sparse samples: for each sample `a_i` and each of the N
/// weights `z_k = W_k a_i`, then a rule turns them into coefficients, then `sum_k += z_k a_iᵀ`. Some
/// samples go together, so that each is read from memory once.
#[derive(Debug)]
pub struct SparsePass<'a, T: Real, const N: usize> {
    /// The samples.
    pub samples: SparseRows<'a, T>,
    /// Each `W` feature after feature, an entry for each class.
    pub weights: [&'a [T]; N],
    /// Overwritten with the sums of the last weights, in the same layout, one after the other: of all
    /// that it has room for.
    pub sums: &'a mut [T],
    /// As many entries as [`SparsePass::scratch_len`] says, or
    /// [`by_columns`](SparsePass::scratch_len_by_columns) for samples that are summed so, or more.
    pub scratch: &'a mut [T],
}

/// Samples that go together.
fn group<T>() -> usize {
    2 * line::<T>()
}

impl<T: Real, const N: usize> SparsePass<'_, T, N> {
    /// The scratch of a pass with this many classes.
    pub fn scratch_len(classes: usize) -> usize {
        N * classes * group::<T>() + classes
    }

    /// The scratch of a pass over this many samples that sums by columns.
    pub fn scratch_len_by_columns(samples: usize) -> usize {
        N * (samples.next_multiple_of(group::<T>()) + 1)
    }

    /// Runs the pass. The order of all sums depends on the sizes alone, and each sum is bitwise that
    /// of a pass with its weights alone.
    ///
    /// # Panics
    /// If the lengths do not fit each other.
    #[track_caller]
    pub fn run(self, rule: impl Rule<T, N>) {
        let (len, columns) = (self.weights[0].len(), self.samples.of.columns());
        assert_eq!(len % columns.max(1), 0, "weights of whole classes");
        for weights in self.weights {
            assert_eq!(weights.len(), len, "weights of one size");
        }
        let sums = self.sums.len();
        assert!(
            sums <= N * len && sums.is_multiple_of(len.max(1)),
            "sums of weights"
        );
        let scratch = match self.samples.columns {
            None => Self::scratch_len(len / columns.max(1)),
            Some(_) => {
                assert_eq!(len, columns, "weights of one class");
                Self::scratch_len_by_columns(self.samples.len)
            }
        };
        assert!(self.scratch.len() >= scratch, "scratch for the pass");
        match self.samples.columns {
            None => dispatch_lines(Kernel { pass: self, rule }),
            Some(columns) => dispatch_lines(ByColumns {
                pass: self,
                columns,
                rule,
            }),
        }
    }
}

struct Kernel<'a, T: Real, R, const N: usize> {
    pass: SparsePass<'a, T, N>,
    rule: R,
}

impl<T: Real, R: Rule<T, N>, const N: usize> WithSimd for Kernel<'_, T, R, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Kernel { pass, mut rule } = self;
        let (samples, group) = (pass.samples, group::<T>());
        let len = pass.weights[0].len();
        let classes = len / samples.of.columns().max(1);
        pass.sums.fill(T::zero());
        let unsummed = N - pass.sums.len().checked_div(len).unwrap_or(N);
        let (one, rest) = pass.scratch.split_at_mut(classes);
        let mut products = rest.chunks_exact_mut(classes * group);
        let mut z: [&mut [T]; N] =
            std::array::from_fn(|_| products.next().expect("scratch for each"));
        for first in (0..samples.len).step_by(group) {
            let count = group.min(samples.len - first);
            for (z, weights) in z.iter_mut().zip(pass.weights) {
                for k in 0..count {
                    let (places, values) = samples.row(first + k);
                    if classes == 1 {
                        z[k] = dot(places, values, weights);
                        continue;
                    }
                    one.fill(T::zero());
                    for (place, value) in places.iter().zip(values) {
                        let weights = &weights[*place as usize * classes..][..classes];
                        for (sum, w) in one.iter_mut().zip(weights) {
                            *sum += *value * *w;
                        }
                    }
                    for (c, sum) in one.iter().enumerate() {
                        z[c * group + k] = *sum;
                    }
                }
            }
            let mut each = z.iter_mut();
            let given = std::array::from_fn(|_| &mut **each.next().expect("products for each"));
            rule.apply(simd, first, count, given);
            let sums = pass.sums.chunks_exact_mut(len.max(1));
            for (z, sum) in z[unsummed..].iter().zip(sums) {
                for k in 0..count {
                    let (places, values) = samples.row(first + k);
                    if classes == 1 {
                        add_to(places, values, z[k], sum);
                        continue;
                    }
                    for (c, one) in one.iter_mut().enumerate() {
                        *one = z[c * group + k];
                    }
                    for (place, value) in places.iter().zip(values) {
                        let sum = &mut sum[*place as usize * classes..][..classes];
                        for (sum, z) in sum.iter_mut().zip(&*one) {
                            *sum += *value * *z;
                        }
                    }
                }
            }
        }
    }
}

/// The same where sums are taken by columns, once all coefficients are there.
struct ByColumns<'a, T: Real, R, const N: usize> {
    pass: SparsePass<'a, T, N>,
    columns: &'a SparseColumns<T>,
    rule: R,
}

impl<T: Real, R: Rule<T, N>, const N: usize> WithSimd for ByColumns<'_, T, R, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let ByColumns {
            pass,
            columns,
            mut rule,
        } = self;
        let (samples, group) = (pass.samples, group::<T>());
        let width = columns.columns();
        let unsummed = N - pass.sums.len().checked_div(width).unwrap_or(N);
        let len = samples.len.next_multiple_of(group) + 1;
        let mut products = pass.scratch.chunks_exact_mut(len);
        let mut z: [&mut [T]; N] =
            std::array::from_fn(|_| products.next().expect("scratch for each"));
        for first in (0..samples.len).step_by(group) {
            let count = group.min(samples.len - first);
            for (z, weights) in z.iter_mut().zip(pass.weights) {
                for k in first..first + count {
                    let (places, values) = samples.row(k);
                    z[k] = dot(places, values, weights);
                }
            }
            let mut each = z.iter_mut();
            let given = std::array::from_fn(|_| {
                &mut each.next().expect("products for each")[first..first + group]
            });
            rule.apply(simd, first, count, given);
        }
        let sums = pass.sums.chunks_exact_mut(width.max(1));
        for (z, sum) in z[unsummed..].iter_mut().zip(sums) {
            z[samples.len] = T::zero();
            columns.sum(&z[..=samples.len], sum);
        }
    }
}
