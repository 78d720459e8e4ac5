//! Settings of `solve`, as arguments and in files.

use solvers::catalogue::{Kind, SETTINGS, Setting, strategies};

use crate::common::Folder;
use crate::faults::refused;

/// A value that no setting has unless it is given.
fn unusual(setting: &Setting) -> &'static str {
    match setting.kind {
        // As many samples as the problem has.
        Kind::Count => "1",
        Kind::Positive | Kind::FromZero => "0.625",
        Kind::YesNo => "true",
        Kind::Flag => "",
        Kind::Outer => "adagrad",
        Kind::Inner => "momentum:0.5",
        Kind::Lower => "lbfgs",
        Kind::Curvature => "damped:0.5",
    }
}

/// The names of a kind that are listed.
fn listed(folder: &Folder, kind: &str) -> Vec<String> {
    let entries = folder.run("list --json").code(0).records();
    let of_kind = entries.iter().filter(|e| e["kind"] == kind);
    let name = |e: &serde_json::Value| e["name"].as_str().expect("a name").to_owned();
    of_kind.map(name).collect()
}

#[test]
fn a_method_takes_the_settings_that_it_shows_and_refuses_the_others() {
    let folder = Folder::new();
    let methods = listed(&folder, "method");
    let solve = |method: &str| {
        let problem = match method {
            "kkt" => "constrained",
            _ => "scalar",
        };
        format!("solve --problem {problem} --method {method}")
    };
    let show = |method: &str, more: &str| {
        let run = folder.run(&format!("{} --show-config {more}", solve(method)));
        run.code(0).out
    };
    let of = |text: &str, setting: &Setting| {
        let key = format!("{} = ", setting.key);
        let mut lines = text.lines().map(|line| line.trim_start_matches("# "));
        lines.any(|line| line.starts_with(&key))
    };
    let shown: Vec<String> = methods.iter().map(|method| show(method, "")).collect();
    let takes = |setting: &Setting| shown.iter().any(|text| of(text, setting));
    let settings: Vec<&Setting> = SETTINGS.iter().filter(|s| takes(s)).collect();
    assert!(methods.len() > 20 && settings.len() > 20);
    for (method, text) in methods.iter().zip(&shown) {
        for setting in &settings {
            let (flag, key, value) = (setting.flag(), setting.key, unusual(setting));
            let given = format!("--{flag} {value}");
            let toml = match setting.kind {
                Kind::Outer | Kind::Lower | Kind::Curvature => format!("{key} = \"{value}\""),
                _ => format!("{key} = {value}"),
            };
            folder.write("run.toml", format!("{toml}\n"));
            if of(text, setting) {
                // What says something of Adam needs it.
                let adam = match key.starts_with("adam") {
                    true => " --optimiser adam",
                    false => "",
                };
                for more in [&*given, "--config run.toml"] {
                    let now = show(method, &format!("{more}{adam}"));
                    assert!(now.contains(&format!("\n{toml}\n")), "{method}: {now}");
                }
                continue;
            }
            let of_method = format!("method `{method}` has no such setting: expected one of ");
            let taken = || settings.iter().filter(|s| of(text, s));
            for (more, culprit, shown) in [
                (
                    given,
                    format!("--{flag}"),
                    taken().map(|s| format!("--{}", s.flag())).collect(),
                ),
                (
                    "--config run.toml".to_owned(),
                    format!("run.toml: {key}"),
                    taken().map(|s| s.key.to_owned()).collect::<Vec<_>>(),
                ),
            ] {
                let line = format!("{} {more} --json --out r", solve(method));
                let words = format!("{culprit}: {of_method}{}", shown.join(", "));
                refused(&folder, &[(&line, &[&words])]);
            }
        }
    }
}

