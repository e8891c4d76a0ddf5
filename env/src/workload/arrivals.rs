//! The requests of a slot: how many of each service, at which cell, in which order.
//!
//! Models: one of three sources. *Poisson*: independent counts per cell and service with the intensity of the service's
//! popularity rank; they carry no time, so their order is a permutation from the arrivals stream. *Recorded*: the requests
//! of a trace in order of first arrival; the recording is a loop, so that the world goes on after its last slot.
//! At granularity `request` every request is a batch of its own: the permutation is one of requests, and recorded requests
//! come in the order in which they arrived. *Phased*: one request a slot ([`super::phased`]).
//!
//! Nothing here depends on an action. Source: P1 arXiv 2403.05826 (Poisson, mean users/10).

use super::phased::PhasedModel;
use super::popularity::{Ranking, zipf_intensities};
use super::trace::{SlottedRequests, TracePart};
use crate::random::{Purpose, Seed, SimRng, Stream};
use crate::units::{CellId, ServiceId, UserId};
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_distr::{Distribution, Poisson};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What is decided at once: all requests of one service at one cell in one slot, or one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// Where they arrive.
    pub cell: CellId,
    /// What they ask for.
    pub service: ServiceId,
    /// How many they are, at least 1.
    pub num_requests: u32,
}

/// A validated source of requests.
#[derive(Clone, Debug)]
pub enum ArrivalModel {
    /// See the file's head.
    Poisson {
        /// Counts by popularity rank.
        by_rank: Vec<Poisson<f64>>,
        /// Slots between deals of the ranks.
        reshuffle_slots: Option<u32>,
    },
    /// See the file's head.
    Recorded {
        /// Training, validation and test part, in this order.
        parts: Arc<[SlottedRequests; 3]>,
        /// Slots of a training or validation episode.
        horizon_slots: u32,
    },
    /// See the file's head.
    Phased(PhasedModel),
}

/// What the coming requests depend on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ArrivalsState {
    rng: SimRng,
    popularity_rng: SimRng,
    ranking: Ranking,
    /// Recorded requests: the part that is played, and the slot of it that is slot 0 of the episode.
    part: usize,
    offset: u64,
    /// Phased requests: the phase of the present slot.
    phase: u32,
}

impl ArrivalModel {
    /// Poisson arrivals under Zipf's law; the arguments have been validated.
    pub(crate) fn poisson(services: usize, exponent: f64, mean: f64, reshuffle_slots: Option<u32>) -> Self {
        let by_rank = zipf_intensities(services, exponent, mean)
            .into_iter()
            .map(|intensity| Poisson::new(intensity).expect("intensities are validated"))
            .collect();
        Self::Poisson { by_rank, reshuffle_slots }
    }
}

/// Which part of a recording an episode of this purpose plays.
pub(crate) fn trace_part(purpose: Purpose) -> TracePart {
    match purpose {
        Purpose::Train => TracePart::Train,
        Purpose::Validate => TracePart::Validate,
        Purpose::Test => TracePart::Test,
    }
}

/// The requests of a running episode.
#[derive(Clone, Debug)]
pub(crate) struct Arrivals {
    model: ArrivalModel,
    num_cells: u32,
    is_per_request: bool,
    state: ArrivalsState,
    /// Room to count the requests of a slot; zero between slots.
    counts: Vec<u32>,
    batches: Vec<Batch>,
    /// The recorded users of the slot's requests, in the order of its batches; empty where none are recorded.
    users: Vec<UserId>,
}

impl Arrivals {
    pub(crate) fn new(
        model: ArrivalModel,
        num_cells: u32,
        num_services: usize,
        is_per_request: bool,
    ) -> Self {
        let seed = Seed::new(Purpose::Train, 0);
        let reshuffle_slots = match &model {
            ArrivalModel::Poisson { reshuffle_slots, .. } => *reshuffle_slots,
            ArrivalModel::Recorded { .. } | ArrivalModel::Phased(_) => None,
        };
        Self {
            model,
            num_cells,
            is_per_request,
            state: ArrivalsState {
                rng: seed.stream(Stream::Arrivals),
                popularity_rng: seed.stream(Stream::Popularity),
                ranking: Ranking::new(num_services, reshuffle_slots),
                part: 0,
                offset: 0,
                phase: 0,
            },
            counts: vec![0; num_services],
            batches: Vec::with_capacity(num_services * num_cells as usize),
            users: Vec::new(),
        }
    }

