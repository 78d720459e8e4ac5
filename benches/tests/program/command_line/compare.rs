//! `bilevel compare`.

use super::{has_keys, names, run, small_data, vector};
use crate::common::Folder;

#[rustfmt::skip]
const COMPARE_KEYS: [&str; 15] = [
    "strategy", "status", "error_vs_exact", "norm", "lower_residual", "distance", "moving", "left", "linear_residual",
    "certificate", "hvps", "gradients", "iterations", "seconds", "peak_bytes",
];

#[test]
fn compare_prints_a_record_for_each_default_strategy() {
    let records = run("compare --problem logistic --depth 20 --json")
        .code(0)
        .records();
    let want = [
        "exact",
        "itd",
        "itd-checkpointed:10",
        "itd-truncated:10",
        "aid-cg",
        "aid-direct",
        "bda",
    ];
    assert_eq!(names(&records, "strategy"), want);
    for r in &records {
        has_keys(r, &COMPARE_KEYS);
        assert!(r.get("hypergradient").is_none(), "only with --full");
        for key in ["hvps", "gradients", "iterations", "peak_bytes"] {
            assert!(r[key].is_u64(), "`{key}` counts: {r}");
        }
        for key in ["error_vs_exact", "norm", "lower_residual", "seconds"] {
            assert!(r[key].as_f64().is_some_and(|v| v >= 0.0), "`{key}`: {r}");
        }
    }
    assert_eq!(records[0]["error_vs_exact"], 0.0);
    let implicit = records[4]["linear_residual"].as_f64();
    assert!(implicit.is_some_and(|r| r <= 1e-10), "{implicit:?}");
}

#[test]
fn a_dense_hessian_that_takes_more_than_its_share_is_run_if_named() {
    // y has 640 entries.
    let words = "compare --problem softmax --json --depth";
    let deep = run(&format!("{words} 320")).records();
    assert!(names(&deep, "strategy").contains(&"exact"), "{deep:?}");
    assert!(deep.iter().all(|r| r.get("left_out").is_none()));
    let shallow = run(&format!("{words} 319")).records();
    assert!(!names(&shallow, "strategy").contains(&"exact"));
    for r in &shallow {
        assert_eq!(r["reference"], "implicit");
        let reason = r["left_out"].as_str().expect("a reason");
        assert!(
            reason.contains("640 products, against 638 sweeps"),
            "{reason}"
        );
    }
    // The two references are the same hypergradient.
    let named = run(&format!("{words} 319 --strategy exact,itd")).code(0);
    let named = &named.records()[0];
    assert_eq!(named["reference"], "implicit");
    assert!(named["error_vs_exact"].as_f64() < Some(1e-8), "{named}");
    assert!(named.get("left_out").is_none());
}

#[test]
fn full_records_hold_a_hypergradient_of_that_norm() {
    let folder = Folder::new();
    small_data(&folder);
    let run = folder.run("compare --problem hyper-cleaning --data small.npz --full --json");
    for r in run.code(0).records() {
        let h = vector(&r, "hypergradient");
        assert_eq!(h.len(), 11, "one entry for each training sample");
        let norm = h.iter().map(|v| v * v).sum::<f64>().sqrt();
        assert!((norm - r["norm"].as_f64().unwrap()).abs() <= 1e-14 * norm);
    }
}

#[test]
fn memory_policies_change_the_memory_and_not_the_hypergradient() {
    let folder = Folder::new();
    small_data(&folder);
    for (problem, source) in [("logistic", ""), ("hyper-cleaning", "--data small.npz")] {
        for family in ["itd", "bda"] {
            let policies = ["", "-checkpointed:5", "-taped", "-online:4", "-stored"];
            let strategies = policies.map(|p| format!("{family}{p}")).join(",");
            let words = format!(
                "compare --problem {problem} {source} --depth 37 --json --full \
                 --strategy {strategies},{family}-forward"
            );
            let records = folder.run(&words).code(0).records();
            let plain = vector(&records[0], "hypergradient");
            let bytes = |i: usize| records[i]["peak_bytes"].as_u64().unwrap();
            for same in &records[1..5] {
                let h = vector(same, "hypergradient");
                assert_eq!(h, plain, "{}", same["strategy"]);
            }
            assert!(bytes(1) < bytes(0) && bytes(0) < bytes(2), "{records:?}");
            let forward = vector(&records[5], "hypergradient");
            let largest = plain.iter().fold(0.0, |a: f64, b| a.max(b.abs()));
            for (a, b) in plain.iter().zip(forward) {
                assert!((a - b).abs() <= 1e-12 * largest, "{problem} {family}");
            }
        }
    }
}

