//! Runs that are made longer.

use super::folders::{SHORT, contains, refused, trace};
use crate::common::Folder;

#[test]
fn a_run_that_is_made_longer_is_the_run_that_was_begun_with_more_iterations() {
    for (words, [few, many]) in [
        (
            "quadratic --method itd --depth 20 --optimiser adam",
            [7, 12],
        ),
        // The last iteration of some is judged by itself, and a record may be cut short.
        ("least-squares --method hoag", [3, 8]),
        ("ridge-prior --method saba", [250, 420]),
        ("quadratic --method gda --stage-iterations 90", [120, 400]),
        ("tv-denoising --method isgd --report-every 4", [6, 10]),
        ("quadratic --method pbgd --ramp 50", [150, 300]),
    ] {
        let folder = Folder::new();
        let solve = format!("solve --problem {words} --iterations");
        folder.run(&format!("{solve} {many} --out whole")).code(0);
        folder.run(&format!("{solve} {few} --out part")).code(0);
        assert_ne!(trace(&folder, "part"), trace(&folder, "whole"), "{words}");
        let longer = format!("solve --resume part --iterations {many}");
        folder.run(&longer).code(0);
        assert_eq!(trace(&folder, "part"), trace(&folder, "whole"), "{words}");
        let again = folder.run(&longer).code(0);
        assert!(again.err.contains("is finished, after"), "{again:?}");
        refused(
            &folder,
            &format!("solve --resume part --iterations {few}"),
            &[&format!("the run has iterations {many}, not {few}")],
        );
        let file = |dir: &str| std::fs::read(folder.path(dir).join("checkpoint"));
        let [part, whole] = ["part", "whole"].map(|dir| file(dir).expect("a checkpoint"));
        // After two lines of words and before a checksum.
        let state = |bytes: &[u8]| {
            let mut lines = bytes.splitn(3, |b| *b == b'\n').skip(2);
            lines.next().expect("a state")[..]
                .split_last_chunk::<4>()
                .expect("a sum")
                .0
                .to_vec()
        };
        assert_eq!(state(&part), state(&whole), "{words}");
    }
}

#[test]
fn a_longer_run_that_was_killed_goes_on_too() {
    let folder = Folder::new();
    folder
        .run(&format!("{SHORT} --iterations 300 --out whole"))
        .code(0);
    folder
        .run(&format!("{SHORT} --iterations 20 --out part"))
        .code(0);
    // The first checkpoint of a longer run, and the trace as it was.
    let read = |name: &str| std::fs::read(folder.path("part").join(name)).expect("a file");
    let (trace_then, page) = (read("trace.jsonl"), read("report.html"));
    let line = "solve --resume part --iterations 300 --checkpoint-every 1";
    let mut child = folder.start(line);
    while contains(&read("checkpoint"), b"\"finished\":{") {
        std::thread::yield_now();
    }
    child.kill().expect("a process of this test");
    child.wait().expect("a process of this test");
    assert!(read("report.html") == page, "it was too fast to be killed");
    folder.run("solve --resume part").code(0);
    assert_eq!(trace(&folder, "part"), trace(&folder, "whole"));
    assert!(trace_then.len() < read("trace.jsonl").len());
}

#[test]
fn a_run_that_depends_on_its_length_is_not_made_longer_and_one_that_ended_by_itself_says_so() {
    let folder = Folder::new();
    let run = |words: &str| {
        folder
            .run(&format!(
                "solve --problem quadratic {words} --out run --force"
            ))
            .code(0);
        trace(&folder, "run")
    };
    let before = run("--method pbgd --iterations 100");
    let words = "--iterations 200: what follows from the number of iterations of `pbgd` was made \
                 for 100: expected a run of its own, or one that was begun with --ramp";
    refused(&folder, "solve --resume run --iterations 200", &[words]);
    assert_eq!(trace(&folder, "run"), before);
    run("--method maid --iterations 3000");
    let longer = folder.run("solve --resume run --iterations 9000").code(0);
    let said = "ended by itself after iteration";
    assert!(longer.err.contains(said), "{longer:?}");
}
