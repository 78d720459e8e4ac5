//! Bad usage and bad input: exit code 2, one line that names the culprit and what was expected,
//! and nothing left behind.

mod data_files;
mod mistakes;
mod settings;
mod usage;

use crate::common::Folder;

/// Runs the program on each line and looks for the words in its one line of complaint.
#[track_caller]
fn refused(folder: &Folder, cases: &[(&str, &[&str])]) {
    let before = folder.contents();
    for (words, culprits) in cases {
        let run = folder.run(words);
        assert_eq!(run.code, Some(2), "{words}: {run:?}");
        assert_eq!(run.out, "", "{words}");
        let complaint = run.err.strip_suffix('\n').unwrap_or_default();
        let one_line = !complaint.contains(['\n', '\r']) && complaint.starts_with("bilevel: ");
        assert!(
            one_line && !complaint.contains("panicked"),
            "{words}: {run:?}"
        );
        for culprit in *culprits {
            assert!(
                complaint.contains(culprit),
                "{words}: no `{culprit}` in {complaint}"
            );
        }
        assert_eq!(folder.contents(), before, "{words}: left something behind");
    }
}

fn compare(folder: &Folder, cases: &[(&str, &[&str])]) {
    let lines: Vec<String> = cases
        .iter()
        .map(|(words, _)| format!("compare --json --out results {words}"))
        .collect();
    let cases: Vec<(&str, &[&str])> = lines
        .iter()
        .zip(cases)
        .map(|(line, (_, culprits))| (&**line, *culprits))
        .collect();
    refused(folder, &cases);
}
