//! A `Var` has no value to branch on while it is recorded.

use autodiff::{Program, Shape};

fn main() {
    Program::<f64>::record(&[Shape::SCALAR], |v| {
        if v[0] > 0.0 { v[0] } else { -v[0] }
    });
}
