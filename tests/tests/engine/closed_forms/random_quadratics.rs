//! Means over quadratics of rank one.

use autodiff::Sampled;
use models::random_quadratics;
use nalgebra::DVector;
use solvers::{Aid, Exact, Itd, Strategy};

use super::close;

#[test]
fn the_closed_form_of_the_samples_drawn_is_reached() {
    for (dim_x, dim_y, seed) in [(3, 5, 0), (6, 4, 1), (1, 1, 2)] {
        let task = random_quadratics::<f64>(dim_x, dim_y, (200, 90), seed);
        let known = task.known.clone().expect("a closed form");
        let problem = &task.bilevel;
        let x = DVector::from_fn(dim_x, |i, _| (1.3 * i as f64 + 0.4).sin());
        let want = (known.hypergradient)(&x);
        for strategy in [
            &Aid::cg() as &dyn Strategy<f64>,
            &Aid::direct(),
            &Exact,
            &Itd::reverse(2000),
        ] {
            let estimate = strategy
                .hypergradient(problem, &x, &mut problem.workspace())
                .expect("valid settings");
            let off = (&estimate.hypergradient - &want).norm();
            assert!(off <= 1e-8 * want.norm(), "{off:e}: {estimate}");
        }
        // The solution is where the hypergradient is 0.
        let at_solution = (known.hypergradient)(&known.solution).norm();
        assert!(at_solution < 1e-12 * (1.0 + want.norm()), "{at_solution:e}");
    }
}

#[test]
fn the_whole_is_the_mean_of_its_samples() {
    let problem = random_quadratics::<f64>(2, 3, (30, 40), 3).bilevel;
    let [upper, lower] = problem.means().expect("samples");
    let (x, y) = ([0.3, -0.8], [0.5, 1.1, -0.2]);
    for (of, whole) in [(upper, problem.upper()), (lower, problem.lower())] {
        let value = |batch: &[usize]| of.program(2, 3, batch).point().value(&[&x, &y]);
        let n = of.samples();
        let mean = (0..n).map(|i| value(&[i])).sum::<f64>() / n as f64;
        close(whole.point().value(&[&x, &y]), mean, 1e-14);
    }
}

#[test]
fn the_spectrum_is_the_published_one_in_distribution() {
    let dim = 4;
    let problem = random_quadratics::<f64>(2, dim, (40_000, 40_000), 4).bilevel;
    for program in [problem.lower(), problem.upper()] {
        let mut point = program.point();
        point.linearise(&[&[0.0; 2], &vec![0.0; dim]]);
        for j in 0..dim {
            let mut v = vec![0.0; dim];
            v[j] = 1.0;
            point.second(&[None, Some(&v)]);
            let want = 0.1 * 10f64.powf(j as f64 / (dim - 1) as f64);
            // The standard deviation of an entry is below √2 · want / √n.
            close(point.product(1)[j], want, 5.0 * 1.5 * want / 200.0);
        }
    }
}
