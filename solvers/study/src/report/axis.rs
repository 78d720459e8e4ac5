//! Axes: where a value lies, which ticks to show and how to word them.

use super::model::Unit;
use super::ticks;

/// Beyond this magnitude a linear range would overflow, within its inverse it would underflow.
const HUGE: f64 = 1e300;

/// Tick labels that fit one above the other.
pub(super) const ROWS: usize = 7;

/// One axis in drawn coordinates: the value itself, or its decimal logarithm.
#[derive(Debug)]
pub(super) struct Axis {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) ticks: Vec<(f64, String)>,
    /// Grid lines without a label.
    pub(super) minor: Vec<f64>,
    /// The labels are to be read times this power of ten.
    pub(super) power: i32,
    /// Where zero is drawn on a log axis that has a row for it.
    pub(super) zero: Option<f64>,
}

/// What an axis counts, and how it is spaced.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scale {
    pub(super) log: bool,
    pub(super) unit: Unit,
}

/// The drawn coordinate of a value, if it has one.
pub(super) fn place(value: f64, log: bool) -> Option<f64> {
    if log {
        (value.is_finite() && value > 0.0).then(|| value.log10())
    } else if value.abs() < 1.0 / HUGE {
        Some(0.0)
    } else {
        (value.abs() <= HUGE).then_some(value)
    }
}

impl Axis {
    /// The axis over drawn coordinates, with at most `count` labels of at most `chars` characters
    /// together; none if there is nothing to show.
    pub(super) fn over(
        placed: impl Iterator<Item = f64>,
        scale: Scale,
        count: usize,
        chars: usize,
    ) -> Option<Self> {
        let (low, high) = placed.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
            (low.min(v), high.max(v))
        });
        if low > high {
            return None;
        }
        let (low, high) = widen(low, high, scale.log);
        let axis = |count| match scale {
            Scale {
                unit: Unit::Bytes,
                log,
            } => ticks::bytes(low, high, log, count),
            Scale { log: true, unit } => logarithmic(low, high, unit, count),
            Scale { log: false, unit } => linear(low, high, unit, count),
        };
        let fits = |axis: &Self| {
            // Every label wants a gap of two characters.
            let sum: usize = axis.ticks.iter().map(|(_, text)| width(text) + 2).sum();
            sum <= chars
        };
        Some(
            (3..=count)
                .rev()
                .map(axis)
                .find(fits)
                .unwrap_or_else(|| axis(2)),
        )
    }

    /// The axis with a row for zeros under its least value.
    pub(super) fn with_zero(mut self) -> Self {
        let span = self.high - self.low;
        let zero = self.low - (span * 0.08).max(0.15);
        self.low = zero - span * 0.03;
        self.ticks.insert(0, (zero, "0".into()));
        self.zero = Some(zero);
        self
    }

    /// The axis with its first tick at least this share of its length from its start.
    pub(super) fn with_room(mut self, share: f64) -> Self {
        if let Some((first, _)) = self.ticks.first() {
            let least = first - share / (1.0 - share) * (self.high - first);
            self.low = self.low.min(least);
        }
        self
    }

    /// Whether the label of its first tick reaches beyond its start, where it is vertical.
    pub(super) fn begins_low(&self) -> bool {
        let share = |at: f64| (at - self.low) / (self.high - self.low);
        self.ticks.first().is_some_and(|(at, _)| share(*at) < 0.045)
    }

    /// The label of the tick at `at`.
    pub(super) fn label(&self, at: f64) -> String {
        let found = self.ticks.iter().find(|(tick, _)| *tick == at);
        found.map_or_else(String::new, |(_, text)| text.clone())
    }

    /// The widest label, in characters.
    pub(super) fn widest(&self) -> usize {
        let widths = self.ticks.iter().map(|(_, text)| width(text));
        widths.max().unwrap_or(0)
    }
}

