//! Random programs as plain data.

use std::fmt;

use crate::shape::Shape;

/// An operand: 0 is the latest value, 1 the one before, and so on, modulo the number of values.
pub type Back = usize;

/// One operation on earlier values.
///
/// Operands are mapped into the operation's domain, and resized where shapes do not fit; every
/// number is read modulo what there is.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Instruction {
    /// A row of the [unary table](crate::rules::elementwise::Unary); `negative` picks the side of 0
    /// where it must be avoided.
    Unary {
        row: usize,
        of: Back,
        parameter: f64,
        negative: bool,
    },
    /// A row of the [binary table](crate::rules::elementwise::Binary).
    Binary {
        row: usize,
        left: Back,
        right: Back,
        negative: bool,
    },
    /// An entry of [`Graph::SHAPED`]: a reduction or a rearrangement of one operand.
    Shaped {
        kind: usize,
        of: Back,
    },
    Dot {
        left: Back,
        right: Back,
    },
    /// `matmul`, `tr_matmul`, `matmul_tr`, or a sparse matrix or its transpose times the sum of both.
    MatMul {
        kind: usize,
        left: Back,
        right: Back,
    },
    /// `conv2d` with a kernel of up to 2×2 and one of the paddings.
    Conv {
        padding: usize,
        image: Back,
        kernel: Back,
    },
    /// The mean over samples of a row of the unary table of `A·of`, each sample weighted by the
    /// logistic function of an entry of `weights`; `A` is `samples × len(of)` from the pool.
    Loss {
        row: usize,
        of: Back,
        weights: Back,
        samples: usize,
        from: usize,
    },
    /// An entry of [`Graph::ALGEBRA`], of one or two matrices.
    Algebra {
        kind: usize,
        of: Back,
        with: Back,
        count: usize,
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
    /// A primitive of a number of operands of one shape: [`Wave`](super::Wave) unless another is given.
    Fused {
        of: Vec<Back>,
    },
    /// Entries of the pool from `from` on.
    Constant {
        rows: usize,
        cols: usize,
        from: usize,
    },
}

impl Instruction {
    /// The operands.
    pub fn operands(&self) -> Vec<Back> {
        self.clone()
            .operands_mut()
            .into_iter()
            .map(|b| *b)
            .collect()
    }

    /// The operands, to write to.
    pub fn operands_mut(&mut self) -> Vec<&mut Back> {
        use Instruction as I;
        match self {
            I::Unary { of, .. }
            | I::Shaped { of, .. }
            | I::Slice { of, .. }
            | I::Gather { of, .. }
            | I::Reshape { of, .. }
            | I::Broadcast { of, .. } => vec![of],
            I::Binary { left, right, .. }
            | I::Dot { left, right }
            | I::MatMul { left, right, .. } => {
                vec![left, right]
            }
            I::Conv { image, kernel, .. } => vec![image, kernel],
            I::Loss { of, weights, .. } => vec![of, weights],
            I::Algebra { of, with, .. } => vec![of, with],
            I::Concat { of } | I::Fused { of } => of.iter_mut().collect(),
            I::Constant { .. } => vec![],
        }
    }
}

/// A random program: instructions on inputs of these shapes.
///
/// # Example
/// ```
/// use autodiff::arbitrary::{Graph, Instruction};
///
/// let square_of_norm = Instruction::Dot { left: 0, right: 0 };
/// let graph = Graph { code: vec![square_of_norm], inputs: vec![(2, 1)], pool: vec![] };
/// let program = graph.record::<f64>();
/// assert_eq!(program.point().value(&[&[1.0, 2.0]]), 5.0);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Graph {
    /// The operations, in order.
    pub code: Vec<Instruction>,
    /// Rows and columns of each input.
    pub inputs: Vec<(usize, usize)>,
    /// The numbers that constants are made of, over and over; zeros where there are none.
    pub pool: Vec<f64>,
}

impl Graph {
    /// What [`Instruction::Shaped`] chooses from: methods of [`Var`](crate::Var).
    pub const SHAPED: &'static [&'static str] = &[
        "sum",
        "mean",
        "sum_rows",
        "sum_cols",
        "transpose",
        "norm_squared",
        "smooth_norm",
        "mean_rows",
        "mean_cols",
        "variance",
        "log_sum_exp",
        "log_sum_exp_cols",
        "softmax",
        "log_softmax",
        "cumsum",
        "dx",
        "dy",
        "diagonal",
        "repeat",
        "hstack",
        "vstack",
    ];

    /// What [`Instruction::Algebra`] chooses from: methods of [`Matrices`](crate::Matrices).
    pub const ALGEBRA: &'static [&'static str] = &[
        "cholesky",
        "solve",
        "solve_spd",
        "solve_lower",
        "solve_upper",
        "log_det",
        "log_abs_det",
        "inv_quadratic",
    ];

    /// The inputs' shapes.
    pub fn shapes(&self) -> Vec<Shape> {
        let shape = |(rows, cols): &(usize, usize)| Shape::matrix(*rows, *cols);
        self.inputs.iter().map(shape).collect()
    }
}

/// The instructions, one a line, as they were drawn; the recorded program's `Debug` shows them as
/// they came out.
impl fmt::Display for Graph {
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
