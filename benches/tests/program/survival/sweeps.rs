//! Sweeps: many runs from one file, stopped and gone on with.

use std::time::Duration;

use serde_json::Value;

use super::folders::{contains, refused, trace};
use crate::common::Folder;

const FILE: &str = r#"
seeds = [0, 1, 2]
[base]
problem = "quadratic"
iterations = 8
[grid]
method = ["itd", "aid-cg"]
[[run]]
method = "itd"
rate = 0.01
"#;

const NAMES: [&str; 3] = ["method=itd", "method=aid-cg", "method=itd,rate=0.01"];

/// The summary without times.
fn summary(folder: &Folder, dir: &str) -> Vec<Value> {
    let file = folder.path(dir).join("summary.jsonl");
    let text = std::fs::read_to_string(file).expect("a summary");
    let read = |line: &str| {
        let mut value: Value = serde_json::from_str(line).expect("a record");
        value.as_object_mut().expect("an object").remove("seconds");
        value
    };
    text.lines().map(read).collect()
}

#[test]
fn a_sweep_is_its_runs() {
    let folder = Folder::new();
    folder.write("sweep.toml", FILE);
    let run = folder.run("sweep sweep.toml --out all --json").code(0);
    let records = run.records();
    let names: Vec<&str> = records
        .iter()
        .map(|r| r["configuration"].as_str().expect("a name"))
        .collect();
    assert_eq!(names, NAMES);
    for (record, words) in records.iter().zip(["itd", "aid-cg", "itd --rate 0.01"]) {
        let mut uppers = Vec::new();
        for seed in 0..3 {
            let alone = format!("alone-{seed}-{}", words.replace(' ', ""));
            folder
                .run(&format!(
                    "solve --problem quadratic --iterations 8 --method {words} --seed {seed} \
                     --threads 1 --out {alone}"
                ))
                .code(0);
            let name = record["configuration"].as_str().expect("a name");
            let part = trace(&folder, &format!("all/{name}/seed-{seed}"));
            let whole = trace(&folder, &alone);
            assert_eq!(part, whole);
            let last = whole.iter().rfind(|r| r.get("iteration").is_some());
            uppers.push(last.expect("a record")["upper"].as_f64().expect("a number"));
        }
        uppers.sort_by(f64::total_cmp);
        assert_eq!(record["runs"], 3);
        for (key, value) in ["low", "median", "high"].into_iter().zip(uppers) {
            assert_eq!(record["upper"][key], value, "{key} of {record}");
        }
    }
    let page = std::fs::read_to_string(folder.path("all/report.html")).expect("a page");
    assert!(page.contains("3 configurations, 3 seeds") && page.contains(" band "));
}

#[test]
fn a_sweep_that_was_killed_goes_on_and_one_that_is_over_stays() {
    let folder = Folder::new();
    let file = FILE.replace("iterations = 8", "iterations = 400\ndepth = 200");
    folder.write("sweep.toml", file);
    folder.run("sweep sweep.toml --out whole --json").code(0);
    let mut child = folder.start("sweep sweep.toml --out part --jobs 1");
    let first = folder.path("part").join(NAMES[0]).join("seed-0/checkpoint");
    while !first.exists() && child.try_wait().expect("a process").is_none() {
        std::thread::yield_now();
    }
    child.kill().expect("a process of this test");
    child.wait().expect("a process of this test");
    let finished =
        |path: &std::path::Path| std::fs::read(path).is_ok_and(|b| contains(&b, b"\"finished\":{"));
    let last = folder.path("part").join(NAMES[2]).join("seed-2/checkpoint");
    assert!(!finished(&last), "the sweep was too fast to be killed");
    // The run that was under way may still write; the sweep waits for it.
    folder.run("sweep sweep.toml --out part --json").code(0);
    for name in NAMES {
        for seed in 0..3 {
            let of = |dir: &str| trace(&folder, &format!("{dir}/{name}/seed-{seed}"));
            assert_eq!(of("part"), of("whole"), "{name}, seed {seed}");
        }
    }
    assert_eq!(summary(&folder, "part"), summary(&folder, "whole"));
    let before = std::fs::read(&last).expect("a checkpoint");
    folder.run("sweep sweep.toml --out part").code(0);
    assert_eq!(std::fs::read(&last).expect("a checkpoint"), before);
    assert_eq!(summary(&folder, "part"), summary(&folder, "whole"));
}

