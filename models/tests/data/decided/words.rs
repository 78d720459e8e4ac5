//! Labels that are words.

use super::*;

fn mapped(text: &str, labels: Labels) -> Result<Loaded, String> {
    let file = file(".csv", text.as_bytes());
    let reading = Reading { labels, ..DEFAULT };
    let loaded = reading.load(file.path());
    loaded.map_err(|e| {
        let text = e.to_string();
        let start = format!("{}: ", file.path().display());
        text.strip_prefix(&start).expect(&text).to_owned()
    })
}

/// The rows with words for 0 and 1.
fn with(first: &str, zero: &str, one: &str) -> String {
    let word = |row: &str| if row.ends_with(",0") { zero } else { one }.to_owned();
    let rows = ROWS.map(|row| format!("{},{}\n", &row[..row.len() - 2], word(row)));
    format!("{first}{}", rows.concat())
}

#[test]
fn words_become_classes_in_their_order() {
    for (first, header) in [
        ("a,b,kind\n", "line 1"),
        ("", "none"),
        // As pandas writes columns without names.
        ("0,1,2\n", "line 1"),
    ] {
        for (zero, one) in [("bird", "cat"), ("no", "yes"), ("Iris setosa", "x1")] {
            let text = with(first, zero, one);
            for (labels, to) in [(Labels::Classes, [0.0, 1.0]), (Labels::Signs, [-1.0, 1.0])] {
                let loaded = mapped(&text, labels).unwrap();
                assert_eq!(loaded.about.words, [zero, one]);
                assert_eq!(loaded.about.header.as_deref(), Some(header));
                assert_eq!(loaded.about.label_map, [(0.0, to[0]), (1.0, to[1])]);
                let expected = plain().train.labels;
                let expected = Vec::from_iter(expected.iter().map(|t| to[*t as usize]));
                assert_eq!(loaded.splits.train.labels, expected, "{text}");
                let said = format!("2 classes: labels {zero} → {}, {one} → {}", to[0], to[1]);
                let text = loaded.about.to_string();
                assert!(text.ends_with(&said), "{text}");
            }
        }
    }
    // Their order is that of the words, not that in which they are met.
    let loaded = mapped(&with("", "zebra", "ape"), Labels::Classes).unwrap();
    let swapped = plain()
        .train
        .labels
        .iter()
        .map(|t| 1.0 - t)
        .collect::<Vec<_>>();
    assert_eq!(loaded.splits.train.labels, swapped);
    // Quoted, and beside numbers that are words too.
    let text = with("", "\"a, b\"", "7").replacen(",7\n", ",x\n", 1);
    let words = mapped(&text, Labels::Classes).unwrap().about.words;
    assert_eq!(words, ["7", "a, b", "x"]);
}

#[test]
fn a_word_in_a_wrong_place_is_named_by_its_line() {
    let refused = |text: &str, labels| mapped(text, labels).unwrap_err();
    let third = with("a,b,kind\n", "no", "yes").replacen(",no\n", ",maybe\n", 2);
    let third = third.replacen(",maybe\n", ",no\n", 1);
    assert_eq!(
        refused(&third, Labels::Signs),
        "line 4: the label is `maybe`, expected no third label beside {`no`, `yes`}"
    );
    assert_eq!(
        refused(&with("", "same", "same"), Labels::Signs),
        "line 1: the label is `same`, expected two labels, where all are this one"
    );
    for missing in ["", "?", "NA"] {
        let text = with("", "no", "yes").replacen(",yes\n", &format!(",{missing}\n"), 1);
        let expected = format!("line 2, column 3: `{missing}` is not a finite number: fill the");
        let text = refused(&text, Labels::Classes);
        assert!(text.starts_with(&expected), "{text}");
    }
    for (text, labels) in [
        (with("", "1", "yes"), Labels::Classes),
        (with("a,b,kind\n", "no", "yes"), Labels::Targets),
        (with("a,b,kind\n", "no", "yes"), Labels::AsWritten),
    ] {
        let text = refused(&text, labels);
        let said = "is not a finite number: a label that is a word is for problems of classes, and \
                    then all are words";
        assert!(text.starts_with("line 2, column 3: `"), "{text}");
        assert!(text.ends_with(said), "{text}");
    }
}
