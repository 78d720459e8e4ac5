//! Numbers as a reader sees them.

use autodiff::bytes::human_bytes;

/// A number in three significant digits.
pub fn short(value: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    let size = value.abs();
    if !value.is_finite() {
        format!("{value}")
    } else if (1e-3..1e4).contains(&size) {
        let digits = (2 - size.log10().floor() as i32).clamp(0, 5) as usize;
        format!("{value:.digits$}")
    } else {
        format!("{value:.2e}")
    }
}

/// What stands for a number that is not there.
pub fn dash() -> String {
    "–".into()
}

/// Bytes with their unit, of a whole number of them.
pub fn bytes(bytes: f64) -> String {
    human_bytes(bytes as usize)
}

/// Parts of a hundred.
pub fn percent(value: f64) -> String {
    format!("{} %", short(value))
}

/// Seconds with the unit that suits them.
pub fn time(seconds: f64) -> String {
    match seconds {
        s if s < 1e-3 => format!("{:.0} µs", s * 1e6),
        s if s < 1.0 => format!("{:.1} ms", s * 1e3),
        s => format!("{s:.2} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let shown = [0.0, 1.0, 123.456, 0.00123, 1e-10, -2.5e7, 9999.0].map(short);
        assert_eq!(
            shown,
            ["0", "1.00", "123", "0.00123", "1.00e-10", "-2.50e7", "9999"]
        );
        assert_eq!(short(f64::NAN), "NaN");
    }
}
