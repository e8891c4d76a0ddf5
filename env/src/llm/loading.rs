//! The place of the weights of a model outside GPU memory, and the time of their load.
//!
//! Models: a remote store that holds every model, then the cell's NVMe, its host memory and its GPUs, one behind the other.
//! NVMe and host memory keep what passed through them, as far as it fits, and drop what was used longest ago.
//!
//! Equation:
//! ```text
//! T_load = t_init + bytes / slowest bandwidth between the tier that holds the weights and the GPU
//! ```
//! Symbols: `t_init` seconds that every load takes whatever its size; bandwidths are those of the links remote -> NVMe,
//! NVMe -> host memory, host memory -> GPU.
//!
//! Assumptions: weights stream through all links at once, so that the slowest decides. Loads in flight do not slow each other
//! (the link to a remote store is rarely the cell's own bottleneck twice). What leaves GPU memory stays in host memory while
//! there is room, at no time: weights do not change and host memory kept them. An entry on weights that are on their way for
//! another entry waits for those.
//!
//! An episode begins with an empty host memory and, where the scenario says so, with its models on NVMe (*ours*: a cell that
//! sells these services has seen them before).
//!
//! Source: MODEL 5.

use crate::invalid::{Invalid, Range, number};
use crate::units::{ModelId, ServiceId, gb_to_bytes};
use serde::{Deserialize, Serialize};

/// The place of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// In the store far away, which holds every model.
    Remote,
    /// On the cell's NVMe.
    Nvme,
    /// In the cell's host memory.
    Host,
    /// In GPU memory; whoever keeps the entries knows.
    Gpu,
}

/// The way of the weights, as its file says it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoadPathConfig {
    /// Seconds that every load takes whatever its size, at least 0.
    pub t_init_s: f64,
    /// Bandwidth from the remote store to the cell's NVMe in GB/s, above 0.
    pub remote_gb_per_s: f64,
    /// Bandwidth from NVMe to host memory in GB/s, above 0.
    pub nvme_gb_per_s: f64,
    /// Bandwidth from host memory to GPU memory in GB/s, above 0.
    pub host_gb_per_s: f64,
    /// NVMe that weights may use, in GB, at least 0.
    pub nvme_gb: f64,
    /// Host memory that weights may use, in GB, at least 0.
    pub host_gb: f64,
    /// Watts beyond idling while a load runs, at least 0.
    pub power_w: f64,
    /// Whether NVMe holds the models of the scenario when an episode begins, in their order and as far as they fit; all are
    /// in the remote store when absent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub starts_on_nvme: bool,
}

/// The way of the weights, validated, in SI units.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LoadPath {
    init_s: f64,
    remote_bytes_per_s: f64,
    nvme_bytes_per_s: f64,
    host_bytes_per_s: f64,
    nvme_bytes: u64,
    host_bytes: u64,
    power_w: f64,
    starts_on_nvme: bool,
}

impl LoadPathConfig {
    /// Checks every number; `place` is where the table stands, `physical.loading` say.
    ///
    /// # Errors
    /// The first value that cannot be meant.
    pub fn validate(&self, place: &str) -> Result<LoadPath, Invalid> {
        let bandwidth = |field: &str, value: f64| {
            Ok::<f64, Invalid>(1e9 * number(format!("{place}.{field}"), value, Range::Between(1e-6, 1e6))?)
        };
        let size = |field: &str, value: f64| {
            Ok::<u64, Invalid>(gb_to_bytes(number(
                format!("{place}.{field}"),
                value,
                Range::Between(0.0, 1e6),
            )?))
        };
        Ok(LoadPath {
            init_s: number(format!("{place}.t_init_s"), self.t_init_s, Range::Between(0.0, 1e6))?,
            remote_bytes_per_s: bandwidth("remote_gb_per_s", self.remote_gb_per_s)?,
            nvme_bytes_per_s: bandwidth("nvme_gb_per_s", self.nvme_gb_per_s)?,
            host_bytes_per_s: bandwidth("host_gb_per_s", self.host_gb_per_s)?,
            nvme_bytes: size("nvme_gb", self.nvme_gb)?,
            host_bytes: size("host_gb", self.host_gb)?,
            power_w: number(format!("{place}.power_w"), self.power_w, Range::Between(0.0, 1e6))?,
            starts_on_nvme: self.starts_on_nvme,
        })
    }
}

