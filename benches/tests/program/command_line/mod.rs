//! The contract of the command line: records, files and exit codes that scripts depend on.

mod compare;

use std::collections::BTreeSet;

use serde_json::Value;

use crate::common::{Folder, Run, noise, npy};

#[rustfmt::skip]
const TRACE_KEYS: [&str; 9] = [
    "iteration", "seconds", "upper", "lower_residual", "hypergradient_norm", "hvps", "gradients",
    "samples", "peak_bytes",
];

fn run(words: &str) -> Run {
    Folder::new().run(words)
}

fn names<'a>(records: &'a [Value], key: &str) -> Vec<&'a str> {
    let name = |r: &'a Value| r[key].as_str().expect("a name");
    records.iter().map(name).collect()
}

fn vector(record: &Value, key: &str) -> Vec<f64> {
    let entries = record[key].as_array().expect("an array");
    let number = |v: &Value| v.as_f64().expect("a number");
    entries.iter().map(number).collect()
}

#[track_caller]
fn has_keys(record: &Value, keys: &[&str]) {
    for key in keys {
        assert!(record.get(key).is_some(), "no `{key}` in {record}");
    }
}

/// Records without what may differ from run to run.
fn timeless(mut records: Vec<Value>) -> Vec<Value> {
    for record in &mut records {
        let record = record.as_object_mut().expect("an object");
        record.retain(|name, _| !name.starts_with("seconds"));
        if let Some(header) = record.get_mut("header") {
            header["threads"].take();
        }
    }
    records
}

/// Small data for `hyper-cleaning` and, with labels 0 and 1, `logistic`.
fn small_data(folder: &Folder) {
    let labels = |n: usize| (0..n as i64).map(|i| i * i % 3 % 2).collect::<Vec<_>>();
    let arrays = [
        ("x_train", npy(&[11, 3], &noise(33, 0))),
        ("t_train", npy(&[11], &labels(11))),
        ("x_valid", npy(&[6, 3], &noise(18, 1))),
        ("t_valid", npy(&[6], &labels(6))),
        ("x_test", npy(&[5, 3], &noise(15, 2))),
        ("t_test", npy(&[5], &labels(5))),
    ];
    folder.write_npz("small.npz", &arrays);
}

#[test]
fn solve_writes_a_header_and_a_trace() {
    let methods = [
        ("itd", "--depth 10"),
        ("aid-cg", "--warm-start true"),
        ("aid-direct", "--tolerance 1e-9"),
        ("bda", "--depth 10"),
        ("gda", "--stage-iterations 15 --report-every 1"),
    ];
    for (method, own) in methods {
        for (problem, metrics) in [
            ("hyper-cleaning", &["test_accuracy", "cleaner_f1"][..]),
            ("penalty-bias", &[]),
        ] {
            let words = format!(
                "solve --problem {problem} --method {method} --iterations 3 {own} --json --full \
                 --seed 3"
            );
            let records = run(&words).code(0).records();
            assert_eq!(
                records.len(),
                6,
                "a header, 3 iterations, the gain, the solution"
            );
            let header = &records[0]["header"];
            let made = [&header["problem"], &header["method"], &header["seed"]];
            assert_eq!(made, [&Value::from(problem), &method.into(), &3.into()]);
            assert_eq!(header["settings"]["iterations"], 3);
            let mut seconds = 0.0;
            for (i, r) in records[1..4].iter().enumerate() {
                has_keys(r, &TRACE_KEYS);
                has_keys(r, metrics);
                assert_eq!(r["iteration"], i + 1, "{r}");
                let now = r["seconds"].as_f64().unwrap();
                assert!(now >= seconds && r["peak_bytes"].as_u64().unwrap() > 0);
                seconds = now;
            }
            // The products that gda makes find its step lengths, once.
            let more = records[3]["hvps"].as_u64() > records[1]["hvps"].as_u64();
            assert_eq!(more, method != "gda", "{}", records[3]);
            has_keys(&records[4]["gain"], &["start", "end"]);
            has_keys(&records[5]["solution"], &["x", "y"]);
        }
    }
}

