//! The support vector machine under budgets of slack, beside another program's and by its own equations.

use autodiff::assert_checked;
use autodiff::check::{Check, Rung};
use models::catalogue::{Source, named};
use models::data::{Samples, Splits};
use models::{Task, constrained_svm};
use nalgebra::{DMatrix, DVector, dvector};
use solvers::{Aid, Estimate, Kkt, Layer, Row, Status, Strategy};

/// Three features of so many samples from the `first` on, labelled by a line and waves of this height.
fn waves(first: usize, count: usize, height: f64) -> Samples {
    let a = |i: usize, j: usize| (0.9 * ((i + 1) * (j + 1)) as f64 + j as f64).sin();
    let label = |i: usize| a(i, 0) + 0.5 * a(i, 1) + height * (3.0 * i as f64).cos() + 0.2;
    let places = first..first + count;
    Samples {
        labels: places.map(|i| label(i).signum()).collect(),
        features: DMatrix::from_fn(3, count, |j, i| a(first + i, j)).into(),
    }
}

/// Sixteen samples that no line separates.
fn task() -> Task<f64> {
    constrained_svm(Splits {
        train: waves(0, 16, 1.0),
        valid: waves(100, 6, 0.0),
        test: None,
        source: "waves".into(),
    })
    .expect("two classes")
}

fn at(task: &Task<f64>, x: &DVector<f64>) -> Estimate<f64> {
    let mut work = task.bilevel.workspace();
    Kkt::new()
        .hypergradient(&task.bilevel, x, &mut work)
        .expect("it suits")
}

/// By `benches/peers/constrained_svm.py`: the active set is SLSQP's, and its equations are solved in 60
/// digits, in which the differences of F are taken.
#[test]
fn the_solution_is_that_of_another_program_and_so_are_its_differences() {
    let task = task();
    for (budgets, w, prices, upper, by) in [
        (
            [0.5, 0.7],
            [
                0.58951457738162,
                0.36899718323363,
                -0.057043357017512,
                -0.05022297080997,
            ],
            [0.60867537844952, 0.60867537844952],
            0.48518224562929,
            [0.10620966212638, 0.15943461408438],
        ),
        (
            [0.75, 0.25],
            [
                0.74257571982938,
                0.47139718447936,
                0.045278110138005,
                0.31299770319306,
            ],
            [0.80716897166471, 0.9331084084321],
            0.465004679764,
            [0.14009361200793, 0.00043252170547378],
        ),
        (
            [0.45, 0.35],
            [
                0.85826060739818,
                0.65609406468013,
                0.0070669586555013,
                0.12252533884404,
            ],
            [2.2939824672895, 1.5168363752448],
            0.41589302988939,
            [0.46087081799696, 0.15383072427256],
        ),
    ] {
        let x = DVector::from_iterator(2, budgets.map(f64::ln));
        let estimate = at(&task, &x);
        assert_eq!(estimate.status, Status::Converged, "{estimate}");
        assert!(estimate.warnings.is_empty(), "{:?}", estimate.warnings);
        let near = |found: f64, want: f64, what: &str| {
            let error = (found - want).abs();
            assert!(error < 1e-12, "{what} of {budgets:?}: {found} {want}");
        };
        (0..4).for_each(|j| near(estimate.y[j], w[j], "w"));
        let last = estimate.multipliers.len() - 2;
        (0..2).for_each(|k| near(estimate.multipliers[last + k], prices[k], "a price"));
        near(estimate.upper, upper, "F");
        (0..2).for_each(|k| near(estimate.hypergradient[k], by[k], "the hypergradient"));

        let value = |x: &[f64]| at(&task, &DVector::from_column_slice(x)).upper;
        let by = estimate.hypergradient.as_slice().to_vec();
        let check = Check::new().seed(5).rungs(&[Rung::Differences]);
        assert_checked!(check.gradient(value, |_| by.clone(), x.as_slice()));
    }
}

