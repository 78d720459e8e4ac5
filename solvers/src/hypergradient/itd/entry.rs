//! The names of iterative differentiation.

use std::sync::Arc;

use autodiff::Real;

use crate::catalogue::{Row, Settings};
use crate::hypergradient::StrategyEntry;
use crate::lower::Steps;

use super::Itd;

const ROWS: &[Row] = &[
    Row {
        name: "itd-taped",
        about: "the same hypergradient, every step's linearisation kept",
    },
    Row {
        name: "itd-checkpointed:SLOTS",
        about: "the same hypergradient, at most SLOTS states kept, the fewest steps run again",
    },
    Row {
        name: "itd-online:SLOTS",
        about: "the same, for a depth that is not known in advance",
    },
    Row {
        name: "itd-disk:SLOTS",
        about: "the same, every SLOTS-th state on disk: less than two sweeps forward at any depth",
    },
    Row {
        name: "itd-reversible",
        about: "momentum run backwards: only the bits that its decay loses kept (--inner momentum:BETA)",
    },
    Row {
        name: "itd-forward",
        about: "the same derivative in forward mode: memory independent of the depth",
    },
    Row {
        name: "itd-truncated:STEPS",
        about: "reverse through the last STEPS steps only (biased)",
    },
];

/// `itd`, and `itd` under a memory policy.
pub(crate) fn entries<T: Real>() -> [StrategyEntry<T>; 2] {
    let accepts = ["depth", "step", "tolerance", "inner", "same_iterate"];
    let about = "iterative differentiation: reverse through all --depth steps, states stored";
    [
        StrategyEntry::new("itd", about, &accepts, |call| {
            Ok(Arc::new(Itd::of(call.settings)))
        })
        .descent_with(
            "descent along hypergradients of iterative differentiation",
            &["depth", "step"],
        ),
        StrategyEntry::new("itd-MEMORY", "", &accepts, |call| {
            Ok(Arc::new(Itd::of(call.settings).memory(call.memory()?)))
        })
        .shown(ROWS),
    ]
}

impl Itd {
    /// Of these settings, all states stored.
    pub(crate) fn of(settings: &Settings) -> Self {
        let inner = settings.inner();
        let length = settings.length();
        Itd {
            steps: Steps { inner, length },
            // The same iterate is that of all the steps.
            tolerance: settings.tolerance.filter(|_| !settings.same_iterate()),
            ..Itd::reverse(settings.depth())
        }
    }
}
