//! A request of a physical scenario in words and tables.

use super::super::Told;
use super::{Met, Placed};
use crate::quantity::{bits, bits_per_s, gb, joules, percent, ratio, seconds, short};
use crate::table::{Align, Table, grouped};
use std::fmt::{self, Write as _};
use thoughtcache_env::llm::loading::Tier;

/// A line about a request.
fn line(text: &mut String, label: &str, words: &str) -> fmt::Result {
    writeln!(text, "      {label:<9} {words}")
}

fn count(tokens: f64) -> String {
    grouped(tokens.round() as u64)
}

const fn tier(tier: Tier) -> &'static str {
    match tier {
        Tier::Remote => "the store",
        Tier::Nvme => "NVMe",
        Tier::Host => "host memory",
        Tier::Gpu => "GPU memory",
    }
}

impl Placed {
    /// Tells the request and what became of it.
    pub(in super::super) fn write(
        &self,
        text: &mut String,
        told: &Told,
        position: usize,
        is_named: bool,
    ) -> fmt::Result {
        let met = &self.met;
        let cell = if is_named { format!("cell {}", told.cell) } else { "the base station".to_owned() };
        let [x_m, y_m] = met.place_m;
        writeln!(
            text,
            "\n  {position:>2}. After {}, user {} ({}) asks for {}, {x_m:.0} m east and {y_m:.0} m north, {:.0} m from {cell}.",
            seconds(met.arrival_s),
            met.user,
            met.device,
            told.service,
            met.distance_m
        )?;
        met.write(text, told)?;
        writeln!(text, "\n{}", self.options().text(8))?;
        line(text, "does", &self.deed(told))?;
        writeln!(text, "\n{}", self.bill().text(8))?;
        let (latency, first, token) =
            (seconds(self.latency_s), seconds(self.first_token_s), seconds(self.token_s));
        let late = if self.is_late { "late" } else { "in time" };
        let words = format!("{latency}, {late}; the first token after {first}, then one every {token}");
        line(text, "answer", &words)?;
        let device = joules(self.device_joules);
        line(
            text,
            "shares",
            &format!("the device pays {device}; the GPUs get {} of work", seconds(self.edge_gpu_s)),
        )?;
        line(text, "quality", &self.factors())?;
        line(text, "cost", &told.cost.sentence())
    }

    /// `0.512 = perception 0.820 x grounding 0.797 ...`
    fn factors(&self) -> String {
        let factors = &self.factors;
        let named = [
            ("perception", factors.perception),
            ("grounding", factors.grounding),
            ("twin", factors.twin),
            ("features", factors.features),
            ("alignment", factors.alignment),
        ];
        let named: Vec<String> =
            named.into_iter().map(|(name, factor)| format!("{name} {}", ratio(factor))).collect();
        format!("{} = {}", ratio(self.quality), named.join(" x "))
    }

    fn options(&self) -> Table {
        let right = Align::Right;
        let mut table = Table::new([
            ("", Align::Left),
            ("expected", Align::Left),
            ("cost", right),
            ("answer", right),
            ("first token", right),
            ("quality", right),
            ("energy", right),
            ("money", right),
            ("", Align::Left),
        ]);
        for choice in &self.met.options {
            table.row([
                if choice.placement == self.placement { ">" } else { "" }.to_owned(),
                choice.placement.name().to_owned(),
                format!("{:.4}", choice.cost.total),
                seconds(choice.latency_s),
                seconds(choice.first_token_s),
                ratio(choice.quality),
                joules(choice.joules),
                short(choice.money),
                if choice.is_late { "late" } else { "" }.to_owned(),
            ]);
        }
        table
    }

    /// What is done, in a sentence or two.
    fn deed(&self, told: &Told) -> String {
        let mut deed = told.evictions();
        if told.is_loaded && !told.finds_weights {
            deed += if deed.is_empty() { "Load " } else { ", load " };
            let (size, from) = (gb(told.memory_gb), tier(self.met.tier));
            let (time, energy) = (seconds(self.met.load_s), joules(self.met.load_joules));
            let _ = write!(deed, "{} ({size}, from {from} in {time} with {energy})", told.model);
        }
        deed += if deed.is_empty() { "Serve " } else { ", serve " };
        deed += self.placement.name();
        deed.push('.');
        if let Some(after) = &self.context_after {
            let _ = write!(deed, " The user's context is now {}.", after.words());
            if told.is_refreshed {
                deed += " Its window is exhausted: it is cleared.";
            }
        }
        deed
    }

