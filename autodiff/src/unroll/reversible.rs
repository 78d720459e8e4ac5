//! Momentum run backwards: numbers on a grid, and the bits that its decay loses.
//!
//! # Reference
//! D. Maclaurin, D. Duvenaud and R. Adams, Gradient-based hyperparameter optimization through
//! reversible learning, ICML 2015, section 3.

use std::fmt;

use crate::bytes::{Buffer, Category, Claim, Meter};
use crate::linearised::Need;
use crate::real::Real;

use super::bit_store::BitStore;
use super::decay::Decay;
use super::{Driver, Stop};

/// The numbers that [`Memory::Reversible`](super::Memory::Reversible) computes with: whole
/// multiples of a unit, up to a limit.
///
/// ```
/// use autodiff::unroll::Grid;
///
/// let grid = Grid::of::<f64>();
/// assert_eq!((grid.unit, grid.limit), (2f64.powi(-47), 2f64.powi(14)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grid {
    /// The distance of neighbours: 2⁻⁴⁷ for `f64`, 2⁻³⁶ for `f32`.
    pub unit: f64,
    /// The largest magnitude of an entry, 2⁶¹ units: 16384 for `f64`, 2²⁵ for `f32`.
    pub limit: f64,
}

/// In units. Sums of three numbers within it do not overflow.
const LIMIT: i64 = 1 << 61;

impl Grid {
    /// The grid for states of this precision.
    pub fn of<T: Real>() -> Self {
        let unit = 2f64.powi(if T::EPSILON < 1e-10 { -47 } else { -36 });
        Grid {
            unit,
            limit: LIMIT as f64 * unit,
        }
    }

    /// The nearest number on the grid, in units, unless it is beyond the limit or NaN.
    fn nearest<T: Real>(self, value: T) -> Option<i64> {
        // Scaling by a power of two is exact.
        let units = (value.f64() / self.unit).round();
        (units.abs() <= LIMIT as f64).then_some(units as i64)
    }

    fn value<T: Real>(self, units: i64) -> T {
        T::of(units as f64 * self.unit)
    }
}

/// Why a loop under [`Memory::Reversible`](super::Memory::Reversible) gave NaN.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Irreversible {
    /// An entry of the state, or of its change, left the grid or was not a number.
    OutOfRange {
        /// The step, counted from 0.
        step: usize,
        /// The largest magnitude there is on the grid.
        limit: f64,
    },
    /// The way back did not lead to the first state, to the bit: the step does not give the same
    /// numbers whenever it is evaluated.
    Strayed,
}

impl fmt::Display for Irreversible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Irreversible::OutOfRange { step, limit } => write!(
                f,
                "step {step} of the reversible loop left the grid's range of ±{limit}"
            ),
            Irreversible::Strayed => write!(
                f,
                "the reversible loop did not come back to its first state: the step gives other \
                 numbers when it is evaluated again"
            ),
        }
    }
}

/// The state (y; v) on the grid, which walks to the end and back.
pub(super) struct Reversible<T: Real> {
    y: Vec<i64>,
    v: Vec<i64>,
    grid_bytes: Claim,
    lost: BitStore,
    /// The last state, while the driver's walks back.
    last: Buffer<T>,
    depth: usize,
    at_end: bool,
    /// Of the first state on the grid.
    fingerprint: u64,
    trouble: Option<Irreversible>,
}

impl<T: Real> Reversible<T> {
    pub(super) fn new(meter: &Meter) -> Self {
        Reversible {
            y: Vec::new(),
            v: Vec::new(),
            grid_bytes: Claim::new(0, Category::Solver, meter),
            lost: BitStore::new(meter),
            last: Buffer::zeros(0, Category::Solver, meter),
            depth: 0,
            at_end: false,
            fingerprint: 0,
            trouble: None,
        }
    }

    /// Bytes of the bits that this many steps lose.
    pub(super) fn lost_bytes(dim_state: usize, steps: usize, decay: Decay) -> usize {
        BitStore::bytes(dim_state / 2, steps, decay)
    }

    /// Bytes beside them: the state on the grid, and the last one.
    pub(super) fn state_bytes(dim_state: usize) -> usize {
        dim_state * (size_of::<i64>() + size_of::<T>())
    }

