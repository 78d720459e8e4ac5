//! The mean cross-entropy of a linear softmax model as a fused primitive.

use std::sync::Arc;

use autodiff::kernels::{axpy, dot};
use autodiff::rows::{RowPass, pack, packed_classes};
use autodiff::rules::reduce::softmax;
use autodiff::{Need, OperandAdjoints, OperandTangents, Operands, Primitive, Real, Shape};

use crate::dataset::{Dataset, Labels};
use crate::pass::{Blocks, gather, parts, run};

/// `(1/n) Σ_i s_i (ln Σ_c exp z_ic − z_{i t_i})`, `z_i = W a_i`, of weights `W` and, if there is a
/// second operand, sample weights `s`.
///
/// Stash: gradient by W `C·d` | losses `n` | softmax rows `C·n` | logits' directions `n` | packed
/// weights `P·d` | per block `P·d + 4·P`, where P is C in whole vectors.
pub(crate) struct SoftmaxLoss<T: Real> {
    features: Arc<[T]>,
    labels: Arc<[usize]>,
    classes: usize,
    d: usize,
    n: usize,
}

/// The parts of the stash.
struct Stash<'a, T> {
    gradient: &'a mut [T],
    losses: &'a mut [T],
    softmax: &'a mut [T],
    /// `⟨p_i, ż_i⟩ − ż_{i t_i}`: the derivative of each loss along a direction.
    slopes: &'a mut [T],
    packed: &'a mut [T],
    own: &'a mut [T],
}

impl<T: Real> SoftmaxLoss<T> {
    #[track_caller]
    pub(crate) fn new(data: &Dataset<T>) -> Self {
        let Labels::Classes { of, count } = &data.labels else {
            panic!("cross_entropy: the labels are -1 and 1: expected classes 0, 1, …");
        };
        SoftmaxLoss {
            features: data.features.clone(),
            labels: of.clone(),
            classes: *count,
            d: data.dim,
            n: data.len,
        }
    }

    /// The classes in whole vectors.
    fn packed(&self) -> usize {
        packed_classes::<T>(self.classes)
    }

    fn scale(&self) -> T {
        T::of(1.0 / self.n.max(1) as f64)
    }

    fn split<'a>(&self, stash: &'a mut [T]) -> Stash<'a, T> {
        let (gradient, stash) = stash.split_at_mut(self.classes * self.d);
        let (losses, stash) = stash.split_at_mut(self.n);
        let (softmax, stash) = stash.split_at_mut(self.classes * self.n);
        let (slopes, stash) = stash.split_at_mut(self.n);
        let (packed, own) = stash.split_at_mut(self.packed() * self.d);
        Stash {
            gradient,
            losses,
            softmax,
            slopes,
            packed,
            own,
        }
    }
}

impl<T: Real> Primitive<T> for SoftmaxLoss<T> {
    fn name(&self) -> &str {
        "cross_entropy"
    }

    fn output_shape(&self, operands: &[Shape]) -> Result<Shape, String> {
        let (size, n) = (self.classes * self.d, self.n);
        match operands {
            [w] if w.len() == size => Ok(Shape::SCALAR),
            [w, s] if w.len() == size && s.len() == n => Ok(Shape::SCALAR),
            _ => Err(format!(
                "weights of {size} entries ({} classes × {} features) and perhaps {n} sample weights",
                self.classes, self.d
            )),
        }
    }

    fn stash_len(&self, _: &[Shape]) -> usize {
        let (c, d, n) = (self.classes, self.d, self.n);
        let p = self.packed();
        c * d + 2 * n + c * n + p * d + Blocks::of(n).count * (p * d + 4 * p)
    }

    fn eval(&self, a: &Operands<'_, T>, _: Need, out: &mut [T], stash: &mut [T]) {
        let (c, d, n, scale) = (self.classes, self.d, self.n, self.scale());
        let stash = self.split(stash);
        pack(a.get(0), d, stash.packed);
        let (w, weights_len) = (&*stash.packed, self.packed() * d);
        let weights = (a.len() > 1).then(|| a.get(1));
        let outs = [&mut *stash.losses, stash.softmax];
        let mut all = parts(&self.features, d, n, outs, [1, c], stash.own);
        run(&mut all, 2 * n * c * d, |part| {
            let first = part.first;
            let [losses, p] = &mut part.samples;
            let (sum, z) = part.own.split_at_mut(weights_len);
            let pass = RowPass {
                rows: part.rows,
                dim: d,
                weights: w,
                sum,
                scratch: z,
            };
            T::row_pass(pass, |i, z| {
                let z = &mut z[..c];
                let (label, p) = (self.labels[first + i], &mut p[i * c..(i + 1) * c]);
                let of_label = z[label];
                losses[i] = softmax(z, p) - of_label;
                let scale = weights.map_or(scale, |s| scale * s[first + i]);
                for (z, p) in z.iter_mut().zip(&*p) {
                    *z = scale * *p;
                }
                z[label] -= scale;
            });
        });
        stash.gradient.fill(T::zero());
        gather(all, d, stash.gradient);
        out[0] = scale
            * match weights {
                Some(s) => dot(stash.losses, s),
                None => autodiff::kernels::sum(stash.losses),
            };
    }

