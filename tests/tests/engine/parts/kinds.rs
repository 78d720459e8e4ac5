//! Every kind of part under every strategy, against differences of the solver alone.

use autodiff::Var;
use nalgebra::{DMatrix, DVector, dvector};
use solvers::linear::{Cg, Minres};
use solvers::{Aid, AidStep, Bda, Exact, InnerStep, Itd, LowerSolve, Part, StepSystem, Strategy};

use super::alone::{self, Map, shrink};
use super::{DIMS, Quadratic, close, run};

/// A part, and its proximal map in numbers.
struct Kind {
    name: &'static str,
    part: fn() -> Part<f64>,
    map: fn() -> Map,
}

fn groups() -> Vec<Vec<usize>> {
    vec![vec![0, 4], vec![2, 1, 6], vec![3]]
}

fn half_space() -> DVector<f64> {
    DVector::from_fn(DIMS.1, |i, _| 1.0 + 0.3 * i as f64)
}

fn affine() -> DMatrix<f64> {
    DMatrix::from_fn(2, DIMS.1, |i, j| ((i * 5 + j) as f64 * 1.3).cos())
}

const KINDS: &[Kind] = &[
    Kind {
        name: "l1",
        part: || Part::l1(|x: Var| x.at(0).exp()),
        map: || Box::new(|x, z, s| z.iter_mut().for_each(|z| *z = shrink(*z, s * x[0].exp()))),
    },
    Kind {
        name: "weighted l1",
        part: || Part::l1(|x: Var| x.exp().gather(&[0, 1, 2, 0, 1, 2, 0])),
        map: || {
            Box::new(|x, z, s| {
                for (i, z) in z.iter_mut().enumerate() {
                    *z = shrink(*z, s * x[i % 3].exp());
                }
            })
        },
    },
    Kind {
        name: "elastic net",
        part: || Part::elastic_net(|x: Var| x.at(0).exp(), |x: Var| x.at(1).exp()),
        map: || {
            Box::new(|x, z, s| {
                let scale = 1.0 + s * x[1].exp();
                z.iter_mut()
                    .for_each(|z| *z = shrink(*z, s * x[0].exp()) / scale);
            })
        },
    },
    Kind {
        name: "box",
        part: || Part::between(|x: Var| -x.at(0).exp(), |x: Var| x.at(1).exp() * 0.5),
        map: || {
            Box::new(|x, z, _| {
                let (low, high) = (-x[0].exp(), 0.5 * x[1].exp());
                z.iter_mut().for_each(|z| *z = z.clamp(low, high));
            })
        },
    },
    Kind {
        name: "group lasso",
        part: || Part::group_lasso(groups(), |x: Var| x.exp()),
        map: || {
            Box::new(|x, z, s| {
                for (g, group) in groups().iter().enumerate() {
                    alone::shrink_group(z, group, s * x[g].exp());
                }
            })
        },
    },
    Kind {
        name: "sparse group lasso",
        part: || {
            Part::sparse_group_lasso(
                groups(),
                |x: Var| 0.3 * x.at(0).exp(),
                |x: Var| 0.5 * x.at(1).exp(),
            )
        },
        map: || {
            Box::new(|x, z, s| {
                z.iter_mut()
                    .for_each(|z| *z = shrink(*z, s * 0.3 * x[0].exp()));
                for group in &groups() {
                    alone::shrink_group(z, group, s * 0.5 * x[1].exp());
                }
            })
        },
    },
    Kind {
        name: "half-space",
        part: || Part::half_space(half_space(), |x: Var| x.at(0)),
        map: || {
            Box::new(|x, z, _| {
                let a = half_space();
                let beyond = (a.dot(z) - x[0]).max(0.0) / a.norm_squared();
                z.axpy(-beyond, &a, 1.0);
            })
        },
    },
    Kind {
        name: "affine",
        part: || Part::affine(affine(), |x: Var| x.slice(0, 2)),
        map: || {
            Box::new(|x, z, _| {
                let a = affine();
                let off = &a * &*z - x.rows(0, 2);
                let solved = (&a * a.transpose()).lu().solve(&off).expect("full rank");
                *z -= a.transpose() * solved;
            })
        },
    },
    Kind {
        name: "simplex",
        part: || Part::simplex(|x: Var| x.at(1).exp()),
        map: || Box::new(|x, z, _| *z = alone::simplex(z, x[1].exp())),
    },
    Kind {
        name: "l1 ball",
        part: || Part::l1_ball(|x: Var| x.at(1).exp()),
        map: || Box::new(|x, z, _| *z = alone::l1_ball(z, x[1].exp())),
    },
    Kind {
        name: "ball",
        part: || Part::ball(|x: Var| 0.5 * x.at(1).exp()),
        map: || {
            Box::new(|x, z, _| {
                let r = 0.5 * x[1].exp();
                let size = z.norm();
                if size > r {
                    *z *= r / size;
                }
            })
        },
    },
    Kind {
        name: "linf ball",
        part: || Part::linf_ball(|x: Var| 0.5 * x.at(1).exp()),
        map: || {
            Box::new(|x, z, _| {
                let r = 0.5 * x[1].exp();
                z.iter_mut().for_each(|z| *z = z.clamp(-r, r));
            })
        },
    },
    Kind {
        name: "blocks",
        part: || {
            Part::blocks(vec![
                (0..2, Part::l1(|x: Var| x.at(0).exp())),
                (3..6, Part::simplex(|x: Var| x.at(1).exp())),
            ])
        },
        map: || {
            Box::new(|x, z, s| {
                (0..2).for_each(|i| z[i] = shrink(z[i], s * x[0].exp()));
                let block = alone::simplex(&z.rows(3, 3).into_owned(), x[1].exp());
                z.rows_mut(3, 3).copy_from(&block);
            })
        },
    },
];

