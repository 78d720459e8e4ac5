//! Few-shot classification: a shared representation, and a ridge regression for each task.

mod pool;

use autodiff::{Real, Sampled, Var, sampled};
use nalgebra::{DMatrix, DVector};
use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;

use crate::catalogue::{Data, Defaults, Entry, Size, make};
use crate::data::{DataError, Labels, Splits, digits_shuffled};
use crate::held_out::HeldOut;
use crate::mlp::{Activation, Mlp};
use crate::task::{Metric, Task};
use pool::{Pool, fitting, pools, said};

/// The tasks of `few-shot`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FewShot {
    /// Classes of a task, drawn from the ten digits or those of the data.
    pub ways: usize,
    /// Images of each class that a head is fitted to.
    pub shots: usize,
    /// Images of each class that it is judged by.
    pub queries: usize,
    /// Tasks to train on.
    pub tasks: usize,
    /// Tasks kept apart.
    pub held_out: usize,
    /// Features of the representation.
    pub features: usize,
    /// Seed of the tasks and of the representation to start from.
    pub seed: u64,
}

impl FewShot {
    /// Five ways and one shot, 10 queries of each class, 20 tasks and 20 kept apart, 16 features.
    pub fn new(seed: u64) -> Self {
        FewShot {
            ways: 5,
            shots: 1,
            queries: 10,
            tasks: 20,
            held_out: 20,
            features: 16,
            seed,
        }
    }

    /// The larger setting: five shots, 100 tasks and 100 kept apart, 64 features.
    pub fn large(seed: u64) -> Self {
        FewShot {
            shots: 5,
            tasks: 100,
            held_out: 100,
            features: 64,
            ..Self::new(seed)
        }
    }
}

/// Images that tasks to train on are made of; the others are for the tasks kept apart.
const TRAIN_IMAGES: usize = 1200;
/// Natural logarithms of the ridge λ and the scale s to start from.
const START: [f64; 2] = [-3.0, 1.5];

/// Problem `few-shot`: for each task t, with features φ(a) = tanh(W a + b), support images a_i with
/// one-hot labels e_i, and query images: lower = `1/(2n) Σ ‖Y_t φ(a_i) − e_i‖² + ½ λ ‖Y_t‖²`, upper =
/// mean cross-entropy of the scores s·Y_t φ(a) of the queries; both levels are means over tasks, and
/// each task has a lower level of its own, a head Y_t of `ways × features`.
///
/// x = (W, b, ln λ, ln s), the first two as the layer of an [`Mlp`]; y holds the heads column by
/// column. Tasks to train on draw their images from 1200 digits, tasks kept apart from the other 597;
/// both draw classes from all ten. The lower level is quadratic, with μ = λ. The metrics are the
/// accuracies in percent on the queries: of the tasks trained on, `train_accuracy`, and of those kept
/// apart, `test_accuracy`.
///
/// # Panics
/// If a number is 0 (except `held_out`), there are more than ten ways, or more shots and queries
/// than a digit has images.
///
/// Reference: L. Bertinetto, J. Henriques, P. Torr and A. Vedaldi, Meta-learning with differentiable
/// closed-form solvers, ICLR 2019.
#[track_caller]
#[inline(never)]
pub fn few_shot<T: Real>(settings: FewShot) -> Task<T> {
    let digits = digits_shuffled(settings.seed);
    let pool = |range: std::ops::Range<usize>| {
        Pool::of(digits.subset(&range.collect::<Vec<_>>()), 10, settings)
    };
    let (train, test) = (pool(0..TRAIN_IMAGES), pool(TRAIN_IMAGES..digits.len()));
    of_pools(settings, &train, &test)
}

/// [`few_shot`] of these samples, whose labels are classes: tasks to train on draw from the training
/// and the validation samples, tasks kept apart from the test samples. A class takes part where it
/// has as many samples as a task draws of it.
///
/// # Errors
/// If a label is no whole number; if fewer classes than `ways` have enough samples to train on.
///
/// # Panics
/// If a number of the settings is 0 (except `held_out`); if tasks are to be kept apart, and fewer
/// classes than `ways` have enough test samples.
#[track_caller]
#[inline(never)]
pub fn few_shot_on<T: Real>(splits: &Splits, settings: FewShot) -> Result<Task<T>, DataError> {
    let (train, test) = pools(splits, settings)?;
    train.serves(settings, &splits.source)?;
    Ok(of_pools(settings, &train, &test))
}

