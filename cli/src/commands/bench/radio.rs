//! `bench radio`: the speed of the radio alone, with every user redrawn in every slot.
//!
//! The world redraws the radio of those users that ask. Here all users are redrawn in every slot: place, line of sight, shadow and Rician factor of the links to all cells, blockage, association, interference, the cell's time shared
//! among all of its users, both rates with their fading averaged, and sensing.

use super::measure::{BusyClock, circumstances};
use crate::args::{DEFAULT_SCENARIO, SettingArgs, within};
use crate::console::{Console, Verdict};
use crate::sheet::{joined, show};
use crate::{progress, scenario_file};
use anyhow::{Result, bail};
use serde_json::json;
use std::hint::black_box;
use thoughtcache_env::radio::user::{Connection, UserRadios};
use thoughtcache_env::random::{Purpose, Seed, Stream};
use thoughtcache_env::scenario::physics::Physical;
use thoughtcache_env::units::UserId;

/// Slots before the clock runs: every user is known then.
const FIRST_SLOTS: u32 = 8;
/// User-slots, at least, between two looks at the clock.
const USER_SLOTS_PER_LOOK: usize = 1_000;

/// Measure the radio alone: every user redrawn in every slot, one thread
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  thoughtcache bench radio
  thoughtcache bench radio --set scenario.physical.users=30 --set scenario.cell.count=7 \\
    --set scenario.physical.sites.hexagons.distance_m=100")]
pub(super) struct Args {
    /// A shipped scenario with a radio, or a TOML file
    #[arg(long, default_value = DEFAULT_SCENARIO)]
    scenario: String,
    #[command(flatten)]
    set: SettingArgs,
    /// Seconds of the measurement
    #[arg(long, value_name = "S", allow_negative_numbers = true, default_value_t = 3.0, value_parser = within(0.01, 3600.0, "seconds"))]
    seconds: f64,
}

impl Args {
    pub(super) fn run(self, console: Console) -> Result<Verdict> {
        let scenario = scenario_file::load(&self.scenario, &self.set.overrides()?)?.scenario;
        let Some(physical) = scenario.physical() else {
            bail!("{} has no radio: a scenario with [physical] is needed, street for example", scenario.name);
        };
        let circumstances = circumstances();
        let spinner =
            progress::spinner(console, format!("the radio of {}, {} s", scenario.name, self.seconds));
        let mut air = Air::new(physical);
        for _ in 0..FIRST_SLOTS {
            black_box(air.redraw());
        }
        let slots_per_look = USER_SLOTS_PER_LOOK.div_ceil(air.num_users as usize);
        let (mut slots, mut downlink) = (0_u64, 0.0);
        let clock = BusyClock::start();
        while clock.wall_s() < self.seconds {
            for _ in 0..slots_per_look {
                downlink += air.redraw();
            }
            slots += slots_per_look as u64;
        }
        spinner.finish_and_clear();
        let user_slots = slots * u64::from(air.num_users);
        let report = json!({
            "scenario": scenario.name,
            "users": air.num_users,
            "cells": physical.cells.len(),
            // Of processor time, where the system tells it.
            "user_slots_per_s": user_slots as f64 / clock.busy_s(),
            // Averaged over users and slots: what was computed.
            "mean_downlink_bits_per_s": downlink / user_slots as f64,
        });
        show(console, &joined(report, circumstances))?;
        Ok(Verdict::Done)
    }
}

/// All users among all cells.
struct Air<'a> {
    physical: &'a Physical,
    num_users: u32,
    radios: UserRadios,
    connections: Vec<Connection>,
    active: Vec<u32>,
    seed: Seed,
    slot: u32,
}

impl<'a> Air<'a> {
    fn new(physical: &'a Physical) -> Self {
        let (num_users, num_cells) = (physical.num_users, physical.cells.len());
        Self {
            physical,
            num_users,
            radios: UserRadios::new(num_users as usize, num_cells),
            connections: Vec::with_capacity(num_users as usize),
            active: vec![0; num_cells],
            seed: Seed::new(Purpose::Test, 0),
            slot: 0,
        }
    }

    /// A slot passes for everybody; returns the sum of downlink rates in bit/s.
    fn redraw(&mut self) -> f64 {
        let (radio, cells) = (&self.physical.radio, &self.physical.cells);
        let now_s = f64::from(self.slot) * self.physical.slot_s;
        let place = self.slot.wrapping_mul(UserRadios::places_per_slot(cells.len(), &radio.association));
        self.active.fill(0);
        self.connections.clear();
        for user in 0..self.num_users {
            let mut rng = self.seed.stream_at(Stream::Channel, u64::from(user), place);
            let connection = self.radios.advance(UserId(user), cells, now_s, &mut rng, radio);
            self.active[connection.cell.index()] += 1;
            self.connections.push(connection);
        }
        self.slot += 1;
        let mut sum = 0.0;
        for (user, connection) in (0..).map(UserId).zip(&self.connections) {
            let time_share = radio.communication_share() / f64::from(self.active[connection.cell.index()]);
            let [downlink, uplink] = radio.rates_bits_per_s(connection, None, time_share);
            let walked_m = self.radios.user(user).walked_m;
            black_box((uplink, radio.sensing_quality(connection, (self.seed, user), walked_m)));
            sum += downlink;
        }
        sum
    }
}
