//! What is not finite is located: the operation, its line, and the step of an unrolled loop.

use autodiff::unroll::{Memory, Step, Unrolled};
use autodiff::{Meter, Program, Quantity, Shape, Var, objective};
use nalgebra::{DVector, dvector};
use solvers::{Aid, Bda, Bilevel, InnerStep, Itd, LowerSolve, Status, StepLength, Strategy};

/// Where a strategy says that something is not finite.
#[track_caller]
fn place(bilevel: &Bilevel<f64>, x: f64, strategy: &dyn Strategy<f64>) -> String {
    let mut work = bilevel.workspace();
    let estimate = strategy
        .hypergradient(bilevel, &dvector![x], &mut work)
        .expect("valid settings");
    match estimate.status {
        Status::NonFinite { place } => place,
        other => panic!("{other:?} of {strategy:?}: expected what is not finite"),
    }
}

#[track_caller]
fn names(place: &str, parts: &[&str], line: u32) {
    let site = format!("{}:{line}:", file!());
    for part in parts.iter().chain([&site.as_str()]) {
        assert!(place.contains(part), "`{part}` is not in: {place}");
    }
}

#[test]
fn values_gradients_and_products_are_told_apart() {
    let at = |f: fn(Var<'_, f64>) -> Var<'_, f64>, a: f64| {
        let program = Program::<f64>::record(&[Shape::vector(2)], |v| f(v[0]).sum());
        program.find_non_finite(&[&[1.0, a]], &[Some(&[0.5, 1.0])])
    };
    let line = line!() + 1;
    let found = at(|a| a.exp(), 1e3).expect("overflow");
    assert_eq!((found.operation.as_str(), found.entry), ("exp", 1));
    assert_eq!(
        (found.quantity, found.value),
        (Quantity::Value, f64::INFINITY)
    );
    let site = found.site.location().expect("a line of Rust");
    assert_eq!((site.file(), site.line()), (file!(), line));

    // √0 is finite; its derivative is not. The operand has other uses, before and after.
    let found = at(|a| a.exp() + a.sqrt() + a.sin(), 0.0).expect("an infinite derivative");
    assert_eq!((found.operation.as_str(), found.entry), ("sqrt", 1));
    assert_eq!(found.quantity, Quantity::Adjoint);

    // So is the derivative of a^1.5 at 0, but not the second one.
    let found = at(|a| a.exp() + a.powf(1.5) + a.sin(), 0.0).expect("an infinite curvature");
    assert_eq!((found.operation.as_str(), found.entry), ("powf", 1));
    assert_eq!(found.quantity, Quantity::AdjointTangent);

    // An overflow on the way forward, of a tangent: f′ v = 1e200 · 1e200.
    let program = Program::<f64>::record(&[Shape::SCALAR], |v| (v[0] * 1e200).sin().square());
    let found = program.find_non_finite(&[&[1.0]], &[Some(&[1e200])]);
    let found = found.expect("overflow");
    assert_eq!(
        (found.operation.as_str(), found.quantity),
        ("mul", Quantity::Tangent)
    );

    assert_eq!(at(|a| a.exp() + a.sqrt() + a.powf(1.5), 0.5), None);
}

#[test]
fn objectives_are_named_with_the_users_line() {
    let square = || objective(|x: Var, y: Var| 0.5 * (y - x).norm_squared());
    // A value of F, a gradient of F, a product of g.
    let line = line!() + 1;
    let upper = objective(|x: Var, y: Var| (y * 1e3).exp().sum() + x.sum());
    let value = Bilevel::new(upper, square(), 1, 1).expect("valid");
    names(
        &place(&value, 2.0, &Aid::cg()),
        &["objective F", "inf", "`exp`"],
        line,
    );

    let line = line!() + 1;
    let upper = objective(|x: Var, y: Var| y.sin().sum() + (x - 2.0).sqrt().sum());
    let gradient = Bilevel::new(upper, square(), 1, 1).expect("valid");
    names(
        &place(&gradient, 2.0, &Aid::cg()),
        &["objective F", "derivative through `sqrt`"],
        line,
    );
    names(
        &place(&gradient, 2.0, &Itd::reverse(5).step(0.5)),
        &["objective F", "`sqrt`"],
        line,
    );

    let line = line!() + 1;
    let lower = objective(|x: Var, y: Var| y.powf(1.5).sum() + (y.square() * x.exp()).sum());
    let upper = objective(|_: Var, y: Var| 0.5 * (y - 1.0).norm_squared());
    let product = Bilevel::new(upper, lower, 1, 1).expect("valid");
    for strategy in [&Aid::cg() as &dyn Strategy<f64>, &Aid::direct()] {
        let found = place(&product, 0.0, strategy);
        names(
            &found,
            &["objective g", "second derivative through `powf`"],
            line,
        );
    }
}

/// A lower level that overflows in a known step: y ← −9 y from 1 by steps of 10 on ½y².
fn growing() -> (Bilevel<f64>, u32) {
    let line = line!() + 1;
    let lower = objective(|x: Var, y: Var| 0.5 * y.dot(y) + x.dot((y.square() * 1e-3).exp()));
    let upper = objective(|x: Var, y: Var| 0.5 * (y - 1.0).norm_squared() + x.sum());
    let bilevel = Bilevel::new(upper, lower, 1, 1).expect("valid");
    (bilevel.starting_from(dvector![1.0]), line)
}

/// The step in which the states of [`growing`], at x = 0 and with this length, leave what `exp`
/// can take.
fn overflowing_step(length: f64) -> usize {
    let mut y = 1.0f64;
    for step in 0.. {
        // exp(y²/1000) overflows: the step that evaluates it there is this one.
        if (y * y * 1e-3).exp().is_infinite() {
            return step;
        }
        y -= length * y;
    }
    unreachable!()
}

#[test]
fn the_step_of_an_unrolled_loop_is_named() {
    let (bilevel, line) = growing();
    let step = overflowing_step(10.0);
    let text = format!("in step {step} of the loop");
    assert!(step > 1);
    let gradient = Itd::reverse(30).step(10.0);
    for memory in [
        "taped",
        "stored",
        "checkpointed:2",
        "online:2",
        "truncated:3",
        "forward",
    ] {
        let itd = gradient.clone().memory(memory.parse().expect("a policy"));
        names(&place(&bilevel, 0.0, &itd), &[&text, "`exp`"], line);
    }
    // With β = 0 momentum is the same steps.
    let momentum = gradient.inner(InnerStep::Momentum(0.0));
    names(&place(&bilevel, 0.0, &momentum), &[&text, "`exp`"], line);
    let aid = Aid::cg().lower(LowerSolve::Steps {
        depth: 30,
        inner: InnerStep::GradientDescent,
        length: StepLength::Fixed(10.0),
    });
    names(&place(&bilevel, 0.0, &aid), &[&text, "`exp`"], line);
    let bda = Bda::new(30).steps(1e-9, 20.0);
    let found = place(&bilevel, 0.0, &bda);
    names(&found, &["of the loop", "`exp`"], line);
}

#[test]
fn a_derivative_inside_a_step_is_located_on_the_way_back() {
    // From y = 1, one step of ½ leads to y = 0 exactly, where g is not bent finitely: its gradient
    // there is finite, and the pass back through the second step is not.
    let line = line!() + 1;
    let lower = objective(|x: Var, y: Var| y.dot(y) + (y * 0.0).powf(1.5).sum() + x.dot(y) * 0.0);
    let upper = objective(|x: Var, y: Var| 0.5 * (y - 1.0).norm_squared() + x.sum());
    let bilevel = Bilevel::new(upper, lower, 1, 1).expect("valid");
    let bilevel = bilevel.starting_from(dvector![1.0]);
    for itd in ["taped", "stored", "checkpointed:1", "online:1"] {
        let itd = Itd::reverse(3)
            .step(0.5)
            .memory(itd.parse().expect("a policy"));
        let found = place(&bilevel, 1.0, &itd);
        names(
            &found,
            &[
                "in step 2 of the loop",
                "on the way back",
                "second derivative through `powf`",
            ],
            line,
        );
    }
}

#[test]
fn an_operation_of_the_step_itself_is_located() {
    // The square root's operand reaches 0 in step 2: its derivative there is infinite.
    let line = line!() + 1;
    let step = Step::<f64>::new(1, 1, |x, y, _| y.sqrt() * 0.0 + y - x);
    let mut unrolled = Unrolled::new(step, &Meter::new());
    for memory in [
        Memory::Taped,
        Memory::Stored,
        Memory::Checkpointed { slots: 2 },
    ] {
        let found = unrolled
            .find_non_finite(&[1.0], &[2.0], 3, memory, &[1.0])
            .expect("√0");
        assert_eq!((found.step, found.back), (2, true), "{memory}");
        let at = found.at.expect("an operation");
        assert_eq!(
            (at.operation.as_str(), at.site.location().map(|l| l.line())),
            ("sqrt", Some(line)),
            "{memory}"
        );
        // And √−1 in step 3, on the way forward.
        let found = unrolled
            .find_non_finite(&[1.0], &[2.0], 6, memory, &[1.0])
            .expect("√−1");
        assert_eq!((found.step, found.back), (3, false), "{memory}");
        assert_eq!(
            unrolled.find_non_finite(&[1.0], &[9.0], 3, memory, &[1.0]),
            None
        );
    }
}

/// Far from the end of the loop, and in a block of columns that is not the first.
#[test]
fn the_step_of_a_derivative_is_found_in_either_mode() {
    let step = |bad: usize| {
        let coefficients = move |k: usize, c: &mut [f64]| c[0] = f64::from(k != bad);
        Step::scheduled(20, 4, 1, coefficients, |x, y, c| {
            y * 0.5 + (x.slice(16, 4) * c.at(0)).sqrt()
        })
    };
    let (start, cotangent) = ([1.0; 4], [1.0; 4]);
    // The derivative of √(0·x) by x, in one step of ten.
    for bad in [0, 3, 8, 9] {
        let mut unrolled = Unrolled::new(step(bad), &Meter::new());
        for memory in [Memory::Stored, Memory::Taped] {
            let found = unrolled
                .find_non_finite(&[1.0; 20], &start, 10, memory, &cotangent)
                .expect("√0");
            assert_eq!((found.step, found.back), (bad, true), "{memory}");
            let at = found.at.as_ref().expect("an operation");
            assert_eq!(at.operation, "sqrt", "{memory}");
            let said = format!("in step {bad} of the loop (counted from 0), on the way back: ");
            assert!(found.to_string().starts_with(&said), "{found}");
        }
    }
    // 1e200 · 1e200 x overflows in the derivative by the one entry which is 0, and in no other.
    for large in 0..4 {
        let weights: [f64; 4] = std::array::from_fn(|i| if i == large { 1e200 } else { 1.0 });
        let step = Step::<f64>::new(20, 4, |x, y, _| {
            let weights = x.vector(&weights);
            y * 0.5 + x.gather(&[17, 18, 19, 16]) * weights * weights
        });
        let mut unrolled = Unrolled::new(step, &Meter::new());
        let found = unrolled
            .find_non_finite(&[0.0; 20], &start, 10, Memory::Forward, &cotangent)
            .expect("an overflow");
        assert_eq!((found.step, found.back), (0, false), "{large}");
        let at = found.at.expect("an operation");
        let what = (at.operation.as_str(), at.quantity, at.entry);
        assert_eq!(what, ("mul", Quantity::Tangent, large));
        // The same of the state, which is moved by x from the second step on.
        let step = Step::<f64>::new(20, 4, |x, y, _| {
            let weights = x.vector(&weights);
            y * weights * weights + x.gather(&[17, 18, 19, 16])
        });
        let mut unrolled = Unrolled::new(step, &Meter::new());
        let found = unrolled
            .find_non_finite(&[0.0; 20], &[0.0; 4], 10, Memory::Forward, &cotangent)
            .expect("an overflow");
        assert_eq!((found.step, found.back), (1, false), "{large}");
        let at = found.at.expect("an operation");
        let what = (at.operation.as_str(), at.quantity, at.entry);
        assert_eq!(what, ("mul", Quantity::Tangent, large));
    }
}

#[test]
fn nothing_is_looked_for_while_everything_is_finite() {
    let (bilevel, _) = growing();
    let depth = 7;
    let mut work = bilevel.workspace();
    let itd = Itd::reverse(depth).step(0.5);
    let x: DVector<f64> = dvector![0.0];
    let estimate = itd.hypergradient(&bilevel, &x, &mut work).expect("valid");
    assert!(estimate.status.is_success(), "{estimate}");
    assert_eq!(estimate.oracles, work.oracles());
    // And the look at the end of a loop of few entries.
    assert_eq!(estimate.oracles.lower.gradients, 2 * depth + 2 + 2);
    assert_eq!(estimate.bytes.peak, itd.predicted_peak_bytes(&bilevel));
}
