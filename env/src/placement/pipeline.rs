//! The bill of a request in a placement, stage by stage: seconds, joules, money, and the quality of the answer.
//!
//! Models: the stages that a request passes one after the other, each on the site of its module.
//!
//! Equation:
//! ```text
//! perceive       F / (mfu * peak * tp) of the site                                 device, edge or cloud
//! uplink         (payload bits + text bits (n_new + carried context)) / uplink     none for `device`
//! backhaul       delay + bits / backhaul, both ways                                grounding in the cloud
//! load, wait     seconds until the weights are there; what the backlog takes beyond that      grounding at the edge
//! prefill, decode  MODEL 5 (`llm/inference.rs`)                                    on the model of the site that grounds
//! align          one pass of the aligning site's model over the answer
//! downlink       text bits * n_out / downlink                                      none for `device`
//! q = q_perception * (A(kappa) * twin * features) * q_alignment
//! ```
//! Symbols: `F` operations of the perception model; `n_new`, `n_out` new and answer tokens; `twin` the freshness factor of
//! the digital twin (1 on the device, where the state is fresh); `features` the share of the meaning that features carry (1
//! where raw data or nothing travels); `A` the accuracy law of the model that grounds, `kappa` its fresh tokens.
//!
//! Assumptions: stages do not overlap, but for load and wait, which pass together. `kappa` is 0 outside the edge, and the
//! context is absent there, unless the scenario carries it along: then it travels as text and is computed again. The cell's
//! sensing helps wherever the request passes the cell, so not in `device`. A batch of n at the edge takes the time of n, and
//! the n-th request answers for the GPU time by which n takes longer than n - 1. Users take turns on the air, so that power
//! counts for the user's share of the time only; the device pays for its uplink's power, the network for its downlink's. The answer is a stream: its first token is there after prefill, before alignment. A rate of 0
//! makes airtime infinite: a link that can fail needs a floor.
//!
//! In the second edition ([`Joining`]) a cell sends and receives at its full rate, one after the other: who comes later waits for the air;
//! the load passes beside perception and air, and a request joins the batch that is in flight:
//! ```text
//! uplink         max(0, air free - perceived) + bits / uplink
//! load           max(0, load - perceive - uplink)
//! wait, decode   until the prompt is read, its own reading apart; from then on to the last token      `llm/flight.rs`
//! ```
//!
//! Source: S0 arXiv 2401.07764; MODEL 3-7; the rest *ours*.

use super::request::RequestFacts;
use super::{Payload, Placement, Site};
use crate::llm::flight::{Added, Fleet, Flight, Request, Totals};
use crate::llm::inference::{Server, Tokens, context_tokens};
use crate::llm::quality::{AccuracyLaw, answer_quality, perception_quality};
use crate::radio::features::Features;
use serde::Serialize;

/// A part of a request's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Sensor data becomes features.
    Perceive,
    /// From the device to the cell.
    Uplink,
    /// From the cell to the cloud.
    #[serde(rename = "backhaul up")]
    BackhaulUp,
    /// Until the weights are in GPU memory.
    Load,
    /// Until the GPUs have done what came before, beyond the load.
    Wait,
    /// The language model reads the prompt.
    Prefill,
    /// It writes the answer.
    Decode,
    /// The answer is checked.
    Align,
    /// From the cloud to the cell.
    #[serde(rename = "backhaul down")]
    BackhaulDown,
    /// From the cell to the device.
    Downlink,
}

impl Stage {
    /// How many stages there are.
    pub const COUNT: usize = 10;

    /// All stages, in the order of a placement that aligns where it grounds; a device aligns last.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Perceive,
        Self::Uplink,
        Self::BackhaulUp,
        Self::Load,
        Self::Wait,
        Self::Prefill,
        Self::Decode,
        Self::Align,
        Self::BackhaulDown,
        Self::Downlink,
    ];

    /// The name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Perceive => "perceive",
            Self::Uplink => "uplink",
            Self::BackhaulUp => "backhaul up",
            Self::Load => "load",
            Self::Wait => "wait",
            Self::Prefill => "prefill",
            Self::Decode => "decode",
            Self::Align => "align",
            Self::BackhaulDown => "backhaul down",
            Self::Downlink => "downlink",
        }
    }
}

