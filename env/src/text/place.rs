//! Where in a text a key stands, and which key stands at a place.

use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The line, from 1, at which the deepest known part of a key path such as `services[3].alpha` stands.
pub fn locate(text: &str, key: &str) -> Option<usize> {
    let document = DeTable::parse(text).ok()?;
    let mut table = Some(document.get_ref());
    let mut array: Option<&[Spanned<DeValue<'_>>]> = None;
    let mut found = None;
    for part in key.replace('[', ".").replace(']', "").split('.') {
        let value = match (table, array) {
            (Some(table), _) => {
                let Some((name, value)) = table.iter().find(|(name, _)| name.get_ref() == part) else {
                    break;
                };
                found = Some(name.span().start);
                value
            }
            (None, Some(items)) => {
                let Some(value) = part.parse().ok().and_then(|index: usize| items.get(index)) else { break };
                found = Some(value.span().start);
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
    found.map(|start| text[..start].matches('\n').count() + 1)
}

/// The path of the key whose name or value holds this part of the text, the deepest of several.
pub(super) fn path_at(text: &str, part: &Range<usize>) -> Option<String> {
    // The reader stops at nothing where the whole file lacks something.
    let document = DeTable::parse(text).ok().filter(|_| !part.is_empty())?;
    let mut best = None;
    for_each(document.get_ref(), "", &mut |path, span| {
        let is_shorter = best.as_ref().is_none_or(|(length, _)| span.len() <= *length);
        if span.start <= part.start && part.end <= span.end && is_shorter {
            best = Some((span.len(), path.to_owned()));
        }
    });
    best.map(|(_, path)| path)
}

fn for_each(table: &DeTable<'_>, trail: &str, visit: &mut impl FnMut(&str, Range<usize>)) {
    for (name, value) in table {
        let path =
            if trail.is_empty() { name.get_ref().to_string() } else { format!("{trail}.{}", name.get_ref()) };
        visit(&path, name.span());
        for_each_below(value, &path, visit);
    }
}

fn for_each_below(value: &Spanned<DeValue<'_>>, path: &str, visit: &mut impl FnMut(&str, Range<usize>)) {
    visit(path, value.span());
    match value.get_ref() {
        DeValue::Table(table) => for_each(table, path, visit),
        DeValue::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                for_each_below(item, &format!("{path}[{index}]"), visit);
            }
        }
        _ => {}
    }
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
    fn a_place_belongs_to_the_deepest_key() {
        let at = |word: &str| {
            let start = TOY.find(word).unwrap();
            path_at(TOY, &(start..start + 1)).unwrap_or_default()
        };
        assert_eq!(at("size"), "size");
        assert_eq!(at("2.5"), "size");
        assert_eq!(at("\"b\""), "names[1]");
        assert_eq!(at("radius"), "shape.circle.radius");
        assert_eq!(at("circle]"), "shape.circle");
        assert_eq!(at("3 }"), "dots[0].x.y");
        assert_eq!(path_at(TOY, &(0..TOY.len())), None);
    }
}
