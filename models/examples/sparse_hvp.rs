//! Sweeps of a sparse logistic regression from a file of numbers: what `benches/peers/sparse.py` times
//! beside other programs.
//!
//! `cargo run --release -p bilevel-models --example sparse_hvp -- FILE N D ENTRIES f64|f32 SECONDS`
//!
//! FILE holds little-endian `f64`: N + 1 starts of rows, ENTRIES columns and as many values, N labels ±1,
//! and x, y and v of D entries each. The function is mean ln(1 + exp(−t ⟨a, y⟩)) + ½ Σ e^{x_j} y_j². One
//! line of JSON a task: `task`, the median `seconds` of one call, and the `norm` of what it computes:
//! the gradient by y, the product with v at a point linearised once, and both products at a fresh point.

use std::error::Error;
use std::time::Instant;

use autodiff::{Inputs, Objective, Real, Sparse, Var, objective};
use models::Dataset;
use models::data::Samples;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [file, n, d, entries, dtype, seconds] = &args[..] else {
        return Err("expected FILE N D ENTRIES f64|f32 SECONDS".into());
    };
    let (n, d, entries): (usize, usize, usize) = (n.parse()?, d.parse()?, entries.parse()?);
    let bytes = std::fs::read(file)?;
    let numbers = bytes
        .chunks_exact(8)
        .map(|b| f64::from_le_bytes(b.try_into().expect("eight")));
    let numbers: Vec<f64> = numbers.collect();
    if numbers.len() != 2 * n + 1 + 2 * entries + 3 * d {
        return Err(format!("{file}: {} numbers", numbers.len()).into());
    }
    let mut rest = &numbers[..];
    let mut take = |count: usize| {
        let (taken, left) = rest.split_at(count);
        rest = left;
        taken.to_vec()
    };
    let starts = take(n + 1).into_iter().map(|v| v as usize).collect();
    let places = take(entries).into_iter().map(|v| v as u32).collect();
    let features = Sparse::new(n, d, starts, places, take(entries))?;
    let samples = Samples {
        features: features.into(),
        labels: take(n),
    };
    let at = [take(d), take(d), take(d)];
    let seconds: f64 = seconds.parse()?;
    match &dtype[..] {
        "f64" => run::<f64>(&samples, &at, seconds),
        "f32" => run::<f32>(&samples, &at, seconds),
        _ => return Err(format!("dtype {dtype}: expected f64 or f32").into()),
    }
    Ok(())
}

fn run<T: Real>(samples: &Samples, at: &[Vec<f64>; 3], seconds: f64) {
    let data = Dataset::<T>::binary(samples);
    let g = objective(|x: Var<'_, T>, y: Var<'_, T>| {
        data.logistic_loss(y) + x.exp().dot(y.square()) * T::of(0.5)
    });
    let narrow = |v: &Vec<f64>| v.iter().map(|v| T::of(*v)).collect::<Vec<T>>();
    let [x, y, v] = at.each_ref().map(narrow);
    let mut point = g.record(x.len(), y.len()).point();
    let by_y = Inputs::one(1);
    let norm = |parts: &[&[T]]| {
        let squares = parts.iter().flat_map(|p| p.iter()).map(|v| v.f64().powi(2));
        squares.sum::<f64>().sqrt()
    };
    let told = |task: &str, median: f64, norm: f64| {
        println!("{{\"task\": \"{task}\", \"seconds\": {median:e}, \"norm\": {norm:e}}}");
    };

    let median = timed(seconds, || {
        point.differentiate(&[&x, &y], by_y);
    });
    told("gradient", median, norm(&[point.gradient(1)]));
    point.linearise(&[&x, &y]);
    let median = timed(seconds, || point.second_by(&[None, Some(&v)], by_y));
    told("hvp", median, norm(&[point.product(1)]));
    let median = timed(seconds, || {
        point.second_at(&[&x, &y], &[None, Some(&v)], Inputs::ALL);
    });
    let both = [point.product(0), point.product(1)];
    told("joint", median, norm(&both));
}

/// The median time of a call, of those that fit into about so many seconds.
fn timed(seconds: f64, mut call: impl FnMut()) -> f64 {
    call();
    let (mut times, began) = (Vec::new(), Instant::now());
    while times.len() < 3 || began.elapsed().as_secs_f64() < seconds {
        let start = Instant::now();
        call();
        times.push(start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
