//! Texts that a user names: scenarios, agents, experiments.

use crate::console::shown;
use anyhow::{Context, Result, bail};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use thoughtcache_env::message::nearest;

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

/// `, did you mean NAME?` where a shipped name is much like what was typed.
pub(crate) fn hint<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(typed, known).map_or_else(String::new, |name| format!(", did you mean {name}?"))
}
