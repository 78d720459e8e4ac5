//! Linear algebra: closed forms, the conventions, what has no factor, and large matrices.

use autodiff::arbitrary::numbers::slices;
use autodiff::check::Check;
use autodiff::{Program, Quantity, Real, Shape, Var};
use nalgebra::{DMatrix, DVector};

use crate::operations::harness::{Function, assert_close, check, dot, noise};

/// A general matrix, far from singular, whose columns have their largest entry off the diagonal.
fn general(n: usize, seed: usize) -> DMatrix<f64> {
    let far = DMatrix::from_fn(n, n, |i, j| if (i + 1) % n == j { 3.0 } else { 0.0 });
    DMatrix::from_vec(n, n, noise(n * n, seed)) + far
}

/// A matrix whose symmetric part is positive definite, and that is not symmetric.
fn positive(n: usize, seed: usize) -> DMatrix<f64> {
    let m = DMatrix::from_vec(n, n, noise(n * n, seed));
    let skew = &m - m.transpose();
    &m * m.transpose() + skew + DMatrix::identity(n, n)
}

fn symmetric(a: &DMatrix<f64>) -> DMatrix<f64> {
    (a + a.transpose()) * 0.5
}

fn inverse(a: &DMatrix<f64>) -> DMatrix<f64> {
    a.clone().try_inverse().expect("far from singular")
}

fn vec(a: &DMatrix<f64>) -> Vec<f64> {
    a.as_slice().to_vec()
}

fn matrix(n: usize, a: &[f64]) -> DMatrix<f64> {
    DMatrix::from_column_slice(n, a.len() / n, a)
}

const N: usize = 4;
const SQUARE: [Shape; 1] = [Shape::matrix(N, N)];
const SYSTEM: [Shape; 2] = [Shape::matrix(N, N), Shape::matrix(N, 2)];

#[test]
fn factors_and_solutions_are_those_of_nalgebra_in_every_sweep() {
    let a = [vec(&positive(N, 1))];
    check!(
        "cholesky",
        &SQUARE,
        &a,
        |v| v[0].cholesky(),
        |a: &[Vec<f64>]| {
            vec(&symmetric(&matrix(N, &a[0]))
                .cholesky()
                .expect("positive")
                .l())
        }
    );
    check!("log_det", &SQUARE, &a, |v| v[0].log_det(), |a: &[Vec<
        f64,
    >]| {
        vec![symmetric(&matrix(N, &a[0])).determinant().ln()]
    });
    let a = [vec(&(-general(N, 1)))];
    check!(
        "log_abs_det",
        &SQUARE,
        &a,
        |v| v[0].log_abs_det(),
        |a: &[Vec<f64>]| { vec![matrix(N, &a[0]).determinant().abs().ln()] }
    );

    let a = [vec(&general(N, 2)), noise(2 * N, 3)];
    check!("solve", &SYSTEM, &a, |v| v[0].solve(v[1]), |a: &[Vec<
        f64,
    >]| {
        vec(&(inverse(&matrix(N, &a[0])) * matrix(N, &a[1])))
    });
    let a = [
        vec(&(general(N, 2) + DMatrix::identity(N, N) * 3.0)),
        noise(2 * N, 3),
    ];
    check!(
        "solve_lower",
        &SYSTEM,
        &a,
        |v| (v[0] + v[0].transpose()).solve_lower(v[1]),
        |a: &[Vec<f64>]| {
            let m = matrix(N, &a[0]);
            let l = (&m + m.transpose()).lower_triangle();
            vec(&(inverse(&l) * matrix(N, &a[1])))
        }
    );
    check!(
        "solve_upper",
        &SYSTEM,
        &a,
        |v| (v[0] + v[0].transpose()).solve_upper(v[1]),
        |a: &[Vec<f64>]| {
            let m = matrix(N, &a[0]);
            let u = (&m + m.transpose()).upper_triangle();
            vec(&(inverse(&u) * matrix(N, &a[1])))
        }
    );
    let a = [vec(&positive(N, 4)), noise(2 * N, 5)];
    let spd = |a: &[Vec<f64>]| (inverse(&symmetric(&matrix(N, &a[0]))), matrix(N, &a[1]));
    check!(
        "solve_spd",
        &SYSTEM,
        &a,
        |v| v[0].solve_spd(v[1]),
        |a: &[Vec<f64>]| {
            let (inverse, b) = spd(a);
            vec(&(inverse * b))
        }
    );
    check!(
        "inv_quadratic",
        &SYSTEM,
        &a,
        |v| v[0].inv_quadratic(v[1]),
        |a: &[Vec<f64>]| {
            let (inverse, b) = spd(a);
            (b.transpose() * inverse * b).diagonal().as_slice().to_vec()
        }
    );
}

