//! Tables of methods on a task over several seeds.

mod claims;
mod cleaning;
mod counter_examples;
mod first_order;
mod imaging;
mod networks;
mod spent;
mod to_end;
mod toy;

use std::borrow::Cow;
use std::path::Path;

use autodiff::Real;
use models::data::read_images;
use nalgebra::DMatrix;
use serde::Serialize;
use serde_json::{Map, Value};

use super::spread::Spread;
pub use claims::Claimed;
pub use cleaning::Own;

/// The tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Table {
    /// Hyper-cleaning with the linear model: baselines, itd, bda and gda.
    HyperCleaning,
    /// The same with a 64-32-10 network; on samples of --data with one of 300 hidden units.
    MlpCleaning,
    /// The weight decays of that network's layers.
    Mlp,
    /// Its learning rates by stage and layer.
    LearningRates,
    /// A representation for tasks of five ways and one shot.
    FewShot,
    /// The same with five shots.
    #[value(name = "few-shot-5")]
    FewShotFive,
    /// Denoising by total variation: isgd against maid at equal computations.
    Denoising,
    /// The same for deblurring.
    Deblurring,
    /// Lower levels with many solutions, in 1 to 100 dimensions.
    CounterExamples,
    /// gda against other first-order methods, at equal calls and bytes.
    FirstOrder,
    /// The published toy of `stability`: schedules, sizes, lengths of runs; and data selection.
    Toy,
    /// A Field of Experts of ten 7 x 7 filters: isgd against hoag at equal computations; some two
    /// minutes a seed, and nine times as long on images of --data.
    Foe,
}

impl Table {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Table::HyperCleaning => "hyper-cleaning",
            Table::MlpCleaning => "mlp-cleaning",
            Table::Mlp => "mlp",
            Table::LearningRates => "learning-rates",
            Table::FewShot => "few-shot",
            Table::FewShotFive => "few-shot-5",
            Table::Denoising => "denoising",
            Table::Deblurring => "deblurring",
            Table::CounterExamples => "counter-examples",
            Table::FirstOrder => "first-order",
            Table::Toy => "toy",
            Table::Foe => "foe",
        }
    }

    /// Whether it compares methods at [budgets](Given::budgets).
    pub fn has_budgets(self) -> bool {
        use Table::{Deblurring, Denoising, FirstOrder, Foe};
        [Denoising, Deblurring, FirstOrder, Foe].contains(&self)
    }

    /// Whether it takes data of the user's.
    pub fn takes_data(self) -> bool {
        self == Table::Foe || self.splits_data()
    }

    /// Whether those are samples that it splits, and trains a network on.
    pub fn splits_data(self) -> bool {
        self == Table::MlpCleaning
    }

    /// The records of one seed.
    ///
    /// # Errors
    /// If a method does not fit the task: one line.
    pub fn run<T: Real>(self, given: &Given, seed: u64) -> Result<Vec<Record>, String> {
        let budgets = &given.budgets;
        match self {
            Table::HyperCleaning => cleaning::run::<T>(cleaning::Model::Linear, seed),
            Table::MlpCleaning => {
                let own = given.samples.as_ref();
                let model = own.map_or(cleaning::Model::Network, cleaning::Model::Own);
                cleaning::run::<T>(model, seed)
            }
            Table::Mlp => networks::run::<T>(networks::Model::Decay, seed),
            Table::LearningRates => networks::run::<T>(networks::Model::Rates, seed),
            Table::FewShot => networks::run::<T>(networks::Model::FewShot { shots: 1 }, seed),
            Table::FewShotFive => networks::run::<T>(networks::Model::FewShot { shots: 5 }, seed),
            Table::Denoising => imaging::run::<T>(imaging::Model::Noisy, budgets, seed),
            Table::Deblurring => imaging::run::<T>(imaging::Model::Blurred, budgets, seed),
            Table::Foe => imaging::run::<T>(imaging::Model::Experts(&given.images), budgets, seed),
            Table::CounterExamples => counter_examples::run::<T>(&counter_examples::SIZES, seed),
            Table::FirstOrder => first_order::run::<T>(budgets, seed),
            Table::Toy => Ok(toy::run::<T>(seed)),
        }
    }

    /// What the table claims of the records of all seeds.
    pub fn claims(self, records: &[Record]) -> Vec<Claimed> {
        match self {
            Table::CounterExamples => counter_examples::claims(records),
            Table::FirstOrder => first_order::claims(records),
            Table::Toy => toy::claims(records),
            Table::Denoising | Table::Deblurring | Table::Foe => imaging::claims(records),
            _ => claims::of_accuracy(records),
        }
    }
}

