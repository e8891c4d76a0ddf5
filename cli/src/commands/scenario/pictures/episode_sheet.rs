//! One episode as a sheet of panels with one axis of time.

use super::channel_sheet::runs;
use super::episode::{Entry, Episode, Slot};
use crate::plot::{Area, Axis, Key, Mark, Panel, Place, colors, sheet};
use crate::quantity::short;
use crate::table::grouped;
use anyhow::Result;
use thoughtcache_env::cost::CostBreakdown;
use thoughtcache_env::placement::Placement;
use thoughtcache_env::scenario::Scenario;
use thoughtcache_env::units::bytes_to_gb;

const WIDTH: u32 = 1200;
/// At most so many columns of slots, and so many services and answers.
const MOST_COLUMNS: usize = 200;
const MOST_BARS: usize = 100;
const MOST_SERVICES: usize = 30;
const MOST_ANSWERS: usize = 1_000;
const SERVICE: u32 = 19;
/// Pixels around the rows of services.
const AROUND_SERVICES: u32 = 96;
const PLACE: Place = Place { left: 128, right: 16 };
/// An entry whose weights are on their way.
const LOADING: plotters::style::RGBColor = colors::ORANGE;

/// Draws everything; the same episode gives the same bytes.
pub(super) fn draw(episode: &Episode) -> Result<String> {
    let services = AROUND_SERVICES + SERVICE * shown_services(episode).len() as u32;
    let is_physical = episode.is_physical();
    let panels: [(u32, bool, PanelOf); 6] = [
        (240, true, costs),
        (220, true, requests),
        (220, is_physical, answers),
        (services, true, residents),
        (190, true, memory),
        (160, is_physical, backlog),
    ];
    let shown = || panels.iter().filter(|(_, is_shown, _)| *is_shown);
    let heights: Vec<u32> = shown().map(|(height, ..)| *height).collect();
    let title = format!("{}: one episode of {}", episode.scenario.name, episode.policy);
    sheet([&title, &subtitle(episode)], (WIDTH, &heights), |rows| {
        rows.iter().zip(shown()).try_for_each(|(row, (.., panel))| panel(row, episode))
    })
}

/// Draws a panel of an episode.
type PanelOf = fn(&Area<'_>, &Episode) -> Result<()>;

fn subtitle(episode: &Episode) -> String {
    let slots = episode.slots.len().max(1) as f64;
    let requests = episode.counters.requests;
    let share = |part: u64| format!("{:.0} %", 100.0 * part as f64 / requests.max(1) as f64);
    let late = if episode.is_physical() {
        format!(", {} late", share(episode.counters.late))
    } else {
        String::new()
    };
    format!(
        "cost per slot {}; {requests} requests, {} hits, {} at the edge{late}; {} loads, {} evictions; seed {}",
        short(episode.cost.total() / slots),
        share(episode.counters.hits),
        share(episode.counters.edge_requests),
        episode.counters.loads,
        episode.counters.evictions,
        episode.seed
    )
}

/// A share in per cent.
pub(super) fn percent(share: f64) -> String {
    if share > 0.0 && share < 0.005 { "< 1 %".to_owned() } else { format!("{:.0} %", 100.0 * share) }
}

fn time(episode: &Episode) -> Axis {
    let label = match episode.scenario.slot_s {
        1.0 => "slot, of 1 second".to_owned(),
        seconds => format!("slot, of {seconds} seconds"),
    };
    Axis::linear(label, 0.0, episode.slots.len() as f64)
}

/// The slots in groups, at most so many, each with the number of its first slot.
fn columns(episode: &Episode, most: usize) -> impl Iterator<Item = (f64, &[Slot])> {
    let width = episode.slots.len().div_ceil(most).max(1);
    episode.slots.chunks(width).enumerate().map(move |(index, slots)| ((index * width) as f64, slots))
}

/// What the bars of a group are: `per slot`, and over how many slots the mean is.
fn grouping(episode: &Episode) -> String {
    match episode.slots.len().div_ceil(MOST_BARS) {
        0 | 1 => String::new(),
        width => format!(", means of {width} slots"),
    }
}

/// Draws a panel of values that stand on top of each other, group by group, below `high`, or else the highest of them.
fn stacked<'a, const N: usize>(
    area: &Area<'a>,
    episode: &Episode,
    legend: (&str, &[Key]),
    (label, high): (&str, Option<f64>),
    values: impl Fn(&Slot) -> [f64; N],
    palette: [plotters::style::RGBColor; N],
) -> Result<Panel<'a>> {
    let groups: Vec<(f64, &[Slot])> = columns(episode, MOST_BARS).collect();
    let means = || groups.iter().map(|(first, slots)| (*first, slots.len() as f64, mean(slots, &values)));
    let highest = || means().map(|(.., parts)| parts.iter().sum()).fold(0.0, f64::max);
    let y = Axis::linear(label, 0.0, 1.05 * high.unwrap_or_else(highest));
    let panel = Panel::new(area, legend, (time(episode), y), PLACE)?;
    for (first, width, parts) in means() {
        let mut low = 0.0;
        for (part, color) in parts.into_iter().zip(palette) {
            panel.bar([first, first + width], [low, low + part], color)?;
            low += part;
        }
    }
    Ok(panel)
}

