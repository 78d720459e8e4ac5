//! The splits of a file that has none.

use super::{DataError, Labels, Reading, Samples, Splits, order};

impl Splits {
    /// The first `samples` of training and of validation, each with the middle `features`, or all
    /// where there are fewer; no test samples.
    #[must_use]
    pub fn cut(mut self, samples: usize, features: usize) -> Splits {
        for part in [&mut self.train, &mut self.valid] {
            let (n, d) = (samples.min(part.len()), features.min(part.dim()));
            let all = part.features.to_dense();
            // The first pixels of an image are 0 everywhere.
            let first = (part.dim() - d) / 2;
            part.features = all.view((first, 0), (d, n)).into_owned().into();
            part.labels.truncate(n);
        }
        self.test = None;
        self
    }
}

const FEWEST_ROWS: usize = 4;

/// Which row goes where: of an order drawn with a seed, or that of a series, the first half (rounded up)
/// is for training, half of the rest (rounded up) for validation, and the others for the test.
pub(super) struct Plan {
    order: Vec<usize>,
    train: usize,
    valid: usize,
}

impl Plan {
    /// The plan of a table that is read in this way.
    ///
    /// # Errors
    /// If there are fewer than four rows.
    pub(super) fn of(rows: usize, reading: &Reading, file: &str) -> Result<Self, DataError> {
        let plan = Self::draw(rows, reading.seed, file)?;
        Ok(match reading.labels {
            Labels::Series => Plan {
                order: (0..rows).collect(),
                ..plan
            },
            _ => plan,
        })
    }

    /// The plan of rows that a seed shuffles.
    ///
    /// # Errors
    /// If there are fewer than four rows.
    pub(super) fn draw(rows: usize, seed: u64, file: &str) -> Result<Self, DataError> {
        if rows < FEWEST_ROWS {
            return Err(DataError::TooFewRows {
                file: file.into(),
                found: rows,
                expected: FEWEST_ROWS,
            });
        }
        let train = rows.div_ceil(2);
        Ok(Plan {
            order: order(rows, seed),
            train,
            valid: (rows - train).div_ceil(2),
        })
    }

    /// The splits of these samples.
    pub(super) fn gather(&self, samples: &Samples, source: String) -> Splits {
        let [train, valid, test] = self.parts().map(|rows| samples.subset(rows));
        Splits {
            train,
            valid,
            test: Some(test),
            source,
        }
    }

    /// The rows of each split, in its order.
    pub(super) fn parts(&self) -> [&[usize]; 3] {
        let (train, rest) = self.order.split_at(self.train);
        let (valid, test) = rest.split_at(self.valid);
        [train, valid, test]
    }

    /// For each row its split and its place there.
    pub(super) fn places(&self) -> Vec<(u8, usize)> {
        let mut places = vec![(0, 0); self.order.len()];
        for (part, rows) in (0..).zip(self.parts()) {
            for (place, row) in rows.iter().enumerate() {
                places[*row] = (part, place);
            }
        }
        places
    }
}
