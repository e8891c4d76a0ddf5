//! The memory of a cell: what is in it, whose contexts are fresh, what is on its way, and what is asked for.

use super::words::{FAINT, HEADING, LATE, PLAIN, STRONG, width};
use super::{count, tier_words};
use crate::plot::{Area, Mark, Place, colors, legend, size};
use crate::quantity::{gb, seconds, short};
use anyhow::Result;
use plotters::element::Rectangle;
use plotters::style::{Color, RGBColor, ShapeStyle};
use thoughtcache_env::gym::api::Env;
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::thought::Thought;
use thoughtcache_env::units::{ServiceId, bytes_to_gb};

const WEIGHTS: RGBColor = colors::SKY;
const CONTEXT: RGBColor = colors::GREEN;
const FADED: RGBColor = RGBColor(190, 226, 214);
const LOADING: RGBColor = colors::ORANGE;
const FREE: RGBColor = RGBColor(236, 239, 242);
/// Behind the row of the service that is asked for.
const ASKED: RGBColor = RGBColor(253, 238, 228);
/// Least and greatest heights: of the bar, and of the rows of the table.
const BAR: (i32, i32) = (26, 96);
const ROW: (i32, i32) = (13, 28);
/// Height of the head of the table with what is above it.
const HEAD: i32 = 27;
/// From the left: the ends of how often it is asked for; name; model; the bar of its bytes and their number; the bar of its
/// context. In a picture with a map, and in one without.
const COLUMNS: [[i32; 8]; 2] =
    [[34, 46, 144, 238, 326, 374, 394, 458], [34, 50, 190, 330, 560, 622, 660, 830]];

/// What the memory holds of a service.
struct Entry {
    service: ServiceId,
    is_resident: bool,
    /// Of a resident its own part of the weights, of another what would have to be loaded.
    weights_gb: f64,
    context_gb: f64,
    thought: Thought,
    loading_s: f64,
    asked: u32,
    is_pending: bool,
}

impl Entry {
    fn gb(&self) -> f64 {
        self.weights_gb + self.context_gb
    }
}

/// By service, of the cell that decides.
fn entries(env: &DecisionEnv) -> Vec<Entry> {
    let (observation, has_begun) = (env.observation(), super::has_begun(env));
    let is_open = observation.is_prefetch && observation.fixed_placement.is_none();
    let entry = |index: usize| {
        let service = ServiceId::from_index(index);
        let context_bytes = observation.context_bytes[index];
        Entry {
            service,
            is_resident: observation.residency[index].is_resident,
            weights_gb: bytes_to_gb(observation.bytes[index].saturating_sub(context_bytes)),
            context_gb: bytes_to_gb(context_bytes),
            thought: observation.thoughts[index],
            loading_s: observation.station.loading_s.get(index).copied().unwrap_or(0.0),
            asked: observation.demand[index].pending_requests,
            is_pending: has_begun && !is_open && service == observation.service,
        }
    };
    (0..observation.num_services()).map(entry).collect()
}

pub(super) fn draw(area: &Area<'_>, env: &DecisionEnv) -> Result<()> {
    let (observation, scenario) = (env.observation(), env.world().scenario());
    let (width, height) = size(area);
    let [capacity, free] = [observation.capacity_bytes, observation.free_bytes].map(bytes_to_gb);
    let title = match scenario.num_cells {
        1 => "Memory".to_owned(),
        _ => format!("Memory of cell {}", observation.cell.0),
    };
    HEADING.write(area, &title, (0, 10), width / 2)?;
    let gpus = match observation.station.backlog_s {
        _ if scenario.physical().is_none() => String::new(),
        0.0 => ", GPUs idle".to_owned(),
        backlog_s => format!(", GPUs busy for {}", seconds(backlog_s)),
    };
    let state = format!("{} of {} in use{gpus}", short(capacity - free), gb(capacity));
    FAINT.right().write(area, &state, (width, 10), width / 2)?;
    let mut keys = vec![Mark::Fill.key("weights", WEIGHTS)];
    if scenario.physical().is_some() {
        keys.push(Mark::Fill.key("on their way", LOADING));
    }
    keys.extend(
        [("fresh context", CONTEXT), ("faded", FADED), ("free", FREE)]
            .map(|(name, color)| Mark::Fill.key(name, color)),
    );
    let top = legend(area, &keys, Place { left: 0, right: 0 })? + 8;
    let entries = entries(env);
    // Rows of two thirds of their greatest height come first, then a bar as high as there is room for.
    let rows = ROW.1 * 3 / 4 * count(entries.len());
    let bar = (height - top - HEAD - rows).clamp(BAR.0, BAR.1);
    draw_bar(area, env, &entries, [0, top, width - 1, top + bar])?;
    draw_table(area, env, &entries, [top + bar + HEAD, width - 1, height])
}

