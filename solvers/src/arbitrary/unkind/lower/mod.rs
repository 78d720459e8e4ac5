//! The lower levels: one family a file. Each is a function of u and z with a known solution
//! z*(u), in units of order one; the [frame](super::frame) gives it other ones.

mod algebra;
mod cancelling;
mod constrained;
mod degenerate;
mod domains;
mod kinks;
mod maps;
mod nowhere;
mod quadratic;
mod separable;
pub(super) mod sets;

use autodiff::{Real, Var};
use nalgebra::{DMatrix, DVector};

use super::dice::Dice;
use super::truth::Truth;
use super::upper::Fault;
use crate::FixedPart;

pub(super) use constrained::Constrained;
use maps::Map;

/// The kinds of lower level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// The value cancels at the solution: differences of squares, roots, divergences, exact fits.
    Cancelling,
    /// Quadratics of any condition number, with large constants or a ridge eᵘ.
    Quadratic,
    /// Kinks at the solution, beside it, and smooth functions made of operations with a kink.
    Kinks,
    /// No solution: no bound from below, flat tails, saddles and maxima.
    Nowhere,
    /// Separable logistic data, held by a ridge e^x alone.
    Separable,
    /// Double wells from their maximum, flat directions, quartics.
    Degenerate,
    /// Bounds, simplices, balls and thresholds, some of them weakly active.
    Sets,
    /// Starts or points outside a domain, values that are not finite.
    Domains,
    /// Quadratics in coordinates of very different units.
    Columns,
    /// Factors, systems and determinants of matrices, some of which have none.
    Algebra,
    /// As [`Sets`](Family::Sets), with parameters of x.
    Parts,
    /// Constraints between the levels: active, free, weakly active, dependent, without room.
    Constraints,
    /// Equations of maps: that contract, turn, expand, are slow or at a kink, or have no fixed point.
    Maps,
}

impl Family {
    /// All of them.
    pub const ALL: [Family; 13] = [
        Family::Cancelling,
        Family::Quadratic,
        Family::Kinks,
        Family::Nowhere,
        Family::Separable,
        Family::Degenerate,
        Family::Sets,
        Family::Domains,
        Family::Columns,
        Family::Algebra,
        Family::Parts,
        Family::Constraints,
        Family::Maps,
    ];

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Family::Cancelling => "cancelling",
            Family::Quadratic => "quadratic",
            Family::Kinks => "kinks",
            Family::Nowhere => "nowhere",
            Family::Separable => "separable",
            Family::Degenerate => "degenerate",
            Family::Sets => "sets",
            Family::Domains => "domains",
            Family::Columns => "columns",
            Family::Algebra => "algebra",
            Family::Parts => "parts",
            Family::Constraints => "constraints",
            Family::Maps => "maps",
        }
    }

    /// A member, for u of `dims.0` and z of `dims.1` entries; it may take fewer of either.
    pub(super) fn draw(self, dice: &mut Dice, dims: (usize, usize)) -> Recipe {
        match self {
            Family::Cancelling => cancelling::draw(dice, dims),
            Family::Quadratic => quadratic::draw(dice, dims),
            Family::Kinks => kinks::draw(dice, dims),
            Family::Nowhere => nowhere::draw(dice, dims),
            Family::Separable => separable::draw(dice, dims),
            Family::Degenerate => degenerate::draw(dice, dims),
            Family::Sets => sets::draw(dice, dims, 0.0),
            Family::Parts => {
                let rate = dice.between(-0.5, 0.5);
                sets::draw(dice, dims, rate)
            }
            Family::Domains => domains::draw(dice, dims),
            Family::Columns => Recipe {
                mixing: Mixing::Columns,
                ..quadratic::draw_mild(dice, dims)
            },
            Family::Algebra => algebra::draw(dice, dims),
            Family::Constraints => constrained::draw(dice, dims),
            Family::Maps => maps::draw(dice, dims),
        }
    }
}

/// Which coordinates a lower level may be looked at in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mixing {
    /// Any.
    Any,
    /// Its own entries, in any unit.
    Unit,
    /// Its own entries and units.
    Own,
    /// A unit for each coordinate, from 1e-4 to 1e4.
    Columns,
}

/// A lower level and what belongs to it.
pub(super) struct Recipe {
    /// What it is, in a word or two.
    pub(super) form: &'static str,
    pub(super) lower: Lower,
    /// The point u.
    pub(super) u: DVector<f64>,
    /// Entries of z.
    pub(super) n: usize,
    pub(super) mixing: Mixing,
    /// Where it starts, if that is not for the case to choose.
    pub(super) start: Option<DVector<f64>>,
    /// Its part at u = 0, and by which rate the parameters grow with u₀.
    pub(super) set: Option<(FixedPart, f64)>,
    /// The constraints that it is under.
    pub(super) constraints: Option<Constrained>,
    pub(super) fault: Option<Fault>,
}

impl Recipe {
    fn new(form: &'static str, lower: Lower, u: DVector<f64>, n: usize) -> Self {
        Recipe {
            form,
            lower,
            u,
            n,
            mixing: Mixing::Any,
            start: None,
            set: None,
            constraints: None,
            fault: None,
        }
    }
}

macro_rules! lowers {
    ($($Kind:ident($Data:path);)*) => {
        /// One of them, with its numbers.
        #[derive(Clone, Debug)]
        pub(super) enum Lower { $( $Kind($Data), )* }

        impl Lower {
            /// The function of u and z.
            pub(super) fn record<'r, T: Real>(&self, u: Var<'r, T>, z: Var<'r, T>) -> Var<'r, T> {
                match self { $( Lower::$Kind(data) => data.record(u, z), )* }
            }

            /// Its solutions, in z and u.
            pub(super) fn truth(&self, u: &DVector<f64>) -> Truth {
                match self { $( Lower::$Kind(data) => data.truth(u), )* }
            }
        }
    };
}

lowers! {
    Cancelling(cancelling::Cancelling);
    Quadratic(quadratic::Quadratic);
    Kink(kinks::Kink);
    Nowhere(nowhere::Nowhere);
    Separable(separable::Separable);
    Degenerate(degenerate::Degenerate);
    Held(sets::Held);
    Domain(domains::Domain);
    Algebra(algebra::Algebra);
    Constrained(Constrained);
    Map(Map);
}

impl Lower {
    /// The map, if it is the equation of one.
    pub(super) fn map(&self) -> Option<&Map> {
        match self {
            Lower::Map(map) => Some(map),
            _ => None,
        }
    }
}

/// A matrix in another precision.
pub(super) fn of<T: Real>(matrix: &DMatrix<f64>) -> DMatrix<T> {
    matrix.map(T::of)
}
