//! Iterations of methods allocate nothing.

use autodiff::{Batch, Table, Var, batched, objective};
use nalgebra::{DMatrix, DVector};
use solvers::sampling::Sampling;
use solvers::{
    Aid, Amigo, Bilevel, Bome, Bsa, Constants, Descent, F2sa, Fsla, Gda, Hoag, Isgd, Itd, Maid,
    Method, Optimiser, Outer, Pbgd, Saba, Schedule, Soba, StocBio, StochasticAid, Strategy,
};

use super::ALLOCATIONS;

/// A quadratic of 3 entries whose curvatures differ, with its constants.
fn quadratic() -> Bilevel<f64> {
    let upper = objective(|x: Var, y: Var| {
        let off = y - 1.0;
        0.5 * off.square().dot(y.vector(&[1.0, 3.0, 9.0])) + 0.05 * x.norm_squared()
    });
    let lower = objective(|x: Var, y: Var| 0.5 * (y - x).norm_squared());
    let problem = Bilevel::new(upper, lower, 3, 3).expect("a valid problem");
    problem.with_constants(|_, _| Constants {
        strong_convexity: 1.0,
        smoothness: 1.0,
        hessian_lipschitz: 0.0,
        cross_norm: 1.0,
        cross_lipschitz: 0.0,
        upper_smoothness: 9.0,
        upper_cross: 0.0,
    })
}

/// The same as means over ten samples, on batches that are inputs.
fn means() -> Bilevel<f64> {
    let table = Table::of_rows(&DMatrix::from_fn(10, 3, |i, j| 1.0 + (i + 3 * j) as f64));
    let upper = batched(10, move |x: Var, y: Var, batch: Batch| {
        let off = batch.rows(&table).matmul(y - 1.0);
        0.001 * off.norm_squared() / batch.len() as f64 + 0.05 * x.norm_squared()
    });
    let weights = Table::of_entries(
        &(0..10)
            .map(|i| 0.5 + 0.1 * f64::from(i))
            .collect::<Vec<_>>(),
    );
    let lower = batched(10, move |x: Var, y: Var, batch: Batch| {
        0.5 * batch.rows(&weights).mean() * (y - x).norm_squared()
    });
    Bilevel::sampled(upper, lower, 3, 3).expect("a valid problem")
}

/// Allocations of ten iterations after the first few, and how many of them had a remark.
fn iterations(method: &dyn Method<f64>) -> (usize, usize) {
    iterations_on(&quadratic(), method)
}

fn iterations_on(problem: &Bilevel<f64>, method: &dyn Method<f64>) -> (usize, usize) {
    let run = method.begin(problem, DVector::zeros(3));
    let mut run = run.expect("settings that suit");
    (0..4).for_each(|_| drop(run.step()));
    let (before, mut remarks) = (ALLOCATIONS.get(), 0);
    for _ in 0..10 {
        let progress = run.step().expect("iterations are left");
        assert!(progress.status.is_success(), "{}", progress.status);
        remarks += progress.warnings.len();
    }
    (ALLOCATIONS.get() - before, remarks)
}

/// What an estimate of the strategy allocates after the first.
fn estimates(strategy: &dyn Strategy<f64>) -> usize {
    let (problem, x) = (quadratic(), DVector::zeros(3));
    let mut work = problem.workspace();
    let mut estimate = || drop(strategy.hypergradient(&problem, &x, &mut work));
    (0..3).for_each(|_| estimate());
    let before = ALLOCATIONS.get();
    estimate();
    ALLOCATIONS.get() - before
}

#[test]
fn an_iteration_of_a_method_allocates_nothing() {
    let (n, short) = (60, Schedule::Constant(0.02));
    let (inner, ratio, averaging) = (2, 2.0, 0.5);
    let plain = Optimiser::GradientDescent { rate: 0.02 };
    let (x, y, v) = (short, Schedule::Constant(0.5), 0.5);
    let (inner_step, step, penalty) = (0.1, 0.02, 1.0);
    let pbgd = Pbgd {
        first: 1.0,
        last: 2.0,
        ramp: 5,
        inner,
        inner_step,
        step,
    };
    let f2sa = F2sa {
        penalty,
        growth: 0.1,
        inner,
        inner_step,
        step,
    };
    let bome = Bome {
        inner,
        inner_step,
        fall: 0.5,
        step,
    };
    let aid = StochasticAid {
        inner,
        x,
        y,
        z: v,
        averaging,
    };
    let fsla = Fsla {
        step: short,
        ratio,
        averaging,
    };
    let amigo = Amigo {
        inner,
        linear: inner,
        y,
        v,
        x,
    };
    let stocbio = StocBio {
        inner,
        factors: inner,
        y,
        v,
        x,
    };
    let bsa = Bsa {
        inner,
        terms: 3,
        y,
        v,
        x,
    };
    let methods: [&dyn Method<f64>; 14] = [
        &Hoag::new(n),
        &Maid::new(n).tolerance(1e-300),
        &Isgd::new(n, 0.02),
        &Gda::new(60, plain).stage_iterations(20),
        &Outer::new(pbgd, n),
        &Outer::new(f2sa, n),
        &Outer::new(bome, n),
        &Outer::new(aid, n),
        &Outer::new(Soba { step: short, ratio }, n),
        &Outer::new(Saba { step, ratio }, n),
        &Outer::new(fsla, n),
        &Outer::new(amigo, n),
        &Outer::new(stocbio, n),
        &Outer::new(bsa, n).bounds(-2.0, 2.0),
    ];
    for method in methods {
        let (made, remarks) = iterations(method);
        // HOAG says that a step was taken back: a line, and the list it is returned in.
        assert_eq!(made, 2 * remarks, "{}: allocations", method.name());
        assert!(remarks == 0 || method.name() == "hoag");
    }
    let batches = Sampling::new(1).batches(4, 3);
    let drawn: [&dyn Method<f64>; 6] = [
        &Outer::new(Soba { step: short, ratio }, n).sampling(batches),
        &Outer::new(Saba { step, ratio }, n).sampling(batches.batches(1, 1)),
        &Outer::new(fsla, n).sampling(batches),
        &Outer::new(amigo, n).sampling(batches),
        &Outer::new(stocbio, n).sampling(batches),
        &Outer::new(f2sa, n).sampling(batches),
    ];
    for method in drawn {
        let made = iterations_on(&means(), method);
        assert_eq!(made, (0, 0), "{} on batches: allocations", method.name());
    }
    let adam = Optimiser::Adam { rate: 0.02 };
    let strategies: [(&dyn Strategy<f64>, &dyn Method<f64>); 2] = [
        (
            &Aid::cg(),
            &Descent::new(Aid::cg(), adam, n).warm_start(true),
        ),
        (&Itd::reverse(5), &Descent::new(Itd::reverse(5), adam, n)),
    ];
    // What a strategy returns is its own: descent adds nothing.
    for (strategy, descent) in strategies {
        let own = 10 * estimates(strategy);
        assert_eq!(iterations(descent), (own, 0), "{}", descent.name());
    }
}
