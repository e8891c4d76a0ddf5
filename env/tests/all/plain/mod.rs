//! A small physical scenario with round numbers.

use std::sync::Arc;
use thoughtcache_env::scenario::Scenario;
use thoughtcache_env::text::Override;

/// GB of weights by model: llama, mistral.
pub(crate) const WEIGHT_GB: [f64; 2] = [16.06, 14.484];
/// The model of each service.
pub(crate) const MODEL_OF: [usize; 3] = [0, 1, 0];
/// Bits of sensor data of each service.
pub(crate) const SENSOR_BITS: [f64; 3] = [1e6, 2e6, 1e6];

/// An office of one square metre: everybody is in sight, so near that a link always reaches its cap of 1 bit/s/Hz.
const PLAIN: &str = r#"
name = "plain"
horizon_slots = 60
slot_s = 1.0
[cell]
count = 1
memory_gb = 80.0
[[models]]
name = "llama"
catalogue = "llama-3.1-8b"
window_tokens = 8192.0
quality = { base = 0.5, gain = 0.1, exponent = 1.0, max_accuracy = 0.9, alignment = 0.8 }
[[models]]
name = "mistral"
catalogue = "mistral-7b"
quality = { base = 0.6, gain = 0.1, exponent = 1.0, max_accuracy = 0.9, alignment = 0.9 }
[thought]
tokens = 250.0
paths = 2
consensus_factor = 0.8
vanishing_thoughts_per_slot = 0.1
[memory]
refresh = "clear"
shared_weights = true
kv = true
[context]
scope = "user"
drop_faded = true
[workload.sessions]
sessions_per_user_hour = 1800.0
zipf_exponent = 0.0
turns.geometric.mean = 1.0
new_tokens = { mean = 100.0, cv = 0.0 }
output_tokens = { mean = 200.0, cv = 0.0 }
[decision]
granularity = "request"
hold = true
placements = ["edge", "split_edge_fine", "split_edge_coarse", "cloud", "split_cloud_fine", "split_cloud_coarse", "device"]
[physical]
users = 4
[physical.radio.band]
name = "7ghz"
bandwidth_mhz = 10.0
base_power_dbm = 40.0
device_power_dbm = 20.0
[physical.radio.path_loss.inh_open]
[physical.radio.area]
width_m = 1.0
depth_m = 1.0
[physical.radio.mobility.still]
[physical.radio.link]
cap_bit_per_s_per_hz = 1.0
efficiency_ratio = 1.0
[physical.radio.features]
coarse_ratio = 0.1
fine_ratio = 0.5
enough_mbit = 0.5
[physical.server]
device = "h100-sxm"
gpus = 1
max_batch = 2
[physical.loading]
t_init_s = 0.5
remote_gb_per_s = 4.0
nvme_gb_per_s = 8.0
host_gb_per_s = 20.0
nvme_gb = 100.0
host_gb = 100.0
power_w = 100.0
[physical.cloud]
device = "h100-sxm"
model = "llama-3.1-8b"
gpus = 1
quality = { base = 0.7, gain = 0.0, exponent = 1.0, max_accuracy = 0.9, alignment = 1.0 }
core_delay_ms = 20.0
backhaul_gbit_per_s = 1.0
currency_per_million_prompt_tokens = 1.0
currency_per_million_output_tokens = 2.0
[[physical.devices]]
name = "phone"
share = 1.0
device = "phone-flagship"
model = "qwen2.5-1.5b-int4"
quality = { base = 0.4, gain = 0.0, exponent = 1.0, max_accuracy = 0.9, alignment = 0.5 }
[physical.twin]
floor = 0.6
memory_s = 10.0
[physical.weights]
cost_per_s = 1.0
cost_per_j = 0.01
cost_per_quality = 10.0
cost_per_currency = 100.0
cost_per_missed_deadline = 5.0
cost_per_store_gb = 0.02
[[services]]
name = "guide"
model = "llama"
demands = { modality = "image", sensor_kbit = 1000.0, perception_gflop = 50.0, deadline_s = 6.0 }
[[services]]
name = "memo"
model = "mistral"
demands = { modality = "audio", sensor_kbit = 2000.0, perception_gflop = 20.0, deadline_s = 3.0 }
[[services]]
name = "tutor"
model = "llama"
demands = { modality = "image", sensor_kbit = 1000.0, perception_gflop = 50.0, deadline_s = 6.0 }
"#;

/// The scenario with other values.
pub(crate) fn plain(changes: &[(&str, &str)]) -> Arc<Scenario> {
    let overrides: Vec<Override> =
        changes.iter().map(|(k, v)| Override { key: (*k).into(), value: (*v).into() }).collect();
    let loaded = Scenario::load("plain.toml", PLAIN, &overrides, |path| Err(format!("no {path}")));
    Arc::new(loaded.unwrap_or_else(|error| panic!("{error}")).1)
}
