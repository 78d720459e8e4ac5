//! The page of the main job: what it found in words, and the plots.

use study::columns::{Column, table};
use study::compare::{self, Record};
use study::curves::Curve;
use study::format::short;
use study::report::{Claim, Page, Plot, Section, Series, Style, Table, Unit};
use study::solve::{self, along};

use super::args::Common;
use super::pages;
use crate::runs::demo::{Demo, End};

pub(super) fn page(demo: &Demo, common: &Common) -> Page {
    let title = "One bilevel problem, every way of differentiating it";
    Page {
        claims: claims(demo),
        sections: vec![
            comparisons(demo),
            effort(demo),
            memory(demo),
            counterexample(demo),
            solvers(demo),
        ],
        ..pages::page(title, common, true)
    }
}

fn claims(demo: &Demo) -> Vec<Claim> {
    let mut claims = Vec::new();
    // Half the digits of the scalar type, or the tolerance if that is coarser.
    let bound = if demo.scalar_bytes == 8 { 1e-8 } else { 1e-2 };
    let implicit = demo
        .comparisons
        .iter()
        .flat_map(|(_, records)| records)
        .filter(|r| r.linear_residual.is_some())
        .map(|r| r.error_vs_exact.unwrap_or(f64::INFINITY))
        .fold(0.0, f64::max);
    claims.push(Claim {
        text: "Implicit differentiation to its tolerance agrees with the exact hypergradient"
            .into(),
        value: format!(
            "largest relative error {}, bound {}",
            short(implicit),
            short(bound)
        ),
        holds: implicit <= bound,
    });
    let curve = |name: &str| demo.curves.iter().find(|c| c.name == name);
    if let (Some(itd), Some(aid)) = (curve("itd"), curve("aid-cg")) {
        let error = |c: &Curve, i: usize| c.records[i].error_vs_exact.unwrap_or(f64::NAN);
        let last = itd.depths.len() - 1;
        let at = itd.depths[last];
        let (shallow, deep) = (error(itd, 4), error(itd, last));
        claims.push(Claim {
            text: "Unrolling tends to the exact hypergradient with depth".into(),
            value: format!(
                "relative error {} at depth {}, {} at depth {at}",
                short(shallow),
                itd.depths[4],
                short(deep)
            ),
            holds: deep < 0.1 * shallow,
        });
        let ratio = error(itd, 5) / error(aid, 5);
        claims.push(Claim {
            text: "At one and the same lower iterate, implicit differentiation is closer than \
                   unrolling"
                .into(),
            value: format!("{} times closer at depth {}", short(ratio), itd.depths[5]),
            holds: ratio > 1.0,
        });
        let grown = itd.records[last].peak_bytes - itd.records[last - 1].peak_bytes;
        let steps = itd.depths[last] - itd.depths[last - 1];
        let predicted = steps * demo.dim_y * demo.scalar_bytes;
        claims.push(Claim {
            text: "Stored unrolling costs depth × dim y scalars, to the byte".into(),
            value: format!("{steps} more steps: {grown} bytes, predicted {predicted}"),
            holds: grown == predicted,
        });
    }
    let end = |name: &str| demo.counterexample.iter().find(|e| e.method == name);
    if let (Some(itd), Some(aid), Some(bda), Some(gda)) =
        (end("itd"), end("aid-cg"), end("bda"), end("gda"))
    {
        claims.push(Claim {
            text: "Where the lower level has many solutions, aggregation and descent-ascent find \
                   the best one (x = 1), unrolling does not (x = ½), and the implicit method says \
                   that the Hessian is singular"
                .into(),
            value: format!(
                "BDA {}, GDA {}, ITD {}, AID: {}",
                short(bda.x),
                short(gda.x),
                short(itd.x),
                aid.status
            ),
            holds: (bda.x - 1.0).abs() < 0.05
                && (gda.x - 1.0).abs() < 1e-3
                && (itd.x - 0.5).abs() < 1e-3
                && aid.status == "singular-hessian",
        });
    }
    for (name, records) in &demo.runs {
        let last = records.last();
        let after = last
            .and_then(|r| r.metric("test_accuracy"))
            .unwrap_or(f64::NAN);
        let before = demo.uncleaned;
        claims.push(Claim {
            text: format!("{name}: cleaning mislabelled digits raises the test accuracy"),
            value: format!("{before:.1} % uncleaned, {after:.1} % cleaned"),
            holds: after > before,
        });
    }
    claims
}

fn comparisons(demo: &Demo) -> Section {
    let tables = demo.comparisons.iter().map(|(title, records)| Table {
        caption: title.clone(),
        ..compare::table(records)
    });
    Section {
        title: "Strategies at one point".into(),
        text: "The relative error is that of the hypergradient against the exact one: the lower \
               level solved to rounding by Newton's method, its Hessian factorised. Oracle counts \
               include finding the step length. Peak is the most bytes that the tape, the kept \
               states and the solvers held at one time; the data are not counted."
            .into(),
        tables: tables.collect(),
        plots: Vec::new(),
    }
}

fn curves(
    demo: &Demo,
    x: impl Fn(&Record, usize) -> f64,
    y: impl Fn(&Record) -> f64,
) -> Vec<Series> {
    let series = |c: &Curve| Series {
        name: c.name.clone(),
        points: c
            .records
            .iter()
            .zip(&c.depths)
            .map(|(r, depth)| (x(r, *depth), y(r)))
            .collect(),
        style: Style::LineAndMarkers,
        ..Series::default()
    };
    demo.curves.iter().map(series).collect()
}

