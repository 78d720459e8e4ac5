//! How far a program is linearised: what its sweeps left behind, and which may follow.
//!
//! ```text
//!      evaluated          reversed            moved
//! Not ─────────► Values ──────────► Gradient ───────► Along
//!                │    ▲                 │               │
//!       products ▼    │ set, evaluated  │               │
//!           Products ─┴─────────────────┴───────────────┘
//! ```

use crate::block::Block;
use crate::inputs::Inputs;

/// What a primal sweep must leave behind for the sweeps that follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Need {
    /// The value alone.
    Value,
    /// Also what a primitive's `vjp` reads from the stash.
    Gradient,
    /// Also what its `jvp` and `vjp_tangent` read from it.
    Curvature,
}

/// Whose values a primal sweep computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Extent {
    /// Those that a sweep for products alone reads.
    Products,
    /// Those that any derivative rule reads.
    Derivatives,
    /// All of them.
    Whole,
}

/// Which inputs changed since the values were computed last that only sweeps to an extent compute: to all
/// derivatives, or to everything; `None` if they never were.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Late([Option<Inputs>; 2]);

impl Late {
    /// Nothing that always is computed waits.
    const NEVER: Option<Inputs> = Some(Inputs::NONE);

    /// Of the values that are computed by sweeps to this extent and beyond.
    pub(crate) fn of(self, extent: Extent) -> Option<Inputs> {
        match extent {
            Extent::Products => Self::NEVER,
            Extent::Derivatives => self.0[0],
            Extent::Whole => self.0[1],
        }
    }

    /// After a sweep to an extent, some inputs having changed before it.
    fn after(self, extent: Extent, changed: Inputs) -> Self {
        let each = |waits: Extent| match waits <= extent {
            true => Self::NEVER,
            false => self.of(waits).map(|late| late.union(changed)),
        };
        Late([each(Extent::Derivatives), each(Extent::Whole)])
    }
}

/// What the sweeps of a program left in its workspace.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Linearised {
    /// Nothing was computed yet.
    Not,
    /// Values were.
    At {
        reached: Reached,
        /// What was left out where derivatives, or products, alone were wanted.
        late: Late,
    },
}

/// How far the sweeps went after values were computed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reached {
    /// Values and stashes, except of what depends on the inputs in `set`: these are newer.
    Values { need: Need, set: Inputs },
    /// Also adjoints of the inputs `by`; `bends` if the stashes serve a second sweep.
    Gradient { by: Inputs, bends: bool },
    /// Also tangents of the adjoints of the inputs `of`, along a block of directions.
    Along {
        by: Inputs,
        of: Inputs,
        block: Block,
    },
    /// These tangents alone. Values, stashes and adjoints lack what only others need.
    Products { of: Inputs, block: Block },
}

impl Linearised {
    // ---- transitions

    /// Input `k` was set. Values stay, as those that do not depend on it are not computed again;
    /// derivatives belong to the inputs of before.
    pub(crate) fn set(&mut self, k: usize) {
        let set = self.set_since().union(Inputs::one(k));
        self.back_to_values(set);
    }

    /// A primal sweep ended. It computed what depends on the inputs that were set, to this extent.
    pub(crate) fn evaluated(&mut self, need: Need, extent: Extent) {
        let late = self.late().after(extent, self.set_since());
        let set = Inputs::NONE;
        let reached = Reached::Values { need, set };
        *self = Linearised::At { reached, late };
    }

    /// A reverse sweep begins. Adjoints are overwritten, so those of before are gone even if it
    /// does not come to its end; values must be those of the inputs, and a gradient their need.
    #[track_caller]
    pub(crate) fn begin_reverse(&mut self) {
        assert!(
            self.need() >= Some(Need::Gradient) && self.set_since() == Inputs::NONE,
            "a reverse sweep needs a linearisation for a gradient before it"
        );
        self.back_to_values(Inputs::NONE);
    }

    /// The reverse sweep ended, with adjoints of the inputs `by`. A second sweep may follow if the
    /// primal sweep before was for one.
    pub(crate) fn reversed(&mut self, by: Inputs) {
        let bends = self.need() == Some(Need::Curvature);
        self.reach(Reached::Gradient { by, bends });
    }

    /// A second sweep begins: products of before are overwritten. It starts from values, stashes
    /// and adjoints, so that the gradients by the same inputs must be there.
    #[track_caller]
    pub(crate) fn begin_second(&mut self, of: Inputs) {
        assert!(
            self.bends_by(of),
            "a second sweep needs a linearisation with curvature by the same inputs before it"
        );
        self.forget_products();
    }

