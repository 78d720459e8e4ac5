//! The settings: one line each.

use crate::inner::{InnerStep, StepLength};
use crate::lower::LowerRule;
use crate::lower_curvature::LowerCurvature;
use crate::optimiser::Optimiser;

use super::kinds::{Kind, OuterRule, Value};

/// The length of steps on y and on the linear system of methods of small steps, unless the problem or the
/// caller says another.
pub const SMALL_STEP: f64 = 0.3;

/// A setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its name in files; that on the command line has dashes.
    pub key: &'static str,
    /// What stands for its value in help.
    pub value: &'static str,
    /// What it is.
    pub help: &'static str,
    /// What it may be.
    pub kind: Kind,
}

impl Setting {
    /// Its name on the command line, without the dashes before it.
    pub fn flag(&self) -> String {
        self.key.replace('_', "-")
    }
}

/// A type of a setting as one of the values.
trait OfValue: Sized {
    fn of(value: Value) -> Option<Self>;
    fn value(self) -> Value;
}

macro_rules! of_value {
    ($($type:ty: $variant:ident),+) => {$(
        impl OfValue for $type {
            fn of(value: Value) -> Option<Self> {
                match value {
                    Value::$variant(v) => Some(v),
                    _ => None,
                }
            }

            fn value(self) -> Value {
                Value::$variant(self)
            }
        }
    )+};
}
of_value!(
    usize: Count, f64: Number, bool: YesNo, OuterRule: Outer, InnerStep: Inner, LowerRule: Lower,
    LowerCurvature: Curvature
);

macro_rules! settings {
    ($($key:ident: $type:ty, $kind:ident $value:literal $(= $default:expr)?, $help:literal;)+) => {
        /// The settings that strategies and methods are made of, each absent unless it is given.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct Settings {
            $(#[doc = $help] pub $key: Option<$type>,)+
        }

        /// Every setting, in the order of help and files.
        pub const SETTINGS: &[Setting] = &[$(Setting {
            key: stringify!($key),
            value: $value,
            help: $help,
            kind: Kind::$kind,
        },)+];

        // Of the types, that of steps alone is no `Copy`.
        #[allow(clippy::clone_on_copy)]
        impl Settings {
            /// None of them.
            pub const NONE: Settings = Settings { $($key: None,)+ };

            /// What they are where nobody says anything else; some are then left to what is made.
            pub const DEFAULT: Settings = Settings { $($key: settings!(@ $($default)?),)+ };

            $($(
                #[doc = concat!("`", stringify!($key), "`, or what it is unless given.")]
                pub fn $key(&self) -> $type {
                    self.$key.clone().unwrap_or($default)
                }
            )?)+

            /// These settings where given, else those of `other`.
            #[must_use]
            pub fn or(self, other: Settings) -> Settings {
                Settings { $($key: self.$key.or(other.$key),)+ }
            }

            /// The setting of this key, if there is one and it is given.
            pub fn get(&self, key: &str) -> Option<Value> {
                match key {
                    $(stringify!($key) => self.$key.clone().map(OfValue::value),)+
                    _ => None,
                }
            }

            /// Gives the setting of this key a value.
            ///
            /// # Panics
            /// If there is none of this key, or its value is another [`Kind`]'s.
            #[track_caller]
            pub fn set(&mut self, key: &str, value: Value) {
                match key {
                    $(stringify!($key) => {
                        self.$key = Some(OfValue::of(value).expect("a value of the setting's kind"));
                    })+
                    _ => panic!("no setting `{key}`"),
                }
            }
        }
    };
    (@) => { None };
    (@ $default:expr) => { Some($default) };
}

