//! Settings that all learners share.
//!
//! The choice is a table named after it, so that a mistake is reported at its own line:
//! ```toml
//! warm_start = "density"         # optional: what the learner imitates before it learns
//!
//! [ppo]
//! gamma = 0.9
//! ```

use super::dqn_config::DqnConfig;
use super::ppo_config::PpoConfig;
use crate::checkpoint::Algorithm;
use crate::heuristics::registry;
use serde::{Deserialize, Serialize};
use thoughtcache_env::gym::api::EnvSpec;
use thoughtcache_env::invalid::Invalid;

/// The learner of a run and how it begins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "AgentFile", into = "AgentFile")]
pub struct AgentConfig {
    /// The rule that the learner imitates before it learns, if any.
    pub warm_start: Option<WarmStartConfig>,
    /// Whether rewards are learnt from without their
    /// [input costs](thoughtcache_env::gym::api::StepInfo::input_cost).
    pub input_baseline: bool,
    /// The learner.
    pub learner: LearnerConfig,
}

/// The learner of a run, exactly one.
#[derive(Clone, Debug, PartialEq)]
pub enum LearnerConfig {
    /// Masked PPO.
    Ppo(PpoConfig),
    /// Masked DQN.
    Dqn(DqnConfig),
}

/// Behaviour cloning before learning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WarmStartConfig {
    /// The rule that is imitated, by its name in the registry.
    pub policy: String,
    /// Decisions of the rule that are watched, at least 1; they are no part of the budget.
    pub decisions: u64,
}

/// Decisions that are watched where the file says nothing: enough for the cloned policy to agree with the rule nearly always.
const WARM_START_DECISIONS: u64 = 200_000;
/// The most decisions that can be watched.
const MAX_WARM_START_DECISIONS: u64 = 1_000_000_000;

/// An agent as it stands in a file: exactly one of the two tables.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AgentFile {
    /// The rule that the learner imitates before it learns, such as `density`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    warm_start: Option<String>,
    /// Decisions of the rule that are watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    warm_start_decisions: Option<u64>,
    /// Whether the learner is rewarded for what it saves against the cheapest placement without residency, for a user whom the
    /// cell does not know: demand and radio, which nobody decides about, blur the rewards less then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    input_baseline: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ppo: Option<PpoConfig>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dqn: Option<DqnConfig>,
}

impl TryFrom<AgentFile> for AgentConfig {
    type Error = String;

    fn try_from(file: AgentFile) -> Result<Self, String> {
        let learner = match (file.ppo, file.dqn) {
            (Some(config), None) => LearnerConfig::Ppo(config),
            (None, Some(config)) => LearnerConfig::Dqn(config),
            (None, None) => return Err("an agent has a table [ppo] or [dqn]; there is neither".into()),
            (Some(_), Some(_)) => return Err("an agent has a table [ppo] or [dqn], not both".into()),
        };
        let warm_start = match (file.warm_start, file.warm_start_decisions) {
            (Some(policy), decisions) => {
                Some(WarmStartConfig { policy, decisions: decisions.unwrap_or(WARM_START_DECISIONS) })
            }
            (None, Some(_)) => return Err("warm_start_decisions does nothing without warm_start".into()),
            (None, None) => None,
        };
        Ok(Self { warm_start, input_baseline: file.input_baseline, learner })
    }
}

impl From<AgentConfig> for AgentFile {
    fn from(config: AgentConfig) -> Self {
        let (ppo, dqn) = match config.learner {
            LearnerConfig::Ppo(ppo) => (Some(ppo), None),
            LearnerConfig::Dqn(dqn) => (None, Some(dqn)),
        };
        let (warm_start, warm_start_decisions) =
            config.warm_start.map(|warm_start| (warm_start.policy, warm_start.decisions)).unzip();
        let input_baseline = config.input_baseline;
        Self { warm_start, warm_start_decisions, input_baseline, ppo, dqn }
    }
}

impl From<PpoConfig> for AgentConfig {
    fn from(config: PpoConfig) -> Self {
        Self { warm_start: None, input_baseline: false, learner: LearnerConfig::Ppo(config) }
    }
}

impl From<DqnConfig> for AgentConfig {
    fn from(config: DqnConfig) -> Self {
        Self { warm_start: None, input_baseline: false, learner: LearnerConfig::Dqn(config) }
    }
}

impl AgentConfig {
    /// The algorithm that trains the policy.
    pub fn algorithm(&self) -> Algorithm {
        match self.learner {
            LearnerConfig::Ppo(_) => Algorithm::Ppo,
            LearnerConfig::Dqn(_) => Algorithm::Dqn,
        }
    }

    /// The threads that torch computes with.
    pub fn torch_threads(&self) -> usize {
        match &self.learner {
            LearnerConfig::Ppo(config) => config.torch_threads,
            LearnerConfig::Dqn(config) => config.torch_threads,
        }
    }

    /// The copies of the environment that are played together.
    pub fn num_lanes(&self) -> usize {
        match &self.learner {
            LearnerConfig::Ppo(config) => config.n_envs,
            LearnerConfig::Dqn(config) => config.n_envs,
        }
    }

    /// The discount per slot.
    pub fn gamma(&self) -> f64 {
        match &self.learner {
            LearnerConfig::Ppo(config) => config.gamma,
            LearnerConfig::Dqn(config) => config.gamma,
        }
    }

