//! Wide sparse samples beside an h of entries: coordinate descent over their columns, against the formula
//! on the active set.

use autodiff::{Real, Sparse, Var, objective};
use models::Dataset;
use models::data::{Features, Samples};
use nalgebra::{DMatrix, DVector};
use solvers::{Aid, Bilevel, Estimate, Part, Strategy, solve_lower};

/// So many features that sums go by columns, with numbers of either width.
const D: usize = 8300;
const N: usize = 160;

fn noise(k: usize) -> f64 {
    let wave = (k as f64 * 12.9898).sin() * 43758.5453;
    2.0 * (wave - wave.floor()) - 1.0
}

/// How samples are made: which column is a copy of which, and what each is multiplied by.
#[derive(Clone, Copy)]
struct Kind {
    /// Every so many-th column is that before it, and the one after it is empty.
    copies: Option<usize>,
    /// Columns are multiplied by up to 10 to this, or divided.
    spread: f64,
}

const PLAIN: Kind = Kind {
    copies: None,
    spread: 0.0,
};

fn scale(j: usize, spread: f64) -> f64 {
    10f64.powf(spread * noise(7 * j + 3))
}

fn samples(kind: Kind, salt: usize) -> (DMatrix<f64>, DVector<f64>) {
    let source = |j: usize| match kind.copies {
        Some(k) if j % k == k - 1 => Some(j - 1),
        Some(k) if j.is_multiple_of(k) => None,
        _ => Some(j),
    };
    let dense = DMatrix::from_fn(N, D, |i, j| {
        let Some(from) = source(j) else { return 0.0 };
        let v = noise((from + salt) * N + i + 1);
        // The same scale for a copy.
        let kept = noise(from * 31 + (i + salt) * 1009) > 0.96;
        if kept {
            v * scale(from, kind.spread)
        } else {
            0.0
        }
    });
    let told = |i: usize| -> f64 {
        let row = (1..D)
            .step_by(97)
            .map(|j| dense[(i, j)] / scale(j, kind.spread));
        row.enumerate().map(|(k, v)| v * noise(k + 7)).sum()
    };
    let target = DVector::from_fn(N, |i, _| told(i) + 0.05 * noise(i + 31 + salt));
    (dense, target)
}

fn data<T: Real>((a, t): &(DMatrix<f64>, DVector<f64>)) -> Dataset<T> {
    let features: Features = Sparse::of_dense(a).into();
    Dataset::targets(&Samples {
        features,
        labels: t.as_slice().to_vec(),
    })
}

fn problem<T: Real>(
    train: &(DMatrix<f64>, DVector<f64>),
    valid: &(DMatrix<f64>, DVector<f64>),
    part: Part<T>,
) -> Bilevel<T> {
    let (train, valid) = (data::<T>(train), data::<T>(valid));
    let lower = objective(move |_: Var<'_, T>, y: Var<'_, T>| train.squared_loss(y));
    let upper = objective(move |_: Var<'_, T>, y: Var<'_, T>| valid.squared_loss(y));
    let problem = Bilevel::new(upper, lower, 2, D).expect("a valid problem");
    problem.with_part(part).expect("a part of this y")
}

/// `x₀ u_j |y_j| + ½ x₁ y_j²` with these u, at x.
fn net<T: Real>(shares: &[f64]) -> Part<T> {
    let shares: Vec<T> = shares.iter().map(|v| T::of(*v)).collect();
    Part::elastic_net(
        move |x: Var<'_, T>| x.at(0) * x.vector(&shares),
        |x: Var<'_, T>| x.at(1),
    )
}

fn run<T: Real>(problem: &Bilevel<T>, x: [f64; 2], tolerance: f64) -> Estimate<T> {
    let x = DVector::from_iterator(2, x.map(T::of));
    let aid = Aid::cg().lower_tolerance(tolerance);
    let found = aid.hypergradient(problem, &x, &mut problem.workspace());
    let found = found.expect("valid settings");
    assert_eq!(found.bytes.peak, aid.predicted_peak_bytes(problem));
    found
}

