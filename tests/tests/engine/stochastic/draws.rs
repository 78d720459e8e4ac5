//! Streams of batches, and batches of objectives.

use autodiff::{Var, objective, sampled};
use models::{closed_form, data, hyper_cleaning, logistic};
use nalgebra::dvector;
use solvers::sampling::{DrawRule, Draws, Sampling};
use solvers::{
    Aid, Bilevel, Estimator, Itd, Method, Outer, ProblemError, Schedule, Soba, Strategy,
};

use super::{exact, noisy};

#[test]
fn an_epoch_holds_every_sample_once_and_resumes_anywhere() {
    for (n, batch) in [(1, 1), (7, 3), (8, 4), (5, 5)] {
        for rule in [
            DrawRule::Epochs,
            DrawRule::Blocks,
            DrawRule::WithReplacement,
        ] {
            let draws = || Draws::new(rule, n, batch, 3, Draws::LOWER);
            let mut stream = draws();
            let mut seen = Vec::new();
            for _ in 0..3 * n.div_ceil(batch) {
                let mut resumed = draws();
                resumed.skip_to(stream.drawn());
                let expected = resumed.next_batch().to_vec();
                let drawn = stream.next_batch().to_vec();
                assert_eq!(drawn, expected, "{rule:?} {n} {batch}");
                assert!(drawn.is_sorted() && drawn.iter().all(|i| *i < n));
                seen.extend(drawn);
            }
            // Blocks of which the last is shorter have a test of their own.
            let whole = rule == DrawRule::Epochs || rule == DrawRule::Blocks && n % batch == 0;
            if whole {
                for epoch in seen.chunks(n) {
                    let mut epoch = epoch.to_vec();
                    epoch.sort_unstable();
                    assert_eq!(epoch, (0..n).collect::<Vec<_>>());
                }
            }
        }
    }
}

#[test]
fn draws_are_uniform_and_levels_have_their_own_streams() {
    // 4000 draws of 10: a count is 400 ± 19; five deviations.
    for rule in [DrawRule::Epochs, DrawRule::WithReplacement] {
        let mut counts = [0; 10];
        let mut stream = Draws::new(rule, 10, 3, 0, Draws::UPPER);
        while stream.drawn() < 4000 {
            stream.next_batch().iter().for_each(|i| counts[*i] += 1);
        }
        assert!(counts.iter().all(|c| (305..500).contains(c)), "{counts:?}");
    }
    let first = |stream, seed| {
        let mut draws = Draws::new(DrawRule::WithReplacement, 1000, 8, seed, stream);
        draws.next_batch().to_vec()
    };
    assert_ne!(first(Draws::UPPER, 0), first(Draws::LOWER, 0));
    assert_ne!(first(Draws::UPPER, 0), first(Draws::UPPER, 1));
    assert_eq!(first(Draws::UPPER, 1), first(Draws::UPPER, 1));
}

#[test]
fn blocks_are_neighbours_in_another_order_each_epoch() {
    let mut draws = Draws::new(DrawRule::Blocks, 11, 3, 0, Draws::LOWER);
    let (mut orders, mut rests) = (Vec::new(), 0);
    let mut epoch = Vec::new();
    // What each sample weighs in the means over batches.
    let mut weights = [0.0; 11];
    for _ in 0..20_000 {
        let batch = draws.next_batch().to_vec();
        let (first, len) = (batch[0], if batch[0] == 9 { 2 } else { 3 });
        assert_eq!(batch, Vec::from_iter(first..first + len));
        batch.iter().for_each(|i| weights[*i] += 1.0 / len as f64);
        if first == 9 {
            rests += 1;
        } else {
            epoch.push(first);
        }
        if epoch.len() == 3 {
            orders.push(std::mem::take(&mut epoch));
        }
    }
    for order in &orders {
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, [0, 3, 6]);
    }
    assert!(orders.iter().any(|order| *order != orders[0]));
    // The shorter one in two of three epochs, some 5450 of them: five deviations of 35.
    let share = f64::from(rests) / orders.len() as f64;
    assert!((share - 2.0 / 3.0).abs() < 0.032, "{share}");
    let full = weights[0];
    for (i, weight) in weights.iter().enumerate() {
        assert!(
            (weight / full - 1.0).abs() < 0.048,
            "{i}: {weight} of {full}"
        );
    }
    // Resumed anywhere, the same goes on.
    let mut whole = Draws::new(DrawRule::Blocks, 11, 3, 0, Draws::LOWER);
    for _ in 0..50 {
        let mut resumed = Draws::new(DrawRule::Blocks, 11, 3, 0, Draws::LOWER);
        resumed.skip_to(whole.drawn());
        let next = whole.next_batch().to_vec();
        assert_eq!(resumed.next_batch(), next);
    }
}

