//! The requests of a slot: how many of each service, at which cell, in which order.
//!
//! Models: one of four sources. *Drawn*: a process for every cell and service with the intensity of the service's
//! popularity rank ([`super::drawn`]). *Recorded*: the requests of a trace in order of first arrival; the recording is a
//! loop, so that the world goes on after its last slot. *Rates*: requests drawn at recorded rates ([`super::rates`]).
//! *Phased*: one request a slot ([`super::phased`]).
//! At granularity `request` every request is a batch of its own, in the order in which they arrived; counts that carry no
//! time come in any order.
//!
//! Nothing here depends on an action. Source: P1 arXiv 2403.05826 (Poisson, mean users/10).

use super::drawn::{DrawnModel, DrawnState};
use super::phased::PhasedModel;
use super::popularity::Ranking;
use super::rates::RatesModel;
use super::renewal::Renewal;
use super::sheet::Sheet;
use super::trace::{SlottedRequests, TracePart};
use crate::random::{Purpose, Seed, SimRng, Stream};
use crate::units::{CellId, ServiceId, UserId};
use rand::RngExt;
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
    Drawn(DrawnModel),
    /// See the file's head.
    Recorded {
        /// Training, validation and test part, in this order.
        parts: Arc<[SlottedRequests; 3]>,
        /// Slots of a training or validation episode.
        horizon_slots: u32,
    },
    /// See the file's head.
    Rates(Arc<RatesModel>),
    /// See the file's head.
    Phased(PhasedModel),
    /// Conversations: the physical part of the world draws them.
    Sessions,
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
    /// Drawn requests: what their process depends on.
    drawn: DrawnState,
    /// Recorded rates: the processes of the clients; none before the first slot that is drawn.
    clients: Vec<Renewal>,
}

impl ArrivalsState {
    /// Takes the place in a part of a recording where an episode begins; returns its slots.
    fn begin_recording(&mut self, seed: Seed, slots: u64, horizon_slots: u32) -> u32 {
        self.part = trace_part(seed.purpose) as usize;
        if seed.purpose == Purpose::Test {
            self.offset = 0;
            return slots as u32;
        }
        let horizon = u64::from(horizon_slots).min(slots);
        self.offset = self.popularity_rng.random_range(0..=slots - horizon);
        horizon as u32
    }

    /// Goes on from any slot of the training part.
    fn leave_for_training(&mut self, slots: usize) {
        self.part = TracePart::Train as usize;
        self.offset = self.popularity_rng.random_range(0..slots as u64);
    }
}

#[cfg(test)]
impl ArrivalsState {
    pub(crate) fn ranking(&self) -> &Ranking {
        &self.ranking
    }

    pub(crate) fn drawn(&self) -> &DrawnState {
        &self.drawn
    }