    /// Begins an episode; returns its length in slots where the recording decides it.
    pub(crate) fn begin_episode(&mut self, seed: Seed) -> Option<u32> {
        let state = &mut self.state;
        state.rng = seed.stream(Stream::Arrivals);
        state.popularity_rng = seed.stream(Stream::Popularity);
        match &self.model {
            ArrivalModel::Poisson { .. } => {
                state.ranking.deal(&mut state.popularity_rng);
                None
            }
            ArrivalModel::Recorded { parts, horizon_slots } => {
                state.part = trace_part(seed.purpose) as usize;
                let slots = parts[state.part].num_slots() as u64;
                if seed.purpose == Purpose::Test {
                    state.offset = 0;
                    return Some(slots as u32);
                }
                let horizon = u64::from(*horizon_slots).min(slots);
                state.offset = state.popularity_rng.random_range(0..=slots - horizon);
                Some(horizon as u32)
            }
            ArrivalModel::Phased(model) => {
                state.phase = model.first_phase(&mut state.popularity_rng);
                None
            }
        }
    }

    /// Draws the future anew: other counts, other deals of the ranks, other changes of the phase. The future of a recording
    /// is taken from a random slot of its training part, for what was recorded later is what a policy must not know.
    pub(crate) fn reseed_future(&mut self, seed: Seed) {
        let state = &mut self.state;
        state.rng = seed.stream(Stream::Arrivals);
        state.popularity_rng = seed.stream(Stream::Popularity);
        if let ArrivalModel::Recorded { parts, .. } = &self.model {
            state.part = TracePart::Train as usize;
            let slots = parts[state.part].num_slots() as u64;
            state.offset = state.popularity_rng.random_range(0..slots);
        }
    }

    pub(crate) fn state(&self) -> &ArrivalsState {
        &self.state
    }

    /// Whether a state is one that these requests can be in.
    ///
    /// # Errors
    /// What is impossible about it.
    pub(crate) fn check(&self, state: &ArrivalsState) -> Result<(), String> {
        if !state.ranking.is_alike(&self.state.ranking) {
            return Err("its popularity ranks are not those of these services".into());
        }
        let (parts, phases) = match &self.model {
            ArrivalModel::Poisson { .. } => (None, 1),
            ArrivalModel::Recorded { parts, .. } => (Some(parts), 1),
            ArrivalModel::Phased(model) => (None, model.num_phases()),
        };
        if state.phase as usize >= phases {
            return Err(format!("it is in phase {} of {phases}, counted from 0", state.phase));
        }
        let slots = match (parts, state.part) {
            (Some(parts), part @ 0..3) => parts[part].num_slots() as u64,
            (None, 0) => 1,
            (_, part) => return Err(format!("it plays part {part} of its requests, which there is not")),
        };
        if state.offset >= slots {
            return Err(format!("it begins in slot {} of {slots}, counted from 0", state.offset));
        }
        Ok(())
    }

    /// Whether an episode can have so many slots, where `usual` are those of the scenario.
    pub(crate) fn is_horizon(&self, horizon_slots: u32, usual: u32) -> bool {
        let of_part = |parts: &[SlottedRequests; 3]| {
            let mut slots = parts.iter().map(|part| (part.part(), part.num_slots() as u64));
            slots.any(|(part, slots)| {
                let most = if part == TracePart::Test { slots } else { slots.min(u64::from(usual)) };
                most == u64::from(horizon_slots)
            })
        };
        match &self.model {
            ArrivalModel::Recorded { parts, .. } => horizon_slots == usual || of_part(parts),
            ArrivalModel::Poisson { .. } | ArrivalModel::Phased(_) => horizon_slots == usual,
        }
    }

    /// The recorded users of the slot that was drawn last, one a request in the order of its batches; `None` where users are
    /// not recorded.
    pub(crate) fn users(&self) -> Option<&[UserId]> {
        match &self.model {
            ArrivalModel::Recorded { parts, .. } if parts[0].has_users() => Some(&self.users),
            _ => None,
        }
    }

    /// The phase of the present slot, where requests have phases.
    pub(crate) fn phase(&self) -> Option<u32> {
        matches!(self.model, ArrivalModel::Phased(_)).then_some(self.state.phase)
    }

    /// Puts the present slot into another phase; `false` where there is no such phase.
    pub(crate) fn set_phase(&mut self, phase: u32) -> bool {
        let ArrivalModel::Phased(model) = &self.model else { return false };
        let exists = (phase as usize) < model.num_phases();
        if exists {
            self.state.phase = phase;
        }
        exists
    }