    /// Runs up to `limit` steps from the driver's state, rounded to the grid.
    pub(super) fn forward(
        &mut self,
        driver: &mut Driver<T>,
        limit: usize,
        decay: Decay,
        stop: Stop<'_, T>,
    ) -> usize {
        let dim_y = driver.state().len() / 2;
        self.make_room(dim_y);
        self.lost.start(dim_y, limit, decay);
        (self.depth, self.at_end, self.trouble) = (0, true, None);
        if !self.round(driver.state()) {
            self.give_up(driver);
            return 0;
        }
        self.fingerprint = self.hash();
        self.show(driver);
        while self.depth < limit && !stop(self.depth, driver.state()) {
            if !self.advance(driver, self.depth) {
                self.give_up(driver);
                break;
            }
            self.depth += 1;
            self.show(driver);
        }
        self.depth
    }

    /// Returns the number of steps that were run again.
    pub(super) fn reverse(&mut self, driver: &mut Driver<T>) -> usize {
        if self.trouble.is_some() {
            driver.spoil_cotangents();
            return 0;
        }
        self.last.copy_from_slice(driver.state());
        let mut steps = 0;
        if !self.at_end {
            // The pass before this one walked back to the first state.
            for k in 0..self.depth {
                self.show(driver);
                self.advance(driver, k);
            }
            steps = self.depth;
        }
        for k in (0..self.depth).rev() {
            self.retreat(driver, k);
            driver.pull_back_force();
        }
        self.at_end = self.depth == 0;
        driver.set_state(&self.last);
        if !self.lost.is_empty() || self.hash() != self.fingerprint {
            self.trouble = Some(Irreversible::Strayed);
            driver.spoil_cotangents();
        }
        steps
    }

    pub(super) fn trouble(&self) -> Option<Irreversible> {
        self.trouble
    }

    /// One step from the driver's state, which is that of the grid; whether it stays within range.
    fn advance(&mut self, driver: &mut Driver<T>, k: usize) -> bool {
        let grid = Grid::of::<T>();
        let force = driver.force(k, Need::Value);
        let mut within = true;
        for (i, force) in force.iter().enumerate() {
            let Some(u) = grid.nearest(*force) else {
                return false;
            };
            let v = self.lost.decay(i, self.v[i]) + u;
            let y = self.y[i] + v;
            within &= v.abs() <= LIMIT && y.abs() <= LIMIT;
            (self.y[i], self.v[i]) = (y, v);
        }
        within
    }

    /// Undoes step `k`, and leaves it swept for its gradient.
    fn retreat(&mut self, driver: &mut Driver<T>, k: usize) {
        let grid = Grid::of::<T>();
        for (y, v) in self.y.iter_mut().zip(&self.v) {
            *y = y.wrapping_sub(*v);
        }
        self.show(driver);
        let force = driver.force(k, Need::Gradient);
        for (i, force) in force.iter().enumerate() {
            let u = grid.nearest(*force).unwrap_or(0);
            self.v[i] = self.lost.undo(i, self.v[i].wrapping_sub(u));
        }
    }

    fn make_room(&mut self, dim_y: usize) {
        if self.y.len() != dim_y {
            (self.y, self.v) = Default::default();
            self.grid_bytes.set(2 * dim_y * size_of::<i64>());
            (self.y, self.v) = (vec![0; dim_y], vec![0; dim_y]);
        }
        self.last.resize(2 * dim_y);
    }

    /// Takes a state to the grid, if it is within range.
    fn round(&mut self, state: &[T]) -> bool {
        let grid = Grid::of::<T>();
        let entries = self.y.iter_mut().chain(&mut self.v);
        entries.zip(state).all(|(units, value)| {
            let nearest = grid.nearest(*value);
            *units = nearest.unwrap_or(0);
            nearest.is_some()
        })
    }

    /// Makes the grid's state the driver's.
    fn show(&self, driver: &mut Driver<T>) {
        let grid = Grid::of::<T>();
        let state = driver.state_mut().iter_mut();
        for (value, units) in state.zip(self.y.iter().chain(&self.v)) {
            *value = grid.value(*units);
        }
    }

    fn give_up(&mut self, driver: &mut Driver<T>) {
        driver.state_mut().fill(T::of(f64::NAN));
        self.trouble = Some(Irreversible::OutOfRange {
            step: self.depth,
            limit: Grid::of::<T>().limit,
        });
    }

    /// FNV-1a over the words of the state.
    fn hash(&self) -> u64 {
        let words = self.y.iter().chain(&self.v);
        words.fold(0xcbf2_9ce4_8422_2325, |hash, word| {
            (hash ^ *word as u64).wrapping_mul(0x0100_0000_01b3)
        })
    }
}

#[cfg(test)]
#[path = "reversible_tests.rs"]
mod tests;
