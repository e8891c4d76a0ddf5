//! Policies, learners, evaluation and statistics for the worlds of `thoughtcache-env`.

pub mod net_policy;
pub mod anchors;
pub mod checkpoint;
pub mod learn;
pub mod policy;
pub mod compare;
pub mod evaluate;
pub mod metrics;
pub mod stats;
pub mod heuristics;
pub mod tune;
