//! The shipped physical scenarios, and variants of one of them for every choice that there is.
//!
//! Its numbers may change: what is changed here stands by key, never by value.

use std::sync::Arc;
use thoughtcache_env::radio::mobility::Position;
use thoughtcache_env::radio::mobility::recorded::{RecordedPath, RecordedPaths};
use thoughtcache_env::radio::recorded_rates::RateFormat;
use thoughtcache_env::radio::recordings::NamedSite;
use thoughtcache_env::radio::replay::{ThroughputTrace, ThroughputTraces};
use thoughtcache_env::scenario::Scenario;
use thoughtcache_env::scenario::files::Files;
use thoughtcache_env::text::Override;
use thoughtcache_env::workload::trace::Trace;

/// The scenario as it is shipped.
const TEXT: &str = include_str!("../../../../configs/scenarios/street.toml");

/// The others, as they are shipped; the recording of the last is replaced by a small one.
const OTHERS: [(&str, &str); 3] = [
    ("office-140ghz", include_str!("../../../../configs/scenarios/office-140ghz.toml")),
    ("city", include_str!("../../../../configs/scenarios/city.toml")),
    ("trace-lumos5g", include_str!("../../../../configs/scenarios/trace-lumos5g.toml")),
];

/// Small recordings, made by hand.
struct HandMade;

impl Files for HandMade {
    fn requests(&mut self, path: &str) -> Result<Trace, String> {
        Err(format!("no {path}"))
    }

    fn ways(&mut self, _path: &str) -> Result<RecordedPaths, String> {
        let way = |from: [f64; 2], to: [f64; 2]| {
            let at = |[x_m, y_m]: [f64; 2]| Position { x_m, y_m };
            RecordedPath::new(&[(0.0, at(from)), (100.0, at(to)), (160.0, at([200.0, 190.0]))]).unwrap()
        };
        Ok(RecordedPaths::new(vec![way([0.0, 0.0], [400.0, 0.0]), way([5.0, 300.0], [390.0, 310.0])])
            .unwrap())
    }

    fn throughput(&mut self, _path: &str, _format: RateFormat) -> Result<ThroughputTraces, String> {
        let trace = |number: u32| {
            let sample = |second: u32| (f64::from(second), 1e6 * f64::from((second * (7 + number)) % 97));
            let samples: Vec<(f64, f64)> = (0..300).map(sample).collect();
            ThroughputTrace::new(format!("{}G/{number}", 4 + number % 2), &samples, 1.0).unwrap()
        };
        Ok(ThroughputTraces::new((0..8).map(trace).collect()).unwrap())
    }

    fn sites(&mut self, _path: &str) -> Result<Vec<NamedSite>, String> {
        let site = |name: &str, x_m| NamedSite { name: name.into(), place: Position { x_m, y_m: 250.0 } };
        Ok(vec![site("west", 80.0), site("east", 320.0)])
    }
}

/// The scenario without some of its tables, and with other values.
fn scenario(without: &[&str], overrides: &[(&str, &str)]) -> Arc<Scenario> {
    let overrides: Vec<Override> =
        overrides.iter().map(|(k, v)| Override { key: (*k).into(), value: (*v).into() }).collect();
    let text = without.iter().fold(TEXT.to_owned(), |text, table| removed(&text, table));
    let loaded = Scenario::load_with("street.toml", &text, &overrides, &mut HandMade);
    Arc::new(loaded.unwrap_or_else(|error| panic!("{error}")).1)
}

/// The text without one table, which has to be there.
fn removed(text: &str, table: &str) -> String {
    let header = format!("[{table}]");
    assert!(text.lines().any(|line| line == header), "{table} stands in the scenario");
    let mut is_inside = false;
    let kept = text.lines().filter(|line| {
        if line.starts_with('[') {
            is_inside = *line == header;
        }
        !is_inside
    });
    kept.flat_map(|line| [line, "\n"]).collect()
}

const HEXAGONS: &[(&str, &str)] = &[
    ("cell.count", "7"),
    ("physical.users", "200"),
    ("physical.radio.area.width_m", "600"),
    ("physical.radio.area.depth_m", "600"),
    ("physical.sites.hexagons.distance_m", "200"),
    ("physical.radio.mobility.gauss_markov.mean_speed_m_per_s", "20"),
];
const TOOLS: &str = "{ prob = 0.5, mean_calls = 2, time = { exponential = { mean_s = 2 } }, result_tokens = { mean = 90, cv = 1 } }";

const TEXT_DEMANDS: &str = "{ modality = \"text\", deadline_s = 5.0 }";

const RECORDED_RATES: &[(&str, &str)] = &[
    ("physical.radio.recorded_rates.path", "\"rates.csv\""),
    ("physical.radio.recorded_rates.format", "\"throughput\""),
    ("physical.radio.recorded_rates.uplink_ratio", "0.1"),
];
const RECORDED_RATES_OF_FIVE: &[(&str, &str)] = &[
    ("physical.radio.recorded_rates.path", "\"rates.csv\""),
    ("physical.radio.recorded_rates.format", "\"irish5g\""),
    ("physical.radio.recorded_rates.kind", "\"5G\""),
    ("physical.radio.recorded_rates.part", "\"all\""),
    ("physical.radio.recorded_rates.uplink_ratio", "0.2"),
];

/// Tables that go, and values that change.
type Change = (&'static [&'static str], &'static [(&'static str, &'static str)]);