fn points() -> [DVector<f64>; 3] {
    [
        dvector![-0.5, 0.3, -0.9],
        dvector![0.2, -0.4, 0.6],
        dvector![-1.1, 0.1, 0.4],
    ]
}

#[test]
fn every_part_has_the_derivative_of_its_solution_under_every_strategy() {
    let newton = Aid::with(Cg::new().tolerance(1e-13)).lower_tolerance(1e-12);
    let steps = LowerSolve::Accelerated {
        tolerance: Some(1e-11),
        limit: None,
    };
    let gmres = StepSystem::Gmres { restart: 20 };
    let gd = InnerStep::GradientDescent;
    let fista = || "fista".parse().expect("a step");
    let strategies: [(&str, Box<dyn Strategy<f64>>); 9] = [
        ("exact", Box::new(Exact)),
        ("cg", Box::new(newton)),
        ("minres", Box::new(Aid::with(Minres::new()).lower(steps))),
        ("direct", Box::new(Aid::direct().lower_tolerance(1e-12))),
        ("step", Box::new(AidStep::new(gd.clone()).tolerance(1e-12))),
        (
            "gmres",
            Box::new(AidStep::new(fista()).tolerance(1e-12).system(gmres)),
        ),
        ("itd", Box::new(Itd::reverse(3000))),
        (
            "forward",
            Box::new(Itd::reverse(3000).memory(autodiff::unroll::Memory::Forward)),
        ),
        ("fista", Box::new(Itd::reverse(4000).inner(fista()))),
    ];
    for kind in KINDS {
        let mut active = std::collections::BTreeSet::new();
        for (k, x) in points().iter().enumerate() {
            let quadratic = Quadratic::new(1.0 + k as f64);
            let map = (kind.map)();
            let solve = |x: &DVector<f64>| alone::solve(&quadratic.q, &(&quadratic.b * x), x, &map);
            let y = solve(x);
            active.insert(y.iter().map(|v| v.to_bits()).filter(|v| *v == 0).count());
            let want = DVector::from_fn(DIMS.0, |i, _| {
                let mut e = DVector::zeros(DIMS.0);
                e[i] = 1e-5;
                let value = |x: DVector<f64>| quadratic.upper(&x, &solve(&x));
                (value(x + &e) - value(x - &e)) / 2e-5
            });
            let problem = quadratic.problem((kind.part)());
            let mut first: Option<DVector<f64>> = None;
            for (name, strategy) in &strategies {
                let estimate = run(&problem, &**strategy, x);
                let of = format!("{} at {k} by {name}", kind.name);
                assert!(estimate.status.is_success(), "{of}: {estimate}");
                assert!(
                    estimate.margin.is_some_and(|m| m > 1e-7),
                    "{of}: {estimate}"
                );
                close(&estimate.y, &y, 1e-9, &of);
                close(&estimate.hypergradient, &want, 2e-7, &of);
                let exact = first.get_or_insert(estimate.hypergradient.clone());
                close(&estimate.hypergradient, exact, 1e-8, &of);
            }
        }
    }
}

#[test]
fn sets_follow_the_joint_direction_of_aggregation_and_a_norm_does_not() {
    let quadratic = Quadratic::new(1.0);
    let x = &points()[0];
    for kind in KINDS {
        let problem = quadratic.problem((kind.part)());
        let bda = Bda::new(200);
        let is_set = !kind.name.contains("l1")
            && !kind.name.contains("lasso")
            && !kind.name.contains("net")
            && kind.name != "blocks"
            || kind.name == "l1 ball";
        match bda.hypergradient(&problem, x, &mut problem.workspace()) {
            Ok(estimate) => {
                assert!(is_set, "{}", kind.name);
                assert!(estimate.status.is_success(), "{}: {estimate}", kind.name);
                assert_eq!(estimate.bytes.peak, bda.predicted_peak_bytes(&problem));
            }
            Err(error) => {
                assert!(!is_set, "{}: {error}", kind.name);
                assert!(
                    error.to_string().contains("expected a set, or itd"),
                    "{error}"
                );
            }
        }
    }
}
