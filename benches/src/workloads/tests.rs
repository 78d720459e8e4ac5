//! The workloads compute what their descriptions say.

use nalgebra::DVector;
use solvers::linear::LinearSolver;
use solvers::{Aid, Bilevel, LowerSolve, Strategy};

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

#[test]
fn what_is_written_with_vars_is_what_the_fused_losses_compute() {
    for group in ["W1", "W2"] {
        let (fused, written) = (
            results::<f64>(group),
            results::<f64>(&format!("{group}-vars")),
        );
        assert_eq!(fused.len(), written.len());
        for (a, b) in fused.iter().flatten().zip(written.iter().flatten()) {
            close(a, b, 1e-12);
        }
    }
}

#[test]
fn the_first_columns_of_a_block_are_products_of_their_own() {
    for (group, dim) in [("W1", 500), ("W1-vars", 500), ("W3-small", 6337)] {
        let tasks = results::<f64>(group);
        let (one, block) = (&tasks[if dim == 500 { 1 } else { 2 }][0], &tasks[3][0]);
        assert_eq!(block.len(), 16 * dim);
        close(&block[..dim], one, 1e-12);
    }
}

// The cross product by the weight's logarithm is the variation's part of ∇_y g · v.
#[test]
fn the_cross_product_of_w8_is_the_slope_of_the_gradient() {
    let tasks = results::<f64>("W8");
    close(&tasks[1][0], &tasks[2][0], 1e-12);
    close(&tasks[1][1], &tasks[2][1], 1e-12);
    let data = w8::inputs();
    let v: Vec<f64> = data.v.iter().map(|v| v / 32.0).collect();
    // g = mean ½‖y − b‖² + e^{x₀} V, so ∂/∂x₀ of ∇_y g is ∇_y g less the data's part.
    let problem = models::tv_denoising_on::<f64>(data.images);
    let apart = data.y.iter().zip(problem.bilevel.start().iter());
    let own: f64 = apart.zip(&v).map(|((y, b), v)| (y - b) * v).sum();
    let all: f64 = tasks[0][0].iter().zip(&data.v).map(|(g, v)| g * v).sum();
    close(&tasks[2][0][..1], &[all - own], 1e-10);
}

#[test]
fn the_pixels_of_w6_are_whole_in_8_bits() {
    let data = w6::inputs();
    let pixels = data.train.features.dense();
    let whole = |v: &f64| (v * 255.0).fract().min(1.0 - (v * 255.0).fract()) < 1e-12;
    assert!(pixels.iter().all(|v| (0.0..=1.0).contains(v) && whole(v)));
    assert!(pixels.max() == 1.0 && pixels.min() == 0.0);
}

#[test]
fn whole_calls_have_the_accuracy_in_their_names() {
    let exact = calls::exact_hypergradient(&w1::inputs());
    for (group, accuracies) in [("aid", &[1e-3, 1e-6, 1e-10][..]), ("itd", &[1e-3, 1e-6])] {
        for (task, accuracy) in results::<f64>(group).iter().zip(accuracies) {
            close(&task[0], &exact, *accuracy);
        }
        for task in results::<f32>(group) {
            close(&task[0], &exact, 1e-3);
        }
    }
}

#[test]
fn dense_hypergradients_are_those_by_conjugate_gradients() {
    let (logistic, softmax) = (w1::inputs(), w4::softmax_inputs());
    let cg = [
        hypergradient(&w1::problem(&logistic), &logistic.x, &Aid::cg()),
        hypergradient(&w2::problem(&softmax), &softmax.x, &Aid::cg()),
    ];
    for (pair, cg) in results::<f64>("dense").chunks(2).zip(cg) {
        pair.iter().for_each(|dense| close(&dense[0], &cg, 1e-8));
    }
}

