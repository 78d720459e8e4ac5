//! What a page holds.

use serde::{Deserialize, Deserializer, Serialize};

use super::made::Made;

/// A whole page.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Page {
    /// The heading of the page.
    pub title: String,
    /// One line under the heading: seed, scalar type, threads.
    pub subtitle: String,
    /// What was studied, each with its name: problem, data, settings.
    #[serde(default)]
    pub facts: Vec<(String, String)>,
    /// The command, the date, the version and the machine.
    #[serde(default)]
    pub made: Option<Made>,
    /// The findings in words, shown first.
    pub claims: Vec<Claim>,
    /// The evidence, in order.
    pub sections: Vec<Section>,
    /// Licences and sources of the data, shown last.
    pub notices: Vec<String>,
}

impl Page {
    /// A page with this heading, and nothing on it but how it was made: see [`Made::here`].
    pub fn new(title: impl Into<String>) -> Self {
        Page {
            title: title.into(),
            made: Some(Made::here()),
            ..Page::default()
        }
    }

    /// The page with one more line on what was studied, such as a setting and its value.
    #[must_use]
    pub fn fact(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.facts.push((name.into(), text.into()));
        self
    }

    /// The page with this line under its heading.
    #[must_use]
    pub fn subtitle(self, subtitle: impl Into<String>) -> Self {
        Page {
            subtitle: subtitle.into(),
            ..self
        }
    }

    /// Adds a section of one's own.
    #[must_use]
    pub fn section(mut self, section: Section) -> Self {
        self.sections.push(section);
        self
    }
}

/// A finding in words, with the number that decides it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// The finding.
    pub text: String,
    /// The measured number beside its threshold, as the reader should see it.
    pub value: String,
    /// Whether the measurement supports the finding.
    pub holds: bool,
}

/// A titled part of the page.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Section {
    /// The heading.
    pub title: String,
    /// Plain text; a blank line starts a new paragraph.
    pub text: String,
    /// The tables, shown before the plots.
    pub tables: Vec<Table>,
    /// The plots.
    pub plots: Vec<Plot>,
}

/// A table that the reader can sort by any column.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// What the table shows.
    pub caption: String,
    /// The column headers.
    pub columns: Vec<String>,
    /// What each column counts; numbers where it is short.
    #[serde(default)]
    pub units: Vec<Unit>,
    /// The rows; a short row is filled up with empty cells.
    pub rows: Vec<Vec<Cell>>,
}

/// One cell of a [`Table`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// What the reader sees.
    pub text: String,
    /// What sorting compares. Without it a number is read from the text, with its usual
    /// units of bytes and seconds.
    #[serde(default)]
    pub sort: Option<f64>,
    /// Other numbers that the text tells, each with its name, for downloads: the ends of a range.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more: Vec<(String, f64)>,
}

impl Cell {
    /// A cell whose text stands for `value`.
    pub fn number(text: impl Into<String>, value: f64) -> Self {
        Self {
            text: text.into(),
            sort: Some(value),
            more: Vec::new(),
        }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self {
            text,
            ..Self::default()
        }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

/// Curves over one pair of axes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Plot {
    /// What the plot shows.
    pub title: String,
    /// The horizontal quantity, with its unit.
    pub x_label: String,
    /// The vertical quantity, with its unit.
    pub y_label: String,
    /// Whether the horizontal axis is logarithmic.
    pub x_log: bool,
    /// Whether the vertical axis is logarithmic.
    pub y_log: bool,
    /// What the horizontal axis counts.
    #[serde(default)]
    pub x_unit: Unit,
    /// What the vertical axis counts.
    #[serde(default)]
    pub y_unit: Unit,
    /// Whether a logarithmic vertical axis has a row for zeros under its least value.
    #[serde(default)]
    pub y_zero: bool,
    /// Other horizontal quantities, of which the reader may choose one.
    #[serde(default)]
    pub across: Vec<Across>,
    /// The curves, in the order of the legend.
    pub series: Vec<Series>,
    /// A remark shown under the plot; may be empty.
    pub note: String,
}

/// What the numbers of an axis or a column count. Ticks, cells and values on hover show it alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Unit {
    /// Numbers without a unit, or with one that the label names.
    #[default]
    Number,
    /// Bytes, shown as KiB, MiB and so on.
    Bytes,
    /// Seconds, shown as µs, ms or s.
    Seconds,
    /// Parts of a hundred.
    Percent,
}

/// A horizontal quantity that the reader may choose in place of the first one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Across {
    /// Its name.
    pub label: String,
    /// Whether its axis is logarithmic.
    pub log: bool,
    /// What it counts.
    pub unit: Unit,
}

/// The most points that a curve is drawn with: more than a screen tells apart.
const MOST_POINTS: usize = 400;

