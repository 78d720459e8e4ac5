//! `bilevel stability`.

use autodiff::Real;
use solvers::Schedule;
use study::columns::{Column, table};
use study::report::{Claim, Page, Plot, Section, Series};

use super::args::Common;
use super::failure::Failure;
use super::out_folder;
use super::output::{bar, leave, line, plus_minus, say};
use super::pages;
use super::values::count;
use crate::runs::spread::Spread;
use crate::runs::stability::{Experiment, Law, Summary, Toy, laws, run as measure, summarise};

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// The problem
    #[arg(long, value_name = "P", value_enum, default_value_t = Toy::RidgePrior)]
    pub(super) problem: Toy,
    /// Pairs of runs for each schedule and number of samples, from --seed on
    #[arg(
        long,
        value_name = "N",
        default_value_t = 40,
        value_parser = count,
        allow_negative_numbers = true
    )]
    pub(super) seeds: usize,
    /// Numbers of validation samples, separated by commas
    #[arg(
        long,
        value_name = "N,…",
        value_delimiter = ',',
        default_value = "25,50,100,200",
        value_parser = count,
        allow_negative_numbers = true
    )]
    pub(super) samples: Vec<usize>,
    /// Step lengths of x in step t = 0, 1, …, separated by commas: constant:A, inverse:A for
    /// A/(t + 1), inverse:A:C for A/(t + C), root:A, exponential:A:DECAY,
    /// power:A:Q for A/(t + 1)^Q, power-log:A:Q, cosine:A:PERIOD
    #[arg(
        long,
        value_name = "S,…",
        value_delimiter = ',',
        default_value = "inverse:0.5,constant:0.02,constant:0.1"
    )]
    pub(super) schedule: Vec<String>,
    /// Steps of a run
    #[arg(
        long,
        value_name = "T",
        default_value_t = 300,
        value_parser = count,
        allow_negative_numbers = true
    )]
    pub(super) steps: usize,
    /// Steps on the linear system in each of them
    #[arg(
        long,
        value_name = "K",
        default_value_t = 10,
        value_parser = count,
        allow_negative_numbers = true
    )]
    pub(super) inner_steps: usize,
}

fn columns() -> [Column<'static, Summary>; 5] {
    let spread = |title: &str, of: fn(&Summary) -> Spread| {
        let text = move |s: &Summary| plus_minus(of(s));
        Column::new(title, text, move |s: &Summary| Some(of(s).mean))
            .with("deviation", move |s: &Summary| Some(of(s).deviation))
            .with("standard error", move |s: &Summary| Some(of(s).error))
    };
    [
        Column::words("schedule", |s: &Summary| s.schedule.clone()),
        Column::count("n", |s: &Summary| s.n),
        Column::count("seeds", |s: &Summary| s.seeds),
        spread("n · distance", |s| s.n_distance),
        spread("test − train", |s| s.train_gap),
    ]
}

pub(super) fn run<T: Real>(args: &Args, common: &Common) -> Result<(), Failure> {
    let experiment = Experiment {
        toy: args.problem,
        steps: args.steps,
        inner: args.inner_steps,
    };
    let schedules: Vec<Schedule> = args
        .schedule
        .iter()
        .map(|s| {
            s.parse()
                .map_err(|e| Failure::Input(format!("--schedule: {e}")))
        })
        .collect::<Result<_, _>>()?;
    let (toy, most) = (args.problem.name(), args.problem.most());
    if let Some(n) = args.samples.iter().find(|n| **n > most) {
        let reason = format!("--samples {n}: expected at most {most} of {toy}");
        return Err(Failure::Input(reason));
    }
    let seeds = args.seeds as u64;
    let seeds: Vec<u64> = (0..seeds).map(|i| common.seed.wrapping_add(i)).collect();
    out_folder::for_records(common)?;

    let progress = bar(schedules.len() * args.samples.len() * seeds.len());
    progress.set_message(args.problem.name());
    let records = measure::<T>(experiment, &schedules, &args.samples, &seeds, || {
        progress.inc(1)
    });
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
    let page = || page(args, &summaries, &laws, common);
    leave(common, "stability.jsonl", &records, Some(&page))?;
    match records.iter().find(|r| !r.success) {
        None => Ok(()),
        Some(r) => Err(Failure::Numerical(format!(
            "{} at n = {}, seed {}: {}",
            r.schedule, r.n, r.seed, r.message
        ))),
    }
}

