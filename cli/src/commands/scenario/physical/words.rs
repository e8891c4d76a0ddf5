//! The sheet in words and tables.

use super::{EXAMPLE, End, Sheet};
use crate::quantity::{bits, gb, number, percent, ratio, seconds, short};
use crate::table::{Align, Table, grouped};
use std::fmt::{self, Write as _};
use thoughtcache_env::radio::fading::FadingConfig;
use thoughtcache_env::radio::large_scale::PathLossConfig;
use thoughtcache_env::radio::mobility::MobilityConfig;
use thoughtcache_env::radio::recorded_rates::{RatePart, RecordedRatesConfig};
use thoughtcache_env::scenario::physical::SitesConfig;

/// A line of the section "World".
fn line(text: &mut String, label: &str, words: &str) -> fmt::Result {
    writeln!(text, "  {label:<9} {words}")
}

impl Sheet {
    /// Where users are, and what their links are like.
    pub(in super::super) fn write_world(&self, text: &mut String) -> fmt::Result {
        let radio = &self.settings.radio;
        line(
            text,
            "area",
            &format!("{} m x {} m; {}", radio.area.width_m, radio.area.depth_m, self.sites()),
        )?;
        line(text, "mobility", &mobility(&radio.mobility))?;
        let (carrier, bandwidth) = (number(self.carrier_ghz), number(self.bandwidth_mhz));
        line(text, "band", &format!("{carrier} GHz, {bandwidth} MHz"))?;
        line(text, "", &format!("base station {}", self.base_station.words()))?;
        line(text, "", &format!("device {}", self.device.words()))?;
        line(text, "path loss", path_loss(&radio.path_loss))?;
        match (&radio.recorded_rates, radio.fading) {
            (Some(rates), _) => {
                line(text, "rates", &recorded_rates(rates))?;
                line(text, "", "places, views, what is sensed and which cell serves are the model's")?;
            }
            (None, FadingConfig::Ergodic(_)) => line(text, "fading", "the mean over a slot")?,
            (None, FadingConfig::Block(_)) => line(text, "fading", "one value for a whole slot")?,
        }
        if let Some(blockage) = &radio.blockage {
            let share = percent(self.blocked_share);
            let (loss, duration) = (number(blockage.loss_db), seconds(blockage.mean_duration_s));
            let words = format!("by passers-by {share} of the time, {duration} at a time, {loss} dB");
            line(text, "blockage", &words)?;
        }
        if let (Some(sensing), Some(share)) = (&radio.sensing, self.sensing_share()) {
            let error = number(sensing.range_error_m);
            line(text, "sensing", &format!("{share} of the time; a range error of {error} m leaves 37 %"))?;
        }
        if let Some(features) = &radio.features {
            let (coarse, fine) = (percent(features.coarse_ratio), percent(features.fine_ratio));
            let enough = bits(features.enough_mbit * 1e6);
            let words = format!("coarse {coarse} and fine {fine} of the sensor's bits; {enough} tell 63 %");
            line(text, "features", &words)?;
        }
        self.write_servers(text)
    }

    fn write_servers(&self, text: &mut String) -> fmt::Result {
        let settings = &self.settings;
        let (server, loading, cloud) = (&settings.server, &settings.loading, &settings.cloud);
        let batch = server.max_batch;
        line(text, "server", &format!("{} x {}, batches of up to {batch}", server.gpus, server.device))?;
        let (host, nvme) = (gb(loading.host_gb), gb(loading.nvme_gb));
        let words = format!(
            "{} and then {}/s from host memory ({host}), {}/s from NVMe ({nvme}), {}/s from the store",
            seconds(loading.t_init_s),
            gb(loading.host_gb_per_s),
            gb(loading.nvme_gb_per_s),
            gb(loading.remote_gb_per_s),
        );
        line(text, "loads", &words)?;
        let delay = seconds(1e-3 * cloud.core_delay_ms);
        let backhaul = bits(1e9 * cloud.backhaul_gbit_per_s);
        let words =
            format!("{} on {} x {}, {delay} away at {backhaul}/s", cloud.model, cloud.gpus, cloud.device);
        line(text, "cloud", &words)?;
        let (prompt, output) =
            (cloud.currency_per_million_prompt_tokens, cloud.currency_per_million_output_tokens);
        let words = format!(
            "{} units of currency per million tokens of prompts, {} of answers",
            number(prompt),
            number(output)
        );
        line(text, "", &words)?;
        let (floor, memory) = (percent(settings.twin.floor), seconds(settings.twin.memory_s));
        line(text, "twins", &format!("worth {floor} at any age; the rest fades to 37 % in {memory}"))?;
        if settings.carries_context {
            line(text, "", "the context goes along to device and cloud, as text")?;
        }
        Ok(())
    }

    fn sites(&self) -> String {
        let at = |place: &[f64; 2]| format!("({} m, {} m)", number(place[0]), number(place[1]));
        match (self.sites_m.as_slice(), &self.settings.sites) {
            ([place], _) => format!("a base station at {}", at(place)),
            (places, SitesConfig::Hexagons(hexagons)) => {
                let distance = number(hexagons.distance_m);
                format!("{} base stations in hexagons, {distance} m between neighbours", places.len())
            }
            (places, _) => {
                let places: Vec<String> = places.iter().map(at).collect();
                format!("base stations at {}", places.join(", "))
            }
        }
    }

