//! Recordings, and the tables and logs of their sources.
//!
//! The first byte of an input says what follows, plain or gzip:
//!
//! | byte | the rest |
//! |---|---|
//! | `R` | a CSV of recorded requests |
//! | `C` | a CSV of recorded rates |
//! | `I` | a line of mappings with spaces between them, `!` before it for clocks of sessions; then a CSV of other columns |
//! | `A` | an Azure CSV file |
//! | `M` | a Mooncake file |
//! | `G` | a GenTD26 CSV file, and after a line `--` its load times |
//! | `S` | rates of ServeGen |
//! | `T`, `5`, `W`, `P` | throughput, Irish 5G, paths, places of base stations |

use super::expect_message;
use std::io::Read;
use thoughtcache_env::csv::RecordingError;
use thoughtcache_env::radio::recordings;
use thoughtcache_env::workload::rates::ClientRates;
use thoughtcache_env::workload::trace::import::{self, Mapping, SessionClock};
use thoughtcache_env::workload::trace::{
    DrawnServicesConfig, SlottedRequests, SplitShares, TopModelsConfig, Trace, TraceServicesConfig,
    TraceStats,
};

/// The slots that a recording is cut into.
const SLOTS: u64 = 20;

/// Reads the input as what its first byte says.
pub(crate) fn read(input: &[u8]) {
    let Some((kind, rest)) = input.split_first() else { return };
    match kind {
        b'R' => requests(Trace::read(rest)),
        b'C' => rates(ClientRates::read(rest)),
        b'I' => mapped(rest),
        b'A' => requests(import::azure(rest)),
        b'M' => requests(import::mooncake(rest)),
        b'G' => {
            let cut = rest.windows(4).position(|window| window == b"\n--\n");
            let mut load_times = cut.map(|cut| &rest[cut + 4..]);
            let load_times = load_times.as_mut().map(|rest| -> &mut dyn Read { rest });
            requests(import::gentd26(&rest[..cut.unwrap_or(rest.len())], load_times));
        }
        b'S' => rates(ClientRates::servegen(rest)),
        b'T' => refused(recordings::throughput(rest)),
        b'5' => refused(recordings::irish5g(rest)),
        b'W' => refused(recordings::paths(rest)),
        b'P' => refused(recordings::sites(rest)),
        _ => {}
    }
}

fn refused<T>(read: Result<T, RecordingError>) {
    if let Err(error) = read {
        expect_message(&error.to_string());
    }
}

fn mapped(input: &[u8]) {
    let (is_session, input) = match input {
        [b'!', rest @ ..] => (true, rest),
        _ => (false, input),
    };
    let cut = input.iter().position(|&byte| byte == b'\n').unwrap_or(input.len());
    let (line, table) = (String::from_utf8_lossy(&input[..cut]), input.get(cut + 1..).unwrap_or(&[]));
    let mut mappings: Vec<Mapping> = Vec::new();
    for typed in line.split(' ').take(12) {
        match typed.parse() {
            Ok(mapping) => mappings.push(mapping),
            Err(message) => expect_message(&message),
        }
    }
    let clock = is_session.then_some(SessionClock { sessions_per_s: 0.5, seed: 1 });
    requests(import::mapped(table, &mappings, clock));
}

fn rates(read: Result<ClientRates, RecordingError>) {
    match read {
        Err(error) => expect_message(&error.to_string()),
        Ok(rates) => {
            let bytes = rates.write(Vec::new()).expect("memory takes all");
            assert_eq!(ClientRates::read(&bytes[..]).expect("what was written can be read"), rates);
        }
    }
}

/// Writes the recording and reads it again, and asks what a world and a person ask.
fn requests(read: Result<Trace, RecordingError>) {
    let trace = match read {
        Err(error) => return expect_message(&error.to_string()),
        Ok(trace) => trace,
    };
    trace.notes().iter().for_each(|note| expect_message(note));
    assert!(trace.num_requests() > 0, "a recording without requests");
    assert!(trace.times_us().is_sorted());
    let bytes = trace.write(Vec::new()).expect("memory takes all");
    let again = Trace::read(&bytes[..]).expect("what was written can be read");
    assert!(again.notes().is_empty(), "what was written is in order: {:?}", again.notes());
    assert_eq!(again.write(Vec::new()).expect("memory takes all"), bytes);
    assert_eq!((again.num_users(), again.models()), (trace.num_users(), trace.models()));
    let slot_s = (trace.last_us() / SLOTS).max(1) as f64 / 1e6;
    for slot_s in [None, Some(slot_s)] {
        match TraceStats::new(&trace, slot_s, SplitShares::default()) {
            Err(error) => expect_message(&error.to_string()),
            Ok(stats) => assert_eq!(stats.requests, trace.num_requests() as u64),
        }
    }
    let Ok(split) = trace.split(slot_s, SplitShares::default()) else { return };
    let maps = [
        TraceServicesConfig::TopModels(TopModelsConfig {}),
        TraceServicesConfig::Drawn(DrawnServicesConfig {
            zipf_exponent: 1.0,
            seed: 1,
            reshuffle_slots: Some(5),
        }),
    ];
    for map in &maps {
        match SlottedRequests::parts(&trace, split, (map, 2), true) {
            Err(error) => expect_message(&error.to_string()),
            Ok(parts) => {
                for part in &parts {
                    let requests: usize = (0..part.num_slots()).map(|slot| part.slot(slot).len()).sum();
                    assert_eq!(requests, part.num_requests());
                }
                assert_eq!(
                    SlottedRequests::parts(&again, split, (map, 2), true).expect("the same requests"),
                    parts
                );
            }
        }
    }
}
