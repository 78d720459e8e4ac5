//! Names for the blocks of a parameter vector.

use std::fmt;
use std::ops::{Index, Range};

use nalgebra::{DMatrix, DMatrixView, DVector};

use crate::real::Real;
use crate::shape::Shape;
use crate::var::Var;

/// Named blocks that lie one after the other in a vector, each in column-major order.
///
/// # Panics
/// Every method panics, at the caller's line and with the names, if one is given twice or does not
/// exist.
///
/// # Example
/// A network with one hidden layer, as the lower level of a bilevel problem sees it: its inner
/// variable is one vector, its formula is written on matrices.
/// ```
/// use autodiff::{Layout, Objective, Var, objective};
/// use nalgebra::DMatrix;
///
/// let layout = Layout::new()
///     .matrix("W1", 4, 2)
///     .vector("b1", 4)
///     .matrix("W2", 3, 4)
///     .vector("b2", 3);
/// assert_eq!(layout.len(), 27);
///
/// // Five samples, one in each column, of two features; three classes.
/// let samples = DMatrix::from_fn(2, 5, |i, j| (i + 2 * j) as f64 / 10.0);
/// let classes = DMatrix::from_fn(3, 5, |i, j| f64::from(i == j % 3));
///
/// let net = layout.clone();
/// let loss = objective(move |x: Var, y: Var| {
///     let w = net.split(y);
///     let hidden = (w["W1"].matmul(y.matrix(&samples)) + w["b1"]).tanh();
///     let scores = w["W2"].matmul(hidden) + w["b2"];
///     let errors = scores.log_softmax().dot(y.matrix(&classes)) * (-1.0 / 5.0);
///     errors + x.exp() * (w["W1"].norm_squared() + w["W2"].norm_squared())
/// });
/// let loss = loss.record(1, layout.len());
///
/// let (w1, w2) = (DMatrix::zeros(4, 2), DMatrix::zeros(3, 4));
/// let (b1, b2) = (DMatrix::zeros(4, 1), DMatrix::zeros(3, 1));
/// let y = layout.pack(&[("W1", &w1), ("b1", &b1), ("W2", &w2), ("b2", &b2)]);
/// let value = loss.point().value(&[&[0.0], y.as_slice()]);
/// assert!((value - 3f64.ln()).abs() < 1e-15);
/// assert_eq!(layout.range("b1"), 8..12);
/// assert_eq!(layout.view("W2", y.as_slice()).shape(), (3, 4));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    blocks: Vec<Block>,
    len: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Block {
    name: String,
    start: usize,
    shape: Shape,
}

impl Layout {
    /// A layout of no blocks.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a matrix after the blocks.
    #[must_use]
    #[track_caller]
    pub fn matrix(self, name: &str, rows: usize, cols: usize) -> Self {
        self.with(name, Shape::matrix(rows, cols))
    }

    /// Adds a vector after the blocks.
    #[must_use]
    #[track_caller]
    pub fn vector(self, name: &str, len: usize) -> Self {
        self.with(name, Shape::vector(len))
    }

    /// Adds a scalar after the blocks.
    #[must_use]
    #[track_caller]
    pub fn scalar(self, name: &str) -> Self {
        self.with(name, Shape::SCALAR)
    }

    #[track_caller]
    fn with(mut self, name: &str, shape: Shape) -> Self {
        assert!(
            self.blocks.iter().all(|b| b.name != name),
            "layout: a second block named `{name}`: there are {self}"
        );
        self.blocks.push(Block {
            name: name.to_owned(),
            start: self.len,
            shape,
        });
        self.len += shape.len();
        self
    }