    /// The second sweep ended. Values and adjoints are what they were: another one may follow.
    pub(crate) fn moved(&mut self, of: Inputs, block: Block) {
        let by = self.by();
        self.reach(Reached::Along { by, of, block });
    }

    /// A joint sweep for products alone ended. No other one may start from what it left, but inputs
    /// that are not set again keep their values.
    pub(crate) fn products(&mut self, of: Inputs, block: Block) {
        self.reach(Reached::Products { of, block });
    }

    /// Adjoints and their tangents are another workspace's now: values are left.
    pub(crate) fn forget_derivatives(&mut self) {
        self.back_to_values(self.set_since());
    }

    /// Tangents of adjoints are another workspace's now: adjoints are left.
    pub(crate) fn forget_products(&mut self) {
        match self.reached() {
            Some(Reached::Along { by, .. }) => self.reach(Reached::Gradient { by, bends: true }),
            Some(Reached::Products { .. }) => self.back_to_values(Inputs::NONE),
            _ => {}
        }
    }

    fn back_to_values(&mut self, set: Inputs) {
        if let Some(need) = self.need() {
            self.reach(Reached::Values { need, set });
        }
    }

    fn reach(&mut self, next: Reached) {
        if let Linearised::At { reached, .. } = self {
            *reached = next;
        }
    }

    // ---- questions

    fn reached(self) -> Option<Reached> {
        match self {
            Linearised::Not => None,
            Linearised::At { reached, .. } => Some(reached),
        }
    }

    /// What the last primal sweep left behind, as far as it is still there; `None` before the
    /// first.
    pub(crate) fn need(self) -> Option<Need> {
        Some(match self.reached()? {
            Reached::Values { need, .. } => need,
            Reached::Gradient { bends: false, .. } => Need::Gradient,
            Reached::Gradient { bends: true, .. } | Reached::Along { .. } => Need::Curvature,
            Reached::Products { .. } => Need::Value,
        })
    }

    /// The inputs that were set since values were computed last.
    pub(crate) fn set_since(self) -> Inputs {
        match self.reached() {
            Some(Reached::Values { set, .. }) => set,
            _ => Inputs::NONE,
        }
    }

    /// What waits for a sweep that goes further.
    pub(crate) fn late(self) -> Late {
        match self {
            Linearised::Not => Late::default(),
            Linearised::At { late, .. } => late,
        }
    }

    /// Which values are there.
    pub(crate) fn extent(self) -> Extent {
        let there = |extent: &Extent| self.late().of(*extent) == Late::NEVER;
        let all = [Extent::Whole, Extent::Derivatives];
        all.into_iter().find(there).unwrap_or(Extent::Products)
    }

    /// Whether a tangent sweep may follow.
    pub(crate) fn bends(self) -> bool {
        self.need() == Some(Need::Curvature) && self.set_since() == Inputs::NONE
    }

    /// Whether a second sweep of the inputs `of` may follow.
    pub(crate) fn bends_by(self, of: Inputs) -> bool {
        match self.reached() {
            Some(Reached::Gradient { by, bends: true } | Reached::Along { by, .. }) => {
                by.contains(of)
            }
            _ => false,
        }
    }

    /// Whether the adjoints of the inputs `of` are there.
    pub(crate) fn has_gradient_by(self, of: Inputs) -> bool {
        match self.reached() {
            Some(Reached::Gradient { by, .. } | Reached::Along { by, .. }) => by.contains(of),
            _ => false,
        }
    }

    /// Whether products alone are there.
    pub(crate) fn has_products_alone(self) -> bool {
        matches!(self.reached(), Some(Reached::Products { .. }))
    }

    /// The inputs whose adjoints are there.
    pub(crate) fn by(self) -> Inputs {
        match self.reached() {
            Some(Reached::Gradient { by, .. } | Reached::Along { by, .. }) => by,
            _ => Inputs::NONE,
        }
    }

    /// The inputs whose adjoints' tangents are there, and the block of directions they are along.
    pub(crate) fn of(self) -> Option<(Inputs, Block)> {
        match self.reached() {
            Some(Reached::Along { of, block, .. } | Reached::Products { of, block }) => {
                Some((of, block))
            }
            _ => None,
        }
    }
}
