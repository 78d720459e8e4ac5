use super::*;

fn labels(values: &[f64], log: bool) -> Vec<String> {
    labels_of(values, log, Unit::Number)
}

fn labels_of(values: &[f64], log: bool, unit: Unit) -> Vec<String> {
    let placed = values.iter().filter_map(|v| place(*v, log));
    let axis = Axis::over(placed, Scale { log, unit }, ROWS, usize::MAX).unwrap();
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
                    for unit in [Unit::Number, Unit::Seconds, Unit::Percent] {
                        few_and_ordered(&placed, Scale { log, unit });
                    }
                    // There are neither a billionth of a byte nor more than a machine can have.
                    if [a, b].iter().all(|v| *v == 0.0 || (1e-3..1e18).contains(v)) {
                        let unit = Unit::Bytes;
                        few_and_ordered(&placed, Scale { log, unit });
                    }
                }
            }
        }
    }
}

fn few_and_ordered(placed: &[f64], scale: Scale) {
    let Some(axis) = Axis::over(placed.iter().copied(), scale, ROWS, 60) else {
        assert!(placed.is_empty());
        return;
    };
    assert!((2..=ROWS).contains(&axis.ticks.len()), "{axis:?}");
    assert!(axis.ticks.is_sorted_by(|l, r| l.0 < r.0), "{axis:?}");
    let mut words: Vec<_> = axis.ticks.iter().map(|t| &t.1).collect();
    words.dedup();
    assert_eq!(words.len(), axis.ticks.len(), "{axis:?}");
    assert!(axis.low.is_finite() && axis.high.is_finite());
}

#[test]
fn bytes_tick_powers_of_two_with_the_units_of_the_tables() {
    let bytes = |values: &[f64], log| labels_of(values, log, Unit::Bytes);
    assert_eq!(
        bytes(&[1024.0, 3e6], true),
        ["1 KiB", "4 KiB", "16 KiB", "64 KiB", "256 KiB", "1 MiB"]
    );
    assert_eq!(
        bytes(&[100_000.0, 110_000.0], true),
        ["98 KiB", "100 KiB", "102 KiB", "104 KiB", "106 KiB"]
    );
    assert_eq!(
        bytes(&[0.0, 2.1e6], false),
        ["0.0 MiB", "0.5 MiB", "1.0 MiB", "1.5 MiB", "2.0 MiB"]
    );
}

#[test]
fn seconds_and_percent_are_on_their_ticks() {
    let seconds = |values: &[f64], log| labels_of(values, log, Unit::Seconds);
    assert_eq!(
        seconds(&[1e-5, 2.0], true),
        ["10 µs", "100 µs", "1 ms", "10 ms", "100 ms", "1 s"]
    );
    assert_eq!(seconds(&[0.003, 0.04], true), ["5 ms", "10 ms", "20 ms"]);
    assert_eq!(seconds(&[0.0, 2.1e-3], false)[1], "0.5 ms");
    assert_eq!(seconds(&[0.0, 500.0], false)[1], "100 s");
    assert_eq!(
        labels_of(&[80.0, 90.0], false, Unit::Percent),
        ["80 %", "82 %", "84 %", "86 %", "88 %", "90 %"]
    );
}

#[test]
fn zero_has_a_row_under_the_least_value() {
    let placed = [-3.0, 0.0].into_iter();
    let axis = Axis::over(
        placed,
        Scale {
            log: true,
            ..Scale::default()
        },
        ROWS,
        60,
    )
    .unwrap();
    let least = axis.ticks[0].0;
    let axis = axis.with_zero();
    let zero = axis.zero.unwrap();
    assert!(axis.low < zero && zero < least.min(-3.0));
    assert_eq!(axis.label(zero), "0");
}

#[test]
fn long_labels_are_fewer() {
    let axis =
        |chars| Axis::over([1000.0, 9000.0].into_iter(), Scale::default(), ROWS, chars).unwrap();
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
