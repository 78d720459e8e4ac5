//! Tables of methods over seeds: their records, their claims, and what they refuse.

use bilevel_benches::runs::table::{Given, Kind, Record, Table};
use nalgebra::DMatrix;
use serde_json::{Map, Value};

use crate::common::{Folder, photo};

/// A record with these columns.
fn record(case: &str, method: &str, kind: Kind, seed: u64, columns: &[(&str, f64)]) -> Record {
    let pairs = columns
        .iter()
        .map(|(name, v)| ((*name).to_owned(), Value::from(*v)));
    Record {
        task: "t",
        case: case.into(),
        method: method.into(),
        kind,
        values: Map::from_iter(pairs),
        seed,
        status: "measured".into(),
        message: String::new(),
        success: true,
    }
}

/// Odd numbers about 0, another for each seed.
fn noise(seed: u64) -> f64 {
    [0.3, -0.2, 0.1, -0.3, 0.2][seed as usize % 5]
}

#[test]
fn the_counter_examples_are_printed_with_their_claims() {
    let folder = Folder::new();
    let words = "table --task counter-examples --seeds 1";
    let records = folder.run(&format!("{words} --json")).code(0).records();
    assert_eq!(records.len(), 2 * 4 * 6 + 3);
    for record in &records {
        assert!(record["x_distance"].is_number(), "{record}");
        let named = |case: &str| case.contains("n = ") || case == "sine-product";
        assert!(record["case"].as_str().is_some_and(named), "{record}");
    }
    let text = folder.run(words).code(0).out;
    assert!(
        text.contains("✓ bda comes to the best of the solutions"),
        "{text}"
    );
    assert!(text.contains("✓ itd comes to it in none"), "{text}");
    assert!(
        text.contains("✓ iaptt comes to the best of the solutions of a g that is not convex"),
        "{text}"
    );
    assert!(
        text.contains("✗ itd says that its answer is none"),
        "{text}"
    );
}

/// The Field of Experts on images so small that each filter covers most of one.
#[test]
fn experts_are_learned_within_their_budgets() {
    let image = |k: usize| DMatrix::from_fn(8, 8, |i, j| 0.5 + 0.3 * ((i * k + j) as f64).sin());
    let given = Given {
        budgets: vec![60, 300],
        images: (1..4).map(image).collect(),
        ..Given::default()
    };
    let records = Table::Foe.run::<f64>(&given, 0).expect("a table");
    assert_eq!(records.len(), 1 + 2 * 5);
    for record in &records {
        let of = |name: &str| record.values[name].as_f64().expect("a number");
        assert!(of("train_psnr").is_finite() && of("test_psnr").is_finite());
        let budget = match &*record.case {
            "" => 0.0,
            "60 computations" => 60.0,
            other => {
                assert_eq!(other, "300 computations");
                300.0
            }
        };
        assert!(of("computations") <= budget, "{record:?}");
    }
}

/// Forty samples of two classes in a table: a network is trained on the splits that are asked for.
#[test]
fn samples_of_the_users_are_cleaned() {
    let folder = Folder::new();
    let row = |k: usize| {
        let class = k % 2;
        let noise = 0.1 * (k as f64).sin();
        format!("{},{},{class}\n", class as f64 + noise, 1.0 - noise)
    };
    folder.write("two.csv", (0..40).map(row).collect::<String>());
    let words = "table --task mlp-cleaning --data two.csv --hidden 2 --seeds 1";
    let records = folder
        .run(&format!("{words} --split 12,8,20 --json"))
        .code(0)
        .records();
    // Five trainings, and four methods, each with one on what it keeps.
    assert_eq!(records.len(), 5 + 2 * 4);
    for record in &records {
        assert!(record["test_accuracy"].is_number(), "{record}");
    }
    let cleaned = records.iter().filter(|r| r["cleaner_f1"].is_number());
    assert_eq!(cleaned.count(), 4);
    for (more, line) in [
        ("--split 12,8", "--split: 2 numbers: expected three"),
        ("--split 30,8,20", "40 samples, of which [30, 8, 20]"),
    ] {
        let error = folder.run(&format!("{words} {more}")).code(2).err;
        assert!(error.contains(line), "{error}");
    }
}

#[test]
fn who_is_ahead_of_whom_on_images_is_told_from_differences() {
    let mut records = Vec::new();
    for seed in 0..5 {
        let level = 25.0 + seed as f64;
        records.push(record(
            "",
            "start",
            Kind::Baseline,
            seed,
            &[("train_psnr", level)],
        ));
        for (case, ahead) in [("10 computations", 1.0), ("99 computations", -1.0)] {
            for (method, by) in [
                ("isgd", ahead),
                ("isgd, accuracy fixed", -2.0),
                ("hoag", 0.0),
            ] {
                let (train, test) = (level + by + noise(seed), 20.0 + by);
                let columns = [
                    ("train_psnr", train),
                    ("test_psnr", test),
                    ("gap", train - test),
                ];
                records.push(record(case, method, Kind::Method, seed, &columns));
            }
        }
    }
    // The noise of a seed is that of all methods, so nothing is lost in it.
    let claims = Table::Foe.claims(&records);
    let held: Vec<bool> = claims.iter().map(|claim| claim.holds).collect();
    assert_eq!(held, [true, true, false, false, false, true], "{claims:?}");
    assert!(
        claims[0]
            .text
            .starts_with("at 10 computations isgd is ahead of hoag")
    );
}

