//! Text files, read and refused.

use crate::common::*;

#[test]
fn csv_is_split_and_seeded() {
    // From 2, as 0 and 1 begin an index.
    let text: String = (2..13)
        .map(|i| format!("{i}, {}.5,{}\n", -i, i % 2))
        .collect();
    let headed = format!("\u{feff}a,\"b c\",label\n \n{text}");
    for text in [text.replace('\n', "\r\n"), text, headed] {
        let file = file(".csv", text.as_bytes());
        let splits = data::read_csv(file.path(), 3).unwrap();
        let test = splits.test.as_ref().unwrap();
        assert_eq!(
            (splits.train.len(), splits.valid.len(), test.len()),
            (6, 3, 2)
        );
        assert_eq!(splits, data::load(file.path(), 3).unwrap());
        assert_ne!(splits.train, data::read_csv(file.path(), 4).unwrap().train);

        let mut seen = Vec::new();
        for part in [&splits.train, &splits.valid, test] {
            for (x, &t) in part.features.dense().column_iter().zip(&part.labels) {
                assert_eq!((x[1].abs(), t), (x[0] + 0.5, x[0] % 2.0));
                seen.push(x[0] as usize);
            }
        }
        seen.sort_unstable();
        assert_eq!(seen, Vec::from_iter(2..13));
    }
}

#[test]
fn csv_that_is_refused() {
    let rows = "1,2,0\n3,4,1\n5,6,0\n7,8,1\n";
    assert_eq!(
        csv_message(format!("{rows}\n9,ab\n")),
        "line 6 has 2 fields, expected 3 as on the first line"
    );
    assert_eq!(
        csv_message(format!("{rows}\n9,ab,1\n")),
        "line 6, column 2: `ab` is not a finite number: make a column of 0 and 1 of each word, or \
         leave the column out"
    );
    let windows = format!("{rows}\n\n\n9,10\n").replace('\n', "\r\n");
    assert!(csv_message(windows).starts_with("line 8 has 2 fields"));
    let missing = ": fill the cell in, for one with its column's mean, or leave the line out";
    for (text, way_out) in [
        ("nan", missing),
        ("", missing),
        ("NA", missing),
        ("?", missing),
        ("inf", ""),
        ("1e999", ""),
        ("0x1", ""),
        ("1 2", ""),
    ] {
        let expected = format!("line 1, column 3: `{text}` is not a finite number{way_out}");
        assert_eq!(csv_message(format!("1,2,{text}\n{rows}")), expected);
    }
    assert!(csv_message(b"1,2,3\n1,\xff\n,0").contains("line 2 has 2 fields"));
    assert!(csv_message(b"1,2,3\n1,\xff\n3,0\n").contains("line 2"));
    assert!(csv_message(b"1,2\n1,\xff\n").contains("line 2, column 2: `\u{fffd}`"));
    assert!(csv_message(format!("1,\"{}\n\",2", "long ".repeat(50))).contains("…` is not"));
    assert!(csv_message("0,5;1,2;0\n1,5;3;1\n").ends_with("write a point before decimals"));
    assert!(
        csv_message("1,2,cat\n3,4,dog\n")
            .ends_with("is for problems of classes, and then all are words")
    );
    assert_eq!(
        csv_message("1\n2\n3\n4\n"),
        "the table, with one column for the labels, has no features, expected at least one"
    );
    for (text, found) in [("", 0), ("a,b\n", 0), ("1,2\n3,4\n5,6\n", 3)] {
        let expected = format!("{found} rows of numbers, expected at least 4 to split");
        assert_eq!(csv_message(text), expected);
    }
}
