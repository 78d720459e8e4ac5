//! The names that programs, checks and messages show.

use autodiff::{Padding, Program, Shape};

#[test]
fn operations_have_the_names_of_their_methods() {
    let program = Program::<f64>::record(&[Shape::matrix(3, 3)], |v| {
        let a = v[0];
        let structure = [
            a.sum(),
            a.sum_rows().sum(),
            a.sum_cols().sum(),
            a.sum().broadcast(Shape::vector(2)).sum(),
            a.slice(1, 2).sum(),
            a.gather(&[3, 1]).sum(),
            a.concat(&[a]).sum(),
            a.reshape(1, 9).sum(),
            a.transpose().sum(),
            a.slice(0, 3).diag().sum(),
            a.cumsum().sum(),
            a.dy().sum(),
            a.dx().sum(),
            a.stop_gradient().sum(),
            a.outputs().sum(),
        ];
        let products = [
            a.dot(a),
            a.matmul(a).sum(),
            a.conv2d(a, Padding::Zero).sum(),
            a.norm(),
            a.log_sum_exp().sum(),
            a.max_all(),
            a.cholesky().sum(),
            a.solve(a).sum(),
            a.inv_quadratic(a).sum(),
            a.log_abs_det(),
        ];
        let all = structure.into_iter().chain(products);
        autodiff::Var::sum_of(all)
    });
    let names: Vec<&str> = program.operations().collect();
    for name in [
        "input",
        "sum",
        "sum_rows",
        "sum_cols",
        "broadcast",
        "slice",
        "gather",
        "concat",
        "reshape",
        "transpose",
        "diag",
        "cumsum",
        "dy",
        "dx",
        "stop_gradient",
        "outputs",
        "dot",
        "matmul",
        "conv2d",
        "norm",
        "log_sum_exp",
        "max_rows",
        "cholesky",
        "solve",
        "solve_spd",
        "log_abs_det",
        "add",
    ] {
        assert!(names.contains(&name), "{name:?} in {names:?}");
    }
}
