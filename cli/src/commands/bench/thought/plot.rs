//! The picture of a map: turns that are alike above turns that vary, against blind rules on the left, against memory on the right.

use super::map::{CVS, Dimension, Map, Measured};
use crate::plot::{Axis, Panel, Place, colors, sheet};
use anyhow::Result;
use plotters::style::{RGBColor, WHITE};
use thoughtcache_agents::stats::{Estimate, percent};

/// Pixels.
const WIDTH: u32 = 900;
const HEIGHT: u32 = 300;
/// The saving that has the darkest colour.
const MOST: f64 = 0.25;

/// Draws a map as SVG.
pub(super) fn draw(map: &Map, points: &[Measured]) -> Result<String> {
    let heading = [
        "What it is worth to see the age of thought",
        "Cost of the best sighted rule relative to the best rule without sight, per cent; grey: no clear saving",
    ];
    sheet(heading, (WIDTH, &[HEIGHT; CVS.len()]), |rows| {
        for (row, cv) in rows.iter().zip(CVS) {
            let turns = if cv == 0.0 { "turns alike" } else { "turns vary" };
            let (left, right) = row.split_horizontally(WIDTH / 2 - 12);
            let sides =
                [(left, "relative to blind rules", false), (right, "relative to rules with memory", true)];
            for (area, words, is_beyond_memory) in sides {
                let axes = (axis(&map.x), axis(&map.y));
                let panel = Panel::new(&area, (&format!("{turns}, {words}"), &[]), axes, Place::default())?;
                for point in points.iter().filter(|point| point.cv == cv) {
                    let estimate = if is_beyond_memory { point.beyond_memory } else { point.beyond_blind };
                    let (x, y) = (place(&map.x, point.x), place(&map.y, point.y));
                    let (color, ink) = shade(estimate);
                    panel.bar([x, x + 1.0], [y, y + 1.0], color)?;
                    panel.word((x + 0.5, y + 0.5), &percent(estimate.mean), ink)?;
                }
            }
        }
        Ok(())
    })
}

/// One step for each value.
fn axis(dimension: &Dimension) -> Axis {
    Axis::steps(dimension.name, dimension.values.into_iter().map(|value| value.to_string()))
}

/// Where the step of a value begins.
fn place(dimension: &Dimension, value: f64) -> f64 {
    dimension.values.iter().position(|known| *known == value).unwrap_or_default() as f64
}

/// The colour of a difference, and that of the text on it.
fn shade(estimate: Estimate) -> (RGBColor, RGBColor) {
    if !estimate.is_below_zero() {
        return (colors::SHADE, colors::INK);
    }
    let step = colors::step(-estimate.mean / MOST);
    (colors::scale(step), if step < colors::STEPS / 2 { colors::INK } else { WHITE })
}
