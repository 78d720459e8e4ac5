//! How the directions of SOBA are estimated from batches.

use autodiff::Real;

use crate::expect;
use crate::ledger::Ledger;
use crate::method::{Batches, Keep, State};
use crate::schedule::Schedule;

use super::directions::Directions;
use super::recursive::{Anew, Recursive};
use super::saga::Tables;

/// How a rule of the kind of [`Soba`](super::Soba) estimates its three directions: a value of one
/// slot.
///
/// D(z; ξ) are the directions at z = (x, y, v) by one batch of each level, D(z) those by all samples,
/// z⁻ is the z of the step before and d the last estimate. All but the first are exact on whole
/// objectives, and lose their variance as the iterates settle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Estimator {
    /// `D(z; ξ)`.
    ///
    /// *Cost*: one gradient of F, one of g, and one Hessian-vector product, of a batch each.
    Plain,
    /// SAGA: `mean of the tables + mean over ξ of (what a sample gives − its row)`. The tables, one of
    /// each level, hold what each sample gave when it was last drawn; one pass over all samples fills
    /// them at the start.
    ///
    /// *Cost*: as [`Plain`](Estimator::Plain), of each sample of a batch on its own; at the start for
    /// each sample as much. Room for `n_F (dim_x + dim_y) + n_g (dim_x + 2 dim_y)` numbers. Of
    /// [blocks](crate::sampling::DrawRule::Blocks) the tables have a row for each block, which costs and
    /// takes as much as a sample.
    ///
    /// *Reference*: A. Defazio, F. Bach and S. Lacoste-Julien, SAGA, NeurIPS 2014.
    Saga,
    /// STORM: `d ← D(z; ξ) + (1 − η)(d − D(z⁻; ξ))` with a weight η for each variable, cut at 1; the
    /// first estimate is D(z; ξ). A weight of 1 is [`Plain`](Estimator::Plain).
    ///
    /// *Cost*: twice that of [`Plain`](Estimator::Plain), but for the first step.
    ///
    /// *Reference*: A. Cutkosky and F. Orabona, Momentum-based variance reduction in non-convex SGD,
    /// NeurIPS 2019.
    Storm {
        /// η of x.
        x: Schedule,
        /// η of y.
        y: Schedule,
        /// η of v.
        v: Schedule,
    },
    /// SARAH: `d ← d + D(z; ξ) − D(z⁻; ξ)`, and `D(z)` in the first step of each period.
    ///
    /// *Cost*: twice that of [`Plain`](Estimator::Plain); in the first step of a period once, on all
    /// samples.
    ///
    /// *Reference*: L. M. Nguyen et al., SARAH, ICML 2017.
    Sarah {
        /// Steps of a period.
        period: usize,
    },
    /// PAGE: as [`Sarah`](Estimator::Sarah), but a coin that is tossed in each step says whether all
    /// samples are looked at; in the first step they are.
    ///
    /// *Cost*: as [`Sarah`](Estimator::Sarah) with a period of one over the chance, on average.
    ///
    /// *Reference*: Z. Li, H. Bao, X. Zhang and P. Richtárik, PAGE, ICML 2021.
    Page {
        /// The chance of all samples, in (0, 1].
        chance: f64,
    },
}

impl Estimator {
    /// Checks the settings.
    pub(super) fn check(self) -> Result<(), String> {
        match self {
            Estimator::Plain | Estimator::Saga => Ok(()),
            Estimator::Storm { x, y, v } => {
                x.check("weight of x")?;
                y.check("weight of y")?;
                v.check("weight of v")
            }
            Estimator::Sarah { period } => expect::at_least_1("steps of a period", period),
            Estimator::Page { chance } => {
                let fits = chance > 0.0 && chance <= 1.0;
                expect::number("chance of all samples", chance, fits, "a number in (0, 1]")
            }
        }
    }

    /// Of a run that starts at this state.
    pub(super) fn begin<T: Real>(
        self,
        s: &State<'_, T>,
        b: &mut Batches<T>,
    ) -> Result<Estimating<T>, String> {
        self.check()?;
        let none = Schedule::Constant(0.0);
        let recursive =
            |anew, weights| Memory::Recursive(Recursive::new(s, b, anew, weights).into());
        let memory = match self {
            Estimator::Plain => Memory::None,
            Estimator::Saga => Memory::Saga(Tables::new(s, b).into()),
            Estimator::Storm { x, y, v } => recursive(Anew::Never, [x, y, v]),
            Estimator::Sarah { period } => recursive(Anew::Every(period), [none; 3]),
            Estimator::Page { chance } => recursive(Anew::Chance(chance), [none; 3]),
        };
        let last = Directions::new(s, b);
        Ok(Estimating { memory, last })
    }
}

/// An [`Estimator`] on its way.
pub(super) struct Estimating<T: Real> {
    memory: Memory<T>,
    /// The last estimate.
    last: Directions<T>,
}

/// What it keeps beside the last estimate.
enum Memory<T: Real> {
    None,
    Saga(Box<Tables<T>>),
    Recursive(Box<Recursive<T>>),
}

impl<T: Real> Estimating<T> {
    /// The estimates at the state.
    pub(super) fn draw(&mut self, s: &State<'_, T>, b: &mut Batches<T>) -> &Directions<T> {
        let last = &mut self.last;
        match &mut self.memory {
            Memory::None => last.draw(s, b),
            Memory::Saga(tables) => tables.draw(s, b, last),
            Memory::Recursive(recursive) => recursive.draw(s, b, last),
        }
        last
    }
}

impl<T: Real> Keep for Estimating<T> {
    fn visit(&mut self, ledger: &mut Ledger) {
        match &mut self.memory {
            // The estimate before the last is not read.
            Memory::None => {}
            Memory::Saga(tables) => tables.visit(ledger),
            Memory::Recursive(recursive) => {
                recursive.visit(ledger);
                self.last.visit(ledger);
            }
        }
    }
}
