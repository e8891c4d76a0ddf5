//! `scenario describe`: a world at a glance, then one of its slots.

use super::story::{self, Story};
use crate::args::{DEFAULT_SCENARIO, SettingArgs, whole};
use crate::console::Console;
use crate::policies::TOLERANCE;
use crate::quantity::number;
use crate::scenario_file::{LoadedScenario, ScenarioText};
use crate::sheet;
use anyhow::Result;
use serde::Serialize;
use std::sync::Arc;
use thoughtcache_agents::bounds::exact::ExactMdp;
use thoughtcache_agents::heuristics::registry;
use thoughtcache_env::gym::api::{Entry, Env};
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::llm::inference::Tokens;
use thoughtcache_env::llm::loading::Tier;
use thoughtcache_env::placement::pipeline::SiteView;
use thoughtcache_env::scenario::physics::Physical;
use thoughtcache_env::scenario::{Scenario, ScenarioConfig, Service};
use thoughtcache_env::units::{ModelId, ServiceId, bytes_to_gb};
use thoughtcache_env::workload::arrivals::ArrivalModel;
use thoughtcache_env::workload::trace::TracePart;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A shipped name or a TOML file
    #[arg(default_value = DEFAULT_SCENARIO)]
    scenario: String,
    #[command(flatten)]
    set: SettingArgs,
    /// The slot that is shown decision by decision, from 0
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 30, value_parser = whole(0, u64::MAX))]
    slot: u64,
    /// The seed whose first test episode is played
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 0, value_parser = whole(0, u64::MAX))]
    seed: u64,
    /// The heuristic that decides
    #[arg(long, value_name = "NAME", default_value = "least-aot")]
    policy: String,
}

/// Everything that is said, for people and programs.
#[derive(Serialize)]
struct Description {
    scenario: String,
    summary: String,
    num_cells: u32,
    memory_gb: f64,
    /// The weights of all services, those that are shared once.
    catalogue_gb: f64,
    catalogue_fits_share: f64,
    users: Option<u32>,
    /// Where the user of a request comes from: `recorded`, `drawn`, or `drawn for a recording` that names none.
    users_are: Option<&'static str>,
    /// Recorded requests for other models, or of other clients, which are served elsewhere.
    outside_requests: Option<u64>,
    /// The fresh context with which the edge begins to cost less than the cloud: the least and the greatest over the services.
    edge_pays_off_tokens: Option<[f64; 2]>,
    requests: Vec<Load>,
    /// The scenario's file with every value in place, but for the tables that are shown apart.
    settings: ScenarioConfig,
    physics: Option<Physics>,
    models: Vec<ModelRow>,
    /// Models that answer outside the cell, in physical scenarios.
    elsewhere: Vec<Elsewhere>,
    services: Vec<Demand>,
    costs: Vec<Price>,
    optimum: Option<Optimum>,
    num_entries: usize,
    entries: Vec<Group>,
    num_actions: usize,
    actions: Vec<Group>,
    story: Story,
}

/// The discount of the optimum that is told.
const OPTIMUM_GAMMA: f64 = 0.95;

/// The least cost of any policy, in worlds that are small enough to know it.
#[derive(Serialize)]
struct Optimum {
    /// The bounds of the least average cost of a slot.
    average_cost: [f64; 2],
    /// From an empty memory on, before the first request is drawn.
    discounted_cost: f64,
    gamma: f64,
    states: usize,
}

/// How much is asked for.
#[derive(Serialize)]
struct Load {
    /// `every episode`, or a part of a recording.
    of: String,
    requests_per_slot: f64,
    num_slots: Option<u64>,
}

/// What follows from the settings of a physical scenario.
#[derive(Serialize)]
struct Physics {
    base_station_w: f64,
    device_w: f64,
    /// Where the base stations stand, to the east and to the north.
    sites_m: Vec<[f64; 2]>,
    /// The share of the time that a passer-by is in the way of a user.
    blocked_share: f64,
    /// What a slot costs while the whole memory of a cell is full.
    holding_cost_per_slot: f64,
}

#[derive(Serialize)]
struct ModelRow {
    name: String,
    services: usize,
    memory_gb: f64,
    /// Absent without a limit.
    window_tokens: Option<f64>,
    /// What a context takes that fills the window, where context takes room.
    full_context_gb: Option<f64>,
    /// The least and the greatest cost of a load over its services, in abstract scenarios.
    load_cost: Option<[f64; 2]>,
    #[serde(flatten)]
    edge: Option<AtEdge>,
}