/// The width of a label in characters of 0.6 of the text's size, in a font as wide as they come;
/// raised characters are drawn smaller.
fn width(text: &str) -> usize {
    // In hundredths of the text's size.
    let one = |c: char| match lowered(c) {
        Some('−' | '-') => 63,
        Some(_) => 48,
        None if "×−+".contains(c) => 84,
        None if c == '.' => 32,
        None => 64,
    };
    text.chars().map(one).sum::<usize>().div_ceil(60)
}

/// Room around the data, and a range of some length for data that has none.
fn widen(low: f64, high: f64, log: bool) -> (f64, f64) {
    let span = high - low;
    let size = low.abs().max(high.abs());
    if log {
        return if span < 1e-9 {
            (low - 0.5, high + 0.5)
        } else {
            (low - span * 0.04, high + span * 0.04)
        };
    }
    if span <= size * 1e-9 {
        let pad = if size > 0.0 { size * 0.1 } else { 1.0 };
        return (low - pad, high + pad);
    }
    let pad = span * 0.04;
    // A quantity that is never negative keeps an axis that is never negative.
    let floor = if low >= 0.0 { 0.0 } else { f64::NEG_INFINITY };
    (f64::max(low - pad, floor), high + pad)
}

/// Multiples of a round step within the range: the step and its first and last factor.
pub(super) fn round_steps(low: f64, high: f64, count: usize) -> (f64, i64, i64) {
    let exponent = ((high - low) / count as f64).log10().floor() as i32;
    let mut last = (1.0, 0, -1);
    for step in [1, 2, 5, 10, 20, 50].map(|k| f64::from(k) * 10f64.powi(exponent)) {
        let (from, to) = ((low / step).ceil() as i64, (high / step).floor() as i64);
        last = (step, from, to);
        if to - from < count as i64 {
            break;
        }
    }
    last
}

fn linear(low: f64, high: f64, unit: Unit, count: usize) -> Axis {
    let (step, from, to) = round_steps(low, high, count);
    let size = (step * from.unsigned_abs().max(to.unsigned_abs()) as f64).max(step);
    let suffix = unit.suffix(size);
    let power = if let Some((power, _)) = suffix {
        power
    } else if (1e-3..1e5).contains(&size) {
        0
    } else {
        // Thousands, millions: the powers a reader names.
        3 * ((size * (1.0 + 1e-9)).log10() / 3.0).floor() as i32
    };
    let decimals = decimals(step, power);
    let ticks = (from..=to).map(|k| {
        let at = k as f64 * step;
        let label = plain(at / 10f64.powi(power), decimals);
        (at, label + suffix.map_or("", |(_, word)| word))
    });
    Axis {
        low,
        high,
        ticks: ticks.collect(),
        minor: Vec::new(),
        power: suffix.map_or(power, |_| 0),
        zero: None,
    }
}

fn logarithmic(low: f64, high: f64, unit: Unit, count: usize) -> Axis {
    let (from, to) = (low.ceil() as i32, high.floor() as i32);
    let decades = usize::try_from(to - from + 1).unwrap_or(0);
    let mut minor = Vec::new();
    let ticks = if decades >= 3 {
        let every = [1, 2, 4, 5, 10, 20, 50, 100, 200]
            .into_iter()
            .find(|every| to.div_euclid(*every) - (from - 1).div_euclid(*every) <= count as i32)
            .unwrap_or(400);
        let (shown, rest): (Vec<_>, Vec<_>) = (from..=to).partition(|k| k.rem_euclid(every) == 0);
        minor.extend(rest.into_iter().map(f64::from).filter(|_| decades <= 40));
        let small = from >= -3 && to <= 4;
        let word = |k: i32| match unit.suffix(10f64.powi(k)) {
            Some(_) => scientific(1.0, k, 0, unit),
            None if small => plain(10f64.powi(k), usize::try_from(-k).unwrap_or(0)),
            None => format!("10{}", raised(k)),
        };
        shown.into_iter().map(|k| (f64::from(k), word(k))).collect()
    } else {
        within_decades(low, high, unit, count)
    };
    if decades <= 4 {
        let fine = (from - 1..=to).flat_map(|k| (2..10).map(move |m| mantissa(m, k)));
        minor.extend(fine.filter(|v| (low..=high).contains(v)));
    }
    Axis {
        low,
        high,
        ticks,
        minor,
        power: 0,
        zero: None,
    }
}

