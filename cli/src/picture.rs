//! The present state of an environment as a picture: who asks from where, what may be decided, and what the cell remembers.
//!
//! Reading order: `words` (texts that fit), `map` (users and cells), `memory` (one cell).

mod map;
mod memory;
mod words;

use crate::plot::{self, Area, colors, sheet, size};
use crate::quantity::{gb, seconds, short};
use anyhow::Result;
use plotters::element::Circle;
use plotters::style::{Color, RGBColor};
use thoughtcache_env::gym::api::Env;
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::llm::loading::Tier;
use thoughtcache_env::placement::Placement;
use thoughtcache_env::units::{ServiceId, bytes_to_gb};
use words::{FAINT, HEADING, LATE, PLAIN, fitted};

/// Width of the picture and height below its heading, pixels; with heading and margins 960 x 540.
const WIDTH: u32 = 960;
const BODY: u32 = 460;
/// Width of the map, and what is between it and the memory.
const MAP: u32 = 360;
const GAP: u32 = 26;
/// Heights of a line of options, and of what is above and around them.
const OPTION: i32 = 17;
const OPTIONS: i32 = 30;
/// Columns of options where there is no map.
const COLUMNS: i32 = 3;
/// The font that pictures are rasterised with; a viewer that lacks it takes one of about the same widths.
const FONT: &str = "Roboto";

/// Draws the present state; the same state gives the same bytes.
///
/// # Errors
/// When a drawing has one.
pub fn draw(env: &DecisionEnv) -> Result<String> {
    let heading = [(title(env), 21), (subtitle(env), 14)];
    let heading = heading.map(|(words, size)| fitted(&words, size, WIDTH.cast_signed() - 24));
    let svg = sheet([&heading[0], &heading[1]], (WIDTH, &[BODY]), |rows| {
        let (body, options) = (&rows[0], options(env));
        let has_map = env.world().scenario().num_cells > 1 || env.world().scenario().physical().is_some();
        let columns = if has_map { 1 } else { COLUMNS };
        let lines = (count(options.len()) + columns - 1) / columns;
        let below = if options.is_empty() { 0 } else { OPTIONS + OPTION * lines };
        let height = BODY.cast_signed() - below;
        if has_map {
            let (left, right) = body.split_horizontally(MAP);
            let (above, below) = left.split_vertically(height);
            map::draw(&above, env)?;
            draw_options(&below, columns, &options)?;
            memory::draw(&right.margin(0, 0, GAP, 0), env)
        } else {
            let (above, below) = body.split_vertically(height);
            memory::draw(&above, env)?;
            draw_options(&below, columns, &options)
        }
    })?;
    Ok(svg.replace(plot::FONT, &format!("{FONT}, {}", plot::FONT)))
}

/// The present state in a few lines.
pub fn text(env: &DecisionEnv) -> String {
    let (observation, scenario) = (env.observation(), env.world().scenario());
    let residents = scenario.services.iter().zip(&observation.residency);
    let residents =
        residents.filter(|(_, residency)| residency.is_resident).map(|(service, _)| service.name.as_str());
    let legal = observation.legal.iter().zip(&env.spec().actions).filter(|(legal, _)| **legal);
    let listed = |names: Vec<&str>| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let [free, all] =
        [observation.free_bytes, observation.capacity_bytes].map(|bytes| gb(bytes_to_gb(bytes)));
    format!(
        "{}\n{}\nresident: {}; {free} of {all} free\nlegal: {}\n",
        title(env),
        subtitle(env),
        listed(residents.collect()),
        listed(legal.map(|(_, name)| name.as_str()).collect())
    )
}

/// A number of lines: more than fit in any picture are as many as 65,535.
fn count(lines: usize) -> i32 {
    i32::from(u16::try_from(lines).unwrap_or(u16::MAX))
}

/// Whether an episode has begun: then a decision is shown.
fn has_begun(env: &DecisionEnv) -> bool {
    env.observation().legal.contains(&true)
}

fn title(env: &DecisionEnv) -> String {
    let (world, name) = (env.world(), &env.world().scenario().name);
    let horizon = world.horizon_slots();
    if !has_begun(env) {
        format!("{name}: before the first episode")
    } else if world.is_over() {
        format!("{name}: the episode is over after {horizon} slots")
    } else {
        format!("{name}: slot {} of {horizon}", world.slot() + 1)
    }
}

/// The pending decision in words.
fn subtitle(env: &DecisionEnv) -> String {
    let (observation, world) = (env.observation(), env.world());
    let (scenario, cell) = (world.scenario(), observation.cell);
    if !has_begun(env) {
        return "nobody has asked yet, and nothing is in memory".into();
    }
    let service = scenario.service(observation.service);
    let model = scenario.model_name(service.model);
    let (name, own) = (&service.name, observation.service.index());
    let asked = match (observation.is_prefetch, observation.fixed_placement) {
        (true, None) => return format!("cell {} may load one service before requests come", cell.0),
        (true, Some(_)) => {
            format!("cell {} loads {name} ({model}) before requests come", cell.0)
        }
        (false, _) => {
            let what = match scenario.num_cells {
                1 => format!("{name} ({model})"),
                _ => format!("{name} ({model}) at cell {}", cell.0),
            };
            match (&observation.request, observation.num_requests) {
                (Some(request), _) => format!("user {} asks for {what}", request.user.0),
                (None, 1) => format!("1 request for {what}"),
                (None, number) => format!("{number} requests for {what}"),
            }
        }
    };
    let found = match (observation.is_hit(), observation.bytes[own], observation.station.loading_s.get(own)) {
        _ if observation.is_prefetch => String::new(),
        (true, _, Some(&left_s)) if left_s > 0.0 => format!(": a hit, here in {}", seconds(left_s)),
        (true, ..) => ": a hit".to_owned(),
        (false, 0, _) => ": a miss, but its weights are in memory".to_owned(),
        (false, bytes, _) => format!(": a miss, {} to load", gb(bytes_to_gb(bytes))),
    };
    let missing = match observation.missing_bytes {
        0 => String::new(),
        bytes => format!(", {} more than is free", gb(bytes_to_gb(bytes))),
    };
    let victims = match victims(env) {
        0 => String::new(),
        1 => "; one entry may leave".to_owned(),
        number => format!("; {number} entries may leave"),
    };
    let next = if world.is_over() { "next would be: " } else { "" };
    [next, &asked, &found, &missing, &victims].concat()
}