    /// Models, services and devices.
    pub(in super::super) fn write_tables(&self, text: &mut String) -> fmt::Result {
        let right = Align::Right;
        let mut models = Table::new([
            ("model", Align::Left),
            ("services", right),
            ("weights", right),
            ("window", right),
            ("its context", right),
            ("GPUs", right),
            ("tokens/s", right),
            ("accuracy", right),
            ("full", right),
            ("aligns", right),
            ("host", right),
            ("NVMe", right),
            ("store", right),
        ]);
        for model in &self.models {
            models.row([
                model.name.clone(),
                model.services.to_string(),
                gb(model.memory_gb),
                grouped(model.window_tokens as u64),
                model.full_context_gb.map_or_else(String::new, gb),
                number(model.speed.gpus),
                short(model.speed.tokens_per_s),
                ratio(model.speed.accuracy),
                ratio(model.accuracy_with_full_context),
                ratio(model.speed.alignment),
                seconds(model.load_s.host),
                seconds(model.load_s.nvme),
                seconds(model.load_s.store),
            ]);
        }
        let (prompt, output) = (grouped(EXAMPLE.prompt as u64), grouped(EXAMPLE.output as u64));
        writeln!(text, "\nModels at the edge\n{}", models.text(2))?;
        writeln!(
            text,
            "  window in tokens; tokens/s for one request alone, {prompt} tokens of prompt and {output} of answer;"
        )?;
        writeln!(
            text,
            "  accuracy without context and with a full window of fresh context; loads from host memory, NVMe, store"
        )?;
        let mut elsewhere = Table::new([
            ("site", Align::Left),
            ("users", right),
            ("hardware", Align::Left),
            ("GPUs", right),
            ("model", Align::Left),
            ("tokens/s", right),
            ("accuracy", right),
            ("aligns", right),
        ]);
        for row in &self.elsewhere {
            elsewhere.row([
                row.site.clone(),
                row.share.map_or_else(|| "all".to_owned(), percent),
                row.hardware.clone(),
                number(row.speed.gpus),
                row.model.clone(),
                short(row.speed.tokens_per_s),
                ratio(row.speed.accuracy),
                ratio(row.speed.alignment),
            ]);
        }
        writeln!(text, "\nModels elsewhere\n{}", elsewhere.text(2))?;
        self.write_services(text)
    }

    fn write_services(&self, text: &mut String) -> fmt::Result {
        let right = Align::Right;
        let mut services = Table::new([
            ("service", Align::Left),
            ("model", Align::Left),
            ("sees", Align::Left),
            ("perceives", right),
            ("payload", right),
            ("takes", right),
            ("coarse", right),
            ("fine", right),
            ("deadline", right),
        ]);
        for service in &self.services {
            let [coarse, fine] = service.features.map_or_else(Default::default, |both| both.map(ratio));
            services.row([
                service.name.clone(),
                service.model.clone(),
                service.modality.to_owned(),
                ratio(service.perception),
                bits(service.sensor_bits),
                format!("{} GFLOP", short(service.perception_gflop)),
                coarse,
                fine,
                seconds(service.deadline_s),
            ]);
        }
        writeln!(text, "Services\n{}", services.text(2))
    }
}

impl End {
    fn words(&self) -> String {
        let (power, watts) = (number(self.power_dbm), short(self.power_w));
        let (gain, noise) = (number(self.gain_db), number(self.noise_figure_db));
        format!("{power} dBm = {watts} W, antenna {gain} dBi, noise figure {noise} dB")
    }
}

fn mobility(config: &MobilityConfig) -> String {
    match config {
        MobilityConfig::Still(_) => "users stand where they are".to_owned(),
        MobilityConfig::RandomWaypoint(config) => format!(
            "from place to place at {} to {} m/s, with pauses of {}",
            number(config.min_speed_m_per_s),
            number(config.max_speed_m_per_s),
            seconds(config.pause_s)
        ),
        MobilityConfig::GaussMarkov(config) => format!(
            "Gauss-Markov, {} m/s on average, velocity kept for {}",
            number(config.mean_speed_m_per_s),
            seconds(config.memory_s)
        ),
        MobilityConfig::Recorded(config) => format!("recorded in {}", config.file),
    }
}

fn recorded_rates(config: &RecordedRatesConfig) -> String {
    let kind = config.kind.as_ref().map_or_else(String::new, |kind| format!(" {kind}"));
    let traces = match config.part {
        RatePart::Split => "traces, every other one for tests",
        RatePart::Training => "traces, those of training",
        RatePart::Test => "traces, those of tests",
        RatePart::All => "traces",
    };
    let uplink = percent(config.uplink_ratio);
    format!("recorded in {}:{kind} {traces}; the uplink has {uplink} of the downlink", config.path)
}

const fn path_loss(config: &PathLossConfig) -> &'static str {
    match config {
        PathLossConfig::Umi(_) => "TR 38.901 UMi, street canyon",
        PathLossConfig::Uma(_) => "TR 38.901 UMa, base stations on roofs",
        PathLossConfig::InhOpen(_) => "TR 38.901 InH, open office",
        PathLossConfig::InhMixed(_) => "TR 38.901 InH, mixed office",
        PathLossConfig::CloseIn(_) => "close-in, above 100 GHz",
    }
}
