//! Mean losses of the score of a linear model, logistic and squared, as a fused primitive.

mod rules;

use std::sync::Arc;

use autodiff::kernels::{axpy, dot, sum};
use autodiff::{
    Asked, FewColumns, OperandAdjoints, OperandTangents, Operands, Places, Primitive, Real, Shape,
    Stash,
};

use crate::dataset::{Dataset, Labels};
use crate::pass::{Going, Parts as Blocks, Pass, Room};
use rules::{Curvatures, Scores};

/// What is lost at a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// `ln(1 + exp(−t z))` for a label t of ±1.
    Logistic,
    /// `½(z − t)²` for a target t.
    Squared,
}

/// The mean over i of the loss at the score `⟨a_i, w⟩`, of weights `w`.
///
/// One pass gives the value, the gradient and the curvature of each sample, and the
/// Hessian-vector product if the direction is known; each further product is one more.
/// A second operand holds the indices of the samples, if they are a batch. Kept: gradient `d` |
/// curvatures `n`. Scratch: products `d` each | losses `n` | the labels of a batch | the room of the
/// passes.
pub(crate) struct ScoreLoss<T: Real> {
    loss: Loss,
    over: Going<T>,
    labels: Arc<[T]>,
}

/// The buffers of a stash.
struct Parts<'a, T> {
    gradient: &'a mut [T],
    curvatures: &'a mut [T],
    products: &'a mut [T],
    losses: &'a mut [T],
    labels: &'a mut [T],
    room: Room<'a, T>,
}

impl<T: Real> ScoreLoss<T> {
    #[track_caller]
    pub(crate) fn new(loss: Loss, data: &Dataset<T>, over: Going<T>) -> Self {
        let labels = match (loss, &data.labels) {
            (Loss::Logistic, Labels::Binary(labels)) | (Loss::Squared, Labels::Targets(labels)) => {
                labels
            }
            (Loss::Logistic, other) => {
                panic!("logistic_loss: the labels are {other}: expected -1 and 1")
            }
            (Loss::Squared, other) => {
                panic!("squared_loss: the labels are {other}: expected targets")
            }
        };
        ScoreLoss {
            loss,
            over,
            labels: labels.clone(),
        }
    }

    /// Labels of a batch that are gathered.
    fn gathered(&self) -> usize {
        if self.over.picks { self.over.n } else { 0 }
    }

    /// The rows of a pass with so many directions: one may go beside the weights.
    fn rows(directions: usize) -> usize {
        directions.max(2)
    }

    /// The scratch for as many directions in a pass.
    fn scratch_for(&self, directions: usize) -> usize {
        let room = self.over.room_len(1, Self::rows(directions));
        directions * self.over.d() + self.over.n + self.gathered() + room
    }

    /// The buffers for as many directions in a pass.
    fn split<'a>(&self, stash: &'a mut Stash<'_, T>, directions: usize) -> Parts<'a, T> {
        let (kept, scratch) = stash.split();
        let (gradient, curvatures) = kept.split_at_mut(self.over.d());
        let (products, scratch) = scratch.split_at_mut(directions * self.over.d());
        let (losses, scratch) = scratch.split_at_mut(self.over.n);
        let (labels, scratch) = scratch.split_at_mut(self.gathered());
        Parts {
            gradient,
            curvatures,
            products,
            losses,
            labels,
            room: self.over.room(scratch, Self::rows(directions)),
        }
    }

