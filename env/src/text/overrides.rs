//! `key=value` of the command line, and what a text says with it.

use super::ConfigError;
use super::read::{dotted, read};
use crate::message::{one_line, shown};
use serde::de::DeserializeOwned;
use std::fmt;
use toml::{Table, Value};

/// One `key=value` of the command line, its key relative to the file that it changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// The path of the key, dots between its parts.
    pub key: String,
    /// The value as TOML; anything that is no TOML value is taken as a string.
    pub value: String,
}

impl fmt::Display for Override {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", one_line(&self.key), shown(&self.value))
    }
}

/// Returns the value that `root`, which fits by itself, gives with the overrides applied.
pub(super) fn applied<T: DeserializeOwned>(
    root: &Value,
    overrides: &[Override],
    choices: &[&str],
) -> Result<T, ConfigError> {
    let attempt = |changes: &[&Override]| -> Result<T, ConfigError> {
        let mut changed = root.clone();
        for change in changes {
            apply(&mut changed, change, choices)?;
        }
        read(&changed).map_err(|misfit| {
            let key = changes.iter().map(|change| change.key.as_str()).find(|key| {
                let path = format!("{}.", dotted(&misfit.path));
                format!("{key}.").starts_with(&path) || path.starts_with(&format!("{key}."))
            });
            let message = misfit.message(key.unwrap_or_default());
            ConfigError::Override { typed: changes.iter().map(|&change| change.clone()).collect(), message }
        })
    };
    let all: Vec<&Override> = overrides.iter().collect();
    attempt(&all).map_err(|error| match error {
        ConfigError::Override { typed, message } if typed.len() > 1 => {
            // One that is wrong by itself, or without which the others fit, is named alone.
            let alone = |change: &&Override| match attempt(&[*change]) {
                Err(ConfigError::Override { message: its, .. }) => its == message,
                _ => false,
            };
            let too_many = |left_out: usize| {
                let others: Vec<&Override> =
                    (0..all.len()).filter(|&index| index != left_out).map(|index| all[index]).collect();
                attempt(&others).is_ok()
            };
            let culprit = all
                .iter()
                .copied()
                .find(alone)
                .or_else(|| (0..all.len()).find(|&index| too_many(index)).map(|index| all[index]));
            ConfigError::Override { typed: culprit.map_or(typed, |culprit| vec![culprit.clone()]), message }
        }
        error => error,
    })
}

fn apply(root: &mut Value, change: &Override, choices: &[&str]) -> Result<(), ConfigError> {
    let refuse =
        |message: String| ConfigError::Override { typed: vec![change.clone()], message: one_line(&message) };
    let parts: Vec<&str> = change.key.split('.').collect();
    if parts.iter().any(|part| part.is_empty()) {
        return Err(refuse("a key looks like horizon_slots or cost.cloud_per_request".into()));
    }
    let value = format!("v = {}", change.value)
        .parse::<Table>()
        .ok()
        .filter(|table| table.len() == 1)
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
            if choices.contains(&trail) && (!rest.is_empty() || value.is_table()) && !table.contains_key(part)
            {
                table.retain(|_, value| !value.is_table());
            }
            let empty = || Value::Table(Table::new());
            set(table.entry(part).or_insert_with(empty), rest, &below, value, choices)
        }
        Value::Array(items) => {
            let len = items.len();
            let item = part.parse().ok().and_then(|index: usize| items.get_mut(index));
            let item = item.ok_or_else(|| match len {
                0 => format!("{trail} is an empty list"),
                _ => format!("{trail} is a list with the positions 0 to {}", len - 1),
            })?;
            set(item, rest, &below, value, choices)
        }
        _ => Err(format!("{trail} holds a value, not a table")),
    }
}
