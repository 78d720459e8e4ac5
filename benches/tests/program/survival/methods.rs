//! Every method of the catalogue, saved between any two iterations and restored into a fresh run,
//! goes on bit for bit; and a shorter run is the beginning of a longer one.

use autodiff::Real;
use bilevel_benches::catalogue::methods::{find, method};
use bilevel_benches::catalogue::settings::SolveSettings;
use models::Task;
use models::catalogue::{Source, named};
use models::stability::RIDGE_PRIOR;
use solvers::Run;
use solvers::catalogue::{OuterRule, Settings, methods};

/// Means of samples, constants and none, one lower level and several: every method suits one.
/// `BILEVEL_PROBLEMS=logistic,scalar,…` names others.
const PROBLEMS: &str = "ridge-prior,quadratic,ridge,tv-denoising,constrained";

fn settings(problem: &str, method: &str, optimiser: OuterRule, warm: bool) -> SolveSettings {
    let given = Settings {
        iterations: Some(28),
        report_every: Some(6),
        optimiser: Some(optimiser),
        depth: Some(12),
        warm_start: Some(warm),
        stage_iterations: Some(9),
        inner_steps: Some(3),
        ..Settings::NONE
    };
    SolveSettings {
        seed: 3,
        ..SolveSettings::of(problem, method, given)
    }
}

/// What a run reports from here to its end, and where it ends: a float's shortest digits are its
/// bits.
fn rest<T: Real>(run: &mut dyn Run<T>) -> Vec<String> {
    let mut reports = Vec::new();
    while let Some(progress) = run.step() {
        reports.push(format!("{progress:?}"));
    }
    reports.push(format!("{:?} {:?}", run.x(), run.y()));
    reports
}

/// Whether the method suits the problem; then every way of stopping it was tried.
fn survives<T: Real>(name: &str, problem: &Task<T>, settings: &SolveSettings) -> bool {
    let Ok(method) = method::<T>(name, problem, settings) else {
        return false;
    };
    let begin = || method.begin(&problem.bilevel, problem.x.clone());
    let Ok(mut plain) = begin() else {
        return false;
    };
    let want = rest(&mut *plain);
    let mut saving = begin().expect("begun before");
    let mut saved = vec![saving.save()];
    while saving.step().is_some() {
        saved.push(saving.save());
    }
    for (k, saved) in saved.iter().enumerate() {
        let mut again = begin().expect("begun before");
        again.restore(saved).expect("a state of the same method");
        let place = format!("{name} on {} in {}, after {k}", problem.name, T::NAME);
        assert_eq!(again.save(), *saved, "{place}: what was restored");
        assert_eq!(rest(&mut *again), want[k..], "{place}: what followed");
    }
    begins_longer_ones(name, problem, settings, &saved);
    true
}

/// Up to its last record, a run of fewer iterations is this one, unless its method says otherwise.
fn begins_longer_ones<T: Real>(
    name: &str,
    problem: &Task<T>,
    settings: &SolveSettings,
    saved: &[Vec<u64>],
) {
    let mut shorter = settings.clone();
    shorter.method.iterations = Some(20);
    let over_the_run = find(name).is_some_and(|entry| entry.over_the_run.is_some());
    let method = method::<T>(name, problem, &shorter).expect("settings that suit");
    let begun = method.begin(&problem.bilevel, problem.x.clone());
    let mut run = begun.expect("settings that suit");
    let mut same = true;
    // It may end by itself before.
    for (k, saved) in saved.iter().take(20usize.div_ceil(6)).enumerate() {
        same &= run.save() == *saved;
        assert!(
            same || over_the_run,
            "{name} on {}, after {k}",
            problem.name
        );
        run.step();
    }
    assert!(!(same && over_the_run), "{name} on {}", problem.name);
}

fn every_method<T: Real>() {
    let names = std::env::var("BILEVEL_PROBLEMS").unwrap_or(PROBLEMS.into());
    let named = |name| {
        let entry = named(name).expect("a problem of the catalogue");
        // Its dense system is long at full size.
        let problem = match name {
            "constrained" => entry.small::<T>(0).expect("no data"),
            _ => entry.task::<T>(&Source::default()).expect("its own data"),
        };
        (name, problem)
    };
    let problems: Vec<_> = names.split(',').map(named).collect();
    for entry in methods::<f64>() {
        let name = entry.rows[0].name;
        let mut suited = 0;
        for (optimiser, warm) in [(OuterRule::Adam, true), (OuterRule::Momentum, false)] {
            for (problem_name, problem) in &problems {
                // A lower level for each sample is for this one; to others it is a large problem.
                if problem.bilevel.blocks() > 1 && name != "isgd" {
                    continue;
                }
                let settings = settings(problem_name, name, optimiser, warm);
                suited += usize::from(survives(name, problem, &settings));
            }
        }
        let few = names != PROBLEMS;
        assert!(few || suited > 0, "no problem here suits {name}");
    }
}

#[test]
fn every_method_goes_on_bit_for_bit_in_double_precision() {
    every_method::<f64>();
}

#[test]
fn every_method_goes_on_bit_for_bit_in_single_precision() {
    every_method::<f32>();
}

#[test]
fn a_state_of_another_method_is_refused() {
    let problem = RIDGE_PRIOR.task::<f64>(&Source::default());
    let problem = problem.expect("its own numbers");
    let begin = |name: &str| {
        let settings = settings("ridge-prior", name, OuterRule::Adam, true);
        let method = method::<f64>(name, &problem, &settings).expect("a method");
        let run = method.begin(&problem.bilevel, problem.x.clone());
        run.expect("settings that suit")
    };
    let (mut soba, mut bsa) = (begin("soba"), begin("bsa"));
    assert!(soba.step().is_some() && bsa.step().is_some());
    assert!(begin("bsa").restore(&soba.save()).is_err());
    assert!(begin("soba").restore(&bsa.save()).is_err());
    assert!(begin("itd").restore(&soba.save()).is_err());
}
