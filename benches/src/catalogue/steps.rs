//! The steps of the lower level by name; [`InnerStep`](solvers::InnerStep) reads the names.

use super::Entry;

/// The kinds of step on the lower level.
pub const ALL: &[Entry] = &[
    Entry {
        name: "gd",
        about: "gradient descent",
    },
    Entry {
        name: "momentum:BETA",
        about: "heavy ball",
    },
    Entry {
        name: "nesterov:BETA",
        about: "Nesterov's momentum",
    },
    Entry {
        name: "adam:RATE:EPS:EPS_ROOT",
        about: "Adam; without RATE 0.1, EPS 0, EPS_ROOT (RATE times the curvature)^2",
    },
    Entry {
        name: "projected-box:LOW:HIGH",
        about: "gradient steps projected to a box; a bound may be inf",
    },
    Entry {
        name: "projected-simplex",
        about: "gradient steps projected to the probability simplex",
    },
    Entry {
        name: "projected-ball:RADIUS",
        about: "gradient steps projected to a ball about 0",
    },
    Entry {
        name: "soft-threshold:WEIGHT",
        about: "proximal gradient steps (ISTA) on g + WEIGHT·‖y‖₁",
    },
    Entry {
        name: "fista",
        about: "accelerated gradient steps",
    },
    Entry {
        name: "fista:soft-threshold:WEIGHT",
        about: "the same on g + WEIGHT·‖y‖₁; fista:projected-… likewise",
    },
];