/// The resources of a site for a request.
#[derive(Clone, Copy, Debug)]
pub struct SiteView<'a> {
    /// The model that grounds there, and that aligns there.
    pub server: &'a Server,
    /// The accuracy of that model.
    pub law: &'a AccuracyLaw,
    /// How well perception there understands the request's modality, 0 to 1.
    pub modality_quality: f64,
    /// How well that model aligns, 0 to 1.
    pub alignment_quality: f64,
    /// Money per token of a prompt.
    pub prompt_token_price: f64,
    /// Money per token of an answer.
    pub output_token_price: f64,
}

/// The requests in flight at a cell, which one more joins.
#[derive(Clone, Copy, Debug)]
pub struct Joining<'a> {
    /// Played to the moment at which the request is made.
    pub flight: &'a Flight,
    /// What they take without it.
    pub projected: Totals,
    /// The models of the cell.
    pub fleet: Fleet<'a>,
    /// The one that the request is for.
    pub model: usize,
    /// Seconds after which its answer is late.
    pub deadline_s: f64,
}

/// A request that joins those in flight, and what it adds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Joined {
    /// The request as its model gets it.
    pub request: Request,
    /// What it adds to all.
    pub added: Totals,
    /// The seconds of that which the others wait longer; less than 0 where they wait less.
    pub others_s: f64,
}

/// All numbers that the price of one request depends on: its own, and those of its sites, radio and service.
#[derive(Clone, Copy, Debug)]
pub struct RequestView<'a> {
    /// Its own numbers.
    pub facts: RequestFacts,
    /// The user's device.
    pub device: SiteView<'a>,
    /// The cell's edge server, with the service's model.
    pub edge: SiteView<'a>,
    /// The cloud.
    pub cloud: SiteView<'a>,

    /// Watts that the device sends with, on average over its turns and those of others.
    pub uplink_w: f64,
    /// Watts that the cell sends to this device with, on average over its turns and those of others.
    pub downlink_w: f64,
    /// Bits per second between the cell and the cloud, above 0.
    pub backhaul_bps: f64,
    /// Seconds between the cell and the cloud, one way.
    pub backhaul_delay_s: f64,

    /// Bits of the request's raw sensor data.
    pub sensor_bits: f64,
    /// The features that `split_*_coarse` sends.
    pub coarse: Features,
    /// The features that `split_*_fine` sends.
    pub fine: Features,
    /// Operations that perception takes, wherever it runs.
    pub perception_flop: f64,
    /// Bits of one token as text.
    pub token_bits: f64,

    /// Tokens of context that go along as text, and are computed again wherever they are not kept; 0 where nothing does.
    pub carried_tokens: f64,
    /// The price of a token that the cloud still has, as a share of that of another one.
    pub cached_price_ratio: f64,
    /// The freshness factor of the user's twin at the cell, 0 to 1.
    pub twin_factor: f64,
    /// What it joins at the edge; `None` in the first edition, and where it is priced as if nothing else were there.
    pub joining: Option<Joining<'a>>,
}

impl<'a> RequestView<'a> {
    fn site(&self, site: Site) -> &SiteView<'a> {
        match site {
            Site::Device => &self.device,
            Site::Edge => &self.edge,
            Site::Cloud => &self.cloud,
        }
    }

    /// The tokens of the request for the model of a site.
    pub fn tokens_at(&self, site: Site) -> Tokens {
        let kept_tokens = match site {
            Site::Device => 0.0,
            Site::Edge => self.facts.kept_tokens,
            Site::Cloud => self.facts.cloud_tokens.min(self.carried_tokens),
        };
        let window_tokens = self.site(site).server.window_tokens;
        let fitting = |tokens: f64| {
            context_tokens(tokens, window_tokens, self.facts.new_tokens, self.facts.output_tokens)
        };
        Tokens {
            prompt: fitting(kept_tokens.max(self.carried_tokens)) + self.facts.new_tokens,
            reused: fitting(kept_tokens),
            output: self.facts.output_tokens,
        }
    }
}

