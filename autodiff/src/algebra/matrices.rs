//! The methods of `Var` for linear algebra, on one matrix or several side by side.

use super::cholesky::Cholesky;
use super::kind::Kind;
use super::log_det::LogDet;
use super::solve::Solve;
use crate::real::Real;
use crate::var::Var;

/// Square matrices of one size, side by side in one value; made by [`Var::matrices`].
///
/// The methods are those of [`Var`] for one matrix, applied to each. What stands beside them, such as
/// right-hand sides, are as many groups of columns, and so is what comes out.
///
/// # Example
/// ```
/// use autodiff::{Program, Shape};
///
/// // Two systems of 2 × 2, each with a right-hand side.
/// let shapes = [Shape::matrix(2, 4), Shape::matrix(2, 2)];
/// let solved = Program::<f64>::record(&shapes, |v| v[0].matrices(2).solve(v[1]).sum());
/// let (a, b) = ([2.0, 0.0, 0.0, 2.0, 0.0, 1.0, 4.0, 0.0], [2.0, 4.0, 8.0, 5.0]);
/// // (1, 2) and, as the second matrix is (0 4; 1 0), (5, 2).
/// assert_eq!(solved.point().value(&[&a, &b]), 10.0);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Matrices<'r, T: Real = f64> {
    of: Var<'r, T>,
    count: usize,
}

impl<'r, T: Real> Matrices<'r, T> {
    /// Rows of each.
    fn rows(self) -> usize {
        self.of.shape().rows
    }

