//! What a user gives for a problem.

use std::path::PathBuf;

use autodiff::Real;
use nalgebra::DVector;
use solvers::{Bilevel, FixedPart, ProblemError};

use crate::data::{self, Labels, Loaded, Point, ReadData, Reading};
use crate::held_out::HeldOut;
use crate::task::Task;

use super::{Data, Entry, Given, Size, TaskError};

/// What a user gives for a problem.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// A file, a pair of files or a folder; embedded data if `None`.
    pub data: Option<PathBuf>,
    /// How it is read; the seed and the labels are those of the source and of the problem.
    pub reading: Reading,
    /// Seed of splits, corruptions and random problems.
    pub seed: u64,
    /// Whether there is a bias for each class.
    pub bias: bool,
    /// Whether the problem takes its larger size.
    pub large: bool,
    /// What its lower level has beside g.
    pub part: Option<FixedPart>,
}

impl Source {
    /// Refuses what a problem does not take.
    pub(super) fn suits(&self, entry: &Entry) -> Result<(), TaskError> {
        let problem = entry.row.name;
        if let (Data::Own, Some(file)) = (entry.data, &self.data) {
            let file = file.display().to_string();
            return Err(TaskError::NoData { file, problem });
        }
        let is_table = matches!(entry.data, Data::Table(_)) && self.data.is_some();
        if let (false, Some(setting)) = (is_table, self.reading.asked()) {
            return Err(TaskError::NoTable { setting });
        }
        if self.bias && !entry.bias {
            return Err(TaskError::NoBias { problem });
        }
        if self.large && !entry.large {
            return Err(TaskError::NotLarger { problem });
        }
        Ok(())
    }

    /// What a problem that takes it is made of, and how the user's data was read.
    pub(super) fn read<T: Real>(
        &self,
        entry: &Entry,
    ) -> Result<(Given, Option<ReadData>), TaskError> {
        let mut given = Given {
            bias: self.bias,
            size: if self.large { Size::Large } else { Size::Usual },
            ..Given::own(self.seed)
        };
        let Some(path) = &self.data else {
            return Ok((given, None));
        };
        given.file = path.display().to_string();
        let read = match entry.data {
            Data::Own => None,
            Data::Table(labels) => {
                let reading = Reading {
                    dense: !entry.sparse,
                    own_rows: entry.by_rows && self.reading.own_rows,
                    ..self.reading::<T>(labels)
                };
                let Loaded { splits, about } = reading.load(path)?;
                given.table = Some(splits);
                Some(ReadData::Table(about))
            }
            Data::Images => {
                let (images, about) = data::read_folder(path)?;
                given.images = Some(images);
                Some(ReadData::Images(about))
            }
        };
        Ok((given, read))
    }

    fn reading<T: Real>(&self, labels: Labels) -> Reading {
        Reading {
            seed: self.seed,
            labels,
            largest: T::max_value().map(|largest| largest.f64()),
            ..self.reading
        }
    }
}

impl<T: Real> Task<T> {
    /// Puts a part beside g, here and on the samples kept apart. What is known of the problem in closed
    /// form is known without it.
    ///
    /// # Errors
    /// If it is none of this y, or the problem has a part, constraints or steps of its own.
    pub fn beside(self, part: FixedPart) -> Result<Self, TaskError> {
        let with = |bilevel: Bilevel<T>| {
            let name = self.name;
            bilevel
                .with_part(part.into())
                .map_err(|error| TaskError::Part {
                    part: part.to_string(),
                    problem: name,
                    reason: match error {
                        ProblemError::Part { reason, .. } => reason,
                        error => error.to_string(),
                    },
                })
        };
        let held_out = match self.held_out {
            Some(apart) => Some(HeldOut {
                bilevel: with(apart.bilevel)?,
                ..apart
            }),
            None => None,
        };
        Ok(Task {
            bilevel: with(self.bilevel)?,
            held_out,
            known: None,
            part: Some(part),
            ..self
        })
    }

    /// Moves the task to the `x`, and its start to the `y`, of a point that was read from `file`.
    ///
    /// # Errors
    /// If their lengths are not those of the problem, or a number is beyond the scalar type.
    pub fn at(self, point: &Point, file: &str) -> Result<Self, TaskError> {
        let entries = |array, values: &[f64], expected| {
            if values.len() != expected {
                return Err(TaskError::Point {
                    file: file.to_owned(),
                    array,
                    found: values.len(),
                    expected,
                    problem: self.name,
                });
            }
            finite::<T>(file, array, values)?;
            let values = values.iter().map(|v| T::of(*v));
            Ok(DVector::from_iterator(expected, values))
        };
        let x = entries("x", &point.x, self.bilevel.dim_x())?;
        let y = point.y.as_ref();
        let y = y.map(|y| entries("y", y, self.bilevel.dim_y()));
        let task = match y.transpose()? {
            Some(y) => self.starting_from(y),
            None => self,
        };
        Ok(Task { x, ..task })
    }
}

fn finite<T: Real>(file: &str, array: &'static str, values: &[f64]) -> Result<(), TaskError> {
    match values.iter().position(|v| !T::of(*v).is_finite()) {
        None => Ok(()),
        Some(entry) => Err(TaskError::Overflow {
            file: file.to_owned(),
            array,
            entry,
            value: values[entry],
            largest: T::max_value().map_or(f64::MAX, |v| v.f64()),
            dtype: T::NAME,
        }),
    }
}
