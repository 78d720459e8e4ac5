//! Finding a wrong derivative: a gradient written by hand, right and with a slip of 0.1 %.
//!
//! `cargo run -p bilevel-autodiff --example check_gradients`

use autodiff::check::Check;

fn main() {
    // The negative log-likelihood of a Cauchy distribution with location x₀ and scale e^{x₁}.
    let data = [-0.3, 0.4, 1.9, 0.7];
    let f = |x: &[f64]| {
        let each = data.iter().map(|d| {
            let z = (d - x[0]) / x[1].exp();
            x[1] + z.mul_add(z, 1.0).ln()
        });
        each.sum::<f64>()
    };
    let gradient = |x: &[f64]| {
        let mut sum = vec![0.0, 0.0];
        for d in data {
            let z = (d - x[0]) / x[1].exp();
            let weight = 2.0 * z / (1.0 + z * z);
            sum[0] -= weight / x[1].exp();
            sum[1] += 1.0 - weight * z;
        }
        sum
    };
    let slip = |x: &[f64]| {
        let mut wrong = gradient(x);
        wrong[1] *= 1.001;
        wrong
    };

    let report = Check::new().seed(1).gradient(f, gradient, &[0.2, -0.5]);
    println!("{report}\n");
    // It passed, and the control says that it would not have with an entry off by 1e-6.
    assert!(report.passed() && report.control().has_power());

    let report = Check::new().seed(1).gradient(f, slip, &[0.2, -0.5]);
    println!("{report}");
    let found = report.mismatches().next().expect("a mismatch");
    // Entry 1 of input 0.
    assert_eq!(found.place.entry, Some((0, 1)));
}
