//! The channel as a sheet of six panels.

use super::channel::{AtDistance, Channel, Law, Map, SHOWN_SECONDS, Second};
use crate::plot::{Area, Axis, Mark, Panel, Place, colors, sheet};
use crate::quantity::short;
use anyhow::Result;
use thoughtcache_env::radio::user::Connection;

const WIDTH: u32 = 1200;
const ROWS: [u32; 3] = [350, 350, 500];
/// Room for the colours of the map.
const MAP: Place = Place { left: 64, right: 110 };
const MEGA: f64 = 1e6;
/// Names of the directions and their colours; downlink first.
const DIRECTIONS: [(&str, plotters::style::RGBColor); 2] =
    [("downlink", colors::BLUE), ("uplink", colors::VERMILLION)];

/// Draws everything; the same channel gives the same bytes.
pub(super) fn draw(channel: &Channel<'_>) -> Result<String> {
    let title = format!("{}: the channel", channel.scenario.name);
    let cells = match channel.cells.len() {
        1 => "one cell".to_owned(),
        number => format!("{number} cells"),
    };
    let subtitle = format!(
        "{} GHz, {} MHz, {cells}; rates of a user who is alone in the cell and has {:.0} % of the time; seed {}",
        channel.radio.band.carrier_hz / 1e9,
        channel.radio.band.bandwidth_hz / 1e6,
        100.0 * channel.radio.communication_share(),
        channel.seed
    );
    sheet([&title, &subtitle], (WIDTH, &ROWS), |rows| {
        let halves = rows.iter().map(|row| row.split_horizontally(WIDTH / 2 - 12));
        let panels: Vec<_> = halves.collect();
        losses(&panels[0].0, channel)?;
        views(&panels[0].1, channel)?;
        rates(&panels[1].0, channel)?;
        distribution(&panels[1].1, channel)?;
        map(&panels[2].0, channel)?;
        seconds(&panels[2].1, channel)
    })
}

/// Returns what is usual at each distance up to the farthest that is shown.
fn up_to(law: &Law, farthest_m: f64) -> impl Iterator<Item = &AtDistance> {
    law.at.iter().filter(move |at| at.d2d_m <= farthest_m * 1.001)
}

fn distances(channel: &Channel<'_>, farthest_m: f64) -> Axis {
    let nearest_m = channel.law.at.first().map_or(1.0, |at| at.d2d_m);
    Axis::log("distance on the map, m", nearest_m, farthest_m)
}

fn losses(area: &Area<'_>, channel: &Channel<'_>) -> Result<()> {
    let law = &channel.law;
    let farthest_m = law.at.last().map_or(1.0, |at| at.d2d_m);
    let keys = [
        Mark::Line.key(format!("LOS, deviation {} dB", law.sigma_db[0]), colors::BLUE),
        Mark::Line.key(format!("NLOS, {} dB", law.sigma_db[1]), colors::VERMILLION),
    ];
    let spread = |view: usize| move |at: &AtDistance| (at.median_loss_db[view], law.sigma_db[view]);
    let ends = [0, 1].map(|view| law.at.iter().map(spread(view)).collect::<Vec<_>>());
    let low = ends.iter().flatten().map(|(loss, sigma)| loss - sigma).fold(f64::INFINITY, f64::min);
    let high = ends.iter().flatten().map(|(loss, sigma)| loss + sigma).fold(0.0, f64::max);
    let y = Axis::linear("path loss, dB", (low / 10.0).floor() * 10.0, (high / 10.0).ceil() * 10.0);
    let title = "Path loss: median and deviation of shadowing";
    let panel = Panel::new(area, (title, &keys), (distances(channel, farthest_m), y), Place::default())?;
    for (view, color) in [(1, colors::VERMILLION), (0, colors::BLUE)] {
        let at = |sign: f64| -> Vec<(f64, f64)> {
            let points = law.at.iter();
            points.map(|at| (at.d2d_m, at.median_loss_db[view] + sign * law.sigma_db[view])).collect()
        };
        panel.band(&at(-1.0), &at(1.0), color, 0.18)?;
        panel.line(at(0.0), color, 3)?;
    }
    if let Some(breakpoint_m) = law.breakpoint_m.filter(|&at| at < farthest_m) {
        panel.mark(breakpoint_m, &format!("breakpoint {breakpoint_m:.0} m"))?;
    }
    Ok(())
}