    /// [`Var::cholesky`] of each.
    #[must_use]
    #[track_caller]
    pub fn cholesky(self) -> Var<'r, T> {
        let (n, count) = (self.rows(), self.count);
        self.of.fused(Cholesky { n, count }, &[])
    }

    /// [`Var::solve`] with each.
    #[must_use]
    #[track_caller]
    pub fn solve(self, b: Var<'r, T>) -> Var<'r, T> {
        self.solve_as(Kind::General, b)
    }

    /// [`Var::solve_spd`] with each.
    #[must_use]
    #[track_caller]
    pub fn solve_spd(self, b: Var<'r, T>) -> Var<'r, T> {
        self.solve_as(Kind::Positive, b)
    }

    /// [`Var::solve_lower`] with each.
    #[must_use]
    #[track_caller]
    pub fn solve_lower(self, b: Var<'r, T>) -> Var<'r, T> {
        self.solve_as(Kind::Lower, b)
    }

    /// [`Var::solve_upper`] with each.
    #[must_use]
    #[track_caller]
    pub fn solve_upper(self, b: Var<'r, T>) -> Var<'r, T> {
        self.solve_as(Kind::Upper, b)
    }

    /// [`Var::log_det`] of each: a row of as many.
    #[must_use]
    #[track_caller]
    pub fn log_det(self) -> Var<'r, T> {
        self.log_det_as(Kind::Positive)
    }

    /// [`Var::log_abs_det`] of each: a row of as many.
    #[must_use]
    #[track_caller]
    pub fn log_abs_det(self) -> Var<'r, T> {
        self.log_det_as(Kind::General)
    }

    /// [`Var::inv_quadratic`] with each: a row of the forms of all columns.
    #[must_use]
    #[track_caller]
    pub fn inv_quadratic(self, b: Var<'r, T>) -> Var<'r, T> {
        (b * self.solve_as(Kind::Positive, b)).sum_rows()
    }

    #[track_caller]
    fn solve_as(self, kind: Kind, b: Var<'r, T>) -> Var<'r, T> {
        let (n, count, of) = (self.rows(), self.count, b.shape());
        assert!(
            of.rows == n && of.cols.is_multiple_of(count),
            "{}: {} with right-hand sides {of}: expected {n} rows{}",
            kind.solver(),
            self.of.shape(),
            match count {
                1 => String::new(),
                _ => format!(", and columns in {count} groups"),
            }
        );
        let k = of.cols / count;
        self.of.fused(Solve { kind, n, k, count }, &[b])
    }

    #[track_caller]
    fn log_det_as(self, kind: Kind) -> Var<'r, T> {
        let (n, count) = (self.rows(), self.count);
        self.of.fused(LogDet { kind, n, count }, &[])
    }
}

/// # Linear algebra
///
/// A matrix that has no factor is no panic: what is made of it is NaN, which is found and
/// [named](crate::NonFinite) with the operation and the place. It is told from one that has by its
/// pivots: one that is no larger than the rounding of the terms that it is left of counts as 0.
impl<'r, T: Real> Var<'r, T> {
    /// These `n × (n · count)` entries as `count` square matrices side by side, for linear algebra
    /// with each of them.
    ///
    /// # Panics
    /// If the shape is another, or `count` is 0.
    #[must_use]
    #[track_caller]
    pub fn matrices(self, count: usize) -> Matrices<'r, T> {
        let shape = self.shape();
        assert!(
            count > 0 && shape.cols == shape.rows * count,
            "matrices: {shape} as {count} side by side: expected {} columns",
            shape.rows * count
        );
        Matrices { of: self, count }
    }

    /// The only matrix.
    #[track_caller]
    fn only(self, operation: &str) -> Matrices<'r, T> {
        let shape = self.shape();
        assert!(
            shape.rows == shape.cols,
            "{operation}: of {shape}: expected a square matrix"
        );
        Matrices { of: self, count: 1 }
    }

    /// The lower triangular `L` of `LLᵀ`, for the symmetric part `(A + Aᵀ)/2` of this matrix: what is
    /// not symmetric changes nothing, and derivatives by it are symmetric. What is above the diagonal
    /// of `L` is 0.
    ///
    /// If the symmetric part is not positive definite, `L` is NaN from the column on whose pivot is
    /// not positive.
    ///
    /// # Panics
    /// If the matrix is not square.
    ///
    /// # Example
    /// ```
    /// use autodiff::{Program, Shape};
    ///
    /// let root = Program::<f64>::record(&[Shape::matrix(2, 2)], |v| v[0].cholesky().sum());
    /// assert_eq!(root.point().value(&[&[4.0, 2.0, 2.0, 5.0]]), 5.0); // (2 0; 1 2)
    /// let found = root.find_non_finite(&[&[4.0, 2.0, 2.0, 1.0]], &[None]).unwrap();
    /// // The last entry, as the matrix is singular.
    /// assert_eq!((&found.operation[..], found.entry), ("cholesky", 3));
    /// ```
    #[must_use]
    #[track_caller]
    pub fn cholesky(self) -> Self {
        self.only("cholesky").cholesky()
    }

    /// `A⁻¹b` for the columns of `b`, by `PA = LU` with the largest of a column as its pivot. If this
    /// matrix is singular, it is NaN.
    ///
    /// # Panics
    /// If the matrix is not square, or `b` has not as many rows.
    ///
    /// # Example
    /// ```
    /// use autodiff::{Program, Shape};
    ///
    /// // d(A⁻¹b)ᵢ = −(A⁻¹ dA A⁻¹b)ᵢ
    /// let shapes = [Shape::matrix(2, 2), Shape::vector(2)];
    /// let solved = Program::<f64>::record(&shapes, |v| v[0].solve(v[1]).sum());
    /// let mut point = solved.point();
    /// assert_eq!(point.linearise(&[&[2.0, 0.0, 0.0, 4.0], &[2.0, 8.0]]), 3.0);
    /// assert_eq!(point.gradient(0), [-0.5, -0.25, -1.0, -0.5]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn solve(self, b: Self) -> Self {
        self.only("solve").solve(b)
    }

    /// `S⁻¹b` for the columns of `b`, where S is the symmetric part of this matrix, as in
    /// [`cholesky`](Var::cholesky). If S is not positive definite, it is NaN.
    ///
    /// # Panics
    /// As [`solve`](Var::solve).
    #[must_use]
    #[track_caller]
    pub fn solve_spd(self, b: Self) -> Self {
        self.only("solve_spd").solve_spd(b)
    }

    /// `L⁻¹b` for the columns of `b`, where L is the lower triangle of this matrix: what is above it
    /// is not read. A 0 on the diagonal is divided by. `L⁻ᵀb` is `l.transpose().solve_upper(b)`.
    ///
    /// # Panics
    /// As [`solve`](Var::solve).
    #[must_use]
    #[track_caller]
    pub fn solve_lower(self, b: Self) -> Self {
        self.only("solve_lower").solve_lower(b)
    }

    /// `U⁻¹b` for the columns of `b`, where U is the upper triangle of this matrix: what is below it
    /// is not read. A 0 on the diagonal is divided by.
    ///
    /// # Panics
    /// As [`solve`](Var::solve).
    #[must_use]
    #[track_caller]
    pub fn solve_upper(self, b: Self) -> Self {
        self.only("solve_upper").solve_upper(b)
    }

    /// `ln det S` of the symmetric part S of this matrix, as in [`cholesky`](Var::cholesky): a
    /// scalar, whose gradient is `S⁻¹`. If S is not positive definite, it is NaN.
    ///
    /// # Panics
    /// If the matrix is not square.
    #[must_use]
    #[track_caller]
    pub fn log_det(self) -> Self {
        self.only("log_det").log_det()
    }

    /// `ln |det A|` of any square matrix: a scalar, whose gradient is `A⁻ᵀ`. If it is singular, it is
    /// NaN.
    ///
    /// # Panics
    /// If the matrix is not square.
    #[must_use]
    #[track_caller]
    pub fn log_abs_det(self) -> Self {
        self.only("log_abs_det").log_abs_det()
    }

    /// `bᵀS⁻¹b` for each column of `b`, a row of as many, where S is the symmetric part of this
    /// matrix, as in [`cholesky`](Var::cholesky): a scalar for a vector. If S is not positive definite,
    /// it is NaN.
    ///
    /// # Panics
    /// As [`solve`](Var::solve).
    ///
    /// # Example
    /// The negative log-likelihood of `b` under a normal distribution, but for a constant:
    /// ```
    /// use autodiff::{Program, Shape};
    ///
    /// let shapes = [Shape::matrix(2, 2), Shape::vector(2)];
    /// let loss = Program::<f64>::record(&shapes, |v| {
    ///     let (covariance, b) = (v[0], v[1]);
    ///     0.5 * (covariance.inv_quadratic(b) + covariance.log_det())
    /// });
    /// assert_eq!(loss.point().value(&[&[1.0, 0.0, 0.0, 1.0], &[3.0, 4.0]]), 12.5);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn inv_quadratic(self, b: Self) -> Self {
        self.only("inv_quadratic").inv_quadratic(b)
    }
}