impl LoadPath {
    /// Seconds to bring so many bytes from a tier into GPU memory; none for nothing, or for what is there.
    pub fn load_s(&self, from: Tier, bytes: u64) -> f64 {
        let slowest = match from {
            Tier::Gpu => return 0.0,
            Tier::Host => self.host_bytes_per_s,
            Tier::Nvme => self.host_bytes_per_s.min(self.nvme_bytes_per_s),
            Tier::Remote => self.host_bytes_per_s.min(self.nvme_bytes_per_s).min(self.remote_bytes_per_s),
        };
        if bytes == 0 { 0.0 } else { self.init_s + bytes as f64 / slowest }
    }

    /// Joules beyond idling of a load that takes so many seconds.
    pub fn load_j(&self, load_s: f64) -> f64 {
        self.power_w * load_s
    }
}

/// Weights on their way into GPU memory.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Flight {
    service: ServiceId,
    model: ModelId,
    #[serde(deserialize_with = "crate::kept::amount")]
    seconds_left: f64,
}

/// The weights that one cell holds outside its GPUs, and those on their way.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Loading {
    /// Models in host memory, used longest ago first.
    host: Vec<ModelId>,
    /// Models on NVMe, used longest ago first.
    nvme: Vec<ModelId>,
    /// In the order in which they began.
    flights: Vec<Flight>,
}

impl Loading {
    /// Begins anew: host memory holds nothing, nothing is on its way, and NVMe holds nothing, or the models in their order as
    /// far as they fit.
    pub fn begin_anew(&mut self, path: &LoadPath, model_bytes: &[u64]) {
        self.host.clear();
        self.flights.clear();
        self.nvme.clear();
        let mut free_bytes = if path.starts_on_nvme { path.nvme_bytes } else { 0 };
        for (index, &bytes) in model_bytes.iter().enumerate() {
            if bytes <= free_bytes {
                free_bytes -= bytes;
                self.nvme.push(ModelId::from_index(index));
            }
        }
    }

    /// The nearest tier outside GPU memory that holds a model.
    pub fn tier(&self, model: ModelId) -> Tier {
        if self.host.contains(&model) {
            Tier::Host
        } else if self.nvme.contains(&model) {
            Tier::Nvme
        } else {
            Tier::Remote
        }
    }

    /// Where the weights of each model are outside GPU memory: [`tier`](Self::tier) of all, for less than the sum.
    pub fn tiers(&self, by_model: &mut [Tier]) {
        by_model.fill(Tier::Remote);
        for (shelf, tier) in [(&self.nvme, Tier::Nvme), (&self.host, Tier::Host)] {
            for model in shelf {
                by_model[model.index()] = tier;
            }
        }
    }

    /// The entries that are being loaded, each with the seconds until its weights are there.
    pub fn in_flight(&self) -> impl Iterator<Item = (ServiceId, f64)> {
        self.flights.iter().map(|flight| (flight.service, flight.seconds_left))
    }

    /// Seconds that an entry would wait for its weights if it were loaded now. `bytes` are those that are not in GPU memory:
    /// 0 where the entry uses weights that are there, or on their way.
    pub fn expected_s(&self, path: &LoadPath, model: ModelId, bytes: u64) -> f64 {
        if bytes > 0 {
            return path.load_s(self.tier(model), bytes);
        }
        let same = self.flights.iter().filter(|flight| flight.model == model);
        same.map(|flight| flight.seconds_left).fold(0.0, f64::max)
    }

    /// Begins to load an entry, and returns the seconds that it takes. `bytes` as in [`expected_s`](Self::expected_s);
    /// `model_bytes` are the sizes of all models.
    /// An entry that is on its way already begins anew.
    pub fn begin(
        &mut self,
        path: &LoadPath,
        model_bytes: &[u64],
        service: ServiceId,
        model: ModelId,
        bytes: u64,
    ) -> f64 {
        self.cancel(service);
        let seconds = self.expected_s(path, model, bytes);
        if seconds > 0.0 {
            self.flights.push(Flight { service, model, seconds_left: seconds });
        }
        if bytes > 0 {
            // What comes from afar passes through both; what is nearer is only renewed where it is.
            if self.tier(model) == Tier::Remote || self.nvme.contains(&model) {
                keep(&mut self.nvme, path.nvme_bytes, model_bytes, model);
            }
            keep(&mut self.host, path.host_bytes, model_bytes, model);
        }
        seconds
    }

    /// The weights of a model have left GPU memory.
    pub fn evicted(&mut self, path: &LoadPath, model_bytes: &[u64], model: ModelId) {
        keep(&mut self.host, path.host_bytes, model_bytes, model);
    }

