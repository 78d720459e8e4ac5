//! Random programs: expression graphs over a few inputs, drawn from the engine's own tables.
//!
//! A [`Program`] is plain data. Its instructions name operands by how far back they stand, modulo
//! the number of values there are, and every other number is read modulo what fits: so every
//! sequence of instructions is a program, and shrinking may drop or change any of them.
//! Shrinking tries fewer operations first, then smaller shapes, then smaller numbers.

mod fused;
mod record;
mod strategies;

pub use fused::Wave;
pub use strategies::{Case, case, instruction, number, program};

use std::fmt;
use std::sync::Arc;

use autodiff::{Real, Shape};
use serde::{Deserialize, Serialize};

/// An operand: 0 is the latest value, 1 the one before, and so on, modulo the number of values.
pub type Back = usize;

/// One operation on earlier values.
///
/// Operands are mapped into the operation's domain, and resized where shapes do not fit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Instruction {
    /// A row of the unary table; `negative` picks the side of 0 where it must be avoided.
    Unary {
        row: usize,
        of: Back,
        parameter: f64,
        negative: bool,
    },
    /// A row of the binary table.
    Binary {
        row: usize,
        left: Back,
        right: Back,
        negative: bool,
    },
    /// `sum`, `mean`, `sum_rows`, `sum_cols`, `norm_squared` or `transpose`.
    Simple {
        kind: usize,
        of: Back,
    },
    Dot {
        left: Back,
        right: Back,
    },
    /// `matmul`, `tr_matmul` or `matmul_tr`.
    MatMul {
        kind: usize,
        left: Back,
        right: Back,
    },
    LogSumExp {
        of: Back,
    },
    Slice {
        of: Back,
        start: usize,
        len: usize,
    },
    Gather {
        of: Back,
        positions: Vec<usize>,
    },
    /// To one of the shapes with the same number of entries.
    Reshape {
        of: Back,
        rows: usize,
    },
    Broadcast {
        of: Back,
        rows: usize,
        cols: usize,
    },
    Concat {
        of: Vec<Back>,
    },
    /// The primitive [`Wave`].
    Fused {
        of: Vec<Back>,
    },
    Constant {
        rows: usize,
        cols: usize,
        entries: Vec<f64>,
    },
}

/// A random program: instructions on inputs of these shapes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Program {
    /// The operations, in order.
    pub code: Vec<Instruction>,
    /// Rows and columns of each input.
    pub inputs: Vec<(usize, usize)>,
}

impl Program {
    /// The inputs' shapes.
    pub fn shapes(&self) -> Vec<Shape> {
        let shape = |(rows, cols): &(usize, usize)| Shape::matrix(*rows, *cols);
        self.inputs.iter().map(shape).collect()
    }

    /// Records the program, ending in a scalar: a weighted sum of the means of all values that no
    /// instruction used.
    pub fn record<T: Real>(&self) -> Arc<autodiff::Program<T>> {
        autodiff::Program::record(&self.shapes(), |v| record::scalar(self, v))
    }

    /// Records the program, ending in the vector of all values that no instruction used.
    pub fn record_vector<T: Real>(&self) -> Arc<autodiff::Program<T>> {
        autodiff::Program::record(&self.shapes(), |v| record::vector(self, v))
    }

    /// Records the scalar program with one input's gradient stopped.
    pub fn record_stopped<T: Real>(&self, input: usize) -> Arc<autodiff::Program<T>> {
        autodiff::Program::record(&self.shapes(), |v| {
            let mut v = v.to_vec();
            v[input] = v[input].stop_gradient();
            record::scalar(self, &v)
        })
    }
}

/// The instructions, one a line, as they were drawn; the recorded program's `Debug` shows them as
/// they came out.
impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (k, shape) in self.shapes().iter().enumerate() {
            writeln!(f, "%{k}: input {shape}")?;
        }
        for (k, instruction) in self.code.iter().enumerate() {
            writeln!(f, "%{}: {instruction:?}", k + self.inputs.len())?;
        }
        Ok(())
    }
}
