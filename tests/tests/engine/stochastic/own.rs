//! A user's own optimiser, method and set of x are as first-class as those of the crate.

use autodiff::bytes::{Buffer, Category};
use autodiff::{Inputs, Meter, Var, objective};
use nalgebra::{DVector, dvector};
use solvers::sampling::Sampling;
use solvers::{
    Advance, Aid, Batches, Begun, Bilevel, Constants, Constraint, Descent, Estimator, Gda, Ground,
    Hoag, Isgd, Ledger, Maid, Method, Moving, Optimise, Optimiser, Outer, Project, Rule, Run,
    Schedule, Soba, State, Update,
};

use super::{exact, noisy};

/// Steps along the mean of this direction and the last.
#[derive(Clone, Debug)]
struct Halves {
    rate: f64,
}

struct Last {
    rate: f64,
    last: Buffer<f64>,
}

impl Optimise<f64> for Halves {
    fn begin(&self, dim: usize, meter: &Meter) -> Result<Box<dyn Moving<f64>>, String> {
        if self.rate <= 0.0 {
            return Err(format!("rate {}: expected more", self.rate));
        }
        let last = Buffer::zeros(dim, Category::Solver, meter);
        let rate = self.rate;
        Ok(Box::new(Last { rate, last }))
    }
}

impl Moving<f64> for Last {
    fn step(&mut self, x: &mut [f64], direction: &[f64], factor: f64) {
        for i in 0..x.len() {
            self.last[i] = 0.5 * self.last[i] + 0.5 * direction[i];
            x[i] -= factor * self.rate * self.last[i];
        }
    }

    fn visit(&mut self, ledger: &mut Ledger) {
        ledger.entries("the last direction", &mut self.last);
    }
}

/// What is reported from here on, and where it ends: a float's shortest digits are its bits.
fn rest(run: &mut dyn Run<f64>) -> Vec<String> {
    let mut said = Vec::new();
    while let Some(progress) = run.step() {
        said.push(format!("{progress:?}"));
    }
    said.push(format!("{:?} {:?}", run.x(), run.y()));
    said
}

/// Saves the method after each iteration, and restores it: it goes on bit for bit.
fn survives(method: &dyn Method<f64>) {
    let problem = noisy();
    let begin = || {
        method
            .begin(&problem, dvector![0.0])
            .expect("valid settings")
    };
    let (want, mut run) = (rest(&mut *begin()), begin());
    for k in 0..want.len() {
        let saved = run.save();
        let mut again = begin();
        again.restore(&saved).expect("a state of this method");
        assert_eq!(again.save(), saved, "{} after {k}", method.name());
        assert_eq!(rest(&mut *again), want[k..], "{} after {k}", method.name());
        run.step();
    }
}

fn refusal(method: &dyn Method<f64>, x: DVector<f64>) -> String {
    let problem = exact();
    let refused = method.begin(&problem, x).err().expect("refused");
    refused.to_string()
}

fn peak(method: &dyn Method<f64>) -> usize {
    let problem = exact();
    let mut run = method.begin(&problem, dvector![0.0]).expect("valid");
    run.finish().last.expect("an iteration").peak_bytes
}

#[test]
fn an_optimiser_of_ones_own_moves_is_saved_and_counted_in_every_method() {
    let own = Halves { rate: 0.2 };
    let plain = Optimiser::GradientDescent { rate: 0.2 };
    let isgd = || Isgd::new(30, 0.5).accuracy(Schedule::Constant(1e-6));
    let gda = || -> [Box<dyn Method<f64>>; 2] {
        let (own, plain) = (Gda::new(30, own.clone()), Gda::new(30, plain));
        [
            Box::new(own.steps(0.1, 0.1)),
            Box::new(plain.steps(0.1, 0.1)),
        ]
    };
    let pairs: [[Box<dyn Method<f64>>; 2]; 3] = [
        [
            Box::new(Descent::new(Aid::cg(), own.clone(), 30)),
            Box::new(Descent::new(Aid::cg(), plain, 30)),
        ],
        [
            Box::new(isgd().optimiser(own.clone())),
            Box::new(isgd().optimiser(plain)),
        ],
        gda(),
    ];
    for [own, plain] in &pairs {
        survives(&**own);
        assert_eq!(peak(&**own), peak(&**plain) + 8, "{}", own.name());
        let problem = exact();
        let mut run = own.begin(&problem, dvector![0.0]).expect("valid");
        run.finish();
        // It is the mean of two directions that x follows, towards ½.
        assert!(run.x()[0] > 0.02, "{}: {}", own.name(), run.x());
    }
    let bad = Descent::new(Aid::cg(), Halves { rate: 0.0 }, 3);
    assert_eq!(
        refusal(&bad, dvector![0.0]),
        "aid-cg: rate 0: expected more"
    );
}

