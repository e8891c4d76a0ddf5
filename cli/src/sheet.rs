//! A document for people: what `--json` prints, in lines and tables.
//!
//! Keys become labels, and their endings units: `load_s` is a time, `memory_gb` a size. A list of flat objects is a table; other
//! lists and objects are indented below their name. What is absent, empty or false is left out.

use crate::quantity::{bits, bits_per_s, gb, joules, number, percent, seconds, short};
use crate::table::{Align, Table, grouped};
use anyhow::{Context, Result};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use thoughtcache_env::message::one_line;

/// A JSON value whose keys keep their order.
#[derive(Clone, Debug, PartialEq)]
enum Node {
    Nothing,
    Yes,
    Number(f64),
    Text(String),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Nodes)
    }
}

struct Nodes;

impl<'de> Visitor<'de> for Nodes {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Nothing)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(if value { Node::Yes } else { Node::Nothing })
    }
    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Number(value as f64))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Number(value as f64))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Number(value))
    }
    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut object = Vec::new();
        // What is absent stands in no sheet, so that a choice with nothing but absent keys is the choice alone.
        while let Some((key, node)) = entries.next_entry::<String, Option<Node>>()? {
            object.extend(node.map(|node| (key, node)));
        }
        Ok(Node::Object(object))
    }
}

/// The text of a document.
///
/// # Errors
/// When it cannot be written as JSON.
pub(crate) fn text<T: Serialize>(document: &T) -> Result<String> {
    let json = serde_json::to_string(document).context("cannot write the result as JSON")?;
    let node: Node = serde_json::from_str(&json).context("cannot read the result as JSON")?;
    let mut text = String::new();
    if let Node::Object(entries) = node {
        write_object(&mut text, &entries, 0);
    }
    Ok(text)
}

/// Columns of a page.
const WIDTH: usize = 110;
/// Columns of a table; what is wider is written as lines.
const WIDEST: usize = 170;
/// Bytes of a text that stands in a row with others; longer ones are sentences and have lines of their own.
const LONGEST_WORD: usize = 40;

impl Node {
    /// Whether it says nothing.
    fn is_empty(&self) -> bool {
        match self {
            Self::Nothing => true,
            Self::List(items) => items.iter().all(Self::is_empty),
            // An object without entries is a choice: `path_loss.umi`.
            Self::Object(entries) => !entries.is_empty() && entries.iter().all(|(_, node)| node.is_empty()),
            Self::Text(text) => text.is_empty(),
            Self::Yes | Self::Number(_) => false,
        }
    }

    /// Whether it stands on a few lines: no object in a list, and not much in all.
    fn is_inline(&self, key: &str) -> bool {
        fn is_flat(node: &Node) -> bool {
            match node {
                Node::List(items) => items.iter().all(|item| match item {
                    Node::Object(_) => false,
                    Node::Text(text) => text.len() <= LONGEST_WORD,
                    item => is_flat(item),
                }),
                Node::Object(entries) => entries.iter().all(|(_, node)| is_flat(node)),
                _ => true,
            }
        }
        is_flat(self) && self.inline(key).len() < 4 * WIDTH
    }

    /// On a line, with the unit of its key.
    fn inline(&self, key: &str) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::Yes => "yes".to_owned(),
            Self::Number(value) => quantity(key, *value),
            Self::Text(text) => one_line(text),
            Self::List(items) => {
                let items: Vec<String> = items
                    .iter()
                    .map(|item| match item {
                        Self::List(place) => {
                            let place: Vec<String> = place.iter().map(|part| part.inline(key)).collect();
                            format!("({})", place.join(", "))
                        }
                        item => item.inline(key),
                    })
                    .collect();
                let is_range = matches!(self.numbers(), Some([_, _]));
                if is_range && items[0] == items[1] {
                    items[0].clone()
                } else {
                    items.join(if is_range { " to " } else { ", " })
                }
            }
            Self::Object(entries) => {
                let said = entries.iter().filter(|(_, node)| !node.is_empty());
                let words = said.map(|(part, node)| match node {
                    Self::Yes => label(part),
                    Self::Object(inner) if inner.is_empty() => label(part),
                    Self::Object(_) => format!("{} ({})", label(part), node.inline(part)),
                    // A percentile has the unit of what it is one of.
                    _ if is_statistic(part) => format!("{part} {}", node.inline(key)),
                    _ => format!("{} {}", label(part), node.inline(part)),
                });
                words.collect::<Vec<_>>().join(", ")
            }
        }
    }

    /// The items of a list of numbers.
    fn numbers(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) if items.iter().all(|item| matches!(item, Self::Number(_))) => Some(items),
            _ => None,
        }
    }
}

/// Whether a key names a percentile or the greatest value of what its object is about.
fn is_statistic(key: &str) -> bool {
    key == "max" || key.strip_prefix('p').is_some_and(|percent| percent.parse::<u8>().is_ok())
}

