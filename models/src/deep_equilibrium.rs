//! A network whose hidden layer is an equilibrium.

use autodiff::{Real, Var, objective};
use nalgebra::{DMatrix, DVector};
use solvers::Bilevel;

use crate::catalogue::{Data, Defaults, Entry, Size, make};
use crate::data::{self, DataError, Labels, Samples, Splits};
use crate::gaussian::Gaussian;
use crate::task::{Metric, Task};

/// Hidden units.
const HIDDEN: usize = 16;
/// Training samples of the embedded digits.
const TRAINED: usize = 300;

/// Problem `deep-equilibrium`: for every sample a_i a hidden state z_i with
/// `z = tanh(W z + U a_i + b)`, and scores `V z_i + c`; y holds the states of the training samples and
/// then of the validation samples, column by column, and x = (W, U, b, V, c), each column by column.
/// The lower level is this map, and upper = mean cross-entropy of the training samples +
/// ½·10⁻³ ‖x‖². The metrics are the accuracies in percent on the validation and the training samples.
///
/// W, U and V are drawn normal with a variance of ¼ over their columns (1 over those of U), by the
/// seed, so that the map contracts at the start; nothing holds it there.
///
/// # Errors
/// If a label is no whole number.
///
/// # Panics
/// If there are no training or validation samples.
///
/// # Reference
/// S. Bai, J. Z. Kolter and V. Koltun, Deep equilibrium models, NeurIPS 2019.
#[track_caller]
#[inline(never)]
pub fn deep_equilibrium<T: Real>(
    splits: Splits,
    hidden: usize,
    seed: u64,
) -> Result<Task<T>, DataError> {
    let (splits, classes) = splits.into_classes()?;
    let (train, valid) = (&splits.train, &splits.valid);
    let (n, all, dim) = (train.len(), train.len() + valid.len(), train.dim());
    let net = Net {
        hidden,
        dim,
        classes,
    };
    let mut samples = DMatrix::zeros(dim, all);
    for (part, first) in [(train, 0), (valid, n)] {
        let features = part.features.dense();
        samples.columns_mut(first, part.len()).copy_from(features);
    }
    let samples = samples.map(T::of);
    let mut labels = DMatrix::<T>::zeros(classes, n);
    for (i, label) in train.labels.iter().enumerate() {
        labels[(*label as usize, i)] = T::one();
    }
    let over = T::of(-1.0 / n as f64);
    let upper = objective(move |x: Var<'_, T>, y: Var<'_, T>| {
        let z = y.slice(0, hidden * n).reshape(hidden, n);
        let scores = net.scores(x, z).log_softmax();
        (scores * x.matrix(&labels)).sum() * over + x.norm_squared() * T::of(5e-4)
    });
    let problem = Bilevel::fixed_point(
        upper,
        |x: Var<'_, T>, y: Var<'_, T>| net.map(x, y, &samples),
        net.parameters(),
        hidden * all,
    );
    let x = net.initial(seed).map(T::of);
    let accuracy = |name, part: &Samples, first: usize| {
        let labels = part.labels.clone();
        Metric::percent(name, move |x: &DVector<T>, y: &DVector<T>| {
            let z = &y.as_slice()[hidden * first..hidden * (first + labels.len())];
            net.accuracy(x, z, &labels)
        })
    };
    let metrics = vec![
        accuracy("valid_accuracy", valid, n),
        accuracy("train_accuracy", train, 0),
    ];
    Ok(Task {
        metrics,
        ..Task::new("deep-equilibrium", problem.expect("a valid problem"), x)
    })
}

/// The shapes of the network.
#[derive(Clone, Copy, Debug)]
struct Net {
    hidden: usize,
    dim: usize,
    classes: usize,
}

impl Net {
    /// Where W, U, b, V and c begin in x, and where it ends.
    fn places(self) -> [usize; 6] {
        let h = self.hidden;
        let lengths = [h * h, h * self.dim, h, self.classes * h, self.classes];
        let mut places = [0; 6];
        for (k, length) in lengths.into_iter().enumerate() {
            places[k + 1] = places[k] + length;
        }
        places
    }

    fn parameters(self) -> usize {
        self.places()[5]
    }

    /// W, U and b.
    fn layer<T: Real>(self, x: Var<'_, T>) -> [Var<'_, T>; 3] {
        let (at, h) = (self.places(), self.hidden);
        let matrix = |k: usize, columns: usize| x.slice(at[k], h * columns).reshape(h, columns);
        [matrix(0, h), matrix(1, self.dim), x.slice(at[2], h)]
    }

    /// `tanh(W z + U a + b)` of all samples, a column each.
    fn map<'r, T: Real>(self, x: Var<'r, T>, y: Var<'r, T>, samples: &DMatrix<T>) -> Var<'r, T> {
        let z = y.reshape(self.hidden, samples.ncols());
        let [w, u, b] = self.layer(x);
        let state = (w.matmul(z) + u.matmul(x.matrix(samples)) + b).tanh();
        state.reshape(y.len(), 1)
    }

    /// The scores of hidden states, a column each.
    fn scores<'r, T: Real>(self, x: Var<'r, T>, z: Var<'r, T>) -> Var<'r, T> {
        let (at, h, k) = (self.places(), self.hidden, self.classes);
        x.slice(at[3], k * h).reshape(k, h).matmul(z) + x.slice(at[4], k)
    }

    fn initial(self, seed: u64) -> DVector<f64> {
        let (at, mut numbers) = (self.places(), Gaussian::new(seed, 0));
        let (h, d) = (self.hidden as f64, self.dim as f64);
        DVector::from_fn(at[5], |i, _| match at.iter().rposition(|p| i >= *p) {
            Some(0 | 3) => 0.5 * numbers.draw() / h.sqrt(),
            Some(1) => numbers.draw() / d.sqrt(),
            _ => 0.0,
        })
    }

    /// The part of hidden states, a column for each label, whose largest score is the label's.
    fn accuracy<T: Real>(self, x: &DVector<T>, z: &[T], labels: &[f64]) -> f64 {
        let (at, h, k) = (self.places(), self.hidden, self.classes);
        let right = z.chunks_exact(h).zip(labels).filter(|(z, label)| {
            let score = |c: usize| {
                let along = (0..h).map(|j| x[at[3] + c + k * j].f64() * z[j].f64());
                x[at[4] + c].f64() + along.sum::<f64>()
            };
            let best = (0..k).max_by(|a, b| score(*a).total_cmp(&score(*b)));
            best == Some(**label as usize)
        });
        100.0 * right.count() as f64 / labels.len() as f64
    }
}

/// Few of the digits.
fn few(seed: u64) -> Splits {
    let splits = data::digits_classes(seed);
    Splits {
        train: splits.train.first(TRAINED),
        valid: splits.valid.first(TRAINED / 2),
        ..splits
    }
}

/// The entry of [`deep_equilibrium`].
pub static DEEP_EQUILIBRIUM: Entry = Entry::new(
    "deep-equilibrium",
    "a hidden layer that is the equilibrium of a map of x; digits; aid-step or itd",
    [
        "parameters of the network",
        "hidden states of the training and validation samples",
    ],
    make!(|given| {
        let hidden = if given.size == Size::Small { 3 } else { HIDDEN };
        let seed = given.seed;
        deep_equilibrium(given.splits(few), hidden, seed)
    }),
)
.takes(Data::Table(Labels::Classes))
.defaults(Defaults::adam(0.01, 0.01).iterations(100).depth(30));
