//! The settings of `solve`, with what they are for each problem and method unless given.

use serde::{Deserialize, Serialize};
use solvers::sampling::Sampling;

use super::reading::{DataFormat, FirstIndex, GivenReading, YesNo};
use super::stepwise;

/// How the outer variable moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum OuterRule {
    /// Plain gradient descent.
    Gd,
    /// Momentum 0.9.
    Momentum,
    /// Adagrad.
    Adagrad,
    /// Adam.
    Adam,
    /// Adam with weight decay 0.01.
    #[value(name = "adamw")]
    #[serde(rename = "adamw")]
    AdamW,
}

/// The settings of `solve`; a configuration file has these keys.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SolveSettings {
    /// How the data is read.
    #[serde(flatten)]
    pub reading: GivenReading,
    /// Outer iterations; of `gda`, records.
    pub iterations: usize,
    /// How x moves.
    pub optimiser: OuterRule,
    /// Step length of x.
    pub rate: f64,
    /// ε beside the root of `adam` and `adamw`.
    pub adam_eps: f64,
    /// ε under that root.
    pub adam_eps_root: f64,
    /// Steps of the lower level that are unrolled.
    pub depth: usize,
    /// Step length of the lower level; automatic if absent.
    pub step: Option<f64>,
    /// Tolerance of implicit methods; that of the precision if absent.
    pub tolerance: Option<f64>,
    /// The most iterations on the lower level of implicit methods and `hoag`; theirs if absent.
    pub lower_limit: Option<usize>,
    /// Whether the lower level starts from the last y, and the linear system from the last solution.
    pub warm_start: bool,
    /// Stages of `gda`.
    pub stages: usize,
    /// Iterations of each stage of `gda`.
    pub stage_iterations: usize,
    /// First penalty of `gda`, before it grows.
    pub penalty: f64,
    /// Factor of the penalty from stage to stage.
    pub growth: f64,
    /// Steps in all of methods from `pbgd` on in the list.
    pub steps: usize,
    /// Their inner steps: on y, on the linear system, or terms of a Neumann series.
    pub inner_steps: usize,
    /// Samples in their mini-batches, and those of `gda`; for `gda` and first-order methods all if
    /// absent.
    pub batch: Option<usize>,
    /// First accuracy of `hoag`, `maid` and `isgd`.
    pub accuracy: f64,
    /// First step length of `maid`; from the curvature if absent.
    pub first_step: Option<f64>,
    /// Power that the accuracies of `hoag` and `isgd` fall with; of `hoag` by 0.9 a step if absent.
    pub accuracy_power: Option<f64>,
    /// Power that the steps of `isgd` fall with.
    pub step_power: f64,
    /// Seed of the mini-batches.
    pub seed: u64,
}

/// The same, each key absent unless it was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, clap::Args)]
#[serde(deny_unknown_fields, default)]
pub struct GivenSettings {
    /// As in [`GivenReading`], of which these five are copies, so that a file has one list of keys.
    #[arg(skip)]
    pub header: Option<YesNo>,
    /// As above.
    #[arg(skip)]
    pub first_index: Option<FirstIndex>,
    /// As above.
    #[arg(skip)]
    pub format: Option<DataFormat>,
    /// As above.
    #[arg(skip)]
    pub keep_index: Option<bool>,
    /// As above.
    #[arg(skip)]
    pub standardise: Option<bool>,
    /// Outer iterations; of `gda`, records
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub iterations: Option<usize>,
    /// How x moves
    #[arg(long, value_name = "RULE")]
    pub optimiser: Option<OuterRule>,
    /// Step length of x
    #[arg(long, value_name = "RATE", allow_negative_numbers = true)]
    pub rate: Option<f64>,
    /// What `adam` and `adamw` of x add to the root of the mean of squares [default: 1e-8]
    #[arg(long, value_name = "EPS", allow_negative_numbers = true)]
    pub adam_eps: Option<f64>,
    /// What they add under that root [default: 0]
    #[arg(long, value_name = "EPS", allow_negative_numbers = true)]
    pub adam_eps_root: Option<f64>,
    /// Steps of the lower level that are unrolled
    #[arg(long, value_name = "K", allow_negative_numbers = true)]
    pub depth: Option<usize>,
    /// Step length of the lower level (automatic unless given)
    #[arg(long, value_name = "LENGTH", allow_negative_numbers = true)]
    pub step: Option<f64>,
    /// Tolerance of implicit methods
    #[arg(long, value_name = "TOL", allow_negative_numbers = true)]
    pub tolerance: Option<f64>,
    /// The most iterations of Newton's method on the lower level of implicit methods and `hoag`
    /// [default: 200]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub lower_limit: Option<usize>,
    /// Whether the lower level starts from the last y, and the linear system of an implicit method
    /// from its last solution
    #[arg(long, value_name = "true|false")]
    pub warm_start: Option<bool>,
    /// Stages of `gda`
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub stages: Option<usize>,
    /// Iterations of each stage of `gda`
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub stage_iterations: Option<usize>,
    /// First penalty of `gda`, before it grows
    #[arg(long, value_name = "ALPHA", allow_negative_numbers = true)]
    pub penalty: Option<f64>,
    /// Factor of the penalty from stage to stage
    #[arg(long, value_name = "TAU", allow_negative_numbers = true)]
    pub growth: Option<f64>,
    /// Steps in all of methods from `pbgd` on in the list
    #[arg(long, value_name = "T", allow_negative_numbers = true)]
    pub steps: Option<usize>,
    /// Their inner steps: on y, on the linear system, or terms of a Neumann series
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub inner_steps: Option<usize>,
    /// Samples in a mini-batch of each level
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub batch: Option<usize>,
    /// First accuracy of `hoag`, `maid` and `isgd`
    #[arg(long, value_name = "EPS", allow_negative_numbers = true)]
    pub accuracy: Option<f64>,
    /// First step length of `maid` (from the curvature unless given)
    #[arg(long, value_name = "LENGTH", allow_negative_numbers = true)]
    pub first_step: Option<f64>,
    /// Power that the accuracies of `hoag` and `isgd` fall with
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    pub accuracy_power: Option<f64>,
    /// Power that the steps of `isgd` fall with, in (0.5, 1]
    #[arg(long, value_name = "Q", allow_negative_numbers = true)]
    pub step_power: Option<f64>,
}

