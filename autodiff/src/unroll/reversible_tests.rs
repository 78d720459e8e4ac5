use proptest::prelude::*;

use super::*;
use crate::unroll::Step;
use crate::var::Var;

/// A force that is neither linear nor the same at every iteration.
fn step<T: Real>(decay: f64, dim_y: usize, scale: f64) -> Step<T> {
    let coefficients = move |k: usize, c: &mut [T]| {
        c[0] = T::of(scale / (1.0 + 0.01 * k as f64).sqrt());
    };
    Step::momentum_scheduled(
        2,
        dim_y,
        decay,
        1,
        coefficients,
        |x: Var<'_, T>, y: Var<'_, T>, c: Var<'_, T>| {
            (y * x.at(0) - x.at(1)).sin() * c.at(0) - y * T::of(0.01)
        },
    )
}

/// Every state on the way back is that on the way forward, and nothing is left in the store.
fn retraces<T: Real>(decay: f64, depth: usize, x: [f64; 2], scale: f64) {
    let meter = Meter::new();
    let dim_y = 3;
    let mut driver = Driver::new(step::<T>(decay, dim_y, scale), &meter);
    let start: Vec<T> = (0..2 * dim_y)
        .map(|i| T::of((7.3 * i as f64).sin()))
        .collect();
    driver.start(&x.map(T::of), &start);
    let mut loop_ = Reversible::<T>::new(&meter);
    let ratio = Decay::of::<T>(decay).expect("a ratio");
    // `stop` sees each state that a step starts from, as it is shown.
    let mut seen = Vec::new();
    loop_.forward(&mut driver, depth, ratio, &mut |_, state| {
        seen.push(state.to_vec());
        false
    });
    assert_eq!(loop_.trouble(), None, "decay {decay}");
    assert_eq!(seen.len(), depth);
    let end = (loop_.y.clone(), loop_.v.clone());
    for k in (0..depth).rev() {
        loop_.retreat(&mut driver, k);
        loop_.show(&mut driver);
        assert!(driver.state() == &seen[k][..], "decay {decay}, step {k}");
    }
    assert!(loop_.lost.is_empty());
    let all = loop_.hash();
    for i in 0..dim_y {
        loop_.y[i] ^= 1;
        assert_ne!(loop_.hash(), all);
        loop_.y[i] ^= 1;
    }
    assert_eq!(loop_.hash(), loop_.fingerprint);
    for k in 0..depth {
        loop_.show(&mut driver);
        assert!(loop_.advance(&mut driver, k));
    }
    assert_eq!((loop_.y, loop_.v), end);
}

#[test]
fn ten_thousand_steps_are_retraced_to_the_bit() {
    for decay in [0.9, 0.99, 0.5, 0.1, 0.9999, 1.0 / 3.0, 0.0001] {
        retraces::<f64>(decay, 10_000, [1.3, 0.4], 0.1);
        retraces::<f32>(decay, 10_000, [1.3, 0.4], 0.1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_decay_and_force_is_retraced(
        n in 1..=200u32, more in 0..=200u32,
        x in (-5.0..5.0f64, -5.0..5.0f64),
        scale in 1e-6..2.0f64,
        depth in 1..300usize,
    ) {
        let decay = f64::from(n) / f64::from(n + more);
        retraces::<f64>(decay, depth, x.into(), scale);
        retraces::<f32>(decay, depth, x.into(), scale);
    }
}

/// Numbers that a step gives at its first evaluations and not later on.
#[test]
fn a_step_that_changes_its_mind_is_found_out() {
    let meter = Meter::new();
    let calls = std::sync::atomic::AtomicUsize::new(0);
    let fickle = move |_: usize, c: &mut [f64]| {
        let call = calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        c[0] = if call < 20 { 0.1 } else { 0.2 };
    };
    let step = Step::momentum_scheduled(1, 1, 0.9, 1, fickle, |x, y, c| (x - y) * c);
    let mut driver = Driver::new(step, &meter);
    driver.start(&[1.0], &[0.0, 0.0]);
    let mut loop_ = Reversible::new(&meter);
    let ratio = Decay::of::<f64>(0.9).expect("a ratio");
    loop_.forward(&mut driver, 20, ratio, &mut |_, _| false);
    let end = driver.state().to_vec();
    driver.set_cotangent(&[1.0, 0.0]);
    loop_.reverse(&mut driver);
    assert_eq!(loop_.trouble(), Some(Irreversible::Strayed));
    assert!(driver.cotangents().0[0].is_nan());
    assert_eq!(driver.state(), end);
}