#[test]
fn parts_in_any_order_two_at_a_time_and_one_killed_are_the_whole_sweep() {
    let folder = Folder::new();
    // The last configuration fails in every run, and is told in the same way.
    let file = FILE.replace("iterations = 8", "iterations = 400\ndepth = 200")
        + "[[run]]\nmethod = \"itd\"\nstep = 1e9\niterations = 3\n";
    folder.write("sweep.toml", file);
    let whole = folder.run("sweep sweep.toml --out whole --json").code(1);
    let part = |k: usize| format!("sweep sweep.toml --out parts --jobs 1 --shard {k}/4");
    let begun = |dir: &str| {
        let dir = folder.path("parts").join(dir);
        std::fs::read(dir.join("checkpoint")).is_ok()
    };
    // Shard 2 has the runs 2, 6 and 10 of twelve.
    let mut killed = folder.start(&part(2));
    while !begun("method=itd,rate=0.01/seed-0") && killed.try_wait().expect("a process").is_none() {
        std::thread::yield_now();
    }
    killed.kill().expect("a process of this test");
    killed.wait().expect("a process of this test");
    assert!(
        !begun("method=itd,rate=0.01/seed-2"),
        "it was too fast to be killed"
    );
    let early = folder
        .run("sweep sweep.toml --out parts --collect --json")
        .code(2);
    assert!(
        early.err.contains("method=aid-cg, seed 1: not begun"),
        "{}",
        early.err
    );
    assert_eq!(early.records()[1]["missing"], serde_json::json!([0, 1, 2]));
    let mut beside = folder.start(&part(3));
    // The killed one again, and while it goes on a second time: one waits for the other's runs.
    let mut twice = folder.start(&part(2));
    folder.run(&part(2)).code(0);
    assert!(twice.wait().expect("a process").success());
    folder.run(&part(1)).code(0);
    folder.run(&part(0)).code(0);
    assert_eq!(beside.wait().expect("a process").code(), Some(1));
    let collected = folder
        .run("sweep sweep.toml --out parts --collect --json")
        .code(1);
    for name in NAMES {
        for seed in 0..3 {
            let of = |dir: &str| trace(&folder, &format!("{dir}/{name}/seed-{seed}"));
            assert_eq!(of("parts"), of("whole"), "{name}, seed {seed}");
        }
    }
    assert_eq!(summary(&folder, "parts"), summary(&folder, "whole"));
    assert_eq!(collected.err.lines().next(), whole.err.lines().next());
    let page = std::fs::read_to_string(folder.path("parts/report.html")).expect("a page");
    assert!(page.contains("4 configurations, 3 seeds"));
    // All again, by more parts than there are runs, changes nothing.
    let before = summary(&folder, "parts");
    folder
        .run("sweep sweep.toml --out parts --shard 20/40")
        .code(0);
    folder
        .run("sweep sweep.toml --out parts --shard 0/40")
        .code(0);
    folder.run("sweep sweep.toml --out parts --collect").code(1);
    assert_eq!(summary(&folder, "parts"), before);
}

#[test]
fn runs_of_another_file_are_not_collected() {
    let folder = Folder::new();
    folder.write("sweep.toml", FILE);
    folder.run("sweep sweep.toml --out all --shard 0/2").code(0);
    folder.write(
        "other.toml",
        FILE.replace("iterations = 8", "iterations = 9"),
    );
    refused(
        &folder,
        "sweep other.toml --out all --collect",
        &["method=itd/seed-0", "iterations 8, not 9"],
    );
    refused(
        &folder,
        "sweep sweep.toml --out all --collect --dtype f32",
        &["dtype f64, not f32"],
    );
    refused(
        &folder,
        "sweep sweep.toml --out none --collect",
        &["--out none", "the folder of a sweep"],
    );
}

