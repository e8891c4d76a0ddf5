//! Which recorded request asks for which service of a world.
//!
//! *Models.* A trace names models, or nothing; a world serves services 0..I. A [`TraceServicesConfig`] says which row asks for
//! which service. It looks at the training part only, so that no choice knows the test part, and it is a frozen function
//! of the trace: every part, run and policy sees the same requests.
//!
//! *Equation.* [`TraceServicesConfig::Drawn`]: row r in slot t asks for service `pi_e(k)`, with rank k (0 the most popular) the
//! least for which `u_r < F(k)`, `F(k)` the share of `1^-s + ... + (k+1)^-s` in the sum over all ranks, s the Zipf
//! exponent, `u_r` in [0, 1) draw r of one generator, and `pi_e` a random permutation for epoch
//! `e = floor(t / reshuffle_slots)` (0 without reshuffles). Rows and slots are counted over the whole trace, so a draw
//! depends on its row and slot alone.
//!
//! *Assumptions.* Drawn services carry the arrival process of the recording, not its popularity, which it does not have.
//!
//! *Source.* MODEL.md section 8, "Recorded requests".

use std::cmp::Reverse;

use rand::{Rng, SeedableRng, rngs::ChaCha8Rng};
use serde::{Deserialize, Serialize};

use super::{TimeSplit, Trace, TracePart};
use crate::csv::RecordingError;

/// The generator stream of the rows' draws; permutations use the number of their epoch.
const ROW_STREAM: u64 = u64::MAX;

/// `[workload.trace.services.*]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum TraceServicesConfig {
    /// The most requested models of the training part become the services, in that order; other requests are served
    /// elsewhere and do not appear.
    TopModels(TopModelsConfig),
    /// The trace names no models: each request's service is drawn once and for all from Zipf's law.
    Drawn(DrawnServicesConfig),
}

/// `[workload.trace.services.top_models]`: as many models as the scenario has services.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopModelsConfig {}

/// `[workload.trace.services.drawn]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrawnServicesConfig {
    /// Exponent of Zipf's law of popularity, at least 0.
    pub zipf_exponent: f64,
    /// The seed of the drawing; the same for every policy and every run.
    pub seed: u64,
    /// Slots after which the popularity ranks are dealt anew; they stay as they are when absent.
    pub reshuffle_slots: Option<u32>,
}

/// Returns the service of a request that names this model in this slot, `None` if it asks for none of ours. It is called for all
/// requests in order of time.
type ServiceOf = Box<dyn FnMut(Option<u32>, usize) -> Option<u32>>;

impl TraceServicesConfig {
    /// Returns the model of each of so many services, `None` where services are drawn, and which request asks for which service, for a trace
    /// that is cut into these slots.
    pub(super) fn apply(
        &self,
        num_services: u32,
        trace: &Trace,
        split: &TimeSplit,
    ) -> Result<(Vec<Option<u32>>, ServiceOf), RecordingError> {
        match self {
            Self::TopModels(_) => top_models(trace, split, num_services),
            Self::Drawn(config) => Ok((vec![None; num_services as usize], drawn(num_services, config))),
        }
    }
}

fn top_models(
    trace: &Trace,
    split: &TimeSplit,
    count: u32,
) -> Result<(Vec<Option<u32>>, ServiceOf), RecordingError> {
    let requests = trace.model_requests(trace.rows(split, TracePart::Train));
    let mut ranked: Vec<u32> =
        (0..).zip(&requests).filter(|(_, num)| **num > 0).map(|(model, _)| model).collect();
    let present = ranked.len();
    if present < count as usize {
        let hint = if requests.is_empty() { "; it names no models: draw services instead" } else { "" };
        return Err(too_few_models(count, present, hint));
    }
    // Stable, and models are numbered by their first appearance.
    ranked.sort_by_key(|model| Reverse(requests[*model as usize]));
    ranked.truncate(count as usize);
    let mut service_of = vec![None; requests.len()];
    for (service, model) in (0..).zip(&ranked) {
        service_of[*model as usize] = Some(service);
    }
    let models = ranked.into_iter().map(Some).collect();
    Ok((models, Box::new(move |model, _| service_of[model? as usize])))
}

/// The error of a recording whose training part has fewer models than there are services.
pub(in crate::workload) fn too_few_models(asked: u32, present: usize, hint: &str) -> RecordingError {
    RecordingError(format!(
        "{asked} models were asked for as services, but the training part of the recording names {present}; ask for at most {present}{hint}"
    ))
}

fn drawn(services: u32, config: &DrawnServicesConfig) -> ServiceOf {
    let DrawnServicesConfig { zipf_exponent, seed, reshuffle_slots } = *config;
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
    let (mut epochs, mut rows) = (ChaCha8Rng::from_seed(key), ChaCha8Rng::from_seed(key));
    rows.set_stream(ROW_STREAM);
    let (mut epoch, mut service_of_rank) = (None, Vec::new());
    Box::new(move |_, slot| {
        let now = reshuffle_slots.map_or(0, |slots| slot as u64 / u64::from(slots));
        if epoch.replace(now) != Some(now) {
            service_of_rank = permutation(services, now, &mut epochs);
        }
        let uniform = (rows.next_u64() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64);
        // The last share is exactly 1 and `uniform` is below it.
        Some(service_of_rank[cumulative.partition_point(|share| *share <= uniform)])
    })
}

/// A permutation that depends on the epoch alone (Fisher and Yates).
fn permutation(services: u32, epoch: u64, rng: &mut ChaCha8Rng) -> Vec<u32> {
    rng.set_stream(epoch);
    rng.set_word_pos(0);
    let mut service_of_rank: Vec<u32> = (0..services).collect();
    for last in (1..service_of_rank.len()).rev() {
        let other = (u128::from(rng.next_u64()) * (last as u128 + 1)) >> 64;
        service_of_rank.swap(last, other as usize);
    }
    service_of_rank
}
