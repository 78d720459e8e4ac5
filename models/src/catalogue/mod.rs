//! What a problem's entry is: its name, what it takes, how it is made, and what suits it.
//!
//! An entry stands below the model it names; [`crate::PROBLEMS`] puts them in order.
//! What reads a name, lists names or refuses one reads the entries.
//!
//! ```
//! use models::catalogue::{Source, named};
//!
//! let source = Source { seed: 3, ..Source::default() };
//! let task = named("ridge")?.task::<f64>(&source)?;
//! assert_eq!(task.bilevel.dim_x(), 20);
//! let refused = named("rigde").unwrap_err();
//! assert!(refused.to_string().contains("did you mean `ridge`?"));
//! # Ok::<(), models::catalogue::TaskError>(())
//! ```

mod defaults;
mod error;
mod given;
mod source;
#[cfg(test)]
mod tests;

use std::any::Any;
use std::fmt;

use autodiff::Real;
use solvers::catalogue::{Row, unknown};

use crate::PROBLEMS;
use crate::data::{DataError, Labels};
use crate::task::Task;

pub use defaults::Defaults;
pub use error::TaskError;
pub(crate) use given::{Given, Size};
pub use source::Source;

/// Which data of the user's a problem takes in place of its own. Its text is what it is in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data {
    /// None: its numbers are its own.
    Own,
    /// A table whose labels become these.
    Table(Labels),
    /// A folder of images.
    Images,
}

impl fmt::Display for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Data::Own => "none",
            Data::Table(Labels::Signs) => "a table of two classes",
            Data::Table(Labels::Classes) => "a table of classes",
            Data::Table(Labels::Targets) => "a table of targets",
            Data::Table(Labels::Series) => "a series in the order of its rows",
            Data::Table(Labels::AsWritten) => "a table",
            Data::Images => "a folder of images",
        })
    }
}

/// How a task is made, for each scalar type: compiled here once, and not in every crate that asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Make {
    pub(crate) f32: MakeOf<f32>,
    pub(crate) f64: MakeOf<f64>,
}

type MakeOf<T> = fn(&mut Given) -> Result<Task<T>, DataError>;

/// One expression for either scalar type.
macro_rules! make {
    ($make:expr) => {
        $crate::catalogue::Make {
            f32: $make,
            f64: $make,
        }
    };
}
pub(crate) use make;

/// A problem by name.
#[derive(Debug)]
pub struct Entry {
    /// Its name and what it is.
    pub row: Row,
    /// Which data it takes.
    pub data: Data,
    /// Whether its data may be sparse: if not, a table is read with its zeros.
    pub sparse: bool,
    /// Whether its losses go over whole data sets, so that each rank can hold its
    /// [own rows](crate::data::Reading::own_rows) of a dense table.
    pub by_rows: bool,
    /// Whether it may have a bias for each class.
    pub bias: bool,
    /// Whether it has a larger size.
    pub large: bool,
    /// The settings of methods that suit it.
    pub defaults: Defaults,
    /// What the entries of x and of y are.
    pub variables: [&'static str; 2],
    make: Make,
}

impl Entry {
    /// A problem of its own numbers and one size, on which methods have their usual settings.
    pub(crate) const fn new(
        name: &'static str,
        about: &'static str,
        variables: [&'static str; 2],
        make: Make,
    ) -> Self {
        Entry {
            row: Row { name, about },
            data: Data::Own,
            sparse: false,
            by_rows: false,
            bias: false,
            large: false,
            defaults: Defaults::NONE,
            variables,
            make,
        }
    }

    /// Takes this data in place of its own where it is given.
    pub(crate) const fn takes(self, data: Data) -> Self {
        Entry { data, ..self }
    }

    /// Takes sparse data as it is.
    pub(crate) const fn with_sparse(self) -> Self {
        Entry {
            sparse: true,
            ..self
        }
    }

    /// Takes its own rows on each rank.
    pub(crate) const fn by_rows(self) -> Self {
        Entry {
            by_rows: true,
            ..self
        }
    }

    /// Takes a bias for each class where it is asked for.
    pub(crate) const fn with_bias(self) -> Self {
        Entry { bias: true, ..self }
    }

    /// Has a larger size.
    pub(crate) const fn with_large(self) -> Self {
        Entry {
            large: true,
            ..self
        }
    }

    /// Has these settings of methods.
    pub(crate) const fn defaults(self, defaults: Defaults) -> Self {
        Entry { defaults, ..self }
    }

    /// The task of what the user gives; whatever is not given is the problem's own.
    ///
    /// # Errors
    /// If the data is bad, or the problem does not take what is given.
    pub fn task<T: Real>(&self, source: &Source) -> Result<Task<T>, TaskError> {
        // What is wrong with the data is told first.
        let (mut given, read) = source.read::<T>(self)?;
        source.suits(self)?;
        let task = self.make(&mut given)?;
        let task = Task {
            read: read.map(|read| read.and(given.notes)),
            ..task
        };
        match source.part {
            Some(part) => task.beside(part),
            None => Ok(task),
        }
    }

    /// The task in a small size of the same kind, whose derivatives are quickly checked: embedded
    /// data is cut down to a few samples and features.
    ///
    /// # Errors
    /// None with the data that the crate carries.
    pub fn small<T: Real>(&self, seed: u64) -> Result<Task<T>, DataError> {
        self.make(&mut Given {
            size: Size::Small,
            ..Given::own(seed)
        })
    }

    fn make<T: Real>(&self, given: &mut Given) -> Result<Task<T>, DataError> {
        let either: [&dyn Any; 2] = [&self.make.f32, &self.make.f64];
        let make = either.iter().find_map(|m| m.downcast_ref::<MakeOf<T>>());
        make.expect("a scalar is f32 or f64")(given)
    }
}

/// The problem of this name.
///
/// # Errors
/// If there is none: with the nearest name, and all of them.
pub fn named(name: &str) -> Result<&'static Entry, TaskError> {
    find(name).ok_or_else(|| {
        let rows: Vec<Row> = PROBLEMS.iter().map(|entry| entry.row).collect();
        TaskError::Unknown(unknown("problem", name, &rows))
    })
}

/// The problem of this name, if there is one.
pub fn find(name: &str) -> Option<&'static Entry> {
    PROBLEMS
        .iter()
        .copied()
        .find(|entry| entry.row.name == name)
}

/// The names of the problems with a property, for messages and help.
pub fn names(with: impl Fn(&Entry) -> bool) -> Vec<&'static str> {
    let with = PROBLEMS.iter().filter(|entry| with(entry));
    with.map(|entry| entry.row.name).collect()
}
