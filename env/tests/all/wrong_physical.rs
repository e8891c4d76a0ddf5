//! Every key of a physical scenario, wrong in every way, and what contradicts it: what a person reads. The snapshots are pages
//! to be read aloud.

use crate::wrong::{page, verdict};

/// A physical scenario with every key that can stand beside the others.
const STREET: &str = r#"name = "street"
horizon_slots = 9
slot_s = 1.0
[cell]
count = 2
memory_gb = 70.0
[[models]]
name = "llama"
catalogue = "llama-3.1-8b"
bytes_per_weight = 1.0
window_tokens = 8192.0
[models.quality]
base = 0.5
gain = 0.1
exponent = 0.5
max_accuracy = 0.9
alignment = 0.8
[thought]
tokens = 250.0
paths = 1
consensus_factor = 1.0
vanishing_thoughts_per_slot = 0.1
[memory]
refresh = "clear"
shared_weights = true
kv = true
[context]
scope = "user"
drop_faded = true
[workload.sessions]
sessions_per_user_hour = 20.0
zipf_exponent = 0.9
reshuffle_slots = 4
[workload.sessions.starts.gamma]
cv = 2.0
[workload.sessions.diurnal]
period_slots = 5
amplitude = 0.5
[[workload.sessions.user_mix]]
share = 0.25
activity = 3.0
[[workload.sessions.user_mix]]
share = 0.75
activity = 1.0
[workload.sessions.turns.geometric]
mean = 3.0
[workload.sessions.think_time.lognormal]
mean_s = 30.0
cv = 1.2
[workload.sessions.new_tokens]
mean = 70.0
cv = 1.5
[workload.sessions.output_tokens]
mean = 210.0
cv = 0.5
[workload.sessions.tools]
prob = 0.5
mean_calls = 2.0
[workload.sessions.tools.time.exponential]
mean_s = 2.5
[workload.sessions.tools.result_tokens]
mean = 90.0
cv = 1.0
[decision]
granularity = "request"
hold = true
placements = ["edge", "split_edge_fine", "cloud", "device"]
[physical]
users = 50
carries_context = true
[physical.sites.hexagons]
distance_m = 100.0
[physical.radio.band]
name = "28ghz"
carrier_ghz = 26.0
bandwidth_mhz = 100.0
base_power_dbm = 30.0
base_gain_db = 20.0
base_noise_figure_db = 5.0
device_power_dbm = 20.0
device_gain_db = 0.5
device_noise_figure_db = 7.0
[physical.radio.path_loss.umi]
base_height_m = 10.0
user_height_m = 1.5
[physical.radio.area]
width_m = 600.0
depth_m = 500.0
[physical.radio.mobility.gauss_markov]
mean_speed_m_per_s = 1.4
memory_s = 30.0
[physical.radio.atmosphere]
dry_pressure_hpa = 1000.0
temperature_c = 20.0
vapour_g_per_m3 = 7.5
[physical.radio.blockage]
density_per_m2 = 0.01
speed_m_per_s = 1.0
reach_m = 5.0
mean_duration_s = 2.0
loss_db = 15.0
[physical.radio.link]
gap_db = 3.0
cap_bit_per_s_per_hz = 7.4
efficiency_ratio = 0.85
load_ratio = 0.5
interference_over_thermal_db = 3.0
[physical.radio.association]
hysteresis_db = 3.0
[physical.radio.sensing]
time_ratio = 0.1
processing_interval_ms = 10.0
cross_section_m2 = 1.0
range_error_m = 1.0
[physical.radio.features]
coarse_ratio = 0.02
fine_ratio = 0.1
enough_mbit = 0.5
[physical.server]
device = "h100-sxm"
gpus = 1
max_batch = 16
[physical.loading]
t_init_s = 0.5
remote_gb_per_s = 1.25
nvme_gb_per_s = 6.0
host_gb_per_s = 25.0
nvme_gb = 400.0
host_gb = 128.0
power_w = 100.0
[physical.cloud]
device = "h100-sxm"
model = "qwen2.5-72b"
gpus = 4
core_delay_ms = 30.0
backhaul_gbit_per_s = 1.0
currency_per_million_prompt_tokens = 1.2
currency_per_million_output_tokens = 1.5
[physical.cloud.quality]
base = 0.8
gain = 0.1
exponent = 0.5
max_accuracy = 0.9
alignment = 0.8
[[physical.devices]]
name = "flagship"
share = 0.25
device = "phone-flagship"
model = "qwen2.5-1.5b-int4"
[physical.devices.quality]
base = 0.4
gain = 0.1
exponent = 0.5
max_accuracy = 0.9
alignment = 0.8
[[physical.devices]]
name = "glasses"
share = 0.75
device = "xr-glasses"
model = "qwen2.5-0.5b-int4"
quality = { base = 0.3, gain = 0.1, exponent = 0.5, max_accuracy = 0.9, alignment = 0.8 }
[physical.twin]
floor = 0.6
memory_s = 20.0
[physical.weights]
cost_per_s = 0.5
cost_per_j = 0.001
cost_per_quality = 10.0
cost_per_currency = 100.0
cost_per_missed_deadline = 2.0
cost_per_store_gb = 0.02
[[services]]
name = "guide"
model = "llama"
[services.demands]
modality = "image"
sensor_kbit = 8000.0
perception_gflop = 50.0
deadline_s = 6.0
"#;