fn mean<const N: usize>(slots: &[Slot], values: impl Fn(&Slot) -> [f64; N]) -> [f64; N] {
    let mut sums = [0.0; N];
    for slot in slots {
        for (sum, value) in sums.iter_mut().zip(values(slot)) {
            *sum += value;
        }
    }
    sums.map(|sum| sum / slots.len() as f64)
}

fn costs(area: &Area<'_>, episode: &Episode) -> Result<()> {
    let values = |slot: &Slot| slot.cost.components();
    let (total, parts) = (episode.cost.total(), episode.cost.components());
    let used = (0..parts.len()).filter(|&index| parts[index] > 0.0);
    let keys: Vec<Key> = used
        .map(|index| {
            let share = percent(parts[index] / total);
            Mark::Fill.key(format!("{} {share}", CostBreakdown::NAMES[index]), colors::COMPONENTS[index])
        })
        .collect();
    let title = format!("Costs by component{}", grouping(episode));
    stacked(area, episode, (&title, &keys), ("cost per slot", None), values, colors::COMPONENTS).map(drop)
}

fn requests(area: &Area<'_>, episode: &Episode) -> Result<()> {
    let values = |slot: &Slot| slot.placed.map(f64::from);
    let served: u64 = episode.slots.iter().flat_map(|slot| slot.placed).map(u64::from).sum();
    let keys: Vec<Key> = allowed(&episode.scenario)
        .into_iter()
        .map(|placement| {
            let here: u64 = episode.slots.iter().map(|slot| u64::from(slot.placed[placement.rank()])).sum();
            let share = percent(here as f64 / served.max(1) as f64);
            Mark::Fill.key(format!("{} {share}", words(placement)), colors::PLACEMENTS[placement.rank()])
        })
        .collect();
    let cells = if episode.scenario.num_cells > 1 { " of all cells" } else { "" };
    let title = format!("Requests{cells} by placement{}", grouping(episode));
    stacked(area, episode, (&title, &keys), ("requests per slot", None), values, colors::PLACEMENTS).map(drop)
}

/// The placements that a scenario allows, from the device to the cloud.
pub(super) fn allowed(scenario: &Scenario) -> Vec<Placement> {
    let mut placements = scenario.placements.clone();
    placements.sort_unstable_by_key(|placement| placement.rank());
    placements
}

pub(super) fn words(placement: Placement) -> String {
    placement.name().replace('_', " ")
}

