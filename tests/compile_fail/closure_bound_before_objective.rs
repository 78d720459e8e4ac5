//! A closure whose lifetimes are inferred before `objective` says that they are one.

use autodiff::{Objective, Var, objective};

fn main() {
    let g = |x: Var, y: Var| 0.5 * (y - x).norm_squared();
    println!("{:?}", objective::<f64, _>(g).record(1, 1));
}
