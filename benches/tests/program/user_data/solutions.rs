//! The solution of a run: `solution.npz`, and that `--point` takes it as it stands.

use models::data::read_point;
use serde_json::Value;

use crate::common::{Folder, Run};

/// Everything in the folder of a run.
fn files(folder: &Folder, dir: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder.path(dir)).expect("a folder");
    let names = entries.map(|e| {
        e.expect("an entry")
            .file_name()
            .to_string_lossy()
            .into_owned()
    });
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

fn upper(run: &Run) -> f64 {
    let records = run.records();
    let last = records.iter().rfind(|r| r.get("iteration").is_some());
    last.expect("a record")["upper"].as_f64().expect("a number")
}

#[test]
fn a_solution_is_a_point_to_go_on_from() {
    for dtype in ["f64", "f32"] {
        let folder = Folder::new();
        folder.write("a.csv", include_str!("raw_scales.csv"));
        let solve = format!(
            "solve --problem logistic --method aid-cg --data a.csv --standardise --json --full \
             --dtype {dtype}"
        );
        let run = folder
            .run(&format!("{solve} --iterations 5 --out run"))
            .code(0);
        let expected = [
            ".lock",
            "checkpoint",
            "report.html",
            "solution.npz",
            "trace.jsonl",
        ];
        assert_eq!(files(&folder, "run"), expected);
        let wrote = "wrote run/trace.jsonl, run/solution.npz and run/report.html";
        assert!(run.err.contains(wrote), "{run:?}");
        // Not doubled in the trace: a header, the records, and what x was worth.
        let trace = std::fs::read_to_string(folder.path("run/trace.jsonl")).unwrap();
        assert_eq!(
            (trace.lines().count(), trace.contains("\"solution\"")),
            (7, false)
        );

        // To the bit what was reached.
        let point = read_point(&folder.path("run/solution.npz")).expect("a point");
        let records = run.records();
        let solution = &records.last().unwrap()["solution"];
        let of = |key: &str| -> Vec<f64> { serde_json::from_value(solution[key].clone()).unwrap() };
        assert_eq!((&point.x, point.y.as_ref()), (&of("x"), Some(&of("y"))));
        let bytes = std::fs::read(folder.path("run/solution.npz")).unwrap();
        let holds = |text: &str| bytes.windows(text.len()).any(|w| w == text.as_bytes());
        assert!(holds(if dtype == "f32" { "'<f4'" } else { "'<f8'" }));
        assert!(holds("names.npy") && holds("'<U"));

        // The next run begins where this one ended.
        let on = format!("{solve} --iterations 1 --point run/solution.npz");
        let on = folder.run(&on).code(0);
        assert!(upper(&on) < upper(&run), "{} {}", upper(&on), upper(&run));
        let words = "compare --problem logistic --data a.csv --standardise --strategy exact --json";
        let words = format!("{words} --dtype {dtype} --point run/solution.npz");
        let record: Value = folder.run(&words).code(0).records()[0].clone();
        assert_eq!(record["status"], "converged", "{record}");
        let other = folder
            .run("compare --problem scalar --point run/solution.npz")
            .code(2);
        assert!(
            other.err.contains("solution.npz: array `x` has 3 entries"),
            "{other:?}"
        );
    }
}
