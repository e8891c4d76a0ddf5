//! `scenario describe`: a world at a glance, then one of its slots as a story.

use super::physical::Sheet;
use super::story::{self, Story};
use crate::args::{DEFAULT_SCENARIO, SettingArgs, whole};
use crate::console::Console;
use crate::policies::TOLERANCE;
use crate::quantity::number;
use crate::scenario_file::{LoadedScenario, ScenarioText};
use crate::table::{Align, Table, grouped};
use anyhow::Result;
use serde::Serialize;
use std::fmt::{self, Write as _};
use std::sync::Arc;
use thoughtcache_agents::bounds::exact::ExactMdp;
use thoughtcache_agents::heuristics::registry;
use thoughtcache_env::gym::api::{Entry, Env};
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::scenario::config::{DiurnalConfig, WorkloadConfig};
use thoughtcache_env::scenario::sessions::SessionsConfig;
use thoughtcache_env::scenario::{Scenario, Service};
use thoughtcache_env::thought::Refresh;
use thoughtcache_env::units::{ModelId, bytes_to_gb};
use thoughtcache_env::workload::arrivals::ArrivalModel;
use thoughtcache_env::workload::trace::TracePart;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A shipped name or a TOML file
    #[arg(default_value = DEFAULT_SCENARIO)]
    scenario: String,
    #[command(flatten)]
    set: SettingArgs,
    /// The slot that is told, from 0
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 30, value_parser = whole(0, u64::MAX))]
    slot: u64,
    /// The first test episode of this seed is played
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 0, value_parser = whole(0, u64::MAX))]
    seed: u64,
    /// Who decides: any heuristic
    #[arg(long, value_name = "NAME", default_value = "least-aot")]
    policy: String,
}

/// Everything that is said, for programs.
#[derive(Serialize)]
struct Description {
    scenario: String,
    summary: String,
    num_cells: u32,
    memory_gb: f64,
    catalogue_gb: f64,
    #[serde(flatten)]
    memory: MemoryRules,
    slot_s: f64,
    horizon_slots: u32,
    requests: Vec<Load>,
    models: Vec<ModelRow>,
    costs: Vec<Price>,
    /// Radio, servers, devices and services, where the scenario has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    physical: Option<Sheet>,
    #[serde(skip_serializing_if = "Option::is_none")]
    optimum: Option<Optimum>,
    entries: Vec<Group>,
    num_entries: usize,
    actions: Vec<Group>,
    num_actions: usize,
    story: Story,
}

/// The discount of the optimum that is told.
const OPTIMUM_GAMMA: f64 = 0.95;

/// What no policy can beat, in worlds that are small enough to know it.
#[derive(Serialize)]
struct Optimum {
    /// The bounds of the least average cost a slot.
    average_cost: [f64; 2],
    /// From an empty memory on, before the first request is drawn; gamma .95.
    discounted_cost: f64,
    states: usize,
}

impl Optimum {
    fn of(scenario: &Arc<Scenario>) -> Option<Self> {
        let mdp = ExactMdp::new(scenario).ok()?;
        let average = mdp.average(TOLERANCE).ok()?;
        Some(Self {
            average_cost: [average.lower, average.upper],
            discounted_cost: mdp.discounted(OPTIMUM_GAMMA, TOLERANCE).ok()?.value,
            states: mdp.num_states(),
        })
    }
}

/// What differs from P1's memory: an entry with a full window leaves, each pays for its weights, context takes no room and
/// is everybody's.
#[derive(Serialize)]
struct MemoryRules {
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    clears_full_windows: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    shared_weights: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    kv: bool,
    /// How many users there are, each with contexts of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    users: Option<u32>,
    /// Where the user of a request comes from: `recorded`, `drawn`, or `drawn for a recording` that names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    users_are: Option<&'static str>,
}

/// How much is asked for.
#[derive(Serialize)]
struct Load {
    /// What it is the load of: `every episode`, or a part of a recording.
    of: String,
    requests_per_slot: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_slots: Option<u64>,
}

#[derive(Serialize)]
struct ModelRow {
    name: String,
    memory_gb: f64,
    /// `None` without a limit.
    window_tokens: Option<f64>,
    /// What a context takes that fills the window, where context takes room.
    #[serde(skip_serializing_if = "Option::is_none")]
    full_context_gb: Option<f64>,
    services: usize,
    /// The least and the greatest cost of a load, over its services.
    load_cost: [f64; 2],
}

