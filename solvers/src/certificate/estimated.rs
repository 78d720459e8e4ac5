//! A certificate for any hypergradient, by constants that are stated or else estimated.

use std::sync::Arc;

use autodiff::kernels::{axpy, dot, norm};
use autodiff::{Inputs, Meter, Point, Real};
use nalgebra::DVector;

use crate::linear::system::{self, Known};
use crate::linear::{Cg, Scratch};
use crate::part::{Face, PartPoint, Recorded};
use crate::{Bilevel, Estimate, default_tolerance};

use super::{Certificate, Constants};

/// Repetitions of power and inverse iterations.
const ITERATIONS: usize = 20;
const INVERSE_ITERATIONS: usize = 5;
/// Points at which derivatives are compared with those at y.
const SAMPLES: usize = 8;
/// What sampled constants are multiplied by: sampling comes from below.
const SAFETY: f64 = 2.0;

/// A bound on the error of any estimate's hypergradient h, from whatever strategy.
///
/// A linear system of its own gives the pair (y, q) and its z with the bound ω, and
/// `‖h − ∇φ‖ ≤ ‖h − z‖ + ω`. An estimate that has a certificate is answered with that. Where the
/// problem states no constants, they are estimated at y and in a neighbourhood: μ by inverse
/// iteration, ‖∇²_xy g‖ by power iteration, Lipschitz constants from differences of derivatives at
/// sampled points, doubled. Such a bound is labelled as not certified: a Hessian that changes where
/// no sample was taken breaks it. `None` where there is no finite bound, as for a singular Hessian.
///
/// Beside a part the linear system is that of the face y lies on, and there is a bound where a
/// [`Certificate`] has one: for a sum over the entries of y, and y proved to be on the solution's piece.
///
/// # Requirements on the problem
/// g twice differentiable, its Hessian in y positive definite at the estimate's y.
///
/// # Cost in oracle calls
/// One linear system; with estimated constants some six systems to low accuracy, 40 Hessian-vector
/// products at y, eight samples with two products each and eight gradients of F. None is counted
/// in the estimate.
///
/// # Panics
/// If x or the estimate does not fit the problem.
#[track_caller]
#[inline(never)]
pub fn certify<T: Real>(
    problem: &Bilevel<T>,
    x: &DVector<T>,
    estimate: &Estimate<T>,
) -> Option<Certificate> {
    if estimate.certificate.is_some() {
        return estimate.certificate;
    }
    if problem.own_step().is_some() {
        return None;
    }
    let (y, h) = (estimate.y.as_slice(), &estimate.hypergradient);
    assert!(
        (x.len(), h.len(), y.len()) == (problem.dim_x(), problem.dim_x(), problem.dim_y()),
        "x, hypergradient and y have {}, {} and {} entries: expected {}, {} and {}",
        x.len(),
        h.len(),
        y.len(),
        problem.dim_x(),
        problem.dim_x(),
        problem.dim_y()
    );
    let (mut upper, mut lower) = (problem.upper().point(), problem.lower().point());
    let at = [x.as_slice(), y];
    upper.differentiate(&at, Inputs::ALL);
    lower.linearise(&at);
    if let Some(part) = problem.recorded_part() {
        return on_a_face(problem, part, at, h, (&mut upper, &mut lower));
    }
    let mut q = vec![T::zero(); y.len()];
    let b = upper.gradient(1).to_vec();
    solve(&mut lower, None, &b, &mut q, default_tolerance::<T>())?;
    let constants = match problem.states_constants() {
        true => None,
        false => Some(sampled(&mut upper, &mut lower, at, &q)?),
    };
    upper.differentiate(&at, Inputs::ALL);
    lower.linearise_along(&at, &[None, Some(&q)]);
    let z = DVector::from_column_slice(upper.gradient(0))
        - DVector::from_column_slice(lower.product(0));
    let size = h.norm().f64();
    let certificate = match constants {
        None => Certificate::stated(problem, at[0], y, size, &upper, &lower)?,
        // Of the whole problem: samples are not looked at one by one.
        Some(c) => Certificate {
            certified: false,
            ..Certificate::at(|_: &[T]| c, 1, y, size, &upper, &lower)?
        },
    };
    certificate.with(&z, h)
}

