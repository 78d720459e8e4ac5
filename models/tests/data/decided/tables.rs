//! Headers, numbers of rows, delimiters and where labels are.

use super::*;

#[test]
fn a_header_of_whole_numbers_is_no_sample() {
    assert_eq!(DEFAULT, Reading::default());
    let why = [
        ("7,8,9", "9 is no label of the other rows"),
        ("2019,2020,2021", "2021 is no label of the other rows"),
        ("0,1,2", "2 is no label of the other rows"),
    ];
    for (header, why) in why {
        let loaded = csv(table(header));
        assert_eq!(splits(&loaded), plain(), "{header}");
        let said = format!("line 1, `{header}`, as {why} (--header no if it is a sample)");
        assert_eq!(loaded.about.header.as_deref(), Some(&*said));
        let kept = read(".csv", table(header), NO_HEADER);
        assert_eq!(kept.splits.train.len(), 5);
        assert_eq!(kept.about.header.as_deref(), Some("none"));
    }
    // Though its label is one of the others.
    let three = table("").replacen(",0\n", ",2\n", 1);
    let loaded = csv(format!("0,1,2\n{three}"));
    let said = loaded.about.header.expect("a header");
    assert!(said.starts_with("line 1, `0,1,2`, as it counts the columns"));
    // Of many columns even where all numbers are whole.
    let whole = "0,1,2,3,1\n".repeat(3) + "4,0,2,3,4\n";
    let loaded = csv(format!("0,1,2,3,4\n{whole}"));
    assert_eq!(loaded.about.samples, [2, 1, 1]);
}

#[test]
fn a_first_sample_is_no_header() {
    for first in ["7,8,1", "7.5,8,9", "7,7,9", "2,1,0"] {
        let loaded = csv(table(first));
        let header = loaded.about.header.as_deref();
        assert_eq!((header, loaded.splits.train.len()), (Some("none"), 5));
        let loaded = read(".csv", table(first), HEADER);
        assert_eq!(splits(&loaded), plain());
    }
    // Labels that are all different are no classes: that of the first line says nothing.
    let loaded = csv("7,8\n1.5,2\n2.5,3\n3.5,4\n");
    assert_eq!(loaded.about.samples, [2, 1, 1]);
}

#[test]
fn names_of_columns_are_a_header_whatever_is_among_them() {
    for header in [
        "a,b,label",
        "\"a, in m\",\"b\",\"label\"",
        "# by hand\n\na,b,label",
        "2019,2020,label",
        "a,b,2020",
        "\u{feff}a,b,label",
    ] {
        let loaded = csv(table(header));
        assert_eq!(splits(&loaded), plain(), "{header}");
        assert_ne!(loaded.about.header.as_deref(), Some("none"), "{header}");
    }
    // A slip in the first line is no name.
    for first in ["1,two,0", "red,1.5,0", ",1.5,0", "1,,0", "1,2,0x1"] {
        let text = refusal(table(first), DEFAULT);
        assert!(text.starts_with("line 1, column "), "{first}: {text}");
    }
}

#[test]
fn sizes_and_names_of_classes_are_named() {
    for first in ["8,2,no,yes", "8,2,yes", "8,2,a,b,c"] {
        let expected = format!(
            "line 1: `{first}` looks like the numbers of rows and features and the names of \
             classes, expected names of the columns or numbers: take the line out, or --header yes \
             to ignore it"
        );
        assert_eq!(refusal(table(first), DEFAULT), expected);
        assert_eq!(splits(&read(".csv", table(first), HEADER)), plain());
    }
}

#[test]
fn a_column_that_counts_the_rows_is_no_feature() {
    let keep = Reading {
        keep_index: true,
        ..DEFAULT
    };
    let mixed = |i| [5, 2, 7, 0, 1, 3, 6, 4][i];
    for text in [
        numbered(",a,b,label", |i| i),
        numbered(",a,b,label", |i| i + 1),
        numbered(",a,b,label", mixed),
        numbered("Unnamed: 0,a,b,label", |i| i),
        numbered("index,a,b,label", |i| i),
        numbered("Id,a,b,label", |i| i + 1),
        numbered(",0,1,2", |i| i),
        numbered("\"a\",\"b\",\"label\"", |i| i + 1),
        numbered("", |i| i),
    ] {
        let loaded = csv(&text);
        assert_eq!(splits(&loaded), plain(), "{text}");
        let [said] = &loaded.about.dropped[..] else {
            panic!("{:?}", loaded.about)
        };
        assert!(said.starts_with("column 1"), "{said}");
        assert!(said.ends_with("which counts the rows (--keep-index)"));
        let kept = read(".csv", &text, keep);
        assert_eq!((kept.about.features, kept.about.dropped.len()), (3, 0));
    }
    // A name of its own, other numbers, or too few rows without a name: a feature.
    for text in [
        numbered("age,a,b,label", |i| i),
        numbered("id,a,b,label", |i| 10 * i),
        numbered(",a,b,label", |i| i / 2),
        numbered("", |i| i + 2),
        "0,3,1\n1,4,0\n2,7,1\n3,9,0\n".to_owned(),
        "0,0\n1,1\n2,0\n3,1\n4,0\n5,1\n6,0\n7,1\n".to_owned(),
    ] {
        assert_eq!(csv(&text).about.dropped, [""; 0], "{text}");
    }
    // An empty cell above numbers that count nothing is a missing one.
    let text = refusal(numbered(",0,1,2", |i| i / 2), DEFAULT);
    assert!(text.starts_with("line 1, column 1: `` is not a finite number: fill"));
}

#[test]
fn the_delimiter_is_found() {
    for (between, format) in [
        (",", "csv"),
        (";", "csv with semicolons"),
        ("\t", "csv with tabs"),
        ("|", "csv with bars"),
        (" ", "csv with blanks"),
        ("   ", "csv with blanks"),
        (" , ", "csv"),
        ("; ", "csv with semicolons"),
    ] {
        for header in ["", "a,b,label", "7,8,9"] {
            let loaded = csv(table(header).replace(',', between));
            assert_eq!(splits(&loaded), plain(), "{between:?}");
            assert_eq!(loaded.about.format, format);
        }
    }
    let quoted = table("a,b,label").replace(',', "\";\"");
    let quoted = quoted.lines().map(|line| format!("\"{line}\"\r\n"));
    assert_eq!(splits(&csv(quoted.collect::<String>())), plain());
}

#[test]
fn labels_are_where_their_name_is() {
    let first = table("")
        .lines()
        .fold("label,a,b\n".to_owned(), |text, row| {
            let (features, label) = row.rsplit_once(',').unwrap();
            format!("{text}{label},{features}\n")
        });
    let loaded = csv(&first);
    assert_eq!(splits(&loaded), plain());
    assert_eq!(loaded.about.notes, ["labels in column 1, `label`"]);
    // Two such names say nothing.
    let loaded = csv(first.replace("label,a,b", "label,a,class"));
    assert_eq!(loaded.about.notes, [""; 0]);
}