/// The logarithm of m·10^k.
fn mantissa(m: i32, k: i32) -> f64 {
    f64::from(m).log10() + f64::from(k)
}

/// Ticks of a log axis too short for decades alone.
fn within_decades(low: f64, high: f64, unit: Unit, count: usize) -> Vec<(f64, String)> {
    let (from, to) = (low.floor() as i32, high.ceil() as i32);
    for (round, fewest) in [(&[1, 2, 5][..], 3), (&[1, 3], 3), (&[1], 2)] {
        let ticks: Vec<_> = (from..=to)
            .flat_map(|k| round.iter().map(move |m| (*m, k)))
            .filter(|&(m, k)| (low..=high).contains(&mantissa(m, k)))
            .map(|(m, k)| (mantissa(m, k), scientific(f64::from(m), k, 0, unit)))
            .collect();
        if (fewest..=count).contains(&ticks.len()) {
            return ticks;
        }
    }
    // Even steps of the value, with the power of ten split off so that none under- or overflows.
    let power = low.floor() as i32;
    let scaled = |log: f64| 10f64.powf(log - f64::from(power));
    let (step, from, to) = round_steps(scaled(low), scaled(high), count);
    let decimals = decimals(step, 0);
    (from.max(1)..=to)
        .map(|k| k as f64 * step)
        .map(|v| {
            let at = v.log10() + f64::from(power);
            (at, scientific(v, power, decimals, unit))
        })
        .collect()
}

/// v·10^k, written out where that is short.
fn scientific(v: f64, k: i32, decimals: usize, unit: Unit) -> String {
    if let Some((power, suffix)) = unit.suffix(10f64.powi(k)) {
        let k = k - power;
        let shown = (decimals as i32 - k).max(0) as usize;
        return plain(v * 10f64.powi(k), shown) + suffix;
    }
    if (-3..=4).contains(&k) {
        let shift = usize::try_from(-k).unwrap_or(0);
        let fewer = usize::try_from(k).unwrap_or(0);
        return plain(v * 10f64.powi(k), (decimals + shift).saturating_sub(fewer));
    }
    let mantissa = plain(v, decimals);
    if mantissa == "1" {
        format!("10{}", raised(k))
    } else {
        format!("{mantissa}×10{}", raised(k))
    }
}

/// Decimals that tell multiples of `step` apart once divided by the power of ten.
pub(super) fn decimals(step: f64, power: i32) -> usize {
    let exponent = (step.log10() + 1e-9).floor() as i32 - power;
    usize::try_from(-exponent).unwrap_or(0)
}

/// A number with a true minus sign and spaced thousands.
pub(super) fn plain(value: f64, decimals: usize) -> String {
    let digits = format!("{:.decimals$}", value.abs());
    let (whole, rest) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    let mut out = String::new();
    if value < 0.0 && digits.contains(|c: char| c.is_ascii_digit() && c != '0') {
        out.push('\u{2212}');
    }
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && whole.len() > 4 && (whole.len() - i) % 3 == 0 {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out + rest
}

const RAISED: [char; 11] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹', '⁻'];

/// An exponent in superscript characters.
pub(super) fn raised(exponent: i32) -> String {
    let raise = |c: char| RAISED[c.to_digit(10).map_or(10, |d| d as usize)];
    exponent.to_string().chars().map(raise).collect()
}

/// The plain character of a superscript one.
pub(super) fn lowered(c: char) -> Option<char> {
    let at = RAISED.iter().position(|r| *r == c)?;
    Some(char::from_digit(at as u32, 10).unwrap_or('\u{2212}'))
}

#[cfg(test)]
#[path = "axis_tests.rs"]
mod tests;
