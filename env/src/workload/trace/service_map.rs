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

use std::cmp::Reverse;

use rand::{Rng, SeedableRng, rngs::ChaCha8Rng};

use super::{TimeSplit, Trace, TracePart};
use crate::csv::RecordingError;

/// The generator stream of the rows' draws; permutations use the number of their epoch.
const ROW_STREAM: u64 = u64::MAX;

/// Which request asks for which service.
#[derive(Clone, Copy, Debug, PartialEq)]
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

/// Returns the service of a request that names this model in this slot, `None` if it asks for none of ours. It is called for all
/// requests in order of time.
type ServiceOf = Box<dyn FnMut(Option<u32>, usize) -> Option<u32>>;

impl ServiceMap {
    /// Returns the model of each service, `None` where services are drawn, and which request asks for which service, for a trace
    /// that is cut into these slots.
    pub(super) fn apply(
        &self,
        trace: &Trace,
        split: &TimeSplit,
    ) -> Result<(Vec<Option<u32>>, ServiceOf), RecordingError> {
        match *self {
            Self::TopModels { count } => top_models(trace, split, count),
            Self::Drawn { services, zipf_exponent, seed, reshuffle_slots } => {
                let service_of = drawn(services, zipf_exponent, seed, reshuffle_slots);
                Ok((vec![None; services as usize], service_of))
            }
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

fn drawn(services: u32, zipf_exponent: f64, seed: u64, reshuffle_slots: Option<u32>) -> ServiceOf {
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
