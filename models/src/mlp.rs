//! Fully connected networks with named parameter blocks.

use autodiff::{Layout, Real, Var};
use nalgebra::{DMatrix, DVector};

use crate::gaussian::Gaussian;

/// What follows each hidden layer; both are smooth, so that second derivatives exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Activation {
    /// tanh a.
    #[default]
    Tanh,
    /// ln(1 + eᵃ).
    Softplus,
}

impl Activation {
    fn record<T: Real>(self, a: Var<'_, T>) -> Var<'_, T> {
        match self {
            Activation::Tanh => a.tanh(),
            Activation::Softplus => a.softplus(),
        }
    }

    fn apply(self, a: f64) -> f64 {
        match self {
            Activation::Tanh => a.tanh(),
            Activation::Softplus => a.max(0.0) + (-a.abs()).exp().ln_1p(),
        }
    }
}

/// A fully connected network: hidden layers `a ↦ σ(W a + b)`, and an affine last one.
///
/// Its parameters are one vector, the y of a lower level; layer l has the blocks `W1`, `b1`, `W2`,
/// `b2`, … of its [`layout`](Mlp::layout), W with one row for each unit.
///
/// # Example
/// ```
/// use models::{Activation, Mlp};
///
/// let net = Mlp::new(&[64, 32, 10], Activation::Tanh);
/// assert_eq!(net.layout().len(), 64 * 32 + 32 + 32 * 10 + 10);
/// let y = net.initial::<f64>(7);
/// assert_eq!(net.layout().view("W2", y.as_slice()).shape(), (10, 32));
/// assert_eq!(net.range(0), 0..2080); // W1 and b1
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mlp {
    widths: Vec<usize>,
    activation: Activation,
    layout: Layout,
}

impl Mlp {
    /// A network from inputs of `widths[0]` entries through hidden layers to scores of as many
    /// entries as the last of `widths`.
    ///
    /// # Panics
    /// If there are fewer than two widths, or one is 0.
    #[must_use]
    #[track_caller]
    pub fn new(widths: &[usize], activation: Activation) -> Self {
        assert!(
            widths.len() >= 2 && !widths.contains(&0),
            "a network of widths {widths:?}: expected at least 2, none of them 0"
        );
        let layers = widths.windows(2).enumerate();
        let layout = layers.fold(Layout::new(), |layout, (l, w)| {
            let (weights, biases) = names(l);
            layout.matrix(&weights, w[1], w[0]).vector(&biases, w[1])
        });
        Mlp {
            widths: widths.to_vec(),
            activation,
            layout,
        }
    }

    /// The parameter blocks by name.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The number of layers of weights.
    pub fn layers(&self) -> usize {
        self.widths.len() - 1
    }

    /// Where the parameters of a layer lie, weights and biases; layers count from 0.
    ///
    /// # Panics
    /// If there is no such layer.
    #[track_caller]
    pub fn range(&self, layer: usize) -> std::ops::Range<usize> {
        assert!(
            layer < self.layers(),
            "layer {layer} of a network of {}",
            self.layers()
        );
        let (weights, biases) = names(layer);
        self.layout.range(&weights).start..self.layout.range(&biases).end
    }

    /// Parameters to start from, drawn with `seed`: weights from N(0, 1/inputs of the layer), biases
    /// 0.
    pub fn initial<T: Real>(&self, seed: u64) -> DVector<T> {
        let mut y = DVector::zeros(self.layout.len());
        let mut numbers = Gaussian::new(seed, 0);
        for (l, inputs) in self.widths[..self.layers()].iter().enumerate() {
            let deviation = (*inputs as f64).powf(-0.5);
            for entry in self.layout.range(&names(l).0) {
                y[entry] = T::of(deviation * numbers.draw());
            }
        }
        y
    }

    /// The scores of a recording: `classes × n` for parameters `y` and `inputs`, one sample in each
    /// column. They are marked as [`outputs`](Var::outputs).
    ///
    /// # Panics
    /// If `y` does not have the layout's length, or `inputs` not one row for each input.
    #[track_caller]
    pub fn scores<'r, T: Real>(&self, y: Var<'r, T>, inputs: Var<'r, T>) -> Var<'r, T> {
        let blocks = self.layout.split(y);
        let mut values = inputs;
        for l in 0..self.layers() {
            let (weights, biases) = names(l);
            if l > 0 {
                values = self.activation.record(values);
            }
            values = blocks[&*weights].matmul(values) + blocks[&*biases];
        }
        values.outputs()
    }

    /// The scores as numbers.
    ///
    /// # Panics
    /// As [`scores`](Mlp::scores).
    #[track_caller]
    pub fn evaluate<T: Real>(&self, y: &[T], inputs: &DMatrix<T>) -> DMatrix<T> {
        let mut values = inputs.clone();
        for l in 0..self.layers() {
            let (weights, biases) = names(l);
            if l > 0 {
                values.apply(|a| *a = T::of(self.activation.apply(a.f64())));
            }
            values = self.layout.view(&weights, y) * values;
            let biases = self.layout.view(&biases, y);
            for mut column in values.column_iter_mut() {
                column += biases.column(0);
            }
        }
        values
    }
}

/// The names of a layer's weights and biases.
fn names(layer: usize) -> (String, String) {
    (format!("W{}", layer + 1), format!("b{}", layer + 1))
}
