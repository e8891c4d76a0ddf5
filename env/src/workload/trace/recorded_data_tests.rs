//! The importers against the recorded files and what is known about them. Where the files are missing, each test says so
//! in one line and passes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;

use flate2::read::GzDecoder;

use super::*;

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data");

fn open(name: &str) -> Option<File> {
    let file = File::open(format!("{DATA}/{name}")).ok();
    if file.is_none() {
        println!("skipped: recorded data ../shared/data/{name} is not here");
    }
    file
}

/// As a scenario reads it: imported, written, read again.
fn again(trace: &Trace) -> Trace {
    Trace::read(&trace.write(Vec::new()).unwrap()[..]).unwrap()
}

fn gentd26() -> Option<Trace> {
    let requests = open("gentd26/lora_request_trace.csv.gz")?;
    let mut load_times = open("gentd26/basemodel_update_latency_anon.csv.gz")?;
    Some(again(&import::gentd26(requests, Some(&mut load_times)).unwrap()))
}

fn azure(name: &str) -> Option<Trace> {
    let file = open(&format!("azure_llm_2023/AzureLLMInferenceTrace_{name}.csv.gz"))?;
    Some(again(&import::azure(file).unwrap()))
}

fn stats(trace: &Trace, slot_s: Option<f64>) -> TraceStats {
    TraceStats::new(trace, slot_s, SplitShares::default()).unwrap()
}

const TOP: TraceServicesConfig = TraceServicesConfig::TopModels(TopModelsConfig {});

fn parts(
    trace: &Trace,
    slot_s: f64,
    map: (&TraceServicesConfig, u32),
) -> Result<[SlottedRequests; 3], RecordingError> {
    SlottedRequests::parts(trace, trace.split(slot_s, SplitShares::default())?, map, false)
}

fn requested(trace: &Trace) -> Vec<u64> {
    (0..trace.num_requests()).filter_map(|row| trace.model(row)).map(u64::from).collect()
}

/// Misses of a least-recently-used cache of equal sizes that must load: a list, newest first.
fn lru_misses(requests: &[u64], capacity: usize) -> usize {
    let mut cache: Vec<u64> = Vec::new();
    let mut misses = 0;
    for request in requests {
        if let Some(place) = cache.iter().position(|cached| cached == request) {
            cache.remove(place);
        } else {
            misses += 1;
            cache.truncate(capacity - 1);
        }
        cache.insert(0, *request);
    }
    misses
}

#[test]
fn gentd26_has_the_requests_models_users_and_days_that_it_is_known_for() {
    let Some(trace) = gentd26() else { return };
    let stats = stats(&trace, Some(600.0));
    assert_eq!((stats.requests, stats.requests_without_model), (26_823, 25));
    assert_eq!((stats.models.len(), stats.num_users), (86, Some(4_247)));
    // 2024-11-15 16:57:50 to 2024-12-08 17:33:57: 23 days, 36 minutes, 7 s, on 24 calendar days.
    assert_eq!(stats.duration_s, f64::from(23 * 86_400 + 36 * 60 + 7));
    let gap_s = 1.0 / stats.requests_per_s.unwrap();
    assert_eq!(gap_s.round(), 74.0, "{gap_s}");
    assert_eq!((stats.models[0].name.as_str(), stats.models[0].requests), ("M0002", 8_234));
    assert_eq!((stats.prompt_tokens, stats.output_tokens), (None, None));
    assert_eq!(stats.parts.iter().map(|part| part.requests).sum::<u64>(), 26_823);
}

#[test]
fn gentd26_load_times_are_drawn_from_the_recorded_ones() {
    let (Some(trace), Some(file)) = (gentd26(), open("gentd26/basemodel_update_latency_anon.csv.gz")) else {
        return;
    };
    let mut text = String::new();
    GzDecoder::new(file).read_to_string(&mut text).unwrap();
    let mut recorded_ms: Vec<f64> =
        text.lines().skip(1).map(|line| line.split(',').nth(1).unwrap().parse().unwrap()).collect();
    recorded_ms.sort_by(f64::total_cmp);
    assert_eq!(recorded_ms.len(), 7_531);
    assert_eq!(recorded_ms[7_531 / 2], 22_718.0, "p50 22.7 s");
    let load_s: Vec<f64> = (0..86).map(|model| trace.load_s(model).unwrap()).collect();
    assert!(load_s.iter().all(|seconds| recorded_ms.iter().any(|ms| ms / 1e3 == *seconds)));
    // The median of 86 draws lies between the recorded 30th and 70th percentile unless draws are not of this distribution.
    let median_s = stats(&trace, None).load_s.unwrap().p50;
    let (low_s, high_s) = (recorded_ms[7_531 * 3 / 10] / 1e3, recorded_ms[7_531 * 7 / 10] / 1e3);
    assert!((low_s..high_s).contains(&median_s), "{low_s} {median_s} {high_s}");
}

