//! A gradient read from a point that was moved on since.

use autodiff::{Program, Shape};

fn main() {
    let mut point = Program::<f64>::record(&[Shape::SCALAR], |v| v[0].square()).point();
    point.linearise(&[&[1.0]]);
    let gradient = point.gradient(0);
    point.linearise(&[&[2.0]]);
    println!("{gradient:?}");
}