settings! {
    iterations: usize, Count "N" = 50,
        "Outer steps [default: 50, or what the problem says; 5000 of `gda` and of methods made of small \
         steps]";
    report_every: usize, Count "N" = 1,
        "Outer steps from one record to the next; the last step is recorded too [default: 1; 100 of \
         `gda` and of methods made of small steps]";
    optimiser: OuterRule, Outer "RULE" = OuterRule::Gd, "How x moves";
    rate: f64, Positive "RATE" = 0.1, "Step length of x";
    start_rate: f64, Positive "RATE",
        "Step length of the start of the lower level, which `iaptt` moves as it does x [default: that of x]";
    adam_eps: f64, FromZero "EPS" = 1e-8,
        "What `adam` and `adamw` of x add to the root of the mean of squares [default: 1e-8]";
    adam_eps_root: f64, FromZero "EPS" = 0.0, "What they add under that root [default: 0]";
    depth: usize, Count "K" = 100, "Steps of the lower level that are unrolled";
    step: f64, Positive "LENGTH",
        "Step length of the lower level, and of linear iterations that take steps [default: from \
         the curvature]";
    tolerance: f64, Positive "TOL",
        "Tolerance of implicit strategies: ‖∇_y g‖, and the linear system's relative residual \
         [default: 1e-10, 1e-5 in f32]";
    lower_limit: usize, Count "N",
        "The most iterations on the lower level [default: 200 of Newton's method, 20000 of others, \
         100000 steps of `aid-step`]";
    lower_solver: LowerRule, Lower "SOLVER",
        "What implicit strategies solve the lower level by: `newton`, `lbfgs` or `accelerated` \
         [default: newton]";
    curvature: LowerCurvature, Curvature "KIND",
        "The matrix of the linear system of implicit strategies: `exact`, `damped:DELTA` or \
         `gauss-newton[:DELTA]`, which bias it and say by how much [default: exact]";
    warm_start: bool, YesNo "true|false" = false,
        "Whether the lower level starts from the last y, and the linear system of an implicit method \
         from its last solution";
    stage_iterations: usize, Count "N" = 1000, "Outer steps before the penalty grows";
    ramp: usize, Count "N",
        "Outer steps over which the penalty grows [default: half of --iterations]";
    stages: usize, Count "N" = 5, "Powers of --growth that the penalty grows by over its ramp";
    penalty: f64, Positive "ALPHA" = 0.5, "First penalty, before it grows";
    growth: f64, Positive "TAU" = 2.0, "Factor that the penalty grows by";
    inner_steps: usize, Count "N" = 10,
        "Inner steps of an outer one: on y, on the linear system, or terms of a Neumann series";
    batch: usize, Count "N", "Samples in a mini-batch of each level";
    blocks: bool, YesNo "true|false" = false,
        "Whether mini-batches are of neighbours, in random order: faster where the data is larger than \
         the caches; sorted data is to be shuffled before";
    accuracy: f64, Positive "EPS" = 0.1, "First accuracy";
    first_step: f64, Positive "LENGTH", "First step length of x (from the curvature unless given)";
    accuracy_power: f64, Positive "P", "Power that accuracies fall with";
    step_power: f64, Positive "Q" = 0.75, "Power that step lengths of x fall with, in (0.5, 1]";
    inner: InnerStep, Inner "KIND" = InnerStep::GradientDescent,
        "Steps of the lower level: `gd`, `momentum:BETA`, `nesterov:BETA`, \
         `fista`, `adam[:RATE[:EPS[:EPS_ROOT]]]`, …, see `bilevel list`";
    same_iterate: bool, Flag "true|false" = false,
        "Let implicit strategies take the same --depth steps on the lower level as unrolled ones, \
         instead of solving it to the tolerance";
}

impl Settings {
    /// Refuses a setting that is given, where nothing of what is `chosen` takes it: names, and the
    /// keys that each takes. `shown` is how a setting is written there.
    ///
    /// # Errors
    /// With the setting, and those that are taken: one line.
    pub fn refuse_foreign<K: AsRef<[&'static str]>>(
        &self,
        kind: &str,
        chosen: &[(&str, K)],
        shown: impl Fn(&Setting) -> String,
    ) -> Result<(), String> {
        let taken = |s: &Setting| {
            chosen
                .iter()
                .any(|(_, keys)| keys.as_ref().contains(&s.key))
        };
        let foreign = |s: &&Setting| self.get(s.key).is_some() && !taken(s);
        let Some(foreign) = SETTINGS.iter().find(foreign) else {
            return Ok(());
        };
        let taken: Vec<String> = SETTINGS.iter().filter(|s| taken(s)).map(&shown).collect();
        let expected = match &taken[..] {
            [] => "none".to_owned(),
            taken => format!("one of {}", taken.join(", ")),
        };
        let who = match chosen {
            [(name, _)] => format!("{kind} `{name}` has no such setting"),
            _ => {
                let names: Vec<String> = chosen.iter().map(|(n, _)| format!("`{n}`")).collect();
                format!("none of {} has such a setting", names.join(", "))
            }
        };
        Err(format!("{}: {who}: expected {expected}", shown(foreign)))
    }

    /// How x moves.
    pub fn mover(&self) -> Optimiser {
        self.mover_at(self.rate())
    }

    /// How the start of the lower level moves, where it does.
    pub fn start_mover(&self) -> Optimiser {
        self.mover_at(self.start_rate.unwrap_or(self.rate()))
    }

