//! Users and cells at their places, and the links of those who ask in this slot; the memory of each cell beside it.

use super::words::{FAINT, HEADING, Pen, STRONG, width};
use crate::plot::{Area, Mark, Place, colors, legend, size};
use crate::quantity::{bits_per_s, short};
use anyhow::Result;
use plotters::element::{Circle, DashedPathElement, PathElement, Rectangle, TriangleMarker};
use plotters::style::{Color, RGBColor, WHITE};
use std::collections::BTreeMap;
use thoughtcache_env::gym::api::Env;
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::placement::request::RequestFacts;
use thoughtcache_env::radio::mobility::Position;
use thoughtcache_env::scenario::physics::Physical;
use thoughtcache_env::units::{CellId, UserId};
use thoughtcache_env::world::World;

/// The ground, and users who ask for nothing.
const GROUND: RGBColor = RGBColor(246, 248, 250);
const IDLE: RGBColor = RGBColor(186, 192, 199);
/// Who asks in this slot, and whose request is pending.
const ASKING: RGBColor = colors::BLUE;
const PENDING: RGBColor = colors::VERMILLION;
/// At most so many users who ask for nothing.
const MOST_IDLE: usize = 1_500;
/// Pixels from the edge of the ground to what stands on it, and the size of a cell's memory.
const INSET: i32 = 14;
const GLYPH: (i32, i32) = (10, 34);
/// More cells than this have neither memory nor name.
const MOST_NAMED: u32 = 40;

/// Draws the map, or the cells in rows where there are no places.
pub(super) fn draw(area: &Area<'_>, env: &DecisionEnv) -> Result<()> {
    let (world, observation) = (env.world(), env.observation());
    let keys = keys(env);
    let title = if world.scenario().physical().is_some() { "Who asks in this slot" } else { "Cells" };
    HEADING.write(area, title, (0, 10), size(area).0 / 2)?;
    let top = legend(area, &keys, Place { left: 0, right: 0 })? + 8;
    let (width, height) = (size(area).0, size(area).1 - top - 8);
    let ground = area.clone().shrink((0, top), (width, height));
    ground.fill(&GROUND)?;
    let Some(physical) = world.scenario().physical() else {
        let columns = width / 60;
        for (index, cell) in (0..).zip((0..world.scenario().num_cells).map(CellId)) {
            let at = (30 + index % columns * 60, 40 + index / columns * 70);
            if at.1 + GLYPH.1 < height {
                draw_cell(&ground, world, cell, at, cell == observation.cell)?;
            }
        }
        return Ok(());
    };
    FAINT.right().write(area, "wider: faster uplink", (width, 10), width / 2)?;
    let scale = Scale::new(world, physical, (width, height - NOTES));
    draw_users(&ground, env, physical, &scale)?;
    for (index, place) in physical.cells.iter().enumerate() {
        let cell = CellId::from_index(index);
        draw_cell(&ground, world, cell, scale.at(*place), cell == observation.cell)?;
    }
    scale.draw(&ground, height)?;
    let Some(request) = observation.request else { return Ok(()) };
    let [up, down] = [request.link.uplink_bps, request.link.downlink_bps].map(bits_per_s);
    let words = format!("{up} up, {down} down");
    NOTE.right().write(&ground, &words, (width - 8, height - 11), width * 2 / 3)
}

/// Texts on the ground, and the height of those at its lower edge.
const NOTE: Pen = FAINT.sized(11);
const NOTES: i32 = 16;

fn keys(env: &DecisionEnv) -> Vec<crate::plot::Key> {
    let world = env.world();
    if world.scenario().physical().is_none() {
        return Vec::new();
    }
    let mut keys = Vec::new();
    if let Some(request) = env.observation().request {
        keys.push(Mark::Dot.key(format!("user {}", request.user.0), PENDING));
    }
    keys.extend([
        Mark::Line.key("in sight", ASKING),
        Mark::Dashes.key("hidden", ASKING),
        Mark::Dot.key("idle", IDLE),
    ]);
    keys
}

/// From places to pixels: a metre is as long in both directions, and north is up.
struct Scale {
    west_m: f64,
    north_m: f64,
    pixels_per_m: f64,
    left: f64,
    top: f64,
}

impl Scale {
    /// Shows the area, all cells, and all users that have ever asked.
    fn new(world: &World, physical: &Physical, (width, height): (i32, i32)) -> Self {
        let area = &physical.radio.area;
        let corners = [Position { x_m: 0.0, y_m: 0.0 }, Position { x_m: area.width_m, y_m: area.depth_m }];
        let users = users(world, physical).map(|(_, place)| place);
        let places: Vec<Position> =
            corners.into_iter().chain(physical.cells.iter().copied()).chain(users).collect();
        let ends = |of: fn(&Position) -> f64| {
            let values = || places.iter().map(of);
            (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max))
        };
        let ((west_m, east_m), (south_m, north_m)) = (ends(|place| place.x_m), ends(|place| place.y_m));
        let [wide, high] = [width, height].map(|side| f64::from((side - 2 * INSET).max(1)));
        let pixels_per_m = (wide / (east_m - west_m).max(1.0)).min(high / (north_m - south_m).max(1.0));
        let middle = |side: i32, metres: f64| (f64::from(side) - metres * pixels_per_m) / 2.0;
        let (left, top) = (middle(width, east_m - west_m), middle(height, north_m - south_m));
        Self { west_m, north_m, pixels_per_m, left, top }
    }

    fn at(&self, place: Position) -> (i32, i32) {
        let x = self.left + (place.x_m - self.west_m) * self.pixels_per_m;
        let y = self.top + (self.north_m - place.y_m) * self.pixels_per_m;
        (x.round() as i32, y.round() as i32)
    }

    /// A round length at the lower left.
    fn draw(&self, ground: &Area<'_>, height: i32) -> Result<()> {
        let most_m = 70.0 / self.pixels_per_m;
        let decade = 10_f64.powf(most_m.log10().floor());
        let metres = [5.0, 2.0, 1.0].map(|mark| mark * decade).into_iter().find(|mark| *mark <= most_m);
        let metres = metres.unwrap_or(decade);
        let (left, y) = (8, height - 9);
        let right = left + (metres * self.pixels_per_m).round() as i32;
        let ends = [(left, y - 4), (left, y), (right, y), (right, y - 4)];
        ground.draw(&PathElement::new(ends, colors::FAINT_INK.stroke_width(1)))?;
        NOTE.write(ground, &format!("{} m", short(metres)), (right + 6, y - 2), 80)
    }
}