/// All variables of `soba` move at once: where x is as fast as y on `quadratic`, it runs away from it, and F
/// at the run's own y is less than φ ever is.
#[test]
fn a_run_that_is_worth_less_at_the_end_says_so() {
    let words = "solve --problem quadratic --method soba --json";
    let fast = run(&format!("{words} --rate 0.1")).code(0);
    assert!(fast.err.contains("worth less"), "{fast:?}");
    let records = fast.records();
    let [.., last, gain] = &records[..] else {
        panic!("{records:?}")
    };
    let of = |place: &str, name: &str| gain["gain"][place][name].as_f64().unwrap();
    assert_eq!(last["status"], "stepped");
    // The least φ is 0.354.
    assert!(last["upper"].as_f64().unwrap() < 0.354 && of("end", "value") > 1.0);
    assert!(of("end", "gradient_norm") > of("start", "gradient_norm"));
    assert!(of("end", "off") > 0.5);
    let slower = run(&format!("{words} --no-worth")).code(0);
    assert!(slower.err.is_empty(), "{slower:?}");
    assert!(slower.records().iter().all(|r| r.get("gain").is_none()));
}

#[test]
fn a_configuration_file_gives_way_to_arguments() {
    let folder = Folder::new();
    folder.write(
        "run.toml",
        "iterations = 7\nrate = 0.25\noptimiser = \"adam\"\n",
    );
    let words = "solve --problem scalar --method aid-cg --config run.toml --iterations 2 --json";
    let records = folder.run(words).code(0).records();
    let settings = &records[0]["header"]["settings"];
    assert_eq!(records.len(), 4);
    assert_eq!(settings["iterations"], 2);
    assert_eq!(settings["rate"], 0.25);
    assert_eq!(settings["optimiser"], "adam");
}

#[test]
fn everything_that_is_listed_can_be_run() {
    let listed = run("list --json").code(0).records();
    let text = run("list").code(0).out;
    let mut kinds = BTreeSet::new();
    for entry in &listed {
        has_keys(entry, &["kind", "name", "about"]);
        let [kind, name] = ["kind", "name"].map(|k| entry[k].as_str().unwrap());
        assert!(text.contains(name), "{name}");
        kinds.insert(kind);
        let name = name.replace("SLOTS", "3").replace("STEPS", "3");
        let name = name.replace("MEMORY", "taped").replace("RATE", "0.1");
        let name = name.replace("BETA", "0.5").replace("ALPHA", "0.5");
        let name = name.replace("DECAY", "0.9").replace("WEIGHT", "0.1");
        let name = name.replace("LOW", "0").replace("HIGH", "1");
        let name = name.replace("RADIUS", "0.5");
        let name = name.replace("EPS_ROOT", "1e-8").replace("EPS", "1e-8");
        let words = match kind {
            // What differentiates under constraints knows no problem without.
            "problem" if name.starts_with("constrained") => {
                format!("compare --problem {name} --strategy kkt")
            }
            "problem" => format!("compare --problem {name} --strategy itd --depth 3"),
            "strategy" if name == "kkt" => "compare --problem constrained --strategy kkt".into(),
            // Only steps that can be undone run backwards.
            "strategy" if name == "itd-reversible" => {
                let refused = run("compare --problem quadratic --strategy itd-reversible");
                assert!(refused.code(2).err.contains("expected momentum"));
                "compare --problem quadratic --strategy itd-reversible --inner momentum:0.5".into()
            }
            "strategy" => {
                format!("compare --problem quadratic --strategy itd,{name} --depth 3")
            }
            "part" => {
                format!("compare --problem quadratic --strategy itd --part {name} --depth 3")
            }
            "inner" => {
                format!("compare --problem quadratic --strategy itd --inner {name} --depth 3")
            }
            _ if name == "kkt" => "solve --problem constrained --method kkt --iterations 3".into(),
            _ => format!("solve --problem quadratic --method {name}"),
        };
        run(&words).code(0);
    }
    assert_eq!(
        kinds,
        BTreeSet::from(["inner", "method", "part", "problem", "strategy"])
    );
}

#[test]
fn a_numerical_failure_is_reported_in_the_record_and_by_code_1() {
    let run = run("compare --problem bda-counterexample --json").code(1);
    assert_eq!(run.err.lines().count(), 1, "{run:?}");
    for r in run.records() {
        let singular = r["status"] == "singular-hessian";
        let name = r["strategy"].as_str().unwrap();
        assert_eq!(singular, name.starts_with("aid") || name == "exact", "{r}");
        assert_eq!(run.err.contains(name), singular, "{run:?}");
    }
    let words = "solve --problem bda-counterexample --method aid-cg --json";
    let run = self::run(words).code(1);
    assert!(run.err.contains("iteration 1"), "{run:?}");
    assert_eq!(run.records()[1]["status"], "singular-hessian");
}

