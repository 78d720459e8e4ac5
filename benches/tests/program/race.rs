//! Races as a command.

use crate::common::Folder;

const FILE: &str = r#"
    seeds = [4, 7]
    [base]
    problem = "random-quadratics"
    batch = 16
    step = 0.05
    rate = 0.05
    [grid]
    method = ["saba", "aid-cg"]
    [[run]]
    method = "soba"
    step = 0.02
"#;

#[test]
fn a_race_has_a_record_for_each_part_of_its_course_and_leaves_a_page() {
    let folder = Folder::new();
    folder.write("race.toml", FILE);
    let words = "race race.toml --passes 40 --records 4 --json --out out";
    let records = folder.run(words).code(0).records();
    let of = |method: &str, seed: u64| {
        let own = |r: &&serde_json::Value| r["method"] == method && r["seed"] == seed;
        records.iter().filter(own).collect::<Vec<_>>()
    };
    for seed in [4, 7] {
        for method in ["saba", "soba", "aid-cg"] {
            let run = of(method, seed);
            assert_eq!(
                (&run[0]["iteration"], &run[0]["status"]),
                (&0.into(), &"start".into())
            );
            let touched = |i: usize| run[i]["samples"].as_u64().unwrap();
            assert_eq!(touched(0), 0);
            assert!(touched(run.len() - 1) >= 40 * 2000, "{method}");
            let squared = |i: usize| run[i]["gradient_squared"].as_f64().unwrap();
            assert!(squared(run.len() - 1) < squared(0), "{method}, seed {seed}");
        }
        // All start at one point of one problem, and two seeds at two.
        let start = |method, seed| of(method, seed)[0]["value"].clone();
        assert_eq!(start("saba", seed), start("aid-cg", seed));
        assert_ne!(
            of("saba", 4)[0]["gradient_squared"],
            of("saba", 7)[0]["gradient_squared"]
        );
        // A part of the course each.
        assert_eq!(of("soba", seed).len(), 5);
    }
    let written = std::fs::read_to_string(folder.path("out/race.jsonl")).expect("records");
    assert_eq!(written.lines().count(), records.len());
    assert!(folder.path("out/report.html").exists());
    let text = folder
        .run("race race.toml --passes 4 --records 2 --seeds 1")
        .code(0)
        .out;
    assert!(
        text.contains("‖∇φ‖² at the end") && text.contains("aid-cg"),
        "{text}"
    );
}

#[test]
fn what_is_shown_of_a_track_is_a_race_and_slips_are_told() {
    let folder = Folder::new();
    let shown = folder.run("race --track regularisation --show").code(0).out;
    folder.write("mine.toml", shown.replace("\"vrbo\", ", ""));
    let run = folder.run("race mine.toml --passes 1 --records 1 --seeds 1 --json");
    assert!(
        run.records()
            .iter()
            .all(|r| r["method"] != "vrbo" && r["problem"] == "logistic")
    );
    folder.write("own.toml", FILE.replace("\"saba\"", "\"sabba\""));
    for (words, says) in [
        (
            "race",
            "expected FILE.toml, or --track with one of quadratics, regularisation, cleaning",
        ),
        ("race own.toml --track cleaning", "--track"),
        ("race no.toml", "no.toml: cannot be read"),
        ("race own.toml", "sabba"),
        ("race own.toml --seed 3", "--seed: without effect here"),
        (
            "race --track cleaning --show --json",
            "--json: without effect here: expected none",
        ),
    ] {
        let err = folder.run(words).code(2).err;
        assert!(
            err.contains(says) && err.lines().count() == 1,
            "{words}: {err}"
        );
    }
}
