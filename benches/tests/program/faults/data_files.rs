//! Data files and points, and what is too large.

use crate::common::{Folder, noise, npy, npz, photo};
use crate::faults::{compare, refused};

/// Arrays of a good file, one of them replaced.
fn data_with(name: &str, array: Vec<u8>) -> Vec<u8> {
    let mut arrays = vec![
        ("x_train", npy(&[4, 2], &[0.5; 8])),
        ("t_train", npy(&[4], &[0, 1, 1, 0])),
        ("x_valid", npy(&[2, 2], &[0.25; 4])),
        ("t_valid", npy(&[2], &[0, 1])),
    ];
    arrays.retain(|(known, _)| *known != name);
    arrays.push((name, array));
    npz(&arrays)
}

#[test]
fn data_files() {
    let folder = Folder::new();
    let whole = data_with("", Vec::new());
    let good = npz(&[("x", npy(&[2], &[0.1, 0.2]))]);
    std::fs::create_dir(folder.path("folder.npz")).unwrap();
    folder.write("cut.npz", &whole[..whole.len() / 2]);
    folder.write("empty.npz", "");
    folder.write("text.npz", "not an archive at all");
    folder.write("array", npy(&[4, 2], &[0.5; 8]));
    folder.write("data.txt", "1,2\n");
    folder.write("point.npz", &good);
    let mut broken = npy(&[4, 2], &[0.5; 8]);
    broken.truncate(broken.len() - 9);
    for (name, array, values) in [
        ("nan", "x_valid", npy(&[2, 2], &[0.5, 0.5, f64::NAN, 0.5])),
        ("infinite", "x_train", npy(&[4, 2], &[f32::INFINITY; 8])),
        ("label", "t_train", npy(&[4], &[0, 1, 2, 1])),
        ("mixed", "t_valid", npy(&[2], &[-1, 1])),
        ("fraction", "t_valid", npy(&[2], &[0.5, 1.0])),
        ("rows", "t_train", npy(&[3], &[0, 1, 1])),
        ("columns", "x_valid", npy(&[2, 3], &[0.5; 6])),
        ("rank", "x_train", npy(&[8], &[0.5; 8])),
        ("none", "x_train", npy::<f64>(&[4, 0], &[])),
        ("half", "x_test", npy(&[1, 2], &[0.5; 2])),
        ("short", "x_train", broken),
        ("garbage", "x_train", b"garbage".to_vec()),
    ] {
        folder.write(&format!("{name}.npz"), data_with(array, values));
    }
    folder.write_npz("missing.npz", &[("x_train", npy(&[1, 1], &[1.0]))]);
    for (name, text) in [
        ("word.csv", "1,2,0\n3,four,1\n5,6,0\n7,8,1\n"),
        ("ragged.csv", "1,2,0\n3,4,1,1\n5,6,0\n7,8,1\n"),
        ("few.csv", "1,2,0\n3,4,1\n"),
        ("empty.csv", ""),
        ("column.csv", "0\n1\n0\n1\n"),
    ] {
        folder.write(name, text);
    }
    for problem in ["logistic", "hyper-cleaning"] {
        let cases: [(&str, &[&str]); 22] = [
            ("absent.npz", &["absent.npz", "cannot be read"]),
            (
                "folder.npz",
                &["folder.npz", "directory", "expected a file"],
            ),
            (".", &["directory", "expected a file"]),
            (
                "array",
                &["array: one NumPy array", "expected an npz archive"],
            ),
            ("data.txt", &["data.txt: 1 rows", "expected at least 4"]),
            ("cut.npz", &["cut.npz", "expected a zip archive"]),
            ("empty.npz", &["empty.npz", "expected a zip archive"]),
            ("text.npz", &["text.npz", "expected a zip archive"]),
            ("missing.npz", &["no array `t_train`", "found `x_train`"]),
            (
                "nan.npz",
                &["`x_valid`, row 1, column 0, is NaN", "expected a finite"],
            ),
            (
                "infinite.npz",
                &["`x_train`, row 0, column 0, is inf", "expected a finite"],
            ),
            ("mixed.npz", &["`t_", "entry 0, is", "expected"]),
            ("fraction.npz", &["`t_valid`, entry 0, is 0.5", "expected"]),
            (
                "rows.npz",
                &["`x_train` has 4 rows", "`t_train` has 3", "expected"],
            ),
            (
                "columns.npz",
                &["`x_valid` has 3 columns", "`x_train` has 2", "expected"],
            ),
            (
                "rank.npz",
                &["`x_train` has shape [8]", "expected [samples, features]"],
            ),
            (
                "none.npz",
                &["`x_train` has no features", "expected at least one"],
            ),
            ("half.npz", &["no array `t_test`", "x_test"]),
            ("short.npz", &["`x_train` is truncated", "[4, 2]"]),
            ("garbage.npz", &["`x_train` is malformed"]),
            (
                "word.csv",
                &["line 2, column 2", "`four` is not a finite number"],
            ),
            ("ragged.csv", &["line 2 has 4 fields", "expected 3"]),
        ];
        for (file, culprits) in cases {
            let words = format!("--problem {problem} --data {file}");
            compare(&folder, &[(&words, culprits)]);
            let words = format!("solve --problem {problem} --data {file} --method itd --out r");
            refused(&folder, &[(&words, culprits)]);
        }
    }
    compare(
        &folder,
        &[
            (
                "--problem logistic --data label.npz",
                &["`t_train`, entry 2, is 2", "{0, 1}"],
            ),
            (
                "--problem logistic --data few.csv",
                &["2 rows", "expected at least 4"],
            ),
            (
                "--problem logistic --data empty.csv",
                &["0 rows", "expected at least 4"],
            ),
            (
                "--problem logistic --data column.csv",
                &["no features", "expected at least one"],
            ),
            (
                "--problem scalar --data label.npz",
                &[
                    "label.npz",
                    "brings its own numbers",
                    "expected no --data, or one of logistic, softmax,",
                ],
            ),
            (
                "--problem scalar --data absent.npz",
                &["absent.npz", "expected no --data"],
            ),
            ("--problem scalar --bias", &["--bias", "hyper-cleaning"]),
            (
                "--problem scalar --point point.npz",
                &["`x` has 2 entries", "expected 1"],
            ),
            (
                "--problem scalar --point folder.npz",
                &["folder.npz", "directory", "expected a file"],
            ),
            (
                "--problem scalar --point label.npz",
                &["label.npz", "no array `x`"],
            ),
            (
                "--problem scalar --point absent.npz",
                &["absent.npz", "cannot be read"],
            ),
            (
                "--problem scalar --point text.npz",
                &["text.npz", "expected a zip archive"],
            ),
        ],
    );
}

