//! The engine: everything that needs no program, in one executable.

mod campaign;
mod check;
mod closed_forms;
mod constraints;
mod criteria;
mod fused;
mod hypergradients;
mod inexact;
mod inner;
mod interrupted;
mod known_bugs;
mod layers;
mod linear;
mod maps;
mod mistakes;
mod non_finite;
mod parts;
mod passes;
mod ranks;
mod right_or_told;
mod silent;
mod sparse;
mod stochastic;
mod strategies;
mod tasks;
mod unkind;
