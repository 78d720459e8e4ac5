//! What labels and features become.

use super::*;

fn mapped(text: &str, labels: Labels) -> Loaded {
    let suffix = if text.contains(':') { ".svm" } else { ".csv" };
    let reading = Reading { labels, ..DEFAULT };
    read(suffix, text, reading)
}

#[test]
fn labels_become_classes_or_signs_in_their_order() {
    let with = |zero: &str, one: &str| {
        let label = |row: &str| if row.ends_with(",0") { zero } else { one }.to_owned();
        let row = |row: &&str| format!("{},{}\n", &row[..row.len() - 2], label(row));
        ROWS.iter().map(row).collect::<String>()
    };
    for (zero, one) in [
        ("0", "1"),
        ("1", "2"),
        ("-1", "+1"),
        ("3", "900"),
        ("1", "1e9"),
    ] {
        let text = with(zero, one);
        let from = [zero, one].map(|label| label.parse::<f64>().unwrap());
        for (labels, to) in [(Labels::Classes, [0.0, 1.0]), (Labels::Signs, [-1.0, 1.0])] {
            let loaded = mapped(&text, labels);
            assert_eq!(loaded.about.classes, Some(2));
            let pairs: Vec<_> = from.into_iter().zip(to).collect();
            assert_eq!(loaded.about.label_map, pairs);
            let [parts, written] = [&loaded.splits, &plain()].map(|splits| {
                let test = splits.test.clone().unwrap();
                [&splits.train, &splits.valid, &test].map(|part| part.labels.clone())
            });
            let expected = written.map(|part| Vec::from_iter(part.iter().map(|t| to[*t as usize])));
            assert_eq!(parts, expected, "{zero}, {one}");
        }
    }
    let about = |text: &str, labels| mapped(text, labels).about.to_string();
    let text = about(&with("1", "2"), Labels::Signs);
    assert!(text.ends_with("2 classes: labels 1 → -1, 2 → 1"), "{text}");
    let text = about(&with("0", "1"), Labels::Classes);
    assert!(text.ends_with("2 classes: labels 0, 1"), "{text}");
    let many: String = (0..40)
        .map(|i| format!("{}.5,{}\n", i, 1 + i % 20))
        .collect();
    let text = about(&many, Labels::Classes);
    assert!(
        text.ends_with("20 classes: labels 1 → 0, 2 → 1, …, 20 → 19"),
        "{text}"
    );
}

/// A bad label is named by its line, wherever the shuffle puts it.
#[test]
fn a_bad_label_is_named_by_its_line() {
    let refusal = |suffix: &str, text: &str, labels, seed| {
        let file = file(suffix, text.as_bytes());
        let reading = Reading {
            labels,
            seed,
            ..DEFAULT
        };
        message(file.path(), reading.load(file.path()))
    };
    let csv = "a,label\n0.5,0\n\n1.5,1\n2.5,0\n3.5,0.5\n4.5,2\n";
    let svm = "# c\n0 1:0.5\n1 1:1.5\n0 1:2.5\n\n0.5 1:3.5\n2 1:4.5\n";
    let whole = |text: &str| text.replace("0.5,0\n", "9,0\n").replace(",0.5", ",1");
    for seed in 0..5 {
        for (suffix, text) in [(".csv", csv), (".svm", svm)] {
            for labels in [Labels::Signs, Labels::Classes] {
                let expected = "line 6: the label is 0.5, expected a whole number: targets are for a \
                                regression, such as `ridge`";
                assert_eq!(refusal(suffix, text, labels, seed), expected);
            }
        }
        let expected = "line 7: the label is 2, expected no third label beside {0, 1}";
        assert_eq!(refusal(".csv", &whole(csv), Labels::Signs, seed), expected);
        let svm = svm.replace("\n0.5 ", "\n1 ");
        assert_eq!(refusal(".svm", &svm, Labels::Signs, seed), expected);
        let expected = "line 2: the label is 7, expected two labels, where all are this one";
        let same = "a,label\n1.5,7\n2.5,7\n3.5,7\n4.5,7\n";
        assert_eq!(refusal(".csv", same, Labels::Signs, seed), expected);
    }
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("x"), floats(&[5, 1], &[0.5; 5])).unwrap();
    let labels = floats(&[5], &[0.0, 1.0, 0.0, 3.0, 1.0]);
    std::fs::write(folder.path().join("t"), labels).unwrap();
    let folder = folder.path().display();
    let pair = format!("{folder}/x,{folder}/t");
    for seed in 0..5 {
        let reading = Reading {
            labels: Labels::Signs,
            seed,
            ..DEFAULT
        };
        let text = message(pair.as_ref(), reading.load(pair.as_ref()));
        assert_eq!(
            text,
            "array `t`, entry 3, is 3, expected no third label beside {0, 1}"
        );
    }
}

#[test]
fn features_are_standardised_by_the_training_samples() {
    let text: String = (0..20)
        .map(|i| {
            let share = 0.01 * f64::from(i * 7 % 11) - 0.03;
            format!(
                "{},{share},3e4,{},{}\n",
                i * i,
                1e300 * f64::from(i % 3),
                i % 2
            )
        })
        .collect();
    for seed in 0..4 {
        let raw = read(".csv", &text, Reading { seed, ..DEFAULT }).splits;
        let standardise = Reading {
            seed,
            standardise: true,
            ..DEFAULT
        };
        let Loaded { splits, about } = read(".csv", &text, standardise);
        let constants = about.standardised.as_ref().unwrap();
        assert_eq!((constants.constant(), constants.deviations[2]), (1, 0.0));
        let n = splits.train.len() as f64;
        for j in [0, 1, 3] {
            let row = splits.train.features.dense().row(j);
            assert!((row.sum() / n).abs() < 1e-14);
            assert!((row.norm_squared() / n - 1.0).abs() < 1e-14);
        }
        let parts = [&splits.train, &splits.valid, splits.test.as_ref().unwrap()];
        let raw = [&raw.train, &raw.valid, raw.test.as_ref().unwrap()];
        for (part, raw) in parts.into_iter().zip(raw) {
            assert_eq!(part.labels, raw.labels);
            for (x, raw) in part
                .features
                .dense()
                .column_iter()
                .zip(raw.features.dense().column_iter())
            {
                assert_eq!(x[2], 3e4);
                for j in [0, 1, 3] {
                    let expected = (raw[j] - constants.means[j]) / constants.deviations[j];
                    assert_eq!(x[j], expected);
                }
            }
        }
        let said =
            "standardised by the training samples, which share 1 of 4 features, left as they are";
        assert!(about.to_string().ends_with(said), "{about}");
    }
}
