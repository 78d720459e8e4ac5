//! What a task has to read and to compute, however it is done: `compare.py` makes a limit of it.

use super::{sweep::BLOCK, w1, w2, w3, w4, w5, w6};

/// The least that a task reads and computes.
///
/// A product counts two operations for each of its multiplications; what is done entry by entry is not
/// counted, nor is the writing of results.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// Bytes of the data that it goes over.
    pub resident: f64,
    /// Bytes that it reads: those, as often as it has to go over them.
    pub read: f64,
    /// Floating-point operations of the products.
    pub flops: f64,
}

/// The cost of a task where the scalars have `bytes` bytes; `None` where neither reading nor products
/// take its time, or no number of passes is known.
pub fn cost(task: &str, bytes: usize) -> Option<Cost> {
    let task = task.replace("-vars", "");
    // W1-big before W1.
    let models: [(&str, &[usize], f64); 4] = [
        ("W1-big-", &w1::BIG, bytes as f64),
        ("W1-", &w1::SIZE, bytes as f64),
        ("W2-", &w2::SIZE, bytes as f64),
        // A byte is enough for a pixel.
        ("W6-", &w6::SIZE, 1.0),
    ];
    for (prefix, size, entry) in models {
        if let Some(kind) = task.strip_prefix(prefix) {
            return Some(linear(size, entry, 1.0, products(kind)?));
        }
    }
    let networks = [("W3-small-", w3::SMALL), ("W3-", w3::SIZE)];
    for (prefix, (widths, batch)) in networks {
        if let Some(kind) = task.strip_prefix(prefix) {
            return network(widths, batch, bytes as f64, kind);
        }
    }
    if let Some(depth) = task.strip_prefix("W4-W1-K") {
        return Some(unrolled(&w1::SIZE, bytes as f64, depth));
    }
    if let Some(depth) = task.strip_prefix("W4-softmax-K") {
        return Some(unrolled(&w4::SOFTMAX, bytes as f64, depth));
    }
    // A pass that linearises, one for each product, and one over the validation samples.
    let steps = w5::STEPS as f64;
    (task == "W5-cg20").then(|| linear(&w1::SIZE, bytes as f64, steps + 2.0, 2.0 * steps + 3.0))
}

/// Products of all samples with a vector for each class, in a task on a linear model: the scores of
/// each vector, and for each result the way back.
fn products(kind: &str) -> Option<f64> {
    match kind {
        "gradient" | "hvp" | "joint-linearised" => Some(2.0),
        // The scores at the point, those along the direction, and the way back.
        "joint" => Some(3.0),
        "block16" => Some(2.0 * BLOCK as f64),
        _ => None,
    }
}

/// Passes over samples × features (× classes) with so many products in all.
fn linear(size: &[usize], entry: f64, passes: f64, products: f64) -> Cost {
    let resident = (size[0] * size[1]) as f64 * entry;
    let all: usize = size.iter().product();
    Cost {
        resident,
        read: passes * resident,
        flops: 2.0 * products * all as f64,
    }
}

/// A gradient a step, and on the way back a product with the Hessian.
fn unrolled(size: &[usize], entry: f64, depth: &str) -> Cost {
    let depth: f64 = depth.parse().expect("a depth in the name");
    linear(size, entry, 2.0 * depth, 4.0 * depth)
}

/// Products of a layer's weights with the batch: forward, for the weights, and for the inputs, which
/// the first layer does not need.
fn network(widths: &[usize], batch: usize, entry: f64, kind: &str) -> Option<Cost> {
    // Of the first layer, and of each of the others.
    let (first, other) = match kind {
        "gradient" => (2.0, 3.0),
        // Tangents of h and of W; of the weights' gradient two, of the inputs' two.
        "hvp" => (2.0, 6.0),
        "hvp-fresh" => (3.0, 8.0),
        "block16" => (2.0 * BLOCK as f64, 6.0 * BLOCK as f64),
        _ => return None,
    };
    let weights = widths.windows(2).map(|w| (w[0] * w[1]) as f64);
    let products: f64 = weights
        .clone()
        .enumerate()
        .map(|(layer, weights)| weights * if layer == 0 { first } else { other })
        .sum();
    let resident = (weights.sum::<f64>() + (batch * widths[0]) as f64) * entry;
    Some(Cost {
        resident,
        read: resident,
        flops: 2.0 * products * batch as f64,
    })
}