    /// An entry leaves before it arrived: it is no longer waited for.
    pub fn cancel(&mut self, service: ServiceId) {
        self.flights.retain(|flight| flight.service != service);
    }

    /// Seconds until an entry's weights are there; 0 where it does not wait for any.
    pub fn seconds_left(&self, service: ServiceId) -> f64 {
        let flight = self.flights.iter().find(|flight| flight.service == service);
        flight.map_or(0.0, |flight| flight.seconds_left)
    }

    /// Lets time pass.
    pub fn advance(&mut self, seconds: f64) {
        for flight in &mut self.flights {
            flight.seconds_left -= seconds;
        }
        self.flights.retain(|flight| flight.seconds_left > 0.0);
    }

    /// Whether it names models and services that there are.
    pub(crate) fn fits(&self, num_models: usize, num_services: usize) -> bool {
        self.host.iter().chain(&self.nvme).all(|model| model.index() < num_models)
            && self
                .flights
                .iter()
                .all(|flight| flight.service.index() < num_services && flight.model.index() < num_models)
    }
}

fn held_bytes(shelf: &[ModelId], model_bytes: &[u64]) -> u128 {
    shelf.iter().map(|model| u128::from(model_bytes[model.index()])).sum()
}

/// Puts a model on a shelf as the one used last, and takes off what was used longest ago until it fits. What is larger than
/// the shelf is not put there.
fn keep(shelf: &mut Vec<ModelId>, capacity_bytes: u64, model_bytes: &[u64], model: ModelId) {
    if model_bytes[model.index()] > capacity_bytes {
        return;
    }
    shelf.retain(|&kept| kept != model);
    shelf.push(model);
    while held_bytes(shelf, model_bytes) > u128::from(capacity_bytes) {
        shelf.remove(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;

    const MODELS: [u64; 4] = [10_000_000_000, 20_000_000_000, 30_000_000_000, 90_000_000_000];
    const A: ModelId = ModelId(0);
    const B: ModelId = ModelId(1);
    const C: ModelId = ModelId(2);
    const HUGE: ModelId = ModelId(3);

    fn config() -> LoadPathConfig {
        LoadPathConfig {
            t_init_s: 0.5,
            remote_gb_per_s: 1.0,
            nvme_gb_per_s: 5.0,
            host_gb_per_s: 20.0,
            nvme_gb: 60.0,
            host_gb: 40.0,
            power_w: 100.0,
            starts_on_nvme: false,
        }
    }

    fn path() -> LoadPath {
        config().validate("loading").unwrap()
    }

    fn load(loading: &mut Loading, service: u32, model: ModelId) -> f64 {
        let seconds = loading.begin(&path(), &MODELS, ServiceId(service), model, MODELS[model.index()]);
        loading.advance(1e3);
        seconds
    }

    #[test]
    fn the_slowest_link_from_the_tier_that_holds_the_weights_decides() {
        let path = path();
        assert_relative_eq!(path.load_s(Tier::Remote, MODELS[1]), 20.5);
        assert_relative_eq!(path.load_s(Tier::Nvme, MODELS[1]), 4.5);
        assert_relative_eq!(path.load_s(Tier::Host, MODELS[1]), 1.5);
        assert_eq!((path.load_s(Tier::Gpu, MODELS[1]), path.load_s(Tier::Remote, 0)), (0.0, 0.0));
        let slow_host = LoadPathConfig { host_gb_per_s: 0.5, ..config() }.validate("loading").unwrap();
        assert_relative_eq!(slow_host.load_s(Tier::Remote, MODELS[1]), 40.5);
        assert_relative_eq!(path.load_j(4.5), 450.0);
    }

    #[test]
    fn weights_are_nearer_the_second_time_and_the_oldest_leave_first() {
        let mut loading = Loading::default();
        assert_eq!((loading.tier(A), load(&mut loading, 0, A)), (Tier::Remote, 10.5));
        assert_eq!((loading.tier(A), load(&mut loading, 0, A)), (Tier::Host, 1.0));
        load(&mut loading, 0, B);
        // 10 and 20 GB are in host memory; a third of 30 GB takes the place of both, as 50 are more than 40.
        load(&mut loading, 0, C);
        assert_eq!([A, B, C].map(|model| loading.tier(model)), [Tier::Nvme, Tier::Nvme, Tier::Host]);
        // What is used again is the last to leave.
        assert_eq!(load(&mut loading, 0, A), 2.5);
        load(&mut loading, 0, B);
        assert_eq!([A, B, C].map(|model| loading.tier(model)), [Tier::Host, Tier::Host, Tier::Nvme]);
        let mut tiers = [Tier::Gpu; 4];
        loading.tiers(&mut tiers);
        assert_eq!(tiers, [A, B, C, HUGE].map(|model| loading.tier(model)), "all at once");
    }

    #[test]
    fn a_model_larger_than_a_tier_passes_through_it() {
        let mut loading = Loading::default();
        load(&mut loading, 0, A);
        load(&mut loading, 0, HUGE);
        assert_eq!((loading.tier(HUGE), loading.tier(A)), (Tier::Remote, Tier::Host), "nothing left for it");
    }

    #[test]
    fn what_leaves_the_gpu_stays_in_host_memory_while_there_is_room() {
        let mut loading = Loading::default();
        for model in [A, C] {
            load(&mut loading, 0, model);
        }
        loading.evicted(&path(), &MODELS, A);
        load(&mut loading, 0, B);
        // A was evicted after C was loaded: C is the oldest.
        assert_eq!([A, B, C].map(|model| loading.tier(model)), [Tier::Host, Tier::Host, Tier::Nvme]);
    }

    #[test]
    fn loads_in_flight_arrive_when_their_time_is_over() {
        let mut loading = Loading::default();
        let (path, [first, second]) = (path(), [ServiceId(0), ServiceId(1)]);
        assert_eq!(loading.begin(&path, &MODELS, first, A, MODELS[0]), 10.5);
        loading.advance(4.0);
        assert_eq!((loading.seconds_left(first), loading.flights.len()), (6.5, 1));
        // Shared weights: nothing more has to travel, but they are not there yet.
        assert_eq!(loading.expected_s(&path, A, 0), 6.5);
        assert_eq!(loading.begin(&path, &MODELS, second, A, 0), 6.5);
        assert_eq!(loading.flights.len(), 2);
        loading.advance(6.5);
        assert_eq!((loading.seconds_left(second), loading.seconds_left(first)), (0.0, 0.0));
        assert_eq!(loading.begin(&path, &MODELS, second, A, 0), 0.0, "they are there");
        assert_eq!(loading.flights.len(), 0);
        loading.begin(&path, &MODELS, second, B, MODELS[1]);
        loading.cancel(second);
        assert_eq!(loading.flights.len(), 0);
        loading.begin_anew(&path, &MODELS);
        assert_eq!(loading, Loading::default());
        let path = LoadPathConfig { starts_on_nvme: true, ..config() }.validate("loading").unwrap();
        loading.begin_anew(&path, &MODELS);
        // 10, 20 and 30 GB fill the NVMe; the fourth finds no room, and host memory is empty.
        assert_eq!(
            [A, B, C, HUGE].map(|model| loading.tier(model)),
            [Tier::Nvme, Tier::Nvme, Tier::Nvme, Tier::Remote]
        );
        assert_eq!(loading.flights.len(), 0);
    }

    #[test]
    fn a_state_of_other_models_or_services_does_not_fit() {
        let mut loading = Loading::default();
        load(&mut loading, 0, A);
        loading.begin(&path(), &MODELS, ServiceId(0), B, MODELS[1]);
        assert!(loading.fits(2, 1));
        assert!(!loading.fits(1, 1) && !loading.fits(2, 0));
    }

    #[test]
    fn a_state_comes_back_from_its_bytes() {
        let mut loading = Loading::default();
        load(&mut loading, 0, A);
        loading.begin(&path(), &MODELS, ServiceId(0), B, MODELS[1]);
        let bytes = postcard::to_allocvec(&loading).unwrap();
        assert_eq!(postcard::from_bytes::<Loading>(&bytes).unwrap(), loading);
    }

    #[test]
    fn impossible_paths_name_the_key_and_what_is_allowed() {
        let message = |config: LoadPathConfig| config.validate("physical.loading").unwrap_err().to_string();
        assert_eq!(
            message(LoadPathConfig { nvme_gb_per_s: 0.0, ..config() }),
            "physical.loading.nvme_gb_per_s = 0.0: a number from 1e-6 to 1000000.0"
        );
        assert_eq!(
            message(LoadPathConfig { t_init_s: f64::NAN, ..config() }),
            "physical.loading.t_init_s = NaN: a number from 0.0 to 1000000.0"
        );
    }
}