/// The bill of one stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct StageLine {
    /// Time.
    pub seconds: f64,
    /// Energy beyond idling.
    pub joules: f64,
    /// Money.
    pub money: f64,
}

/// The factors of the quality of an answer, which is their product.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct QualityFactors {
    /// The share of the surroundings that is perceived, 0 to 1.
    pub perception: f64,
    /// How accurate the model that grounds is with the context that it has, 0 to 1.
    pub grounding: f64,
    /// The share that the age of the user's twin leaves of it, 0 to 1.
    pub twin: f64,
    /// The share of the meaning that reaches it, 0 to 1.
    pub features: f64,
    /// How well the answer is aligned, 0 to 1.
    pub alignment: f64,
}

impl QualityFactors {
    /// The quality of the answer, 0 to 1.
    fn product(&self) -> f64 {
        answer_quality(self.perception, self.grounding * self.twin * self.features, self.alignment)
    }
}

/// The bill of a request in one placement.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct StageBill {
    /// By stage, see [`line`](Self::line).
    #[serde(skip)]
    stages: [StageLine; Stage::COUNT],
    /// Seconds until the answer is complete and aligned.
    pub latency_s: f64,
    /// Seconds until its first token is on the device.
    pub first_token_s: f64,
    /// Seconds of every other token.
    pub token_s: f64,
    /// The quality of the answer, 0 to 1: the product of its factors.
    pub quality: f64,
    /// The factors of its quality.
    pub factors: QualityFactors,
    /// Energy of all stages.
    pub joules: f64,
    /// The part of it that the user's device pays.
    pub device_joules: f64,
    /// Money of all stages.
    pub money: f64,
    /// Busy time that the request adds to the cell's GPUs.
    pub edge_gpu_s: f64,
    /// What it joins at the edge, and adds there.
    #[serde(skip)]
    pub joined: Option<Joined>,
}

impl StageBill {
    /// The bill of one stage.
    pub fn line(&self, stage: Stage) -> &StageLine {
        &self.stages[stage as usize]
    }
}

/// The work of a server for one stage.
#[derive(Clone, Copy)]
struct Part {
    line: StageLine,
    /// Busy time over all GPUs that the request answers for.
    gpu_s: f64,
}

impl Part {
    fn new(view: &SiteView<'_>, seconds: f64, gpu_s: f64, money: f64) -> Self {
        Self { line: StageLine { seconds, joules: view.server.dynamic_j(gpu_s), money }, gpu_s }
    }
}

/// The bill and the accuracy of grounding on a site.
#[derive(Clone, Copy)]
struct Grounding {
    prefill: Part,
    decode: Part,
    /// Tokens of text that have to reach the site.
    sent_tokens: f64,
    accuracy: f64,
}

fn perceive(site: Site, request: &RequestView<'_>) -> Part {
    let view = request.site(site);
    let seconds = view.server.compute_s(request.perception_flop);
    Part::new(view, seconds, seconds * view.server.num_gpus, 0.0)
}

