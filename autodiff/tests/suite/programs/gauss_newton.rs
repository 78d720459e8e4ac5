//! Gauss–Newton products: the loss's second derivatives between the model's first ones.

use std::sync::Arc;

use autodiff::arbitrary::properties::gauss_newton as property;
use autodiff::arbitrary::{case, for_all};
use autodiff::nalgebra::{DMatrix, DVector};
use autodiff::{Inputs, Point, Program, Shape, Var};

const SAMPLE: u32 = 1500;

#[test]
fn its_products_are_those_of_the_jacobian_and_the_loss() {
    for_all(
        file!(),
        SAMPLE,
        case(),
        property::its_products_are_those_of_the_jacobian_and_the_loss,
    );
}

#[test]
fn a_mark_changes_no_other_sweep() {
    for_all(
        file!(),
        SAMPLE,
        case(),
        property::a_mark_changes_no_other_sweep,
    );
}

fn numbers(n: usize, seed: f64) -> Vec<f64> {
    (0..n).map(|i| (seed + 1.7 * i as f64).sin()).collect()
}

/// Sizes of a net 3-4-2 on five samples, y its weights.
const SIZES: (usize, usize, usize, usize) = (3, 4, 2, 5);
const DIM: usize = 3 * 4 + 4 + 4 * 2 + 2;

/// The hidden layer and the scores.
fn net<'r>(y: Var<'r>) -> [Var<'r>; 2] {
    let (inputs, hidden, classes, n) = SIZES;
    let samples = y.constant_matrix(inputs, n);
    let (w, b) = (
        y.slice(0, inputs * hidden),
        y.slice(inputs * hidden, hidden),
    );
    let first = inputs * hidden + hidden;
    let (u, c) = (
        y.slice(first, hidden * classes),
        y.slice(first + hidden * classes, classes),
    );
    let layer = (w.reshape(hidden, inputs).matmul(samples) + b).tanh();
    [layer, u.reshape(classes, hidden).matmul(layer) + c]
}

trait Samples<'r> {
    fn constant_matrix(self, rows: usize, cols: usize) -> Var<'r>;
}

impl<'r> Samples<'r> for Var<'r> {
    fn constant_matrix(self, rows: usize, cols: usize) -> Var<'r> {
        self.vector(&numbers(rows * cols, 0.3)).reshape(rows, cols)
    }
}

/// Cross-entropy of the scores and a decay of the weights and the hidden layer, times e^x.
fn loss<'r>(hidden: Var<'r>, scores: Var<'r>, x: Var<'r>, y: Var<'r>) -> Var<'r> {
    let classes = scores.shape().rows;
    let right: Vec<usize> = (0..SIZES.3).map(|i| i * classes + i % classes).collect();
    let all = scores.log_softmax().reshape(scores.len(), 1);
    let decay = y.norm_squared() + hidden.square().sum();
    -all.gather(&right).mean() + x.exp() * decay * 0.5
}

fn dense(
    program: &Arc<Program<f64>>,
    at: &[&[f64]],
    product: impl Fn(&mut Point<f64>, &[f64]),
) -> DMatrix<f64> {
    let mut point = program.point();
    point.linearise(at);
    let columns: Vec<DVector<f64>> = (0..DIM)
        .map(|k| {
            let mut unit = vec![0.0; DIM];
            unit[k] = 1.0;
            product(&mut point, &unit);
            DVector::from_column_slice(point.product(1))
        })
        .collect();
    DMatrix::from_columns(&columns)
}

/// The matrix of a net whose hidden layer the loss reads too, `[J; I]ᵀ H_ℓ [J; I]` with the hidden layer
/// among the outputs, from columns of J and of H_ℓ.
#[test]
fn it_is_the_dense_matrix_of_columns_of_the_jacobian() {
    let marked = Program::<f64>::record(&[Shape::SCALAR, Shape::vector(DIM)], |v| {
        let [hidden, scores] = net(v[1]);
        loss(hidden, scores.outputs(), v[0], v[1])
    });
    let model = Program::<f64>::record(&[Shape::vector(DIM)], |v| {
        let [hidden, scores] = net(v[0]);
        hidden.concat(&[scores])
    });
    let (hidden, classes, n) = (SIZES.1, SIZES.2, SIZES.3);
    let outputs = (hidden + classes) * n;
    let shapes = [Shape::SCALAR, Shape::vector(outputs + DIM)];
    let of_loss = Program::<f64>::record(&shapes, |v| {
        let layer = v[1].slice(0, hidden * n).reshape(hidden, n);
        let scores = v[1].slice(hidden * n, classes * n).reshape(classes, n);
        loss(layer, scores, v[0], v[1].slice(outputs, DIM))
    });
    let mut indefinite = 0;
    for seed in 0..8 {
        let (x, y) = ([-3.0], numbers(DIM, f64::from(seed)));
        let got = dense(&marked, &[&x, &y], |point, v| {
            point.gauss_newton(&[None, Some(v)], Inputs::one(1));
        });

        let mut point = model.point();
        let z = point.linearise_vector(&[&y]).to_vec();
        let mut jacobian = DMatrix::zeros(outputs + DIM, DIM);
        for k in 0..DIM {
            let mut unit = vec![0.0; DIM];
            unit[k] = 1.0;
            let column = point
                .push_forward(&[Some(&unit)])
                .expect("it moves")
                .to_vec();
            jacobian
                .view_mut((0, k), (outputs, 1))
                .copy_from_slice(&column);
            jacobian[(outputs + k, k)] = 1.0;
        }
        let mut point = of_loss.point();
        point.linearise(&[&x, &[z, y.clone()].concat()]);
        let columns: Vec<DVector<f64>> = (0..outputs + DIM)
            .map(|k| {
                let mut unit = vec![0.0; outputs + DIM];
                unit[k] = 1.0;
                point.second(&[None, Some(&unit)]);
                DVector::from_column_slice(point.product(1))
            })
            .collect();
        let want = jacobian.transpose() * DMatrix::from_columns(&columns) * &jacobian;
        assert!(
            (&got - &want).amax() < 1e-13 * (1.0 + want.amax()),
            "{seed}"
        );
        // Convex in both: semidefinite, where the Hessian is not.
        assert!(got.symmetric_eigenvalues().min() > -1e-13, "{seed}");
        let hessian = dense(&marked, &[&x, &y], |point, v| {
            point.second(&[None, Some(v)])
        });
        indefinite += usize::from(hessian.symmetric_eigenvalues().min() < -1e-3);
    }
    assert!(indefinite >= 4, "{indefinite} of 8 Hessians are indefinite");
}

