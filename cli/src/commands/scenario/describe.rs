//! `scenario describe`: a world at a glance, then one of its slots.

use super::story::{self, Story};
use crate::args::{DEFAULT_SCENARIO, SettingArgs, whole};
use crate::console::Console;
use crate::policies::TOLERANCE;
use crate::quantity::number;
use crate::scenario_file::{LoadedScenario, ScenarioText};
use crate::sheet::{self, joined};
use anyhow::Result;
use serde::Serialize;
use serde_json::{Value, json};
use std::sync::Arc;
use thoughtcache_agents::bounds::exact::ExactMdp;
use thoughtcache_agents::heuristics::registry;
use thoughtcache_env::gym::api::{Entry, Env};
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::llm::inference::Tokens;
use thoughtcache_env::llm::loading::Tier;
use thoughtcache_env::placement::pipeline::SiteView;
use thoughtcache_env::scenario::physical::PhysicalConfig;
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

/// The discount of the optimum that is told.
const OPTIMUM_GAMMA: f64 = 0.95;

/// The request by which models are compared.
const EXAMPLE: Tokens = Tokens { prompt: 1000.0, reused: 0.0, output: 200.0 };

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
        sheet::show(console, &description(&loaded, &source.summary(), &story))
    }
}

/// Everything that is said, for people and programs.
fn description(LoadedScenario { config, scenario }: &LoadedScenario, summary: &str, story: &Story) -> Value {
    let env = DecisionEnv::new(Arc::clone(scenario));
    let spec = env.spec();
    let (memory_gb, catalogue_gb) = (bytes_to_gb(scenario.capacity_bytes), catalogue_gb(scenario));
    let users_are = match (scenario.has_recorded_users(), scenario.is_recorded()) {
        (true, _) => "recorded",
        (false, true) => "drawn for a recording",
        (false, false) => "drawn",
    };
    let physical = config.physical.as_ref().zip(scenario.physical());
    // The file with every value in place, but for the tables that are shown apart.
    let mut settings = ScenarioConfig { models: Vec::new(), services: Vec::new(), ..config.clone() };
    if let Some(physical) = &mut settings.physical {
        physical.devices = Vec::new();
    }
    let entries = spec.entries.iter().map(|Entry { name, low, high }| (name.as_str(), Some([*low, *high])));
    json!({
        "scenario": scenario.name,
        "summary": summary,
        "num_cells": scenario.num_cells,
        "memory_gb": memory_gb,
        "catalogue_gb": catalogue_gb,
        "catalogue_fits_share": (memory_gb / catalogue_gb).min(1.0),
        "users": scenario.num_users,
        // Where the user of a request comes from.
        "users_are": scenario.num_users.map(|_| users_are),
        // Recorded requests for other models, or of other clients, which are served elsewhere.
        "outside_requests": Some(scenario.outside_requests).filter(|&requests| requests > 0),
        "edge_pays_off_tokens": break_even_tokens(scenario),
        "requests": load(scenario),
        "settings": settings,
        "physics": physical.map(|(_, physical)| physics(scenario, physical)),
        "models": (0..config.models.len()).filter_map(|index| model(scenario, index)).collect::<Vec<_>>(),
        "elsewhere": physical.map(|(settings, physical)| elsewhere(settings, physical)).unwrap_or_default(),
        "services": physical.map(|(_, physical)| demands(config, scenario, physical)).unwrap_or_default(),
        "costs": costs(config, scenario),
        "optimum": optimum(scenario),
        "num_entries": spec.num_entries(),
        "entries": grouped_names(entries),
        "num_actions": spec.num_actions(),
        "actions": grouped_names(spec.actions.iter().map(|name| (name.as_str(), None))),
        "story": story,
    })
}

/// The least cost of any policy, in worlds that are small enough to know it.
fn optimum(scenario: &Arc<Scenario>) -> Option<Value> {
    let mdp = ExactMdp::new(scenario).ok()?;
    let average = mdp.average(TOLERANCE).ok()?;
    Some(json!({
        // The bounds of the least average cost of a slot.
        "average_cost": [average.lower, average.upper],
        // From an empty memory on, before the first request is drawn.
        "discounted_cost": mdp.discounted(OPTIMUM_GAMMA, TOLERANCE).ok()?.value,
        "gamma": OPTIMUM_GAMMA,
        "states": mdp.num_states(),
    }))
}

