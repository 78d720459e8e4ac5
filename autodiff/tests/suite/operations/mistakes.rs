//! Shape mistakes panic with the operation's name and the shapes.

use std::panic::{AssertUnwindSafe, catch_unwind};

use autodiff::{Padding, Program, Shape, Var};

/// `v` holds a 3×4 matrix, a 2×5 matrix and a vector of 3.
#[track_caller]
fn says(want: &str, f: impl for<'r> Fn(&[Var<'r>]) -> Var<'r>) {
    let shapes = [Shape::matrix(3, 4), Shape::matrix(2, 5), Shape::vector(3)];
    let run = AssertUnwindSafe(|| Program::<f64>::record(&shapes, |v| f(v)));
    let error = catch_unwind(run).expect_err("a mistake panics");
    let message = match error.downcast_ref::<String>() {
        Some(message) => message,
        None => *error.downcast_ref::<&str>().expect("a message"),
    };
    assert_eq!(message, want);
}

#[test]
fn of_operands() {
    let both = "matrix(3×4) with matrix(2×5)";
    let repeats = "shapes must be equal, or one a scalar, a row or a column that repeats";
    says(&format!("max: {both}: {repeats}"), |v| v[0].max(v[1]));
    says(&format!("pow: {both}: {repeats}"), |v| v[0].pow(v[1]));
    says(&format!("outer: {both}: expected two vectors"), |v| {
        v[0].outer(v[1])
    });
    says(
        &format!("hstack: {both}: the numbers of rows must be equal"),
        |v| v[0].hstack(&[v[1]]),
    );
    says(
        &format!("vstack: {both}: the numbers of columns must be equal"),
        |v| v[0].vstack(&[v[1]]),
    );
    says(
        "conv2d: matrix(3×4) with a kernel of 2×5: too large for Valid",
        |v| v[0].conv2d(v[1], Padding::Valid),
    );
    says(
        "conv2d: vector(3) with a kernel of 3×4: too large for Reflect",
        |v| v[2].conv2d(v[0], Padding::Reflect),
    );
    let filters = "conv2d_filters: matrix(2×5) holds no kernels of 3×3 in its columns";
    says(filters, |v| {
        v[0].conv2d_filters(v[1], (3, 3), Padding::Reflect)
    });
}

#[test]
fn of_linear_algebra() {
    let square = "matrix(3×4): expected a square matrix";
    says(&format!("cholesky: of {square}"), |v| v[0].cholesky());
    says(&format!("log_abs_det: of {square}"), |v| v[0].log_abs_det());
    says(&format!("inv_quadratic: of {square}"), |v| {
        v[0].inv_quadratic(v[2])
    });
    says(
        "solve_spd: matrix(3×3) with right-hand sides matrix(2×5): expected 3 rows",
        |v| v[0].columns(0..3).solve_spd(v[1]),
    );
    says(
        "solve: matrix(2×4) with right-hand sides matrix(2×5): expected 2 rows, and columns in 2 \
         groups",
        |v| v[1].columns(0..4).matrices(2).solve(v[1]),
    );
    says(
        "matrices: matrix(2×5) as 2 side by side: expected 4 columns",
        |v| v[1].matrices(2).log_det(),
    );
}

#[test]
fn of_parts() {
    says("row: row 3 of matrix(3×4)", |v| v[0].row(3));
    says("col: column 4 of matrix(3×4)", |v| v[0].col(4));
    says("rows: rows 2..4 of matrix(3×4)", |v| v[0].rows(2..4));
    says("columns: columns 3..5 of matrix(3×4)", |v| {
        v[0].columns(3..5)
    });
    says("trace: matrix(3×4): expected a square matrix", |v| {
        v[0].trace()
    });
    says("diag: matrix(3×4): expected a vector", |v| v[0].diag());
    says("sum_of: no values", |_| Var::sum_of([]));
}

#[test]
fn of_nothing() {
    says("mean_cols of matrix(3×0)", |v| {
        v[0].columns(2..2).mean_cols()
    });
    says("variance_rows of matrix(0×4)", |v| {
        v[0].rows(1..1).variance_rows()
    });
    says(
        "max_rows: got matrix(0×4): expected one operand with at least one row",
        |v| v[0].rows(1..1).max_rows(),
    );
}

#[test]
fn of_parameters() {
    says("clip: to 1..=0", |v| v[0].clip(1.0, 0.0));
    says("smooth_norm: eps is 0: it must be positive", |v| {
        v[0].smooth_norm(0.0)
    });
}

#[test]
fn every_operation_is_recorded_at_the_callers_line() {
    let program = Program::<f64>::record(&[Shape::matrix(3, 3)], |v| {
        let a = v[0];
        let layout = autodiff::Layout::new().matrix("A", 3, 3);
        let parts = [
            layout.split(a.reshape(9, 1))["A"].trace(),
            a.hstack(&[a])
                .vstack(&[a.tile(2).repeat(1).reshape(3, 6)])
                .mean(),
            a.softmax_cols().dot(a.log_softmax()),
            a.conv2d(a, Padding::Reflect).max_cols().norm(),
            a.conv2d_filters(a.reshape(9, 1), (3, 3), Padding::Wrap)
                .variance(),
            (a.dx() + a.dy().cumsum()).clip(-1.0, 1.0).smooth_norm(0.1),
            a.row(0).transpose().outer(a.col(1)).diagonal().diag().sum(),
            a.variance_rows().dot(a.mean_rows()) + a.variance_cols().max_all(),
            a.logaddexp(a.huber(0.5)).min(a.powi(3)).min_all(),
        ];
        Var::sum_of(parts)
    });
    let listing = format!("{program:?}");
    let operations = listing
        .lines()
        .filter(|l| l.contains("//") && !l.contains("= input"));
    assert!(operations.clone().count() > 60);
    for line in operations {
        assert!(line.contains("mistakes.rs"), "{line}");
    }
}

#[test]
fn of_nothing_to_reduce() {
    let empty = [Shape::matrix(0, 3)];
    let run = || Program::<f64>::record(&empty, |v| v[0].log_sum_exp());
    let error = catch_unwind(run).expect_err("no row to reduce");
    let message = error.downcast_ref::<String>().expect("a message");
    assert!(message.contains("at least one row"), "{message}");
}