/// Every option of a physical scenario that is a choice and no number: tables that go, values that change.
const VARIANTS: &[Change] = &[
    (&[], &[]),
    (&[], HEXAGONS),
    (
        &[],
        &[
            ("cell.count", "2"),
            ("physical.radio.area.width_m", "600"),
            ("physical.radio.area.depth_m", "600"),
            ("physical.sites.places.at_m", "[[100, 300], [500, 300]]"),
            ("physical.radio.association.hysteresis_db", "0"),
        ],
    ),
    (
        &[],
        &[
            ("physical.radio.band.name", "\"140ghz\""),
            ("physical.radio.path_loss.close_in.site", "\"umi\""),
            ("physical.radio.atmosphere.temperature_c", "30"),
            ("physical.radio.atmosphere.dry_pressure_hpa", "900"),
            ("physical.radio.atmosphere.vapour_g_per_m3", "20"),
        ],
    ),
    (&[], &[("physical.radio.path_loss.uma.base_height_m", "25")]),
    (&[], &[("physical.radio.path_loss.inh_mixed.base_height_m", "3")]),
    (&[], &[("physical.radio.path_loss.inh_open.base_height_m", "3")]),
    (&[], &[("physical.radio.fading.block", "{}")]),
    (&[], &[("physical.radio.mobility.still", "{}")]),
    (
        &[],
        &[
            ("physical.radio.mobility.random_waypoint.min_speed_m_per_s", "1"),
            ("physical.radio.mobility.random_waypoint.max_speed_m_per_s", "15"),
            ("physical.radio.mobility.random_waypoint.pause_s", "10"),
        ],
    ),
    (&[], &[("physical.radio.mobility.recorded.file", "\"ways.csv\"")]),
    (&["physical.radio.link"], RECORDED_RATES),
    (&["physical.radio.link", "physical.radio.blockage"], RECORDED_RATES_OF_FIVE),
    (&[], &[("cell.count", "2"), ("physical.sites.file.path", "\"two.csv\"")]),
    (&["physical.radio.sensing"], &[]),
    (&["physical.radio.blockage"], &[]),
    (&["physical.radio.features"], &[("decision.placements", "[\"edge\", \"cloud\", \"device\"]")]),
    (&[], &[("decision.placements", "[\"device\", \"split_edge_fine\"]")]),
    (&[], &[("decision.prefetch", "true")]),
    (
        &[],
        &[("decision.prefetch", "true"), ("cell.count", "3"), ("physical.sites.hexagons.distance_m", "200")],
    ),
    (&[], &[("decision.hold", "false")]),
    (&[], &[("memory.shared_weights", "false")]),
    (&[], &[("memory.kv", "false")]),
    (&[], &[("context.scope", "\"service\""), ("context.drop_faded", "false")]),
    (&[], &[("context.drop_faded", "false")]),
    (&[], &[("physical.carries_context", "true")]),
    (&[], &[("memory.refresh", "\"evict\""), ("thought.tokens", "2000")]),
    (&[], &[("memory.refresh", "\"clear\""), ("thought.tokens", "2000")]),
    (&[], &[("physical.users", "1"), ("workload.sessions.sessions_per_user_hour", "900")]),
    (&[], &[("physical.users", "1000")]),
    (&[], &[("physical.users", "1000"), ("physical.server.max_batch", "1")]),
    (&[], &[("cell.memory_gb", "20")]),
    (&[], &[("cell.memory_gb", "0.001")]),
    (&[], &[("slot_s", "5")]),
    (&[], &[("workload.sessions.tools", TOOLS)]),
    (&[], &[("workload.sessions.starts.gamma.cv", "3")]),
    (&[], &[("workload.sessions.starts.weibull.cv", "0.5")]),
    (
        &[],
        &[(
            "workload.sessions.starts.modulated.states",
            "[{ factor = 0, mean_slots = 20 }, { factor = 4, mean_slots = 5 }]",
        )],
    ),
    (&[], &[("workload.sessions.diurnal.period_slots", "60"), ("workload.sessions.diurnal.amplitude", "1")]),
    (
        &[],
        &[("workload.sessions.user_mix", "[{ share = 0.2, activity = 10 }, { share = 0.8, activity = 1 }]")],
    ),
    (&[], &[("workload.sessions.turns.empirical.shares", "[0.2, 0.3, 0.5]")]),
    (&[], &[("workload.sessions.think_time.exponential.mean_s", "5")]),
    (&[], &[("physical.edition", "2")]),
    (
        &[],
        &[
            ("physical.edition", "2"),
            ("services.1.demands", TEXT_DEMANDS),
            ("services.6.demands", TEXT_DEMANDS),
        ],
    ),
    (
        &[],
        &[
            ("physical.edition", "2"),
            ("cell.count", "2"),
            ("physical.sites.hexagons.distance_m", "200"),
            ("physical.radio.link.uplink_efficiency_ratio", "0.1"),
            ("physical.radio.fading.block", "{}"),
        ],
    ),
];

/// All variants by name.
pub(crate) fn variants() -> Vec<(String, Arc<Scenario>)> {
    let build = |(without, overrides): &Change| {
        (format!("street {without:?} {overrides:?}"), scenario(without, overrides))
    };
    let others = OTHERS.map(|(name, text)| {
        let loaded = Scenario::load_with(name, text, &[], &mut HandMade);
        (name.to_owned(), Arc::new(loaded.unwrap_or_else(|error| panic!("{error}")).1))
    });
    VARIANTS.iter().map(build).chain(others).collect()
}