/// What follows from the settings of a physical scenario.
fn physics(scenario: &Scenario, physical: &Physical) -> Value {
    let radio = &physical.radio;
    json!({
        "base_station_w": radio.band.base.power.to_w(),
        "device_w": radio.band.device.power.to_w(),
        // Where the base stations stand, to the east and to the north.
        "sites_m": physical.cells.iter().map(|place| [place.x_m, place.y_m]).collect::<Vec<_>>(),
        // The share of the time that a passer-by is in the way of a user.
        "blocked_share": radio.blockage.map_or(0.0, |blockage| blockage.prob()),
        // What a slot costs while the whole memory of a cell is full.
        "holding_cost_per_slot": physical.holding_cost(scenario.capacity_bytes),
    })
}

/// How a model does at a site.
fn speed(site: &SiteView<'_>) -> Value {
    json!({
        "gpus": site.server.num_gpus,
        // Of the answer to the example, while nothing else runs.
        "tokens_per_s": EXAMPLE.output / site.server.serve(&EXAMPLE, 1).decode_s,
        // Without context.
        "accuracy": site.law.accuracy(0.0),
        // How well it aligns an answer with what its user wants.
        "alignment": site.alignment_quality,
    })
}

/// A model that cells can hold; `None` where no service uses it.
fn model(scenario: &Scenario, index: usize) -> Option<Value> {
    let id = ModelId::from_index(index);
    let services = || scenario.services.iter().enumerate().filter(move |(_, service)| service.model == id);
    let first = ServiceId::from_index(services().next()?.0);
    let shape = scenario.model(id);
    let full_bytes = (shape.kv_bytes_per_token * shape.window_tokens).ceil() as u64;
    let is_abstract = scenario.physical().is_none();
    let row = json!({
        "name": shape.name,
        "services": services().count(),
        "memory_gb": bytes_to_gb(shape.bytes),
        // Absent without a limit.
        "window_tokens": shape.window_tokens,
        // What a context takes that fills the window, where context takes room.
        "full_context_gb": scenario.has_kv.then(|| bytes_to_gb(full_bytes)),
        // The least and the greatest over its services.
        "load_cost": is_abstract.then(|| least_and_most(services().map(|(_, service)| service.load_cost))),
    });
    let Some(physical) = scenario.physical() else { return Some(row) };
    let (site, path) = (physical.edge(first), &physical.path);
    let load_s = |tier| path.load_s(tier, shape.bytes);
    let context = json!({
        "accuracy_with_full_context": site.law.accuracy(shape.window_tokens),
        // From each tier into GPU memory.
        "load": {
            "host_s": load_s(Tier::Host), "nvme_s": load_s(Tier::Nvme), "store_s": load_s(Tier::Remote)
        },
    });
    Some(joined(row, joined(speed(&site), context)))
}

/// Models that answer outside the cell: on each class of devices, and in the cloud.
fn elsewhere(settings: &PhysicalConfig, physical: &Physical) -> Vec<Value> {
    let service = ServiceId(0);
    let row = |site: &str, users_share: Option<f64>, hardware: &str, model: &str, view: &SiteView<'_>| {
        let who = json!({ "site": site, "users_share": users_share, "hardware": hardware, "model": model });
        joined(who, speed(view))
    };
    let devices = settings.devices.iter().enumerate().map(|(class, typed)| {
        let view = physical.device(class, service);
        row(&typed.name, Some(typed.share), &typed.device, &typed.model, &view)
    });
    let cloud = &settings.cloud;
    devices.chain([row("cloud", None, &cloud.device, &cloud.model, &physical.cloud(service))]).collect()
}

