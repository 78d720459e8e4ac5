//! What the settings are on each problem, unless they are given.

use solvers::catalogue::{Family, OuterRule, Settings};

/// The defaults of a problem that are its own, for methods of a family.
pub(super) fn of(problem: &str, family: Family) -> Settings {
    let adam = |rate: f64, ascent: f64| Settings {
        optimiser: Some(OuterRule::Adam),
        ..steps(family, rate, ascent)
    };
    let lower = |length| (family == Family::Descent).then_some(length);
    match problem {
        "logistic" | "softmax" => adam(0.2, 0.005),
        "mlp" => Settings {
            iterations: Some(20),
            ..adam(0.2, 0.005)
        },
        "hyper-cleaning" => Settings {
            step: lower(2.0),
            ..adam(0.2, 0.02)
        },
        "mlp-cleaning" => Settings {
            step: lower(0.5),
            iterations: Some(20),
            ..adam(0.5, 0.02)
        },
        "learning-rates" => Settings {
            iterations: Some(20),
            ..adam(0.1, 0.1)
        },
        "few-shot" => adam(0.02, 0.02),
        "foe-denoising" | "icnn-denoising" => Settings {
            depth: Some(50),
            ..adam(0.05, 0.002)
        },
        "tv-deblurring" => steps(family, 0.02, 0.001),
        // Steps of either parameter change φ by some hundred times their square.
        "tv-denoising" => Settings {
            depth: Some(50),
            ..steps(family, 0.02, 0.001)
        },
        _ => Settings::NONE,
    }
}

fn steps(family: Family, rate: f64, ascent: f64) -> Settings {
    let rate = match family {
        Family::Ascent => ascent,
        Family::Descent | Family::SmallSteps => rate,
    };
    Settings {
        rate: Some(rate),
        ..Settings::NONE
    }
}

/// Steps of y and of the linear system for methods of small steps, unless given otherwise: short enough
/// for small batches. They are no part of a run's record.
pub(super) fn of_steps(problem: &str, family: Family) -> Settings {
    let length = match problem {
        "logistic" | "ridge-prior" | "quadratic" => 0.1,
        "orthogonal-map" | "hyper-cleaning" => 0.05,
        _ => 0.3,
    };
    Settings {
        step: (family == Family::SmallSteps).then_some(length),
        ..Settings::NONE
    }
}