fn effort(demo: &Demo) -> Section {
    let error = |r: &Record| r.error_vs_exact.unwrap_or(f64::NAN);
    let plot = |title: &str, x_label: &str, x_unit, series| Plot {
        title: title.into(),
        x_label: x_label.into(),
        y_label: "relative error of the hypergradient".into(),
        x_log: true,
        y_log: true,
        x_unit,
        series,
        ..Plot::default()
    };
    let calls = curves(demo, |r, _| (r.gradients + r.hvps) as f64, error);
    let bytes = curves(demo, |r, _| r.peak_bytes as f64, error);
    let calls_label = "gradients + Hessian-vector products";
    Section {
        title: "Error against effort".into(),
        text: format!(
            "Problem logistic. All take the same gradient steps on the lower level, {} to {} of \
             them; the implicit strategy then solves its linear system at that iterate.",
            demo.curves.first().map_or(0, |c| c.depths[0]),
            demo.curves
                .first()
                .and_then(|c| c.depths.last())
                .unwrap_or(&0),
        ),
        tables: Vec::new(),
        plots: vec![
            plot(
                "Error against oracle calls",
                calls_label,
                Unit::Number,
                calls,
            ),
            plot("Error against bytes", "peak", Unit::Bytes, bytes),
        ],
    }
}

fn memory(demo: &Demo) -> Section {
    let peaks = curves(demo, |_, depth| depth as f64, |r| r.peak_bytes as f64);
    let mut seconds = curves(demo, |_, depth| depth as f64, |r| r.seconds);
    for (series, curve) in seconds.iter_mut().zip(&demo.curves) {
        series.spread.clone_from(&curve.seconds);
    }
    let axes = |title: &str, y_label: &str, y_unit, series| Plot {
        title: title.into(),
        x_label: "unroll depth K".into(),
        y_label: y_label.into(),
        x_log: true,
        y_log: true,
        y_unit,
        series,
        ..Plot::default()
    };
    let time = Plot {
        note:
            "Medians of up to five runs, as many as are done in a quarter of a second; bands are \
               their range."
                .into(),
        ..axes("Time against depth", "time", Unit::Seconds, seconds)
    };
    Section {
        title: "Memory against depth".into(),
        text: "Unrolling keeps every state of the lower level; implicit and truncated strategies \
               do not grow with the depth."
            .into(),
        tables: Vec::new(),
        plots: vec![
            axes("Memory against depth", "peak", Unit::Bytes, peaks),
            time,
        ],
    }
}

/// The columns of where methods end on the counter-example.
pub(super) fn ends() -> [Column<'static, End>; 3] {
    [
        Column::words("method", |e: &End| e.method.clone()),
        Column::number("x reached", |e: &End| Some(e.x), short),
        Column::words("status", |e: &End| e.status.clone()),
    ]
}

fn counterexample(demo: &Demo) -> Section {
    Section {
        title: "A lower level with many solutions".into(),
        text:
            "F = ½(x − y₂)² + ½(y₁ − 1)², g = ½y₁² − x y₁, from x = 2. The lower level leaves y₂ \
               free; its best choice makes x = 1 optimal."
                .into(),
        tables: vec![table(
            "Where each method ends",
            &ends(),
            &demo.counterexample,
        )],
        plots: Vec::new(),
    }
}

/// A method's name with the records of its run.
pub(super) type RunOf = (String, Vec<solve::Record>);

/// The columns of what methods reached, with that of their loss.
pub(super) fn ends_of_runs(loss: Column<'_, RunOf>) -> [Column<'_, RunOf>; 8] {
    let metric = |key| move |r: &RunOf| r.1.last()?.metric(key);
    let count = |of: fn(&solve::Record) -> usize| move |r: &RunOf| r.1.last().map_or(0, of);
    [
        Column::words("method", |r: &RunOf| r.0.clone()),
        loss,
        Column::percent("test accuracy", metric("test_accuracy")),
        Column::number("cleaner F1", metric("cleaner_f1"), short),
        Column::count("gradients", count(|r| r.gradients)),
        Column::count("HVPs", count(|r| r.hvps)),
        Column::time("time", |r: &RunOf| Some(r.1.last()?.seconds)),
        Column::bytes("peak", |r: &RunOf| Some(r.1.last()?.peak_bytes)),
    ]
}

fn solvers(demo: &Demo) -> Section {
    let runs = || {
        demo.runs
            .iter()
            .map(|(name, records)| (name.as_str(), &records[..]))
    };
    let metric = |key: &'static str| move |r: &solve::Record| r.metric(key).unwrap_or(f64::NAN);
    let loss = Column::number(
        "validation loss",
        |r: &RunOf| Some(r.1.last()?.upper),
        short,
    );
    let columns = ends_of_runs(loss);
    Section {
        title: "Four families solve hyper-cleaning".into(),
        text: format!(
            "900 training digits, {:.0} % of them with a wrong label; x weighs each sample so that \
             a linear softmax model trained on them does well on 60 clean ones. 837 digits test \
             it: without cleaning the model is right on {:.1} % of them. Settings are one choice \
             for each method, not tuned ones. The loss of gda starts low because its y is at first \
             free to follow the upper objective.",
            100.0 * models::CORRUPTION,
            demo.uncleaned
        ),
        tables: vec![table("At the end of each run", &columns, &demo.runs)],
        plots: vec![
            along("Upper objective", "validation loss", runs(), |r| r.upper),
            Plot {
                y_unit: Unit::Percent,
                ..along(
                    "Test accuracy",
                    "test accuracy",
                    runs(),
                    metric("test_accuracy"),
                )
            },
        ],
    }
}
