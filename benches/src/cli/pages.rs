//! What the pages of several commands have.

use study::report::{Plot, Series, Style};
use study::solve::Record;

use super::args::Common;

/// A line on how the numbers were made.
pub(super) fn provenance(common: &Common) -> String {
    format!(
        "bilevel {}, seed {}, {}, {} threads on {} {}",
        env!("CARGO_PKG_VERSION"),
        common.seed,
        common.dtype.name(),
        rayon::current_num_threads(),
        std::env::consts::ARCH,
        std::env::consts::OS,
    )
}

/// The notices of the embedded data, without their markup, if it was used.
pub(super) fn notices(embedded: bool) -> Vec<String> {
    if !embedded {
        return Vec::new();
    }
    let entries = models::data::DIGITS_NOTICE.lines();
    let entries = entries.filter_map(|line| line.strip_prefix("* "));
    entries.map(|entry| entry.replace('`', "")).collect()
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
        ..Series::default()
    });
    Plot {
        title: title.to_owned(),
        x_label: "seconds".into(),
        y_label: y_label.to_owned(),
        series: series.collect(),
        ..Plot::default()
    }
}
