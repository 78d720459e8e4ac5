//! One plot as SVG.

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::drawing::DrawingAreaErrorKind;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::{self, Axis, Scale};
use super::lines::{band, bars, curve};
use super::marks::{self, Ink, Sheet, UNIT};
use super::model::{Plot, Series};

const WIDTH: i32 = 480 * UNIT;
/// Height without the axis labels, which may take several lines.
const HEIGHT: i32 = 294 * UNIT;
/// The size of text before the page's styles, which enlarge it up to `TEXT_MAX` on a phone.
const TEXT: i32 = 12 * UNIT;
const TEXT_MAX: i32 = 16 * UNIT;
const LINE_HEIGHT: i32 = 20 * UNIT;
/// Characters of an axis label that fit in one line at `TEXT_MAX`.
const LABEL_CHARS: usize = 56;
/// How far apart sideways the error bars of two series stand.
const APART: i32 = 6 * UNIT;

/// Draws a plot as a single `svg` element, which scales to the width it is given.
///
/// The title, the legend and the notes are not part of the drawing: the page sets them as text,
/// which wraps. Colours and text sizes follow the page's styles, and have defaults without them.
/// A point without a place on the axes (not finite, or not positive on a log axis) is left out
/// and interrupts its line; a note under it counts them. Where the axes lie is said in `data-x` and
/// `data-y`: the least and the largest drawn coordinate, and their places.
pub fn svg(plot: &Plot) -> String {
    let axes = axes(plot);
    let powers = axes.as_ref().map_or((0, 0), |(x, y)| (x.power, y.power));
    let zero = axes.as_ref().and_then(|(_, y)| y.zero);
    let x_lines = wrap(&with_power(&plot.x_label, powers.0));
    let y_lines = wrap(&with_power(&plot.y_label, powers.1));
    let height = HEIGHT + LINE_HEIGHT * (x_lines.len() + y_lines.len()) as i32;
    let mut raw = String::new();
    let frame = {
        let size = (WIDTH as u32, height as u32);
        let sheet = SVGBackend::with_string(&mut raw, size).into_drawing_area();
        let frame =
            draw(&sheet, plot, axes, &x_lines, &y_lines).expect("memory does not refuse a drawing");
        sheet.present().expect("memory does not refuse a drawing");
        frame
    };
    let body = marks::paint(&raw);
    let start = body.find('>').map_or(0, |end| end + 1);
    let title = super::escape(&describe(plot));
    let places = frame.map_or_else(String::new, |frame| places(plot, frame, zero));
    let many = match plot.series.iter().filter(|s| !s.spread.is_empty()).count() {
        0..=3 => "",
        _ => " many",
    };
    format!(
        "<svg class=\"chart{many}\" xmlns=\"http://www.w3.org/2000/svg\" \
         viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{title}\"{places}>\n{}",
        &body[start..]
    )
}

/// How many points of a series have no place on the axes: first those that are not finite or
/// beyond 1e300, then the others, which are zero or negative on a log axis.
pub(super) fn left_out(plot: &Plot, series: &Series) -> (usize, usize) {
    let mut counts = (0, 0);
    for &(x, y) in series.points.iter().filter(|p| at(plot, **p).is_none()) {
        if axis::place(x, false).is_none() || axis::place(y, false).is_none() {
            counts.0 += 1;
        } else {
            counts.1 += 1;
        }
    }
    counts
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        let value = match self.zero {
            Some(zero) => value.max(zero),
            None => *value,
        };
        let share = (value - self.low) / (self.high - self.low);
        from + (share * f64::from(to - from)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() {
            self.minor.clone()
        } else {
            self.ticks.iter().map(|(at, _)| *at).collect()
        }
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.low..self.high
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        self.label(*value)
    }
}

/// The drawn coordinates of a point; those of a zero in a row of its own are below all others.
fn at(plot: &Plot, (x, y): (f64, f64)) -> Option<(f64, f64)> {
    let y = match y == 0.0 && plot.y_log && plot.y_zero {
        true => f64::NEG_INFINITY,
        false => axis::place(y, plot.y_log)?,
    };
    Some((axis::place(x, plot.x_log)?, y))
}

