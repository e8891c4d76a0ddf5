//! Language models: what they occupy, and how good their answers are.

pub mod quality;
