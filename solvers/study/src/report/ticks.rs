//! Ticks in units that readers name: bytes by powers of two, seconds and percent.

use super::axis::{Axis, decimals, plain, round_steps};
use super::model::Unit;

const BYTES: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];

impl Unit {
    /// The power of ten that values of this size are told by, with its word; none for bare numbers.
    pub(super) fn suffix(self, size: f64) -> Option<(i32, &'static str)> {
        let words = [" s", " ms", " µs", " ns"];
        match self {
            Unit::Number | Unit::Bytes => None,
            // Beyond these a bare power of ten is shorter.
            Unit::Percent => (1e-3..1e7).contains(&size).then_some((0, " %")),
            Unit::Seconds if !(1e-10..1e7).contains(&size) => None,
            Unit::Seconds => {
                let third = ((size * (1.0 + 1e-9)).log10() / 3.0)
                    .floor()
                    .clamp(-3.0, 0.0) as i32;
                Some((3 * third, words[third.unsigned_abs() as usize]))
            }
        }
    }
}

/// An axis of bytes over drawn coordinates.
pub(super) fn bytes(low: f64, high: f64, log: bool, count: usize) -> Axis {
    let (ticks, minor) = match log.then(|| powers(low, high, count)).flatten() {
        Some(powers) => powers,
        None => (even(low, high, log, count), Vec::new()),
    };
    Axis {
        low,
        high,
        ticks,
        minor,
        power: 0,
        zero: None,
    }
}

type Ticks = Vec<(f64, String)>;

/// Powers of two on a log axis, with grid lines at those without a label; none if they are too few.
fn powers(low: f64, high: f64, count: usize) -> Option<(Ticks, Vec<f64>)> {
    let at = |k: i32| f64::from(k) * 2f64.log10();
    let (from, to) = ((low / at(1)).ceil() as i32, (high / at(1)).floor() as i32);
    let shown = |every: i32| to.div_euclid(every) - (from - 1).div_euclid(every);
    let mut all = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].into_iter();
    let every = all.find(|every| shown(*every) <= count as i32)?;
    if shown(every) < 2 {
        return None;
    }
    let (shown, rest): (Vec<i32>, Vec<i32>) = (from..=to).partition(|k| k % every == 0);
    let word = |k: i32| {
        let unit = k.div_euclid(10).clamp(0, 4);
        let number = plain(2f64.powi(k - 10 * unit), usize::try_from(-k).unwrap_or(0));
        format!("{number} {}", BYTES[unit as usize])
    };
    let few = rest.len() <= 40;
    let minor = rest.into_iter().filter(|_| few).map(at).collect();
    Some((shown.into_iter().map(|k| (at(k), word(k))).collect(), minor))
}

/// Even steps in the unit of the largest value.
fn even(low: f64, high: f64, log: bool, count: usize) -> Ticks {
    let value = |at: f64| if log { 10f64.powf(at) } else { at };
    let size = value(low).abs().max(value(high).abs());
    let unit = (size.log2() / 10.0).floor().clamp(0.0, 4.0) as i32;
    let scale = 2f64.powi(10 * unit);
    let (step, from, to) = round_steps(value(low) / scale, value(high) / scale, count);
    let decimals = decimals(step, 0);
    let tick = |k: i64| {
        let v = k as f64 * step;
        let at = if log { (v * scale).log10() } else { v * scale };
        (
            at,
            format!("{} {}", plain(v, decimals), BYTES[unit as usize]),
        )
    };
    let least = if log { 1 } else { i64::MIN };
    (from.max(least)..=to).map(tick).collect()
}
