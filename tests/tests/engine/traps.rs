//! Lower levels that a start keeps at a stationary point by symmetry: networks from weights that are alike.

use autodiff::{Objective, Real, Var, objective};
use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;
use solvers::catalogue::{Place, Settings, method, methods};
use solvers::{
    Aid, AidStep, Bda, Bilevel, Estimate, Exact, InnerStep, Itd, Status, Strategy as Hypergradient,
    linear,
};

#[derive(Clone, Copy, Debug)]
enum Activation {
    Tanh,
    Sigmoid,
    Softplus,
    Silu,
}

/// A network of one hidden layer on thirty samples, its weights, then those of its output and their
/// constant, and a decay eˣ.
#[derive(Clone, Debug)]
struct Network {
    samples: DMatrix<f64>,
    targets: DVector<f64>,
    hidden: usize,
    activation: Activation,
}

impl Network {
    fn new(inputs: usize, hidden: usize, activation: Activation) -> Self {
        let samples = DMatrix::from_fn(30, inputs, |i, j| ((i * 7 + j * 13) as f64 * 0.7).sin());
        let targets = DVector::from_fn(30, |i, _| samples[(i, 0)] * samples[(i, inputs - 1)] + 0.3);
        Network {
            samples,
            targets,
            hidden,
            activation,
        }
    }

    fn dim_y(&self) -> usize {
        (self.samples.ncols() + 1) * self.hidden + 1
    }

    fn loss<'r, T: Real>(&self, y: Var<'r, T>) -> Var<'r, T> {
        let (inputs, hidden) = (self.samples.ncols(), self.hidden);
        let weights = y.slice(0, inputs * hidden).reshape(inputs, hidden);
        let sums = &self.samples.map(T::of) * weights;
        let features = match self.activation {
            Activation::Tanh => sums.tanh(),
            Activation::Sigmoid => sums.sigmoid(),
            Activation::Softplus => sums.softplus(),
            Activation::Silu => sums.silu(),
        };
        let out = features.matmul(y.slice(inputs * hidden, hidden)) + y.at(y.len() - 1);
        (out - &self.targets.map(T::of)).norm_squared() / T::of(30.0)
    }

    fn lower<T: Real>(&self) -> impl Objective<T> + 'static {
        let net = self.clone();
        objective(move |x: Var<T>, y: Var<T>| net.loss(y) + x.exp().sum() * y.norm_squared())
    }

    fn problem<T: Real>(&self, start: f64) -> Bilevel<T> {
        let net = self.clone();
        let upper = objective(move |_x: Var<T>, y: Var<T>| net.loss(y));
        Bilevel::new(upper, self.lower(), 1, self.dim_y())
            .expect("a valid problem")
            .starting_from(DVector::from_element(self.dim_y(), T::of(start)))
    }

    /// The least eigenvalue of g's Hessian as a part of the largest.
    fn least(&self, x: f64, y: &DVector<f64>) -> f64 {
        let n = self.dim_y();
        let mut point = self.lower::<f64>().record(1, n).point();
        point.linearise(&[&[x], y.as_slice()]);
        let hessian = DMatrix::from_fn(n, n, |_, _| 0.0);
        let columns = (0..n).map(|j| {
            let mut e = DVector::zeros(n);
            e[j] = 1.0;
            point.second(&[None, Some(e.as_slice())]);
            DVector::from_column_slice(point.product(1))
        });
        let hessian = columns.enumerate().fold(hessian, |mut h, (j, column)| {
            h.set_column(j, &column);
            h
        });
        let values = hessian.symmetric_eigenvalues();
        values.min() / values.amax()
    }
}

fn all<T: Real>() -> Vec<Box<dyn Hypergradient<T>>> {
    vec![
        Box::new(Aid::cg()),
        Box::new(Aid::direct()),
        Box::new(Exact),
        Box::new(AidStep::new(InnerStep::GradientDescent)),
        Box::new(Itd::reverse(300)),
        Box::new(Bda::new(300)),
    ]
}

/// Where a strategy ended, and the least curvature there.
fn looked<T: Real>(
    net: &Network,
    start: f64,
    x: f64,
    by: &dyn Hypergradient<T>,
) -> (f64, Estimate<T>) {
    let problem = net.problem(start);
    let estimate = by
        .hypergradient(
            &problem,
            &DVector::from_element(1, T::of(x)),
            &mut problem.workspace(),
        )
        .expect("a strategy that takes it");
    (net.least(x, &estimate.y.map(T::f64)), estimate)
}

