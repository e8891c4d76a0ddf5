//! Who asks for what, and when.

pub mod arrivals;
pub mod demand;
pub mod phased;
pub mod popularity;
pub mod trace;
pub(crate) mod users;