/// How many entries may leave for the pending decision.
fn victims(env: &DecisionEnv) -> usize {
    let observation = env.observation();
    let may_leave = |index: usize| {
        let of = |&placement: &Placement| observation.evict(placement, ServiceId::from_index(index));
        observation.space().placements().iter().any(|placement| of(placement).is_some())
    };
    (0..observation.num_services()).filter(|&index| may_leave(index)).count()
}

/// A placement, or what else may be decided.
struct Choice {
    name: String,
    color: RGBColor,
    is_legal: bool,
    is_late: bool,
    /// Two columns.
    details: [String; 2],
}

/// What may be decided and what it takes, as far as is known; nothing outside an episode.
fn options(env: &DecisionEnv) -> Vec<Choice> {
    let (observation, scenario) = (env.observation(), env.world().scenario());
    if !has_begun(env) || env.world().is_over() {
        return Vec::new();
    }
    if observation.is_prefetch {
        let services = || (0..observation.num_services()).map(ServiceId::from_index);
        let loads = services().filter(|&service| observation.load(service).is_some()).count();
        let choice = |name: &str, is_legal: bool, detail: String| Choice {
            name: name.into(),
            color: colors::BLUE,
            is_legal,
            is_late: false,
            details: [String::new(), detail],
        };
        return vec![
            choice("pass", observation.pass().is_some(), String::new()),
            choice("load", loads > 0, format!("one of {loads} services")),
        ];
    }
    let mut placements = scenario.placements.clone();
    placements.sort_unstable_by_key(|placement| placement.rank());
    let choice = |placement: Placement| {
        let estimate = observation.estimate(placement);
        let is_legal = observation.place(placement).is_some();
        let is_late = estimate
            .as_ref()
            .zip(scenario.physical())
            .is_some_and(|((bill, _), physical)| physical.is_late(bill, observation.service));
        let details = match estimate {
            _ if !is_legal => [String::new(), "not possible".to_owned()],
            Some((bill, cost)) => [seconds(bill.latency_s), short(cost.total())],
            None if placement.needs_residency() => [String::new(), edge_words(env)],
            None => {
                let price = scenario.service(observation.service).cloud_per_request;
                [String::new(), format!("costs {} a request", short(price))]
            }
        };
        let color = colors::PLACEMENTS[placement.rank()];
        Choice {
            name: placement.name().replace('_', " "),
            color,
            is_legal,
            is_late: is_legal && is_late,
            details,
        }
    };
    placements.into_iter().map(choice).collect()
}

/// What serving at the edge takes in an abstract scenario.
fn edge_words(env: &DecisionEnv) -> String {
    let observation = env.observation();
    let size = gb(bytes_to_gb(observation.bytes[observation.service.index()]));
    match (observation.is_hit(), observation.missing_bytes > 0) {
        (true, false) => "loads nothing".into(),
        (true, true) => "evicts for its context".into(),
        (false, false) => format!("loads {size}"),
        (false, true) => format!("evicts, loads {size}"),
    }
}

fn draw_options(area: &Area<'_>, columns: i32, options: &[Choice]) -> Result<()> {
    if options.is_empty() {
        return Ok(());
    }
    let width = size(area).0 / columns;
    let (latency, cost) = (width * 7 / 10, width - 1);
    HEADING.write(area, "May be decided", (0, 12), latency * 7 / 10)?;
    let has_estimates = options.iter().any(|option| !option.details[0].is_empty());
    if has_estimates {
        FAINT.right().write(area, "latency", (latency, 13), width / 4)?;
        FAINT.right().write(area, "expected cost", (cost, 13), width / 4)?;
    }
    for (index, option) in (0..).zip(options) {
        let (x, y) = (index % columns * width, OPTIONS + OPTION * (index / columns) + 3);
        let (pen, dot) = if option.is_legal {
            (PLAIN, option.color.filled())
        } else {
            (FAINT, colors::GREY.stroke_width(1))
        };
        area.draw(&Circle::new((x + 6, y), 5, dot))?;
        let [first, second] = &option.details;
        if has_estimates {
            pen.write(area, &option.name, (x + 18, y), width * 4 / 10)?;
            let late = if option.is_late { LATE } else { pen };
            let first = format!("{}{first}", if option.is_late { "late, " } else { "" });
            late.right().write(area, &first, (x + latency, y), width / 4)?;
            pen.right().write(area, second, (x + cost, y), width / 4)?;
        } else {
            let colon = if second.is_empty() { "" } else { ": " };
            pen.write(area, &format!("{}{colon}{second}", option.name), (x + 18, y), width - 30)?;
        }
    }
    Ok(())
}

/// Where weights outside GPU memory are.
fn tier_words(tier: Tier) -> &'static str {
    match tier {
        Tier::Remote => "remote",
        Tier::Nvme => "on NVMe",
        Tier::Host => "in host memory",
        Tier::Gpu => "weights are in",
    }
}

#[cfg(test)]
mod tests;
