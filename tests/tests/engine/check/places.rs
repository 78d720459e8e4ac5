//! Derivatives that are wrong by a relative 1e-6 in one of 100 random places.

use autodiff::check::{Check, Report, Rung};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const PLACES: u64 = 100;

/// `Σ eˣⁱ sin xᵢ₊₁ + ½ (Σ cᵢ xᵢ)²`: every entry bends, and all are coupled.
struct Smooth {
    c: Vec<f64>,
}

impl Smooth {
    fn new(n: usize) -> Self {
        let c = (0..n).map(|i| 0.5 + (i as f64 * 2.4).sin() / 3.0);
        Smooth { c: c.collect() }
    }

    fn point(&self, seed: u64) -> Vec<f64> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        self.c.iter().map(|_| rng.random_range(-1.5..1.5)).collect()
    }

    fn total(&self, x: &[f64]) -> f64 {
        self.c.iter().zip(x).map(|(c, x)| c * x).sum()
    }

    fn value(&self, x: &[f64]) -> f64 {
        let n = x.len();
        let sum: f64 = (0..n).map(|i| x[i].exp() * x[(i + 1) % n].sin()).sum();
        sum + 0.5 * self.total(x).powi(2)
    }

    fn gradient(&self, x: &[f64]) -> Vec<f64> {
        let (n, s) = (x.len(), self.total(x));
        let entry = |i: usize| {
            let (before, after) = (x[(i + n - 1) % n], x[(i + 1) % n]);
            x[i].exp() * after.sin() + before.exp() * x[i].cos() + s * self.c[i]
        };
        (0..n).map(entry).collect()
    }

    fn product(&self, x: &[f64], v: &[f64]) -> Vec<f64> {
        let (n, s) = (x.len(), self.total(v));
        let entry = |i: usize| {
            let (b, a) = ((i + n - 1) % n, (i + 1) % n);
            let own = x[i].exp() * x[a].sin() - x[b].exp() * x[i].sin();
            own * v[i]
                + x[i].exp() * x[a].cos() * v[a]
                + x[b].exp() * x[i].cos() * v[b]
                + s * self.c[i]
        };
        (0..n).map(entry).collect()
    }
}

/// Whether the report names the entry, and no other.
fn names(report: &Report, check: &str, entry: usize) -> bool {
    let places = report.mismatches().filter(|t| t.rung == Rung::Differences);
    let places: Vec<_> = places.map(|t| (t.check, t.place.entry)).collect();
    !places.is_empty() && places.iter().all(|p| *p == (check, Some((0, entry))))
}

#[test]
fn a_gradient_off_in_any_of_100_places_is_found_and_named() {
    let f = Smooth::new(40);
    for seed in 0..PLACES {
        let x = f.point(seed);
        let check = Check::new().seed(seed);
        let right = check.gradient(|x| f.value(x), |x| f.gradient(x), &x);
        assert!(right.passed(), "{right}");
        assert!(right.unchecked_share() == 0.0, "{right}");
        assert!(right.control().has_power(), "{}", right.control());

        let at = ChaCha8Rng::seed_from_u64(seed).random_range(0..x.len());
        let wrong = |x: &[f64]| {
            let mut g = f.gradient(x);
            g[at] *= 1.0 + 1e-6;
            g
        };
        let report = check.gradient(|x| f.value(x), wrong, &x);
        assert!(names(&report, "gradient", at), "{at}: {report}");
    }
}

#[test]
fn a_product_off_in_any_of_100_places_is_found_and_named() {
    let f = Smooth::new(25);
    for seed in 0..PLACES {
        let x = f.point(seed);
        let check = Check::new().seed(seed);
        let hvp = |x: &[f64], v: &[f64]| f.product(x, v);
        let right = check.hessian(|x| f.value(x), |x| f.gradient(x), hvp, &x);
        assert!(right.passed(), "{right}");
        assert!(right.control().has_power(), "{}", right.control());

        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let at = rng.random_range(0..x.len());
        let wrong = |x: &[f64], v: &[f64]| {
            let mut p = f.product(x, v);
            p[at] *= 1.0 + 1e-6;
            p
        };
        let report = check.hessian(|x| f.value(x), |x| f.gradient(x), wrong, &x);
        assert!(names(&report, "product", at), "{at}: {report}");

        // One entry of the Hessian alone: its neighbour's, which is there for any x.
        let j = (at + 1) % x.len();
        let one = |x: &[f64], v: &[f64]| {
            let mut p = f.product(x, v);
            let entry = x[at].exp() * x[j].cos() + f.c[at] * f.c[j];
            p[at] += 1e-6 * entry * v[j];
            p
        };
        let report = check.hessian(|x| f.value(x), |x| f.gradient(x), one, &x);
        assert!(names(&report, "product", at), "{at}: {report}");
    }
}

#[test]
fn a_long_gradient_is_found_wrong_along_directions_and_the_entry_by_halving() {
    let f = Smooth::new(1000);
    for seed in 0..5 {
        let x = f.point(seed);
        let check = Check::new().seed(seed).entries(4);
        let right = check.gradient(|x| f.value(x), |x| f.gradient(x), &x);
        assert!(right.mismatches().next().is_none(), "{right}");
        let at = ChaCha8Rng::seed_from_u64(seed).random_range(0..x.len());
        let wrong = |x: &[f64]| {
            let mut g = f.gradient(x);
            g[at] *= 1.0 + 1e-4;
            g
        };
        let report = check.gradient(|x| f.value(x), wrong, &x);
        assert!(names(&report, "gradient", at), "{at}: {report}");
    }
}
