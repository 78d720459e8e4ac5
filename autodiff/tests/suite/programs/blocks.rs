//! A block of directions against one sweep for each of them.

use autodiff::arbitrary::for_all;
use autodiff::arbitrary::numbers::{bits, largest, slices};
use autodiff::arbitrary::{Case, Instruction, case};
use autodiff::{Inputs, Point, Program, Shape};
use nalgebra::DMatrix;
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

const WIDTHS: [usize; 5] = [1, 2, 3, 5, 8];
const SAMPLE: u32 = 500;

/// `width` directions of each input that moves, one after the other; they all differ.
fn block(case: &Case, width: usize, subset: u8) -> Vec<Option<Vec<f64>>> {
    let (v, w) = (case.v(), case.w());
    let input = |k: usize| {
        let column = |c: usize| {
            let mix = move |(v, w): (&f64, &f64)| v * (1.0 - c as f64 / 4.0) + w * c as f64 / 8.0;
            v[k].iter().zip(&w[k]).map(mix)
        };
        (subset >> (k % 8) & 1 == 1).then(|| (0..width).flat_map(column).collect())
    };
    (0..v.len()).map(input).collect()
}

fn columns(block: &[Option<Vec<f64>>]) -> Vec<Option<&[f64]>> {
    block.iter().map(Option::as_deref).collect()
}

/// Direction `c` of a block alone.
fn column(block: &[Option<Vec<f64>>], width: usize, c: usize) -> Vec<Option<&[f64]>> {
    let part = |b: &'_ Vec<f64>| b.len() / width;
    block
        .iter()
        .map(|b| b.as_ref().map(|b| &b[c * part(b)..][..part(b)]))
        .collect()
}

/// Whether all columns must have the bits of their own sweeps: a product of matrices sums in
/// another order than one with a vector.
fn exact(case: &Case) -> bool {
    let product = |i: &Instruction| matches!(i, Instruction::MatMul { .. });
    !case.graph.code.iter().any(product)
}

fn same<'p>(
    case: &Case,
    program: &Program<f64>,
    got: &'p [f64],
    want: &'p [f64],
) -> TestCaseResult {
    if exact(case) {
        prop_assert_eq!(bits(got), bits(want), "{:?}", program);
    }
    // As in the identities between the sweeps.
    let bound = 64.0 * f64::EPSILON * program.len() as f64 * (1.0 + largest(want));
    prop_assert_eq!(got.len(), want.len());
    for (got, want) in got.iter().zip(want) {
        prop_assert!(
            (got - want).abs() <= bound,
            "{got:e}, not {want:e}\n{program:?}"
        );
    }
    Ok(())
}

#[test]
fn products_are_those_of_one_direction_after_the_other() {
    for_all(file!(), SAMPLE, (case(), any::<u8>()), |(case, subset)| {
        let program = case.graph.record::<f64>();
        let mut single: Point<f64> = program.point();
        single.linearise(&slices(&case.at()));
        let mut point = program.point();
        point.linearise(&slices(&case.at()));
        for width in WIDTHS.into_iter().rev().chain(WIDTHS) {
            let along = block(&case, width, subset);
            let before = point.sweeps().hvps;
            point.second_block(width, &columns(&along), Inputs::ALL);
            prop_assert_eq!(point.sweeps().hvps - before, width);
            for c in 0..width {
                single.second(&column(&along, width, c));
                for k in 0..along.len() {
                    let want = single.product(k);
                    let got = &point.product(k)[c * want.len()..][..want.len()];
                    same(&case, &program, got, want)?;
                }
            }
            let mut got = vec![f64::NAN; width];
            point.directional_block(width, &columns(&along), &mut got);
            let want: Vec<f64> = (0..width)
                .map(|c| single.directional(&column(&along, width, c)))
                .collect();
            same(&case, &program, &got, &want)?;
        }
        Ok(())
    });
}

#[test]
fn tangents_of_vectors_are_those_of_one_direction_after_the_other() {
    for_all(file!(), SAMPLE, (case(), any::<u8>()), |(case, subset)| {
        let program = case.graph.record_vector::<f64>();
        let mut point = program.point();
        let len = point.linearise_vector(&slices(&case.at())).len();
        for width in WIDTHS {
            let along = block(&case, width, subset);
            let mut got = vec![f64::NAN; len * width];
            point.directional_block(width, &columns(&along), &mut got);
            for (c, got) in got.chunks(len).enumerate() {
                let want = point.push_forward(&column(&along, width, c));
                let still = vec![0.0; len];
                same(&case, &program, got, want.unwrap_or(&still))?;
            }
        }
        Ok(())
    });
}

