//! A gradient taken inside one recording at a `Var` of another.

use autodiff::{Program, Shape, Var};

fn main() {
    let f = Program::<f64>::record(&[Shape::SCALAR], |v| v[0].square());
    Program::<f64>::record(&[Shape::SCALAR], |outer| {
        Program::<f64>::record(&[Shape::SCALAR], |_| Var::gradient(&f, 0, &[outer[0]]));
        outer[0]
    });
}
