//! The constraint of the outer variable, and projections as such.

use autodiff::unroll::Memory;
use nalgebra::{DMatrix, DVector, dvector};
use solvers::{Aid, Constraint, Descent, Exact, Gda, Itd, Method, Optimiser};

use crate::inner::{beside, close, cube, point, quadratic, run};

fn sets() -> [Constraint; 5] {
    [
        Constraint::None,
        cube(-0.2, 0.3),
        cube(0.0, f64::INFINITY),
        Constraint::Simplex,
        Constraint::Ball { radius: 0.5 },
    ]
}

#[test]
fn a_projection_is_the_nearest_point_of_its_set() {
    // p is the projection of v if and only if (v − p)ᵀ(z − p) ≤ 0 for every z of the set.
    for set in sets() {
        for n in [1, 2, 5, 9] {
            let v = point(n) * 3.0;
            let mut p = v.clone();
            set.project(p.as_mut_slice());
            let mut again = p.clone();
            set.project(again.as_mut_slice());
            close(&again, &p, 1e-15);
            for k in 0..20 {
                let mut z = DVector::from_fn(n, |i, _| (1.3 * (k * n + i) as f64).sin() * 2.0);
                set.project(z.as_mut_slice());
                let angle = (&v - &p).dot(&(&z - &p));
                assert!(angle <= 1e-14, "{set:?}: {angle}");
            }
        }
    }
    let mut bad = [f64::NAN, 1.0];
    for set in sets() {
        set.project(&mut bad);
        assert!(bad[0].is_nan(), "{set:?}");
    }
}

#[test]
fn a_step_projects_as_a_method_does() {
    // One step of length 1 on ½(y − x)² from 0 is the projection of x.
    for set in sets() {
        for n in [1, 4] {
            let x = point(n) * 3.0;
            let a = DMatrix::identity(n, n);
            let problem = beside(quadratic(&a, &vec![0.0; n]), Some(set.into()));
            let mut p = x.clone();
            set.project(p.as_mut_slice());
            close(&run(&problem, &Itd::reverse(1).step(1.0), &x).y, &p, 1e-15);
            close(&run(&problem, &Exact, &x).y, &p, 1e-12);
        }
    }
}

#[test]
fn descent_ends_at_the_constrained_minimum() {
    // φ(x) = ½‖x − c‖² + ½‖x‖²: the minimum over a set is the projection of c/2.
    let c = [3.0, 0.5, -1.0];
    let problem = quadratic(&DMatrix::identity(3, 3), &c);
    let rate = Optimiser::GradientDescent { rate: 0.4 };
    for set in sets() {
        let mut want = dvector![1.5, 0.25, -0.5];
        set.project(want.as_mut_slice());
        let descent = Descent::new(Aid::cg(), rate, 60).constraint(set);
        // Biased by O(1/α).
        let gda = Gda::new(4000, Optimiser::GradientDescent { rate: 0.02 })
            .penalty(20.0, 1.0)
            .steps(0.5 / 20.0, 0.5 / 21.0)
            .constraint(set);
        for (method, tolerance) in [(&descent as &dyn Method<f64>, 1e-9), (&gda, 0.05)] {
            // From outside of every set: the start is projected too.
            let mut run = method
                .begin(&problem, dvector![9.0, -9.0, 9.0])
                .expect("valid");
            while let Some(progress) = run.step() {
                assert!(progress.status.is_success(), "{}", progress.status);
            }
            close(run.x(), &want, tolerance);
        }
    }
}

#[test]
fn bounds_are_a_box() {
    let optimiser = Optimiser::GradientDescent { rate: 0.1 };
    let bounds = format!(
        "{:?}",
        Descent::new(Aid::cg(), optimiser, 3).bounds(-1.0, 2.0)
    );
    let set = Descent::new(Aid::cg(), optimiser, 3).constraint(cube(-1.0, 2.0));
    assert_eq!(bounds, format!("{set:?}"));
    let gda = Gda::new(2, optimiser);
    let set = gda.clone().constraint(cube(-1.0, 2.0));
    assert_eq!(gda.bounds(-1.0, 2.0), set);
    assert_eq!(Constraint::from(Some((-1.0, 2.0))), cube(-1.0, 2.0));
    assert_eq!(Constraint::from(None), Constraint::None);
}

#[test]
fn what_is_no_set_is_refused_before_any_work() {
    let problem = quadratic(&DMatrix::identity(1, 1), &[1.0]);
    let optimiser = Optimiser::GradientDescent { rate: 0.1 };
    for (set, part) in [
        (
            cube(1.0, 0.0),
            "bounds 1 to 0: expected the lower one first",
        ),
        (cube(f64::NAN, 0.0), "bounds NaN to 0"),
        (
            cube(f64::INFINITY, f64::INFINITY),
            "expected a finite number",
        ),
        (
            Constraint::Ball { radius: -1.0 },
            "radius -1: expected a positive",
        ),
        (Constraint::Ball { radius: f64::NAN }, "radius NaN"),
    ] {
        let methods: [&dyn Method<f64>; 2] = [
            &Descent::new(Aid::cg(), optimiser, 3).constraint(set),
            &Gda::new(2, optimiser).constraint(set),
        ];
        for method in methods {
            let error = method
                .begin(&problem, dvector![0.0])
                .err()
                .expect("refused");
            assert!(error.to_string().contains(part), "{error}");
        }
    }
}

#[test]
fn a_step_of_a_projection_has_transposed_sweeps() {
    // Forward mode and reverse mode of one recorded step, at a point off every kink.
    for set in sets() {
        let n = 4;
        let problem = quadratic(&DMatrix::identity(n, n), &[0.3; 4]);
        let (problem, itd) = (beside(problem, Some(set.into())), Itd::reverse(3).step(0.6));
        let (x, forward) = (point(n) * 2.0, itd.clone().memory(Memory::Forward));
        let (a, b) = (run(&problem, &itd, &x), run(&problem, &forward, &x));
        close(&a.hypergradient, &b.hypergradient, 1e-14);
    }
}
