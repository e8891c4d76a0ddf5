//! The picture of `bench env --scaling`: nanoseconds of a decision over the number of users.

use super::scaling::{Curve, Point};
use crate::output;
use anyhow::{Result, anyhow};
use plotters::prelude::*;
use std::path::Path;

/// Pixels.
const SIZE: (u32, u32) = (860, 480);
/// Up to how many times the cost of the fewest users the axis reaches at least: where the bar is.
const BAR: f64 = 3.0;
/// Colours that people tell apart whatever colours they see (Okabe and Ito, 2008).
const COLORS: [RGBColor; 2] = [RGBColor(0, 114, 178), RGBColor(213, 94, 0)];
const INK: RGBColor = RGBColor(90, 98, 106);

/// Writes an SVG file.
pub(super) fn draw(scenario: &str, curves: &[Curve], path: &Path) -> Result<()> {
    let mut svg = String::new();
    draw_on(SVGBackend::with_string(&mut svg, SIZE), scenario, curves)?;
    output::write(path, svg.as_bytes())
}

fn draw_on(backend: SVGBackend<'_>, scenario: &str, curves: &[Curve]) -> Result<()> {
    let all = || curves.iter().flat_map(|curve| &curve.points);
    let (Some(first), Some(last)) =
        (all().map(|point| point.users).min(), all().map(|point| point.users).max())
    else {
        return Ok(());
    };
    let (first, last) = (f64::from(first), f64::from(last));
    let fewest = |curve: &Curve| curve.points.first().map_or(0.0, |point| point.decision_ns);
    let top = all()
        .map(|point| point.decision_ns)
        .chain(curves.iter().map(|c| BAR * fewest(c)))
        .fold(0.0, f64::max);
    let failed = |error: &dyn std::fmt::Display| anyhow!("{error}");
    let root = backend.into_drawing_area();
    root.fill(&WHITE).map_err(|error| failed(&error))?;
    let mut chart = ChartBuilder::on(&root)
        .margin(16)
        .margin_right(48)
        .caption(format!("{scenario}: what a decision costs, by number of users"), ("sans-serif", 18))
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d((first..last).log_scale(), 0.0..top * 1.08)
        .map_err(|error| failed(&error))?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(WHITE)
        .bold_line_style(RGBColor(226, 230, 234))
        .axis_style(INK)
        .label_style(("sans-serif", 13))
        .x_desc("users")
        .y_desc("ns a decision")
        .x_label_formatter(&|users| crate::table::grouped(*users as u64))
        .y_label_formatter(&|ns| crate::table::grouped(*ns as u64))
        .draw()
        .map_err(|error| failed(&error))?;
    for (curve, color) in curves.iter().zip(COLORS) {
        let at = |point: &Point| (f64::from(point.users), point.decision_ns);
        let line = PathElement::new(curve.points.iter().map(at).collect::<Vec<_>>(), color.stroke_width(2));
        chart
            .draw_series(std::iter::once(line))
            .map_err(|error| failed(&error))?
            .label(curve.demand.words())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], color.stroke_width(2)));
        let dots = curve.points.iter().map(|point| Circle::new(at(point), 4, color.filled()));
        chart.draw_series(dots).map_err(|error| failed(&error))?;
        let bar = BAR * fewest(curve);
        let dashes =
            dashes(first, last).map(|(from, to)| PathElement::new([(from, bar), (to, bar)], color.mix(0.6)));
        chart
            .draw_series(dashes)
            .map_err(|error| failed(&error))?
            .label(format!("{BAR:.0} times its cost with {first:.0} users"))
            .legend(move |(x, y)| PathElement::new([(x + 6, y), (x + 14, y)], color.mix(0.6)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.9))
        .border_style(RGBColor(226, 230, 234))
        .label_font(("sans-serif", 13))
        .draw()
        .map_err(|error| failed(&error))?;
    root.present().map_err(|error| failed(&error))
}

/// Dashes of a line across an axis of ratios.
fn dashes(first: f64, last: f64) -> impl Iterator<Item = (f64, f64)> {
    const DASHES: u32 = 50;
    let at = move |share: f64| first * (last / first).powf(share / f64::from(DASHES));
    (0..DASHES).map(move |dash| (at(f64::from(dash)), at(f64::from(dash) + 0.5)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashes_begin_and_end_with_the_axis() {
        let all: Vec<(f64, f64)> = dashes(100.0, 1e6).collect();
        assert_eq!(all[0].0, 100.0);
        assert!(all.iter().all(|(from, to)| from < to && *to <= 1e6));
    }
}
