use super::*;
use crate::report::model::{Across, Style, Unit};

const STYLES: [Style; 3] = [Style::Line, Style::LineAndMarkers, Style::Markers];

fn plot(series: Vec<Vec<(f64, f64)>>, style: Style, log: bool) -> Plot {
    let series = series.into_iter().enumerate().map(|(i, points)| Series {
        name: format!("series {i}"),
        points,
        style,
        ..Series::default()
    });
    Plot {
        title: "t".into(),
        x_label: "x".into(),
        y_label: "y".into(),
        x_log: log,
        y_log: log,
        series: series.collect(),
        ..Plot::default()
    }
}

/// Every number the drawing contains is one, and every colour is a real one.
fn assert_clean(svg: &str) {
    for word in [
        "NaN",
        "inf\"",
        "inf,",
        "2147483647",
        "-2147483648",
        "#0000",
        "#0100",
        "#0200",
    ] {
        assert!(!svg.contains(word), "{word} in {svg}");
    }
    assert_eq!(svg.matches("<svg").count(), svg.matches("</svg>").count());
}

#[test]
fn every_series_has_marks_in_every_style() {
    for style in STYLES {
        for log in [false, true] {
            let series = (1..=12).map(|i| {
                let y = |x: i32| f64::from(i) * 10f64.powi(-x);
                (1..20).map(|x| (f64::from(x), y(x))).collect()
            });
            let svg = svg(&plot(series.collect(), style, log));
            assert_clean(&svg);
            for i in 0..12 {
                assert!(svg.contains(&format!("\"s{i} mark")), "{style:?} {i}");
                let line = svg.contains(&format!("\"s{i} line"));
                assert_eq!(line, style != Style::Markers);
            }
        }
    }
}

#[test]
fn odd_data_is_drawn() {
    let cases: [Vec<(f64, f64)>; 8] = [
        vec![(1.0, 1.0)],
        vec![(2.0, 1.0), (2.0, 5.0), (2.0, 3.0)],
        vec![(1.0, 4.0), (2.0, 4.0), (3.0, 4.0)],
        vec![(1.0, 1e-3), (2e6, 1e3)],
        vec![(1e-320, 1e300), (1e300, 1e-320)],
        vec![
            (1.0, f64::NAN),
            (2.0, 1.0),
            (f64::INFINITY, 2.0),
            (3.0, -1.0),
        ],
        vec![(0.0, 0.0), (1.0, 1.0)],
        vec![(1.0, 1.0), (1.0 + f64::EPSILON, 1.0 + f64::EPSILON)],
    ];
    for points in cases {
        for style in STYLES {
            for log in [false, true] {
                let svg = svg(&plot(vec![points.clone()], style, log));
                assert_clean(&svg);
                assert!(svg.contains("\"s0 mark"), "{points:?} {style:?} {log}");
            }
        }
    }
}

#[test]
fn a_plot_without_data_says_so() {
    let gone = vec![(0.0, -1.0), (f64::NAN, 1.0)];
    for series in [vec![], vec![vec![]], vec![gone]] {
        let svg = svg(&plot(series, Style::Line, true));
        assert_clean(&svg);
        assert!(svg.contains("no data"));
    }
}

#[test]
fn points_left_out_are_counted_by_reason() {
    let points = vec![
        (1.0, 0.0),
        (2.0, f64::NAN),
        (-1.0, f64::INFINITY),
        (3.0, 1.0),
    ];
    let log = plot(vec![points.clone()], Style::Line, true);
    assert_eq!(left_out(&log, &log.series[0]), (2, 1));
    let linear = plot(vec![points], Style::Line, false);
    assert_eq!(left_out(&linear, &linear.series[0]), (2, 0));
}

#[test]
fn a_point_left_out_interrupts_the_line() {
    let y = |x: u32| if x == 5 { 0.0 } else { 1.0 };
    let points = (1..10).map(|x| (f64::from(x), y(x))).collect();
    let svg = svg(&plot(vec![points], Style::LineAndMarkers, true));
    assert_eq!(svg.matches("\"s0 line").count(), 2);
}

#[test]
fn long_lines_carry_few_markers_but_every_point() {
    let points = (0..400).map(|x| (f64::from(x), f64::from(x % 7))).collect();
    let svg = svg(&plot(vec![points], Style::LineAndMarkers, false));
    assert!(svg.matches("\"s0 mark").count() < 400);
    let line = svg.lines().find(|l| l.contains("\"s0 line")).unwrap();
    assert_eq!(line.matches(',').count(), 400);
}

#[test]
fn drawing_is_deterministic_and_described() {
    let p = plot(vec![vec![(1.0, 2.0)]], Style::Line, true);
    assert_eq!(svg(&p), svg(&p));
    assert!(svg(&p).contains("aria-label=\"t: y (log) against x (log); series 0\""));
}

#[test]
fn long_axis_labels_wrap() {
    let mut p = plot(vec![vec![(1.0, 2.0)]], Style::Line, true);
    let short = svg(&p).matches("class=\"label\"").count();
    p.x_label = "word ".repeat(30);
    assert_eq!(svg(&p).matches("class=\"label\"").count(), short + 2);
}

