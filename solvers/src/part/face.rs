//! The face of a part that a solution lies on: the linear system of implicit differentiation there.

use autodiff::bytes::{Category, Claim};
use autodiff::kernels::{axpy, dot, norm};
use autodiff::{Inputs, Meter, Point, Real, cholesky};
use nalgebra::DMatrix;

use super::kernel::kernel;
use super::point::Prox;
use super::{PartPoint, Recorded};
use crate::accuracy::Curvature;
use crate::linear::Operator;
use crate::linear::system::along_all;
use crate::lower::Working;

/// Steps of inverse iteration to the least curvature, and how far it is to be above what is enough after
/// two of them if these do: the first ones are above it by a small factor.
const INVERSE_STEPS: usize = 6;
const FAR: f64 = 1e4;

/// The smooth piece of a part near a solution, where its proximal map P is differentiable: with
/// `D = ∂_zP` at `z = y − s ∇_y g`, the range T of D is tangent to the piece, and `C = (D⁺ − I)/s` is
/// the second derivative of h along it. The derivative of y by x solves `(C + H) v = …` on T, here
/// with `v = D u`, so that products with D are all that is needed:
///
/// `M u = D H D u + D(I − D)u/s + u⊥/s = D b`,
///
/// symmetric and, where C + H is positive definite on T, positive definite; u⊥ is the part of u that D
/// loses. With `b = ∇_yF` and `q = v/s + b − H v` the hypergradient is
/// `∇_xF − ∇²_xy g · v + (∂_xP)ᵀ q`.
///
/// Where D is the projection to some entries this is the system on the support of Q. Bertrand et
/// al., Implicit differentiation for fast hyperparameter selection in non-smooth convex learning,
/// JMLR 23, 2022. For any proximal map that is differentiable at z it is the same elimination in
/// `dy = D(dy − s H dy − s ∇²_yx g dx) + ∂_xP dx`, as D is symmetric.
#[derive(Debug)]
pub(crate) struct Face<'a, T: Real> {
    part: &'a mut PartPoint<T>,
    s: f64,
    /// Whether D was seen to scale each entry by itself: the scales are in the room of the part.
    diagonal: bool,
    /// An orthonormal basis of what D loses of the entries that it keeps some of.
    lost: Option<DMatrix<T>>,
    _bytes: Claim,
}

impl<'a, T: Real> Face<'a, T> {
    /// The face at (x, y), for steps of length `s`; `gradient` is ∇_y g there. With `all` of what D
    /// loses as curvature 1/s, as factorisations need it; without, only whole entries, as is enough for
    /// what stays among the products with D.
    pub(crate) fn at(
        part: &'a mut PartPoint<T>,
        [x, y]: [&[T]; 2],
        gradient: &[T],
        s: f64,
        all: bool,
        meter: &Meter,
    ) -> Self {
        let n = y.len();
        let bytes = Self::bytes(&part.recorded, n, all);
        let claim = Claim::new(bytes, Category::Solver, meter);
        let by_entries = part.recorded.map().entrywise().is_some();
        let (prox, [z, gone, .., scales, probe]) = part.split();
        for ((z, y), g) in z.iter_mut().zip(y).zip(gradient) {
            *z = *y - T::of(s) * *g;
        }
        prox.linearise(x, z, s);
        let diagonal = by_entries && scales_entries(prox, scales, probe);
        let kept = match diagonal {
            true => &*scales,
            false => {
                along_all(z);
                prox.tangent(z)
            }
        };
        for (gone, kept) in gone.iter_mut().zip(kept) {
            let is_gone = *kept == T::zero();
            *gone = if is_gone { T::one() } else { T::zero() };
        }
        let mut face = Face {
            part,
            s,
            diagonal,
            lost: None,
            _bytes: claim,
        };
        if bytes > 0 {
            face.lost = face.basis();
        }
        face
    }

    /// Bytes that [`at`](Face::at) holds, for `all` of what D loses or without.
    pub(crate) fn bytes(recorded: &Recorded<T>, n: usize, all: bool) -> usize {
        match all && recorded.map().couples() {
            true => 3 * n * n * size_of::<T>(),
            false => 0,
        }
    }