#[test]
fn the_stream_is_the_documented_one() {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{Rng, SeedableRng};
    // Of few samples many are drawn twice.
    for (n, batch) in [(37, 1), (37, 2), (37, 37), (1000, 64)] {
        let mut rng = ChaCha8Rng::seed_from_u64(9);
        rng.set_stream(Draws::LOWER);
        let mut draws = Draws::new(DrawRule::WithReplacement, n, batch, 9, Draws::LOWER);
        for _ in 0..20 {
            let index = |word: u64| ((n as u128 * u128::from(word)) >> 64) as usize;
            let mut want = Vec::from_iter((0..batch).map(|_| index(rng.next_u64())));
            want.sort_unstable();
            assert_eq!(draws.next_batch(), want, "{batch} of {n}");
        }
    }
}

#[test]
fn the_batches_of_an_epoch_are_the_documented_ones_wherever_they_are_cut() {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{Rng, SeedableRng};
    let orders = |n: usize, epochs: usize| {
        let mut rng = ChaCha8Rng::seed_from_u64(9);
        rng.set_stream(Draws::UPPER);
        let order = move |epoch: usize| {
            rng.set_word_pos(2 * (epoch * n) as u128);
            let mut order: Vec<usize> = (0..n).collect();
            for i in (1..n).rev() {
                let word = u128::from(rng.next_u64());
                order.swap(i, (((i + 1) as u128 * word) >> 64) as usize);
            }
            order
        };
        Vec::from_iter((0..epochs).map(order))
    };
    for (n, batch) in [(1, 1), (9, 1), (9, 2), (12, 4), (300, 64), (300, 300)] {
        let orders = orders(n, 3);
        // From where an epoch begins, and from a place that is no batch's.
        for first in [0, n, n + 1, 2 * n - 1] {
            let mut draws = Draws::new(DrawRule::Epochs, n, batch, 9, Draws::UPPER);
            draws.skip_to(first as u64);
            let mut place = first;
            while place < 3 * n {
                let order = &orders[place / n];
                let end = (place % n + batch).min(n);
                let mut want = order[place % n..end].to_vec();
                want.sort_unstable();
                assert_eq!(draws.next_batch(), want, "{batch} of {n} at {place}");
                place += want.len();
            }
        }
    }
}

#[test]
fn batches_that_cannot_be_drawn_are_refused_before_any_work() {
    let rule = Soba::new(Estimator::Plain, Schedule::Constant(0.1), 1.0);
    let refusal = |problem: &Bilevel<f64>, sampling: Sampling| {
        let method = Outer::new(rule, 5).sampling(sampling);
        let refused = method.begin(problem, dvector![0.0]).err();
        refused.map(|e| e.to_string()).unwrap_or_default()
    };
    let sampling = Sampling::new(0);
    let problem = noisy();
    assert_eq!(
        refusal(&problem, sampling.batches(0, 1)),
        "soba: batch of 0: the upper objective has 5 samples, expected 1 to 5"
    );
    assert_eq!(
        refusal(&problem, sampling.batches(5, 6)),
        "soba: batch of 6: the lower objective has 4 samples, expected 1 to 4"
    );
    assert_eq!(
        refusal(&exact(), sampling.batches(2, 1)),
        "soba: batch of 2: the upper objective has 1 sample, expected 1"
    );
    assert_eq!(refusal(&problem, sampling.batches(5, 4)), "");

    let none = sampled(0, |_: Var, y: Var, _: &[usize]| y.norm_squared());
    let lower = objective(|x: Var, y: Var| 0.5 * (y - x).norm_squared());
    assert_eq!(
        Bilevel::sampled(none, lower, 1, 1).err(),
        Some(ProblemError::NoSamples { level: "upper" })
    );
}

#[test]
fn every_strategy_runs_on_the_means_over_all_samples() {
    let (noisy, exact) = (noisy(), exact());
    let strategies: [&dyn Strategy<f64>; 2] = [&Itd::reverse(30).step(0.5), &Aid::cg()];
    for strategy in strategies {
        let at = |problem: &Bilevel<f64>| {
            let mut work = problem.workspace();
            let x = dvector![0.3];
            strategy.hypergradient(problem, &x, &mut work).unwrap()
        };
        super::close(
            at(&noisy).hypergradient[0],
            at(&exact).hypergradient[0],
            1e-12,
        );
    }
}

/// The mean of the gradients of disjoint batches of one size is the gradient of the whole.
#[test]
fn batches_of_the_models_average_to_the_whole() {
    let mut digits = data::digits_parity(0);
    let mut cleaning = data::digits_cleaning(0, 0.5).0;
    for splits in [&mut digits, &mut cleaning] {
        for samples in [&mut splits.train, &mut splits.valid] {
            samples.features = samples.features.dense().columns(0, 12).into_owned().into();
            samples.labels.truncate(12);
        }
        splits.test = None;
    }
    let tasks = [
        logistic::<f64>(digits).unwrap(),
        hyper_cleaning(cleaning, None, Default::default()).unwrap(),
        models::stability::ridge_prior(12, 1, None),
        models::stability::orthogonal_map(12, 1, None),
        models::data_selection(12, 1, None),
    ];
    for task in tasks {
        let problem = &task.bilevel;
        let [upper, lower] = problem.means().expect("means over samples");
        let (dim_x, dim_y) = (problem.dim_x(), problem.dim_y());
        let x: Vec<f64> = (0..dim_x).map(|i| 0.3 * (i as f64).cos()).collect();
        let y: Vec<f64> = (0..dim_y).map(|i| 0.2 * (2.0 * i as f64).sin()).collect();
        let levels = [(upper, problem.upper()), (lower, problem.lower())];
        for (mean, whole) in levels {
            let n = mean.samples();
            let mut point = whole.point();
            let value = point.linearise(&[&x, &y]);
            let batches: Vec<usize> = (0..n).collect();
            let (mut total, mut gradient) = (0.0, vec![0.0; dim_y]);
            let parts = if n % 4 == 0 { 4 } else { 5 };
            for batch in batches.chunks(n / parts) {
                let mut part = mean.program(dim_x, dim_y, batch).point();
                total += part.linearise(&[&x, &y]) / parts as f64;
                for (sum, d) in gradient.iter_mut().zip(part.gradient(1)) {
                    *sum += d / parts as f64;
                }
            }
            super::close(total, value, 1e-12 * value.abs().max(1.0));
            for (got, want) in gradient.iter().zip(point.gradient(1)) {
                super::close(*got, *want, 1e-12);
            }
        }
    }
    assert!(closed_form::scalar::<f64>().bilevel.means().is_none());
}