/// A least curvature below −`clear` is told, and one above `none` is not.
fn told_where_it_is<T: Real>(
    net: &Network,
    start: f64,
    x: f64,
    [clear, none]: [f64; 2],
) -> Result<(), TestCaseError> {
    for by in all::<T>() {
        let (least, estimate) = looked(net, start, x, &*by);
        let (name, status) = (by.name(), &estimate.status);
        // On its way, a loop says that it is on it.
        if least < -clear && estimate.warnings.is_empty() {
            prop_assert!(!status.is_success(), "{name}: {status}, least {least:e}");
        }
        let told = matches!(status, Status::NegativeCurvature { .. });
        prop_assert!(!(told && least > none), "{name}: {status}, least {least:e}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Where the weights began alike and g goes down beside the end, no strategy answers without a word;
    /// where it does not, none speaks of negative curvature.
    #[test]
    fn networks_that_began_alike_are_told(
        inputs in 1_usize..4,
        hidden in 2_usize..12,
        activation in prop_oneof![
            Just(Activation::Tanh),
            Just(Activation::Sigmoid),
            Just(Activation::Softplus),
            Just(Activation::Silu),
        ],
        start in prop_oneof![Just(0.0), Just(0.1), Just(-0.5)],
        x in -7.0..-1.0_f64,
    ) {
        let net = Network::new(inputs, hidden, activation);
        told_where_it_is::<f64>(&net, start, x, [1e-3, 1e-4])?;
        told_where_it_is::<f32>(&net, start, x, [2e-3, 1e-4])?;
    }
}

/// The usual start of y is 0: there a network of tanh keeps its weights, at any size.
#[test]
fn a_network_from_zeros_is_no_success_at_any_size() {
    fn told<T: Real>() {
        for hidden in [2, 5, 10, 40] {
            let net = Network::new(2, hidden, Activation::Tanh);
            let minres = Box::new(Aid::with(linear::Minres::default()));
            for by in all::<T>().into_iter().chain([minres as Box<_>]) {
                let (least, estimate) = looked(&net, 0.0, -5.0, &*by);
                assert!(least < -1e-3, "{least}");
                let told = matches!(estimate.status, Status::NegativeCurvature { .. });
                assert!(told, "{} with {hidden}: {}", by.name(), estimate.status);
            }
        }
    }
    told::<f64>();
    told::<f32>();
}

/// Entries that no sample has stay where they were, held by their ridge each: a few gradients tell it.
#[test]
fn features_that_no_sample_has_are_no_trap() {
    let samples = DMatrix::from_fn(20, 40, |i, j| match j % 2 {
        0 => ((i * 5 + j * 3) as f64).sin(),
        _ => 0.0,
    });
    let lower = objective(move |x: Var, y: Var| {
        let fit = (&samples * y - 1.0).norm_squared();
        fit / 20.0 + x.exp().dot(y.square())
    });
    let upper = objective(|_x: Var, y: Var| (y - 0.1).norm_squared());
    let problem = Bilevel::new(upper, lower, 40, 40).expect("a valid problem");
    let x = DVector::from_fn(40, |j, _| -2.0 + 0.05 * j as f64);
    for by in all() {
        let estimate = by
            .hypergradient(&problem, &x, &mut problem.workspace())
            .expect("a strategy that takes it");
        assert!(
            estimate.status.is_success(),
            "{}: {}",
            by.name(),
            estimate.status
        );
    }
}

/// The status that a few iterations of each method end with, by its name.
fn ends(problem: &Bilevel<f64>, x: &DVector<f64>) -> Vec<(String, Status)> {
    let settings = Settings {
        iterations: Some(4),
        depth: Some(50),
        ..Settings::NONE
    };
    let rows = methods::<f64>().into_iter().flat_map(|entry| entry.rows);
    let plain = rows.map(|row| row.name).filter(|name| !name.contains(':'));
    let run = |name: &'static str| {
        let method = method::<f64>(name, &settings, &Place::default()).ok()?;
        let mut run = method.begin(problem, x.clone()).ok()?;
        let last = run.finish().last.expect("an iteration at least");
        Some((name.to_owned(), last.status))
    };
    plain.filter_map(run).collect()
}

/// No method promises a minimiser, but each that keeps y where no training ends says so at the end.
#[test]
fn no_run_ends_in_a_trap_without_a_word() {
    let net = Network::new(2, 5, Activation::Tanh);
    let ends = ends(&net.problem(0.0), &DVector::from_element(1, -5.0));
    assert!(ends.len() > 30, "{ends:?}");
    for (name, status) in &ends {
        assert!(!status.is_success(), "{name}: {status}");
    }
    let told = |(_, status): &&(String, Status)| matches!(status, Status::NegativeCurvature { .. });
    assert!(ends.iter().filter(told).count() > 25, "{ends:?}");
}

/// What a start of zeros leaves alike in a convex lower level is no trap to any method.
#[test]
fn no_run_of_a_convex_lower_level_is_told_of_a_trap() {
    let lower = objective(|x: Var, y: Var| {
        (y.slice(0, 20) - 1.0).norm_squared() + x.exp().sum() * y.norm_squared()
    });
    let upper = objective(|_x: Var, y: Var| (y - 0.1).norm_squared());
    let problem = Bilevel::new(upper, lower, 1, 30).expect("a valid problem");
    let ends = ends(&problem, &DVector::from_element(1, -1.0));
    assert!(ends.len() > 30, "{ends:?}");
    for (name, status) in &ends {
        let told = matches!(status, Status::NegativeCurvature { .. });
        assert!(!told, "{name}: {status}");
    }
}
