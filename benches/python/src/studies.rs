//! What is asked of a problem, each as the program does it.

use std::sync::Arc;

use autodiff::bytes::parse_bytes;
use nalgebra::DVector;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use solvers::catalogue::{Settings, strategy};
use solvers::{At, Itd, Strategy};
use study::compare::{self, AnyStrategy, DEFAULT, Reference};
use study::{Subject, memory};

use crate::arrays::{Scalar, array, vector};
use crate::errors::{Raised, config};
use crate::guard::computed;
use crate::held::Held;
use crate::records::{Kind, Records, plain};
use crate::room::fits;
use crate::settings::keyed;

/// The record of an estimate, the estimate, its vector and the inner variable.
pub(crate) type Estimated<'py> = (
    Bound<'py, PyDict>,
    Bound<'py, PyDict>,
    Bound<'py, PyAny>,
    Bound<'py, PyAny>,
);
pub(crate) fn bytes(text: &str) -> PyResult<usize> {
    parse_bytes(text).map_err(|e| config(format!("budget {e}")))
}

/// What is unrolled, for each depth.
pub(crate) fn unrolled(settings: Settings) -> impl Fn(usize) -> Itd + Send {
    move |depth| {
        let itd = Itd::reverse(depth).inner(settings.inner());
        match settings.step {
            Some(length) => itd.step(length),
            None => itd,
        }
    }
}

pub(crate) fn remembered<T: Scalar>(
    subject: &Subject<'_, T>,
    depths: &[usize],
    policies: Option<Vec<memory::Policy>>,
    unrolled: impl Fn(usize) -> Itd,
    budget: Option<usize>,
) -> PyResult<Records> {
    let policies = match policies {
        None => memory::Policy::default_for::<T>(subject.problem().dim_x(), &unrolled(1)),
        Some(given) => {
            for policy in &given {
                policy.check::<T>(&unrolled(1)).map_err(Raised::raised)?;
            }
            given
        }
    };
    let each = policies
        .iter()
        .flat_map(|p| depths.iter().map(move |d| (*p, *d)));
    let each: Vec<(memory::Policy, usize)> = each.collect();
    for (policy, depth) in &each {
        let itd = unrolled(*depth);
        let kept = policy.resolve(subject, &itd, budget);
        let name = kept.to_string();
        fits(&name, &itd.memory(kept), subject.problem())?;
    }
    let records = each
        .into_iter()
        .map(|(policy, depth)| memory::measure(subject, &unrolled(depth), depth, policy, budget));
    let records = records.collect::<Result<Vec<_>, _>>();
    Ok(Kind::Memory(records.map_err(Raised::raised)?).into())
}

pub(crate) fn hypergradient<'py, T: Scalar>(
    py: Python<'py>,
    held: &Arc<Held<T>>,
    name: String,
    settings: Settings,
    x: Option<Bound<'py, PyAny>>,
    start: Option<Bound<'py, PyAny>>,
) -> PyResult<Estimated<'py>> {
    let x = held.point(x.as_ref())?;
    let start: Option<DVector<T>> = start.as_ref().map(vector).transpose()?;
    if let Some(start) = &start {
        held.look_at("start", start.len(), held.bilevel.dim_y())?;
    }
    let chosen: AnyStrategy<T> = strategy(&name, &settings).map_err(config)?;
    compare::refuse_foreign(&[&name], &settings, keyed).map_err(config)?;
    fits(&name, &*chosen, &held.bilevel)?;
    let held = held.clone();
    let (record, mut estimate) = computed(py, held.calls(), move || {
        held.at(x, |subject| {
            let problem = subject.problem();
            let at = At::new(subject.x());
            let at = match &start {
                Some(start) => at.start(start),
                None => at,
            };
            let estimate = chosen.hypergradient_at(problem, at, &mut problem.workspace());
            let estimate = estimate.map_err(Raised::raised)?;
            Ok((
                compare::record(subject, &name, &estimate, None, false),
                estimate,
            ))
        })
    })?;
    let empty = || DVector::zeros(0);
    let h = std::mem::replace(&mut estimate.hypergradient, empty());
    let y = std::mem::replace(&mut estimate.y, empty());
    let (message, success) = (estimate.status.to_string(), estimate.status.is_success());
    let (record, estimate) = (plain(py, &record)?, plain(py, &estimate)?);
    estimate.set_item("message", message)?;
    estimate.set_item("success", success)?;
    Ok((
        record,
        estimate,
        array(py, h.as_slice()),
        array(py, y.as_slice()),
    ))
}

/// As `bilevel compare` on one problem: what is named must suit, what nobody named is left out where
/// it does not, or takes more than its share of the time.
pub(crate) fn compared<T: Scalar>(
    held: &Held<T>,
    x: Option<DVector<T>>,
    names: Option<Vec<String>>,
    settings: &Settings,
) -> PyResult<Records> {
    let unasked = names.is_none();
    let names = names.unwrap_or_else(|| DEFAULT.iter().map(|name| (*name).to_owned()).collect());
    let texts: Vec<&str> = names.iter().map(|name| name.trim()).collect();
    compare::refuse_foreign(&texts, settings, keyed).map_err(config)?;
    let dim_y = held.bilevel.dim_y();
    let mut chosen: Vec<(&str, AnyStrategy<T>)> = Vec::new();
    let mut rooms = Vec::new();
    for name in texts {
        let strategy: AnyStrategy<T> = strategy(name, settings).map_err(config)?;
        strategy.validate().map_err(Raised::raised)?;
        let room = strategy.room(dim_y);
        let dear = room.is_too_dense(dim_y) || room.is_dear(dim_y, settings.depth());
        let suits = strategy.suits(&held.bilevel);
        rooms.push((name, room));
        match unasked {
            true if dear || suits.is_err() => continue,
            _ => {
                suits.map_err(Raised::raised)?;
                fits(name, &*strategy, &held.bilevel)?;
            }
        }
        chosen.push((name, strategy));
    }
    let left_out = compare::left_out(rooms.into_iter().filter(|_| unasked), dim_y, settings);
    held.at(x, |subject| {
        let reference = Reference::of(subject, settings);
        let record = |(name, strategy): &(&str, AnyStrategy<T>)| {
            let estimate = compare::estimate(subject, strategy).map_err(Raised::raised)?;
            let mut record = compare::record(subject, name, &estimate, reference.as_ref(), true);
            record.left_out.clone_from(&left_out);
            Ok(record)
        };
        let records = chosen.iter().map(record).collect::<PyResult<Vec<_>>>()?;
        Ok(Kind::Compare(records).into())
    })
}
