//! A sum of `Var`s of two recordings.

use autodiff::{Program, Shape};

fn main() {
    Program::<f64>::record(&[Shape::SCALAR], |outer| {
        Program::<f64>::record(&[Shape::SCALAR], |inner| inner[0] + outer[0]);
        outer[0]
    });
}
