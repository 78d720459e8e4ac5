//! F2SA, its orders, and F2BA.

use autodiff::kernels::axpy;
use autodiff::{Inputs, Real};

use crate::catalogue::Call;
use crate::expect;
use crate::method::{Batches, Begun, MethodEntry, Motion, Rule, State, keeping};

use super::accelerated::Acceleration;
use super::differences::differences;
use super::{Named, count_of, lasting_penalty, outward, plain, whole};

/// F2SA of order p: the hypergradient as a finite difference of first derivatives.
///
/// With `ν = 1/λ` and `y_j` near the minimiser of `g + jν F` over y, the function
/// `ℓ(j) = ∇_x g(x, y_j) + jν ∇_xF(x, y_j)` has the hypergradient as its derivative at 0, over ν. x
/// moves along `(1/ν) Σ_j a_j ℓ(j)`, where the a_j are those of the difference of order p on
/// j = −⌊(p−1)/2⌋ … ⌈(p+1)/2⌉, or on ±1 … ±p/2 where p is even. Of order 1 this is
/// `∇_xF(x, y_1) + λ (∇_x g(x, y_1) − ∇_x g(x, y_0))`: F2SA.
///
/// Each step moves every y_j by `inner` steps, from where it was, along
/// `(λ ∇_y g + j ∇_yF) / (λ + |j|)`, whose curvature is about that of g; then x along the difference, at
/// one batch for all j; then λ grows by `growth`. Where λ is fixed this is F2BA. y is y_1, and v that
/// of the least j.
///
/// # Requirements on the problem
/// F and g once differentiable; g strongly convex in y. The direction is biased by O(λ^−p). For a
/// negative j, λ has to be so large that `g + jν F` has a minimiser: where it has none, the run leaves
/// all measure and fails.
///
/// # Cost in oracle calls
/// With n values of j, p or p + 1: n (`inner` + 1) gradients of g, and as many of F but for j = 0; no
/// Hessian-vector product. Of order 1: `inner` + 1 gradients of F and 2 `inner` + 2 of g.
///
/// # Reference
/// J. Kwon et al., A fully first-order method for stochastic bilevel optimization, ICML 2023. F2BA:
/// L. Chen, Y. Ma and J. Zhang, Near-optimal nonconvex-strongly-convex bilevel optimization with fully
/// first-order oracles, JMLR 2025. Order p: Faster gradient methods for highly-smooth stochastic bilevel
/// optimization, arXiv 2509.02937.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct F2sa {
    /// p, from 1 to 10.
    pub order: usize,
    /// λ in the first step.
    pub penalty: f64,
    /// What is added to λ after each step; 0 or more.
    pub growth: f64,
    /// Steps of each y_j.
    pub inner: usize,
    /// How each y_j moves.
    pub y: Motion,
    /// How x moves.
    pub x: Motion,
    /// Nesterov's momentum of x, restarted; none where `None`.
    pub acceleration: Option<Acceleration>,
}

/// The highest order.
const ORDERS: usize = 10;

impl<T: Real> Rule<T> for F2sa {
    const NAME: &'static str = "f2sa";

    fn name(&self) -> String {
        let name = match (self.growth > 0.0, self.acceleration) {
            (_, Some(_)) => "accf2ba",
            (true, None) => "f2sa",
            (false, None) => "f2ba",
        };
        match self.order {
            1 => name.into(),
            p => format!("{name}:{p}"),
        }
    }