/// How a model does on the servers of a cell.
#[derive(Serialize)]
struct AtEdge {
    #[serde(flatten)]
    speed: Speed,
    accuracy_with_full_context: f64,
    load: LoadTimes,
}

/// Seconds from each tier into GPU memory.
#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "a key carries its unit")]
struct LoadTimes {
    host_s: f64,
    nvme_s: f64,
    store_s: f64,
}

/// The request by which models are compared.
const EXAMPLE: Tokens = Tokens { prompt: 1000.0, reused: 0.0, output: 200.0 };

/// How a model does at a site.
#[derive(Serialize)]
struct Speed {
    gpus: f64,
    /// Of the answer, while nothing else runs: 1,000 tokens of prompt and 200 of answer.
    tokens_per_s: f64,
    /// Without context.
    accuracy: f64,
    /// How well it aligns an answer with what its user wants.
    alignment: f64,
}

#[derive(Serialize)]
struct Elsewhere {
    /// The class of devices, or `cloud`.
    site: String,
    /// The users that carry such a device.
    users_share: Option<f64>,
    hardware: String,
    model: String,
    #[serde(flatten)]
    speed: Speed,
}

/// What a service of a physical scenario asks for.
#[derive(Serialize)]
struct Demand {
    name: String,
    model: String,
    modality: &'static str,
    /// How much of what is there the sensor shows, without the cell's help.
    perception: f64,
    sensor_bits: f64,
    perception_gflop: f64,
    /// The share of the meaning that features carry, where splits are allowed.
    coarse: Option<f64>,
    fine: Option<f64>,
    deadline_s: f64,
}

#[derive(Serialize)]
struct Price {
    component: &'static str,
    amount: String,
    per: &'static str,
}

/// Numbered things of one kind: `service.0..19.age`.
#[derive(Debug, PartialEq, Serialize)]
struct Group {
    name: String,
    first: usize,
    count: usize,
    bounds: Option<[f32; 2]>,
}

impl Args {
    pub(super) fn run(self, console: Console) -> Result<()> {
        let source = ScenarioText::find(&self.scenario)?;
        let loaded = source.load(&self.set.overrides()?)?;
        let mut policy = registry::build(&self.policy, &loaded.scenario)?;
        let story = story::tell(&loaded.scenario, policy.as_mut(), self.seed, self.slot)?;
        let description = Description::new(&loaded, source.summary(), story);
        let text = sheet::text(&description)?;
        console.result(&description, || text)
    }
}

impl Description {
    fn new(LoadedScenario { config, scenario }: &LoadedScenario, summary: String, story: Story) -> Self {
        let env = DecisionEnv::new(Arc::clone(scenario));
        let spec = env.spec();
        let (memory_gb, catalogue_gb) = (bytes_to_gb(scenario.capacity_bytes()), catalogue_gb(scenario));
        let users_are = match (scenario.has_recorded_users(), scenario.is_recorded()) {
            (true, _) => "recorded",
            (false, true) => "drawn for a recording",
            (false, false) => "drawn",
        };
        let physical = config.physical.as_ref().zip(scenario.physical());
        let mut settings = ScenarioConfig { models: Vec::new(), services: Vec::new(), ..config.clone() };
        if let Some(physical) = &mut settings.physical {
            physical.devices = Vec::new();
        }
        Self {
            scenario: scenario.name().to_owned(),
            summary,
            num_cells: scenario.num_cells(),
            memory_gb,
            catalogue_gb,
            catalogue_fits_share: (memory_gb / catalogue_gb).min(1.0),
            users: scenario.num_users(),
            users_are: scenario.num_users().map(|_| users_are),
            outside_requests: Some(scenario.outside_requests()).filter(|&requests| requests > 0),
            edge_pays_off_tokens: break_even_tokens(scenario),
            requests: load(scenario),
            settings,
            physics: physical.map(|(_, physical)| Physics::new(scenario, physical)),
            models: (0..config.models.len()).filter_map(|index| model(scenario, index)).collect(),
            elsewhere: physical.map(|(_, physical)| elsewhere(config, physical)).unwrap_or_default(),
            services: physical.map(|(_, physical)| demands(config, scenario, physical)).unwrap_or_default(),
            costs: costs(config, scenario),
            optimum: Optimum::of(scenario),
            num_entries: spec.num_entries(),
            entries: grouped_names(
                spec.entries.iter().map(|Entry { name, low, high }| (name.as_str(), Some([*low, *high]))),
            ),
            num_actions: spec.num_actions(),
            actions: grouped_names(spec.actions.iter().map(|name| (name.as_str(), None))),
            story,
        }
    }
}

