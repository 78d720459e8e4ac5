//! A part of a problem, recorded, and a point of its proximal map.

use std::sync::Arc;

use autodiff::bytes::{Buffer, Category};
use autodiff::{Inputs, Meter, Point, Program, Real, Shape};

use super::needs::Needs;
use super::{Entries, Part, ProximalMap};

/// A part of a problem of x and y of these many entries, recorded once.
#[derive(Clone, Debug)]
pub(crate) struct Recorded<T: Real> {
    pub(crate) part: Part<T>,
    /// `P(x, z, s)`.
    prox: Arc<Program<T>>,
    needs: Option<Needs<T>>,
}

impl<T: Real> Recorded<T> {
    /// Records `part`, or says why it is none of these entries.
    pub(crate) fn new(part: Part<T>, dim_x: usize, dim_y: usize) -> Result<Self, String> {
        let map: &dyn ProximalMap<T> = &*part.0;
        if let Some(reason) = map.complaint(dim_y) {
            return Err(reason);
        }
        let needs = Needs::record(map, dim_x, dim_y)?;
        if let Some(reason) = needs.as_ref().and_then(Needs::always) {
            return Err(reason);
        }
        let shapes = [dim_x, dim_y, 1].map(Shape::vector);
        let prox = Program::record(&shapes, |v| map.prox(v[0], v[1], v[2]));
        let len = prox.output_shape().len();
        if len != dim_y {
            let expected = format!("expected {dim_y}");
            return Err(format!("its proximal map gives {len} entries: {expected}"));
        }
        Ok(Recorded { part, prox, needs })
    }

    /// Its map.
    pub(crate) fn map(&self) -> &dyn ProximalMap<T> {
        &*self.part.0
    }

    /// The programs that a point of it holds.
    pub(crate) fn programs(&self) -> impl Iterator<Item = &Program<T>> {
        let needs = self.needs.as_ref().map(|needs| &*needs.program);
        [&*self.prox].into_iter().chain(needs)
    }

    /// Bytes of a [`PartPoint`] without the programs.
    pub(crate) fn bytes(&self) -> usize {
        let points = self
            .programs()
            .map(|of| Point::gradient_bytes(of) - of.bytes());
        points.sum::<usize>() + VECTORS * self.prox.input_shape(1).len() * size_of::<T>()
    }
}

/// Vectors as long as y that a [`PartPoint`] holds beside its sweeps.
const VECTORS: usize = 6;
type Vectors<'a, T> = [&'a mut [T]; VECTORS];

/// A point of a proximal map `P(x, z, s)`.
#[derive(Debug)]
pub(crate) struct Prox<T: Real>(Point<T>);

impl<T: Real> Prox<T> {
    /// P there.
    pub(crate) fn value(&mut self, x: &[T], z: &[T], s: f64) -> &[T] {
        self.0.evaluate(&[x, z, &[T::of(s)]])
    }

    /// P there, to be differentiated.
    pub(super) fn linearise(&mut self, x: &[T], z: &[T], s: f64) -> &[T] {
        self.0.linearise_vector(&[x, z, &[T::of(s)]])
    }

    /// `∂_zP · v`, the derivative being symmetric.
    pub(super) fn tangent(&mut self, v: &[T]) -> &[T] {
        self.0.pull_back(v, Inputs::one(1));
        self.0.gradient(1)
    }

    /// `(∂_xP)ᵀ q`.
    pub(super) fn by_x(&mut self, q: &[T]) -> &[T] {
        self.0.pull_back(q, Inputs::one(0));
        self.0.gradient(0)
    }
}

/// A part's proximal map with buffers of its own.
#[derive(Debug)]
pub(crate) struct PartPoint<T: Real> {
    pub(crate) recorded: Arc<Recorded<T>>,
    prox: Prox<T>,
    needs: Option<Point<T>>,
    room: Buffer<T>,
}

impl<T: Real> PartPoint<T> {
    pub(crate) fn new(recorded: &Arc<Recorded<T>>, meter: &Meter) -> Self {
        let dim_y = recorded.prox.input_shape(1).len();
        PartPoint {
            prox: Prox(ready(&recorded.prox, meter)),
            needs: recorded
                .needs
                .as_ref()
                .map(|needs| ready(&needs.program, meter)),
            room: Buffer::zeros(VECTORS * dim_y, Category::Solver, meter),
            recorded: recorded.clone(),
        }
    }