#[test]
fn azure_traces_have_the_rates_and_burstiness_that_they_are_known_for() {
    for (name, requests, per_s, cv) in [("conv", 19_366, "5.53", "1.09"), ("code", 8_819, "2.57", "13.2")] {
        let Some(trace) = azure(name) else { return };
        let stats = stats(&trace, Some(1.0));
        assert_eq!(stats.requests, requests);
        assert_eq!(format!("{:.2}", stats.requests_per_s.unwrap()), per_s);
        let shown = format!("{:.*}", cv.len() - cv.find('.').unwrap() - 1, stats.interarrival_cv.unwrap());
        assert_eq!(shown, cv);
        assert_eq!((stats.models.len(), stats.requests_without_model), (0, requests));
    }
}

#[test]
fn the_model_sequence_is_the_one_that_libcachesim_was_run_on() {
    let (Some(trace), Some(file)) = (gentd26(), open("libcachesim/gentd26_unit.oracleGeneral.bin.gz")) else {
        return;
    };
    let mut bytes = Vec::new();
    GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
    let theirs: Vec<u64> =
        bytes.chunks_exact(24).map(|record| u64::from_le_bytes(record[4..12].try_into().unwrap())).collect();
    // The 25 requests without a model are not in it.
    let ours = requested(&trace);
    assert_eq!((ours.len(), theirs.len()), (26_798, 26_798));
    // Their ids are other numbers for the same models.
    let mut number_of = BTreeMap::new();
    for id in &theirs {
        let next = number_of.len() as u64;
        number_of.entry(*id).or_insert(next);
    }
    assert_eq!(ours, theirs.iter().map(|id| number_of[id]).collect::<Vec<_>>());
}

#[test]
fn least_recently_used_misses_on_gentd26_are_libcachesims_to_the_last_one() {
    let Some(trace) = gentd26() else { return };
    let requests = requested(&trace);
    for (capacity, misses) in [(1, 20_002), (4, 9_074), (16, 1_393)] {
        assert_eq!(lru_misses(&requests, capacity), misses, "{capacity} models fit");
    }
    for (capacity, ratio) in [(1, "0.746"), (2, "0.574"), (4, "0.339"), (8, "0.147"), (16, "0.052")] {
        let shown = format!("{:.3}", lru_misses(&requests, capacity) as f64 / requests.len() as f64);
        assert_eq!(shown, ratio, "{capacity} models fit");
    }
}

#[test]
fn gentd26_replays_its_24_most_requested_training_models() {
    let Some(trace) = gentd26() else { return };
    let mut replayed = 0;
    for slotted in parts(&trace, 600.0, (&TOP, 24)).unwrap() {
        assert_eq!(slotted.models.len(), 24);
        assert_eq!(trace.models()[slotted.models[0].unwrap() as usize], "M0002");
        replayed += slotted.num_requests() as u64 + slotted.outside_requests;
    }
    assert_eq!(replayed, 26_823);
    let train_only = parts(&trace, 600.0, (&TOP, 1_000)).unwrap_err();
    assert!(train_only.to_string().contains("1000 models were asked for"), "{train_only}");
}

#[test]
fn azure_names_no_models_so_that_services_are_drawn() {
    let Some(trace) = azure("conv") else { return };
    let error = parts(&trace, 1.0, (&TOP, 1)).unwrap_err();
    assert!(error.to_string().ends_with("it names no models: draw services instead"), "{error}");
    let map = DrawnServicesConfig { zipf_exponent: 1.0, seed: 1, reshuffle_slots: Some(300) };
    let map = (&TraceServicesConfig::Drawn(map), 20);
    let requests: usize = parts(&trace, 1.0, map).unwrap().iter().map(SlottedRequests::num_requests).sum();
    assert_eq!(requests, 19_366);
}

#[test]
fn mooncake_requests_reuse_what_a_count_of_their_blocks_says() {
    let Some(file) = open("mooncake/synthetic_trace.jsonl.gz") else { return };
    let imported = import::mooncake(file).unwrap();
    assert!(imported.notes().len() <= 1, "every prompt has as many ids as blocks: {:?}", imported.notes());
    let trace = again(&imported);
    let stats = stats(&trace, Some(3.0));
    assert_eq!((stats.requests, stats.requests_without_model, stats.models.len()), (3_993, 3_993, 0));
    assert_eq!((stats.duration_s, stats.slots.unwrap().count), (1_022.025, 341));
    // Counted with a set of the ids of all lines before, in another language.
    let sum = |column: &[u32]| column.iter().map(|tokens| u64::from(*tokens)).sum::<u64>();
    assert_eq!(sum(trace.column(Column::ReusedTokens)), 39_852_661);
    assert_eq!(sum(trace.column(Column::PromptTokens)), 61_194_628);
}
