//! The mean cross-entropy of a linear softmax model as a fused primitive.

mod rules;

use std::sync::Arc;

use autodiff::kernels::{axpy, dot, sum};
use autodiff::{Asked, OperandAdjoints, OperandTangents, Operands, Primitive, Real, Shape, Stash};

use crate::dataset::{Dataset, Labels};
use crate::pass::{Going, Parts as Blocks, Pass, Room};
use rules::{Chosen, Kept, Logits, Products};

/// `(1/n) Σ_i s_i (ln Σ_c exp z_ic − z_{i t_i})`, `z_i = W a_i`, of weights `W` and, if it is
/// weighted, sample weights `s`. A last operand holds the indices of the samples, if they are a batch;
/// `s` then has an entry for each of these.
///
/// Kept: gradient by W `C·d` | losses `n` | softmax `C·n`, class after class for each line
/// of samples. Scratch: product by W `C·d` | slopes `n` | the room of the passes.
pub(crate) struct SoftmaxLoss<T: Real> {
    over: Going<T>,
    labels: Arc<[usize]>,
    classes: usize,
    weighted: bool,
}

/// The buffers of a stash.
struct Parts<'a, T> {
    gradient: &'a mut [T],
    losses: &'a mut [T],
    softmax: &'a mut [T],
    product: &'a mut [T],
    /// `⟨p_i, ż_i⟩ − ż_{i t_i}`: the derivative of each loss along a direction.
    slopes: &'a mut [T],
    room: Room<'a, T>,
}

/// A direction in the weights, the sample weights, or both.
struct Direction<'a, T> {
    weights: Option<&'a [T]>,
    samples: Option<&'a [T]>,
}

impl<'a, T: Real> Direction<'a, T> {
    fn moves(&self) -> bool {
        self.weights.is_some() || self.samples.is_some()
    }
}

impl<T: Real> SoftmaxLoss<T> {
    #[track_caller]
    pub(crate) fn new(data: &Dataset<T>, over: Going<T>, weighted: bool) -> Self {
        let Labels::Classes { of, count } = &data.labels else {
            panic!(
                "cross_entropy: the labels are {}: expected classes 0, 1, …",
                data.labels
            );
        };
        SoftmaxLoss {
            over,
            labels: of.clone(),
            classes: *count,
            weighted,
        }
    }

    fn direction<'a>(&self, tangents: &'a OperandTangents<'_, T>) -> Direction<'a, T> {
        Direction {
            weights: tangents.get(0),
            samples: self.weighted.then(|| tangents.get(1)).flatten(),
        }
    }

    fn split<'a>(&self, stash: &'a mut Stash<'_, T>) -> Parts<'a, T> {
        let (kept, scratch) = stash.split();
        let (gradient, kept) = kept.split_at_mut(self.classes * self.over.d());
        let (losses, softmax) = kept.split_at_mut(self.over.n);
        let (product, scratch) = scratch.split_at_mut(self.classes * self.over.d());
        let (slopes, scratch) = scratch.split_at_mut(self.over.n);
        Parts {
            gradient,
            losses,
            softmax,
            product,
            slopes,
            room: self.over.room(scratch, 2 * self.classes),
        }
    }

    /// The pass that evaluates, and multiplies with a direction if there is one.
    fn evaluate(
        &self,
        a: &Operands<'_, T>,
        direction: Option<Direction<'_, T>>,
        asked: Asked,
        out: &mut [T],
        stash: &mut Stash<'_, T>,
    ) {
        let (c, at) = (self.classes, self.over.at(a));
        let to = self.split(stash);
        let samples = self.weighted.then(|| a.get(1));
        let Room { rows, own } = to.room;
        let len = self.over.padded(c);
        let (w, v) = rows.split_at_mut(len);
        self.over.pad(a.get(0), w);
        // Without a direction of W the logits do not move.
        let along = direction.as_ref().and_then(|v| v.weights);
        if let Some(along) = along {
            self.over.pad(along, v);
        }
        let w = &*w;
        let v = along.map_or(w, |_| &*v);
        let each = [&mut *to.losses, to.softmax, &mut *to.slopes];
        let mut all = Blocks::new();
        self.over
            .cut(at, (c, 2 * c), each, [1, c, 1], own, &mut all);
        let count = if direction.is_some() { 2 } else { 1 };
        let work = count * self.over.work(c);
        self.over.each_block(&mut all, work, |part| {
            let first = part.first;
            let samples = samples.map(|s| &s[first..]);
            let [losses, softmax, slopes] = &mut part.each;
            let products = Products {
                labels: Chosen::of(&self.labels, at, first - self.over.first()),
                scale: self.over.scale(),
                samples,
                direction: direction
                    .as_ref()
                    .and_then(|v| v.samples)
                    .map(|s| &s[first..]),
                slopes,
                still: along.is_none(),
            };
            let rule = Logits {
                losses,
                softmax,
                products,
            };
            let (sums, scratch) = part.own.split_at_mut(2 * len);
            let from = if asked.first { 0 } else { len };
            if direction.is_some() {
                let pass = Pass {
                    samples: part.samples,
                    weights: [w, v],
                    sums: &mut sums[from..],
                    scratch,
                };
                pass.run(rule);
            } else {
                let pass = Pass {
                    samples: part.samples,
                    weights: [w],
                    sums: &mut sums[from..len],
                    scratch,
                };
                pass.run(rule);
            }
            if asked.value {
                part.value = match samples {
                    Some(s) => dot(losses, &s[..losses.len()]),
                    None => sum(losses),
                };
            }
        });
        let place = if asked.first { 0 } else { len }..count * len;
        let summed = self.over.exchange(&all, c, place);
        if asked.first {
            self.over.gather(&all, &summed, 0..len, to.gradient);
        }
        if direction.is_some() {
            self.over.gather(&all, &summed, len..2 * len, to.product);
        }
        if asked.value {
            out[0] = self.over.scale() * Going::value(&all, &summed);
        }
        drop(all);
        // Derivatives by the samples' weights are numbers of all samples.
        if self.weighted && (asked.first || direction.is_some()) {
            self.over.exchange_samples(c, to.losses);
        }
        if self.weighted && direction.is_some() {
            self.over.exchange_samples(c, to.slopes);
        }
    }

