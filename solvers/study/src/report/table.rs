//! Tables: numbers aligned and sortable.

use std::fmt::Write as _;

use super::model::{Cell, Table};
use super::{escape, prose};

/// Units that sorting understands, in bytes or seconds.
const UNITS: [(&str, f64); 19] = [
    ("%", 1.0),
    ("×", 1.0),
    ("B", 1.0),
    ("kB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
    ("TB", 1e12),
    ("KiB", 1024.0),
    ("MiB", 1_048_576.0),
    ("GiB", 1_073_741_824.0),
    ("TiB", 1_099_511_627_776.0),
    ("ns", 1e-9),
    ("µs", 1e-6),
    ("μs", 1e-6),
    ("us", 1e-6),
    ("ms", 1e-3),
    ("s", 1.0),
    ("min", 60.0),
    ("h", 3600.0),
];

/// The table with its caption, in a wrapper that scrolls if the table is wider than the page.
pub(super) fn table(table: &Table) -> String {
    let caption = escape(&table.caption);
    let mut out = format!(
        "<figure class=\"table\">\n<figcaption>{}</figcaption>\n\
         <div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{caption}\">\n\
         <table class=\"data\" aria-label=\"{caption}\">\n<thead><tr>",
        prose(&table.caption)
    );
    let cells = table.rows.iter().map(Vec::len).max().unwrap_or(0);
    for i in 0..cells.max(table.columns.len()) {
        let name = table.columns.get(i).map_or("", String::as_str);
        let _ = write!(
            out,
            "<th scope=\"col\"{}><button type=\"button\">{}</button></th>",
            if numeric(table, i) {
                " class=\"n\""
            } else {
                ""
            },
            escape(name)
        );
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in &table.rows {
        out.push_str("<tr>");
        for i in 0..cells.max(table.columns.len()) {
            out.push_str(
                &row.get(i)
                    .map_or_else(|| cell(table, i, &Cell::default()), |c| cell(table, i, c)),
            );
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n</table>\n</div>\n</figure>\n");
    out
}

fn cell(table: &Table, column: usize, cell: &Cell) -> String {
    let key = key(cell);
    // Words among numbers, such as a dash or a status, line up with the numbers of their column.
    let class = if numeric(table, column) {
        " class=\"n\""
    } else {
        ""
    };
    let sort = key.map_or_else(String::new, |key| format!(" data-sort=\"{key:?}\""));
    // A range takes a line of its own, so that columns stay narrow.
    let text = match cell.text.split_once(" [") {
        Some((value, range)) if !cell.more.is_empty() => {
            let range = escape(range);
            format!("{} <span class=\"range\">[{range}</span>", escape(value))
        }
        _ => escape(&cell.text),
    };
    format!("<td{class}{sort}>{text}</td>")
}

/// Whether most cells of a column that say something are numbers.
pub(super) fn numeric(table: &Table, column: usize) -> bool {
    let cells = table.rows.iter().filter_map(|row| row.get(column));
    let says = |cell: &&Cell| cell.text.chars().any(char::is_alphanumeric) || key(cell).is_some();
    let told: Vec<bool> = cells.filter(says).map(|cell| key(cell).is_some()).collect();
    2 * told.iter().filter(|number| **number).count() > told.len()
}

/// What sorting compares.
fn key(cell: &Cell) -> Option<f64> {
    cell.sort
        .or_else(|| read(&cell.text))
        .filter(|key| !key.is_nan())
}

/// The number at the start of a text that is a number, with a unit or an uncertainty.
fn read(text: &str) -> Option<f64> {
    let text = text
        .trim()
        .replace('\u{2212}', "-")
        .replace(['\u{202f}', '\u{2009}'], "");
    let (text, sign) = match text.strip_prefix('-') {
        Some(rest) => (rest, -1.0),
        None => (text.strip_prefix('+').unwrap_or(&text), 1.0),
    };
    if !text.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    // The longest start that parses, so that an exponent is not taken for a unit.
    let end = (1..=text.len()).rev().find(|end| {
        let start = text.get(..*end);
        start.is_some_and(|start| start.parse::<f64>().is_ok())
    })?;
    let (number, rest) = text.split_at(end);
    let value = sign * number.parse::<f64>().ok()?;
    let rest = rest.split('±').next().unwrap_or("").trim();
    if rest.is_empty() {
        return Some(value);
    }
    let scale = UNITS.iter().find(|(unit, _)| *unit == rest)?.1;
    Some(value * scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_with_units() {
        assert_eq!(read("1.2e-10"), Some(1.2e-10));
        assert_eq!(read("\u{2212}3"), Some(-3.0));
        assert_eq!(read("12.5 KiB"), Some(12_800.0));
        assert_eq!(read("2ms"), Some(2e-3));
        assert_eq!(read("98.5 ± 0.3"), Some(98.5));
        assert_eq!(read("98.5 %"), Some(98.5));
        assert_eq!(read("10\u{202f}000"), Some(10_000.0));
        for text in [
            "", "-", "NaN", "inf", "cg", "1 of 6", "2 layers", "e5", "1.2.3",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn a_given_key_wins_over_the_text() {
        assert_eq!(key(&Cell::number("about ten", 10.0)), Some(10.0));
        assert_eq!(key(&Cell::number("—", f64::NAN)), None);
    }

    #[test]
    fn numbers_are_marked_and_text_is_escaped() {
        let html = table(&Table {
            caption: "a<b".into(),
            columns: vec!["name".into(), "x & y".into()],
            rows: vec![
                vec!["<cg>".into(), "1.5e-3".into()],
                vec!["ift".into(), "2".into()],
                vec!["none".into(), "—".into()],
                vec!["short".into()],
            ],
            ..Table::default()
        });
        assert!(html.contains("<figcaption>a&lt;b</figcaption>"));
        assert!(
            html.contains("<td>&lt;cg&gt;</td><td class=\"n\" data-sort=\"0.0015\">1.5e-3</td>")
        );
        assert!(html.contains("<td class=\"n\">—</td>"));
        assert!(html.contains("<th scope=\"col\" class=\"n\"><button type=\"button\">x &amp; y<"));
        assert_eq!(html.matches("<td").count(), 8);
    }

    #[test]
    fn a_range_stands_below_its_value() {
        let cell = Cell {
            more: vec![("low".into(), 1.0)],
            ..Cell::number("2 [1, <3]", 2.0)
        };
        let html = table(&Table {
            columns: vec!["time".into()],
            rows: vec![vec![cell]],
            ..Table::default()
        });
        assert!(
            html.contains(">2 <span class=\"range\">[1, &lt;3]</span></td>"),
            "{html}"
        );
    }

    #[test]
    fn a_column_of_few_numbers_and_many_dashes_is_one_of_numbers() {
        let rows = ["–", "–", "3", "–"].map(|text| vec![text.into()]);
        let html = table(&Table {
            columns: vec!["residual".into()],
            rows: rows.into(),
            ..Table::default()
        });
        assert_eq!(html.matches("<td class=\"n\"").count(), 4);
    }
}
