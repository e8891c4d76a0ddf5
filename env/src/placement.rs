//! The placements of a request: which of its modules runs where.
//!
//! Models: S0's split agents. A request passes three modules, and each of them runs on the user's device, at the cell's edge
//! server or in the cloud:
//!
//! | placement | perception / grounding / alignment | uplink carries | needs the entry resident at the cell |
//! |---|---|---|---|
//! | `device` | D / D / D | nothing | no |
//! | `split_edge_coarse`, `split_edge_fine` | D / E / D | features | yes |
//! | `edge` | E / E / E | raw sensor data | yes |
//! | `split_cloud_coarse`, `split_cloud_fine` | D / C / D | features, then backhaul | no |
//! | `cloud` | C / C / C | raw sensor data, then backhaul | no |
//!
//! Abstract scenarios have `edge` and `cloud`, whose costs are the scenario's; `pipeline` prices all of them stage by stage.
//!
//! Source: S0 arXiv 2401.07764; MODEL 6.

pub mod pipeline;
pub mod request;

use serde::{Deserialize, Serialize};

/// Where the modules of a request run. Variants are appended, never moved: their order is that of snapshots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Placement {
    /// At the cell's edge server; the service's entry has to be resident, or is loaded first.
    Edge,
    /// In the cloud, which holds every model.
    Cloud,
    /// On the user's device, with the small model that it carries.
    Device,
    /// Perception and alignment on the device, grounding at the edge, from few features.
    SplitEdgeCoarse,
    /// Perception and alignment on the device, grounding at the edge, from many features.
    SplitEdgeFine,
    /// Perception and alignment on the device, grounding in the cloud, from few features.
    SplitCloudCoarse,
    /// Perception and alignment on the device, grounding in the cloud, from many features.
    SplitCloudFine,
}

/// Where a module can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Site {
    /// The user's device.
    Device,
    /// The cell's edge server.
    Edge,
    /// The cloud.
    Cloud,
}

/// Where each of the three modules runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sites {
    /// Sensor data becomes features.
    pub perception: Site,
    /// Features, context and the question become an answer: the language model.
    pub grounding: Site,
    /// The answer is checked against what the user wants.
    pub alignment: Site,
}

/// The part of a request's sensor data that goes over the uplink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// Nothing: the request stays on the device.
    Nothing,
    /// All of it.
    Raw,
    /// Few features.
    Coarse,
    /// Many features.
    Fine,
}

impl Placement {
    /// All placements, from the device to the cloud.
    pub const ALL: [Self; 7] = [
        Self::Device,
        Self::SplitEdgeCoarse,
        Self::SplitEdgeFine,
        Self::Edge,
        Self::SplitCloudCoarse,
        Self::SplitCloudFine,
        Self::Cloud,
    ];

    /// Its place in [`Self::ALL`]; where perception, grounding and alignment run; what goes over the uplink; its name.
    const fn row(self) -> (usize, [Site; 3], Payload, &'static str) {
        use Site::{Cloud, Device, Edge};
        match self {
            Self::Device => (0, [Device, Device, Device], Payload::Nothing, "device"),
            Self::SplitEdgeCoarse => (1, [Device, Edge, Device], Payload::Coarse, "split_edge_coarse"),
            Self::SplitEdgeFine => (2, [Device, Edge, Device], Payload::Fine, "split_edge_fine"),
            Self::Edge => (3, [Edge, Edge, Edge], Payload::Raw, "edge"),
            Self::SplitCloudCoarse => (4, [Device, Cloud, Device], Payload::Coarse, "split_cloud_coarse"),
            Self::SplitCloudFine => (5, [Device, Cloud, Device], Payload::Fine, "split_cloud_fine"),
            Self::Cloud => (6, [Cloud, Cloud, Cloud], Payload::Raw, "cloud"),
        }
    }

    /// Its place in [`Self::ALL`].
    pub const fn rank(self) -> usize {
        self.row().0
    }

    /// Whether the service's entry must be resident at the cell.
    pub const fn needs_residency(self) -> bool {
        matches!(self.sites().grounding, Site::Edge)
    }

    /// Where each module runs.
    pub const fn sites(self) -> Sites {
        let [perception, grounding, alignment] = self.row().1;
        Sites { perception, grounding, alignment }
    }

    /// The sensor data that goes over the uplink.
    pub const fn payload(self) -> Payload {
        self.row().2
    }

    /// Whether perception and grounding are apart, so that features travel.
    pub const fn is_split(self) -> bool {
        matches!(self.payload(), Payload::Coarse | Payload::Fine)
    }

    /// The name in files and tables.
    pub const fn name(self) -> &'static str {
        self.row().3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_files_and_old_ones_keep_their_place_in_snapshots() {
        for placement in Placement::ALL {
            let written = serde_json::to_string(&placement).unwrap();
            assert_eq!(written, format!("\"{}\"", placement.name()));
        }
        assert_eq!(postcard::to_allocvec(&Placement::Edge).unwrap(), [0]);
        assert_eq!(postcard::to_allocvec(&Placement::Cloud).unwrap(), [1]);
    }

    #[test]
    fn residency_is_needed_where_the_edge_grounds() {
        let resident = Placement::ALL.into_iter().filter(|placement| placement.needs_residency());
        let names: Vec<&str> = resident.map(Placement::name).collect();
        assert_eq!(names, ["split_edge_coarse", "split_edge_fine", "edge"]);
    }

    #[test]
    fn features_travel_where_perception_and_grounding_are_apart() {
        for placement in Placement::ALL {
            let sites = placement.sites();
            assert_eq!(placement.is_split(), sites.perception != sites.grounding, "{}", placement.name());
            assert_eq!(placement.payload() == Payload::Nothing, sites.grounding == Site::Device);
            assert_eq!(sites.perception, sites.alignment);
        }
    }
}