/// A key without its unit, in words.
fn label(key: &str) -> String {
    let name = match unit(key) {
        Some((unit, _)) => key.strip_suffix(unit).unwrap_or(key),
        None => key,
    };
    let name = name.strip_prefix("is_").unwrap_or(name).replace('_', " ").replace("joules", "energy");
    if let Some(counted) = name.strip_prefix("num ") { format!("number of {counted}") } else { name }
}

/// An ending of a key, and how its numbers are written.
type Unit = (&'static str, fn(f64) -> String);

const UNITS: [Unit; 22] = [
    ("_s", seconds),
    ("_ms", |value| seconds(value / 1e3)),
    ("_m", |value| format!("{} m", number(value))),
    ("_m_per_s", |value| format!("{} m/s", number(value))),
    ("_gb", gb),
    ("_gb_per_s", |value| format!("{}/s", gb(value))),
    ("_bits", bits),
    ("_mbit", |value| bits(value * 1e6)),
    ("_bps", bits_per_s),
    ("_bits_per_s", bits_per_s),
    ("_gbit_per_s", |value| bits_per_s(value * 1e9)),
    ("_tokens", |value| format!("{} tokens", grouped(value.round() as u64))),
    ("_slots", |value| format!("{} slots", grouped(value as u64))),
    ("_db", |value| format!("{value:.1} dB")),
    ("_dbm", |value| format!("{} dBm", number(value))),
    ("_ghz", |value| format!("{} GHz", number(value))),
    ("_mhz", |value| format!("{} MHz", number(value))),
    ("_gflop", |value| format!("{} GFLOP", short(value))),
    ("_w", |value| format!("{} W", short(value))),
    ("_ratio", percent),
    ("_prob", percent),
    ("_share", percent),
];

/// The longest unit that a key ends with; the end of `cost_per_s` or `currency_per_million_tokens` is none.
fn unit(key: &str) -> Option<&'static Unit> {
    let units = UNITS.iter().filter(|(unit, _)| key.ends_with(unit));
    let longest = units.max_by_key(|(unit, _)| unit.len())?;
    let name = key.strip_suffix(longest.0)?;
    let is_divisor = name == "per" || name.ends_with("_per") || name.contains("_per_");
    (!is_divisor).then_some(longest)
}

/// A number with the unit of its key.
fn quantity(key: &str, value: f64) -> String {
    match unit(key) {
        Some((_, write)) => write(value),
        None if key == "seconds" => seconds(value),
        None if key.ends_with("joules") => joules(value),
        None if key == "share" => percent(value),
        None if value.fract() == 0.0 && (0.0..1e15).contains(&value) => grouped(value as u64),
        None => short(value),
    }
}

/// Writes an object line by line; what is larger than a few lines comes below its name.
fn write_object(text: &mut String, entries: &[(String, Node)], indent: usize) {
    let said = || entries.iter().filter(|(_, node)| !node.is_empty());
    let inline = said().filter(|(key, node)| node.is_inline(key));
    let width = inline.map(|(key, _)| label(key).chars().count()).max().unwrap_or(0);
    for (key, node) in said() {
        if node.is_inline(key) {
            let lead = format!("{:indent$}{:width$}  ", "", label(key));
            *text += &wrapped(&lead, &node.inline(key));
        } else {
            write_section(text, key, node, indent);
        }
    }
}

/// Writes what is larger than a few lines, between empty lines.
fn write_section(text: &mut String, key: &str, node: &Node, indent: usize) {
    if !text.is_empty() && !text.ends_with("\n\n") {
        text.push('\n');
    }
    text.extend([" ".repeat(indent), label(key), "\n".to_owned()]);
    match node {
        Node::List(items) => write_list(text, items, indent + 2),
        Node::Object(entries) => write_object(text, entries, indent + 2),
        _ => {}
    }
    if !text.ends_with("\n\n") {
        text.push('\n');
    }
}

/// A line whose words go on below where they began.
fn wrapped(lead: &str, words: &str) -> String {
    let start = lead.chars().count();
    let (mut text, mut column) = (lead.to_owned(), start);
    for (index, part) in words.split_inclusive(", ").enumerate() {
        if index > 0 && column + part.trim_end().chars().count() > WIDTH {
            text = format!("{}\n{:start$}", text.trim_end(), "");
            column = start;
        }
        text += part;
        column += part.chars().count();
    }
    format!("{}\n", text.trim_end())
}

/// Writes objects as the rows of a table where they are flat and it is not too wide, else as numbered blocks.
fn write_list(text: &mut String, items: &[Node], indent: usize) {
    for item in items {
        if let Node::Text(sentence) = item {
            text.extend([" ".repeat(indent), one_line(sentence), "\n".to_owned()]);
        }
    }
    let objects =
        items.iter().filter_map(|item| if let Node::Object(entries) = item { Some(entries) } else { None });
    let objects: Vec<&Vec<(String, Node)>> = objects.collect();
    if objects.iter().all(|entries| entries.iter().all(|(key, node)| node.is_inline(key))) {
        let table = table(&objects).text(indent);
        if table.lines().all(|line| line.chars().count() <= WIDEST) {
            *text += &table;
            return;
        }
    }
    for (index, entries) in objects.iter().enumerate() {
        write_block(text, &format!("{:indent$}{:>2}.  ", "", index + 1), entries);
    }
}