impl Plot {
    /// The plot with no more points a curve than a screen tells apart, and a note where some are
    /// left out: pages stay small.
    #[must_use]
    pub fn thinned(mut self) -> Self {
        let longest = self.series.iter().map(|s| s.points.len()).max();
        let stride = longest.unwrap_or(0).div_ceil(MOST_POINTS).max(1);
        if stride == 1 {
            return self;
        }
        for series in &mut self.series {
            let last = series.points.len().saturating_sub(1);
            let kept = |i: usize| i.is_multiple_of(stride) || i == last;
            thin(&mut series.points, kept);
            thin(&mut series.spread, kept);
            series.across.iter_mut().for_each(|x| thin(x, kept));
        }
        let note = format!("One of every {stride} points is here; the records have all of them.");
        self.note = [self.note, note].join(" ").trim_start().to_owned();
        self
    }

    /// The plot against the i-th of its horizontal quantities, the first of which is its own.
    pub(super) fn against(&self, i: usize) -> Self {
        let Some(other) = i.checked_sub(1).and_then(|i| self.across.get(i)) else {
            return self.clone();
        };
        let moved = |series: &Series| {
            let places = series.across.get(i - 1).into_iter().flatten();
            let points = places.zip(&series.points).map(|(x, (_, y))| (*x, *y));
            Series {
                points: points.collect(),
                ..series.clone()
            }
        };
        Plot {
            x_label: other.label.clone(),
            x_log: other.log,
            x_unit: other.unit,
            series: self.series.iter().map(moved).collect(),
            ..self.clone()
        }
    }
}

fn thin<T: Copy>(all: &mut Vec<T>, kept: impl Fn(usize) -> bool) {
    let some = all.iter().enumerate().filter(|(i, _)| kept(*i));
    *all = some.map(|(_, item)| *item).collect();
}

/// One named curve.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// The name in the legend.
    pub name: String,
    /// The points, joined in this order. One that has no place on the axes (not finite, or not
    /// positive on a log axis) interrupts the line and is counted under the plot.
    #[serde(deserialize_with = "points")]
    pub points: Vec<(f64, f64)>,
    /// The least and the largest value at each point, drawn as a band; empty for none.
    #[serde(default, deserialize_with = "points")]
    pub spread: Vec<(f64, f64)>,
    /// Whether the spread is drawn as error bars in place of a band.
    #[serde(default)]
    pub bars: bool,
    /// The places of the points on each of the plot's other horizontal quantities.
    #[serde(default)]
    pub across: Vec<Vec<f64>>,
    /// How the points are drawn.
    pub style: Style,
}

/// How a [`Series`] is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Style {
    /// A line, with a marker here and there to tell it from the others without colour.
    Line,
    /// A line with a marker on every point, or here and there if they are too many to tell apart.
    #[default]
    LineAndMarkers,
    /// Markers alone.
    Markers,
}

/// JSON has no word for a number that is not finite: it is written as null and read back as NaN.
fn points<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<(f64, f64)>, D::Error> {
    let read = Vec::<(Option<f64>, Option<f64>)>::deserialize(from)?;
    let number = |value: Option<f64>| value.unwrap_or(f64::NAN);
    Ok(read
        .into_iter()
        .map(|(x, y)| (number(x), number(y)))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_curves_are_thinned_and_say_so() {
        let plot = |n: usize| {
            let x = (0..n).map(|i| i as f64);
            let series = Series {
                points: x.clone().map(|x| (x, -x)).collect(),
                spread: x.clone().map(|x| (x, x + 1.0)).collect(),
                across: vec![x.map(|x| 2.0 * x).collect()],
                ..Series::default()
            };
            Plot {
                series: vec![series],
                note: "Bands.".into(),
                ..Plot::default()
            }
        };
        let whole = plot(MOST_POINTS);
        assert_eq!(whole.clone().thinned(), whole);
        let n = 2 * MOST_POINTS + 2;
        let long = plot(n).thinned();
        assert!(
            long.note.starts_with("Bands. One of every 3 points"),
            "{}",
            long.note
        );
        let Series {
            points,
            spread,
            across,
            ..
        } = &long.series[0];
        assert!(points.len() <= MOST_POINTS + 1);
        assert_eq!(
            (points[0].0, points.last().unwrap().0),
            (0.0, (n - 1) as f64)
        );
        for ((point, edges), other) in points.iter().zip(spread).zip(&across[0]) {
            assert_eq!((point.0, 2.0 * point.0), (edges.0, *other));
        }
        assert_eq!([spread.len(), across[0].len()], [points.len(); 2]);
    }

    #[test]
    fn points_that_are_not_finite_survive_json() {
        let series = Series {
            points: vec![(1.0, f64::NAN), (f64::INFINITY, 2.5)],
            ..Series::default()
        };
        let json = serde_json::to_string(&series).unwrap();
        let back: Series = serde_json::from_str(&json).unwrap();
        assert_eq!(back.points.len(), 2);
        assert_eq!((back.points[0].0, back.points[1].1), (1.0, 2.5));
        assert!(back.points[0].1.is_nan() && back.points[1].0.is_nan());
    }
}
