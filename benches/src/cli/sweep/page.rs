//! What `bilevel sweep` shows: a table, and a page with medians and ranges.

use std::collections::BTreeSet;
use std::path::Path;

use study::columns::{Column, table};
use study::format::{bytes, dash, percent as of_hundred, short, time};
use study::report::{Page, Plot, Section, Series, Style, Table, Unit};

use crate::cli::args::Common;
use crate::runs::sweep::{Configuration, Summary, Sweep, texts};

/// The most settings that have a column each; of more, a configuration has one with its name.
const MOST_KEYS: usize = 4;

/// A sweep that was made.
pub(super) struct Swept<'a> {
    /// The file that asks for it.
    pub(super) file: &'a Path,
    /// What it asks for.
    pub(super) sweep: &'a Sweep,
    /// What came of each configuration.
    pub(super) summaries: &'a [Summary],
    /// The names of metrics that are parts of a hundred.
    pub(super) percent: &'a BTreeSet<String>,
    /// The runs that failed or lost, each with its reason.
    pub(super) failures: &'a [String],
}

/// The table for the terminal.
pub(super) fn terminal(summaries: &[Summary], percent: &BTreeSet<String>) -> String {
    let note = "median over the seeds, and in brackets the least and the largest value";
    let name = Column::words("configuration", |s: &Summary| s.configuration.clone());
    let columns = columns(vec![name], summaries, percent);
    format!("{note}\n{}", table("", &columns, summaries))
}

/// Columns of what the last records hold, after those of what the configurations are.
fn columns<'a>(
    mut columns: Vec<Column<'a, Summary>>,
    summaries: &[Summary],
    percent: &BTreeSet<String>,
) -> Vec<Column<'a, Summary>> {
    columns.extend([
        Column::count("runs", |s: &Summary| s.runs),
        Column::count("failed", |s: &Summary| s.failed.len()),
    ]);
    if summaries.iter().any(|s| !s.missing.is_empty()) {
        columns.push(Column::count("missing", |s: &Summary| s.missing.len()));
    }
    if summaries.iter().any(|s| !s.lost.is_empty()) {
        columns.push(Column::count("lost", |s: &Summary| s.lost.len()));
    }
    for name in quantities(summaries) {
        let unit = unit(&name, percent);
        let title = title(&name);
        let value = move |s: &Summary, key: &str| s.last.get(&name)?.get(key)?.as_f64();
        let (texts, ends) = (value.clone(), value.clone());
        let (low, high) = (ends.clone(), ends);
        let whole = title == "gradients" || title == "HVPs";
        let text =
            move |s: &Summary| cell(["median", "low", "high"].map(|k| texts(s, k)), unit, whole);
        let column = Column::new(title, text, move |s| value(s, "median"));
        let column = column.with("low", move |s| low(s, "low"));
        columns.push(column.with("high", move |s| high(s, "high")).unit(unit));
    }
    columns
}

/// The names of what the last records hold, of all configurations: F, what x is worth, the metrics, then
/// the costs.
fn quantities(summaries: &[Summary]) -> Vec<String> {
    const VALUES: [&str; 2] = ["upper", "worth"];
    const COSTS: [&str; 4] = ["gradients", "hvps", "seconds", "peak_bytes"];
    let mut names: Vec<String> = Vec::new();
    for name in summaries.iter().flat_map(|s| s.last.keys()) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names.sort_by_key(|name| {
        let cost = COSTS.iter().position(|cost| cost == name);
        let value = VALUES.iter().position(|value| value == name);
        (cost.map_or(0, |at| at + 1), value.unwrap_or(VALUES.len()))
    });
    names
}

fn unit(name: &str, percent: &BTreeSet<String>) -> Unit {
    match name {
        "seconds" => Unit::Seconds,
        "peak_bytes" => Unit::Bytes,
        _ if percent.contains(name) => Unit::Percent,
        _ => Unit::Number,
    }
}

/// A quantity as the other pages name it.
fn title(name: &str) -> String {
    match name {
        "seconds" => "time".into(),
        "peak_bytes" => "peak".into(),
        "hvps" => "HVPs".into(),
        "worth" => "F(x, y*(x))".into(),
        name => name.replace('_', " "),
    }
}

fn cell(numbers: [Option<f64>; 3], unit: Unit, whole: bool) -> String {
    let word = |v: f64| match unit {
        _ if v.is_nan() => dash(),
        Unit::Seconds => time(v),
        Unit::Bytes => bytes(v),
        Unit::Percent => of_hundred(v),
        Unit::Number if whole => format!("{v:.0}"),
        Unit::Number => short(v),
    };
    let [median, low, high] = numbers.map(|v| word(v.unwrap_or(f64::NAN)));
    match low == high {
        true => median,
        false => format!("{median} [{low}, {high}]"),
    }
}

