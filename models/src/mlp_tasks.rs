//! Weight decay and hyper-cleaning of a small network.

use autodiff::{Batch, Objective, Real, Sampled, Var, batched, objective};
use nalgebra::DVector;

use crate::catalogue::{Data, Defaults, Entry, Given, Size, make};
use crate::data::{self, DataError, Labels, Samples, Splits};
use crate::dataset::Dataset;
use crate::hyper_cleaning::cleaner_f1;
use crate::mlp::{Activation, Mlp};
use crate::task::{Metric, Task};

/// A network on the samples of a data set.
pub(crate) struct Network<T: Real> {
    pub(crate) net: Mlp,
    pub(crate) train: Dataset<T>,
    pub(crate) valid: Dataset<T>,
    pub(crate) test: Option<Dataset<T>>,
}

impl<T: Real> Network<T> {
    /// A tanh network with hidden layers of these widths between features and classes.
    pub(crate) fn new(splits: &Splits, hidden: &[usize]) -> Result<Self, DataError> {
        let (splits, classes) = splits.in_classes()?;
        let of = |samples: &Samples| Dataset::<T>::classes(samples, classes);
        let mut widths = vec![splits.train.dim()];
        widths.extend(hidden);
        widths.push(classes);
        Ok(Network {
            net: Mlp::new(&widths, Activation::Tanh),
            train: of(&splits.train),
            valid: of(&splits.valid),
            test: splits.test.as_ref().map(of),
        })
    }

    /// The mean cross-entropy on the validation samples.
    pub(crate) fn upper(&self) -> impl Sampled<T> + 'static {
        let (net, valid) = (self.net.clone(), self.valid.clone());
        batched(valid.len(), move |_: Var<T>, y: Var<T>, batch: Batch<T>| {
            valid.mlp_losses_of(batch, &net, y).mean()
        })
    }

    /// Accuracy in percent and mean cross-entropy on the test samples, if there are any.
    pub(crate) fn metrics(&self, dim_x: usize) -> Vec<Metric<T>> {
        let Some(test) = &self.test else {
            return Vec::new();
        };
        let (net, samples) = (self.net.clone(), test.clone());
        let loss =
            objective(move |_: Var<'_, T>, y: Var<'_, T>| samples.mlp_losses(&net, y).mean());
        let loss = Objective::record(&loss, dim_x, self.net.layout().len());
        let (net, test) = (self.net.clone(), test.clone());
        vec![
            Metric::percent("test_accuracy", move |_, y| {
                test.mlp_accuracy(&net, y.as_slice())
            }),
            Metric::value("test_loss", loss),
        ]
    }
}

/// Problem `mlp`: weight decay of a tanh network for each layer. Lower = mean cross-entropy on the
/// training samples + ½ Σ_l e^{x_l}‖(W_l, b_l)‖², upper = mean cross-entropy on the validation
/// samples. x has one entry for each layer; y is the parameter vector of an [`Mlp`] with `hidden`
/// units between features and classes, and starts where `seed` says. The metrics are those of
/// [`softmax`](crate::softmax).
///
/// Biases decay too: a constant added to those of the last layer changes no probability, so without
/// decay the Hessian would be singular. The lower level is not convex.
///
/// # Errors
/// If a label is no whole number.
///
/// # Panics
/// If there are no training or validation samples, or a layer has no units.
#[track_caller]
#[inline(never)]
pub fn mlp<T: Real>(splits: &Splits, hidden: &[usize], seed: u64) -> Result<Task<T>, DataError> {
    let network = Network::<T>::new(splits, hidden)?;
    let layers = network.net.layers();
    let (net, train) = (network.net.clone(), network.train.clone());
    let lower = batched(train.len(), move |x: Var<T>, y: Var<T>, batch: Batch<T>| {
        let decay = (0..net.layers()).map(|l| {
            let range = net.range(l);
            x.at(l).exp() * y.slice(range.start, range.len()).norm_squared()
        });
        train.mlp_losses_of(batch, &net, y).mean() + Var::sum_of(decay) * T::of(0.5)
    });
    let x = DVector::from_element(layers, T::of(-4.0));
    let y = network.net.initial(seed);
    Ok(Task {
        metrics: network.metrics(layers),
        ..Task::sampled("mlp", network.upper(), lower, x, y)
    })
}