#[test]
fn what_this_machine_cannot_hold() {
    let folder = Folder::new();
    let large = [
        ("x_train", npy(&[4, 10_000], &[0.5; 40_000])),
        ("t_train", npy(&[4], &[0, 1, 1, 0])),
        ("x_valid", npy(&[2, 10_000], &[0.25; 20_000])),
        ("t_valid", npy(&[2], &[0, 1])),
    ];
    folder.write_npz("large.npz", &large);
    let wide = [
        ("x_train", npy(&[4, 5000], &noise(20_000, 0))),
        ("t_train", npy(&[4], &[0, 1, 1, 0])),
        ("x_valid", npy(&[2, 5000], &noise(10_000, 1))),
        ("t_valid", npy(&[2], &[0, 1])),
    ];
    folder.write_npz("wide.npz", &wide);
    folder.write("beyond.npz", data_with("x_valid", npy(&[2, 2], &[1e40; 4])));
    folder.write_npz("point.npz", &[("x", npy(&[1], &[-1e300]))]);
    compare(
        &folder,
        &[
            (
                "--problem scalar --strategy itd --depth 9223372036854775807",
                &["depth 9223372036854775807", "`itd`", "expected fewer steps"],
            ),
            (
                "--problem scalar --strategy bda-taped --depth 1000000000000000",
                &["`bda-taped`", "expected fewer steps"],
            ),
            (
                "--problem hyper-cleaning --data large.npz --strategy itd,exact",
                &["`exact`", "20000 entries", "expected at most"],
            ),
            (
                "--problem scalar --threads 1000000",
                &["--threads 1000000", "at most"],
            ),
            (
                "--problem logistic --data beyond.npz --dtype f32",
                &[
                    "beyond.npz: array `x_valid`, row 0, column 0, is 1e40",
                    "expected at most",
                    "f32",
                ],
            ),
            (
                "--problem scalar --point point.npz --dtype f32",
                &[
                    "point.npz: array `x`, entry 0, is -1e300",
                    "expected at most",
                    "f32",
                ],
            ),
        ],
    );
    let line = "solve --problem scalar --method itd --depth 9223372036854775807";
    refused(&folder, &[(line, &["`itd`", "expected fewer steps"])]);
    let line = "solve --problem scalar --method gda --iterations 99999999999999999999";
    refused(&folder, &[(line, &["--iterations 9", "expected at most"])]);

    // Too large for a dense answer is no reason not to give the others.
    let words = "compare --problem logistic --data wide.npz --depth 3 --json";
    let run = folder.run(words).code(0);
    assert!(run.err.contains("left out: exact, aid-direct: "), "{run:?}");
    for record in run.records() {
        assert!(record["strategy"] != "exact" && record["strategy"] != "aid-direct");
        assert_eq!(record["reference"], "implicit", "{record}");
        let error = record["error_vs_exact"].as_f64().expect("a number");
        assert!(record["strategy"] != "aid-cg" || error < 1e-6, "{record}");
        let left_out = record["left_out"].as_str().expect("a reason");
        assert!(left_out.contains("against 6 sweeps"), "{record}");
    }
}

