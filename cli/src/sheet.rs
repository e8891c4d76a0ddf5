//! A document for people: what `--json` prints, in lines and tables.
//!
//! Keys become labels, and their endings units: `load_s` is a time, `memory_gb` a size. A list of flat objects is a table; other
//! lists and objects are indented below their name. What is absent, empty or false is left out.

use crate::console::Console;
use crate::quantity::{bits, bits_per_s, gb, joules, number, percent, seconds, short};
use crate::table::{Align, Table, grouped};
use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::{Map, Value};
use thoughtcache_env::message::one_line;

/// Shows a document as a page, or as JSON.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn show<T: Serialize>(console: Console, document: &T) -> Result<()> {
    let text = text(document)?;
    console.result(document, || text)
}

/// The text of a document.
///
/// # Errors
/// When it cannot be written as JSON.
pub(crate) fn text<T: Serialize>(document: &T) -> Result<String> {
    let mut text = String::new();
    match serde_json::to_value(document).context("cannot write the result as JSON")? {
        Value::Object(entries) => write_object(&mut text, &entries, 0),
        Value::Array(items) => write_list(&mut text, &items, 0),
        _ => {}
    }
    Ok(text)
}

/// An object with the entries of another behind its own.
pub(crate) fn joined(mut object: Value, more: Value) -> Value {
    if let (Value::Object(entries), Value::Object(more)) = (&mut object, more) {
        entries.extend(more);
    }
    object
}

/// Columns of a page.
const WIDTH: usize = 110;
/// Columns of a table; what is wider is written as lines.
const WIDEST: usize = 190;
/// Bytes of a text that stands in a row with others; longer ones are sentences and have lines of their own.
const LONGEST_WORD: usize = 40;

/// Whether a value says nothing.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(is_so) => !is_so,
        Value::Number(_) => false,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.iter().all(is_empty),
        Value::Object(entries) => !is_choice(entries) && entries.values().all(is_empty),
    }
}

/// Whether an object has nothing but absent keys: `path_loss.umi`, which says what was chosen.
fn is_choice(entries: &Map<String, Value>) -> bool {
    entries.values().all(Value::is_null)
}

/// The entries that say something.
fn said(entries: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    entries.iter().filter(|(_, value)| !is_empty(value))
}

/// Whether a value stands on a few lines: no object in a list, and not much in all.
fn is_inline(key: &str, value: &Value) -> bool {
    fn is_flat(value: &Value) -> bool {
        match value {
            Value::Array(items) => items.iter().all(|item| match item {
                Value::Object(_) => false,
                Value::String(text) => text.len() <= LONGEST_WORD,
                item => is_flat(item),
            }),
            Value::Object(entries) => entries.values().all(is_flat),
            _ => true,
        }
    }
    is_flat(value) && inline(key, value).len() < 4 * WIDTH
}

/// A value on a line, with the unit of its key.
fn inline(key: &str, value: &Value) -> String {
    match value {
        Value::Null | Value::Bool(false) => String::new(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Number(value) => quantity(key, value.as_f64().unwrap_or(f64::NAN)),
        Value::String(text) => one_line(text),
        Value::Array(items) => {
            let place = |item: &Value| match item {
                Value::Array(parts) => {
                    let parts: Vec<String> = parts.iter().map(|part| inline(key, part)).collect();
                    format!("({})", parts.join(", "))
                }
                item => inline(key, item),
            };
            let is_range = items.len() == 2 && items.iter().all(Value::is_number);
            let mut items: Vec<String> = items.iter().map(place).collect();
            if is_range {
                items.dedup();
            }
            items.join(if is_range { " to " } else { ", " })
        }
        Value::Object(entries) => inline_entries(key, said(entries)),
    }
}

/// Entries behind each other, each with its label; `key` is that of their object.
fn inline_entries<'a>(key: &str, entries: impl Iterator<Item = (&'a String, &'a Value)>) -> String {
    let words = entries.map(|(part, value)| match value {
        Value::Bool(_) => label(part),
        Value::Object(inner) if is_choice(inner) => label(part),
        Value::Object(_) => format!("{} ({})", label(part), inline(part, value)),
        // A percentile has the unit of what it is one of.
        _ if is_statistic(part) => format!("{part} {}", inline(key, value)),
        _ => format!("{} {}", label(part), inline(part, value)),
    });
    words.collect::<Vec<_>>().join(", ")
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

const UNITS: [Unit; 23] = [
    ("_s", seconds),
    ("_ms", |value| seconds(value / 1e3)),
    ("_ns", |value| seconds(value / 1e9)),
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
        // Costs of a load, and optima, which are exact.
        None if key.ends_with("_cost") => number(value),
        None if (1e3..1e15).contains(&value) || value.fract() == 0.0 && (0.0..1e15).contains(&value) => {
            grouped(value.round() as u64)
        }
        None => short(value),
    }
}

