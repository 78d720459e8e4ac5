//! A `Var` carried out of its recording.

use autodiff::{Program, Shape, Var};

fn main() {
    let mut kept: Option<Var> = None;
    Program::<f64>::record(&[Shape::SCALAR], |v| {
        kept = Some(v[0]);
        v[0]
    });
}
