//! Whether a run fits into memory, before anything is allocated or written: a run that is killed for its memory hours later
//! has cost more than a message.

use crate::experiment::Experiment;
use crate::machine;
use anyhow::{Result, bail};
use std::sync::Arc;
use thoughtcache_agents::learn::memory::MemoryForecast;
use thoughtcache_agents::learn::nan_guard::OnNan;
use thoughtcache_env::gym::api::Env;
use thoughtcache_env::gym::decision_env::DecisionEnv;

/// Refuses a run that needs more than there is; where the system does not tell, nothing is refused.
///
/// # Errors
/// Says how much is needed and free, for what, and which key to lower.
pub(super) fn check(experiment: &Experiment) -> Result<()> {
    let spec = DecisionEnv::new(Arc::clone(&experiment.scenario.scenario));
    let forecast = experiment.agent.memory_bytes(spec.spec(), experiment.decisions);
    let forecast = if experiment.on_nan == OnNan::Rollback { forecast.with_rollback() } else { forecast };
    match machine::available_bytes() {
        Some(free) => fits(&forecast, free),
        None => Ok(()),
    }
}

fn fits(forecast: &MemoryForecast, free: u64) -> Result<()> {
    let Some(largest) = forecast.largest().filter(|_| forecast.total_bytes() > free) else { return Ok(()) };
    let items: Vec<String> =
        forecast.items.iter().map(|item| format!("{} {}", item.name, gigabytes(item.bytes))).collect();
    let remedy = match largest.setting {
        "on_nan" => "choose another --on-nan than rollback".to_owned(),
        setting => format!("lower agent.{setting}"),
    };
    bail!(
        "this run needs {} of memory and {} are free: {remedy} ({})",
        gigabytes(forecast.total_bytes()),
        gigabytes(free),
        items.join(", ")
    )
}

/// In units of 1e9 bytes, to 10 MB.
fn gigabytes(bytes: u64) -> String {
    format!("{:.2} GB", bytes as f64 / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;
    use thoughtcache_agents::learn::config::AgentConfig;
    use thoughtcache_agents::learn::dqn_config::DqnConfig;
    use thoughtcache_env::scenario::Scenario;

    #[test]
    fn a_run_that_does_not_fit_is_told_what_to_lower() {
        let config: AgentConfig = DqnConfig { buffer_size: 10_000_000, ..DqnConfig::default() }.into();
        let env = DecisionEnv::new(Arc::new(Scenario::shipped("tight")));
        let forecast = config.memory_bytes(env.spec(), 20_000_000);
        let need = forecast.total_bytes();
        assert!(fits(&forecast, need).is_ok(), "just enough is enough");
        let message = fits(&forecast, need - 1).unwrap_err().to_string();
        assert!(
            message.starts_with(&format!("this run needs {} of memory and ", gigabytes(need))),
            "{message}"
        );
        assert!(message.contains("are free: lower agent.dqn.buffer_size (lanes "), "{message}");
    }
}