    /// A basis of the kernel of D among the entries that are not gone.
    fn basis(&mut self) -> Option<DMatrix<T>> {
        let (prox, [unit, gone, ..]) = self.part.split();
        let n = unit.len();
        let mut d = DMatrix::<T>::zeros(n, n);
        unit.fill(T::zero());
        for i in 0..n {
            unit[i] = T::one();
            d.column_mut(i).copy_from_slice(prox.tangent(unit));
            unit[i] = T::zero();
            d[(i, i)] += gone[i];
        }
        if d.iter().any(|v| !v.is_finite()) {
            return None;
        }
        kernel(d)
    }

    /// Overwrites `out` with `M u`; the point is left with its product with `v = D u`, by y, or by x
    /// too if it is the `last`.
    pub(crate) fn times(&mut self, lower: &mut Point<T>, u: &[T], out: &mut [T], last: bool) {
        let over_s = T::of(1.0 / self.s);
        let (prox, [_, gone, v, rest, scales, _]) = self.part.split();
        let scales = self.diagonal.then_some(&*scales);
        v.copy_from_slice(u);
        apply(prox, scales, v);
        let wanted = if last { Inputs::ALL } else { Inputs::one(1) };
        lower.second_by(&[None, Some(v)], wanted);
        for i in 0..u.len() {
            rest[i] = lower.product(1)[i] + (u[i] - v[i]) * over_s;
        }
        // D(Hv + (u − v)/s): what is lost of u is lost here.
        out.copy_from_slice(rest);
        apply(prox, scales, out);
        for i in 0..u.len() {
            out[i] += gone[i] * u[i] * over_s;
        }
        if let Some(lost) = &self.lost {
            for column in lost.as_slice().chunks_exact(u.len()) {
                axpy(out, dot(column, u) * over_s, column);
            }
        }
    }

    /// Replaces `b` by `D b`.
    pub(crate) fn project(&mut self, b: &mut [T]) {
        let (prox, [.., scales, _]) = self.part.split();
        apply(prox, self.diagonal.then_some(&*scales), b);
    }

    /// Adds `(∂_xP)ᵀ q` to `by_x`, with `q = v/s + b − H v`, for the `v` of the latest
    /// [`times`](Face::times) and its product in the point.
    pub(crate) fn add_by_x(&mut self, lower: &Point<T>, b: &[T], by_x: &mut [T]) {
        let over_s = T::of(1.0 / self.s);
        let (prox, [_, _, v, q, ..]) = self.part.split();
        for i in 0..b.len() {
            q[i] = v[i] * over_s + b[i] - lower.product(1)[i];
        }
        axpy(by_x, T::one(), prox.by_x(q));
    }

    /// Makes the factor of `H + C` among the free entries in `working`, of a part of entries with no more
    /// of them free than there is room for, where it is not the one that stands there. The least
    /// curvature of it, by fewer steps where it is far above what is `enough`; `None` if there is no such
    /// factor.
    pub(crate) fn factor(
        &mut self,
        lower: &mut Point<T>,
        working: &mut Working<T>,
        enough: f64,
    ) -> Option<Curvature> {
        let over_s = T::of(1.0 / self.s);
        let (_, [.., d, _]) = self.part.split();
        let free = |d: &T| *d != T::zero();
        let count = d.iter().filter(|d| free(d)).count();
        if !self.diagonal || count == 0 || count > Working::<T>::most(d.len()) {
            return None;
        }
        if !(working.stands && working.is_factored((0..d.len()).filter(|i| free(&d[*i])))) {
            working.wanted.clear();
            working.wanted.extend((0..d.len()).filter(|i| free(&d[*i])));
            working.form_wanted(lower);
            let is_free = |_, i: usize| free(&d[i]);
            if !working.factor(is_free, |i| (T::one() / d[i] - T::one()) * over_s) {
                return None;
            }
        }
        // Inverse iteration.
        let mut v = vec![T::zero(); count];
        along_all(&mut v);
        let mut least = f64::INFINITY;
        for k in 0..INVERSE_STEPS {
            if k > 1 && least > FAR * enough {
                break;
            }
            let size = norm(&v);
            v.iter_mut().for_each(|v| *v /= size);
            cholesky::solve(&working.factor, &mut v);
            least = (T::one() / norm(&v)).f64();
        }
        Some(Curvature::met(least))
    }