fn views(area: &Area<'_>, channel: &Channel<'_>) -> Result<()> {
    let mut keys = vec![Mark::Line.key("line of sight (LOS)", colors::BLUE)];
    if channel.radio.blockage.is_some() {
        keys.push(Mark::Dashes.key("blocked by somebody", colors::ORANGE));
    }
    if channel.radio.sensing.is_some() {
        keys.push(Mark::Line.key("quality of sensing if clear", colors::GREEN));
    }
    let x = distances(channel, channel.law.diagonal_m);
    let y = Axis::linear("probability, quality", 0.0, 1.0);
    let panel = Panel::new(
        area,
        ("Probability of a clear view, quality of sensing", &keys),
        (x, y),
        Place::default(),
    )?;
    let at = || up_to(&channel.law, channel.law.diagonal_m);
    if channel.radio.sensing.is_some() {
        panel.line(at().map(|at| (at.d2d_m, at.sensing_quality)), colors::GREEN, 3)?;
    }
    if let Some(blockage) = &channel.radio.blockage {
        let prob = blockage.prob();
        panel.level(prob, colors::ORANGE)?;
    }
    panel.line(at().map(|at| (at.d2d_m, at.los_prob)), colors::BLUE, 3)
}

/// An axis of rates over all that is drawn on it.
fn rate_axis(rates: impl Iterator<Item = f64>) -> Axis {
    let (low, high) =
        rates.fold((f64::INFINITY, 0.0_f64), |(low, high), rate| (low.min(rate), high.max(rate)));
    // Four decades show what matters: what is slower stands at the end.
    let high = (high / MEGA).max(1e-3) * 1.3;
    Axis::log("rate, Mbit/s", (low / MEGA / 1.3).max(high * 1e-4), high)
}

fn rates(area: &Area<'_>, channel: &Channel<'_>) -> Result<()> {
    let [down, up] = DIRECTIONS;
    let keys = [
        Mark::Line.key("downlink, LOS", down.1),
        Mark::Dashes.key("downlink, NLOS", down.1),
        Mark::Line.key("uplink, LOS", up.1),
        Mark::Dashes.key("uplink, NLOS", up.1),
    ];
    let at = || up_to(&channel.law, channel.law.diagonal_m);
    let all = at().flat_map(|at| at.median_rates.into_iter().flatten());
    let (x, y) = (distances(channel, channel.law.diagonal_m), rate_axis(all));
    let others = if channel.cells.len() > 1 { " and other cells" } else { "" };
    let title = format!("Rate without shadowing{others}");
    let panel = Panel::new(area, (&title, &keys), (x, y), Place::default())?;
    for (direction, (_, color)) in DIRECTIONS.into_iter().enumerate() {
        let line = |view: usize| at().map(move |at| (at.d2d_m, at.median_rates[view][direction] / MEGA));
        panel.line(line(0), color, 3)?;
        panel.dashes(line(1), color)?;
    }
    Ok(())
}

fn distribution(area: &Area<'_>, channel: &Channel<'_>) -> Result<()> {
    let median = |values: &[f64]| values.get(values.len() / 2).copied().unwrap_or(0.0) / MEGA;
    let keys = [0, 1].map(|direction| {
        let (name, color) = DIRECTIONS[direction];
        Mark::Line
            .key(format!("{name}, median {} Mbit/s", short(median(&channel.quantiles[direction]))), color)
    });
    // One user in a hundred seconds is slower than what is shown.
    let shown = channel.quantiles.iter().flat_map(|values| values.iter().skip(values.len() / 100).copied());
    let (x, y) = (rate_axis(shown), Axis::linear("share of seconds with at most this rate", 0.0, 1.0));
    let panel = Panel::new(area, ("Rates of all users, second by second", &keys), (x, y), Place::default())?;
    for (values, (_, color)) in channel.quantiles.iter().zip(DIRECTIONS) {
        let last = values.len().saturating_sub(1).max(1) as f64;
        panel.line(values.iter().enumerate().map(|(at, rate)| (rate / MEGA, at as f64 / last)), color, 3)?;
    }
    Ok(())
}