    /// The pass that multiplies with a direction at the point evaluated last.
    fn multiply(
        &self,
        a: &Operands<'_, T>,
        direction: &Direction<'_, T>,
        stash: &mut Stash<'_, T>,
    ) {
        let (c, at) = (self.classes, self.over.at(a));
        let to = self.split(stash);
        let samples = self.weighted.then(|| a.get(1));
        let Room { rows, own } = to.room;
        let len = self.over.padded(c);
        let v = &mut rows[..len];
        // Without a direction of W any matrix serves to walk the rows.
        self.over.pad(direction.weights.unwrap_or(a.get(0)), v);
        let v = &*v;
        let each = [to.softmax, &mut *to.slopes];
        let mut all = Blocks::new();
        self.over.cut(at, (c, 2 * c), each, [c, 1], own, &mut all);
        self.over.each_block(&mut all, self.over.work(c), |part| {
            let first = part.first;
            let [softmax, slopes] = &mut part.each;
            let rule = Kept {
                softmax,
                products: Products {
                    labels: Chosen::of(&self.labels, at, first - self.over.first()),
                    scale: self.over.scale(),
                    samples: samples.map(|s| &s[first..]),
                    direction: direction.samples.map(|s| &s[first..]),
                    slopes,
                    still: direction.weights.is_none(),
                },
            };
            let (sums, scratch) = part.own.split_at_mut(2 * len);
            let pass = Pass {
                samples: part.samples,
                weights: [v],
                sums: &mut sums[len..],
                scratch,
            };
            pass.run(rule);
        });
        let summed = self.over.exchange(&all, c, len..2 * len);
        self.over.gather(&all, &summed, len..2 * len, to.product);
        drop(all);
        if self.weighted {
            self.over.exchange_samples(c, to.slopes);
        }
    }
}

impl<T: Real> Primitive<T> for SoftmaxLoss<T> {
    fn name(&self) -> &str {
        "cross_entropy"
    }

    fn output_shape(&self, operands: &[Shape]) -> Result<Shape, String> {
        let (size, n) = (self.classes * self.over.d(), self.over.n);
        let weights = operands[0].len() == size;
        if weights && (!self.weighted || operands[1].len() == n) {
            return Ok(Shape::SCALAR);
        }
        Err(format!(
            "weights of {size} entries ({} classes × {} features) and perhaps {n} sample weights",
            self.classes,
            self.over.d()
        ))
    }

    fn stash_len(&self, _: &[Shape]) -> usize {
        self.classes * self.over.d() + self.over.n + self.classes * self.over.n
    }

    fn scratch_len(&self, _: &[Shape]) -> usize {
        self.classes * self.over.d()
            + self.over.n
            + self.over.room_len(self.classes, 2 * self.classes)
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
        let direction = Some(self.direction(tangents));
        self.evaluate(a, direction, asked, out, &mut stash);
        if let Some(out) = out_tangent {
            self.jvp(a, tangents, stash, out);
        }
    }

    fn jvp(
        &self,
        _: &Operands<'_, T>,
        tangents: &OperandTangents<'_, T>,
        mut stash: Stash<'_, T>,
        out: &mut [T],
    ) {
        let stash = self.split(&mut stash);
        let direction = self.direction(tangents);
        let by_weights = direction.weights.map(|t| dot(stash.gradient, t));
        let by_samples = direction
            .samples
            .map(|t| self.over.scale() * dot(stash.losses, t));
        out[0] = by_weights.unwrap_or(T::zero()) + by_samples.unwrap_or(T::zero());
    }

    fn vjp(
        &self,
        _: &Operands<'_, T>,
        mut stash: Stash<'_, T>,
        u: &[T],
        adjoints: &mut OperandAdjoints<'_, T>,
    ) {
        let stash = self.split(&mut stash);
        if let Some(out) = adjoints.get(0) {
            axpy(out, u[0], stash.gradient);
        }
        if self.weighted
            && let Some(out) = adjoints.get(1)
        {
            axpy(out, u[0] * self.over.scale(), stash.losses);
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
        let direction = self.direction(tangents);
        if direction.moves() && !tangents.evaluated() {
            self.multiply(a, &direction, &mut stash);
        }
        let stash = self.split(&mut stash);
        if let Some(out) = adjoint_tangents.get(0) {
            if let Some(du) = du {
                axpy(out, du[0], stash.gradient);
            }
            if direction.moves() {
                axpy(out, u[0], stash.product);
            }
        }
        if self.weighted
            && let Some(out) = adjoint_tangents.get(1)
        {
            if let Some(du) = du {
                axpy(out, du[0] * self.over.scale(), stash.losses);
            }
            if direction.weights.is_some() {
                axpy(out, u[0] * self.over.scale(), stash.slopes);
            }
        }
    }
}
