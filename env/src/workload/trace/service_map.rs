//! Which recorded request asks for which service of a world.
//!
//! *Models.* A trace names models, or nothing; a world serves services 0..I. A [`ServiceMap`] says which row asks for
//! which service. It looks at the training part only, so that no choice knows the test part, and it is a frozen function
//! of the trace: every part, run and policy sees the same requests.
//!
//! *Equation.* [`ServiceMap::Drawn`]: row r in slot t asks for service `pi_e(k)`, with rank k (0 the most popular) the
//! least for which `u_r < F(k)`, `F(k)` the share of `1^-s + ... + (k+1)^-s` in the sum over all ranks, s the Zipf
//! exponent, `u_r` in [0, 1) draw r of one generator, and `pi_e` a random permutation for epoch
//! `e = floor(t / reshuffle_slots)` (0 without reshuffles). Rows and slots are counted over the whole trace, so a draw
//! depends on its row and slot alone.
//!
//! *Assumptions.* Drawn services carry the arrival process of the recording, not its popularity, which it does not have.
//!
//! *Source.* MODEL.md section 8, "Recorded requests".

use rand::{Rng, SeedableRng, rngs::ChaCha8Rng};
use serde::{Deserialize, Serialize};

use super::{TimeSplit, Trace, TraceError, TracePart};

/// The most services that a map may have.
const MAX_SERVICES: u32 = 1 << 16;
/// The generator stream of the rows' draws; permutations use the number of their epoch.
const ROW_STREAM: u64 = u64::MAX;
/// A draw of 64 bits takes two words of the generator.
const WORDS_PER_DRAW: u128 = 2;

/// Which request asks for which service.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ServiceMap {
    /// The most requested models of the training part become services, the most requested first, ties by first appearance.
    TopModels {
        /// Number of services, at least 1.
        count: u32,
    },
    /// Each request's service is drawn: for traces that name no models.
    Drawn {
        /// Number of services, 1 to 65,536.
        services: u32,
        /// How unequal popularity is, finite and at least 0; 0 makes services equally popular.
        zipf_exponent: f64,
        /// Chooses the draws; the same number gives the same requests to every part, run and policy.
        seed: u64,
        /// Slots after which popularity ranks are assigned anew, at least 1; `None`: never.
        reshuffle_slots: Option<u32>,
    },
}

/// What is known about a service of a replay.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ServiceInfo {
    /// The name of its model, or `drawn-0`, `drawn-1`, ...
    pub name: String,
    /// Its model in [`Trace::models`]; `None` for drawn services.
    pub model: Option<u32>,
    /// Recorded seconds to load its model, where the trace has them.
    pub load_s: Option<f64>,
}

/// A service map made ready to be asked row by row.
pub(super) enum Assignment {
    ByModel(Vec<Option<u32>>),
    Drawn(Box<Draws>),
}

pub(super) struct Draws {
    rows: ChaCha8Rng,
    /// Shares of the ranks up to and including each.
    cumulative: Vec<f64>,
    epochs: ChaCha8Rng,
    reshuffle_slots: Option<u32>,
    epoch: Option<u64>,
    service_of_rank: Vec<u32>,
}

impl Assignment {
    /// The services of a map, and the map made ready for a trace cut into these slots.
    pub(super) fn new(
        trace: &Trace,
        split: &TimeSplit,
        map: &ServiceMap,
    ) -> Result<(Vec<ServiceInfo>, Self), TraceError> {
        match *map {
            ServiceMap::TopModels { count } => Self::top_models(trace, split, count),
            ServiceMap::Drawn { services, zipf_exponent, seed, reshuffle_slots } => {
                Self::drawn(services, zipf_exponent, seed, reshuffle_slots)
            }
        }
    }

