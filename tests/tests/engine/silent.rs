//! The campaigns of silent errors: their judge, their tables, and samples of them.

use std::process::Command;
use std::sync::atomic::AtomicU64;

use bilevel_tests::runs;
use bilevel_tests::silent::{Campaign, Outcome, Table, look};
use nalgebra::DVector;
use solvers::arbitrary::unkind::{Case, Danger, Family, Promise, Setting, Verdict, judge};
use solvers::{Estimate, Exact, Status, Strategy};

/// Estimates of each seed of the sample.
const SAMPLE: u64 = 500;

fn run(campaign: Campaign, threads: usize) -> Table {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .expect("a pool");
    pool.install(|| campaign.run(&AtomicU64::new(0)))
}

#[test]
fn a_sample_of_the_campaign_is_silent_nowhere() {
    for seed in [1, 2, 3] {
        let table = run(Campaign::new(SAMPLE, seed), 2);
        assert!(table.holds(), "seed {seed}\n{table}");
    }
}

#[test]
fn a_sample_of_runs_says_where_it_lost() {
    let table = runs::run(300, 3, &AtomicU64::new(0));
    assert!(table.holds(), "{table}");
    // It has something to judge.
    let [right, told] = [runs::Outcome::Right, runs::Outcome::Told].map(|o| table.count(o));
    assert!(right > 30 && told > 30, "{table}");
}

/// An estimate that is right, of a case with one solution.
fn right(case: &Case) -> Estimate<f64> {
    let problem = case.bilevel::<f64>();
    let made = Exact.hypergradient(&problem, &case.x, &mut problem.workspace());
    let solution = &case.truth.solutions[0];
    but(&made.expect("it has no settings"), |e| {
        e.hypergradient = case.hypergradient(solution);
        e.y = solution.y.clone();
        e.upper = 1.0;
        e.status = Status::Converged;
        e.linear_residual = Some(0.0);
        e.warnings = Vec::new();
    })
}

/// The same estimate but for a change.
fn but(estimate: &Estimate<f64>, change: impl FnOnce(&mut Estimate<f64>)) -> Estimate<f64> {
    let mut changed = estimate.clone();
    change(&mut changed);
    changed
}

fn cases(danger: Danger) -> impl Iterator<Item = Case> {
    let all = (0..600).map(|number| Case::draw(4, number));
    // `exact` solves no equation of a map.
    let all = all.filter(|c| c.family != Family::Maps);
    all.filter(move |c| c.truth.danger == danger && !c.truth.solutions.is_empty())
}

fn judged(case: &Case, estimate: &Estimate<f64>) -> Verdict {
    judge(case, estimate, Promise::SOLVED)
}

/// What the parts of a promise are parts of.
fn size(case: &Case) -> f64 {
    let solution = &case.truth.solutions[0];
    let (h, [by_x, _]) = (
        case.hypergradient(solution),
        case.upper_gradients(&solution.y),
    );
    h.norm().max(by_x.norm()).max((&h - &by_x).norm())
}

const FAILURE: Status = Status::LowerNotConverged {
    residual: 1.0,
    tolerance: 1e-10,
};

fn warned(estimate: &Estimate<f64>) -> Estimate<f64> {
    but(estimate, |e| e.warnings = vec!["it may be off".into()])
}

#[test]
fn a_planted_wrong_answer_is_silent_unless_it_is_told() {
    let mut looked = 0;
    for case in cases(Danger::None) {
        let good = right(&case);
        assert_eq!(judged(&case, &good), Verdict::Right, "{case:?}");
        let direction = DVector::from_fn(case.x.len(), |i, _| (1.0 + i as f64).sin()).normalize();
        let moved = |part: f64| {
            but(&good, |e| {
                e.hypergradient += &direction * (part * size(&case))
            })
        };
        assert_eq!(judged(&case, &moved(0.009)), Verdict::Right);
        let nan = DVector::from_element(case.x.len(), f64::NAN);
        let wrong = [
            moved(0.011),
            moved(-0.5),
            but(&good, |e| e.y += direction_of(&case) * 0.02),
            but(&good, |e| e.hypergradient = nan),
            but(&good, |e| e.upper = f64::NAN),
        ];
        for bad in &wrong {
            assert_eq!(judged(&case, bad), Verdict::Silent, "{case:?} {bad}");
            for status in [Status::Unrolled, Status::Stepped] {
                let bad = but(bad, |e| e.status = status);
                assert_eq!(judged(&case, &bad), Verdict::Silent);
            }
            assert_eq!(judged(&case, &warned(bad)), Verdict::Told);
            let failed = but(bad, |e| e.status = FAILURE);
            assert_eq!(judged(&case, &failed), Verdict::Told);
        }
        looked += 1;
    }
    assert!(looked > 100, "{looked}");
}

/// Of the size that y has in the case.
fn direction_of(case: &Case) -> DVector<f64> {
    let n = case.start.len();
    DVector::from_element(n, case.size(&case.truth.solutions[0]) / (n as f64).sqrt())
}

#[test]
fn an_alarm_beside_a_right_answer_is_false_unless_a_danger_is_near() {
    let (mut false_alarms, mut looked) = (0, 0);
    for case in cases(Danger::None) {
        let good = right(&case);
        let failed = but(&good, |e| e.status = FAILURE);
        let verdict = judged(&case, &warned(&good));
        assert_eq!(judged(&case, &failed), verdict);
        // Only where the Hessian is all but singular it is in its place.
        assert!([Verdict::FalseAlarm, Verdict::Told].contains(&verdict));
        false_alarms += usize::from(verdict == Verdict::FalseAlarm);
        looked += 1;
        let limited = Promise {
            limited: true,
            ..Promise::SOLVED
        };
        assert_eq!(judge(&case, &failed, limited), Verdict::Told);
    }
    assert!(5 * false_alarms > 4 * looked, "{false_alarms} of {looked}");
    for case in cases(Danger::Real) {
        assert_eq!(judged(&case, &warned(&right(&case))), Verdict::Told);
    }
}

