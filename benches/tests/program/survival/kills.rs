//! A sample of the campaign of kills.

use bilevel_tests::kills::Kills;

#[test]
fn runs_that_are_killed_end_as_the_ones_that_are_not() {
    let mut kills = Kills::new(env!("CARGO_BIN_EXE_bilevel"), 8, 1);
    kills.kinds = 3;
    let summary = kills.run(|_| {}).expect("the program starts");
    assert!(summary.kills >= 8, "{summary}");
    assert!(summary.differences.is_empty(), "{summary}");
}
