//! `bench age-of-thought`: what it is worth to see the age of thought. The figures and plots of `docs/age-of-thought.md`.

mod exact;
mod map;
mod plot;

use crate::args::whole;
use crate::console::{Console, Verdict};
use crate::output;
use crate::patience::Patience;
use crate::progress;
use anyhow::Result;
use map::{MAPS, Measured};
use std::path::PathBuf;

/// Measure what it is worth to see the age of thought: exact small worlds, and a map of rules
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  thoughtcache bench age-of-thought
  thoughtcache bench age-of-thought --models 50 --episodes 5 --out quick

Writes tables (exact.md, models.md, map.csv, map.md) and a plot of each map.")]
pub(super) struct Args {
    /// The folder that is written to
    #[arg(long, value_name = "FOLDER", default_value = "runs/age-of-thought")]
    out: PathBuf,
    /// Random exact worlds with contexts that users share
    #[arg(long, value_name = "N", default_value_t = 600, value_parser = whole(1, 100_000))]
    models: u64,
    /// Test episodes at each point of the map; a quarter as many others tune each rule there
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = whole(1, 10_000))]
    episodes: u64,
}

impl Args {
    pub(super) fn run(self, console: Console) -> Result<Verdict> {
        let write = |name: &str, text: &str| {
            let path = self.out.join(name);
            output::prepare(&path)?;
            output::write(&path, text.as_bytes())
        };
        let exact = exact::two_users();
        write("exact.md", &exact)?;
        console.note("two users: done");
        let models = exact::shared_contexts(self.models);
        write("models.md", &models)?;
        console.note("worlds with shared contexts: done");
        let bar = progress::bar(console, MAPS.iter().map(|map| map.num_points() as u64).sum(), "points");
        let patience = Patience::with(console, &bar, "points");
        let mut measured: Vec<Measured> = Vec::new();
        for map in &MAPS {
            let points = map.measure(self.episodes, || bar.inc(1))?;
            write(&format!("{}.svg", map.name), &plot::draw(map, &points)?)?;
            measured.extend(points);
            write("map.csv", &map::csv(&measured))?;
        }
        drop(patience);
        bar.finish_and_clear();
        let corners = map::corners(&measured);
        write("map.md", &corners)?;
        console.result(&measured, || format!("{exact}\n{models}\n{corners}"))?;
        Ok(Verdict::Done)
    }
}