fn ground(site: Site, request: &RequestView<'_>) -> Grounding {
    let view = request.site(site);
    let tokens = request.tokens_at(site);
    let batch = if site == Site::Edge { request.facts.edge_batch.max(1) } else { 1 };
    let served = view.server.serve(&tokens, batch);
    let before = view.server.serve(&tokens, batch - 1);
    let part = |seconds: f64, before_s: f64, money: f64| {
        Part::new(view, seconds, (seconds - before_s) * view.server.num_gpus, money)
    };
    let fresh_tokens = if site == Site::Edge { request.facts.fresh_tokens } else { 0.0 };
    let carried_tokens = request.carried_tokens.min(view.server.window_tokens);
    // The cloud is sent the whole text, whatever it still has of it; the edge knows the session.
    let (sent_tokens, paid_tokens) = match site {
        Site::Cloud => (tokens.prompt, tokens.prompt - (1.0 - request.cached_price_ratio) * tokens.reused),
        Site::Edge | Site::Device => (tokens.prompt - tokens.reused, tokens.prompt),
    };
    Grounding {
        prefill: part(served.prefill_s, before.prefill_s, view.prompt_token_price * paid_tokens),
        decode: part(served.decode_s, before.decode_s, view.output_token_price * tokens.output),
        sent_tokens,
        accuracy: view.law.accuracy(fresh_tokens.max(carried_tokens)),
    }
}

fn align(site: Site, request: &RequestView<'_>) -> Part {
    let view = request.site(site);
    let answer = Tokens { prompt: request.facts.output_tokens, reused: 0.0, output: 0.0 };
    let served = view.server.serve(&answer, 1);
    Part::new(view, served.prefill_s, served.gpu_s, view.prompt_token_price * answer.prompt)
}

impl Joining<'_> {
    /// A request joins; its stages of waiting, reading and writing are told as they will pass if nobody comes after it.
    fn join(&self, facts: &RequestFacts, tokens: Tokens, stages: &mut [StageLine; Stage::COUNT]) -> Joined {
        let seconds = |stage: Stage| stages[stage as usize].seconds;
        let asked_s = self.flight.now_s();
        let sent_s = asked_s + seconds(Stage::Perceive) + seconds(Stage::Uplink);
        let enters_s = sent_s.max(asked_s + facts.load_s);
        let tail_s = seconds(Stage::Align) + seconds(Stage::Downlink);
        let due_s = asked_s + self.deadline_s;
        let &RequestFacts { service, user, new_tokens, said_tokens, .. } = facts;
        let request =
            Request { service, user, new_tokens, said_tokens, asked_s, enters_s, due_s, tail_s, tokens };
        let Added { totals, read_s, complete_s } =
            self.flight.added(&self.fleet, self.projected, self.model, request);
        let (alone_s, own_s) = (seconds(Stage::Prefill), complete_s - asked_s);
        // What it adds to the busy time goes to its two stages as if it were alone.
        let joules = self.fleet.servers[self.model].dynamic_j(totals.busy_gpu_s);
        let per_s = joules / (alone_s + seconds(Stage::Decode));
        let line = |seconds: f64, joules: f64| StageLine { seconds, joules, money: 0.0 };
        stages[Stage::Load as usize] = line(enters_s - sent_s, 0.0);
        stages[Stage::Wait as usize] = line((read_s - enters_s - alone_s).max(0.0), 0.0);
        stages[Stage::Prefill as usize].joules = per_s * alone_s;
        let decode_s = complete_s - tail_s - read_s;
        stages[Stage::Decode as usize] = line(decode_s, joules - per_s * alone_s);
        Joined { request, added: totals, others_s: totals.delay_s - own_s }
    }
}

