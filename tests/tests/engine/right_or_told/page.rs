//! The page on statuses: each has a row, and the tests it names are there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use solvers::arbitrary::statuses;

const PAGE: &str = include_str!("../../../../solvers/src/guide/statuses.md");

/// The cells of the rows that begin with a code.
fn rows() -> Vec<Vec<&'static str>> {
    let rows = PAGE.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect())
        .collect()
}

#[test]
fn every_status_has_a_row() {
    let (rows, all) = (rows(), statuses());
    assert_eq!(rows.len(), all.len());
    for (at, status) in all.iter().enumerate() {
        let code = format!("`{}`", status.code());
        let row = rows.iter().position(|row| row[0] == code);
        let row = row.unwrap_or_else(|| panic!("no row of {code} ({at})"));
        assert_eq!(rows[row].len(), 5, "{code}");
        // Successes first, and a way out of all others.
        assert_eq!(row < 5, status.is_success(), "{code}");
        assert!(status.is_success() || !rows[row][3].is_empty(), "{code}");
    }
}

#[test]
fn the_tests_it_names_are_there() {
    let mut names = BTreeSet::new();
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    // What the program says is tested with the program.
    for tests in ["tests", "../benches/tests"] {
        collect(&own.join(tests), &mut names);
    }
    for row in rows() {
        let name = row[4].trim_matches('`');
        assert!(names.contains(name), "{}: {name:?}", row[0]);
    }
}

/// The names of all functions in a folder.
fn collect(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, names);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = fs::read_to_string(&path).expect("UTF-8");
            let functions = text.lines().filter_map(|l| l.trim().strip_prefix("fn "));
            names.extend(functions.filter_map(|l| Some(l.split_once('(')?.0.to_owned())));
        }
    }
}
