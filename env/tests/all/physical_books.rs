//! The physical world beside a bookkeeper that knows MODEL's formulas and nothing else: stages, costs, loads, queues, pins, twins
//! and contexts of every request, computed by hand.

use crate::in_flight::{self, Flown, InFlight, Paces};
use crate::plain::{MODEL_OF, SENSOR_BITS, WEIGHT_GB, plain};
use approx::{assert_abs_diff_eq, assert_relative_eq};
use rand::RngExt;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use thoughtcache_env::gym::api::{Env, Step};
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::placement::Placement;
use thoughtcache_env::placement::pipeline::Stage;
use thoughtcache_env::placement::request::RequestFacts;
use thoughtcache_env::random::{Purpose, Seed, Stream};
use thoughtcache_env::units::{CellId, ServiceId};

/// A model as its publishers describe it.
struct Model {
    /// Those that work on a token.
    parameters: f64,
    weight_bytes: f64,
    /// Bytes of the experts, of which two in eight work on a token.
    expert_bytes: f64,
    layers: f64,
    width: f64,
    kv_bytes: f64,
}

const LLAMA: Model = Model {
    parameters: 8.03e9,
    weight_bytes: 1e9 * WEIGHT_GB[0],
    expert_bytes: 0.0,
    layers: 32.0,
    width: 4096.0,
    kv_bytes: 131_072.0,
};
const MISTRAL: Model = Model {
    parameters: 7.242e9,
    weight_bytes: 1e9 * WEIGHT_GB[1],
    expert_bytes: 0.0,
    layers: 32.0,
    width: 4096.0,
    kv_bytes: 131_072.0,
};
/// Mixtral with weights of 4 bits: three quarters of the experts are what is missing to the active parameters.
const MIXTRAL: Model = Model {
    parameters: 12.88e9,
    weight_bytes: 46.703e9 * 0.5625,
    expert_bytes: (46.703e9 - 12.88e9) / 0.75 * 0.5625,
    layers: 32.0,
    width: 4096.0,
    kv_bytes: 131_072.0,
};
const QWEN: Model = Model {
    parameters: 1.544e9,
    weight_bytes: 1.544e9 * 0.5625,
    expert_bytes: 0.0,
    layers: 28.0,
    width: 1536.0,
    kv_bytes: 2.0 * 28.0 * 2.0 * 128.0 * 2.0,
};

/// A device as its data sheet describes it: operations and bytes a second that are reached, seconds of a pass and of each
/// request in it, watts beyond idling.
struct Device {
    flop_per_s: f64,
    bytes_per_s: f64,
    step_s: f64,
    sequence_s: f64,
    work_w: f64,
}

const H100: Device = Device {
    flop_per_s: 0.5 * 989e12,
    bytes_per_s: 0.7 * 3350e9,
    step_s: 3e-3,
    sequence_s: 0.05e-3,
    work_w: 420.0,
};
const PHONE: Device =
    Device { flop_per_s: 0.5 * 16e12, bytes_per_s: 0.7 * 76.8e9, step_s: 2e-3, sequence_s: 0.0, work_w: 5.5 };

/// Bytes of weights that a pass over `tokens` tokens reads.
fn read_bytes(model: &Model, tokens: f64) -> f64 {
    model.weight_bytes - model.expert_bytes * 0.75_f64.powf(tokens)
}

/// Prefill of a batch of `b` prompts of `n` tokens of which `hit` are there already.
fn prefill_s(laws: &Laws, model: &Model, device: &Device, n: f64, hit: f64, b: f64) -> f64 {
    if b == 0.0 {
        return 0.0;
    }
    let flop = 2.0 * model.parameters * (n - hit) + 2.0 * model.layers * model.width * (n * n - hit * hit);
    let read_s = if laws.is_second { read_bytes(model, b * (n - hit)) / device.bytes_per_s } else { 0.0 };
    device.step_s + b * device.sequence_s + read_s.max(b * flop / device.flop_per_s)
}

/// Decoding of a batch of `b` answers of 200 tokens after a prompt of `n`.
fn decode_s(model: &Model, device: &Device, n: f64, b: f64) -> f64 {
    if b == 0.0 {
        return 0.0;
    }
    let read_s = (read_bytes(model, b) + b * model.kv_bytes * (n + 100.0)) / device.bytes_per_s;
    let compute_s = 2.0 * model.parameters * b / device.flop_per_s;
    200.0 * (device.step_s + b * device.sequence_s + read_s.max(compute_s))
}