#[derive(Serialize)]
pub(super) struct Price {
    pub(super) component: &'static str,
    pub(super) amount: String,
    pub(super) per: String,
}

/// Numbered things of one kind: `service.0..19.age`.
#[derive(Debug, PartialEq, Serialize)]
struct Group {
    name: String,
    first: usize,
    count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    bounds: Option<[f32; 2]>,
}

impl Args {
    pub(super) fn run(self, console: Console) -> Result<()> {
        let source = ScenarioText::find(&self.scenario)?;
        let loaded = source.load(&self.set.overrides()?)?;
        let mut policy = registry::build(&self.policy, &loaded.scenario)?;
        let story = story::tell(&loaded.scenario, policy.as_mut(), self.seed, self.slot)?;
        let description = Description::new(&loaded, source.summary(), story);
        console.result(&description, || description.text(&loaded))
    }
}

impl Description {
    fn new(LoadedScenario { config, scenario }: &LoadedScenario, summary: String, story: Story) -> Self {
        let env = DecisionEnv::new(Arc::clone(scenario));
        let spec = env.spec();
        let of_model = |index: usize| {
            let costs =
                scenario.services().iter().filter(move |s| s.model.index() == index).map(|s| s.load_cost);
            costs.clone().fold([f64::INFINITY, 0.0], |[least, most], cost| [least.min(cost), most.max(cost)])
        };
        let models = config.models.iter().enumerate().map(|(index, model)| ModelRow {
            name: model.name.clone(),
            memory_gb: bytes_to_gb(scenario.model(ModelId::from_index(index)).bytes),
            window_tokens: Some(scenario.model(ModelId::from_index(index)).window_tokens)
                .filter(|w| w.is_finite()),
            full_context_gb: scenario.has_kv().then(|| {
                let shape = scenario.model(ModelId::from_index(index));
                bytes_to_gb((shape.kv_bytes_per_token * shape.window_tokens).ceil() as u64)
            }),
            services: scenario.services().iter().filter(|service| service.model.index() == index).count(),
            load_cost: of_model(index),
        });
        let actions = spec.actions.iter().map(|name| (name.as_str(), None));
        let physical = Sheet::new(config, scenario);
        Self {
            scenario: scenario.name().to_owned(),
            summary,
            num_cells: scenario.num_cells(),
            memory_gb: bytes_to_gb(scenario.capacity_bytes()),
            catalogue_gb: catalogue_gb(scenario),
            memory: MemoryRules {
                clears_full_windows: scenario.refresh() == Refresh::Clear,
                shared_weights: scenario.has_shared_weights(),
                kv: scenario.has_kv(),
                users: scenario.num_users(),
                users_are: scenario.num_users().map(|_| {
                    match (scenario.has_recorded_users(), scenario.is_recorded()) {
                        (true, _) => "recorded",
                        (false, true) => "drawn for a recording",
                        (false, false) => "drawn",
                    }
                }),
            },
            slot_s: scenario.slot_s(),
            horizon_slots: scenario.horizon_slots(),
            requests: load(scenario),
            models: models.filter(|model| model.services > 0).collect(),
            costs: physical.as_ref().map_or_else(|| prices(scenario), Sheet::prices),
            physical,
            optimum: Optimum::of(scenario),
            entries: grouped_names(
                spec.entries.iter().map(|Entry { name, low, high }| (name.as_str(), Some([*low, *high]))),
            ),
            num_entries: spec.num_entries(),
            actions: grouped_names(actions),
            num_actions: spec.num_actions(),
            story,
        }
    }

    fn text(&self, loaded: &LoadedScenario) -> String {
        let mut text = String::new();
        let _ = self.write(&mut text, loaded); // a String takes everything
        text
    }