/// The entry of [`mlp`].
pub static MLP: Entry = Entry::new(
    "mlp",
    "weight decay of a 64-32-10 network for each layer; digits",
    [
        "ln of the weight decay of each layer",
        "parameters of the network, layer by layer",
    ],
    make!(|given| {
        let splits = given.splits(data::digits_classes);
        let (splits, hidden) = sized(given, splits);
        let task = mlp(&splits, &hidden, given.seed)?;
        Ok(match given.size {
            // Decay enough for a minimiser to be near.
            Size::Small => Task {
                x: DVector::zeros(2),
                ..task
            },
            _ => task,
        })
    }),
)
.takes(Data::Table(Labels::Classes))
.defaults(Defaults::adam(0.2, 0.005).iterations(20));

/// The samples of a problem and the units of its hidden layer: 64-32-10 for the digits, 784-300-10
/// for MNIST; few units and three classes in the small size.
pub(crate) fn sized(given: &Given, mut splits: Splits) -> (Splits, [usize; 1]) {
    if given.is_small() {
        for samples in [&mut splits.train, &mut splits.valid] {
            samples.labels.iter_mut().for_each(|t| *t %= 3.0);
        }
        return (splits, [2]);
    }
    let hidden = if splits.train.dim() <= 256 { 32 } else { 300 };
    (splits, [hidden])
}

/// Factor c of the penalty of `mlp-cleaning`.
const PENALTY: f64 = 0.001;

/// Problem `mlp-cleaning`: [`hyper_cleaning`](crate::hyper_cleaning) with a tanh network in place of
/// the linear model. Lower = `(1/n) Σ σ(x_i) CE_i(y) + 0.001 ‖y‖²`; y as in [`mlp`].
///
/// # Errors
/// If a label is no whole number.
///
/// # Panics
/// If there are no training or validation samples, or a layer has no units; if `corrupted` does not
/// have an entry for each training sample.
#[track_caller]
#[inline(never)]
pub fn mlp_cleaning<T: Real>(
    splits: &Splits,
    corrupted: Option<Vec<bool>>,
    hidden: &[usize],
    seed: u64,
) -> Result<Task<T>, DataError> {
    let network = Network::<T>::new(splits, hidden)?;
    let (net, train) = (network.net.clone(), network.train.clone());
    let n = train.len();
    let lower = batched(n, move |x: Var<T>, y: Var<T>, batch: Batch<T>| {
        let weights = batch.entries(x).sigmoid();
        let losses = train.mlp_losses_of(batch, &net, y);
        weights.dot(losses) * T::of(1.0 / batch.len() as f64) + y.norm_squared() * T::of(PENALTY)
    });
    let mut metrics = network.metrics(n);
    metrics.extend(corrupted.map(|marks| cleaner_f1(marks, n)));
    let y = network.net.initial(seed);
    Ok(Task {
        metrics,
        ..Task::sampled("mlp-cleaning", network.upper(), lower, DVector::zeros(n), y)
    })
}

/// The entry of [`mlp_cleaning`].
pub static MLP_CLEANING: Entry = Entry::new(
    "mlp-cleaning",
    "hyper-cleaning with the network in place of the linear model",
    [
        "logit of the weight of each training sample",
        "parameters of the network, layer by layer",
    ],
    make!(|given| {
        let (splits, corrupted) = given.cleaning();
        let (splits, hidden) = sized(given, splits);
        mlp_cleaning(&splits, corrupted, &hidden, given.seed)
    }),
)
.takes(Data::Table(Labels::Classes))
.defaults(Defaults::adam(0.5, 0.02).lower_step(0.5).iterations(20));