impl Optimum {
    fn of(scenario: &Arc<Scenario>) -> Option<Self> {
        let mdp = ExactMdp::new(scenario).ok()?;
        let average = mdp.average(TOLERANCE).ok()?;
        Some(Self {
            average_cost: [average.lower, average.upper],
            discounted_cost: mdp.discounted(OPTIMUM_GAMMA, TOLERANCE).ok()?.value,
            gamma: OPTIMUM_GAMMA,
            states: mdp.num_states(),
        })
    }
}

impl Physics {
    fn new(scenario: &Scenario, physical: &Physical) -> Self {
        let radio = &physical.radio;
        Self {
            base_station_w: radio.band.base.power.to_w(),
            device_w: radio.band.device.power.to_w(),
            sites_m: physical.cells.iter().map(|place| [place.x_m, place.y_m]).collect(),
            blocked_share: radio.blockage.map_or(0.0, |blockage| blockage.prob()),
            holding_cost_per_slot: physical.holding_cost(scenario.capacity_bytes()),
        }
    }
}

impl Speed {
    fn new(site: &SiteView<'_>) -> Self {
        Self {
            gpus: site.server.num_gpus,
            tokens_per_s: EXAMPLE.output / site.server.serve(&EXAMPLE, 1).decode_s,
            accuracy: site.law.accuracy(0.0),
            alignment: site.alignment_quality,
        }
    }
}

/// A model that cells can hold; `None` where no service uses it.
fn model(scenario: &Scenario, index: usize) -> Option<ModelRow> {
    let id = ModelId::from_index(index);
    let services = || scenario.services().iter().enumerate().filter(move |(_, service)| service.model == id);
    let first = ServiceId::from_index(services().next()?.0);
    let shape = scenario.model(id);
    let full_bytes = (shape.kv_bytes_per_token * shape.window_tokens).ceil() as u64;
    let edge = scenario.physical().map(|physical| {
        let (site, path) = (physical.edge(first), &physical.path);
        let load_s = |tier| path.load_s(tier, shape.bytes);
        AtEdge {
            speed: Speed::new(&site),
            accuracy_with_full_context: site.law.accuracy(shape.window_tokens),
            load: LoadTimes {
                host_s: load_s(Tier::Host),
                nvme_s: load_s(Tier::Nvme),
                store_s: load_s(Tier::Remote),
            },
        }
    });
    Some(ModelRow {
        name: shape.name.clone(),
        services: services().count(),
        memory_gb: bytes_to_gb(shape.bytes),
        window_tokens: Some(shape.window_tokens).filter(|window| window.is_finite()),
        full_context_gb: scenario.has_kv().then(|| bytes_to_gb(full_bytes)),
        load_cost: edge.is_none().then(|| least_and_most(services().map(|(_, service)| service.load_cost))),
        edge,
    })
}

fn elsewhere(config: &ScenarioConfig, physical: &Physical) -> Vec<Elsewhere> {
    let Some(settings) = &config.physical else { return Vec::new() };
    let service = ServiceId(0);
    let devices = settings.devices.iter().enumerate().map(|(class, typed)| Elsewhere {
        site: typed.name.clone(),
        users_share: Some(typed.share),
        hardware: typed.device.clone(),
        model: typed.model.clone(),
        speed: Speed::new(&physical.device(class, service)),
    });
    let cloud = Elsewhere {
        site: "cloud".to_owned(),
        users_share: None,
        hardware: settings.cloud.device.clone(),
        model: settings.cloud.model.clone(),
        speed: Speed::new(&physical.cloud(service)),
    };
    devices.chain([cloud]).collect()
}

fn demands(config: &ScenarioConfig, scenario: &Scenario, physical: &Physical) -> Vec<Demand> {
    let services = scenario.services().iter().zip(&config.services).enumerate();
    let demand = services.filter_map(|(index, (service, typed))| {
        let demands = physical.demands(ServiceId::from_index(index));
        let features =
            |which: usize| physical.radio.features.map(|laws| laws[which].of(demands.sensor_bits).quality);
        Some(Demand {
            name: service.name.clone(),
            model: scenario.model_name(service.model).to_owned(),
            modality: demands.modality.name(),
            perception: demands.modality.quality(),
            sensor_bits: demands.sensor_bits,
            perception_gflop: typed.demands.as_ref()?.perception_gflop,
            coarse: features(0),
            fine: features(1),
            deadline_s: demands.deadline_s,
        })
    });
    demand.collect()
}

