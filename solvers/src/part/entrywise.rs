//! Parts that are a sum over the entries of y.

use autodiff::Real;

/// Says that h is `Σ w_i |y_i| + ½ Σ v_i y_i²` over `low_i ≤ y_i ≤ high_i`: the number of each of these
/// among the [parameters](super::ProximalMap::parameters), `None` for one that it does not have. A
/// parameter has one entry, or one for each of y.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Entrywise {
    /// The weight w.
    pub weight: Option<usize>,
    /// The weight v of the squares.
    pub square: Option<usize>,
    /// The lower bound.
    pub low: Option<usize>,
    /// The upper bound.
    pub high: Option<usize>,
}

/// The numbers of such an h at some x.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entries<'a, T> {
    pub(super) weight: Option<&'a [T]>,
    pub(super) square: Option<&'a [T]>,
    pub(super) low: Option<&'a [T]>,
    pub(super) high: Option<&'a [T]>,
}

/// `w |t| + ½ v t²` over `low ≤ t ≤ high`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OneEntry<T> {
    weight: T,
    square: T,
    pub(super) low: T,
    pub(super) high: T,
}

impl<T: Real> Entries<'_, T> {
    /// That of entry `i`.
    #[inline(always)]
    pub(crate) fn at(&self, i: usize) -> OneEntry<T> {
        let of = |all: Option<&[T]>, none: T| match all {
            None => none,
            Some([one]) => *one,
            Some(all) => all[i],
        };
        let infinite = T::of(f64::INFINITY);
        OneEntry {
            weight: of(self.weight, T::zero()),
            square: of(self.square, T::zero()),
            low: of(self.low, -infinite),
            high: of(self.high, infinite),
        }
    }

    /// h of all entries that are not 0; 0 at bounds.
    pub(crate) fn value(&self, y: &[T]) -> f64 {
        let one = |(i, t): (usize, &T)| match *t == T::zero() {
            true => 0.0,
            false => self.at(i).value(*t),
        };
        y.iter().enumerate().map(one).sum()
    }
}

impl<T: Real> OneEntry<T> {
    /// The nearest t that is allowed.
    #[inline(always)]
    pub(crate) fn allowed(&self, t: T) -> T {
        let above = if t < self.low { self.low } else { t };
        if above > self.high { self.high } else { above }
    }

    /// `argmin ½ a (t − u)² + h(t)` for an a > 0.
    #[inline(always)]
    pub(crate) fn prox(&self, u: T, a: T) -> T {
        let (up, w) = (a * u, self.weight);
        let shrunk = if up > w {
            up - w
        } else if up < -w {
            up + w
        } else {
            T::zero()
        };
        self.allowed(shrunk / (a + self.square))
    }

    /// `h(t)`.
    pub(crate) fn value(&self, t: T) -> f64 {
        (self.weight * t.abs() + T::of(0.5) * self.square * t * t).f64()
    }

    /// The curvature of h where it has one.
    pub(crate) fn curvature(&self) -> T {
        self.square
    }

    /// The subgradient of `g t + h(t)` at an allowed t that is nearest to 0: with it t is a minimiser.
    #[inline(always)]
    pub(crate) fn least(&self, t: T, g: T) -> T {
        let w = self.weight;
        let least = if t > T::zero() {
            g + w + self.square * t
        } else if t < T::zero() {
            g - w + self.square * t
        } else if g > w {
            g - w
        } else if g < -w {
            g + w
        } else {
            T::zero()
        };
        // Held by a bound.
        let held = (t <= self.low && least > T::zero()) || (t >= self.high && least < T::zero());
        if held { T::zero() } else { least }
    }

    /// How far z is from where the proximal map of step s bends.
    pub(crate) fn off_bends(&self, z: f64, s: f64) -> f64 {
        let (w, v) = (s * self.weight.f64(), 1.0 + s * self.square.f64());
        let (low, high) = (self.low.f64(), self.high.f64());
        let at = |bound: f64, shift: f64| (z - (bound * v + shift)).abs();
        let least = at(low, if low < 0.0 { -w } else { w });
        let least = least.min(at(high, if high > 0.0 { w } else { -w }));
        match w > 0.0 && low < 0.0 && high > 0.0 {
            true => least.min((z.abs() - w).abs()),
            false => least,
        }
    }

    /// Whether h is smooth around t.
    #[inline(always)]
    pub(crate) fn is_free(&self, t: T) -> bool {
        (t != T::zero() || self.weight == T::zero()) && t > self.low && t < self.high
    }

    /// The part of a way `d` from `t`, at most 1, up to where h is not smooth, and the t there.
    pub(crate) fn reach(&self, t: T, d: T) -> (T, T) {
        let mut end = (T::one(), t + d);
        let mut stops = |at: T| {
            let part = (at - t) / d;
            if part >= T::zero() && part < end.0 {
                end = (part, at);
            }
        };
        if d != T::zero() {
            if self.weight > T::zero() {
                stops(T::zero());
            }
            stops(if d > T::zero() { self.high } else { self.low });
        }
        end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_subgradient_is_0_where_the_proximal_map_stays() {
        let of = OneEntry {
            weight: 0.5,
            square: 0.3,
            low: -1.0,
            high: 2.0,
        };
        for a in [0.2, 1.0, 7.0] {
            for k in -60..60 {
                let u = f64::from(k) * 0.1;
                let t = of.prox(u, a);
                assert!(of.least(t, a * (t - u)).abs() < 1e-14, "{u} {a}: {t}");
                for moved in [t - 0.01, t + 0.01] {
                    let moved = of.allowed(moved);
                    let value = |t: f64| 0.5 * a * (t - u).powi(2) + of.value(t);
                    assert!(value(moved) >= value(t) - 1e-15);
                }
            }
        }
        // Of 0.2 h the map bends at ±0.1 and where it meets −1 and 2.
        for (z, off) in [(0.15, 0.05), (-0.08, 0.02), (-1.2, 0.04), (2.3, 0.08)] {
            assert!((of.off_bends(z, 0.2) - off).abs() < 1e-14, "{z}");
        }
        assert!(of.is_free(0.1) && !of.is_free(0.0) && !of.is_free(2.0));
        assert_eq!(of.reach(1.0, 4.0), (0.25, 2.0));
        assert_eq!(of.reach(1.0, -4.0), (0.25, 0.0));
        assert_eq!(of.reach(1.0, 0.5), (1.0, 1.5));
    }
}
