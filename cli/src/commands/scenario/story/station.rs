//! What a cell of a physical scenario does beside keeping entries.

use crate::quantity::seconds;
use serde::Serialize;
use std::fmt::{self, Write as _};
use thoughtcache_env::llm::loading::Tier;
use thoughtcache_env::units::{CellId, ModelId, ServiceId};
use thoughtcache_env::world::World;

/// Work that waits, weights nearby, and weights on their way.
#[derive(Debug, Serialize)]
pub(super) struct AtWork {
    backlog_s: f64,
    /// Models in host memory, and on NVMe only.
    host: Vec<String>,
    nvme: Vec<String>,
    loading: Vec<OnItsWay>,
}

/// An entry whose weights are not there yet.
#[derive(Debug, Serialize)]
struct OnItsWay {
    service: String,
    left_s: f64,
}

impl AtWork {
    /// `None` in abstract scenarios.
    pub(super) fn look(world: &World, cell: CellId) -> Option<Self> {
        let (loading, scenario) = (world.station(cell)?.loading(), world.scenario());
        let mut at_work = Self {
            backlog_s: world.backlog_s(cell),
            host: Vec::new(),
            nvme: Vec::new(),
            loading: Vec::new(),
        };
        let mut seen: Vec<ModelId> = Vec::new();
        for (index, service) in scenario.services().iter().enumerate() {
            let id = ServiceId::from_index(index);
            if loading.is_loading(id) {
                let left_s = loading.seconds_left(id);
                at_work.loading.push(OnItsWay { service: service.name.clone(), left_s });
            }
            if seen.contains(&service.model) {
                continue;
            }
            seen.push(service.model);
            let shelf = match loading.tier(service.model) {
                Tier::Host => &mut at_work.host,
                Tier::Nvme => &mut at_work.nvme,
                Tier::Remote | Tier::Gpu => continue,
            };
            shelf.push(scenario.model_name(service.model).to_owned());
        }
        Some(at_work)
    }

    /// The same in words.
    pub(super) fn write(&self, text: &mut String) -> fmt::Result {
        let list = |names: &[String]| if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
        writeln!(text, "    work      {} until the GPUs are idle", seconds(self.backlog_s))?;
        writeln!(text, "    nearby    host memory: {}; NVMe alone: {}", list(&self.host), list(&self.nvme))?;
        let on_their_way = self.loading.iter();
        let on_their_way: Vec<String> =
            on_their_way.map(|entry| format!("{} ({} left)", entry.service, seconds(entry.left_s))).collect();
        if on_their_way.is_empty() {
            return Ok(());
        }
        writeln!(text, "    loading   {}", on_their_way.join(", "))
    }
}
