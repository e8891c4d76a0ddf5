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

use super::draw::{self, Streams};
use super::drawn::{DrawnModel, DrawnState};
use super::phased::PhasedModel;
use super::rates::RatesModel;
use super::renewal::Renewal;
pub use super::sheet::Batch;
use super::sheet::Sheet;
use super::trace::{SlottedRequests, TracePart};
use crate::random::{Purpose, Seed, SimRng};
use crate::units::{CellId, ServiceId, UserId};
use rand::RngExt;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A validated source of requests.
#[derive(Clone, Debug)]
pub enum ArrivalModel {
    /// See the file's head.
    Drawn(DrawnModel),
    /// Training, validation and test part of a recording, in this order.
    Recorded(Arc<[SlottedRequests; 3]>),
    /// See the file's head.
    Rates(Arc<RatesModel>),
    /// See the file's head.
    Phased(PhasedModel),
    /// Conversations: the physical part of the world draws them.
    Sessions,
}

impl ArrivalModel {
    /// Slots of a part of the recording; `None` where nothing is recorded.
    fn recorded_slots(&self, part: TracePart) -> Option<u64> {
        match self {
            Self::Recorded(parts) => Some(parts[part as usize].num_slots() as u64),
            Self::Rates(model) => Some(model.split.slots(part).len() as u64),
            Self::Drawn(_) | Self::Phased(_) | Self::Sessions => None,
        }
    }
}

/// The fault of a state that is that of another source, or beyond the end of its own.
const OF_ANOTHER_SOURCE: &str = "its requests come from another source";

/// The place of an episode in a recording: the part, and the slot of it that is slot 0 of the episode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    part: usize,
    offset: u64,
}

impl Place {
    /// The place where an episode of a part with so many slots begins, and the length of the episode in slots. The test part
    /// is played as a whole.
    fn begin(purpose: Purpose, slots: u64, horizon_slots: u32, rng: &mut SimRng) -> (Self, u32) {
        let part = trace_part(purpose) as usize;
        if purpose == Purpose::Test {
            return (Self { part, offset: 0 }, slots as u32);
        }
        let horizon = u64::from(horizon_slots).min(slots);
        (Self { part, offset: rng.random_range(0..=slots - horizon) }, horizon as u32)
    }

    /// Whether it lies in a recording.
    fn lies_in(self, model: &ArrivalModel) -> bool {
        let part = TracePart::ALL.get(self.part);
        part.and_then(|part| model.recorded_slots(*part)).is_some_and(|slots| self.offset < slots)
    }

    /// The slot of the part that an episode plays; the part is a loop.
    fn slot(self, slot: u64, slots: usize) -> usize {
        ((self.offset + slot) % slots as u64) as usize
    }
}

/// The part of a recording that an episode of this purpose plays.
pub(crate) fn trace_part(purpose: Purpose) -> TracePart {
    match purpose {
        Purpose::Train => TracePart::Train,
        Purpose::Validate => TracePart::Validate,
        Purpose::Test => TracePart::Test,
    }
}

/// Everything that the coming requests of a source depend on, beside the generators.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum SourceState {
    Drawn(DrawnState),
    Recorded(Place),
    /// The place, and the processes of the clients: none before the first slot that is drawn.
    Rates(Place, Vec<Renewal>),
    /// The phase of the present slot, and the probability of each given the requests so far, up to a common factor.
    Phased(u32, Vec<f64>),
}

impl SourceState {
    /// The place in a recording, whose clients begin anew; `None` where nothing is recorded.
    fn begin_anew(&mut self) -> Option<&mut Place> {
        match self {
            Self::Recorded(place) => Some(place),
            Self::Rates(place, clients) => {
                clients.clear();
                Some(place)
            }
            Self::Drawn(_) | Self::Phased(..) => None,
        }
    }
}

/// Everything that the coming requests depend on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ArrivalsState {
    streams: Streams,
    source: SourceState,
}

/// The requests of a running episode.
#[derive(Clone, Debug)]
pub(crate) struct Arrivals {
    model: ArrivalModel,
    num_cells: u32,
    /// Of the same source as the model.
    state: ArrivalsState,
    /// The recorded users of the slot's requests, in the order of its batches; empty where none are recorded.
    users: Vec<UserId>,
    sheet: Sheet,
}

