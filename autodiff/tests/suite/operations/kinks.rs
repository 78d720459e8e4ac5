//! Kinks are found where they are, within rounding, and nowhere else.

use autodiff::rules::elementwise::{Binary, Unary};
use autodiff::{Inputs, Kink, Program, Real, Shape, Var};

/// The kinks of the sum of `f` of vectors with these entries, after a mere value and after all
/// sweeps, which must be the same.
fn kinks_in<T: Real, F>(at: &[&[f64]], f: F) -> Vec<Kink>
where
    F: for<'r> Fn(&[Var<'r, T>]) -> Var<'r, T>,
{
    let shapes: Vec<Shape> = at.iter().map(|a| Shape::vector(a.len())).collect();
    let program = Program::<T>::record(&shapes, |v| f(v).sum());
    let at: Vec<Vec<T>> = at
        .iter()
        .map(|a| a.iter().map(|a| T::of(*a)).collect())
        .collect();
    let at: Vec<&[T]> = at.iter().map(Vec::as_slice).collect();
    let mut point = program.point();
    point.value(&at);
    let found = point.kinks();
    assert!(found.is_empty() || program.has_kinks());
    point.linearise(&at);
    assert_eq!(point.kinks(), found);
    let along: Vec<Option<&[T]>> = at.iter().map(|a| Some(*a)).collect();
    let mut point = program.point();
    point.second_at(&at, &along, Inputs::ALL);
    assert_eq!(point.kinks(), found);
    found
}

fn kinks<F>(at: &[&[f64]], f: F) -> Vec<(String, usize)>
where
    F: for<'r> Fn(&[Var<'r>]) -> Var<'r>,
{
    let found = kinks_in(at, f);
    found.into_iter().map(|k| (k.operation, k.entry)).collect()
}

/// A corner of a row with this parameter, and the name of the order that jumps there.
fn corner(f: Unary) -> Option<(f64, f64, usize)> {
    Some(match f {
        Unary::Abs | Unary::Relu | Unary::Sqrt | Unary::Cbrt | Unary::Xlogx => (1.5, 0.0, 1),
        Unary::LeakyRelu | Unary::Elu => (0.5, 0.0, 1),
        Unary::SquaredRelu | Unary::SoftSign | Unary::Powf => (1.5, 0.0, 2),
        Unary::Huber => (1.5, -1.5, 2),
        _ => return None,
    })
}

fn rows<T: Real>() {
    for f in Unary::ALL.iter().copied() {
        let Some((p, at, order)) = corner(f) else {
            // Smooth wherever it is finite: at 0 and at the parameter, too.
            for at in [0.0, 1.5, -1.5] {
                let found = kinks_in::<T, _>(&[&[at, 0.7]], |v| v[0].elementwise(f, 1.5));
                assert_eq!(found, [], "{}", f.name());
            }
            continue;
        };
        let beside = 1e3 * T::EPSILON;
        let entries = [at + beside, at, 0.7, at];
        let found = kinks_in::<T, _>(&[&entries], |v| v[0].elementwise(f, p));
        let entries: Vec<usize> = found.iter().map(|k| k.entry).collect();
        assert_eq!(entries, [1, 3], "{}", f.name());
        for kink in found {
            assert_eq!((kink.operation.as_str(), kink.order), (f.name(), order));
            assert!(kink.site.to_string().contains("kinks.rs:"));
        }
    }
}

#[test]
fn every_row_is_found_at_its_kink_and_not_beside_it() {
    rows::<f64>();
    rows::<f32>();
}

#[test]
fn every_row_of_two_operands_is_found_at_its_kink_and_not_beside_it() {
    for f in Binary::ALL.iter().copied() {
        // Operands on a kink, and beside it.
        let (on, beside) = match f {
            Binary::Max | Binary::Min => ([0.3, 0.3], [0.3, 0.3 + 1e-13]),
            Binary::Hypot => ([0.0, 0.0], [0.0, 1e-300]),
            Binary::Atan2 => ([0.0, -1.0], [1e-300, -1.0]),
            Binary::Pow => ([0.0, 1.5], [1e-30, 1.5]),
            Binary::Add | Binary::Sub | Binary::Mul | Binary::Div | Binary::LogAddExp => {
                let found = kinks(&[&[0.0, 0.3], &[0.3, 0.3]], |v| {
                    v[0].elementwise_with(f, v[1])
                });
                assert_eq!(found, [], "{}", f.name());
                continue;
            }
        };
        let (a, b) = ([beside[0], on[0]], [beside[1], on[1]]);
        let found = kinks(&[&a, &b], |v| v[0].elementwise_with(f, v[1]));
        assert_eq!(found, [(f.name().to_owned(), 1)]);
    }
    // A scalar goes with every entry; a value with itself has no kink.
    assert_eq!(
        kinks(&[&[0.5, 0.0]], |v| v[0].max(v[0].scalar(0.0))),
        [("max".to_owned(), 1)]
    );
    assert_eq!(kinks(&[&[0.5, 0.0]], |v| v[0].max(v[0])), []);
    // Limits at both ends of a box.
    let clipped = kinks(&[&[-1.0, 0.0, 2.0]], |v| v[0].clip(-1.0, 2.0));
    assert_eq!(clipped, [("max".to_owned(), 0), ("min".to_owned(), 2)]);
}

