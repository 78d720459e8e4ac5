//! One plot as SVG.

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::{self, Axis};
use super::marks::{self, Drawn, Ink, Sheet, UNIT};
use super::model::{Plot, Series, Style};

const WIDTH: i32 = 480 * UNIT;
/// Height without the axis labels, which may take several lines.
const HEIGHT: i32 = 294 * UNIT;
/// The size of text before the page's styles, which enlarge it up to `TEXT_MAX` on a phone.
const TEXT: i32 = 12 * UNIT;
const TEXT_MAX: i32 = 16 * UNIT;
const LINE_HEIGHT: i32 = 20 * UNIT;
/// Characters of an axis label that fit in one line at `TEXT_MAX`.
const LABEL_CHARS: usize = 56;
/// Markers a line can carry on every point before they hide it.
const MARKERS: usize = 80;

/// Draws a plot as a single `svg` element, which scales to the width it is given.
///
/// The title, the legend and the notes are not part of the drawing: the page sets them as text,
/// which wraps. Colours and text sizes follow the page's styles, and have defaults without them.
/// A point without a place on the axes (not finite, or not positive on a log axis) is left out
/// and interrupts its line; [`left_out`] counts them.
pub fn svg(plot: &Plot) -> String {
    let axes = axes(plot);
    let powers = axes.as_ref().map_or((0, 0), |(x, y)| (x.power, y.power));
    let x_lines = wrap(&with_power(&plot.x_label, powers.0));
    let y_lines = wrap(&with_power(&plot.y_label, powers.1));
    let height = HEIGHT + LINE_HEIGHT * (x_lines.len() + y_lines.len()) as i32;
    let mut raw = String::new();
    {
        let size = (WIDTH as u32, height as u32);
        let sheet = SVGBackend::with_string(&mut raw, size).into_drawing_area();
        draw(&sheet, plot, axes, &x_lines, &y_lines)
            .and_then(|()| sheet.present())
            .expect("memory does not refuse a drawing");
    }
    let body = marks::paint(&raw);
    let start = body.find('>').map_or(0, |end| end + 1);
    let title = super::escape(&describe(plot));
    format!(
        "<svg class=\"chart\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         role=\"img\" aria-label=\"{title}\">\n<title>{title}</title>{}",
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

fn at(plot: &Plot, (x, y): (f64, f64)) -> Option<(f64, f64)> {
    Some((axis::place(x, plot.x_log)?, axis::place(y, plot.y_log)?))
}

fn axes(plot: &Plot) -> Option<(Axis, Axis)> {
    let points = plot.series.iter().flat_map(|series| {
        let edges = series.points.iter().zip(&series.spread);
        let edges = edges.flat_map(|((x, _), (low, high))| [(*x, *low), (*x, *high)]);
        series.points.iter().copied().chain(edges)
    });
    let placed: Vec<_> = points.filter_map(|point| at(plot, point)).collect();
    let y = Axis::over(
        placed.iter().map(|p| p.1),
        plot.y_log,
        axis::ROWS,
        usize::MAX,
    )?;
    let room = (WIDTH - left(&y)) as usize / (TEXT_MAX * 3 / 5) as usize;
    let x = Axis::over(placed.iter().map(|p| p.0), plot.x_log, axis::ROWS, room)?;
    Some((x, y))
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

fn draw(
    sheet: &Sheet<'_>,
    plot: &Plot,
    axes: Option<(Axis, Axis)>,
    x_lines: &[String],
    y_lines: &[String],
) -> Drawn {
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
        return sheet.draw(&Text::new("no data", at, style));
    };
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
    // All bands lie under all lines.
    for (i, series) in plot.series.iter().enumerate() {
        let edges = series.points.iter().zip(&series.spread);
        let edges = edges.map(|((x, _), (low, high))| {
            let (low, high) = (at(plot, (*x, *low))?, at(plot, (*x, *high))?);
            Some((chart.backend_coord(&low), chart.backend_coord(&high)))
        });
        band(sheet, i, edges)?;
    }
    for (i, series) in plot.series.iter().enumerate() {
        let pixels = series.points.iter().map(|point| {
            let placed = at(plot, *point)?;
            Some(chart.backend_coord(&placed))
        });
        curve(sheet, i, series.style, pixels)?;
    }
    Ok(())
}

/// Draws the band of a series; a missing edge interrupts it.
fn band(
    sheet: &Sheet<'_>,
    i: usize,
    edges: impl Iterator<Item = Option<((i32, i32), (i32, i32))>>,
) -> Drawn {
    let edges: Vec<_> = edges.collect();
    for run in edges.split(Option::is_none).filter(|run| run.len() > 1) {
        let low = run.iter().flatten().map(|(low, _)| *low);
        let high = run.iter().flatten().rev().map(|(_, high)| *high);
        let corners: Vec<_> = low.chain(high).collect();
        sheet.draw(&Polygon::new(corners, Ink::Band(i).color().filled()))?;
    }
    Ok(())
}

/// Draws one series; a missing point interrupts its line.
fn curve(
    sheet: &Sheet<'_>,
    i: usize,
    style: Style,
    pixels: impl Iterator<Item = Option<(i32, i32)>>,
) -> Drawn {
    let mut runs = vec![Vec::new()];
    for pixel in pixels {
        let run = runs.last_mut().expect("never empty");
        match pixel {
            // Points on the same spot would only make the file longer.
            Some(at) if run.last() == Some(&at) => {}
            Some(at) => run.push(at),
            None if run.is_empty() => {}
            None => runs.push(Vec::new()),
        }
    }
    let line = Ink::Line(i).color().stroke_width(18 * UNIT as u32 / 10);
    if style != Style::Markers {
        for run in runs.iter().filter(|run| run.len() > 1) {
            sheet.draw(&PathElement::new(run.clone(), line))?;
        }
    }
    let many = runs.iter().map(Vec::len).sum::<usize>() > MARKERS;
    let sparse = style == Style::Line || (style == Style::LineAndMarkers && many);
    for run in &runs {
        let chosen = if sparse { sample(run, i) } else { run.clone() };
        for at in chosen {
            marks::marker(sheet, i, at, 38)?;
        }
    }
    Ok(())
}

/// A few points of a run, well apart and staggered by series, and its last.
fn sample(run: &[(i32, i32)], i: usize) -> Vec<(i32, i32)> {
    let apart = 90 * UNIT;
    let mut out = Vec::new();
    let mut way = apart * (i as i32 * 3 % 8) / 8;
    for pair in run.windows(2) {
        way += (pair[1].0 - pair[0].0)
            .abs()
            .max((pair[1].1 - pair[0].1).abs());
        if way >= apart {
            way = 0;
            out.push(pair[1]);
        }
    }
    if let Some(last) = run.last().filter(|last| out.last() != Some(last)) {
        out.push(*last);
    }
    out
}

#[cfg(test)]
#[path = "plot_tests.rs"]
mod tests;
