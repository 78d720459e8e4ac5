use super::*;

fn labels(values: &[f64], log: bool) -> Vec<String> {
    let placed = values.iter().filter_map(|v| place(*v, log));
    let axis = Axis::over(placed, log, ROWS, usize::MAX).unwrap();
    for (at, _) in &axis.ticks {
        assert!((axis.low..=axis.high).contains(at), "{at} of {axis:?}");
    }
    axis.ticks.into_iter().map(|(_, text)| text).collect()
}

#[test]
fn log_axes_tick_whole_decades() {
    assert_eq!(
        labels(&[1e-16, 1.0], true),
        ["10⁻¹⁶", "10⁻¹²", "10⁻⁸", "10⁻⁴", "10⁰"]
    );
    assert_eq!(
        labels(&[10.0, 1e4], true),
        ["10", "100", "1000", "10\u{202f}000"]
    );
    assert_eq!(labels(&[1e5, 1e7], true), ["10⁵", "10⁶", "10⁷"]);
}

#[test]
fn short_log_axes_tick_round_values() {
    assert_eq!(labels(&[3.0, 40.0], true), ["5", "10", "20"]);
    assert_eq!(
        labels(&[2e-6, 2.2e-6], true),
        [
            "2.00×10⁻⁶",
            "2.05×10⁻⁶",
            "2.10×10⁻⁶",
            "2.15×10⁻⁶",
            "2.20×10⁻⁶"
        ]
    );
    assert_eq!(labels(&[0.3, 0.3], true), ["0.1", "0.2", "0.5"]);
}

#[test]
fn linear_axes_tick_round_values() {
    assert_eq!(
        labels(&[-1.0, 1.0], false),
        ["\u{2212}1.0", "\u{2212}0.5", "0.0", "0.5", "1.0"]
    );
    assert_eq!(labels(&[0.0, 1e6], false).last().unwrap(), "1.0");
    assert_eq!(labels(&[0.0, 3e5], false)[1], "50");
    assert_eq!(labels(&[7.0, 7.0], false).len(), 7);
}

#[test]
fn every_range_has_a_few_ordered_ticks() {
    let values = [
        0.0,
        5e-324,
        1e-300,
        1e-12,
        0.3,
        1.0,
        1.000_000_000_1,
        1.000_001,
        7.5,
        1e6,
        1e17,
        1e300,
        f64::MAX,
    ];
    for log in [false, true] {
        for a in values {
            for b in values {
                for sign in [1.0, -1.0] {
                    let placed: Vec<_> = [a, b * sign]
                        .into_iter()
                        .filter_map(|v| place(v, log))
                        .collect();
                    let Some(axis) = Axis::over(placed.iter().copied(), log, ROWS, 60) else {
                        assert!(placed.is_empty());
                        continue;
                    };
                    assert!((2..=ROWS).contains(&axis.ticks.len()), "{a} {b} {axis:?}");
                    assert!(axis.ticks.is_sorted_by(|l, r| l.0 < r.0), "{axis:?}");
                    let mut words: Vec<_> = axis.ticks.iter().map(|t| &t.1).collect();
                    words.dedup();
                    assert_eq!(words.len(), axis.ticks.len(), "{axis:?}");
                    assert!(axis.low.is_finite() && axis.high.is_finite());
                }
            }
        }
    }
}

#[test]
fn long_labels_are_fewer() {
    let axis = |chars| Axis::over([1000.0, 9000.0].into_iter(), false, ROWS, chars).unwrap();
    assert!(axis(20).ticks.len() < axis(200).ticks.len());
}

#[test]
fn values_without_a_place() {
    assert_eq!(place(0.0, true), None);
    assert_eq!(place(-1.0, true), None);
    assert_eq!(place(f64::INFINITY, true), None);
    assert_eq!(place(f64::NAN, false), None);
    assert_eq!(place(f64::NEG_INFINITY, false), None);
    assert_eq!(place(-2.0, false), Some(-2.0));
    assert_eq!(place(1e-3, true), Some(-3.0));
}
