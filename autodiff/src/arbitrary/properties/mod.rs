//! What holds for every random program and loop: the engine's promises, for its tests, for long
//! campaigns and for your own.
//!
//! # Example
//! ```
//! use autodiff::arbitrary::{case, for_all, properties};
//!
//! for (name, holds) in properties::OF_PROGRAMS {
//!     println!("{name}");
//!     for_all(file!(), 8, case(), *holds);
//! }
//! ```

pub mod bytes;
pub mod calls;
pub mod gauss_newton;
pub mod loops;
pub mod plans;
pub mod replays;
pub mod sweeps;

use proptest::test_runner::TestCaseResult;

use super::{Case, Loop};

/// A property of values of one kind, with its name.
pub type Property<V> = (&'static str, fn(V) -> TestCaseResult);

/// A table of properties named like their functions.
macro_rules! table {
    ($($module:ident::$name:ident,)*) => { &[$((stringify!($name), $module::$name)),*] };
}

/// What holds for every program.
pub const OF_PROGRAMS: &[Property<Case>] = table! {
    sweeps::tangents_and_adjoints_are_transposes,
    sweeps::the_directional_derivative_is_the_gradient_times_the_direction,
    sweeps::the_hessian_is_symmetric_over_all_inputs_jointly,
    sweeps::the_cross_block_is_the_same_from_both_sides,
    sweeps::the_second_sweep_is_linear_in_its_direction,
    sweeps::single_precision_is_within_its_rounding_of_double,
    sweeps::a_stopped_input_has_no_derivative_and_changes_no_other,
    gauss_newton::its_products_are_those_of_the_jacobian_and_the_loss,
    gauss_newton::a_mark_changes_no_other_sweep,
    replays::a_used_workspace_is_as_good_as_a_fresh_one,
    replays::a_subset_of_wanted_inputs_has_the_bits_of_the_full_sweep,
    replays::raising_and_lowering_the_need_changes_no_bit,
    replays::a_joint_sweep_has_the_bits_of_its_parts,
    replays::both_derivatives_of_a_gradient_are_products_of_the_function,
    calls::calls_in_any_order_have_the_bits_of_a_fresh_point,
    plans::a_planned_program_has_the_bits_of_the_plain_one,
    bytes::the_bytes_of_a_point_are_those_predicted,
    bytes::the_bytes_of_gradients_inside_are_predicted,
};

/// What holds for every loop.
pub const OF_LOOPS: &[Property<Loop>] = table! {
    loops::every_policy_gives_the_same_bits,
    loops::a_loop_is_one_long_program,
    loops::forward_mode_agrees_with_reverse_mode,
    loops::momentum_undone_is_momentum_stored,
};
