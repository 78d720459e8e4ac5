//! The laws of uniform stability, and the command that shows them.

use bilevel_benches::runs::stability::{Experiment, Toy, laws, run, summarise};
use solvers::Schedule;

use crate::common::Folder;

const SCHEDULES: [Schedule; 3] = [
    Schedule::Harmonic { a: 0.5, c: 1.0 },
    Schedule::Constant(0.02),
    Schedule::Constant(0.1),
];

fn experiment(steps: usize) -> Experiment {
    Experiment {
        toy: Toy::RidgePrior,
        steps,
        inner: 10,
    }
}

#[test]
fn the_distance_falls_like_one_over_n_and_smaller_steps_are_more_stable() {
    let seeds: Vec<u64> = (0..80).collect();
    let records = run::<f64>(experiment(300), &SCHEDULES, &[25, 50, 100], &seeds, || ());
    assert!(records.iter().all(|r| r.success));
    let summaries = summarise(&records);
    assert_eq!(summaries.len(), 9);
    let laws = laws(&summaries, &SCHEDULES, 300);
    assert_eq!(laws.len(), 3 + 2);
    for law in &laws {
        assert!(law.holds, "{law:?}");
    }
    // Flat, not merely smaller: the distance itself falls by about four.
    for pair in summaries.chunks(3) {
        let pair = [&pair[0], &pair[2]];
        let distance = |i: usize| pair[i].n_distance.mean / pair[i].n as f64;
        let ratio = distance(0) / distance(1);
        assert!((2.0..8.0).contains(&ratio), "{pair:?}");
    }
}

/// Where only the middle disagrees, both ends do not make the law.
#[test]
fn flat_is_said_of_all_points() {
    let seeds: Vec<u64> = (0..12).collect();
    let samples = [10, 20, 40];
    let records = run::<f64>(experiment(100), &SCHEDULES[2..], &samples, &seeds, || ());
    let mut summaries = summarise(&records);
    for (summary, mean) in summaries.iter_mut().zip([1.0, 3.0, 1.0]) {
        (summary.n_distance.mean, summary.n_distance.error) = (mean, 0.05 * mean);
    }
    let said = laws(&summaries, &SCHEDULES[2..], 100);
    assert!(
        !said[0].holds && said[0].value.contains("n = 20"),
        "{said:?}"
    );
    summaries[1].n_distance.mean = 1.1;
    assert!(laws(&summaries, &SCHEDULES[2..], 100)[0].holds);
}

/// A pair whose swapped sample is never drawn stays together to the bit.
#[test]
fn runs_differ_by_the_swapped_sample_alone() {
    let seeds: Vec<u64> = (0..20).collect();
    // 5 draws of 200: most pairs never meet the swapped sample.
    let records = run::<f64>(experiment(5), &SCHEDULES[2..], &[200], &seeds, || ());
    let apart = records.iter().filter(|r| r.distance > 0.0).count();
    assert!(apart < 5, "{apart} of 20");
    let records = run::<f64>(experiment(5), &SCHEDULES[2..], &[1], &seeds[..3], || ());
    assert!(records.iter().all(|r| r.distance > 0.0));
}

#[test]
fn the_published_toy_runs() {
    let experiment = Experiment {
        toy: Toy::OrthogonalMap,
        ..experiment(20)
    };
    let records = run::<f64>(experiment, &[Schedule::Constant(0.01)], &[50], &[0], || ());
    assert!(records[0].success && records[0].test_loss.is_finite());
}

/// Weights stay in [0, 1], and accuracies are told beside losses.
#[test]
fn data_selection_runs() {
    let toy = Toy::DataSelection;
    let experiment = Experiment {
        toy,
        ..experiment(40)
    };
    let records = run::<f64>(
        experiment,
        &[Schedule::Constant(50.0)],
        &[5],
        &[0, 1],
        || (),
    );
    for record in &records {
        assert!(record.success, "{record:?}");
        let accuracy = record.test_accuracy.expect("a problem with classes");
        assert!((0.0..=100.0).contains(&accuracy));
        // Steps as long as these take each weight from one end to the other at most.
        assert!(record.distance <= 500f64.sqrt(), "{record:?}");
    }
    let plain = run::<f64>(self::experiment(5), &SCHEDULES[2..], &[5], &[0], || ());
    assert!(plain[0].test_accuracy.is_none());
}

#[test]
fn the_command_prints_records_and_a_page() {
    let folder = Folder::new();
    let words = "stability --seeds 2 --samples 5,10 --steps 20 --schedule inverse:0.5,constant:0.1";
    let records = folder
        .run(&format!("{words} --json --out r"))
        .code(0)
        .records();
    assert_eq!(records.len(), 2 * 2 * 2);
    for record in &records {
        for key in ["distance", "n_distance", "train_gap", "test_loss"] {
            assert!(record[key].is_number(), "{key} of {record}");
        }
        assert_eq!(record["status"], "stepped");
        let (n, distance) = (record["n"].as_f64(), record["distance"].as_f64());
        assert_eq!(
            record["n_distance"].as_f64(),
            n.zip(distance).map(|(n, d)| n * d)
        );
    }
    assert!(folder.path("r/report.html").exists() && folder.path("r/stability.jsonl").exists());
    let text = folder.run(words).code(0).out;
    assert!(
        text.contains("n · distance") && text.contains("flat in n"),
        "{text}"
    );
    // The same bits on another number of threads.
    let threads = folder.run(&format!("{words} --json --threads 1")).code(0);
    assert_eq!(threads.records(), records);
}

#[test]
fn bad_arguments_are_refused_in_one_line() {
    let folder = Folder::new();
    for (words, expected) in [
        ("--seeds 0", "--seeds 0: expected at least 1"),
        ("--samples 5,0", "--samples 0: expected at least 1"),
        ("--schedule constnt:1", "expected constant:A"),
        ("--schedule constant:-1", "expected a positive number"),
        (
            "--schedule inverse:1:0",
            "shift 0: expected a positive number",
        ),
        ("--steps -3", "--steps -3: expected at least 1"),
    ] {
        let run = folder.run(&format!("stability {words}")).code(2);
        assert!(run.err.contains(expected), "{words}: {}", run.err);
        assert_eq!(run.err.lines().count(), 1);
        assert!(run.out.is_empty());
    }
}

/// A run that blows up is reported, with exit code 1.
#[test]
fn a_step_that_is_too_long_is_reported() {
    let folder = Folder::new();
    let words = "stability --seeds 1 --samples 5 --steps 3000 --schedule constant:1000 --json";
    let run = folder.run(words).code(1);
    assert_eq!(run.records()[0]["status"], "non-finite");
    assert!(run.err.contains("not a finite number"), "{}", run.err);
}
