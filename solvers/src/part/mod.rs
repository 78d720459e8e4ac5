//! What a lower level has beside g: a part that is not smooth, or a set.

mod after;
mod balls;
mod blocks;
mod bounds;
mod entrywise;
mod face;
mod fixed;
mod groups;
mod kernel;
mod l1;
mod linear;
mod margin;
mod needs;
mod piece;
mod point;
mod simplex;

use std::fmt;
use std::sync::Arc;

use autodiff::{Real, Var};

pub(crate) use after::{After, Sight};
pub(crate) use entrywise::Entries;
pub use entrywise::Entrywise;
pub(crate) use face::{Face, OnFace};
pub use fixed::FixedPart;
pub use needs::{Need, Parameter};
pub(crate) use piece::{OnPiece, Piece};
pub(crate) use point::{PartPoint, Prox, Recorded, ready};
pub(crate) use simplex::{above, threshold};

/// A recorded function of x: a parameter of a [`Part`].
pub(crate) type OfX<T> = Arc<dyn for<'r> Fn(Var<'r, T>) -> Var<'r, T> + Send + Sync>;

/// What the lower level minimises beside g: `min_y g(x, y) + h(x, y)` with an h that is convex in y
/// and known by its proximal map `P_s(x, z) = argmin_y s h(x, y) + ½‖y − z‖²`. The indicator of a
/// convex set is one, so a set of x is stated in the same way: P is then the projection to it.
///
/// [`Bilevel::with_part`](crate::Bilevel::with_part) makes it part of a problem. Its parameters are
/// recorded functions of x, so hypergradients go through them.
///
/// | | h or the set | parameters of x |
/// |---|---|---|
/// | [`l1`](Part::l1) | `Σ w_i ∣y_i∣` | a weight, or one for each entry |
/// | [`elastic_net`](Part::elastic_net) | `Σ w_i ∣y_i∣ + ½ Σ v_i y_i²` | weights w and v |
/// | [`group_lasso`](Part::group_lasso) | `Σ_g w_g ‖y_g‖` | a weight, or one for each group |
/// | [`sparse_group_lasso`](Part::sparse_group_lasso) | `Σ w_i ∣y_i∣ + Σ_g v_g ‖y_g‖` | weights w and v |
/// | [`between`](Part::between), [`above`](Part::above), [`below`](Part::below) | `low ≤ y ≤ high` | the bounds |
/// | [`half_space`](Part::half_space) | `aᵀy ≤ b` | b |
/// | [`affine`](Part::affine) | `A y = b` | b |
/// | [`simplex`](Part::simplex) | `y ≥ 0`, `Σ y_i = r` | r |
/// | [`l1_ball`](Part::l1_ball), [`ball`](Part::ball), [`linf_ball`](Part::linf_ball) | `‖y‖ ≤ r` | r |
/// | [`blocks`](Part::blocks) | parts of consecutive entries | those of the parts |
/// | [`own`](Part::own) | your own [`ProximalMap`] | |
///
/// # Example
/// `y* = sign(1) max(1 − eˣ, 0)`, the soft threshold of 1:
/// ```
/// use autodiff::{Var, objective};
/// use nalgebra::dvector;
/// use solvers::{Aid, Bilevel, Part, Strategy};
///
/// let upper = objective(|_: Var, y: Var| 0.5 * (y - 0.2).norm_squared());
/// let lower = objective(|_: Var, y: Var| 0.5 * (y - 1.0).norm_squared());
/// let problem = Bilevel::new(upper, lower, 1, 1)?.with_part(Part::l1(|x: Var| x.exp()))?;
///
/// let x = dvector![0.5f64.ln()];
/// let estimate = Aid::cg().hypergradient(&problem, &x, &mut problem.workspace())?;
/// assert!((estimate.y[0] - 0.5).abs() < 1e-12);
/// assert!((estimate.hypergradient[0] + 0.3 * 0.5).abs() < 1e-12);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Part<T: Real>(pub(crate) Arc<dyn ProximalMap<T>>);

impl<T: Real> fmt::Debug for Part<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Part({})", self.0.name())
    }
}