    /// The pass that evaluates, and multiplies with a direction if there is one.
    fn evaluate(
        &self,
        a: &Operands<'_, T>,
        direction: Option<&[T]>,
        asked: Asked,
        out: &mut [T],
        stash: &mut Stash<'_, T>,
    ) {
        let at = self.over.at(a);
        let scale = self.over.scale();
        let to = self.split(stash, 1);
        let labels = match at {
            Places::From(first) => &self.labels[first..],
            Places::At(_) => {
                for (i, label) in to.labels.iter_mut().enumerate() {
                    *label = self.labels[at.index(i)];
                }
                &*to.labels
            }
        };
        let Room { rows, own } = to.room;
        let d = self.over.padded(1);
        let (w, v) = rows.split_at_mut(d);
        self.over.pad(a.get(0), w);
        if let Some(direction) = direction {
            self.over.pad(direction, v);
        }
        let (w, v) = (&*w, direction.map(|_| &*v));
        let each = [to.losses, to.curvatures];
        let mut all = Blocks::new();
        self.over
            .cut(at, (1, Self::rows(1)), each, [1, 1], own, &mut all);
        let count = if direction.is_some() { 2 } else { 1 };
        let work = count * self.over.work(1);
        self.over.each_block(&mut all, work, |part| {
            let [losses, curvatures] = &mut part.each;
            let rule = Scores {
                loss: self.loss,
                labels: &labels[part.first - self.over.first()..],
                scale,
                losses: asked.value.then_some(&mut **losses),
                curvatures,
            };
            let (sums, scratch) = part.own.split_at_mut(2 * d);
            let first = if asked.first { 0 } else { d };
            match v {
                None => {
                    let pass = Pass {
                        samples: part.samples,
                        weights: [w],
                        sums: &mut sums[first..d],
                        scratch,
                    };
                    pass.run(rule);
                }
                Some(v) => {
                    let pass = Pass {
                        samples: part.samples,
                        weights: [w, v],
                        sums: &mut sums[first..],
                        scratch,
                    };
                    pass.run(rule);
                }
            }
            if asked.value {
                part.value = sum(losses);
            }
        });
        let place = if asked.first { 0 } else { d }..count * d;
        let summed = self.over.exchange(&all, 1, place);
        if asked.first {
            self.over.gather(&all, &summed, 0..d, to.gradient);
        }
        if direction.is_some() {
            self.over.gather(&all, &summed, d..2 * d, to.products);
        }
        if asked.value {
            out[0] = Going::value(&all, &summed) * scale;
        }
    }

    /// The pass that multiplies the Hessian with some directions at the point evaluated last: each has
    /// the same bits as alone. To the rows of a pass they are what classes are elsewhere.
    fn multiply<'a>(
        &self,
        a: &Operands<'_, T>,
        (count, directions): (usize, &[T]),
        stash: &'a mut Stash<'_, T>,
    ) -> &'a mut [T] {
        let (to, at) = (self.split(stash, count), self.over.at(a));
        let (Room { rows, own }, len) = (to.room, self.over.padded(count));
        let v = &mut rows[..len];
        self.over.pad(directions, v);
        let v = &*v;
        let mut all = Blocks::new();
        let cut = (1, Self::rows(count));
        self.over.cut(at, cut, [to.curvatures], [1], own, &mut all);
        self.over
            .each_block(&mut all, self.over.work(count), |part| {
                let [curvatures] = &part.each;
                let (sums, scratch) = part.own.split_at_mut(len);
                let pass = Pass {
                    samples: part.samples,
                    weights: [v],
                    sums,
                    scratch,
                };
                pass.run(Curvatures {
                    of: curvatures,
                    directions: count,
                });
            });
        let summed = self.over.exchange(&all, 1, 0..len);
        self.over.gather(&all, &summed, 0..len, to.products);
        to.products
    }
}

impl<T: Real> Primitive<T> for ScoreLoss<T> {
    fn name(&self) -> &str {
        match self.loss {
            Loss::Logistic => "logistic_loss",
            Loss::Squared => "squared_loss",
        }
    }

    fn output_shape(&self, operands: &[Shape]) -> Result<Shape, String> {
        match operands {
            [w, ..] if w.len() == self.over.d() => Ok(Shape::SCALAR),
            _ => Err(format!(
                "weights of {} entries, one for each feature",
                self.over.d()
            )),
        }
    }

    fn stash_len(&self, _: &[Shape]) -> usize {
        self.over.d() + self.over.n
    }

    fn scratch_len(&self, _: &[Shape]) -> usize {
        self.scratch_for(1)
    }