#[test]
fn the_first_two_derivatives_of_log_det_are_traces() {
    let a = positive(N, 1);
    let mut f = Function::<f64>::new(&SQUARE, |v| v[0].log_det());
    f.value(&[vec(&a)]);
    let inverse = inverse(&symmetric(&a));
    let (v, w) = (matrix(N, &noise(N * N, 7)), matrix(N, &noise(N * N, 8)));
    let first = f.jvp(&[vec(&v)]);
    // d log det = tr(S⁻¹ dS), and d² = −tr(S⁻¹ dS S⁻¹ d′S).
    assert_close(
        &first,
        &[(&inverse * symmetric(&v)).trace()],
        1e-13,
        "first",
    );
    assert_close(&f.vjp(&[1.0])[0], &vec(&inverse), 1e-13, "gradient");
    let product = f.hvp(&[vec(&v)]);
    let want = -(&inverse * symmetric(&v) * &inverse * symmetric(&w)).trace();
    assert_close(&[dot(&product[0], &vec(&w))], &[want], 1e-13, "second");

    let a = general(N, 2);
    let mut f = Function::<f64>::new(&SQUARE, |v| v[0].log_abs_det());
    f.value(&[vec(&a)]);
    let inverse = a.try_inverse().expect("far from singular");
    assert_close(
        &f.vjp(&[2.0])[0],
        &vec(&(inverse.transpose() * 2.0)),
        1e-13,
        "gradient",
    );
    let product = f.hvp(&[vec(&v)]);
    let want = -2.0 * (&inverse * &v * &inverse * &w).trace();
    assert_close(&[dot(&product[0], &vec(&w))], &[want], 1e-13, "second");
}

#[test]
fn the_second_derivative_of_a_solution_is_in_closed_form() {
    // d² (A + tV)⁻¹b = 2 A⁻¹VA⁻¹VA⁻¹b.
    let (a, v) = (general(N, 2), matrix(N, &noise(N * N, 7)));
    let (b, u) = (matrix(N, &noise(N, 3)), DVector::from_vec(noise(N, 9)));
    let shapes = [Shape::matrix(N, N), Shape::vector(N)];
    let mut f = Function::<f64>::new(&shapes, |v| v[0].solve(v[1]));
    f.value(&[vec(&a), vec(&b)]);
    f.vjp(u.as_slice());
    let product = f.hvp(&[vec(&v), vec![0.0; N]]);
    let step = inverse(&a) * &v;
    let want = 2.0 * u.dot(&(&step * &step * inverse(&a) * &b).column(0));
    assert_close(&[dot(&product[0], &vec(&v))], &[want], 1e-13, "second");
}

