//! A panel: title, legend, axes, and shapes whose places are values of the axes.

use super::{Area, Axis, colors, text};
use anyhow::Result;
use plotters::backend::SVGBackend;
use plotters::chart::ChartBuilder;
use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::ranged1d::Ranged;
use plotters::drawing::DrawingArea;
use plotters::element::{
    Circle, DashedPathElement, EmptyElement, PathElement, Polygon, Rectangle, Text, TriangleMarker,
};
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, RGBColor, TextStyle, WHITE};

/// The mark of an entry in a legend.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Mark {
    Fill,
    Line,
    Dashes,
    Dot,
}

impl Mark {
    /// The entry of a legend with this mark.
    pub(crate) fn key(self, label: impl Into<String>, color: RGBColor) -> Key {
        Key { label: label.into(), color, mark: self }
    }
}

/// An entry of a legend.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    label: String,
    color: RGBColor,
    mark: Mark,
}

impl Key {
    /// Pixels that it takes in a row.
    fn width(&self) -> i32 {
        SWATCH + 6 + (0.55 * f64::from(SMALL) * self.label.chars().count() as f64) as i32 + 18
    }

    /// Draws it to the right of a place, which is in the middle of its height.
    fn draw(&self, area: &Area<'_>, (x, y): (i32, i32)) -> Result<()> {
        let ends = [(x, y), (x + SWATCH, y)];
        match self.mark {
            Mark::Fill => area.draw(&Rectangle::new([(x, y - 6), (x + SWATCH, y + 6)], self.color.filled())),
            Mark::Line => area.draw(&PathElement::new(ends, self.color.stroke_width(3))),
            Mark::Dashes => area.draw(&DashedPathElement::new(ends, DASH, GAP, self.color.stroke_width(2))),
            Mark::Dot => area.draw(&Circle::new((x + SWATCH / 2, y), 4, self.color.filled())),
        }?;
        let style = small(colors::INK, HPos::Left, VPos::Center);
        Ok(area.draw_text(&self.label, &style, (x + SWATCH + 6, y))?)
    }
}

const SMALL: u32 = 13;
/// Heights and widths, pixels.
const SWATCH: i32 = 18;
const TITLE: i32 = 24;
const KEYS: i32 = 20;
const BELOW: i32 = 44;
const GAP_BELOW: i32 = 8;
const LABELS: i32 = 64;
const DASH: i32 = 7;
const GAP: i32 = 5;
/// At most so many ticks.
const TICKS: usize = 7;

/// How much room is left of the plot, pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// For the labels of the vertical axis.
    pub(crate) left: i32,
    /// Beside the plot.
    pub(crate) right: i32,
}

impl Default for Place {
    fn default() -> Self {
        Self { left: LABELS, right: 16 }
    }
}

/// See the [module](self).
pub(crate) struct Panel<'a> {
    area: Area<'a>,
    plot: DrawingArea<SVGBackend<'a>, Cartesian2d<Axis, Axis>>,
}

impl<'a> Panel<'a> {
    /// Draws the frame: what stands around the plot, and the grid behind the data.
    pub(crate) fn new(
        area: &Area<'a>,
        (title, keys): (&str, &[Key]),
        (x, y): (Axis, Axis),
        place: Place,
    ) -> Result<Self> {
        area.draw_text(title, &text(15, true, colors::INK, HPos::Left, VPos::Top), (place.left, 2))?;
        let top = legend(area, keys, place)? + 6;
        let labels = if y.label.is_empty() { place.left } else { LABELS };
        let mut chart = ChartBuilder::on(area)
            .margin_top(top)
            .margin_left(place.left - labels)
            .margin_right(place.right)
            .margin_bottom(GAP_BELOW)
            .x_label_area_size(BELOW - GAP_BELOW)
            .y_label_area_size(labels)
            .build_cartesian_2d(x.clone(), y.clone())?;
        chart
            .configure_mesh()
            .x_labels(TICKS)
            .y_labels(TICKS)
            .set_all_tick_mark_size(4)
            .bold_line_style(colors::GRID)
            .axis_style(colors::INK)
            .label_style(small(colors::INK, HPos::Left, VPos::Top))
            .axis_desc_style(small(colors::FAINT_INK, HPos::Left, VPos::Top))
            .x_desc(x.label)
            .y_desc(y.label)
            .draw()?;
        Ok(Self { area: area.clone(), plot: chart.plotting_area().clone() })
    }

    /// Width over height of the plot.
    pub(crate) fn aspect(area: &Area<'_>, place: Place) -> f64 {
        let (width, height) = size(area);
        let (width, height) = (width - place.left - place.right, height - TITLE - KEYS - 6 - BELOW);
        f64::from(width.max(1)) / f64::from(height.max(1))
    }

    /// A line through points.
    pub(crate) fn line(
        &self,
        points: impl IntoIterator<Item = (f64, f64)>,
        color: RGBColor,
        width: u32,
    ) -> Result<()> {
        let points: Vec<(f64, f64)> = points.into_iter().collect();
        Ok(self.plot.draw(&PathElement::new(points, color.stroke_width(width)))?)
    }

    /// A dashed line through points.
    pub(crate) fn dashes(&self, points: impl IntoIterator<Item = (f64, f64)>, color: RGBColor) -> Result<()> {
        let points: Vec<(f64, f64)> = points.into_iter().collect();
        Ok(self.plot.draw(&DashedPathElement::new(points, DASH, GAP, color.stroke_width(2)))?)
    }