/// A table; those columns are left out that are empty in all rows.
fn table(objects: &[&Vec<(String, Node)>]) -> Table {
    let rows: Vec<Vec<Cell>> = objects.iter().map(|entries| cells(entries)).collect();
    let mut columns: Vec<(&str, Align)> = Vec::new();
    for cell in rows.iter().flatten().filter(|cell| !cell.text.is_empty()) {
        match columns.iter_mut().find(|(known, _)| *known == cell.heading) {
            Some((_, align)) if cell.align == Align::Left => *align = Align::Left,
            Some(_) => {}
            None => columns.push((&cell.heading, cell.align)),
        }
    }
    let mut table = Table::new(columns.iter().copied());
    for row in &rows {
        let text =
            |heading: &str| row.iter().find(|cell| cell.heading == heading).map_or("", |cell| &cell.text);
        table.row(columns.iter().map(|(heading, _)| text(heading)));
    }
    table
}

struct Cell {
    heading: String,
    text: String,
    align: Align,
}

/// The cells of a row. Parts of an object are cells of their own, those of a total under their own names.
fn cells(entries: &[(String, Node)]) -> Vec<Cell> {
    let cell = |heading: String, key: &str, node: &Node| {
        let align = if matches!(node, Node::Number(_)) { Align::Right } else { Align::Left };
        Cell { heading, text: node.inline(key), align }
    };
    let mut cells = Vec::new();
    for (key, node) in entries {
        let Node::Object(parts) = node else {
            cells.push(cell(label(key), key, node));
            continue;
        };
        let has_total = parts.iter().any(|(part, _)| part == "total");
        cells.extend(parts.iter().map(|(part, node)| match part.as_str() {
            "total" => cell(label(key), part, node),
            _ if has_total => cell(label(part), part, node),
            _ => cell(format!("{} {}", label(key), label(part)), part, node),
        }));
    }
    cells
}

/// Writes an object behind its number: single values follow each other, all else has lines of its own.
fn write_block(text: &mut String, number: &str, entries: &[(String, Node)]) {
    let indent = number.chars().count();
    let is_value = |node: &Node| matches!(node, Node::Yes | Node::Number(_) | Node::Text(_) | Node::List(_));
    let mut entries: Vec<(String, Node)> =
        entries.iter().filter(|(_, node)| !node.is_empty()).cloned().collect();
    let mut lead = number.to_owned();
    while !entries.is_empty() {
        let run = entries.iter().take_while(|(key, node)| is_value(node) && node.is_inline(key)).count();
        let rest = entries.split_off(run.max(1));
        if run > 0 {
            *text += &wrapped(&lead, &Node::Object(entries).inline(""));
        } else if let Some((key, node)) = entries.first() {
            if node.is_inline(key) {
                *text += &wrapped(&format!("{lead}{:9} ", label(key)), &node.inline(key));
            } else {
                write_section(text, key, node, indent);
            }
        }
        lead = " ".repeat(indent);
        entries = rest;
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn page(json: &str) -> String {
        let node: Node = serde_json::from_str(json).unwrap();
        let Node::Object(entries) = node else { panic!("{json}") };
        let mut text = String::new();
        write_object(&mut text, &entries, 0);
        text
    }

    #[test]
    fn keys_are_labels_with_units_and_what_is_absent_is_left_out() {
        let text = page(
            r#"{"slot_s": 0.5, "num_cells": 2, "memory_gb": 15.232, "fade_tokens": [120, 120], "window_tokens": [2000, 8000],
            "is_los": false, "radio": null, "hosts": [], "path_loss": {"umi": {}}, "link": {"uplink_bps": 5e6, "is_los": true}}"#,
        );
        let expected = "\
slot             500 ms
number of cells  2
memory           15.2 GB
fade             120 tokens
window           2,000 tokens to 8,000 tokens
path loss        umi
link             uplink 5 Mbit/s, los
";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_list_of_objects_is_a_table_without_empty_columns() {
        let text = page(
            r#"{"models": [{"name": "a", "memory_gb": 1, "x": null, "cost": {"total": 0.5, "cloud": 0.5}},
            {"name": "bb", "memory_gb": 20, "x": null, "cost": {"total": 2}}]}"#,
        );
        let expected = "\
models
  name  memory  cost  cloud
  a       1 GB   0.5    0.5
  bb     20 GB     2

";
        assert_eq!(text, expected);
    }

    #[test]
    fn objects_with_tables_are_numbered_and_control_characters_escaped() {
        let text = page(
            r#"{"asked": [{"service": "a\u001b", "load_s": 2, "tokens_per_s": 9, "at": [{"in": "gpu"}], "cost": {"total": 1}}]}"#,
        );
        let expected = "\
asked
   1.  service a\\u{1b}, load 2 s, tokens per s 9

       at
         in
         gpu

       cost      total 1

";
        assert_eq!(text, expected);
        assert_eq!(super::text(&json!({"num_cells": 1})).unwrap(), "number of cells  1\n");
    }
}
