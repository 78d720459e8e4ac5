//! Labels, and the embedded digits.

use crate::common::*;

#[test]
fn labels_are_checked() {
    let labelled = |train: [f64; 3], valid: [f64; 2]| {
        let t = [
            ("t_train", floats(&[3], &train)),
            ("t_valid", floats(&[2], &valid)),
        ];
        let mut splits = read(&toy_with(&t)).unwrap();
        splits.source = "toy.npz".into();
        splits
    };
    let binary = |train, valid| {
        labelled(train, valid)
            .into_binary()
            .map_err(|e| e.to_string())
    };
    let splits = binary([0.0, 1.0, 0.0], [1.0, 1.0]).unwrap();
    assert_eq!(
        (splits.train.labels, splits.valid.labels),
        (vec![-1.0, 1.0, -1.0], vec![1.0, 1.0])
    );
    assert_eq!(splits.test.unwrap().labels, [1.0]);
    assert_eq!(
        binary([1.0, -1.0, 1.0], [1.0, -1.0]).unwrap().train.labels,
        [1.0, -1.0, 1.0]
    );
    assert_eq!(binary([1.0; 3], [1.0; 2]).unwrap().train.labels, [1.0; 3]);
    assert_eq!(
        binary([2.0, 1.0, 2.0], [1.0, 1.0]).map(|s| s.train.labels),
        // The toy's test samples have the label 1.
        Ok(vec![1.0, -1.0, 1.0])
    );
    assert_eq!(
        binary([0.0, 1.0, 1.0], [1.0, 3.0]).unwrap_err(),
        "toy.npz: a label of `t_valid` is 3, expected no third label beside {0, 1}"
    );
    assert_eq!(
        binary([1.0, 0.0, 1.0], [1.0, -1.0]).unwrap_err(),
        "toy.npz: a label of `t_valid` is -1, expected no third label beside {0, 1}"
    );
    assert_eq!(
        binary([1.0, 0.5, 1.0], [1.0, -1.0]).unwrap_err(),
        "toy.npz: a label of `t_train` is 0.5, expected a whole number: targets are for a regression, such as `ridge`"
    );

    let classes = |train, valid| {
        let classes = labelled(train, valid).into_classes();
        let classes = classes.map(|(splits, k)| (splits.train.labels, k));
        classes.map_err(|e| e.to_string())
    };
    assert_eq!(
        classes([0.0, 1.0, 2.0], [6.0, 0.0]),
        Ok((vec![0.0, 1.0, 2.0], 4))
    );
    assert_eq!(
        classes([900.0, 3.0, 1.0], [3.0, -7.0]),
        Ok((vec![3.0, 2.0, 1.0], 4))
    );
    assert_eq!(
        classes([-1.0, 1.0, -1.0], [1.0, 1.0]),
        Ok((vec![0.0, 1.0, 0.0], 2))
    );
    assert_eq!(classes([1.0; 3], [1.0; 2]), Ok((vec![0.0; 3], 2)));
    // −1 and 0 in one part are two classes; in two parts they are two ways to write one.
    assert_eq!(
        classes([-1.0, 0.0, 1.0], [1.0, 1.0]),
        Ok((vec![0.0, 1.0, 2.0], 3))
    );
    assert_eq!(
        classes([1.0, 0.0, 1.0], [1.0, -1.0]).unwrap_err(),
        "toy.npz: a label of `t_valid` is -1, expected either {-1, 1} or {0, 1} in all parts"
    );
    for bad in [-1.5, 0.5] {
        assert_eq!(
            classes([0.0, 1.0, bad], [0.0; 2]).unwrap_err(),
            format!(
                "toy.npz: a label of `t_train` is {bad}, expected a whole number: targets are for a \
                 regression, such as `ridge`"
            )
        );
    }
    assert_eq!(labelled([0.0, 1.0, 2.0], [6.0, 0.0]).classes().unwrap(), 4);
    let mut many = labelled([0.0; 3], [0.0; 2]);
    let labels = |count: u16| Vec::from_iter((0..count).map(f64::from));
    many.train.labels = labels(10_000);
    assert_eq!(many.classes().unwrap(), 10_000);
    many.train.labels[0] = f64::NAN;
    assert!(many.classes().is_err());
    many.train.labels = labels(10_001);
    assert_eq!(
        many.classes().unwrap_err().to_string(),
        "toy.npz: a label of `t_train` is 10000, expected at most 10000 different labels"
    );
}

