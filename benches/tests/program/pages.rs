//! What stands on the pages of the program, against its records.

use serde_json::Value;
use study::Page;
use study::report::{Cell, Plot, Table, Unit};

use crate::common::Folder;

const SWEEP: &str = "seeds = [0, 1]\n[base]\nproblem = \"hyper-cleaning\"\niterations = 2\ndepth = 5\n\
                     [grid]\nmethod = [\"itd\", \"aid-cg\"]\nrate = [0.1, 0.05]\n";

fn page(folder: &Folder, words: &str) -> Page {
    let done = folder.command(words).output().expect("the program starts");
    assert!(done.status.code().is_some_and(|code| code < 2), "{done:?}");
    Page::read(folder.path("out/report.html")).expect("a page")
}

fn records(folder: &Folder, name: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.path("out").join(name)).expect("records");
    let lines = text.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().expect("JSON")
}

#[track_caller]
fn fact<'p>(page: &'p Page, name: &str) -> &'p str {
    let found = page.facts.iter().find(|(of, _)| of == name);
    &found
        .unwrap_or_else(|| panic!("{name}: {:?}", page.facts))
        .1
}

#[track_caller]
fn plot<'p>(page: &'p Page, title: &str) -> &'p Plot {
    let mut plots = page.sections.iter().flat_map(|s| &s.plots);
    let found = plots.find(|p| p.title.starts_with(title));
    found.unwrap_or_else(|| panic!("{title}"))
}

#[track_caller]
fn column<'t>(table: &'t Table, name: &str) -> Vec<&'t Cell> {
    let at = table.columns.iter().position(|column| column == name);
    let at = at.unwrap_or_else(|| panic!("{name} of {:?}", table.columns));
    table.rows.iter().map(|row| &row[at]).collect()
}

#[test]
fn a_run_is_on_its_page_with_settings_and_percent() {
    let folder = Folder::new();
    let words = "solve --problem hyper-cleaning --method aid-cg --iterations 3 --out out";
    let page = page(&folder, words);
    let records = records(&folder, "trace.jsonl");
    let records = records.iter().filter(|r| r.get("iteration").is_some());
    let accuracy = plot(&page, "test accuracy");
    assert_eq!(accuracy.y_unit, Unit::Percent);
    let curve = &accuracy.series[0];
    for (i, record) in records.enumerate() {
        let number = |key: &str| record[key].as_f64().expect("a number");
        assert_eq!(
            curve.points[i],
            (number("iteration"), number("test_accuracy"))
        );
        let calls = number("gradients") + number("hvps");
        assert_eq!(
            [curve.across[0][i], curve.across[1][i], curve.across[2][i]],
            [calls, number("samples"), number("seconds")]
        );
    }
    assert_eq!(plot(&page, "cleaner f1").y_unit, Unit::Number);
    let settings = &page.sections[1].tables[0];
    let keys = column(settings, "setting");
    let at = keys.iter().position(|key| key.text == "iterations");
    let value = column(settings, "value")[at.expect("the iterations")];
    assert_eq!(value.text, "3");
}

#[test]
fn the_head_of_a_page_can_be_made_again() {
    let folder = Folder::new();
    let words = "compare --problem quadratic --strategy exact --seed 7 --out out --force";
    let made = |epoch: &str| {
        let mut command = folder.command(words);
        command.env("SOURCE_DATE_EPOCH", epoch);
        assert!(
            command
                .output()
                .expect("the program starts")
                .status
                .success()
        );
        let page = Page::read(folder.path("out/report.html")).expect("a page");
        page.made.expect("how it was made")
    };
    let first = made("1709208060");
    assert_eq!(first.command, format!("bilevel {words}"));
    assert_eq!(first.date, "2024-02-29 12:01 UTC");
    assert!(first.version.contains(env!("CARGO_PKG_VERSION")));
    assert_eq!(made("1709208060"), first);
    assert_ne!(made("0"), first);
}

#[test]
fn a_sweep_says_what_was_swept_and_has_a_column_for_each_setting() {
    let folder = Folder::new();
    folder.write("many.toml", SWEEP);
    let page = page(&folder, "sweep many.toml --out out");
    for (name, text) in [
        ("Problem", "hyper-cleaning"),
        ("Base", "depth = 5, iterations = 2"),
        ("Varied", "method: itd, aid-cg; rate: 0.1, 0.05"),
        ("Seeds", "0, 1"),
        ("File", "many.toml"),
    ] {
        assert_eq!(fact(&page, name), text);
    }
    let table = &page.sections[0].tables[0];
    let texts =
        |name: &str| -> Vec<&str> { column(table, name).iter().map(|c| &*c.text).collect() };
    assert_eq!(texts("method"), ["itd", "itd", "aid-cg", "aid-cg"]);
    assert_eq!(texts("rate"), ["0.1", "0.05", "0.1", "0.05"]);
    for (title, key) in [
        ("upper", "upper"),
        ("test accuracy", "test_accuracy"),
        ("time", "seconds"),
    ] {
        for (cell, record) in column(table, title)
            .iter()
            .zip(records(&folder, "summary.jsonl"))
        {
            let of = |end: &str| record[key][end].as_f64();
            assert_eq!(cell.sort, of("median"));
            let more: Vec<Option<f64>> = cell.more.iter().map(|(_, v)| Some(*v)).collect();
            assert_eq!(more, [of("low"), of("high")]);
        }
    }
    assert!(
        texts("test accuracy")
            .iter()
            .all(|text| text.contains(" %"))
    );
    assert_eq!(plot(&page, "test accuracy").y_unit, Unit::Percent);
}