/// What the editions do differently, and the services of their worlds.
struct Laws {
    is_second: bool,
    models: [&'static Model; 2],
    sensor_bits: [f64; 3],
    perception: [f64; 3],
    perception_flop: [f64; 3],
}

const FIRST: Laws = Laws {
    is_second: false,
    models: [&LLAMA, &MISTRAL],
    sensor_bits: SENSOR_BITS,
    perception: [0.777, 0.669, 0.777],
    perception_flop: [50e9, 20e9, 50e9],
};
/// The second service is text, and runs on a mixture of experts.
const SECOND: Laws = Laws {
    is_second: true,
    models: [&LLAMA, &MIXTRAL],
    sensor_bits: [SENSOR_BITS[0], 0.0, SENSOR_BITS[2]],
    perception: [0.777, 1.0, 0.777],
    perception_flop: [50e9, 0.0, 50e9],
};
/// What makes the second edition's world of the plain one.
const SECOND_WORLD: [(&str, &str); 11] = [
    ("physical.edition", "2"),
    ("physical.carries_context", "true"),
    ("physical.cloud.cache", "{ price_ratio = 0.1, keeps_s = 3.0 }"),
    ("thought.hidden_ratio", "0.5"),
    ("workload.sessions.turns.geometric.mean", "3.0"),
    ("workload.sessions.think_time", "{ exponential = { mean_s = 3.0 } }"),
    ("models.1.catalogue", "\"mixtral-8x7b\""),
    ("models.1.window_tokens", "8192.0"),
    ("models.1.bytes_per_weight", "0.5625"),
    ("services.1.demands", "{ modality = \"text\", deadline_s = 3.0 }"),
    (
        "physical.radio.sensing",
        "{ time_ratio = 0.1, processing_interval_ms = 10.0, cross_section_m2 = 1.0, range_error_m = 5.0 }",
    ),
];

impl Paces for Laws {
    fn pass_s(&self, model: usize, computed: f64, flop: f64, prompts: usize) -> f64 {
        let read_s = read_bytes(self.models[model], computed) / H100.bytes_per_s;
        H100.step_s + prompts as f64 * H100.sequence_s + read_s.max(flop / H100.flop_per_s)
    }

    fn token_s(&self, model: usize, answers: usize, bytes: f64) -> f64 {
        let (of, b) = (self.models[model], answers as f64);
        let read_s = (read_bytes(of, b) + bytes) / H100.bytes_per_s;
        H100.step_s + b * H100.sequence_s + read_s.max(2.0 * of.parameters * b / H100.flop_per_s)
    }
}

/// What a person knows of the cell, booked from decisions alone.
struct Books {
    laws: &'static Laws,
    slot: u64,
    backlog_s: f64,
    /// By model (0 llama, 1 mistral): whether its weights are in GPU memory, and were brought to the cell before.
    in_gpu: [bool; 2],
    in_host: [bool; 2],
    resident: BTreeSet<usize>,
    /// By service: seconds until its weights are there, when its work ends, requests of the slot, what its batch waits for.
    loading_s: [f64; 3],
    busy_until_s: [f64; 3],
    served: [u32; 3],
    batch_waiting_s: [f64; 3],
    /// The second edition's.
    flight: InFlight,
    air_free_s: f64,
    /// By user: the service that the cloud served last, the tokens said by then, and when it was asked.
    cloud: BTreeMap<u32, (usize, f64, f64)>,
    held: [bool; 3],
    /// By service and user: tokens of context, and fresh ones.
    contexts: BTreeMap<(usize, u32), (f64, f64)>,
    twins: BTreeMap<u32, u64>,
    seen: Seen,
}

/// What happened in a play, so that nothing is proved by its absence.
#[derive(Debug, Default)]
struct Seen {
    loads: u32,
    shared: u32,
    waits_for_another_load: u32,
    waits: u32,
    batches_of_two: u32,
    third_of_a_slot: u32,
    waits_for_air: u32,
    makes_late: u32,
    full: u32,
    brought: u32,
    cloud: u32,
    forgotten: u32,
    late: u32,
    old_twins: u32,
    contexts: u32,
    dropped: u32,
    pins: u32,
    refreshes: u32,
    texts: u32,
}

/// Base, alignment.
const LAWS: [(f64, f64); 2] = [(0.5, 0.8), (0.6, 0.9)];
const DEADLINE_S: [f64; 3] = [6.0, 3.0, 6.0];

/// What a person expects of a request.
struct Expected {
    seconds: [f64; Stage::COUNT],
    joules: [f64; Stage::COUNT],
    gpu_s: f64,
    quality: f64,
    money: f64,
    switching_beside_waiting: f64,
    /// What it joins, seconds that others wait for it, and how many answers are late through it, its own included.
    joined: Option<Flown>,
    others_s: f64,
    late: f64,
}

impl Books {
    fn new(laws: &'static Laws) -> Self {
        Self {
            laws,
            slot: 0,
            backlog_s: 0.0,
            in_gpu: [false; 2],
            in_host: [false; 2],
            resident: BTreeSet::new(),
            loading_s: [0.0; 3],
            busy_until_s: [0.0; 3],
            served: [0; 3],
            batch_waiting_s: [0.0; 3],
            flight: InFlight::default(),
            cloud: BTreeMap::new(),
            air_free_s: 0.0,
            held: [false; 3],
            contexts: BTreeMap::new(),
            twins: BTreeMap::new(),
            seen: Seen::default(),
        }
    }

