//! Bounds of the entries.

use std::sync::Arc;

use autodiff::{Real, Var};

use super::{Entrywise, Need, OfX, Parameter, Part, ProximalMap};

/// `low ≤ y ≤ high`, either of which may be missing.
pub(super) struct Bounds<T: Real> {
    pub(super) low: Option<OfX<T>>,
    pub(super) high: Option<OfX<T>>,
}

impl<T: Real> Part<T> {
    /// The box `low ≤ y ≤ high`, with one bound of either kind for all entries or one for each. The
    /// dual of a support vector machine has 0 and C, with C of x.
    ///
    /// At a bound exactly the derivative is ½, as that of [`Var::max`].
    pub fn between<L, H>(low: L, high: H) -> Self
    where
        L: for<'r> Fn(Var<'r, T>) -> Var<'r, T> + Send + Sync + 'static,
        H: for<'r> Fn(Var<'r, T>) -> Var<'r, T> + Send + Sync + 'static,
    {
        Part(Arc::new(Bounds {
            low: Some(Arc::new(low)),
            high: Some(Arc::new(high)),
        }))
    }

    /// `low ≤ y`, as [`between`](Part::between).
    pub fn above<L>(low: L) -> Self
    where
        L: for<'r> Fn(Var<'r, T>) -> Var<'r, T> + Send + Sync + 'static,
    {
        Part(Arc::new(Bounds {
            low: Some(Arc::new(low)),
            high: None,
        }))
    }

    /// `y ≤ high`, as [`between`](Part::between).
    pub fn below<H>(high: H) -> Self
    where
        H: for<'r> Fn(Var<'r, T>) -> Var<'r, T> + Send + Sync + 'static,
    {
        Part(Arc::new(Bounds {
            low: None,
            high: Some(Arc::new(high)),
        }))
    }
}

impl<T: Real> ProximalMap<T> for Bounds<T> {
    fn name(&self) -> String {
        "box".into()
    }

    fn prox<'r>(&self, x: Var<'r, T>, z: Var<'r, T>, _: Var<'r, T>) -> Var<'r, T> {
        let above = match &self.low {
            Some(low) => z.max(low(x)),
            None => z,
        };
        match &self.high {
            Some(high) => above.min(high(x)),
            None => above,
        }
    }

    fn value<'r>(&self, _: Var<'r, T>, y: Var<'r, T>) -> Var<'r, T> {
        y.scalar(T::zero())
    }

    fn is_set(&self) -> bool {
        true
    }

    fn parameters<'r>(&self, x: Var<'r, T>, dim_y: usize) -> Vec<Parameter<'r, T>> {
        let lengths = [1, dim_y];
        let bounds = [("low", &self.low), ("high", &self.high)];
        let given = bounds.into_iter().filter_map(|(what, bound)| {
            let bound = bound.as_ref()?(x);
            Some(Parameter::new(what, bound, Need::Bound, &lengths))
        });
        let mut all: Vec<Parameter<'r, T>> = given.collect();
        if let [low, high] = &all[..]
            && low.fits()
            && high.fits()
        {
            let gap = high.of - low.of;
            all.push(Parameter::new("high − low", gap, Need::Gap, &lengths));
        }
        all
    }

    fn entrywise(&self) -> Option<Entrywise> {
        Some(Entrywise {
            low: self.low.as_ref().map(|_| 0),
            high: self.high.as_ref().map(|_| usize::from(self.low.is_some())),
            ..Entrywise::default()
        })
    }

    fn couples(&self) -> bool {
        false
    }
}
