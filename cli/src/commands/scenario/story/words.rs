//! A story in words.

use super::{Ahead, Cost, Entry, Holding, Memory, Obstacle, Story, Tokens, Told, Ways};
use crate::quantity::number;
use crate::table::{Align, Table, grouped};
use std::fmt::{self, Write as _};

impl Story {
    /// The story for people.
    pub(in super::super) fn text(&self) -> String {
        let mut text = String::new();
        let _ = self.write(&mut text); // a String takes everything
        text
    }

    fn write(&self, text: &mut String) -> fmt::Result {
        writeln!(
            text,
            "Slot {} of the first test episode of seed {}, decided by {}",
            self.slot, self.seed, self.policy
        )?;
        let when = self.next_slot.map_or_else(|| "it".to_owned(), |slot| format!("slot {slot}"));
        for memory in &self.memory {
            memory.write(text, &when, self.memory.len() > 1)?;
        }
        for ahead in &self.ahead {
            ahead.write(text, self.memory.len() > 1)?;
        }
        let requests: u32 = self.batches.iter().map(|batch| batch.requests).sum();
        let batches = self.batches.len();
        if batches == 0 {
            let next = self.next_slot.map(|slot| format!(" The next request comes in slot {slot}."));
            return writeln!(text, "\n  Nobody asks for anything.{}", next.unwrap_or_default());
        }
        let mut names: Vec<&str> = self.batches.iter().map(|batch| batch.service.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let services = counted(names.len() as u32, "service", "services");
        writeln!(
            text,
            "\n  {} for {services}, decided one after another:",
            counted(requests, "request", "requests")
        )?;
        for (index, batch) in self.batches.iter().enumerate() {
            batch.write(text, index + 1, self.memory.len() > 1)?;
        }
        let [least, most] = self.fade_tokens;
        let fade = if least < most { format!("{} to {}", number(least), number(most)) } else { number(most) };
        writeln!(text, "\n  The slot ends: the fresh context of every entry fades by {fade} tokens.")?;
        if let Some(Holding { slots, cost }) = &self.holding {
            let slots = counted(*slots, "slot", "slots");
            writeln!(text, "  Until the next request, {slots} later, keeping the memory costs {cost:.5}.")?;
        }
        writeln!(text, "  Cost of the slot: {}", self.cost.sentence())?;
        let Some(Ways { handovers, clamped_links }) = &self.ways else { return Ok(()) };
        let handovers = counted(*handovers, "handover", "handovers");
        let clamped = counted(*clamped_links, "link", "links");
        writeln!(
            text,
            "  In the episode so far: {handovers}, {clamped} beyond the distances of the path loss."
        )
    }
}

impl Memory {
    fn write(&self, text: &mut String, when: &str, is_named: bool) -> fmt::Result {
        let place = if is_named { format!("cell {} ", self.cell) } else { String::new() };
        let used_gb = self.capacity_gb - self.free_gb;
        let (used, capacity) = (number(used_gb), number(self.capacity_gb));
        if self.resident.is_empty() {
            writeln!(text, "  Before {when}, the memory {place}is empty ({capacity} GB).")?;
            return self.at_work.as_ref().map_or(Ok(()), |at_work| at_work.write(text));
        }
        writeln!(text, "  Before {when}, the memory {place}holds {used} of {capacity} GB:\n")?;
        let mut table = Table::new([
            ("entry", Align::Left),
            ("model", Align::Left),
            ("weights", Align::Right),
            ("context K", Align::Right),
            ("fresh kappa", Align::Right),
        ]);
        for Entry { service, model, memory_gb, context_gb, context } in &self.resident {
            let tokens = grouped(context.context_tokens.round() as u64);
            table.row([
                service.clone(),
                model.clone(),
                format!("{} GB", number(*memory_gb)),
                context_gb.map_or(tokens.clone(), |gb| format!("{tokens} = {} GB", number(gb))),
                grouped(context.age_tokens.round() as u64),
            ]);
        }
        write!(text, "{}", table.text(4))?;
        self.at_work.as_ref().map_or(Ok(()), |at_work| at_work.write(text))
    }
}

impl Ahead {
    fn write(&self, text: &mut String, is_named: bool) -> fmt::Result {
        let place = if is_named { format!("cell {}", self.cell) } else { "the cell".to_owned() };
        let Some(loaded) = &self.loaded else {
            return writeln!(text, "\n  Before its requests, {place} loads nothing.");
        };
        let mut deed = String::new();
        for (index, Entry { service, context, .. }) in self.evicted.iter().enumerate() {
            deed += if index == 0 { "evicts " } else { ", " };
            let _ = write!(deed, "{service} (kappa {})", grouped(context.age_tokens.round() as u64));
        }
        deed += if self.evicted.is_empty() { "loads" } else { " and loads" };
        let weights = number(loaded.memory_gb);
        writeln!(
            text,
            "\n  Before its requests, {place} {deed} {} ({}, {weights} GB).",
            loaded.service, loaded.model
        )?;
        writeln!(text, "      Cost {}", self.cost.sentence())
    }
}

impl Told {
    fn write(&self, text: &mut String, position: usize, is_named: bool) -> fmt::Result {
        if let Some(placed) = &self.placed {
            return placed.write(text, self, position, is_named);
        }
        let times = match self.requests {
            1 => "once".to_owned(),
            2 => "twice".to_owned(),
            n => format!("{n} times"),
        };
        let place = if is_named { format!(" at cell {}", self.cell) } else { String::new() };
        let state = match self.before {
            Some(before) => format!("resident with {}", before.words()),
            None if self.finds_weights => "not in memory, but its weights are".to_owned(),
            None => format!(
                "not in memory ({} GB needed, {} GB free)",
                number(self.memory_gb),
                number(self.free_gb)
            ),
        };
        let users = self
            .users
            .map_or(String::new(), |users| format!(" by {}", counted(users as u32, "user", "users")));
        let missing =
            self.missing_gb.map_or(String::new(), |gb| format!("; {} GB have to leave for it", number(gb)));
        writeln!(
            text,
            "\n  {position:>2}. {} is asked {times}{users}{place}; it is {state}{missing}.",
            self.service
        )?;
        writeln!(text, "      {}", self.deed())?;
        writeln!(text, "      Cost {}", self.cost.sentence())
    }