impl Arrivals {
    /// The requests of a source, before the first episode.
    ///
    /// # Panics
    /// For sessions, which the physical world draws.
    pub(crate) fn new(
        model: ArrivalModel,
        num_cells: u32,
        num_services: usize,
        is_per_request: bool,
    ) -> Self {
        let source = match &model {
            ArrivalModel::Drawn(model) => {
                SourceState::Drawn(DrawnState::new(num_services, model.reshuffle_slots))
            }
            ArrivalModel::Recorded(_) => SourceState::Recorded(Place::default()),
            ArrivalModel::Rates(_) => SourceState::Rates(Place::default(), Vec::new()),
            ArrivalModel::Phased(model) => SourceState::Phased(0, vec![1.0; model.num_phases()]),
            ArrivalModel::Sessions => unreachable!("the physical world draws sessions"),
        };
        Self {
            model,
            num_cells,
            state: ArrivalsState { streams: Streams::new(Seed::new(Purpose::Train, 0)), source },
            users: Vec::new(),
            sheet: Sheet::new(num_services, num_cells, is_per_request),
        }
    }

    /// Begins an episode; returns its length in slots: `horizon_slots`, unless the recording decides it.
    pub(crate) fn begin_episode(&mut self, seed: Seed, horizon_slots: u32) -> u32 {
        let ArrivalsState { streams, source } = &mut self.state;
        *streams = Streams::new(seed);
        match (&self.model, &mut *source) {
            (ArrivalModel::Drawn(model), SourceState::Drawn(state)) => {
                model.begin(self.num_cells, state, streams);
            }
            (ArrivalModel::Phased(model), SourceState::Phased(phase, belief)) => {
                *phase = model.first_phase(&mut streams.popularity);
                belief.fill(1.0);
            }
            _ => {}
        }
        let slots = self.model.recorded_slots(trace_part(seed.purpose));
        let (Some(slots), Some(place)) = (slots, source.begin_anew()) else { return horizon_slots };
        let (begin, horizon) = Place::begin(seed.purpose, slots, horizon_slots, &mut streams.popularity);
        *place = begin;
        horizon
    }

    /// Draws a new future: other counts, other deals of the ranks, other changes of the phase; and what nobody is told of the
    /// present, the ranking and the phase where it `hides_phase`, as likely as the requests so far make it. The future of a
    /// recording is taken from a random slot of its training part, for a policy must not know the requests that were recorded
    /// later.
    pub(crate) fn reseed_future(&mut self, seed: Seed, hides_phase: bool) {
        let ArrivalsState { streams, source } = &mut self.state;
        *streams = Streams::new(seed);
        match (&self.model, &mut *source) {
            (ArrivalModel::Drawn(model), SourceState::Drawn(state)) => model.redraw(state, streams),
            (ArrivalModel::Phased(_), SourceState::Phased(phase, belief)) if hides_phase => {
                let left = streams.popularity.random::<f64>() * belief.iter().sum::<f64>();
                *phase = draw::weighted(belief.iter().copied(), left) as u32;
            }
            _ => {}
        }
        let slots = self.model.recorded_slots(TracePart::Train);
        if let (Some(slots), Some(place)) = (slots, source.begin_anew()) {
            let offset = streams.popularity.random_range(0..slots);
            *place = Place { part: TracePart::Train as usize, offset };
        }
    }

    /// Draws who could have asked for a service, where users are recorded: the user of a request of the training part, the
    /// next for this service from a random place on.
    pub(crate) fn draw_user(&self, service: ServiceId, rng: &mut SimRng) -> Option<UserId> {
        let ArrivalModel::Recorded(parts) = &self.model else { return None };
        let part = &parts[TracePart::Train as usize];
        let slots = part.num_slots();
        let begin = rng.random_range(0..slots);
        (0..slots).map(|passed| (begin + passed) % slots).find_map(|slot| {
            let place = part.slot(slot).iter().position(|&asked| asked == service)?;
            part.slot_users(slot)?.get(place).copied()
        })
    }

    /// The state of this moment.
    pub(crate) fn state(&self) -> &ArrivalsState {
        &self.state
    }

