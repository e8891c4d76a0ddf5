//! The picture of `bench env --scaling`: microseconds of a decision over the number of users.

use super::scaling::{Curve, Point};
use crate::output;
use crate::plot::{Axis, Key, Mark, Panel, Place, colors, sheet};
use anyhow::Result;
use plotters::style::RGBColor;
use std::path::Path;

/// Pixels.
const WIDTH: u32 = 860;
const HEIGHT: u32 = 400;
/// The vertical axis reaches at least this multiple of the cost with the fewest users: the bar that the project sets itself.
const BAR: f64 = 3.0;
const COLORS: [RGBColor; 2] = [colors::BLUE, colors::VERMILLION];

/// Writes an SVG file.
pub(super) fn draw(scenario: &str, curves: &[Curve], path: &Path) -> Result<()> {
    let users = || curves.iter().flat_map(|curve| &curve.points).map(|point| f64::from(point.users));
    let (first, last) = (users().fold(f64::INFINITY, f64::min), users().fold(0.0, f64::max));
    let fewest = |curve: &Curve| curve.points.first().map_or(0.0, decision_us);
    let costs = curves.iter().flat_map(|curve| &curve.points).map(decision_us);
    let top = costs.chain(curves.iter().map(|curve| BAR * fewest(curve))).fold(0.0, f64::max);
    let keys: Vec<Key> = curves
        .iter()
        .zip(COLORS)
        .flat_map(|(curve, color)| {
            let bar = format!("{BAR:.0} times its cost with {first:.0} users");
            [Mark::Line.key(curve.words, color), Mark::Dashes.key(bar, color)]
        })
        .collect();
    let heading =
        [scenario, "What a decision costs, by number of users; one lane, whole episodes, processor time"];
    let svg = sheet(heading, (WIDTH, &[HEIGHT]), |rows| {
        let axes = (Axis::log("users", first, last), Axis::linear("us a decision", 0.0, top * 1.08));
        let place = Place { right: 48, ..Place::default() };
        let panel = Panel::new(&rows[0], ("Microseconds of a decision", &keys), axes, place)?;
        for (curve, color) in curves.iter().zip(COLORS) {
            let at = |point: &Point| (f64::from(point.users), decision_us(point));
            panel.level(BAR * fewest(curve), color)?;
            panel.line(curve.points.iter().map(at), color, 2)?;
            for point in &curve.points {
                panel.dot(at(point), 4, color)?;
            }
        }
        Ok(())
    })?;
    output::write(path, svg.as_bytes())
}

fn decision_us(point: &Point) -> f64 {
    point.decision_ns / 1e3
}
