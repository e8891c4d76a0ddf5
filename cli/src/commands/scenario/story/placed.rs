//! A request of a physical scenario: who asks from where, what there is to choose from, and the bill of what was chosen.

mod words;

use super::teller::tokens;
use super::{Cost, Tokens};
use serde::Serialize;
use thoughtcache_env::gym::api::Env;
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::llm::loading::Tier;
use thoughtcache_env::placement::Placement;
use thoughtcache_env::placement::pipeline::{Stage, StageBill};
use thoughtcache_env::radio::mobility::Position;
use thoughtcache_env::units::Decibel;
use thoughtcache_env::world::World;

/// See the [module](self).
#[derive(Debug, Serialize)]
pub(super) struct Placed {
    #[serde(flatten)]
    met: Met,
    placement: Placement,
    stages: Vec<StageRow>,
    /// Until the answer is complete.
    latency_s: f64,
    first_token_s: f64,
    token_s: f64,
    is_late: bool,
    joules: f64,
    device_joules: f64,
    money: f64,
    edge_gpu_s: f64,
    quality: f64,
    factors: Factors,
    /// The context of the user afterwards, where the request was served at the edge.
    #[serde(skip_serializing_if = "Option::is_none")]
    context_after: Option<Tokens>,
}

/// What is known before the decision, and how long the answer will be.
#[derive(Debug, Serialize)]
pub(super) struct Met {
    user: u32,
    device: String,
    /// Seconds since the slot began.
    arrival_s: f64,
    /// To the east and to the north.
    place_m: [f64; 2],
    /// From the foot of the base station.
    distance_m: f64,
    link: Link,
    /// What the link's rates are made of; absent where they are recorded ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    radio: Option<Radio>,
    modality: &'static str,
    sensor_bits: f64,
    deadline_s: f64,
    new_tokens: f64,
    said_tokens: f64,
    output_tokens: f64,
    expected_output_tokens: f64,
    is_resident: bool,
    /// Where the weights are.
    tier: Tier,
    /// Until the weights would be in GPU memory.
    load_s: f64,
    /// What loading them for so long takes.
    load_joules: f64,
    /// The user's context in the entry.
    context: Tokens,
    backlog_s: f64,
    batch: u32,
    twin_age_slots: Option<u32>,
    twin_factor: f64,
    options: Vec<Choice>,
    /// What a request adds to the context of its user.
    #[serde(skip)]
    grows: Tokens,
}

#[derive(Debug, Serialize)]
struct Link {
    uplink_bits_per_s: f64,
    downlink_bits_per_s: f64,
    is_los: bool,
    is_blocked: bool,
    sensing_quality: f64,
}

#[derive(Debug, Serialize)]
struct Radio {
    /// Path loss, shadow, passers-by, air and antennas.
    gain_db: f64,
    /// Signal over noise and interference, averaged over fading.
    downlink_sinr_db: f64,
    uplink_sinr_db: f64,
    /// Straight over scattered power; absent without a line of sight.
    #[serde(skip_serializing_if = "Option::is_none")]
    rician_k_db: Option<f64>,
    /// The part of the time in which the link is on the air.
    time_share: f64,
}

impl Radio {
    /// How the user of the pending request is connected.
    fn look(world: &World, time_share: f64) -> Option<Self> {
        let (connection, radio) = (world.connection()?, world.scenario().physical()?.radio());
        if radio.recorded_rates.is_some() {
            return None;
        }
        let db = |ratio: f64| Decibel::from_linear(ratio).0;
        let (gain, share) = (connection.gain, connection.straight_share);
        Some(Self {
            gain_db: db(gain),
            downlink_sinr_db: db(radio.link.downlink_sinr(gain, connection.gain_of_others)),
            uplink_sinr_db: db(radio.link.uplink_sinr(gain)),
            rician_k_db: connection.is_los.then(|| db(share / (1.0 - share))),
            time_share,
        })
    }
}

/// A legal placement, with the expected length of the answer.
#[derive(Debug, Serialize)]
struct Choice {
    placement: Placement,
    latency_s: f64,
    first_token_s: f64,
    quality: f64,
    joules: f64,
    money: f64,
    is_late: bool,
    cost: Cost,
}

#[derive(Debug, Serialize)]
struct StageRow {
    stage: &'static str,
    seconds: f64,
    joules: f64,
    money: f64,
}

