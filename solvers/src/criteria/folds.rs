//! Cross-validation over folds as one problem.

use autodiff::{Real, Var, objective};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::{Bilevel, ProblemError};

/// Rows of a table, dealt to K folds: each is held out once, from a lower level that is fitted to all
/// others.
///
/// # Example
/// The ridge `e^x` of a mean by three folds:
/// ```
/// use autodiff::Var;
/// use nalgebra::{DVector, dvector};
/// use solvers::{Aid, Folds, Strategy};
///
/// let t = [0.3, 1.0, -0.4, 0.8, 0.1, 0.6];
/// let mean = |rows: &[usize]| rows.iter().map(|i| t[*i]).sum::<f64>() / rows.len() as f64;
/// let folds = Folds::new(6, 3, 0);
/// let problem = folds.problem(
///     |_: Var, y: Var, rows: &[usize]| 0.5 * (y - mean(rows)).norm_squared(),
///     |x: Var, y: Var, rows: &[usize]| {
///         0.5 * (y - mean(rows)).norm_squared() + 0.5 * x.exp().dot(y.square())
///     },
///     1,
///     1,
/// )?;
/// let x = dvector![-1.0];
/// let estimate = Aid::cg().hypergradient(&problem, &x, &mut problem.workspace())?;
/// for k in 0..3 {
///     let fitted = mean(&folds.others(k)) / (1.0 + (-1.0f64).exp());
///     assert!((estimate.y[k] - fitted).abs() < 1e-12);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folds {
    /// The fold of each row.
    of: Vec<usize>,
    count: usize,
}

impl Folds {
    /// Rows in random order, dealt in turn: the sizes of folds differ by one at most.
    ///
    /// # Panics
    /// If there are fewer than two folds, or fewer rows than folds.
    #[must_use]
    #[track_caller]
    pub fn new(rows: usize, count: usize, seed: u64) -> Self {
        assert!(
            count >= 2 && count <= rows,
            "{count} folds of {rows} rows: expected at least 2, and no more than rows"
        );
        let mut order: Vec<usize> = (0..rows).collect();
        order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        let mut of = vec![0; rows];
        for (place, row) in order.into_iter().enumerate() {
            of[row] = place % count;
        }
        Folds { of, count }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The rows of fold `k`, ascending.
    pub fn held_out(&self, k: usize) -> Vec<usize> {
        (0..self.of.len()).filter(|i| self.of[*i] == k).collect()
    }

    /// The rows of all folds but `k`, ascending.
    pub fn others(&self, k: usize) -> Vec<usize> {
        (0..self.of.len()).filter(|i| self.of[*i] != k).collect()
    }

    /// The problem of all folds: with y of `dim_y` entries for each fold, one after the other,
    /// `F = mean_k upper(x, y_k, rows of fold k)` and `g = Σ_k lower(x, y_k, all other rows)`.
    ///
    /// Both closures are called once for each fold, with its rows, to be recorded; what they capture is
    /// shared. g is a sum, so that a [`Part`](crate::Part) of one weight beside it is that of every
    /// fold, as is one for each entry that says it K times over.
    ///
    /// # Errors
    /// As [`Bilevel::new`].
    pub fn problem<T: Real>(
        &self,
        upper: impl for<'r> Fn(Var<'r, T>, Var<'r, T>, &[usize]) -> Var<'r, T>,
        lower: impl for<'r> Fn(Var<'r, T>, Var<'r, T>, &[usize]) -> Var<'r, T>,
        dim_x: usize,
        dim_y: usize,
    ) -> Result<Bilevel<T>, ProblemError> {
        let count = self.count;
        let upper = objective(|x: Var<'_, T>, y: Var<'_, T>| {
            let folds = (0..count).map(|k| upper(x, y.slice(k * dim_y, dim_y), &self.held_out(k)));
            Var::sum_of(folds) * T::of(1.0 / count as f64)
        });
        let lower = objective(|x: Var<'_, T>, y: Var<'_, T>| {
            Var::sum_of((0..count).map(|k| lower(x, y.slice(k * dim_y, dim_y), &self.others(k))))
        });
        Bilevel::new(upper, lower, dim_x, count * dim_y)
    }
}
