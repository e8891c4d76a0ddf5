//! Where a request is served.
//!
//! Models: the rooms of S0's split agents. The abstract scenarios have two of them; a placement knows whether it needs the
//! service's entry to be resident at the cell, and nothing else about costs.

use serde::{Deserialize, Serialize};

/// Where all modules of a request run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Placement {
    /// At the cell's edge server; the service's entry has to be resident, or is loaded first.
    Edge,
    /// In the cloud, which holds every model.
    Cloud,
}

impl Placement {
    /// Whether the service's entry must be resident at the cell.
    pub const fn needs_residency(self) -> bool {
        matches!(self, Self::Edge)
    }

    /// The name in files and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Cloud => "cloud",
        }
    }
}
