//! Calls of a point in any order, each with the bits of a fresh point.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use crate::HESSIAN_ROOM;
use crate::arbitrary::Case;
use crate::arbitrary::numbers::slices;
use crate::inputs::Inputs;
use crate::point::Point;
use crate::program::Program;
use crate::real::Real;

/// What a point is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ask {
    Value,
    Differentiate,
    GradientAt,
    Linearise,
    LineariseAlong,
    GradientAlong,
    SecondAt,
    Second,
    Block,
    Among,
    Directional,
    DirectionalBlock,
    GaussNewton,
    PullBack,
}

const ASKS: [Ask; 14] = [
    Ask::Value,
    Ask::Differentiate,
    Ask::GradientAt,
    Ask::Linearise,
    Ask::LineariseAlong,
    Ask::GradientAlong,
    Ask::SecondAt,
    Ask::Second,
    Ask::Block,
    Ask::Among,
    Ask::Directional,
    Ask::DirectionalBlock,
    Ask::GaussNewton,
    Ask::PullBack,
];

impl Ask {
    /// Whether it needs a linearisation.
    fn relies(self) -> bool {
        use Ask::*;
        matches!(
            self,
            Second | Block | Among | Directional | DirectionalBlock | GaussNewton | PullBack
        )
    }
}

/// The widths of blocks of directions: alone, and around what goes through a pass together.
const WIDTHS: [usize; 6] = [1, 2, 3, 5, 9, 17];

/// A call of a point, drawn as one number: every number is one.
#[derive(Clone, Copy)]
struct Call {
    ask: Ask,
    /// The inputs that are new, those that move and those that are asked for, one bit each.
    new: u32,
    moving: u32,
    wanted: u32,
    width: usize,
}

impl Call {
    fn of(word: u32) -> Self {
        let part = |low: u32, count: u32| word >> low & ((1 << count) - 1);
        Call {
            ask: ASKS[part(0, 8) as usize % ASKS.len()],
            new: part(8, 4),
            moving: part(12, 4),
            wanted: part(16, 4),
            width: WIDTHS[part(20, 4) as usize % WIDTHS.len()],
        }
    }
}

/// Inputs and directions of a program, new ones in every round: the round, the input and a length are
/// given.
pub type Numbers<'a, T> = &'a dyn Fn(usize, usize, usize) -> Vec<T>;

/// Puts the calls that `words` stand for to one point of a program, and holds each of them to what a
/// fresh point gives. `hold` are inputs that stay.
///
/// A call is drawn from the low 24 bits of its word. Each has inputs of its own, of which some are those
/// of the call before; where it needs a linearisation and the point has one at these inputs, of whatever
/// kind, it takes it, while the fresh point makes a plain one.
///
/// # Errors
/// The first call with other bits.
pub fn any_calls_have_the_bits_of_a_fresh_point<T: Real>(
    program: &Arc<Program<T>>,
    numbers: Numbers<'_, T>,
    hold: &[&[T]],
    words: &[u32],
) -> TestCaseResult {
    let count = program.inputs() - hold.len();
    let len = |k: usize| program.input_shape(k).len();
    let mut at = Vec::from_iter((0..count).map(|k| numbers(0, k, len(k))));
    let mut used = program.point();
    used.hold(hold);
    let mut bent = false;
    let mut path = Vec::new();
    for (round, word) in words.iter().enumerate() {
        let call = Call::of(*word);
        path.push((call.ask, call.width));
        let relies = call.ask.relies();
        if !(relies && bent) {
            for (k, at) in at.iter_mut().enumerate() {
                if call.new >> k & 1 == 1 {
                    *at = numbers(2 * round, k, len(k));
                }
            }
        }
        let along = Vec::from_iter((0..count).map(|k| {
            (call.moving >> k & 1 == 1).then(|| numbers(2 * round + 1, k, call.width * len(k)))
        }));
        if relies && !bent {
            used.linearise(&slices(&at));
        }
        bent = match call.ask {
            Ask::Linearise | Ask::LineariseAlong | Ask::GradientAlong => true,
            // What follows would be of u f.
            Ask::PullBack => false,
            _ => relies,
        };
        let mut fresh = program.point();
        fresh.hold(hold);
        fresh.linearise(&slices(&at));
        let [got, want] = [&mut used, &mut fresh].map(|p| answer(p, call, &at, &along));
        prop_assert_eq!(got, want, "call {} of {:?} of {:?}", round, path, program);
    }
    Ok(())
}

