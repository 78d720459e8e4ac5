//! Iterations of methods allocate nothing.

use autodiff::{Batch, Table, Var, batched, objective};
use nalgebra::{DMatrix, DVector};
use solvers::sampling::Sampling;
use solvers::{
    Acceleration, Aid, Amigo, Bilevel, Bome, Bsa, Constants, Descent, Estimator, F2sa, Gda, Hoag,
    Iaptt, InnerLoops, Isgd, Itd, Maid, Method, Motion, Optimiser, Outer, Pbgd, PbgdFree, Pzobo,
    Rule, Schedule, Series, SlBamm, Soba, StocBio, StochasticAid, Strategy, Sustain, Tfbo, Vrbo,
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
    let (n, inner) = (60, 2);
    let plain = Optimiser::GradientDescent { rate: 0.02 };
    // What each keeps is of one length, however it moves.
    let (x, y) = (
        Motion::from(Optimiser::Adam { rate: 0.02 }),
        Motion::from(0.1),
    );
    let soba = |estimator| Soba {
        x,
        ..Soba::new(estimator, Schedule::Constant(0.02), 2.0)
    };
    let constant = Schedule::Constant(0.5);
    let storm = Estimator::Storm {
        x: constant,
        y: constant,
        v: constant,
    };
    let averaged = Soba {
        averaging: 0.5,
        ..soba(Estimator::Plain)
    };
    let pbgd = Pbgd {
        first: 1.0,
        last: 2.0,
        ramp: 5,
        inner,
        u: y,
        y,
        x,
    };
    let pbgd_free = PbgdFree { penalty: 4.0, y, x };
    let f2sa = F2sa {
        order: 3,
        penalty: 20.0,
        growth: 0.1,
        inner,
        y,
        x,
        acceleration: None,
    };
    let accf2ba = F2sa {
        order: 1,
        growth: 0.0,
        acceleration: Some(Acceleration::default()),
        ..f2sa
    };
    let bome = Bome {
        inner,
        inner_step: 0.1,
        fall: 0.5,
        y,
        x,
    };
    let sl_bamm = SlBamm {
        aggregation: Schedule::InverseRoot { a: 0.5 },
        y,
        x,
    };
    let aid = StochasticAid {
        inner,
        x,
        y,
        z: 0.5,
        averaging: 0.5,
    };
    let amigo = Amigo {
        inner,
        linear: inner,
        y,
        v: y,
        x,
    };
    let stocbio = StocBio {
        inner,
        factors: inner,
        y,
        v: 0.5,
        x,
    };
    let bsa = Bsa {
        inner,
        terms: 3,
        y,
        v: 0.5,
        x,
    };
    let sustain = |cut| Sustain {
        series: Series {
            terms: 3,
            step: 0.5,
            cut,
        },
        weight: constant,
        y,
        x,
    };
    let vrbo = Vrbo {
        period: 3,
        inner,
        series: sustain(false).series,
        y,
        x,
    };
    let pzobo = Pzobo {
        inner,
        directions: 4,
        smoothing: 0.1,
        y: Schedule::Constant(0.1),
        x,
    };
    let tfbo = |inner| Tfbo { start: 1.0, inner };
    let loops = InnerLoops {
        limit: 3,
        tolerance: 1e-3,
    };
    let sarah = Estimator::Sarah { period: 3 };
    let page = Estimator::Page { chance: 0.3 };
    fn rule<R: Rule<f64> + Clone + 'static>(rule: R, n: usize) -> [Box<dyn Method<f64>>; 2] {
        let batches = Sampling::new(1).batches(4, 3);
        let drawn = Outer::new(rule.clone(), n).sampling(batches);
        [Box::new(Outer::new(rule, n)), Box::new(drawn)]
    }
    let rules = [
        rule(pbgd, n),
        rule(pbgd_free, n),
        rule(f2sa, n),
        rule(accf2ba, n),
        rule(bome, n),
        rule(sl_bamm, n),
        rule(aid, n),
        rule(soba(Estimator::Plain), n),
        rule(averaged, n),
        rule(soba(Estimator::Saga), n),
        rule(soba(storm), n),
        rule(soba(sarah), n),
        rule(soba(page), n),
        rule(amigo, n),
        rule(stocbio, n),
        rule(bsa, n),
        rule(sustain(true), n),
        rule(sustain(false), n),
        rule(vrbo, n),
        rule(pzobo, n),
        rule(tfbo(None), n),
        rule(tfbo(Some(loops)), n),
    ];
    for [whole, drawn] in &rules {
        let made = iterations(&**whole);
        assert_eq!(made, (0, 0), "{}: allocations", whole.name());
        let made = iterations_on(&means(), &**drawn);
        assert_eq!(made, (0, 0), "{} on batches: allocations", drawn.name());
    }
    let methods: [&dyn Method<f64>; 5] = [
        &Hoag::new(n),
        &Maid::new(n).tolerance(1e-300),
        &Isgd::new(n, 0.02),
        &Gda::new(60, plain).stage_iterations(20),
        &Outer::new(bsa, n).bounds(-2.0, 2.0),
    ];
    for method in methods {
        let (made, remarks) = iterations(method);
        // HOAG says that a step was taken back: a line, and the list it is returned in.
        assert_eq!(made, 2 * remarks, "{}: allocations", method.name());
        assert!(remarks == 0 || method.name() == "hoag");
    }
    let adam = Optimiser::Adam { rate: 0.02 };
    let strategies: [(&dyn Strategy<f64>, &dyn Method<f64>); 3] = [
        (
            &Aid::cg(),
            &Descent::new(Aid::cg(), adam, n).warm_start(true),
        ),
        (&Itd::reverse(5), &Descent::new(Itd::reverse(5), adam, n)),
        (
            &Itd::reverse(5).step(1.0).pessimistic(),
            &Iaptt::new(Itd::reverse(5).step(1.0), adam, adam, n),
        ),
    ];
    // What a strategy returns is its own: descent adds nothing.
    for (strategy, descent) in strategies {
        let own = 10 * estimates(strategy);
        let (made, remarks) = iterations(descent);
        // That the worst y is no solution is a line, and the lists it is returned in.
        assert_eq!(made, own + 3 * remarks, "{}", descent.name());
        assert!(remarks == 0 || descent.name() == "iaptt");
    }
}