    /// Comes back to a state that fits.
    pub(crate) fn restore(&mut self, state: ArrivalsState) {
        self.state = state;
    }

    /// Draws the batches of a slot, in the order of decision.
    pub(crate) fn draw(&mut self, slot: u64) -> &[Batch] {
        self.batches.clear();
        let state = &mut self.state;
        match &self.model {
            ArrivalModel::Poisson { by_rank, .. } => {
                state.ranking.drift(slot, &mut state.popularity_rng);
                for cell in (0..self.num_cells).map(CellId) {
                    let first = self.batches.len();
                    for (distribution, &service) in by_rank.iter().zip(state.ranking.services()) {
                        let num_requests = distribution.sample(&mut state.rng) as u32;
                        if self.is_per_request {
                            let request = Batch { cell, service, num_requests: 1 };
                            self.batches.extend(std::iter::repeat_n(request, num_requests as usize));
                        } else if num_requests > 0 {
                            self.batches.push(Batch { cell, service, num_requests });
                        }
                    }
                    self.batches[first..].shuffle(&mut state.rng);
                }
            }
            ArrivalModel::Recorded { parts, .. } => {
                let part = &parts[state.part];
                let slot = (state.offset + slot) % part.num_slots() as u64;
                let requests = part.slot(slot as usize);
                let users = part.slot_users(slot as usize);
                if self.is_per_request {
                    self.users.clear();
                    self.users.extend(users.into_iter().flatten().map(UserId));
                    self.batches.extend(requests.map(|service| Batch {
                        cell: CellId(0),
                        service: ServiceId(service),
                        num_requests: 1,
                    }));
                    return &self.batches;
                }
                for service in requests.clone() {
                    self.counts[service as usize] += 1;
                }
                let all = requests.clone();
                for service in requests {
                    let num_requests = std::mem::take(&mut self.counts[service as usize]);
                    if num_requests > 0 {
                        self.batches.push(Batch {
                            cell: CellId(0),
                            service: ServiceId(service),
                            num_requests,
                        });
                    }
                }
                if let Some(users) = users {
                    by_batch(&self.batches, all.zip(users), &mut self.counts, &mut self.users);
                }
            }
            ArrivalModel::Phased(model) => {
                if slot > 0 {
                    state.phase = model.next_phase(state.phase, &mut state.popularity_rng);
                }
                let service = model.request(state.phase, &mut state.rng);
                self.batches.push(Batch { cell: CellId(0), service, num_requests: 1 });
            }
        }
        &self.batches
    }
}

