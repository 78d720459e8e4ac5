//! Problems whose lower level has a part that is not smooth: the Lasso and its kin.

mod criteria;
mod group_lasso;
mod lasso;
mod logistic;
mod orthonormal;

pub use criteria::{ELASTIC_NET_CV, LASSO_CV, LASSO_SURE, elastic_net_cv, lasso_cv, lasso_sure};
pub use group_lasso::{GROUP_LASSO, group_lasso, group_lasso_on};
pub use lasso::{
    ELASTIC_NET, LASSO, WEIGHTED_LASSO, elastic_net, elastic_net_on, lasso, lasso_on,
    weighted_lasso, weighted_lasso_on,
};
pub use logistic::{SPARSE_LOGISTIC, sparse_logistic};
