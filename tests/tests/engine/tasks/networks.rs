//! Networks: `mlp` and `mlp-cleaning`.

use autodiff::{Program, Shape};
use models::{Activation, Dataset, Mlp, mlp, mlp_cleaning};
use nalgebra::{DMatrix, DVector};

use super::{around, assert_derivatives, assert_itd_is_aid, assert_means, few};

#[test]
fn derivatives_means_and_strategies_agree() {
    let task = mlp::<f64>(&few(12, 6, 3), &[2], 1).expect("classes");
    assert_derivatives(&task);
    assert_means(&task);
    // Decay so strong that the lower level is convex where it is solved.
    assert_itd_is_aid(&task, &DVector::from_vec(vec![-0.5, 0.0]), 600);
    let cleaning = mlp_cleaning::<f64>(&few(12, 6, 3), None, &[2], 1).expect("classes");
    assert_derivatives(&cleaning);
}

/// Without a hidden layer and biases, a network is the linear model.
#[test]
fn a_network_without_hidden_layers_is_linear() {
    let splits = few(15, 5, 3);
    let data = Dataset::<f64>::classes(&splits.train, 3);
    let net = Mlp::new(&[5, 3], Activation::Tanh);
    let y = net.initial::<f64>(4);
    // `Dataset` has classes in rows, one after the other; `Mlp` its matrix by columns.
    let rows: Vec<f64> = net
        .layout()
        .view("W1", y.as_slice())
        .transpose()
        .iter()
        .copied()
        .collect();
    let linear = Program::record(&[Shape::vector(15)], |v| data.cross_entropy(v[0]));
    let layers = Program::record(&[Shape::vector(18)], |v| data.mlp_losses(&net, v[0]).mean());
    let (a, b) = (
        linear.point().value(&[&rows]),
        layers.point().value(&[y.as_slice()]),
    );
    assert!((a - b).abs() < 1e-14, "{a} {b}");
    assert_eq!(data.accuracy(&rows), data.mlp_accuracy(&net, y.as_slice()));
}

/// Recorded and evaluated scores agree, and do not change where hidden units change places.
#[test]
fn hidden_units_have_no_order() {
    for activation in [Activation::Tanh, Activation::Softplus] {
        let net = Mlp::new(&[4, 3, 2], activation);
        let y = around(&net.initial::<f64>(0));
        let inputs = DMatrix::from_fn(4, 5, |i, j| (i as f64 - 2.0 * j as f64).sin());
        let scores = net.evaluate(y.as_slice(), &inputs);
        let distance = Program::record(&[Shape::vector(y.len())], |v| {
            (net.scores(v[0], v[0].matrix(&inputs)) - &scores).norm_squared()
        });
        assert!(distance.point().value(&[y.as_slice()]) < 1e-28);
        let block = |name: &str| net.layout().view(name, y.as_slice()).into_owned();
        let turned = [2, 0, 1];
        let swapped = net.layout().pack(&[
            ("W1", &block("W1").select_rows(&turned)),
            ("b1", &block("b1").select_rows(&turned)),
            ("W2", &block("W2").select_columns(&turned)),
            ("b2", &block("b2")),
        ]);
        assert!((net.evaluate(swapped.as_slice(), &inputs) - &scores).amax() < 1e-14);
    }
}

/// At x = 0 every sample counts half.
#[test]
fn equal_weights_halve_the_cross_entropy() {
    let splits = few(12, 6, 3);
    let (cleaning, plain) = (
        mlp_cleaning::<f64>(&splits, None, &[2], 1).expect("classes"),
        mlp::<f64>(&splits, &[2], 1).expect("classes"),
    );
    let y = around(cleaning.bilevel.start());
    let weighted = cleaning
        .bilevel
        .lower()
        .point()
        .value(&[&[0.0; 12], y.as_slice()]);
    // The decay of `mlp` with e^x = 0 is none.
    let none = [f64::NEG_INFINITY; 2];
    let whole = plain.bilevel.lower().point().value(&[&none, y.as_slice()]);
    assert!((weighted - 0.5 * whole - 0.001 * y.norm_squared()).abs() < 1e-14);
}

#[test]
#[should_panic(expected = "a network of widths [4, 0, 2]: expected at least 2, none of them 0")]
fn an_empty_layer_is_refused() {
    let _ = Mlp::new(&[4, 0, 2], Activation::Tanh);
}
