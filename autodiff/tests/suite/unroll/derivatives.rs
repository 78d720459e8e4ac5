//! Forward mode, reverse mode and central differences.

use autodiff::unroll::{Memory, Step, Unrolled};
use autodiff::{Meter, Objective, Real, Var, objective};
use nalgebra::DMatrix;

use crate::unroll::cases::*;

fn close<T: Real>(a: &[T], b: &[T], tolerance: f64, place: &str) {
    assert_eq!(a.len(), b.len(), "{place}");
    let largest = b.iter().fold(1.0, |m: f64, v| m.max(v.f64().abs()));
    for (a, b) in a.iter().zip(b) {
        let error = (a.f64() - b.f64()).abs();
        assert!(error <= tolerance * largest, "{place}: {a} against {b}");
    }
}

/// Forward mode against reverse mode, through the product and through the policy.
fn forward_equals_reverse<T: Real>(tolerance: f64) {
    for case in cases::<T>() {
        let mut unrolled = fresh(&case);
        for depth in DEPTHS {
            let place = format!("{}, {depth} steps", case.name);
            let want = run(&mut unrolled, &case.start, depth, Memory::Stored);
            let (state, by_x) = unrolled.forward_mode(&noise(DIM, 1), &case.start, depth);
            assert_eq!(state, want.0, "{place}");
            assert_eq!(by_x.len(), DIM * case.start.len());
            let cotangent = noise::<T>(case.start.len(), 2);
            let product: Vec<T> = by_x
                .chunks_exact(case.start.len())
                .map(|column| autodiff::kernels::dot(column, &cotangent))
                .collect();
            close(&product, &want.1, tolerance, &place);
            let got = run(&mut unrolled, &case.start, depth, Memory::Forward);
            assert_eq!((got.0, got.1, got.2), (want.0, product, vec![]), "{place}");
        }
    }
}

#[test]
fn forward_mode_equals_reverse_mode() {
    forward_equals_reverse::<f64>(1e-12);
    forward_equals_reverse::<f32>(1e-4);
}

/// More entries of x than one block of tangents takes along.
#[test]
fn forward_mode_goes_in_blocks() {
    for dim_x in [15, 16, 17, 40] {
        let a = DMatrix::from_vec(DIM, dim_x, noise::<f64>(DIM * dim_x, 5));
        let g = objective(move |x: Var, y: Var| {
            (y - &a * x).norm_squared() * 0.5 + (y.square() * y.square()).sum() * 0.25
        })
        .record(dim_x, DIM);
        let step = Step::new(dim_x, DIM, move |x, y, _| {
            y - Var::gradient(&g, 1, &[x, y]) * 0.1
        });
        let (x, start, cotangent) = (noise(dim_x, 1), noise(DIM, 4), noise(DIM, 2));
        let meter = Meter::new();
        let mut forward = Unrolled::new(step.clone(), &meter);
        forward.forward(&x, &start, 20, Memory::Forward);
        let (by_x, _) = forward.reverse(&cotangent);
        let mut reverse = Unrolled::new(step.clone(), &Meter::new());
        reverse.forward(&x, &start, 20, Memory::Stored);
        let (expected, _) = reverse.reverse(&cotangent);
        close(by_x, expected, 1e-12, &format!("x of {dim_x}"));
        assert_eq!(meter.read().peak, step.peak_bytes(20, Memory::Forward));
    }
}

#[test]
fn both_modes_match_central_differences() {
    let h = 1e-5;
    for case in cases::<f64>() {
        let mut unrolled = fresh(&case);
        for depth in [1, 3, 50] {
            let place = format!("{}, {depth} steps", case.name);
            let (x, cotangent) = (noise(DIM, 1), noise(case.start.len(), 2));
            let (_, by_x, by_start, _) = run(&mut unrolled, &case.start, depth, Memory::Taped);
            let mut value = |x: &[f64], start: &[f64]| {
                let state = unrolled.forward(x, start, depth, Memory::Truncated { steps: 0 });
                autodiff::kernels::dot(state, &cotangent)
            };
            let moved = |v: &[f64], j: usize, h: f64| {
                let mut v = v.to_vec();
                v[j] += h;
                v
            };
            let slope = |up: f64, down: f64| (up - down) / (2.0 * h);
            let numeric: Vec<f64> = (0..DIM)
                .map(|j| {
                    let up = value(&moved(&x, j, h), &case.start);
                    slope(up, value(&moved(&x, j, -h), &case.start))
                })
                .collect();
            close(&by_x, &numeric, 1e-7, &place);
            let numeric: Vec<f64> = (0..case.start.len())
                .map(|j| {
                    let up = value(&x, &moved(&case.start, j, h));
                    slope(up, value(&x, &moved(&case.start, j, -h)))
                })
                .collect();
            close(&by_start, &numeric, 1e-7, &place);
        }
    }
}
