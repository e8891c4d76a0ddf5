//! The numbers of one request of a physical scenario that are known when it is decided.

use crate::units::{ServiceId, UserId};
use serde::{Deserialize, Serialize};

/// The radio link of a user in the present slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct UserLink {
    /// Bits per second from the device to the cell, the user's share of the time.
    pub uplink_bps: f64,
    /// Bits per second from the cell to the device, the user's share of the time.
    pub downlink_bps: f64,
    /// The part of the time in which the user's link is on the air, above 0, at most 1: those who ask at a cell take turns,
    /// and sensing takes its part.
    pub time_share: f64,
    /// Whether there is a line of sight.
    pub is_los: bool,
    /// Whether somebody stands in it.
    pub is_blocked: bool,
    /// How well the cell senses the user, 0 to 1.
    pub sensing_quality: f64,
}

/// All numbers that the price of a request depends on, beside those of the scenario.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RequestFacts {
    /// The user who asks.
    pub user: UserId,
    /// The class of the user's device.
    pub class: u32,
    /// The service that is asked for.
    pub service: ServiceId,
    /// Seconds since the slot began.
    pub arrival_s: f64,
    /// The user's link to the cell of the request.
    pub link: UserLink,
    /// Tokens of the new part of the prompt.
    pub new_tokens: f64,
    /// Tokens of the answer; in an observation those that are expected, for nobody knows before.
    pub output_tokens: f64,
    /// Tokens that the conversation has brought so far, both sides.
    pub said_tokens: f64,
    /// Tokens among them that the cloud still has; 0 in the first edition.
    pub cloud_tokens: f64,
    /// Tokens of context that the entry at the cell holds for this request; 0 where it is not resident.
    pub kept_tokens: f64,
    /// The tokens among them that are fresh, at most the window.
    pub fresh_tokens: f64,
    /// The batch that the request would be part of at the edge, itself included.
    pub edge_batch: u32,
    /// Seconds that the cell's GPUs have to work before the batch that the request would be part of.
    pub backlog_s: f64,
    /// Seconds until the entry's weights would be in GPU memory.
    pub load_s: f64,
    /// Seconds until the uplink of the cell is free; 0 in the first edition, where those who ask share it.
    pub air_s: f64,
    /// Slots since a perception result of this user last reached the cell; `None` where none ever did.
    pub twin_age_slots: Option<u32>,
}

impl RequestFacts {
    /// The numbers that do not depend on decisions.
    pub(crate) fn exogenous(&self) -> [f64; 8] {
        let UserLink { uplink_bps, downlink_bps, time_share, sensing_quality, .. } = self.link;
        [
            uplink_bps,
            downlink_bps,
            time_share,
            sensing_quality,
            self.arrival_s,
            self.new_tokens,
            self.output_tokens,
            self.said_tokens,
        ]
    }
}
