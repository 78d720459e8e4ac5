//! Why two objectives are no bilevel problem.

/// Why two objectives are not a bilevel problem.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProblemError {
    /// A dimension is 0.
    #[error("the {level} variable has dimension 0: expected at least 1")]
    Empty {
        /// `"outer"` or `"inner"`.
        level: &'static str,
    },
    /// An objective's value is not a scalar.
    #[error("the {level} objective is a {shape}: expected a scalar")]
    NotScalar {
        /// `"upper"` or `"lower"`.
        level: &'static str,
        /// The shape found.
        shape: String,
    },
    /// An objective is a mean over no samples.
    #[error("the {level} objective is a mean over 0 samples: expected at least 1")]
    NoSamples {
        /// `"upper"` or `"lower"`.
        level: &'static str,
    },
    /// Levels of a problem with one lower level per sample differ in their samples.
    #[error("the upper objective has {upper} samples and the lower {lower}: expected the same")]
    SamplesDiffer {
        /// Samples of the upper objective.
        upper: usize,
        /// Samples of the lower objective.
        lower: usize,
    },
    /// The lower objective does not use y, so it has no minimiser to find.
    #[error("the lower objective does not depend on y")]
    NoLowerProblem,
    /// An objective was recorded for other dimensions.
    #[error(
        "the {level} objective takes x of {found_x} and y of {found_y} entries: expected {dim_x} and {dim_y}"
    )]
    Dimensions {
        /// `"upper"` or `"lower"`.
        level: &'static str,
        /// Entries of x the objective takes.
        found_x: usize,
        /// Entries of y the objective takes.
        found_y: usize,
        /// Entries of x of the problem.
        dim_x: usize,
        /// Entries of y of the problem.
        dim_y: usize,
    },
    /// A part of the lower level is none for this y.
    #[error("the part {part}: {reason}")]
    Part {
        /// Its name.
        part: String,
        /// What is wrong and what was expected.
        reason: String,
    },
    /// Constraints of the lower level are none for these x and y.
    #[error("the constraints: {reason}")]
    Constraints {
        /// What is wrong and what was expected.
        reason: String,
    },
    /// An objective takes a gradient inside, so it has no second derivatives here.
    #[error(
        "the {level} objective takes a gradient inside: its second derivatives are not available"
    )]
    NestedGradient {
        /// `"upper"` or `"lower"`.
        level: &'static str,
    },
}