#[test]
fn every_subcommand_has_help() {
    let common = ["--seed", "--threads", "--dtype", "--out", "--json"];
    for (command, own) in [
        ("", &["compare", "solve", "list", "demo"][..]),
        ("demo", &[]),
        (
            "compare",
            &["--problem", "--data", "--strategy", "--depth", "--point"],
        ),
        (
            "solve",
            &["--problem", "--method", "--config", "--iterations"],
        ),
        ("list", &[]),
    ] {
        let run = run(&format!("{command} --help")).code(0);
        assert!(run.err.is_empty(), "{run:?}");
        for word in common.iter().chain(own) {
            assert!(run.out.contains(word), "{command} --help: no {word}");
        }
    }
    let version = run("--version").code(0).out;
    assert_eq!(
        version.trim(),
        concat!("bilevel ", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn results_depend_on_the_seed_and_not_on_the_threads() {
    for command in [
        "compare --problem hyper-cleaning --depth 15 --full --strategy itd,aid-cg,bda",
        "compare --problem quadratic --full",
        "solve --problem logistic --method itd --iterations 3 --full",
        "solve --problem hyper-cleaning --method gda --iterations 30 --full",
    ] {
        let with =
            |more: &str| timeless(run(&format!("{command} --json {more}")).code(0).records());
        let one = with("--seed 5 --threads 1");
        assert_eq!(one, with("--seed 5 --threads 2"), "{command}");
        assert_ne!(one, with("--seed 6 --threads 1"), "{command}");
    }
}

#[test]
fn single_precision_is_near_double_precision() {
    let command = "compare --problem logistic --strategy itd,aid-cg --depth 30 --json --full";
    let single = run(&format!("{command} --dtype f32")).code(0).records();
    let double = run(&format!("{command} --dtype f64")).code(0).records();
    for (a, b) in single.iter().zip(&double) {
        let [a, b] = [a, b].map(|r| vector(r, "hypergradient"));
        let gap = |i: usize| (a[i] - b[i]).powi(2);
        let apart = (0..a.len()).map(gap).sum::<f64>().sqrt();
        let norm = b.iter().map(|v| v * v).sum::<f64>().sqrt();
        assert!(apart > 0.0 && apart < 1e-3 * norm, "{apart} of {norm}");
    }
}

#[test]
fn a_point_moves_x_and_the_start_of_y() {
    let folder = Folder::new();
    let (x, y, s, depth) = (0.7, -0.4, 0.15_f64, 6);
    folder.write_npz("x.npz", &[("x", npy(&[1], &[x]))]);
    folder.write_npz(
        "xy.npz",
        &[("x", npy(&[1, 1], &[x])), ("y", npy(&[], &[y]))],
    );
    for (file, start) in [("x.npz", 0.0), ("xy.npz", y)] {
        let words = format!(
            "compare --problem scalar --strategy exact,itd --depth {depth} --step {s} \
             --point {file} --json --full"
        );
        let records = folder.run(&words).code(0).records();
        let r = 1.0 - (1.0 - 2.0 * s).powi(depth);
        let itd = x + r * (r * x + (1.0 - r) * start - 1.0);
        for (record, want) in records.iter().zip([2.0 * x - 1.0, itd]) {
            let got = vector(record, "hypergradient")[0];
            assert!((got - want).abs() < 1e-14, "{file}: {got}, expected {want}");
        }
    }
}

#[test]
fn out_holds_the_records_and_a_page() {
    let folder = Folder::new();
    let before = folder.contents();
    folder.run("compare --problem scalar --json").code(0);
    folder.run("solve --problem scalar --method itd").code(0);
    assert_eq!(
        folder.contents(),
        before,
        "without --out nothing is written"
    );
    // Beside them a run has its solution, its checkpoint and its lock.
    for (command, file, files) in [
        ("compare --problem quadratic", "compare.jsonl", 2),
        ("solve --problem quadratic --method itd", "trace.jsonl", 5),
    ] {
        let dir = format!("new/{file}.d");
        let run = folder.run(&format!("{command} --json --out {dir}")).code(0);
        let saved = std::fs::read_to_string(folder.path(&dir).join(file)).expect("a file");
        let saved = Run {
            out: saved,
            ..run.clone()
        };
        assert_eq!(saved.records(), run.records(), "{command}");
        let page = std::fs::read_to_string(folder.path(&dir).join("report.html")).expect("a page");
        assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>"));
        let found = std::fs::read_dir(folder.path(&dir)).unwrap().count();
        assert_eq!(found, files, "{command}");
    }
}
