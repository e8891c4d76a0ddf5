//! `scenario plot`: writes the pictures of a scenario.

use super::pictures::{self, KINDS, View};
use crate::args::{SettingArgs, whole};
use crate::console::{Console, shown};
use crate::world::{World, note_differences};
use crate::{output, policies};
use anyhow::{Context, Result};
use serde_json::json;
use std::path::PathBuf;

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
        let view = View { seed: self.seed, episodes: self.episodes, cell: self.cell, user: self.user };
        view.check(scenario, ["--cell", "--user"])?;
        let stem = file_stem(&scenario.name);
        let path = |kind: &str| self.out.join(format!("{stem}-{kind}.svg"));
        KINDS.iter().try_for_each(|kind| output::prepare(&path(kind)))?;
        // All are drawn before one is written: a mistake leaves no part of a set behind.
        let pictures = pictures::draw(&KINDS, scenario, contender, view)?;
        let has_channel = pictures.iter().any(|(kind, _)| *kind == "channel");
        let is_recorded = pictures::replays_throughput(scenario);
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
        for (kind, svg) in pictures {
            let path = path(kind);
            output::write(&path, svg.as_bytes())?;
            written[kind] = json!(path.display().to_string());
            lines.push(shown(&path));
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
