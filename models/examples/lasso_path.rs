//! A path of Lassos from a file of numbers, each started from the solution before, with its
//! hypergradient: what `benches/peers/lasso.py` runs beside other programs.
//!
//! `cargo run --release -p bilevel-models --example lasso_path -- FILE N D N_VALID TOLERANCE POINTS RATIO`
//!
//! FILE holds little-endian `f64`: N×D training rows, N targets, N_VALID×D validation rows and N_VALID
//! targets. The weights go from a RATIO-th of the largest to RATIO, in POINTS equal steps of their
//! logarithm. One line of JSON a point: `weight`, `seconds`, `hypergradient`, `residual`, `iterations`,
//! `status` and `y`.

use std::error::Error;
use std::time::Instant;

use models::data::{Samples, Splits};
use models::lasso_on;
use nalgebra::{DMatrix, DVector};
use solvers::{Aid, At, Strategy};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [file, n, d, valid, tolerance, points, ratio] = &args[..] else {
        return Err("expected FILE N D N_VALID TOLERANCE POINTS RATIO".into());
    };
    let (n, d, valid): (usize, usize, usize) = (n.parse()?, d.parse()?, valid.parse()?);
    let (points, ratio): (usize, f64) = (points.parse()?, ratio.parse()?);
    let bytes = std::fs::read(file)?;
    let numbers = bytes
        .chunks_exact(8)
        .map(|b| f64::from_le_bytes(b.try_into().expect("eight")));
    let numbers: Vec<f64> = numbers.collect();
    if numbers.len() != (n + valid) * (d + 1) {
        return Err(format!("{file}: {} numbers", numbers.len()).into());
    }
    let mut rest = &numbers[..];
    let mut take = |count: usize| {
        let (taken, left) = rest.split_at(count);
        rest = left;
        taken.to_vec()
    };
    let mut samples = |rows: usize| Samples {
        features: DMatrix::from_vec(d, rows, take(rows * d)).into(),
        labels: take(rows),
    };
    let splits = Splits {
        train: samples(n),
        valid: samples(valid),
        test: None,
        source: file.clone(),
    };
    let problem = lasso_on::<f64>(splits);
    // The task starts at a tenth of the largest weight.
    let largest = problem.x[0] + 10f64.ln();
    let bilevel = &problem.bilevel;
    let aid = Aid::cg().lower_tolerance(tolerance.parse()?);
    let mut work = bilevel.workspace();
    let mut y = bilevel.start().clone();
    for k in 1..=points {
        let x = DVector::from_element(1, largest + ratio.ln() * k as f64 / points as f64);
        let began = Instant::now();
        let estimate = aid.hypergradient_at(bilevel, At::new(&x).start(&y), &mut work)?;
        let seconds = began.elapsed().as_secs_f64();
        y.copy_from(&estimate.y);
        println!(
            "{{\"weight\": {:e}, \"seconds\": {seconds:e}, \"hypergradient\": {:e}, \"residual\": {:e}, \
             \"iterations\": {}, \"status\": \"{}\", \"y\": {:?}}}",
            x[0].exp(),
            estimate.hypergradient[0],
            estimate.lower_residual,
            estimate.lower_iterations,
            estimate.status.code(),
            y.as_slice(),
        );
    }
    Ok(())
}
