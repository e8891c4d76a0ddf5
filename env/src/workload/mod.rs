//! The requests: their users, services and times.

pub mod arrivals;
pub mod demand;
pub mod diurnal;
pub(crate) mod draw;
pub mod drawn;
pub(crate) mod lengths;
pub mod modulated;
pub mod phased;
pub mod popularity;
pub mod rates;
pub mod renewal;
pub mod sessions;
pub(crate) mod sheet;
pub mod trace;
pub mod users;