#[test]
fn a_cholesky_factor_gives_the_determinant_and_the_form_with_their_derivatives() {
    // ln det S = 2 Σ ln L_ii and bᵀS⁻¹b = ‖L⁻¹b‖², by other rules.
    let a = [vec(&positive(N, 4)), noise(N, 5)];
    let shapes = [Shape::matrix(N, N), Shape::vector(N)];
    let mut direct = Function::<f64>::new(&shapes, |v| v[0].log_det() + v[0].inv_quadratic(v[1]));
    let mut by_factor = Function::<f64>::new(&shapes, |v| {
        let l = v[0].cholesky();
        2.0 * l.diagonal().ln().sum() + l.solve_lower(v[1]).norm_squared()
    });
    let along = [noise(N * N, 7), noise(N, 8)];
    assert_close(&direct.value(&a), &by_factor.value(&a), 1e-14, "value");
    for (k, (p, q)) in direct
        .vjp(&[1.0])
        .iter()
        .zip(by_factor.vjp(&[1.0]))
        .enumerate()
    {
        assert_close(p, &q, 1e-13, &format!("gradient {k}"));
    }
    for (k, (p, q)) in direct
        .hvp(&along)
        .iter()
        .zip(by_factor.hvp(&along))
        .enumerate()
    {
        assert_close(p, &q, 1e-12, &format!("product {k}"));
    }
}

#[test]
fn what_a_matrix_is_not_read_as_changes_nothing() {
    let skew = |n| {
        let m = matrix(n, &noise(n * n, 3));
        (&m - m.transpose()) * 5.0
    };
    let a = positive(N, 1);
    let value = |f: for<'r> fn(Var<'r>) -> Var<'r>, a: &DMatrix<f64>| {
        let mut f = Function::<f64>::new(&SQUARE, |v| f(v[0]));
        let value = f.value(&[vec(a)]);
        let gradient = f.vjp(&vec![1.0; value.len()]);
        (value, matrix(N, &gradient[0]))
    };
    for f in [
        (|a| a.cholesky()) as for<'r> fn(Var<'r>) -> Var<'r>,
        |a| a.log_det(),
        |a| a.solve_spd(a.vector(&[1.0, 2.0, 3.0, 4.0])),
    ] {
        let ((here, gradient), (there, _)) = (value(f, &a), value(f, &(&a + skew(N))));
        assert_close(&here, &there, 1e-13, "the symmetric part");
        assert_eq!(gradient, gradient.transpose());
    }
    let lower: for<'r> fn(Var<'r>) -> Var<'r> = |a| a.solve_lower(a.vector(&[1.0, 2.0, 3.0, 4.0]));
    let a = general(N, 2) + DMatrix::identity(N, N) * 2.0;
    let ((here, gradient), (there, _)) = (value(lower, &a), value(lower, &a.lower_triangle()));
    assert_eq!(here, there);
    assert_eq!(gradient, gradient.lower_triangle());
}

#[test]
fn matrices_side_by_side_are_each_what_one_is() {
    let (first, second) = (positive(3, 1), positive(3, 2));
    let b = noise(12, 5);
    let side = [vec(&first), vec(&second)].concat();
    let shapes = |count: usize| [Shape::matrix(3, 3 * count), Shape::matrix(3, 2 * count)];
    type Of = for<'r> fn(autodiff::Matrices<'r>, Var<'r>) -> Var<'r>;
    let all: [Of; 8] = [
        |a, _| a.cholesky(),
        |a, b| a.solve(b),
        |a, b| a.solve_spd(b),
        |a, b| a.solve_lower(b),
        |a, b| a.solve_upper(b),
        |a, _| a.log_det(),
        |a, _| a.log_abs_det(),
        |a, b| a.inv_quadratic(b),
    ];
    for (kind, of) in all.into_iter().enumerate() {
        let mut both = Function::<f64>::new(&shapes(2), |v| of(v[0].matrices(2), v[1]));
        let mut one = Function::<f64>::new(&shapes(1), |v| of(v[0].matrices(1), v[1]));
        let together = both.value(&[side.clone(), b.clone()]);
        let u = noise(together.len(), 6);
        let gradient = both.vjp(&u);
        let along = [noise(18, 7), noise(12, 8)];
        let product = both.hvp(&along);
        let len = together.len() / 2;
        for i in 0..2 {
            let what = format!("{kind}, matrix {i}");
            let part = |of: &[f64], len: usize| of[i * len..][..len].to_vec();
            let value = one.value(&[part(&side, 9), part(&b, 6)]);
            assert_eq!(part(&together, len), value, "{what}");
            let alone = one.vjp(&part(&u, len));
            let moved = one.hvp(&[part(&along[0], 9), part(&along[1], 6)]);
            for (k, size) in [9, 6].into_iter().enumerate() {
                assert_eq!(part(&gradient[k], size), alone[k], "{what}");
                assert_eq!(part(&product[k], size), moved[k], "{what}");
            }
        }
    }
}

