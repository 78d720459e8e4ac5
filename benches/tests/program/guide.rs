//! The README and the guide: what they show is run, and what they name is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::common::Folder;

const README: &str = include_str!("../../../README.md");

/// The program of the README, heard.
mod program {
    use std::cell::RefCell;

    thread_local! {
        pub(super) static HEARD: RefCell<String> = const { RefCell::new(String::new()) };
    }

    macro_rules! println {
        ($($words:tt)*) => {
            HEARD.with_borrow_mut(|heard| *heard += &(format!($($words)*) + "\n"))
        };
    }

    include!("../../../solvers/src/guide/own_problem.rs");

    pub(super) fn run() -> String {
        main().expect("it ends well");
        HEARD.take()
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn manifest(path: &Path) -> toml::Table {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{path:?}: {e}"));
    text.parse().expect("TOML")
}

/// The packages of the workspace.
fn packages() -> BTreeSet<String> {
    let workspace = manifest(&root().join("Cargo.toml"));
    let members = workspace["workspace"]["members"]
        .as_array()
        .expect("members");
    let name = |member: &toml::Value| {
        let folder = root().join(member.as_str().expect("a path"));
        let package = manifest(&folder.join("Cargo.toml"));
        package["package"]["name"]
            .as_str()
            .expect("a name")
            .to_owned()
    };
    members.iter().map(name).collect()
}

/// The pages of the guide, by name.
fn pages() -> Vec<(String, String)> {
    let folder = root().join("solvers/src/guide");
    let entries = fs::read_dir(folder).expect("the guide").flatten();
    let pages = entries
        .map(|e| e.path())
        .filter(|p| p.extension() == Some("md".as_ref()));
    let mut pages: Vec<_> = pages
        .map(|p| {
            let name = p
                .file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            (name, fs::read_to_string(p).expect("a page"))
        })
        .collect();
    pages.sort();
    pages
}

/// The fenced blocks of this language.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    let from = text.split(&fence).skip(1);
    from.map(|rest| rest.split("```").next().expect("an end"))
        .collect()
}

/// Whether two words are the same, but for times and for digits at the level of rounding.
fn alike(shown: &str, printed: &str) -> bool {
    let number = |word: &str| word.trim_matches(|c| "[](),".contains(c)).parse::<f64>();
    match (number(shown), number(printed)) {
        (Ok(a), Ok(b)) => a == b || (a - b).abs() <= 1e-6 * a.abs() || a.abs().max(b.abs()) < 1e-9,
        _ => shown == printed,
    }
}

/// Lines as words, without times, rules and blank ends.
fn words(text: &str) -> Vec<Vec<String>> {
    let lines = text.lines().map(|line| {
        let mut words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        for i in (0..words.len()).rev() {
            let unit = |word: &String| ["s", "ms", "µs", "ns"].contains(&&**word);
            if words.get(i).is_some_and(unit) {
                words.drain(i - 1..=i);
            }
        }
        if words.first().is_some_and(|w| w == "seconds") {
            words.truncate(1);
        }
        words.retain(|w| !w.starts_with('─'));
        words
    });
    let mut lines: Vec<_> = lines.collect();
    while lines.last().is_some_and(Vec::is_empty) {
        lines.pop();
    }
    lines
}

#[track_caller]
fn prints(shown: &str, printed: &str) {
    let (left, right) = (words(shown), words(printed));
    let same = left.len() == right.len()
        && left
            .iter()
            .zip(&right)
            .all(|(l, r)| l.len() == r.len() && l.iter().zip(r).all(|(l, r)| alike(l, r)));
    assert!(same, "shown:\n{shown}\nprinted:\n{printed}");
}

#[test]
fn the_readme_is_short_and_its_links_lead_somewhere() {
    assert!(README.lines().count() <= 200);
    for rest in README.split("](").skip(1) {
        let target = rest.split(')').next().expect("an end");
        assert!(root().join(target).is_file(), "{target}");
    }
}

#[test]
fn the_program_of_the_readme_prints_what_it_shows() {
    let file = include_str!("../../../solvers/src/guide/own_problem.rs");
    assert_eq!(blocks(README, "rust"), [file]);
    prints(blocks(README, "text")[0], &program::run());
}

#[test]
fn the_commands_of_the_readme_print_what_it_shows() {
    let consoles = blocks(README, "console");
    assert_eq!(consoles.len(), 3);
    for console in consoles {
        let (command, shown) = console.split_once('\n').expect("a command and its output");
        let command = command.strip_prefix("$ bilevel ").expect("our program");
        let run = Folder::new().run(command).code(0);
        prints(shown, &run.out);
    }
}

#[test]
fn the_dependencies_of_the_readme_are_packages_that_are_there() {
    let own: toml::Table = blocks(README, "toml")[0].parse().expect("TOML");
    let own = own["dependencies"].as_table().expect("dependencies");
    let workspace = manifest(&root().join("Cargo.toml"));
    for (name, dependency) in own {
        let Some(path) = dependency.get("path") else {
            let ours = &workspace["workspace"]["dependencies"][name];
            assert_eq!(ours, dependency, "the version of {name}");
            continue;
        };
        let path = path.as_str().expect("a path").strip_prefix("../bilevel/");
        let folder = root().join(path.expect("beside the clone"));
        let there = manifest(&folder.join("Cargo.toml"));
        assert_eq!(there["package"]["name"], dependency["package"]);
        let library = there
            .get("lib")
            .map_or(&there["package"]["name"], |lib| &lib["name"]);
        assert_eq!(library.as_str(), Some(&**name));
    }
    for line in blocks(README, "rust")[0].lines() {
        if let Some(of) = line.strip_prefix("use ") {
            let name = of.split("::").next().expect("a crate");
            assert!(name == "std" || own.contains_key(name), "{name}");
        }
    }
}

#[test]
fn the_commands_of_the_guide_have_the_flags_that_are_named() {
    let folder = Folder::new();
    let texts: Vec<(String, String)> = pages();
    let members = packages();
    let mut seen = 0;
    let all = texts
        .iter()
        .map(|(name, text)| (&**name, &**text))
        .chain([("README", README)]);
    for (page, text) in all {
        for line in blocks(text, "sh").into_iter().flat_map(str::lines) {
            let line = line.split(" # ").next().expect("a command").trim();
            let words: Vec<&str> = line.split_whitespace().collect();
            if words.first() == Some(&"bilevel") {
                let help = folder.run(&format!("{} --help", words[1])).code(0).out;
                let there: BTreeSet<&str> = help
                    .split(|c: char| !(c.is_alphanumeric() || c == '-'))
                    .collect();
                for flag in words.iter().filter(|w| w.starts_with("--")) {
                    assert!(there.contains(flag), "{page}: {line}: {flag}");
                }
                seen += 1;
            }
            let after = |flag: &str| words.iter().position(|w| *w == flag).map(|i| words[i + 1]);
            if let (Some("cargo"), Some(package)) = (words.first().copied(), after("-p")) {
                assert!(members.contains(package), "{page}: {line}");
            }
        }
    }
    assert!(seen > 10);
}

#[test]
fn every_page_is_in_the_guide_and_in_its_table() {
    let guide = include_str!("../../../solvers/src/guide.rs");
    for (name, text) in pages() {
        assert!(guide.contains(&format!("pub mod {name} {{}}")), "{name}");
        assert!(guide.contains(&format!("//! | [`{name}`] |")), "{name}");
        // A reference of sections apart, one for each problem.
        let most = if name == "problems" { 560 } else { 400 };
        assert!(text.lines().count() < most, "{name}");
    }
}

#[test]
fn every_problem_has_its_section_and_every_section_its_problem() {
    let page = include_str!("../../../solvers/src/guide/problems.md");
    let sections = page.lines().filter_map(|line| line.strip_prefix("## `"));
    let sections: Vec<&str> = sections.map(|s| s.trim_end_matches('`')).collect();
    let problems: Vec<&str> = models::PROBLEMS.iter().map(|p| p.row.name).collect();
    let sorted = |mut names: Vec<&'static str>| {
        names.sort_unstable();
        names
    };
    assert_eq!(sorted(sections), sorted(problems));
    // A lower level and an upper one in each, unless its group has the upper one.
    for section in page.split("\n## `").skip(1) {
        assert!(
            section.contains("\ng = ") || section.contains("\nF = "),
            "{section}"
        );
    }
}
