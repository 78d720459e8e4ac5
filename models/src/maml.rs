//! A learned start of a few steps of training.

use autodiff::{Real, Var, objective};
use nalgebra::{DMatrix, DVector};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::catalogue::{Defaults, Entry, Size, make};
use crate::gaussian::Gaussian;
use crate::task::Task;

/// The sines of `maml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sines {
    /// Tasks.
    pub tasks: usize,
    /// Points that a network is trained on, and as many that it is judged by.
    pub shots: usize,
    /// Units of each of the two hidden layers.
    pub hidden: usize,
}

impl Default for Sines {
    /// 10 tasks of 10 points, 20 units.
    fn default() -> Self {
        Sines {
            tasks: 10,
            shots: 10,
            hidden: 20,
        }
    }
}

impl Sines {
    /// Entries of a network's parameters: two layers of tanh and one without.
    pub fn parameters(&self) -> usize {
        let h = self.hidden;
        2 * h + h * (h + 1) + h + 1
    }

    /// The network's values at points, one after the other.
    fn network<'r, T: Real>(&self, y: Var<'r, T>, points: &DMatrix<T>) -> Var<'r, T> {
        let h = self.hidden;
        let layer = |at: usize, len: usize| y.slice(at, len);
        let first = layer(0, h).matmul(y.matrix(points)) + layer(h, h);
        let at = 2 * h;
        let second = layer(at, h * h).reshape(h, h).matmul(first.tanh()) + layer(at + h * h, h);
        let at = at + h * h + h;
        layer(at, h).reshape(1, h).matmul(second.tanh()) + layer(at + h, 1)
    }

    /// The sum over tasks of the mean squared errors of their networks on these points.
    fn errors<'r, T: Real>(
        &self,
        y: Var<'r, T>,
        points: &[(DMatrix<T>, DMatrix<T>)],
    ) -> Var<'r, T> {
        let d = self.parameters();
        let errors = points.iter().enumerate().map(|(t, (at, values))| {
            let found = self.network(y.slice(t * d, d), at);
            (found - y.matrix(values)).norm_squared()
        });
        Var::sum_of(errors) * T::of(1.0 / self.shots as f64)
    }
}

/// Problem `maml`: each task is a sine `a sin(p + φ)` on [−5, 5] with a in [0.1, 5] and φ in [0, π];
/// a network of two hidden layers of tanh with parameters y_t is fitted to some points of it, and judged
/// by others. Lower = Σ_t mean squared error of task t on its points, upper = the mean over tasks of that
/// on the others, and all y_t start at x, the parameters of such a network, one after the other:
/// [`Bilevel::starting_at`](solvers::Bilevel::starting_at). So y is what a few steps of the strategy make
/// of x, and the hypergradient goes through them to the start.
///
/// # Panics
/// If a number is 0.
///
/// # Reference
/// C. Finn, P. Abbeel and S. Levine, Model-agnostic meta-learning for fast adaptation of deep
/// networks, ICML 2017, section 5.1.
#[track_caller]
#[inline(never)]
pub fn maml<T: Real>(sines: Sines, seed: u64) -> Task<T> {
    let Sines {
        tasks,
        shots,
        hidden,
    } = sines;
    assert!(
        ![tasks, shots, hidden].contains(&0),
        "{sines:?}: expected no number 0"
    );
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut draw = |low: f64, high: f64| low + (high - low) * rng.random::<f64>();
    let mut points = [Vec::new(), Vec::new()];
    for _ in 0..tasks {
        let (a, phase) = (draw(0.1, 5.0), draw(0.0, std::f64::consts::PI));
        for of in &mut points {
            let at: Vec<f64> = (0..shots).map(|_| draw(-5.0, 5.0)).collect();
            let values = at.iter().map(|p| T::of(a * (p + phase).sin()));
            let values = DMatrix::from_iterator(1, shots, values);
            of.push((DMatrix::from_fn(1, shots, |_, i| T::of(at[i])), values));
        }
    }
    let [fitted, judged] = points;
    let over = T::of(1.0 / tasks as f64);
    let upper = objective(move |_: Var<'_, T>, y: Var<'_, T>| sines.errors(y, &judged) * over);
    let lower = objective(move |_: Var<'_, T>, y: Var<'_, T>| sines.errors(y, &fitted));
    let mut numbers = Gaussian::new(seed, 1);
    let (h, d) = (hidden, sines.parameters());
    let x = DVector::from_fn(d, |i, _| {
        // Weights and biases layer by layer, biases 0.
        let fan_in = match i {
            i if i < h => 1.0,
            i if i >= 2 * h && i < 2 * h + h * h => h as f64,
            i if i >= 2 * h + h * h + h && i < d - 1 => h as f64,
            _ => return T::zero(),
        };
        T::of(numbers.draw() / f64::sqrt(fan_in))
    });
    let task = Task::plain("maml", upper, lower, x, tasks * d);
    Task {
        bilevel: task.bilevel.starting_at(move |x: Var<'_, T>| x.tile(tasks)),
        ..task
    }
}

/// The entry of [`maml`].
pub static MAML: Entry = Entry::new(
    "maml",
    "a learned start of a network's training on sines, task by task: itd through few steps",
    [
        "parameters that every task starts from",
        "parameters of each task's network, task by task",
    ],
    make!(|given| {
        let sines = match given.size {
            Size::Small => Sines {
                tasks: 2,
                shots: 3,
                hidden: 2,
            },
            _ => Sines::default(),
        };
        Ok(maml(sines, given.seed))
    }),
)
.defaults(Defaults::adam(0.001, 0.001).depth(5).lower_step(0.01));