fn map(area: &Area<'_>, channel: &Channel<'_>) -> Result<()> {
    let Map { columns, rows, mean_uplink } = &channel.map;
    let (width_m, depth_m) = (channel.radio.area.width_m, channel.radio.area.depth_m);
    let keys = [
        Mark::Fill.key("base station", colors::INK),
        Mark::Line.key(format!("user {}", channel.user.0), colors::VERMILLION),
        Mark::Line.key(format!("{} other users", channel.ways.len() - 1), colors::ORANGE),
    ];
    // A metre is as long in both directions: the plot shows more of the shorter side, empty.
    let aspect = Panel::aspect(area, MAP);
    let (wide_m, deep_m) = (width_m.max(depth_m * aspect), depth_m.max(width_m / aspect));
    let around = |side_m: f64, shown_m: f64| [(side_m - shown_m) / 2.0, f64::midpoint(side_m, shown_m)];
    let ([west, east], [south, north]) = (around(width_m, wide_m), around(depth_m, deep_m));
    let x = Axis::linear("east, m", west, east);
    let y = Axis::linear("north, m", south, north);
    let title = format!("Mean uplink rate, and ways of {} minutes", SHOWN_SECONDS / 60);
    let panel = Panel::new(area, (&title, &keys), (x, y), MAP)?;
    let most = mean_uplink.iter().copied().fold(0.0, f64::max);
    let place = |index: usize, side_m: f64, number: usize| side_m * index as f64 / number as f64;
    for row in 0..*rows {
        let steps: Vec<usize> = mean_uplink[row * columns..(row + 1) * columns]
            .iter()
            .map(|rate| colors::step(rate / most))
            .collect();
        let north = [row, row + 1].map(|row| place(row, depth_m, *rows));
        for [from, to, step] in runs(&steps) {
            let east = [from, to].map(|column| place(column, width_m, *columns));
            panel.bar(east, north, colors::scale(step))?;
        }
    }
    for (index, way) in channel.ways.iter().enumerate().rev() {
        let color = if index == 0 { colors::VERMILLION } else { colors::ORANGE };
        panel.line(way.iter().map(|second| (second.place.x_m, second.place.y_m)), color, 2)?;
        if let Some(start) = way.first() {
            panel.dot((start.place.x_m, start.place.y_m), 4, color)?;
        }
    }
    for cell in channel.cells {
        panel.mast((cell.x_m, cell.y_m))?;
    }
    panel.scale_bar("Mbit/s", 0.0, most / MEGA)
}

/// Equal neighbours as one: from, to (exclusive), value.
pub(super) fn runs(values: &[usize]) -> Vec<[usize; 3]> {
    let mut runs: Vec<[usize; 3]> = Vec::new();
    for (at, &value) in values.iter().enumerate() {
        match runs.last_mut() {
            Some([_, to, last]) if *last == value => *to = at + 1,
            _ => runs.push([at, at + 1, value]),
        }
    }
    runs
}

fn seconds(area: &Area<'_>, channel: &Channel<'_>) -> Result<()> {
    let seconds = &channel.ways[0];
    let mut keys = DIRECTIONS.map(|(name, color)| Mark::Line.key(name, color)).to_vec();
    keys.push(Mark::Fill.key("NLOS", colors::SHADE));
    if channel.radio.blockage.is_some() {
        keys.push(Mark::Fill.key("blocked by somebody", BLOCKED));
    }
    if seconds.iter().any(|second| second.link.handover_from.is_some()) {
        keys.push(Mark::Dot.key("to another cell", colors::INK));
    }
    let x = Axis::linear("time, s", 0.0, f64::from(SHOWN_SECONDS));
    let y = rate_axis(seconds.iter().flat_map(|second| second.rates));
    let title = format!("User {}, second by second", channel.user.0);
    let panel = Panel::new(area, (&title, &keys), (x, y), Place::default())?;
    let shade = |link: &Connection| if link.is_blocked { 2 } else { usize::from(!link.is_los) };
    let shades: Vec<usize> = seconds.iter().map(|second| shade(&second.link)).collect();
    for [from, to, shade] in runs(&shades) {
        if shade > 0 {
            let color = if shade == 2 { BLOCKED } else { colors::SHADE };
            panel.shade([from as f64, to as f64], color)?;
        }
    }
    for (at, _) in seconds.iter().enumerate().filter(|(_, second)| second.link.handover_from.is_some()) {
        panel.dot((at as f64, 0.0), 3, colors::INK)?;
    }
    for (direction, (_, color)) in DIRECTIONS.into_iter().enumerate() {
        let rate = |(at, second): (usize, &Second)| (at as f64 + 0.5, second.rates[direction] / MEGA);
        let line = seconds.iter().enumerate().map(rate);
        panel.line(line, color, 2)?;
    }
    Ok(())
}

/// A light orange.
const BLOCKED: plotters::style::RGBColor = plotters::style::RGBColor(253, 224, 166);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_neighbours_are_one_run() {
        assert_eq!(runs(&[1, 1, 0, 2, 2]), [[0, 2, 1], [2, 3, 0], [3, 5, 2]]);
        assert!(runs(&[]).is_empty());
    }
}
