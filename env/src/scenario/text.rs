//! From the text of a configuration to its typed form, with errors that point into the text.
//!
//! Shared by scenarios (here) and the learner's and experiment's files (in the program): all are TOML, all reject unknown
//! keys, all accept `key=value` overrides.

use serde::de::DeserializeOwned;
use thiserror::Error;
use toml::{Table, Value};

/// A mistake in a configuration: what, where, and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// The text is no TOML, or a key is unknown, missing or of the wrong type.
    #[error("{file}{}: {message}", position(*.line, *.column))]
    Shape {
        /// File or shipped name.
        file: String,
        /// Line from 1, where known.
        line: Option<usize>,
        /// Column from 1, where known.
        column: Option<usize>,
        /// What is wrong, with the key.
        message: String,
    },
    /// A value is out of its range, or contradicts another.
    #[error("{file}{}: {key} = {value}: {allowed}", position(*.line, None))]
    Value {
        /// File or shipped name.
        file: String,
        /// Line from 1, where the key stands in the file.
        line: Option<usize>,
        /// The path of the key.
        key: String,
        /// Its value.
        value: String,
        /// What is allowed.
        allowed: String,
    },
    /// An override is no `key=value`, or does not fit.
    #[error("--set {key}: {message}")]
    Override {
        /// What was typed.
        key: String,
        /// What is wrong.
        message: String,
    },
}

fn position(line: Option<usize>, column: Option<usize>) -> String {
    match (line, column) {
        (Some(line), Some(column)) => format!(":{line}:{column}"),
        (Some(line), None) => format!(":{line}"),
        _ => String::new(),
    }
}

/// A value that cannot be meant, found while validating; [`Invalid::in_text`] adds where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{key} = {value}: {allowed}")]
pub struct Invalid {
    /// The path of the key, `services[3].alpha` say.
    pub key: String,
    /// Its value.
    pub value: String,
    /// What is allowed.
    pub allowed: String,
}

impl Invalid {
    /// The value of `key` is not what is `allowed`.
    pub fn new(key: impl Into<String>, value: impl std::fmt::Display, allowed: impl Into<String>) -> Self {
        Self { key: key.into(), value: value.to_string(), allowed: allowed.into() }
    }

    /// The error with file and line.
    pub fn in_text(self, file: &str, text: &str) -> ConfigError {
        let line = locate(text, &self.key);
        ConfigError::Value {
            file: file.to_owned(),
            line,
            key: self.key,
            value: self.value,
            allowed: self.allowed,
        }
    }
}

/// One `key=value` of the command line, its key relative to the file that it changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// The path of the key, dots between its parts.
    pub key: String,
    /// The value as TOML; anything that is no TOML value is taken as a string.
    pub value: String,
}

/// Reads a file's text and applies overrides. `choices` are the paths of choice tables: naming another variant of one
/// replaces it.
///
/// # Errors
/// [`ConfigError::Shape`] with line and column for the file, [`ConfigError::Override`] for what was typed.
pub fn parse<T: DeserializeOwned>(
    file: &str,
    text: &str,
    overrides: &[Override],
    choices: &[&str],
) -> Result<T, ConfigError> {
    let typed: T = toml::from_str(text).map_err(|error| shape(file, text, &error))?;
    if overrides.is_empty() {
        return Ok(typed);
    }
    let mut root = Value::Table(toml::from_str(text).map_err(|error| shape(file, text, &error))?);
    for change in overrides {
        apply(&mut root, change, choices)?;
    }
    // A second deserialisation tells that an override does not fit: the file alone did.
    root.try_into().map_err(|error: toml::de::Error| ConfigError::Override {
        key: overrides.iter().map(|o| format!("{}={}", o.key, o.value)).collect::<Vec<_>>().join(" "),
        message: error.message().to_owned(),
    })
}

fn shape(file: &str, text: &str, error: &toml::de::Error) -> ConfigError {
    let (line, column) = match error.span() {
        Some(span) => {
            let before = &text[..span.start.min(text.len())];
            let line = before.matches('\n').count() + 1;
            let column = before.chars().rev().take_while(|&c| c != '\n').count() + 1;
            (Some(line), Some(column))
        }
        None => (None, None),
    };
    ConfigError::Shape {
        file: file.to_owned(),
        line,
        column,
        message: error.message().trim().replace('\n', ", "),
    }
}

fn apply(root: &mut Value, change: &Override, choices: &[&str]) -> Result<(), ConfigError> {
    let refuse =
        |message: String| ConfigError::Override { key: format!("{}={}", change.key, change.value), message };
    let parts: Vec<&str> = change.key.split('.').collect();
    if parts.iter().any(|part| part.is_empty()) {
        return Err(refuse("a key looks like horizon_slots or cost.cloud_per_request".into()));
    }
    let value = format!("v = {}", change.value)
        .parse::<Table>()
        .ok()
        .and_then(|mut table| table.remove("v"))
        .unwrap_or_else(|| Value::String(change.value.clone()));
    set(root, &parts, "", value, choices).map_err(refuse)
}

