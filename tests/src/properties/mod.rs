//! What holds for every random program, loop and bilevel problem: for the tests and the campaign.

pub mod problems;

pub use autodiff::arbitrary::properties::{OF_LOOPS, OF_PROGRAMS, Property};

use solvers::arbitrary::Problem;

/// A table of properties named like their functions.
macro_rules! table {
    ($($module:ident::$name:ident,)*) => { &[$((stringify!($name), $module::$name)),*] };
}

/// What holds for every bilevel problem.
pub const OF_PROBLEMS: &[Property<Problem>] = table! {
    problems::implicit_strategies_reach_the_closed_form,
    problems::the_stated_constants_hold,
    problems::itd_from_the_solution_is_the_fixed_point_of_aid,
    problems::a_neumann_series_is_the_fixed_point_with_one_step_more,
    problems::memory_policies_give_the_same_hypergradient,
    problems::permutations_permute,
    problems::scalings_scale,
    problems::single_precision_is_within_its_rounding,
};
