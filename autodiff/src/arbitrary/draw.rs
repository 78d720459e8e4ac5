//! Strategies for programs and for the numbers they are evaluated at.

use proptest::collection::vec;
use proptest::prelude::*;

use super::graph::{Back, Graph, Instruction};
use super::shrink::{Simplifying, simplifying};
use crate::rules::elementwise::{Binary, Unary};

/// A program with a point and two directions.
#[derive(Clone, Debug)]
pub struct Case {
    /// The program.
    pub graph: Graph,
    /// Numbers for the point, and for the two directions; see [`Case::at`].
    pub numbers: [Vec<f64>; 3],
}

impl Case {
    /// The inputs at which the program is evaluated.
    pub fn at(&self) -> Vec<Vec<f64>> {
        self.spread(0)
    }

    /// A direction for each input.
    pub fn v(&self) -> Vec<Vec<f64>> {
        self.spread(1)
    }

    /// Another direction for each input.
    pub fn w(&self) -> Vec<Vec<f64>> {
        self.spread(2)
    }

    /// `len` numbers of the second direction: a cotangent.
    pub fn cotangent(&self, len: usize) -> Vec<f64> {
        self.numbers[2].iter().copied().cycle().take(len).collect()
    }

    fn spread(&self, which: usize) -> Vec<Vec<f64>> {
        let mut pool = self.numbers[which].iter().copied().cycle();
        let len = |(rows, cols): &(usize, usize)| rows * cols;
        let inputs = self.graph.inputs.iter();
        inputs
            .map(|shape| pool.by_ref().take(len(shape)).collect())
            .collect()
    }
}

/// A program with a point and two directions.
pub fn case() -> Simplifying<impl Strategy<Value = Case>> {
    // More numbers than entries of the largest inputs, and no divisor of their lengths.
    let numbers = || vec(number(), 53);
    let drawn = (drawn_graph(), [numbers(), numbers(), numbers()]);
    simplifying(drawn.prop_map(|(graph, numbers)| Case { graph, numbers }))
}

/// A program of up to 25 instructions over one to three inputs.
pub fn graph() -> Simplifying<impl Strategy<Value = Graph>> {
    simplifying(drawn_graph())
}

fn drawn_graph() -> impl Strategy<Value = Graph> {
    let drawn = (
        vec(instruction(), 1..=25),
        vec(shape(), 1..=3),
        vec(number(), 29),
    );
    drawn.prop_map(|(code, inputs, pool)| Graph { code, inputs, pool })
}

/// A number of an input or a constant, one that `f32` has too.
pub fn number() -> impl Strategy<Value = f64> {
    (-1.5f32..1.5).prop_map(f64::from)
}

fn shape() -> impl Strategy<Value = (usize, usize)> {
    prop_oneof![
        1 => Just((1, 1)),
        3 => (1usize..=5).prop_map(|n| (n, 1)),
        3 => (1usize..=4, 1usize..=4),
    ]
}

/// One instruction.
pub fn instruction() -> impl Strategy<Value = Instruction> {
    let back = || 0usize..8;
    let some = |most: usize| vec(0usize..8, 1..=most);
    let size = || 1usize..=4;
    let index = || 0usize..64;
    prop_oneof![
        8 => unary(back()),
        8 => binary(back()),
        8 => (0..Graph::SHAPED.len(), back())
            .prop_map(|(kind, of)| Instruction::Shaped { kind, of }),
        2 => (back(), back()).prop_map(|(left, right)| Instruction::Dot { left, right }),
        4 => (0usize..5, back(), back())
            .prop_map(|(kind, left, right)| Instruction::MatMul { kind, left, right }),
        2 => (0usize..4, back(), back())
            .prop_map(|(padding, image, kernel)| Instruction::Conv { padding, image, kernel }),
        2 => (0..Unary::ALL.len(), back(), back(), 1usize..=7, index()).prop_map(
            |(row, of, weights, samples, from)| Instruction::Loss { row, of, weights, samples, from }
        ),
        3 => (0..Graph::ALGEBRA.len(), back(), back(), 0usize..2).prop_map(
            |(kind, of, with, count)| Instruction::Algebra { kind, of, with, count }
        ),
        1 => (back(), index(), index())
            .prop_map(|(of, start, len)| Instruction::Slice { of, start, len }),
        1 => (back(), vec(index(), 1..=6))
            .prop_map(|(of, positions)| Instruction::Gather { of, positions }),
        1 => (back(), index()).prop_map(|(of, rows)| Instruction::Reshape { of, rows }),
        2 => (back(), size(), size())
            .prop_map(|(of, rows, cols)| Instruction::Broadcast { of, rows, cols }),
        1 => some(5).prop_map(|of| Instruction::Concat { of }),
        2 => some(6).prop_map(|of| Instruction::Fused { of }),
        2 => (size(), size(), index())
            .prop_map(|(rows, cols, from)| Instruction::Constant { rows, cols, from }),
    ]
}

fn unary(back: impl Strategy<Value = Back>) -> impl Strategy<Value = Instruction> {
    (0..Unary::ALL.len(), back, 0.5f32..2.5, any::<bool>()).prop_map(
        |(row, of, parameter, negative)| Instruction::Unary {
            row,
            of,
            parameter: f64::from(parameter),
            negative,
        },
    )
}

fn binary(back: impl Strategy<Value = Back> + Clone) -> impl Strategy<Value = Instruction> {
    (0..Binary::ALL.len(), back.clone(), back, any::<bool>()).prop_map(
        |(row, left, right, negative)| Instruction::Binary {
            row,
            left,
            right,
            negative,
        },
    )
}