#[test]
fn a_setting_of_none_of_the_strategies_is_refused() {
    let folder = Folder::new();
    let entries = strategies::<f64>();
    let compare = |names: &str, setting: &Setting| {
        let value = unusual(setting);
        format!(
            "compare --problem scalar --strategy {names} --json --{} {value}",
            setting.flag()
        )
    };
    let of_strategies = |s: &&Setting| entries.iter().any(|e| e.accepts.contains(&s.key));
    let settings: Vec<&Setting> = SETTINGS.iter().filter(of_strategies).collect();
    assert_eq!(settings.len(), 8);
    for entry in &entries {
        // One with numbers for what is in capitals.
        let name = entry.rows[0]
            .name
            .replace("ALPHA", "0.5")
            .replace("DECAY", "0.5");
        let name = name.replace("BETA", "0.5").replace("MEMORY", "taped");
        for setting in &settings {
            if entry.accepts.contains(&setting.key) {
                continue;
            }
            let taken = settings.iter().filter(|s| entry.accepts.contains(&s.key));
            let taken: Vec<String> = taken.map(|s| format!("--{}", s.flag())).collect();
            let expected = match &taken[..] {
                [] => "none".to_owned(),
                taken => format!("one of {}", taken.join(", ")),
            };
            let words = format!(
                "--{}: strategy `{name}` has no such setting: expected {expected}",
                setting.flag(),
            );
            refused(&folder, &[(&compare(&name, setting), &[&words])]);
        }
    }
    let limit = SETTINGS
        .iter()
        .find(|s| s.key == "lower_limit")
        .expect("a setting");
    let both = ["--lower-limit: none of `itd`, `bda` has such a setting: expected one of --depth"];
    refused(&folder, &[(&compare("itd,bda", limit), &both)]);
    folder.run(&compare("itd,aid-cg", limit)).code(0);
}

#[test]
fn a_sweep_refuses_a_setting_of_no_method() {
    let folder = Folder::new();
    for (text, culprit) in [
        (
            "[base]\nproblem = \"scalar\"\n[[run]]\nmethod = \"hoag\"\nfirst_step = 1.0\n",
            "first_step: method `hoag` has no such setting: expected one of iterations, ",
        ),
        (
            "[base]\nproblem = \"scalar\"\n[grid]\nmethod = [\"itd\", \"gda\"]\ndepth = [5, 9]\n",
            "depth: method `gda` has no such setting: expected one of iterations, ",
        ),
        (
            "[base]\nproblem = \"scalar\"\nmethod = \"itd\"\nstage_iterations = 3\n",
            "base.stage_iterations: no method of a configuration has such a setting",
        ),
    ] {
        folder.write("sweep.toml", text);
        refused(
            &folder,
            &[(
                "sweep sweep.toml --json --out r",
                &["sweep.toml: ", culprit],
            )],
        );
    }
    // What all configurations share is of use to some.
    folder.write(
        "sweep.toml",
        "[base]\nproblem = \"scalar\"\niterations = 2\ndepth = 5\nstage_iterations = 2\n\
         [grid]\nmethod = [\"itd\", \"gda\"]\n",
    );
    folder.run("sweep sweep.toml --json --out r").code(0);
}

#[test]
fn settings_of_solve_are_checked_for_every_method() {
    let folder = Folder::new();
    for method in ["itd", "aid-cg", "aid-direct", "bda", "gda"] {
        for (setting, expected) in [
            ("--iterations 0", "at least 1"),
            ("--iterations -1", ""),
            ("--depth 0", "at least 1"),
            ("--report-every 0", "at least 1"),
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

#[test]
fn loops_of_own_steps_take_no_step_length() {
    let own = "--problem learning-rates --step 0.1 --out results";
    let words: &[&str] = &["step length 0.1", "steps of its own"];
    let lines = [
        format!("memory {own} --depths 3"),
        format!("plan {own} --budget 1MB"),
        format!("plan {own} --budget 1MB --depth 3"),
    ];
    refused(
        &Folder::new(),
        &lines.each_ref().map(|line| (&**line, words)),
    );
}