    #[expect(clippy::too_many_lines, reason = "a bill from top to bottom")]
    fn expected(&self, facts: &RequestFacts, placement: Placement) -> Expected {
        let service = facts.service.index();
        let model_index = MODEL_OF[service];
        let (edge, share) = (self.laws.models[model_index], facts.link.time_share);
        let rate = 10e6 * share;
        assert_relative_eq!(facts.link.uplink_bps, rate, max_relative = 1e-12);
        assert_relative_eq!(facts.link.downlink_bps, rate, max_relative = 1e-12);
        let payload = placement.name();
        let is_fine = payload.ends_with("fine");
        let is_split = payload.starts_with("split");
        let is_edge = payload.contains("edge");
        let is_cloud = payload.contains("cloud");
        let bits = match (is_split, is_fine) {
            (true, true) => 0.5 * self.laws.sensor_bits[service],
            (true, false) => 0.1 * self.laws.sensor_bits[service],
            (false, _) => self.laws.sensor_bits[service],
        };
        let features = if is_split { 1.0 - (-bits / 0.5e6).exp() } else { 1.0 };
        let (mut seconds, mut joules) = ([0.0; Stage::COUNT], [0.0; Stage::COUNT]);
        let mut gpu_s = 0.0;
        let mut work = |stage: Stage, device: &Device, time: f64, own: f64| {
            seconds[stage as usize] = time;
            joules[stage as usize] = device.work_w * own;
            if is_edge && device.work_w == H100.work_w {
                gpu_s += own;
            }
        };
        let local = if is_edge || is_cloud { &H100 } else { &PHONE };
        let near = if is_split { &PHONE } else { local };
        let near_model = match (is_split || !(is_edge || is_cloud), is_edge) {
            (true, _) => &QWEN,
            (false, true) => edge,
            (false, false) => &LLAMA,
        };
        let perceive_s = self.laws.perception_flop[service] / near.flop_per_s;
        work(Stage::Perceive, near, perceive_s, perceive_s);
        let align_s = prefill_s(self.laws, near_model, near, 200.0, 0.0, 1.0);
        work(Stage::Align, near, align_s, align_s);
        let (kept, fresh) = self.contexts.get(&(service, facts.user.0)).copied().unwrap_or_default();
        let said = if self.laws.is_second { facts.said_tokens } else { 0.0 };
        let fitting = |tokens: f64| tokens.min(8192.0 - 300.0);
        let (ground_model, hit, batch) = if is_edge {
            let batch = if self.laws.is_second { 1 } else { 1 + self.served[service] % 2 };
            (edge, fitting(kept), f64::from(batch))
        } else if is_cloud {
            (&LLAMA, facts.cloud_tokens, 1.0)
        } else {
            (&QWEN, 0.0, 1.0)
        };
        let n = if is_edge { hit.max(fitting(said)) } else { said } + 100.0;
        for (stage, of) in [
            (
                Stage::Prefill,
                &(|b: f64| prefill_s(self.laws, ground_model, local, n, hit, b)) as &dyn Fn(f64) -> f64,
            ),
            (Stage::Decode, &|b: f64| decode_s(ground_model, local, n, b)),
        ] {
            work(stage, local, of(batch), of(batch) - of(batch - 1.0));
        }
        let mut switching = 0.0;
        if is_edge || is_cloud {
            let sent = if is_cloud { n } else { n - hit };
            let (up, down) = (bits + 32.0 * sent, 6400.0);
            seconds[Stage::Uplink as usize] = up / rate;
            joules[Stage::Uplink as usize] = 0.1 * share * up / rate;
            seconds[Stage::Downlink as usize] = down / rate;
            joules[Stage::Downlink as usize] = 10.0 * share * down / rate;
            if is_cloud {
                seconds[Stage::BackhaulUp as usize] = 0.02 + up / 1e9;
                seconds[Stage::BackhaulDown as usize] = 0.02 + down / 1e9;
            } else {
                let load_s = self.load_s(service);
                if !self.in_gpu[model_index] {
                    let gb = edge.weight_bytes / 1e9;
                    switching =
                        0.01 * 100.0 * load_s + if self.in_host[model_index] { 0.0 } else { 0.02 * gb };
                }
                seconds[Stage::Load as usize] = load_s;
                seconds[Stage::Wait as usize] = (self.waiting_s(service) - load_s).max(0.0);
            }
        }
        if self.laws.is_second && (is_edge || is_cloud) {
            let ready_s = self.now_s(facts) + if is_split { perceive_s } else { 0.0 };
            seconds[Stage::Uplink as usize] += (self.air_free_s - ready_s).max(0.0);
        }
        let mut joined = None;
        let (mut others_s, mut late) = (0.0, None);
        if self.laws.is_second && is_edge {
            let at = |stage: Stage| seconds[stage as usize];
            let (asked_s, alone) = (self.now_s(facts), [at(Stage::Prefill), at(Stage::Decode)]);
            let sent_s = asked_s + at(Stage::Perceive) + at(Stage::Uplink);
            let enters_s = sent_s.max(asked_s + at(Stage::Load));
            let tail_s = at(Stage::Align) + at(Stage::Downlink);
            let request = Flown {
                service,
                user: facts.user.0,
                said,
                model: model_index,
                asked_s,
                enters_s,
                due_s: asked_s + DEADLINE_S[service],
                tail_s,
                computed: n - hit,
                flop: 2.0 * edge.parameters * (n - hit)
                    + 2.0 * edge.layers * edge.width * (n * n - hit * hit),
                bytes: edge.kv_bytes * (n + 100.0),
                left: 200.0,
                stage: in_flight::Stage::Coming,
                is_taken: false,
                read_s: 0.0,
            };
            let mut after = self.flight.clone();
            after.accept(request.clone());
            let [before, with] = [&self.flight, &after].map(|flight| flight.totals(self.laws));
            after.play(f64::INFINITY, self.laws);
            let own = after.all.iter().find(|own| own.asked_s == asked_s && own.service == service).unwrap();
            let in_flight::Stage::Done(complete_s) = own.stage else { unreachable!("all are answered") };
            let busy_s = with[2] - before[2];
            seconds[Stage::Load as usize] = enters_s - sent_s;
            seconds[Stage::Wait as usize] = own.read_s - enters_s - alone[0];
            seconds[Stage::Decode as usize] = complete_s - tail_s - own.read_s;
            for (stage, share) in [Stage::Prefill, Stage::Decode].into_iter().zip(alone) {
                joules[stage as usize] = 420.0 * busy_s * share / (alone[0] + alone[1]);
            }
            gpu_s += busy_s - alone[0] - alone[1];
            others_s = with[0] - before[0] - (complete_s - asked_s);
            late = Some(with[1] - before[1]);
            joined = Some(request);
        }
        let latency_s: f64 = seconds.iter().sum();
        let late = late.unwrap_or(f64::from(u8::from(latency_s > DEADLINE_S[service])));
        let twin = match self.twins.get(&facts.user.0) {
            Some(slot) => 0.6 + 0.4 * (-((self.slot - slot) as f64) / 10.0).exp(),
            None => 0.6,
        };
        let accuracy = if is_edge {
            let fresh = fresh.max(said).min(8192.0);
            (LAWS[model_index].0 + 0.1 * (1.0 + fresh / 250.0).log2()).min(0.9)
        } else if is_cloud {
            0.7
        } else {
            0.4
        };
        let alignment = match (is_split || !(is_edge || is_cloud), is_edge) {
            (true, _) => 0.5,
            (false, true) => LAWS[model_index].1,
            (false, false) => 1.0,
        };
        // .5844 m at 100 MHz is 5.844 m here; the clutter is 5 dB below the echo, give or take 20, and the radar closes 12 % at best.
        let sensed = facts.link.sensing_quality;
        let bounds = [-15.0, 25.0].map(|db: f64| 0.12 * (-5.844 / 10_f64.powf(db / 20.0) / 5.0).exp());
        assert!(!self.laws.is_second || (bounds[0]..bounds[1]).contains(&sensed), "{bounds:?} {sensed}");
        let passes_cell = is_edge || is_cloud;
        let perception =
            1.0 - (1.0 - self.laws.perception[service]) * (1.0 - if passes_cell { sensed } else { 0.0 });
        let grounding = accuracy * if is_edge || is_cloud { twin * features } else { 1.0 };
        Expected {
            seconds,
            joules,
            gpu_s,
            quality: perception * grounding * alignment,
            money: match (is_cloud, is_split) {
                // Prompt, answer; the cloud aligns by reading the answer once more, a split aligns on the device.
                (true, false) => 1e-6 * (n - 0.9 * hit) + 400e-6 + 200e-6,
                (true, true) => 1e-6 * (n - 0.9 * hit) + 400e-6,
                (false, _) => 0.0,
            },
            switching_beside_waiting: switching,
            joined,
            others_s,
            late,
        }
    }