#[test]
fn parts_and_scripts_are_asked_for_one_at_a_time() {
    let folder = Folder::new();
    folder.write("sweep.toml", FILE);
    for (words, part) in [
        ("--shard 4/4", "K from 0 to 3"),
        ("--shard 1", "K/N"),
        ("--shard -1/4", "K/N"),
        ("--shard 0/4 --collect", "not together"),
        ("--shard 0/4 --json", "--collect"),
        ("--collect --jobs 2", "not together"),
        ("--collect --force", "nothing is run"),
        ("--emit slurm --collect", "not together"),
        ("--emit slurm --json", "--emit"),
        ("--emit pbs", "slurm, parallel, hyperqueue"),
        ("--shards 4", "--emit"),
    ] {
        refused(
            &folder,
            &format!("sweep sweep.toml --out all {words}"),
            &[part],
        );
    }
    assert!(!folder.path("all").exists());
}

#[cfg(unix)]
#[test]
fn emitted_scripts_are_scripts_and_have_what_was_asked_for() {
    let folder = Folder::new();
    folder.write("a sweep.toml", FILE);
    for batch in ["slurm", "parallel", "hyperqueue"] {
        let line = format!(
            "$BILEVEL sweep 'a sweep.toml' --out 'all of it' --emit {batch} --shards 4 --jobs 2 \
             --memory 1GiB > script && bash -n script && cat script"
        );
        let script = folder.shell(&line).code(0).out;
        for part in [
            "sweep 'a sweep.toml' --out 'all of it'",
            "--jobs 2 --memory 1GiB --shard",
            "/4",
        ] {
            // Within a word, HyperQueue's line has each quote as four characters.
            let script = script.replace(r"'\''", "'");
            assert!(script.contains(part), "{batch}: {script}");
        }
    }
    let script = folder.run("sweep none.toml --out all --emit slurm");
    assert!(script.code(2).out.is_empty());
}

#[test]
fn a_program_that_was_started_as_several_ranks_says_so() {
    let folder = Folder::new();
    let words = "solve --problem scalar --method itd --iterations 2 --json";
    let run = |name: &str, size: &str| {
        let mut command = folder.command(words);
        command
            .env(name, size)
            .output()
            .expect("the program starts")
    };
    for name in ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"] {
        let four = run(name, "4");
        let said = String::from_utf8_lossy(&four.stderr);
        assert_eq!(four.status.code(), Some(2));
        assert!(
            said.lines().count() == 1 && said.contains("4 times over"),
            "{said}"
        );
        assert!(run(name, "1").status.success());
    }
}

/// A library that has every lock fail as a file system without locks does.
#[cfg(target_os = "linux")]
#[test]
fn a_file_system_without_locks_is_warned_of_and_used() {
    let folder = Folder::new();
    folder.write(
        "none.c",
        "#include <errno.h>\nint flock(int f, int how) { errno = CODE; return -1; }\n",
    );
    folder.write(
        "sweep.toml",
        "seeds = [0, 1]\n[base]\nproblem = \"scalar\"\nmethod = \"itd\"\niterations = 3",
    );
    for code in ["ENOSYS", "ENOLCK", "EOPNOTSUPP"] {
        let built = format!("cc -shared -fPIC -DCODE={code} none.c -o none.so");
        folder.shell(&built).code(0);
        let with = |words: &str| folder.shell(&format!("LD_PRELOAD=$PWD/none.so $BILEVEL {words}"));
        let solve = "solve --problem scalar --method itd --iterations 3 --json --out";
        let warned =
            |err: &str| err.matches("warning: ").count() == 1 && err.contains("has no locks");
        let run = with(&format!("{solve} run-{code}")).code(0);
        assert!(warned(&run.err), "{code}: {}", run.err);
        let sweep = with(&format!("sweep sweep.toml --out sweep-{code} --shard 0/1")).code(0);
        assert!(warned(&sweep.err), "{code}: {}", sweep.err);
    }
    folder
        .shell("cc -shared -fPIC -DCODE=EIO none.c -o none.so")
        .code(0);
    let run = "LD_PRELOAD=$PWD/none.so $BILEVEL solve --problem scalar --method itd --out broken";
    let run = folder.shell(run).code(2);
    assert!(run.err.contains("cannot be written"), "{}", run.err);
}

