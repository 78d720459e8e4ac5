//! Errors that were read in official codes of methods, each in a broken copy of ours: a law that ours
//! obeys tells the two apart.

use autodiff::Inputs;
use autodiff::bytes::Buffer;
use models::closed_form;
use solvers::sampling::Sampling;
use solvers::{
    Batches, Begun, Estimator, F2sa, Keep, Ledger, Method, Outer, Rule, Schedule, Series, Soba,
    State, StocBio, Sustain, keeping,
};

use super::{exact, noisy, run};

/// What is wrong in a copy.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Flaw {
    Sound,
    /// SPABA: the coin is drawn while the loop is compiled, once for all steps.
    OneCoin,
    /// SRMBA: from one epoch of 16 steps to the next, x of the step before takes the place of x.
    OldOuter,
    /// SUSTAIN: the place before the first is 0, and so is the direction there.
    ZeroMemory,
    /// MRBO: the place before is the same array as the place.
    Aliased,
}

/// SOBA's directions by STORM, or by PAGE of chance ½ where the weight is 0, with plain steps of 0.1;
/// of dimension 1.
#[derive(Clone, Copy, Debug)]
struct Copied {
    weight: f64,
    flaw: Flaw,
}

struct Memory {
    /// x, y, v of the step before.
    last: Buffer<f64>,
    /// The directions of y, v and x.
    d: Buffer<f64>,
    /// A generator of coins: enough for a test.
    coins: u64,
}

impl Keep for Memory {
    fn visit(&mut self, ledger: &mut Ledger) {
        ledger.entries("the last place", &mut self.last);
        ledger.entries("the last directions", &mut self.d);
        ledger.word("the coins", &mut self.coins);
    }
}

/// D(x, y, v) by the batches that were drawn last.
fn directions(b: &mut Batches<f64>, [x, y, v]: [f64; 3]) -> [f64; 3] {
    let (upper, lower) = (b.upper.again(), b.lower.again());
    upper.differentiate(&[&[x], &[y]], Inputs::ALL);
    lower.linearise_along(&[&[x], &[y]], &[None, Some(&[v])]);
    [
        lower.gradient(1)[0],
        lower.product(1)[0] + upper.gradient(1)[0],
        lower.product(0)[0] + upper.gradient(0)[0],
    ]
}

impl Rule<f64> for Copied {
    const NAME: &'static str = "copied";

    fn begin<'p>(&self, s: &mut State<'p, f64>) -> Begun<'p, f64> {
        let batches = Batches::new(s)?;
        let memory = Memory {
            last: batches.buffer(3),
            d: batches.buffer(3),
            coins: 88172645463325252,
        };
        let Copied { weight, flaw } = *self;
        Ok(keeping(batches, memory, move |s, b, memory| {
            let t = s.iteration();
            if flaw == Flaw::OldOuter && t > 0 && t % 16 == 0 {
                s.x[0] = memory.last[0];
            }
            let at = [s.x[0], s.y[0], b.v[0]];
            if t == 0 || flaw != Flaw::OneCoin {
                for shift in [13, -7, 17] {
                    let coins = memory.coins;
                    memory.coins ^= if shift > 0 {
                        coins << shift
                    } else {
                        coins >> -shift
                    };
                }
            }
            let whole = weight == 0.0 && (memory.coins >> 40 & 1 == 1 || t == 0);
            if whole {
                b.upper.whole();
                b.lower.whole();
            } else {
                b.upper.draw();
                b.lower.draw();
            }
            let now = directions(b, at);
            let first = t == 0 && flaw != Flaw::ZeroMemory;
            if whole || first {
                memory.d.copy_from_slice(&now);
            } else {
                let last = [memory.last[0], memory.last[1], memory.last[2]];
                let then = directions(b, if flaw == Flaw::Aliased { at } else { last });
                for i in 0..3 {
                    let correction = match flaw {
                        // d = η D(z) + (1 − η)(d + D(z) − D(z)).
                        Flaw::Aliased => weight * now[i] + (1.0 - weight) * memory.d[i],
                        _ => now[i] + (1.0 - weight) * (memory.d[i] - then[i]),
                    };
                    memory.d[i] = correction;
                }
            }
            memory.last.copy_from_slice(&at);
            b.direction[0] = memory.d[2];
            s.y[0] -= 0.1 * memory.d[0];
            b.v[0] -= 0.1 * memory.d[1];
            s.x[0] -= 0.1 * memory.d[2];
        }))
    }
}

