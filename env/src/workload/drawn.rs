//! Requests that are drawn: an intensity for every popularity rank, and a process that turns intensities into requests.
//!
//! Models: three processes. *Poisson*: independent counts. *Renewal*: gaps of Gamma's or Weibull's law, one process for
//! every service and cell ([`super::renewal`]). *Modulated*: Poisson with an intensity that jumps, one chain for every cell
//! ([`super::modulated`]). A cycle of the day may multiply the intensities of each ([`super::diurnal`]).
//!
//! Poisson counts carry no time: their order is a permutation from the arrivals stream. Renewals carry times: requests come
//! in their order. The chain, like the ranking, draws from the popularity stream.

use super::diurnal::Diurnal;
use super::draw::Streams;
use super::modulated::ModulatedModel;
use super::popularity::{Ranking, zipf_intensities};
use super::renewal::{GapLaw, Renewal};
use super::sheet::Sheet;
use crate::units::CellId;
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_distr::{Distribution, Poisson};
use serde::{Deserialize, Serialize};

/// How requests come about.
#[derive(Clone, Debug, PartialEq)]
pub enum Process {
    /// Independent counts.
    Poisson,
    /// One gap after the other.
    Renewal(GapLaw),
    /// Independent counts, given the state of the cell.
    Modulated(ModulatedModel),
}

/// A validated law of requests.
#[derive(Clone, Debug, PartialEq)]
pub struct DrawnModel {
    /// How requests come about.
    pub process: Process,
    /// Mean requests per slot and cell by popularity rank, over a whole day.
    pub by_rank: Vec<f64>,
    /// Counts by rank, where intensities never change.
    constant: Option<Vec<Poisson<f64>>>,
    /// Slots between deals of the ranks.
    pub reshuffle_slots: Option<u32>,
    /// The cycle of the day.
    pub diurnal: Option<Diurnal>,
}

/// Everything that the coming requests depend on, beside the generators.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct DrawnState {
    pub(crate) ranking: Ranking,
    /// The time of day of slot 0, in periods.
    #[serde(deserialize_with = "crate::kept::finite")]
    day_phase: f64,
    /// By cell and service.
    renewals: Vec<Renewal>,
    /// By cell.
    states: Vec<u32>,
}

impl DrawnState {
    /// The state before the first episode.
    pub(crate) fn new(num_services: usize, reshuffle_slots: Option<u32>) -> Self {
        let ranking = Ranking::new(num_services, reshuffle_slots);
        Self { ranking, day_phase: 0.0, renewals: Vec::new(), states: Vec::new() }
    }
}

impl DrawnModel {
    /// Intensities under Zipf's law, `mean` requests per service and slot; the arguments have been validated.
    pub(crate) fn new(
        process: Process,
        services: usize,
        zipf_exponent: f64,
        mean: f64,
        reshuffle_slots: Option<u32>,
        diurnal: Option<Diurnal>,
    ) -> Self {
        let by_rank = zipf_intensities(services, zipf_exponent, mean);
        let is_constant = process == Process::Poisson && diurnal.is_none();
        let constant = is_constant.then(|| by_rank.iter().map(|&intensity| poisson(intensity)).collect());
        Self { process, by_rank, constant, reshuffle_slots, diurnal }
    }

    /// The state at the start of an episode: stationary.
    pub(crate) fn begin(&self, num_cells: u32, state: &mut DrawnState, streams: &mut Streams) {
        let Streams { arrivals: rng, popularity: popularity_rng } = streams;
        state.ranking.deal(popularity_rng);
        if self.diurnal.is_some() {
            state.day_phase = popularity_rng.random();
        }
        let cells = num_cells as usize;
        match &self.process {
            Process::Poisson => {}
            Process::Renewal(law) => {
                state.renewals.clear();
                state
                    .renewals
                    .extend((0..cells * self.by_rank.len()).map(|_| Renewal::stationary(*law, rng)));
            }
            Process::Modulated(model) => {
                state.states.clear();
                state.states.extend((0..cells).map(|_| model.first_state(popularity_rng)));
            }
        }
    }

