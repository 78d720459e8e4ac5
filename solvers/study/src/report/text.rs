//! Tables as text, for a terminal.

use std::fmt;

use super::model::{Cell, Table};
use super::table::numeric;

/// Between columns.
const GAP: &str = "   ";

/// The titles, a rule, and a line for each row: the first column to the left, the others to the
/// right, except for words in the last. The caption is left to the caller.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.columns.len();
        let texts = |row: &[Cell]| -> Vec<String> {
            let cells = row.iter().map(|c| c.text.clone());
            cells
                .chain(std::iter::repeat_n(
                    String::new(),
                    columns.saturating_sub(row.len()),
                ))
                .collect()
        };
        let rows: Vec<Vec<String>> = self.rows.iter().map(|row| texts(row)).collect();
        let length = |text: &String| text.chars().count();
        let width = |i: usize| {
            let cells = rows.iter().filter_map(|row| row.get(i));
            cells
                .chain(&self.columns[i..=i])
                .map(length)
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let words = columns > 1 && !numeric(self, columns - 1);
        let line = |cells: &[String]| {
            let cells = cells.iter().zip(&widths).enumerate();
            let aligned =
                cells.map(
                    |(i, (text, width))| match i == 0 || (words && i + 1 == columns) {
                        true => format!("{text:<width$}"),
                        false => format!("{text:>width$}"),
                    },
                );
            let cells: Vec<String> = aligned.collect();
            format!("  {}", cells.join(GAP)).trim_end().to_owned()
        };
        let rule = widths.iter().sum::<usize>() + GAP.len() * columns.saturating_sub(1) + 4;
        write!(f, "{}\n{}", line(&self.columns), "─".repeat(rule))?;
        rows.iter().try_for_each(|row| write!(f, "\n{}", line(row)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[[&str; 3]]) -> Table {
        let cells = |row: &[&str; 3]| row.iter().map(|text| Cell::from(*text)).collect();
        Table {
            columns: ["strategy", "‖∇_y g‖", "how"].map(str::to_owned).into(),
            rows: rows.iter().map(cells).collect(),
            ..Table::default()
        }
    }

    #[test]
    fn names_stand_to_the_left_and_numbers_to_the_right() {
        let text = table(&[["itd", "1.2e-3", "unrolled"], ["aid-cg", "0", "ok"]]).to_string();
        let expected = "  strategy   ‖∇_y g‖   how\n\
                        ─────────────────────────────────\n  \
                        itd         1.2e-3   unrolled\n  \
                        aid-cg           0   ok";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_row_that_is_short_or_long_and_a_table_of_none_are_no_trouble() {
        let mut short = table(&[["itd", "1", "2"]]);
        short.rows[0].truncate(1);
        short.rows.push(["a", "b", "c", "d"].map(Cell::from).into());
        assert!(
            short
                .to_string()
                .ends_with("\n  itd\n  a                b   c")
        );
        assert_eq!(table(&[]).to_string().lines().count(), 2);
        assert_eq!(Table::default().to_string(), "\n────");
    }
}
