//! Formats told by what is in a file, and the lines of LIBSVM.

use models::data::Format;

use super::*;

/// The rows in the format of LIBSVM.
fn sparse(first: usize) -> String {
    let lines = ROWS.iter().map(|row| {
        let cells: Vec<&str> = row.split(',').collect();
        let [a, b, label] = cells[..] else {
            panic!("{row}")
        };
        format!("{label} {first}:{a} {}:{b}\n", first + 1)
    });
    lines.collect()
}

#[test]
fn indices_count_from_zero_where_a_zero_occurs() {
    let from = |first_index| Reading {
        first_index,
        ..DEFAULT
    };
    for (first, given) in [(0, None), (1, None), (0, Some(0)), (1, Some(1))] {
        let loaded = read(".svm", sparse(first), from(given));
        assert_eq!(splits(&loaded), plain());
        assert_eq!(loaded.about.notes, [format!("indices from {first}")]);
    }
    // Asked for, the first feature is there though no line has it.
    assert_eq!(read(".svm", sparse(1), from(Some(0))).about.features, 3);
    assert_eq!(read(".svm", sparse(2), from(None)).about.features, 3);
    let file = file(".svm", sparse(0).as_bytes());
    let text = message(file.path(), from(Some(1)).load(file.path()));
    assert_eq!(
        text,
        "line 1: `0:0.5`, expected indices that count from 1 and ascend"
    );
}

#[test]
fn queries_comments_and_marks_are_left_out() {
    let text = sparse(1).replace(" 1:", " qid:4294967296 1:");
    let text = format!(
        "\u{feff}# by hand\n{}",
        text.replace('\n', " # a: 1:2\r\n\n")
    );
    let loaded = read(".svm", text, DEFAULT);
    assert_eq!(splits(&loaded), plain());
    assert_eq!(loaded.about.dropped, ["the queries `qid:`"]);
    assert_eq!(
        splits(&read(".svm", format!("\u{feff}{}", sparse(1)), DEFAULT)),
        plain()
    );
}

/// `0 1:0.5 2:1.2` and its seven rows, packed by `bzip2` and by `xz`.
pub(crate) const BZIP2: &[u8] = include_bytes!("../fixtures/rows.libsvm.bz2");
pub(crate) const XZ: &[u8] = include_bytes!("../fixtures/rows.libsvm.xz");

#[test]
fn the_format_is_told_by_the_contents() {
    let gzip = |text: &str| crate::pairs::packed(text.as_bytes());
    let (svm, csv) = (sparse(1), table("a,b,label"));
    for suffix in ["", ".txt", ".train", ".t", ".scale", ".svm", ".LIBSVM"] {
        assert_eq!(splits(&read(suffix, &svm, DEFAULT)), plain(), "{suffix}");
        for (packing, bytes) in [
            ("gzip", gzip(&svm)),
            ("bzip2", BZIP2.into()),
            ("xz", XZ.into()),
        ] {
            let loaded = read(suffix, bytes, DEFAULT);
            assert_eq!(splits(&loaded), plain(), "{suffix}, {packing}");
            assert_eq!(loaded.about.format, format!("libsvm, {packing}"));
        }
    }
    for suffix in ["", ".txt", ".train", ".tsv", ".dat"] {
        assert_eq!(splits(&read(suffix, &csv, DEFAULT)), plain(), "{suffix}");
        let tabs = csv.replace(',', "\t");
        assert_eq!(splits(&read(suffix, &tabs, DEFAULT)), plain(), "{suffix}");
    }
    for suffix in [".gz", ".csv.gz", ".txt.gz", ".svm.bz2"] {
        let bytes = if suffix.ends_with("gz") {
            gzip(&csv)
        } else {
            BZIP2.into()
        };
        assert_eq!(splits(&read(suffix, bytes, DEFAULT)), plain(), "{suffix}");
    }
    let archive = zipped(&toy(), Stored);
    for suffix in ["", ".data", ".csv"] {
        assert_eq!(read(suffix, &archive, DEFAULT).about.format, "npz");
    }
    let libsvm = Reading {
        format: Some(Format::Libsvm),
        ..DEFAULT
    };
    assert_eq!(splits(&read(".csv", &svm, libsvm)), plain());
}

#[test]
fn what_no_reader_is_for_is_named() {
    let refusal = |suffix: &str, bytes: &[u8], reading: Reading| {
        let file = file(suffix, bytes);
        message(file.path(), reading.load(file.path()))
    };
    for (bytes, what) in [
        (
            floats(&[1], &[1.0]),
            "one NumPy array, expected an npz archive, rows",
        ),
        (
            b"\0\0\x08\x01\0\0\0\x01\x01".to_vec(),
            "one IDX file, expected",
        ),
        (b"PAR1....".to_vec(), "a Parquet file, expected"),
        (crate::jpeg::GRAY.to_vec(), "a JPEG image, expected"),
        (b"\x89HDF\r\n".to_vec(), "an HDF5 file, expected"),
        (b"\n@RELATION iris\n".to_vec(), "an ARFF file, expected"),
        (b"<html>\n".to_vec(), "XML or HTML, expected"),
        (b"\xff\xfe1\x002\x00".to_vec(), "text in UTF-16, expected"),
        (b"a\0b".to_vec(), "bytes that begin `a\\0b`, expected"),
        (
            crate::pairs::packed(&zipped(&toy(), Stored)),
            "an archive packed by gzip, expected",
        ),
    ] {
        let text = refusal(".dat", &bytes, DEFAULT);
        assert!(text.starts_with(what), "{text}");
    }
    for packed in [
        &BZIP2[..BZIP2.len() / 2],
        &XZ[..XZ.len() / 2],
        b"\x1f\x8b\x08",
    ] {
        assert!(refusal("", packed, DEFAULT).starts_with("cannot be read: "));
    }
    // A setting that would have no effect is a slip.
    let first_index = Reading {
        first_index: Some(0),
        ..DEFAULT
    };
    assert_eq!(
        refusal(".csv", table("").as_bytes(), first_index),
        "--first-index: the data is read as csv, expected libsvm"
    );
    assert_eq!(
        refusal(".svm", sparse(1).as_bytes(), HEADER),
        "--header: the data is read as libsvm, expected csv"
    );
}
