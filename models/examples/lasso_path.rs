//! A path of sparse regressions from a file of numbers, each started from the solution before, with its
//! hypergradient: what `benches/peers/lasso.py` runs beside other programs.
//!
//! `cargo run --release -p bilevel-models --example lasso_path -- FILE KIND N D N_VALID ENTRIES
//! ENTRIES_VALID TOLERANCE POINTS RATIO`
//!
//! FILE holds little-endian `f64`: of the training samples and then of the validation samples the rows,
//! and a target or a label ±1 for each. ENTRIES of 0 say that rows are dense; if not, a matrix is given
//! by its starts of rows, the columns of its entries and their values. KIND is `lasso`, `elastic-net`
//! with as large a weight of the squares, `weighted-lasso`, whose weights are 0.5 to 1.5 times that of
//! the path in turn, or `sparse-logistic`. The weights go from a RATIO-th of the largest to RATIO, in
//! POINTS equal steps of their logarithm; the path is gone twice, as what runs beside it is warm too. One
//! line of JSON a point of the second time: `weight`, `seconds`, those of the solution alone in
//! `solve_seconds` with what it is in `y_alone`, `hypergradient`, `residual`, `iterations`, `status` and
//! `y`.

use std::error::Error;
use std::time::Instant;

use autodiff::Sparse;
use models::data::{Features, Samples, Splits};
use models::{Task, elastic_net_on, lasso_on, sparse_logistic, weighted_lasso_on};
use nalgebra::{DMatrix, DVector};
use solvers::{Aid, At, Strategy, solve_lower_from};

/// What is left of the numbers.
struct Numbers(std::vec::IntoIter<f64>);

impl Numbers {
    fn take(&mut self, count: usize) -> Vec<f64> {
        self.0.by_ref().take(count).collect()
    }

    fn samples(
        &mut self,
        rows: usize,
        d: usize,
        entries: usize,
    ) -> Result<Samples, Box<dyn Error>> {
        let features: Features = if entries == 0 {
            DMatrix::from_vec(d, rows, self.take(rows * d)).into()
        } else {
            let starts = self.take(rows + 1).iter().map(|v| *v as usize).collect();
            let places = self.take(entries).iter().map(|v| *v as u32).collect();
            Sparse::new(rows, d, starts, places, self.take(entries))?.into()
        };
        let labels = self.take(rows);
        Ok(Samples { features, labels })
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [
        file,
        kind,
        n,
        d,
        valid,
        entries,
        entries_valid,
        tolerance,
        points,
        ratio,
    ] = &args[..]
    else {
        return Err(
            "expected FILE KIND N D N_VALID ENTRIES ENTRIES_VALID TOLERANCE POINTS RATIO".into(),
        );
    };
    let (d, points, ratio): (usize, usize, f64) = (d.parse()?, points.parse()?, ratio.parse()?);
    let bytes = std::fs::read(file)?;
    let all = bytes
        .chunks_exact(8)
        .map(|b| f64::from_le_bytes(b.try_into().expect("eight")));
    let mut numbers = Numbers(all.collect::<Vec<f64>>().into_iter());
    let splits = Splits {
        train: numbers.samples(n.parse()?, d, entries.parse()?)?,
        valid: numbers.samples(valid.parse()?, d, entries_valid.parse()?)?,
        test: None,
        source: file.clone(),
    };
    let task: Task<f64> = match &kind[..] {
        "lasso" => lasso_on(splits),
        "elastic-net" => elastic_net_on(splits),
        "weighted-lasso" => weighted_lasso_on(splits),
        "sparse-logistic" => sparse_logistic(splits)?,
        _ => return Err(format!("kind {kind}").into()),
    };
    let share = |j: usize| match &kind[..] {
        "weighted-lasso" => (0.5 + (j % 5) as f64 / 4.0).ln(),
        _ => 0.0,
    };
    // The task starts at a tenth of the largest weight.
    let largest = task.x[0] + 10f64.ln();
    let problem = &task.bilevel;
    let tolerance: f64 = tolerance.parse()?;
    let aid = Aid::cg().lower_tolerance(tolerance);
    let mut work = problem.workspace();
    let (mut y, mut passed) = (problem.start().clone(), 0);
    for k in (1..=points).chain(1..=points) {
        if k == 1 {
            y.copy_from(problem.start());
        }
        let weight = largest + ratio.ln() * k as f64 / points as f64;
        let x = DVector::from_fn(task.x.len(), |j, _| weight + share(j));
        let began = Instant::now();
        let estimate = aid.hypergradient_at(problem, At::new(&x).start(&y), &mut work)?;
        let seconds = began.elapsed().as_secs_f64();
        // From the same start, without the hypergradient.
        let began = Instant::now();
        let alone = solve_lower_from(problem, &x, &y, tolerance, &mut work);
        let solve_seconds = began.elapsed().as_secs_f64();
        if !alone.status.is_success() {
            return Err(format!("weight {}: {}", weight.exp(), alone.status).into());
        }
        y.copy_from(&estimate.y);
        passed += 1;
        if passed <= points {
            continue;
        }
        println!(
            "{{\"weight\": {:e}, \"seconds\": {seconds:e}, \"solve_seconds\": {solve_seconds:e}, \
             \"hypergradient\": {:?}, \"residual\": {:e}, \"iterations\": {}, \"status\": \"{}\", \
             \"y\": {:?}, \"y_alone\": {:?}}}",
            weight.exp(),
            estimate.hypergradient.as_slice(),
            estimate.lower_residual,
            estimate.lower_iterations,
            estimate.status.code(),
            y.as_slice(),
            alone.y.as_slice(),
        );
    }
    Ok(())
}
