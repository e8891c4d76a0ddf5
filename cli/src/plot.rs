//! Drawings as SVG: panels with axes, legends and shapes, on charts of the crate plotters. Sizes of texts are set here, so that
//! nothing depends on the fonts of a machine.
//!
//! Reading order: `axis` (values and their labels), `panel` (a plot with its frame), `colors`.

mod axis;
pub(crate) mod colors;
mod panel;

pub(crate) use axis::Axis;
pub(crate) use panel::{Key, Mark, Panel, Place, legend, size};

use anyhow::Result;
use plotters::backend::SVGBackend;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontStyle, IntoFont, RGBColor, TextStyle, WHITE};

/// A rectangle of a sheet.
pub(crate) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Fonts of every machine; a viewer takes its own where it has none of them.
pub(crate) const FONT: &str = "Helvetica, Arial, sans-serif";
/// The ratio of plotters' letter height to its nominal size.
const PLOTTERS_SIZE: f64 = 1.24;
/// Attributes that plotters writes on every shape although they are SVG's defaults.
const REDUNDANT: [&str; 2] = [" opacity=\"1\"", " stroke=\"none\""];
/// Boxes that touch show no seam at any size.
const STYLE: &str = "<style>rect{shape-rendering:crispEdges}</style>";
/// The margin of a sheet, and the height of its heading, pixels.
const MARGIN: u32 = 12;
const HEADING: u32 = 56;

/// A font of so many pixels, and where a text is held.
pub(crate) fn text(
    size: u32,
    is_bold: bool,
    color: RGBColor,
    horizontal: HPos,
    vertical: VPos,
) -> TextStyle<'static> {
    let style = if is_bold { FontStyle::Bold } else { FontStyle::Normal };
    let font = (FONT, PLOTTERS_SIZE * f64::from(size), style).into_font();
    TextStyle { font, color: color.to_backend_color(), pos: Pos::new(horizontal, vertical) }
}

/// Draws a sheet of `width` pixels whose rows are so high, below a heading of two lines; returns the SVG.
///
/// # Errors
/// When `draw` has one.
pub(crate) fn sheet(
    [title, subtitle]: [&str; 2],
    (width, heights): (u32, &[u32]),
    draw: impl FnOnce(&[Area<'_>]) -> Result<()>,
) -> Result<String> {
    let mut svg = String::new();
    let height = HEADING + heights.iter().sum::<u32>() + 2 * MARGIN;
    let root = SVGBackend::with_string(&mut svg, (width, height)).into_drawing_area();
    root.fill(&WHITE)?;
    let inner = root.margin(MARGIN, MARGIN, MARGIN, MARGIN);
    inner.draw_text(title, &text(21, true, colors::INK, HPos::Left, VPos::Top), (0, 2))?;
    inner.draw_text(subtitle, &text(14, false, colors::FAINT_INK, HPos::Left, VPos::Top), (0, 32))?;
    let mut below = inner.split_vertically(HEADING).1;
    let mut rows = Vec::new();
    for height in heights {
        let (row, rest) = below.split_vertically(*height);
        rows.push(row);
        below = rest;
    }
    draw(&rows)?;
    root.present()?;
    drop((rows, below, inner, root));
    let svg = REDUNDANT.iter().fold(svg, |svg, word| svg.replace(word, ""));
    Ok(svg.replacen(">\n", &format!(">\n{STYLE}\n"), 1))
}