#[test]
fn first_order_methods_keep_to_their_calls() {
    let given = Given {
        budgets: vec![400],
        ..Given::default()
    };
    let records = Table::FirstOrder.run::<f64>(&given, 0).expect("a table");
    // Seven methods, one with second derivatives, and the bytes of a loop, on each problem.
    assert_eq!(records.len(), 2 * 9);
    for record in records.iter().filter(|r| r.kind == Kind::Method) {
        let calls = record.values["calls"].as_f64().expect("a number");
        assert!((250.0..=400.0).contains(&calls), "{record:?}");
        let column = if record.case.starts_with("quadratic") {
            "log10_gradient"
        } else {
            "test_accuracy"
        };
        assert!(record.values[column].is_number(), "{record:?}");
    }
    let of_bytes = |text: &str| text.contains("bytes");
    let claims = Table::FirstOrder.claims(&records);
    assert_eq!(claims.iter().filter(|c| of_bytes(&c.text)).count(), 4);
    assert_eq!(claims.len(), 4, "one seed says nothing of differences");
}

#[test]
fn powers_of_n_and_of_t_are_found_in_a_table() {
    let schedules = ["constant:0.001", "constant:0.005", "constant:0.01"];
    let falling = [
        "1:2000", "1:1000", "2:2000", "2:1000", "5:2000", "5:1000", "10:2000", "10:1000",
    ];
    let all = schedules.into_iter().map(str::to_owned);
    let all: Vec<String> = all
        .chain(falling.iter().map(|f| format!("inverse:{f}")))
        .collect();
    // `power` is that of n in n · distance: 0 where the distance falls as 1/n.
    let made = |power: f64| {
        let mut records = Vec::new();
        for seed in 0..5 {
            let mut add = |case: String, schedule: &str, distance: f64| {
                let distance = distance * (1.0 + 0.1 * noise(seed));
                let columns = [("n_distance", distance), ("train_gap", 0.1)];
                records.push(record(&case, schedule, Kind::Method, seed, &columns));
            };
            for schedule in &all {
                for n in [125, 250, 500, 1000] {
                    add(format!("n = {n}"), schedule, (n as f64).powf(power));
                }
            }
            for schedule in ["constant:0.01", "inverse:5:1000"] {
                for t in [250, 500, 1000, 2000, 4000] {
                    add(format!("T = {t}"), schedule, (t as f64).sqrt());
                }
                for k in [1, 3, 10, 30, 100] {
                    add(format!("K = {k}"), schedule, 1.0);
                }
            }
        }
        Table::Toy.claims(&records)
    };
    let flat = made(0.0);
    let of = |claims: &[bilevel_benches::runs::table::Claimed], text: &str| {
        let found: Vec<bool> = claims
            .iter()
            .filter(|c| c.text.contains(text))
            .map(|c| c.holds)
            .collect();
        assert!(!found.is_empty(), "{text}: {claims:?}");
        found
    };
    assert_eq!(of(&flat, "falls as 1/n"), [true; 11]);
    assert_eq!(of(&flat, "no faster than T"), [true; 2]);
    assert_eq!(of(&flat, "grows with K"), [false; 2]);
    // No pair of schedules differs, so none is the more stable.
    assert_eq!(of(&flat, "next to each other"), [false]);
    assert_eq!(of(&made(1.0), "falls as 1/n"), [false; 11]);
}

#[test]
fn what_a_table_does_not_take_is_refused() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("small")).expect("a folder");
    for name in ["a.png", "b.png", "c.png"] {
        photo(&folder.path("small").join(name), 32, 32, |i, j| {
            (i + j) as u8
        });
    }
    for (words, expected) in [
        (
            "--task toy --budgets 10",
            "--budgets: without effect: expected with --task denoising or deblurring or first-order or foe",
        ),
        (
            "--task mlp --data small",
            "--data: without effect: expected with --task mlp-cleaning or foe",
        ),
        (
            "--task foe --data small --hidden 3",
            "--hidden: without effect: expected with --task mlp-cleaning",
        ),
        (
            "--task foe --data small",
            "small: 3 images of 32 × 32 pixels: expected at least 3, of 96 × 96 or more",
        ),
        ("--task foe --data none", "none: "),
    ] {
        let run = folder.run(&format!("table {words}")).code(2);
        assert!(run.err.contains(expected), "{words}: {}", run.err);
        assert_eq!(run.err.lines().count(), 1, "{}", run.err);
    }
}