/// Puts the users of a slot's requests, which come as service and user in order of arrival, into the order of the slot's
/// batches, which are of different services; `places` has room for each service and is left at zero.
fn by_batch(
    batches: &[Batch],
    requests: impl Iterator<Item = (u32, u32)>,
    places: &mut [u32],
    users: &mut Vec<UserId>,
) {
    let mut next = 0;
    for batch in batches {
        places[batch.service.index()] = next;
        next += batch.num_requests;
    }
    users.clear();
    users.resize(next as usize, UserId::ALL);
    for (service, user) in requests {
        let place = &mut places[service as usize];
        users[*place as usize] = UserId(user);
        *place += 1;
    }
    for batch in batches {
        places[batch.service.index()] = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICES: usize = 3;
    const SLOTS: u64 = 20_000;

    /// The batches of many slots of one episode, at two cells, with 18/11, 9/11 and 6/11 requests a slot by rank.
    fn draw(episode: u64) -> (Vec<ServiceId>, Vec<Vec<Batch>>) {
        let model = ArrivalModel::poisson(SERVICES, 1.0, 1.0, None);
        let mut arrivals = Arrivals::new(model, 2, SERVICES, false);
        arrivals.begin_episode(Seed::new(Purpose::Test, 1).with_episode(episode));
        let ranking = arrivals.state.ranking.services().to_vec();
        (ranking, (0..SLOTS).map(|slot| arrivals.draw(slot).to_vec()).collect())
    }

    fn count(slot: &[Batch], cell: CellId, service: ServiceId) -> f64 {
        let batch = slot.iter().find(|batch| batch.cell == cell && batch.service == service);
        batch.map_or(0.0, |batch| f64::from(batch.num_requests))
    }

    #[test]
    fn counts_have_the_mean_and_the_variance_of_their_rank_at_every_cell() {
        let (ranking, slots) = draw(0);
        for (cell, (rank, &service)) in
            (0..2).map(CellId).flat_map(|c| ranking.iter().enumerate().map(move |r| (c, r)))
        {
            let counts: Vec<f64> = slots.iter().map(|slot| count(slot, cell, service)).collect();
            let mean = counts.iter().sum::<f64>() / counts.len() as f64;
            let variance = counts.iter().map(|c| (c - mean).powi(2)).sum::<f64>() / counts.len() as f64;
            let expected = [18.0 / 11.0, 9.0 / 11.0, 6.0 / 11.0][rank];
            // Five standard errors: of the mean sqrt(m / n), of the variance about sqrt((2 m^2 + m) / n).
            let n = SLOTS as f64;
            assert!((mean - expected).abs() < 5.0 * (expected / n).sqrt(), "rank {rank}: mean {mean}");
            let error = ((2.0 * expected * expected + expected) / n).sqrt();
            assert!((variance - expected).abs() < 5.0 * error, "rank {rank}: variance {variance}");
        }
    }

    #[test]
    fn cells_come_by_id_and_the_order_within_a_cell_is_fair() {
        let (ranking, slots) = draw(0);
        let (popular, rare) = (ranking[0], ranking[2]);
        let (mut first, mut both) = (0.0, 0.0);
        for slot in &slots {
            assert!(slot.is_sorted_by_key(|batch| batch.cell), "cells by id");
            let place = |service| slot.iter().position(|b| b.cell == CellId(0) && b.service == service);
            if let (Some(popular), Some(rare)) = (place(popular), place(rare)) {
                both += 1.0;
                first += f64::from(u8::from(popular < rare));
            }
        }
        // A fair coin within five standard errors; order by rank or by id would give 1 or 0.
        assert!((first / both - 0.5_f64).abs() < 5.0 * (0.25_f64 / both).sqrt(), "{first} of {both}");
    }

    #[test]
    fn recorded_users_follow_the_batches_and_within_one_the_order_of_arrival() {
        let batch =
            |service, num_requests| Batch { cell: CellId(0), service: ServiceId(service), num_requests };
        // Arrived: 2 by user 7, 0 by 1, 2 by 3, 2 by 7.
        let (mut places, mut users) = (vec![0; SERVICES], vec![UserId(9)]);
        let requests = [(2, 7), (0, 1), (2, 3), (2, 7)];
        by_batch(&[batch(2, 3), batch(0, 1)], requests.into_iter(), &mut places, &mut users);
        assert_eq!(users, [7, 3, 7, 1].map(UserId));
        assert_eq!(places, [0; SERVICES], "ready for the next slot");
    }

    #[test]
    fn one_by_one_the_requests_of_a_cell_come_in_any_order() {
        let model = ArrivalModel::poisson(SERVICES, 1.0, 1.0, None);
        let mut arrivals = Arrivals::new(model, 2, SERVICES, true);
        arrivals.begin_episode(Seed::new(Purpose::Test, 1));
        let ranking = arrivals.state.ranking.services().to_vec();
        let (mut requests, mut apart, mut pairs) = (0.0, 0.0, 0.0);
        for slot in 0..SLOTS {
            let batches = arrivals.draw(slot);
            assert!(batches.is_sorted_by_key(|batch| batch.cell), "cells by id");
            assert!(batches.iter().all(|batch| batch.num_requests == 1));
            let cell: Vec<ServiceId> =
                batches.iter().filter(|batch| batch.cell == CellId(0)).map(|batch| batch.service).collect();
            requests += cell.len() as f64;
            let of = |service| cell.iter().filter(|&&s| s == service).count();
            if (of(ranking[0]), of(ranking[1]), of(ranking[2])) == (2, 1, 0) {
                pairs += 1.0;
                apart += f64::from(u8::from(cell[1] == ranking[1]));
            }
        }
        let n = SLOTS as f64;
        assert!((requests / n - 3.0_f64).abs() < 5.0 * (3.0_f64 / n).sqrt(), "{requests} requests");
        // Of two alike and a third, the third is in the middle once in three times; it never is where requests of one
        // service stay together.
        assert!(
            (apart / pairs - 1.0_f64 / 3.0).abs() < 5.0 * (2.0_f64 / 9.0 / pairs).sqrt(),
            "{apart} of {pairs}"
        );
    }

    #[test]
    fn another_episode_deals_other_ranks_and_other_requests() {
        let rankings: Vec<Vec<ServiceId>> = (0..12).map(|episode| draw(episode).0).collect();
        assert!(rankings.iter().any(|ranking| *ranking != rankings[0]));
        assert_ne!(draw(0).1, draw(1).1);
        assert_eq!(draw(3), draw(3));
    }
}