fn answers(area: &Area<'_>, episode: &Episode) -> Result<()> {
    let every = episode.answers.len().div_ceil(MOST_ANSWERS).max(1);
    let late = episode.answers.iter().filter(|answer| answer.is_late).count();
    let mut keys: Vec<Key> = allowed(&episode.scenario)
        .into_iter()
        .filter(|&placement| episode.answers.iter().any(|answer| answer.placement == placement))
        .map(|placement| Mark::Dot.key(words(placement), colors::PLACEMENTS[placement.rank()]))
        .collect();
    keys.push(Mark::Dot.key(format!("ringed: late ({late})"), colors::VERMILLION));
    let latencies = || episode.answers.iter().map(|answer| answer.latency_s);
    let (low, high) = (latencies().fold(f64::INFINITY, f64::min), latencies().fold(0.0, f64::max));
    let y = if low < high {
        Axis::log("latency, s", low / 1.15, high * 1.15)
    } else {
        Axis::log("latency, s", 0.1, 10.0)
    };
    let thinned = if every > 1 { format!(", one of {every}") } else { String::new() };
    let title = format!("Time until the answer is complete{thinned}");
    let panel = Panel::new(area, (&title, &keys), (time(episode), y), PLACE)?;
    for answer in episode.answers.iter().step_by(every) {
        let point = (answer.slot as f64 + 0.5, answer.latency_s);
        if answer.is_late {
            panel.dot(point, 5, colors::VERMILLION)?;
        }
        panel.dot(point, 3, colors::PLACEMENTS[answer.placement.rank()])?;
    }
    Ok(())
}

/// The services that are asked for most at the cell, and all that were ever resident come before those that never were.
fn shown_services(episode: &Episode) -> Vec<usize> {
    let mut order: Vec<usize> = (0..episode.requests.len()).collect();
    order.sort_by_key(|&index| std::cmp::Reverse(episode.requests[index]));
    order.truncate(MOST_SERVICES);
    order
}

fn residents(area: &Area<'_>, episode: &Episode) -> Result<()> {
    let shown = shown_services(episode);
    let ages = episode.slots.iter().flat_map(|slot| &slot.memory.entries).filter_map(|entry| match entry {
        Entry::Resident { age_tokens } => Some(*age_tokens),
        Entry::Absent | Entry::Loading => None,
    });
    let most = ages.fold(0.0, f64::max);
    let mut keys = Vec::new();
    if episode.is_physical() {
        keys.push(Mark::Fill.key("weights on their way", LOADING));
    }
    for step in FRESH_STEPS {
        let share = (step - FRESH_STEPS[0]) as f64 / (FRESH_STEPS[2] - FRESH_STEPS[0]) as f64;
        keys.push(Mark::Fill.key(
            format!("{} fresh tokens", grouped(tokens_of(most, share).round() as u64)),
            colors::scale(step),
        ));
    }
    let services = &episode.scenario.services;
    let names = shown
        .iter()
        .map(|&index| format!("{} ({})", shortened(&services[index].name), episode.requests[index]));
    let of = if services.len() > shown.len() {
        format!("the {} most requested of {}", shown.len(), services.len())
    } else {
        "requests in brackets".to_owned()
    };
    let title = format!("In memory{}, and the age of thought; {of}", at_cell(episode));
    let y = Axis::rows(names.collect());
    let panel = Panel::new(area, (&title, &keys), (time(episode), y), PLACE)?;
    // What is where, column by column: 0 absent, 1 loading, else the step of the scale.
    let starts: Vec<f64> = columns(episode, MOST_COLUMNS).map(|(first, _)| first).collect();
    let end = episode.slots.len() as f64;
    for (row, &service) in shown.iter().enumerate() {
        let states: Vec<usize> = columns(episode, MOST_COLUMNS)
            .map(|(_, slots)| match slots.first().and_then(|slot| slot.memory.entries.get(service)) {
                None | Some(Entry::Absent) => 0,
                Some(Entry::Loading) => 1,
                Some(Entry::Resident { age_tokens }) => 2 + fresh_step(most, *age_tokens),
            })
            .collect();
        let bottom = (shown.len() - row) as f64 - 0.92;
        for [from, to, state] in runs(&states) {
            let color = match state {
                0 => continue,
                1 => LOADING,
                step => colors::scale(step - 2),
            };
            let until = starts.get(to).copied().unwrap_or(end);
            panel.bar([starts[from], until], [bottom, bottom + 0.84], color)?;
        }
    }
    if episode.slots.iter().all(|slot| slot.memory.entries.iter().all(|entry| *entry == Entry::Absent)) {
        panel.say("nothing was ever loaded")?;
    }
    Ok(())
}