/// x follows the mean of all directions so far, y is x.
#[derive(Clone, Debug)]
struct Means {
    rate: f64,
}

struct Mean {
    rate: f64,
    batches: Batches<f64>,
    mean: Buffer<f64>,
    made: usize,
}

impl Rule<f64> for Means {
    const NAME: &'static str = "means";

    fn begin<'p>(&self, s: &mut State<'p, f64>) -> Begun<'p, f64> {
        if self.rate <= 0.0 {
            return Err(format!("rate {}: expected more", self.rate));
        }
        let batches = Batches::new(s)?;
        Ok(Box::new(Mean {
            rate: self.rate,
            mean: batches.buffer(s.x.len()),
            made: 0,
            batches,
        }))
    }
}

impl Update<f64> for Mean {
    fn step(&mut self, s: &mut State<'_, f64>) -> Advance {
        self.made += 1;
        let (mean, share) = (&mut self.mean, 1.0 / self.made as f64);
        let rate = self.rate;
        self.batches.measured(s, |s, b| {
            s.y.copy_from(&s.x);
            let point = b.upper.draw();
            point.differentiate(&[s.x.as_slice(), s.y.as_slice()], Inputs::ALL);
            for i in 0..s.x.len() {
                let d = point.gradient(0)[i] + point.gradient(1)[i];
                mean[i] += share * (d - mean[i]);
                b.direction[i] = mean[i];
                s.x[i] -= rate * mean[i];
            }
        })
    }

    fn ground(&mut self) -> &mut dyn Ground<f64> {
        &mut self.batches
    }

    fn visit(&mut self, ledger: &mut Ledger) {
        ledger.entries("the mean", &mut self.mean);
        ledger.count("the steps in it", &mut self.made);
    }
}

#[test]
fn a_method_of_ones_own_is_saved_counted_and_driven_like_any() {
    let method = |rate| Outer::new(Means { rate }, 24);
    for every in [1, 5] {
        let drawn = method(0.3).sampling(Sampling::new(4)).report_every(every);
        survives(&drawn.clone());
        survives(&drawn.constraint(HalfLine { end: 0.4 }));
    }
    let problem = exact();
    let mut run = method(0.3).begin(&problem, dvector![0.0]).expect("valid");
    let last = run.finish().last.expect("an iteration");
    // Its own gradients, and none of those that measure.
    assert_eq!(last.oracles.upper.gradients, 24);
    assert_eq!(last.oracles.lower.gradients, 0);
    // Two vectors of the batches, two indices of each, and its own.
    let soba = Soba::new(Estimator::Plain, Schedule::Constant(0.1), 1.0);
    assert!(last.peak_bytes < peak(&Outer::new(soba, 24)), "{last:?}");
    assert_eq!(
        refusal(&method(0.0), dvector![0.0]),
        "means: rate 0: expected more"
    );
    let saved = method(0.3)
        .begin(&problem, dvector![0.0])
        .expect("valid")
        .save();
    let mut other = Outer::new(soba, 24)
        .begin(&problem, dvector![0.0])
        .expect("valid");
    let refused = other
        .restore(&saved)
        .expect_err("of another method")
        .to_string();
    assert!(refused.contains("the method's mark"), "{refused}");
    assert!(
        refused.contains("soba") && refused.lines().count() == 1,
        "{refused}"
    );
    // More iterations than this run has.
    let mut run = method(0.3).begin(&problem, dvector![0.0]).expect("valid");
    (0..9).for_each(|_| drop(run.step()));
    let mut short = Outer::new(Means { rate: 0.3 }, 8)
        .begin(&problem, dvector![0.0])
        .expect("valid");
    let refused = short
        .restore(&run.save())
        .expect_err("too many")
        .to_string();
    assert!(refused.contains("expected at most 8"), "{refused}");
}

/// x ≤ end in every entry.
#[derive(Clone, Debug)]
struct HalfLine {
    end: f64,
}

impl Project<f64> for HalfLine {
    fn project(&self, v: &mut [f64]) {
        v.iter_mut()
            .filter(|v| **v > self.end)
            .for_each(|v| *v = self.end);
    }