/// As [`certify`], beside a part; both objectives were differentiated at (x, y).
fn on_a_face<T: Real>(
    problem: &Bilevel<T>,
    part: &Arc<Recorded<T>>,
    [x, y]: [&[T]; 2],
    h: &DVector<T>,
    (upper, lower): (&mut Point<T>, &mut Point<T>),
) -> Option<Certificate> {
    if problem.blocks() > 1 {
        return None;
    }
    let stated = problem.constants(x, y);
    let constants = match stated {
        Some(constants) => constants,
        None => {
            let along = upper.gradient(1).to_vec();
            let sampled = sampled(upper, lower, [x, y], &along)?;
            upper.differentiate(&[x, y], Inputs::ALL);
            lower.linearise(&[x, y]);
            sampled
        }
    };
    let s = 1.0 / constants.smoothness;
    let meter = Meter::new();
    let mut part = PartPoint::new(part, &meter);
    let gradient = lower.gradient(1).to_vec();
    let mut face = Face::at(&mut part, [x, y], &gradient, s, false, &meter);
    let (mut b, mut u) = (upper.gradient(1).to_vec(), vec![T::zero(); y.len()]);
    face.project(&mut b);
    let tolerance = default_tolerance::<T>();
    solve(lower, Some(&mut face), &b, &mut u, tolerance)?;
    let mut z = DVector::from_column_slice(upper.gradient(0));
    face.add_by_x(lower, upper.gradient(1), z.as_mut_slice());
    z -= DVector::from_column_slice(lower.product(0));
    let size = h.norm().f64();
    let on = (&u[..], s);
    let found = Certificate::beside(&constants, &mut part, [x, y], on, size, (upper, lower))?;
    let certified = stated.is_some();
    Certificate { certified, ..found }.with(&z, h)
}

impl Certificate {
    /// Of h, where it was of z.
    fn with<T: Real>(self, z: &DVector<T>, h: &DVector<T>) -> Option<Self> {
        let bound = self.bound + (h - z).norm().f64();
        let descent = bound < h.norm().f64();
        bound.is_finite().then_some(Certificate {
            bound,
            descent,
            ..self
        })
    }
}

/// Solves `H v = b` at the point's linearisation, or on a face; `None` where H is not positive
/// definite.
fn solve<T: Real>(
    point: &mut Point<T>,
    face: Option<&mut Face<'_, T>>,
    b: &[T],
    v: &mut [T],
    tolerance: f64,
) -> Option<()> {
    let cg = Cg::new().tolerance(tolerance);
    let on_face = if face.is_some() { b.len() } else { 0 };
    let mut room = vec![T::zero(); system::scratch::<T>(&cg, b.len(), false) + on_face];
    let (room, meter) = (&mut room[..], Meter::new());
    let (v, scratch) = ((v, &mut [][..]), Scratch::new(room, &meter));
    let solution = system::solve(&cg, point, face, b, v, scratch, Known::Positive);
    (!solution.flawed).then_some(())
}

/// Numbers without structure, the same at every call.
fn irregular<T: Real>(len: usize, which: usize) -> Vec<T> {
    let entry = |i: usize| ((i + 1) as f64 * 12.9898 + which as f64 * 78.233).sin();
    let mut v: Vec<T> = (0..len).map(|i| T::of(entry(i))).collect();
    normalise(&mut v);
    v
}

/// Scales to norm 1, and returns the norm that was; a vector of zeros stays one.
fn normalise<T: Real>(v: &mut [T]) -> f64 {
    let scale = norm(v);
    if scale > T::zero() {
        v.iter_mut().for_each(|v| *v /= scale);
    }
    scale.f64()
}

fn distance<T: Real>(a: &[T], b: &[T]) -> f64 {
    let squares = a.iter().zip(b).map(|(a, b)| (a.f64() - b.f64()).powi(2));
    squares.sum::<f64>().sqrt()
}