    fn write(&self, text: &mut String, LoadedScenario { config, scenario }: &LoadedScenario) -> fmt::Result {
        writeln!(text, "{}: {}\n\nWorld", self.scenario, self.summary)?;
        self.write_world(text, scenario, &config.workload)?;
        match &self.physical {
            Some(physical) => physical.write_tables(text)?,
            None => self.write_models(text)?,
        }
        let mut costs = Table::new([("component", Align::Left), ("price", Align::Right), ("", Align::Left)]);
        for Price { component, amount, per } in &self.costs {
            costs.row([component, amount.as_str(), per]);
        }
        writeln!(text, "Costs, in the scenario's own unit\n{}", costs.text(2))?;
        if self.physical.is_some() {
            let mut components = Table::new([("in tables", Align::Left), ("holds", Align::Left)]);
            for (name, contents) in Sheet::COMPONENTS {
                components.row([name, contents]);
            }
            writeln!(text, "{}", components.text(2))?;
        }
        if let Some(Optimum { average_cost: [lower, upper], discounted_cost, states }) = &self.optimum {
            writeln!(text, "Optimum, exact: value iteration over {} situations", grouped(*states as u64))?;
            writeln!(
                text,
                "  average      {:.9} a slot in the long run (bounds {:.1e} apart)",
                f64::midpoint(*lower, *upper),
                upper - lower
            )?;
            writeln!(
                text,
                "  discounted   {discounted_cost:.9} from an empty memory on, gamma {OPTIMUM_GAMMA}\n"
            )?;
        }
        writeln!(text, "Observation: {} numbers\n{}", self.num_entries, groups(&self.entries).text(2))?;
        writeln!(text, "Actions: {}\n{}", self.num_actions, groups(&self.actions).text(2))?;
        text.push_str(&self.story.text());
        Ok(())
    }

    fn write_models(&self, text: &mut String) -> fmt::Result {
        let mut models = Table::new([
            ("model", Align::Left),
            ("services", Align::Right),
            ("weights", Align::Right),
            ("window", Align::Right),
            ("cost of a load", Align::Right),
        ]);
        for model in &self.models {
            let context = model.full_context_gb.map(|gb| format!(" = {} GB", number(gb)));
            models.row([
                model.name.clone(),
                model.services.to_string(),
                format!("{} GB", number(model.memory_gb)),
                model.window_tokens.map_or_else(
                    || "no limit".to_owned(),
                    |tokens| format!("{} tokens{}", grouped(tokens as u64), context.unwrap_or_default()),
                ),
                range(model.load_cost),
            ]);
        }
        writeln!(text, "\nModels\n{}", models.text(2))
    }

    fn write_world(&self, text: &mut String, scenario: &Scenario, workload: &WorkloadConfig) -> fmt::Result {
        let cells =
            if self.num_cells == 1 { "one cell".to_owned() } else { format!("{} cells", self.num_cells) };
        let share = 100.0 * self.memory_gb / self.catalogue_gb;
        writeln!(
            text,
            "  memory    {cells} with {} GB; all {} services take {} GB: {share:.0} % of them fit",
            number(self.memory_gb),
            scenario.services().len(),
            number(self.catalogue_gb),
        )?;
        self.memory.write(text)?;
        if let Some(physical) = &self.physical {
            physical.write_world(text)?;
        }
        let (slot_s, horizon) = (number(self.slot_s), self.horizon_slots);
        writeln!(
            text,
            "  time      slots of {slot_s} s, {horizon} to an episode, memory empty at its start"
        )?;
        let how = match workload {
            WorkloadConfig::Poisson(_)
            | WorkloadConfig::Gamma(_)
            | WorkloadConfig::Weibull(_)
            | WorkloadConfig::Modulated(_) => drawn(workload),
            WorkloadConfig::Trace(trace) => format!("recorded in {}", trace.path),
            WorkloadConfig::Rates(rates) => {
                format!("drawn at {} times the rates in {}", number(rates.rate_scale), rates.path)
            }
            WorkloadConfig::Phased(workload) => match (workload.popularity.len(), workload.stay_prob) {
                (phases, Some(stay_prob)) if phases > 1 => {
                    let mean = number(1.0 / (1.0 - stay_prob));
                    format!("one by one; {phases} phases of popularity, of {mean} slots on average")
                }
                _ => "one by one; popularity never changes".to_owned(),
            },
            WorkloadConfig::Sessions(sessions) => conversations(sessions),
        };
        for (index, Load { of, requests_per_slot, num_slots }) in self.requests.iter().enumerate() {
            let label = if index == 0 { "requests" } else { "" };
            let over = num_slots.map_or(String::new(), |slots| format!(" over {} slots", grouped(slots)));
            let how = if index == 0 { format!(" ({how})") } else { String::new() };
            writeln!(text, "  {label:<8}  {requests_per_slot:.2} a slot in {of}{over}{how}")?;
        }
        if scenario.outside_requests() > 0 {
            let outside = grouped(scenario.outside_requests());
            let others = match workload {
                WorkloadConfig::Rates(_) => "are of other clients",
                _ => "ask for other models",
            };
            writeln!(text, "            {outside} recorded requests {others} and are served elsewhere")?;
        }
        if scenario.is_per_request() {
            let hold = if scenario.has_hold() { "; a refusal lasts until the slot ends" } else { "" };
            writeln!(text, "  decisions one for every request{hold}")?;
        }
        if scenario.has_prefetch() {
            let label = if scenario.is_per_request() { "" } else { "decisions" };
            writeln!(text, "  {label:<9} at the start of every slot each cell may load one service")?;
        }
        if let Some([least, most]) = break_even_tokens(scenario) {
            writeln!(
                text,
                "  context   the edge beats the cloud once an answer has {least:.0} to {most:.0} fresh tokens, by service"
            )?;
        }
        Ok(())
    }
}

