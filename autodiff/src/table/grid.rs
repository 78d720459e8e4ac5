//! Whole numbers times a scale.

use crate::real::Real;

/// The numbers `k · scale` for whole `k`, rounded once.
///
/// The scale stands in two parts, the second what the first lost by rounding: `1/255` is no number of
/// floating point, and `k/255` is not `k` times the nearest one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grid<T> {
    high: T,
    low: T,
}

impl<T: Real> Grid<T> {
    /// The scale `p`, or `1/q`.
    fn of(scale: f64, inverse: bool) -> Self {
        if !inverse {
            return Grid {
                high: T::of(scale),
                low: T::zero(),
            };
        }
        let (one, q) = (T::one(), T::of(scale));
        let high = one / q;
        // 1 − q · high is exact with one rounding.
        let low = (-high).mul_add(q, one) / q;
        Grid { high, low }
    }

    /// The number `k`.
    #[inline(always)]
    pub(super) fn value(self, k: T) -> T {
        k.mul_add(self.high, k * self.low)
    }

    /// Which number `value` is, if it is one to the bit.
    pub(super) fn code<E: TryFrom<u32>>(self, value: T) -> Option<E> {
        let k = (value / self.high).round().f64();
        // A NaN is not in it.
        let code = (0.0..=65535.0).contains(&k).then_some(k as u32)?;
        // Of the code and not of k, which may be −0.
        let back = self.value(T::of(code.into()));
        let same = back.f64().to_bits() == value.f64().to_bits();
        same.then(|| E::try_from(code).ok()).flatten()
    }
}

/// The grid that numbers may be on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grids<T> {
    grid: Option<Grid<T>>,
    /// The largest number of it.
    most: f64,
}

impl<T: Real> Grids<T> {
    /// The coarsest grid of scale `p` or `1/q`, `p` and `q` whole, with numbers below 65536 that
    /// `values` are near.
    ///
    /// Its scale is their greatest common divisor, by Euclid's algorithm up to rounding.
    pub(super) fn of(values: impl Iterator<Item = T>) -> Self {
        let none = Grids {
            grid: None,
            most: 0.0,
        };
        let (mut scale, mut largest) = (0.0f64, 0.0f64);
        for value in values {
            let value = value.f64();
            // A NaN is refused too. −0 is left to the test of bits.
            if !(value >= 0.0) || value.is_infinite() {
                return none;
            }
            largest = largest.max(value);
            // What is left of a multiple is rounding.
            let rounding = 8.0 * T::EPSILON * value;
            let mut rest = value;
            while rest > rounding {
                if scale == 0.0 {
                    scale = rest;
                    break;
                }
                let left = rest - (rest / scale).round() * scale;
                if left.abs() <= rounding.max(1e-4 * scale) {
                    break;
                }
                (scale, rest) = (left.abs(), scale);
            }
            if largest > 65535.5 * scale && scale > 0.0 {
                return none;
            }
        }
        let grid = if scale == 0.0 {
            Some(Grid::of(1.0, false))
        } else {
            let near = |a: f64| a >= 0.9 && (a - a.round()).abs() <= (1e-3 * a).min(0.2);
            if near(scale) {
                Some(Grid::of(scale.round(), false))
            } else if near(scale.recip()) {
                Some(Grid::of(scale.recip().round(), true))
            } else {
                None
            }
        };
        Grids {
            grid,
            most: if scale == 0.0 {
                0.0
            } else {
                (largest / scale).round()
            },
        }
    }

    /// The grid, if its numbers have 8 bits.
    pub(super) fn bytes(self) -> Option<Grid<T>> {
        self.grid.filter(|_| self.most <= 255.0)
    }

    /// The grid, if its numbers have 16 bits.
    pub(super) fn words(self) -> Option<Grid<T>> {
        self.grid.filter(|_| self.most <= 65535.0)
    }
}