    fn now_s(&self, facts: &RequestFacts) -> f64 {
        self.slot as f64 + facts.arrival_s
    }

    /// The second edition goes on until a request is made.
    fn play(&mut self, facts: &RequestFacts) {
        if self.laws.is_second {
            self.play_until(self.now_s(facts));
        }
    }

    /// What was said, and half as much that nobody sees, is the context of whoever is answered by then; eight tenths agree.
    fn play_until(&mut self, until_s: f64) {
        self.flight.play(until_s, self.laws);
        for Flown { service, user, said, .. } in self.flight.take_answered() {
            let (context, fresh) = self.contexts.entry((service, user)).or_default();
            self.seen.contexts += u32::from(*context > 0.0);
            self.seen.brought += u32::from(*context > 0.0 && said > *context);
            (*context, *fresh) = (context.max(said) + 450.0, fresh.max(said) + 360.0);
            if *context > 8192.0 {
                self.seen.refreshes += 1;
                self.contexts.remove(&(service, user));
            }
        }
    }

    /// Seconds until the weights of a service are there if it is served now.
    fn load_s(&self, service: usize) -> f64 {
        let model = MODEL_OF[service];
        if self.resident.contains(&service) {
            return self.loading_s[service];
        }
        if self.in_gpu[model] {
            let others = (0..3).filter(|&other| MODEL_OF[other] == model);
            return others.map(|other| self.loading_s[other]).fold(0.0, f64::max);
        }
        // 4 GB/s from afar, 20 GB/s from host memory, which keeps what was loaded once.
        0.5 + self.laws.models[model].weight_bytes / if self.in_host[model] { 20e9 } else { 4e9 }
    }

