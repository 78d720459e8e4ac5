//! A first column that counts the rows.

/// Rows from which on a column without a name is no feature that counts them by chance.
const MANY: usize = 8;

/// Names that spreadsheets and programs give such a column.
const NAMES: [&str; 4] = ["index", "id", "row", "#"];

/// Whether a column of this name, if it has a header, is no feature but the number of the row:
/// distinct whole numbers below an empty name, or 0, 1, 2, … or 1, 2, 3, … below one that says so
/// or in a longer table without names.
pub(super) fn is_index(name: Option<&str>, values: &[f64]) -> bool {
    let counts = || {
        let start = values[0];
        let is_next = |(i, value): (usize, &f64)| *value == start + i as f64;
        (start == 0.0 || start == 1.0) && values.iter().enumerate().all(is_next)
    };
    match name.map(str::to_lowercase).as_deref() {
        _ if values.is_empty() => false,
        None => values.len() >= MANY && counts(),
        // pandas reads an empty name as the latter.
        Some("" | "unnamed: 0") => are_distinct(values),
        Some(name) => NAMES.contains(&name) && counts(),
    }
}

fn are_distinct(values: &[f64]) -> bool {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let distinct = sorted.windows(2).all(|pair| pair[0] != pair[1]);
    distinct && values.iter().all(|value| value.fract() == 0.0)
}