impl MemoryRules {
    fn write(&self, text: &mut String) -> fmt::Result {
        if self.shared_weights {
            writeln!(text, "            entries on one model share one copy of its weights")?;
        }
        if self.kv {
            writeln!(text, "            the context of an entry takes room beside its weights")?;
        }
        if self.clears_full_windows {
            writeln!(
                text,
                "            a context that outgrows its window is cleared, and the weights stay"
            )?;
        }
        if let Some(users) = self.users {
            let users = grouped(u64::from(users));
            let origin = match self.users_are {
                Some("recorded") => ", as recorded",
                Some("drawn for a recording") => ", drawn for each request, for the recording names none",
                _ => "",
            };
            writeln!(text, "  users     {users}{origin}, each with a context of their own at every entry")?;
        }
        Ok(())
    }
}

/// What all entries take together, without their contexts.
fn catalogue_gb(scenario: &Scenario) -> f64 {
    let services = scenario.services();
    let is_counted = |index: usize| {
        !scenario.has_shared_weights()
            || !services[..index].iter().any(|earlier| earlier.model == services[index].model)
    };
    (0..services.len())
        .filter(|&index| is_counted(index))
        .map(|index| bytes_to_gb(services[index].bytes))
        .sum()
}

/// How requests that are drawn from intensities come about.
fn drawn(workload: &WorkloadConfig) -> String {
    let (process, zipf_exponent, reshuffle_slots, diurnal) = match workload {
        WorkloadConfig::Poisson(law) => {
            ("Poisson".to_owned(), law.zipf_exponent, law.reshuffle_slots, &law.diurnal)
        }
        WorkloadConfig::Gamma(law) => {
            let process = format!("gamma gaps with coefficient of variation {}", number(law.cv));
            (process, law.zipf_exponent, law.reshuffle_slots, &law.diurnal)
        }
        WorkloadConfig::Weibull(law) => {
            let process = format!("Weibull gaps with coefficient of variation {}", number(law.cv));
            (process, law.zipf_exponent, law.reshuffle_slots, &law.diurnal)
        }
        WorkloadConfig::Modulated(law) => {
            let process = format!("Poisson in {} states that come and go", law.states.len());
            (process, law.zipf_exponent, law.reshuffle_slots, &law.diurnal)
        }
        _ => return String::new(),
    };
    popularity_text(&process, zipf_exponent, reshuffle_slots, diurnal.as_ref())
}

/// How conversations come about.
fn conversations(sessions: &SessionsConfig) -> String {
    let process = format!("conversations, {} a user and hour", number(sessions.sessions_per_user_hour));
    popularity_text(&process, sessions.zipf_exponent, sessions.reshuffle_slots, sessions.diurnal.as_ref())
}

