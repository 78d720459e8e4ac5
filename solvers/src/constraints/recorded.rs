//! Constraints of a problem, recorded, and a point of them.

use std::sync::Arc;

use autodiff::{Inputs, Meter, Point, Program, Real, Shape, Var};

use super::Constraints;
use crate::linear::dense::BLOCK;
use crate::part::ready;

/// The constraints of a problem of x and y of these many entries, recorded once.
#[derive(Clone, Debug)]
pub(crate) struct Recorded<T: Real> {
    pub(crate) given: Constraints<T>,
    /// `λᵀc(x, y)` of x, y and λ: its gradient by λ is c, and one product along (0, v, w) gives
    /// `∇²_yy(λᵀc) v + Aᵀw`, the same by x, and `A v`.
    pub(crate) program: Arc<Program<T>>,
    /// How many entries are equal to 0; they come first.
    pub(crate) equal: usize,
}

impl<T: Real> Recorded<T> {
    /// Records `given`, or says why they are none of these entries.
    pub(crate) fn new(given: Constraints<T>, dim_x: usize, dim_y: usize) -> Result<Self, String> {
        let (x, y) = (Shape::vector(dim_x), Shape::vector(dim_y));
        let (mut equal, mut all) = (0, 0);
        for (k, c) in given.all().enumerate() {
            let program = Program::record(&[x, y], |v| c(v[0], v[1]));
            let name = name(k, given.equal.len());
            if !program.reads(1) {
                return Err(format!("{name} does not depend on y"));
            }
            if program.has_gradients() {
                let reason = "takes a gradient inside: its second derivatives are not available";
                return Err(format!("{name} {reason}"));
            }
            let len = program.output_shape().len();
            all += len;
            if k < given.equal.len() {
                equal += len;
            }
        }
        if all == 0 {
            return Err("there are none: expected at least 1".to_owned());
        }
        let program = Program::record(&[x, y, Shape::vector(all)], |v| {
            let rows: Vec<Var<'_, T>> = given.all().map(|c| column(c(v[0], v[1]))).collect();
            rows[0].concat(&rows[1..]).dot(v[2])
        });
        Ok(Recorded {
            given,
            program,
            equal,
        })
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.program.input_shape(2).len()
    }

    /// Constraint `i`, in words.
    pub(crate) fn name(&self, i: usize) -> String {
        name(i, self.equal)
    }

    /// Bytes of a [`ConstraintPoint`] without the program.
    pub(crate) fn bytes(&self) -> usize {
        let of = &self.program;
        Point::gradient_bytes(of) - of.bytes() + Point::second_block_bytes(of, BLOCK)
    }
}

fn column<T: Real>(c: Var<'_, T>) -> Var<'_, T> {
    c.reshape(c.len(), 1)
}

fn name(i: usize, equal: usize) -> String {
    match i.checked_sub(equal) {
        None => format!("equality {i}"),
        Some(i) => format!("inequality {i}"),
    }
}

/// The constraints with buffers of their own.
#[derive(Debug)]
pub(crate) struct ConstraintPoint<T: Real> {
    pub(crate) recorded: Arc<Recorded<T>>,
    pub(crate) point: Point<T>,
}

impl<T: Real> ConstraintPoint<T> {
    pub(crate) fn new(recorded: &Arc<Recorded<T>>, meter: &Meter) -> Self {
        let mut point = ready(&recorded.program, meter);
        let block = vec![T::zero(); BLOCK * recorded.program.input_shape(1).len()];
        point.second_block(BLOCK, &[None, Some(&block), None], Inputs::ALL);
        ConstraintPoint {
            recorded: recorded.clone(),
            point,
        }
    }
}
