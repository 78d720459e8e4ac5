//! The strategies and the methods by name.

use std::sync::Arc;

use autodiff::Real;

use crate::hypergradient::{self, Strategy, StrategyEntry};
use crate::method::{self, Method, MethodEntry};

use super::{Entry, Place, Settings};

/// Every strategy, in the order of lists.
#[inline(never)]
pub fn strategies<T: Real>() -> Vec<StrategyEntry<T>> {
    hypergradient::entries()
}

/// Every method, in the order of lists.
#[inline(never)]
pub fn methods<T: Real>() -> Vec<MethodEntry<T>> {
    method::entries()
}

/// The strategy of this name, of those settings that it takes.
///
/// # Errors
/// If there is none, or the settings do not fit it: one line.
#[inline(never)]
pub fn strategy<T: Real>(name: &str, settings: &Settings) -> Result<Arc<dyn Strategy<T>>, String> {
    let place = Place::default();
    let strategy = Entry::named("strategy", strategies, name, settings, &place)?;
    Strategy::<T>::validate(&strategy).map_err(|e| e.to_string())?;
    Ok(strategy)
}

/// The method of this name for a place, of those settings that it takes.
///
/// # Errors
/// If there is none, or what is given fits nothing: one line. What does not fit a problem is told
/// where the method [begins](Method::begin).
#[inline(never)]
pub fn method<T: Real>(
    name: &str,
    settings: &Settings,
    place: &Place,
) -> Result<Arc<dyn Method<T>>, String> {
    Entry::named("method", methods, name, settings, place)
}