/// Steps of the colours of fresh tokens, none, a middle and the most: the lightest of the scale are hardly seen on white.
const FRESH_STEPS: [usize; 3] = [1, 5, 8];
/// The most tokens over those that are seen apart from none. What context is worth grows with its logarithm, and so do colours.
const FRESH_RATIO: f64 = 100.0;

/// The colour of an entry, where the most is `most`.
fn fresh_step(most: f64, tokens: f64) -> usize {
    let share = (1.0 + FRESH_RATIO * tokens / most.max(1.0)).ln() / (1.0 + FRESH_RATIO).ln();
    FRESH_STEPS[0] + (share * (FRESH_STEPS[2] - FRESH_STEPS[0]) as f64).round() as usize
}

/// The tokens of a share of the colours.
fn tokens_of(most: f64, share: f64) -> f64 {
    most * ((1.0 + FRESH_RATIO).powf(share) - 1.0) / FRESH_RATIO
}

fn at_cell(episode: &Episode) -> String {
    if episode.scenario.num_cells > 1 { format!(" of cell {}", episode.cell.0) } else { String::new() }
}

/// A name that fits beside its row.
fn shortened(name: &str) -> String {
    const MOST: usize = 11;
    if name.chars().count() <= MOST {
        name.to_owned()
    } else {
        name.chars().take(MOST - 1).chain(['…']).collect()
    }
}

fn memory(area: &Area<'_>, episode: &Episode) -> Result<()> {
    let values = |slot: &Slot| [slot.memory.weights_gb, slot.memory.contexts_gb];
    let palette = [colors::SKY, colors::GREEN];
    let capacity_gb = bytes_to_gb(episode.scenario.capacity_bytes);
    let mut keys = vec![Mark::Fill.key("weights", palette[0])];
    if episode.scenario.has_kv {
        keys.push(Mark::Fill.key("contexts", palette[1]));
    }
    keys.push(Mark::Dashes.key(format!("size of the memory, {capacity_gb} GB"), colors::INK));
    let title = format!("Memory{} in use", at_cell(episode));
    let panel = stacked(area, episode, (&title, &keys), ("GB", Some(capacity_gb)), values, palette)?;
    panel.level(capacity_gb, colors::INK)
}

fn backlog(area: &Area<'_>, episode: &Episode) -> Result<()> {
    let work = |slot: &Slot| slot.memory.backlog_s;
    let most = episode.slots.iter().map(work).fold(0.0, f64::max);
    let y = Axis::linear("seconds", 0.0, 1.05 * most.max(0.1));
    let title = format!("Work that waits for the GPUs{} when a slot begins", at_cell(episode));
    let panel = Panel::new(area, (&title, &[]), (time(episode), y), PLACE)?;
    for (first, slots) in columns(episode, MOST_COLUMNS) {
        let highest = slots.iter().map(work).fold(0.0, f64::max);
        panel.bar([first, first + slots.len() as f64], [0.0, highest], colors::PURPLE)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_of_fresh_tokens_grow_with_their_logarithm() {
        // ln(2) / ln(101) = .15 and ln(11) / ln(101) = .52 of seven steps.
        let steps = [0.0, 0.01, 0.1, 1.0].map(|share| fresh_step(5_000.0, 5_000.0 * share));
        assert_eq!(steps, [1, 2, 5, 8]);
        assert!((tokens_of(5_000.0, 0.0)).abs() < 1e-9 && (tokens_of(5_000.0, 1.0) - 5_000.0).abs() < 1e-6);
        // The legend's middle is a colour of what it says.
        let middle = tokens_of(5_000.0, 4.0 / 7.0);
        assert_eq!(fresh_step(5_000.0, middle), FRESH_STEPS[1]);
    }

    #[test]
    fn long_names_are_cut_with_a_sign_of_it() {
        assert_eq!(shortened("translator"), "translator");
        assert_eq!(shortened("a-very-long-name"), "a-very-lon…");
    }
}