    fn begin<'p>(&self, s: &mut State<'p, T>) -> Begun<'p, T> {
        expect::at_least_1("steps of y", self.inner)?;
        expect::positive("penalty", self.penalty)?;
        expect::from_0("growth", self.growth)?;
        if !(1..=ORDERS).contains(&self.order) {
            return Err(format!("order {}: expected 1 to {ORDERS}", self.order));
        }
        let (rule, mut batches) = (*self, Batches::new(s)?);
        let (dim_x, dim_y) = (s.x.len(), s.y.len());
        batches.v.copy_from_slice(s.y.as_slice());
        let nodes = differences(self.order);
        let (mut movers, mut between) = (Vec::new(), Vec::new());
        for _ in &nodes {
            movers.push(self.y.begin("y", dim_y, &batches.meter)?);
            between.push(batches.buffer(0));
        }
        // The first is v of the batches, that of j = 1 is y.
        for (k, (j, _)) in nodes.iter().enumerate().skip(1) {
            if *j != 1 {
                between[k] = batches.buffer(dim_y);
                between[k].copy_from_slice(s.y.as_slice());
            }
        }
        let x = self.x.begin("x", dim_x, &batches.meter)?;
        let accelerated = match self.acceleration {
            Some(acceleration) => Some(acceleration.begin(s, &batches)?),
            None => None,
        };
        let mut along = batches.buffer(dim_y);
        let kept = ((movers, between), (x, accelerated));
        Ok(keeping(batches, kept, move |s, b, kept| {
            let ((movers, between), (x, accelerated)) = kept;
            let t = s.iteration();
            let penalty = rule.penalty + t as f64 * rule.growth;
            if let Some(accelerated) = accelerated {
                accelerated.extrapolate(s);
            }
            for (k, (j, _)) in nodes.iter().enumerate() {
                let size = penalty + j.abs() as f64;
                let (of_g, of_f) = (T::of(penalty / size), T::of(*j as f64 / size));
                for _ in 0..rule.inner {
                    let y: &[T] = match (k, j) {
                        (0, _) => &b.v,
                        (_, 1) => s.y.as_slice(),
                        _ => &between[k],
                    };
                    let at = [s.x.as_slice(), y];
                    let lower = b.lower.draw();
                    lower.gradient_at(&at, Inputs::one(1));
                    along.copy_from_slice(lower.gradient(1));
                    along.iter_mut().for_each(|d| *d *= of_g);
                    if *j != 0 {
                        let upper = b.upper.draw();
                        upper.gradient_at(&at, Inputs::one(1));
                        axpy(&mut along, of_f, upper.gradient(1));
                    }
                    let y: &mut [T] = match (k, j) {
                        (0, _) => &mut b.v,
                        (_, 1) => s.y.as_mut_slice(),
                        _ => &mut between[k],
                    };
                    movers[k].step(t, y, &along);
                }
            }
            // One batch for all, so that this is a difference of one function.
            let (upper, lower) = (b.upper.draw(), b.lower.draw());
            b.direction.fill(T::zero());
            for (k, (j, a)) in nodes.iter().enumerate() {
                let y: &[T] = match (k, j) {
                    (0, _) => &b.v,
                    (_, 1) => s.y.as_slice(),
                    _ => &between[k],
                };
                let at = [s.x.as_slice(), y];
                lower.gradient_at(&at, Inputs::one(0));
                axpy(&mut b.direction, T::of(a * penalty), lower.gradient(0));
                if *j != 0 {
                    upper.gradient_at(&at, Inputs::one(0));
                    axpy(&mut b.direction, T::of(a * *j as f64), upper.gradient(0));
                }
            }
            x.step(t, s.x.as_mut_slice(), &b.direction);
            if let Some(accelerated) = accelerated {
                accelerated.look(s);
            }
        }))
    }
}

fn of(call: &Call<'_>, growth: f64) -> F2sa {
    F2sa {
        order: 1,
        penalty: call.settings.penalty(),
        growth,
        inner: call.settings.inner_steps(),
        y: plain(call.settings),
        x: outward(call.settings),
        acceleration: None,
    }
}

/// The name `f2sa`.
pub(super) fn entry<T: Real>() -> MethodEntry<T> {
    let about = "differences of order P (1) of penalised inner solutions; first-order only";
    Named::new("f2sa[:P]", about)
        .taking(&["penalty", "growth", "inner_steps"])
        .drawing(whole)
        .entry(|call| {
            Ok(F2sa {
                order: count_of(call, 1)?,
                ..of(call, call.settings.growth() / 100.0)
            })
        })
}

/// The name `f2ba`.
pub(super) fn fixed<T: Real>() -> MethodEntry<T> {
    let about = "f2sa with a penalty that stays";
    Named::new("f2ba", about)
        .taking(&["penalty", "inner_steps"])
        .drawing(whole)
        .entry(|call| Ok(of_fixed(call)))
}

/// The name `accf2ba`.
pub(super) fn accelerated<T: Real>() -> MethodEntry<T> {
    let about = "f2ba with a restarted Nesterov momentum of x";
    Named::new("accf2ba", about)
        .taking(&["penalty", "inner_steps"])
        .drawing(whole)
        .entry(|call| {
            Ok(F2sa {
                acceleration: Some(Acceleration::default()),
                ..of_fixed(call)
            })
        })
}

fn of_fixed(call: &Call<'_>) -> F2sa {
    F2sa {
        penalty: lasting_penalty(call.settings),
        ..of(call, 0.0)
    }
}
