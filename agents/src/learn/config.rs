//! What a user says about a learner, whichever it is.
//!
//! The choice is a table named after it, so that a mistake is reported at its own line:
//! ```toml
//! [ppo]
//! gamma = 0.9
//! ```

use super::dqn_config::DqnConfig;
use super::ppo_config::PpoConfig;
use crate::checkpoint::Algorithm;
use serde::{Deserialize, Serialize};
use std::fmt::Display;
use thiserror::Error;
use thoughtcache_env::gym::api::EnvSpec;

/// The learner of a run, exactly one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum AgentConfig {
    /// Masked PPO.
    Ppo(PpoConfig),
    /// Masked DQN.
    Dqn(DqnConfig),
}

impl AgentConfig {
    /// What trains the policy.
    pub fn algorithm(&self) -> Algorithm {
        match self {
            Self::Ppo(_) => Algorithm::Ppo,
            Self::Dqn(_) => Algorithm::Dqn,
        }
    }

    /// The copies of the environment that are played together.
    pub fn num_lanes(&self) -> usize {
        match self {
            Self::Ppo(config) => config.n_envs,
            Self::Dqn(config) => config.n_envs,
        }
    }

    /// The discount per slot.
    pub fn gamma(&self) -> f64 {
        match self {
            Self::Ppo(config) => config.gamma,
            Self::Dqn(config) => config.gamma,
        }
    }

    /// The ends of the names of entries that the networks must not see.
    pub fn ignore_entries(&self) -> &[String] {
        match self {
            Self::Ppo(config) => &config.ignore_entries,
            Self::Dqn(config) => &config.ignore_entries,
        }
    }

    /// Refuses what cannot be meant.
    ///
    /// # Errors
    /// The first field that is out of its range, or contradicts another.
    pub fn validate(&self) -> Result<(), ConfigError> {
        match self {
            Self::Ppo(config) => config.validate(),
            Self::Dqn(config) => config.validate(),
        }
    }
}

/// The widest hidden layer; wider ones would take minutes to initialise and gigabytes to keep.
const MAX_WIDTH: usize = 4096;
/// The most hidden layers of a net: what is told apart here needs two or three, and a long list is a slip of the pen.
const MAX_LAYERS: usize = 8;

/// A value that cannot be meant.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{key} is {value}; allowed: {allowed}")]
pub struct ConfigError {
    /// The path of the field, such as `ppo.gamma`.
    pub key: String,
    /// What was given.
    pub value: String,
    /// What would have been right.
    pub allowed: String,
}

/// Refuses `value` of the field `key` unless `is_allowed`.
///
/// # Errors
/// [`ConfigError`] when it is not.
pub fn check(
    key: &str,
    value: impl Display,
    is_allowed: bool,
    allowed: impl Into<String>,
) -> Result<(), ConfigError> {
    if is_allowed {
        return Ok(());
    }
    Err(ConfigError { key: key.to_owned(), value: value.to_string(), allowed: allowed.into() })
}

/// Refuses hidden layers that are too many, or have no unit or more than `MAX_WIDTH`.
///
/// # Errors
/// [`ConfigError`] with the number of layers or the first such width.
pub fn check_net_arch(key: &str, net_arch: &[usize]) -> Result<(), ConfigError> {
    let layers = format!("{} layers", net_arch.len());
    check(key, layers, net_arch.len() <= MAX_LAYERS, format!("at most {MAX_LAYERS} hidden layers"))?;
    for &width in net_arch {
        check(key, width, (1..=MAX_WIDTH).contains(&width), format!("widths from 1 to {MAX_WIDTH}"))?;
    }
    Ok(())
}

/// The positions of the entries whose names end with one of these suffixes (whole parts: `age` is the end of
/// `service.3.age`, not of `service.3.page`), in order and each once.
///
/// # Errors
/// When a suffix fits no entry.
pub fn ignored_columns(key: &str, suffixes: &[String], spec: &EnvSpec) -> Result<Vec<usize>, ConfigError> {
    let fits = |name: &str, suffix: &str| {
        name.strip_suffix(suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    for suffix in suffixes {
        let is_known = !suffix.is_empty() && spec.entries.iter().any(|entry| fits(&entry.name, suffix));
        if !is_known {
            let mut ends: Vec<&str> =
                spec.entries.iter().filter_map(|entry| entry.name.rsplit('.').next()).collect();
            ends.sort_unstable();
            ends.dedup();
            let allowed = format!("the ends of entry names of {}: {}", spec.id, ends.join(", "));
            return Err(ConfigError { key: key.to_owned(), value: format!("\"{suffix}\""), allowed });
        }
    }
    Ok((0..spec.num_entries())
        .filter(|&at| suffixes.iter().any(|suffix| fits(&spec.entries[at].name, suffix)))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use thoughtcache_env::gym::api::Entry;

    #[test]
    fn the_table_names_the_learner() {
        let config: AgentConfig = toml::from_str("[ppo]\ngamma = 0.5\n").unwrap();
        assert_eq!(config, AgentConfig::Ppo(PpoConfig { gamma: 0.5, ..PpoConfig::default() }));
        let dqn: AgentConfig = toml::from_str("[dqn]\n").unwrap();
        assert_eq!(dqn, AgentConfig::Dqn(DqnConfig::default()));
        assert_eq!((config.algorithm(), dqn.algorithm()), (Algorithm::Ppo, Algorithm::Dqn));
        assert!(toml::from_str::<AgentConfig>("[ppo]\n[dqn]\n").is_err());
        assert!(toml::from_str::<AgentConfig>("[ppq]\n").is_err());
        assert!(toml::from_str::<AgentConfig>("[ppo]\ngama = 0.5\n").is_err());
        assert_eq!(toml::from_str::<AgentConfig>(&toml::to_string(&config).unwrap()).unwrap(), config);
    }

    #[test]
    fn entries_are_hidden_by_whole_parts_of_their_names() {
        let entries = ["clock", "service.0.age", "service.0.page", "service.1.age", "cell.0.free"];
        let spec = EnvSpec {
            id: "toy".into(),
            entries: entries.map(|name| Entry::new(name, 0.0, 1.0)).to_vec(),
            actions: vec![],
        };
        let columns = |suffixes: &[&str]| {
            let suffixes: Vec<String> = suffixes.iter().map(|&suffix| suffix.to_owned()).collect();
            ignored_columns("ppo.ignore_entries", &suffixes, &spec)
        };
        assert_eq!(columns(&["age"]).unwrap(), [1, 3]);
        assert_eq!(columns(&["1.age", "clock", "age"]).unwrap(), [0, 1, 3]);
        assert_eq!(columns(&[]).unwrap(), [0_usize; 0]);
        assert_eq!(
            columns(&["ages"]).unwrap_err().to_string(),
            "ppo.ignore_entries is \"ages\"; allowed: the ends of entry names of toy: age, clock, free, page"
        );
        assert!(columns(&[""]).is_err());
    }
}