    /// The area between two lines over the same places.
    pub(crate) fn band(
        &self,
        low: &[(f64, f64)],
        high: &[(f64, f64)],
        color: RGBColor,
        opacity: f64,
    ) -> Result<()> {
        let points: Vec<(f64, f64)> = low.iter().chain(high.iter().rev()).copied().collect();
        Ok(self.plot.draw(&Polygon::new(points, color.mix(opacity).filled()))?)
    }

    /// A box between two values of each axis; one that is less than a pixel in a direction is not seen.
    pub(crate) fn bar(&self, x: [f64; 2], y: [f64; 2], color: RGBColor) -> Result<()> {
        let corners = [(x[0], y[0]), (x[1], y[1])];
        let [low, high] = corners.map(|corner| self.plot.map_coordinate(&corner));
        if low.0 == high.0 || low.1 == high.1 {
            return Ok(());
        }
        Ok(self.plot.draw(&Rectangle::new(corners, color.filled()))?)
    }

    /// A box over the whole height.
    pub(crate) fn shade(&self, x: [f64; 2], color: RGBColor) -> Result<()> {
        let y = self.plot.as_coord_spec().y_spec().range();
        self.bar(x, [y.start, y.end], color)
    }

    /// A dashed line over the whole height, named at its lower end.
    pub(crate) fn mark(&self, x: f64, name: &str) -> Result<()> {
        let y = self.plot.as_coord_spec().y_spec().range();
        self.dashes([(x, y.start), (x, y.end)], colors::FAINT_INK)?;
        let (from_left, width) = (self.plot.map_coordinate(&(x, y.start)).0, size(&self.area).0);
        let is_left = from_left - self.plot.get_base_pixel().0 < width / 2;
        let (side, offset) = if is_left { (HPos::Left, 5) } else { (HPos::Right, -5) };
        let style = small(colors::FAINT_INK, side, VPos::Bottom);
        Ok(self
            .plot
            .draw(&(EmptyElement::at((x, y.start)) + Text::new(name.to_owned(), (offset, -5), style)))?)
    }

    /// A dashed line over the whole width.
    pub(crate) fn level(&self, y: f64, color: RGBColor) -> Result<()> {
        let x = self.plot.as_coord_spec().x_spec().range();
        self.dashes([(x.start, y), (x.end, y)], color)
    }

    /// A dot.
    pub(crate) fn dot(&self, point: (f64, f64), radius: i32, color: RGBColor) -> Result<()> {
        Ok(self.plot.draw(&Circle::new(point, radius, color.filled()))?)
    }

    /// A word in the middle of a point.
    pub(crate) fn word(&self, point: (f64, f64), word: &str, color: RGBColor) -> Result<()> {
        let style = small(color, HPos::Center, VPos::Center);
        Ok(self.plot.draw(&Text::new(word.to_owned(), point, style))?)
    }

    /// A triangle with a white edge: a base station.
    pub(crate) fn mast(&self, point: (f64, f64)) -> Result<()> {
        self.plot.draw(&TriangleMarker::new(point, 13, WHITE.filled()))?;
        Ok(self.plot.draw(&TriangleMarker::new(point, 9, colors::INK.filled()))?)
    }

    /// The colours of the scale from `low` to `high` at the right of the plot.
    pub(crate) fn scale_bar(&self, label: &str, low: f64, high: f64) -> Result<()> {
        let ((left, top), (x, y)) = (self.area.get_base_pixel(), self.plot.get_pixel_range());
        let strip = self.area.clone().shrink((x.end - left + 14, y.start - top), (86, y.end - y.start));
        let mut bar = ChartBuilder::on(&strip)
            .right_y_label_area_size(72)
            .build_cartesian_2d(0.0..1.0, Axis::linear(label, low, high))?;
        let at = |step: usize| low + (high - low) * step as f64 / colors::STEPS as f64;
        bar.draw_series((0..colors::STEPS).map(|step| {
            Rectangle::new([(0.0, at(step)), (1.0, at(step + 1))], colors::scale(step).filled())
        }))?;
        bar.configure_mesh()
            .disable_mesh()
            .y_labels(TICKS)
            .set_all_tick_mark_size(3)
            .label_style(small(colors::INK, HPos::Left, VPos::Top))
            .axis_desc_style(small(colors::FAINT_INK, HPos::Left, VPos::Top))
            .y_desc(label)
            .draw()?;
        Ok(())
    }

    /// A line of text in the middle of an empty plot.
    pub(crate) fn say(&self, words: &str) -> Result<()> {
        let plot = self.plot.strip_coord_spec();
        let (width, height) = size(&plot);
        let style = text(15, false, colors::FAINT_INK, HPos::Center, VPos::Center);
        Ok(plot.draw_text(words, &style, (width / 2, height / 2))?)
    }
}

/// Draws a legend below the title, in as many rows as it takes; returns where it ends.
pub(crate) fn legend(area: &Area<'_>, keys: &[Key], place: Place) -> Result<i32> {
    let right = size(area).0 - place.right;
    let (mut x, mut y) = (place.left, TITLE);
    for key in keys {
        if x > place.left && x + key.width() > right + 18 {
            (x, y) = (place.left, y + KEYS);
        }
        key.draw(area, (x, y + KEYS / 2))?;
        x += key.width();
    }
    Ok(if keys.is_empty() { TITLE } else { y + KEYS })
}

fn small(color: RGBColor, horizontal: HPos, vertical: VPos) -> TextStyle<'static> {
    text(SMALL, false, color, horizontal, vertical)
}

/// Width and height, pixels.
pub(crate) fn size(area: &Area<'_>) -> (i32, i32) {
    let (width, height) = area.dim_in_pixel();
    (width.cast_signed(), height.cast_signed())
}
