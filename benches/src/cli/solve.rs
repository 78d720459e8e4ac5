//! `bilevel solve`.

use std::path::Path;

use autodiff::Real;
use autodiff::bytes::human_bytes;
use serde_json::{Map, Value, json};

use super::args::{Common, Solve};
use super::demo_page::notices;
use super::failure::{Failure, input};
use super::output::{bar, line, prepare, say, short, table, time, write_lines};
use super::{memory, provenance};
use crate::catalogue::methods::method;
use crate::catalogue::settings::{GivenSettings, SolveSettings};
use crate::catalogue::strategies::fits;
use crate::report::{self, Plot, Report, Section, Series, Style};
use crate::study::solve::{Outcome, Record, run as run_method};

pub(super) fn run<T: Real>(args: &Solve, common: &Common) -> Result<(), Failure> {
    let from_file = match &args.config {
        Some(file) => read_config(file)?,
        None => GivenSettings::default(),
    };
    let given = args.settings.or(from_file);
    let settings = SolveSettings {
        seed: common.seed,
        ..SolveSettings::of(&args.problem.problem, &args.method, given)
    };
    let problem = super::problem::<T>(&args.problem, common)?;
    let method = method::<T>(&args.method, &problem.task, &settings).map_err(Failure::Input)?;
    let dim_y = problem.task.y.len();
    fits::<T>(&args.method, settings.depth, dim_y, memory()).map_err(Failure::Input)?;
    // A run checks its settings when it begins; one is begun here so that bad ones are found
    // before the output folder is touched.
    drop(
        method
            .begin(&problem.bilevel, problem.task.x.clone())
            .map_err(input)?,
    );
    if let Some(dir) = &common.out {
        prepare(dir)?;
    }

    let header = header(args, common, &settings);
    if common.json {
        say(&line(&header));
    }
    let progress = bar(1);
    progress.set_message(args.method.clone());
    let outcome = run_method(&problem, &args.method, &*method, |record, total| {
        progress.set_length(total as u64);
        progress.set_position(record.iteration as u64);
        if common.json {
            progress.suspend(|| say(&line(record)));
        }
    })
    .map_err(input)?;
    progress.finish_and_clear();

    let solution = solution(&outcome);
    if common.json && args.full {
        say(&line(&solution));
    }
    if !common.json {
        say(&summary(problem.task.name, &args.method, &outcome));
    }
    for warning in &outcome.warnings {
        eprintln!("warning: {warning}");
    }
    if let Some(dir) = &common.out {
        let mut lines = vec![header];
        lines.extend(outcome.records.iter().map(to_value));
        lines.push(solution);
        let file = write_lines(dir, "trace.jsonl", &lines)?;
        let page = page(problem.task.name, args, &outcome, common);
        let page = report::write(&page, dir)
            .map_err(|e| Failure::Input(format!("--out {}: {e}", dir.display())))?;
        eprintln!("wrote {} and {}", file.display(), page.display());
    }
    match outcome.records.iter().find(|r| !r.success) {
        None => Ok(()),
        Some(r) => Err(Failure::Numerical(format!(
            "iteration {}: {}",
            r.iteration, r.message
        ))),
    }
}

fn read_config(file: &Path) -> Result<GivenSettings, Failure> {
    let name = file.display();
    let text = std::fs::read_to_string(file)
        .map_err(|e| Failure::Input(format!("{name}: cannot be read: {e}")))?;
    toml::from_str(&text).map_err(|e| {
        let before = e.span().map_or("", |s| &text[..s.start]);
        let line = before.matches('\n').count() + 1;
        let reason = e.message().replace('\n', ": ");
        let quoted: String = text
            .lines()
            .nth(line - 1)
            .unwrap_or_default()
            .chars()
            .take(60)
            .collect();
        let quoted = quoted.trim();
        Failure::Input(format!("{name}: line {line}, `{quoted}`: {reason}"))
    })
}

