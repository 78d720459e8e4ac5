//! S-TFBO and D-TFBO.

use autodiff::Real;
use autodiff::kernels::{add, axpy, norm};

use crate::expect;
use crate::ledger::Ledger;
use crate::method::{Batches, Begun, Keep, MethodEntry, Rule, State, keeping};

use super::directions::Directions;
use super::{Named, drawn, whole};

/// TFBO: y, v and x move by lengths that nobody chooses, one over what the norms of their directions
/// have come to.
///
/// Each of y, v and x has an accumulator as AdaGrad's norm has one, `a ← √(a² + ‖d‖²)` with each
/// direction d. S-TFBO moves all at once, along the directions of [`Soba`](super::Soba): y by 1/β, v by
/// 1/φ and x by 1/(αφ), with the accumulators β, γ, α of y, v, x and φ = max(β, γ). D-TFBO first moves y
/// by 1/β, then v by 1/γ, at most so many times each, a fresh batch each time, until their directions
/// are short; then x by 1/α.
///
/// # Requirements on the problem
/// F once and g twice differentiable; g strongly convex in y. No step changes y or x by more than 1, nor
/// do lengths grow again: far from a solution, or where gradients of g are large beside those of F,
/// S-TFBO is slow.
///
/// # Cost in oracle calls
/// S-TFBO: one gradient of F, one of g and one Hessian-vector product per step. D-TFBO: with n and m
/// steps of y and v, one gradient of F, n of g and m + 1 products; one more of either where its
/// direction was found to be short.
///
/// # Status
/// As lengths adapt, only a run whose sizes grow together counts as one that leaves all measure.
///
/// # Reference
/// Y. Yang, H. Ban, M. Huang, S. Ma and K. Ji, Tuning-free bilevel optimization: new algorithms and
/// convergence analysis, ICLR 2025, and their code, whose file with the accumulators is empty: those
/// are of R. Ward, X. Wu and L. Bottou, AdaGrad stepsizes: sharp convergence over nonconvex landscapes,
/// 2019.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tfbo {
    /// What the accumulators start from.
    pub start: f64,
    /// The loops on y and v of D-TFBO; S-TFBO where `None`.
    pub inner: Option<InnerLoops>,
}

/// The loops on y and v of D-TFBO.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InnerLoops {
    /// The most steps of each.
    pub limit: usize,
    /// Norm of a direction that ends a loop.
    pub tolerance: f64,
}

impl<T: Real> Rule<T> for Tfbo {
    const NAME: &'static str = "s-tfbo";

    fn name(&self) -> String {
        match self.inner {
            None => "s-tfbo",
            Some(_) => "d-tfbo",
        }
        .into()
    }

    fn begin<'p>(&self, s: &mut State<'p, T>) -> Begun<'p, T> {
        expect::positive("start of the accumulators", self.start)?;
        if let Some(inner) = self.inner {
            expect::at_least_1("steps on y and on v", inner.limit)?;
            expect::from_0("tolerance", inner.tolerance)?;
        }
        s.steps_adapt();
        let (rule, batches) = (*self, Batches::new(s)?);
        let mut along = Directions::new(s, &batches);
        let sums = [Sum(rule.start); 3];
        Ok(keeping(batches, sums, move |s, b, [of_y, of_v, of_x]| {
            match rule.inner {
                None => {
                    along.draw(s, b);
                    of_y.add(&along.y);
                    of_v.add(&along.v);
                    of_x.add(&along.x);
                    let larger = of_y.0.max(of_v.0);
                    axpy(s.y.as_mut_slice(), T::of(-1.0 / of_y.0), &along.y);
                    axpy(&mut b.v, T::of(-1.0 / larger), &along.v);
                    axpy(
                        s.x.as_mut_slice(),
                        T::of(-1.0 / (of_x.0 * larger)),
                        &along.x,
                    );
                }
                Some(InnerLoops { limit, tolerance }) => {
                    for _ in 0..limit {
                        along.y.copy_from_slice(b.lower_gradient(s));
                        if norm(&along.y).f64() <= tolerance {
                            break;
                        }
                        of_y.add(&along.y);
                        axpy(s.y.as_mut_slice(), T::of(-1.0 / of_y.0), &along.y);
                    }
                    // That of y is no longer needed.
                    b.upper_gradients(s, &mut along.x, &mut along.y);
                    for _ in 0..limit {
                        along.v.copy_from_slice(b.hessian_product(s));
                        add(&mut along.v, &along.y);
                        if norm(&along.v).f64() <= tolerance {
                            break;
                        }
                        of_v.add(&along.v);
                        axpy(&mut b.v, T::of(-1.0 / of_v.0), &along.v);
                    }
                    add(&mut along.x, b.cross_product(s));
                    of_x.add(&along.x);
                    axpy(s.x.as_mut_slice(), T::of(-1.0 / of_x.0), &along.x);
                }
            }
            b.direction.copy_from_slice(&along.x);
        }))
    }
}

/// `√(start² + Σ ‖d‖²)` over the directions d so far.
#[derive(Clone, Copy)]
struct Sum(f64);

impl Sum {
    fn add<T: Real>(&mut self, direction: &[T]) {
        self.0 = self.0.hypot(norm(direction).f64());
    }
}

impl Keep for Sum {
    fn visit(&mut self, ledger: &mut Ledger) {
        ledger.number("what norms of directions have come to", &mut self.0);
    }
}

/// What accumulators start from unless given.
const START: f64 = 0.1;

/// The name `s-tfbo`.
pub(super) fn entry<T: Real>() -> MethodEntry<T> {
    let about = "soba whose lengths of steps are found";
    Named::bare("s-tfbo", about).drawing(drawn).entry(|_| {
        Ok(Tfbo {
            start: START,
            inner: None,
        })
    })
}

/// The name `d-tfbo`.
pub(super) fn of_loops<T: Real>() -> MethodEntry<T> {
    let about =
        "warm steps on y, then on the linear system, whose lengths are found as those of x are";
    Named::bare("d-tfbo", about)
        .taking(&["inner_steps", "tolerance"])
        .drawing(whole)
        .entry(|call| {
            Ok(Tfbo {
                start: START,
                inner: Some(InnerLoops {
                    limit: call.settings.inner_steps(),
                    tolerance: call.settings.tolerance.unwrap_or(0.0),
                }),
            })
        })
}
