//! Everything that has a name: linear solvers, strategies, methods, with what each is, which settings it takes, and how it is made of them.
//!
//! An entry stands beside the code it names; the lists here only put them in order. What reads a
//! name, lists names or refuses one reads the entries.
//!
//! ```
//! use solvers::catalogue::{Settings, strategy};
//!
//! let settings = Settings { tolerance: Some(1e-8), ..Settings::NONE };
//! let aid = strategy::<f64>("aid-neumann", &settings)?;
//! assert_eq!(aid.name(), "aid-neumann");
//! let refused = strategy::<f64>("aid-neuman", &settings).unwrap_err();
//! assert!(refused.contains("did you mean `aid-neumann`?"));
//! # Ok::<(), String>(())
//! ```

mod entry;
mod idle;
mod kinds;
mod made;
mod numbered;
mod settings;

pub use crate::lower::LowerRule;
pub use entry::{Call, Descent, Entry, Family, Make, Place, Row, nearest, unknown};
pub use idle::Called;
pub use kinds::{Kind, OuterRule, Value, exact};
pub use made::{method, methods, strategies, strategy};
pub use numbered::{Numbered, ParseNameError};
pub use settings::{SETTINGS, SMALL_STEP, Setting, Settings};
