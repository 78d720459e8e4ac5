//! The problems by name.

use std::path::PathBuf;

use autodiff::Real;
use models::data::{self, DataError, Point, Splits};
use models::{HyperCleaning, Task, closed_form, hyper_cleaning, logistic};
use nalgebra::DVector;
use solvers::{Bilevel, ProblemError};

use super::{Entry, unknown};

/// Every problem.
pub const ALL: &[Entry] = &[
    Entry {
        name: "logistic",
        about: "logistic regression, one penalty per feature; digits odd/even, or --data",
    },
    Entry {
        name: "hyper-cleaning",
        about: "weights of mislabelled samples, linear softmax; digits, 70 % mislabelled, or --data",
    },
    Entry {
        name: "bda-counterexample",
        about: "closed form 1: the lower level has many solutions; x* = 1, plain unrolling goes to 1/2",
    },
    Entry {
        name: "bda-discriminating",
        about: "closed form 2: each way of aggregating ends elsewhere; x* = 1/2",
    },
    Entry {
        name: "penalty-bias",
        about: "closed form 3: a penalty α ends at α/(1+2α) instead of 1/2",
    },
    Entry {
        name: "scalar",
        about: "closed form 4: one-dimensional, the errors of ITD and AID are known",
    },
    Entry {
        name: "quadratic",
        about: "closed form 5: a random quadratic problem, x of 5 and y of 8 entries",
    },
];

/// Share of training labels that `hyper-cleaning` makes wrong on embedded data.
pub const CORRUPTION: f64 = 0.7;

/// Where a problem's data comes from.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// The user's file; embedded data if `None`.
    pub data: Option<PathBuf>,
    /// Seed of splits, corruptions and random problems.
    pub seed: u64,
    /// Whether `hyper-cleaning` has biases.
    pub bias: bool,
}

/// Why a problem could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ProblemFailure {
    /// No such name.
    #[error("{0}")]
    Unknown(String),
    /// The data file was refused.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The objectives make no problem.
    #[error(transparent)]
    Problem(#[from] ProblemError),
    /// A closed form was given data.
    #[error("{file}: problem `{problem}` is in closed form: expected no --data")]
    NoData {
        /// The file.
        file: String,
        /// The problem's name.
        problem: &'static str,
    },
    /// A point does not fit the problem.
    #[error(
        "{file}: array `{array}` has {found} entries: expected {expected}, as problem `{problem}` has here"
    )]
    Point {
        /// The file.
        file: String,
        /// `x` or `y`.
        array: &'static str,
        /// Entries found.
        found: usize,
        /// Entries expected.
        expected: usize,
        /// The problem's name.
        problem: &'static str,
    },
}

/// A problem with what is known about it.
pub struct Problem<T: Real> {
    /// Its model.
    pub task: Task<T>,
    /// Its definition.
    pub bilevel: Bilevel<T>,
}

impl<T: Real> Problem<T> {
    /// The problem of this name.
    ///
    /// # Errors
    /// If there is none, or its data is bad.
    pub fn named(name: &str, source: &Source) -> Result<Self, ProblemFailure> {
        let task = match name {
            "logistic" => logistic(splits(source, data::digits_parity)?)?,
            "hyper-cleaning" => cleaning(source)?,
            "bda-counterexample" => closed_form::bda_counterexample(),
            "bda-discriminating" => closed_form::bda_discriminating(),
            "penalty-bias" => closed_form::penalty_bias(),
            "scalar" => closed_form::scalar(),
            "quadratic" => closed_form::quadratic(5, 8, source.seed),
            _ => return Err(ProblemFailure::Unknown(unknown("problem", name, ALL))),
        };
        if let (Some(_), Some(file)) = (&task.known, &source.data) {
            return Err(ProblemFailure::NoData {
                file: file.display().to_string(),
                problem: task.name,
            });
        }
        Self::of(task)
    }

    fn of(task: Task<T>) -> Result<Self, ProblemFailure> {
        let (upper, lower) = (task.upper.clone(), task.lower.clone());
        let bilevel =
            Bilevel::new(upper, lower, task.x.len(), task.y.len())?.starting_from(task.y.clone());
        Ok(Problem { task, bilevel })
    }

    /// The same problem, at the `x` and from the `y` of a point that was read from `file`.
    ///
    /// # Errors
    /// If their lengths are not those of the problem.
    pub fn at(self, point: &Point, file: &str) -> Result<Self, ProblemFailure> {
        let mut task = self.task;
        let given = [("x", Some(&point.x)), ("y", point.y.as_ref())];
        for ((array, values), place) in given.into_iter().zip([&mut task.x, &mut task.y]) {
            let Some(values) = values else { continue };
            if values.len() != place.len() {
                return Err(ProblemFailure::Point {
                    file: file.to_owned(),
                    array,
                    found: values.len(),
                    expected: place.len(),
                    problem: task.name,
                });
            }
            *place = DVector::from_iterator(values.len(), values.iter().map(|v| T::of(*v)));
        }
        Self::of(task)
    }
}

fn splits(source: &Source, embedded: fn(u64) -> Splits) -> Result<Splits, DataError> {
    match &source.data {
        Some(file) => data::load(file, source.seed),
        None => Ok(embedded(source.seed)),
    }
}

fn cleaning<T: Real>(source: &Source) -> Result<Task<T>, DataError> {
    let settings = HyperCleaning {
        bias: source.bias,
        ..HyperCleaning::default()
    };
    match &source.data {
        Some(file) => hyper_cleaning(data::load(file, source.seed)?, None, settings),
        None => {
            let (splits, corrupted) = data::digits_cleaning(source.seed, CORRUPTION);
            hyper_cleaning(splits, Some(corrupted), settings)
        }
    }
}
