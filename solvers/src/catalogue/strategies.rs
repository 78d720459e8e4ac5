//! The strategies by name.

use std::sync::Arc;

use autodiff::Real;

use crate::hypergradient::{self, Strategy, StrategyEntry};

use super::{Entry, Row, Settings, unknown};

/// Every strategy, in the order of lists.
pub fn strategies<T: Real>() -> Vec<StrategyEntry<T>> {
    hypergradient::entries()
}

/// The strategy of this name, of those settings that it takes.
///
/// # Errors
/// If there is none, or the settings do not fit it: one line.
pub fn strategy<T: Real>(name: &str, settings: &Settings) -> Result<Arc<dyn Strategy<T>>, String> {
    let entries = strategies();
    let Some((entry, rest)) = Entry::find(&entries, name) else {
        let rows: Vec<Row> = entries.into_iter().flat_map(|e| e.rows).collect();
        return Err(unknown("strategy", name, &rows));
    };
    let strategy = entry.make(name, rest, settings)?;
    strategy.validate().map_err(|e| e.to_string())?;
    Ok(strategy)
}