impl GivenSettings {
    /// These settings where given, else those of `other`.
    #[must_use]
    pub fn or(self, other: GivenSettings) -> GivenSettings {
        let reading = self.reading().or(other.reading());
        GivenSettings {
            iterations: self.iterations.or(other.iterations),
            optimiser: self.optimiser.or(other.optimiser),
            rate: self.rate.or(other.rate),
            adam_eps: self.adam_eps.or(other.adam_eps),
            adam_eps_root: self.adam_eps_root.or(other.adam_eps_root),
            depth: self.depth.or(other.depth),
            step: self.step.or(other.step),
            tolerance: self.tolerance.or(other.tolerance),
            lower_limit: self.lower_limit.or(other.lower_limit),
            warm_start: self.warm_start.or(other.warm_start),
            stages: self.stages.or(other.stages),
            stage_iterations: self.stage_iterations.or(other.stage_iterations),
            penalty: self.penalty.or(other.penalty),
            growth: self.growth.or(other.growth),
            steps: self.steps.or(other.steps),
            inner_steps: self.inner_steps.or(other.inner_steps),
            batch: self.batch.or(other.batch),
            accuracy: self.accuracy.or(other.accuracy),
            first_step: self.first_step.or(other.first_step),
            accuracy_power: self.accuracy_power.or(other.accuracy_power),
            step_power: self.step_power.or(other.step_power),
            ..GivenSettings::default()
        }
        .reading_as(reading)
    }

    /// How the data is read.
    pub fn reading(&self) -> GivenReading {
        GivenReading {
            header: self.header,
            first_index: self.first_index,
            format: self.format,
            keep_index: self.keep_index,
            standardise: self.standardise,
        }
    }

    /// The same with data that is read so.
    #[must_use]
    pub fn reading_as(self, reading: GivenReading) -> GivenSettings {
        GivenSettings {
            header: reading.header,
            first_index: reading.first_index,
            format: reading.format,
            keep_index: reading.keep_index,
            standardise: reading.standardise,
            ..self
        }
    }
}