/// The weights of all entries, without their contexts.
fn catalogue_gb(scenario: &Scenario) -> f64 {
    let services = scenario.services();
    let is_counted = |(index, service): &(usize, &Service)| {
        !scenario.has_shared_weights()
            || !services[..*index].iter().any(|earlier| earlier.model == service.model)
    };
    services.iter().enumerate().filter(is_counted).map(|(_, service)| bytes_to_gb(service.bytes)).sum()
}

fn load(scenario: &Scenario) -> Vec<Load> {
    let always =
        |requests_per_slot| vec![Load { of: "every episode".into(), requests_per_slot, num_slots: None }];
    match scenario.arrivals() {
        ArrivalModel::Recorded { parts, .. } => parts
            .iter()
            .map(|part| Load {
                of: format!("the {} part", part.part()),
                requests_per_slot: part.num_requests() as f64 / part.num_slots() as f64,
                num_slots: Some(part.num_slots() as u64),
            })
            .collect(),
        ArrivalModel::Rates(model) => TracePart::ALL
            .iter()
            .map(|&part| Load {
                of: format!("the {part} part"),
                requests_per_slot: model.mean_requests(part),
                num_slots: Some(model.split().slots(part).len() as u64),
            })
            .collect(),
        ArrivalModel::Drawn(model) => {
            always(model.by_rank.iter().sum::<f64>() * f64::from(scenario.num_cells()))
        }
        ArrivalModel::Sessions => {
            always(scenario.physical().map_or(0.0, |physical| physical.sessions.requests_per_slot()))
        }
        ArrivalModel::Phased(_) => always(1.0),
    }
}

fn costs(config: &ScenarioConfig, scenario: &Scenario) -> Vec<Price> {
    let price = |component, amount: String, per| Price { component, amount, per };
    if let (Some(settings), Some(physical)) = (&config.physical, scenario.physical()) {
        let weights = &settings.weights;
        let holding = physical.holding_cost(scenario.capacity_bytes());
        return vec![
            price("time", number(weights.cost_per_s), "per s until the answer is complete"),
            price("energy", number(weights.cost_per_j), "per J of device, network, cell and cloud"),
            price("quality", number(weights.cost_per_quality), "x (1 - quality) of the answer"),
            price("money", number(weights.cost_per_currency), "per unit of currency"),
            price("deadline", number(weights.cost_per_missed_deadline), "per late answer"),
            price("store", number(weights.cost_per_store_gb), "per GB of weights from outside the cell"),
            price("holding", number(holding), "per slot with a full memory, at the price of energy"),
        ];
    }
    let (prices, services) = (scenario.prices(), scenario.services());
    let range = |of: fn(&Service) -> f64| match least_and_most(services.iter().map(of)) {
        [least, most] if most - least < 1e-12 => number(least),
        [least, most] => format!("{} to {}", number(least), number(most)),
    };
    let per_load = if scenario.has_shared_weights() {
        "per load, by model; evictions are free, and so are weights that are in memory already"
    } else {
        "per load, by model; evictions are free"
    };
    let mut rows = vec![
        price("switching", range(|service| service.load_cost), per_load),
        price("transmission", range(|service| service.edge_per_request), "per request served at the edge"),
        price(
            "accuracy",
            number(prices.accuracy_weight),
            "x the unit accuracy cost, per request at the edge",
        ),
        price("cloud", range(|service| service.cloud_per_request), "per request served in the cloud"),
    ];
    if prices.per_flop > 0.0 {
        rows.insert(2, price("compute", number(prices.per_flop * 1e12), "per TFLOP at the edge"));
    }
    rows
}

fn least_and_most(values: impl Iterator<Item = f64>) -> [f64; 2] {
    values.fold([f64::INFINITY, 0.0], |[least, most], value| [least.min(value), most.max(value)])
}

/// The least fresh context, in tokens, with which an answer at the edge costs less than one in the cloud: the least and the
/// greatest over the services that have such a point within their window.
fn break_even_tokens(scenario: &Scenario) -> Option<[f64; 2]> {
    let prices = scenario.prices();
    let cost = |service: &Service, tokens: f64| {
        service.edge_per_request
            + prices.accuracy_weight * service.quality.unit_cost(tokens, tokens)
            + prices.per_flop * service.request_flop
    };
    let point = |service: &Service| {
        let is_cheaper = |tokens: f64| cost(service, tokens) < service.cloud_per_request;
        let (mut above, mut below) = (service.window_tokens, 0.0);
        if !is_cheaper(above) || is_cheaper(below) {
            return None;
        }
        while above - below > 0.5 {
            let middle = f64::midpoint(above, below);
            if is_cheaper(middle) { above = middle } else { below = middle }
        }
        Some(above)
    };
    let points: Vec<f64> = scenario.services().iter().filter_map(point).collect();
    let least = points.iter().copied().reduce(f64::min)?;
    Some([least, points.iter().copied().reduce(f64::max)?])
}