#[test]
fn one_of_several_derivatives_needs_a_warning() {
    let mut looked = 0;
    for case in cases(Danger::Ambiguous) {
        assert_eq!(judged(&case, &right(&case)), Verdict::Silent);
        assert_eq!(judged(&case, &warned(&right(&case))), Verdict::Told);
        looked += 1;
    }
    assert!(looked > 5, "{looked}");
}

#[test]
fn a_success_without_a_solution_is_silent() {
    for number in 0..60 {
        let (case, other) = (
            Case::of_family(Family::Nowhere, 4, number),
            Case::of_family(Family::Columns, 4, number),
        );
        let estimate = but(&right(&other), |e| {
            e.hypergradient = DVector::zeros(case.x.len());
            e.y = case.start.clone();
        });
        assert_eq!(judged(&case, &estimate), Verdict::Silent);
        assert_eq!(judged(&case, &warned(&estimate)), Verdict::Told);
    }
}

#[test]
fn a_linear_residual_explains_its_own_share() {
    for case in cases(Danger::None).take(60) {
        let good = right(&case);
        let solution = &case.truth.solutions[0];
        let [_, by_y] = case.upper_gradients(&solution.y);
        // A system solved to this residual: h is off by Jᵀρ.
        let rest = &by_y * 0.3;
        let approximate = |residual: f64| {
            but(&good, |e| {
                e.hypergradient -= solution.slope.tr_mul(&rest);
                e.status = Status::LinearApproximate { residual };
                e.linear_residual = Some(residual);
            })
        };
        assert_eq!(judged(&case, &approximate(0.3)), Verdict::Right);
        let off = solution.slope.tr_mul(&rest).norm() / size(&case);
        if off > 0.011 {
            assert_eq!(judged(&case, &approximate(0.0)), Verdict::Silent);
        }
    }
}

#[test]
fn the_table_adds_up_on_any_number_of_threads() {
    let table = run(Campaign::new(600, 7), 1);
    assert_eq!(table, run(Campaign::new(600, 7), 3));
    assert_eq!(table.total.all(), 600);
    let rows = table.counts.values();
    assert_eq!(rows.clone().map(|c| c.all()).sum::<u64>(), 600);
    assert_eq!(
        rows.clone().map(|c| c.right).sum::<u64>(),
        table.total.right
    );
    assert_eq!(rows.map(|c| c.told).sum::<u64>(), table.total.told);
    let named = |kinds: &std::collections::BTreeMap<_, (u64, u64)>| -> u64 {
        kinds.values().map(|(count, _)| count).sum()
    };
    assert_eq!(named(&table.silent), table.total.silent);
    assert_eq!(named(&table.false_alarms), table.total.false_alarms);
    assert_eq!(
        table.bad.len() as u64,
        table.total.silent + table.total.panics
    );
    assert_eq!(table.total.panics, 0, "{table}");
    let families: std::collections::BTreeSet<_> = table.counts.keys().map(|k| k.0).collect();
    assert_eq!(families.len(), Family::ALL.len());
}

#[test]
fn the_table_holds_only_without_silence_and_with_few_false_alarms() {
    let seen = |outcome| {
        let mut seen = look(7, 0);
        seen.outcome = outcome;
        seen
    };
    let mut table = Table::default();
    for _ in 0..50 {
        table.add(seen(Outcome::Judged(Verdict::Right)));
    }
    table.add(seen(Outcome::Judged(Verdict::FalseAlarm)));
    assert!(table.holds());
    for outcome in [
        Outcome::Judged(Verdict::FalseAlarm),
        Outcome::Judged(Verdict::Silent),
        Outcome::Panic,
    ] {
        let mut worse = table.clone();
        worse.add(seen(outcome));
        assert!(!worse.holds(), "{outcome:?}");
    }
}

/// Every setting that is drawn is valid, and each kind of strategy is drawn.
#[test]
fn settings_are_valid() {
    let mut kinds = std::collections::BTreeSet::new();
    for number in 0..2000 {
        let case = Case::draw(8, number);
        let setting = Setting::<f64>::draw(&case);
        setting.strategy.validate().expect("valid settings");
        kinds.insert(setting.kind);
    }
    assert_eq!(kinds.len(), 29, "{kinds:?}");
}

#[test]
fn the_program_keeps_its_contract() {
    let run = |words: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_campaign"))
            .arg("silent")
            .args(words)
            .output()
            .expect("the program starts");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    let (code, out, err) = run(&["--estimates", "40", "--seed", "5"]);
    let table = Campaign::new(40, 5).run(&AtomicU64::new(0));
    assert_eq!(code, Some(i32::from(!table.holds())), "{out}{err}");
    assert!(out.starts_with(&table.to_string()), "{out}");
    assert!(err.contains("of 40 estimates"), "{err}");
    let (code, out, _) = run(&["--seed", "5", "--only", "7"]);
    assert_eq!(code, Some(0));
    let seen = look(5, 7);
    assert!(
        out.contains(&seen.line) && out.contains(&seen.shown),
        "{out}"
    );
    let (code, out, err) = run(&["--estimates", "many"]);
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert_eq!(err, "silent: --estimates \"many\": expected a number\n");
    assert_eq!(run(&["--quick"]).0, Some(2));
    assert_eq!(run(&["--help"]).0, Some(0));
}
