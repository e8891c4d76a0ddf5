//! The shipped agents by name, and agents in files.

use super::Part;
use crate::text_file;
use anyhow::Result;
use thoughtcache_env::message::one_line;
use thoughtcache_env::text::Texts;

/// Names and texts, in the order in which they are listed.
const SHIPPED: [(&str, &str); 8] = [
    ("ppo-tight", include_str!("../../configs/agents/ppo-tight.toml")),
    ("dqn-tight", include_str!("../../configs/agents/dqn-tight.toml")),
    ("ppo-tiny", include_str!("../../configs/agents/ppo-tiny.toml")),
    ("dqn-tiny", include_str!("../../configs/agents/dqn-tiny.toml")),
    ("ppo-trace", include_str!("../../configs/agents/ppo-trace.toml")),
    ("dqn-trace", include_str!("../../configs/agents/dqn-trace.toml")),
    ("ppo-street", include_str!("../../configs/agents/ppo-street.toml")),
    ("dqn-street", include_str!("../../configs/agents/dqn-street.toml")),
];

/// The text of an agent behind a shipped name or a path.
///
/// # Errors
/// When there is neither; the message lists the names.
pub(super) fn find(name: &str) -> Result<Part> {
    let shipped = SHIPPED.iter().find(|(shipped, _)| *shipped == name).map(|(_, text)| *text);
    let text = text_file::find("agent", name, shipped, &SHIPPED.map(|(shipped, _)| shipped))?;
    Ok(Part { texts: Texts::new(one_line(name), text), folder: None, derived_for: None, typed: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use thoughtcache_agents::learn::config::AgentConfig;

    #[test]
    fn every_file_of_the_folder_is_shipped_and_valid() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../configs/agents");
        let mut on_disk: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        on_disk.sort();
        let mut shipped = SHIPPED.map(|(name, _)| name);
        shipped.sort_unstable();
        assert_eq!(on_disk, shipped);
        for (name, text) in SHIPPED {
            assert_eq!(fs::read_to_string(format!("{folder}/{name}.toml")).unwrap(), text, "{name}");
            toml::from_str::<AgentConfig>(text).unwrap().validate().unwrap();
        }
    }
}
