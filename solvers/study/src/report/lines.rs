//! What stands for a series: its band or error bars, its line, its markers.

use plotters::prelude::*;

use super::marks::{Drawn, Ink, Sheet, UNIT, marker};
use super::model::Style;

/// Markers a line can carry on every point before they hide it.
const MARKERS: usize = 80;
/// Half the width of an error bar's ends.
const END: i32 = 4 * UNIT;

/// A place in the drawing.
type Pixel = (i32, i32);

/// Draws the band of a series; a missing edge interrupts it.
pub(super) fn band(
    sheet: &Sheet<'_>,
    i: usize,
    edges: impl Iterator<Item = Option<(Pixel, Pixel)>>,
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

/// Draws the error bars of a series. One without a lower end, such as a mean less its error that is
/// not positive on a log axis, goes down to `foot` and has no end there.
pub(super) fn bars(
    sheet: &Sheet<'_>,
    i: usize,
    edges: impl Iterator<Item = (Option<Pixel>, Option<Pixel>)>,
    foot: i32,
) -> Drawn {
    let ink = Ink::Bar(i).color().stroke_width(UNIT as u32);
    let line = |from: Pixel, to: Pixel| sheet.draw(&PathElement::new([from, to], ink));
    let end = |(x, y): Pixel| line((x - END, y), (x + END, y));
    for (low, high) in edges {
        let Some(high) = high else { continue };
        end(high)?;
        if let Some(low) = low {
            end(low)?;
        }
        line((high.0, low.map_or(foot, |low| low.1)), high)?;
    }
    Ok(())
}

/// Draws one series; a missing point interrupts its line.
pub(super) fn curve(
    sheet: &Sheet<'_>,
    i: usize,
    style: Style,
    pixels: impl Iterator<Item = Option<Pixel>>,
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
            marker(sheet, i, at, 38)?;
        }
    }
    Ok(())
}

/// A few points of a run, well apart and staggered by series, and its last.
fn sample(run: &[Pixel], i: usize) -> Vec<Pixel> {
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
