//! Numbers of another point, direction or input are refused, never read from what an earlier sweep
//! left.

use std::panic::{AssertUnwindSafe, catch_unwind};

use autodiff::{Inputs, Point, Program, Shape};

type Recorded = std::sync::Arc<Program<f64>>;

/// a³ + ab², whose derivatives differ at every point and direction below.
fn cubic() -> Recorded {
    Program::record(&[Shape::SCALAR; 2], |v| v[0].powi(3) + v[0] * v[1].square())
}

/// Sweeps of a point: at a place, by some inputs, along a direction.
#[derive(Clone, Copy, Debug)]
enum Move {
    Value,
    Differentiate(Inputs),
    GradientAt(Inputs),
    Linearise,
    LineariseAlong,
    GradientAlong,
    SecondAt(Inputs),
    Second(Inputs),
    Block,
    Directional,
}

const MOVES: [Move; 12] = [
    Move::Value,
    Move::Differentiate(Inputs::one(0)),
    Move::Differentiate(Inputs::ALL),
    Move::GradientAt(Inputs::one(0)),
    Move::Linearise,
    Move::LineariseAlong,
    Move::GradientAlong,
    Move::SecondAt(Inputs::one(1)),
    Move::Second(Inputs::one(1)),
    Move::Second(Inputs::ALL),
    Move::Block,
    Move::Directional,
];

/// What a point may hand out, as it should be.
#[derive(Default)]
struct Known {
    at: [f64; 2],
    curved: bool,
    gradient: Option<Inputs>,
    product: Option<(Inputs, Vec<[f64; 2]>)>,
}

fn among(set: Inputs, k: usize) -> bool {
    set == Inputs::ALL || set == Inputs::one(k)
}

/// Makes a move with numbers of its own, where it is allowed.
fn make(point: &mut Point<f64>, known: &mut Known, kind: Move, number: f64) {
    let place = [number, 0.5 + number];
    let at = [&place[..1], &place[1..]];
    let along = [1.0 + number, 2.0 - number];
    let directions = [Some(&along[..1]), Some(&along[1..])];
    let fresh = |gradient, product, curved| Known {
        at: place,
        curved,
        gradient,
        product,
    };
    let all = Some(Inputs::ALL);
    match kind {
        Move::Value => {
            point.value(&at);
            *known = fresh(None, None, false);
        }
        Move::Differentiate(by) => {
            point.differentiate(&at, by);
            *known = fresh(Some(by), None, false);
        }
        Move::Linearise => {
            point.linearise(&at);
            *known = fresh(all, None, true);
        }
        Move::LineariseAlong => {
            point.linearise_along(&at, &directions);
            *known = fresh(all, Some((Inputs::ALL, vec![along])), true);
        }
        Move::GradientAt(by) => {
            point.gradient_at(&at, by);
            *known = fresh(Some(by), None, false);
        }
        Move::GradientAlong => {
            point.gradient_along(&at, &directions);
            *known = fresh(all, Some((Inputs::ALL, vec![along])), true);
        }
        Move::SecondAt(by) => {
            point.second_at(&at, &directions, by);
            *known = fresh(None, Some((by, vec![along])), false);
        }
        _ if !known.curved => {
            let refused = catch_unwind(AssertUnwindSafe(|| match kind {
                Move::Directional => {
                    point.directional(&directions);
                }
                _ => point.second(&directions),
            }));
            assert!(refused.is_err(), "{kind:?} without a linearisation");
        }
        Move::Second(by) => {
            point.second_by(&directions, by);
            known.product = Some((by, vec![along]));
        }
        Move::Block => {
            let columns = [[along[0], -1.0], [along[1], 3.0]];
            let block = [Some(&columns[0][..]), Some(&columns[1][..])];
            point.second_block(2, &block, Inputs::one(0));
            known.product = Some((Inputs::one(0), vec![along, [-1.0, 3.0]]));
        }
        Move::Directional => {
            point.directional(&directions);
        }
    }
}

/// Every number that the point hands out is that of a fresh one; the others are refused.
fn look(program: &Recorded, point: &Point<f64>, known: &Known, path: &[Move]) {
    let mut fresh = program.point();
    fresh.linearise(&[&known.at[..1], &known.at[1..]]);
    for k in 0..2 {
        let got = catch_unwind(AssertUnwindSafe(|| point.gradient(k).to_vec())).ok();
        let want = known.gradient.filter(|by| among(*by, k));
        let want = want.map(|_| fresh.gradient(k).to_vec());
        assert_eq!(got, want, "the gradient by {k} after {path:?}");
    }
    for k in 0..2 {
        let got = catch_unwind(AssertUnwindSafe(|| point.product(k).to_vec())).ok();
        let want = known.product.as_ref().filter(|(by, _)| among(*by, k));
        let want = want.map(|(_, columns)| {
            let column = |v: &[f64; 2]| {
                fresh.second(&[Some(&v[..1]), Some(&v[1..])]);
                fresh.product(k)[0]
            };
            columns.iter().map(column).collect::<Vec<f64>>()
        });
        assert_eq!(got, want, "the product by {k} after {path:?}");
    }
}

#[test]
fn after_any_three_sweeps_a_point_hands_out_its_latest_numbers_or_none() {
    let program = cubic();
    for first in MOVES {
        for second in MOVES {
            for third in MOVES {
                let (mut point, mut known) = (program.point(), Known::default());
                let path = [first, second, third];
                for (kind, number) in path.into_iter().zip([1.0, 5.0, -2.0]) {
                    make(&mut point, &mut known, kind, number);
                }
                look(&program, &point, &known, &path);
            }
        }
    }
}

fn message(f: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(f)).expect_err("a panic");
    let text = panic.downcast_ref::<String>().cloned();
    text.or(panic.downcast_ref::<&str>().map(|s| s.to_string()))
        .expect("a message")
}

#[test]
fn a_refusal_says_what_was_asked_and_what_was_computed() {
    let mut point = cubic().point();
    point.linearise(&[&[1.0], &[1.0]]);
    point.second(&[Some(&[1.0]), None]);
    point.linearise(&[&[5.0], &[5.0]]);
    assert_eq!(
        message(|| {
            point.product(0);
        }),
        "the product by input 0 was not computed (none was since the inputs were set): make a \
         second sweep for it at this point first"
    );
    point.second_by(&[Some(&[1.0]), None], Inputs::one(1));
    let said = message(|| {
        point.product(0);
    });
    assert!(said.contains("(last computed: by input 1)"), "{said}");
    assert_eq!(point.product(1), [10.0]);
    point.differentiate(&[&[1.0], &[1.0]], Inputs::one(1));
    assert_eq!(
        message(|| {
            point.gradient(0);
        }),
        "the gradient by input 0 was not computed (last computed: by input 1): differentiate or \
         linearise by it first"
    );
    let said = message(|| {
        point.gradient(2);
    });
    assert_eq!(said, "input 2 of 2");
}

/// An input that was set, before a direction of the wrong length was refused, belongs to no sweep.
#[test]
fn a_sweep_that_was_refused_half_way_leaves_nothing_to_read() {
    let mut point = cubic().point();
    point.linearise_along(&[&[1.0], &[1.0]], &[Some(&[1.0]), None]);
    message(|| {
        point.linearise_along(&[&[5.0], &[5.0]], &[Some(&[1.0, 2.0]), None]);
    });
    message(|| {
        point.gradient(0);
    });
    message(|| {
        point.product(0);
    });
    message(|| point.second(&[Some(&[1.0]), None]));
}
