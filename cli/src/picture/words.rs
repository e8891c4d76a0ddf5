//! Texts that fit: their widths are bounded from above without a look at a font.

use crate::plot::{Area, colors, text};
use anyhow::Result;
use plotters::style::RGBColor;
use plotters::style::text_anchor::{HPos, VPos};
use thoughtcache_env::message::one_line;

/// How a text looks and where it is held; vertically in its middle.
#[derive(Clone, Copy)]
pub(super) struct Pen {
    pub(super) size: u32,
    is_bold: bool,
    color: RGBColor,
    side: HPos,
}

pub(super) const HEADING: Pen = Pen { size: 15, is_bold: true, color: colors::INK, side: HPos::Left };
pub(super) const PLAIN: Pen = Pen { size: 12, is_bold: false, ..HEADING };
pub(super) const FAINT: Pen = Pen { color: colors::FAINT_INK, ..PLAIN };
pub(super) const STRONG: Pen = Pen { is_bold: true, ..PLAIN };
pub(super) const LATE: Pen = Pen { color: colors::VERMILLION, ..STRONG };

impl Pen {
    pub(super) const fn right(self) -> Self {
        Self { side: HPos::Right, ..self }
    }

    pub(super) const fn center(self) -> Self {
        Self { side: HPos::Center, ..self }
    }

    pub(super) const fn sized(self, size: u32) -> Self {
        Self { size, ..self }
    }

    /// Writes as much of the words as has room; nothing where there is none.
    pub(super) fn write(self, area: &Area<'_>, words: &str, at: (i32, i32), room: i32) -> Result<()> {
        let words = fitted(words, self.size, room);
        if words.is_empty() {
            return Ok(());
        }
        let style = text(self.size, self.is_bold, self.color, self.side, VPos::Center);
        Ok(area.draw_text(&words, &style, at)?)
    }
}

/// The pixels that a text takes at most, in fonts like Helvetica, Arial and Roboto.
pub(super) fn width(words: &str, size: u32) -> i32 {
    let of = |letter: char| match letter {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | ' ' => 0.29,
        'f' | 't' | 'r' | '(' | ')' | '-' | '/' => 0.39,
        'm' | 'w' | 'M' | 'W' | '%' | '@' | '…' => 1.0,
        'A'..='Z' => 0.74,
        letter if letter.is_ascii() => 0.59,
        // A letter of another script may be as wide as high.
        _ => 1.0,
    };
    (words.chars().map(of).sum::<f64>() * f64::from(size)).ceil() as i32
}

/// As much of a text as has room, with a sign where it was cut.
pub(super) fn fitted(words: &str, size: u32, room: i32) -> String {
    let mut kept = one_line(words);
    if width(&kept, size) <= room {
        return kept;
    }
    while kept.pop().is_some() {
        let cut = format!("{}…", kept.trim_end());
        if width(&cut, size) <= room {
            return cut;
        }
    }
    kept
}