#[cfg(unix)]
#[test]
fn sigint_stops_the_runs_under_way_with_checkpoints() {
    let folder = Folder::new();
    folder.write(
        "sweep.toml",
        "[base]\nproblem = \"quadratic\"\nmethod = \"itd\"\niterations = 1000000",
    );
    let run = folder.shell(
        "$BILEVEL sweep sweep.toml --out all 2> err & pid=$!; \
         while ! [ -e all/base/seed-0/checkpoint ]; do sleep 0.01; done; sleep 0.2; \
         kill -INT $pid; wait $pid",
    );
    assert_eq!(run.code, Some(130), "{run:?}");
    let err = std::fs::read_to_string(folder.path("err")).expect("messages");
    assert!(err.contains("0 of 1 runs done and 1 under way"), "{err}");
    let checkpoint = folder.path("all/base/seed-0/checkpoint");
    let bytes = std::fs::read(checkpoint).expect("a checkpoint");
    assert!(contains(&bytes, b"\"finished\":null") && !contains(&bytes, b"\"iteration\":0,"));
    // Nothing is left running: its folder is free.
    std::thread::sleep(Duration::from_millis(50));
    folder
        .run("solve --resume all/base/seed-0 --iterations 3")
        .code(2);
}

#[test]
fn a_run_that_cannot_be_made_is_told_and_the_others_are_made() {
    let folder = Folder::new();
    folder.write(
        "sweep.toml",
        "[base]\nproblem = \"scalar\"\niterations = 3\n[grid]\nmethod = [\"itd\", \"nonesuch\"]",
    );
    let run = folder.run("sweep sweep.toml --out all --json").code(2);
    let records = run.records();
    assert_eq!(
        (&records[0]["runs"], &records[1]["runs"]),
        (&1.into(), &0.into())
    );
    assert_eq!(records[1]["failed"], serde_json::json!([0]));
    assert!(
        run.err.contains("method=nonesuch, seed 0: unknown method"),
        "{}",
        run.err
    );
    assert!(
        run.err.contains("1 of 2 runs could not be run"),
        "{}",
        run.err
    );
}

#[cfg(target_os = "linux")]
#[test]
fn runs_keep_to_a_budget_of_memory() {
    let folder = Folder::new();
    let file = FILE.replace("iterations = 8", "iterations = 4000\ndepth = 200");
    folder.write("long.toml", file);
    let run = folder
        .run("sweep long.toml --out tight --memory 1KiB --json")
        .code(2);
    assert!(
        run.err.contains("more than --memory 1.0 KiB"),
        "{}",
        run.err
    );
    folder.write("sweep.toml", FILE);
    let run = folder.run("sweep sweep.toml --out wide --memory 1GiB --jobs 2 --json");
    assert_eq!(run.code(0).records().len(), 3);
}

#[test]
fn bad_files_and_arguments_are_refused_in_a_line() {
    let folder = Folder::new();
    refused(
        &folder,
        "sweep none.toml --out all",
        &["none.toml", "cannot be read"],
    );
    folder.write(
        "bad.toml",
        "[base]\nproblem = \"scalar\"\nmethod = \"itd\"\nrat = 0.1",
    );
    refused(&folder, "sweep bad.toml --out all", &["bad.toml", "`rat`"]);
    folder.write("sweep.toml", FILE);
    refused(&folder, "sweep sweep.toml", &["--out DIR"]);
    refused(
        &folder,
        "sweep sweep.toml --out all --jobs 0",
        &["--jobs 0"],
    );
    refused(
        &folder,
        "sweep sweep.toml --out all --memory much",
        &["--memory"],
    );
}