    fn waiting_s(&self, service: usize) -> f64 {
        if self.served[service].is_multiple_of(2) { self.backlog_s } else { self.batch_waiting_s[service] }
    }

    fn book(&mut self, facts: &RequestFacts, placement: Placement, expected: &Expected) {
        let service = facts.service.index();
        let (user, now_s) = (facts.user.0, self.slot as f64 + facts.arrival_s);
        let latency_s: f64 = expected.seconds.iter().sum();
        self.seen.late += u32::from(latency_s > DEADLINE_S[service]);
        if placement.name().contains("cloud") {
            self.cloud.insert(user, (service, facts.said_tokens + 300.0, now_s));
        } else if facts.said_tokens == 0.0 {
            self.cloud.remove(&user);
        }
        self.seen.makes_late += u32::from(expected.late > 1.0);
        if placement != Placement::Device {
            self.seen.waits_for_air += u32::from(self.air_free_s > now_s);
            let perceived =
                if placement.is_split() { expected.seconds[Stage::Perceive as usize] } else { 0.0 };
            self.air_free_s = now_s + perceived + expected.seconds[Stage::Uplink as usize];
            let before = self.twins.insert(user, self.slot);
            self.seen.old_twins += u32::from(before.is_some_and(|slot| slot < self.slot));
        }
        if !placement.needs_residency() {
            self.held[service] |= !self.resident.contains(&service);
            return;
        }
        let (load_s, model) = (self.load_s(service), MODEL_OF[service]);
        let seen = &mut self.seen;
        seen.waits += u32::from(self.backlog_s > 0.0);
        if self.resident.insert(service) {
            seen.loads += u32::from(!self.in_gpu[model]);
            seen.shared += u32::from(self.in_gpu[model]);
            self.loading_s[service] = load_s;
            self.in_gpu[model] = true;
            self.in_host[model] = true;
            self.busy_until_s[service] = self.busy_until_s[service].max(now_s + load_s);
        } else {
            seen.waits_for_another_load += u32::from(load_s > 0.0);
        }
        seen.batches_of_two += u32::from(self.served[service] % 2 == 1);
        seen.third_of_a_slot += u32::from(self.served[service] == 2);
        self.batch_waiting_s[service] = self.waiting_s(service);
        self.served[service] += 1;
        if let Some(joined) = &expected.joined {
            self.flight.accept(joined.clone());
        } else {
            self.backlog_s += expected.gpu_s;
            self.busy_until_s[service] = self.busy_until_s[service].max(now_s + latency_s);
        }
        if self.laws.is_second {
            return;
        }
        let context = self.contexts.entry((service, user)).or_default();
        self.seen.contexts += u32::from(context.0 > 0.0);
        // Two paths of 250 tokens, of which eight tenths agree.
        *context = (context.0 + 500.0, context.1 + 400.0);
        if context.0 > 8192.0 {
            self.seen.refreshes += 1;
            *context = (0.0, 0.0);
        }
    }