/// w = Σ α_i t_i a_i and Σ α_i t_i = 0, with α_i between 0 and the cost of the class, and at its ends where
/// the sample is beyond its margin and where it has slack: the soft-margin machine's own conditions.
fn assert_is_a_soft_margin_machine(task: &Task<f64>, train: &Samples, x: &DVector<f64>) {
    let estimate = at(task, x);
    assert!(estimate.status.is_success(), "{estimate}");
    let (d, n) = (train.dim(), train.len());
    let (y, prices) = (&estimate.y, &estimate.multipliers[2 * n..]);
    let (mut w, mut balance, mut slack) = (DVector::zeros(d), 0.0, [0.0, 0.0]);
    let count = |t: f64| train.labels.iter().filter(|l| **l == t).count() as f64;
    let scale = prices[0].max(prices[1]);
    for (i, t) in train.labels.iter().enumerate() {
        let a = train.features.dense().column(i);
        let (alpha, xi) = (estimate.multipliers[i], y[d + 1 + i]);
        let margin = t * (a.dot(&y.rows(0, d)) + y[d]);
        let cost = prices[usize::from(*t > 0.0)] / count(*t);
        let tiny = 1e-9 * scale;
        assert!(
            -tiny <= alpha && alpha <= cost + tiny,
            "{i}: {alpha} {cost}"
        );
        assert!(
            (xi - (1.0 - margin).max(0.0)).abs() < 1e-8,
            "{i}: {xi} {margin}"
        );
        assert!(alpha * (margin - 1.0).max(0.0) < 1e-8 * scale, "{i}");
        assert!((cost - alpha) * xi < 1e-8 * scale, "{i}");
        w += a * (alpha * t);
        balance += alpha * t;
        slack[usize::from(*t > 0.0)] += xi / count(*t);
    }
    assert!((w - y.rows(0, d)).norm() < 1e-8 * y.rows(0, d).norm());
    assert!(balance.abs() < 1e-9 * scale);
    for k in 0..2 {
        assert!((slack[k] - x[k].exp()).abs() < 1e-9, "{k}: {}", slack[k]);
    }
}

#[test]
fn the_multipliers_are_the_prices_of_slack() {
    for x in [dvector![-0.5, -0.7], dvector![-1.0, -0.2]] {
        assert_is_a_soft_margin_machine(&task(), &waves(0, 16, 1.0), &x);
    }
    let digits = named("constrained-svm").expect("a problem");
    let digits = digits.task::<f64>(&Source::default()).expect("digits");
    let mut train = models::data::digits_parity(0).train;
    train = train.subset(&(0..100).collect::<Vec<_>>());
    assert_is_a_soft_margin_machine(&digits, &train, &digits.x);
}

/// The least budget that both classes can keep here is 0.2811364, by a linear program of SciPy's.
#[test]
fn budgets_that_no_machine_keeps_are_told() {
    let task = task();
    let both = |budget: f64| at(&task, &DVector::from_element(2, budget.ln())).status;
    assert_eq!(both(0.2812), Status::Converged);
    assert!(
        matches!(both(0.2811), Status::Infeasible { .. }),
        "{}",
        both(0.2811)
    );
    // Two budgets of 2 in sum ask for nothing: w = 0, and the rest is free.
    assert!(!both(1.001).is_success());
    let refused = Aid::cg().hypergradient(&task.bilevel, &task.x, &mut task.bilevel.workspace());
    let line = refused.expect_err("constraints").to_string();
    assert!(line.contains("expected kkt or exact"), "{line}");
}

