//! The simplex and balls about 0.

use std::sync::Arc;

use autodiff::{Real, Var};

use super::simplex::SimplexProjection;
use super::{Need, OfX, Parameter, Part, ProximalMap};

/// Which set of size r.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Simplex,
    L1,
    L2,
    Linf,
}

struct Sized<T: Real> {
    kind: Kind,
    radius: OfX<T>,
}

impl<T: Real> Part<T> {
    fn sized<R>(kind: Kind, radius: R) -> Self
    where
        R: for<'r> Fn(Var<'r, T>) -> Var<'r, T> + Send + Sync + 'static,
    {
        let radius = Arc::new(radius);
        Part(Arc::new(Sized { kind, radius }))
    }

    /// The simplex: no entry negative, their sum r > 0; of probabilities where r = 1.
    ///
    /// The derivative is the projection to the face of the entries that stay positive: it takes
    /// the mean over them off. An entry that becomes 0 exactly counts as one that does not.
    ///
    /// Reference: J. Duchi et al., Efficient projections onto the l1-ball for learning in high
    /// dimensions, ICML 2008, section 3.
    pub fn simplex<R>(sum: R) -> Self
    where
        R: for<'r> Fn(Var<'r, T>) -> Var<'r, T> + Send + Sync + 'static,
    {
        Self::sized(Kind::Simplex, sum)
    }

    /// The ball `Σ |y_i| ≤ r`, r > 0.
    ///
    /// Reference: J. Duchi et al., as [`simplex`](Part::simplex), section 4.
    pub fn l1_ball<R>(radius: R) -> Self
    where
        R: for<'r> Fn(Var<'r, T>) -> Var<'r, T> + Send + Sync + 'static,
    {
        Self::sized(Kind::L1, radius)
    }

    /// The Euclidean ball `‖y‖ ≤ r`, r > 0.
    ///
    /// The derivative outside is `r/‖z‖ (I − z zᵀ/‖z‖²)`, inside I; on the sphere itself the mean
    /// of the two.
    pub fn ball<R>(radius: R) -> Self
    where
        R: for<'r> Fn(Var<'r, T>) -> Var<'r, T> + Send + Sync + 'static,
    {
        Self::sized(Kind::L2, radius)
    }

    /// The cube `|y_i| ≤ r`, r > 0.
    pub fn linf_ball<R>(radius: R) -> Self
    where
        R: for<'r> Fn(Var<'r, T>) -> Var<'r, T> + Send + Sync + 'static,
    {
        Self::sized(Kind::Linf, radius)
    }
}

impl<T: Real> ProximalMap<T> for Sized<T> {
    fn name(&self) -> String {
        match self.kind {
            Kind::Simplex => "simplex",
            Kind::L1 => "l1 ball",
            Kind::L2 => "ball",
            Kind::Linf => "linf ball",
        }
        .into()
    }

    fn prox<'r>(&self, x: Var<'r, T>, z: Var<'r, T>, _: Var<'r, T>) -> Var<'r, T> {
        let r = (self.radius)(x);
        let on_simplex = |v: Var<'r, T>| (v / r).fused(SimplexProjection, &[]) * r;
        match self.kind {
            Kind::Simplex => on_simplex(z),
            Kind::L1 => {
                // Inside, the simplex' threshold is negative, and |z| the smaller of the two.
                let size = z.abs();
                let size = size.min(on_simplex(size));
                z.min(size).max(-size)
            }
            Kind::L2 => {
                // The root of the larger square: ‖z‖ itself has no derivative at 0.
                z * (r / z.norm_squared().max(r.square()).sqrt())
            }
            Kind::Linf => z.min(r).max(-r),
        }
    }

    fn value<'r>(&self, _: Var<'r, T>, y: Var<'r, T>) -> Var<'r, T> {
        y.scalar(T::zero())
    }

    fn is_set(&self) -> bool {
        true
    }

    fn parameters<'r>(&self, x: Var<'r, T>, _: usize) -> Vec<Parameter<'r, T>> {
        let what = match self.kind {
            Kind::Simplex => "sum",
            _ => "radius",
        };
        vec![Parameter::new(what, (self.radius)(x), Need::Radius, &[1])]
    }

    fn couples(&self) -> bool {
        !matches!(self.kind, Kind::Linf)
    }
}
