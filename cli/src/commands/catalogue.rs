//! `thoughtcache catalogue`: the constants of a device, fitted to its measured times.

use crate::args::SettingArgs;
use crate::console::{Console, Verdict, shown};
use crate::recording;
use crate::scenario_file::ScenarioText;
use crate::table::{Align, Table};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use thoughtcache_env::llm::catalogue::{Catalogue, Device, DeviceConfig};
use thoughtcache_env::llm::fit::profile::{self, ProfileRow};
use thoughtcache_env::llm::fit::{self, Form, Measured, Missed};
use thoughtcache_env::message::one_line;

/// Where a scenario's own models and devices stand.
const PLACE: &str = "physical.catalogue";

/// Fit the constants of a device to its measured times
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  thoughtcache catalogue fit profile.csv.gz --model llama-2-70b --device h100-sxm")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Fit mfu, eta, the times of a step, a sequence and an exchange, and the link of a device, and print it as TOML
    #[command(after_help = "\
Examples:
  thoughtcache catalogue fit splitwise_h100_llama2_70b.csv.gz --model llama-2-70b --device h100-sxm
  thoughtcache catalogue fit profile.csv --scenario my-world.toml --model llama-3.1-8b \\
    --device my-gpu --name my-gpu-measured >> my-world.toml

A profile is a CSV, plain or gzip, with the columns model, hardware, prompt_size, batch_size,
token_size (tokens of the answer), prompt_time, token_time (ms) and tensor_parallel, a measured
batch a line. Peaks, bandwidth, memory and watts stay those of --device; a GPU that no catalogue
has stands in [[physical.catalogue.devices]] of the scenario, with guessed constants until then.

The output is a device for a scenario (with the head [[devices]], for a file of the catalogue),
fitted to all rows, and below it median errors as comments. They are those of rows that a fit did
not see: the rows of one tensor_parallel, batch_size and prompt_size are a group; constants that
are fitted to every other group are judged on the rest, and the other way round.
The law is that of static batches, as the world serves them: there is no continuous batching. A
profile of single requests is fitted and judged at batch 1 alone; where batches were measured they
count too, and the errors of single requests are told beside those of all.")]
    Fit(FitArgs),
}

#[derive(Debug, clap::Args)]
struct FitArgs {
    /// Measured times, a CSV, plain or gzip
    profile: PathBuf,
    /// The measured model, as the catalogue calls it
    #[arg(long)]
    model: String,
    /// The measured device, as the catalogue calls it
    #[arg(long)]
    device: String,
    /// The rows of this model alone, as the profile calls it
    #[arg(long, value_name = "NAME")]
    profile_model: Option<String>,
    /// The rows of this device alone, as the profile calls it
    #[arg(long, value_name = "NAME")]
    profile_hardware: Option<String>,
    /// The name of the fitted device [default: DEVICE-fitted]
    #[arg(long)]
    name: Option<String>,
    /// A scenario with models and devices of one's own: a shipped name or a TOML file
    #[arg(long, value_name = "SCENARIO")]
    scenario: Option<String>,
    #[command(flatten)]
    set: SettingArgs,
}

impl Args {
    /// Does what was typed.
    pub(crate) fn run(self, console: Console) -> Result<Verdict> {
        let What::Fit(args) = self.what;
        args.run(console)?;
        Ok(Verdict::Done)
    }
}

impl FitArgs {
    fn run(&self, console: Console) -> Result<()> {
        let catalogue = self.catalogue()?;
        let model = catalogue.model("--model", &self.model)?;
        let device = catalogue.device("--device", &self.device)?;
        let (measured, rows) = self.rows()?;
        let file = || shown(&self.profile);
        let constants = fit::fit(device, model, &rows, Form::Extended).with_context(file)?;
        let missed = fit::unseen(device, model, &rows, Form::Extended).with_context(file)?;
        let single: Vec<Missed> = missed.iter().filter(|missed| missed.row.batch == 1).copied().collect();
        let before = fit::errors(device, model, &rows);
        let [unseen, single, before] = [missed.as_slice(), &single, &before].map(judged);
        let name = self.name.clone().unwrap_or_else(|| format!("{}-fitted", device.name));
        let constants_source = format!(
            "fitted by `thoughtcache catalogue fit` to {} rows of {measured}; median errors on groups that a fit did not see: {}",
            rows.len(),
            percents(&unseen)
        );
        let fitted = Device { name, constants_source, constants, ..device.clone() };
        let fitted = rounded(DeviceConfig::from(&fitted));
        fitted.validate("the fitted device")?;
        let groups = groups(&missed);
        let document = json!({
            "profile": file(), "measured": measured, "model": model.name, "device": device.name, "fitted": fitted,
            "unseen": unseen, "unseen_single": single, "before": before, "groups": groups,
        });
        let toml = toml::to_string(&fitted).context("cannot write the device as TOML")?;
        let errors = format!(
            "Median errors for {}: {} with the constants of {},\n{} on groups that a fit did not see,\n\
             {} on those of single requests:\n{}",
            model.name,
            percents(&before),
            device.name,
            percents(&unseen),
            percents(&single),
            table(&groups)
        );
        let comments = errors.trim_end().replace('\n', "\n# ");
        console.result(&document, || format!("[[{PLACE}.devices]]\n{toml}\n# {comments}"))
    }