    /// Adds the solution of `M u = r` to `u`, for an r in the range of D: `D⁻¹ (H + C)⁻¹ D⁻¹ r` among the
    /// free entries, by the [`factor`](Face::factor) that stands in `working`.
    pub(crate) fn add_solution(&mut self, r: &[T], u: &mut [T], working: &Working<T>) {
        let (_, [.., d, _]) = self.part.split();
        let on_free = working.factored.iter();
        let mut v: Vec<T> = on_free.map(|i| r[*i] / d[*i]).collect();
        cholesky::solve(&working.factor, &mut v);
        for (i, v) in working.factored.iter().zip(&v) {
            u[*i] += *v / d[*i];
        }
    }

    /// How far D is from symmetric along two unit vectors.
    pub(crate) fn asymmetry(&mut self) -> f64 {
        if self.diagonal {
            return 0.0;
        }
        let (prox, [a, _, _, b, da, db]) = self.part.split();
        along_all(a);
        for (b, a) in b.iter_mut().zip(&*a) {
            *b = *a * *a;
        }
        da.copy_from_slice(prox.tangent(a));
        db.copy_from_slice(prox.tangent(b));
        // Its eigenvalues are from 0 to 1: an asymmetry of rounding is small beside 1.
        (dot(a, db) - dot(b, da)).f64().abs() / (norm(a) * norm(b)).f64()
    }
}

/// Replaces `u` by `D u`: by the scales of the entries, if D has such, or by a pullback.
fn apply<T: Real>(prox: &mut Prox<T>, scales: Option<&[T]>, u: &mut [T]) {
    match scales {
        Some(scales) => u.iter_mut().zip(scales).for_each(|(u, d)| *u *= *d),
        None => u.copy_from_slice(prox.tangent(u)),
    }
}

/// Whether D scales each entry by itself, as far as another vector tells; then `scales` are these.
fn scales_entries<T: Real>(prox: &mut Prox<T>, scales: &mut [T], probe: &mut [T]) -> bool {
    probe.fill(T::one());
    scales.copy_from_slice(prox.tangent(probe));
    // Multiples of the golden ratio, between 1 and 2: no two entries are alike.
    for (i, probe) in probe.iter_mut().enumerate() {
        *probe = T::of(1.0 + (i as f64 * 0.618_033_988_749_894_9).fract());
    }
    let of = prox.tangent(probe).iter().zip(&*scales).zip(&*probe);
    // Written so that a NaN is none.
    of.into_iter()
        .all(|((kept, d), p)| (*kept - *d * *p).abs().f64() <= 16.0 * T::EPSILON * kept.abs().f64())
}

/// `u ↦ M u` of a face.
pub(crate) struct OnFace<'h, 'f, T: Real> {
    lower: &'h mut Point<T>,
    face: &'h mut Face<'f, T>,
    curvature: Curvature,
}

impl<'h, 'f, T: Real> OnFace<'h, 'f, T> {
    /// Of g, linearised where the face is.
    pub(crate) fn new(lower: &'h mut Point<T>, face: &'h mut Face<'f, T>) -> Self {
        OnFace {
            lower,
            face,
            curvature: Curvature::new(),
        }
    }

    /// The smallest curvature that the products so far have met.
    pub(crate) fn curvature(&self) -> Curvature {
        self.curvature
    }
}

impl<T: Real> Operator<T> for OnFace<'_, '_, T> {
    fn apply(&mut self, v: &[T], out: &mut [T]) {
        let n = self.lower.program().input_shape(1).len();
        for (v, out) in v.chunks_exact(n).zip(out.chunks_exact_mut(n)) {
            self.face.times(self.lower, v, out, false);
        }
        self.curvature.see(n, v, out);
    }
}