#[test]
fn every_linear_solver_has_a_name() {
    let records = run("compare --problem logistic --json --strategy \
                       aid-minres,aid-neumann,aid-neumann:3,aid-fixed-point,aid-fixed-point:4,\
                       aid-nystrom,aid-nystrom:64,aid-one-step")
    .code(0)
    .records();
    let code = |i: usize| records[i]["status"].as_str().expect("a word");
    let number = |i: usize, key: &str| records[i][key].as_f64().expect("a number");
    for i in [0, 1, 3, 6] {
        assert_eq!(code(i), "converged", "{}", records[i]);
        assert!(number(i, "error_vs_exact") < 1e-7, "{}", records[i]);
    }
    for i in [2, 4, 5, 7] {
        assert_eq!(code(i), "linear-approximate", "{}", records[i]);
        let residual = number(i, "linear_residual");
        assert!((1e-6..1.0).contains(&residual), "{}", records[i]);
    }
    let error = number(2, "error_vs_exact") - number(4, "error_vs_exact");
    assert!(error.abs() < 1e-12, "order 3 is 4 steps: {error:e}");
    let words = "solve --problem penalty-bias --method aid-neumann:2 --iterations 2 --json \
                 --warm-start true";
    assert_eq!(
        run(words).code(0).records()[0]["header"]["method"],
        "aid-neumann:2"
    );
}

#[test]
fn a_part_of_the_lower_level_stands_in_records_and_has_its_own_reference() {
    for (part, inner) in [
        ("box:-0.2:0.2", "gd"),
        ("simplex", "gd"),
        ("ball:0.5", "gd"),
        ("l1:0.3", "gd"),
        ("box:-0.2:0.2", "fista"),
    ] {
        let words = format!("compare --problem scalar --part {part} --inner {inner} --depth 200");
        let all = run(&format!("{words} --json")).code(0).records();
        let names = names(&all, "strategy");
        // The threshold is of one level alone.
        assert_eq!(names.contains(&"bda"), !part.starts_with("l1"), "{names:?}");
        let more = run(&format!(
            "{words} --json --strategy aid-step,aid-step-gmres,itd"
        ));
        for r in all.iter().chain(&more.code(0).records()) {
            assert_eq!(
                (&r["reference"], &r["part"]),
                (&"exact".into(), &part.into()),
                "{r}"
            );
            let error = r["error_vs_exact"].as_f64().expect("a number");
            let strategy = r["strategy"].as_str().unwrap();
            let biased = strategy.contains("truncated") || strategy == "bda";
            assert!(error < 1e-6 || biased, "{part}: {r}");
        }
        let shown = run(&format!("{words} --strategy itd")).code(0);
        assert!(
            shown.out.contains(&format!("beside g: {part}")),
            "{shown:?}"
        );
    }
}

/// What `--show-config` prints is read again, and a run goes on with the part that it has.
#[test]
fn a_part_is_a_setting_of_the_run() {
    let folder = Folder::new();
    let words = "solve --problem scalar --method aid-cg --iterations 3";
    let shown = run(&format!("{words} --part box:0:0.25 --show-config")).code(0);
    assert!(shown.out.contains("\npart = \"box:0:0.25\"\n"), "{shown:?}");
    folder.write("part.toml", &shown.out);
    let made = folder.run(&format!("{words} --config part.toml --out run --json"));
    let records = made.code(0).records();
    assert_eq!(records[0]["header"]["settings"]["part"], "box:0:0.25");
    // y* is held at 0.25 from x = 0.3 on.
    assert!(
        (records[1]["upper"].as_f64().expect("a number") - 0.5 * (0.75f64.powi(2) + 0.09)).abs()
            < 1e-9
    );
    let again = |part: &str| folder.run(&format!("solve --resume run --iterations 5 {part}"));
    let other = again("--part box:0:0.5").code(2);
    let line = "the run has part \"box:0:0.25\", not \"box:0:0.5\"";
    assert!(other.err.contains(line), "{other:?}");
    assert!(again("").code(0).out.contains("beside g: box:0:0.25"));
}

#[test]
fn a_tolerance_ends_an_unrolled_loop() {
    let words = "compare --problem scalar --strategy itd,itd-online:5 --depth 5000 --json";
    let full = run(words).code(0).records();
    let short = run(&format!("{words} --tolerance 1e-6")).code(0).records();
    for (full, short) in full.iter().zip(&short) {
        assert_eq!(full["iterations"], 5000);
        assert!(short["iterations"].as_u64().unwrap() < 100, "{short}");
        assert_eq!(short["status"], "converged");
        assert!(short["error_vs_exact"].as_f64().unwrap() < 1e-4, "{short}");
    }
    // Where it is out of reach the depth ends the loop, as without it, and that is no success.
    let words = "compare --problem scalar --strategy itd --depth 2 --tolerance 1e-6 --json";
    let record = &run(words).code(1).records()[0];
    assert_eq!(record["status"], "lower-not-converged");
    let message = record["message"].as_str().unwrap();
    assert!(message.contains("allow more iterations"), "{record}");
}

#[test]
fn the_iterations_on_the_lower_level_have_a_limit() {
    let words = "compare --problem logistic --strategy aid-cg --json --lower-limit";
    for limit in [1, 2] {
        let record = &run(&format!("{words} {limit}")).code(1).records()[0];
        assert_eq!(record["status"], "lower-not-converged");
        assert_eq!(record["iterations"], limit);
    }
    let words = "compare --problem logistic --strategy aid-step --json --lower-limit 7";
    let record = &run(words).code(1).records()[0];
    assert_eq!(record["iterations"], 7);
    for method in ["aid-cg", "hoag --accuracy 1e-8"] {
        let words = format!("solve --problem logistic --method {method} --iterations 2 --json");
        run(&words).code(0);
        run(&format!("{words} --lower-limit 1")).code(1);
    }
}
