//! Linear algebra in random programs: operands become matrices that have the factor they need.

use nalgebra::DMatrix;

use super::record::resized;
use crate::real::Real;
use crate::shape::Shape;
use crate::var::Var;

/// Most rows of a matrix.
const ROWS: usize = 3;

/// An operation by its name of `count` matrices side by side, with a bound of its entries. The
/// matrices are made of the entries of `a`, which lie in (−2, 2), and of numbers that keep them far
/// from singular; right-hand sides of those of `b`, within `bound`.
pub(super) fn algebra<'r, T: Real>(
    name: &str,
    a: Var<'r, T>,
    (b, bound): (Var<'r, T>, f64),
    count: usize,
) -> (Var<'r, T>, f64) {
    let n = (1..=ROWS).rev().find(|n| n * n * count <= a.len());
    let n = n.unwrap_or(1);
    let all = resized(a, Shape::vector(n * n * count)) * T::of(0.5);
    let blocks = (0..count).map(|i| {
        let m = all.slice(i * n * n, n * n).reshape(n, n);
        let diagonal = |value: f64, row: &dyn Fn(usize) -> usize| {
            let at = |i, j| T::of(if row(j) == i { value } else { 0.0 });
            m.matrix(&DMatrix::from_fn(n, n, at))
        };
        match name {
            "cholesky" | "solve_spd" | "log_det" | "inv_quadratic" => {
                // With a part that is not symmetric, which changes nothing.
                let skew = (m - m.transpose()) * T::of(0.25);
                m.matmul_tr(m) + skew + diagonal(0.5, &|j| j)
            }
            // Largest off the diagonal, so that rows are exchanged.
            "solve" | "log_abs_det" => m * T::of(1.0 / n as f64) + diagonal(1.5, &|j| n - 1 - j),
            _ => m * T::of(1.0 / n as f64) + diagonal(1.5, &|j| j),
        }
    });
    let blocks: Vec<Var<'r, T>> = blocks.collect();
    let matrices = blocks[0].hstack(&blocks[1..]).matrices(count);
    let columns = (b.len() / (n * count)).clamp(1, 2) * count;
    let b = resized(b, Shape::matrix(n, columns));
    match name {
        "cholesky" => (matrices.cholesky(), 2.0),
        "solve" => (matrices.solve(b), 2.0 * bound),
        "solve_spd" => (matrices.solve_spd(b), 4.0 * bound),
        "solve_lower" => (matrices.solve_lower(b), 2.0 * bound),
        "solve_upper" => (matrices.solve_upper(b), 2.0 * bound),
        "log_det" => (matrices.log_det(), 4.0),
        "log_abs_det" => (matrices.log_abs_det(), 4.0),
        "inv_quadratic" => (matrices.inv_quadratic(b), 6.0 * bound * bound),
        other => unreachable!("{other} is in the list and not here"),
    }
}
