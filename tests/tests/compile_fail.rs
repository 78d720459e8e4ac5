//! Misuse that does not compile, with what the compiler says of it.
//!
//! After a new compiler words its messages otherwise, `TRYBUILD=overwrite` writes them anew.

use autodiff::{Program, Shape, Var};

#[test]
fn the_types_forbid_misuse() {
    trybuild::TestCases::new().compile_fail("compile_fail/*.rs");
}

/// While nested recordings that are kept apart compile, and run.
#[test]
fn nested_recordings_kept_apart_are_fine() {
    let program = Program::<f64>::record(&[Shape::SCALAR], |outer| {
        let f = Program::<f64>::record(&[Shape::SCALAR], |inner| inner[0] * inner[0]);
        Var::gradient(&f, 0, &[outer[0]])
    });
    assert_eq!(program.point().value(&[&[3.0]]), 6.0);
}