#[track_caller]
fn of_pools<T: Real>(settings: FewShot, train: &Pool, test: &Pool) -> Task<T> {
    let FewShot {
        ways,
        shots,
        queries,
        features,
        seed,
        ..
    } = settings;
    let numbers = [shots, queries, settings.tasks, features];
    assert!(
        !numbers.contains(&0) && ways > 1,
        "{settings:?}: expected at least 2 ways, and no other number 0"
    );
    let dim = train.samples.dim();
    let draw = |pool: &Pool, count: usize, stream: u64| -> Vec<Episode<T>> {
        let found = pool.classes.len();
        assert!(
            count == 0 || ways <= found,
            "{ways} ways of {shots} shots and {queries} queries: {found} classes have so many \
             samples"
        );
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        (0..count)
            .map(|_| Episode::draw(pool, &settings, &mut rng))
            .collect()
    };
    let (train, test) = (
        draw(train, settings.tasks, 1),
        draw(test, settings.held_out, 2),
    );
    let net = Mlp::new(&[dim, features], Activation::Tanh);
    let shared = Shared {
        net,
        ways,
        features,
    };
    let mut x = shared.net.initial::<T>(seed).as_slice().to_vec();
    x.extend(START.map(T::of));
    let (x, block) = (DVector::from_vec(x), ways * features);
    let heads = |tasks: usize| DVector::zeros(tasks * block);
    let held_out = (!test.is_empty()).then(|| {
        let (lower, y) = (shared.lower(test.clone()), heads(test.len()));
        HeldOut::new(&lower, x.len(), y, shared.accuracy("test_accuracy", test))
    });
    let y = heads(train.len());
    let (upper, lower) = (shared.upper(train.clone()), shared.lower(train.clone()));
    Task {
        metrics: vec![shared.accuracy("train_accuracy", train)],
        held_out,
        ..Task::per_sample("few-shot", upper, lower, x, y)
    }
}

/// The entry of [`few_shot`].
pub static FEW_SHOT: Entry = Entry::new(
    "few-shot",
    "a representation that 5-way 1-shot tasks share, ridge heads; digits; --large",
    [
        "weights and biases of the representation, ln of the ridge, ln of the scale",
        "heads of the tasks, each `ways × features` column by column",
    ],
    make!(|given| {
        let usual = FewShot::new(given.seed);
        let settings = match given.size {
            Size::Small => FewShot {
                ways: 2,
                queries: 1,
                tasks: 2,
                held_out: 0,
                features: 1,
                ..usual
            },
            Size::Usual => usual,
            Size::Large => FewShot::large(given.seed),
        };
        match given.table.take() {
            Some(splits) => {
                let (train, test) = pools(&splits, settings)?;
                let settings = fitting(settings, &train, &test);
                train.serves(settings, &splits.source)?;
                given
                    .notes
                    .push(said(settings, &train, &test, splits.classes()?));
                Ok(of_pools(settings, &train, &test))
            }
            None => Ok(few_shot(settings)),
        }
    }),
)
.takes(Data::Table(Labels::Classes))
.with_large()
.defaults(Defaults::adam(0.02, 0.02));

/// A task: images in columns, and which of the `ways` classes each is of.
#[derive(Clone)]
struct Episode<T: Real> {
    support: DMatrix<T>,
    support_labels: Vec<usize>,
    query: DMatrix<T>,
    query_labels: Vec<usize>,
}

