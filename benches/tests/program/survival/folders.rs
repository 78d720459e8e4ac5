//! Runs in folders: what `solve` keeps, what `--resume` goes on with, and what they refuse.

use serde_json::Value;

use crate::common::{self, Folder, Run, noise, npy};

pub(crate) const SHORT: &str = "solve --problem quadratic --method itd --depth 20 --optimiser adam";

/// The lines of a trace without its times, and the solution if the run is over.
pub(crate) fn trace(folder: &Folder, dir: &str) -> Vec<Value> {
    let out = std::fs::read_to_string(folder.path(dir).join("trace.jsonl")).expect("a trace");
    let run = Run {
        code: None,
        out,
        err: String::new(),
    };
    let mut records = run.records();
    for record in &mut records {
        record.as_object_mut().expect("an object").remove("seconds");
    }
    let solution = folder.path(dir).join("solution.npz");
    if solution.exists() {
        let point = models::data::read_point(&solution).expect("a solution");
        records.push(serde_json::json!({ "x": point.x, "y": point.y }));
    }
    records
}

/// A run in `dir` that was killed after some iterations, within a line of its trace.
pub(crate) fn stopped(folder: &Folder, words: &str, dir: &str) {
    let line = format!("{words} --checkpoint-every 1 --out {dir}");
    let checkpoint = folder.path(dir).join("checkpoint");
    let holds = |part: &[u8]| std::fs::read(&checkpoint).is_ok_and(|b| contains(&b, part));
    let begun = || checkpoint.exists() && !holds(b"\"iteration\":0,");
    // A run that is over before it can be killed is made again.
    for _ in 0..20 {
        let mut child = folder.start(&line);
        while !begun() && child.try_wait().expect("a process").is_none() {
            std::thread::yield_now();
        }
        child.kill().expect("a process of this test");
        child.wait().expect("a process of this test");
        if holds(b"\"finished\":null") {
            break;
        }
        std::fs::remove_dir_all(folder.path(dir)).expect("a folder of this test");
    }
    let path = folder.path(dir).join("trace.jsonl");
    let mut torn = std::fs::read(&path).expect("a trace of a run that was killed in time");
    torn.extend(b"{\"problem\":\"quad");
    std::fs::write(path, torn).expect("a writable folder");
}

pub(crate) fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[track_caller]
pub(crate) fn refused(folder: &Folder, words: &str, parts: &[&str]) {
    let run = folder.run(words).code(2);
    assert!(
        run.out.is_empty() && run.err.lines().count() == 1,
        "{run:?}"
    );
    for part in parts {
        assert!(run.err.contains(part), "{part:?} in {run:?}");
    }
}

#[test]
fn a_run_that_was_killed_goes_on_as_if_it_had_not_been() {
    let folder = Folder::new();
    let words = format!("{SHORT} --iterations 300 --no-worth");
    folder.run(&format!("{words} --out whole")).code(0);
    stopped(&folder, &words, "part");
    let run = folder.run("solve --resume part --json --no-worth").code(0);
    let (whole, part) = (trace(&folder, "whole"), trace(&folder, "part"));
    assert_eq!(part, whole);
    // Standard output has the header, and the records that this process made.
    let records = run.records();
    assert_eq!(records[0], whole[0]);
    assert!(
        records.len() > 1 && records.len() < 301,
        "{}",
        records.len()
    );
    assert_eq!(records.last().expect("records")["iteration"], 300);
    assert!(folder.path("part/report.html").exists());
    let run = folder.run("solve --resume part").code(0);
    assert!(
        run.out.is_empty() && run.err.contains("is finished"),
        "{run:?}"
    );
    assert_eq!(trace(&folder, "part"), whole);
}

#[test]
fn seconds_add_up() {
    let folder = Folder::new();
    stopped(&folder, &format!("{SHORT} --iterations 200"), "part");
    folder.run("solve --resume part").code(0);
    let text = std::fs::read_to_string(folder.path("part/trace.jsonl")).expect("a trace");
    let seconds: Vec<f64> = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).expect("JSON")["seconds"].as_f64())
        .collect();
    assert_eq!(seconds.len(), 200);
    assert!(seconds.is_sorted() && seconds[0] > 0.0, "{seconds:?}");
}