/// By how much of the weight `y` violates the conditions off its support, by how much of its largest entry
/// it is off the formula on the support, and the hypergradient by the formula; with the size of that.
fn formula(
    (a, t): &(DMatrix<f64>, DVector<f64>),
    (b, u): &(DMatrix<f64>, DVector<f64>),
    (shares, [weight, square]): (&[f64], [f64; 2]),
    y: &DVector<f64>,
) -> (f64, f64, [f64; 2], usize) {
    let n = N as f64;
    let support: Vec<usize> = (0..D).filter(|j| y[*j] != 0.0).collect();
    let k = support.len();
    let columns = |of: &DMatrix<f64>| of.select_columns(&support);
    let (of_a, of_b) = (columns(a), columns(b));
    let signs = DVector::from_fn(k, |p, _| shares[support[p]] * y[support[p]].signum());
    let h = of_a.tr_mul(&of_a) / n + DMatrix::identity(k, k) * square;
    // Of unit diagonal, so that scales of columns take no digits.
    let unit = DVector::from_fn(k, |p, _| 1.0 / h[(p, p)].sqrt());
    let scaled = DMatrix::from_fn(k, k, |p, q| h[(p, q)] * unit[p] * unit[q]);
    let factor = scaled.cholesky().expect("a definite block");
    let solve = |r: DVector<f64>| factor.solve(&r.component_mul(&unit)).component_mul(&unit);
    let exact = solve(of_a.tr_mul(t) / n - &signs * weight);
    let off = (0..k).map(|p| ((y[support[p]] - exact[p]) / unit[p]).abs());
    let largest = (0..k)
        .map(|p| (exact[p] / unit[p]).abs())
        .fold(0.0, f64::max);
    let r = &of_a * &exact - t;
    let slopes = a.tr_mul(&r) / n;
    let rest = (0..D).filter(|j| y[*j] == 0.0);
    let beyond = rest.map(|j| slopes[j].abs() / weight - shares[j]);
    let v = solve(of_b.tr_mul(&(&of_b * &exact - u)) / n);
    let gradient = [-signs.dot(&v), -exact.dot(&v)];
    (
        beyond.fold(f64::NEG_INFINITY, f64::max),
        off.fold(0.0, f64::max) / largest,
        gradient,
        k,
    )
}

fn largest_weight((a, t): &(DMatrix<f64>, DVector<f64>), shares: &[f64]) -> f64 {
    let slopes = a.tr_mul(t) / N as f64;
    let each = slopes.iter().zip(shares).filter(|(_, u)| **u > 0.0);
    each.map(|(s, u)| s.abs() / u).fold(0.0, f64::max)
}

#[test]
fn wide_sparse_paths_are_those_of_the_formula_on_the_active_set() {
    let copies = Kind {
        copies: Some(5),
        spread: 0.0,
    };
    let scaled = Kind {
        copies: None,
        spread: 1.0,
    };
    let one = |_: usize, _: f64| 1.0;
    // A few entries have no weight.
    let some = |j: usize, _: f64| {
        if j % 800 == 1 {
            0.0
        } else {
            0.5 + (j % 5) as f64 / 4.0
        }
    };
    type Shares = fn(usize, f64) -> f64;
    let cases: [(&str, Kind, Shares, f64); 5] = [
        ("lasso", PLAIN, one, 0.0),
        ("elastic net", PLAIN, one, 1.0),
        ("weights", PLAIN, some, 0.1),
        ("copies and empty columns", copies, one, 0.5),
        ("scales", scaled, scale, 0.0),
    ];
    for (name, kind, share, square) in cases {
        let (train, valid) = (samples(kind, 0), samples(kind, 5));
        let shares: Vec<f64> = (0..D).map(|j| share(j, kind.spread)).collect();
        let largest = largest_weight(&train, &shares);
        let problem = problem::<f64>(&train, &valid, net(&shares));
        let mut most = 0;
        for part in [0.7, 0.2, 0.06] {
            let weight = part * largest;
            let x = [weight, square * weight];
            for tolerance in [1e-4 * largest, 1e-10 * largest] {
                let found = run(&problem, x, tolerance);
                let of = format!("{name}, {part} {tolerance:e}: {}", found.status);
                assert!(found.status.is_success(), "{of}");
                let (beyond, off, wanted, k) = formula(&train, &valid, (&shares, x), &found.y);
                assert!(beyond < 1e-9 && off < 1e-9, "{of}: {beyond:e} {off:e}");
                let size = wanted[0].abs().max(wanted[1].abs());
                let counted = if square > 0.0 { 2 } else { 1 };
                for (found, wanted) in found.hypergradient.iter().zip(&wanted[..counted]) {
                    assert!(
                        (found - wanted).abs() < 1e-9 * size,
                        "{of}: {found} {wanted}"
                    );
                }
                most = most.max(k);
            }
        }
        // So many that columns are less work than a block of their working set.
        assert!(most > 60, "{name}: {most} free");
        if kind.copies.is_some() {
            let x = [0.06 * largest, square * 0.06 * largest];
            let y = run(&problem, x, 1e-10 * largest).y;
            let pairs = (1..D / 5).map(|k| (y[5 * k - 1], y[5 * k - 2]));
            let (mut free, apart) = (0, 1e-9 * y.amax());
            for (a, b) in pairs {
                assert!((a - b).abs() <= apart, "{a} {b}");
                free += usize::from(a != 0.0);
            }
            assert!(free > 5 && (0..D).step_by(5).all(|j| y[j] == 0.0), "{free}");
        }
    }
}

