//! `bilevel check` as a process.

use std::process::Command;

use serde_json::Value;

const KEYS: [&str; 9] = [
    "subject", "check", "mode", "expected", "got", "ratio", "verdict", "place", "seed",
];

#[test]
fn a_problem_is_checked_and_recorded() {
    for problem in ["scalar", "bda-counterexample"] {
        let run = Command::new(env!("CARGO_BIN_EXE_bilevel"))
            .args(["check", "--problem", problem, "--seed", "3", "--json"])
            .output()
            .expect("the program runs");
        let text = String::from_utf8(run.stdout).expect("UTF-8");
        let errors = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.code(), Some(0), "{errors}{text}");
        let records: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        for record in &records {
            for key in KEYS {
                assert!(record.get(key).is_some(), "{key}: {record}");
            }
            assert_eq!(record["seed"], 3);
            assert_ne!(record["verdict"], "mismatch", "{record}");
        }
        let passes = |subject: &str| {
            let subject = format!("{problem} {subject}");
            let of = |r: &&Value| r["subject"] == *subject && r["verdict"] == "pass";
            records.iter().filter(of).count()
        };
        for subject in ["lower", "upper", "itd", "itd-forward", "bda"] {
            assert!(passes(subject) > 0, "{problem} {subject}: {text}");
        }
        assert_eq!(passes("itd-truncated:3"), 0);
    }
}

#[test]
fn an_unknown_problem_is_bad_usage() {
    let run = Command::new(env!("CARGO_BIN_EXE_bilevel"))
        .args(["check", "--problem", "scalr"])
        .output()
        .expect("the program runs");
    assert_eq!(run.status.code(), Some(2));
    let errors = String::from_utf8_lossy(&run.stderr);
    assert!(errors.contains("did you mean `scalar`?"), "{errors}");
}
