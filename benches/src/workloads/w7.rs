//! W7: many small operations.

use std::io;
use std::sync::Arc;

use autodiff::{Program, Real, Shape};

use super::Task;
use super::inputs::Writer;
use super::sweep::{Setting, cast};

const LEN: usize = 10;

fn inputs() -> [Vec<f64>; 2] {
    [0.9, 0.3].map(|first| (0..LEN).map(|i| first + 0.01 * i as f64).collect())
}

pub(super) fn write(to: &Writer<'_>) -> io::Result<()> {
    let [a, b] = inputs();
    to.array("W7", "a", &[LEN], &a)?;
    to.array("W7", "b", &[LEN], &b)
}

/// The sum of z after 250 rounds of `z ← tanh(z a + b) b` from z = a, entry by entry: the gradient
/// by a and b, and its derivative along (a, b).
pub(super) fn tasks<T: Real>() -> Vec<Box<dyn Task>> {
    let program = Program::<T>::record(&[Shape::vector(LEN); 2], |v| {
        let (a, b) = (v[0], v[1]);
        let mut z = a;
        for _ in 0..250 {
            z = (z * a + b).tanh() * b;
        }
        z.sum()
    });
    let inputs = inputs().map(|v| cast(&v));
    let setting = Arc::new(Setting {
        program,
        directions: inputs.clone().map(Some),
        inputs,
    });
    vec![setting.gradient(&[0, 1]), setting.fresh(&[0, 1])]
}
