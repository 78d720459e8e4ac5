//! The published toy of stability at its sizes, and data selection: what moves two runs apart whose
//! validation sets differ in one sample.

use autodiff::Real;
use solvers::Schedule;

use super::claims::{Claimed, above_0, cases, differences, over_seeds};
use super::{Kind, Record, Table, values};
use crate::runs::flatness::Flatness;
use crate::runs::spread::Spread;
use crate::runs::stability::{self, Experiment, Toy};

/// Validation samples; 500 and 1000 are the published sizes.
const SAMPLES: [usize; 4] = [125, 250, 500, 1000];
/// The published schedules: constants, and a/(t + c).
const CONSTANTS: [f64; 3] = [0.001, 0.005, 0.01];
const FALLING: [(f64, f64); 8] = [
    (1.0, 2000.0),
    (1.0, 1000.0),
    (2.0, 2000.0),
    (2.0, 1000.0),
    (5.0, 2000.0),
    (5.0, 1000.0),
    (10.0, 2000.0),
    (10.0, 1000.0),
];
/// T, K, and the n and schedules that these are varied at.
const STEPS: usize = 2000;
const INNER: usize = 10;
const MIDDLE: usize = 500;
const MIDDLES: [Schedule; 2] = [
    Schedule::Constant(0.01),
    Schedule::Harmonic { a: 5.0, c: 1000.0 },
];
/// Other T and K.
const LENGTHS: [usize; 5] = [250, 500, 1000, 2000, 4000];
const DEPTHS: [usize; 5] = [1, 3, 10, 30, 100];
/// Validation samples of data selection, and its schedules, chosen on seeds from 100 on; the first
/// leaves the weights where they start.
const SELECTED: [usize; 2] = [100, 200];
const SELECTING: [Schedule; 3] = [
    Schedule::Constant(1e-12),
    Schedule::Constant(0.03),
    Schedule::Constant(0.1),
];
const SELECTION_STEPS: usize = 20_000;

/// What a case varies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Axis {
    Samples,
    Length,
    Depth,
    Selection,
}

impl Axis {
    fn case(self, value: usize) -> String {
        match self {
            Axis::Samples => format!("n = {value}"),
            Axis::Length => format!("T = {value}"),
            Axis::Depth => format!("K = {value}"),
            Axis::Selection => format!("selection, n = {value}"),
        }
    }
}

/// The rows of one seed.
pub(super) fn run<T: Real>(seed: u64) -> Vec<Record> {
    let toy = |steps, inner| Experiment {
        toy: Toy::OrthogonalMap,
        steps,
        inner,
    };
    let mut records = Vec::new();
    let mut add = |axis: Axis, value: usize, n: usize, experiment, schedules: &[Schedule]| {
        let pairs = stability::run::<T>(experiment, schedules, &[n], &[seed], || ());
        records.extend(
            pairs
                .into_iter()
                .map(|pair| of_pair(axis.case(value), pair)),
        );
    };
    for n in SAMPLES {
        add(Axis::Samples, n, n, toy(STEPS, INNER), &schedules());
    }
    for steps in LENGTHS {
        add(Axis::Length, steps, MIDDLE, toy(steps, INNER), &MIDDLES);
    }
    for inner in DEPTHS {
        add(Axis::Depth, inner, MIDDLE, toy(STEPS, inner), &MIDDLES);
    }
    for n in SELECTED {
        let experiment = Experiment {
            toy: Toy::DataSelection,
            steps: SELECTION_STEPS,
            inner: INNER,
        };
        add(Axis::Selection, n, n, experiment, &SELECTING);
    }
    records
}

/// The schedules, in the order of their lengths.
fn schedules() -> Vec<Schedule> {
    let constants = CONSTANTS.map(Schedule::Constant).into_iter();
    let falling = FALLING.map(|(a, c)| Schedule::Harmonic { a, c });
    constants.chain(falling).collect()
}

fn of_pair(case: String, pair: stability::Record) -> Record {
    let mut of_pair = values([
        ("n_distance", pair.n_distance),
        ("test_loss", pair.test_loss),
        ("train_gap", pair.train_gap),
    ]);
    if let Some(accuracy) = pair.test_accuracy {
        of_pair.extend(values([("test_accuracy", accuracy)]));
    }
    Record {
        task: Table::Toy.name(),
        case,
        method: pair.schedule,
        kind: Kind::Method,
        values: of_pair,
        seed: pair.seed,
        status: pair.status.into(),
        message: pair.message,
        success: pair.success,
    }
}