/// Scales of ten decades: what is said to have converged has, in the metric of the columns.
#[test]
fn columns_of_ten_decades_are_solved_or_refused() {
    let kind = Kind {
        copies: None,
        spread: 5.0,
    };
    let (train, valid) = (samples(kind, 0), samples(kind, 5));
    for share in [|_: usize, _: f64| 1.0, scale] {
        let shares: Vec<f64> = (0..D).map(|j| share(j, kind.spread)).collect();
        let largest = largest_weight(&train, &shares);
        let problem = problem::<f64>(&train, &valid, net(&shares));
        for part in [0.5, 0.1] {
            let x = [part * largest, 0.0];
            let found = run(&problem, x, 1e-9 * largest);
            if found.status.is_success() {
                let (beyond, _, wanted, _) = formula(&train, &valid, (&shares, x), &found.y);
                let off = (found.hypergradient[0] / wanted[0] - 1.0).abs();
                assert!(
                    beyond < 1e-6 && off < 1e-5,
                    "{part}: {beyond:e} {off:e} {}",
                    found.status
                );
            }
        }
    }
}

#[test]
fn narrow_numbers_are_near_those_of_the_formula() {
    let (train, valid) = (samples(PLAIN, 0), samples(PLAIN, 5));
    let shares = vec![1.0; D];
    let largest = largest_weight(&train, &shares);
    let problem = problem::<f32>(&train, &valid, net(&shares));
    for (part, square) in [(0.3, 0.0), (0.1, 1.0)] {
        let x = [part * largest, square * part * largest];
        let found = run(&problem, x, 1e-6 * largest);
        assert!(found.status.is_success(), "{}", found.status);
        let y = found.y.map(f64::from);
        let (beyond, off, wanted, k) = formula(&train, &valid, (&shares, x), &y);
        assert!(
            beyond < 1e-4 && off < 1e-4 && k > 20,
            "{beyond:e} {off:e} {k}"
        );
        let off = (f64::from(found.hypergradient[0]) / wanted[0] - 1.0).abs();
        assert!(off < 1e-3, "{off:e}");
    }
}

#[test]
fn a_number_that_is_none_among_wide_sparse_samples_is_told() {
    let (mut train, valid) = (samples(PLAIN, 0), samples(PLAIN, 5));
    let largest = largest_weight(&train, &[1.0; D]);
    let (i, j) = (0..N)
        .flat_map(|i| (0..D).map(move |j| (i, j)))
        .find(|at| train.0[*at] != 0.0)
        .expect("an entry");
    for bad in [f64::NAN, f64::INFINITY] {
        train.0[(i, j)] = bad;
        let problem = problem::<f64>(&train, &valid, net(&vec![1.0; D]));
        let found = run(&problem, [0.1 * largest, 0.0], 1e-8);
        assert!(!found.status.is_success(), "{}", found.status);
        let x = DVector::from_column_slice(&[0.1 * largest, 0.0]);
        let alone = solve_lower(&problem, &x, 1e-8);
        assert!(!alone.status.is_success(), "{}", alone.status);
    }
}
