//! Policies, learners, evaluation and statistics for the worlds of `thoughtcache-env`.

pub mod anchors;
pub mod bounds;
pub mod check;
pub mod checkpoint;
pub mod compare;
pub mod evaluate;
pub mod heuristics;
pub mod learn;
pub mod metrics;
pub mod net_policy;
pub mod policy;
pub mod stats;
pub mod tune;