    /// Bytes of weights and contexts.
    fn bytes(&self) -> u64 {
        let weights: f64 = (0..2).filter(|&m| self.in_gpu[m]).map(|m| self.laws.models[m].weight_bytes).sum();
        let contexts: f64 = self.contexts.values().map(|context| context.0 * 131_072.0).sum();
        // Who is in flight has room for a full window.
        let in_flight = (self.flight.count(0) + self.flight.count(1)) as f64;
        (weights + contexts + in_flight * 8192.0 * 131_072.0) as u64
    }

    /// What holding costs in a slot: idle watts of 80 GB, priced by the joule.
    fn end_slot(&mut self) -> f64 {
        self.play_until((self.slot + 1) as f64);
        for context in self.contexts.values_mut() {
            context.1 = f64::max(context.1 - 25.0, 0.0);
        }
        let before = self.contexts.len();
        self.contexts.retain(|_, context| context.1 > 0.0);
        self.seen.dropped += (before - self.contexts.len()) as u32;
        self.backlog_s = (self.backlog_s - 1.0).max(0.0);
        self.loading_s = self.loading_s.map(|left_s| (left_s - 1.0).max(0.0));
        (self.served, self.held) = ([0; 3], [false; 3]);
        self.slot += 1;
        0.01 * 70.0 * self.bytes() as f64 / 80e9
    }

