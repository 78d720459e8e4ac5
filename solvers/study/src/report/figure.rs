//! A plot with its title, legend and notes.

use std::fmt::Write as _;

use super::model::{Plot, Style};
use super::{escape, marks, plot, prose};

/// The figure element of a plot.
pub(super) fn figure(plot: &Plot) -> String {
    let mut out = format!(
        "<figure class=\"plot\">\n<figcaption>{}</figcaption>\n",
        prose(&plot.title)
    );
    for i in 0..=plot.across.len() {
        let drawn = plot::svg(&plot.against(i));
        let _ = match plot.across.is_empty() {
            true => writeln!(out, "{drawn}"),
            false => writeln!(out, "<div class=\"across-{i}\">{drawn}</div>"),
        };
    }
    let left_out: Vec<_> = plot
        .series
        .iter()
        .map(|series| plot::left_out(plot, series))
        .collect();
    if !plot.series.is_empty() {
        out.push_str("<ul class=\"legend\">\n");
        for (i, (series, (odd, low))) in plot.series.iter().zip(&left_out).enumerate() {
            let bare = series.points.len() == odd + low;
            let _ = writeln!(
                out,
                "<li><button type=\"button\" data-series=\"{i}\" aria-pressed=\"false\">{}\
                 <span>{}{}</span></button></li>",
                marks::swatch(i, series.style != Style::Markers),
                escape(&series.name),
                if bare { " (no data)" } else { "" }
            );
        }
        out.push_str("</ul>\n");
    }
    if !plot.note.is_empty() {
        let _ = writeln!(out, "<p class=\"note\">{}</p>", prose(&plot.note));
    }
    let odd = counts(plot, left_out.iter().map(|counts| counts.0));
    let low = counts(plot, left_out.iter().map(|counts| counts.1));
    for (counts, reason) in [
        (low, "zero or negative on a log axis"),
        (odd, "not finite or too large"),
    ] {
        if let Some(counts) = counts {
            let _ = writeln!(out, "<p class=\"note\">Not drawn, {reason}: {counts}.</p>");
        }
    }
    out.push_str("</figure>\n");
    out
}

/// The counts that are not zero, with the names of their series.
fn counts(plot: &Plot, each: impl Iterator<Item = usize>) -> Option<String> {
    let worded: Vec<_> = plot
        .series
        .iter()
        .zip(each)
        .filter(|(_, count)| *count > 0)
        .map(|(series, count)| {
            let points = if count == 1 { "point" } else { "points" };
            format!("{} ({count} {points})", escape(&series.name))
        })
        .collect();
    (!worded.is_empty()).then(|| worded.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::model::Series;

    fn series(name: &str, points: &[(f64, f64)]) -> Series {
        Series {
            name: name.into(),
            points: points.to_vec(),
            ..Series::default()
        }
    }

    #[test]
    fn points_left_out_are_announced_by_series_and_reason() {
        let plot = Plot {
            y_log: true,
            series: vec![
                series("exact", &[(1.0, 0.0), (2.0, -1.0), (3.0, 1.0)]),
                series("whole", &[(1.0, 1.0)]),
                series("<cg>", &[(1.0, f64::NAN), (2.0, 1.0), (3.0, 0.0)]),
            ],
            ..Plot::default()
        };
        let html = figure(&plot);
        assert!(html.contains(
            "Not drawn, zero or negative on a log axis: exact (2 points); &lt;cg&gt; (1 point)."
        ));
        assert!(html.contains("Not drawn, not finite or too large: &lt;cg&gt; (1 point)."));
        assert!(!html.contains("whole ("));
    }

    #[test]
    fn a_whole_plot_has_no_such_note() {
        let plot = Plot {
            series: vec![series("a", &[(-1.0, 0.0)])],
            ..Plot::default()
        };
        assert!(!figure(&plot).contains("Not drawn"));
    }

    #[test]
    fn a_series_without_a_drawable_point_says_so() {
        let plot = Plot {
            x_log: true,
            series: vec![series("a", &[]), series("b", &[(0.0, 1.0)])],
            ..Plot::default()
        };
        let html = figure(&plot);
        assert!(html.contains("a (no data)") && html.contains("b (no data)"));
        assert!(html.contains(">\nno data\n<"));
    }
}
