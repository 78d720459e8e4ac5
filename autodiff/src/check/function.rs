//! What is checked: a scalar function with its derivatives, entries of all inputs in one row.

use std::sync::Arc;

use crate::bytes::Meter;
use crate::inputs::Inputs;
use crate::point::Point;
use crate::program::Program;
use crate::real::Real;
use crate::unroll::{Memory, Step, Unrolled};

/// A scalar function with the derivatives under test.
pub(super) trait Function {
    /// The gradient at `x`.
    fn gradient(&mut self, x: &[f64]) -> Vec<f64>;

    /// The value at `x`.
    fn value(&mut self, x: &[f64]) -> f64;

    /// The Hessian's product with `v` at `x`, if there is one.
    fn product(&mut self, x: &[f64], v: &[f64]) -> Option<Vec<f64>>;

    /// The distance from 1 to the next number it computes with.
    fn epsilon(&self) -> f64 {
        f64::EPSILON
    }

    /// The input and the entry of it that entry `i` is.
    fn entry(&self, i: usize) -> (usize, usize) {
        (0, i)
    }
}

/// A user's own functions.
pub(super) struct Closures<F, G, H> {
    pub(super) f: F,
    pub(super) grad: G,
    pub(super) hvp: Option<H>,
    pub(super) epsilon: f64,
}

impl<F, G, H> Function for Closures<F, G, H>
where
    F: FnMut(&[f64]) -> f64,
    G: FnMut(&[f64]) -> Vec<f64>,
    H: FnMut(&[f64], &[f64]) -> Vec<f64>,
{
    #[track_caller]
    fn gradient(&mut self, x: &[f64]) -> Vec<f64> {
        fits("gradient", (self.grad)(x), x)
    }

    fn value(&mut self, x: &[f64]) -> f64 {
        (self.f)(x)
    }

    #[track_caller]
    fn product(&mut self, x: &[f64], v: &[f64]) -> Option<Vec<f64>> {
        let hvp = self.hvp.as_mut()?;
        Some(fits("Hessian's product", hvp(x, v), x))
    }

    fn epsilon(&self) -> f64 {
        self.epsilon
    }
}

#[track_caller]
fn fits(what: &str, got: Vec<f64>, x: &[f64]) -> Vec<f64> {
    assert!(
        got.len() == x.len(),
        "the {what} has {} entries: expected {}, as the point has",
        got.len(),
        x.len()
    );
    got
}

/// A recorded scalar program.
pub(super) struct OfProgram<T: Real> {
    point: Point<T>,
    /// Where each input starts, and the end.
    starts: Vec<usize>,
    /// Whether it has second derivatives.
    bends: bool,
}

impl<T: Real> OfProgram<T> {
    pub(super) fn new(program: &Arc<Program<T>>) -> Self {
        let mut starts = vec![0];
        for k in 0..program.inputs() {
            starts.push(starts[k] + program.input_shape(k).len());
        }
        OfProgram {
            bends: !program.has_gradients(),
            point: program.point(),
            starts,
        }
    }

    fn parts(&self, x: &[f64]) -> Vec<Vec<T>> {
        let part = |w: &[usize]| x[w[0]..w[1]].iter().map(|v| T::of(*v)).collect();
        self.starts.windows(2).map(part).collect()
    }
}

impl<T: Real> Function for OfProgram<T> {
    fn gradient(&mut self, x: &[f64]) -> Vec<f64> {
        let parts = self.parts(x);
        self.point.differentiate(&slices(&parts), Inputs::ALL);
        let inputs = 0..parts.len();
        inputs.flat_map(|k| wide(self.point.gradient(k))).collect()
    }

    fn value(&mut self, x: &[f64]) -> f64 {
        let parts = self.parts(x);
        self.point.value(&slices(&parts)).f64()
    }

    fn product(&mut self, x: &[f64], v: &[f64]) -> Option<Vec<f64>> {
        if !self.bends {
            return None;
        }
        let (parts, v) = (self.parts(x), self.parts(v));
        let along: Vec<Option<&[T]>> = v.iter().map(|v| Some(&v[..])).collect();
        self.point.linearise_along(&slices(&parts), &along);
        let inputs = 0..parts.len();
        Some(inputs.flat_map(|k| wide(self.point.product(k))).collect())
    }

    fn epsilon(&self) -> f64 {
        T::EPSILON
    }

    fn entry(&self, i: usize) -> (usize, usize) {
        let input = self.starts.iter().rposition(|s| *s <= i);
        // An input without entries starts where the next one does.
        let input = input.expect("the first starts at 0");
        (input, i - self.starts[input])
    }
}

/// A loop over a step, through a cotangent of its last state: a function of x and the first state.
pub(super) struct OfLoop<T: Real> {
    pub(super) steps: Unrolled<T>,
    pub(super) depth: usize,
    pub(super) dim_x: usize,
    pub(super) cotangent: Vec<T>,
}

impl<T: Real> OfLoop<T> {
    pub(super) fn new(step: &Step<T>, depth: usize, cotangent: &[f64]) -> Self {
        OfLoop {
            steps: Unrolled::new(step.clone(), &Meter::new()),
            depth,
            dim_x: step.dim_x(),
            cotangent: cotangent.iter().map(|v| T::of(*v)).collect(),
        }
    }

    pub(super) fn forward(&mut self, x: &[f64]) {
        let x: Vec<T> = x.iter().map(|v| T::of(*v)).collect();
        let (x, start) = x.split_at(self.dim_x);
        self.steps.forward(x, start, self.depth, Memory::Stored);
    }
}

impl<T: Real> Function for OfLoop<T> {
    fn gradient(&mut self, x: &[f64]) -> Vec<f64> {
        self.forward(x);
        let (by_x, by_start) = self.steps.reverse(&self.cotangent);
        by_x.iter().chain(by_start).map(|v| v.f64()).collect()
    }

    fn value(&mut self, x: &[f64]) -> f64 {
        self.forward(x);
        let terms = self.steps.state().iter().zip(&self.cotangent);
        terms.map(|(s, c)| s.f64() * c.f64()).sum()
    }

    fn product(&mut self, _: &[f64], _: &[f64]) -> Option<Vec<f64>> {
        None
    }

    fn epsilon(&self) -> f64 {
        T::EPSILON
    }

    fn entry(&self, i: usize) -> (usize, usize) {
        if i < self.dim_x {
            (0, i)
        } else {
            (1, i - self.dim_x)
        }
    }
}

pub(super) fn slices<T>(parts: &[Vec<T>]) -> Vec<&[T]> {
    parts.iter().map(Vec::as_slice).collect()
}

pub(super) fn wide<T: Real>(a: &[T]) -> Vec<f64> {
    a.iter().map(|v| v.f64()).collect()
}
