//! A function of one precision in a program of another.

use autodiff::{Program, Shape, Var};

fn main() {
    let f = Program::<f32>::record(&[Shape::SCALAR], |v| v[0].square());
    Program::<f64>::record(&[Shape::SCALAR], |v| Var::gradient(&f, 0, v));
}
