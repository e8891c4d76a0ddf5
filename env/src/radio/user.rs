//! One user's radio: the state that is kept while the user asks for nothing, and what it becomes when the user asks.
//!
//! *Models.* A user who walks among cells. Nothing happens while the user is idle; the whole time is made up for at once.
//!
//! *Equation.* Those of [`mobility`](crate::radio::mobility), [`blockage`](crate::radio::blockage) and
//! [`large_scale`](crate::radio::`large_scale`), in this order: move for the time, change view, shadow and K for the metres moved. With
//! a time to trigger ([`association`](crate::radio::association)) first up to that long ago, then up to now.
//!
//! *Symbols.* None of its own.
//!
//! *Assumptions.* A link is drawn when its user first asks for something. Over a long idle time the view and the shadow of each
//! cell change by the length of the way, and the path loss is that of its end: the same in law as many short steps, up to what
//! the parts say. What is drawn depends on when the user asks, and so on exogenous times only.
//!
//! *Source.* Ours.

use crate::radio::RadioParameters;
use crate::radio::association::{Association, Candidate};
use crate::radio::large_scale::LinkState;
use crate::radio::mobility::{Motion, Position};
use crate::radio::path_loss::Separation;
use crate::units::{CellId, UserId};
use rand::Rng;
use serde::{Deserialize, Serialize};

/// A user who hands over to the cell left this many seconds before goes back.
const RETURN_S: f64 = 5.0;

/// The state of a user, links apart; 72 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct UserRadio {
    motion: Motion,
    /// The cell that served last.
    pub serving: CellId,
    #[serde(deserialize_with = "crate::kept::finite")]
    advanced_at_s: f64,
    /// Metres walked since it was first looked at; fading depends on it.
    #[serde(deserialize_with = "crate::kept::finite")]
    pub walked_m: f64,
    is_blocked: bool,
    /// The cell that was left at the last handover, and when.
    left: Option<(CellId, f32)>,
    /// Handovers back to a cell that was left a few seconds before.
    pub num_returns: u32,
}

/// A user's link to the cell that serves it, at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Connection {
    /// The cell that serves.
    pub cell: CellId,
    /// The cell that served before, where it was another.
    pub handover_from: Option<CellId>,
    /// Large-scale gain, linear, antennas included.
    pub gain: f64,
    /// Sum of the gains of all other cells, linear.
    pub gain_of_others: f64,
    /// Straight share of the power, K / (K + 1); 0 without a line of sight.
    pub straight_share: f64,
    /// Distance in space, m.
    pub distance_m: f64,
    /// Whether the view is clear.
    pub is_los: bool,
    /// Whether a passer-by is in the way.
    pub is_blocked: bool,
    /// Metres walked since the user last asked.
    pub moved_m: f64,
    /// Cells whose distance was outside the validity of the path loss.
    pub num_clamped: u32,
}

impl UserRadio {
    /// Whether it has ever been looked at.
    pub fn is_known(&self) -> bool {
        self.motion != Motion::Unknown
    }

    /// Where the user was when it last asked.
    pub fn position(&self) -> Position {
        self.motion.position()
    }

    /// Makes up for the time since the user was last looked at, up to `now_s`: move, then change the links. Returns the metres walked.
    fn pass_time(
        &mut self,
        links: &mut [LinkState],
        cells: &[Position],
        now_s: f64,
        rng: &mut impl Rng,
        parameters: &RadioParameters,
    ) -> f64 {
        let is_new = !self.is_known();
        let elapsed_s = (now_s - self.advanced_at_s).max(0.0);
        let moved_m = parameters.mobility.advance(&mut self.motion, now_s - elapsed_s, now_s, rng);
        self.advanced_at_s = now_s;
        self.walked_m += moved_m;
        if let Some(blockage) = &parameters.blockage {
            self.is_blocked =
                if is_new { blockage.draw(rng) } else { blockage.advance(self.is_blocked, elapsed_s, rng) };
        }
        let large_scale = &parameters.large_scale;
        let place = self.motion.position();
        let mut walk = large_scale.walk(moved_m);
        for (link, cell) in links.iter_mut().zip(cells) {
            let separation = large_scale.separation(place.distance_m(*cell));
            if is_new {
                *link = large_scale.draw(separation, rng);
            } else {
                large_scale.advance(link, &mut walk, separation, rng);
            }
        }
        moved_m
    }

    /// The large-scale gain of a link to a cell this far away, linear, antennas included.
    fn gain(&self, link: &LinkState, separation: Separation, parameters: &RadioParameters) -> f64 {
        let blockage = parameters.blockage.filter(|_| self.is_blocked);
        let antennas = parameters.link.antennas;
        let common = blockage.map_or(antennas, |blockage| antennas - blockage.loss);
        (common - parameters.large_scale.loss(link, separation)).to_linear()
    }

