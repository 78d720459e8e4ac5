//! Colours and marker shapes, and the classes that let the page's styles restyle a drawing.

use plotters::prelude::*;
use plotters::{coord::Shift, drawing::DrawingAreaErrorKind};

/// A drawing in memory.
pub(super) type Sheet<'a> = DrawingArea<SVGBackend<'a>, Shift>;
/// What drawing returns; in memory it has no way to fail.
pub(super) type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;

/// Drawing units per unit of length: the backend rounds to whole units, which would show.
pub(super) const UNIT: i32 = 10;

/// After Okabe and Ito, each at least three times as bright or as dark as white by the rule of WCAG,
/// and then five that are far from these, for plots of up to a dozen curves.
const PALETTE: [&str; 12] = [
    "#0072B2", "#D55E00", "#009E73", "#C0659A", "#1A1A1A", "#B97F00", "#1F9FD0", "#882255",
    "#667A14", "#7A4FC0", "#85888E", "#E0262D",
];

/// Shapes; as many as share no factor with the palette, so that pairs repeat late.
const SHAPES: i32 = 13;

/// The backend knows colours only, so roles are drawn as colours that [`paint`] replaces.
#[derive(Clone, Copy)]
pub(super) enum Ink {
    /// Tick labels.
    Tick,
    /// Axis labels.
    Label,
    /// The two axes.
    Axis,
    /// Grid lines at ticks.
    Grid,
    /// Grid lines between ticks.
    Minor,
    /// The line of a series.
    Line(usize),
    /// The filled marker of a series.
    Fill(usize),
    /// The stroked marker of a series.
    Stroke(usize),
    /// The band of a series.
    Band(usize),
    /// The error bars of a series.
    Bar(usize),
}

impl Ink {
    /// The colour that stands for this role.
    pub(super) fn color(self) -> RGBColor {
        let series = |kind, i: usize| RGBColor(kind, (i >> 8) as u8, i as u8);
        match self {
            Self::Tick => RGBColor(0, 0, 0),
            Self::Label => RGBColor(0, 0, 1),
            Self::Axis => RGBColor(0, 0, 2),
            Self::Grid => RGBColor(0, 0, 3),
            Self::Minor => RGBColor(0, 0, 4),
            Self::Line(i) => series(1, i),
            Self::Fill(i) => series(2, i),
            Self::Stroke(i) => series(3, i),
            Self::Band(i) => series(4, i),
            Self::Bar(i) => series(5, i),
        }
    }

    /// The class, and the colour where no style sheet applies, of a role's colour.
    fn of(hex: &str) -> Option<(String, &'static str)> {
        let code = u32::from_str_radix(hex, 16).ok()?;
        let i = (code & 0xffff) as usize;
        let color = PALETTE[i % PALETTE.len()];
        let hue = i % PALETTE.len();
        Some(match (code >> 16, i) {
            (0, 0) => ("tick".into(), "#444444"),
            (0, 1) => ("label".into(), "#1A1A1A"),
            (0, 2) => ("axis".into(), "#777777"),
            (0, 3) => ("grid".into(), "#DDDDDD"),
            (0, 4) => ("grid minor".into(), "#EEEEEE"),
            (1, _) if i >= PALETTE.len() => (format!("s{i} line c{hue} dash"), color),
            (1, _) => (format!("s{i} line c{hue}"), color),
            (2, _) => (format!("s{i} mark fill c{hue}"), color),
            (3, _) => (format!("s{i} mark c{hue}"), color),
            (4, _) => (format!("s{i} band c{hue}"), color),
            (5, _) => (format!("s{i} bar c{hue}"), color),
            _ => return None,
        })
    }
}

/// Replaces the role colours of a finished drawing by classes and real colours, and superscript
/// characters, which many fonts lack, by raised digits.
pub(super) fn paint(drawing: &str) -> String {
    let mut out = String::with_capacity(drawing.len() * 5 / 4);
    let mut rest = drawing;
    // Text has its quotes escaped, so this matches attributes alone.
    while let Some(at) = rest.find("=\"#") {
        let hex = at + 3..at + 9;
        if let Some((class, color)) = rest.get(hex.clone()).and_then(Ink::of) {
            let name = rest[..at].rfind(' ').map_or(0, |space| space + 1);
            out.push_str(&rest[..name]);
            out.push_str(&format!("class=\"{class}\" "));
            if class.ends_with("dash") {
                out.push_str("stroke-dasharray=\"60 40\" ");
            }
            out.push_str(&rest[name..at]);
            out.push_str("=\"");
            out.push_str(color);
        } else {
            out.push_str(&rest[..hex.end.min(rest.len())]);
        }
        rest = rest.get(hex.end..).unwrap_or("");
    }
    out.push_str(rest);
    raise(&out)
}

fn raise(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let raised = |c: char| super::axis::lowered(c).is_some();
    while let Some(from) = rest.find(raised) {
        let (before, after) = rest.split_at(from);
        let (digits, after) = after.split_at(after.find(|c| !raised(c)).unwrap_or(after.len()));
        // What follows on the line has to come down again.
        let (tail, after) = after.split_at(after.find(['<', '\n']).unwrap_or(after.len()));
        out.push_str(before);
        out.push_str("<tspan dy=\"-.42em\" font-size=\".75em\">");
        out.extend(digits.chars().filter_map(super::axis::lowered));
        out.push_str("</tspan>");
        if !tail.is_empty() {
            out.push_str(&format!("<tspan dy=\".315em\">{}</tspan>", raise(tail)));
        }
        rest = after;
    }
    out + rest
}

