//! Settings of `solve`, as arguments and in files.

use crate::common::Folder;
use crate::faults::refused;

#[test]
fn settings_of_solve_are_checked_for_every_method() {
    let folder = Folder::new();
    for method in ["itd", "aid-cg", "aid-direct", "bda", "gda"] {
        for (setting, expected) in [
            ("--iterations 0", "at least 1"),
            ("--iterations -1", ""),
            ("--depth 0", "at least 1"),
            ("--stages 0", "at least 1"),
            ("--stage-iterations 0", "at least 1"),
            ("--step -1", "positive"),
            ("--step nan", "positive"),
            ("--tolerance 0", "positive"),
            ("--tolerance nan", "positive"),
            ("--rate -0.1", "positive"),
            ("--rate nan", "positive"),
            ("--penalty 0", "positive"),
            ("--growth -2", "positive"),
            ("--optimiser sgd", "gd"),
            ("--warm-start maybe", "true"),
        ] {
            let line = format!("solve --problem scalar --method {method} {setting} --json --out r");
            let (name, value) = setting.split_once(' ').unwrap();
            let value = if value == "nan" { "NaN" } else { value };
            refused(&folder, &[(&line, &[&name[2..], value, expected])]);
        }
    }
}

#[test]
fn configuration_files() {
    let folder = Folder::new();
    for (text, culprits) in [
        (
            "rate = 0.1\niteratons = 5\n",
            &["line 2", "iteratons", "did you mean `iterations`?"],
        ),
        (
            "depth = \"deep\"\n",
            &["line 1, `depth", "deep", "expected"],
        ),
        ("\n\nrate = true\n", &["line 3, `rate", "true", "expected"]),
        ("depth = -4\n", &["line 1, `depth", "-4", "expected"]),
        ("rate = \n", &["line 1", "rate", "expected"]),
        ("optimiser = \"sgd\"\n", &["line 1", "sgd", "adam"]),
        (
            "iterations = 0\n",
            &["iterations 0", "expected", "at least 1"],
        ),
        ("step = -1.0\n", &["step -1", "expected", "positive"]),
    ] {
        folder.write("run.toml", text);
        let line = "solve --problem scalar --method itd --config run.toml --json --out r";
        refused(&folder, &[(line, culprits)]);
    }
    folder.write("latin.toml", b"# caf\xe9\n");
    let solve = "solve --problem scalar --method itd --config";
    refused(
        &folder,
        &[
            (
                &format!("{solve} none.toml"),
                &["none.toml", "cannot be read"],
            ),
            (&format!("{solve} latin.toml"), &["latin.toml", "UTF-8"]),
            (&format!("{solve} ."), &[".", "cannot be read"]),
        ],
    );
}