#[test]
fn what_is_given_to_a_run_that_goes_on_has_to_agree() {
    let folder = Folder::new();
    let samples = |n: usize| npy(&[n, 3], &noise(3 * n, n));
    let labels = |n: usize| npy(&[n], &(0..n as i64).map(|i| i % 2).collect::<Vec<_>>());
    let write = |name: &str, n: usize| {
        let arrays = [
            ("x_train", samples(n)),
            ("t_train", labels(n)),
            ("x_valid", samples(6)),
            ("t_valid", labels(6)),
        ];
        folder.write_npz(name, &arrays);
    };
    write("one.npz", 12);
    write("other.npz", 13);
    let words = "solve --problem logistic --data one.npz --method bda --iterations 300 --seed 5";
    stopped(&folder, words, "run");
    for (given, parts) in [
        ("--problem scalar", &["problem logistic", "scalar"][..]),
        ("--method itd", &["method bda", "itd"]),
        ("--seed 6", &["seed 5", "6"]),
        ("--dtype f32", &["dtype f64", "f32"]),
        ("--rate 0.3", &["rate 0.2", "0.3"]),
        ("--iterations 200", &["iterations 300", "200"]),
        ("--force", &["--force", "is not overwritten"]),
        ("--step 0.5", &["step null", "0.5"]),
        ("--optimiser gd", &["adam", "gd"]),
        ("--bias", &["no --bias"]),
        ("--point one.npz", &["no --point"]),
        ("--data other.npz", &["other.npz", "not the file"]),
        ("--data none.npz", &["none.npz", "cannot be read"]),
        ("--out elsewhere", &["--out elsewhere", "this folder"]),
        ("--show-config", &["--show-config"]),
    ] {
        refused(&folder, &format!("solve --resume run {given}"), parts);
    }
    folder.write("run.toml", "rate = 7.0\n");
    refused(&folder, "solve --resume run --config run.toml", &["rate"]);
    // The same file elsewhere is the same file.
    std::fs::rename(folder.path("one.npz"), folder.path("moved.npz")).expect("a file");
    refused(
        &folder,
        "solve --resume run",
        &["one.npz", "cannot be read"],
    );
    let agreeing = "--problem logistic --method bda --seed 5 --dtype f64 --iterations 300 \
                    --data moved.npz --out run --threads 1";
    folder
        .run(&format!("solve --resume run {agreeing}"))
        .code(0);
}

#[test]
fn data_in_several_files_is_kept_track_of() {
    let folder = Folder::new();
    let labels = |first: i64| npy(&[12], &(0..12).map(|i| (i + first) % 2).collect::<Vec<_>>());
    let write = |first| folder.write("t.npy", labels(first));
    folder.write("x.npy", npy(&[12, 3], &noise(36, 1)));
    write(0);
    stopped(
        &folder,
        "solve --problem logistic --data x.npy,t.npy --method bda --iterations 300 --rate 0.01",
        "pair",
    );
    write(1);
    refused(&folder, "solve --resume pair", &["t.npy", "not the file"]);
    write(0);
    folder.run("solve --resume pair").code(0);

    std::fs::create_dir(folder.path("photos")).expect("a writable folder");
    let photo = |name: &str| {
        let path = folder.path("photos").join(name);
        common::photo(&path, 6, 6, |i, j| (i * j) as u8);
    };
    photo("a.png");
    photo("b.png");
    stopped(
        &folder,
        "solve --problem tv-denoising --data photos --method itd --depth 20 --iterations 300",
        "images",
    );
    photo("c.png");
    refused(
        &folder,
        "solve --resume images",
        &["photos", "not the file"],
    );
    std::fs::remove_file(folder.path("photos/c.png")).expect("a file of this test");
    // What is no image is none of the data.
    folder.write("photos/notes.txt", "text");
    folder.run("solve --resume images").code(0);
}

