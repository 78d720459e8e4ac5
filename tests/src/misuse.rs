//! Misuse that does not compile: each file of `compile_fail/` is a documentation test that must be
//! refused. Nested recordings that are kept apart are fine:
//! ```
//! use autodiff::{Program, Shape, Var};
//!
//! let program = Program::<f64>::record(&[Shape::SCALAR], |outer| {
//!     let f = Program::<f64>::record(&[Shape::SCALAR], |inner| inner[0] * inner[0]);
//!     Var::gradient(&f, 0, &[outer[0]])
//! });
//! assert_eq!(program.point().value(&[&[3.0]]), 6.0);
//! ```

/// Makes a documentation test of each file.
macro_rules! refused {
    ($($name:ident)*) => {
        $(
            #[doc = concat!("```compile_fail\n", include_str!(concat!("../compile_fail/", stringify!($name), ".rs")), "\n```")]
            pub mod $name {}
        )*
    };
}

refused! {
    branches_on_a_value
    closure_bound_before_objective
    gradient_at_another_recording
    keeps_a_gradient
    leaves_in_a_vector
    leaves_its_recording
    mixes_precisions
    mixes_recordings
    primitive_without_a_rule
    sent_to_a_thread
}
