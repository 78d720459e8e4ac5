//! Group Lasso and sparse-group Lasso.

use std::sync::Arc;

use autodiff::{Real, Var};

use super::{Need, OfX, Parameter, Part, ProximalMap, soft};

/// `Σ w_i |y_i| + Σ_g v_g ‖y_g‖`, without w the group Lasso.
struct Groups<T: Real> {
    groups: Vec<Vec<usize>>,
    weight: Option<OfX<T>>,
    group_weight: OfX<T>,
}

impl<T: Real> Part<T> {
    /// `h = Σ_g w_g ‖y_g‖` of groups of entries that do not overlap, with one weight for all groups
    /// or one for each. An entry in no group is free.
    ///
    /// Reference: M. Yuan and Y. Lin, Model selection and estimation in regression with grouped
    /// variables, Journal of the Royal Statistical Society B 68, 2006.
    pub fn group_lasso<W>(groups: Vec<Vec<usize>>, weight: W) -> Self
    where
        W: for<'r> Fn(Var<'r, T>) -> Var<'r, T> + Send + Sync + 'static,
    {
        Part(Arc::new(Groups {
            groups,
            weight: None,
            group_weight: Arc::new(weight),
        }))
    }

    /// `h = Σ w_i |y_i| + Σ_g v_g ‖y_g‖`: [`l1`](Part::l1) and [`group_lasso`](Part::group_lasso).
    ///
    /// Reference: N. Simon et al., A sparse-group Lasso, Journal of Computational and Graphical
    /// Statistics 22, 2013.
    pub fn sparse_group_lasso<W, V>(groups: Vec<Vec<usize>>, weight: W, group_weight: V) -> Self
    where
        W: for<'r> Fn(Var<'r, T>) -> Var<'r, T> + Send + Sync + 'static,
        V: for<'r> Fn(Var<'r, T>) -> Var<'r, T> + Send + Sync + 'static,
    {
        Part(Arc::new(Groups {
            groups,
            weight: Some(Arc::new(weight)),
            group_weight: Arc::new(group_weight),
        }))
    }
}

impl<T: Real> Groups<T> {
    /// The squares of the groups' norms: the groups side by side, filled up with a 0.
    fn squares<'r>(&self, y: Var<'r, T>) -> Var<'r, T> {
        let longest = self.groups.iter().map(Vec::len).max().unwrap_or(1);
        let filled = self.groups.iter().flat_map(|group| {
            let rest = std::iter::repeat_n(y.len(), longest - group.len());
            group.iter().copied().chain(rest)
        });
        let filled: Vec<usize> = filled.collect();
        let side_by_side = y.concat(&[y.scalar(T::zero())]).gather(&filled);
        let count = self.groups.len();
        let side_by_side = side_by_side.reshape(longest, count);
        side_by_side.square().sum_rows().reshape(count, 1)
    }
}

impl<T: Real> ProximalMap<T> for Groups<T> {
    fn name(&self) -> String {
        match self.weight {
            Some(_) => "sparse group lasso".into(),
            None => "group lasso".into(),
        }
    }

    /// Each group times `1 − t/‖z_g‖`, or 0 where that is negative.
    fn prox<'r>(&self, x: Var<'r, T>, z: Var<'r, T>, s: Var<'r, T>) -> Var<'r, T> {
        let z = match &self.weight {
            Some(weight) => soft(z, weight(x) * s),
            None => z,
        };
        let t = (self.group_weight)(x) * s;
        // The root of the larger square, since ‖z_g‖ has no derivative at 0; and never 0/0.
        let least = z.scalar(T::of(1e3 * f64::from(f32::MIN_POSITIVE)));
        let size = self.squares(z).max(t.square()).max(least).sqrt();
        // The share of a group, and 1 for an entry in none.
        let share = (-(t / size) + T::one()).concat(&[z.scalar(T::one())]);
        let mut of = vec![self.groups.len(); z.len()];
        for (g, group) in self.groups.iter().enumerate() {
            group.iter().for_each(|i| of[*i] = g);
        }
        z * share.gather(&of)
    }

    fn value<'r>(&self, x: Var<'r, T>, y: Var<'r, T>) -> Var<'r, T> {
        let sum = ((self.group_weight)(x) * self.squares(y).sqrt()).sum();
        match &self.weight {
            Some(weight) => sum + (weight(x) * y.abs()).sum(),
            None => sum,
        }
    }

    fn parameters<'r>(&self, x: Var<'r, T>, dim_y: usize) -> Vec<Parameter<'r, T>> {
        let groups = [1, self.groups.len()];
        let of_groups = Parameter::new(
            "weight of a group",
            (self.group_weight)(x),
            Need::Weight,
            &groups,
        );
        let of_entries = self
            .weight
            .iter()
            .map(|w| Parameter::new("weight of |y|", w(x), Need::Weight, &[1, dim_y]));
        [of_groups].into_iter().chain(of_entries).collect()
    }

    fn complaint(&self, dim_y: usize) -> Option<String> {
        if self.groups.is_empty() {
            return Some("0 groups: expected at least 1".to_owned());
        }
        let mut seen = vec![None; dim_y];
        for (g, group) in self.groups.iter().enumerate() {
            if group.is_empty() {
                return Some(format!("group {g} is empty: expected at least 1 entry"));
            }
            for i in group {
                match seen.get_mut(*i) {
                    None => {
                        return Some(format!("group {g} has entry {i}: expected below {dim_y}"));
                    }
                    Some(Some(other)) => {
                        return Some(format!(
                            "entry {i} is in groups {other} and {g}: expected one"
                        ));
                    }
                    Some(free) => *free = Some(g),
                }
            }
        }
        None
    }

    fn couples(&self) -> bool {
        false
    }
}
