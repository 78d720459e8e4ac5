//! W3: networks with tanh, as ordinary programs on matrices.

use std::io;
use std::sync::Arc;

use autodiff::{Layout, Program, Real, Shape, Var};
use nalgebra::DMatrix;

use super::Task;
use super::inputs::{Source, Writer};
use super::sweep::{Setting, cast};

/// A batch for a network, its parameters and a direction of them. Weights and biases lie one after
/// the other, layer by layer, a weight matrix of `outputs × inputs` column by column.
pub(super) struct Network {
    widths: &'static [usize],
    /// `inputs × batch`.
    samples: DMatrix<f64>,
    /// `outputs × batch`.
    targets: DMatrix<f64>,
    pub(super) y: Vec<f64>,
    v: Vec<f64>,
}

pub(super) fn draw(widths: &'static [usize], batch: usize, seed: u64) -> Network {
    let mut source = Source::new(seed);
    let samples = source.matrix(widths[0], batch, 0.5);
    let outputs = widths[widths.len() - 1];
    let targets = if outputs == 1 {
        source.matrix(1, batch, 1.0)
    } else {
        let mut classes = DMatrix::zeros(outputs, batch);
        for i in 0..batch {
            classes[(source.index(outputs), i)] = 1.0;
        }
        classes
    };
    let (mut y, mut v) = (Vec::new(), Vec::new());
    for layer in widths.windows(2) {
        let (inputs, outputs) = (layer[0], layer[1]);
        y.extend(source.vector(inputs * outputs, 0.0, 1.0 / (inputs as f64).sqrt()));
        y.extend(source.vector(outputs, 0.0, 0.01));
        v.extend(source.vector((inputs + 1) * outputs, 0.0, 1.0));
    }
    Network {
        widths,
        samples,
        targets,
        y,
        v,
    }
}

/// Widths, and samples in the batch.
pub(super) const SIZE: (&[usize], usize) = (&[784, 128, 10], 256);
pub(super) const SMALL: (&[usize], usize) = (&[32, 64, 64, 1], 64);

/// 784-128-10, a batch of 256.
pub(super) fn inputs() -> Network {
    draw(SIZE.0, SIZE.1, 5)
}

/// 32-64-64-1, a batch of 64.
pub(super) fn small_inputs() -> Network {
    draw(SMALL.0, SMALL.1, 6)
}

impl Network {
    /// The loss of the network's outputs on the batch, for these parameters.
    pub(super) fn loss<'r, T: Real>(
        &self,
        parameters: Var<'r, T>,
        loss: fn(Var<'r, T>, Var<'r, T>) -> Var<'r, T>,
    ) -> Var<'r, T> {
        let layers = self.widths.len() - 1;
        let mut layout = Layout::new();
        for (k, w) in self.widths.windows(2).enumerate() {
            layout = layout.matrix(&format!("W{k}"), w[1], w[0]);
            layout = layout.vector(&format!("b{k}"), w[1]);
        }
        let blocks = layout.split(parameters);
        let mut h = parameters.matrix(&self.samples.map(T::of));
        for k in 0..layers {
            h = blocks.get(&format!("W{k}")).matmul(h) + blocks.get(&format!("b{k}"));
            if k + 1 < layers {
                h = h.tanh();
            }
        }
        loss(h, parameters.matrix(&self.targets.map(T::of)))
    }

    pub(super) fn write(&self, to: &Writer<'_>, group: &str) -> io::Result<()> {
        to.samples(group, "samples", &self.samples)?;
        to.samples(group, "targets", &self.targets)?;
        to.array(group, "y", &[self.y.len()], &self.y)?;
        to.array(group, "v", &[self.v.len()], &self.v)
    }
}

/// The mean cross-entropy of scores for classes marked by 1, both `classes × batch`.
pub(super) fn classification<'r, T: Real>(scores: Var<'r, T>, targets: Var<'r, T>) -> Var<'r, T> {
    let total = scores.log_sum_exp().sum() - scores.dot(targets);
    total * T::of(1.0 / scores.shape().cols as f64)
}

/// Half the mean squared error.
pub(super) fn regression<'r, T: Real>(values: Var<'r, T>, targets: Var<'r, T>) -> Var<'r, T> {
    (values - targets).norm_squared() * T::of(0.5 / values.len() as f64)
}

fn record<T: Real>(
    data: &Network,
    loss: for<'r> fn(Var<'r, T>, Var<'r, T>) -> Var<'r, T>,
) -> Arc<Program<T>> {
    Program::record(&[Shape::vector(data.y.len())], |inputs| {
        data.loss(inputs[0], loss)
    })
}

/// Gradient; HVP at a fresh point; HVP linearised once, and a block of 16.
pub(super) fn tasks<T: Real>(
    data: &Network,
    loss: for<'r> fn(Var<'r, T>, Var<'r, T>) -> Var<'r, T>,
) -> Vec<Box<dyn Task>> {
    let setting = Arc::new(Setting {
        program: record(data, loss),
        inputs: [cast(&data.y)],
        directions: [Some(cast(&data.v))],
    });
    vec![
        setting.gradient(&[0]),
        setting.fresh(&[0]),
        setting.linearised(&[0]),
        setting.block(&[0]),
    ]
}