#[test]
fn precisions_have_the_tasks_that_they_can_do() {
    for group in ["aid", "itd"] {
        let names = |named: Vec<Named>| named.iter().map(|(name, _)| *name).collect::<Vec<_>>();
        assert_eq!(names(build::<f32>(group)), [format!("{group}-1e-3")]);
        assert_eq!(
            names(build::<f64>(group)),
            GROUPS.iter().find(|g| g.0 == group).unwrap().1
        );
    }
}

// Each call goes on; the result stays that of the first.
#[test]
fn iterations_of_stochastic_methods_come_near_the_solution_of_their_lower_level() {
    let mut tasks = build::<f64>("iteration-logistic");
    for (name, task) in &mut tasks {
        assert!(task.iterations() >= 500, "{name}");
        task.call();
        let first = task.result();
        task.call();
        assert_eq!(task.result(), first, "{name}");
    }
    // F2SA's y is that of the penalised level, a tenth of the way to the upper one; SABA's steps are of
    // single samples.
    let problem = stochastic::data("iteration-logistic").problem::<f64>();
    let mut point = problem.lower().point();
    let mut slope = |x: &[f64], y: &[f64]| {
        point.differentiate(&[x, y], autodiff::Inputs::one(1));
        autodiff::kernels::norm(point.gradient(1))
    };
    for (name, task) in &tasks {
        let [x, y] = task.result().try_into().expect("x and y");
        let (left, first) = (slope(&x, &y), slope(&x, &vec![0.0; y.len()]));
        assert!(left < 0.4 * first, "{name}: {left:e} of {first:e}");
    }
}

#[test]
fn loops_under_a_memory_policy_hold_what_was_predicted() {
    let mut gradients = Vec::new();
    for policy in ["stored", "taped", "checkpointed:4", "online:4", "forward"] {
        let name = format!("memory-network-{policy}-K10");
        let unrolled = memory::Unrolled::<f64>::named(&name).expect("a loop");
        let predicted = unrolled.predicted_bytes();
        let mut task = unrolled.into_task();
        task.call();
        assert_eq!(task.bytes(), Some(predicted), "{policy}");
        gradients.push(task.result().remove(0));
    }
    for gradient in &gradients[1..] {
        close(gradient, &gradients[0], 1e-11);
    }
    for name in [
        "memory-W3-stored-K10",
        "memory-W1-stored",
        "memory-W1-slow-K10",
        "W1-hvp",
    ] {
        assert!(memory::Unrolled::<f64>::named(name).is_none(), "{name}");
    }
}

// 8 MB, twice a multiplication and an addition for each entry; 16 products in a block.
#[test]
fn costs_are_those_of_the_passes_that_cannot_be_left_out() {
    let of = |task: &str, bytes| cost(task, bytes).expect("a cost");
    let gradient = of("W1-gradient", 8);
    assert_eq!(
        [gradient.resident, gradient.read, gradient.flops],
        [8e6, 8e6, 4e6]
    );
    assert_eq!(of("W1-vars-gradient", 8), gradient);
    assert_eq!(of("W1-block16", 8).flops, 16.0 * gradient.flops);
    assert_eq!(of("W1-big-gradient", 4).resident, 80e6);
    assert_eq!(of("W4-W1-K1000", 8).read, 2000.0 * 8e6);
    assert_eq!(of("W6-joint", 8).resident, 15.68e6);
    assert_eq!(
        of("W3-gradient", 8).flops,
        512.0 * (2.0 * 100_352.0 + 3.0 * 1280.0)
    );
    for none in ["W7-gradient", "aid-1e-3", "W8-joint", "W1-nothing"] {
        assert_eq!(cost(none, 8), None, "{none}");
    }
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
    let aid = Aid::direct().lower(LowerSolve::Start);
    let solved = hypergradient(&problem, &data.x, &aid);
    close(&results::<f64>("W5")[0][0], &solved, 1e-4);
}

#[test]
fn single_precision_agrees() {
    for group in ["W1", "W1-vars", "W2", "W2-vars", "W3", "W5", "W7", "W8"] {
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
        *data.train.features.dense().column(1).as_slice()
    );
    assert_eq!(read("v"), (vec![500], data.v));
}
