//! Other ways through the sweeps to the same products: in one pass with the linearisation, after such a
//! pass, in blocks of directions, and as a block of the Hessian. Each is a rule of its own that a
//! [primitive](crate::Primitive) may have.

use super::super::function::wide;
use super::super::ladder::Frame;
use super::super::trial::{Place, Rung, Trial};
use super::{Swept, some};
use crate::inputs::Inputs;
use crate::primitive::HESSIAN_ROOM;
use crate::real::Real;

/// Directions of a block: more than go through a pass together, and no multiple of them.
const WIDTH: usize = 11;
/// Columns of the Hessian in a block of it, and their rows.
const AMONG: usize = 8;
/// Entries that differ most, of which the error is bounded.
const BOUNDED: usize = 8;

/// A number by two ways.
struct Pair {
    expected: f64,
    got: f64,
    /// The entry of all inputs, and the number of the direction that it is a product with.
    entry: usize,
    along: usize,
}

impl<T: Real> Swept<'_, T> {
    pub(super) fn other_ways(&mut self, along: [&[f64]; 2], frame: &Frame<'_>) -> Vec<Trial> {
        let mut trials = vec![self.joint(along)];
        // Multiples of both in turn.
        let multiple = |c: usize| (along[c % 2].iter()).map(move |v| v * (1.0 - c as f64 / 16.0));
        let columns = Vec::from_iter((0..WIDTH).map(|c| Vec::from_iter(multiple(c))));
        trials.push(self.block(&columns, frame.check.factor));
        trials.push(self.derivatives(&columns, frame.check.factor));
        trials.extend(self.among(frame));
        trials
    }

    /// The joint sweep gives the bits of its parts, and leaves what a plain one does.
    fn joint(&mut self, [v, w]: [&[f64]; 2]) -> Trial {
        let mut parts = self.gradient();
        parts.extend(self.second(v));
        parts.extend(self.second(w));
        let direction = self.split(v);
        let at: Vec<&[T]> = self.at.iter().map(Vec::as_slice).collect();
        self.point.linearise_along(&at, &some(&direction));
        let mut joint = self.gradient();
        joint.extend(self.products());
        joint.extend(self.second(w));
        self.linearise();
        // −0 for 0 is no difference of value.
        let differs = (0..parts.len()).find(|i| {
            let (a, b) = (parts[*i], joint[*i]);
            a != b && !(a.is_nan() && b.is_nan())
        });
        let i = differs.unwrap_or(0);
        let (expected, got) = match parts.get(i) {
            Some(part) => (*part, joint[i]),
            None => (0.0, 0.0),
        };
        let place = differs.map_or_else(Place::default, |i| Place::entry(self.entry(i % v.len())));
        Trial::compare(
            "joint sweep = its parts",
            Rung::Identities,
            [expected, got],
            0.0,
            1.0,
            place,
        )
    }

    /// The columns of a block of products are products.
    fn block(&mut self, along: &[Vec<f64>], factor: f64) -> Trial {
        let single = Vec::from_iter(along.iter().map(|v| self.second(v)));
        let block = self.side_by_side(along);
        self.point
            .second_block(along.len(), &some(&block), Inputs::ALL);
        let (mut pairs, mut first) = (Vec::new(), 0);
        for (k, input) in self.at.iter().enumerate() {
            let len = input.len();
            for (i, got) in wide(self.point.product(k)).into_iter().enumerate() {
                let (along, entry) = (i / len, first + i % len);
                let expected = single[along][entry];
                pairs.push(Pair {
                    expected,
                    got,
                    entry,
                    along,
                });
            }
            first += len;
        }
        let unit = |pair: &Pair| [unit(first, pair.entry), along[pair.along].clone()];
        self.worst("block of products = products", pairs, unit, factor)
    }

    /// The entries of a block of derivatives of the value are derivatives.
    fn derivatives(&mut self, along: &[Vec<f64>], factor: f64) -> Trial {
        let (check, rung) = ("block of derivatives = derivatives", Rung::Identities);
        let block = self.side_by_side(along);
        let mut out = vec![T::zero(); along.len()];
        self.point
            .directional_block(along.len(), &some(&block), &mut out);
        let trials = along.iter().zip(wide(&out)).map(|(v, got)| {
            let parts = self.split(v);
            let expected = self.point.directional(&some(&parts)).f64();
            match self.first(v) {
                Ok(first) => {
                    let (bound, size) = (factor * first.bound, first.size);
                    Trial::compare(check, rung, [expected, got], bound, size, Place::default())
                }
                Err(reason) => Trial::unchecked(check, rung, got, reason, Place::default()),
            }
        });
        trials.reduce(farther).expect("a column")
    }

    /// A block of each input, of these directions.
    fn side_by_side(&self, along: &[Vec<f64>]) -> Vec<Vec<T>> {
        let mut block = vec![Vec::new(); self.at.len()];
        for v in along {
            for (block, column) in block.iter_mut().zip(self.split(v)) {
                block.extend(column);
            }
        }
        block
    }

    /// Blocks of the Hessian, of a program that knows them, have products with unit vectors in their
    /// columns.
    fn among(&mut self, frame: &Frame<'_>) -> Vec<Trial> {
        let mut trials = Vec::new();
        let program = self.point.program().clone();
        let mut first = 0;
        for k in 0..self.at.len() {
            let len = self.at[k].len();
            let own = first..first + len;
            let entries = frame.entries.iter().filter(|i| own.contains(i));
            let of = Vec::from_iter(entries.map(|i| i - first).take(AMONG));
            if program.knows_hessian(k) && !of.is_empty() {
                let mut room = vec![T::zero(); HESSIAN_ROOM * of.len() + len];
                let mut block = vec![T::zero(); of.len() * of.len()];
                self.point.hessian_among(k, &of, &mut room, &mut block);
                let unit = |i: usize| unit(frame.x.len(), first + i);
                let mut pairs = Vec::new();
                for (j, column) in of.iter().zip(block.chunks(of.len())) {
                    let product = self.second(&unit(*j));
                    pairs.extend(of.iter().zip(column).map(|(i, got)| Pair {
                        expected: product[first + i],
                        got: got.f64(),
                        entry: first + i,
                        along: *j,
                    }));
                }
                let at = |pair: &Pair| [unit(pair.entry - first), unit(pair.along)];
                let check = "block of the Hessian = products";
                trials.push(self.worst(check, pairs, at, frame.check.factor));
            }
            first += len;
        }
        trials
    }

    /// The pair that is farthest apart, beside what rounding may leave of it: `at` gives the directions that
    /// the entry is the mixed derivative along.
    fn worst(
        &mut self,
        check: &'static str,
        mut pairs: Vec<Pair>,
        at: impl Fn(&Pair) -> [Vec<f64>; 2],
        factor: f64,
    ) -> Trial {
        let rung = Rung::Identities;
        let apart = |pair: &Pair| match (pair.got - pair.expected).abs() {
            apart if apart.is_nan() => f64::INFINITY,
            apart => apart,
        };
        pairs.sort_by(|a, b| apart(b).total_cmp(&apart(a)));
        let trials = pairs.iter().take(BOUNDED).map(|pair| {
            let place = Place::entry(self.entry(pair.entry));
            if pair.got == pair.expected {
                let both = [pair.expected, pair.got];
                return Trial::compare(check, rung, both, 0.0, pair.expected.abs(), place);
            }
            let [unit, v] = at(pair);
            match self.mixed(&unit, &v) {
                Ok(mixed) => {
                    let bound = factor * mixed.bound;
                    let size = mixed.size.max(pair.got.abs());
                    Trial::compare(check, rung, [pair.expected, pair.got], bound, size, place)
                }
                Err(reason) => Trial::unchecked(check, rung, pair.got, reason, place),
            }
        });
        match trials.reduce(farther) {
            Some(trial) => trial,
            None => Trial::compare(check, rung, [0.0; 2], 0.0, 1.0, Place::default()),
        }
    }
}

fn unit(len: usize, i: usize) -> Vec<f64> {
    let mut unit = vec![0.0; len];
    unit[i] = 1.0;
    unit
}

/// The one of two comparisons that is nearer to a mismatch.
fn farther(a: Trial, b: Trial) -> Trial {
    match a.ratio() >= b.ratio() || b.ratio().is_nan() {
        true => a,
        false => b,
    }
}
