//! Signals, full disks and folders that cannot be written.

use std::os::unix::fs::{PermissionsExt, symlink};

use crate::common::{Folder, Run};
use crate::survival::folders::{contains, refused, stopped, trace};

const LONG: &str = "solve --problem quadratic --method itd --depth 20 --iterations 400";

/// Whether permissions bind this process: not those of root.
fn bound_by_permissions(folder: &Folder) -> bool {
    let probe = folder.path("probe");
    std::fs::create_dir(&probe).expect("a writable folder");
    std::fs::set_permissions(&probe, PermissionsExt::from_mode(0o500)).expect("our folder");
    std::fs::write(probe.join("file"), "").is_err()
}

/// The last line says what happened, and that the run is saved up to some iteration.
#[track_caller]
fn saved_up_to(run: &Run) -> usize {
    let last = run.err.lines().last().expect("a line");
    let rest = last.split("saved up to iteration ").nth(1).expect(last);
    let number = rest.split(':').next().expect("a number");
    number.parse().expect("a number")
}

#[test]
fn a_signal_stops_a_run_which_then_goes_on() {
    let folder = Folder::new();
    // Slow iterations, so that the signal comes before the end.
    let slow = "solve --problem quadratic --method itd --depth 1500 --iterations 80";
    folder.run(&format!("{slow} --out whole")).code(0);
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let dir = format!("part-{code}");
        // The only checkpoints are the one at the start and the signal's.
        let run = folder.shell(&format!(
            "$BILEVEL {slow} --checkpoint-every 600s --out {dir} & \
             until [ $(cat {dir}/trace.jsonl 2>/dev/null | wc -l) -gt 5 ]; do sleep 0.01; done; \
             kill -{signal} $!; wait $!"
        ));
        let run = run.code(code);
        assert_eq!(run.err.lines().count(), 1, "{run:?}");
        let (name, again) = (format!("SIG{signal}"), format!("solve --resume {dir}"));
        assert!(
            run.err.contains(&name) && run.err.contains(&again),
            "{run:?}"
        );
        let made = trace(&folder, &dir).len();
        folder.run(&again).code(0);
        assert_eq!(trace(&folder, &dir), trace(&folder, "whole"));
        assert!((6..81).contains(&made), "{made} lines at the signal");
    }
}

#[test]
fn a_full_disk_keeps_the_last_checkpoint() {
    let folder = Folder::new();
    folder.run(&format!("{LONG} --out whole")).code(0);
    stopped(&folder, LONG, "run");
    let checkpoint = folder.path("run/checkpoint");
    let good = std::fs::read(&checkpoint).expect("a checkpoint");
    // Every write of the next checkpoint finds the device full.
    let torn = folder.path("run/checkpoint.tmp");
    let _ = std::fs::remove_file(&torn);
    symlink("/dev/full", &torn).expect("a writable folder");
    let run = folder
        .run("solve --resume run --checkpoint-every 1")
        .code(2);
    assert_eq!(run.err.lines().count(), 1, "{run:?}");
    assert!(
        run.err
            .contains("run/checkpoint: cannot be written: No space"),
        "{run:?}"
    );
    assert_eq!(std::fs::read(&checkpoint).expect("a checkpoint"), good);
    let saved = saved_up_to(&run);
    assert!(contains(
        &good,
        format!("\"iteration\":{saved},").as_bytes()
    ));
    assert!(!torn.exists(), "what was half written is taken away");
    folder.run("solve --resume run").code(0);
    assert_eq!(trace(&folder, "run"), trace(&folder, "whole"));
}

#[test]
fn a_trace_that_cannot_grow_keeps_the_last_checkpoint() {
    let folder = Folder::new();
    folder.run(&format!("{LONG} --out whole")).code(0);
    // In blocks of 512 bytes or of 1024: less than the trace takes, more than a checkpoint.
    let line = format!("ulimit -f 24; exec $BILEVEL {LONG} --checkpoint-every 5 --out run");
    let run = folder.shell(&line).code(2);
    assert_eq!(run.err.lines().count(), 1, "{run:?}");
    assert!(
        run.err.contains("trace.jsonl: cannot be written"),
        "{run:?}"
    );
    assert!(saved_up_to(&run) >= 5, "{run:?}");
    folder.run("solve --resume run").code(0);
    assert_eq!(trace(&folder, "run"), trace(&folder, "whole"));
}

#[test]
fn a_device_that_is_full_from_the_start_is_one_line() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("run")).expect("a writable folder");
    symlink("/dev/full", folder.path("run/trace.jsonl")).expect("a writable folder");
    let parts = ["trace.jsonl", "No space"];
    refused(&folder, &format!("{LONG} --out run"), &parts);
}

#[test]
fn a_folder_that_became_read_only_is_one_line() {
    let folder = Folder::new();
    if !bound_by_permissions(&folder) {
        eprintln!("not tried: permissions do not bind this user");
        return;
    }
    stopped(&folder, LONG, "run");
    let _ = std::fs::remove_file(folder.path("run/checkpoint.tmp"));
    let good = std::fs::read(folder.path("run/checkpoint")).expect("a checkpoint");
    let set = |mode| {
        let mode = PermissionsExt::from_mode(mode);
        std::fs::set_permissions(folder.path("run"), mode).expect("our folder");
    };
    set(0o500);
    let run = folder
        .run("solve --resume run --checkpoint-every 1")
        .code(2);
    assert!(
        run.err.contains("run/checkpoint: cannot be written"),
        "{run:?}"
    );
    set(0o700);
    assert_eq!(
        std::fs::read(folder.path("run/checkpoint")).expect("a checkpoint"),
        good
    );
}

#[test]
fn a_disk_that_fails_is_a_status_and_a_line() {
    let folder = Folder::new();
    let words = "compare --problem quadratic --strategy itd-disk:5 --depth 4000 --json";
    let whole = folder.run(words).code(0).records().remove(0);
    assert_eq!(whole["status"], "unrolled", "{whole}");
    // A limit of file sizes fails a write as a full disk does: 4000 steps have 800 states there.
    for line in [
        format!("trap '' XFSZ; ulimit -f 2; $BILEVEL {words}"),
        format!("TMPDIR=$PWD/none $BILEVEL {words}"),
    ] {
        let run = folder.shell(&line).code(1);
        let record = run.records().remove(0);
        assert_eq!(record["status"], "disk-failed", "{record}");
        let message = record["message"].as_str().expect("a sentence");
        assert!(message.contains("could not be kept in"), "{message}");
        assert_eq!(run.err.lines().count(), 1, "{run:?}");
    }
    // The bits are those of all states in memory.
    let norm = |policy: &str| {
        let words = format!("memory --problem quadratic --depths 999 --policy {policy} --json");
        let record = folder.run(&words).code(0).records().remove(0);
        assert_eq!(
            record["disk_bytes"], record["predicted_disk_bytes"],
            "{record}"
        );
        record["hypergradient_norm"].clone()
    };
    assert_eq!(norm("disk:7"), norm("stored"));
    let plan = "plan --problem quadratic --depth 100000 --budget 64KiB --disk 1MiB --json";
    let record = folder.run(plan).code(0).records().remove(0);
    let policy = record["policy"].as_str().expect("a name");
    let on_disk = record["predicted_disk_bytes"].as_u64().expect("bytes");
    assert!(
        policy.starts_with("disk:") && on_disk <= 1 << 20,
        "{record}"
    );
}
