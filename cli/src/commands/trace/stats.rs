//! The statistics of a recording as text.

use crate::clock::human;
use crate::table::{Align, Table, grouped};
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;
use thoughtcache_env::workload::trace::TraceStats;
use thoughtcache_env::workload::trace::stats::{PartStats, Percentiles, SlotStats};

/// Models that are listed.
const TOP: usize = 10;

/// What a person wants to know about a recording.
pub(super) fn text(file: &Path, stats: &TraceStats) -> String {
    let mut text = format!("{}\n", file.display());
    let _ = write_all(&mut text, stats); // a String takes everything
    text
}

fn write_all(text: &mut String, stats: &TraceStats) -> std::fmt::Result {
    let duration = human(Duration::from_secs_f64(stats.duration_s));
    write!(text, "  requests   {} over {duration}", grouped(stats.requests))?;
    if let Some(rate) = stats.requests_per_s {
        write!(text, ", {rate:.4} a second")?;
    }
    writeln!(text)?;
    if let Some(cv) = stats.interarrival_cv {
        writeln!(
            text,
            "  burstiness {cv:.2} (coefficient of variation between requests; 1 for Poisson arrivals)"
        )?;
    }
    if let Some(users) = stats.num_users {
        writeln!(text, "  users      {}", grouped(users.into()))?;
    }
    if let Some(sessions) = stats.num_sessions {
        writeln!(text, "  sessions   {}", grouped(sessions as u64))?;
    }
    if stats.models.is_empty() {
        writeln!(text, "  models     none named")?;
    } else {
        write!(text, "  models     {}", stats.models.len())?;
        if stats.requests_without_model > 0 {
            write!(text, "; {} requests name none", grouped(stats.requests_without_model))?;
        }
        writeln!(text)?;
    }
    if let Some(ratio) = stats.reuse_ratio {
        writeln!(text, "  reuse      {} of all prompt tokens were in an earlier request", percent(ratio))?;
    }
    let columns = [
        ("prompt tokens", &stats.prompt_tokens),
        ("output tokens", &stats.output_tokens),
        ("reused tokens", &stats.reused_tokens),
        ("think time, s", &stats.think_time_s),
        ("turn", &stats.turn),
        ("requests of a session", &stats.session_requests),
        ("load, s", &stats.load_s),
    ];
    if columns.iter().any(|(_, percentiles)| percentiles.is_some()) {
        let right = Align::Right;
        let mut table = Table::new([
            ("per request", Align::Left),
            ("p50", right),
            ("p90", right),
            ("p99", right),
            ("max", right),
        ]);
        for (name, percentiles) in columns {
            if let Some(Percentiles { p50, p90, p99, max }) = percentiles {
                table.row([name.to_owned(), short(*p50), short(*p90), short(*p99), short(*max)]);
            }
        }
        write!(text, "\n{}", table.text(2))?;
    }
    write_models(text, stats)?;
    write_parts(text, stats)?;
    for (index, note) in stats.notes.iter().enumerate() {
        writeln!(text, "{}  note: {note}", if index == 0 { "\n" } else { "" })?;
    }
    Ok(())
}

fn write_models(text: &mut String, stats: &TraceStats) -> std::fmt::Result {
    if stats.models.is_empty() {
        return Ok(());
    }
    let mut table = Table::new([
        ("most requested", Align::Left),
        ("requests", Align::Right),
        ("share", Align::Right),
        ("load", Align::Right),
    ]);
    for model in stats.models.iter().take(TOP) {
        let load = model.load_s.map_or(String::new(), |load_s| format!("{load_s:.1} s"));
        table.row([model.name.clone(), grouped(model.requests), percent(model.share), load]);
    }
    write!(text, "\n{}", table.text(2))
}

fn write_parts(text: &mut String, stats: &TraceStats) -> std::fmt::Result {
    if stats.parts.is_empty() {
        return Ok(());
    }
    let mut columns = vec![
        ("part", Align::Left),
        ("requests", Align::Right),
        ("models", Align::Right),
        ("new", Align::Right),
    ];
    if let Some(slot_s) = stats.slot_s {
        write!(text, "\n  slots of {slot_s} s")?;
        columns.extend(["slots", "a slot", "p99", "max", "empty"].map(|name| (name, Align::Right)));
    }
    let mut table = Table::new(columns);
    let slots = |slots: &Option<SlotStats>| {
        slots
            .iter()
            .flat_map(|slots| {
                [
                    grouped(slots.num_slots as u64),
                    format!("{:.2}", slots.mean),
                    short(slots.p99),
                    short(slots.max),
                    percent(slots.empty_ratio),
                ]
            })
            .collect::<Vec<_>>()
    };
    for part in &stats.parts {
        let mut row = vec![
            part.part.name().to_owned(),
            grouped(part.requests),
            part.num_models.to_string(),
            part.num_new_models.to_string(),
        ];
        row.extend(slots(&part.slots));
        table.row(row);
    }
    let mut row =
        vec!["all".to_owned(), grouped(stats.requests), stats.models.len().to_string(), String::new()];
    row.extend(slots(&stats.slots));
    table.row(row);
    write!(text, "\n{}", table.text(2))?;
    for warning in stats.parts.iter().filter_map(PartStats::warning) {
        writeln!(text, "  warning: {warning}")?;
    }
    Ok(())
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// Whole numbers without digits after the point.
fn short(value: f64) -> String {
    if value.fract() == 0.0 { grouped(value as u64) } else { format!("{value:.1}") }
}