    /// The shipped catalogue and what the scenario has beside it.
    fn catalogue(&self) -> Result<Catalogue> {
        let overrides = self.set.overrides()?;
        let Some(name) = &self.scenario else {
            ensure!(overrides.is_empty(), "--set changes a scenario: name one with --scenario");
            return Ok(Catalogue::shipped());
        };
        let text = ScenarioText::find(name)?;
        let own = text.config(&overrides)?.physical.map(|physical| physical.catalogue).unwrap_or_default();
        Ok(Catalogue::with(&own, PLACE).map_err(|invalid| text.texts.place(invalid))?)
    }

    /// The names of the model and the device that are asked for, as the profile calls them, and their rows.
    fn rows(&self) -> Result<(String, Vec<Measured>)> {
        let file = shown(&self.profile);
        let rows = profile::read(recording::open(&self.profile)?).with_context(|| file.clone())?;
        let names = |row: &&ProfileRow| one_line(&format!("{} on {}", row.model, row.hardware));
        let is_asked = |row: &&ProfileRow| {
            self.profile_model.as_ref().is_none_or(|model| *model == row.model)
                && self.profile_hardware.as_ref().is_none_or(|hardware| *hardware == row.hardware)
        };
        let asked: Vec<&ProfileRow> = rows.iter().filter(is_asked).collect();
        let listed = |rows: &[&ProfileRow]| {
            let names: BTreeSet<String> = rows.iter().map(names).collect();
            (names.len(), names.into_iter().collect::<Vec<_>>().join(", "))
        };
        let all = listed(&rows.iter().collect::<Vec<_>>()).1;
        ensure!(!rows.is_empty(), "{file} has no rows");
        ensure!(!asked.is_empty(), "{file} has no rows of these names; it has {all}");
        let (count, names) = listed(&asked);
        ensure!(count == 1, "{file} has rows of {names}: choose with --profile-model and --profile-hardware");
        Ok((names, asked.iter().map(|row| row.measured).collect()))
    }
}

/// The device with four digits of each constant.
fn rounded(device: DeviceConfig) -> DeviceConfig {
    let four_digits = |value: f64| format!("{value:.3e}").parse().unwrap_or(value);
    DeviceConfig {
        mfu: four_digits(device.mfu),
        eta: four_digits(device.eta),
        t_step_ms: four_digits(device.t_step_ms),
        link_gb_per_s: device.link_gb_per_s.map(four_digits),
        sync_us: four_digits(device.sync_us),
        t_sequence_ms: four_digits(device.t_sequence_ms),
        ..device
    }
}

/// The median errors of some rows.
fn judged(missed: &[Missed]) -> Value {
    let medians = fit::medians(missed.iter());
    medians.map_or(Value::Null, |of| json!({ "rows": of.rows, "token": of.token, "prompt": of.prompt }))
}

/// The median errors of each group.
fn groups(missed: &[Missed]) -> Vec<Value> {
    let mut groups: BTreeMap<_, Vec<Missed>> = BTreeMap::new();
    for one in missed {
        let Measured { parallel, batch, prompt_tokens, .. } = one.row;
        groups.entry((parallel, batch, prompt_tokens as u64)).or_default().push(*one);
    }
    let document = |((parallel, batch, prompt), missed): (_, Vec<Missed>)| {
        let errors = judged(&missed);
        json!({ "tensor_parallel": parallel, "batch_size": batch, "prompt_size": prompt, "errors": errors })
    };
    groups.into_iter().map(document).collect()
}

fn table(groups: &[Value]) -> String {
    let counts = ["tensor_parallel", "batch_size", "prompt_size"];
    let mut table =
        Table::new(counts.into_iter().chain(["rows", "token", "prompt"]).map(|head| (head, Align::Right)));
    for group in groups {
        let errors = &group["errors"];
        let cells = counts.map(|key| group[key].to_string()).into_iter().chain([errors["rows"].to_string()]);
        table.row(cells.chain(["token", "prompt"].map(|of| percent(&errors[of]))));
    }
    table.text(0)
}

fn percent(share: &Value) -> String {
    share.as_f64().map_or_else(|| "-".into(), |share| format!("{:.1} %", 100.0 * share))
}

fn percents(errors: &Value) -> String {
    format!("{} a token, {} a prompt", percent(&errors["token"]), percent(&errors["prompt"]))
}