    /// Whether it is a set, which [`apply`](PartPoint::apply) projects to.
    pub(crate) fn is_set(&self) -> bool {
        self.recorded.map().is_set()
    }

    /// Whether it is a sum over entries that has a weight of their squares.
    pub(crate) fn has_square(&self) -> bool {
        let entrywise = self.recorded.map().entrywise();
        entrywise.is_some_and(|of| of.square.is_some())
    }

    /// Why it is no part at this x, if it is none.
    pub(crate) fn complaint(&mut self, x: &[T]) -> Option<String> {
        let needs = self.recorded.needs.as_ref()?;
        let values = self.needs.as_mut()?.evaluate(&[x]);
        let reason = needs.complaint(values)?;
        Some(format!("{}: {reason}", self.recorded.part.name()))
    }

    /// The h of each entry at this x, if it is a sum over entries, the map, and vectors to work in.
    pub(crate) fn with_entries(
        &mut self,
        x: &[T],
    ) -> Option<(Entries<'_, T>, &mut Prox<T>, Vectors<'_, T>)> {
        let of = self.recorded.map().entrywise()?;
        let needs = self.recorded.needs.as_ref();
        let values = self.needs.as_mut().map(|point| point.evaluate(&[x]));
        // Without parameters it has none of these.
        let place = |k: Option<usize>| Some(&values?[needs?.place(k?)]);
        let entries = Entries {
            weight: place(of.weight),
            square: place(of.square),
            low: place(of.low),
            high: place(of.high),
        };
        Some((entries, &mut self.prox, vectors(&mut self.room)))
    }

    /// The parameters at this x, to be pulled back, room for a cotangent of them, and the last of the
    /// vectors to work in; `None` if there are none, or more than there is room for.
    #[expect(
        clippy::type_complexity,
        reason = "parts of one struct, borrowed side by side"
    )]
    pub(super) fn parameters(
        &mut self,
        x: &[T],
    ) -> Option<(&Needs<T>, &mut Point<T>, &mut [T], &mut [T])> {
        let needs = self.recorded.needs.as_ref()?;
        let point = self.needs.as_mut()?;
        let n = self.room.len() / VECTORS;
        let (room, last) = self.room.split_at_mut((VECTORS - 1) * n);
        let cotangent = room.get_mut(..needs.program.output_shape().len())?;
        point.linearise_vector(&[x]);
        Some((needs, point, cotangent, last))
    }

    /// Replaces `z` by `P_s(x, z)`.
    pub(crate) fn apply(&mut self, x: &[T], z: &mut [T], s: f64) {
        let next = self.prox.value(x, z, s);
        z.copy_from_slice(next);
    }

    /// P, and vectors to work in.
    pub(super) fn split(&mut self) -> (&mut Prox<T>, Vectors<'_, T>) {
        (&mut self.prox, vectors(&mut self.room))
    }
}

/// The room of a [`PartPoint`] as vectors.
fn vectors<T>(mut room: &mut [T]) -> Vectors<'_, T> {
    let n = room.len() / VECTORS;
    std::array::from_fn(|_| {
        let (vector, more) = std::mem::take(&mut room).split_at_mut(n);
        room = more;
        vector
    })
}

/// A point of a function of any shape with all buffers of its value and its pullback, whoever asks
/// for which: what it holds is then `Point::gradient_bytes`.
pub(crate) fn ready<T: Real>(of: &Arc<Program<T>>, meter: &Meter) -> Point<T> {
    let mut point = Point::new(of.clone(), meter);
    let ones = |k: usize| vec![T::one(); of.input_shape(k).len()];
    let inputs: Vec<Vec<T>> = (0..of.inputs()).map(ones).collect();
    let inputs: Vec<&[T]> = inputs.iter().map(Vec::as_slice).collect();
    point.linearise_vector(&inputs);
    let cotangent = vec![T::zero(); of.output_shape().len()];
    point.pull_back(&cotangent, Inputs::ALL);
    point
}