fn fill(area: &Area<'_>, [left, top, right, bottom]: [i32; 4], style: impl Into<ShapeStyle>) -> Result<()> {
    let corners = [(left, top), (right, bottom)];
    if left < right { Ok(area.draw(&Rectangle::new(corners, style))?) } else { Ok(()) }
}

/// The whole memory: entry by entry, weights before context, entries on one model side by side.
fn draw_bar(area: &Area<'_>, env: &DecisionEnv, entries: &[Entry], at: [i32; 4]) -> Result<()> {
    let [left, top, right, bottom] = at;
    let scenario = env.world().scenario();
    let capacity = bytes_to_gb(env.observation().capacity_bytes);
    let x = |gb: f64| left + (f64::from(right - left) * gb / capacity).round() as i32;
    fill(area, at, FREE.filled())?;
    let mut residents: Vec<&Entry> = entries.iter().filter(|entry| entry.is_resident).collect();
    residents.sort_by_key(|entry| scenario.service(entry.service).model);
    let mut from = 0.0;
    for entry in residents {
        let ends = [from, from + entry.weights_gb, from + entry.gb()].map(x);
        let color = if entry.loading_s > 0.0 { LOADING } else { WEIGHTS };
        // A white seam between entries.
        fill(area, [ends[0], top, ends[1].min(ends[2] - 1), bottom], color.filled())?;
        fill(area, [ends[1], top, ends[2] - 1, bottom], CONTEXT.filled())?;
        let name = &scenario.service(entry.service).name;
        let (x, y) = (i32::midpoint(ends[0], ends[1]), i32::midpoint(top, bottom));
        let room = ends[1] - ends[0] - 4;
        let pen = PLAIN.center();
        if width(name, pen.size) <= room {
            let words = gb(entry.gb());
            let has_two = bottom - top > 40 && width(&words, pen.size) <= room;
            pen.write(area, name, (x, if has_two { y - 8 } else { y }), room)?;
            pen.write(area, if has_two { &words } else { "" }, (x, y + 8), room)?;
        }
        from += entry.gb();
    }
    fill(area, at, colors::GREY.stroke_width(1))
}

/// A row for each service, or for those that matter most.
fn draw_table(
    area: &Area<'_>,
    env: &DecisionEnv,
    entries: &[Entry],
    [top, right, bottom]: [i32; 3],
) -> Result<()> {
    let columns = COLUMNS[usize::from(right > 700)];
    let [asked, name, model, bar, _, gb, context, _] = columns;
    let (pen, y) = (FAINT.sized(11), top - 11);
    pen.right().write(area, "asked", (asked, y), asked)?;
    pen.write(area, "service", (name, y), model - name)?;
    pen.write(area, "model", (model, y), bar - model)?;
    pen.write(area, "memory, GB", (bar, y), gb - bar)?;
    pen.write(area, "context: fresh of all tokens", (context, y), right - context)?;
    let most_rows = ((bottom - top) / ROW.0).max(2) as usize;
    let mut shown: Vec<&Entry> = entries.iter().collect();
    if shown.len() > most_rows {
        shown.sort_by_key(|entry| std::cmp::Reverse((entry.is_pending, entry.is_resident, entry.asked)));
        shown.truncate(most_rows - 1);
        shown.sort_by_key(|entry| entry.service);
    }
    let hidden = entries.len() - shown.len();
    let rows = shown.len() + usize::from(hidden > 0);
    let height = ((bottom - top) / count(rows)).clamp(ROW.0, ROW.1);
    let most_gb = entries.iter().map(Entry::gb).fold(0.0, f64::max);
    for (row, entry) in (0..).zip(&shown) {
        let row = Row { middle: top + height * row + height / 2, height, right, columns, most_gb };
        row.draw(area, env, entry)?;
    }
    if hidden > 0 {
        let y = top + height * count(shown.len()) + height / 2;
        pen.write(area, &format!("and {hidden} services more"), (name, y), right - name)?;
    }
    Ok(())
}

