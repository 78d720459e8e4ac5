//! The names of descent aggregation.

use std::sync::Arc;

use autodiff::Real;

use crate::catalogue::Settings;
use crate::inner::InnerStep;
use crate::schedule::Schedule;

use crate::hypergradient::StrategyEntry;

use super::Bda;

const ACCEPTS: [&str; 2] = ["depth", "step"];

/// `bda`, and its forms.
pub(crate) fn entries<T: Real>() -> Vec<StrategyEntry<T>> {
    let about = "bilevel descent aggregation: reverse through --depth steps on both levels";
    vec![
        StrategyEntry::new("bda", about, &ACCEPTS, |call| {
            Ok(Arc::new(bda(call.settings)))
        })
        .descent_with(
            "descent along hypergradients of descent aggregation",
            &ACCEPTS,
        ),
        form(
            "bda-constant:ALPHA",
            "the same with α_k = ALPHA",
            |bda, [a]| bda.schedule(Schedule::Constant(a)),
        ),
        form(
            "bda-harmonic:ALPHA",
            "the same with α_k = ALPHA/(k+1); bda has 0.5",
            |bda, [a]| bda.schedule(Schedule::harmonic(a)),
        ),
        form(
            "bda-geometric:ALPHA:DECAY",
            "the same with α_k = ALPHA·DECAYᵏ, which is summable: it stalls, with a warning",
            |bda, [a, decay]| bda.schedule(Schedule::Geometric { a, decay }),
        ),
        form(
            "bda-outer:ALPHA",
            "the same with α = ALPHA/(t+1) in outer iteration t",
            |bda, [a]| bda.outer_schedule(Schedule::harmonic(a)),
        ),
        form(
            "bda-momentum:BETA",
            "the same with heavy-ball steps",
            |bda, [beta]| bda.inner(InnerStep::Momentum(beta)),
        ),
        form(
            "bda-nesterov:BETA",
            "the same with Nesterov's steps",
            |bda, [beta]| bda.inner(InnerStep::Nesterov(beta)),
        ),
        StrategyEntry::new(
            "bda-one-stage",
            "the last step alone differentiated, by differences of gradients (biased)",
            &ACCEPTS,
            |call| Ok(Arc::new(bda(call.settings).one_stage())),
        ),
        StrategyEntry::new(
            "bda-MEMORY",
            "the same under a memory policy, written as for itd",
            &ACCEPTS,
            |call| Ok(Arc::new(bda(call.settings).memory(call.memory()?))),
        ),
    ]
}

/// A form with as many numbers as its name has.
fn form<T: Real, const N: usize>(
    pattern: &'static str,
    about: &'static str,
    of: fn(Bda, [f64; N]) -> Bda,
) -> StrategyEntry<T> {
    StrategyEntry::new(pattern, about, &ACCEPTS, move |call| {
        Ok(Arc::new(of(bda(call.settings), call.numbers(pattern)?)))
    })
}

fn bda(settings: &Settings) -> Bda {
    Bda {
        lower_length: settings.length(),
        ..Bda::new(settings.depth())
    }
}
