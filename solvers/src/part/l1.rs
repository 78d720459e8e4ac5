//! The ℓ₁ norm and the elastic net.

use std::sync::Arc;

use autodiff::{Real, Var};

use super::{Entrywise, Need, OfX, Parameter, Part, ProximalMap, soft};

/// `Σ w_i |y_i| + ½ Σ v_i y_i²`, without v the ℓ₁ norm.
struct ElasticNet<T: Real> {
    weight: OfX<T>,
    square: Option<OfX<T>>,
}

impl<T: Real> Part<T> {
    /// `h = Σ w_i |y_i|`: the Lasso's, with one weight for all entries or one for each.
    ///
    /// An entry at its threshold exactly is lost by the derivative.
    ///
    /// Reference: A. Beck and M. Teboulle, A fast iterative shrinkage-thresholding algorithm for
    /// linear inverse problems, SIAM Journal on Imaging Sciences 2(1), 2009, (1.4).
    pub fn l1<W>(weight: W) -> Self
    where
        W: for<'r> Fn(Var<'r, T>) -> Var<'r, T> + Send + Sync + 'static,
    {
        Part(Arc::new(ElasticNet {
            weight: Arc::new(weight),
            square: None,
        }))
    }

    /// `h = Σ w_i |y_i| + ½ Σ v_i y_i²`, with one weight of either kind for all entries or one for
    /// each.
    ///
    /// Reference: H. Zou and T. Hastie, Regularization and variable selection via the elastic net,
    /// Journal of the Royal Statistical Society B 67, 2005.
    pub fn elastic_net<W, V>(weight: W, square: V) -> Self
    where
        W: for<'r> Fn(Var<'r, T>) -> Var<'r, T> + Send + Sync + 'static,
        V: for<'r> Fn(Var<'r, T>) -> Var<'r, T> + Send + Sync + 'static,
    {
        Part(Arc::new(ElasticNet {
            weight: Arc::new(weight),
            square: Some(Arc::new(square)),
        }))
    }
}

impl<T: Real> ProximalMap<T> for ElasticNet<T> {
    fn name(&self) -> String {
        match self.square {
            Some(_) => "elastic net".into(),
            None => "l1".into(),
        }
    }

    fn prox<'r>(&self, x: Var<'r, T>, z: Var<'r, T>, s: Var<'r, T>) -> Var<'r, T> {
        let shrunk = soft(z, (self.weight)(x) * s);
        match &self.square {
            Some(square) => shrunk / (square(x) * s + T::one()),
            None => shrunk,
        }
    }

    fn value<'r>(&self, x: Var<'r, T>, y: Var<'r, T>) -> Var<'r, T> {
        let sum = ((self.weight)(x) * y.abs()).sum();
        match &self.square {
            Some(square) => sum + (square(x) * y.square()).sum() * T::of(0.5),
            None => sum,
        }
    }

    fn parameters<'r>(&self, x: Var<'r, T>, dim_y: usize) -> Vec<Parameter<'r, T>> {
        let weight = |w: &OfX<T>, what| Parameter::new(what, w(x), Need::Weight, &[1, dim_y]);
        let square = self
            .square
            .iter()
            .map(|v| weight(v, "weight of the squares"));
        [weight(&self.weight, "weight of |y|")]
            .into_iter()
            .chain(square)
            .collect()
    }

    fn entrywise(&self) -> Option<Entrywise> {
        Some(Entrywise {
            weight: Some(0),
            square: self.square.as_ref().map(|_| 1),
            ..Entrywise::default()
        })
    }

    fn couples(&self) -> bool {
        false
    }
}
