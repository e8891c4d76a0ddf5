//! Texts that a user names: scenarios, agents, experiments.

use crate::console::shown;
use anyhow::{Context, Result, bail};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use thoughtcache_env::message::{did_you_mean, one_line};
use toml::{Table, Value};

/// The longest text, bytes; a scenario with the most services has a tenth of it.
const MAX_BYTES: u64 = 4 << 20;

/// The text of a TOML file; `within` is the file of a run's folder that would do.
///
/// # Errors
/// When it cannot be opened, is a folder, is too long, or is no text.
pub(crate) fn read(path: &Path, within: &str) -> Result<String> {
    let name = shown(path);
    if path.is_dir() {
        let inside = path.join(within);
        let hint = if inside.is_file() { format!(": {}, say", shown(&inside)) } else { String::new() };
        bail!("{name} is a folder, a TOML file is needed{hint}");
    }
    let mut bytes = Vec::new();
    let file = File::open(path).with_context(|| format!("cannot read {name}"))?;
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).with_context(|| format!("cannot read {name}"))?;
    if bytes.len() as u64 > MAX_BYTES {
        bail!("{name} is longer than {MAX_BYTES} bytes, which no TOML file of ours is");
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let line = error.as_bytes()[..valid].split(|&byte| byte == b'\n').count();
            bail!("{name}:{line}: byte {valid} is no UTF-8 text, a TOML file is needed")
        }
    }
}

/// The text behind a shipped name or a path; `what` it is of.
///
/// # Errors
/// When there is neither; the message lists the shipped names.
pub(crate) fn find(what: &str, name: &str, shipped: Option<&str>, names: &[&str]) -> Result<String> {
    if let Some(text) = shipped {
        return Ok(text.to_owned());
    }
    let path = Path::new(name);
    if !path.exists() {
        let hint = did_you_mean(name, names.iter().copied());
        let (name, names) = (one_line(name), names.join(", "));
        bail!("no {what} \"{name}\"{hint}: it is a shipped name ({names}) or the path of a TOML file");
    }
    read(path, &format!("{what}.toml"))
}

/// Every value of a table that is no table, with its path.
pub(crate) fn leaves(table: &Table, trail: &str, found: &mut impl FnMut(String, &Value)) {
    for (name, value) in table {
        let key = if trail.is_empty() { name.clone() } else { format!("{trail}.{name}") };
        match value {
            Value::Table(below) if !below.is_empty() => leaves(below, &key, found),
            value => found(key, value),
        }
    }
}