impl<T: Real> Episode<T> {
    fn draw(pool: &Pool, settings: &FewShot, rng: &mut ChaCha8Rng) -> Self {
        let (mut support, mut query) = (Vec::new(), Vec::new());
        let (mut support_labels, mut query_labels) = (Vec::new(), Vec::new());
        let (shots, each) = (settings.shots, settings.shots + settings.queries);
        let classes = index::sample(rng, pool.classes.len(), settings.ways);
        for (way, class) in classes.iter().enumerate() {
            let of = &pool.classes[class];
            let chosen = index::sample(rng, of.len(), each);
            let chosen = Vec::from_iter(chosen.iter().map(|i| of[i]));
            support.extend(&chosen[..shots]);
            query.extend(&chosen[shots..]);
            support_labels.extend(vec![way; shots]);
            query_labels.extend(vec![way; each - shots]);
        }
        let images = |indices: &[usize]| pool.samples.subset(indices).features.dense().map(T::of);
        Episode {
            support: images(&support),
            support_labels,
            query: images(&query),
            query_labels,
        }
    }
}

/// What the tasks share beside x.
#[derive(Clone)]
struct Shared {
    net: Mlp,
    ways: usize,
    features: usize,
}

impl Shared {
    /// φ of images in columns: `features × n`.
    fn represent<'r, T: Real>(&self, x: Var<'r, T>, images: &DMatrix<T>) -> Var<'r, T> {
        let parameters = x.slice(0, self.net.layout().len());
        self.net.scores(parameters, x.matrix(images)).tanh()
    }

    /// The head of the k-th task of a batch.
    fn head<'r, T: Real>(&self, y: Var<'r, T>, k: usize) -> Var<'r, T> {
        let block = self.ways * self.features;
        y.slice(k * block, block).reshape(self.ways, self.features)
    }

    fn lower<T: Real>(&self, tasks: Vec<Episode<T>>) -> impl Sampled<T> + 'static {
        let shared = self.clone();
        sampled(
            tasks.len(),
            move |x: Var<'_, T>, y: Var<'_, T>, batch: &[usize]| {
                let ridge = x.at(shared.net.layout().len()).exp() * T::of(0.5);
                let terms = batch.iter().enumerate().map(|(k, t)| {
                    let (head, task) = (shared.head(y, k), &tasks[*t]);
                    let labels = &task.support_labels;
                    let targets = DMatrix::from_fn(shared.ways, labels.len(), |c, i| {
                        T::of(f64::from(u8::from(labels[i] == c)))
                    });
                    let scores = head.matmul(shared.represent(x, &task.support));
                    let errors = (scores - &targets).norm_squared();
                    errors * T::of(0.5 / labels.len() as f64) + ridge * head.norm_squared()
                });
                Var::sum_of(terms) / T::of(batch.len() as f64)
            },
        )
    }

    fn upper<T: Real>(&self, tasks: Vec<Episode<T>>) -> impl Sampled<T> + 'static {
        let shared = self.clone();
        sampled(
            tasks.len(),
            move |x: Var<'_, T>, y: Var<'_, T>, batch: &[usize]| {
                let scale = x.at(shared.net.layout().len() + 1).exp();
                let terms = batch.iter().enumerate().map(|(k, t)| {
                    let task = &tasks[*t];
                    let scores = shared.head(y, k).matmul(shared.represent(x, &task.query));
                    let labels = task.query_labels.iter().enumerate();
                    let places: Vec<usize> = labels.map(|(i, c)| i * shared.ways + c).collect();
                    let logs = (scores * scale).log_softmax();
                    -logs.reshape(logs.len(), 1).gather(&places).mean()
                });
                Var::sum_of(terms) / T::of(batch.len() as f64)
            },
        )
    }

    fn accuracy<T: Real>(&self, name: &'static str, tasks: Vec<Episode<T>>) -> Metric<T> {
        let shared = self.clone();
        Metric::percent(name, move |x, y| {
            let (ways, features) = (shared.ways, shared.features);
            let parameters = &x.as_slice()[..shared.net.layout().len()];
            let heads = y.as_slice().chunks_exact(ways * features);
            let (mut right, mut all) = (0, 0);
            for (head, task) in heads.zip(&tasks) {
                let head = DMatrix::from_column_slice(ways, features, head);
                let represented = shared.net.evaluate(parameters, &task.query);
                let scores = head * represented.map(|v| T::of(v.f64().tanh()));
                for (column, label) in scores.column_iter().zip(&task.query_labels) {
                    let best = (0..ways).all(|c| c == *label || column[c] < column[*label]);
                    right += usize::from(best);
                    all += 1;
                }
            }
            100.0 * right as f64 / all as f64
        })
    }
}
