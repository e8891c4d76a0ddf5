//! A panel: title, legend, axes, and shapes whose places are values of the axes.

use super::axis::grouped;
use super::{Area, Axis, colors, text};
use anyhow::Result;
use plotters::element::{Circle, PathElement, Polygon, Rectangle};
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, FontTransform, RGBColor, ShapeStyle};

/// An entry of a legend.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    label: String,
    color: RGBColor,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Fill,
    Line,
    Dashes,
    Dot,
}

impl Key {
    /// A coloured area.
    pub(crate) fn fill(label: impl Into<String>, color: RGBColor) -> Self {
        Self { label: label.into(), color, kind: Kind::Fill }
    }

    /// A line.
    pub(crate) fn line(label: impl Into<String>, color: RGBColor) -> Self {
        Self { label: label.into(), color, kind: Kind::Line }
    }

    /// A dashed line.
    pub(crate) fn dashes(label: impl Into<String>, color: RGBColor) -> Self {
        Self { label: label.into(), color, kind: Kind::Dashes }
    }

    /// A dot.
    pub(crate) fn dot(label: impl Into<String>, color: RGBColor) -> Self {
        Self { label: label.into(), color, kind: Kind::Dot }
    }

    /// Pixels that it takes in a row.
    fn width(&self) -> i32 {
        SWATCH + 6 + (0.55 * f64::from(SMALL) * self.label.chars().count() as f64) as i32 + 18
    }
}

const SMALL: u32 = 13;
const SWATCH: i32 = 18;
const TITLE: i32 = 24;
const KEYS: i32 = 20;
const BELOW: i32 = 44;
const RIGHT: i32 = 16;
/// Dashes and gaps, pixels.
const DASH: (f64, f64) = (7.0, 5.0);

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
        Self { left: 64, right: RIGHT }
    }
}

/// See the [module](self).
pub(crate) struct Panel<'a> {
    area: Area<'a>,
    x: Axis,
    y: Axis,
    /// The plot within the area: left, right, top and bottom, pixels.
    left: i32,
    right: i32,
    top: i32,
    bottom: i32,
}

impl<'a> Panel<'a> {
    /// Draws the frame: what stands around the plot, and the grid behind the data.
    pub(crate) fn new(
        area: &Area<'a>,
        (title, keys): (&str, &[Key]),
        (x, y): (Axis, Axis),
        place: Place,
    ) -> Result<Self> {
        let (width, height) = size(area);
        let mut panel = Self {
            area: area.clone(),
            x,
            y,
            left: place.left,
            right: width - place.right,
            top: TITLE,
            bottom: height - BELOW,
        };
        panel.area.draw_text(title, &text(15, true, colors::INK, HPos::Left, VPos::Top), (panel.left, 2))?;
        panel.top = panel.legend(keys)? + 6;
        panel.axes()?;
        Ok(panel)
    }

    /// Draws the legend below the title, in as many rows as it takes; returns where it ends.
    fn legend(&self, keys: &[Key]) -> Result<i32> {
        let (mut x, mut y) = (self.left, TITLE);
        for key in keys {
            if x > self.left && x + key.width() > self.right + 18 {
                (x, y) = (self.left, y + KEYS);
            }
            let middle = y + KEYS / 2;
            match key.kind {
                Kind::Fill => self
                    .area
                    .draw(&Rectangle::new([(x, middle - 6), (x + SWATCH, middle + 6)], key.color.filled()))?,
                Kind::Line => self.area.draw(&PathElement::new(
                    [(x, middle), (x + SWATCH, middle)],
                    key.color.stroke_width(3),
                ))?,
                Kind::Dashes => {
                    self.pixels(&[(x, middle), (x + SWATCH, middle)], key.color.stroke_width(2), true)?;
                }
                Kind::Dot => self.area.draw(&Circle::new((x + SWATCH / 2, middle), 4, key.color.filled()))?,
            }
            let style = text(SMALL, false, colors::INK, HPos::Left, VPos::Center);
            self.area.draw_text(&key.label, &style, (x + SWATCH + 6, middle))?;
            x += key.width();
        }
        Ok(if keys.is_empty() { TITLE } else { y + KEYS })
    }

