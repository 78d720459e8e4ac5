//! Unrolled loops: every memory policy against every other, on several steps and both precisions.

mod agreement;
mod cases;
mod costs;
mod derivatives;
mod reversible;
