//! H as a dense matrix, and its factor.

use autodiff::bytes::{Category, Claim};
use autodiff::{Meter, Real, cholesky};

use super::{Operator, Outcome, Preconditioner, Scratch};

/// Columns of H that one block of products gives. The function is held in as many tangents and
/// adjoints' tangents, and beyond sixteen its products of matrices gain little.
pub(crate) const BLOCK: usize = 16;

/// Overwrites `dense` with the columns of H, of `n` entries each, by products in blocks. Holds a block
/// of unit vectors meanwhile.
pub(crate) fn form<T: Real>(h: &mut dyn Operator<T>, n: usize, dense: &mut [T]) {
    let mut units = vec![T::zero(); n * n.min(BLOCK)];
    for (k, columns) in dense.chunks_mut(n * BLOCK).enumerate() {
        let units = &mut units[..columns.len()];
        let ones = |c: usize| k * BLOCK + c + c * n;
        (0..columns.len() / n).for_each(|c| units[ones(c)] = T::one());
        h.apply(units, columns);
        (0..columns.len() / n).for_each(|c| units[ones(c)] = T::zero());
    }
}

/// Replaces a dense symmetric matrix by its factor, if it is positive definite to working precision.
/// Its lower half counts.
pub(super) fn factor<T: Real>(dense: &mut [T], n: usize) -> bool {
    if cholesky::factor(dense, n).is_err() {
        return false;
    }
    let pivots = || dense.iter().step_by(n + 1).map(|p| p.f64());
    let (least, largest) = (
        pivots().fold(f64::INFINITY, f64::min),
        pivots().fold(0.0, f64::max),
    );
    (least / largest).powi(2) > n as f64 * T::EPSILON
}

/// The factor of H at some point, to be used near it.
#[derive(Debug)]
pub(crate) struct Factor<T> {
    entries: Vec<T>,
    _bytes: Claim,
}

impl<T: Real> Factor<T> {
    /// Bytes that making and holding it takes, at most.
    pub(crate) fn bytes(n: usize) -> usize {
        (n * n + n * n.min(BLOCK)) * size_of::<T>()
    }

    /// Of an H that is positive definite to working precision; costs `n` products.
    pub(crate) fn of(h: &mut dyn Operator<T>, n: usize, meter: &Meter) -> Option<Self> {
        let bytes = Claim::new(Self::bytes(n), Category::Solver, meter);
        let mut entries = vec![T::zero(); n * n];
        form(h, n, &mut entries);
        factor(&mut entries, n).then_some(Factor {
            entries,
            _bytes: bytes,
        })
    }
}

impl<T: Real> Preconditioner<T> for &Factor<T> {
    fn name(&self) -> &'static str {
        "factor-cg"
    }

    fn prepare<'s>(
        &'s self,
        _: &mut dyn Operator<T>,
        _: usize,
        _: Scratch<'s, T>,
    ) -> Result<impl Operator<T> + 's, Outcome> {
        Ok(|r: &[T], z: &mut [T]| {
            z.copy_from_slice(r);
            cholesky::solve(&self.entries, z);
        })
    }
}