    fn axes(&self) -> Result<()> {
        let (grid, ink) = (colors::GRID.stroke_width(1), colors::INK.stroke_width(1));
        let style = text(SMALL, false, colors::INK, HPos::Center, VPos::Top);
        for (value, label) in &self.x.ticks {
            let x = self.x_at(*value);
            if self.x.has_grid {
                self.area.draw(&PathElement::new([(x, self.top), (x, self.bottom)], grid))?;
            }
            self.area.draw(&PathElement::new([(x, self.bottom), (x, self.bottom + 4)], ink))?;
            self.area.draw_text(label, &style, (x, self.bottom + 7))?;
        }
        let style = text(SMALL, false, colors::INK, HPos::Right, VPos::Center);
        for (value, label) in &self.y.ticks {
            let y = self.y_at(*value);
            if self.y.has_grid {
                self.area.draw(&PathElement::new([(self.left, y), (self.right, y)], grid))?;
            }
            self.area.draw(&PathElement::new([(self.left - 4, y), (self.left, y)], ink))?;
            self.area.draw_text(label, &style, (self.left - 7, y))?;
        }
        let corner = [(self.left, self.top), (self.left, self.bottom), (self.right, self.bottom)];
        self.area.draw(&PathElement::new(corner, ink))?;
        let style = text(SMALL, false, colors::FAINT_INK, HPos::Center, VPos::Top);
        self.area.draw_text(
            &self.x.label,
            &style,
            (i32::midpoint(self.left, self.right), self.bottom + 24),
        )?;
        let mut style = text(SMALL, false, colors::FAINT_INK, HPos::Center, VPos::Top);
        style.font = style.font.transform(FontTransform::Rotate270);
        Ok(self.area.draw_text(
            &self.y.label,
            &style,
            ((self.left - 62).max(2), i32::midpoint(self.top, self.bottom)),
        )?)
    }

    fn x_at(&self, value: f64) -> i32 {
        self.left + (self.x.share(value) * f64::from(self.right - self.left)).round() as i32
    }

    fn y_at(&self, value: f64) -> i32 {
        self.bottom - (self.y.share(value) * f64::from(self.bottom - self.top)).round() as i32
    }

    fn at(&self, (x, y): (f64, f64)) -> (i32, i32) {
        (self.x_at(x), self.y_at(y))
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
        let points: Vec<(i32, i32)> = points.into_iter().map(|point| self.at(point)).collect();
        self.pixels(&points, color.stroke_width(width), false)
    }

    /// A dashed line through points.
    pub(crate) fn dashes(&self, points: impl IntoIterator<Item = (f64, f64)>, color: RGBColor) -> Result<()> {
        let points: Vec<(i32, i32)> = points.into_iter().map(|point| self.at(point)).collect();
        self.pixels(&points, color.stroke_width(2), true)
    }

    fn pixels(&self, points: &[(i32, i32)], style: ShapeStyle, is_dashed: bool) -> Result<()> {
        if points.len() < 2 {
            return Ok(());
        }
        if !is_dashed {
            return Ok(self.area.draw(&PathElement::new(points.to_vec(), style))?);
        }
        for dash in dashes(points) {
            self.area.draw(&PathElement::new(dash, style))?;
        }
        Ok(())
    }

    /// The area between two lines over the same places.
    pub(crate) fn band(
        &self,
        low: &[(f64, f64)],
        high: &[(f64, f64)],
        color: RGBColor,
        opacity: f64,
    ) -> Result<()> {
        let points: Vec<(i32, i32)> =
            low.iter().chain(high.iter().rev()).map(|&point| self.at(point)).collect();
        Ok(self.area.draw(&Polygon::new(points, color.mix(opacity).filled()))?)
    }

    /// A box between two values of each axis; one that is less than a pixel in a direction is not seen.
    pub(crate) fn bar(&self, x: [f64; 2], y: [f64; 2], color: RGBColor) -> Result<()> {
        let ((left, bottom), (right, top)) = (self.at((x[0], y[0])), self.at((x[1], y[1])));
        if left == right || top == bottom {
            return Ok(());
        }
        Ok(self.area.draw(&Rectangle::new([(left, top), (right, bottom)], color.filled()))?)
    }

    /// A box over the whole height.
    pub(crate) fn shade(&self, x: [f64; 2], color: RGBColor) -> Result<()> {
        let (left, right) = (self.x_at(x[0]), self.x_at(x[1]).max(self.x_at(x[0]) + 1));
        Ok(self.area.draw(&Rectangle::new([(left, self.top), (right, self.bottom)], color.filled()))?)
    }

    /// A dashed line over the whole height, named at its upper end.
    pub(crate) fn mark(&self, x: f64, name: &str) -> Result<()> {
        let at = self.x_at(x);
        self.pixels(&[(at, self.top), (at, self.bottom)], colors::FAINT_INK.stroke_width(1), true)?;
        let is_left = at < i32::midpoint(self.left, self.right);
        let (side, offset) = if is_left { (HPos::Left, 5) } else { (HPos::Right, -5) };
        let style = text(SMALL, false, colors::FAINT_INK, side, VPos::Bottom);
        Ok(self.area.draw_text(name, &style, (at + offset, self.bottom - 5))?)
    }

