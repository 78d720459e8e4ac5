//! The loops that are tested, and what they give.

use std::sync::Arc;

use autodiff::unroll::{Memory, Step, Unrolled};
use autodiff::{Meter, Objective, Program, Real, Var, objective};
use nalgebra::DMatrix;

pub(crate) const DIM: usize = 3;
pub(crate) const DEPTHS: [usize; 7] = [0, 1, 2, 3, 7, 50, 200];

/// Numbers in (−1, 1) that look like noise.
pub(crate) fn noise<T: Real>(len: usize, seed: usize) -> Vec<T> {
    let number = |i: usize| ((i * 12 + seed * 77 + 1) as f64 * 2.399).sin();
    (0..len).map(|i| T::of(number(i))).collect()
}

/// ½‖A y − x‖² + ½ Σ e^{x_j} y_j².
pub(crate) fn quadratic<T: Real>() -> Arc<Program<T>> {
    let a = DMatrix::from_vec(DIM, DIM, noise::<T>(DIM * DIM, 3));
    let half = T::of(0.5);
    objective(move |x: Var<'_, T>, y: Var<'_, T>| {
        ((&a * y - x).norm_squared() + x.exp().dot(y.square())) * half
    })
    .record(DIM, DIM)
}

/// log Σ exp(B y) + ½ Σ e^{x_j} y_j².
pub(crate) fn log_sum_exp<T: Real>() -> Arc<Program<T>> {
    let b = DMatrix::from_vec(5, DIM, noise::<T>(5 * DIM, 8)) * T::of(2.0);
    let half = T::of(0.5);
    objective(move |x: Var<'_, T>, y: Var<'_, T>| {
        (&b * y).log_sum_exp().sum() + x.exp().dot(y.square()) * half
    })
    .record(DIM, DIM)
}

/// A loop with its name and its first state.
pub(crate) struct Case<T: Real> {
    pub(crate) name: &'static str,
    pub(crate) step: Step<T>,
    pub(crate) start: Vec<T>,
}

pub(crate) fn cases<T: Real>() -> Vec<Case<T>> {
    let descent = |g: Arc<Program<T>>| {
        Step::new(DIM, DIM, move |x, y, _| {
            y - Var::gradient(&g, 1, &[x, y]) * T::of(0.2)
        })
    };
    let momentum = |g: Arc<Program<T>>| {
        Step::momentum(DIM, DIM, 0.6, move |x, y, _| {
            -(Var::gradient(&g, 1, &[x, y]) * T::of(0.1))
        })
    };
    let momentum_scheduled = |g: Arc<Program<T>>| {
        let coefficients = |k: usize, c: &mut [T]| c[0] = T::of(-0.2 / (k as f64 + 2.0));
        Step::momentum_scheduled(DIM, DIM, 0.9, 1, coefficients, move |x, y, c| {
            Var::gradient(&g, 1, &[x, y]) * c.at(0)
        })
    };
    // Two gradients in one step, a factor of x alone, and coefficients that change.
    let scheduled = |f: Arc<Program<T>>, g: Arc<Program<T>>| {
        let coefficients = |k: usize, c: &mut [T]| {
            c[0] = T::of(0.1 / (k as f64 + 1.0));
            c[1] = T::of(0.2 - 0.1 / (k as f64 + 2.0));
        };
        Step::scheduled(DIM, DIM, 2, coefficients, move |x, y, c| {
            let part = |of, k: usize| Var::gradient(of, 1, &[x, y]) * c.at(k);
            y - (part(&f, 0) + part(&g, 1)) * x.tanh().exp()
        })
    };
    // A step without a gradient inside.
    let plain = Step::new(DIM, DIM, |x, y, _| (y * T::of(0.9) + x).sin());
    let case = |name, step: Step<T>| Case {
        name,
        start: noise(step.dim_state(), 5),
        step,
    };
    vec![
        case("descent on a quadratic", descent(quadratic())),
        case("descent on log-sum-exp", descent(log_sum_exp())),
        case("heavy ball on a quadratic", momentum(quadratic())),
        case("heavy ball on log-sum-exp", momentum(log_sum_exp())),
        case("scheduled heavy ball", momentum_scheduled(log_sum_exp())),
        case("scheduled", scheduled(quadratic(), log_sum_exp())),
        case("no gradient", plain),
    ]
}

/// Whether the case's step can run under the policy: not every one can be undone.
pub(crate) fn suits<T: Real>(case: &Case<T>, memory: Memory) -> bool {
    case.step.complaint(memory).is_none()
}

/// The last state, the derivatives by x and by the first state, and the steps run again.
pub(crate) type Run<T> = (Vec<T>, Vec<T>, Vec<T>, usize);

/// The bits of the numbers: `==` would take 0 for −0.
pub(crate) fn bits<T: Real>(run: &Run<T>) -> [Vec<u64>; 3] {
    [&run.0, &run.1, &run.2].map(|v| v.iter().map(|v| v.f64().to_bits()).collect())
}

pub(crate) fn run<T: Real>(
    unrolled: &mut Unrolled<T>,
    start: &[T],
    depth: usize,
    memory: Memory,
) -> Run<T> {
    let x = noise(DIM, 1);
    let state = unrolled.forward(&x, start, depth, memory).to_vec();
    let (by_x, by_start) = unrolled.reverse(&noise(start.len(), 2));
    let (by_x, by_start) = (by_x.to_vec(), by_start.to_vec());
    assert_eq!(unrolled.state(), state, "{memory} changed the last state");
    (state, by_x, by_start, unrolled.recomputed_steps())
}

pub(crate) fn fresh<T: Real>(case: &Case<T>) -> Unrolled<T> {
    Unrolled::new(case.step.clone(), &Meter::new())
}
