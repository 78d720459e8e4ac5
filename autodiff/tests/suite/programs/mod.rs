//! The engine on random programs.

mod blocks;
mod branches;
mod builder;
mod bytes;
mod carried;
mod checked;
mod gauss_newton;
mod gradients_inside;
mod joint;
mod leaves;
mod leaves_in_turn;
mod replays;
mod rules;
mod shrinking;
mod stale;
mod sweeps;
mod unrolled;
