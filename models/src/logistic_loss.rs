//! The mean logistic loss as a fused primitive.

use std::sync::Arc;

use autodiff::kernels::{axpy, dot};
use autodiff::rows::RowPass;
use autodiff::{Need, OperandAdjoints, OperandTangents, Operands, Primitive, Real, Shape};

use crate::dataset::{Dataset, Labels};
use crate::pass::{Blocks, gather, parts, run};

/// `mean_i ln(1 + exp(−t_i ⟨a_i, w⟩))` of weights `w`.
///
/// One pass gives the value, the gradient and the curvature of each sample; each Hessian-vector
/// product is one more. Stash: gradient `d` | losses `n` | curvatures `n` | per block `d + 4`.
pub(crate) struct LogisticLoss<T: Real> {
    features: Arc<[T]>,
    labels: Arc<[T]>,
    d: usize,
    n: usize,
}

impl<T: Real> LogisticLoss<T> {
    #[track_caller]
    pub(crate) fn new(data: &Dataset<T>) -> Self {
        let Labels::Binary(labels) = &data.labels else {
            panic!("logistic_loss: the labels are classes: expected -1 and 1");
        };
        LogisticLoss {
            features: data.features.clone(),
            labels: labels.clone(),
            d: data.dim,
            n: data.len,
        }
    }

    fn scale(&self) -> T {
        T::of(1.0 / self.n.max(1) as f64)
    }
}

impl<T: Real> Primitive<T> for LogisticLoss<T> {
    fn name(&self) -> &str {
        "logistic_loss"
    }

    fn output_shape(&self, operands: &[Shape]) -> Result<Shape, String> {
        match operands {
            [w] if w.len() == self.d => Ok(Shape::SCALAR),
            _ => Err(format!(
                "weights of {} entries, one for each feature",
                self.d
            )),
        }
    }

    fn stash_len(&self, _: &[Shape]) -> usize {
        self.d + 2 * self.n + Blocks::of(self.n).count * (self.d + 4)
    }

    fn eval(&self, a: &Operands<'_, T>, _: Need, out: &mut [T], stash: &mut [T]) {
        let (n, d, scale) = (self.n, self.d, self.scale());
        let (gradient, stash) = stash.split_at_mut(d);
        let (losses, stash) = stash.split_at_mut(n);
        let (curvatures, own) = stash.split_at_mut(n);
        let w = a.get(0);
        let mut all = parts(
            &self.features,
            d,
            n,
            [&mut *losses, curvatures],
            [1, 1],
            own,
        );
        run(&mut all, 2 * n * d, |part| {
            let labels = &self.labels[part.first..];
            let [losses, curvatures] = &mut part.samples;
            let (sum, z) = part.own.split_at_mut(d);
            let pass = RowPass {
                rows: part.rows,
                dim: d,
                weights: w,
                sum,
                scratch: z,
            };
            T::row_pass(pass, |i, z| {
                let margin = labels[i] * z[0];
                // σ(−m) and ln(1 + e⁻ᵐ) from one exponential that cannot overflow.
                let e = (-margin.abs()).exp();
                let r = (T::one() + e).recip();
                let s = if margin > T::zero() { e * r } else { r };
                losses[i] = (-margin).max(T::zero()) + e.ln_1p();
                curvatures[i] = e * r * r * scale;
                z[0] = -labels[i] * s * scale;
            });
        });
        gradient.fill(T::zero());
        gather(all, d, gradient);
        out[0] = autodiff::kernels::sum(losses) * scale;
    }

    fn jvp(
        &self,
        _: &Operands<'_, T>,
        tangents: &OperandTangents<'_, T>,
        stash: &mut [T],
        out: &mut [T],
    ) {
        out[0] = tangents
            .get(0)
            .map_or(T::zero(), |t| dot(&stash[..self.d], t));
    }

    fn vjp(
        &self,
        _: &Operands<'_, T>,
        stash: &mut [T],
        u: &[T],
        adjoints: &mut OperandAdjoints<'_, T>,
    ) {
        if let Some(out) = adjoints.get(0) {
            axpy(out, u[0], &stash[..self.d]);
        }
    }

    fn vjp_tangent(
        &self,
        _: &Operands<'_, T>,
        tangents: &OperandTangents<'_, T>,
        stash: &mut [T],
        u: &[T],
        du: &[T],
        adjoint_tangents: &mut OperandAdjoints<'_, T>,
    ) {
        let (n, d) = (self.n, self.d);
        let Some(out) = adjoint_tangents.get(0) else {
            return;
        };
        let (gradient, stash) = stash.split_at_mut(d);
        axpy(out, du[0], gradient);
        let Some(direction) = tangents.get(0) else {
            return;
        };
        let (curvatures, own) = stash[n..].split_at_mut(n);
        let curvatures = &*curvatures;
        let mut all = parts(&self.features, d, n, [], [], own);
        run(&mut all, 2 * n * d, |part| {
            let curvatures = &curvatures[part.first..];
            let (sum, z) = part.own.split_at_mut(d);
            let pass = RowPass {
                rows: part.rows,
                dim: d,
                weights: direction,
                sum,
                scratch: z,
            };
            T::row_pass(pass, |i, z| z[0] *= u[0] * curvatures[i]);
        });
        gather(all, d, out);
    }
}