/// Draws the marker of series `i` with radius `r`.
pub(super) fn marker(sheet: &Sheet<'_>, i: usize, (x, y): (i32, i32), r: i32) -> Drawn {
    let fill = Ink::Fill(i).color().filled();
    let stroke = Ink::Stroke(i).color().stroke_width(2 * UNIT as u32);
    let corners = |at: &[(i32, i32)]| -> Vec<_> {
        // Hundredths of the radius.
        let scaled = |(dx, dy): &(i32, i32)| (x + dx * r / 100, y + dy * r / 100);
        at.iter().map(scaled).collect()
    };
    let polygon = |at: &[(i32, i32)]| sheet.draw(&Polygon::new(corners(at), fill));
    let path = |at: &[(i32, i32)]| sheet.draw(&PathElement::new(corners(at), stroke));
    match i as i32 % SHAPES {
        0 => sheet.draw(&Circle::new((x, y), r, fill)),
        1 => polygon(&[(-90, -90), (90, -90), (90, 90), (-90, 90)]),
        2 => polygon(&[(0, -125), (115, 80), (-115, 80)]),
        3 => polygon(&[(0, -130), (130, 0), (0, 130), (-130, 0)]),
        4 => {
            path(&[(-90, -90), (90, 90)])?;
            path(&[(-90, 90), (90, -90)])
        }
        5 => polygon(&[(0, 125), (115, -80), (-115, -80)]),
        6 => {
            path(&[(-120, 0), (120, 0)])?;
            path(&[(0, -120), (0, 120)])
        }
        7 => sheet.draw(&Circle::new((x, y), r, stroke)),
        8 => path(&[(-90, -90), (90, -90), (90, 90), (-90, 90), (-90, -90)]),
        9 => path(&[(0, -125), (115, 80), (-115, 80), (0, -125)]),
        10 => path(&[(0, -130), (130, 0), (0, 130), (-130, 0), (0, -130)]),
        11 => path(&[(0, 125), (115, -80), (-115, -80), (0, 125)]),
        _ => {
            path(&[(-110, 0), (110, 0)])?;
            path(&[(-55, -95), (55, 95)])?;
            path(&[(-55, 95), (55, -95)])
        }
    }
}

/// The sample of series `i` in a legend: its marker, on its line if it has one.
pub(super) fn swatch(i: usize, line: bool) -> String {
    let (w, h) = (30 * UNIT, 14 * UNIT);
    let mut raw = String::new();
    {
        let sheet = SVGBackend::with_string(&mut raw, (w as u32, h as u32)).into_drawing_area();
        let stroke = Ink::Line(i).color().stroke_width(2 * UNIT as u32);
        let drawn = if line {
            sheet.draw(&PathElement::new([(0, h / 2), (w, h / 2)], stroke))
        } else {
            Ok(())
        };
        drawn
            .and_then(|()| marker(&sheet, i, (w / 2, h / 2), 42))
            .and_then(|()| sheet.present())
            .expect("memory does not refuse a drawing");
    }
    let body = paint(&raw);
    let start = body.find('>').map_or(0, |end| end + 1);
    format!(
        "<svg class=\"swatch\" viewBox=\"0 0 {w} {h}\" aria-hidden=\"true\">{}",
        &body[start..]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dozen_series_differ_in_colour_and_in_shape() {
        let parts = |i: usize, colour: bool| {
            // The class names the series and its colour.
            let body = swatch(i, false);
            let (_, rest) = body.split_once(&format!("\"s{i} ")).unwrap();
            let hue = rest.split_once(" c").unwrap().1.split_once('"').unwrap().0;
            match colour {
                true => hue.to_owned(),
                false => body
                    .replace(&format!("c{hue}\""), "\"")
                    .replace(PALETTE[i], ""),
            }
        };
        for colour in [true, false] {
            let mut seen: Vec<_> = (0..12).map(|i| parts(i, colour)).collect();
            seen.iter_mut()
                .for_each(|s| *s = s.split_once("mark").map_or(s.clone(), |p| p.1.into()));
            seen.sort();
            seen.dedup();
            assert_eq!(seen.len(), 12, "{seen:?}");
        }
    }

    #[test]
    fn a_hundred_series_differ() {
        let body = |i: usize| {
            // The class names the series; what the eye sees must differ without it.
            swatch(i, false).replace(&format!("\"s{i} "), "\"")
        };
        for i in 0..100 {
            for j in 0..i {
                assert_ne!(body(i), body(j), "{i} {j}");
            }
        }
    }

    #[test]
    fn painting_leaves_no_role_colour() {
        let raw = "<a fill=\"#010000\" b=\"#00000\"/><t fill=\"#000001\">x=&quot;#000000 10⁻⁸</t><t>(10⁶)</t>";
        let painted = paint(raw);
        assert!(painted.contains("<a class=\"s0 line c0\" fill=\"#0072B2\""));
        assert!(painted.contains("x=&quot;#000000"));
        assert!(
            painted.contains("10<tspan dy=\"-.42em\" font-size=\".75em\">\u{2212}8</tspan></t>")
        );
        assert!(painted.ends_with("6</tspan><tspan dy=\".315em\">)</tspan></t>"));
    }
}