/// Formats without splits, folders, and images.
#[test]
fn pairs_tables_and_folders() {
    let folder = Folder::new();
    folder.write("big.libsvm", "1 4294967295:1\n0 1:1\n1 1:1\n0 1:1\n");
    folder.write("zero.libsvm", "1 1:1\n0 0:1\n1 1:1\n0 1:1\n");
    folder.write("x.idx", b"\0\0\x08\x02\xff\xff\xff\xff\xff\xff\xff\xff1234");
    folder.write("t.idx", b"\0\0\x08\x01\0\0\0\x04\0\x01\0\x01");
    folder.write("x.npy", npy(&[3, 2], &[0.5; 6]));
    folder.write("t.npy", npy(&[4], &[0, 1, 1, 0]));
    std::fs::create_dir(folder.path("images")).unwrap();
    std::fs::create_dir(folder.path("none")).unwrap();
    folder.write("images/a.png", "no image");
    let on = |problem: &str, data: &str| format!("--problem {problem} --data {data}");
    let cases: [(String, &[&str]); 8] = [
        (
            on("logistic", "big.libsvm"),
            &[
                "big.libsvm: 4294967295 features, as the largest index says",
                "expected at most",
            ],
        ),
        (
            on("logistic", "zero.libsvm --first-index 1"),
            &[
                "zero.libsvm: line 2: `0:1`",
                "expected indices that count from 1",
            ],
        ),
        (
            on("logistic", "x.idx,t.idx"),
            &["x.idx: byte 16: the file ends", "expected as many bytes"],
        ),
        (
            on("logistic", "x.npy,t.npy"),
            &["`x.npy` has 3 rows but `t.npy` has 4 entries"],
        ),
        (
            on("hyper-cleaning", "images"),
            &["directory without `train-images-idx3-ubyte`"],
        ),
        (
            on("tv-denoising", "images"),
            &["a.png: the image: ", "expected a whole PNG image"],
        ),
        (
            on("tv-denoising", "none"),
            &[
                "the folder has no PNG or JPEG images",
                "expected at least one",
            ],
        ),
        (
            on("tv-denoising", "x.npy"),
            &["x.npy", "expected a folder of PNG or JPEG images"],
        ),
    ];
    for (words, culprits) in &cases {
        compare(&folder, &[(words, culprits)]);
    }
}

/// Eight rows of two features and a label.
const ROWS: &str = "0.5,1.2,0\n1.5,-0.3,1\n2.5,0.7,0\n-1.0,0.1,1\n0.3,0.9,0\n1.1,-1.4,1\n0.2,0.4,0\n\
                    1.7,-0.8,1\n";

/// What cannot be read as it stands is refused with a way out.
#[test]
fn tables_with_a_way_out() {
    let folder = Folder::new();
    folder.write(
        "label.csv",
        format!("a,b,label\n{ROWS}").replace("0.7,0", "0.7,0.5"),
    );
    folder.write(
        "third.csv",
        format!("a,b,label\n{ROWS}").replace("0.7,0", "0.7,4"),
    );
    folder.write("decimal.csv", ROWS.replace(',', ";").replace('.', ","));
    folder.write("plain.csv", ROWS);
    std::fs::create_dir(folder.path("mixed")).unwrap();
    for (name, side) in [("icon", 4), ("photo0", 96), ("photo1", 96), ("photo2", 90)] {
        let path = folder.path(&format!("mixed/{name}.png"));
        photo(&path, side, side, |_, _| 7);
    }
    let cases: [(&str, &str, &[&str]); 7] = [
        (
            "softmax",
            "label.csv --seed 1",
            &["line 4: the label is 0.5, expected a whole"],
        ),
        (
            "logistic",
            "third.csv --seed 2",
            &["line 4: the label is 4, expected no third"],
        ),
        (
            "logistic",
            "decimal.csv",
            &["line 1, column 1: `0,5`", "write a point"],
        ),
        ("tv-denoising", "mixed --standardise", &["icon.png"]),
        (
            "logistic",
            "plain.csv --first-index 0",
            &["--first-index: the data is read as csv"],
        ),
        (
            "logistic",
            "plain.csv --format libsvm",
            &["line 1: `0.5,1.2,0`, expected a finite"],
        ),
        (
            "logistic",
            "plain.csv --first-index 2",
            &["--first-index", "expected 0 or 1"],
        ),
    ];
    for (problem, data, culprits) in cases {
        let words = format!("--problem {problem} --data {data}");
        compare(&folder, &[(&words, culprits)]);
    }
    for setting in [
        "--standardise",
        "--header no",
        "--format csv",
        "--keep-index",
    ] {
        let (name, _) = setting.split_once(' ').unwrap_or((setting, ""));
        let said = format!("{name}: no table is read");
        compare(
            &folder,
            &[(&format!("--problem logistic {setting}"), &[&said])],
        );
    }
    folder.write("run.toml", "rate = 0.1\nfirst_index = 2\n");
    let words = "solve --problem logistic --data plain.csv --method itd --config run.toml";
    refused(
        &folder,
        &[(words, &["run.toml: line 2", "expected 0 or 1"])],
    );
}