#[test]
fn what_has_no_factor_is_named_with_its_place() {
    let program =
        |f: for<'r> fn(Var<'r>) -> Var<'r>| Program::<f64>::record(&SQUARE, |v| f(v[0]).sum());
    // The block of the first three rows is not positive definite.
    let mut indefinite = symmetric(&positive(N, 1));
    indefinite[(2, 2)] = -1.0;
    let found = program(|a| a.cholesky()).find_non_finite(&[indefinite.as_slice()], &[None]);
    let found = found.expect("it is not positive definite");
    assert_eq!(
        (&found.operation[..], found.entry, found.quantity),
        ("cholesky", 2 * N + 2, Quantity::Value)
    );
    assert!(found.site.to_string().contains("algebra.rs:"));

    // Of rank two, to rounding: no pivot of it is 0, and none after the second means anything.
    let root = matrix(N, &noise(2 * N, 3));
    let low_rank = &root * root.transpose();
    let mut singular = general(N, 2);
    let sum = singular.column(0) * 0.1 + singular.column(1) * 0.3;
    singular.set_column(3, &sum);
    type Of = for<'r> fn(Var<'r>) -> Var<'r>;
    let named: [(&str, Of, &DMatrix<f64>); 5] = [
        ("cholesky", |a| a.cholesky(), &low_rank),
        ("log_det", |a| a.log_det(), &low_rank),
        (
            "solve_spd",
            |a| a.solve_spd(a.vector(&[1.0, 2.0, 3.0, 4.0])),
            &low_rank,
        ),
        ("log_abs_det", |a| a.log_abs_det(), &singular),
        (
            "solve",
            |a| a.solve(a.vector(&[1.0, 2.0, 3.0, 4.0])),
            &singular,
        ),
    ];
    for (name, f, a) in named {
        let found = program(f).find_non_finite(&[a.as_slice()], &[None]);
        assert_eq!(found.expect(name).operation, name);
    }
    let zero = DMatrix::from_element(N, N, 0.0);
    let lower = program(|a| a.solve_lower(a.vector(&[1.0, 2.0, 3.0, 4.0])));
    let found = lower.find_non_finite(&[zero.as_slice()], &[None]);
    assert_eq!(found.expect("a division by 0").operation, "solve_lower");
}

/// Scales are no rank: what is small in a row and a column of its own is factored.
#[test]
fn graded_matrices_have_factors() {
    let scales = DMatrix::from_diagonal(&DVector::from_vec(vec![1.0, 1e-6, 1e-12, 1e6]));
    let graded = &scales * symmetric(&positive(N, 1)) * &scales;
    let triangular = DMatrix::from_row_slice(2, 2, &[1.0, 1.0, 0.0, 1e-20]);
    let log_det = Program::<f64>::record(&SQUARE, |v| v[0].log_det());
    let want = symmetric(&positive(N, 1)).determinant().ln() - 24.0 * 10f64.ln();
    let got = log_det.point().value(&[graded.as_slice()]);
    assert!((got - want).abs() < 1e-9, "{got} for {want}");
    let of_two = Program::<f64>::record(&[Shape::matrix(2, 2)], |v| v[0].log_abs_det());
    let got = of_two.point().value(&[triangular.as_slice()]);
    assert!((got + 20.0 * 10f64.ln()).abs() < 1e-13, "{got}");
}