/// Whatever the samples are, the start keeps its budgets: of one feature, of another scale, far away, of
/// classes that lie in each other.
#[test]
fn the_start_is_within_reach_of_any_two_classes() {
    let moved = |scale: f64, by: f64| {
        let mut of = waves(0, 16, 1.0);
        of.features = of.features.dense().map(|a| scale * a + by).into();
        of
    };
    let mut one = waves(3, 20, 2.0);
    one.features = one.features.dense().rows(0, 1).into_owned().into();
    for train in [
        moved(1.0, 0.0),
        moved(1e3, 0.0),
        moved(1e-3, 0.0),
        moved(1.0, 30.0),
        one,
    ] {
        let [samples, valid] = [train.clone(), train.clone()];
        let (test, source) = (Some(train.clone()), "test".into());
        let task = constrained_svm::<f64>(Splits {
            train,
            valid,
            test,
            source,
        })
        .expect("classes");
        assert!(task.x[0] < 0.0 && task.x[0] == task.x[1], "{}", task.x);
        let (least, most) = task
            .bounds
            .expect("two budgets of 2 in sum ask for nothing");
        assert!(least < task.x[0] && task.x[0] < most && most < 0.0);
        let estimate = at(&task, &task.x);
        assert!(estimate.status.is_success(), "{estimate}");
        assert!(estimate.hypergradient.norm() > 0.0, "{estimate}");
        // Every sample has slack there: w is the difference of the means, times the price of both.
        let features = samples.features.dense();
        let mean = |t: f64| {
            let of = (0..samples.len()).filter(|i| samples.labels[*i] == t);
            let count = of.clone().count() as f64;
            of.fold(DVector::zeros(samples.dim()), |sum, i| {
                sum + features.column(i) / count
            })
        };
        let last = estimate.multipliers.len() - 2;
        let prices = &estimate.multipliers[last..];
        assert!((prices[0] / prices[1] - 1.0).abs() < 1e-8, "{prices:?}");
        let w = estimate.y.rows(0, samples.dim()).into_owned();
        let want = (mean(1.0) - mean(-1.0)) * prices[0];
        assert!((&w - &want).norm() < 1e-8 * want.norm());
        let scores = features.tr_mul(&w).add_scalar(estimate.y[samples.dim()]);
        assert!((scores.amax() - 0.9).abs() < 1e-8, "{scores}");
        let right = scores.iter().zip(&samples.labels);
        let right = right.filter(|(score, t)| *score * *t > 0.0).count();
        let accuracy = task.measure(&task.x, &estimate.y)["test_accuracy"];
        assert_eq!(accuracy, 100.0 * right as f64 / samples.len() as f64);
    }
}

#[test]
fn the_solution_as_a_layer_has_the_jacobian_of_its_differences() {
    let task = task();
    let layer = Layer::of(&task.bilevel);
    let x = dvector![-0.5, -0.7];
    let mut work = layer.workspace();
    let mut row = Row::new(x.clone());
    row = row.cotangent(DVector::from_element(20, 1.0));
    let back = layer
        .call(&Kkt::new(), &mut row, &mut work)
        .expect("it suits");
    assert!(back.status.is_success(), "{back}");
    for k in 0..2 {
        let mut sum = |by: f64| {
            let mut x = x.clone();
            x[k] += by;
            layer
                .call(&Kkt::new(), &mut Row::new(x), &mut work)
                .expect("it suits")
                .y
                .sum()
        };
        let difference = (sum(1e-6) - sum(-1e-6)) / 2e-6;
        assert!((back.hypergradient[k] - difference).abs() < 1e-7, "{k}");
    }
}

#[test]
fn single_precision() {
    let splits = Splits {
        train: waves(0, 16, 1.0),
        valid: waves(100, 6, 0.0),
        test: None,
        source: "waves".into(),
    };
    let task = constrained_svm::<f32>(splits).expect("two classes");
    let x = dvector![-0.5f32, -0.7];
    let mut work = task.bilevel.workspace();
    let narrow = Kkt::new().hypergradient(&task.bilevel, &x, &mut work);
    let (narrow, wide) = (
        narrow.expect("it suits"),
        at(&self::task(), &x.map(f64::from)),
    );
    assert!(narrow.status.is_success(), "{narrow}");
    let error = (narrow.hypergradient.map(f64::from) - wide.hypergradient).norm();
    assert!(error < 1e-4, "{error:e}");
}