/// A line through the logarithms of n · distance over what an axis varies.
fn fit(records: &[Record], axis: Axis, over: &[usize], schedule: Schedule) -> Option<Flatness> {
    let name = schedule.to_string();
    let mean = |value: &usize| {
        let of_case = over_seeds(records, (&axis.case(*value), &name), "n_distance");
        let of_case: Vec<f64> = of_case.into_iter().map(|(_, d)| d).collect();
        (of_case.len() > 1).then(|| (*value, Spread::of(&of_case)))
    };
    Flatness::of(&over.iter().map(mean).collect::<Option<Vec<_>>>()?)
}

/// How the distance goes with n, with the steps' lengths, with T and with K; and what selection gains.
pub(super) fn claims(records: &[Record]) -> Vec<Claimed> {
    let mut all = Vec::new();
    for schedule in schedules() {
        let Some(line) = fit(records, Axis::Samples, &SAMPLES, schedule) else {
            continue;
        };
        all.push(Claimed {
            text: format!("{schedule}: the distance falls as 1/n"),
            value: format!("as n to the {:.2} ± {:.2}", line.slope - 1.0, line.error),
            holds: line.holds(),
        });
    }
    all.extend(ordered(records));
    for schedule in MIDDLES {
        let Some(line) = fit(records, Axis::Length, &LENGTHS, schedule) else {
            continue;
        };
        all.push(Claimed {
            text: format!("{schedule}: the distance grows no faster than T"),
            value: format!("as T to the {:.2} ± {:.2}", line.slope, line.error),
            holds: line.slope - 2.0 * line.error <= 1.0,
        });
    }
    for schedule in MIDDLES {
        let Some(line) = fit(records, Axis::Depth, &DEPTHS, schedule) else {
            continue;
        };
        all.push(Claimed {
            text: format!("{schedule}: the distance grows with K"),
            value: format!("as K to the {:.2} ± {:.2}", line.slope, line.error),
            holds: line.slope > 2.0 * line.error,
        });
    }
    all.extend(selection(records));
    all
}

/// That of two schedules the one whose steps sum up to less is the more stable, at each n.
fn ordered(records: &[Record]) -> Option<Claimed> {
    let total = |s: &Schedule| (0..STEPS).map(|t| s.at(t)).sum::<f64>();
    let mut sorted = schedules();
    sorted.sort_by(|a, b| total(a).total_cmp(&total(b)));
    let (mut kept, mut pairs) = (0, 0);
    for n in SAMPLES {
        let case = Axis::Samples.case(n);
        for pair in sorted.windows(2) {
            let [less, more] = [&pair[0], &pair[1]].map(Schedule::to_string);
            let apart = differences(records, &case, [&more, &less], "n_distance");
            if apart.is_empty() {
                return None;
            }
            pairs += 1;
            kept += usize::from(Spread::of(&apart).mean > 0.0);
        }
    }
    Some(Claimed {
        text: "of two schedules next to each other in the sum of their steps the one with less is \
               the more stable"
            .into(),
        value: format!("in {kept} of {pairs} pairs of means"),
        holds: kept == pairs,
    })
}

fn selection(records: &[Record]) -> Vec<Claimed> {
    let [still, others @ ..] = SELECTING.map(|s| s.to_string());
    let [few, many] = SELECTED.map(|n| Axis::Selection.case(n));
    let mut all = Vec::new();
    for schedule in &others {
        for case in cases(records)
            .into_iter()
            .filter(|c| [&few, &many].contains(&&c.to_string()))
        {
            let gains = |of, column| differences(records, case, of, column);
            all.extend(above_0(
                format!("{case}: {schedule} has less test loss than weights that stay"),
                &gains([&still, schedule], "test_loss"),
                "of the loss",
            ));
            all.extend(above_0(
                format!("{case}: {schedule} is right more often than weights that stay"),
                &gains([schedule, &still], "test_accuracy"),
                "points",
            ));
        }
        let gap = |case: &str| over_seeds(records, (case, schedule), "train_gap");
        let narrower = gap(&few)
            .into_iter()
            .zip(gap(&many))
            .map(|((_, a), (_, b))| a - b);
        all.extend(above_0(
            format!("selection by {schedule}: the gap from validation to test falls with n"),
            &narrower.collect::<Vec<f64>>(),
            "of the loss",
        ));
    }
    for schedule in SELECTING {
        let line = fit(records, Axis::Selection, &SELECTED, schedule);
        all.extend(
            line.filter(|_| schedule != SELECTING[0])
                .map(|line| Claimed {
                    text: format!("selection by {schedule}: the distance falls as 1/n"),
                    value: format!("as n to the {:.2} ± {:.2}", line.slope - 1.0, line.error),
                    holds: line.holds(),
                }),
        );
    }
    all
}