    fn check(&self, dim: usize) -> Result<(), String> {
        match dim {
            1 => Ok(()),
            n => Err(format!("a half-line for {n} entries: expected 1")),
        }
    }
}

#[test]
fn a_set_of_ones_own_holds_x_in_every_method_as_those_of_the_crate_do() {
    let plain = Optimiser::GradientDescent { rate: 0.4 };
    let soba = || {
        let step = Schedule::Constant(0.3);
        Outer::new(Soba::new(Estimator::Plain, step, 1.0), 40)
    };
    fn both<R: Rule<f64> + Clone + 'static>(of: Outer<R>) -> [Box<dyn Method<f64>>; 2] {
        let ours = Constraint::Box {
            low: f64::NEG_INFINITY,
            high: 0.3,
        };
        let own = HalfLine { end: 0.3 };
        [
            Box::new(of.clone().constraint(own)),
            Box::new(of.constraint(ours)),
        ]
    }
    for [own, ours] in [
        both(Descent::new(Aid::cg(), plain, 40)),
        both(Hoag::new(40)),
        both(Isgd::new(40, 0.4)),
        both(Gda::new(40, plain).steps(0.1, 0.1)),
        both(soba()),
    ] {
        let problem = exact();
        let mut run = own.begin(&problem, dvector![2.0]).expect("valid settings");
        assert_eq!(run.x()[0], 0.3, "{}: where it begins", own.name());
        while run.step().is_some() {
            assert!(run.x()[0] <= 0.3, "{}: {}", own.name(), run.x());
        }
        let of = |method: &dyn Method<f64>| {
            rest(
                &mut *method
                    .begin(&problem, dvector![-1.0])
                    .expect("valid settings"),
            )
        };
        assert_eq!(of(&*own), of(&*ours), "{}", own.name());
    }
    let level = || objective(|x: Var, y: Var| (y - x).norm_squared());
    let wide = Bilevel::new(level(), level(), 2, 2).expect("a problem");
    let held = soba().constraint(HalfLine { end: 0.3 });
    let refused = held.begin(&wide, dvector![0.0, 0.0]);
    let refused = refused.err().expect("refused").to_string();
    assert_eq!(refused, "soba: a half-line for 2 entries: expected 1");
}

#[test]
fn what_a_method_does_not_take_is_refused() {
    let sampling = Sampling::new(1);
    let plain = Optimiser::GradientDescent { rate: 0.4 };
    for (method, word) in [
        (
            Box::new(Hoag::new(3).sampling(sampling)) as Box<dyn Method<f64>>,
            "hoag: a sampling",
        ),
        (
            Box::new(Descent::new(Aid::cg(), plain, 3).sampling(sampling)),
            "aid-cg: a sampling",
        ),
        (
            Box::new(Hoag::new(3).report_every(0)),
            "hoag: 0 iterations a report",
        ),
    ] {
        let said = refusal(&*method, dvector![0.0]);
        assert!(said.starts_with(word), "{said}");
    }
    let constants = exact().with_constants(|_, _| Constants {
        strong_convexity: 1.0,
        smoothness: 1.0,
        hessian_lipschitz: 0.0,
        cross_norm: 1.0,
        cross_lipschitz: 0.0,
        upper_smoothness: 1.0,
        upper_cross: 0.0,
    });
    let held = Maid::new(3)
        .bounds(0.0, 1.0)
        .begin(&constants, dvector![0.0]);
    let said = held.err().expect("refused").to_string();
    assert!(said.starts_with("maid: x is held to a set"), "{said}");
}

/// A report of several iterations says where the first began and the last led.
#[test]
fn any_method_may_report_every_few_iterations() {
    let problem = exact();
    let reports = |every| {
        let hoag = Hoag::new(10).report_every(every);
        let mut run = hoag.begin(&problem, dvector![0.0]).expect("valid");
        let reports: Vec<_> = std::iter::from_fn(|| run.step()).collect();
        assert_eq!(run.iterations(), 10);
        assert_eq!(reports.last().map(|r| r.iteration), Some(10));
        (reports, run.x()[0].to_bits())
    };
    let ((one, x), (four, same)) = (reports(1), reports(4));
    assert_eq!((four.len(), x), (3, same));
    for (k, report) in four.iter().enumerate() {
        let (first, last) = (&one[4 * k], &one[(4 * k + 3).min(9)]);
        assert_eq!(report.upper.to_bits(), first.upper.to_bits());
        assert_eq!(report.hypergradient_norm, last.hypergradient_norm);
        assert_eq!(report.oracles, last.oracles);
    }
}