impl SolveSettings {
    /// The settings for a problem and a method, where not given otherwise.
    pub fn of(problem: &str, method: &str, given: GivenSettings) -> Self {
        let gda = method == "gda";
        let default = match problem {
            "logistic" => SolveSettings {
                optimiser: OuterRule::Adam,
                rate: if gda { 0.005 } else { 0.2 },
                ..Self::small()
            },
            "hyper-cleaning" => SolveSettings {
                optimiser: OuterRule::Adam,
                rate: if gda { 0.02 } else { 0.2 },
                step: (!gda && !stepwise::is_one(method)).then_some(2.0),
                penalty: 0.5,
                ..Self::small()
            },
            "softmax" => SolveSettings {
                optimiser: OuterRule::Adam,
                rate: if gda { 0.005 } else { 0.2 },
                ..Self::small()
            },
            "mlp" => SolveSettings {
                optimiser: OuterRule::Adam,
                rate: if gda { 0.005 } else { 0.2 },
                iterations: 20,
                ..Self::small()
            },
            "mlp-cleaning" => SolveSettings {
                optimiser: OuterRule::Adam,
                rate: if gda { 0.02 } else { 0.5 },
                step: (!gda && !stepwise::is_one(method)).then_some(0.5),
                iterations: 20,
                ..Self::small()
            },
            "learning-rates" => SolveSettings {
                optimiser: OuterRule::Adam,
                rate: 0.1,
                iterations: 20,
                ..Self::small()
            },
            "few-shot" => SolveSettings {
                optimiser: OuterRule::Adam,
                rate: 0.02,
                ..Self::small()
            },
            "foe-denoising" | "icnn-denoising" => SolveSettings {
                optimiser: OuterRule::Adam,
                rate: if gda { 0.002 } else { 0.05 },
                depth: 50,
                ..Self::small()
            },
            "tv-deblurring" => SolveSettings {
                rate: if gda { 0.001 } else { 0.02 },
                ..Self::small()
            },
            // Steps of either parameter change φ by some hundred times their square.
            "tv-denoising" => SolveSettings {
                rate: if gda { 0.001 } else { 0.02 },
                depth: 50,
                ..Self::small()
            },
            _ => Self::small(),
        };
        SolveSettings {
            reading: given.reading(),
            iterations: given.iterations.unwrap_or(default.iterations),
            optimiser: given.optimiser.unwrap_or(default.optimiser),
            rate: given.rate.unwrap_or(default.rate),
            adam_eps: given.adam_eps.unwrap_or(default.adam_eps),
            adam_eps_root: given.adam_eps_root.unwrap_or(default.adam_eps_root),
            depth: given.depth.unwrap_or(default.depth),
            step: given.step.or(default.step),
            tolerance: given.tolerance.or(default.tolerance),
            lower_limit: given.lower_limit.or(default.lower_limit),
            warm_start: given.warm_start.unwrap_or(default.warm_start),
            stages: given.stages.unwrap_or(default.stages),
            stage_iterations: given.stage_iterations.unwrap_or(default.stage_iterations),
            penalty: given.penalty.unwrap_or(default.penalty),
            growth: given.growth.unwrap_or(default.growth),
            steps: given.steps.unwrap_or(default.steps),
            inner_steps: given.inner_steps.unwrap_or(default.inner_steps),
            batch: given.batch.or(default.batch),
            accuracy: given.accuracy.unwrap_or(default.accuracy),
            first_step: given.first_step.or(default.first_step),
            accuracy_power: given.accuracy_power.or(default.accuracy_power),
            step_power: given.step_power.unwrap_or(default.step_power),
            seed: default.seed,
        }
    }

    /// Looks at every setting, so that a slip is found even where a method makes no use of it.
    pub(super) fn check(&self) -> Result<(), String> {
        for (key, value) in [
            ("iterations", self.iterations),
            ("depth", self.depth),
            ("lower-limit", self.lower_limit.unwrap_or(1)),
            ("stages", self.stages),
            ("stage-iterations", self.stage_iterations),
            ("steps", self.steps),
            ("inner-steps", self.inner_steps),
            ("batch", self.batch.unwrap_or(1)),
        ] {
            if value == 0 {
                return Err(format!("{key} 0: expected at least 1"));
            }
        }
        for (key, value) in [
            ("rate", Some(self.rate)),
            ("step", self.step),
            ("tolerance", self.tolerance),
            ("penalty", Some(self.penalty)),
            ("growth", Some(self.growth)),
            ("accuracy", Some(self.accuracy)),
            ("first-step", self.first_step),
            ("accuracy-power", self.accuracy_power),
            ("step-power", Some(self.step_power)),
        ] {
            if let Some(v) = value
                && !(v.is_finite() && v > 0.0)
            {
                return Err(format!("{key} {v}: expected a positive number"));
            }
        }
        for (key, v) in [
            ("adam-eps", self.adam_eps),
            ("adam-eps-root", self.adam_eps_root),
        ] {
            if !(v.is_finite() && v >= 0.0) {
                return Err(format!("{key} {v}: expected a number from 0 on"));
            }
        }
        let (stages, each) = (self.stages, self.stage_iterations);
        match stages.checked_mul(each) {
            Some(_) => Ok(()),
            None => Err(format!(
                "stages {stages} of {each} stage-iterations: expected fewer than 2^{} in all",
                usize::BITS
            )),
        }
    }

    /// What suits the closed forms.
    fn small() -> Self {
        SolveSettings {
            reading: GivenReading::default(),
            iterations: 50,
            optimiser: OuterRule::Gd,
            rate: 0.1,
            adam_eps: 1e-8,
            adam_eps_root: 0.0,
            depth: 100,
            step: None,
            tolerance: None,
            lower_limit: None,
            warm_start: false,
            stages: 5,
            stage_iterations: 1000,
            penalty: 0.5,
            growth: 2.0,
            steps: 5000,
            inner_steps: 10,
            batch: None,
            accuracy: 0.1,
            first_step: None,
            accuracy_power: None,
            step_power: 0.75,
            seed: 0,
        }
    }

    /// Batches of this size unless another is given; whole objectives if neither is.
    pub(super) fn sampling(&self, otherwise: Option<usize>) -> Sampling {
        match self.batch.or(otherwise) {
            Some(batch) => Sampling::new(self.seed).batches(batch, batch),
            None => Sampling::whole().seeded(self.seed),
        }
    }
}
