//! The files that a scenario names beside its own: recordings, recorded rates, ways and throughput, places of base stations.
//!
//! Each is looked for in the current directory, else beside the scenario's file. The resolved scenario names what was opened. Names of
//! shipped files (`city.csv`) mean those; `./city.csv` is one's own.

use crate::console::shown;
use crate::recording;
use anyhow::{Context, Result};
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use thoughtcache_agents::checkpoint::{self, sha256_of_reader};
use thoughtcache_env::csv::RecordingError;
use thoughtcache_env::radio::mobility::recorded::RecordedPaths;
use thoughtcache_env::radio::recorded_rates::RateFormat;
use thoughtcache_env::radio::recordings::{self, NamedSite};
use thoughtcache_env::radio::replay::ThroughputTraces;
use thoughtcache_env::scenario::files::Files;
use thoughtcache_env::scenario::{ScenarioConfig, shipped};
use thoughtcache_env::workload::rates::ClientRates;
use thoughtcache_env::workload::trace::Trace;

/// Finds and reads what the text of a scenario names.
pub(crate) struct ScenarioFiles<'a> {
    /// Where files are looked for besides the current directory.
    folder: Option<&'a Path>,
    /// The line that makes the recording, if the scenario says it.
    import_line: Option<String>,
    /// The opened files, by their names in the scenario.
    opened: Vec<(String, PathBuf)>,
}

impl<'a> ScenarioFiles<'a> {
    /// Nothing is read before it is asked for.
    pub(crate) const fn new(folder: Option<&'a Path>, import_line: Option<String>) -> Self {
        Self { folder, import_line, opened: Vec::new() }
    }

    /// Puts the paths that were opened where the scenario names files.
    pub(crate) fn write_paths(self, config: &mut ScenarioConfig) {
        for typed in config.paths_mut() {
            if let Some((_, path)) = self.opened.iter().find(|(opened, _)| opened == typed) {
                *typed = path.to_string_lossy().into_owned();
            }
        }
    }

    /// Finds a file in the current directory, else beside the scenario's file, and reads it whole by one of the readers of
    /// recordings; `what` it is, and `how` one comes by it.
    fn read<T>(
        &mut self,
        path: &str,
        what: &str,
        how: &str,
        read: impl FnOnce(BufReader<File>) -> Result<T, RecordingError>,
    ) -> Result<T, String> {
        let folder = self.folder.filter(|folder| !folder.as_os_str().is_empty());
        let beside = folder.map(|folder| folder.join(path));
        let found = [Some(PathBuf::from(path)), beside].into_iter().flatten().find(|path| path.is_file());
        let Some(found) = found else {
            let also = folder.map_or_else(String::new, |folder| format!(" and in {}", shown(folder)));
            return Err(format!("no such {what} in the current directory{also}; {how}"));
        };
        self.opened.push((path.to_owned(), found.clone()));
        let read = |file| read(file).with_context(|| found.display().to_string());
        recording::open(&found).and_then(read).map_err(|error| format!("{error:#}"))
    }

    /// How one comes by a recording that this program makes.
    fn import(&self, path: &str, format: &str) -> String {
        let typed = || format!("thoughtcache trace import FILE --format {format} --out {path}");
        format!("make it with: {}", self.import_line.clone().unwrap_or_else(typed))
    }
}

impl Files for ScenarioFiles<'_> {
    fn requests(&mut self, path: &str) -> Result<Trace, String> {
        let how = self.import(path, "azure|gentd26|mooncake");
        self.read(path, "recording", &how, Trace::read)
    }

    fn rates(&mut self, path: &str) -> Result<ClientRates, String> {
        let how = self.import(path, "servegen");
        self.read(path, "recording", &how, ClientRates::read)
    }

    fn ways(&mut self, path: &str) -> Result<RecordedPaths, String> {
        let how = "it is a text of recorded ways, columns path,time_s,x_m,y_m";
        self.read(path, "file", how, recordings::paths)
    }

    fn throughput(&mut self, path: &str, format: RateFormat) -> Result<ThroughputTraces, String> {
        match format {
            RateFormat::Throughput => {
                let how = "copy it here: traces of Lumos5G as github.com/SIGCOMM21-5G/artifact publishes them, \
                           columns radio,trace,time_s,downlink_mbps";
                self.read(path, "recording", how, recordings::throughput)
            }
            RateFormat::Irish5g => {
                let how = "copy it here: the rows of github.com/uccmisl/5Gdataset in one file, \
                           with columns app,mobility,file before its own";
                self.read(path, "recording", how, recordings::irish5g)
            }
        }
    }

    fn sites(&mut self, path: &str) -> Result<Vec<NamedSite>, String> {
        let names: Vec<&str> = shipped::site_files().collect();
        let how = format!(
            "it is a shipped file ({}), or a text of base stations, columns name,x_m,y_m",
            names.join(", ")
        );
        self.read(path, "file", &how, recordings::sites)
    }
}

/// The files that a scenario names and that do not come with the program.
pub(crate) fn paths(config: &ScenarioConfig) -> Vec<PathBuf> {
    let mut config = config.clone();
    let paths = config.paths_mut().into_iter();
    paths.filter(|path| shipped::sites(path).is_none()).map(|path| Path::new(path).to_owned()).collect()
}

/// The digest of the file that a resolved scenario names, or that of the digests of several, a line each; `None` where it names none.
///
/// # Errors
/// When one cannot be read; its path is named.
pub(crate) fn sha256(config: &ScenarioConfig) -> Result<Option<String>> {
    let of_file = |path: &PathBuf| {
        let digest = File::open(path).and_then(sha256_of_reader);
        digest.with_context(|| format!("cannot read {}", path.display()))
    };
    let digests = paths(config).iter().map(of_file).collect::<Result<Vec<_>>>()?;
    Ok(match digests.as_slice() {
        [] => None,
        [only] => Some(only.clone()),
        several => Some(checkpoint::sha256(several.join("\n").as_bytes())),
    })
}
