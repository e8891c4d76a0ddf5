//! The learning view of the world: observations, actions, masks, rewards and ends.

pub mod spec;
pub mod api;
pub mod snapshot;
pub(crate) mod context_rows;
pub mod decision_env;
pub mod observation;
pub mod physical_rows;
pub mod space;
pub mod step_rows;
pub mod vec_env;
pub mod check;
