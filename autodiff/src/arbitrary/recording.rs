//! Random programs, recorded.

use std::sync::Arc;

use super::Wave;
use super::graph::Graph;
use super::record::{scalar, vector};
use crate::primitive::Primitive;
use crate::program::Program;
use crate::real::Real;
use crate::var::Var;

impl Graph {
    /// Records the program, ending in a scalar: a weighted sum of the means of all values that no
    /// instruction used.
    ///
    /// # Panics
    /// Like the other recordings: if there are no inputs, or one without entries.
    pub fn record<T: Real>(&self) -> Arc<Program<T>> {
        self.record_with(|operands| Wave { operands })
    }

    /// [`record`](Graph::record) with a primitive of your own in place of [`Wave`]: one that takes
    /// any number of operands of one shape.
    pub fn record_with<T, P>(&self, primitive: impl Fn(usize) -> P) -> Arc<Program<T>>
    where
        T: Real,
        P: Primitive<T>,
    {
        Program::record(&self.shapes(), |v| scalar(self, v, &primitive))
    }

    /// Records the program, ending in the vector of all values that no instruction used.
    pub fn record_vector<T: Real>(&self) -> Arc<Program<T>> {
        let primitive = |operands| Wave { operands };
        Program::record(&self.shapes(), |v| vector(self, v, &primitive))
    }

    /// Records [`loss`] of the vector program, and marks that as [`outputs`](Var::outputs) if it is to
    /// be `marked`.
    pub fn record_loss<T: Real>(&self, marked: bool) -> Arc<Program<T>> {
        let primitive = |operands| Wave { operands };
        Program::record(&self.shapes(), |v| {
            let outputs = vector(self, v, &primitive);
            loss(if marked { outputs.outputs() } else { outputs })
        })
    }

    /// Records the scalar program with one input's gradient stopped.
    pub fn record_stopped<T: Real>(&self, input: usize) -> Arc<Program<T>> {
        self.record_through(input, |v| v.stop_gradient())
    }

    /// Records the scalar program of `tanh` of its last input: one whose gradient by that input is
    /// of moderate size wherever it is taken, so that loops may descend along it.
    pub fn record_tame<T: Real>(&self) -> Arc<Program<T>> {
        self.record_through(self.inputs.len() - 1, |v| v.tanh())
    }

    fn record_through<T, F>(&self, input: usize, change: F) -> Arc<Program<T>>
    where
        T: Real,
        F: for<'r> Fn(Var<'r, T>) -> Var<'r, T>,
    {
        Program::record(&self.shapes(), |v| {
            let mut v = v.to_vec();
            v[input] = change(v[input]);
            scalar(self, &v, &|operands| Wave { operands })
        })
    }
}

/// A convex function of a vector, whose second derivatives are not diagonal.
pub fn loss<T: Real>(outputs: Var<'_, T>) -> Var<'_, T> {
    (outputs.square() + T::one()).sqrt().sum() + outputs.log_sum_exp().sum()
}