    fn jvp(
        &self,
        _: &Operands<'_, T>,
        tangents: &OperandTangents<'_, T>,
        stash: &mut [T],
        out: &mut [T],
    ) {
        let stash = self.split(stash);
        out[0] = tangents
            .get(0)
            .map_or(T::zero(), |t| dot(stash.gradient, t));
        if tangents.len() > 1
            && let Some(ds) = tangents.get(1)
        {
            out[0] += self.scale() * dot(stash.losses, ds);
        }
    }

    fn vjp(
        &self,
        _: &Operands<'_, T>,
        stash: &mut [T],
        u: &[T],
        adjoints: &mut OperandAdjoints<'_, T>,
    ) {
        let stash = self.split(stash);
        if let Some(out) = adjoints.get(0) {
            axpy(out, u[0], stash.gradient);
        }
        if adjoints.len() > 1
            && let Some(out) = adjoints.get(1)
        {
            axpy(out, u[0] * self.scale(), stash.losses);
        }
    }

    fn vjp_tangent(
        &self,
        a: &Operands<'_, T>,
        tangents: &OperandTangents<'_, T>,
        stash: &mut [T],
        u: &[T],
        du: &[T],
        adjoint_tangents: &mut OperandAdjoints<'_, T>,
    ) {
        let (c, d, n, scale) = (self.classes, self.d, self.n, self.scale());
        let stash = self.split(stash);
        let weights = (a.len() > 1).then(|| a.get(1));
        let direction = tangents.get(0);
        let weights_direction = if tangents.len() > 1 {
            tangents.get(1)
        } else {
            None
        };
        if let Some(out) = adjoint_tangents.get(0) {
            axpy(out, du[0], stash.gradient);
        }
        // ∂/∂(W, s) of Σ s_i CE_i along (Ẇ, ṡ): the samples' coefficients are
        // s_i p_c (ż_c − ⟨p, ż⟩) + ṡ_i (p_c − [c = t_i]).
        let softmax = &*stash.softmax;
        if direction.is_some() || weights_direction.is_some() {
            let mut all = parts(&self.features, d, n, [&mut *stash.slopes], [1], stash.own);
            // Without a direction of W the logits do not move; any W serves to walk the rows.
            pack(direction.unwrap_or(a.get(0)), d, stash.packed);
            let (w, weights_len) = (&*stash.packed, self.packed() * d);
            run(&mut all, 2 * n * c * d, |part| {
                let first = part.first;
                let [slopes] = &mut part.samples;
                let (sum, z) = part.own.split_at_mut(weights_len);
                let pass = RowPass {
                    rows: part.rows,
                    dim: d,
                    weights: w,
                    sum,
                    scratch: z,
                };
                T::row_pass(pass, |i, z| {
                    let z = &mut z[..c];
                    if direction.is_none() {
                        z.fill(T::zero());
                    }
                    let (sample, label) = (first + i, self.labels[first + i]);
                    let p = &softmax[sample * c..(sample + 1) * c];
                    let mean = p.iter().zip(&*z).fold(T::zero(), |s, (p, z)| s + *p * *z);
                    slopes[i] = mean - z[label];
                    let scale = scale * u[0];
                    let s = weights.map_or(scale, |s| scale * s[sample]);
                    let ds = weights_direction.map_or(T::zero(), |ds| scale * ds[sample]);
                    for (z, p) in z.iter_mut().zip(p) {
                        *z = *p * (s * (*z - mean) + ds);
                    }
                    z[label] -= ds;
                });
            });
            if let Some(out) = adjoint_tangents.get(0) {
                gather(all, d, out);
            }
        } else {
            stash.slopes.fill(T::zero());
        }
        if adjoint_tangents.len() > 1
            && let Some(out) = adjoint_tangents.get(1)
        {
            axpy(out, du[0] * scale, stash.losses);
            axpy(out, u[0] * scale, stash.slopes);
        }
    }
}