/// ½ yᵀAy + xᵀBy with every place of a vector in a product, and the rows of A and B as well.
#[test]
fn products_of_matrices_are_right_however_they_stand() {
    let (n, width) = (7, 6);
    let entry = |i: usize, j: usize| ((3 * i + 5 * j) as f64).sin();
    let a = DMatrix::from_fn(n, n, |i, j| entry(i, j) + entry(j, i));
    let b = DMatrix::from_fn(n, n, entry);
    let shapes = [Shape::vector(n), Shape::matrix(1, n)];
    let program = Program::<f64>::record(&shapes, |v| {
        let (x, y, a, b) = (v[0], v[1].transpose(), v[0].matrix(&a), v[0].matrix(&b));
        let quadratics = [
            y.dot(a.matmul(y)),
            y.dot(a.tr_matmul(y)),
            y.dot(a.matmul_tr(v[1])),
            v[1].dot(v[1].matmul(a)),
            v[1].dot(v[1].matmul_tr(a)),
            v[1].dot(y.tr_matmul(a)),
        ];
        let crosses = [
            x.dot(b.matmul(y)),
            x.tr_matmul(b).matmul(y),
            v[1].matmul_tr(b).matmul(x),
        ];
        let quadratics = quadratics.map(|q| q * (1.0 / 12.0));
        let crosses = crosses.map(|c| c * (1.0 / 3.0));
        let terms = quadratics.into_iter().chain(crosses);
        terms.reduce(|a, b| a + b).expect("nine terms")
    });
    let mut point = program.point();
    let at: Vec<f64> = (0..n).map(|i| entry(i, 1)).collect();
    point.linearise(&[&at, &at]);
    let x = DMatrix::from_fn(n, width, |i, j| entry(j, i + 2));
    let y = DMatrix::from_fn(n, width, |i, j| entry(i + 1, 2 * j));
    point.second_block(
        width,
        &[Some(x.as_slice()), Some(y.as_slice())],
        Inputs::ALL,
    );
    let want = [&b * &y, &a * &y + b.transpose() * &x];
    for (k, want) in want.iter().enumerate() {
        let got = DMatrix::from_column_slice(n, width, point.product(k));
        assert!((got - want).amax() < 1e-13, "input {k}");
    }
}

#[test]
fn a_block_counts_as_its_directions_inside_loops_too() {
    let shapes = [Shape::vector(3), Shape::vector(4)];
    let g = Program::<f64>::record(&shapes, |v| v[0].exp().sum() * v[1].norm_squared());
    let outer = Program::<f64>::record(&shapes, |v| autodiff::Var::gradient(&g, 1, &[v[0], v[1]]));
    let mut point = outer.point();
    point.linearise_vector(&[&[0.0; 3], &[1.0, 2.0, 3.0, 4.0]]);
    let directions = [1.0, 0.0, 0.0, 0.0, 0.5, 0.0];
    let mut moved = [f64::NAN; 8];
    point.directional_block(2, &[Some(&directions), None], &mut moved);
    assert_eq!(moved, [2.0, 4.0, 6.0, 8.0, 1.0, 2.0, 3.0, 4.0]);
    assert_eq!(point.sweeps_of(&g).hvps, 2);
}

fn square() -> Point<f64> {
    let program = Program::<f64>::record(&[Shape::vector(2)], |v| v[0].norm_squared());
    let mut point = program.point();
    point.linearise(&[&[1.0, 2.0]]);
    point
}

#[test]
#[should_panic(expected = "tangent of input 0 has 4 entries: expected vector(2), 3 times")]
fn a_block_of_another_width_is_refused() {
    square().second_block(3, &[Some(&[0.0; 4])], Inputs::ALL);
}

#[test]
#[should_panic(expected = "a block has at least one direction")]
fn an_empty_block_is_refused() {
    square().second_block(0, &[Some(&[])], Inputs::ALL);
}