/// The page.
pub(super) fn page(swept: &Swept<'_>, common: &Common) -> Page {
    let Swept {
        sweep, summaries, ..
    } = swept;
    let mut curves: Vec<&String> = Vec::new();
    for (name, _) in summaries.iter().flat_map(|s| &s.curves) {
        if !curves.contains(&name) {
            curves.push(name);
        }
    }
    let note = "Medians over the seeds, with the least and the largest value: below them in the \
                table, as bands in the plots.";
    let said = std::iter::once(note).chain(swept.failures.iter().map(|f| &**f));
    let threads = common.threads.unwrap_or(1);
    let section = Section {
        title: format!(
            "{} configurations, {} seeds",
            summaries.len(),
            sweep.seeds.len()
        ),
        text: said.collect::<Vec<_>>().join("\n\n"),
        tables: vec![ends(swept)],
        plots: curves.iter().map(|name| plot(name, swept)).collect(),
    };
    let page = Page::new(format!("A sweep of {}", problems(sweep).join(", "))).subtitle(format!(
        "{}, {threads} {} a run",
        common.dtype.name(),
        if threads == 1 { "thread" } else { "threads" }
    ));
    facts(page, swept).section(section)
}

/// The problems, each once, in their order.
fn problems(sweep: &Sweep) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for configuration in &sweep.configurations {
        if !names.contains(&&*configuration.problem) {
            names.push(&configuration.problem);
        }
    }
    names
}

/// The settings in which configurations differ, each once, in their order.
fn keys(sweep: &Sweep) -> Vec<&str> {
    let mut keys: Vec<&str> = Vec::new();
    for (key, _) in sweep.configurations.iter().flat_map(|c| &c.differs) {
        if !keys.contains(&&**key) {
            keys.push(key);
        }
    }
    keys
}

/// The value of a setting in which configurations differ.
fn value<'c>(of: &'c Configuration, key: &str) -> Option<&'c str> {
    let (_, value) = of.differs.iter().find(|(own, _)| own == key)?;
    Some(value)
}

/// What was swept.
fn facts(page: Page, swept: &Swept<'_>) -> Page {
    let sweep = swept.sweep;
    let base = texts(&sweep.base).filter(|(key, _)| key != "problem");
    let base: Vec<String> = base
        .map(|(key, value)| format!("{key} = {value}"))
        .collect();
    let seeds: Vec<String> = sweep.seeds.iter().map(u64::to_string).collect();
    let mut page = page.fact("Problem", problems(sweep).join(", "));
    if !base.is_empty() {
        page = page.fact("Base", base.join(", "));
    }
    let varied = keys(sweep).into_iter().map(|key| {
        let mut values: Vec<&str> = Vec::new();
        for configuration in &sweep.configurations {
            let value = value(configuration, key).unwrap_or("as in the base");
            if !values.contains(&value) {
                values.push(value);
            }
        }
        format!("{key}: {}", values.join(", "))
    });
    let varied = varied.collect::<Vec<_>>().join("; ");
    if !varied.is_empty() {
        page = page.fact("Varied", varied);
    }
    page.fact("Seeds", seeds.join(", "))
        .fact("File", swept.file.display().to_string())
}

/// The table of where the runs ended: a column for each setting that differs, if they are few.
fn ends(swept: &Swept<'_>) -> Table {
    let keys = keys(swept.sweep);
    let of = |s: &Summary| {
        let mut all = swept.sweep.configurations.iter();
        all.find(|c| c.name == s.configuration)
    };
    let named = match keys.len() {
        1..=MOST_KEYS => keys
            .into_iter()
            .map(|key| {
                let text = move |s: &Summary| {
                    let own = of(s).and_then(|c| value(c, key));
                    own.map_or(dash(), str::to_owned)
                };
                Column::words(key, text)
            })
            .collect(),
        _ => vec![Column::words("configuration", |s: &Summary| {
            s.configuration.clone()
        })],
    };
    let columns = columns(named, swept.summaries, swept.percent);
    table("Where the runs ended", &columns, swept.summaries)
}

fn plot(name: &str, swept: &Swept<'_>) -> Plot {
    let series = swept.summaries.iter().filter_map(|s| {
        let (_, points) = s.curves.iter().find(|(of, _)| of == name)?;
        Some(Series {
            // With spaces, so that a legend can wrap.
            name: s.configuration.replace(',', ", "),
            points: points
                .iter()
                .map(|p| (p.iteration as f64, p.median))
                .collect(),
            spread: points.iter().map(|p| p.range).collect(),
            style: Style::Line,
            ..Series::default()
        })
    });
    Plot {
        title: format!("{}: median and range over the seeds", title(name)),
        x_label: "outer iterations".into(),
        y_label: title(name),
        y_unit: unit(name, swept.percent),
        series: series.collect(),
        ..Plot::default()
    }
    .thinned()
}
