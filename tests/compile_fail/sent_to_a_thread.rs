//! A recording goes on on one thread.

use autodiff::{Program, Shape};

fn main() {
    Program::<f64>::record(&[Shape::SCALAR], |v| {
        std::thread::scope(|scope| scope.spawn(|| v[0].exp()).join().unwrap())
    });
}
