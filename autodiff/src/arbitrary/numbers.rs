//! What properties compare: products, bits and differences.

use crate::point::Point;
use crate::real::Real;

/// `Σ aᵢ bᵢ` and `Σ |aᵢ bᵢ|`, in `f64`.
///
/// # Panics
/// If the lengths differ.
pub fn dot<T: Real>(a: &[T], b: &[T]) -> (f64, f64) {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).fold((0.0, 0.0), |(sum, size), (a, b)| {
        let product = a.f64() * b.f64();
        (sum + product, size + product.abs())
    })
}

/// [`dot`] over all inputs jointly.
pub fn joint_dot<T: Real>(a: &[Vec<T>], b: &[Vec<T>]) -> (f64, f64) {
    a.iter().zip(b).fold((0.0, 0.0), |(sum, size), (a, b)| {
        let (s, m) = dot(a, b);
        (sum + s, size + m)
    })
}

/// The inputs as a [`Point`] takes them.
pub fn slices<T>(a: &[Vec<T>]) -> Vec<&[T]> {
    a.iter().map(Vec::as_slice).collect()
}

/// A direction for each input as a [`Point`] takes them.
pub fn directions<T>(a: &[Vec<T>]) -> Vec<Option<&[T]>> {
    a.iter().map(|v| Some(v.as_slice())).collect()
}

/// `a + t b`, for each input.
pub fn shifted(a: &[Vec<f64>], t: f64, b: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let add = |(a, b): (&Vec<f64>, &Vec<f64>)| a.iter().zip(b).map(|(a, b)| a + t * b).collect();
    a.iter().zip(b).map(add).collect()
}

/// The gradients of a point by all inputs.
pub fn gradients<T: Real>(point: &Point<T>) -> Vec<Vec<T>> {
    let inputs = 0..point.program().inputs();
    inputs.map(|k| point.gradient(k).to_vec()).collect()
}

/// The gradients' derivatives of a point by all inputs.
pub fn products<T: Real>(point: &Point<T>) -> Vec<Vec<T>> {
    let inputs = 0..point.program().inputs();
    inputs.map(|k| point.product(k).to_vec()).collect()
}

/// The largest absolute value.
pub fn largest<T: Real>(a: &[T]) -> f64 {
    a.iter().fold(0.0, |m, v| v.f64().abs().max(m))
}

/// The bits of numbers, with which "equal" means the same computation.
pub fn bits<T: Real>(a: &[T]) -> Vec<u64> {
    a.iter().map(|v| v.f64().to_bits()).collect()
}

/// A derivative with a bound of its error.
#[derive(Clone, Copy, Debug)]
pub struct Difference {
    /// The derivative.
    pub slope: f64,
    /// Its error: what extrapolation left, and the noise of `f`.
    pub error: f64,
}

/// `f′(0)` by central differences, extrapolated to step 0 (Richardson's scheme), for an `f` whose
/// values carry an absolute `noise`.
///
/// The error is read from how far the scheme's columns disagree, so it grows honestly where `f`
/// bends within the first steps.
pub fn slope(noise: f64, mut f: impl FnMut(f64) -> f64) -> Difference {
    const STEPS: usize = 9;
    // Coarser rows may agree by accident, where `f` turns within a step.
    const TRUSTED: usize = 4;
    let mut best = Difference {
        slope: f64::NAN,
        error: f64::INFINITY,
    };
    let mut before: Vec<f64> = Vec::new();
    let mut step = 0.04;
    for i in 0..STEPS {
        let mut row = vec![(f(step) - f(-step)) / (2.0 * step)];
        for j in 1..=i {
            let weight = 4f64.powi(j as i32);
            row.push((weight * row[j - 1] - before[j - 1]) / (weight - 1.0));
            let disagreement = (row[j] - row[j - 1])
                .abs()
                .max((row[j] - before[j - 1]).abs());
            // The weights of one row add up to at most 2 in absolute value.
            let error = disagreement + 2.0 * noise / step;
            if i >= TRUSTED && error < best.error {
                best = Difference {
                    slope: row[j],
                    error,
                };
            }
        }
        before = row;
        step /= 2.0;
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_are_right_and_their_errors_honest() {
        let smooth = slope(1e-16, |t| (1.0 + t).exp());
        assert!((smooth.slope - 1f64.exp()).abs() <= smooth.error);
        assert!(smooth.error < 1e-9);
        let wild = slope(1e-16, |t| (300.0 * t).sin());
        assert!((wild.slope - 300.0).abs() <= wild.error);
        assert!(wild.error > smooth.error);
    }
}
