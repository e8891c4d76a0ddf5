//! Language models: what they occupy, how long they take, what that costs in energy, and how good their answers are.

pub mod catalogue;
pub mod cloud_cache;
pub mod inference;
pub mod fit;
pub mod flight;
pub mod loading;
pub mod queue;
pub mod energy;
pub mod quality;
