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
    let expected = "expected labels all in {-1, +1} or all in {0, 1}";
    assert_eq!(
        binary([0.0, 1.0, 1.0], [1.0, 3.0]).unwrap_err(),
        format!("toy.npz: array `t_valid`, entry 1, is 3, {expected}")
    );
    assert_eq!(
        binary([1.0, 0.0, 1.0], [1.0, -1.0]).unwrap_err(),
        format!("toy.npz: array `t_train`, entry 1, is 0, {expected}")
    );

    let classes = |train, valid| labelled(train, valid).classes().map_err(|e| e.to_string());
    assert_eq!(classes([0.0, 1.0, 2.0], [6.0, 0.0]), Ok(7));
    assert_eq!(classes([0.0; 3], [0.0; 2]), Ok(2));
    assert_eq!(classes([9999.0; 3], [0.0; 2]), Ok(10_000));
    for bad in [-1.0, 0.5, 10_000.0] {
        let expected = "expected an integer from 0 to 9999";
        let expected = format!("toy.npz: array `t_train`, entry 2, is {bad}, {expected}");
        assert_eq!(classes([0.0, 1.0, bad], [0.0; 2]), Err(expected));
    }
}

#[test]
fn digits_are_whole() {
    let digits = data::digits();
    assert_eq!((digits.dim(), digits.len()), (64, 1797));
    assert!(
        digits
            .features
            .iter()
            .all(|pixel| (0.0..=1.0).contains(pixel))
    );
    assert_eq!(digits.features.max(), 1.0);
    assert_eq!(digits.labels[..5], [0.0, 1.0, 2.0, 3.0, 4.0]);
    assert_eq!(
        digits.features.column(0).as_slice()[..4],
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
    assert!((shuffled.features.sum() - digits.features.sum()).abs() < 1e-6);
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
        parity.valid.features.column(0),
        shuffled.features.column(600)
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