fn page(args: &Args, summaries: &[Summary], laws: &[Law], common: &Common) -> Page {
    let claim = |law: &Law| Claim {
        text: law.text.clone(),
        value: law.value.clone(),
        holds: law.holds,
    };
    let problem = args.problem.name();
    let section = Section {
        title: "One sample swapped".into(),
        text: "Two runs of the stochastic AID loop draw the same indices; their validation sets \
               of n samples differ in one. The table has mean ± deviation over the seeds of n \
               times the distance of their last x, and of the loss on test samples less that on \
               the validation samples; the plots have the means with their standard errors."
            .into(),
        tables: vec![table(
            "Each schedule at each number of validation samples",
            &columns(),
            summaries,
        )],
        plots: vec![
            Plot {
                y_log: true,
                ..plot(
                    "Stability against n",
                    "n · ‖x − x'‖",
                    summaries,
                    |s| s.n_distance,
                )
            },
            plot("Test less train loss against n", "loss", summaries, |s| {
                s.train_gap
            }),
        ],
    };
    let last = common.seed.wrapping_add(args.seeds as u64 - 1);
    let page = pages::page(format!("Uniform stability on {problem}"), common, false)
        .fact("Problem", problem)
        .fact(
            "Runs",
            format!(
                "pairs of {} steps, {} on the linear system in each; seeds {} to {last}",
                args.steps, args.inner_steps, common.seed
            ),
        )
        .section(section);
    Page {
        claims: laws.iter().map(claim).collect(),
        ..page
    }
}

/// A curve of means for each schedule, with error bars of one standard error to each side; of a
/// single seed there is none.
fn plot(
    title: &str,
    y_label: &str,
    summaries: &[Summary],
    of: impl Fn(&Summary) -> Spread,
) -> Plot {
    let of_one = |summaries: &[Summary]| {
        let spreads = summaries.iter().map(|s| (s.n as f64, of(s)));
        let spreads: Vec<(f64, Spread)> = spreads.filter(|(_, s)| s.mean.is_finite()).collect();
        let bar = |(_, s): &(f64, Spread)| (s.mean - s.error, s.mean + s.error);
        let known = spreads.iter().all(|(_, s)| s.error.is_finite());
        Series {
            name: summaries[0].schedule.clone(),
            points: spreads.iter().map(|(n, s)| (*n, s.mean)).collect(),
            spread: spreads.iter().filter(|_| known).map(bar).collect(),
            bars: true,
            ..Series::default()
        }
    };
    let series = summaries
        .chunk_by(|a, b| a.schedule == b.schedule)
        .map(of_one);
    Plot {
        title: title.into(),
        x_label: "validation samples n".into(),
        y_label: y_label.into(),
        x_log: true,
        series: series.collect(),
        note: "Bars are one standard error of the mean to each side. Schedules are drawn a little \
               apart sideways."
            .into(),
        ..Plot::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_bars_are_of_their_schedule_and_a_single_seed_has_none() {
        let summary = |schedule: &str, n, values: &[f64]| Summary {
            schedule: schedule.into(),
            n,
            seeds: values.len(),
            n_distance: Spread::of(values),
            train_gap: Spread::of(values),
        };
        let two = [
            summary("a", 10, &[1.0, 3.0]),
            summary("a", 20, &[2.0, 2.0]),
            summary("b", 10, &[5.0, 5.0]),
        ];
        let drawn = plot("t", "y", &two, |s| s.n_distance);
        let names: Vec<&str> = drawn.series.iter().map(|s| &*s.name).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(drawn.series[0].points, [(10.0, 2.0), (20.0, 2.0)]);
        assert!((drawn.series[0].spread[0].0 - 1.0).abs() < 1e-12);
        assert_eq!(drawn.series[0].spread[1], (2.0, 2.0));
        let one = plot("t", "y", &[summary("a", 10, &[1.0])], |s| s.n_distance);
        assert!(one.series[0].spread.is_empty());
        assert_eq!(one.series[0].points, [(10.0, 1.0)]);
    }
}