    /// `Evict lamp (kappa 12), desk (kappa 300)`, or nothing.
    pub(super) fn evictions(&self) -> String {
        let mut words = String::new();
        for (index, Entry { service, context, .. }) in self.evicted.iter().enumerate() {
            words += if index == 0 { "Evict " } else { ", " };
            let _ = write!(words, "{service} (kappa {})", grouped(context.age_tokens.round() as u64));
        }
        words
    }

    /// What is done, in a sentence or three.
    fn deed(&self) -> String {
        let Some(after) = self.after else {
            return self.edge_obstacle.map_or_else(
                || "To the cloud.".to_owned(),
                |obstacle| format!("{}: to the cloud.", obstacle.words()),
            );
        };
        let mut deed = self.evictions();
        if self.finds_weights {
            deed += if self.evicted.is_empty() { "Use" } else { ", use" };
            let _ = write!(deed, " the weights of {} that are there, serve", self.model);
        } else if self.is_loaded {
            deed += if self.evicted.is_empty() { "Load" } else { ", load" };
            let _ = write!(deed, " {} ({} GB), serve", self.model, number(self.memory_gb));
        } else {
            deed += if self.evicted.is_empty() { "Serve" } else { ", serve" };
        }
        let _ = write!(deed, " at the edge; it now has {}.", after.words());
        match (self.is_refreshed, self.cleared) {
            (false, _) => {}
            (true, None) => deed += " Its window is exhausted: it leaves the memory.",
            (true, Some(_)) if self.users.is_none() => {
                deed += " Its window is exhausted: its context is cleared.";
            }
            (true, Some(cleared)) => {
                let _ = write!(
                    deed,
                    " {} cleared.",
                    counted(cleared as u32, "exhausted context is", "exhausted contexts are")
                );
            }
        }
        deed
    }
}

impl Obstacle {
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::NotAllowed => "The scenario does not allow the edge",
            Self::LargerThanMemory => "It is larger than the memory",
            Self::LargerThanCompute => "It takes more compute than a slot has",
            Self::ComputeSpent => "Too little of the slot's compute is left",
            Self::Held => "An earlier request was refused, which lasts until the slot ends",
            Self::TooLittleMayLeave => "Too little may leave in this slot",
        }
    }
}

impl Tokens {
    pub(super) fn words(self) -> String {
        let (context, age) = (self.context_tokens.round() as u64, self.age_tokens.round() as u64);
        format!("K = {}, kappa = {}", grouped(context), grouped(age))
    }
}

impl Cost {
    /// `0.0101 = switching 0.0013 + transmission 0.0001 + accuracy 0.0087`
    pub(super) fn sentence(&self) -> String {
        let parts: Vec<String> =
            self.components.iter().map(|(name, cost)| format!("{name} {cost:.5}")).collect();
        match parts.as_slice() {
            [] => "0".to_owned(),
            parts => format!("{:.5} = {}", self.total, parts.join(" + ")),
        }
    }
}

fn counted(count: impl Into<u64>, one: &str, many: &str) -> String {
    let count = count.into();
    if count == 1 { format!("one {one}") } else { format!("{} {many}", grouped(count)) }
}