    pub(crate) fn drawn_mut(&mut self) -> &mut DrawnState {
        &mut self.drawn
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
    state: ArrivalsState,
    sheet: Sheet,
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
            ArrivalModel::Drawn(model) => model.reshuffle_slots(),
            ArrivalModel::Recorded { .. }
            | ArrivalModel::Rates(_)
            | ArrivalModel::Phased(_)
            | ArrivalModel::Sessions => None,
        };
        Self {
            model,
            num_cells,
            state: ArrivalsState {
                rng: seed.stream(Stream::Arrivals),
                popularity_rng: seed.stream(Stream::Popularity),
                ranking: Ranking::new(num_services, reshuffle_slots),
                part: 0,
                offset: 0,
                phase: 0,
                drawn: DrawnState::default(),
                clients: Vec::new(),
            },
            sheet: Sheet::new(num_services, num_cells, is_per_request),
            users: Vec::new(),
        }
    }

    /// Begins an episode; returns its length in slots where the recording decides it.
    pub(crate) fn begin_episode(&mut self, seed: Seed) -> Option<u32> {
        let state = &mut self.state;
        state.rng = seed.stream(Stream::Arrivals);
        state.popularity_rng = seed.stream(Stream::Popularity);
        match &self.model {
            ArrivalModel::Drawn(model) => {
                let ArrivalsState { rng, popularity_rng, ranking, drawn, .. } = state;
                ranking.deal(popularity_rng);
                model.begin(self.num_cells, drawn, rng, popularity_rng);
                None
            }
            ArrivalModel::Recorded { parts, horizon_slots } => {
                let slots = parts[trace_part(seed.purpose) as usize].num_slots();
                Some(state.begin_recording(seed, slots as u64, *horizon_slots))
            }
            ArrivalModel::Rates(model) => {
                state.clients.clear();
                let slots = model.split().slots(trace_part(seed.purpose)).len();
                Some(state.begin_recording(seed, slots as u64, model.horizon_slots()))
            }
            ArrivalModel::Phased(model) => {
                state.phase = model.first_phase(&mut state.popularity_rng);
                None
            }
            ArrivalModel::Sessions => None,
        }
    }

    /// Draws the future anew: other counts, other deals of the ranks, other changes of the phase. The future of a recording
    /// is taken from a random slot of its training part, for what was recorded later is what a policy must not know.
    pub(crate) fn reseed_future(&mut self, seed: Seed) {
        let state = &mut self.state;
        state.rng = seed.stream(Stream::Arrivals);
        state.popularity_rng = seed.stream(Stream::Popularity);
        match &self.model {
            ArrivalModel::Drawn(model) => model.redraw(&mut state.drawn, &mut state.rng),
            ArrivalModel::Recorded { parts, .. } => state.leave_for_training(parts[0].num_slots()),
            ArrivalModel::Rates(model) => {
                state.clients.clear();
                state.leave_for_training(model.split().slots(TracePart::Train).len());
            }
            ArrivalModel::Phased(_) | ArrivalModel::Sessions => {}
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
        let phases = self.phases();
        if state.phase as usize >= phases {
            return Err(format!("it is in phase {} of {phases}, counted from 0", state.phase));
        }
        let Some(&slots) = self.part_slots().get(state.part) else {
            return Err(format!("it plays part {} of its requests, which there is not", state.part));
        };
        if state.offset >= slots {
            return Err(format!("it begins in slot {} of {slots}, counted from 0", state.offset));
        }
        match &self.model {
            ArrivalModel::Drawn(model) => model.check(self.num_cells, &state.drawn),
            ArrivalModel::Rates(model)
                if !([0, model.num_sources()].contains(&state.clients.len())
                    && state.clients.iter().all(Renewal::is_possible)) =>
            {
                Err("its clients are others".into())
            }
            _ => Ok(()),
        }
    }

    /// How many phases there are; 1 where requests have none.
    fn phases(&self) -> usize {
        if let ArrivalModel::Phased(model) = &self.model { model.num_phases() } else { 1 }
    }

    /// Slots of each part in which an episode can begin; one part with one slot where nothing is recorded.
    fn part_slots(&self) -> Vec<u64> {
        match &self.model {
            ArrivalModel::Recorded { parts, .. } => {
                parts.iter().map(|part| part.num_slots() as u64).collect()
            }
            ArrivalModel::Rates(model) => {
                TracePart::ALL.iter().map(|&part| model.split().slots(part).len() as u64).collect()
            }
            _ => vec![1],
        }
    }

    /// Whether an episode can have so many slots, where `usual` are those of the scenario.
    pub(crate) fn is_horizon(&self, horizon_slots: u32, usual: u32) -> bool {
        let is_of_part = |(part, slots): (TracePart, u64)| {
            let most = if part == TracePart::Test { slots } else { slots.min(u64::from(usual)) };
            most == u64::from(horizon_slots)
        };
        let is_recorded = matches!(self.model, ArrivalModel::Recorded { .. } | ArrivalModel::Rates(_));
        horizon_slots == usual
            || (is_recorded && TracePart::ALL.into_iter().zip(self.part_slots()).any(is_of_part))
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
        self.sheet.clear();
        let ArrivalsState { rng, popularity_rng, ranking, drawn, part, offset, phase, clients } =
            &mut self.state;
        match &self.model {
            ArrivalModel::Sessions => {}
            ArrivalModel::Drawn(model) => {
                ranking.drift(slot, popularity_rng);
                let draws = (rng, popularity_rng);
                model.draw(slot, self.num_cells, (drawn, ranking), draws, &mut self.sheet);
            }
            ArrivalModel::Recorded { parts, .. } => {
                let part = &parts[*part];
                let slot = (*offset + slot) % part.num_slots() as u64;
                let requests = part.slot(slot as usize).map(ServiceId);
                self.sheet.write_in_order(CellId(0), requests.clone());
                if let Some(users) = part.slot_users(slot as usize) {
                    self.sheet.users_in_order(requests.zip(users.map(UserId)), &mut self.users);
                }
            }
            ArrivalModel::Rates(model) => {
                let part = TracePart::ALL[*part];
                let slot = (*offset + slot) % model.split().slots(part).len() as u64;
                model.draw(part, slot as usize, clients, rng, &mut self.sheet);
                self.sheet.write_timed(CellId(0));
            }
            ArrivalModel::Phased(model) => {
                if slot > 0 {
                    *phase = model.next_phase(*phase, popularity_rng);
                }
                let service = model.request(*phase, rng);
                self.sheet.write(CellId(0), service, 1);
            }
        }
        self.sheet.batches()
    }
}

#[cfg(test)]
mod tests {
    use super::super::drawn::Process;
    use super::*;

    const SERVICES: usize = 3;
    const SLOTS: u64 = 20_000;

    fn poisson() -> ArrivalModel {
        ArrivalModel::Drawn(DrawnModel::new(Process::Poisson, SERVICES, 1.0, 1.0, None, None))
    }

    /// The batches of many slots of one episode, at two cells, with 18/11, 9/11 and 6/11 requests a slot by rank.
    fn draw(episode: u64) -> (Vec<ServiceId>, Vec<Vec<Batch>>) {
        let model = poisson();
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
    fn one_by_one_the_requests_of_a_cell_come_in_any_order() {
        let model = poisson();
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