/// What the user gives to a table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Given {
    /// Computations or oracle calls that methods are compared at; ascending.
    pub budgets: Vec<usize>,
    /// Images to take in place of the embedded ones; none for those.
    pub images: Vec<DMatrix<f64>>,
    /// Samples to clean in place of the embedded ones.
    pub samples: Option<Own>,
}

/// Rows and columns of a crop.
const CROP: usize = 96;

impl Given {
    /// Takes the middle 96 × 96 pixels of the images of a folder.
    ///
    /// # Errors
    /// If it cannot be read, or has fewer than three images, or smaller ones: one line.
    pub fn crops_of(&mut self, folder: &Path) -> Result<(), String> {
        let images = read_images(folder).map_err(|e| e.to_string())?;
        let (count, size) = (images.len(), images[0].nrows());
        if count < 3 || size < CROP {
            return Err(format!(
                "{}: {count} images of {size} × {size} pixels: expected at least 3, of {CROP} × \
                 {CROP} or more",
                folder.display()
            ));
        }
        let corner = (size - CROP) / 2;
        let crop = |image: DMatrix<f64>| image.view((corner, corner), (CROP, CROP)).into_owned();
        self.images = images.into_iter().map(crop).collect();
        Ok(())
    }
}

/// What a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What a method has to be better than.
    Baseline,
    /// What could be had with more than the methods know.
    Bound,
    /// A method.
    Method,
}

/// One method on one seed.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    /// The table's name.
    pub task: &'static str,
    /// What is solved, at what size or budget, where a table has several.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub case: String,
    /// The method or baseline.
    pub method: String,
    /// Which of the two.
    #[serde(skip)]
    pub kind: Kind,
    /// What was measured, by name.
    #[serde(flatten)]
    pub values: Map<String, Value>,
    /// Seed of data, noise and draws.
    pub seed: u64,
    /// How the run ended, in a word.
    pub status: Cow<'static, str>,
    /// The status in a sentence.
    #[serde(skip)]
    pub message: String,
    /// Whether the run ended well.
    #[serde(skip)]
    pub success: bool,
}

/// Names with values.
fn values<const N: usize>(named: [(&str, f64); N]) -> Map<String, Value> {
    let pairs = named.into_iter();
    pairs
        .map(|(name, v)| (name.to_owned(), Value::from(v)))
        .collect()
}

/// The records of one method over the seeds.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// What was solved.
    pub case: String,
    /// The method.
    pub method: String,
    /// Seeds that ended well.
    pub seeds: usize,
    /// Each column, where the method has it.
    pub columns: Vec<Option<Spread>>,
}

/// The columns of records and a summary of each method in each case, both in the order of their first
/// records; runs that did not end well are left out.
pub fn summarise(records: &[Record]) -> (Vec<String>, Vec<Summary>) {
    let (mut names, mut rows) = (Vec::new(), Vec::new());
    for record in records {
        for name in record.values.keys() {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        let row = (&record.case, &record.method);
        if !rows.contains(&row) {
            rows.push(row);
        }
    }
    let summary = |(case, method): (&String, &String)| {
        let of_row = |r: &&Record| r.case == *case && r.method == *method && r.success;
        let column = |name: &String| {
            let values: Vec<f64> = claims::over_seeds(records, (case, method), name)
                .into_iter()
                .map(|(_, value)| value)
                .collect();
            (!values.is_empty()).then(|| Spread::of(&values))
        };
        Summary {
            case: case.clone(),
            method: method.clone(),
            seeds: records.iter().filter(of_row).count(),
            columns: names.iter().map(column).collect(),
        }
    };
    let summaries = rows.into_iter().map(summary).collect();
    (names, summaries)
}
