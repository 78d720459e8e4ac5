//! Shrinking by candidates, the boldest first.

use std::fmt::Debug;

use proptest::strategy::{NewTree, Strategy, ValueTree};
use proptest::test_runner::TestRunner;

/// A value that knows simpler ones.
pub trait Simplify: Clone + Debug {
    /// Simpler values, those worth trying first in front. A value that is reached from another must
    /// not lead back to it.
    fn simpler(&self) -> Vec<Self>;
}

/// A strategy that draws as another one does, and shrinks to [simpler](Simplify) values.
///
/// Where a simpler value fails too, the search starts again from there; so what it ends with has no
/// simpler value that fails. proptest's own shrinking never takes an element out of a vector once it
/// has begun to change another.
#[derive(Clone, Debug)]
pub struct Simplifying<S>(S);

/// Draws from `strategy` and shrinks to [simpler](Simplify) values.
pub fn simplifying<S>(strategy: S) -> Simplifying<S>
where
    S: Strategy,
    S::Value: Simplify,
{
    Simplifying(strategy)
}

impl<S> Strategy for Simplifying<S>
where
    S: Strategy,
    S::Value: Simplify,
{
    type Tree = Shrinking<S::Value>;
    type Value = S::Value;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        Ok(Shrinking::new(self.0.new_tree(runner)?.current()))
    }
}

/// A value on its way to a simpler one.
#[derive(Clone, Debug)]
pub struct Shrinking<V> {
    /// The simplest value that was not rejected.
    kept: V,
    /// The rest of its candidates, the next one last.
    candidates: Vec<V>,
    tried: Option<V>,
    fresh: bool,
}

impl<V: Simplify> Shrinking<V> {
    /// From this value on.
    pub fn new(value: V) -> Self {
        Shrinking {
            kept: value,
            candidates: Vec::new(),
            tried: None,
            fresh: true,
        }
    }

    fn propose(&mut self) -> bool {
        self.tried = self.candidates.pop();
        self.tried.is_some()
    }
}

impl<V: Simplify> ValueTree for Shrinking<V> {
    type Value = V;

    fn current(&self) -> V {
        self.tried.as_ref().unwrap_or(&self.kept).clone()
    }

    fn simplify(&mut self) -> bool {
        if let Some(accepted) = self.tried.take() {
            self.kept = accepted;
            self.fresh = true;
        }
        if std::mem::take(&mut self.fresh) {
            self.candidates = self.kept.simpler();
            self.candidates.reverse();
        }
        self.propose()
    }

    fn complicate(&mut self) -> bool {
        if self.tried.is_none() {
            return false;
        }
        // Without another candidate this goes back to what is kept, which is a change too.
        self.propose();
        true
    }
}

/// Simpler numbers: all of them 0 or 1, half of them 0, then one changed at a time, to 0, to 1, or
/// to one with fewer binary places.
pub fn simpler_numbers(numbers: &[f64]) -> Vec<Vec<f64>> {
    let n = numbers.len();
    let mut simpler = Vec::new();
    let mut block = |range: std::ops::Range<usize>, value: f64| {
        let easier = |v: &f64| places(value) < places(*v);
        // A number that would not become simpler stays, so that nothing leads back.
        if numbers[range.clone()].iter().any(easier) {
            let mut numbers = numbers.to_vec();
            numbers[range]
                .iter_mut()
                .filter(|v| easier(v))
                .for_each(|v| *v = value);
            simpler.push(numbers);
        }
    };
    block(0..n, 0.0);
    block(0..n, 1.0);
    block(n / 2..n, 0.0);
    block(0..n / 2, 0.0);
    for (i, value) in numbers.iter().enumerate() {
        for candidate in [0.0, 1.0, value.round(), (value * 4.0).round() / 4.0] {
            block(i..i + 1, candidate);
        }
    }
    simpler
}

/// How far from simple a number is.
fn places(value: f64) -> u32 {
    match value {
        0.0 => 0,
        1.0 => 1,
        v if v == v.round() => 2,
        v if v * 4.0 == (v * 4.0).round() => 3,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, PartialEq)]
    struct Pair(u32, Vec<f64>);

    impl Simplify for Pair {
        fn simpler(&self) -> Vec<Self> {
            let fewer = self.0.checked_sub(1).map(|n| Pair(n, self.1.clone()));
            let numbers = simpler_numbers(&self.1).into_iter();
            fewer
                .into_iter()
                .chain(numbers.map(|v| Pair(self.0, v)))
                .collect()
        }
    }

    #[test]
    fn the_result_fails_and_nothing_simpler_does() {
        let fails = |p: &Pair| p.0 >= 3 && p.1[0] > 0.3 && p.1[1] < 1.0;
        let mut tree = Shrinking::new(Pair(40, vec![0.77, -0.3, 0.123]));
        let mut shrinks = tree.simplify();
        while shrinks {
            shrinks = match fails(&tree.current()) {
                true => tree.simplify(),
                false => tree.complicate(),
            };
        }
        assert_eq!(tree.current(), Pair(3, vec![1.0, 0.0, 0.0]));
    }
}