/// What each service of a physical scenario asks for.
fn demands(config: &ScenarioConfig, scenario: &Scenario, physical: &Physical) -> Vec<Value> {
    let services = scenario.services.iter().zip(&config.services).enumerate();
    let demand = services.filter_map(|(index, (service, typed))| {
        let demands = physical.demands(ServiceId::from_index(index));
        let features =
            |which: usize| physical.radio.features.map(|laws| laws[which].of(demands.sensor_bits).quality);
        Some(json!({
            "name": service.name,
            "model": scenario.model_name(service.model),
            "modality": demands.modality.name(),
            // How much of what is there the sensor shows, without the cell's help.
            "perception": demands.modality.quality(),
            "sensor_bits": demands.sensor_bits,
            "perception_gflop": typed.demands.as_ref()?.perception_gflop,
            // The share of the meaning that features carry, where splits are allowed.
            "coarse": features(0),
            "fine": features(1),
            "deadline_s": demands.deadline_s,
        }))
    });
    demand.collect()
}

/// The weights of all entries, without their contexts.
fn catalogue_gb(scenario: &Scenario) -> f64 {
    let services = &scenario.services;
    let is_counted = |(index, service): &(usize, &Service)| {
        !scenario.has_shared_weights
            || !services[..*index].iter().any(|earlier| earlier.model == service.model)
    };
    services.iter().enumerate().filter(is_counted).map(|(_, service)| bytes_to_gb(service.bytes)).sum()
}

/// How much is asked for: in every episode, or in the parts of a recording.
fn load(scenario: &Scenario) -> Vec<Value> {
    let load = |of: &str, requests_per_slot: f64, num_slots: Option<usize>| json!({ "of": of, "requests_per_slot": requests_per_slot, "num_slots": num_slots });
    let part = |part: TracePart, requests_per_slot, num_slots| {
        load(&format!("the {part} part"), requests_per_slot, Some(num_slots))
    };
    let always = |requests_per_slot| vec![load("every episode", requests_per_slot, None)];
    match &scenario.arrivals {
        ArrivalModel::Recorded(parts) => parts
            .iter()
            .map(|own| part(own.part, own.num_requests() as f64 / own.num_slots() as f64, own.num_slots()))
            .collect(),
        ArrivalModel::Rates(model) => TracePart::ALL
            .iter()
            .map(|&own| part(own, model.mean_requests(own), model.split.slots(own).len()))
            .collect(),
        ArrivalModel::Drawn(model) => {
            always(model.by_rank.iter().sum::<f64>() * f64::from(scenario.num_cells))
        }
        ArrivalModel::Sessions => {
            always(scenario.physical().map_or(0.0, |physical| physical.sessions.requests_per_slot()))
        }
        ArrivalModel::Phased(_) => always(1.0),
    }
}

fn costs(config: &ScenarioConfig, scenario: &Scenario) -> Vec<Value> {
    let price = |component: &str, amount: String, per: &str| json!({ "component": component, "amount": amount, "per": per });
    if let (Some(settings), Some(physical)) = (&config.physical, scenario.physical()) {
        let weights = &settings.weights;
        let holding = physical.holding_cost(scenario.capacity_bytes);
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
    let (prices, services) = (scenario.prices, &scenario.services);
    let range = |of: fn(&Service) -> f64| match least_and_most(services.iter().map(of)) {
        [least, most] if most - least < 1e-12 => number(least),
        [least, most] => format!("{} to {}", number(least), number(most)),
    };
    let per_load = if scenario.has_shared_weights {
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
    let prices = scenario.prices;
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
    let points: Vec<f64> = scenario.services.iter().filter_map(point).collect();
    let least = points.iter().copied().reduce(f64::min)?;
    Some([least, points.iter().copied().reduce(f64::max)?])
}

/// Joins neighbours whose names differ in one number that counts up, and whose bounds are equal.
fn grouped_names<'a>(names: impl Iterator<Item = (&'a str, Option<[f32; 2]>)>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut begun = None;
    for (index, (name, bounds)) in names.enumerate() {
        let parts = cut_at_number(name);
        if let Some(group) = groups.last_mut()
            && let (Some((before, first, after)), Some(now)) = (begun, parts)
            && now == (before, first + group.count, after)
            && group.bounds == bounds
        {
            group.name = format!("{before}{first}..{}{after}", now.1);
            group.count += 1;
            continue;
        }
        begun = parts;
        groups.push(Group { name: name.to_owned(), first: index, count: 1, bounds });
    }
    groups
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
            sheet::text(&description(&loaded, "", &story)).unwrap()
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