/// What the quality of the answer is the product of.
#[derive(Debug, Serialize)]
struct Factors {
    perception: f64,
    grounding: f64,
    twin: f64,
    features: f64,
    alignment: f64,
}

impl Met {
    /// Looks at the pending request; `None` where there is none, and in abstract scenarios.
    pub(super) fn look(env: &DecisionEnv) -> Option<Self> {
        let (world, observation) = (env.world(), env.observation());
        let scenario = world.scenario();
        let (facts, expected, physical) = (world.facts()?, observation.request?, scenario.physical()?);
        let (demands, law) = (physical.demands(facts.service), scenario.context_law(facts.service));
        let place = world.position(facts.user)?;
        let site: Position = *physical.cells().get(observation.cell.index())?;
        let choices = scenario.placements().iter().filter(|&&placement| world.can_serve(placement));
        let choices = choices.filter_map(|&placement| {
            let (bill, cost) = observation.estimate(placement)?;
            Some(Choice {
                placement,
                latency_s: bill.latency_s,
                first_token_s: bill.first_token_s,
                quality: bill.quality,
                joules: bill.joules,
                money: bill.money,
                is_late: physical.is_late(&bill, facts.service),
                cost: cost.into(),
            })
        });
        Some(Self {
            user: facts.user.0,
            device: physical.classes()[facts.class as usize].name().to_owned(),
            arrival_s: facts.arrival_s,
            place_m: [place.x_m, place.y_m],
            distance_m: place.distance_m(site),
            link: Link {
                uplink_bits_per_s: facts.link.uplink_bps,
                downlink_bits_per_s: facts.link.downlink_bps,
                is_los: facts.link.is_los,
                is_blocked: facts.link.is_blocked,
                sensing_quality: facts.link.sensing_quality,
            },
            radio: Radio::look(world, facts.link.time_share),
            modality: demands.modality.name(),
            sensor_bits: demands.sensor_bits,
            deadline_s: demands.deadline_s,
            new_tokens: facts.new_tokens,
            said_tokens: facts.said_tokens,
            output_tokens: facts.output_tokens,
            expected_output_tokens: expected.output_tokens,
            is_resident: world.cell(observation.cell).cache().is_resident(facts.service),
            tier: *observation.station.tiers.get(facts.service.index())?,
            load_s: facts.load_s,
            load_joules: physical.load_path().load_j(facts.load_s),
            context: tokens(world.mean_thought()),
            backlog_s: facts.backlog_s,
            batch: facts.edge_batch,
            twin_age_slots: facts.twin_age_slots,
            twin_factor: physical.twin().grounding(facts.twin_age_slots),
            options: choices.collect(),
            grows: Tokens {
                context_tokens: law.request_tokens,
                age_tokens: law.consensus_factor * law.request_tokens,
            },
        })
    }

    /// What became of it; `None` before anything was served. `action` is the name of what was chosen first.
    pub(super) fn served(self, world: &World, action: &str, is_at_edge: bool) -> Option<Placed> {
        let bill: StageBill = world.last_bill()?;
        let name = action.split(' ').next().unwrap_or_default();
        let placement = Placement::ALL.into_iter().find(|placement| placement.name() == name)?;
        let stages = Stage::ALL.into_iter().map(|stage| (stage, bill.line(stage)));
        let stages = stages.filter(|(_, line)| line.seconds != 0.0 || line.money != 0.0);
        let grown = Tokens {
            context_tokens: self.context.context_tokens + self.grows.context_tokens,
            age_tokens: self.context.age_tokens + self.grows.age_tokens,
        };
        let factors = &bill.factors;
        Some(Placed {
            placement,
            stages: stages
                .map(|(stage, line)| StageRow {
                    stage: stage.name(),
                    seconds: line.seconds,
                    joules: line.joules,
                    money: line.money,
                })
                .collect(),
            latency_s: bill.latency_s,
            first_token_s: bill.first_token_s,
            token_s: bill.token_s,
            is_late: bill.latency_s > self.deadline_s,
            joules: bill.joules,
            device_joules: bill.device_joules,
            money: bill.money,
            edge_gpu_s: bill.edge_gpu_s,
            quality: bill.quality,
            factors: Factors {
                perception: factors.perception,
                grounding: factors.grounding,
                twin: factors.twin,
                features: factors.features,
                alignment: factors.alignment,
            },
            context_after: is_at_edge.then_some(grown),
            met: self,
        })
    }
}