#[test]
fn a_band_lies_under_its_line_and_is_on_the_axes() {
    let points: Vec<(f64, f64)> = (0..5).map(|i| (f64::from(i), 1.0)).collect();
    let mut plot = plot(vec![points], Style::Line, false);
    let bare = svg(&plot);
    assert!(!bare.contains(" band "));
    plot.series[0].spread = vec![
        (0.5, 2.0),
        (0.5, 40.0),
        (f64::NAN, 1.0),
        (0.2, 3.0),
        (0.1, 5.0),
    ];
    let banded = svg(&plot);
    assert_clean(&banded);
    // Two parts, as the edge in the middle is missing.
    assert_eq!(banded.matches("s0 band c0").count(), 2);
    assert!(banded.find("s0 band") < banded.find("s0 line"));
    let labelled = |svg: &str| svg.lines().any(|line| line.trim() == "40");
    assert!(labelled(&banded) && !labelled(&bare));
    plot.y_log = true;
    plot.series[0].spread[0].0 = -1.0;
    assert_eq!(svg(&plot).matches("s0 band c0").count(), 1);
}

#[test]
fn labels_of_the_horizontal_axis_end_within_the_drawing() {
    for (low, high, log) in (1..400).flat_map(|i| {
        let high = 1.02f64.powi(i) * 1e-4;
        [
            (0.0, high, false),
            (high / 3.0, high, false),
            (-high, high, false),
            (1e-9, high, true),
        ]
    }) {
        let (x, y) = axes(&plot(vec![vec![(low, 1.0), (high, 2.0)]], Style::Line, log)).unwrap();
        let side = left(&y);
        let end = WIDTH - right(&x, side);
        assert!(end > WIDTH * 3 / 4, "{low} {high}");
        for (at, text) in &x.ticks {
            let half = x.widest() as i32 * TEXT_MAX * 3 / 10;
            assert!(
                x.map(at, (side, end)) + half <= WIDTH,
                "{text} of {low} to {high}"
            );
        }
    }
}

/// The numbers of an attribute.
fn numbers(svg: &str, name: &str) -> Vec<f64> {
    let (_, rest) = svg.split_once(&format!("{name}=\"")).unwrap();
    let (text, _) = rest.split_once('"').unwrap();
    text.split(' ').map(|n| n.parse().unwrap()).collect()
}

#[test]
fn the_axes_say_where_a_point_lies() {
    let svg = svg(&plot(
        vec![vec![(1.0, 10.0), (100.0, 1000.0)]],
        Style::Markers,
        true,
    ));
    for (axis, value) in [("data-x", 2.0), ("data-y", 3.0)] {
        let &[low, high, from, to] = &numbers(&svg, axis)[..] else {
            panic!("{axis}")
        };
        let place = (from + (value - low) / (high - low) * (to - from)).round();
        let name = if axis == "data-x" { "cx" } else { "cy" };
        assert!(
            svg.contains(&format!("{name}=\"{place}\"")),
            "{axis} {place} {svg}"
        );
    }
}

#[test]
fn zeros_have_a_row_of_their_own_if_asked_for() {
    let mut p = plot(vec![vec![(1.0, 0.0), (2.0, 1e-3)]], Style::Markers, true);
    assert!(!svg(&p).contains("data-zero"));
    assert_eq!(left_out(&p, &p.series[0]), (0, 1));
    p.y_zero = true;
    let drawn = svg(&p);
    assert_clean(&drawn);
    assert!(drawn.contains("data-zero") && drawn.lines().any(|line| line.trim() == "0"));
    assert_eq!(left_out(&p, &p.series[0]), (0, 0));
    assert_eq!(drawn.matches("\"s0 mark").count(), 2);
    p.series[0].points.pop();
    assert_clean(&svg(&p));
    assert_eq!(svg(&p).matches("\"s0 mark").count(), 1);
}

#[test]
fn error_bars_belong_to_their_series_and_stand_apart() {
    let points = vec![(1.0, 10.0), (10.0, 10.0)];
    let mut p = plot(vec![points.clone(), points], Style::LineAndMarkers, true);
    for series in &mut p.series {
        series.bars = true;
        series.spread = vec![(5.0, 20.0), (-5.0, 20.0)];
    }
    let drawn = svg(&p);
    assert_clean(&drawn);
    // Two ends and a line, and one end and a line where the lower one is off the axis.
    assert_eq!(drawn.matches("\"s0 bar c0\"").count(), 5);
    assert_eq!(drawn.matches("\"s1 bar c1\"").count(), 5);
    assert!(!drawn.contains("band") && !drawn.contains("\"s2 "));
    let aside = numbers(&drawn, "data-aside");
    assert!(aside[0] < 0.0 && aside[0] == -aside[1]);
}

#[test]
fn another_horizontal_quantity_moves_the_points() {
    let mut p = plot(vec![vec![(1.0, 2.0), (2.0, 3.0)]], Style::Line, false);
    p.across = vec![Across {
        label: "time".into(),
        log: true,
        unit: Unit::Seconds,
    }];
    p.series[0].across = vec![vec![0.001, 0.1]];
    assert_eq!(p.against(0), p);
    let moved = p.against(1);
    assert_eq!(moved.series[0].points, [(0.001, 2.0), (0.1, 3.0)]);
    let drawn = svg(&moved);
    assert!(drawn.contains("y against time (log)") && drawn.contains("10 ms"));
}

#[test]
fn the_first_labels_of_both_axes_do_not_meet_in_the_corner() {
    let mut met = 0;
    for low in (0..200).map(|i| 1.03f64.powi(i) * 1e3) {
        let points = vec![(low, 1e-16), (30.0 * low, 1.0)];
        let mut p = plot(vec![points], Style::Markers, true);
        p.x_unit = Unit::Bytes;
        let (x, y) = axes(&p).unwrap();
        if !y.begins_low() {
            continue;
        }
        met += 1;
        let side = left(&y);
        let first = x.map(&x.ticks[0].0, (side, WIDTH - right(&x, side)));
        let half = x.widest() as i32 * TEXT_MAX * 3 / 10;
        assert!(first - half >= side - 8 * UNIT, "{low}: {x:?}");
    }
    assert!(met > 100);
}