/// Writes an object line by line; what is larger than a few lines comes below its name.
fn write_object(text: &mut String, entries: &Map<String, Value>, indent: usize) {
    let inline_keys = said(entries).filter(|(key, value)| is_inline(key, value)).map(|(key, _)| key);
    let width = inline_keys.map(|key| label(key).chars().count()).max().unwrap_or(0);
    for (key, value) in said(entries) {
        if is_inline(key, value) {
            let lead = format!("{:indent$}{:width$}  ", "", label(key));
            *text += &wrapped(&lead, &inline(key, value));
        } else {
            write_section(text, key, value, indent);
        }
    }
}

/// Writes what is larger than a few lines, between empty lines.
fn write_section(text: &mut String, key: &str, value: &Value, indent: usize) {
    if !text.is_empty() && !text.ends_with("\n\n") {
        text.push('\n');
    }
    text.extend([" ".repeat(indent), label(key), "\n".to_owned()]);
    match value {
        Value::Array(items) => write_list(text, items, indent + 2),
        Value::Object(entries) => write_object(text, entries, indent + 2),
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
fn write_list(text: &mut String, items: &[Value], indent: usize) {
    for sentence in items.iter().filter_map(Value::as_str) {
        text.extend([" ".repeat(indent), one_line(sentence), "\n".to_owned()]);
    }
    let objects: Vec<&Map<String, Value>> = items.iter().filter_map(Value::as_object).collect();
    if objects.iter().all(|entries| entries.iter().all(|(key, value)| is_inline(key, value))) {
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
fn table(objects: &[&Map<String, Value>]) -> Table {
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
fn cells(entries: &Map<String, Value>) -> Vec<Cell> {
    let cell = |heading: String, key: &str, value: &Value| {
        let align = if value.is_number() { Align::Right } else { Align::Left };
        Cell { heading, text: inline(key, value), align }
    };
    let mut cells = Vec::new();
    for (key, value) in entries {
        let Value::Object(parts) = value else {
            cells.push(cell(label(key), key, value));
            continue;
        };
        let has_total = parts.contains_key("total");
        cells.extend(parts.iter().map(|(part, value)| match part.as_str() {
            "total" => cell(label(key), part, value),
            _ if has_total => cell(label(part), part, value),
            _ => cell(format!("{} {}", label(key), label(part)), part, value),
        }));
    }
    cells
}

/// Writes an object behind its number: single values follow each other, all else has lines of its own.
fn write_block(text: &mut String, number: &str, entries: &Map<String, Value>) {
    let indent = number.chars().count();
    let entries: Vec<(&String, &Value)> = said(entries).collect();
    let (mut rest, mut lead) = (entries.as_slice(), number.to_owned());
    while let Some((key, value)) = rest.first() {
        let is_word = |(key, value): &&(&String, &Value)| !value.is_object() && is_inline(key, value);
        let run = rest.iter().take_while(is_word).count();
        if run > 0 {
            *text += &wrapped(&lead, &inline_entries("", rest[..run].iter().copied()));
        } else if is_inline(key, value) {
            *text += &wrapped(&format!("{lead}{:9} ", label(key)), &inline(key, value));
        } else {
            write_section(text, key, value, indent);
        }
        lead = " ".repeat(indent);
        rest = &rest[run.max(1)..];
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn page(json: &str) -> String {
        text(&serde_json::from_str::<Value>(json).unwrap()).unwrap()
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