    fn block_scratch_len(&self, _: &[Shape], width: usize) -> usize {
        self.scratch_for(self.over.directions_in_pass(width))
    }

    fn knows_hessian(&self) -> bool {
        self.over.holds_all()
    }

    fn hessian_among(
        &self,
        a: &Operands<'_, T>,
        mut stash: Stash<'_, T>,
        of: &[usize],
        room: &mut [T],
        out: &mut [T],
    ) {
        let curvatures = self.split(&mut stash, 1).curvatures;
        // Every rank makes the block of all samples.
        self.over.exchange_samples(1, curvatures);
        self.over
            .curvature_among(self.over.at(a), curvatures, of, room, out);
    }

    fn hessian_roots(
        &self,
        _: &Operands<'_, T>,
        mut stash: Stash<'_, T>,
        of: &[usize],
        out: &mut FewColumns<T>,
    ) -> bool {
        let curvatures = self.split(&mut stash, 1).curvatures;
        self.over.exchange_samples(1, curvatures);
        self.over.roots_among(curvatures, of, out)
    }

    fn eval(&self, a: &Operands<'_, T>, asked: Asked, out: &mut [T], mut stash: Stash<'_, T>) {
        self.evaluate(a, None, asked, out, &mut stash);
    }

    fn eval_along(
        &self,
        a: &Operands<'_, T>,
        tangents: &OperandTangents<'_, T>,
        asked: Asked,
        out: &mut [T],
        out_tangent: Option<&mut [T]>,
        mut stash: Stash<'_, T>,
    ) {
        self.evaluate(a, tangents.get(0), asked, out, &mut stash);
        if let Some(out) = out_tangent {
            self.jvp(a, tangents, stash, out);
        }
    }

    fn jvp(
        &self,
        _: &Operands<'_, T>,
        tangents: &OperandTangents<'_, T>,
        stash: Stash<'_, T>,
        out: &mut [T],
    ) {
        out[0] = tangents
            .get(0)
            .map_or(T::zero(), |t| dot(&stash[..self.over.d()], t));
    }

    fn vjp(
        &self,
        _: &Operands<'_, T>,
        stash: Stash<'_, T>,
        u: &[T],
        adjoints: &mut OperandAdjoints<'_, T>,
    ) {
        if let Some(out) = adjoints.get(0) {
            axpy(out, u[0], &stash[..self.over.d()]);
        }
    }

    fn vjp_tangent(
        &self,
        a: &Operands<'_, T>,
        tangents: &OperandTangents<'_, T>,
        mut stash: Stash<'_, T>,
        u: &[T],
        du: Option<&[T]>,
        adjoint_tangents: &mut OperandAdjoints<'_, T>,
    ) {
        self.vjp_tangent_block(a, tangents, stash.reborrow(), u, du, adjoint_tangents);
    }

    // Some in each pass, as the scratch of a block has room for: they read the samples once.
    fn vjp_tangent_block(
        &self,
        a: &Operands<'_, T>,
        tangents: &OperandTangents<'_, T>,
        mut stash: Stash<'_, T>,
        u: &[T],
        du: Option<&[T]>,
        adjoint_tangents: &mut OperandAdjoints<'_, T>,
    ) {
        let (d, width) = (self.over.d(), tangents.width());
        let Some(out) = adjoint_tangents.get(0) else {
            return;
        };
        for (c, du) in du.into_iter().flatten().enumerate() {
            axpy(&mut out[c * d..][..d], *du, &stash[..d]);
        }
        let Some(directions) = tangents.get(0) else {
            return;
        };
        if tangents.evaluated() {
            return axpy(out, u[0], self.split(&mut stash, 1).products);
        }
        let most = self.over.directions_in_pass(width);
        for first in (0..width).step_by(most) {
            let count = most.min(width - first);
            let some = first * d..(first + count) * d;
            let products = self.multiply(a, (count, &directions[some.clone()]), &mut stash);
            axpy(&mut out[some], u[0], products);
        }
    }
}
