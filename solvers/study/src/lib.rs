//! Studies of a bilevel problem, and a page of them.
//!
//! [`report`] lays out the page.

pub mod report;
