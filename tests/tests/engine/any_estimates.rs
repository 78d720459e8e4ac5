//! Estimates in any order from one workspace: a workspace changes no answer.

use autodiff::Real;
use autodiff::arbitrary::for_all;
use autodiff::bytes::Bytes;
use models::catalogue::{self, Entry};
use nalgebra::DVector;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use solvers::catalogue::{Settings, strategies, strategy};
use solvers::{At, Strategy as Hypergradient, Workspace};

use crate::ranks::filled;

/// A strategy by number, a point and a start: the problem's, or others around it.
#[derive(Clone, Copy, Debug)]
struct Ask {
    strategy: usize,
    x: usize,
    start: usize,
}

fn asks() -> impl Strategy<Value = Vec<Ask>> {
    let one = (any::<prop::sample::Index>(), 0usize..3, 0usize..3);
    let ask = one.prop_map(|(strategy, x, start)| Ask {
        strategy: strategy.index(1 << 16),
        x,
        start,
    });
    vec(ask, 1..8)
}

/// `base`, or another point near it.
fn around<T: Real>(base: &DVector<T>, which: usize) -> DVector<T> {
    let way = |i: usize| T::of(0.05 * which as f64 * (1.3 * i as f64 + which as f64).sin());
    DVector::from_fn(base.len(), |i, _| base[i] + way(i))
}

/// All that an estimate says but for what it took in bytes and time.
fn said<T: Real>(
    strategy: &dyn Hypergradient<T>,
    task: &models::Task<T>,
    ask: Ask,
    work: &mut Workspace<T>,
) -> String {
    let x = around(&task.x, ask.x);
    let start = around(task.bilevel.start(), ask.start);
    let at = match ask.start {
        0 => At::new(&x),
        _ => At::new(&x).start(&start),
    };
    match strategy.hypergradient_at(&task.bilevel, at, work) {
        Ok(mut estimate) => {
            (estimate.seconds, estimate.bytes) = (0.0, Bytes::default());
            format!("{estimate:?}")
        }
        Err(reason) => reason.to_string(),
    }
}

fn holds<T: Real>(entry: &Entry, asks: &[Ask]) -> TestCaseResult {
    let task = entry.small::<T>(0).expect("embedded data");
    let settings = Settings {
        depth: Some(12),
        ..Settings::NONE
    };
    let rows = strategies::<T>().into_iter().flat_map(|entry| entry.rows);
    let suits = rows.filter_map(|row| {
        let made = strategy::<T>(&filled(row.name), &settings).ok()?;
        made.suits(&task.bilevel).ok().map(|()| made)
    });
    let suits = Vec::from_iter(suits);
    let mut used = task.bilevel.workspace();
    for ask in asks {
        let strategy = &*suits[ask.strategy % suits.len()];
        let got = said(strategy, &task, *ask, &mut used);
        let want = said(strategy, &task, *ask, &mut task.bilevel.workspace());
        prop_assert_eq!(got, want, "{} of {}", strategy.name(), entry.row.name);
    }
    Ok(())
}

#[test]
fn problems_of_the_catalogue() {
    for name in catalogue::names(|_| true) {
        let entry = catalogue::named(name).expect("its name");
        for_all(file!(), 4, asks(), |asks| {
            holds::<f64>(entry, &asks)?;
            holds::<f32>(entry, &asks)
        });
    }
}
