//! Settings that are taken and change nothing as the others are.

use std::fmt::Debug;

use crate::inner::InnerStep;
use crate::lower::LowerRule;
use crate::lower_curvature::LowerCurvature;

use super::{Entry, Kind, OuterRule, Place, SETTINGS, Setting, Settings, Value};

/// What settings are given to: an entry, the name it is called by, and what stands in the place of
/// capitals.
pub type Called<'n, S> = (Entry<S>, &'n str, &'n str);

impl Settings {
    /// The settings of these that change nothing of what is made of `all`, though it takes them;
    /// each with the setting it would change something under, if there is one.
    ///
    /// What is made with another value is compared by its `Debug` text, so no entry has to say which
    /// of its settings depend on which.
    pub fn idle<S: ?Sized + Debug>(
        &self,
        all: &Settings,
        called: &[Called<'_, S>],
    ) -> Vec<(&'static Setting, Option<(&'static Setting, Value)>)> {
        let given = SETTINGS.iter().filter(|s| self.get(s.key).is_some());
        let idle = given.filter_map(|setting| {
            let takes = |entry: &Entry<S>| entry.accepts.contains(&setting.key);
            let takers: Vec<_> = called.iter().filter(|(entry, ..)| takes(entry)).collect();
            let heeded = |all: &Settings| takers.iter().any(|of| heeds(of, setting, all));
            if takers.is_empty() || heeded(all) {
                return None;
            }
            let under = choices().find(|(other, value)| {
                let mut all = all.clone();
                all.set(other.key, value.clone());
                heeded(&all)
            });
            Some((setting, under))
        });
        idle.collect()
    }

    /// Refuses a setting that is [idle](Settings::idle); `shown` is how a setting is written there.
    ///
    /// # Errors
    /// With the setting, and the one it needs: one line.
    pub fn refuse_idle<S: ?Sized + Debug>(
        &self,
        all: &Settings,
        called: &[Called<'_, S>],
        shown: impl Fn(&Setting) -> String,
    ) -> Result<(), String> {
        let idle = self.idle(all, called);
        let Some((setting, under)) = idle.first() else {
            return Ok(());
        };
        let takers = called
            .iter()
            .filter(|(entry, ..)| entry.accepts.contains(&setting.key));
        let names: Vec<String> = takers.map(|(_, name, _)| format!("`{name}`")).collect();
        let expected = match under {
            None => "expected none".to_owned(),
            Some((other, Value::YesNo(true))) => format!("expected with {}", shown(other)),
            Some((other, Value::YesNo(false))) => format!("expected without {}", shown(other)),
            Some((other, Value::Outer(rule))) => {
                format!("expected with {} {}", shown(other), rule.name())
            }
            Some((other, _)) => format!("expected with another {}", shown(other)),
        };
        let (setting, names) = (shown(setting), names.join(", "));
        Err(format!("{setting}: without effect on {names}: {expected}"))
    }
}

/// Whether what is made depends on a setting that is given.
fn heeds<S: ?Sized + Debug>(
    (entry, name, rest): &Called<'_, S>,
    setting: &Setting,
    all: &Settings,
) -> bool {
    let made = |all: &Settings| format!("{:?}", entry.make(name, rest, all, &Place::default()));
    let Some(value) = all.get(setting.key) else {
        return false;
    };
    let mut others = all.clone();
    others.set(setting.key, another(value));
    made(&others) != made(all)
}

/// A value of the same kind.
fn another(value: Value) -> Value {
    match value {
        Value::Count(1) => Value::Count(2),
        Value::Count(n) => Value::Count(n - 1),
        Value::Number(v) => Value::Number(if v == 0.0 { 1.0 } else { 0.75 * v }),
        Value::YesNo(b) => Value::YesNo(!b),
        Value::Outer(OuterRule::Gd) => Value::Outer(OuterRule::Adagrad),
        Value::Outer(_) => Value::Outer(OuterRule::Gd),
        Value::Inner(InnerStep::GradientDescent) => Value::Inner(InnerStep::Momentum(0.5)),
        Value::Inner(_) => Value::Inner(InnerStep::GradientDescent),
        Value::Lower(LowerRule::Newton) => Value::Lower(LowerRule::Lbfgs),
        Value::Lower(_) => Value::Lower(LowerRule::Newton),
        Value::Curvature(LowerCurvature::Exact) => Value::Curvature(LowerCurvature::Damped(1.0)),
        Value::Curvature(_) => Value::Curvature(LowerCurvature::Exact),
    }
}

/// What others may depend on: every choice among a few.
fn choices() -> impl Iterator<Item = (&'static Setting, Value)> {
    SETTINGS.iter().flat_map(|setting| {
        let values = match setting.kind {
            Kind::YesNo | Kind::Flag => [true, false].map(Value::YesNo).to_vec(),
            Kind::Outer => OuterRule::ALL.map(|(_, rule)| Value::Outer(rule)).to_vec(),
            _ => Vec::new(),
        };
        values.into_iter().map(move |value| (setting, value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{methods, strategies};

    #[test]
    fn what_changes_nothing_is_refused_with_what_it_needs() {
        let shown = |s: &Setting| format!("--{}", s.flag());
        let depth = Settings {
            depth: Some(7),
            ..Settings::NONE
        };
        let refuse = |names: &[&'static str], given: &Settings| {
            let called = names.iter().map(|name| {
                let (entry, rest) = Entry::find(strategies::<f64>(), name).expect("a strategy");
                (entry, *name, rest)
            });
            given.refuse_idle(given, &called.collect::<Vec<_>>(), shown)
        };
        let expected = "--depth: without effect on `aid-cg`: expected with --same-iterate";
        assert_eq!(refuse(&["aid-cg"], &depth), Err(expected.to_owned()));
        assert_eq!(refuse(&["aid-cg", "itd"], &depth), Ok(()));
        let same = Settings {
            same_iterate: Some(true),
            ..depth
        };
        assert_eq!(refuse(&["aid-cg"], &same), Ok(()));
        let expected = "--same-iterate: without effect on `itd`: expected none";
        assert_eq!(refuse(&["itd"], &same), Err(expected.to_owned()));
        let step = Settings {
            step: Some(0.1),
            ..Settings::NONE
        };
        assert_eq!(refuse(&["aid-neumann"], &step), Ok(()));
        assert!(refuse(&["aid-cg"], &step).is_err());
        let eps = Settings {
            adam_eps: Some(1e-8),
            ..Settings::NONE
        };
        let (entry, rest) = Entry::find(methods::<f64>(), "itd").expect("a method");
        let called = [(entry, "itd", rest)];
        let all = eps.clone().or(Settings::DEFAULT);
        let refused = eps.refuse_idle(&all, &called, shown);
        let expected = "--adam-eps: without effect on `itd`: expected with --optimiser adam";
        assert_eq!(refused, Err(expected.to_owned()));
        let all = Settings {
            optimiser: Some(OuterRule::AdamW),
            ..all
        };
        assert_eq!(eps.refuse_idle(&all, &called, shown), Ok(()));
    }

    #[test]
    fn another_value_is_another() {
        for n in [1, 2, 3, 100] {
            let Value::Count(other) = another(Value::Count(n)) else {
                panic!("a count");
            };
            assert!(other >= 1 && other != n, "{n}: {other}");
        }
    }
}