/// Estimates of the constants at and about (x, y); g is linearised there. `None` where H is not
/// positive definite, as far as was seen.
fn sampled<T: Real>(
    upper: &mut Point<T>,
    lower: &mut Point<T>,
    at: [&[T]; 2],
    q: &[T],
) -> Option<Constants> {
    let [x, y] = at;
    let n = y.len();
    let mut v = irregular::<T>(n, 0);
    let mut w = vec![T::zero(); n];
    let mut least = f64::INFINITY;
    for _ in 0..INVERSE_ITERATIONS {
        w.copy_from_slice(&v);
        solve(lower, None, &v, &mut w, 1e-3)?;
        normalise(&mut w);
        v.copy_from_slice(&w);
        lower.second_by(&[None, Some(&v)], Inputs::one(1));
        least = least.min(dot(&v, lower.product(1)).f64());
    }
    let mut largest = 0.0;
    let mut v = irregular::<T>(n, 1);
    for _ in 0..ITERATIONS {
        lower.second_by(&[None, Some(&v)], Inputs::one(1));
        v.copy_from_slice(lower.product(1));
        largest = normalise(&mut v);
    }
    let mut cross_norm = 0.0;
    let mut u = irregular::<T>(x.len(), 2);
    for _ in 0..ITERATIONS {
        lower.second_by(&[Some(&u), None], Inputs::one(1));
        v.copy_from_slice(lower.product(1));
        normalise(&mut v);
        lower.second_by(&[None, Some(&v)], Inputs::one(0));
        u.copy_from_slice(lower.product(0));
        cross_norm = normalise(&mut u);
    }

    // Directions to look along: that of q, which the linear system meets, and irregular ones.
    let mut along = q.to_vec();
    normalise(&mut along);
    let looks = [along, irregular(n, 3)];
    let mut before = Vec::new();
    for look in &looks {
        lower.second(&[None, Some(look)]);
        before.push([lower.product(0).to_vec(), lower.product(1).to_vec()]);
    }
    // As far as the lower level may be from its solution, and not where differences round away.
    let scale = 1.0f64.max(norm(y).f64());
    let radius = (norm(lower.gradient(1)).f64() / least).clamp(T::EPSILON.cbrt() * scale, scale);
    let mut step = lower.gradient(1).to_vec();
    upper.differentiate(&at, Inputs::ALL);
    let gradients = [upper.gradient(0).to_vec(), upper.gradient(1).to_vec()];
    let (mut hessian, mut cross, mut smooth, mut upper_cross) = (0.0f64, 0.0f64, 0.0f64, 0.0f64);
    for sample in 0..SAMPLES {
        if sample > 0 || normalise(&mut step) == 0.0 {
            step = irregular(n, 4 + sample);
        }
        // The first sample is where the lower level is going.
        let sign = if sample == 0 { -1.0 } else { 1.0 };
        let mut moved = y.to_vec();
        axpy(&mut moved, T::of(sign * radius), &step);
        upper.differentiate(&[x, &moved], Inputs::ALL);
        upper_cross = upper_cross.max(distance(upper.gradient(0), &gradients[0]) / radius);
        smooth = smooth.max(distance(upper.gradient(1), &gradients[1]) / radius);
        lower.linearise(&[x, &moved]);
        for (look, old) in looks.iter().zip(&before) {
            lower.second(&[None, Some(look)]);
            cross = cross.max(distance(lower.product(0), &old[0]) / radius);
            hessian = hessian.max(distance(lower.product(1), &old[1]) / radius);
        }
    }
    (least > 0.0).then_some(Constants {
        strong_convexity: least / SAFETY,
        smoothness: SAFETY * largest,
        hessian_lipschitz: SAFETY * hessian,
        cross_norm: SAFETY * cross_norm,
        cross_lipschitz: SAFETY * cross,
        upper_smoothness: SAFETY * smooth,
        upper_cross: SAFETY * upper_cross,
    })
}
