//! Mean losses of the score of a linear model, logistic and squared, as a fused primitive.

mod rules;

use std::sync::Arc;

use autodiff::kernels::{axpy, dot, sum};
use autodiff::threads::for_each;
use autodiff::{
    Asked, OperandAdjoints, OperandTangents, Operands, Places, Primitive, Real, Shape, Stash,
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
/// curvatures `n`. Scratch: product `d` | losses `n` | the labels of a batch | the room of the passes.
pub(crate) struct ScoreLoss<T: Real> {
    loss: Loss,
    over: Going<T>,
    labels: Arc<[T]>,
}

/// The buffers of a stash.
struct Parts<'a, T> {
    gradient: &'a mut [T],
    curvatures: &'a mut [T],
    product: &'a mut [T],
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

    fn split<'a>(&self, stash: &'a mut Stash<'_, T>) -> Parts<'a, T> {
        let (kept, scratch) = stash.split();
        let (gradient, curvatures) = kept.split_at_mut(self.over.d());
        let (product, scratch) = scratch.split_at_mut(self.over.d());
        let (losses, scratch) = scratch.split_at_mut(self.over.n);
        let (labels, scratch) = scratch.split_at_mut(self.gathered());
        Parts {
            gradient,
            curvatures,
            product,
            losses,
            labels,
            room: self.over.room(scratch, 1),
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
        let to = self.split(stash);
        let labels = match at {
            Places::From(first) => &self.labels[first..],
            Places::At(_) => {
                for (i, label) in to.labels.iter_mut().enumerate() {
                    *label = self.labels[at.index(i)];
                }
                &*to.labels
            }
        };
        let Room {
            weights: w,
            direction: v,
            own,
        } = to.room;
        let d = w.len();
        self.over.pad(a.get(0), w);
        if let Some(direction) = direction {
            self.over.pad(direction, v);
        }
        let (w, v) = (&*w, direction.map(|_| &*v));
        let each = [to.losses, to.curvatures];
        let mut all = Blocks::new();
        self.over.cut(at, 1, each, [1, 1], own, &mut all);
        let count = if direction.is_some() { 2 } else { 1 };
        for_each(&mut all, count * self.over.work(1), |part| {
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
            self.over.gather(&all, &summed, d..2 * d, to.product);
        }
        if asked.value {
            out[0] = Going::value(&all, &summed) * scale;
        }
    }

    /// The pass that multiplies the Hessian with a direction at the point evaluated last.
    fn multiply(&self, a: &Operands<'_, T>, direction: &[T], stash: &mut Stash<'_, T>) {
        let to = self.split(stash);
        let (v, own) = (to.room.direction, to.room.own);
        let d = v.len();
        self.over.pad(direction, v);
        let at = self.over.at(a);
        let mut all = Blocks::new();
        self.over.cut(at, 1, [to.curvatures], [1], own, &mut all);
        for_each(&mut all, self.over.work(1), |part| {
            let [curvatures] = &part.each;
            let (sums, scratch) = part.own.split_at_mut(2 * d);
            let pass = Pass {
                samples: part.samples,
                weights: [v],
                sums: &mut sums[d..],
                scratch,
            };
            pass.run(Curvatures(curvatures));
        });
        let summed = self.over.exchange(&all, 1, d..2 * d);
        self.over.gather(&all, &summed, d..2 * d, to.product);
    }

    /// The pass that multiplies it with two, and adds `scale` times the products to `out`: of each the same
    /// bits as alone.
    fn add_two(
        &self,
        a: &Operands<'_, T>,
        directions: &[T],
        scale: T,
        out: &mut [T],
        stash: &mut Stash<'_, T>,
    ) {
        let to = self.split(stash);
        let (v, w, own) = (to.room.weights, to.room.direction, to.room.own);
        let (d, (one, other)) = (v.len(), directions.split_at(self.over.d()));
        self.over.pad(one, v);
        self.over.pad(other, w);
        let (v, w, at) = (&*v, &*w, self.over.at(a));
        let mut all = Blocks::new();
        self.over.cut(at, 1, [to.curvatures], [1], own, &mut all);
        for_each(&mut all, 2 * self.over.work(1), |part| {
            let [curvatures] = &part.each;
            let (sums, scratch) = part.own.split_at_mut(2 * d);
            let pass = Pass {
                samples: part.samples,
                weights: [v, w],
                sums,
                scratch,
            };
            pass.run(Curvatures(curvatures));
        });
        let summed = self.over.exchange(&all, 1, 0..2 * d);
        for (k, out) in out.chunks_exact_mut(self.over.d()).enumerate() {
            self.over
                .gather(&all, &summed, k * d..(k + 1) * d, to.product);
            axpy(out, scale, to.product);
        }
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
        self.over.d() + self.over.n + self.gathered() + self.over.room_len(1)
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
        let curvatures = self.split(&mut stash).curvatures;
        // Every rank makes the block of all samples.
        self.over.exchange_samples(1, curvatures);
        self.over
            .curvature_among(self.over.at(a), curvatures, of, room, out);
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
        let Some(out) = adjoint_tangents.get(0) else {
            return;
        };
        if let Some(du) = du {
            axpy(out, du[0], &stash[..self.over.d()]);
        }
        if let Some(direction) = tangents.get(0) {
            if !tangents.evaluated() {
                self.multiply(a, direction, &mut stash);
            }
            axpy(out, u[0], self.split(&mut stash).product);
        }
    }
    // Two in each pass, as its scratch has room for: half of the memory that is read.
    fn vjp_tangent_block(
        &self,
        a: &Operands<'_, T>,
        tangents: &OperandTangents<'_, T>,
        mut stash: Stash<'_, T>,
        u: &[T],
        du: Option<&[T]>,
        adjoint_tangents: &mut OperandAdjoints<'_, T>,
    ) {
        let (two, width) = (2 * self.over.d(), tangents.width());
        let pairs = tangents.get(0).map_or(0, |_| width / 2);
        if let (Some(directions), Some(out)) = (tangents.get(0), adjoint_tangents.get(0)) {
            let gradients = out.chunks_exact_mut(self.over.d()).zip(du.unwrap_or(&[]));
            for (out, du) in gradients.take(2 * pairs) {
                axpy(out, *du, &stash[..self.over.d()]);
            }
            let directions = directions.chunks_exact(two);
            for (directions, out) in directions.zip(out.chunks_exact_mut(two)) {
                self.add_two(a, directions, u[0], out, &mut stash);
            }
        }
        for c in 2 * pairs..width {
            self.vjp_tangent(
                a,
                &tangents.column(c),
                stash.reborrow(),
                u,
                du.map(|du| &du[c..=c]),
                &mut adjoint_tangents.column(c),
            );
        }
    }
}
