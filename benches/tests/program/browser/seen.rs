//! What is asked of every page.

use std::path::Path;

use serde_json::Value;

use super::{WINDOWS, look};

/// Beyond it a page is slow to open, and to send.
const MOST_BYTES: usize = 400_000;

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value[key]
        .as_array()
        .unwrap_or_else(|| panic!("{key} of {value}"))
}

fn count(value: &Value, key: &str) -> usize {
    value[key]
        .as_u64()
        .unwrap_or_else(|| panic!("{key} of {value}")) as usize
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key]
        .as_str()
        .unwrap_or_else(|| panic!("{key} of {value}"))
}

/// Looks at a page in every window; how many plots, tables and choices of an axis it has.
pub(super) fn check(browser: &Path, page: &str) -> [usize; 3] {
    assert!(page.len() < MOST_BYTES, "{} bytes", page.len());
    let mut backgrounds = Vec::new();
    let mut counts = [0; 3];
    for window in WINDOWS {
        let seen = look(browser, page, window);
        let none = |of: &Value, key: &str| {
            assert_eq!(list(of, key), &[] as &[Value], "{key} in {window:?}: {of}");
        };
        none(&seen, "errors");
        none(&seen, "faint");
        for name in ["Command", "Made", "Version", "Machine"] {
            assert!(
                list(&seen, "facts").iter().any(|fact| fact == name),
                "{name}"
            );
        }
        assert_eq!(list(&seen, "all").len(), 1, "all numbers of the page");
        for plot in list(&seen, "plots") {
            for key in ["outside", "overlaps", "faint"] {
                none(plot, key);
            }
            self::plot(plot);
        }
        for table in list(&seen, "tables") {
            self::table(table);
            // On a desk every column is seen; on a phone the table scrolls in its box.
            assert!(window.0 < 1000 || count(table, "hidden") == 0, "{table}");
        }
        for choice in list(&seen, "choices") {
            for label in choice.as_array().expect("labels") {
                assert_eq!(label["focused"], true, "{label}");
                assert_eq!(label["named"], true, "{label}");
                assert_eq!(label["charts"], label["of"], "{label}");
            }
        }
        let turns = list(&seen, "tables").iter().any(|t| t["turns"] == true);
        assert!(turns, "no table turns around when it is sorted");
        // Nothing hangs over the edge: what is wide scrolls in a box of its own.
        assert!(
            count(&seen, "wide") <= count(&seen, "window"),
            "{window:?}: {seen}"
        );
        assert_ne!(seen["background"], seen["colour"], "{window:?}");
        backgrounds.push(seen["background"].clone());
        counts = ["plots", "tables", "choices"].map(|key| list(&seen, key).len());
    }
    assert_ne!(
        backgrounds[0], backgrounds[1],
        "the dark page is the light one"
    );
    counts
}

fn plot(plot: &Value) {
    assert!(
        count(plot, "series") > 0 && count(plot, "texts") > 4,
        "{plot}"
    );
    assert_eq!(
        count(plot, "drawn"),
        count(plot, "series") - count(plot, "empty"),
        "{plot}"
    );
    assert_eq!(plot["dimmed"], true, "{plot}");
    let alike = count(plot, "looks").min(12);
    for key in ["colours", "shapes"] {
        assert!(count(plot, key) >= alike, "{key} of {plot}");
    }
    for note in list(plot, "notes") {
        assert!(
            !note.as_str().expect("words").contains("Not drawn"),
            "{note}"
        );
    }
    let told = &plot["told"];
    let names = || {
        list(plot, "names")
            .iter()
            .map(|n| n.as_str().expect("a name"))
    };
    for key in ["mouse", "touch", "stays"] {
        let name = names().find(|name| text(told, key).starts_with(name));
        assert!(
            name.is_some() && text(told, key).contains(": "),
            "{key} of {plot}"
        );
    }
    assert_eq!(
        (text(told, "left"), &told["fits"]),
        ("", &Value::from(true)),
        "{plot}"
    );
    assert_eq!(told["focused"], true, "{plot}");
    let [first, second, other, escaped] = list(told, "keys") else {
        panic!("four keys")
    };
    let series = |told: &Value| {
        let told = told.as_str().expect("words").to_owned();
        // A name may be the start of another.
        let found = names().filter(|name| told.starts_with(name));
        found.max_by_key(|name| name.len()).map(str::to_owned)
    };
    assert!(
        series(first).is_some() && series(first) == series(second),
        "{plot}"
    );
    assert_eq!(
        count(plot, "looks") > 1,
        series(other) != series(second),
        "{plot}"
    );
    assert_eq!(escaped, "", "{plot}");
    downloads(&plot["downloads"], count(plot, "points"));
}

fn table(table: &Value) {
    let rows = count(table, "rows");
    assert!(rows > 0, "{table}");
    assert_eq!(table["sorts"], true, "{table}");
    assert_eq!(table["restores"], true, "{table}");
    downloads(&table["downloads"], rows);
}

fn downloads(found: &Value, rows: usize) {
    assert_eq!(found["inside"], true, "{found}");
    assert_eq!(
        [count(found, "csv"), count(found, "json")],
        [rows; 2],
        "{found}"
    );
    assert!(!text(found, "head").is_empty());
}