    /// Makes up for the time since the user last asked, up to `now_s`, and connects it. `cells` are the places of the base
    /// stations (one or more) and `links` what is remembered of each.
    pub fn advance(
        &mut self,
        links: &mut [LinkState],
        cells: &[Position],
        now_s: f64,
        rng: &mut impl Rng,
        parameters: &RadioParameters,
    ) -> Connection {
        let (is_new, rule) = (!self.is_known(), &parameters.association);
        let large_scale = &parameters.large_scale;
        let mut moved_m = 0.0;
        let is_watched = !is_new && rule.time_to_trigger_s > 0.0;
        if is_watched {
            let then_s = (now_s - rule.time_to_trigger_s).max(self.advanced_at_s);
            moved_m += self.pass_time(links, cells, then_s, rng, parameters);
            let place = self.motion.position();
            let gain = |link: &LinkState, cell: &Position| {
                self.gain(link, large_scale.separation(place.distance_m(*cell)), parameters)
            };
            let serving = self.serving.index();
            let serving_gain = gain(&links[serving], &cells[serving]);
            for (link, cell) in links.iter_mut().zip(cells) {
                link.was_better = rule.is_better(gain(link, cell), serving_gain);
            }
        }
        moved_m += self.pass_time(links, cells, now_s, rng, parameters);
        let place = self.motion.position();
        let mut strongest = Candidate { cell: CellId(0), gain: -1.0 };
        let mut serving = None;
        let (mut sum, mut num_clamped) = (0.0, 0);
        for (index, (link, cell)) in links.iter_mut().zip(cells).enumerate() {
            let separation = large_scale.separation(place.distance_m(*cell));
            let gain = self.gain(link, separation, parameters);
            num_clamped += u32::from(separation.is_clamped);
            sum += gain;
            let candidate = Candidate { cell: CellId::from_index(index), gain };
            let may_serve = std::mem::take(&mut link.was_better) || !is_watched;
            if !is_new && candidate.cell == self.serving {
                serving = Some(candidate);
            }
            if may_serve && gain > strongest.gain {
                strongest = candidate;
            }
        }
        let chosen = rule.choose(serving, strongest);
        let handover_from = (!is_new && chosen.cell != self.serving).then_some(self.serving);
        if handover_from.is_some() {
            let is_return = self
                .left
                .is_some_and(|(cell, at_s)| cell == chosen.cell && now_s - f64::from(at_s) <= RETURN_S);
            self.num_returns += u32::from(is_return);
            self.left = Some((self.serving, now_s as f32));
        }
        self.serving = chosen.cell;
        let link = &links[chosen.cell.index()];
        Connection {
            cell: chosen.cell,
            handover_from,
            gain: chosen.gain,
            gain_of_others: (sum - chosen.gain).max(0.0),
            straight_share: large_scale.straight_share(link),
            distance_m: large_scale.separation(place.distance_m(cells[chosen.cell.index()])).d3d_m,
            is_los: link.is_los,
            is_blocked: self.is_blocked,
            moved_m,
            num_clamped,
        }
    }
}

/// All users among all cells; nothing is drawn before a user first asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UserRadios {
    users: Vec<UserRadio>,
    links: Vec<LinkState>,
    num_cells: usize,
}

impl UserRadios {
    /// Users of whom nothing is known yet, at time 0.
    pub fn new(num_users: usize, num_cells: usize) -> Self {
        Self {
            users: vec![UserRadio::default(); num_users],
            links: vec![LinkState::default(); num_users * num_cells],
            num_cells,
        }
    }

    /// Whether there are as many users and cells as in another one.
    pub(crate) fn fits(&self, other: &Self) -> bool {
        (self.num_cells, self.links.len(), self.users.len())
            == (other.num_cells, other.links.len(), other.users.len())
            && self.users.iter().all(|user| user.serving.index() < self.num_cells)
    }

    /// How many users there are.
    pub fn num_users(&self) -> usize {
        self.users.len()
    }

    /// Metres that all users have walked, each since it was first looked at.
    pub fn walked_m(&self) -> f64 {
        self.users.iter().map(|user| user.walked_m).sum()
    }

    /// Handovers of all users back to a cell that was left at most 5 s before.
    pub fn num_returns(&self) -> u64 {
        self.users.iter().map(|user| u64::from(user.num_returns)).sum()
    }

    /// Forgets everything: another episode.
    pub fn reset(&mut self) {
        self.users.fill(UserRadio::default());
        self.links.fill(LinkState::default());
    }

    /// Forgets one user.
    pub fn forget(&mut self, user: UserId) {
        self.users[user.index()] = UserRadio::default();
        let from = user.index() * self.num_cells;
        self.links[from..from + self.num_cells].fill(LinkState::default());
    }

    /// A user as last looked at.
    pub fn user(&self, user: UserId) -> &UserRadio {
        &self.users[user.index()]
    }

    /// See [`UserRadio::advance`].
    pub fn advance(
        &mut self,
        user: UserId,
        cells: &[Position],
        now_s: f64,
        rng: &mut impl Rng,
        parameters: &RadioParameters,
    ) -> Connection {
        let from = user.index() * self.num_cells;
        let links = &mut self.links[from..from + self.num_cells];
        self.users[user.index()].advance(links, cells, now_s, rng, parameters)
    }

    /// Places of a generator (see [`stream_at`](crate::random::Seed::stream_at)) that the draws of a user in one slot take at
    /// most: for each look a few, and one for every four cells.
    pub fn places_per_slot(num_cells: usize, rule: &Association) -> u32 {
        let looks = if rule.time_to_trigger_s > 0.0 { 2 } else { 1 };
        looks * (2 + num_cells as u32 / 4)
    }

    /// Bytes that a user occupies while idle.
    pub fn bytes_per_user(num_cells: usize) -> usize {
        size_of::<UserRadio>() + num_cells * size_of::<LinkState>()
    }
}

#[cfg(test)]
mod tests;
