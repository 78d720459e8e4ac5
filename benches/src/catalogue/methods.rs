//! The methods by name, with what they are unless given on each problem.

use std::sync::Arc;

use autodiff::Real;
use models::Task;
use solvers::Method;
use solvers::catalogue::{self, Entry, Place, Setting, Settings};

use super::settings::SolveSettings;
use super::subject;

/// The entry of this name, if there is one.
pub fn find(name: &str) -> Option<Entry<dyn Method<f64>>> {
    Some(Entry::find(catalogue::methods(), name)?.0)
}

/// Refuses a setting that the method of this name does not take; `shown` is how a setting is written
/// there. That there is no such method is told where it is made.
///
/// # Errors
/// With the settings that it takes: one line.
pub fn refuse_foreign(
    name: &str,
    settings: &Settings,
    shown: impl Fn(&Setting) -> String,
) -> Result<(), String> {
    match find(name) {
        Some(method) => settings.refuse_foreign("method", &[(name, method.accepts)], shown),
        None => Ok(()),
    }
}

/// Refuses a setting that changes nothing in a run by the method of this name, as `all` of its
/// settings are; see [`Settings::refuse_idle`].
///
/// # Errors
/// With the setting, and the one it needs: one line.
pub fn refuse_idle(
    name: &str,
    given: &Settings,
    all: &Settings,
    shown: impl Fn(&Setting) -> String,
) -> Result<(), String> {
    match Entry::find(catalogue::methods::<f64>(), name) {
        Some((entry, rest)) => given.refuse_idle(all, &[(entry, name, rest)], shown),
        None => Ok(()),
    }
}

/// The keys of the settings of a method that change nothing as all of them are.
pub fn idle(name: &str, all: &Settings) -> Vec<&'static str> {
    match Entry::find(catalogue::methods::<f64>(), name) {
        Some((entry, rest)) => {
            let idle = all.idle(all, &[(entry, name, rest)]);
            idle.into_iter().map(|(setting, _)| setting.key).collect()
        }
        None => Vec::new(),
    }
}

/// The method of this name for a task.
///
/// # Errors
/// If there is none, or the settings do not fit it: one line.
pub fn method<T: Real>(
    name: &str,
    task: &Task<T>,
    settings: &SolveSettings,
) -> Result<Arc<dyn Method<T>>, String> {
    let place = subject(task).place(settings.seed);
    catalogue::method(name, &settings.method, &place)
}

/// Whether the method of this name draws batches where a problem has samples. What is wrong with its
/// settings is told where it is made.
pub fn draws(name: &str, settings: &SolveSettings) -> bool {
    let place = Place {
        // As many as any batch.
        samples: Some((1 << 30, 1 << 30)),
        seed: settings.seed,
        ..Place::default()
    };
    let method = catalogue::method::<f64>(name, &settings.method, &place);
    method.is_ok_and(|method| method.draws())
}

#[cfg(test)]
mod tests {
    use models::stability::ridge_prior;
    use solvers::catalogue::{Kind, OuterRule, SETTINGS, Value};

    use super::*;

    /// A value that no setting has here unless it is given.
    fn unusual(kind: Kind) -> Value {
        match kind {
            Kind::Count => Value::Count(7),
            Kind::Positive | Kind::FromZero => Value::Number(0.625),
            Kind::YesNo | Kind::Flag => Value::YesNo(true),
            Kind::Outer => Value::Outer(OuterRule::Adagrad),
            Kind::Inner => Value::Inner("momentum:0.5".parse().expect("a step")),
            Kind::Lower => Value::Lower("lbfgs".parse().expect("a solver")),
            Kind::Curvature => Value::Curvature("damped:0.5".parse().expect("a curvature")),
        }
    }

    #[test]
    fn what_a_method_takes_makes_another_method() {
        let task = ridge_prior::<f64>(100, 0, None);
        let adam = Settings {
            optimiser: Some(OuterRule::Adam),
            ..Settings::NONE
        };
        for named in catalogue::methods::<f64>() {
            let name = named.rows[0].name;
            let made = |given: Settings| {
                let settings = SolveSettings::of(task.name, name, given);
                let method = method(name, &task, &settings).expect("settings that fit");
                format!("{method:?}")
            };
            for setting in SETTINGS.iter().filter(|s| named.accepts.contains(&s.key)) {
                let mut given = adam.clone();
                given.set(setting.key, unusual(setting.kind));
                assert_ne!(made(given), made(adam.clone()), "{name}: {}", setting.key);
            }
        }
    }
}
