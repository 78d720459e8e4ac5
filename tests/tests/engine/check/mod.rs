//! The gradient checker: what it must find, what it must not, and how often it says nothing.

mod broken;
mod kinks;
mod places;
mod rules;
mod steps;
mod ways;
