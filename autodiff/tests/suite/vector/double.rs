//! Numbers of about 106 bits as unevaluated sums of two `f64` (Dekker, 1971), and elementary
//! functions of them by plain series: slow, and precise far beyond what is tested.

use std::ops::{Add, Div, Mul, Neg, Sub};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Double(pub(crate) f64, pub(crate) f64);

/// ln 2, and its next 53 bits.
const LN_2: Double = Double(std::f64::consts::LN_2, 2.319_046_813_846_299_6e-17);

/// Below this number its square is nothing beside it.
const TINY: f64 = 1e-200;

fn two_sum(a: f64, b: f64) -> Double {
    let s = a + b;
    let t = s - a;
    Double(s, (a - (s - t)) + (b - t))
}

impl Add for Double {
    type Output = Self;
    fn add(self, b: Self) -> Self {
        let (s, t) = (two_sum(self.0, b.0), two_sum(self.1, b.1));
        let s = two_sum(s.0, s.1 + t.0);
        two_sum(s.0, s.1 + t.1)
    }
}

impl Neg for Double {
    type Output = Self;
    fn neg(self) -> Self {
        Double(-self.0, -self.1)
    }
}

impl Sub for Double {
    type Output = Self;
    fn sub(self, b: Self) -> Self {
        self + -b
    }
}

impl Mul for Double {
    type Output = Self;
    fn mul(self, b: Self) -> Self {
        let p = self.0 * b.0;
        let low = self.0.mul_add(b.0, -p) + (self.0 * b.1 + self.1 * b.0);
        two_sum(p, low)
    }
}

impl Div for Double {
    type Output = Self;
    fn div(self, b: Self) -> Self {
        // Three digits in base 2⁵³ of the quotient.
        let q1 = self.0 / b.0;
        let r = self - b * Double(q1, 0.0);
        let q2 = r.0 / b.0;
        let r = r - b * Double(q2, 0.0);
        two_sum(q1, q2) + Double(r.0 / b.0, 0.0)
    }
}

impl From<f64> for Double {
    fn from(a: f64) -> Self {
        Double(a, 0.0)
    }
}

impl Double {
    /// Times 2ᵏ.
    fn scaled(self, k: i32) -> Self {
        let (a, b) = (k / 2, k - k / 2);
        let by = |x: f64| x * 2f64.powi(a) * 2f64.powi(b);
        Double(by(self.0), by(self.1))
    }

    /// `eʳ − 1` for `|r| ≤ ½ ln 2`.
    fn series(self) -> Self {
        (2..=30).rev().fold(Double(1.0, 0.0), |sum, n| {
            Double(1.0, 0.0) + self * sum / Double(f64::from(n), 0.0)
        }) * self
    }

    /// `(eʳ − 1, k)` with `x = r + k ln 2`.
    fn reduced(self) -> (Self, i32) {
        let k = (self.0 / LN_2.0).round();
        ((self - LN_2 * Double(k, 0.0)).series(), k as i32)
    }

    pub(crate) fn exp(self) -> Self {
        let (p, k) = self.reduced();
        (p + 1.0.into()).scaled(k)
    }

    /// `2²⁰⁰ eˣ`, a normal number where `eˣ` is none.
    pub(crate) fn exp_lifted(self) -> Self {
        (self + LN_2 * 200.0.into()).exp()
    }

    pub(crate) fn exp_m1(self) -> Self {
        if self.0.abs() < TINY {
            return self;
        }
        let (p, k) = self.reduced();
        match k {
            0 => p,
            _ => (p + 1.0.into()).scaled(k) - 1.0.into(),
        }
    }

    /// Newton's method on the exponential, from the library's logarithm.
    pub(crate) fn ln(self) -> Self {
        // Away from the ends of the range, where products would lose their second half.
        if self.0 < 1e-200 {
            return self.scaled(600).ln() - LN_2 * 600.0.into();
        }
        if self.0 > 1e200 {
            return self.scaled(-600).ln() + LN_2 * 600.0.into();
        }
        let mut y = Double(self.0.ln(), 0.0);
        for _ in 0..2 {
            y = y + (self / y.exp() - 1.0.into());
        }
        y
    }

    /// `2 artanh(x / (2 + x))` near 0, where `1 + x` would lose what matters.
    pub(crate) fn ln_1p(self) -> Self {
        if self.0.abs() < TINY {
            return self;
        }
        if self.0.abs() > 0.01 {
            return (self + 1.0.into()).ln();
        }
        let s = self / (self + 2.0.into());
        let sum = (0..12).rev().fold(Double(0.0, 0.0), |sum, n| {
            sum * s * s + Double(2.0, 0.0) / f64::from(2 * n + 1).into()
        });
        s * sum
    }

    pub(crate) fn tanh(self) -> Self {
        if self.0.abs() > 40.0 {
            return Double(self.0.signum(), 0.0);
        }
        if self.0.abs() < TINY {
            return self;
        }
        let t = (self + self).exp_m1();
        t / (t + 2.0.into())
    }

    pub(crate) fn sigmoid(self) -> Self {
        if self.0 < 0.0 {
            let e = self.exp();
            return e / (e + 1.0.into());
        }
        Double(1.0, 0.0) / ((-self).exp() + 1.0.into())
    }

    pub(crate) fn softplus(self) -> Self {
        if self.0 < 0.0 {
            return self.exp().ln_1p();
        }
        self + (-self).exp().ln_1p()
    }
}

/// The reference itself: identities between its functions, and values from tables.
#[test]
fn the_reference_is_precise() {
    let close = |a: Double, b: Double, what: &str| {
        let off = (a - b).0.abs();
        assert!(off <= 1e-29 * a.0.abs(), "{what}: {a:?}, {b:?}");
    };
    for x in [0.3, 1.7, 12.0, 1e-3, 345.6] {
        let x = Double(x, 0.0);
        close(x.exp().ln(), x, "ln eˣ");
        close(x.exp_m1().ln_1p(), x, "ln(1 + (eˣ − 1))");
        close(x.exp() * (-x).exp(), 1.0.into(), "eˣ e⁻ˣ");
        close((x + x).exp(), x.exp() * x.exp(), "e²ˣ");
        close(x.softplus() - (-x).softplus(), x, "s(x) − s(−x)");
        close(x.sigmoid() + (-x).sigmoid(), 1.0.into(), "σ(x) + σ(−x)");
        let t = x.tanh();
        close((x + x).tanh(), (t + t) / (t * t + 1.0.into()), "tanh 2x");
    }
    // e = 2.718281828459045 + 1.4456468917292502e-16, rounded
    close(
        Double(1.0, 0.0).exp(),
        Double(std::f64::consts::E, 1.445_646_891_729_250_2e-16),
        "e",
    );
}
