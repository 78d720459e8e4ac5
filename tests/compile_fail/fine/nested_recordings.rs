//! Nested recordings that are kept apart.

use autodiff::{Program, Shape, Var};

fn main() {
    Program::<f64>::record(&[Shape::SCALAR], |outer| {
        let f = Program::<f64>::record(&[Shape::SCALAR], |inner| inner[0] + inner[0]);
        Var::gradient(&f, 0, &[outer[0]])
    });
}