/// The lines of the page about keys from one on, up to another.
fn lines_between(from: &str, to: &str) -> String {
    let page = page(STREET, from);
    page.split(&format!("\n{to}")).take(1).collect()
}

#[test]
fn every_key_of_sessions() {
    assert_eq!(verdict(STREET), "accepted");
    insta::assert_snapshot!(lines_between("sessions_per_user_hour = 20.0", "decision."));
}

#[test]
fn every_key_of_the_physical_part() {
    insta::assert_snapshot!(page(STREET, "users = 50"));
}

#[test]
fn every_key_of_a_model_of_the_catalogue() {
    insta::assert_snapshot!(lines_between("catalogue = \"llama-3.1-8b\"", "thought."));
}

#[test]
fn every_key_of_models_and_devices_of_ones_own() {
    let model = "[[physical.catalogue.models]]
name = \"tiny\"
source = \"a test\"
total_parameters_b = 2.0
layers = 16
width = 2048
heads = 16
kv_heads = 8
head_dimension = 128
bytes_per_weight = 2.0
window_tokens = 9000.0
";
    let device = "[[physical.catalogue.devices]]
name = \"mine\"
source = \"a test\"
constants_source = \"a test\"
peak_fp16_tflop_per_s = 100.0
memory_gb = 80.0
bandwidth_gb_per_s = 1000.0
power_idle_w = 10.0
power_busy_w = 70.0
mfu = 0.5
eta = 0.7
t_step_ms = 2.0
";
    let first = "[[physical.catalogue.models]]";
    let text = STREET
        .replace("catalogue = \"llama-3.1-8b\"", "catalogue = \"tiny\"")
        .replace("device = \"h100-sxm\"\ngpus = 1", "device = \"mine\"\ngpus = 1");
    let text = format!("{text}{model}{device}");
    assert_eq!(verdict(&text), "accepted");
    let mut lines = page(&text, first);
    for name in ["h100-sxm", "mine"] {
        let twice = format!("{text}{}", device.replace("\"mine\"", &format!("{name:?}")));
        for line in ["physical.catalogue.devices a second ", name, "\n    ", &verdict(&twice), "\n"] {
            lines += line;
        }
    }
    insta::assert_snapshot!(lines);
}

#[test]
fn every_key_of_the_other_choices() {
    let mut pages = Vec::new();
    let mut other = |before: &str, after: &str, first: &str| {
        assert!(STREET.contains(before), "{before}");
        let text = STREET.replace(before, after);
        assert_eq!(verdict(&text), "accepted", "{after}");
        let page = page(&text, first);
        let table = after.lines().find(|line| line.starts_with('[')).unwrap().trim_matches(['[', ']']);
        let lines: Vec<&str> = page.lines().collect();
        let own = lines.chunks(2).take_while(|pair| pair[0].starts_with(table)).map(|pair| pair.join("\n"));
        pages.push(own.collect::<Vec<_>>().join("\n"));
    };
    other(
        "[workload.sessions.starts.gamma]\ncv = 2.0",
        "[workload.sessions.starts.weibull]\ncv = 2.5",
        "cv = 2.5",
    );
    other(
        "[workload.sessions.turns.geometric]\nmean = 3.0",
        "[workload.sessions.turns.empirical]\nshares = [0.5, 0.5]",
        "shares = [0.5, 0.5]",
    );
    other(
        "[physical.sites.hexagons]\ndistance_m = 100.0",
        "[physical.sites.places]\nat_m = [[100.0, 5.0], [200.0, 5.0]]",
        "at_m = [[100.0, 5.0], [200.0, 5.0]]",
    );
    other(
        "[physical.radio.mobility.gauss_markov]\nmean_speed_m_per_s = 1.4\nmemory_s = 30.0",
        "[physical.radio.mobility.random_waypoint]\nmin_speed_m_per_s = 0.5\nmax_speed_m_per_s = 1.5\npause_s = 10.5",
        "min_speed_m_per_s = 0.5",
    );
    other(
        "carrier_ghz = 26.0\nbandwidth_mhz = 100.0\nbase_power_dbm = 30.0\nbase_gain_db = 20.0\nbase_noise_figure_db = 5.0\ndevice_power_dbm = 20.0\ndevice_gain_db = 0.5\ndevice_noise_figure_db = 7.0\n[physical.radio.path_loss.umi]\nbase_height_m = 10.0\nuser_height_m = 1.5",
        "carrier_ghz = 140.0\n[physical.radio.path_loss.close_in]\nsite = \"umi\"\nexponent_los = 2.0\nexponent_nlos = 3.0\nsigma_los_db = 3.5\nsigma_nlos_db = 7.5",
        "site = \"umi\"",
    );
    insta::assert_snapshot!(pages.join("\n"));
}

