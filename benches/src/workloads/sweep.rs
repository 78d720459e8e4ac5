//! Tasks at one point of a recorded function.

use std::sync::Arc;

use autodiff::{Inputs, Point, Program, Real};

use super::Task;

/// A function of N inputs, a point, and a direction of those inputs that have one.
pub(super) struct Setting<T: Real, const N: usize> {
    pub(super) program: Arc<Program<T>>,
    pub(super) inputs: [Vec<T>; N],
    pub(super) directions: [Option<Vec<T>>; N],
}

/// What is computed.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Gradient,
    Linearised,
    /// [`BLOCK`] products at once.
    Block,
    Fresh,
}

/// Directions of a block: the setting's own, then shorter and shorter ones, their entries moved on by
/// one more each.
pub(super) const BLOCK: usize = 16;

struct Sweep<T: Real, const N: usize> {
    setting: Arc<Setting<T, N>>,
    point: Point<T>,
    kind: Kind,
    /// Indices of the inputs whose gradient or product is asked for.
    by: &'static [usize],
    /// Blocks of directions, column after column.
    blocks: [Option<Vec<T>>; N],
}

impl<T: Real, const N: usize> Setting<T, N> {
    /// The gradient by the inputs `by`.
    pub(super) fn gradient(self: &Arc<Self>, by: &'static [usize]) -> Box<dyn Task> {
        self.task(Kind::Gradient, by)
    }

    /// The derivative of the gradient by the inputs `by`, at a point linearised before.
    pub(super) fn linearised(self: &Arc<Self>, by: &'static [usize]) -> Box<dyn Task> {
        self.task(Kind::Linearised, by)
    }

    /// The derivatives of the gradient by the inputs `by` along a block, at a point linearised before.
    pub(super) fn block(self: &Arc<Self>, by: &'static [usize]) -> Box<dyn Task> {
        self.task(Kind::Block, by)
    }

    /// The derivative of the gradient by the inputs `by`, linearised at each call.
    pub(super) fn fresh(self: &Arc<Self>, by: &'static [usize]) -> Box<dyn Task> {
        self.task(Kind::Fresh, by)
    }

    fn task(self: &Arc<Self>, kind: Kind, by: &'static [usize]) -> Box<dyn Task> {
        let mut point = self.program.point();
        if kind != Kind::Gradient && kind != Kind::Fresh {
            point.linearise(&self.inputs());
        }
        let blocks = match kind {
            Kind::Block => self.directions.each_ref().map(|v| v.as_deref().map(block)),
            _ => [const { None }; N],
        };
        Box::new(Sweep {
            setting: self.clone(),
            point,
            kind,
            by,
            blocks,
        })
    }

    fn inputs(&self) -> [&[T]; N] {
        self.inputs.each_ref().map(|x| &x[..])
    }

    fn directions(&self) -> [Option<&[T]>; N] {
        self.directions.each_ref().map(|v| v.as_deref())
    }
}

/// Column k is `v / (k + 1)` turned by k places, so that peers can make the same.
fn block<T: Real>(v: &[T]) -> Vec<T> {
    let column = |k: usize| {
        let turned = v[k % v.len()..].iter().chain(&v[..k % v.len()]);
        turned.map(move |entry| *entry / T::of((k + 1) as f64))
    };
    (0..BLOCK).flat_map(column).collect()
}

impl<T: Real, const N: usize> Task for Sweep<T, N> {
    fn call(&mut self) {
        let (inputs, directions) = (self.setting.inputs(), self.setting.directions());
        let wanted = self.by.iter().map(|k| Inputs::one(*k));
        let wanted = wanted.fold(Inputs::NONE, Inputs::union);
        match self.kind {
            Kind::Gradient => {
                self.point.differentiate(&inputs, wanted);
            }
            Kind::Linearised => self.point.second_by(&directions, wanted),
            Kind::Block => {
                let blocks = self.blocks.each_ref().map(|v| v.as_deref());
                self.point.second_block(BLOCK, &blocks, wanted);
            }
            Kind::Fresh => self.point.second_at(&inputs, &directions, wanted),
        }
    }

    fn result(&self) -> Vec<Vec<f64>> {
        let part = |k: &usize| match self.kind {
            Kind::Gradient => wide(self.point.gradient(*k)),
            Kind::Linearised | Kind::Block | Kind::Fresh => wide(self.point.product(*k)),
        };
        self.by.iter().map(part).collect()
    }
}

/// Entries in the precision of the computation.
pub(super) fn cast<T: Real>(entries: &[f64]) -> Vec<T> {
    entries.iter().map(|v| T::of(*v)).collect()
}

/// Entries as a result tells them.
pub(super) fn wide<T: Real>(entries: &[T]) -> Vec<f64> {
    entries.iter().map(|v| v.f64()).collect()
}