    fn top_models(
        trace: &Trace,
        split: &TimeSplit,
        count: u32,
    ) -> Result<(Vec<ServiceInfo>, Self), TraceError> {
        if count == 0 {
            return Err(bad_map("count", "0", "at least 1 model"));
        }
        let names = trace.models();
        // Requests and first row of each model in the training part.
        let mut use_of: Vec<(u64, usize)> = vec![(0, usize::MAX); names.len()];
        let train_end_us = split.slots(TracePart::Train).end as u64 * split.slot_us();
        let num_rows = trace.times_us().partition_point(|time_us| *time_us < train_end_us);
        for row in 0..num_rows {
            if let Some(model) = trace.model(row) {
                let (requests, first_row) = &mut use_of[model as usize];
                *requests += 1;
                *first_row = row.min(*first_row);
            }
        }
        let mut ranked: Vec<u32> =
            (0..use_of.len() as u32).filter(|model| use_of[*model as usize].0 > 0).collect();
        if ranked.len() < count as usize {
            let hint = if names.is_empty() { "; it names no models: draw services instead" } else { "" };
            return Err(TraceError::TooFewModels { asked: count, present: ranked.len() as u32, hint });
        }
        ranked.sort_by_key(|model| {
            let (requests, first_row) = use_of[*model as usize];
            (std::cmp::Reverse(requests), first_row)
        });
        ranked.truncate(count as usize);
        let mut service_of = vec![None; names.len()];
        let mut services = Vec::with_capacity(ranked.len());
        for (service, model) in ranked.into_iter().enumerate() {
            service_of[model as usize] = Some(service as u32);
            services.push(ServiceInfo {
                name: names[model as usize].to_owned(),
                model: Some(model),
                load_s: trace.load_s(model),
            });
        }
        Ok((services, Self::ByModel(service_of)))
    }

    fn drawn(
        services: u32,
        zipf_exponent: f64,
        seed: u64,
        reshuffle_slots: Option<u32>,
    ) -> Result<(Vec<ServiceInfo>, Self), TraceError> {
        if !(1..=MAX_SERVICES).contains(&services) {
            return Err(bad_map("services", &services.to_string(), "1 to 65536"));
        }
        if !(zipf_exponent.is_finite() && zipf_exponent >= 0.0) {
            return Err(bad_map("zipf_exponent", &zipf_exponent.to_string(), "a finite number, at least 0"));
        }
        if reshuffle_slots == Some(0) {
            return Err(bad_map("reshuffle_slots", "0", "at least 1 slot"));
        }
        let mut cumulative = Vec::with_capacity(services as usize);
        let mut sum = 0.0;
        for rank in 1..=services {
            // libm, so that the last bit is the same on every machine.
            sum += libm::pow(f64::from(rank), -zipf_exponent);
            cumulative.push(sum);
        }
        for share in &mut cumulative {
            *share /= sum;
        }
        let mut key = *b"........thoughtcache drawn rows1";
        key[..8].copy_from_slice(&seed.to_le_bytes());
        let (epochs, mut rows) = (ChaCha8Rng::from_seed(key), ChaCha8Rng::from_seed(key));
        rows.set_stream(ROW_STREAM);
        let draws = Draws {
            rows,
            cumulative,
            epochs,
            reshuffle_slots,
            epoch: None,
            service_of_rank: (0..services).collect(),
        };
        let services = (0..services)
            .map(|service| ServiceInfo { name: format!("drawn-{service}"), model: None, load_s: None })
            .collect();
        Ok((services, Self::Drawn(Box::new(draws))))
    }

    /// The service that a row asks for which names this model, `None` if it asks for none of ours.
    pub(super) fn service(&mut self, model: Option<u32>, row: u64, slot: usize) -> Option<u32> {
        match self {
            Self::ByModel(service_of) => model.and_then(|model| service_of[model as usize]),
            Self::Drawn(draws) => Some(draws.service(row, slot)),
        }
    }
}

impl Draws {
    fn service(&mut self, row: u64, slot: usize) -> u32 {
        let epoch = self.reshuffle_slots.map_or(0, |slots| slot as u64 / u64::from(slots));
        if self.epoch != Some(epoch) {
            self.epoch = Some(epoch);
            self.shuffle(epoch);
        }
        let word = u128::from(row) * WORDS_PER_DRAW;
        if self.rows.get_word_pos() != word {
            self.rows.set_word_pos(word);
        }
        let uniform = (self.rows.next_u64() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64);
        // The last share is exactly 1 and `uniform` is below it.
        let rank = self.cumulative.partition_point(|share| *share <= uniform);
        self.service_of_rank[rank]
    }

    /// A permutation that depends on the epoch alone (Fisher and Yates).
    fn shuffle(&mut self, epoch: u64) {
        self.epochs.set_stream(epoch);
        self.epochs.set_word_pos(0);
        for (rank, service) in self.service_of_rank.iter_mut().enumerate() {
            *service = rank as u32;
        }
        for last in (1..self.service_of_rank.len()).rev() {
            let other = (u128::from(self.epochs.next_u64()) * (last as u128 + 1)) >> 64;
            self.service_of_rank.swap(last, other as usize);
        }
    }
}

fn bad_map(key: &'static str, value: &str, expected: &'static str) -> TraceError {
    TraceError::BadServiceMap { key, value: value.to_string(), expected }
}
