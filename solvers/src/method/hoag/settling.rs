//! Whether the steps did what their slopes promised.

use crate::ledger::Ledger;

/// Steps that are looked at together.
const WINDOW: usize = 8;
/// Steps taken back in a row that are remarked on.
const REFUSED: usize = 10;
/// The part of what was promised that has to come.
const PART: f64 = 0.1;

/// The part of all that F fell by that is too little to remark on.
const LITTLE: f64 = 1e-4;

/// Sums over the steps that stayed, and the steps in a row that did not.
#[derive(Clone, Copy, Default)]
pub(super) struct Settling {
    steps: usize,
    /// Of the steps counted: −Σ pᵀd, and what F fell by.
    promised: f64,
    fallen: f64,
    /// Both sums of the window before.
    before: Option<(f64, f64)>,
    /// What F fell by in all.
    total: f64,
    refused: usize,
    /// The most that a step of the row promised.
    refused_promise: f64,
}

impl Settling {
    /// A step that stayed.
    pub(super) fn stayed(&mut self, promised: f64, fallen: f64) {
        if self.steps == WINDOW {
            self.before = Some((self.promised, self.fallen));
            (self.steps, self.promised, self.fallen) = (0, 0.0, 0.0);
        }
        self.steps += 1;
        self.promised += promised;
        self.fallen += fallen;
        self.total += fallen;
        (self.refused, self.refused_promise) = (0, 0.0);
    }

    /// A step that was taken back.
    pub(super) fn refused(&mut self, promised: f64) {
        self.refused += 1;
        self.refused_promise = self.refused_promise.max(promised);
    }

    /// How many steps in a row were taken back.
    pub(super) fn refused_in_a_row(&self) -> usize {
        self.refused
    }

    /// What the user should know at the end, where changes of F by `rounding` tell nothing.
    pub(super) fn warning(&self, rounding: f64) -> Option<String> {
        let rounding = rounding.max(LITTLE * self.total);
        if self.refused >= REFUSED && self.refused_promise > rounding {
            return Some(format!(
                "the last {} steps were taken back, as none along the hypergradient lowers the \
                 upper objective as it should: take smaller accuracies, or look for a kink",
                self.refused
            ));
        }
        let (promised, fallen) = self.before?;
        let (promised, fallen) = (promised + self.promised, fallen + self.fallen);
        // Written so that a NaN is remarked on.
        let kept = fallen >= PART * promised || promised <= rounding;
        (!kept).then(|| {
            format!(
                "the iterates do not settle: the last {} steps should have lowered the upper \
                 objective by {promised:.1e} and changed it by {:.1e}; take smaller accuracies",
                WINDOW + self.steps,
                -fallen
            )
        })
    }

    pub(super) fn visit(&mut self, ledger: &mut Ledger) {
        ledger.count("steps looked at together", &mut self.steps);
        ledger.number("what they promised", &mut self.promised);
        ledger.number("what F fell by", &mut self.fallen);
        ledger.number("what F fell by in all", &mut self.total);
        let (mut promised, mut fallen) = self.before.unzip();
        ledger.optional("what those before promised", &mut promised);
        ledger.optional("what F fell by there", &mut fallen);
        self.before = promised.zip(fallen);
        ledger.count("steps taken back in a row", &mut self.refused);
        ledger.number("what they promised at most", &mut self.refused_promise);
    }
}
