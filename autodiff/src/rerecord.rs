//! Functions that branch on values: a recording for each branch.

use std::collections::BTreeMap;
use std::fmt;

use crate::bytes::Meter;
use crate::point::Point;
use crate::program::Program;
use crate::real::Real;
use crate::shape::Shape;
use crate::var::Var;

/// A function whose operations depend on the values of its inputs: on them it depends which branch is
/// taken, or how often a loop runs.
///
/// A [`Var`] has no value, so a recorded closure cannot branch on one by mistake. Where it has to,
/// the choice is a function of its own: `choose` sees the values and names the branch, and `record`
/// records the branch with that name. Each branch is recorded when it is first taken, and kept: at
/// the next point on the same branch nothing is recorded or allocated. The branch that a point is
/// on is differentiated, as in every system that differentiates a program as it ran.
///
/// # Example
/// Newton's iteration for √a, as many times as `a` asks for:
/// ```
/// use autodiff::{Meter, Rerecord, Shape, Var};
///
/// let steps = |a: &[&[f64]]| {
///     let (a, mut root, mut steps) = (a[0][0], 1.0, 0);
///     while (root * root - a).abs() > 1e-12 * a {
///         (root, steps) = (0.5 * (root + a / root), steps + 1);
///     }
///     steps
/// };
/// let mut sqrt = Rerecord::new(&[Shape::SCALAR], &Meter::new(), steps, |steps: &u32, v| {
///     let one = v[0].scalar(1.0);
///     (0..*steps).fold(one, |root, _| 0.5 * (root + v[0] / root))
/// });
/// let point = sqrt.point(&[&[2.0]]);
/// point.linearise(&[&[2.0]]);
/// assert!((point.gradient(0)[0] - 0.5 / 2f64.sqrt()).abs() < 1e-12);
/// sqrt.point(&[&[2.1]]);
/// assert_eq!(sqrt.recordings(), 1); // as many steps as before
/// sqrt.point(&[&[200.0]]);
/// assert_eq!(sqrt.recordings(), 2);
/// ```
pub struct Rerecord<T: Real, K, C, F> {
    shapes: Vec<Shape>,
    choose: C,
    record: F,
    branches: BTreeMap<K, Point<T>>,
    meter: Meter,
}

impl<T: Real, K: fmt::Debug, C, F> fmt::Debug for Rerecord<T, K, C, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rerecord")
            .field("shapes", &self.shapes)
            .field("branches", &self.branches)
            .finish_non_exhaustive()
    }
}

impl<T, K, C, F> Rerecord<T, K, C, F>
where
    T: Real,
    K: Ord,
    C: Fn(&[&[T]]) -> K,
    F: for<'r> Fn(&K, &[Var<'r, T>]) -> Var<'r, T>,
{
    /// A function of inputs of these shapes, its bytes counted on `meter`; nothing is recorded yet.
    pub fn new(shapes: &[Shape], meter: &Meter, choose: C, record: F) -> Self {
        Rerecord {
            shapes: shapes.to_vec(),
            choose,
            record,
            branches: BTreeMap::new(),
            meter: meter.clone(),
        }
    }

    /// The branch that these inputs take, to be evaluated there.
    ///
    /// # Panics
    /// If the number of inputs or a length differs from the shapes'.
    #[track_caller]
    pub fn point(&mut self, inputs: &[&[T]]) -> &mut Point<T> {
        let lengths = inputs.iter().map(|a| a.len());
        let fits = lengths.eq(self.shapes.iter().map(|s| s.len()));
        if !fits {
            let got: Vec<usize> = inputs.iter().map(|a| a.len()).collect();
            let want: Vec<String> = self.shapes.iter().map(Shape::to_string).collect();
            panic!("inputs of {got:?} entries: expected {}", want.join(", "));
        }
        let (record, shapes, meter) = (&self.record, &self.shapes, &self.meter);
        let branch = (self.choose)(inputs);
        // Not `or_insert_with_key`, whose closure would hide the caller's line.
        match self.branches.entry(branch) {
            std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::btree_map::Entry::Vacant(new) => {
                let program = Program::record(shapes, |v| record(new.key(), v));
                new.insert(Point::new(program, meter))
            }
        }
    }

    /// How many branches were recorded so far.
    pub fn recordings(&self) -> usize {
        self.branches.len()
    }

    /// Forgets all recordings, and gives their bytes back.
    pub fn clear(&mut self) {
        self.branches.clear();
    }
}