#[test]
fn digits_are_whole() {
    let digits = data::digits();
    assert_eq!((digits.dim(), digits.len()), (64, 1797));
    assert!(
        digits
            .features
            .dense()
            .iter()
            .all(|pixel| (0.0..=1.0).contains(pixel))
    );
    assert_eq!(digits.features.dense().max(), 1.0);
    assert_eq!(digits.labels[..5], [0.0, 1.0, 2.0, 3.0, 4.0]);
    assert_eq!(
        digits.features.dense().column(0).as_slice()[..4],
        [0.0, 0.0, 0.3125, 0.8125]
    );
    assert!(data::DIGITS_NOTICE.contains("CC BY 4.0"));

    let shuffled = data::digits_shuffled(1);
    assert_eq!(shuffled, data::digits_shuffled(1));
    assert_ne!(shuffled, data::digits_shuffled(2));
    assert_eq!(
        shuffled.labels.iter().sum::<f64>(),
        digits.labels.iter().sum()
    );
    assert!((shuffled.features.dense().sum() - digits.features.dense().sum()).abs() < 1e-6);
}

#[test]
fn digits_tasks_are_as_described() {
    let sizes = |splits: &Splits| {
        (
            splits.train.len(),
            splits.valid.len(),
            splits.test.as_ref().unwrap().len(),
        )
    };
    let shuffled = data::digits_shuffled(5);
    let parity = data::digits_parity(5);
    assert_eq!(sizes(&parity), (600, 400, 797));
    for (label, digit) in parity.train.labels.iter().zip(&shuffled.labels) {
        assert_eq!(*label, 2.0 * (digit % 2.0) - 1.0);
    }
    assert_eq!(
        parity.valid.features.dense().column(0),
        shuffled.features.dense().column(600)
    );
    assert!(parity.into_binary().is_ok());

    for (corruption, count) in [
        (0.0, 0),
        (0.5, 450),
        (0.3331, 300),
        (1.0, 900),
        (7.0, 900),
        (-1.0, 0),
    ] {
        let (splits, corrupted) = data::digits_cleaning(5, corruption);
        assert_eq!(sizes(&splits), (900, 60, 837));
        assert_eq!(splits.classes().unwrap(), 10);
        assert_eq!(corrupted.iter().filter(|&&wrong| wrong).count(), count);
        for (i, &wrong) in corrupted.iter().enumerate() {
            assert_eq!(splits.train.labels[i] != shuffled.labels[i], wrong);
        }
        assert_eq!(splits.valid.labels, shuffled.labels[900..960]);
    }
    assert_eq!(data::digits_cleaning(5, f64::NAN).1, vec![false; 900]);
    let (splits, corrupted) = data::digits_cleaning(5, 0.5);
    assert_eq!(data::digits_cleaning(5, 0.5), (splits, corrupted.clone()));
    assert_ne!(data::digits_cleaning(6, 0.5).1, corrupted);
    // Each of the nine wrong labels is drawn about 100 times.
    let (splits, _) = data::digits_cleaning(5, 1.0);
    let mut shifts = [0; 10];
    for (wrong, right) in splits.train.labels.iter().zip(&shuffled.labels) {
        shifts[(wrong - right).rem_euclid(10.0) as usize] += 1;
    }
    assert!(
        shifts[0] == 0 && shifts[1..].iter().all(|count| (60..140).contains(count)),
        "{shifts:?}"
    );
}