/// How far to the side a series is drawn: error bars at one place would hide each other.
fn aside(plot: &Plot, i: usize) -> i32 {
    if !plot.series[i].bars {
        return 0;
    }
    let barred = |upto: usize| plot.series[..upto].iter().filter(|s| s.bars).count() as i32;
    (2 * barred(i) + 1 - barred(plot.series.len())) * APART / 2
}

/// The axes and what is drawn aside, as attributes.
fn places(plot: &Plot, [x, y]: [(f64, f64, i32, i32); 2], zero: Option<f64>) -> String {
    let axis = |name: &str, (low, high, from, to): (f64, f64, i32, i32)| {
        format!(" data-{name}=\"{low} {high} {from} {to}\"")
    };
    let mut out = axis("x", x) + &axis("y", y);
    if let Some(zero) = zero {
        out += &format!(" data-zero=\"{zero}\"");
    }
    let asides: Vec<String> = (0..plot.series.len())
        .map(|i| aside(plot, i).to_string())
        .collect();
    if plot.series.iter().any(|s| s.bars) {
        out += &format!(" data-aside=\"{}\"", asides.join(" "));
    }
    out
}

fn axes(plot: &Plot) -> Option<(Axis, Axis)> {
    let points = plot.series.iter().flat_map(|series| {
        let edges = series.points.iter().zip(&series.spread);
        let edges = edges.flat_map(|((x, _), (low, high))| [(*x, *low), (*x, *high)]);
        series.points.iter().copied().chain(edges)
    });
    let placed: Vec<_> = points.filter_map(|point| at(plot, point)).collect();
    let scale = |log, unit| Scale { log, unit };
    let positive = placed.iter().map(|p| p.1).filter(|y| y.is_finite());
    let y_scale = scale(plot.y_log, plot.y_unit);
    let y = match Axis::over(positive, y_scale, axis::ROWS, usize::MAX) {
        // Of zeros alone there is nothing to scale by.
        None if !placed.is_empty() => {
            Axis::over(std::iter::once(0.0), y_scale, axis::ROWS, usize::MAX)?
        }
        found => found?,
    };
    let y = match placed.iter().any(|p| p.1 == f64::NEG_INFINITY) {
        true => y.with_zero(),
        false => y,
    };
    let room = (WIDTH - left(&y)) as usize / (TEXT_MAX * 3 / 5) as usize;
    let x_scale = scale(plot.x_log, plot.x_unit);
    let x = Axis::over(placed.iter().map(|p| p.0), x_scale, axis::ROWS, room)?;
    if !y.begins_low() {
        return Some((x, y));
    }
    // In the corner the first labels of both axes would meet.
    let half = x.widest() as i32 * TEXT_MAX * 3 / 10 - 6 * UNIT;
    let share = f64::from(half.max(0)) / f64::from(WIDTH - left(&y) - 14 * UNIT);
    Some((x.with_room(share), y))
}

/// The width of the vertical axis's labels, at the size they have on a phone.
fn left(y: &Axis) -> i32 {
    (y.widest() as i32 * TEXT_MAX * 3 / 5 + 8 * UNIT).max(3 * TEXT_MAX)
}

/// The room right of the last grid line, where half the label of a tick near the end needs it.
fn right(x: &Axis, side: i32) -> i32 {
    let least = 14 * UNIT;
    let half = x.widest() as i32 * TEXT_MAX * 3 / 10 + UNIT;
    let beyond =
        |(at, _): &(f64, String)| half - (WIDTH - least - x.map(at, (side, WIDTH - least)));
    least.max(x.ticks.iter().map(beyond).max().unwrap_or(0))
}

fn describe(plot: &Plot) -> String {
    let log = |log| if log { " (log)" } else { "" };
    let names: Vec<_> = plot.series.iter().map(|s| s.name.as_str()).collect();
    format!(
        "{}: {}{} against {}{}; {}",
        plot.title,
        plot.y_label,
        log(plot.y_log),
        plot.x_label,
        log(plot.x_log),
        names.join(", ")
    )
}

fn with_power(label: &str, power: i32) -> String {
    match power {
        0 => label.to_owned(),
        _ => format!("{label} (×10{})", axis::raised(power)),
    }
}

