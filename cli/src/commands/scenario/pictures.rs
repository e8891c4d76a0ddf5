//! The pictures of a scenario: its channel, one of its episodes, where a policy serves, and the state halfway through the episode.

mod channel;
mod channel_sheet;
mod episode;
mod episode_sheet;
mod placements;

use anyhow::{Result, ensure};
use channel::Channel;
use episode::Episode;
use placements::Placements;
use std::sync::Arc;
use thoughtcache_agents::evaluate::Contender;
use thoughtcache_env::scenario::Scenario;
use thoughtcache_env::units::{CellId, UserId};

/// The kinds; those of a channel and of placements are drawn where there is a radio.
pub(crate) const KINDS: [&str; 4] = ["channel", "episode", "placements", "state"];

/// What of a scenario is drawn.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// The run number whose first test episode is drawn.
    pub seed: u64,
    /// Test episodes in the picture of where requests are served.
    pub episodes: u64,
    /// The cell whose memory is drawn.
    pub cell: u64,
    /// The user whose rate is drawn second by second.
    pub user: u64,
}

impl View {
    /// Checks that the scenario has the cell and the user, which messages call by these names.
    pub(crate) fn check(self, scenario: &Scenario, [cell, user]: [&str; 2]) -> Result<()> {
        let name = &scenario.name;
        let last = u64::from(scenario.num_cells) - 1;
        ensure!(self.cell <= last, "{cell} {}: {name} has the cells 0 to {last}", self.cell);
        if let Some(physical) = scenario.physical() {
            let last = u64::from(physical.num_users) - 1;
            ensure!(self.user <= last, "{user} {}: {name} has the users 0 to {last}", self.user);
        }
        Ok(())
    }
}

/// Whether the rates of the users are recorded ones: there is no channel then.
pub(crate) fn replays_throughput(scenario: &Scenario) -> bool {
    scenario.physical().is_some_and(|physical| physical.radio.recorded_rates.is_some())
}

/// Draws the pictures of these kinds, as far as there is something to draw, each with its kind.
///
/// # Errors
/// When an action of the policy is refused.
pub(crate) fn draw(
    wanted: &[&str],
    scenario: &Arc<Scenario>,
    contender: &Contender,
    view: View,
) -> Result<Vec<(&'static str, String)>> {
    let View { seed, episodes, cell, user } = view;
    let wants = |kind| wanted.contains(&kind);
    let has_channel = wants("channel") && !replays_throughput(scenario);
    let channel = has_channel.then(|| Channel::look(scenario, seed, UserId(user as u32))).flatten();
    let is_played = wants("episode") || wants("state");
    let episode =
        is_played.then(|| Episode::play(scenario, contender, seed, CellId(cell as u32))).transpose()?;
    let placements =
        if wants("placements") { Placements::play(scenario, contender, seed, episodes)? } else { None };
    let pictures = [
        channel.map(|channel| channel_sheet::draw(&channel)).transpose()?,
        episode.as_ref().filter(|_| wants("episode")).map(episode_sheet::draw).transpose()?,
        placements.map(|placements| placements::draw(&placements)).transpose()?,
        episode.and_then(|episode| episode.halfway).filter(|_| wants("state")),
    ];
    Ok(KINDS.into_iter().zip(pictures).filter_map(|(kind, svg)| Some((kind, svg?))).collect())
}
