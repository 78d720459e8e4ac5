//! Slips on the command line.

use crate::common::Folder;
use crate::faults::{compare, refused};

#[test]
fn names_that_are_not_there() {
    compare(
        &Folder::new(),
        &[
            (
                "--problem logistc",
                &["problem `logistc`", "did you mean `logistic`?"],
            ),
            (
                "--problem Logistic",
                &["problem `Logistic`", "did you mean `logistic`?"],
            ),
            (
                "--problem zzzzzzzzzzzz",
                &["zzzzzzzzzzzz", "expected one of logistic, "],
            ),
            (
                "--problem scalar --strategy idt",
                &["strategy `idt`", "did you mean `itd`?"],
            ),
            (
                "--problem scalar --strategy itd,aid-gc",
                &["`aid-gc`", "`aid-cg`?"],
            ),
            (
                "--problem scalar --strategy aid-neumann:x",
                &["`aid-neumann:x`", "whole number"],
            ),
            (
                "--problem scalar --strategy aid-nystrom:0",
                &["aid-nystrom", "rank 0", "at least 1"],
            ),
            (
                "--problem scalar --strategy aid-cg:3",
                &["`aid-cg:3`", "did you mean `aid-cg`?"],
            ),
            (
                "--problem scalar --strategy itd,",
                &["strategy ``", "expected one of"],
            ),
            (
                "--problem scalar --strategy itd-foo",
                &["itd-foo", "expected taped"],
            ),
            (
                "--problem scalar --strategy itd-checkpoint:5",
                &["`itd-checkpoint:5`", "checkpointed:SLOTS"],
            ),
            ("--strategy itd", &["--problem"]),
            ("--problem", &["--problem", "value"]),
        ],
    );
    refused(
        &Folder::new(),
        &[
            (
                "solve --problem scalar --method adi-cg",
                &["method `adi-cg`", "did you mean `aid-cg`?"],
            ),
            (
                "solve --problem scalr --method itd",
                &["problem `scalr`", "`scalar`?"],
            ),
            ("solve --problem scalar", &["--method"]),
            ("solve --method itd", &["--problem"]),
            ("compair --problem scalar", &["compair", "compare"]),
            ("list --dtype f16", &["f16", "f32", "f64"]),
            ("list --seed -1", &["--seed", "-1"]),
            ("list --seed one", &["one", "--seed"]),
            ("list extra", &["extra"]),
        ],
    );
}

#[test]
fn numbers_out_of_range() {
    let huge = "99999999999999999999";
    compare(
        &Folder::new(),
        &[
            (
                "--problem scalar --depth 0",
                &["--depth 0", "expected at least 1"],
            ),
            (
                "--problem scalar --depth -3",
                &["--depth -3", "expected at least 1"],
            ),
            ("--problem scalar --depth 2.5", &["2.5", "--depth"]),
            (
                &format!("--problem scalar --depth {huge}"),
                &[huge, "--depth"],
            ),
            (
                "--problem scalar --tolerance -1",
                &["--tolerance -1", "positive"],
            ),
            (
                "--problem scalar --tolerance 0",
                &["--tolerance 0", "positive"],
            ),
            (
                "--problem scalar --tolerance nan",
                &["--tolerance nan", "positive"],
            ),
            (
                "--problem scalar --tolerance inf",
                &["--tolerance inf", "positive"],
            ),
            (
                "--problem scalar --tolerance small",
                &["small", "--tolerance"],
            ),
            ("--problem scalar --step -0.1", &["--step -0.1", "positive"]),
            ("--problem scalar --step 0", &["--step 0", "positive"]),
            (
                "--problem scalar --inner momentum:1",
                &["momentum:1", "[0, 1)"],
            ),
            (
                "--problem scalar --inner newton",
                &["newton", "expected one of `gd`"],
            ),
            ("--problem scalar --dpeth 3", &["--dpeth", "--depth"]),
            (
                "--problem scalar --threads 0",
                &["--threads 0", "at least 1"],
            ),
            ("--problem scalar --threads -1", &["-1"]),
            (
                "--problem scalar --strategy itd-checkpointed:0",
                &["itd-checkpointed:0", "at least 1"],
            ),
            (
                "--problem scalar --strategy itd-checkpointed:x",
                &["itd-checkpointed:x", "SLOTS"],
            ),
            (
                "--problem scalar --strategy itd-checkpointed",
                &["itd-checkpointed", "SLOTS"],
            ),
            (
                "--problem scalar --strategy itd-online:0",
                &["itd-online:0", "at least 1"],
            ),
            (
                "--problem scalar --strategy itd-truncated:0",
                &["itd-truncated:0", "at least 1"],
            ),
            (
                "--problem scalar --strategy bda-truncated:-2",
                &["bda-truncated:-2", "STEPS"],
            ),
        ],
    );
}

#[test]
fn folders_that_cannot_be_written() {
    let folder = Folder::new();
    folder.write("file", "kept");
    std::fs::create_dir(folder.path("folder")).unwrap();
    for out in ["file", "file/below", "folder/../file/below"] {
        for command in [
            "demo",
            "compare --problem scalar",
            "solve --problem scalar --method itd",
        ] {
            let line = format!("{command} --json --out {out}");
            refused(
                &folder,
                &[(
                    &line,
                    &[&format!("--out {out}"), "expected a writable folder"],
                )],
            );
        }
    }
    assert_eq!(std::fs::read(folder.path("file")).unwrap(), b"kept");
    // What was made on the way to a folder that cannot be made goes away again.
    let long = "x".repeat(300);
    for out in [format!("new/{long}"), "new/../file/below".to_owned()] {
        let line = format!("compare --problem scalar --out {out}");
        refused(&folder, &[(&line, &["expected a writable folder"])]);
    }
}