fn header(args: &Solve, common: &Common, settings: &SolveSettings) -> Value {
    json!({
        "header": {
            "problem": args.problem.problem,
            "method": args.method,
            "data": args.problem.data,
            "seed": common.seed,
            "dtype": common.dtype.name(),
            "threads": rayon::current_num_threads(),
            "version": env!("CARGO_PKG_VERSION"),
            "machine": format!("{} {}", std::env::consts::ARCH, std::env::consts::OS),
            "settings": settings,
        }
    })
}

fn solution(outcome: &Outcome) -> Value {
    json!({ "solution": { "x": outcome.x, "y": outcome.y } })
}

fn to_value(record: &Record) -> Value {
    serde_json::to_value(record).expect("records are plain data")
}

/// The first and the last record side by side.
pub(super) fn summary(problem: &str, method: &str, outcome: &Outcome) -> String {
    let (Some(first), Some(last)) = (outcome.records.first(), outcome.records.last()) else {
        return format!("{problem} by {method}: no iteration was made");
    };
    let mut columns = vec![
        "iteration",
        "upper",
        "‖∇_y g‖",
        "‖direction‖",
        "gradients",
        "HVPs",
    ];
    columns.extend(["time", "peak", "status"]);
    let metrics: Vec<&String> = last.metrics.keys().collect();
    columns.extend(metrics.iter().map(|m| m.as_str()));
    let row = |r: &Record| {
        let mut cells = vec![
            r.iteration.to_string(),
            short(r.upper),
            short(r.lower_residual),
            short(r.hypergradient_norm),
            r.gradients.to_string(),
            r.hvps.to_string(),
            time(r.seconds),
            human_bytes(r.peak_bytes),
            r.status.to_owned(),
        ];
        cells.extend(
            metrics
                .iter()
                .map(|m| short(r.metric(m).unwrap_or(f64::NAN))),
        );
        cells
    };
    let mut text = format!("{problem} by {method}\n");
    text.push_str(&table(&columns, &[row(first), row(last)]));
    for (name, values) in [("x", &outcome.x), ("y", &outcome.y)] {
        if values.len() <= 8 {
            text.push_str(&format!("\n{name} = {values:?}"));
        }
    }
    text
}

/// A plot of one quantity of several runs against time.
pub(super) fn against_time<'a>(
    title: &str,
    y_label: &str,
    runs: impl Iterator<Item = (&'a str, &'a [Record])>,
    quantity: impl Fn(&Record) -> f64,
) -> Plot {
    let series = runs.map(|(name, records)| Series {
        name: name.to_owned(),
        points: records.iter().map(|r| (r.seconds, quantity(r))).collect(),
        style: Style::Line,
    });
    Plot {
        title: title.to_owned(),
        x_label: "seconds".into(),
        y_label: y_label.to_owned(),
        series: series.collect(),
        ..Plot::default()
    }
}

fn page(problem: &str, args: &Solve, outcome: &Outcome, common: &Common) -> Report {
    let method = args.method.as_str();
    let runs = || std::iter::once((method, &outcome.records[..]));
    let mut plots = vec![
        against_time("Upper objective", "F(x, y)", runs(), |r| r.upper),
        Plot {
            y_log: true,
            ..against_time("Norm of the direction", "norm", runs(), |r| {
                r.hypergradient_norm
            })
        },
    ];
    let names: Map<String, Value> = outcome
        .records
        .first()
        .map_or_else(Map::new, |r| r.metrics.clone());
    for name in names.keys() {
        let quantity = |r: &Record| r.metric(name).unwrap_or(f64::NAN);
        plots.push(against_time(name, name, runs(), quantity));
    }
    Report {
        title: format!("{problem} by {method}"),
        subtitle: provenance(common),
        claims: Vec::new(),
        sections: vec![Section {
            title: "The run".into(),
            text: format!("{} outer iterations.", outcome.records.len()),
            tables: Vec::new(),
            plots,
        }],
        notices: notices(args.problem.data.is_none()),
    }
}
