//! A sum of functions of parts of the samples, each recorded by itself: leaves, which several threads
//! sweep side by side.

use std::ops::Range;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::inputs::Inputs;
use crate::program::{Node, Op, Program};
use crate::ranks;
use crate::real::Real;
use crate::rules::bilinear::Bilinear;
use crate::shape::Shape;
use crate::var::Var;

/// A function of some operands of the sum, and what it is multiplied with.
#[derive(Clone)]
pub(crate) struct Leaf<T: Real> {
    pub(crate) of: Arc<Program<T>>,
    pub(crate) weight: T,
    first: usize,
    /// Multiplications of a sweep, roughly.
    pub(crate) work: usize,
    /// Those of what does not depend on each input.
    pub(crate) work_without: SmallVec<[usize; 4]>,
}

impl<T: Real> Leaf<T> {
    /// Its inputs among the operands of the sum.
    pub(crate) fn operands(&self) -> Range<usize> {
        self.first..self.first + self.of.inputs()
    }
}

/// `Σ wᵢ fᵢ`.
#[derive(Clone)]
pub(crate) struct Leaves<T: Real> {
    pub(crate) all: Vec<Leaf<T>>,
    /// Multiplications of a sweep over all of them, roughly.
    pub(crate) work: usize,
    /// Whether one has leaves inside.
    nested: bool,
}

impl<T: Real> Leaves<T> {
    /// Whether several ranks share them out: leaves inside of leaves would be swept by some alone.
    pub(crate) fn are_shared(&self) -> bool {
        !self.nested && ranks::size() > 1
    }

    /// Those of a rank.
    pub(crate) fn of_rank(&self, rank: usize) -> Range<usize> {
        ranks::share(self.all.len(), rank, ranks::size())
    }

    /// Those that this rank sweeps.
    pub(crate) fn mine(&self) -> Range<usize> {
        match self.are_shared() {
            true => self.of_rank(ranks::rank()),
            false => 0..self.all.len(),
        }
    }
}

/// Multiplications that an elementwise operation on an entry takes the time of, roughly.
const ELEMENTWISE: usize = 4;

/// Multiplications of a sweep over those operations that `counts` is true of, roughly.
fn work<T: Real>(program: &Program<T>, counts: impl Fn(&Node<T>) -> bool) -> usize {
    let of = |node: &Node<T>| {
        let len = node.shape.len();
        let shape = |k: usize| program.nodes[node.args[k] as usize].shape;
        match &node.op {
            Op::Input | Op::Constant => 0,
            Op::Bilinear(Bilinear::Conv2d(_)) => len * shape(1).len(),
            Op::Bilinear(_) => len.max(1) * (shape(0).len() * shape(1).len() / len.max(1)).isqrt(),
            Op::Fused(_) => ELEMENTWISE * (node.stash.1 + node.scratch.1 + len),
            _ => ELEMENTWISE * len,
        }
    };
    program.nodes.iter().filter(|n| counts(n)).map(of).sum()
}

/// A leaf to be added: a scalar function, its weight and its arguments.
pub type Weighted<'r, T = f64> = (Arc<Program<T>>, T, Vec<Var<'r, T>>);

impl<'r, T: Real> Var<'r, T> {
    /// `Σ wᵢ fᵢ(aᵢ)` of scalar functions that were recorded by themselves, each with its weight and its
    /// arguments: a mean over parts of the samples, say.
    ///
    /// The functions are swept side by side, on several threads where their work is worth it, each in
    /// buffers of its own. What they give is added in their order, so the bits do not depend on the
    /// number of threads. Several [ranks] sweep a share of them each, and exchange what
    /// they give.
    ///
    /// # Example
    /// ```
    /// use autodiff::{Program, Shape, Var};
    ///
    /// let f = Program::<f64>::record(&[Shape::vector(2)], |v| v[0].exp().sum());
    /// let sum = Program::record(&[Shape::vector(4)], |v| {
    ///     let parts = [0, 2].map(|first| (f.clone(), 0.5, vec![v[0].slice(first, 2)]));
    ///     Var::sum_of_leaves(&parts)
    /// });
    /// let mut point = sum.point();
    /// assert_eq!(point.linearise(&[&[0.0; 4]]), 2.0);
    /// point.second(&[Some(&[1.0, 2.0, 3.0, 4.0])]);
    /// assert_eq!(point.product(0), [0.5, 1.0, 1.5, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If there are none, one is not scalar or takes gradients inside, or an argument does not have its
    /// input's length.
    #[must_use]
    #[track_caller]
    #[inline(never)]
    pub fn sum_of_leaves(parts: &[Weighted<'r, T>]) -> Self {
        let Some((_, _, arguments)) = parts.first() else {
            panic!("a sum of no leaves: expected at least one");
        };
        let at = arguments[0];
        let (mut all, mut operands) = (Vec::with_capacity(parts.len()), SmallVec::new());
        for (i, (of, weight, arguments)) in parts.iter().enumerate() {
            assert!(
                of.output_shape().is_scalar() && !of.has_gradients(),
                "leaf {i} has value {}{}: expected a scalar without gradients inside",
                of.output_shape(),
                if of.has_gradients() {
                    " and takes a gradient"
                } else {
                    ""
                },
            );
            let lens = |k: usize| (arguments.get(k).map(|a| a.len()), of.input_shape(k));
            let fits = arguments.len() == of.inputs()
                && (0..of.inputs()).all(|k| lens(k).0 == Some(lens(k).1.len()));
            assert!(
                fits,
                "leaf {i} with arguments of {:?} entries: expected {:?}",
                arguments.iter().map(|a| a.len()).collect::<Vec<_>>(),
                (0..of.inputs())
                    .map(|k| of.input_shape(k).len())
                    .collect::<Vec<_>>(),
            );
            all.push(Leaf {
                of: of.clone(),
                weight: *weight,
                first: operands.len(),
                work: work(of, |_| true),
                work_without: (0..of.inputs())
                    .map(|k| work(of, |node| !node.reads.meets(Inputs::one(k))))
                    .collect(),
            });
            operands.extend(arguments.iter().copied());
        }
        let work = all.iter().map(|leaf| leaf.work).sum();
        let operands: SmallVec<[Self; 8]> = operands;
        let inside = |leaf: &Leaf<T>| leaf.of.nodes.iter().any(|n| n.op.inner().next().is_some());
        let nested = all.iter().any(inside);
        at.leaves(Leaves { all, work, nested }, &operands, Shape::SCALAR)
    }
}
