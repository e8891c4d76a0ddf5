//! The fingerprint of a run: a state is only good for the run that it was taken from.

use super::config::AgentConfig;
use serde_json::{Value, json};
use std::fmt;
use thoughtcache_env::gym::api::EnvSpec;

/// Everything of a run that its numbers depend on, for comparison: configuration, budget, validation, seed, environment.
#[derive(Clone, Debug, PartialEq)]
pub struct RunPrint(Value);

impl RunPrint {
    /// The print of a run of `budget` decisions with the seed `run`, validated every `eval_freq` decisions.
    pub fn new(config: &AgentConfig, budget: u64, eval_freq: u64, run: u64, spec: &EnvSpec) -> Self {
        let entries: Vec<Value> =
            spec.entries.iter().map(|entry| json!([entry.name, entry.low, entry.high])).collect();
        let mut print = json!({
            "agent": config,
            "decisions": budget,
            "env": {"id": spec.id, "entries": entries, "actions": spec.actions},
            "eval_freq": eval_freq,
            "seed": run,
        });
        // Saved runs are compared byte by byte with what they print.
        print.sort_all_objects();
        Self(print)
    }

    /// The print that [`to_string`](ToString::to_string) wrote, as bytes; `None` when they are none.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let print = Self(serde_json::from_slice(bytes).ok()?);
        (print.to_string().as_bytes() == bytes).then_some(print)
    }

    /// Says what a saved run has otherwise than this one, if anything: the first place and both values.
    pub fn difference_from(&self, saved: &Self) -> Option<String> {
        first_difference("", &saved.0, &self.0)
    }
}

impl fmt::Display for RunPrint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn first_difference(path: &str, saved: &Value, given: &Value) -> Option<String> {
    let inside = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match (saved, given) {
        (Value::Object(saved), Value::Object(given)) => {
            let mut keys: Vec<&String> = saved.keys().chain(given.keys()).collect();
            keys.sort_unstable();
            keys.dedup();
            let absent = Value::Null;
            keys.into_iter().find_map(|key| {
                let (one, other) = (saved.get(key).unwrap_or(&absent), given.get(key).unwrap_or(&absent));
                first_difference(&inside(key), one, other)
            })
        }
        (Value::Array(saved), Value::Array(given)) if saved.len() == given.len() => (saved.iter().zip(given))
            .enumerate()
            .find_map(|(at, (one, other))| first_difference(&inside(&at.to_string()), one, other)),
        (Value::Array(saved), Value::Array(given)) => {
            Some(format!("the number of {path} was {} and is {} now", saved.len(), given.len()))
        }
        _ if saved == given => None,
        _ => Some(format!("{path} was {} and is {} now", text(saved), text(given))),
    }
}

/// A value as a person writes it; what is absent has its default.
fn text(value: &Value) -> String {
    match value {
        Value::Null => "absent".to_owned(),
        Value::Object(_) => "a table".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::dqn_config::DqnConfig;
    use crate::learn::ppo_config::PpoConfig;
    use thoughtcache_env::gym::api::Entry;

    fn spec(entries: &[&str]) -> EnvSpec {
        EnvSpec {
            id: "toy".into(),
            entries: entries.iter().map(|&name| Entry::new(name, 0.0, 1.0)).collect(),
            actions: vec!["stay".into(), "go".into()],
        }
    }

    fn print(config: PpoConfig, budget: u64) -> RunPrint {
        RunPrint::new(&AgentConfig::from(config), budget, 100, 1, &spec(&["a", "b"]))
    }

    #[test]
    fn the_first_difference_is_named_with_both_values() {
        let here = print(PpoConfig::default(), 1_000);
        let message = |saved: RunPrint| here.difference_from(&saved).unwrap();
        assert_eq!(here.difference_from(&here), None);
        let messages = [
            message(print(PpoConfig { gamma: 0.5, ..PpoConfig::default() }, 1_000)),
            message(print(PpoConfig { net_arch: vec![128, 64], ..PpoConfig::default() }, 1_000)),
            message(print(PpoConfig { net_arch: vec![128], ..PpoConfig::default() }, 1_000)),
            message(print(PpoConfig { target_kl: Some(0.02), ..PpoConfig::default() }, 1_000)),
            message(print(PpoConfig::default(), 2_000)),
            message(RunPrint::new(
                &AgentConfig::from(DqnConfig::default()),
                1_000,
                100,
                1,
                &spec(&["a", "b"]),
            )),
            message(RunPrint::new(
                &AgentConfig::from(PpoConfig::default()),
                1_000,
                100,
                1,
                &spec(&["a", "c"]),
            )),
            message(RunPrint::new(
                &AgentConfig::from(PpoConfig::default()),
                1_000,
                50,
                1,
                &spec(&["a", "b"]),
            )),
            message(RunPrint::new(
                &AgentConfig::from(PpoConfig::default()),
                1_000,
                100,
                2,
                &spec(&["a", "b"]),
            )),
        ];
        insta::assert_snapshot!(messages.join("\n"));
    }

    #[test]
    fn a_print_survives_its_text_and_other_bytes_are_none() {
        let here = print(PpoConfig::default(), 1_000);
        let text = here.to_string();
        assert_eq!(RunPrint::from_bytes(text.as_bytes()), Some(here));
        assert_eq!(RunPrint::from_bytes(format!("{text} ").as_bytes()), None);
        assert_eq!(RunPrint::from_bytes(b"{"), None);
    }
}