    /// Compares all that can be seen of the cell.
    fn compare(&mut self, env: &DecisionEnv) {
        let world = env.world();
        let (cell, station) = (world.cell(CellId(0)), world.station(CellId(0)).unwrap());
        assert_eq!(world.slot(), self.slot);
        let used = cell.cache.capacity_bytes() - cell.cache.free_bytes();
        // A context of a fraction of a byte is rounded once there and once here.
        assert!(used.abs_diff(self.bytes()) <= 1, "{used} {}", self.bytes());
        assert_abs_diff_eq!(station.backlog.gpu_s, self.backlog_s, epsilon = 1e-9);
        let Some(facts) = world.facts() else { return };
        let now_s = self.slot as f64 + facts.arrival_s;
        for index in 0..3 {
            let service = ServiceId::from_index(index);
            assert_eq!(cell.cache.is_resident(service), self.resident.contains(&index));
            assert_abs_diff_eq!(station.loading.seconds_left(service), self.loading_s[index], epsilon = 1e-9);
            let is_pinned = self.resident.contains(&index)
                && (self.busy_until_s[index] > now_s
                    || self.loading_s[index] > 0.0
                    || self.flight.serves(index));
            assert_eq!(cell.cache.residency()[index].is_protected, is_pinned, "service {index}");
            self.seen.pins += u32::from(is_pinned);
            let is_held = self.held[index] && !self.resident.contains(&index);
            assert_eq!(cell.held[index] && !cell.cache.is_resident(service), is_held);
        }
        let context = self.contexts.get(&(facts.service.index(), facts.user.0)).copied().unwrap_or_default();
        assert_eq!(facts.kept_tokens, context.0);
        assert!(self.laws.is_second || facts.said_tokens == 0.0, "one turn each");
        let (of, tokens, at_s) = self.cloud.get(&facts.user.0).copied().unwrap_or((9, 0.0, 0.0));
        let is_there = self.laws.is_second && of == facts.service.index() && now_s <= at_s + 3.0;
        let cloud_tokens = if is_there { facts.said_tokens.min(tokens) } else { 0.0 };
        assert_eq!(facts.cloud_tokens, cloud_tokens);
        self.seen.cloud += u32::from(cloud_tokens > 0.0);
        let is_late = of == facts.service.index() && now_s > at_s + 3.0 && facts.said_tokens > 0.0;
        self.seen.forgotten += u32::from(is_late);
        assert_abs_diff_eq!(facts.fresh_tokens, context.1.min(8192.0), epsilon = 1e-9);
        let age = self.twins.get(&facts.user.0).map(|slot| (self.slot - slot) as u32);
        assert_eq!(facts.twin_age_slots, age);
    }
}

fn play(laws: &'static Laws, episodes: u64, changes: &[(&str, &str)], edge_prob: f64) -> Seen {
    let scenario = plain(changes);
    let mut env = DecisionEnv::new(Arc::clone(&scenario));
    let mut rng = Seed::new(Purpose::Test, 1).stream(Stream::Policy);
    let mut seen = Seen::default();
    for episode in 0..episodes {
        env.reset(Seed::new(Purpose::Train, 3).with_episode(episode));
        let mut books = Books { slot: env.world().slot(), seen, ..Books::new(laws) };
        loop {
            let facts = env.world().facts().unwrap();
            books.play(&facts);
            books.compare(&env);
            assert_eq!((facts.new_tokens, facts.output_tokens), (100.0, 200.0));
            let placements = &scenario.placements;
            let legal: Vec<Placement> =
                placements.iter().copied().filter(|&p| env.observation().place(p).is_some()).collect();
            let service = facts.service.index();
            let may_load = !books.held[service] || books.resident.contains(&service);
            let has_room = books.flight.count(MODEL_OF[service]) < 4;
            books.seen.full += u32::from(!has_room);
            let may_load = may_load && has_room;
            assert_eq!(legal.contains(&Placement::Edge), may_load, "80 GB hold everything");
            let is_text = laws.sensor_bits[service] == 0.0;
            assert_eq!(legal.contains(&Placement::SplitCloudFine), !is_text, "text is not split");
            assert!(!is_text || !legal.contains(&Placement::SplitEdgeCoarse));
            books.seen.texts += u32::from(is_text);
            let placement = if may_load && rng.random::<f64>() < edge_prob {
                Placement::Edge
            } else {
                legal[rng.random_range(0..legal.len())]
            };
            let expected = books.expected(&facts, placement);
            let action = env.observation().place(placement).unwrap();
            let step = env.step(&action).unwrap();
            books.book(&facts, placement, &expected);
            check(&env, &step, &expected);
            let holding: f64 = (0..step.slots_elapsed).map(|_| books.end_slot()).sum();
            assert_abs_diff_eq!(step.info.cost.holding, holding, epsilon = 1e-9);
            if step.end.is_end() {
                break;
            }
        }
        seen = books.seen;
    }
    seen
}

/// Compares the bill and the cost of a step.
fn check(env: &DecisionEnv, step: &Step, expected: &Expected) {
    use Stage::{Align, BackhaulDown, BackhaulUp, Decode, Downlink, Load, Perceive, Prefill, Uplink, Wait};

    let bill = env.world().last_bill().unwrap();
    for stage in Stage::ALL {
        let line = bill.line(stage);
        assert_abs_diff_eq!(line.seconds, expected.seconds[stage as usize], epsilon = 1e-9);
        assert_abs_diff_eq!(line.joules, expected.joules[stage as usize], epsilon = 1e-7);
    }
    let latency_s: f64 = expected.seconds.iter().sum();
    assert_abs_diff_eq!(bill.latency_s, latency_s, epsilon = 1e-9);
    assert_abs_diff_eq!(bill.edge_gpu_s, expected.gpu_s, epsilon = 1e-9);
    assert_abs_diff_eq!(bill.quality, expected.quality, epsilon = 1e-9);
    assert_abs_diff_eq!(bill.money, expected.money, epsilon = 1e-12);
    let price = |stages: &[Stage]| -> f64 {
        let stages = stages.iter().map(|&stage| stage as usize);
        stages.map(|stage| expected.seconds[stage] + 0.01 * expected.joules[stage]).sum()
    };
    let cost = &step.info.cost;
    assert_abs_diff_eq!(cost.switching, price(&[Load]) + expected.switching_beside_waiting, epsilon = 1e-9);
    let radio = price(&[Uplink, BackhaulUp, BackhaulDown, Downlink]);
    assert_abs_diff_eq!(cost.transmission, radio, epsilon = 1e-9);
    let computing = price(&[Perceive, Wait, Prefill, Decode, Align]) + expected.others_s;
    assert_abs_diff_eq!(cost.compute, computing, epsilon = 1e-9);
    assert_abs_diff_eq!(cost.accuracy, 10.0 * (1.0 - expected.quality), epsilon = 1e-9);
    assert_abs_diff_eq!(cost.cloud, 100.0 * expected.money, epsilon = 1e-12);
    assert_eq!(cost.deadline, 5.0 * expected.late);
    assert_eq!(step.info.counters.late, expected.late.max(0.0) as u64);
}

#[test]
fn the_second_edition_takes_and_costs_what_a_bookkeeper_of_its_formulas_computes() {
    let seen = play(&SECOND, 6, &SECOND_WORLD, 0.3);
    let counts = [
        seen.loads,
        seen.shared,
        seen.late,
        seen.contexts,
        seen.texts,
        seen.brought,
        seen.cloud,
        seen.forgotten,
    ];
    assert!(counts.iter().all(|&count| count > 0), "{seen:?}");
    let crowd = [&SECOND_WORLD[..], &[("physical.users", "20")]].concat();
    let seen = play(&SECOND, 3, &crowd, 0.7);
    let alone = [&SECOND_WORLD[..], &[("horizon_slots", "200"), ("physical.users", "1")]].concat();
    let alone = play(&SECOND, 2, &alone, 1.0);
    assert!(alone.refreshes > 0, "{alone:?}");
    let counts = [seen.waits_for_air, seen.makes_late, seen.full, seen.pins, seen.waits_for_another_load];
    assert!(counts.iter().all(|&count| count > 0), "{seen:?}");
}

#[test]
fn every_placement_takes_and_costs_what_a_bookkeeper_of_the_formulas_computes() {
    let seen = play(&FIRST, 6, &[], 0.0);
    let counts = [seen.loads, seen.shared, seen.waits, seen.late, seen.old_twins, seen.contexts, seen.pins];
    assert!(counts.iter().all(|&count| count > 0), "{seen:?}");
    let seen = play(&FIRST, 3, &[("physical.users", "20")], 0.7);
    let counts = [seen.waits_for_another_load, seen.batches_of_two, seen.third_of_a_slot, seen.waits];
    assert!(counts.iter().all(|&count| count > 0), "{seen:?}");
    let seen = play(&FIRST, 4, &[("horizon_slots", "200"), ("physical.users", "2")], 0.5);
    assert!(seen.dropped > 0, "{seen:?}");
    let seen = play(&FIRST, 2, &[("horizon_slots", "200"), ("physical.users", "1")], 1.0);
    assert!(seen.refreshes > 0, "{seen:?}");
}