impl<T: Real> Part<T> {
    /// A part of your own.
    pub fn own(map: impl ProximalMap<T> + 'static) -> Self {
        Part(Arc::new(map))
    }

    /// Its name in messages.
    pub fn name(&self) -> String {
        self.0.name()
    }
}

/// A part h(x, y) of a lower level, convex in y, by its proximal map as recorded operations.
///
/// The map's derivative must be that of a proximal map: symmetric, with eigenvalues from 0 to 1.
/// [`Aid`](crate::Aid) looks whether it is symmetric, and says where it is not.
///
/// # Example
/// `h = ½ w ‖y‖²` with w = x, whose proximal map is `z / (1 + s w)`:
/// ```
/// use autodiff::{Var, objective};
/// use nalgebra::dvector;
/// use solvers::{AidStep, Bilevel, InnerStep, Part, Need, Parameter, ProximalMap, Strategy};
///
/// struct Ridge;
///
/// impl ProximalMap<f64> for Ridge {
///     fn name(&self) -> String {
///         "ridge".into()
///     }
///     fn prox<'r>(&self, x: Var<'r>, z: Var<'r>, s: Var<'r>) -> Var<'r> {
///         z / (s * x + 1.0)
///     }
///     fn value<'r>(&self, x: Var<'r>, y: Var<'r>) -> Var<'r> {
///         0.5 * x * y.norm_squared()
///     }
///     fn parameters<'r>(&self, x: Var<'r>, _: usize) -> Vec<Parameter<'r, f64>> {
///         vec![Parameter::new("weight", x, Need::Weight, &[1])]
///     }
/// }
///
/// let upper = objective(|_: Var, y: Var| 0.5 * y.norm_squared());
/// let lower = objective(|_: Var, y: Var| 0.5 * (y - 1.0).norm_squared());
/// let problem = Bilevel::new(upper, lower, 1, 1)?.with_part(Part::own(Ridge))?;
/// let strategy = AidStep::new(InnerStep::GradientDescent);
/// let estimate = strategy.hypergradient(&problem, &dvector![3.0], &mut problem.workspace())?;
/// // y* = 1/(1 + x), φ = ½/(1 + x)².
/// assert!((estimate.hypergradient[0] + 1.0 / 64.0).abs() < 1e-9);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait ProximalMap<T: Real>: Send + Sync {
    /// The name in messages.
    fn name(&self) -> String;

    /// `argmin_y s h(x, y) + ½‖y − z‖²` for a scalar s > 0, as many entries as z.
    fn prox<'r>(&self, x: Var<'r, T>, z: Var<'r, T>, s: Var<'r, T>) -> Var<'r, T>;

    /// h(x, y), a scalar; 0 for a set, whose y is in it.
    fn value<'r>(&self, x: Var<'r, T>, y: Var<'r, T>) -> Var<'r, T>;

    /// Whether it is a set, whose projection does not depend on s.
    fn is_set(&self) -> bool {
        false
    }

    /// The functions of x that it reads for y of `dim_y` entries, and what they must be for h to be
    /// one.
    fn parameters<'r>(&self, x: Var<'r, T>, dim_y: usize) -> Vec<Parameter<'r, T>> {
        let _ = (x, dim_y);
        Vec::new()
    }

    /// The reason why it is none of y of `dim_y` entries, whatever x is, if it is none.
    fn complaint(&self, dim_y: usize) -> Option<String> {
        let _ = dim_y;
        None
    }

    /// Which of its [parameters](ProximalMap::parameters) say what it is, if it is a sum over entries:
    /// a lower level that is a fused loss beside it is then solved by working sets.
    fn entrywise(&self) -> Option<Entrywise> {
        None
    }

    /// Whether the derivative of the proximal map mixes entries that it does not lose; if not, every
    /// entry, or group of entries, is scaled or turned on its own and none of a kept group is lost.
    fn couples(&self) -> bool {
        true
    }
}

/// `max(z − t, 0) − max(−z − t, 0)`.
fn soft<'r, T: Real>(z: Var<'r, T>, t: Var<'r, T>) -> Var<'r, T> {
    (z - t).relu() - (-z - t).relu()
}
