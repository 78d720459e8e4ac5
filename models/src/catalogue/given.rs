//! What a problem is made of.

use nalgebra::DMatrix;

use crate::data::{self, Splits};
use crate::hyper_cleaning::CORRUPTION;

/// The size of a problem that has several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    /// The size of checks.
    Small,
    /// The usual one.
    Usual,
    /// The larger one.
    Large,
}

/// What a problem is made of.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    /// The user's table.
    pub(crate) table: Option<Splits>,
    /// The user's images.
    pub(crate) images: Option<Vec<DMatrix<f64>>>,
    /// The file or folder of either.
    pub(crate) file: String,
    /// What was decided about the user's data when the task was made.
    pub(crate) notes: Vec<String>,
    /// Draws splits, corruptions and random problems.
    pub(crate) seed: u64,
    /// Whether there is a bias for each class.
    pub(crate) bias: bool,
    /// The size.
    pub(crate) size: Size,
}

/// Samples and features of embedded data in the small size.
const FEW: (usize, usize) = (24, 8);

impl Given {
    /// Nothing but a seed.
    pub(crate) fn own(seed: u64) -> Self {
        Given {
            table: None,
            images: None,
            file: String::new(),
            notes: Vec::new(),
            seed,
            bias: false,
            size: Size::Usual,
        }
    }

    /// Whether the problem is made for a check.
    pub(crate) fn is_small(&self) -> bool {
        self.size == Size::Small
    }

    /// The user's table, or the embedded one that the seed draws.
    pub(crate) fn splits(&mut self, embedded: fn(u64) -> Splits) -> Splits {
        match self.table.take() {
            Some(table) => table,
            None if self.is_small() => embedded(self.seed).cut(FEW.0, FEW.1),
            None => embedded(self.seed),
        }
    }

    /// The table for hyper-cleaning; of the embedded one in its usual size also which training labels
    /// are wrong.
    pub(crate) fn cleaning(&mut self) -> (Splits, Option<Vec<bool>>) {
        if let Some(table) = self.table.take() {
            return (table, None);
        }
        let (splits, marks) = data::digits_cleaning(self.seed, CORRUPTION);
        match self.is_small() {
            true => (splits.cut(FEW.0, FEW.1), None),
            false => (splits, Some(marks)),
        }
    }
}