/// Sets the value at `parts` below `place`, which itself stands at the path `trail`.
fn set(place: &mut Value, parts: &[&str], trail: &str, value: Value, choices: &[&str]) -> Result<(), String> {
    let Some((&part, rest)) = parts.split_first() else {
        *place = value;
        return Ok(());
    };
    let below = if trail.is_empty() { part.to_owned() } else { format!("{trail}.{part}") };
    match place {
        Value::Table(table) => {
            // Another variant replaces the one that is there; a plain value beside the variants does not.
            if choices.contains(&trail) && !rest.is_empty() && !table.contains_key(part) {
                table.retain(|_, value| !value.is_table());
            }
            let empty = || Value::Table(Table::new());
            set(table.entry(part).or_insert_with(empty), rest, &below, value, choices)
        }
        Value::Array(items) => {
            let len = items.len();
            let item = part.parse().ok().and_then(|index: usize| items.get_mut(index));
            let item =
                item.ok_or_else(|| format!("{trail} is a list with the positions 0 to {}", len.max(1) - 1))?;
            set(item, rest, &below, value, choices)
        }
        _ => Err(format!("{trail} holds a value, not a table")),
    }
}

/// The line, from 1, at which the deepest known part of a key path such as `services[3].alpha` stands.
pub fn locate(text: &str, key: &str) -> Option<usize> {
    let document = toml::de::DeTable::parse(text).ok()?;
    let mut place: &toml::de::DeValue<'_> = &toml::de::DeValue::Table(document.get_ref().clone());
    let mut found = None;
    for part in key.replace('[', ".").replace(']', "").split('.') {
        let next = match place {
            toml::de::DeValue::Table(table) => {
                let Some((name, value)) = table.iter().find(|(name, _)| name.get_ref() == part) else {
                    break;
                };
                found = Some(name.span().start);
                value
            }
            toml::de::DeValue::Array(items) => {
                let Some(value) = part.parse().ok().and_then(|index: usize| items.get(index)) else { break };
                found = Some(value.span().start);
                value
            }
            _ => break,
        };
        place = next.get_ref();
    }
    found.map(|start| text[..start].matches('\n').count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Toy {
        size: f64,
        names: Vec<String>,
        shape: BTreeMap<String, BTreeMap<String, f64>>,
    }

    const TOY: &str = "size = 2.5\nnames = [\n  \"a\",\n  \"b\",\n]\n\n[shape.circle]\nradius = 1.0\n";

    fn toy(text: &str, overrides: &[(&str, &str)]) -> Result<Toy, ConfigError> {
        let overrides: Vec<Override> =
            overrides.iter().map(|(k, v)| Override { key: (*k).into(), value: (*v).into() }).collect();
        parse("toy.toml", text, &overrides, &["shape"])
    }

    #[test]
    fn an_unknown_key_is_named_with_its_position() {
        let error = toy(&TOY.replace("size", "sice"), &[]).unwrap_err().to_string();
        assert_eq!(error, "toy.toml:1:1: unknown field `sice`, expected one of `size`, `names`, `shape`");
    }

    #[test]
    fn a_wrong_type_is_named_with_its_position() {
        let error = toy(&TOY.replace("2.5", "\"big\""), &[]).unwrap_err().to_string();
        assert_eq!(error, "toy.toml:1:8: invalid type: string \"big\", expected f64");
    }

    #[test]
    fn overrides_reach_values_lists_and_strings() {
        let toy = toy(TOY, &[("size", "3"), ("names.1", "plain words"), ("shape.circle.radius", "2.0")]);
        let toy = toy.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(
            (toy.size, toy.names[1].as_str(), toy.shape["circle"]["radius"]),
            (3.0, "plain words", 2.0)
        );
    }

    #[test]
    fn naming_another_variant_replaces_a_choice() {
        let toy = toy(TOY, &[("shape.square.side", "4.0")]).unwrap();
        assert_eq!(toy.shape.keys().collect::<Vec<_>>(), ["square"]);
    }

    #[test]
    fn overrides_that_do_not_fit_say_why() {
        let message = |key, value| toy(TOY, &[(key, value)]).unwrap_err().to_string();
        assert_eq!(
            message("colour", "1"),
            "--set colour=1: unknown field `colour`, expected one of `size`, `names`, `shape`"
        );
        assert_eq!(message("names.7", "x"), "--set names.7=x: names is a list with the positions 0 to 1");
        assert_eq!(message("size.x", "1"), "--set size.x=1: size holds a value, not a table");
    }

    #[test]
    fn a_value_error_finds_its_line() {
        let invalid = Invalid::new("shape.circle.radius", 1.0, "a number above 2");
        assert_eq!(
            invalid.in_text("toy.toml", TOY).to_string(),
            "toy.toml:8: shape.circle.radius = 1: a number above 2"
        );
        assert_eq!(locate(TOY, "names[1]"), Some(4));
        assert_eq!(locate(TOY, "shape.circle.absent"), Some(7), "where it would stand");
        assert_eq!(locate(TOY, "absent"), None);
    }
}