fn copied(weight: f64, flaw: Flaw, steps: usize) -> Outer<Copied> {
    Outer::new(Copied { weight, flaw }, steps).sampling(Sampling::new(3))
}

fn ours(estimator: Estimator, steps: usize) -> Outer<Soba> {
    Outer::new(Soba::new(estimator, Schedule::Constant(0.1), 1.0), steps).sampling(Sampling::new(3))
}

fn storm(weight: f64) -> Estimator {
    let weight = Schedule::Constant(weight);
    Estimator::Storm {
        x: weight,
        y: weight,
        v: weight,
    }
}

/// Of 400 steps at a chance of ½, about half look at all samples: five deviations.
fn tosses_a_coin_in_each_step(method: &dyn Method<f64>) -> bool {
    let (reports, ..) = run(method, &noisy(), &[2.0]);
    let steps = reports.len();
    // A step at both places takes two gradients.
    let both = reports.last().unwrap().oracles.upper.gradients - steps;
    (both as f64 - 0.5 * steps as f64).abs() < 2.5 * (steps as f64).sqrt()
}

#[test]
fn the_coin_of_spaba_that_is_drawn_once_is_told_apart() {
    let page = Estimator::Page { chance: 0.5 };
    assert!(tosses_a_coin_in_each_step(&ours(page, 400)));
    assert!(tosses_a_coin_in_each_step(&copied(0.0, Flaw::Sound, 400)));
    assert!(!tosses_a_coin_in_each_step(&copied(
        0.0,
        Flaw::OneCoin,
        400
    )));
}

/// Every step takes x as far as its direction says, from where the last step left it.
fn moves_along_its_direction(method: &dyn Method<f64>) -> bool {
    let problem = noisy();
    let mut run = method
        .begin(&problem, nalgebra::dvector![2.0])
        .expect("valid");
    let mut x = run.x()[0];
    let mut along = true;
    while let Some(progress) = run.step() {
        let moved = (run.x()[0] - x).abs();
        along &= (moved - 0.1 * progress.hypergradient_norm).abs() < 1e-14;
        x = run.x()[0];
    }
    along
}

#[test]
fn the_old_outer_variable_of_srmba_is_told_apart() {
    assert!(moves_along_its_direction(&ours(storm(0.3), 60)));
    assert!(moves_along_its_direction(&copied(0.3, Flaw::Sound, 60)));
    assert!(!moves_along_its_direction(&copied(0.3, Flaw::OldOuter, 60)));
}

/// On whole objectives there is nothing that a memory of this weight could add: one that keeps
/// nothing takes the same steps.
fn memory_changes_nothing<R: Rule<f64> + Clone + 'static>(rule: impl Fn(f64) -> R) -> bool {
    (1..=20).all(|steps| {
        let end = |weight| {
            let method = Outer::new(rule(weight), steps).sampling(Sampling::whole());
            run(&method, &noisy(), &[2.0]).1[0]
        };
        (end(0.3) - end(1.0)).abs() < 1e-13
    })
}

fn sustain(cut: bool) -> impl Fn(f64) -> Sustain {
    move |weight| Sustain {
        series: Series {
            // One term has nothing to cut.
            terms: if cut { 1 } else { 5 },
            step: 0.5,
            cut,
        },
        weight: Schedule::Constant(weight),
        y: 0.1.into(),
        x: 0.1.into(),
    }
}

#[test]
fn the_zero_memory_of_sustain_is_told_apart() {
    let copy = |flaw| move |weight| Copied { weight, flaw };
    assert!(memory_changes_nothing(sustain(true)));
    assert!(memory_changes_nothing(|weight| {
        Soba::new(storm(weight), Schedule::Constant(0.1), 1.0)
    }));
    assert!(memory_changes_nothing(copy(Flaw::Sound)));
    assert!(!memory_changes_nothing(copy(Flaw::ZeroMemory)));
}

#[test]
fn the_aliased_old_place_of_mrbo_is_told_apart() {
    let copy = |flaw| move |weight| Copied { weight, flaw };
    assert!(memory_changes_nothing(sustain(false)));
    assert!(!memory_changes_nothing(copy(Flaw::Aliased)));
}

/// F2SA of penalty 2 with ten steps on z and y, and the same whose y follows g's gradient at z.
#[derive(Clone, Copy, Debug)]
struct CopiedF2sa {
    at_z: bool,
}