/// Where a row of the table is.
struct Row {
    middle: i32,
    height: i32,
    right: i32,
    columns: [i32; 8],
    /// The bytes of a whole bar.
    most_gb: f64,
}

impl Row {
    /// A part of a bar in this row.
    fn fill(&self, area: &Area<'_>, from: i32, to: i32, style: impl Into<ShapeStyle>) -> Result<()> {
        let half = (self.height * 3 / 10).min(7);
        fill(area, [from, self.middle - half, to, self.middle + half], style)
    }

    fn draw(&self, area: &Area<'_>, env: &DecisionEnv, entry: &Entry) -> Result<()> {
        let Self {
            middle,
            right,
            columns: [asked, name, model, bar, bar_end, number, context, context_end],
            ..
        } = *self;
        let (scenario, station) = (env.world().scenario(), &env.observation().station);
        let service = scenario.service(entry.service);
        let size = if self.height < 16 { 11 } else { 12 };
        if entry.is_pending {
            let half = self.height / 2;
            fill(area, [0, middle - half, right, middle - half + self.height], ASKED.filled())?;
        }
        if entry.asked > 0 {
            let pen = if entry.is_pending { LATE } else { PLAIN };
            pen.sized(size).right().write(area, &entry.asked.to_string(), (asked, middle), asked)?;
        }
        let (plain, faint) = if entry.is_resident { (PLAIN, FAINT) } else { (FAINT, FAINT) };
        let (plain, faint) = (plain.sized(size), faint.sized(size));
        let strong = if entry.is_pending { STRONG.sized(size) } else { plain };
        strong.write(area, &service.name, (name, middle), model - name - 6)?;
        faint.write(area, scenario.model_name(service.model), (model, middle), bar - model - 6)?;
        let x = |gb: f64| bar + (f64::from(bar_end - bar) * gb / self.most_gb).round() as i32;
        let ends = [0.0, entry.weights_gb, entry.gb()].map(x);
        if entry.is_resident {
            let color = if entry.loading_s > 0.0 { LOADING } else { WEIGHTS };
            self.fill(area, ends[0], ends[1], color.filled())?;
            self.fill(area, ends[1], ends[2], CONTEXT.filled())?;
        } else {
            self.fill(area, ends[0], ends[1], colors::GREY.stroke_width(1))?;
        }
        plain.right().write(area, &short(entry.gb()), (number, middle), number - bar_end)?;
        let Thought { context_tokens, age_tokens } = entry.thought;
        let words = if !entry.is_resident {
            station.tiers.get(entry.service.index()).map_or("", |tier| tier_words(*tier)).to_owned()
        } else if entry.loading_s > 0.0 {
            format!("here in {}", seconds(entry.loading_s))
        } else if context_tokens > 0.0 {
            let fresh = f64::from(context_end - context) * (age_tokens / context_tokens).min(1.0);
            self.fill(area, context, context_end, FADED.filled())?;
            self.fill(area, context, context + fresh.round() as i32, CONTEXT.filled())?;
            format!("{} of {}", tokens(age_tokens), tokens(context_tokens))
        } else {
            String::new()
        };
        let room = if words.contains(" of ") { right - context_end } else { right - context };
        plain.right().write(area, &words, (right - 4, middle), room - 8)
    }
}

/// A number of tokens, short.
fn tokens(number: f64) -> String {
    match number {
        small if small < 999.5 => format!("{small:.0}"),
        thousands if thousands < 999_500.0 => format!("{}k", short(thousands / 1e3)),
        millions => format!("{}M", short(millions / 1e6)),
    }
}