/// Returns the bill of a request in a placement: the work of its sites, and what lies between them: radio, backhaul, load and wait.
pub fn price(placement: Placement, request: &RequestView<'_>) -> StageBill {
    let sites = placement.sites();
    let perceived = perceive(sites.perception, request);
    let grounded = ground(sites.grounding, request);
    let aligned = align(sites.alignment, request);
    let mut stages = [StageLine::default(); Stage::COUNT];
    let (mut device_joules, mut edge_gpu_s) = (0.0, 0.0);
    for (stage, site, part) in [
        (Stage::Perceive, sites.perception, &perceived),
        (Stage::Prefill, sites.grounding, &grounded.prefill),
        (Stage::Decode, sites.grounding, &grounded.decode),
        (Stage::Align, sites.alignment, &aligned),
    ] {
        stages[stage as usize] = part.line;
        match site {
            Site::Device => device_joules += part.line.joules,
            Site::Edge => edge_gpu_s += part.gpu_s,
            Site::Cloud => {}
        }
    }
    let mut pass = |stage: Stage, seconds: f64, watts: f64| {
        stages[stage as usize] = StageLine { seconds, joules: watts * seconds, money: 0.0 };
    };
    let (payload_bits, features_quality) = match placement.payload() {
        Payload::Nothing => (0.0, 1.0),
        Payload::Raw => (request.sensor_bits, 1.0),
        Payload::Coarse => (request.coarse.bits, request.coarse.quality),
        Payload::Fine => (request.fine.bits, request.fine.quality),
    };
    let up_bits = payload_bits + request.token_bits * grounded.sent_tokens;
    let down_bits = request.token_bits * request.facts.output_tokens;
    let passes_cell = placement.payload() != Payload::Nothing;
    // What a device perceives itself is ready for the air later.
    let ready_s = if sites.perception == Site::Device { perceived.line.seconds } else { 0.0 };
    let mut air_s = 0.0;
    // On the way of the first token, beyond what comes before it.
    let mut first_token_down_s = 0.0;
    if passes_cell {
        let sending_s = up_bits / request.facts.link.uplink_bps;
        air_s = (request.facts.air_s - ready_s).max(0.0);
        pass(Stage::Uplink, sending_s, request.uplink_w);
        pass(Stage::Downlink, down_bits / request.facts.link.downlink_bps, request.downlink_w);
        device_joules += request.uplink_w * sending_s;
        first_token_down_s += request.token_bits / request.facts.link.downlink_bps;
    }
    match sites.grounding {
        Site::Device => {}
        Site::Edge => {
            pass(Stage::Load, request.facts.load_s, 0.0);
            pass(Stage::Wait, (request.facts.backlog_s - request.facts.load_s).max(0.0), 0.0);
        }
        Site::Cloud => {
            let backhaul_s = |bits: f64| request.backhaul_delay_s + bits / request.backhaul_bps;
            pass(Stage::BackhaulUp, backhaul_s(up_bits), 0.0);
            pass(Stage::BackhaulDown, backhaul_s(down_bits), 0.0);
            first_token_down_s += backhaul_s(request.token_bits);
        }
    }
    stages[Stage::Uplink as usize].seconds += air_s;
    let mut joined = None;
    if let (Site::Edge, Some(joining)) = (sites.grounding, &request.joining) {
        let own = joining.join(&request.facts, request.tokens_at(Site::Edge), &mut stages);
        edge_gpu_s += own.added.busy_gpu_s - grounded.prefill.gpu_s - grounded.decode.gpu_s;
        joined = Some(own);
    }
    let before_answer = &stages[..=Stage::Prefill as usize];
    let first_token_s = before_answer.iter().map(|line| line.seconds).sum::<f64>() + first_token_down_s;
    let sensing_quality = if passes_cell { request.facts.link.sensing_quality } else { 0.0 };
    let factors = QualityFactors {
        perception: perception_quality(request.site(sites.perception).modality_quality, sensing_quality),
        grounding: grounded.accuracy,
        twin: if passes_cell { request.twin_factor } else { 1.0 },
        features: features_quality,
        alignment: request.site(sites.alignment).alignment_quality,
    };
    let decode_s = stages[Stage::Decode as usize].seconds;
    let mut total = StageLine::default();
    for line in &stages {
        total.seconds += line.seconds;
        total.joules += line.joules;
        total.money += line.money;
    }
    StageBill {
        latency_s: total.seconds,
        first_token_s,
        token_s: if request.facts.output_tokens > 0.0 { decode_s / request.facts.output_tokens } else { 0.0 },
        quality: factors.product(),
        factors,
        joules: total.joules,
        device_joules,
        money: total.money,
        edge_gpu_s,
        joined,
        stages,
    }
}

#[cfg(test)]
mod tests;