    /// The ends of the names of entries that the networks must not see.
    pub fn ignore_entries(&self) -> &[String] {
        match &self.learner {
            LearnerConfig::Ppo(config) => &config.ignore_entries,
            LearnerConfig::Dqn(config) => &config.ignore_entries,
        }
    }

    /// Refuses what cannot be meant.
    ///
    /// # Errors
    /// The first field that is out of its range, or contradicts another.
    pub fn validate(&self) -> Result<(), Invalid> {
        if let Some(WarmStartConfig { policy, decisions }) = &self.warm_start {
            registry::entry(policy).map_err(|error| {
                Invalid::new("warm_start", format!("\"{policy}\""), format!("the name of a rule: {error}"))
            })?;
            let is_count = (1..=MAX_WARM_START_DECISIONS).contains(decisions);
            let allowed = format!("1 to {MAX_WARM_START_DECISIONS}");
            Invalid::unless(is_count, "warm_start_decisions", decisions, allowed)?;
        }
        let (least, what) = match &self.learner {
            LearnerConfig::Ppo(config) => {
                config.validate()?;
                (config.n_envs.saturating_mul(config.n_steps) as u64, "a rollout, n_envs * n_steps")
            }
            LearnerConfig::Dqn(config) => {
                config.validate()?;
                ((config.batch_size as u64).max(config.train_freq), "a batch and train_freq")
            }
        };
        match &self.warm_start {
            Some(WarmStartConfig { decisions, .. }) => {
                let allowed = format!("at least {least}: {what}, for nothing is learnt from less");
                Invalid::unless(*decisions >= least, "warm_start_decisions", decisions, allowed)
            }
            None => Ok(()),
        }
    }
}

/// The positions of the entries whose names end with one of these suffixes (whole parts: `age` is the end of
/// `service.3.age`, not of `service.3.page`), in order and each once.
///
/// # Errors
/// When a suffix fits no entry.
pub fn ignored_columns(key: &str, suffixes: &[String], spec: &EnvSpec) -> Result<Vec<usize>, Invalid> {
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
            ends.retain(|end| end.parse::<u32>().is_err());
            let allowed = format!("the ends of entry names of {}: {}", spec.id, ends.join(", "));
            return Err(Invalid::new(key, format!("\"{suffix}\""), allowed));
        }
    }
    Ok((0..spec.num_entries())
        .filter(|&at| suffixes.iter().any(|suffix| fits(&spec.entries[at].name, suffix)))
        .collect())
}

/// Sets the hidden columns of every row to 0.
pub fn hide(rows: &mut [f32], num_entries: usize, hidden_columns: &[usize]) {
    for row in rows.chunks_exact_mut(num_entries) {
        for &column in hidden_columns {
            row[column] = 0.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use thoughtcache_env::gym::api::Entry;

    #[test]
    fn the_table_names_the_learner() {
        let config: AgentConfig = toml::from_str("[ppo]\ngamma = 0.5\n").unwrap();
        assert_eq!(config, PpoConfig { gamma: 0.5, ..PpoConfig::default() }.into());
        let dqn: AgentConfig = toml::from_str("[dqn]\n").unwrap();
        assert_eq!(dqn, DqnConfig::default().into());
        assert_eq!((config.algorithm(), dqn.algorithm()), (Algorithm::Ppo, Algorithm::Dqn));
        assert!(toml::from_str::<AgentConfig>("[ppo]\n[dqn]\n").is_err());
        assert!(toml::from_str::<AgentConfig>("[ppq]\n").is_err());
        assert!(toml::from_str::<AgentConfig>("[ppo]\ngama = 0.5\n").is_err());
        assert_eq!(toml::from_str::<AgentConfig>(&toml::to_string(&config).unwrap()).unwrap(), config);
    }

    #[test]
    fn a_warm_start_names_a_rule_and_is_kept() {
        let config: AgentConfig = toml::from_str("warm_start = \"density\"\n[ppo]\n").unwrap();
        let expected = WarmStartConfig { policy: "density".into(), decisions: WARM_START_DECISIONS };
        assert_eq!(config.warm_start, Some(expected));
        assert_eq!(toml::from_str::<AgentConfig>(&toml::to_string(&config).unwrap()).unwrap(), config);
        let message = |text: &str| match toml::from_str::<AgentConfig>(text) {
            Ok(config) => config.validate().map_err(|error| error.to_string()).unwrap_err(),
            Err(error) => error.message().to_owned(),
        };
        assert!(
            message("warm_start = \"densty\"\n[ppo]\n")
                .starts_with("warm_start = \"densty\": the name of a rule: no policy is called \"densty\", did you mean density?")
        );
        assert_eq!(
            message("warm_start = \"lru\"\nwarm_start_decisions = 0\n[dqn]\n"),
            "warm_start_decisions = 0: 1 to 1000000000"
        );
        assert_eq!(
            message("warm_start_decisions = 5\n[dqn]\n"),
            "warm_start_decisions does nothing without warm_start"
        );
        assert_eq!(message(""), "an agent has a table [ppo] or [dqn]; there is neither");
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
            "ppo.ignore_entries = \"ages\": the ends of entry names of toy: age, clock, free, page"
        );
        assert!(columns(&[""]).is_err());
    }
}
