//! A page of a problem of your own: ridge regression with a penalty for each feature, learned.
//!
//! `cargo run --release -p bilevel-study --example own_page` writes `own_page.html`.

use std::error::Error;
use std::path::Path;

use autodiff::{Var, objective};
use nalgebra::{DMatrix, DVector, dvector};
use solvers::catalogue::Settings;
use solvers::{Aid, Bilevel, Descent, Hoag, Itd, Optimiser};
use study::{Page, Subject, check, compare, memory, plan, solve};

fn main() -> Result<(), Box<dyn Error>> {
    write_page(Path::new("own_page.html"))
}

pub(crate) fn write_page(file: &Path) -> Result<(), Box<dyn Error>> {
    // Twelve measurements to train on and twelve to judge by; three of eight features matter.
    let truth = dvector![1.0, -2.0, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0];
    let wave = |i: usize, j: usize| ((1 + i) as f64 * (j as f64 + 1.3)).sin();
    let (a, a_valid) = (
        DMatrix::from_fn(12, 8, wave),
        DMatrix::from_fn(12, 8, |i, j| wave(i + 40, j)),
    );
    let noise = |i: usize, _| 0.3 * (7.0 * i as f64).cos();
    let b = &a * &truth + DVector::from_fn(12, noise);
    let b_valid = &a_valid * &truth + DVector::from_fn(12, |i, j| noise(i + 40, j));

    // Below: least squares with the penalty e^xⱼ of feature j. Above: the measurements kept apart.
    let lower = objective(|x: Var, y: Var| {
        (&a * y - &b).norm_squared() / 24.0 + 0.5 * x.exp().dot(y.square())
    });
    let upper = objective(|_: Var, y: Var| (&a_valid * y - &b_valid).norm_squared() / 24.0);
    let problem = Bilevel::new(upper, lower, 8, 8)?;
    let subject = Subject::new("feature-ridge", &problem, DVector::from_element(8, -3.0))
        .with_metric("distance to truth", |_, y| (y - &truth).norm());

    // Five strategies at one point.
    let settings = Settings {
        depth: Some(200),
        ..Settings::NONE
    };
    let names = ["exact", "aid-cg", "itd", "itd-truncated:10", "bda"];
    let strategies = compare::named(&names, &settings)?;
    let compared = compare::run(&subject, &strategies, &settings)?;
    println!("{}\n", compare::table(&compared));

    // Bytes of unrolled loops against their depth, and the deepest loops in 64 KiB.
    let bytes = memory::run(&subject, Itd::reverse, &[10, 100, 1000], None)?;
    let plans = plan::deepest(&subject, Itd::reverse, 64 << 10)?;
    println!("{}\n", plan::table(&plans));

    // The derivatives of both objectives, and of every strategy, against differences.
    let checks = check::run(&subject, 0);
    let [pass, wrong] = ["pass", "mismatch"].map(|verdict| check::count(&checks, verdict));
    println!("{pass} comparisons of derivatives pass, {wrong} do not\n");

    // Two methods.
    let adam = Descent::new(Aid::cg(), Optimiser::Adam { rate: 0.2 }, 60);
    let runs = [
        solve::run(&subject, "aid-cg, Adam", &adam)?,
        solve::run(&subject, "hoag", &Hoag::new(60))?,
    ];
    runs.iter().for_each(|run| println!("{run}\n"));

    Page::new("Feature-wise ridge")
        .compare(&compared)
        .memory(&bytes)
        .plan(&plans)
        .check(&checks)
        .solve(&runs)
        .write(file)?;
    println!("wrote {}", file.display());
    Ok(())
}