/// Joins neighbours whose names differ in one number that counts up, and whose bounds are equal.
fn grouped_names<'a>(names: impl Iterator<Item = (&'a str, Option<[f32; 2]>)>) -> Vec<Group> {
    struct Run<'a> {
        parts: Option<(&'a str, usize, &'a str)>,
        group: Group,
    }
    let mut runs: Vec<Run<'a>> = Vec::new();
    for (index, (name, bounds)) in names.enumerate() {
        let parts = cut_at_number(name);
        if let Some(run) = runs.last_mut()
            && let (Some((before, first, after)), Some(now)) = (run.parts, parts)
            && now == (before, first + run.group.count, after)
            && run.group.bounds == bounds
        {
            run.group.name = format!("{before}{first}..{}{after}", now.1);
            run.group.count += 1;
            continue;
        }
        runs.push(Run { parts, group: Group { name: name.to_owned(), first: index, count: 1, bounds } });
    }
    runs.into_iter().map(|run| run.group).collect()
}

/// Cuts `service.12.age` into `service.`, 12, `.age`.
fn cut_at_number(name: &str) -> Option<(&str, usize, &str)> {
    let start = name.find(|c: char| c.is_ascii_digit())?;
    let digits = name[start..].bytes().take_while(u8::is_ascii_digit).count();
    Some((&name[..start], name[start..start + digits].parse().ok()?, &name[start + digits..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use thoughtcache_env::text::Override;

    #[test]
    fn names_that_count_up_are_one_group() {
        let names =
            ["service.0.age", "service.1.age", "service.0.load", "cell.free", "edge evict 0", "edge evict 1"];
        let groups = grouped_names(names.into_iter().map(|name| (name, None)));
        let lines: Vec<(&str, usize, usize)> =
            groups.iter().map(|g| (g.name.as_str(), g.first, g.count)).collect();
        assert_eq!(
            lines,
            [
                ("service.0..1.age", 0, 2),
                ("service.0.load", 2, 1),
                ("cell.free", 3, 1),
                ("edge evict 0..1", 4, 2)
            ]
        );
    }

    #[test]
    fn rules_of_memory_and_context_are_said_where_they_are_set() {
        let describe = |changes: &[(&str, &str)]| {
            let changes: Vec<Override> = changes
                .iter()
                .map(|&(key, value)| Override { key: key.into(), value: value.into() })
                .collect();
            let loaded = crate::scenario_file::load("tight", &changes).unwrap();
            let mut policy = registry::build("least-aot", &loaded.scenario).unwrap();
            let story = story::tell(&loaded.scenario, policy.as_mut(), 0, 3).unwrap();
            sheet::text(&Description::new(&loaded, String::new(), story)).unwrap()
        };
        let rules = [
            "478 GB",
            "refresh clear",
            "1,000",
            "full context",
            "and so are weights that are in memory already",
        ];
        let text = describe(&[
            ("memory.refresh", "\"clear\""),
            ("memory.shared_weights", "true"),
            ("memory.kv", "true"),
            ("models.0.kv_bytes_per_token", "2e6"),
            ("models.1.kv_bytes_per_token", "4e6"),
            ("context.scope", "\"user\""),
            ("context.users", "1000"),
        ]);
        let plain = describe(&[]);
        for rule in rules {
            assert!(text.contains(rule) && !plain.contains(rule), "{rule}: {text}");
        }
    }

    #[test]
    fn entries_with_other_bounds_are_another_group() {
        let names = [("a.0", Some([0.0, 1.0])), ("a.1", Some([0.0, 2.0]))];
        assert_eq!(grouped_names(names.into_iter()).len(), 2);
    }

    #[test]
    fn the_edge_pays_off_where_one_computes_it() {
        // 1e-4 + 2.5 (1 - .430789) / (kappa ln 2) = 7.5e-3 at kappa = 277.4 for the first service of `tight`.
        let [least, most] = break_even_tokens(&Scenario::shipped("tight")).unwrap();
        // The greatest 1 - alpha is .657219 (kappa 320.3), the least .305089 (kappa 148.7).
        assert!((148.7..149.3).contains(&least) && (320.3..320.9).contains(&most), "{least} {most}");
    }
}
