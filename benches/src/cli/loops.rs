//! The unrolled loops of `bilevel memory` and `bilevel plan`.

use autodiff::bytes::parse_bytes;
use solvers::Itd;

use super::failure::Failure;
use super::given::{Given, Loops};

/// The bytes that a flag gives.
pub(super) fn bytes(flag: &str, text: &str) -> Result<usize, Failure> {
    parse_bytes(text).map_err(|e| Failure::Input(format!("{flag} {e}")))
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