fn popularity_text(
    process: &str,
    zipf_exponent: f64,
    reshuffle_slots: Option<u32>,
    diurnal: Option<&DiurnalConfig>,
) -> String {
    let popularity = if zipf_exponent > 0.0 {
        format!("Zipf's law with exponent {}", number(zipf_exponent))
    } else {
        "all services equally popular".to_owned()
    };
    let drift = match reshuffle_slots {
        Some(period) => format!(", dealt anew every {period} slots"),
        None => String::new(),
    };
    let day = diurnal.map_or(String::new(), |day| {
        let percent = number(100.0 * day.amplitude);
        format!("; {percent} % more and less within a day of {} slots", grouped(day.period_slots.into()))
    });
    format!("{process}; {popularity}{drift}{day}")
}

fn load(scenario: &Scenario) -> Vec<Load> {
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
            let requests_per_slot = model.by_rank().iter().sum::<f64>() * f64::from(scenario.num_cells());
            vec![Load { of: "every episode".into(), requests_per_slot, num_slots: None }]
        }
        ArrivalModel::Sessions => {
            let requests_per_slot =
                scenario.physical().map_or(0.0, |physical| physical.sessions().requests_per_slot());
            vec![Load { of: "every episode".into(), requests_per_slot, num_slots: None }]
        }
        ArrivalModel::Phased(_) => {
            vec![Load { of: "every episode".into(), requests_per_slot: 1.0, num_slots: None }]
        }
    }
}

fn prices(scenario: &Scenario) -> Vec<Price> {
    let prices = scenario.prices();
    let of_services = |component, price: fn(&Service) -> f64, per: &str| {
        let prices = || scenario.services().iter().map(price);
        let amount = range([prices().fold(f64::INFINITY, f64::min), prices().fold(0.0, f64::max)]);
        Price { component, amount, per: per.to_owned() }
    };
    let fixed =
        |component, amount, per: &str| Price { component, amount: number(amount), per: per.to_owned() };
    let per_load = if scenario.has_shared_weights() {
        "per load, by model; evictions and weights that are there already are free"
    } else {
        "per load, by model; evictions are free"
    };
    let mut rows = vec![
        of_services("switching", |service| service.load_cost, per_load),
        of_services("transmission", |service| service.edge_per_request, "per request served at the edge"),
        fixed("accuracy", prices.accuracy_weight, "x the unit accuracy cost, per request served at the edge"),
        of_services("cloud", |service| service.cloud_per_request, "per request served in the cloud"),
    ];
    if prices.per_flop > 0.0 {
        rows.insert(2, fixed("compute", prices.per_flop * 1e12, "per TFLOP at the edge"));
    }
    rows
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

fn groups(groups: &[Group]) -> Table {
    let bounds = if groups.iter().any(|group| group.bounds.is_some()) { "bounds" } else { "" };
    let mut table = Table::new([("number", Align::Left), ("name", Align::Left), (bounds, Align::Left)]);
    for Group { name, first, count, bounds } in groups {
        let numbers = if *count == 1 { first.to_string() } else { format!("{first}..{}", first + count - 1) };
        let bounds = bounds.map_or(String::new(), |[low, high]| format!("{low} to {high}"));
        table.row([&numbers, name, &bounds]);
    }
    table
}

/// Least and greatest, or one number where they are equal.
fn range([least, most]: [f64; 2]) -> String {
    if most - least < 1e-12 { number(least) } else { format!("{} to {}", number(least), number(most)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use thoughtcache_env::scenario::text::Override;

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
    fn rules_of_memory_and_context_are_said_in_words_where_they_differ_from_the_papers() {
        let describe = |changes: &[(&str, &str)]| {
            let changes: Vec<Override> = changes
                .iter()
                .map(|&(key, value)| Override { key: key.into(), value: value.into() })
                .collect();
            let loaded = crate::scenario_file::load("tight", &changes).unwrap();
            let mut policy = registry::build("least-aot", &loaded.scenario).unwrap();
            let story = story::tell(&loaded.scenario, policy.as_mut(), 0, 3).unwrap();
            Description::new(&loaded, String::new(), story).text(&loaded)
        };
        let rules = [
            "all 20 services take 478 GB",
            "entries on one model share one copy of its weights",
            "the context of an entry takes room beside its weights",
            "a context that outgrows its window is cleared, and the weights stay",
            "users     1,000, each with a context of their own at every entry",
            "2,000 tokens = 4 GB",
            "evictions and weights that are there already are free",
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
