//! `thoughtcache doctor`: reports what the program runs on, and what to type when something is missing.

use crate::console::{Console, Verdict};
use crate::libtorch::{self, Learners};
use crate::machine::Machine;
use crate::scenario_file::{self, ScenarioText};
use crate::scenario_files;
use crate::table::{Align, Table};
use anyhow::{Result, ensure};
use serde::Serialize;
use thoughtcache_env::scenario::shipped;

/// Report versions, libtorch, threads and CUDA, and what to type when something is missing
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  thoughtcache doctor")]
pub(crate) struct Args {}

#[derive(Serialize)]
struct Report {
    version: &'static str,
    machine: Machine,
    rayon_threads: usize,
    learners: Learners,
    recordings: Vec<Recording>,
}

/// Whether the recording of a shipped scenario is at hand, and what to do when it is not.
#[derive(Serialize)]
struct Recording {
    scenario: &'static str,
    ok: bool,
    message: String,
}

impl Args {
    /// Does what was typed; exit code 2 when the learners are there and do not work.
    #[expect(clippy::unused_self, reason = "as every command")]
    pub(crate) fn run(self, console: Console) -> Result<Verdict> {
        let report = Report {
            version: env!("CARGO_PKG_VERSION"),
            machine: Machine::this(),
            rayon_threads: rayon::current_num_threads(),
            learners: libtorch::examine(),
            recordings: shipped::names().filter_map(recording).collect(),
        };
        console.result(&report, || report.text())?;
        ensure!(report.learners.work(), "libtorch is there but does not work; type: cargo xtask setup");
        Ok(Verdict::Done)
    }
}

impl Report {
    fn text(&self) -> String {
        let mut table = Table::new([("thoughtcache", Align::Left), (self.version, Align::Left)]);
        table.row(["machine", &self.machine.line()]);
        table.row(["threads", &format!("{} (rayon; RAYON_NUM_THREADS changes it)", self.rayon_threads)]);
        for (label, line) in self.learners.lines() {
            table.row([label, line.as_str()]);
        }
        for Recording { scenario, message, .. } in &self.recordings {
            table.row([*scenario, message]);
        }
        table.text(0)
    }
}

fn recording(scenario: &'static str) -> Option<Recording> {
    let config = ScenarioText::find(scenario).and_then(|source| source.config(&[])).ok()?;
    let path = scenario_files::paths(&config).first()?.display().to_string();
    let (ok, message) = match scenario_file::load(scenario, &[]) {
        Ok(_) => (true, format!("ready: {path} is here")),
        Err(error) => {
            let error = format!("{error:#}");
            let how = error.split_once("make it with: ").map(|(_, how)| how);
            (false, how.map_or_else(|| error.clone(), |how| format!("no {path} here; type: {how}")))
        }
    };
    Some(Recording { scenario, ok, message })
}
