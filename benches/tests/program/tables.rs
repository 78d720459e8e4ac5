//! Tables of methods over seeds: their records, their claims, and what they refuse.

use crate::common::Folder;

#[test]
fn the_counter_examples_are_printed_with_their_claims() {
    let folder = Folder::new();
    let words = "table --task counter-examples --seeds 1";
    let records = folder.run(&format!("{words} --json")).code(0).records();
    assert_eq!(records.len(), 2 * 4 * 5);
    for record in &records {
        assert!(record["x_distance"].is_number(), "{record}");
        assert!(
            record["case"]
                .as_str()
                .is_some_and(|case| case.contains("n = "))
        );
    }
    let text = folder.run(words).code(0).out;
    assert!(
        text.contains("✓ bda comes to the best of the solutions"),
        "{text}"
    );
    assert!(text.contains("✓ itd comes to it in none"), "{text}");
    assert!(
        text.contains("✗ itd says that its answer is none"),
        "{text}"
    );
}
