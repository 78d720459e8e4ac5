//! Targets of a regression, and numbers beyond the scalar type.

use models::data::{Format, Targets};

use super::*;

const TARGETS: Reading = Reading {
    labels: Labels::Targets,
    ..DEFAULT
};

fn rows(label: impl Fn(usize) -> f64) -> String {
    let row = |(i, row): (usize, &&str)| format!("{},{}\n", &row[..row.len() - 2], label(i));
    ROWS.iter().enumerate().map(row).collect()
}

#[test]
fn targets_are_any_numbers_and_stay_what_they_are() {
    for (label, least, most) in [
        ((|i| 0.25 - i as f64) as fn(usize) -> f64, -6.75, 0.25),
        (|i| (i % 2) as f64, 0.0, 1.0),
        (|_| 3.0, 3.0, 3.0),
    ] {
        let loaded = read(".csv", format!("a,b,price\n{}", rows(label)), TARGETS);
        let about = &loaded.about;
        assert_eq!(about.targets, Some(Targets { least, most }));
        assert_eq!((about.classes, about.label_map.len()), (None, 0));
        let said = format!("; 8 targets from {least} to {most}");
        assert!(about.to_string().ends_with(&said), "{about}");
    }
}

/// A target is seldom that of another sample: this says nothing of a header.
#[test]
fn a_first_sample_is_not_taken_for_a_header_by_its_target() {
    let first = |line: &str| format!("{line}\n{}", rows(|i| (i / 2) as f64));
    let loaded = read(".csv", first("7,8,9"), TARGETS);
    assert_eq!(loaded.about.header.as_deref(), Some("none"));
    let said = "line 1, `7,8,9`, is a sample (--header yes if it is none)";
    assert_eq!(loaded.about.notes, [said]);
    assert_eq!(loaded.about.samples, [5, 2, 2]);
    // It counts the columns.
    let loaded = read(".csv", first("0,1,2"), TARGETS);
    assert!(loaded.about.header.unwrap().contains("counts the columns"));
    let loaded = read(".csv", first("7.5,8,9"), TARGETS);
    assert_eq!(loaded.about.notes, [""; 0]);
}

#[test]
fn targets_are_standardised_with_the_features() {
    let text = rows(|i| 100.0 + 7.0 * (i * i) as f64);
    let raw = read(".csv", &text, TARGETS).splits;
    let standardise = Reading {
        standardise: true,
        ..TARGETS
    };
    let Loaded { splits, about } = read(".csv", &text, standardise);
    let (mean, deviation) = about.standardised.as_ref().unwrap().target.unwrap();
    let n = raw.train.len() as f64;
    let expected = raw.train.labels.iter().sum::<f64>() / n;
    assert!((mean - expected).abs() < 1e-12 * expected);
    let squares = raw.train.labels.iter().map(|t| (t - expected).powi(2));
    assert!((deviation - (squares.sum::<f64>() / n).sqrt()).abs() < 1e-12 * deviation);
    let parts = [(&splits.train, &raw.train), (&splits.valid, &raw.valid)];
    for (part, raw) in parts {
        for (t, raw) in part.labels.iter().zip(&raw.labels) {
            assert_eq!(*t, (raw - mean) / deviation);
        }
    }
    let said = "features and targets standardised by the training samples";
    assert!(about.to_string().ends_with(said), "{about}");
    assert!(
        about.to_string().contains("targets from 100 to 443"),
        "{about}"
    );
    // Of one value: left as it is.
    let same = read(".csv", rows(|_| 3.0), standardise);
    assert_eq!(same.about.standardised.unwrap().target, Some((3.0, 0.0)));
    assert_eq!(same.splits.train.labels, [3.0; 4]);
}

#[test]
fn features_of_unlike_scales_are_said() {
    let scaled = |factor: f64| {
        let row = |i: usize| format!("{},{},{}\n", i % 3, factor * (i % 5) as f64, i % 2);
        let text: String = (0..12).map(row).collect();
        let of = |standardise| Reading {
            labels: Labels::Classes,
            standardise,
            ..DEFAULT
        };
        [of(false), of(true)].map(|reading| read(".csv", &text, reading).about.to_string())
    };
    let [raw, standardised] = scaled(1e5);
    assert!(
        raw.contains("; standard deviations of features from "),
        "{raw}"
    );
    assert!(raw.ends_with("(--standardise)"), "{raw}");
    assert!(!standardised.contains("deviations"), "{standardised}");
    assert!(!scaled(10.0)[0].contains("deviations"));
}

/// A number beyond `f32` is named by its place in the file, wherever the shuffle puts it.
#[test]
fn a_number_beyond_the_scalar_type_is_named_by_its_place() {
    let largest = Some(f64::from(f32::MAX));
    let refusal = |suffix: &str, bytes: &[u8], reading: Reading, seed| {
        let file = file(suffix, bytes);
        let reading = Reading {
            largest,
            seed,
            ..reading
        };
        message(file.path(), reading.load(file.path()))
    };
    let csv = "a,b,label\n1,2,0\n# c\n3,-1e39,1\n5,6,0\n7,8,1\n";
    let svm = "0 1:1 2:2\n\n1 1:3 2:1e39\n0 1:5 2:6\n1 1:7\n";
    let end = "expected at most 3.4028234663852886e38 in size, the largest of f32: --dtype f64 \
               takes it";
    let libsvm = Reading {
        format: Some(Format::Libsvm),
        ..DEFAULT
    };
    for seed in 0..4 {
        let text = refusal(".csv", csv.as_bytes(), DEFAULT, seed);
        assert_eq!(text, format!("line 4, column 2, is -1e39, {end}"));
        let text = refusal("", svm.as_bytes(), libsvm, seed);
        assert_eq!(text, format!("line 3, is 1e39, {end}"));
    }
    let x = floats(&[3, 2], &[1.0, 2.0, 3.0, 4.0, -1e39, 6.0]);
    let arrays = zipped(&toy_with(&[("x_train", x)]), Stored);
    let text = refusal(".npz", &arrays, DEFAULT, 0);
    assert_eq!(
        text,
        format!("array `x_train`, row 2, column 0, is -1e39, {end}")
    );
    let file = file(".csv", csv.as_bytes());
    assert!(DEFAULT.load(file.path()).is_ok());
}