/// Sizes that are halved, and odd ones.
#[test]
fn large_matrices_are_factored_as_small_ones_are() {
    fn hold<T: Real>(n: usize) {
        let bound = 300.0 * T::EPSILON * n as f64;
        let spread = |a: &DMatrix<f64>| a.map(|v| v / (n as f64).sqrt());
        let root = spread(&matrix(n, &noise(n * n, n)));
        let spd = (&root * root.transpose() + DMatrix::identity(n, n)).map(T::of);
        let any = (root + DMatrix::from_fn(n, n, |i, j| f64::from(i + j + 1 == n))).map(T::of);
        let b = DMatrix::from_vec(n, 3, noise(3 * n, 1)).map(T::of);
        let shapes = [Shape::matrix(n, n), Shape::matrix(n, 3)];
        let run = |f: for<'r> fn(Var<'r, T>, Var<'r, T>) -> Var<'r, T>, a: &DMatrix<T>| {
            let mut point = Program::<T>::record(&shapes, |v| f(v[0], v[1])).point();
            let out = point.linearise_vector(&[a.as_slice(), b.as_slice()]);
            DMatrix::from_column_slice(n, out.len() / n, out)
        };
        let close = |got: DMatrix<T>, want: &DMatrix<T>, what: &str| {
            let worst = (&got - want)
                .iter()
                .fold(0.0, |m: f64, v| m.max(v.f64().abs()));
            assert!(worst < bound, "{what} of {n} rows in {}: {worst}", T::NAME);
        };
        let l = run(|a, _| a.cholesky(), &spd);
        close(&l * l.transpose(), &spd, "LLᵀ");
        assert_eq!(l, l.lower_triangle());
        close(&spd * run(|a, b| a.solve_spd(b), &spd), &b, "SX");
        close(&any * run(|a, b| a.solve(b), &any), &b, "AX");
        close(&l * run(|a, b| a.solve_lower(b), &l), &b, "LX");
        let u = l.transpose();
        close(&u * run(|a, b| a.solve_upper(b), &u), &b, "UX");
        // The adjoint of a solution is one with the transpose.
        let mut point = Program::<T>::record(&shapes, |v| v[0].solve(v[1])).point();
        point.linearise_vector(&[any.as_slice(), b.as_slice()]);
        point.pull_back(b.as_slice(), autodiff::Inputs::ALL);
        let adjoint = DMatrix::from_column_slice(n, 3, point.gradient(1));
        close(any.transpose() * adjoint, &b, "AᵀX");
    }
    for n in [33, 64, 101, 150] {
        hold::<f64>(n);
        hold::<f32>(n);
    }
}

#[test]
fn the_checker_passes_every_operation() {
    let shapes = [Shape::matrix(3, 6), Shape::matrix(3, 4)];
    let a = [
        [vec(&positive(3, 1)), vec(&positive(3, 2))].concat(),
        noise(12, 5),
    ];
    type Of = for<'r> fn(autodiff::Matrices<'r>, Var<'r>) -> Var<'r>;
    let all: [Of; 8] = [
        |a, _| a.cholesky(),
        |a, b| a.solve(b),
        |a, b| a.solve_spd(b),
        |a, b| a.solve_lower(b),
        |a, b| a.solve_upper(b),
        |a, _| a.log_det(),
        |a, _| a.log_abs_det(),
        |a, b| a.inv_quadratic(b),
    ];
    for of in all {
        let program = Program::<f64>::record(&shapes, |v| {
            let value = of(v[0].matrices(2), v[1]);
            value.sin().sum() + value.norm_squared()
        });
        let report = Check::new().program(&program, &slices(&a));
        assert!(report.passed(), "{report}");
    }
}