    /// Whether no index of a state is out of bounds.
    ///
    /// # Errors
    /// When a number is out of range, or the state belongs to another source.
    pub(crate) fn check(&self, state: &ArrivalsState) -> Result<(), &'static str> {
        let fits = match (&self.model, &self.state.source, &state.source) {
            (ArrivalModel::Drawn(model), SourceState::Drawn(own), SourceState::Drawn(state)) => {
                model.fits(own, state, self.num_cells)
            }
            (model @ ArrivalModel::Recorded(_), _, SourceState::Recorded(place)) => place.lies_in(model),
            (source @ ArrivalModel::Rates(model), _, SourceState::Rates(place, clients)) => {
                place.lies_in(source) && [0, model.num_sources].contains(&clients.len())
            }
            (ArrivalModel::Phased(model), _, SourceState::Phased(phase, belief)) => {
                (*phase as usize) < model.num_phases()
                    && belief.len() == model.num_phases()
                    && belief.iter().all(|share| (0.0..=1.0).contains(share))
                    && belief.iter().sum::<f64>() > 0.0
            }
            _ => false,
        };
        if fits { Ok(()) } else { Err(OF_ANOTHER_SOURCE) }
    }

    /// Comes back to a state that fits.
    pub(crate) fn restore(&mut self, state: ArrivalsState) {
        self.state = state;
    }

    /// The recorded users of the slot that was drawn last, one a request in the order of its batches; `None` where users are
    /// not recorded.
    pub(crate) fn users(&self) -> Option<&[UserId]> {
        match &self.model {
            ArrivalModel::Recorded(parts) if parts[0].has_users() => Some(&self.users),
            _ => None,
        }
    }

    /// The phase of the present slot, where requests have phases.
    pub(crate) fn phase(&self) -> Option<u32> {
        if let SourceState::Phased(phase, _) = self.state.source { Some(phase) } else { None }
    }

    /// Puts the present slot into another phase; `false` where there is no such phase.
    pub(crate) fn set_phase(&mut self, phase: u32) -> bool {
        match &self.model {
            ArrivalModel::Phased(model) if (phase as usize) < model.num_phases() => {
                let mut belief = vec![0.0; model.num_phases()];
                belief[phase as usize] = 1.0;
                self.state.source = SourceState::Phased(phase, belief);
                true
            }
            _ => false,
        }
    }

    /// Draws the batches of a slot, in the order of decision.
    pub(crate) fn draw(&mut self, slot: u64) -> &[Batch] {
        self.sheet.batches.clear();
        let ArrivalsState { streams, source } = &mut self.state;
        match (&self.model, source) {
            (ArrivalModel::Drawn(model), SourceState::Drawn(state)) => {
                model.draw(slot, self.num_cells, state, streams, &mut self.sheet);
            }
            (ArrivalModel::Recorded(parts), SourceState::Recorded(place)) => {
                let part = &parts[place.part];
                let slot = place.slot(slot, part.num_slots());
                let requests = part.slot(slot).iter().copied();
                self.sheet.write_in_order(CellId(0), requests.clone());
                if let Some(recorded) = part.slot_users(slot) {
                    self.sheet.users_in_order(requests.zip(recorded.iter().copied()), &mut self.users);
                }
            }
            (ArrivalModel::Rates(model), SourceState::Rates(place, clients)) => {
                let part = TracePart::ALL[place.part];
                let slot = place.slot(slot, model.split.slots(part).len());
                model.draw(part, slot, clients, &mut streams.arrivals, &mut self.sheet);
                self.sheet.write_timed(CellId(0));
            }
            (ArrivalModel::Phased(model), SourceState::Phased(phase, belief)) => {
                if slot > 0 {
                    *phase = model.next_phase(*phase, &mut streams.popularity);
                }
                let service = model.request(*phase, &mut streams.arrivals);
                model.learn(belief, slot > 0, service);
                self.sheet.write(CellId(0), service, 1);
            }
            _ => unreachable!("{OF_ANOTHER_SOURCE}"),
        }
        &self.sheet.batches
    }

    /// The state of requests that are drawn.
    #[cfg(test)]
    pub(crate) fn drawn(&self) -> &DrawnState {
        let SourceState::Drawn(state) = &self.state.source else { panic!("requests are drawn") };
        state
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
        arrivals.begin_episode(Seed::new(Purpose::Test, 1).with_episode(episode), 1);
        let ranking = arrivals.drawn().ranking.services.clone();
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
        arrivals.begin_episode(Seed::new(Purpose::Test, 1), 1);
        let ranking = arrivals.drawn().ranking.services.clone();
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
