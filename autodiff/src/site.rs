//! Where an operation was recorded.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

/// Where an operation was recorded: a line of Rust, or whatever names the place to someone who records
/// from elsewhere, such as a line of a script.
///
/// ```
/// use autodiff::Site;
///
/// let site = Site::from("objective.py:12");
/// assert_eq!(site.to_string(), "objective.py:12");
/// assert!(site.location().is_none());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Site(Kind);

#[derive(Clone, PartialEq, Eq)]
enum Kind {
    Line(&'static Location<'static>),
    Text(Arc<str>),
}

impl Site {
    /// The line of Rust that calls.
    #[track_caller]
    pub(crate) fn caller() -> Self {
        Site(Kind::Line(Location::caller()))
    }

    /// The line of Rust, if it is one.
    pub fn location(&self) -> Option<&'static Location<'static>> {
        match &self.0 {
            Kind::Line(line) => Some(line),
            Kind::Text(_) => None,
        }
    }
}

impl From<&str> for Site {
    fn from(text: &str) -> Self {
        Site(Kind::Text(text.into()))
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Line(line) => line.fmt(f),
            Kind::Text(text) => f.pad(text),
        }
    }
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Site({self})")
    }
}