    fn mover_at(&self, rate: f64) -> Optimiser {
        let adam = |decay| Optimiser::AdamWith {
            rate,
            decay,
            eps: self.adam_eps(),
            eps_root: self.adam_eps_root(),
        };
        match self.optimiser() {
            OuterRule::Gd => Optimiser::GradientDescent { rate },
            OuterRule::Momentum => Optimiser::Momentum {
                rate,
                momentum: 0.9,
            },
            OuterRule::Adagrad => Optimiser::Adagrad { rate },
            OuterRule::Adam => adam(0.0),
            OuterRule::AdamW => adam(0.01),
        }
    }

    /// The step length of the lower level.
    pub fn length(&self) -> StepLength {
        self.step.map_or(StepLength::Auto, StepLength::Fixed)
    }

    /// Keeps the settings that are among `keys`.
    #[must_use]
    pub fn only(&self, keys: &[&str]) -> Settings {
        let mut kept = Settings::NONE;
        for key in keys {
            if let Some(value) = self.get(key) {
                kept.set(key, value);
            }
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_read_or_answered_with_what_was_expected() {
        for (kind, text, want) in [
            (Kind::Count, "-3", "-3: expected at least 1"),
            (Kind::Count, "0", "0: expected at least 1"),
            (Kind::Count, "2.5", "2.5: expected a whole number"),
            (Kind::Count, "99999999999999999999", "expected at most"),
            (Kind::Positive, "nan", "NaN: expected a positive number"),
            (Kind::Positive, "0", "0: expected a positive number"),
            (Kind::Positive, "small", "small: expected a number"),
            (Kind::FromZero, "-1", "-1: expected a number from 0 on"),
            (Kind::YesNo, "maybe", "maybe: expected true or false"),
            (Kind::Outer, "sgd", "sgd: expected one of gd, momentum"),
            (Kind::Inner, "newton", "newton: expected one of `gd`"),
            (Kind::Lower, "gd", "gd: expected one of newton, lbfgs"),
            (Kind::Curvature, "damped", "damped: expected one of `exact`"),
            (
                Kind::Curvature,
                "damped:0",
                "damping 0: expected a positive",
            ),
        ] {
            let error = kind.read(text).expect_err(text);
            assert!(error.contains(want), "{error}");
        }
        assert_eq!(Kind::Count.read("7"), Ok(Value::Count(7)));
        assert_eq!(Kind::Count.read("1e3"), Ok(Value::Count(1000)));
        assert_eq!(Kind::Count.read("2.50e1"), Ok(Value::Count(25)));
        assert!(Kind::Count.read("1e30").is_err() && Kind::Count.read("1e-1").is_err());
        assert_eq!(Kind::FromZero.read("0"), Ok(Value::Number(0.0)));
        for (name, rule) in OuterRule::ALL {
            assert_eq!(Kind::Outer.read(name), Ok(Value::Outer(rule)));
            assert_eq!(rule.name(), name);
        }
    }

    #[test]
    fn what_is_given_goes_before_what_is_not() {
        let mut given = Settings::NONE;
        given.set("rate", Value::Number(0.3));
        assert_eq!((given.rate(), given.depth()), (0.3, 100));
        let all = given.clone().or(Settings::DEFAULT);
        assert_eq!(
            (all.rate, all.depth, all.step),
            (Some(0.3), Some(100), None)
        );
        assert_eq!(all.only(&["rate", "step"]), given);
    }

    #[test]
    fn what_nothing_takes_is_refused_with_what_is_taken() {
        let mut given = Settings::NONE;
        given.set("rate", Value::Number(0.3));
        given.set("first_step", Value::Number(0.3));
        let refuse = |chosen: &[(&str, &[&'static str])]| {
            given.refuse_foreign("method", chosen, |s| format!("--{}", s.flag()))
        };
        let (maid, gd) = (
            ("maid", &["first_step"][..]),
            ("gd", &["rate", "batch"][..]),
        );
        assert_eq!(refuse(&[gd, maid]), Ok(()));
        assert_eq!(
            refuse(&[maid]).unwrap_err(),
            "--rate: method `maid` has no such setting: expected one of --first-step"
        );
        assert_eq!(
            refuse(&[gd, gd]).unwrap_err(),
            "--first-step: none of `gd`, `gd` has such a setting: expected one of --rate, --batch"
        );
        let refused = refuse(&[("exact", &[])]).unwrap_err();
        assert!(refused.ends_with("expected none"), "{refused}");
    }

    #[test]
    fn a_default_may_be() {
        for setting in SETTINGS {
            if let Some(value) = Settings::DEFAULT.get(setting.key) {
                assert!(setting.kind.check(value).is_ok(), "{}", setting.key);
            }
        }
    }
}
