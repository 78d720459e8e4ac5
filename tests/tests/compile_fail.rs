//! Misuse that does not compile, with what the compiler says of it.
//!
//! After a new compiler words its messages otherwise, `TRYBUILD=overwrite` writes them anew.

#[test]
fn the_types_forbid_misuse() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("compile_fail/*.rs");
    cases.pass("compile_fail/fine/*.rs");
}
