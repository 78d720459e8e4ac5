//! A recording that is made step by step, from outside of one closure.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use smallvec::SmallVec;

use crate::program::Program;
use crate::real::Real;
use crate::recorder::Recorder;
use crate::shape::Shape;
use crate::var::Var;

/// A recording that is made step by step: for an interpreter, another language, a formula that is
/// read.
///
/// Where the whole function is a Rust closure, [`Program::record`] is the shorter way to the same
/// program. Here a value between two steps is a [`Value`], which can be kept anywhere; inside of a
/// step values are [`Var`]s, with all their methods.
///
/// # Example
/// ```
/// use autodiff::{Builder, Shape};
///
/// let (builder, inputs) = Builder::<f64>::new(&[Shape::vector(2), Shape::vector(2)]);
/// let square = builder.extend(&[inputs[1]], |v| v[0].square());
/// let weighted = builder.extend(&[inputs[0], square], |v| 0.5 * v[0].exp().dot(v[1]));
/// let program = builder.finish(weighted);
/// assert_eq!(program.point().value(&[&[0.0, 0.0], &[1.0, 2.0]]), 2.5);
/// ```
pub struct Builder<T: Real> {
    recorder: Recorder<T>,
    inputs: usize,
    stamp: u64,
}

/// A value of a [`Builder`]'s recording: a name with a shape, which may outlive the recording and is
/// of no use in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Value {
    stamp: u64,
    id: u32,
    shape: Shape,
}

impl Value {
    /// The shape.
    pub fn shape(&self) -> Shape {
        self.shape
    }
}

/// Tells recordings apart.
static STAMPS: AtomicU64 = AtomicU64::new(0);

impl<T: Real> Builder<T> {
    /// Begins a recording with inputs of these shapes, whose values come in the same order.
    ///
    /// # Panics
    /// If there are no inputs or more than 64.
    #[track_caller]
    pub fn new(inputs: &[Shape]) -> (Self, Vec<Value>) {
        let builder = Builder {
            recorder: Recorder::new(),
            inputs: inputs.len(),
            stamp: STAMPS.fetch_add(1, Ordering::Relaxed),
        };
        let vars = Var::inputs(&builder.recorder, inputs);
        let values = vars.into_iter().map(|var| builder.name(var)).collect();
        (builder, values)
    }

    /// Records what `f` makes of these values.
    ///
    /// # Panics
    /// If a value is of another recording; shape mistakes inside `f` panic at the line of `f` where
    /// they are made, and leave the recording fit to go on.
    #[track_caller]
    pub fn extend<F>(&self, values: &[Value], f: F) -> Value
    where
        F: for<'r> FnOnce(&[Var<'r, T>]) -> Var<'r, T>,
    {
        let mut vars: SmallVec<[Var<'_, T>; 4]> = SmallVec::new();
        for value in values {
            self.own(value);
            vars.push(Var::of(&self.recorder, value.id));
        }
        self.name(f(&vars))
    }

    /// Ends the recording: the program whose value this is.
    ///
    /// # Panics
    /// If the value is of another recording.
    #[track_caller]
    pub fn finish(self, output: Value) -> Arc<Program<T>> {
        self.own(&output);
        Arc::new(self.recorder.finish(self.inputs, output.id))
    }

    fn name(&self, var: Var<'_, T>) -> Value {
        Value {
            stamp: self.stamp,
            id: var.id(),
            shape: var.shape(),
        }
    }

    #[track_caller]
    fn own(&self, value: &Value) {
        assert!(
            value.stamp == self.stamp,
            "a value of shape {} of another recording: expected one of this recording",
            value.shape
        );
    }
}

impl<T: Real> fmt::Debug for Builder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, operations) = (T::NAME, self.recorder.len());
        write!(f, "Builder<{name}> of {operations} operations")
    }
}
