//! Learning rates of an unrolled training as the outer variable.

use autodiff::unroll::Step;
use autodiff::{Real, Var, sampled};
use nalgebra::DVector;

use crate::catalogue::{Data, Defaults, Entry, Size, make};
use crate::data::{self, DataError, Labels, Splits};
use crate::mlp_tasks::{Network, sized};
use crate::task::{Task, whole};

/// How the training of `learning-rates` is cut into stages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stages {
    /// Stages, each with rates of its own; the last one goes on for as long as the training does.
    pub count: usize,
    /// Steps of a stage; with 1, each step has rates of its own.
    pub steps: usize,
}

impl Default for Stages {
    /// Five stages of twenty steps.
    fn default() -> Self {
        Stages {
            count: 5,
            steps: 20,
        }
    }
}

/// Where all rates start.
const RATE: f64 = 0.1;

/// Problem `learning-rates`: y is what K steps of gradient descent on a tanh network's mean
/// cross-entropy make of its initial parameters, `y_l ← y_l − e^{x_{s,l}} ∂g/∂y_l` for layer l in
/// stage s of the training. Upper = mean cross-entropy on the validation samples; K is the depth of
/// the strategy. x has one entry for each stage and layer, a natural logarithm, the layers of the
/// first stage first. The metrics are those of [`mlp`](crate::mlp).
///
/// x is in the steps and not in g, so [`Bilevel::step`](solvers::Bilevel::step) has them, and no implicit differentiation is
/// possible.
///
/// # Errors
/// If a label is no whole number.
///
/// # Panics
/// If there are no stages, or a stage or a layer is empty.
///
/// Reference: D. Maclaurin, D. Duvenaud and R. Adams, Gradient-based hyperparameter optimization
/// through reversible learning, ICML 2015, section 3.1.
#[track_caller]
#[inline(never)]
pub fn learning_rates<T: Real>(
    splits: &Splits,
    hidden: &[usize],
    stages: Stages,
    seed: u64,
) -> Result<Task<T>, DataError> {
    let Stages { count, steps } = stages;
    assert!(
        count > 0 && steps > 0,
        "{count} stages of {steps} steps: expected at least 1 of each"
    );
    let network = Network::<T>::new(splits, hidden)?;
    let (net, train) = (network.net.clone(), network.train.clone());
    let lower = sampled(
        train.len(),
        move |_: Var<'_, T>, y: Var<'_, T>, batch: &[usize]| {
            train.select(batch).mlp_losses(&net, y).mean()
        },
    );
    let (net, y) = (&network.net, network.net.initial(seed));
    let layers = net.layers();
    let (dim_x, dim_y) = (layers * count, y.len());
    // The steps take the gradient of this recording, so no batch is drawn.
    let lower = whole(&lower, dim_x, dim_y);
    let upper = whole(&network.upper(), dim_x, dim_y);
    // The coefficients pick the stage: 1 for the one that a step belongs to.
    let stage = move |k: usize, c: &mut [T]| {
        c.fill(T::zero());
        c[(k / steps).min(count - 1)] = T::one();
    };
    let step = Step::scheduled(dim_x, dim_y, count, stage, |x, y, c| {
        let rates = x.exp().reshape(layers, count).matmul(c);
        let gradient = Var::gradient(&lower, 1, &[x, y]);
        let moves: Vec<Var<'_, T>> = (0..layers)
            .map(|l| {
                let range = net.range(l);
                gradient.slice(range.start, range.len()) * rates.at(l)
            })
            .collect();
        y - moves[0].concat(&moves[1..])
    });
    let x = DVector::from_element(dim_x, T::of(RATE.ln()));
    let task = Task::plain("learning-rates", upper, lower, x, dim_y).starting_from(y);
    Ok(Task {
        metrics: network.metrics(dim_x),
        bilevel: task.bilevel.with_step(step),
        ..task
    })
}

/// The entry of [`learning_rates`].
pub static LEARNING_RATES: Entry = Entry::new(
    "learning-rates",
    "rates of the network's training, by stage and layer: x is in the steps, so itd alone",
    [
        "ln of the learning rate of each layer, stage by stage",
        "parameters of the network, layer by layer",
    ],
    make!(|given| {
        let splits = given.splits(data::digits_classes);
        let (splits, hidden) = sized(given, splits);
        let stages = match given.size {
            Size::Small => Stages { count: 2, steps: 4 },
            _ => Stages::default(),
        };
        learning_rates(&splits, &hidden, stages, given.seed)
    }),
)
.takes(Data::Table(Labels::Classes))
.defaults(Defaults::adam(0.1, 0.1).iterations(20));