fn wrap(label: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in label.split_whitespace() {
        let line = lines.last_mut().expect("never empty");
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= LABEL_CHARS {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

fn text(size: i32, ink: Ink) -> TextStyle<'static> {
    // The backend divides the size by this factor.
    let size = f64::from(size) * 1.24;
    TextStyle {
        color: ink.color().to_backend_color(),
        ..TextStyle::from(("sans-serif", size).into_font())
    }
}

/// Both axes: the least and the largest drawn coordinate, and their places.
type Frame = [(f64, f64, i32, i32); 2];

/// Draws a plot, and says where its axes lie if it has data.
fn draw(
    sheet: &Sheet<'_>,
    plot: &Plot,
    axes: Option<(Axis, Axis)>,
    x_lines: &[String],
    y_lines: &[String],
) -> Result<Option<Frame>, DrawingAreaErrorKind<std::io::Error>> {
    let height = sheet.dim_in_pixel().1 as i32;
    let top = LINE_HEIGHT * y_lines.len() as i32;
    let bottom = LINE_HEIGHT * x_lines.len() as i32;
    let label = |at: HPos| text(TEXT, Ink::Label).pos(Pos::new(at, VPos::Top));
    for (i, line) in y_lines.iter().enumerate() {
        let y = LINE_HEIGHT * i as i32 + 2 * UNIT;
        sheet.draw(&Text::new(line.as_str(), (0, y), label(HPos::Left)))?;
    }
    let side = axes.as_ref().map_or(UNIT, |(_, y)| left(y));
    for (i, line) in x_lines.iter().enumerate() {
        let (x, y) = ((side + WIDTH) / 2, height - bottom + LINE_HEIGHT * i as i32);
        sheet.draw(&Text::new(line.as_str(), (x, y), label(HPos::Center)))?;
    }
    let Some((x, y)) = axes else {
        let middle = Pos::new(HPos::Center, VPos::Center);
        let (at, style) = ((WIDTH / 2, height / 2), text(TEXT, Ink::Tick).pos(middle));
        let (up, down) = (top + 8 * UNIT, height - bottom - 8 * UNIT);
        let frame = [
            (UNIT, up),
            (WIDTH - UNIT, up),
            (WIDTH - UNIT, down),
            (UNIT, down),
            (UNIT, up),
        ];
        sheet.draw(&PathElement::new(
            frame,
            Ink::Grid.color().stroke_width(UNIT as u32),
        ))?;
        sheet.draw(&Text::new("no data", at, style))?;
        return Ok(None);
    };
    let (x_range, y_range) = ((x.low, x.high), (y.low, y.high));
    let chart = ChartBuilder::on(sheet)
        .margin_top(top + 12 * UNIT)
        .margin_right(right(&x, side))
        .margin_bottom(bottom)
        .x_label_area_size(28 * UNIT)
        .y_label_area_size(side)
        .build_cartesian_2d(x, y);
    let mut chart = chart?;
    chart
        .configure_mesh()
        .set_all_tick_mark_size(4 * UNIT)
        .axis_style(Ink::Axis.color().stroke_width(UNIT as u32))
        .bold_line_style(Ink::Grid.color().stroke_width(UNIT as u32))
        .light_line_style(Ink::Minor.color().stroke_width(UNIT as u32))
        .label_style(text(TEXT, Ink::Tick))
        .draw()?;
    let (left, foot) = chart.backend_coord(&(x_range.0, y_range.0));
    let (end, head) = chart.backend_coord(&(x_range.1, y_range.1));
    let pixel = |i: usize, point: (f64, f64)| {
        let (x, y) = chart.backend_coord(&at(plot, point)?);
        Some((x + aside(plot, i), y))
    };
    // All bands lie under all lines.
    for (i, series) in plot.series.iter().enumerate() {
        let edges = series.points.iter().zip(&series.spread);
        let edges = edges.map(|((x, _), edges)| {
            let edge = |y: f64| pixel(i, (*x, y));
            (edge(edges.0), edge(edges.1))
        });
        match series.bars {
            true => bars(sheet, i, edges, foot)?,
            false => band(sheet, i, edges.map(|(low, high)| low.zip(high)))?,
        }
    }
    for (i, series) in plot.series.iter().enumerate() {
        let pixels = series.points.iter().map(|point| pixel(i, *point));
        curve(sheet, i, series.style, pixels)?;
    }
    Ok(Some([
        (x_range.0, x_range.1, left, end),
        (y_range.0, y_range.1, foot, head),
    ]))
}

#[cfg(test)]
#[path = "plot_tests.rs"]
mod tests;
