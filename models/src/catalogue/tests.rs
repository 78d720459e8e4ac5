use super::*;
use crate::data::Reading;

/// One line, with what was refused.
#[track_caller]
fn refused(name: &str, source: Source, line: &str) {
    let error = named(name).and_then(|entry| entry.task::<f64>(&source));
    assert_eq!(error.expect_err("it is refused").to_string(), line);
}

fn with_data(file: &str) -> Source {
    Source {
        data: Some(file.into()),
        ..Source::default()
    }
}

#[test]
fn every_entry_makes_the_task_of_its_name() {
    for entry in PROBLEMS {
        let name = entry.row.name;
        assert_eq!(entry.small::<f64>(1).expect(name).name, name);
        assert_eq!(entry.small::<f32>(1).expect(name).name, name);
        let found = find(name).expect("listed");
        assert!(std::ptr::eq(found, *entry), "`{name}` is listed twice");
    }
}

#[test]
fn a_slip_is_answered_with_the_nearest_name() {
    for name in ["logistc", "LOGISTIC"] {
        let line = named(name).expect_err("a slip").to_string();
        assert!(line.contains("did you mean `logistic`?"), "{line}");
        assert!(
            line.contains("expected one of logistic, softmax, "),
            "{line}"
        );
    }
    let line = named("zzzzzzzzzzz").expect_err("no slip").to_string();
    assert!(!line.contains("did you mean"), "{line}");
}

#[test]
fn what_a_problem_does_not_take_is_refused() {
    let takers = names(|entry| entry.data != Data::Own).join(", ");
    let own = format!(
        "absent.csv: problem `scalar` brings its own numbers: expected no --data, or one of {takers}"
    );
    refused("scalar", with_data("absent.csv"), &own);
    let header = |of: Source| Source {
        reading: Reading {
            header: Some(true),
            ..Reading::default()
        },
        ..of
    };
    let no_table =
        "--header: no table is read: expected --data FILE, of a problem that takes a table";
    refused("logistic", header(Source::default()), no_table);
    let bias = Source {
        bias: true,
        ..Source::default()
    };
    let line = "--bias: problem `softmax` has none: expected problem `hyper-cleaning`";
    refused("softmax", bias, line);
    let large = Source {
        large: true,
        ..Source::default()
    };
    let line = "--large: problem `mlp` has one size: expected one of few-shot, \
                bda-counterexample, bda-discriminating, random-quadratics, foe-denoising, \
                icnn-denoising";
    refused("mlp", large, line);
    for (problem, part, line) in [
        (
            "lasso",
            "l1:1",
            "the problem has a part of its own (l1): expected none beside a part",
        ),
        (
            "deep-equilibrium",
            "simplex",
            "the problem has steps of its own: expected none beside a part",
        ),
        (
            "constrained",
            "ball:1",
            "the problem has constraints: expected none beside a part",
        ),
    ] {
        let beside = Source {
            part: Some(part.parse().expect("a part")),
            ..Source::default()
        };
        refused(
            problem,
            beside,
            &format!("--part {part}: problem `{problem}`: {line}"),
        );
    }
}

#[test]
fn a_part_is_beside_g_and_beside_the_g_of_samples_kept_apart() {
    let of = |part| {
        let source = Source {
            part,
            ..Source::default()
        };
        let task = |name| named(name).expect("a problem").task::<f64>(&source);
        ["scalar", "foe-denoising"].map(|name| task(name).expect("it takes a part"))
    };
    let simplex = solvers::Constraint::Simplex.into();
    let name = |of: &solvers::Bilevel<f64>| of.part().map(solvers::Part::name);
    let [scalar, images] = of(Some(simplex));
    assert_eq!(name(&scalar.bilevel).as_deref(), Some("simplex"));
    // Of what the smooth problem has for an answer nothing is left.
    assert!(scalar.known.is_none() && of(None)[0].known.is_some());
    let apart = images.held_out.expect("images kept apart");
    assert_eq!(name(&apart.bilevel).as_deref(), Some("simplex"));
}

#[test]
fn a_point_that_does_not_fit_is_refused() {
    let point = |x: usize, y: Option<usize>| crate::data::Point {
        x: vec![0.5; x],
        y: y.map(|y| vec![1e300; y]),
    };
    let at = |point| {
        let task = crate::closed_form::quadratic::<f32>(5, 8, 0);
        task.at(&point, "p.npz").map_err(|e| e.to_string())
    };
    let line = "p.npz: array `x` has 3 entries: expected 5, as problem `quadratic` has here";
    assert_eq!(at(point(3, None)).unwrap_err(), line);
    let line = at(point(5, Some(8))).unwrap_err();
    assert!(
        line.starts_with("p.npz: array `y`, entry 0, is 1e300: expected at most"),
        "{line}"
    );
    let task = at(point(5, None)).expect("it fits");
    assert_eq!((task.x[4], task.bilevel.start()[7]), (0.5, 0.0));
}
