//! What x is worth, in traces and in sweeps.

use serde_json::Value;

use super::folders::{SHORT, trace};
use crate::common::Folder;

/// The places of what x is worth in a trace, and what there is.
fn gains(trace: &[Value]) -> Vec<(usize, &Value)> {
    let at = |(k, line): (usize, &'_ Value)| line.get("gain").is_some().then_some(k);
    let places = trace.iter().enumerate().filter_map(at);
    places.map(|k| (k, &trace[k]["gain"])).collect()
}

#[test]
fn a_trace_ends_with_what_x_is_worth_however_often_it_was_made_longer() {
    let folder = Folder::new();
    folder
        .run(&format!("{SHORT} --iterations 6 --out whole"))
        .code(0);
    for words in [
        &*format!("{SHORT} --iterations 2 --out part"),
        "solve --resume part --iterations 4",
        "solve --resume part --iterations 6",
    ] {
        folder.run(words).code(0);
        let lines = trace(&folder, "part");
        // The solution follows, which `trace` adds.
        let [(place, gain)] = gains(&lines)[..] else {
            panic!("not one line: {lines:?}")
        };
        assert_eq!(place, lines.len() - 2);
        let value = |of: &str| gain[of]["value"].as_f64().expect("a number");
        assert!(value("end") < value("start"), "{gain}");
    }
    assert_eq!(trace(&folder, "part"), trace(&folder, "whole"));
    folder
        .run(&format!("{SHORT} --iterations 2 --no-worth --out none"))
        .code(0);
    assert!(gains(&trace(&folder, "none")).is_empty());
}

#[test]
fn a_sweep_counts_the_runs_whose_x_is_worth_less() {
    let folder = Folder::new();
    // Steps of x that are far too long go to and fro across the minimiser, and away from it.
    let file = r#"
        seeds = [0, 1]
        [base]
        problem = "quadratic"
        iterations = 6
        method = "aid-cg"
        optimiser = "gd"
        [grid]
        rate = [0.01, 1.0]
    "#;
    folder.write("sweep.toml", file);
    let run = folder.run("sweep sweep.toml --out all --json").code(0);
    let [short, long] = &run.records()[..] else {
        panic!("two configurations: {run:?}")
    };
    assert!(short.get("lost").is_none(), "{short}");
    assert_eq!(long["lost"], serde_json::json!([0, 1]));
    for record in [short, long] {
        let name = record["configuration"].as_str().expect("a name");
        let worth = [0, 1].map(|seed| {
            let lines = trace(&folder, &format!("all/{name}/seed-{seed}"));
            let gain = gains(&lines)[0].1;
            gain["end"]["value"].as_f64().expect("a number")
        });
        let [low, high] = [worth[0].min(worth[1]), worth[0].max(worth[1])];
        assert_eq!(record["worth"]["low"], low);
        assert_eq!(record["worth"]["high"], high);
    }
    let warned: Vec<&str> = run.err.lines().filter(|l| l.contains("worth")).collect();
    assert_eq!(warned.len(), 2, "{run:?}");
    assert!(warned[0].starts_with("rate=1.0, seed 0: warning: x is worth less"));
    let page = std::fs::read_to_string(folder.path("all/report.html")).expect("a page");
    assert!(page.contains("F(x, y*(x))") && page.contains("x is worth less"));
}
