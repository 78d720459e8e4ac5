//! Hypergradients of random bilevel problems: see the properties.

use bilevel_tests::campaign::for_all;
use bilevel_tests::numbers::bits;
use bilevel_tests::properties::OF_PROBLEMS;
use bilevel_tests::properties::problems::estimate;
use proptest::collection::vec;
use proptest::prelude::{Strategy as _, prop_assert_eq};
use solvers::arbitrary::{Problem, problem};
use solvers::{Aid, Bda, Exact, Itd, Strategy};

/// Runs the property with this name.
#[track_caller]
fn property(name: &str) {
    let (_, check) = OF_PROBLEMS
        .iter()
        .find(|(n, _)| *n == name)
        .expect("a name");
    for_all(file!(), 150, problem(), check);
}

macro_rules! tests {
    ($($name:ident)*) => {
        $(#[test] fn $name() { property(stringify!($name)); })*

        #[test]
        fn every_property_is_run() {
            assert_eq!([$(stringify!($name)),*].len(), OF_PROBLEMS.len());
        }
    };
}

tests! {
    implicit_strategies_reach_the_closed_form
    the_stated_constants_hold
    itd_from_the_solution_is_the_fixed_point_of_aid
    a_neumann_series_is_the_fixed_point_with_one_step_more
    memory_policies_give_the_same_hypergradient
    permutations_permute
    scalings_scale
    single_precision_is_within_its_rounding
}

/// Large enough for its products to be shared out to several threads.
fn large() -> impl proptest::strategy::Strategy<Value = Problem> {
    let sizes = (1500usize..2500, 150usize..200);
    (sizes, vec(-1.0f64..1.0, 211)).prop_map(|((samples, dim_y), numbers)| Problem {
        dim_x: 40,
        dim_y,
        decades: 2.0,
        bend: 0.5,
        samples,
        numbers,
    })
}

#[test]
fn the_number_of_threads_does_not_matter() {
    for_all(file!(), 2, large(), |problem| {
        let (bilevel, x) = (problem.bilevel::<f64>(), problem.x());
        let strategies: [&dyn Strategy<f64>; 4] = [
            &Exact,
            &Aid::cg(),
            &Itd::reverse(5).step(0.5),
            &Bda::new(5).steps(0.5, 0.5),
        ];
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .expect("a pool");
            pool.install(|| {
                let all =
                    strategies.map(|s| bits(estimate(&bilevel, &x, s).hypergradient.as_slice()));
                all.concat()
            })
        };
        let one = on(1);
        prop_assert_eq!(&on(2), &one);
        prop_assert_eq!(&on(5), &one);
        Ok(())
    });
}
