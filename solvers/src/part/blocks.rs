//! Parts of consecutive entries.

use std::ops::Range;
use std::sync::Arc;

use autodiff::{Real, Var};

use super::{Parameter, Part, ProximalMap};

/// Parts of ranges in ascending order.
struct Blocks<T: Real>(Vec<(Range<usize>, Part<T>)>);

impl<T: Real> Part<T> {
    /// The sum of parts of consecutive entries each, of ranges in ascending order that do not
    /// overlap: the product of sets, where they are sets. An entry in no range is free.
    ///
    /// ```
    /// use autodiff::Var;
    /// use solvers::Part;
    ///
    /// // Non-negative, and a distribution.
    /// let part = Part::<f64>::blocks(vec![
    ///     (0..2, Part::above(|x: Var| x.scalar(0.0))),
    ///     (2..6, Part::simplex(|x: Var| x.scalar(1.0))),
    /// ]);
    /// assert_eq!(part.name(), "box, simplex");
    /// ```
    pub fn blocks(blocks: Vec<(Range<usize>, Part<T>)>) -> Self {
        Part(Arc::new(Blocks(blocks)))
    }
}

impl<T: Real> ProximalMap<T> for Blocks<T> {
    fn name(&self) -> String {
        let names: Vec<String> = self.0.iter().map(|(_, part)| part.name()).collect();
        names.join(", ")
    }

    fn prox<'r>(&self, x: Var<'r, T>, z: Var<'r, T>, s: Var<'r, T>) -> Var<'r, T> {
        let (mut pieces, mut end) = (Vec::new(), 0);
        for (range, part) in &self.0 {
            if range.start > end {
                pieces.push(z.slice(end, range.start - end));
            }
            let block = z.slice(range.start, range.len());
            pieces.push(part.0.prox(x, block, s).reshape(range.len(), 1));
            end = range.end;
        }
        if z.len() > end {
            pieces.push(z.slice(end, z.len() - end));
        }
        match &pieces[..] {
            [only] => *only,
            [first, rest @ ..] => first.concat(rest),
            [] => z,
        }
    }

    fn value<'r>(&self, x: Var<'r, T>, y: Var<'r, T>) -> Var<'r, T> {
        let block = |range: &Range<usize>| y.slice(range.start, range.len());
        let values = self
            .0
            .iter()
            .map(|(range, part)| part.0.value(x, block(range)));
        Var::sum_of(values)
    }

    fn is_set(&self) -> bool {
        self.0.iter().all(|(_, part)| part.0.is_set())
    }

    fn parameters<'r>(&self, x: Var<'r, T>, _: usize) -> Vec<Parameter<'r, T>> {
        let each = |(range, part): &(Range<usize>, Part<T>)| part.0.parameters(x, range.len());
        self.0.iter().flat_map(each).collect()
    }

    fn complaint(&self, dim_y: usize) -> Option<String> {
        if self.0.is_empty() {
            return Some("0 blocks: expected at least 1".to_owned());
        }
        let mut end = 0;
        for (range, part) in &self.0 {
            let Range { start, end: stop } = *range;
            if start < end || stop <= start || stop > dim_y {
                return Some(format!(
                    "block {start}..{stop} after {end}: expected ascending ranges below {dim_y}"
                ));
            }
            if let Some(reason) = part.0.complaint(range.len()) {
                return Some(format!("block {start}..{stop}: {}: {reason}", part.name()));
            }
            end = stop;
        }
        None
    }

    fn couples(&self) -> bool {
        self.0.iter().any(|(_, part)| part.0.couples())
    }
}
