//! The recordings that the shipped `trace-*` scenarios name, made from the published files beside the repository.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;
use thoughtcache_env::radio::recorded_rates::RateFormat;
use thoughtcache_env::radio::recordings;
use thoughtcache_env::radio::replay::ThroughputTraces;
use thoughtcache_env::scenario::files::Files;
use thoughtcache_env::workload::rates::ClientRates;
use thoughtcache_env::workload::trace::{Trace, import};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data");

/// The published files of each scenario.
pub(crate) const SOURCES: [(&str, &[&str]); 5] = [
    ("trace-gentd26", &["gentd26/lora_request_trace.csv.gz", "gentd26/basemodel_update_latency_anon.csv.gz"]),
    ("trace-azure", &["azure_llm_2023/AzureLLMInferenceTrace_conv.csv.gz"]),
    ("trace-mooncake", &["mooncake/synthetic_trace.jsonl.gz"]),
    ("trace-servegen", &["servegen/client_rates_600s.csv.gz"]),
    ("trace-lumos5g", &["sigcomm21_5g/lumos5g_abr_traces_1s.csv.gz"]),
];

/// Imports each recording when a scenario asks for it.
pub(crate) struct Recordings;

impl Recordings {
    /// Whether the published files of a scenario are there.
    pub(crate) fn are_there(scenario: &str) -> bool {
        let mut sources = SOURCES.iter().filter(|(name, _)| *name == scenario).flat_map(|(_, files)| *files);
        sources.all(|file| PathBuf::from(DATA).join(file).is_file())
    }
}

fn source(scenario: &str, index: usize) -> BufReader<File> {
    let (_, files) = SOURCES.iter().find(|(name, _)| *name == scenario).unwrap();
    BufReader::new(File::open(format!("{DATA}/{}", files[index])).unwrap())
}

impl Files for Recordings {
    /// Imported, written as CSV and read again: the whole way of a recording into a scenario.
    fn requests(&mut self, path: &str) -> Result<Trace, String> {
        let imported = if path.starts_with("gentd26") {
            let mut load_times = source("trace-gentd26", 1);
            import::gentd26(source("trace-gentd26", 0), Some(&mut load_times))
        } else if path.starts_with("azure") {
            import::azure(source("trace-azure", 0))
        } else {
            import::mooncake(source("trace-mooncake", 0))
        };
        let written = imported.unwrap().write(Vec::new()).unwrap();
        Trace::read(&written[..]).map_err(|error| error.to_string())
    }

    fn rates(&mut self, _path: &str) -> Result<ClientRates, String> {
        let written = ClientRates::servegen(source("trace-servegen", 0)).unwrap().write(Vec::new()).unwrap();
        ClientRates::read(&written[..]).map_err(|error| error.to_string())
    }

    fn throughput(&mut self, _path: &str, _format: RateFormat) -> Result<ThroughputTraces, String> {
        Ok(recordings::throughput(source("trace-lumos5g", 0)).unwrap())
    }
}
