//! `bilevel stability`.

use autodiff::Real;
use solvers::Schedule;
use study::columns::{Column, table};
use study::report::{Claim, Page, Plot, Section, Series, Style};

use super::args::{Common, Stability};
use super::failure::Failure;
use super::out_folder;
use super::output::{bar, count, leave, line, plus_minus, say};
use super::pages::provenance;
use crate::runs::spread::Spread;
use crate::runs::stability::{Experiment, Law, Summary, laws, run as measure, summarise};

fn columns() -> [Column<'static, Summary>; 5] {
    let of = |spread: fn(&Summary) -> Spread| {
        let text = move |s: &Summary| plus_minus(spread(s));
        (text, move |s: &Summary| Some(spread(s).mean))
    };
    let (distance, gap) = (of(|s| s.n_distance), of(|s| s.train_gap));
    [
        Column::words("schedule", |s: &Summary| s.schedule.clone()),
        Column::count("n", |s: &Summary| s.n),
        Column::count("seeds", |s: &Summary| s.seeds),
        Column::new("n · distance", distance.0, distance.1),
        Column::new("test − train", gap.0, gap.1),
    ]
}

pub(super) fn run<T: Real>(args: &Stability, common: &Common) -> Result<(), Failure> {
    let experiment = Experiment {
        toy: args.problem,
        steps: count("--steps", args.steps)?,
        inner: count("--inner-steps", args.inner_steps)?,
    };
    let samples: Vec<usize> = args
        .samples
        .iter()
        .map(|n| count("--samples", *n))
        .collect::<Result<_, _>>()?;
    let schedules: Vec<Schedule> = args
        .schedule
        .iter()
        .map(|s| {
            s.parse()
                .map_err(|e| Failure::Input(format!("--schedule: {e}")))
        })
        .collect::<Result<_, _>>()?;
    let seeds = count("--seeds", args.seeds)? as u64;
    let seeds: Vec<u64> = (0..seeds).map(|i| common.seed.wrapping_add(i)).collect();
    out_folder::for_records(common)?;

    let progress = bar(schedules.len() * samples.len() * seeds.len());
    progress.set_message(args.problem.name());
    let records = measure::<T>(experiment, &schedules, &samples, &seeds, || progress.inc(1));
    progress.finish_and_clear();
    let summaries = summarise(&records);
    let laws = laws(&summaries, &schedules, experiment.steps);

    if common.json {
        for record in &records {
            say(&line(record));
        }
    } else {
        say(&format!(
            "{}: pairs of runs of {} steps whose validation sets differ in one sample of n, mean ± \
             deviation over the seeds",
            args.problem.name(),
            experiment.steps
        ));
        say(&table("", &columns(), &summaries));
        for Law { text, value, holds } in &laws {
            say(&format!(
                "{} {text}: {value}",
                if *holds { "✓" } else { "✗" }
            ));
        }
    }
    let page = || page(args.problem.name(), &summaries, &laws, common);
    leave(common, "stability.jsonl", &records, Some(&page))?;
    match records.iter().find(|r| !r.success) {
        None => Ok(()),
        Some(r) => Err(Failure::Numerical(format!(
            "{} at n = {}, seed {}: {}",
            r.schedule, r.n, r.seed, r.message
        ))),
    }
}

fn page(problem: &str, summaries: &[Summary], laws: &[Law], common: &Common) -> Page {
    let claim = |law: &Law| Claim {
        text: law.text.clone(),
        value: law.value.clone(),
        holds: law.holds,
    };
    Page {
        title: format!("Uniform stability on {problem}"),
        subtitle: provenance(common),
        claims: laws.iter().map(claim).collect(),
        sections: vec![Section {
            title: "One sample swapped".into(),
            text:
                "Two runs of the stochastic AID loop draw the same indices; their validation sets \
                   of n samples differ in one. Mean ± deviation over the seeds of n times the \
                   distance of their last x, and of the loss on test samples less that on the \
                   validation samples."
                    .into(),
            tables: vec![table(
                "Each schedule at each number of validation samples",
                &columns(),
                summaries,
            )],
            plots: vec![
                plot(
                    "Stability against n",
                    "n · ‖x − x'‖",
                    true,
                    summaries,
                    |s| s.n_distance,
                ),
                plot(
                    "Test less train loss against n",
                    "loss",
                    false,
                    summaries,
                    |s| s.train_gap,
                ),
            ],
        }],
        notices: Vec::new(),
    }
}

/// A curve of means for each schedule; an error bar is a line of its own from one standard error
/// below the mean to one above.
fn plot(
    title: &str,
    y_label: &str,
    y_log: bool,
    summaries: &[Summary],
    of: impl Fn(&Summary) -> Spread,
) -> Plot {
    let mut series: Vec<Series> = Vec::new();
    for s in summaries {
        let (n, spread) = (s.n as f64, of(s));
        if !series.iter().any(|c| c.name == s.schedule) {
            series.push(Series {
                name: s.schedule.clone(),
                points: Vec::new(),
                style: Style::LineAndMarkers,
                ..Series::default()
            });
            series.push(Series {
                name: format!("{} ± error", s.schedule),
                points: Vec::new(),
                style: Style::Line,
                ..Series::default()
            });
        }
        let at = series.iter().position(|c| c.name == s.schedule);
        let at = at.expect("it was put there");
        series[at].points.push((n, spread.mean));
        // A point off the axes interrupts the line, so that bars stand apart.
        let bar = [-1.0, 1.0].map(|side| (n, spread.mean + side * spread.error));
        series[at + 1].points.extend(bar);
        series[at + 1].points.push((n, f64::NAN));
    }
    Plot {
        title: title.into(),
        x_label: "validation samples n".into(),
        y_label: y_label.into(),
        x_log: true,
        y_log,
        series,
        note: "Bars are one standard error of the mean to each side.".into(),
    }
}