impl Rule<f64> for CopiedF2sa {
    const NAME: &'static str = "copied-f2sa";

    fn begin<'p>(&self, s: &mut State<'p, f64>) -> Begun<'p, f64> {
        let at_z = self.at_z;
        Ok(keeping(Batches::new(s)?, (), move |s, b, ()| {
            let x = [s.x[0]];
            for _ in 0..10 {
                let lower = b.lower.draw();
                lower.differentiate(&[&x, &b.v], Inputs::ALL);
                let of_z = lower.gradient(1)[0];
                lower.differentiate(&[&x, s.y.as_slice()], Inputs::ALL);
                let of_y = if at_z { of_z } else { lower.gradient(1)[0] };
                let upper = b.upper.draw();
                upper.differentiate(&[&x, s.y.as_slice()], Inputs::ALL);
                s.y[0] -= 0.8 / 3.0 * (upper.gradient(1)[0] + 2.0 * of_y);
                b.v[0] -= 0.8 * of_z;
            }
            let (upper, lower) = (b.upper.draw(), b.lower.draw());
            upper.differentiate(&[&x, s.y.as_slice()], Inputs::ALL);
            b.direction[0] = upper.gradient(0)[0];
            for (sign, y) in [(2.0, s.y.as_slice()), (-2.0, &b.v)] {
                lower.differentiate(&[&x, y], Inputs::ALL);
                b.direction[0] += sign * lower.gradient(0)[0];
            }
            s.x[0] -= 0.2 * b.direction[0];
        }))
    }
}

/// A penalty of 2 ends at x = 2/5, with the bias that it has.
fn has_the_bias_of_its_penalty(method: &dyn Method<f64>) -> bool {
    let problem = closed_form::penalty_bias().bilevel;
    let mut run = method
        .begin(&problem, nalgebra::dvector![0.0])
        .expect("valid");
    run.finish();
    (run.x()[0] - 0.4).abs() < 1e-9
}

#[test]
fn the_gradient_at_z_in_the_f2sa_beside_f2ba_is_told_apart() {
    let ours = F2sa {
        order: 1,
        penalty: 2.0,
        growth: 0.0,
        inner: 10,
        y: 0.8.into(),
        x: 0.2.into(),
        acceleration: None,
    };
    assert!(has_the_bias_of_its_penalty(&Outer::new(ours, 600)));
    let copy = |at_z| Outer::new(CopiedF2sa { at_z }, 600);
    assert!(has_the_bias_of_its_penalty(&copy(false)));
    assert!(!has_the_bias_of_its_penalty(&copy(true)));
}

/// stocBiO on a lower level of curvature 1, with a Neumann sum that is scaled by its step or is not.
#[derive(Clone, Copy, Debug)]
struct CopiedStocBio {
    scaled: bool,
}

impl Rule<f64> for CopiedStocBio {
    const NAME: &'static str = "copied-stocbio";

    fn begin<'p>(&self, s: &mut State<'p, f64>) -> Begun<'p, f64> {
        let scaled = self.scaled;
        Ok(keeping(Batches::new(s)?, (), move |s, b, ()| {
            let spare: f64 = b.lower_gradient(s)[0];
            s.y[0] -= 0.5 * spare;
            let (mut in_x, mut in_y) = ([0.0], [0.0]);
            b.upper_gradients(s, &mut in_x, &mut in_y);
            let mut sum = in_y[0];
            b.v[0] = in_y[0];
            for _ in 0..60 {
                let product = b.hessian_product(s)[0];
                b.v[0] -= 0.5 * product;
                sum += b.v[0];
            }
            b.v[0] = if scaled { 0.5 * sum } else { sum };
            b.direction[0] = in_x[0] - b.cross_product(s)[0];
            s.x[0] -= 0.1 * b.direction[0];
        }))
    }
}

#[test]
fn the_neumann_sum_without_its_step_beside_f2ba_is_told_apart() {
    let solves = |method: &dyn Method<f64>| {
        let (_, x, _) = run(method, &exact(), &[2.0]);
        (x[0] - 0.5).abs() < 1e-9
    };
    let ours = StocBio {
        inner: 1,
        factors: 60,
        y: 0.5.into(),
        v: 0.5,
        x: 0.1.into(),
    };
    let copy = |scaled| Outer::new(CopiedStocBio { scaled }, 600);
    assert!(solves(&Outer::new(ours, 600)));
    assert!(solves(&copy(true)));
    assert!(!solves(&copy(false)));
}
