//! The statistics of a recording as text.

use crate::clock::human;
use crate::table::{Align, Table, grouped};
use std::fmt::Write as _;
use std::time::Duration;
use thoughtcache_env::workload::trace::{Percentiles, TraceStats};

/// Models that are listed.
const TOP: usize = 10;

/// What a person wants to know about a recording.
pub(super) fn text(stats: &TraceStats) -> String {
    let mut text = String::new();
    let _ = write_all(&mut text, stats); // a String takes everything
    text
}

fn write_all(text: &mut String, stats: &TraceStats) -> std::fmt::Result {
    writeln!(text, "{}, from {}", stats.source, stats.start)?;
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
    if stats.num_users > 0 {
        writeln!(text, "  users      {}", grouped(stats.num_users.into()))?;
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
        ("service, s", &stats.service_s),
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
    write_slots(text, stats)?;
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

fn write_slots(text: &mut String, stats: &TraceStats) -> std::fmt::Result {
    let (Some(slot_s), Some(whole)) = (stats.slot_s, &stats.slots) else { return Ok(()) };
    let right = Align::Right;
    let mut table = Table::new([
        ("part", Align::Left),
        ("slots", right),
        ("requests", right),
        ("a slot", right),
        ("p99", right),
        ("max", right),
        ("empty", right),
        ("models", right),
        ("new", right),
    ]);
    for part in &stats.parts {
        table.row([
            part.part.name().to_owned(),
            grouped(part.slots.num_slots as u64),
            grouped(part.requests),
            format!("{:.2}", part.slots.mean),
            short(part.slots.p99),
            short(part.slots.max),
            percent(part.slots.empty_ratio),
            part.num_models.to_string(),
            part.num_new_models.to_string(),
        ]);
    }
    table.row([
        "all".to_owned(),
        grouped(whole.num_slots as u64),
        grouped(stats.requests),
        format!("{:.2}", whole.mean),
        short(whole.p99),
        short(whole.max),
        percent(whole.empty_ratio),
    ]);
    write!(text, "\n  slots of {slot_s} s\n{}", table.text(2))
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// Whole numbers without digits after the point.
fn short(value: f64) -> String {
    if value.fract() == 0.0 { grouped(value as u64) } else { format!("{value:.1}") }
}