    /// Number of entries of all blocks: the length of the parameter vector.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.blocks.iter().map(|b| &b.name[..])
    }

    /// The shape of a block.
    #[track_caller]
    pub fn shape(&self, name: &str) -> Shape {
        self.block(name).shape
    }

    /// Where a block's entries lie in the parameter vector.
    #[track_caller]
    pub fn range(&self, name: &str) -> Range<usize> {
        let block = self.block(name);
        block.start..block.start + block.shape.len()
    }

    /// The blocks of a vector of a recording, each in its shape.
    ///
    /// # Panics
    /// If the lengths of vector and layout differ.
    #[track_caller]
    pub fn split<'l, 'r, T: Real>(&'l self, v: Var<'r, T>) -> Blocks<'l, 'r, T> {
        assert!(
            v.len() == self.len,
            "layout: {} for vector({}): the blocks are {self}",
            v.shape(),
            self.len
        );
        // A closure would not hand the caller's line on to the recording.
        let mut vars = Vec::with_capacity(self.blocks.len());
        for b in &self.blocks {
            let part = v.slice(b.start, b.shape.len());
            vars.push(if b.shape.cols == 1 {
                part
            } else {
                part.reshape(b.shape.rows, b.shape.cols)
            });
        }
        Blocks { layout: self, vars }
    }

    /// One block of a parameter vector, as a matrix.
    ///
    /// # Panics
    /// If the lengths of vector and layout differ.
    #[track_caller]
    pub fn view<'d, T: Real>(&self, name: &str, data: &'d [T]) -> DMatrixView<'d, T> {
        assert!(
            data.len() == self.len,
            "layout: vector({}) for vector({}): the blocks are {self}",
            data.len(),
            self.len
        );
        let shape = self.shape(name);
        DMatrixView::from_slice(&data[self.range(name)], shape.rows, shape.cols)
    }

    /// The parameter vector with these blocks, in any order.
    ///
    /// # Panics
    /// If a block is missing, is given twice, or has another shape than in the layout.
    #[track_caller]
    pub fn pack<T: Real>(&self, blocks: &[(&str, &DMatrix<T>)]) -> DVector<T> {
        let mut packed = DVector::zeros(self.len);
        let mut missing: Vec<&str> = self.names().collect();
        for (name, data) in blocks {
            let (want, got) = (self.shape(name), Shape::matrix(data.nrows(), data.ncols()));
            assert!(got == want, "layout: `{name}` is {got}: expected {want}");
            let known = missing.len();
            missing.retain(|m| m != name);
            assert!(missing.len() < known, "layout: `{name}` is given twice");
            packed.as_mut_slice()[self.range(name)].copy_from_slice(data.as_slice());
        }
        assert!(
            missing.is_empty(),
            "layout: without `{}`: the blocks are {self}",
            missing.join("`, `")
        );
        packed
    }

    #[track_caller]
    fn block(&self, name: &str) -> &Block {
        &self.blocks[self.position(name)]
    }

    #[track_caller]
    fn position(&self, name: &str) -> usize {
        match self.blocks.iter().position(|b| b.name == name) {
            Some(position) => position,
            None => panic!("layout: no block named `{name}`: there are {self}"),
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.blocks.is_empty() {
            return write!(f, "no blocks");
        }
        for (k, b) in self.blocks.iter().enumerate() {
            let comma = if k == 0 { "" } else { ", " };
            write!(f, "{comma}`{}`: {}", b.name, b.shape)?;
        }
        Ok(())
    }
}

/// The blocks of a vector of a recording, by name; made by [`Layout::split`].
#[derive(Clone, Debug)]
pub struct Blocks<'l, 'r, T: Real = f64> {
    layout: &'l Layout,
    vars: Vec<Var<'r, T>>,
}

impl<'r, T: Real> Blocks<'_, 'r, T> {
    /// The block with this name, in its shape; also written `blocks[name]`.
    #[track_caller]
    pub fn get(&self, name: &str) -> Var<'r, T> {
        self.vars[self.layout.position(name)]
    }
}

impl<'r, T: Real> Index<&str> for Blocks<'_, 'r, T> {
    type Output = Var<'r, T>;

    #[track_caller]
    fn index(&self, name: &str) -> &Var<'r, T> {
        &self.vars[self.layout.position(name)]
    }
}