    /// Draws a new future. The time of day and the length of a gap so far are facts. Nobody is told the ranking or the state of
    /// a cell: the one is drawn given the requests, the other as if nothing were known, which is less than could be inferred.
    pub(crate) fn redraw(&self, state: &mut DrawnState, streams: &mut Streams) {
        let Streams { arrivals: rng, popularity: popularity_rng } = streams;
        state.ranking.redraw(&self.by_rank, popularity_rng);
        match &self.process {
            Process::Poisson => {}
            Process::Renewal(law) => {
                state.renewals.iter_mut().for_each(|renewal| renewal.redraw(*law, rng));
            }
            Process::Modulated(model) => {
                state.states.fill_with(|| model.first_state(popularity_rng));
            }
        }
    }

    /// Whether a state has the ranks, processes and states that the `own` one has at so many cells.
    pub(crate) fn fits(&self, own: &DrawnState, state: &DrawnState, num_cells: u32) -> bool {
        let cells = num_cells as usize;
        let (renewals, states, kinds) = match &self.process {
            Process::Poisson => (0, 0, 0),
            Process::Renewal(_) => (cells * self.by_rank.len(), 0, 0),
            Process::Modulated(model) => (0, cells, model.num_states()),
        };
        state.ranking.is_alike(&own.ranking)
            && state.renewals.len() == renewals
            && state.states.len() == states
            && state.states.iter().all(|&of_cell| (of_cell as usize) < kinds)
    }

    /// Draws the requests of a slot.
    pub(crate) fn draw(
        &self,
        slot: u64,
        num_cells: u32,
        state: &mut DrawnState,
        streams: &mut Streams,
        sheet: &mut Sheet,
    ) {
        let Streams { arrivals: rng, popularity: popularity_rng } = streams;
        let DrawnState { ranking, day_phase, renewals, states } = state;
        ranking.drift(slot, popularity_rng);
        let Ranking { services: by_rank, asked, .. } = ranking;
        let day = self.diurnal.map_or(1.0, |diurnal| diurnal.factor(slot, *day_phase));
        for cell in (0..num_cells).map(CellId) {
            let mut factor = day;
            match &self.process {
                Process::Renewal(law) => {
                    let services = by_rank.len();
                    let of_cell = &mut renewals[cell.index() * services..][..services];
                    for (intensity, &service) in self.by_rank.iter().zip(&*by_rank) {
                        let span = intensity * factor;
                        if span > 0.0 {
                            let renewal = &mut of_cell[service.index()];
                            let count = &mut asked[service.index()];
                            renewal.pass(*law, span, rng, |at| {
                                *count = count.saturating_add(1);
                                sheet.note(at / span, service);
                            });
                        }
                    }
                    sheet.write_timed(cell);
                    continue;
                }
                Process::Modulated(model) => {
                    let of_cell = &mut states[cell.index()];
                    let (mean, next) = model.slot_factor(*of_cell, popularity_rng);
                    (factor, *of_cell) = (factor * mean, next);
                }
                Process::Poisson => {}
            }
            let first = sheet.batches.len();
            for (rank, &service) in by_rank.iter().enumerate() {
                let num_requests = match &self.constant {
                    Some(by_rank) => by_rank[rank].sample(rng),
                    None if self.by_rank[rank] * factor > 0.0 => {
                        poisson(self.by_rank[rank] * factor).sample(rng)
                    }
                    None => 0.0,
                };
                let count = &mut asked[service.index()];
                *count = count.saturating_add(num_requests as u32);
                sheet.write(cell, service, num_requests as u32);
            }
            sheet.batches[first..].shuffle(rng);
        }
    }
}

fn poisson(intensity: f64) -> Poisson<f64> {
    Poisson::new(intensity).expect("intensities are validated")
}

#[cfg(test)]
mod tests;
