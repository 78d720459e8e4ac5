//! A `Var` carried out through a vector.

use autodiff::{Program, Shape, Var};

fn main() {
    let mut kept: Vec<Var> = Vec::new();
    Program::<f64>::record(&[Shape::SCALAR], |v| {
        kept.push(v[0]);
        v[0]
    });
}
