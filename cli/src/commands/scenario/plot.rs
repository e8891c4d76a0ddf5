//! `scenario plot`: the channel of a scenario, one of its episodes, and where a policy serves, as pictures.

mod channel;
mod channel_sheet;
mod episode;
mod episode_sheet;
mod placements;

use crate::args::{SettingArgs, whole};
use crate::console::{Console, shown};
use crate::world::{World, note_differences};
use crate::{output, policies};
use anyhow::{Context, Result, ensure};
use channel::Channel;
use episode::Episode;
use placements::Placements;
use serde_json::json;
use std::path::PathBuf;
use thoughtcache_env::units::{CellId, UserId};

/// The pictures; those of a channel and of placements are drawn where there is a radio.
const KINDS: [&str; 3] = ["channel", "episode", "placements"];

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A shipped name, a TOML file, or the folder of a run [default: what the run of --policy was trained on; street without
    /// one]
    scenario: Option<String>,
    #[command(flatten)]
    set: SettingArgs,
    /// The seed whose first test episode is played
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 0, value_parser = whole(0, u64::MAX))]
    seed: u64,
    /// The policy that decides: a heuristic's name, or the folder of a run or a checkpoint
    #[arg(long, value_name = "POLICY|RUN", default_value = "least-aot")]
    policy: String,
    /// Test episodes in the picture of where requests are served
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 20, value_parser = whole(1, 10_000))]
    episodes: u64,
    /// The cell whose memory is drawn, from 0
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 0, value_parser = whole(0, u32::MAX.into()))]
    cell: u64,
    /// The user whose rate is drawn second by second, from 0
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 0, value_parser = whole(0, u32::MAX.into()))]
    user: u64,
    /// The folder for the pictures; files of the same names are replaced
    #[arg(long, value_name = "DIR", default_value = "runs/plots")]
    out: PathBuf,
}

impl Args {
    pub(super) fn run(self, console: Console) -> Result<()> {
        let policy = std::slice::from_ref(&self.policy);
        policies::checkpoint(&self.policy).context("--policy")?;
        let world = World::choose(self.scenario.as_deref(), policy)?;
        let loaded = world.load(&self.set.settings)?;
        if self.scenario.is_some() {
            note_differences(console, policy, &loaded.config)?;
        }
        let scenario = &loaded.scenario;
        let contenders = policies::load(policy, scenario).context("--policy")?;
        let contender = contenders.first().context("--policy: nobody decides")?;
        let num_cells = scenario.num_cells;
        ensure!(
            self.cell < u64::from(num_cells),
            "--cell {}: {} has the cells 0 to {}",
            self.cell,
            scenario.name,
            num_cells - 1
        );
        if let Some(physical) = scenario.physical() {
            let last = physical.num_users - 1;
            ensure!(
                self.user <= u64::from(last),
                "--user {}: {} has the users 0 to {last}",
                self.user,
                scenario.name
            );
        }
        let stem = file_stem(&scenario.name);
        let paths = KINDS.map(|kind| self.out.join(format!("{stem}-{kind}.svg")));
        paths.iter().try_for_each(|path| output::prepare(path))?;
        let is_recorded = scenario.physical().is_some_and(|physical| physical.radio.recorded_rates.is_some());
        let channel =
            (!is_recorded).then(|| Channel::look(scenario, self.seed, UserId(self.user as u32))).flatten();
        let episode = Episode::play(scenario, contender, self.seed, CellId(self.cell as u32))?;
        let placements = Placements::play(scenario, contender, self.seed, self.episodes)?;
        // All are drawn before one is written: a mistake leaves no part of a set behind.
        let has_channel = channel.is_some();
        let pictures = [
            channel.map(|channel| channel_sheet::draw(&channel)).transpose()?,
            Some(episode_sheet::draw(&episode)?),
            placements.map(|placements| placements::draw(&placements)).transpose()?,
        ];
        if is_recorded {
            console.note(&format!(
                "{} replays recorded throughput: `trace stats` summarises it, and there is no channel to draw",
                scenario.name
            ));
        } else if !has_channel {
            console.note(&format!(
                "{} has no radio: only scenarios with [physical] have a channel to draw",
                scenario.name
            ));
        }
        let mut written = json!({ "scenario": scenario.name, "policy": contender.name, "seed": self.seed });
        let mut lines = Vec::new();
        for ((kind, path), svg) in KINDS.into_iter().zip(&paths).zip(pictures) {
            if let Some(svg) = svg {
                output::write(path, svg.as_bytes())?;
                written[kind] = json!(path.display().to_string());
                lines.push(shown(path));
            }
        }
        console.result(&written, || lines.join("\n"))
    }
}

/// A scenario's name as the beginning of a file's: what is no letter, digit, `-`, `_` or `.` becomes `-`.
fn file_stem(name: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    let stem: String = name.chars().map(|letter| if is_plain(letter) { letter } else { '-' }).collect();
    stem.trim_start_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_anything_in_them_become_names_of_files() {
        assert_eq!(file_stem("street"), "street");
        assert_eq!(file_stem("../a b/c"), "-a-b-c");
    }
}
