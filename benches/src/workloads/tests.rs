//! The workloads compute what their descriptions say.

use nalgebra::DVector;
use solvers::linear::LinearSolver;
use solvers::{Aid, Bilevel, Strategy};

use super::*;

fn results<T: Real>(group: &str) -> Vec<Vec<Vec<f64>>> {
    let mut tasks = build::<T>(group);
    tasks.iter_mut().for_each(|(_, task)| task.call());
    tasks.iter().map(|(_, task)| task.result()).collect()
}

#[track_caller]
fn close(a: &[f64], b: &[f64], tolerance: f64) {
    let size = |v: &mut dyn Iterator<Item = f64>| v.map(|v| v * v).sum::<f64>().sqrt();
    let apart = size(&mut a.iter().zip(b).map(|(a, b)| a - b));
    let scale = size(&mut b.iter().copied());
    assert!(a.len() == b.len() && scale > 0.0);
    assert!(apart <= tolerance * scale, "{apart:e} of {scale:e}");
}

#[test]
fn linearised_and_fresh_products_agree() {
    let w1 = results::<f64>("W1");
    close(&w1[1][0], &w1[2][1], 1e-14);
    let w2 = results::<f64>("W2");
    close(&w2[1][0], &w2[2][0], 1e-14);
    close(&w2[1][1], &w2[2][1], 1e-14);
    for network in ["W3", "W3-small"] {
        let w3 = results::<f64>(network);
        close(&w3[1][0], &w3[2][0], 1e-14);
    }
}

// The cross product of W1 has a closed form: e^{x_j} y_j v_j.
#[test]
fn the_cross_product_of_w1_is_exact() {
    let data = w1::inputs();
    let cross: Vec<f64> = (0..data.x.len())
        .map(|j| data.x[j].exp() * data.y[j] * data.v[j])
        .collect();
    close(&results::<f64>("W1")[2][0], &cross, 1e-14);
}

// Entry by entry the chain is a function of two numbers, whose derivatives have a recurrence.
#[test]
fn the_gradient_of_the_chain_follows_its_recurrence() {
    let (mut by_a, mut by_b) = (Vec::new(), Vec::new());
    for i in 0..10 {
        let (a, b) = (0.9 + 0.01 * f64::from(i), 0.3 + 0.01 * f64::from(i));
        let (mut z, mut za, mut zb) = (a, 1.0, 0.0);
        for _ in 0..250 {
            let t = (z * a + b).tanh();
            let s = b * (1.0 - t * t);
            (za, zb) = (s * (za * a + z), s * (zb * a + 1.0) + t);
            z = t * b;
        }
        by_a.push(za);
        by_b.push(zb);
    }
    let gradient = &results::<f64>("W7")[0];
    close(&gradient[0], &by_a, 1e-13);
    close(&gradient[1], &by_b, 1e-13);
}

fn hypergradient<L: LinearSolver<f64>>(
    problem: &Bilevel<f64>,
    x: &[f64],
    aid: &Aid<L>,
) -> Vec<f64> {
    let (mut work, x) = (problem.workspace(), DVector::from_column_slice(x));
    let estimate = aid.hypergradient(problem, &x, &mut work);
    estimate.expect("valid settings").hypergradient.data.into()
}

// After 1000 steps the lower level has converged.
#[test]
fn the_unrolled_hypergradient_of_w1_is_the_implicit_one() {
    let data = w1::inputs();
    let exact = hypergradient(&w1::problem(&data), &data.x, &Aid::cg());
    close(&results::<f64>("W4")[1][0], &exact, 1e-8);
}

// At the same point of the lower level, the linear system solved by a factorisation.
#[test]
fn twenty_steps_of_conjugate_gradients_nearly_solve_w5() {
    let data = w1::inputs();
    let y = DVector::from_vec(w5::lower_point(&data));
    let problem = w1::problem(&data).starting_from(y);
    let aid = Aid::direct().lower_tolerance(f64::MAX);
    let solved = hypergradient(&problem, &data.x, &aid);
    close(&results::<f64>("W5")[0][0], &solved, 1e-4);
}

#[test]
fn single_precision_agrees() {
    for group in ["W1", "W2", "W3", "W5", "W7"] {
        let (narrow, wide) = (results::<f32>(group), results::<f64>(group));
        for (a, b) in narrow.iter().flatten().zip(wide.iter().flatten()) {
            close(a, b, 1e-4);
        }
    }
}

#[test]
fn inputs_are_written_with_samples_in_rows() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = w1::inputs();
    let to = Writer {
        folder: folder.path(),
    };
    data.write(&to, "W1").expect("files");
    let read = |name: &str| {
        let bytes = std::fs::read(folder.path().join(format!("W1.{name}.npy"))).expect("a file");
        let file = npyz::NpyFile::new(&bytes[..]).expect("an npy file");
        let shape = file.shape().to_vec();
        (shape, file.into_vec::<f64>().expect("64-bit floats"))
    };
    let (shape, entries) = read("x_train");
    assert_eq!(shape, [2000, 500]);
    assert_eq!(
        entries[500..1000],
        *data.train.features.column(1).as_slice()
    );
    assert_eq!(read("v"), (vec![500], data.v));
}
