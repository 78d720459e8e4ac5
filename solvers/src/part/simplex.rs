//! The projection to the probability simplex, as a fused operation.

use autodiff::{Asked, OperandAdjoints, OperandTangents, Operands, Primitive, Real, Shape, Stash};

/// `argmin ‖p − v‖` over `p ≥ 0`, `Σ p = 1`: the entries `max(v_i − τ, 0)`.
///
/// Its derivative is symmetric: with S the entries above τ, it keeps those of S less their mean,
/// and loses the others. The second derivative is zero almost everywhere. Where an entry equals τ
/// the derivative jumps; the entry then counts as one outside S.
pub(super) struct SimplexProjection;

/// The largest entry of `v`, and how far from it the threshold τ with `Σ max(v_i − τ, 0) = 1` lies:
/// apart, so that nothing cancels far from the origin.
///
/// Entries at most the mean excess of those left are taken away until none is: as many passes as
/// the set shrinks times, no sorting and nothing allocated.
///
/// Reference: C. Michelot, A finite algorithm for finding the projection of a point onto the
/// canonical simplex of ℝⁿ, 1986.
pub(crate) fn threshold<T: Real>(v: &[T]) -> (T, T) {
    let largest = v
        .iter()
        .fold(v.first().copied().unwrap_or(T::zero()), |a, b| {
            if *b <= a { a } else { *b }
        });
    let (mut tau, mut left) = (-T::one(), usize::MAX);
    loop {
        let shifted = v.iter().map(|v| *v - largest);
        let kept = shifted.filter(|v| left == usize::MAX || *v > tau);
        let (mut sum, mut count) = (T::zero(), 0usize);
        for v in kept {
            sum += v;
            count += 1;
        }
        // Not equal alone: rounding may lower τ again, and bring back what was taken away.
        if count >= left || count == 0 {
            return (largest, tau);
        }
        left = count;
        tau = (sum - T::one()) / T::of(count as f64);
    }
}

/// `max(v − τ, 0)`, and NaN for NaN.
pub(crate) fn above<T: Real>(v: T, (largest, tau): (T, T)) -> T {
    let above = v - largest - tau;
    if above <= T::zero() { T::zero() } else { above }
}

/// Adds to `out`, or writes to it, the entries of `t` in S less their mean.
fn add_derivative<T: Real>(mask: &[T], t: &[T], out: &mut [T], overwrite: bool) {
    let (mut sum, mut count) = (T::zero(), T::zero());
    for (m, t) in mask.iter().zip(t) {
        if *m != T::zero() {
            sum += *t;
            count += T::one();
        }
    }
    let mean = sum / count;
    for ((m, t), out) in mask.iter().zip(t).zip(out) {
        let share = if *m == T::zero() {
            T::zero()
        } else {
            *t - mean
        };
        *out = if overwrite { share } else { *out + share };
    }
}

impl<T: Real> Primitive<T> for SimplexProjection {
    fn name(&self) -> &str {
        "simplex_projection"
    }

    fn output_shape(&self, operands: &[Shape]) -> Result<Shape, String> {
        match operands {
            [v] if !v.is_empty() => Ok(*v),
            _ => Err("one operand with at least one entry".into()),
        }
    }

    /// Which entries stay positive: 1 for these, 0 for the others.
    fn stash_len(&self, operands: &[Shape]) -> usize {
        operands[0].len()
    }

    fn eval(&self, a: &Operands<'_, T>, _: Asked, out: &mut [T], mut mask: Stash<'_, T>) {
        let v = a.get(0);
        let tau = threshold(v);
        for i in 0..v.len() {
            out[i] = above(v[i], tau);
            let lost = out[i] == T::zero();
            mask[i] = if lost { T::zero() } else { T::one() };
        }
    }

    fn jvp(
        &self,
        _: &Operands<'_, T>,
        t: &OperandTangents<'_, T>,
        mask: Stash<'_, T>,
        out: &mut [T],
    ) {
        match t.get(0) {
            Some(t) => add_derivative(&mask, t, out, true),
            None => out.fill(T::zero()),
        }
    }

    fn vjp(
        &self,
        _: &Operands<'_, T>,
        mask: Stash<'_, T>,
        adjoint: &[T],
        adjoints: &mut OperandAdjoints<'_, T>,
    ) {
        if let Some(out) = adjoints.get(0) {
            add_derivative(&mask, adjoint, out, false);
        }
    }

    fn vjp_tangent(
        &self,
        _: &Operands<'_, T>,
        _: &OperandTangents<'_, T>,
        mask: Stash<'_, T>,
        _: &[T],
        adjoint_tangent: Option<&[T]>,
        adjoint_tangents: &mut OperandAdjoints<'_, T>,
    ) {
        // The active set does not move, so the derivative itself has none.
        if let (Some(out), Some(t)) = (adjoint_tangents.get(0), adjoint_tangent) {
            add_derivative(&mask, t, out, false);
        }
    }
}

#[cfg(test)]
mod tests {
    use autodiff::check::Check;
    use autodiff::rules::elementwise::Domain;

    use super::*;

    #[test]
    fn its_rules_agree_with_each_other_and_with_differences() {
        for n in [1, 2, 5] {
            let shape = Shape::vector(n);
            let report = Check::new().primitive::<f64>(SimplexProjection, &[shape], Domain::All);
            assert!(report.passed(), "{report}");
        }
    }

    #[test]
    fn the_threshold_is_that_of_sorting() {
        for n in 1..40 {
            let v: Vec<f64> = (0..n).map(|i| (1.7 * (i * i) as f64).sin() * 1.5).collect();
            let mut sorted = v.clone();
            sorted.sort_by(|a, b| b.total_cmp(a));
            let mut sum = 0.0;
            let mut tau = f64::NAN;
            for (k, v) in (1..).zip(&sorted) {
                sum += v;
                if v - (sum - 1.0) / f64::from(k) > 0.0 {
                    tau = (sum - 1.0) / f64::from(k);
                }
            }
            let (largest, found) = threshold(&v);
            assert!((largest + found - tau).abs() < 1e-14, "{n}");
        }
        assert!(threshold(&[1.0, f64::NAN, 0.0]).1.is_nan());
        // Nothing cancels far from the origin.
        assert_eq!(threshold(&[1e20, 0.0]), (1e20, -1.0));
    }
}