#[test]
#[expect(clippy::too_many_lines, reason = "a list")]
fn what_contradicts_a_physical_scenario() {
    let cost = "[cost]\nedge_per_request = 0.0\ncloud_per_request = 0.0\naccuracy_weight = 0.0\ncompute_weight = 0.0\n[cost.switching.per_gb]\nweight = 1.0\n";
    let physical = &STREET[STREET.find("[physical]").unwrap()..STREET.find("[[services]]").unwrap()];
    let sessions = &STREET[STREET.find("[workload.sessions]").unwrap()..STREET.find("[decision]").unwrap()];
    let features = "[physical.radio.features]\ncoarse_ratio = 0.02\nfine_ratio = 0.1\nenough_mbit = 0.5\n";
    let poisson = "[workload.poisson]\nmean_requests_per_service = 1.0\nzipf_exponent = 1.0\n";
    let demands = &STREET[STREET.find("[services.demands]").unwrap()..];
    let with = |before: &str, after: &str| {
        assert!(STREET.contains(before), "{before}");
        STREET.replace(before, after)
    };
    let added = |line: &str| format!("{STREET}{line}");
    let cases = [
        ("both kinds of cost", with("[physical]\n", &format!("{cost}[physical]\n"))),
        ("no kind of cost", with(physical, "")),
        ("abstract costs with a catalogue", with(physical, cost)),
        (
            "sessions without users",
            with(physical, cost)
                .replace("catalogue = \"llama-3.1-8b\"\nbytes_per_weight = 1.0", "memory_gb = 9.0"),
        ),
        ("users who say nothing", with(sessions, poisson)),
        ("a quality law for all models", with("[thought]", "[quality.linear]\nbeta = 0.5\n[thought]")),
        ("a memory for a model of the catalogue", with("bytes_per_weight = 1.0", "memory_gb = 8.0")),
        (
            "parameters for a model of the catalogue",
            with("bytes_per_weight = 1.0", "active_parameters_b = 8.0"),
        ),
        ("context of a size of one's own", with("bytes_per_weight = 1.0", "kv_bytes_per_token = 8.0")),
        ("a model without a catalogue", with("catalogue = \"llama-3.1-8b\"\n", "")),
        (
            "a model without a quality",
            with(
                "[models.quality]\nbase = 0.5\ngain = 0.1\nexponent = 0.5\nmax_accuracy = 0.9\nalignment = 0.8\n",
                "",
            ),
        ),
        ("a service without demands", with(demands, "")),
        ("a service with an alpha", with("model = \"llama\"\n", "model = \"llama\"\nalpha = 0.5\n")),
        (
            "a service with a price",
            with("model = \"llama\"\n", "model = \"llama\"\ncloud_per_request = 0.5\n"),
        ),
        ("a speed of the cell", with("count = 2\n", "count = 2\ncompute_tflop_per_s = 9.0\n")),
        ("a budget of the cell", with("count = 2\n", "count = 2\ncompute_budget_tflop_per_slot = 9.0\n")),
        ("users twice", with("drop_faded = true", "drop_faded = true\nusers = 5")),
        ("batches of services", with("granularity = \"request\"\nhold = true", "granularity = \"service\"")),
        ("contexts of all users that are dropped", with("scope = \"user\"", "scope = \"service\"")),
        ("placements that all need memory", with("\"cloud\", \"device\"]", "\"edge\"]")),
        ("splits without features", with(features, "")),
        ("more memory than the GPUs have", with("memory_gb = 70.0", "memory_gb = 81.0")),
        (
            "a model that can never fit",
            with("catalogue = \"llama-3.1-8b\"\nbytes_per_weight = 1.0", "catalogue = \"llama-3.1-70b\""),
        ),
        ("a model whose context can never fit", with("window_tokens = 8192.0", "window_tokens = 1e6")),
        ("a window of one token", with("window_tokens = 8192.0", "window_tokens = 1.0")),
        ("a cloud that is too small", with("gpus = 4", "gpus = 1")),
        ("GPUs of the cloud that are no power of two", with("gpus = 4", "gpus = 3")),
        ("a device that is too small", with("model = \"qwen2.5-0.5b-int4\"", "model = \"llama-3.1-8b\"")),
        ("two classes of one name", with("name = \"glasses\"", "name = \"flagship\"")),
        ("shares of more than all users", with("share = 0.75\ndevice", "share = 0.8\ndevice")),
        ("shares of user classes", with("share = 0.75\nactivity", "share = 0.5\nactivity")),
        ("several cells at one place", with("[physical.sites.hexagons]\ndistance_m = 100.0\n", "")),
        ("a hexagon outside the area", with("distance_m = 100.0", "distance_m = 400.0")),
        (
            "a place too few",
            with(
                "[physical.sites.hexagons]\ndistance_m = 100.0\n",
                "[physical.sites.places]\nat_m = [[1.0, 1.0]]\n",
            ),
        ),
        (
            "a place outside the area",
            with(
                "[physical.sites.hexagons]\ndistance_m = 100.0\n",
                "[physical.sites.places]\nat_m = [[1.0, 1.0], [601.0, 1.0]]\n",
            ),
        ),
        (
            "two ways to place cells",
            with("[physical.sites.hexagons]", "[physical.sites.middle]\n[physical.sites.hexagons]"),
        ),
        ("a carrier beyond the standard", with("carrier_ghz = 26.0", "carrier_ghz = 140.0")),
        ("fine features that are coarse", with("fine_ratio = 0.1", "fine_ratio = 0.01")),
        (
            "more links than can be kept",
            with("users = 50", "users = 1000000").replace("count = 2", "count = 1000"),
        ),
        ("nobody ever asks", with("sessions_per_user_hour = 20.0", "sessions_per_user_hour = 1e-4")),
        (
            "everybody always asks",
            with("sessions_per_user_hour = 20.0", "sessions_per_user_hour = 3600.0")
                .replace("users = 50", "users = 1000000")
                .replace("count = 2", "count = 1")
                .replace("hexagons]\ndistance_m = 100.0", "middle]"),
        ),
        ("a prompt without end", with("mean = 70.0", "mean = 1e8")),
        (
            "a phase that nothing has",
            with("[decision]", "[observation]\npopularity_phase = true\n[decision]"),
        ),
        ("a key of another scenario", added("colour = \"red\"\n")),
        (
            "recorded ways",
            with(
                "gauss_markov]\nmean_speed_m_per_s = 1.4\nmemory_s = 30.0",
                "recorded]\nfile = \"walks.csv\"",
            ),
        ),
        (
            "recorded rates that are not at hand",
            with(
                "[physical.radio.area]",
                "[physical.radio.recorded_rates]\npath = \"rates.csv\"\nformat = \"throughput\"\nuplink_ratio = 0.1\n[physical.radio.area]",
            ),
        ),
        ("sites that are not at hand", with("hexagons]\ndistance_m = 100.0", "file]\npath = \"places.csv\"")),
        ("more sites than cells", with("hexagons]\ndistance_m = 100.0", "file]\npath = \"city.csv\"")),
        (
            "two models of one name",
            with(
                "[thought]",
                "[[models]]\nname = \"llama\"\ncatalogue = \"mistral-7b\"\nquality = { base = 0.5, gain = 0.1, exponent = 0.5, max_accuracy = 0.9, alignment = 0.8 }\n[thought]",
            ),
        ),
    ];
    let page: Vec<String> =
        cases.iter().map(|(what, text)| format!("{what}\n    {}\n", verdict(text))).collect();
    assert!(cases.iter().all(|(_, text)| verdict(text) != "accepted"), "{page:?}");
    insta::assert_snapshot!(page.concat());
}