    /// A dashed line over the whole width.
    pub(crate) fn level(&self, y: f64, color: RGBColor) -> Result<()> {
        let at = self.y_at(y);
        self.pixels(&[(self.left, at), (self.right, at)], color.stroke_width(2), true)
    }

    /// A dot.
    pub(crate) fn dot(&self, point: (f64, f64), radius: i32, color: RGBColor) -> Result<()> {
        Ok(self.area.draw(&Circle::new(self.at(point), radius, color.filled()))?)
    }

    /// A triangle with a white edge: a base station.
    pub(crate) fn mast(&self, point: (f64, f64)) -> Result<()> {
        let (x, y) = self.at(point);
        let triangle = |size: i32| vec![(x, y - size), (x - size, y + size), (x + size, y + size)];
        self.area.draw(&Polygon::new(triangle(10), plotters::style::WHITE.filled()))?;
        Ok(self.area.draw(&Polygon::new(triangle(7), colors::INK.filled()))?)
    }

    /// The colours of the scale from `low` to `high` at the right of the plot.
    pub(crate) fn scale_bar(&self, label: &str, low: f64, high: f64) -> Result<()> {
        let (left, width) = (self.right + 14, 14);
        let height = f64::from(self.bottom - self.top);
        let at = |share: f64| self.bottom - (share * height).round() as i32;
        for step in 0..colors::STEPS {
            let ends = [step, step + 1].map(|step| at(step as f64 / colors::STEPS as f64));
            let cell =
                Rectangle::new([(left, ends[1]), (left + width, ends[0])], colors::scale(step).filled());
            self.area.draw(&cell)?;
        }
        let axis = Axis::linear("", low, high);
        let style = text(SMALL, false, colors::INK, HPos::Left, VPos::Center);
        for (value, name) in &axis.ticks {
            self.area.draw_text(name, &style, (left + width + 5, at(axis.share(*value))))?;
        }
        let mut style = text(SMALL, false, colors::FAINT_INK, HPos::Center, VPos::Top);
        style.font = style.font.transform(FontTransform::Rotate270);
        let widest = i32::try_from(grouped(high, 0).chars().count()).unwrap_or(0);
        let x = left + width + 10 + 8 * widest;
        Ok(self.area.draw_text(label, &style, (x, i32::midpoint(self.top, self.bottom)))?)
    }

    /// A line of text in the middle of an empty plot.
    pub(crate) fn say(&self, words: &str) -> Result<()> {
        let style = text(15, false, colors::FAINT_INK, HPos::Center, VPos::Center);
        let middle = (i32::midpoint(self.left, self.right), i32::midpoint(self.top, self.bottom));
        Ok(self.area.draw_text(words, &style, middle)?)
    }
}

/// Width and height, pixels.
fn size(area: &Area<'_>) -> (i32, i32) {
    let (width, height) = area.dim_in_pixel();
    (width.cast_signed(), height.cast_signed())
}

/// The dashes of a line.
fn dashes(points: &[(i32, i32)]) -> Vec<Vec<(i32, i32)>> {
    let (dash, gap) = DASH;
    let mut made = Vec::new();
    // How far into a dash and its gap the line has come.
    let mut phase = 0.0;
    for ends in points.windows(2) {
        let [from, to] = [ends[0], ends[1]].map(|(x, y)| (f64::from(x), f64::from(y)));
        let length = (to.0 - from.0).hypot(to.1 - from.1);
        let at = |way: f64| {
            let share = (way / length).clamp(0.0, 1.0);
            (
                (from.0 + share * (to.0 - from.0)).round() as i32,
                (from.1 + share * (to.1 - from.1)).round() as i32,
            )
        };
        let mut way = 0.0;
        while way < length {
            let left = if phase < dash { dash - phase } else { dash + gap - phase };
            let end = (way + left).min(length);
            if phase < dash {
                made.push(vec![at(way), at(end)]);
            }
            phase = (phase + end - way) % (dash + gap);
            // A remainder of nothing would never end.
            if phase > dash + gap - 1e-9 {
                phase = 0.0;
            }
            way = if end > way { end } else { length };
        }
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_thirty_pixels_has_dashes_of_seven_with_gaps_of_five() {
        let made = dashes(&[(0, 0), (30, 0)]);
        assert_eq!(made, [vec![(0, 0), (7, 0)], vec![(12, 0), (19, 0)], vec![(24, 0), (30, 0)]]);
        // Corners do not begin a new dash.
        let bent = dashes(&[(0, 0), (5, 0), (5, 25)]);
        assert_eq!(bent[..2], [vec![(0, 0), (5, 0)], vec![(5, 0), (5, 2)]]);
        assert!(dashes(&[(3, 3), (3, 3)]).is_empty());
    }
}