#[test]
fn a_folder_without_a_run_is_left_as_it_is() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("empty")).expect("a writable folder");
    folder.write("file", "text");
    let before = folder.contents();
    refused(&folder, "solve --resume empty", &["no checkpoint"]);
    refused(&folder, "solve --resume missing", &["expected the folder"]);
    refused(&folder, "solve --resume file", &["expected the folder"]);
    refused(
        &folder,
        "solve --checkpoint-every 3 --problem scalar --method itd",
        &["--out"],
    );
    for every in ["0", "-1", "0.5", "x", "-1s", "nans", "s"] {
        let words = format!("{SHORT} --out r --checkpoint-every {every}");
        refused(&folder, &words, &["iterations", "seconds"]);
    }
    assert_eq!(folder.contents(), before);
}

#[test]
fn a_damaged_or_foreign_run_is_refused_and_kept() {
    let folder = Folder::new();
    stopped(&folder, &format!("{SHORT} --iterations 300"), "run");
    let path = folder.path("run/checkpoint");
    let good = std::fs::read(&path).expect("a checkpoint");
    let flipped = |place: usize| {
        let mut bytes = good.clone();
        bytes[place] ^= 1;
        bytes
    };
    let (cut, foreign) = (good[..good.len() / 2].to_vec(), b"PK\x03\x04".to_vec());
    let other_format = [b"bilevel checkpoint 9\n", &good[21..]].concat();
    for (bytes, part) in [
        (cut, "damaged"),
        (flipped(good.len() / 2), "damaged"),
        (foreign, "no checkpoint of this program"),
        (other_format, "format 9"),
        (Vec::new(), "no checkpoint of this program"),
    ] {
        std::fs::write(&path, &bytes).expect("a writable folder");
        refused(&folder, "solve --resume run", &["run/checkpoint", part]);
        assert_eq!(std::fs::read(&path).expect("a file"), bytes);
    }
    std::fs::write(&path, &good).expect("a writable folder");
    let trace = folder.path("run/trace.jsonl");
    let lines = std::fs::read(&trace).expect("a trace");
    let mut other = lines.clone();
    other[20] ^= 1;
    for (bytes, part) in [(&lines[..40], "40 bytes"), (&other[..], "not the trace")] {
        std::fs::write(&trace, bytes).expect("a writable folder");
        refused(&folder, "solve --resume run", &["trace.jsonl", part]);
        assert_eq!(std::fs::read(&trace).expect("a file"), bytes);
    }
    std::fs::remove_file(&trace).expect("a trace");
    refused(
        &folder,
        "solve --resume run",
        &["trace.jsonl", "cannot be read"],
    );
    std::fs::write(&trace, lines).expect("a writable folder");
    folder.run("solve --resume run").code(0);
}

#[test]
fn a_run_is_not_overwritten_unless_that_is_said() {
    let folder = Folder::new();
    stopped(&folder, &format!("{SHORT} --iterations 300"), "run");
    let scalar = "solve --problem scalar --method itd --iterations 3 --out run";
    let expected =
        "expected another folder, --resume run to go on with it, or --force to overwrite it";
    refused(
        &folder,
        scalar,
        &["holds a run that stopped after", expected],
    );
    folder.run("solve --resume run").code(0);
    let before = trace(&folder, "run");
    let finished = "holds a run that is finished, after iteration 300: ";
    refused(&folder, scalar, &[finished, expected]);
    std::fs::remove_file(folder.path("run/checkpoint")).expect("a checkpoint");
    refused(&folder, scalar, &["holds the records of a run", expected]);
    assert_eq!(trace(&folder, "run"), before);
    folder.run(&format!("{scalar} --force")).code(0);
    // The header, three records, what x was worth, and the solution.
    assert_eq!(trace(&folder, "run").len(), 6);
    folder.write("run/checkpoint", "something else");
    refused(&folder, scalar, &["cannot read", "--force"]);
}