/// Of a model that is linear in y the Hessian itself, bit for bit.
#[test]
fn of_a_linear_model_it_is_the_hessian() {
    let program = Program::<f64>::record(&[Shape::SCALAR, Shape::vector(6)], |v| {
        let (x, y) = (v[0], v[1]);
        let scores = y.reshape(2, 3).matmul(y.constant_matrix(3, 7)) + y.slice(1, 2);
        let losses = scores.outputs().log_sum_exp() - scores.row(1);
        losses.dot(losses.constant_matrix(1, 7).exp()) + x.exp() * y.square().square().sum()
    });
    let mut point = program.point();
    let y = numbers(6, 2.0);
    point.linearise(&[&[-1.0], &y]);
    for v in [numbers(6, 0.1), numbers(6, 5.0)] {
        let along = [Some(&[0.4][..]), Some(&v[..])];
        point.second(&along);
        let want = [point.product(0).to_vec(), point.product(1).to_vec()];
        point.gauss_newton(&along, Inputs::ALL);
        assert_eq!(
            [point.product(0), point.product(1)],
            [&want[0][..], &want[1]]
        );
    }
}

/// r(y)ᵀr(y)/2 where r is 0: what is left out is r times something.
#[test]
fn where_no_residual_is_left_it_is_the_hessian() {
    let truth = numbers(DIM, 4.0);
    let scores = Program::<f64>::record(&[Shape::vector(DIM)], |v| net(v[0])[1]);
    let targets = scores.point().evaluate(&[&truth]).to_vec();
    let least_squares = Program::<f64>::record(&[Shape::SCALAR, Shape::vector(DIM)], |v| {
        let scores = net(v[1])[1].outputs();
        0.5 * (scores - v[1].vector(&targets).reshape(2, 5)).norm_squared() + 0.0 * v[0]
    });
    let mut point = least_squares.point();
    let v = numbers(DIM, 7.0);
    let mut apart = |y: &[f64]| {
        point.linearise(&[&[0.0], y]);
        point.second(&[None, Some(&v)]);
        let hessian = DVector::from_column_slice(point.product(1));
        point.gauss_newton(&[None, Some(&v)], Inputs::ALL);
        (hessian - DVector::from_column_slice(point.product(1))).norm()
    };
    assert!(apart(&truth) < 1e-14, "{:e}", apart(&truth));
    // And beside it by as much as y is off.
    let off = |t: f64| truth.iter().map(|y| y + t).collect::<Vec<_>>();
    let (near, far) = (apart(&off(1e-4)), apart(&off(1e-3)));
    assert!((far / near - 10.0).abs() < 0.2, "{near:e}, {far:e}");
}

/// A block is its columns, here and in leaves.
#[test]
fn blocks_and_leaves_are_the_same() {
    let leaf = Program::<f64>::record(&[Shape::SCALAR, Shape::vector(DIM)], |v| {
        let [hidden, scores] = net(v[1]);
        loss(hidden, scores.outputs(), v[0], v[1])
    });
    let sum = Program::record(&[Shape::SCALAR, Shape::vector(DIM)], |v| {
        let parts = [0.25, 0.75].map(|weight| (leaf.clone(), weight, vec![v[0], v[1]]));
        Var::sum_of_leaves(&parts)
    });
    assert!(leaf.has_outputs() && sum.has_outputs());
    let (x, y) = ([-3.0], numbers(DIM, 1.0));
    let (mut one, mut several) = (leaf.point(), sum.point());
    one.linearise(&[&x, &y]);
    several.linearise(&[&x, &y]);
    let block = numbers(3 * DIM, 0.7);
    several.gauss_newton_block(3, &[None, Some(&block)], Inputs::one(1));
    for (v, got) in block.chunks(DIM).zip(several.product(1).chunks(DIM)) {
        one.gauss_newton(&[None, Some(v)], Inputs::ALL);
        for (got, want) in got.iter().zip(one.product(1)) {
            assert!((got - want).abs() < 1e-14, "{got:e}, {want:e}");
        }
        let whole = one.product(1).to_vec();
        one.second(&[None, Some(v)]);
        assert_ne!(one.product(1), &whole[..]);
    }
}

#[test]
#[should_panic(expected = "mark them by `outputs()`")]
fn without_a_mark_there_is_none() {
    let program = Program::<f64>::record(&[Shape::SCALAR], |v| v[0].square());
    let mut point = program.point();
    point.linearise(&[&[1.0]]);
    point.gauss_newton(&[Some(&[1.0])], Inputs::ALL);
}