/// The users that have asked in the episode, and where they last did.
fn users<'a>(world: &'a World, physical: &Physical) -> impl Iterator<Item = (UserId, Position)> + use<'a> {
    let ids = (0..physical.num_users).map(UserId);
    ids.filter_map(|user| Some((user, world.user_radio(user)?.position())))
}

fn draw_users(ground: &Area<'_>, env: &DecisionEnv, physical: &Physical, scale: &Scale) -> Result<()> {
    let world = env.world();
    let pending = env.observation().request.map(|request| request.user);
    let asking: BTreeMap<UserId, &RequestFacts> =
        world.requests().iter().map(|request| (request.user, request)).collect();
    let idle: Vec<_> = users(world, physical).filter(|(user, _)| !asking.contains_key(user)).collect();
    for (_, place) in idle.iter().step_by(idle.len().div_ceil(MOST_IDLE).max(1)) {
        ground.draw(&Circle::new(scale.at(*place), 2, IDLE.filled()))?;
    }
    // The pending request lies over all others.
    let mut asking: Vec<&RequestFacts> = asking.into_values().collect();
    asking.sort_by_key(|request| pending == Some(request.user));
    for request in asking {
        let Some(radio) = world.user_radio(request.user) else { continue };
        let is_pending = pending == Some(request.user);
        let color = if is_pending { PENDING } else { ASKING };
        let ends = [scale.at(radio.position()), scale.at(physical.cells[radio.serving.index()])];
        // 1 pixel up to 1 Mbit/s, and one more for each decade.
        let decades = (request.link.uplink_bps / 1e6).log10().clamp(0.0, 3.0);
        let line = color.stroke_width(1 + decades.round() as u32 + u32::from(is_pending));
        if request.link.is_los && !request.link.is_blocked {
            ground.draw(&PathElement::new(ends, line))?;
        } else {
            ground.draw(&DashedPathElement::new(ends, 6, 4, line))?;
        }
        ground.draw(&Circle::new(ends[0], if is_pending { 7 } else { 5 }, WHITE.filled()))?;
        ground.draw(&Circle::new(ends[0], if is_pending { 6 } else { 4 }, color.filled()))?;
    }
    Ok(())
}

/// A mast with its name, and where there are several cells the memory of this one: weights, contexts, nothing.
fn draw_cell(ground: &Area<'_>, world: &World, cell: CellId, at: (i32, i32), is_shown: bool) -> Result<()> {
    ground.draw(&TriangleMarker::new(at, 11, WHITE.filled()))?;
    ground.draw(&TriangleMarker::new(at, 8, colors::INK.filled()))?;
    let num_cells = world.scenario().num_cells;
    if num_cells == 1 || num_cells > MOST_NAMED {
        return Ok(());
    }
    let name = format!("cell {}", cell.0);
    let (half, y) = (width(&name, NOTE.size) / 2, at.1 + 16);
    ground.draw(&Rectangle::new([(at.0 - half, y - 7), (at.0 + half, y + 6)], GROUND.mix(0.85).filled()))?;
    let pen = if is_shown { STRONG.sized(NOTE.size) } else { NOTE };
    pen.center().write(ground, &name, (at.0, y), 2 * half + 1)?;
    let cache = &world.cell(cell).cache;
    let contexts: u64 = cache.context_bytes().iter().sum();
    let used = cache.capacity_bytes() - cache.free_bytes();
    let (left, bottom) = (at.0 + 12, at.1 + 7);
    let level = |bytes: u64| {
        bottom - (f64::from(GLYPH.1) * bytes as f64 / cache.capacity_bytes() as f64).round() as i32
    };
    let levels = [(0, used - contexts, colors::SKY), (used - contexts, used, colors::GREEN)];
    let frame = [(left - 1, bottom - GLYPH.1 - 1), (left + GLYPH.0 + 1, bottom + 1)];
    ground.draw(&Rectangle::new(frame, WHITE.filled()))?;
    for (from, to, color) in levels {
        if level(to) < level(from) {
            let corners = [(left, level(to)), (left + GLYPH.0, level(from))];
            ground.draw(&Rectangle::new(corners, color.filled()))?;
        }
    }
    let edge = if is_shown { colors::INK } else { colors::GREY };
    Ok(ground.draw(&Rectangle::new(frame, edge.stroke_width(1)))?)
}