#[test]
fn no_command_writes_into_the_folder_of_a_run_or_a_sweep() {
    let folder = Folder::new();
    let solve = "solve --problem scalar --method itd --iterations 3 --out";
    folder.run(&format!("{solve} run")).code(0);
    folder.write(
        "sweep.toml",
        "[base]\nproblem = \"scalar\"\nmethod = \"itd\"\niterations = 3\n",
    );
    folder.run("sweep sweep.toml --out all --json").code(0);
    folder.run("compare --problem scalar --out records").code(0);
    let before = folder.contents();
    for words in [
        "compare --problem scalar --out",
        "memory --problem scalar --depths 3 --out",
        "plan --problem scalar --budget 1MiB --out",
        "check --problem scalar --out",
        "stability --seeds 1 --samples 5 --steps 3 --out",
        "table --task hyper-cleaning --seeds 1 --out",
        "demo --out",
        "report records --out",
    ] {
        for (dir, held) in [("run", "a run that is finished"), ("all", "a sweep")] {
            let parts = [&format!("--out {dir}: holds {held}"), "--force"];
            refused(&folder, &format!("{words} {dir}"), &parts);
        }
    }
    refused(
        &folder,
        "sweep sweep.toml --out run",
        &["holds a run", "--force"],
    );
    refused(
        &folder,
        &format!("{solve} all"),
        &["holds a sweep", "--force"],
    );
    assert_eq!(folder.contents(), before);
    folder
        .run("compare --problem scalar --out run --force")
        .code(0);
    assert!(folder.path("run/compare.jsonl").exists());
    // The page of a run is made anew in its own folder.
    folder.run("report run").code(0);
    // A sweep goes on, or begins anew.
    let made = |words: &str| {
        folder.run(words).code(0);
        let file = std::fs::metadata(folder.path("all/base/seed-0/trace.jsonl"));
        file.and_then(|file| file.modified()).expect("a trace")
    };
    let first = made("sweep sweep.toml --out all");
    assert_eq!(made("sweep sweep.toml --out all"), first);
    assert!(made("sweep sweep.toml --out all --force") > first);
    refused(&folder, "list --force", &["--force"]);
    refused(&folder, "compare --problem scalar --force", &["--out DIR"]);
}

#[test]
fn a_run_that_failed_says_so_again() {
    let folder = Folder::new();
    let words = "solve --problem quadratic --method itd --step 1e9 --iterations 3 --out run";
    let first = folder.run(words).code(1);
    let again = folder.run("solve --resume run").code(1);
    let last = |run: &Run| run.err.lines().last().map(str::to_owned);
    assert_eq!(last(&again), last(&first));
    assert!(again.err.contains("is finished"), "{again:?}");
}

#[test]
fn two_runs_do_not_share_a_folder() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("run")).expect("a writable folder");
    let lock = std::fs::File::create(folder.path("run/.lock")).expect("a writable folder");
    lock.lock().expect("a lock");
    refused(
        &folder,
        &format!("{SHORT} --out run"),
        &["run", "another run"],
    );
    drop(lock);
    folder
        .run(&format!("{SHORT} --iterations 2 --out run"))
        .code(0);
}

#[test]
fn shown_settings_make_the_same_run() {
    let folder = Folder::new();
    for words in [
        "--problem logistic --method gda",
        "--problem tv-denoising --method isgd",
    ] {
        let shown = folder.run(&format!("solve {words} --show-config")).code(0);
        folder.write("run.toml", shown.out);
        // Other settings than these would have this problem's header differ.
        let header = |more: &str| {
            let run = folder.run(&format!("solve {words} --iterations 1 {more} --json"));
            run.records()[0].clone()
        };
        assert_eq!(header("--config run.toml"), header(""), "{words}");
    }
    // And those of one problem hold for another.
    let settings = |words: &str| {
        let run = folder.run(&format!("solve {words} --iterations 2 --json"));
        run.code(0).records()[0]["header"]["settings"].clone()
    };
    let shown = folder.run("solve --problem logistic --method itd --iterations 2 --show-config");
    folder.write("run.toml", shown.code(0).out);
    let given = settings("--problem quadratic --method itd --config run.toml");
    assert_eq!(given, settings("--problem logistic --method itd"));
    assert_ne!(given, settings("--problem quadratic --method itd"));
}
