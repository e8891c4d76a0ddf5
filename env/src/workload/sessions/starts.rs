//! The starts of sessions: one process over all users.
//!
//! Models: the superposition of all users' starts, by the same families as single requests ([`crate::workload::drawn`]).
//! Which user starts is drawn for each: any as likely as the others, or by classes of users.

use crate::random::SimRng;
use crate::units::UserId;
use crate::workload::diurnal::Diurnal;
use crate::workload::draw::{self, Streams};
use crate::workload::drawn::Process;
use crate::workload::renewal::Renewal;
use rand::RngExt;
use rand_distr::{Distribution, Poisson};
use serde::{Deserialize, Serialize};

/// A validated law of starts.
#[derive(Clone, Debug, PartialEq)]
pub struct Starts {
    /// The family.
    pub process: Process,
    /// Mean starts of a slot.
    pub per_slot: f64,
    /// A cycle of the day.
    pub diurnal: Option<Diurnal>,
}

/// Everything that the coming starts depend on, beside the generators.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct StartsState {
    #[serde(deserialize_with = "crate::kept::finite")]
    day_phase: f64,
    renewal: Option<Renewal>,
    state: u32,
}

impl Starts {
    /// How many sessions start in a slot, where that has the same law in each.
    pub(crate) fn constant(&self) -> Option<Poisson<f64>> {
        let is_constant = self.process == Process::Poisson && self.diurnal.is_none();
        is_constant.then(|| Poisson::new(self.per_slot).ok()).flatten()
    }

    /// A process that has been running for ever.
    pub(crate) fn begin(&self, streams: &mut Streams) -> StartsState {
        let Streams { arrivals: rng, popularity: popularity_rng } = streams;
        let day_phase = self.diurnal.map_or(0.0, |_| popularity_rng.random());
        let (mut renewal, mut state) = (None, 0);
        match &self.process {
            Process::Poisson => {}
            Process::Renewal(law) => renewal = Some(Renewal::stationary(*law, rng)),
            Process::Modulated(model) => state = model.first_state(popularity_rng),
        }
        StartsState { day_phase, renewal, state }
    }

    /// Draws a new future. The state of a modulated process is drawn as if nothing were known of it.
    pub(crate) fn redraw(&self, state: &mut StartsState, streams: &mut Streams) {
        match (&self.process, &mut state.renewal) {
            (Process::Renewal(law), Some(renewal)) => renewal.redraw(*law, &mut streams.arrivals),
            (Process::Modulated(model), _) => state.state = model.first_state(&mut streams.popularity),
            _ => {}
        }
    }

    /// Whether a state is one of this law.
    pub(crate) fn fits(&self, state: &StartsState) -> bool {
        let num_states = match &self.process {
            Process::Modulated(model) => model.num_states(),
            Process::Poisson | Process::Renewal(_) => 1,
        };
        (state.state as usize) < num_states
    }

    /// The starts of a slot: their places in it, from 0 to 1, in any order.
    pub(crate) fn draw(
        &self,
        slot: u64,
        state: &mut StartsState,
        constant: Option<&Poisson<f64>>,
        streams: &mut Streams,
        places: &mut Vec<f64>,
    ) {
        let Streams { arrivals: rng, popularity: popularity_rng } = streams;
        places.clear();
        let day = self.diurnal.map_or(1.0, |diurnal| diurnal.factor(slot, state.day_phase));
        let intensity = self.per_slot * day;
        match (&self.process, &mut state.renewal) {
            (Process::Renewal(law), Some(renewal)) if intensity > 0.0 => {
                renewal.pass(*law, intensity, rng, |at| places.push((at / intensity).min(1.0)));
            }
            (Process::Modulated(model), _) => {
                let mut begun = 0.0;
                state.state = model.pass_slot(state.state, popularity_rng, |length, factor| {
                    for _ in 0..poisson(intensity * length * factor, rng) {
                        places.push(begun + length * rng.random::<f64>());
                    }
                    begun += length;
                });
            }
            (Process::Poisson, _) => {
                let count = match constant {
                    Some(law) => law.sample(rng) as u64,
                    None => poisson(intensity, rng),
                };
                places.extend((0..count).map(|_| rng.random::<f64>()));
            }
            (Process::Renewal(_), _) => {}
        }
    }
}

/// A Poisson count; 0 for a mean of 0.
pub(crate) fn poisson(mean: f64, rng: &mut SimRng) -> u64 {
    if mean > 0.0 { Poisson::new(mean).expect("means are validated").sample(rng) as u64 } else { 0 }
}

/// Users who are alike, numbered one after the other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UserClass {
    /// Their first number.
    pub first: u32,
    /// How many they are, at least 1.
    pub count: u32,
    /// The share of all starts that are theirs.
    pub start_share: f64,
}

/// Draws who starts a session; the shares of the classes sum to 1 but for rounding.
pub(crate) fn user(classes: &[UserClass], rng: &mut SimRng) -> UserId {
    let found = &classes[draw::weighted(classes.iter().map(|class| class.start_share), rng.random())];
    UserId(found.first + rng.random_range(0..found.count))
}
