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

/// The records of a race without times.
fn timeless(folder: &Folder, dir: &str) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(folder.path(dir).join("race.jsonl")).expect("records");
    let read = |line: &str| {
        let mut value: serde_json::Value = serde_json::from_str(line).expect("a record");
        value.as_object_mut().expect("an object").remove("seconds");
        value
    };
    text.lines().map(read).collect()
}

#[test]
fn a_race_that_was_killed_after_each_of_its_runs_is_the_one_that_was_left_alone() {
    let folder = Folder::new();
    folder.write("race.toml", FILE);
    let words = "race race.toml --passes 40 --records 4 --json --out";
    let whole = folder.run(&format!("{words} whole")).code(0);
    let kept = || std::fs::read_to_string(folder.path("part/runs.jsonl")).unwrap_or_default();
    let mut kills = 0;
    for over in 1..=5 {
        // The first line says which race it is.
        let mut child = folder.start(&format!("{words} part"));
        while kept().lines().count() <= over && child.try_wait().expect("a process").is_none() {
            std::thread::yield_now();
        }
        child.kill().expect("a process of this test");
        let status = child.wait().expect("a process of this test");
        kills += usize::from(status.code().is_none());
        // Half a line, as of a kill while it was written.
        let torn = kept() + "{\"crc32\":1,";
        folder.write("part/runs.jsonl", torn);
    }
    assert!(
        kills >= 3,
        "the race was too fast to be killed: {kills} kills"
    );
    let part = folder.run(&format!("{words} part")).code(0);
    assert!(
        part.err.contains("of 6 runs are over: the race goes on"),
        "{}",
        part.err
    );
    assert_eq!(timeless(&folder, "part"), timeless(&folder, "whole"));
    assert_eq!(part.records().len(), whole.records().len());
    // What is kept is all that the page and the records are made of, times too.
    let file = |name: &str| std::fs::read(folder.path("part").join(name)).expect("a file");
    let left = ["race.jsonl", "runs.jsonl"].map(file);
    let page = || {
        study::Page::read(folder.path("part/report.html"))
            .expect("a page")
            .sections
    };
    let sections = format!("{:?}", page());
    folder.run(&format!("{words} part")).code(0);
    assert!(["race.jsonl", "runs.jsonl"].map(file) == left);
    assert_eq!(format!("{:?}", page()), sections);
}

#[test]
fn another_race_does_not_go_on_in_the_folder_of_one() {
    let folder = Folder::new();
    folder.write("race.toml", FILE);
    let words = "race race.toml --passes 2 --records 1 --out out";
    folder.run(&format!("{words} --seeds 1")).code(0);
    let before = folder.contents();
    folder.write("other.toml", FILE.replace("step = 0.02", "step = 0.03"));
    for (words, says) in [
        (words, "holds a race with seeds 0, not 4, 7"),
        (
            "race race.toml --passes 3 --records 1 --out out --seeds 1",
            "passes 2, not 3",
        ),
        (
            "race race.toml --passes 2 --out out --seeds 1",
            "records 1, not 30",
        ),
        (
            "race race.toml --passes 2 --records 1 --out out --seeds 1 --dtype f32",
            "dtype f64, not f32",
        ),
        (
            "race other.toml --passes 2 --records 1 --out out --seeds 1",
            "`soba` as `soba` ",
        ),
        ("compare --problem scalar --out out", "holds a race"),
        (
            "solve --problem scalar --method itd --out out",
            "holds a race",
        ),
    ] {
        let err = folder.run(words).code(2).err;
        assert!(
            err.contains(says) && err.lines().count() == 1,
            "{words}: {err}"
        );
        assert!(err.contains("--out out: holds"), "{words}: {err}");
    }
    std::fs::remove_file(folder.path("other.toml")).expect("a file");
    assert_eq!(folder.contents(), before);
    folder.run(&format!("{words} --force")).code(0);
    assert_eq!(timeless(&folder, "out").len(), 3 * 2 * 2);
}
