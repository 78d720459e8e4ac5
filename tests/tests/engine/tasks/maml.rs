//! The learned start of networks on sines, beside training written by hand.

use models::{Sines, maml};
use nalgebra::DVector;
use solvers::{Itd, Strategy};

const SINES: Sines = Sines {
    tasks: 2,
    shots: 3,
    hidden: 2,
};

#[test]
fn the_hypergradient_is_that_of_the_steps_from_the_start() {
    let task = maml::<f64>(SINES, 4);
    let (problem, d) = (&task.bilevel, SINES.parameters());
    assert_eq!((problem.dim_x(), problem.dim_y()), (d, 2 * d));
    let (depth, length) = (3, 0.05);
    // F after three gradient steps from (x, x), each of a central difference of g.
    let by_hand = |x: &DVector<f64>| {
        let (mut g, mut f) = (problem.lower().point(), problem.upper().point());
        let mut y = DVector::from_fn(2 * d, |i, _| x[i % d]);
        for _ in 0..depth {
            let slope = DVector::from_fn(2 * d, |i, _| {
                let mut at = |by: f64| {
                    let mut y = y.clone();
                    y[i] += by;
                    g.value(&[x.as_slice(), y.as_slice()])
                };
                (8.0 * (at(1e-3) - at(-1e-3)) - (at(2e-3) - at(-2e-3))) / 12e-3
            });
            y -= slope * length;
        }
        (f.value(&[x.as_slice(), y.as_slice()]), y)
    };
    let itd = Itd::reverse(depth).step(length);
    let estimate = itd
        .hypergradient(problem, &task.x, &mut problem.workspace())
        .expect("it suits");
    let (value, y) = by_hand(&task.x);
    assert!(
        (estimate.upper - value).abs() < 1e-8,
        "{} {value}",
        estimate.upper
    );
    assert!((&estimate.y - y).norm() < 1e-8);
    for i in 0..d {
        let at = |by: f64| {
            let mut x = task.x.clone();
            x[i] += by;
            by_hand(&x).0
        };
        let difference = (at(1e-4) - at(-1e-4)) / 2e-4;
        let h = estimate.hypergradient[i];
        assert!(
            (h - difference).abs() < 1e-5 * (1.0 + h.abs()),
            "{i}: {h} {difference}"
        );
    }
}

#[test]
fn the_objectives_are_mean_squared_errors_of_a_network_of_tanh() {
    // With all parameters 0 but the last bias c the network is c, and each task's error is the mean of
    // (c − value)², a parabola in c with the leading coefficient 1 for each task.
    let task = maml::<f64>(SINES, 7);
    let d = SINES.parameters();
    let at = |c: f64| {
        let y = DVector::from_fn(2 * d, |i, _| if i % d == d - 1 { c } else { 0.0 });
        let at = [task.x.as_slice(), y.as_slice()];
        let levels = [task.bilevel.lower(), task.bilevel.upper()];
        levels.map(|level| level.point().value(&at))
    };
    let second = |k: usize| (at(1.0)[k] + at(-1.0)[k] - 2.0 * at(0.0)[k]) / 2.0;
    assert!((second(0) - 2.0).abs() < 1e-12, "a sum over tasks");
    assert!((second(1) - 1.0).abs() < 1e-12, "a mean over tasks");
    // tanh of the first hidden unit through the second layer's into the output.
    let y = DVector::from_fn(2 * d, |i, _| match i % d {
        2 => 0.4,  // the first hidden bias, as 2 inputs weights stand before it
        4 => 0.7,  // the weight of unit 0 in unit 0 of the second layer
        10 => 1.3, // its weight in the output
        _ => 0.0,
    });
    let f = 1.3 * (0.7 * 0.4f64.tanh()).tanh();
    let at_y = [task.x.as_slice(), y.as_slice()];
    let found = task.bilevel.lower().point().value(&at_y);
    assert!((found - at(f)[0]).abs() < 1e-12, "{found}");
}
