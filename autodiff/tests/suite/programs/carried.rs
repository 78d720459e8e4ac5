//! Terms that read what came back to their sum, beside the plain program, which gives each its own.

use autodiff::{Inputs, Point, Program, Shape, Var};

const N: usize = 21;

type Formula = for<'r> fn([Var<'r>; 3]) -> Var<'r>;

/// Formulas of two vectors and a number: chains with terms that are used again, numbers that go with all
/// entries on either side, and kinks.
const CHAINS: [(&str, Formula); 9] = [
    ("variation", |[a, b, c]| {
        (a.square() + b.square() + c.exp()).sqrt().sum()
    }),
    ("terms of terms", |[a, b, c]| {
        ((a.tanh() + (b.exp() + (a * b - c))) + b.sin())
            .square()
            .sum()
    }),
    ("a term that is used again", |[a, b, c]| {
        let (square, bent) = (a.square(), b.tanh() * c);
        let total = square + bent;
        (total * square + total).sum()
    }),
    ("a term twice", |[a, b, c]| {
        let bent = (a * b).exp();
        ((bent + bent) * c).sum()
    }),
    ("both sides of a difference", |[a, b, c]| {
        let bent = c - ((a.square() - b.square()) - (b - a.exp()));
        (bent.tanh() * b).sum()
    }),
    ("numbers on the left", |[a, b, c]| {
        let number = c * a.sum();
        ((number + a.exp()) * (number - b.tanh())).sum() + (number.square() + c.tanh())
    }),
    ("kinks", |[a, b, c]| {
        let bent = a.relu() + (a - b).abs() + (a.max(b) + c) - b.min(c).relu();
        (bent + bent.squared_relu()).sum()
    }),
    ("seen in other shapes", |[a, b, c]| {
        let bent = (a.tanh().reshape(3, 7) + b.exp().reshape(3, 7)).transpose() * c;
        let rows = bent.sum_rows();
        (rows.square() + rows.tanh() + bent.reshape(N, 1).slice(2, 3).square()).sum()
    }),
    ("a sum that nobody reads", |[a, b, c]| {
        let bent = a.square() * c;
        let _ = b.exp() + bent;
        (b.tanh() - bent.stop_gradient()).square().sum()
    }),
];

/// Bits, the sign of zero aside; all NaNs are one.
fn bits(a: &[f64]) -> Vec<u64> {
    let bits = |v: &f64| if v.is_nan() { 0 } else { (v + 0.0).to_bits() };
    a.iter().map(bits).collect()
}

fn numbers(n: usize, step: f64) -> Vec<f64> {
    (0..n).map(|i| (1.0 + i as f64 * step).sin()).collect()
}

fn recorded(f: Formula) -> std::sync::Arc<Program<f64>> {
    let (vector, number) = (Shape::vector(N), Shape::SCALAR);
    Program::record(&[vector, vector, number], |v| f([v[0], v[1], v[2]]))
}

/// What all sweeps give, each input asked for alone and moved alone as well.
fn everything(point: &mut Point<f64>, at: [&[f64]; 3], along: [&[f64]; 3]) -> Vec<Vec<u64>> {
    let mut all = Vec::new();
    let mut take = |a: &[f64]| all.push(bits(a));
    take(&[point.linearise(&at)]);
    let directions = along.map(Some);
    point.second(&directions);
    for k in 0..3 {
        take(point.gradient(k));
        take(point.product(k));
    }
    let wide: [Vec<f64>; 3] = along.map(|v| [v, v, v].concat());
    let wide = wide.each_ref().map(|v| Some(&v[..]));
    point.second_block(3, &wide, Inputs::ALL);
    (0..3).for_each(|k| take(point.product(k)));
    for k in 0..3 {
        let mut alone = [None; 3];
        alone[k] = Some(along[k]);
        point.second_at(&at, &alone, Inputs::ALL);
        (0..3).for_each(|k| take(point.product(k)));
        take(&[point.differentiate(&at, Inputs::one(k))]);
        take(point.gradient(k));
    }
    all
}

#[test]
fn carried_terms_have_the_bits_of_the_plain_program() {
    let (mut a, mut b) = (numbers(N, 0.7), numbers(N, 1.3));
    // Kinks: equal entries, and zeros.
    (a[3], b[3], a[4], b[5]) = (0.25, 0.25, 0.0, 0.0);
    let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e-320, 1e300];
    let (mut strange, mut other) = (a.clone(), b.clone());
    strange[6..11].copy_from_slice(&odd);
    other[9..14].copy_from_slice(&odd);
    let [v, w] = [0.4, 1.9].map(|step| numbers(N, step));
    for (name, f) in CHAINS {
        let program = recorded(f);
        let (mut planned, mut plain) = (program.point(), program.plain().point());
        // The last one again, from what NaNs left.
        for (a, b) in [(&a, &b), (&strange, &b), (&a, &other), (&a, &b)] {
            let (at, along) = ([&a[..], b, &[0.3]], [&v[..], &w, &[0.8]]);
            let ours = everything(&mut planned, at, along);
            assert_eq!(ours, everything(&mut plain, at, along), "{name}");
        }
    }
}

#[test]
fn what_comes_back_to_a_sum_is_held_once() {
    let (_, f) = CHAINS[0];
    let (planned, plain) = (recorded(f), recorded(f).plain());
    // Two squares and the first sum read what came to the second one.
    let numbers = 3 * N * size_of::<f64>();
    for bytes in [Point::gradient_bytes, Point::second_bytes] {
        assert_eq!(bytes(&plain) - bytes(&planned), numbers);
    }
}

#[test]
fn to_a_number_beside_entries_comes_their_sum() {
    for n in [0, 1, 5, 8, 21, 200] {
        let program = Program::<f64>::record(&[Shape::SCALAR, Shape::vector(n)], |v| {
            ((v[0] + v[1]) * v[1] + (v[0] - v[1])).sum()
        });
        let entries: Vec<f64> = (0..n).map(|i| (i % 7) as f64 - 2.0).collect();
        let mut point = program.point();
        for _ in 0..2 {
            point.linearise(&[&[3.0], &entries]);
            point.second(&[None, Some(&entries)]);
            let sum: f64 = entries.iter().sum();
            assert_eq!(point.gradient(0), [sum + n as f64]);
            assert_eq!(point.product(0), [sum]);
        }
    }
}