/// What a call gives, as bits.
fn answer<T: Real>(
    point: &mut Point<T>,
    call: Call,
    at: &[Vec<T>],
    along: &[Option<Vec<T>>],
) -> Vec<(&'static str, Vec<u64>)> {
    let inputs = slices(at);
    let chosen = |k: usize| call.wanted >> k & 1 == 1;
    let wanted = (0..at.len()).filter(|k| chosen(*k));
    let wanted = wanted.fold(Inputs::NONE, |all, k| all.union(Inputs::one(k)));
    let single =
        Vec::from_iter((0..at.len()).map(|k| along[k].as_deref().map(|v| &v[..at[k].len()])));
    let block = Vec::from_iter(along.iter().map(Option::as_deref));
    let mut found: Vec<(&str, Vec<T>)> = Vec::new();
    let (mut gradients, mut products) = (Inputs::NONE, Inputs::NONE);
    match call.ask {
        Ask::Value => found.push(("value", vec![point.value(&inputs)])),
        Ask::Differentiate => {
            found.push(("value", vec![point.differentiate(&inputs, wanted)]));
            gradients = wanted;
        }
        Ask::GradientAt => {
            point.gradient_at(&inputs, wanted);
            gradients = wanted;
        }
        Ask::Linearise => {
            found.push(("value", vec![point.linearise(&inputs)]));
            gradients = Inputs::ALL;
        }
        Ask::LineariseAlong => {
            found.push(("value", vec![point.linearise_along(&inputs, &single)]));
            (gradients, products) = (Inputs::ALL, Inputs::ALL);
        }
        Ask::GradientAlong => {
            point.gradient_along(&inputs, &single);
            (gradients, products) = (Inputs::ALL, Inputs::ALL);
        }
        Ask::SecondAt => {
            point.second_at(&inputs, &single, wanted);
            products = wanted;
        }
        Ask::Second => {
            point.second_by(&single, wanted);
            products = wanted;
        }
        Ask::Block => {
            point.second_block(call.width, &block, wanted);
            products = wanted;
        }
        Ask::Among => {
            let program = point.program().clone();
            for k in (0..at.len()).filter(|k| program.knows_hessian(*k)) {
                let some = |i: &usize| !(i * 7 + call.width).is_multiple_of(3);
                let of = Vec::from_iter((0..at[k].len()).filter(some));
                let mut room = vec![T::zero(); HESSIAN_ROOM * of.len() + at[k].len()];
                let mut out = vec![T::zero(); of.len() * of.len()];
                point.hessian_among(k, &of, &mut room, &mut out);
                found.push(("block of the Hessian", out));
            }
        }
        Ask::Directional => found.push(("derivative", vec![point.directional(&single)])),
        Ask::GaussNewton => {
            if point.program().has_outputs() {
                point.gauss_newton_block(call.width, &block, wanted);
                products = wanted;
            }
        }
        Ask::PullBack => {
            point.pull_back(&[T::of(2.5)], wanted);
            point.second_by(&single, wanted);
            (gradients, products) = (wanted, wanted);
        }
        Ask::DirectionalBlock => {
            let mut out = vec![T::zero(); call.width];
            point.directional_block(call.width, &block, &mut out);
            found.push(("derivatives", out));
        }
    }
    for k in 0..at.len() {
        let is_in = |set: Inputs| set.contains(Inputs::one(k));
        if is_in(gradients) {
            found.push(("gradient", point.gradient(k).to_vec()));
        }
        if is_in(products) {
            found.push(("product", point.product(k).to_vec()));
        }
    }
    let bits = |v: Vec<T>| Vec::from_iter(v.iter().map(|v| (v.f64() + 0.0).to_bits()));
    Vec::from_iter(found.into_iter().map(|(what, v)| (what, bits(v))))
}

/// Calls that the numbers of the case stand for.
pub fn calls_in_any_order_have_the_bits_of_a_fresh_point(case: Case) -> TestCaseResult {
    let program = case.graph.record::<f64>();
    let numbers = |round: usize, k: usize, len: usize| {
        let pool = case.numbers[(round + k) % 3].iter().copied();
        let from = 5 * round + 11 * k;
        Vec::from_iter(pool.cycle().skip(from % 53).take(len))
    };
    // The mantissa that `f32` has.
    let words = case.numbers[2].iter().take(8);
    let words = Vec::from_iter(words.map(|v| ((v.to_bits() >> 29) & 0xff_ffff) as u32));
    any_calls_have_the_bits_of_a_fresh_point(&program, &numbers, &[], &words)
}
