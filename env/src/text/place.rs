//! Where in a text a key stands, and which key stands at a place.

use super::read::dotted;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The line, from 1, at which the deepest known part of a key path such as `services[3].alpha` stands.
pub fn locate(text: &str, key: &str) -> Option<usize> {
    find(text, key).map(|(key, _)| position(text, key).0)
}

/// Line and column, from 1, of a byte of a text.
pub(super) fn position(text: &str, start: usize) -> (usize, usize) {
    let before = &text[..start.min(text.len())];
    (before.matches('\n').count() + 1, before.chars().rev().take_while(|&c| c != '\n').count() + 1)
}

/// Where the deepest known part of a key path begins in a text: its key, and its value.
pub(super) fn find(text: &str, key: &str) -> Option<(usize, usize)> {
    let document = DeTable::parse(text).ok()?;
    let mut table = Some(document.get_ref());
    let mut array: Option<&[Spanned<DeValue<'_>>]> = None;
    let mut found = None;
    for part in dotted(key).split('.') {
        let value = match (table, array) {
            (Some(table), _) => {
                let Some((name, value)) = table.iter().find(|(name, _)| name.get_ref() == part) else {
                    break;
                };
                found = Some((name.span().start, value.span().start));
                value
            }
            (None, Some(items)) => {
                let Some(value) = part.parse().ok().and_then(|index: usize| items.get(index)) else { break };
                found = Some((value.span().start, value.span().start));
                value
            }
            (None, None) => break,
        };
        (table, array) = match value.get_ref() {
            DeValue::Table(table) => (Some(table), None),
            DeValue::Array(items) => (None, Some(&items[..])),
            _ => (None, None),
        };
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOY: &str = "size = 2.5\nnames = [\n  \"a\",\n  \"b\",\n]\n\n[shape.circle]\nradius = 1.0\n\n[[dots]]\nx = { y = 3 }\n";

    #[test]
    fn a_key_is_found_at_its_line() {
        assert_eq!(locate(TOY, "names[1]"), Some(4));
        assert_eq!(locate(TOY, "shape.circle.absent"), Some(7), "where it would stand");
        assert_eq!(locate(TOY, "dots[0].x.y"), Some(11));
        assert_eq!(locate(TOY, "absent"), None);
    }

    #[test]
    fn a_value_is_found_at_its_line_and_column() {
        let value = |key: &str| find(TOY, key).map(|(_, value)| position(TOY, value));
        assert_eq!(value("size"), Some((1, 8)));
        assert_eq!(value("names[1]"), Some((4, 3)));
        assert_eq!(value("shape.circle"), Some((7, 1)), "the head of the table");
        assert_eq!(value("dots[0].x.y"), Some((11, 11)));
        assert_eq!(value("absent"), None);
    }
}
