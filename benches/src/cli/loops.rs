//! The unrolled loops of `bilevel memory` and `bilevel plan`.

use autodiff::bytes::parse_bytes;
use solvers::Itd;

use super::failure::Failure;
use super::given::{Given, Loops};

/// The budget that `--budget` gives.
pub(super) fn budget(text: &str) -> Result<usize, Failure> {
    parse_bytes(text).map_err(|e| Failure::Input(format!("--budget {e}")))
}

/// What is unrolled, for each depth.
pub(super) fn unrolled(args: &Given<Loops>) -> impl Fn(usize) -> Itd + use<> {
    let settings = args.settings.clone();
    move |depth: usize| {
        let itd = Itd::reverse(depth).inner(settings.inner());
        match settings.step {
            Some(length) => itd.step(length),
            None => itd,
        }
    }
}