    fn bill(&self) -> Table {
        let right = Align::Right;
        let mut table =
            Table::new([("stage", Align::Left), ("time", right), ("energy", right), ("money", right)]);
        for row in &self.stages {
            let name = row.stage.to_owned();
            table.row([name, seconds(row.seconds), joules(row.joules), short(row.money)]);
        }
        let total = "in all".to_owned();
        table.row([total, seconds(self.latency_s), joules(self.joules), short(self.money)]);
        table
    }
}

impl Met {
    fn write(&self, text: &mut String, told: &Told) -> fmt::Result {
        let link = &self.link;
        let sight = if link.is_los { "line of sight" } else { "no line of sight" };
        let blocked = if link.is_blocked { "somebody in the way" } else { "nobody in the way" };
        let words = format!(
            "uplink {}, downlink {}; {sight}, {blocked}; sensed with quality {}",
            bits_per_s(link.uplink_bits_per_s),
            bits_per_s(link.downlink_bits_per_s),
            ratio(link.sensing_quality)
        );
        line(text, "link", &words)?;
        if let Some(radio) = &self.radio {
            let rician = radio.rician_k_db.map_or_else(String::new, |k| format!(", Rician K {k:.1} dB"));
            let words = format!(
                "gain {:.1} dB with antennas; SINR {:.1} dB up, {:.1} dB down{rician}; on the air {} of the time",
                radio.gain_db,
                radio.uplink_sinr_db,
                radio.downlink_sinr_db,
                percent(radio.time_share)
            );
            line(text, "radio", &words)?;
        }
        let words = format!(
            "{} new tokens and {} of {}, after {} tokens of conversation; due in {}",
            count(self.new_tokens),
            bits(self.sensor_bits),
            self.modality,
            count(self.said_tokens),
            seconds(self.deadline_s)
        );
        line(text, "asks", &words)?;
        let (expected, drawn) = (count(self.expected_output_tokens), count(self.output_tokens));
        line(text, "", &format!("an answer of {expected} tokens is expected; it will have {drawn}"))?;
        line(text, "finds", &self.weights(told))?;
        let twin = self.twin_age_slots.map_or_else(
            || "no twin of the user".to_owned(),
            |age| format!("a twin {age} slot{} old", if age == 1 { "" } else { "s" }),
        );
        let (backlog, batch) = (seconds(self.backlog_s), self.batch);
        let factor = ratio(self.twin_factor);
        line(
            text,
            "",
            &format!("{backlog} of work before it, a batch of {batch}; {twin} (factor {factor})"),
        )?;
        match told.edge_obstacle {
            Some(obstacle) => line(text, "", &format!("{}: not at the edge", obstacle.words())),
            None => Ok(()),
        }
    }

    /// Where the weights are, and what the user's context holds.
    fn weights(&self, told: &Told) -> String {
        let model = &told.model;
        let left = (self.load_s > 0.0).then(|| seconds(self.load_s));
        match (self.is_resident, left) {
            (true, None) => format!("{model} in memory, with {} of this user", self.context.words()),
            (true, Some(left)) => {
                format!("{model} on its way, {left} left, with {} of this user", self.context.words())
            }
            (false, None) => format!("no entry in memory, but the weights of {model}"),
            (false, Some(left)) if told.finds_weights => {
                format!("no entry in memory, but the weights of {model} on their way, {left} left")
            }
            (false, Some(left)) => {
                let missing = told.missing_gb.filter(|gb| *gb > 0.0);
                let missing =
                    missing.map_or_else(String::new, |missing| format!(", {} must leave", gb(missing)));
                format!(
                    "{model} not in memory: {} in {}, {left} away; {} free{missing}",
                    gb(told.memory_gb),
                    tier(self.tier),
                    gb(told.free_gb),
                )
            }
        }
    }
}
