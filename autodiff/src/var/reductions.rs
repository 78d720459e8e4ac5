//! Reductions: of all entries, of each column (`…_rows` sums over the rows), of each row
//! (`…_cols`).

use crate::real::Real;
use crate::rules::linear::Linear;
use crate::rules::reduce::{End, Extreme, LogSumExp, Norm};
use crate::shape::Shape;
use crate::var::Var;

impl<T: Real> Var<'_, T> {
    /// Sum of all entries: a scalar.
    #[must_use]
    #[track_caller]
    pub fn sum(self) -> Self {
        self.linear(Linear::Sum, &[self], Shape::SCALAR)
    }

    /// Mean of all entries: a scalar.
    #[must_use]
    #[track_caller]
    pub fn mean(self) -> Self {
        assert!(!self.is_empty(), "mean of {}", self.shape);
        self.sum() * T::of(1.0 / self.len() as f64)
    }

    /// Sum of each column: `r×c → 1×c`.
    #[must_use]
    #[track_caller]
    pub fn sum_rows(self) -> Self {
        let shape = Shape::matrix(1, self.shape.cols);
        self.linear(Linear::SumRows, &[self], shape)
    }

    /// Sum of each row: `r×c → r×1`.
    #[must_use]
    #[track_caller]
    pub fn sum_cols(self) -> Self {
        let shape = Shape::vector(self.shape.rows);
        self.linear(Linear::SumCols, &[self], shape)
    }

    /// `Σ aᵢ²`: a scalar.
    #[must_use]
    #[track_caller]
    pub fn norm_squared(self) -> Self {
        self.dot(self)
    }

    /// `√Σ aᵢ²`, without overflow: a scalar. Where all entries are 0, the derivatives are 0 by
    /// convention; for a smooth one see [`smooth_norm`](Var::smooth_norm).
    #[must_use]
    #[track_caller]
    #[inline(never)]
    pub fn norm(self) -> Self {
        self.fused(Norm, &[])
    }

    /// `√(Σ aᵢ² + ε²)`, smooth everywhere for ε > 0: a scalar.
    #[must_use]
    #[track_caller]
    pub fn smooth_norm(self, eps: f64) -> Self {
        assert!(eps > 0.0, "smooth_norm: eps is {eps}: it must be positive");
        (self.norm_squared() + T::of(eps * eps)).sqrt()
    }

    /// `ln Σ eᵃ` of each column, without overflow: `r×c → 1×c`.
    #[must_use]
    #[track_caller]
    #[inline(never)]
    pub fn log_sum_exp(self) -> Self {
        let rows = self.shape.rows;
        self.fused(LogSumExp { rows }, &[])
    }

    /// `ln Σ eᵃ` of each row, without overflow: `r×c → r×1`.
    #[must_use]
    #[track_caller]
    #[inline(never)]
    pub fn log_sum_exp_cols(self) -> Self {
        self.transpose().log_sum_exp().transpose()
    }

    /// `a − ln Σ eᵃ` of each column: the logarithm of [`softmax`](Var::softmax).
    #[must_use]
    #[track_caller]
    #[inline(never)]
    pub fn log_softmax(self) -> Self {
        self - self.log_sum_exp()
    }

    /// `a − ln Σ eᵃ` of each row: the logarithm of [`softmax_cols`](Var::softmax_cols).
    #[must_use]
    #[track_caller]
    #[inline(never)]
    pub fn log_softmax_cols(self) -> Self {
        self - self.log_sum_exp_cols()
    }

    /// `eᵃ / Σ eᵃ` of each column, without overflow.
    #[must_use]
    #[track_caller]
    pub fn softmax(self) -> Self {
        self.log_softmax().exp()
    }

    /// `eᵃ / Σ eᵃ` of each row, without overflow.
    #[must_use]
    #[track_caller]
    pub fn softmax_cols(self) -> Self {
        self.log_softmax_cols().exp()
    }

    // ---- means

    /// Mean of each column: `r×c → 1×c`.
    #[must_use]
    #[track_caller]
    pub fn mean_rows(self) -> Self {
        assert!(self.shape.rows > 0, "mean_rows of {}", self.shape);
        self.sum_rows() * T::of(1.0 / self.shape.rows as f64)
    }

    /// Mean of each row: `r×c → r×1`.
    #[must_use]
    #[track_caller]
    pub fn mean_cols(self) -> Self {
        assert!(self.shape.cols > 0, "mean_cols of {}", self.shape);
        self.sum_cols() * T::of(1.0 / self.shape.cols as f64)
    }

    /// Mean squared distance of the entries from their mean, as NumPy's `var`: a scalar.
    #[must_use]
    #[track_caller]
    pub fn variance(self) -> Self {
        assert!(!self.is_empty(), "variance of {}", self.shape);
        (self - self.mean()).square().mean()
    }

    /// [`variance`](Var::variance) of each column: `r×c → 1×c`.
    #[must_use]
    #[track_caller]
    pub fn variance_rows(self) -> Self {
        assert!(self.shape.rows > 0, "variance_rows of {}", self.shape);
        (self - self.mean_rows()).square().mean_rows()
    }

    /// [`variance`](Var::variance) of each row: `r×c → r×1`.
    #[must_use]
    #[track_caller]
    pub fn variance_cols(self) -> Self {
        assert!(self.shape.cols > 0, "variance_cols of {}", self.shape);
        (self - self.mean_cols()).square().mean_cols()
    }

    // ---- extremes: of equal entries the first has the derivative; NaN if any entry is

    /// The largest entry of each column: `r×c → 1×c`. The first of equal entries has the
    /// derivative; NaN where an entry is.
    #[must_use]
    #[track_caller]
    pub fn max_rows(self) -> Self {
        let rows = self.shape.rows;
        self.fused(
            Extreme {
                rows,
                end: End::Max,
            },
            &[],
        )
    }

    /// The smallest entry of each column: `r×c → 1×c`. The first of equal entries has the
    /// derivative; NaN where an entry is.
    #[must_use]
    #[track_caller]
    pub fn min_rows(self) -> Self {
        let rows = self.shape.rows;
        self.fused(
            Extreme {
                rows,
                end: End::Min,
            },
            &[],
        )
    }

    /// The largest entry of each row: `r×c → r×1`; otherwise as [`max_rows`](Var::max_rows).
    #[must_use]
    #[track_caller]
    pub fn max_cols(self) -> Self {
        self.transpose().max_rows().transpose()
    }

    /// The smallest entry of each row: `r×c → r×1`; otherwise as [`min_rows`](Var::min_rows).
    #[must_use]
    #[track_caller]
    pub fn min_cols(self) -> Self {
        self.transpose().min_rows().transpose()
    }

    /// The largest of all entries: a scalar; otherwise as [`max_rows`](Var::max_rows).
    #[must_use]
    #[track_caller]
    pub fn max_all(self) -> Self {
        self.reshape(self.len(), 1).max_rows()
    }

    /// The smallest of all entries: a scalar; otherwise as [`min_rows`](Var::min_rows).
    #[must_use]
    #[track_caller]
    pub fn min_all(self) -> Self {
        self.reshape(self.len(), 1).min_rows()
    }
}