#[test]
fn reductions_are_found_at_their_kinks_and_not_beside_them() {
    let norm = |a: &[f64]| kinks(&[a], |v| v[0].norm());
    assert_eq!(norm(&[0.0, 0.0]), [("norm".to_owned(), 0)]);
    assert_eq!(norm(&[0.0, 1e-300]), []);
    let tied = |a: &[f64]| kinks(&[a], |v| v[0].reshape(2, 2).max_rows());
    assert_eq!(tied(&[1.0, 2.0, 3.0, 3.0]), [("max_rows".to_owned(), 1)]);
    assert_eq!(tied(&[1.0, 2.0, 3.0, 3.0 + 1e-13]), []);
    let least = |a: &[f64]| kinks(&[a], |v| v[0].min_all());
    assert_eq!(least(&[1.0, 2.0, 1.0, 7.0]), [("min_rows".to_owned(), 0)]);
    assert_eq!(least(&[1.0, 2.0, 7.0, 7.0]), []);
    assert_eq!(kinks(&[&[0.0]], |v| v[0].max_rows()), []);
}

/// What cancels to rounding of its terms is at the kink; what is small by itself is not.
#[test]
fn rounding_of_the_terms_counts_as_zero() {
    let third = 0.1 + 0.2; // 0.3 and a bit
    let at = |a: &[f64], f: for<'r> fn(Var<'r>) -> Var<'r>| kinks(&[a], |v| f(v[0])).len();
    assert_eq!(at(&[third], |a| (a - 0.3).abs()), 1);
    assert_eq!(at(&[third], |a| (-(a - 0.3) * 3.0).relu()), 1);
    assert_eq!(at(&[third - 0.3], |a| a.abs()), 0);
    assert_eq!(at(&[1e-17], |a| a.abs()), 0);
    assert_eq!(at(&[third + 1e-13], |a| (a - 0.3).abs()), 0);
    // Through sums, products with data, and parts.
    let data = nalgebra::DMatrix::from_row_slice(2, 3, &[0.1, 0.2, 0.3, 1.0, 1.0, 1.0]);
    let loss = |a: &[f64]| {
        kinks(&[a], |v| {
            (&data * v[0] - v[0].vector(&[0.0, 0.5])).slice(0, 2).abs()
        })
    };
    assert_eq!(loss(&[1.0, 1.0, -1.0]), [("abs".to_owned(), 0)]);
    assert_eq!(loss(&[1.0, 1.0, -1.1]), []);
    assert_eq!(at(&[0.1, 0.2, -0.3], |a| a.sum().abs()), 1);
    assert_eq!(at(&[0.1, 0.2, -0.4], |a| a.sum().abs()), 0);
    assert_eq!(at(&[third, 0.3, 0.9], |a| a.dy().abs()), 1);
    assert_eq!(at(&[third, 0.3], |a| a.at(0).max(a.at(1))), 1);
}

#[test]
fn what_stays_zero_or_is_times_a_constant_zero_does_not_count() {
    let tv = kinks(&[&[1.0, 2.0, 4.0, 7.0]], |v| {
        let image = v[0].reshape(2, 2);
        image.dx().abs() + image.dy().abs() + image.dx().hypot(image.dy())
    });
    assert_eq!(tv, []);
    let flat = kinks(&[&[1.0, 1.0, 4.0, 7.0]], |v| v[0].reshape(2, 2).dy().abs());
    assert_eq!(flat, [("abs".to_owned(), 0)]);
    let masked = kinks(&[&[1.0, 0.0]], |v| (v[0] * v[0].vector(&[0.0, 1.0])).abs());
    assert_eq!(masked, [("abs".to_owned(), 1)]);
    // Only derivatives of the output, by what moves.
    assert_eq!(kinks(&[&[0.0]], |v| v[0] + v[0].abs().stop_gradient()), []);
    assert_eq!(
        kinks(&[&[0.0]], |v| v[0] + v[0].scalar(0.0).abs() * v[0]),
        []
    );
    let unused = kinks(&[&[0.0]], |v| {
        let _ = v[0].abs();
        v[0].exp()
    });
    assert_eq!(unused, []);
    let program = Program::<f64>::record(&[Shape::SCALAR], |v| v[0] + 0.0 * v[0].abs());
    let mut point = program.point();
    point.linearise(&[&[0.0]]);
    assert_eq!(point.kinks(), []);
}

#[test]
#[should_panic(expected = "nothing was evaluated")]
fn kinks_of_nothing_are_refused() {
    let program = Program::<f64>::record(&[Shape::SCALAR], |v| v[0].abs());
    let _ = program.point().kinks();
}

#[test]
fn kinks_are_told_in_a_clause() {
    let told = |at: &[f64], f: for<'r> fn(Var<'r>) -> Var<'r>| {
        let found = kinks_in::<f64, _>(&[at], |v| f(v[0]));
        let site = found[0].site.to_string();
        found[0].to_string().replace(&site, "LINE")
    };
    assert_eq!(
        told(&[1.0, 0.0], |a| a.relu()),
        "relu at entry 1 (LINE), whose derivative jumps from 0 to 1"
    );
    assert_eq!(
        told(&[0.0], |a| a.norm()),
        "norm at entry 0 (LINE), which has no derivative there"
    );
    assert_eq!(
        told(&[0.5], |a| a.huber(0.5)),
        "huber at entry 0 (LINE), whose second derivative jumps from 1 to 0"
    );
}