#[test]
fn a_level_without_samples_is_whole_beside_one_that_draws() {
    let upper = objective(|_: Var, y: Var| y.norm_squared());
    let lower = sampled(4, |x: Var, y: Var, batch: &[usize]| {
        (y - x).norm_squared() * batch.iter().sum::<usize>() as f64 / batch.len() as f64
    });
    let problem = Bilevel::sampled(upper, lower, 1, 1).expect("a problem");
    assert_eq!(Sampling::new(0).batches(3, 3).batch(&problem), (1, 3));
    assert_eq!(Sampling::whole().batch(&problem), (1, 4));
    let rule = Soba::new(Estimator::Plain, Schedule::Constant(0.1), 1.0);
    let method = Outer::new(rule, 5).sampling(Sampling::new(0).batches(3, 3));
    assert!(method.begin(&problem, dvector![0.0]).is_ok());
}

/// Swapping a sample changes that one alone.
#[test]
fn toys_differ_in_the_swapped_sample_alone() {
    for make in [
        models::stability::ridge_prior::<f64>,
        models::data_selection,
    ] {
        let [this, other, larger] =
            [(6, None), (6, Some(2)), (9, None)].map(|(n, swapped)| make(n, 3, swapped));
        let (dim_x, dim_y) = (this.bilevel.dim_x(), this.bilevel.dim_y());
        let x: Vec<f64> = (0..dim_x).map(|i| 0.5 + 0.3 * (i as f64).cos()).collect();
        let y: Vec<f64> = (0..dim_y).map(|i| 0.8 * (2.0 * i as f64).sin()).collect();
        let value = |task: &models::Task<f64>, sample: usize| {
            let [upper, _] = task.bilevel.means().unwrap();
            let program = upper.program(dim_x, dim_y, &[sample]);
            program.point().value(&[&x, &y])
        };
        for sample in 0..6 {
            let same = value(&this, sample) == value(&other, sample);
            assert_eq!(same, sample != 2, "{} {sample}", this.name);
            assert_eq!(value(&this, sample), value(&larger, sample));
        }
        let lower = |task: &models::Task<f64>| task.bilevel.lower().point().value(&[&x, &y]);
        assert_eq!(lower(&this), lower(&other));
    }
}

/// Half of the labels are drawn from all ten classes, so that about nine in twenty are wrong; a weight
/// says what its own sample counts.
#[test]
fn half_of_the_labels_to_select_from_are_drawn() {
    let task = models::data_selection::<f64>(5, 4, None);
    let [_, lower] = task.bilevel.means().unwrap();
    let (dim_x, dim_y) = (task.bilevel.dim_x(), task.bilevel.dim_y());
    assert_eq!((lower.samples(), dim_x), (500, 500));
    let digits = models::data::digits_shuffled(4);
    let mut kept = 0;
    for sample in 0..dim_x {
        // The class of this label alone has a larger score: the loss is ln(9 + e) − 1 if it is given.
        let mut y = vec![0.0; dim_y];
        let class = digits.labels[sample] as usize;
        let features = digits.features.dense().column(sample).into_owned();
        let scale = 1.0 / features.norm_squared();
        for (j, feature) in features.iter().enumerate() {
            y[class * features.len() + j] = scale * feature;
        }
        let mut x = vec![0.0; dim_x];
        x[sample] = 1.0;
        let mut point = lower.program(dim_x, dim_y, &[sample]).point();
        let penalty = 0.001 * y.iter().map(|w| w * w).sum::<f64>();
        let loss = point.value(&[&x, &y]) - penalty;
        let right = (9.0 + 1f64.exp()).ln() - 1.0;
        let given = (loss - right).abs() < 1e-9;
        assert!(given || (loss - right - 1.0).abs() < 1e-9, "{loss}");
        kept += usize::from(given);
        super::close(point.value(&[&vec![0.0; dim_x], &y]), penalty, 1e-12);
    }
    assert!(
        (260..=290).contains(&kept),
        "{kept} of 500 labels are right"
    );
}
