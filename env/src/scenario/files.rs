//! The files that a scenario names. This library opens none: whoever does reads them and hands them in.

use super::config::{ScenarioConfig, WorkloadConfig};
use super::physical::SitesConfig;
use super::shipped;
use crate::invalid::Invalid;
use crate::radio::mobility::MobilityConfig;
use crate::radio::mobility::recorded::RecordedPaths;
use crate::radio::recorded_rates::{RadioFiles, RateFormat};
use crate::radio::recordings::{self, NamedSite};
use crate::radio::replay::ThroughputTraces;
use crate::workload::rates::ClientRates;
use crate::workload::trace::Trace;
use std::path::Path;

/// Reads what a scenario names; an error text is told at the key that names the file.
pub trait Files {
    /// The requests of `[workload.trace]`.
    ///
    /// # Errors
    /// Why there are none.
    fn requests(&mut self, path: &str) -> Result<Trace, String>;

    /// The rates of `[workload.rates]`.
    ///
    /// # Errors
    /// Why there are none.
    fn rates(&mut self, path: &str) -> Result<ClientRates, String> {
        Err(not_at_hand(path))
    }

    /// The ways of `[physical.radio.mobility.recorded]`.
    ///
    /// # Errors
    /// Why there are none.
    fn ways(&mut self, path: &str) -> Result<RecordedPaths, String> {
        Err(not_at_hand(path))
    }

    /// The throughput of `[physical.radio.recorded_rates]`.
    ///
    /// # Errors
    /// Why there is none.
    fn throughput(&mut self, path: &str, _format: RateFormat) -> Result<ThroughputTraces, String> {
        Err(not_at_hand(path))
    }

    /// The base stations of `[physical.sites.file]`, unless they are shipped.
    ///
    /// # Errors
    /// Why there are none.
    fn sites(&mut self, path: &str) -> Result<Vec<NamedSite>, String> {
        Err(not_at_hand(path))
    }
}

fn not_at_hand(path: &str) -> String {
    format!("{path} is not at hand")
}

/// Nothing but recorded requests.
pub(super) struct OnlyRequests<F>(pub(super) Option<F>);

impl<F: FnOnce(&str) -> Result<Trace, String>> Files for OnlyRequests<F> {
    fn requests(&mut self, path: &str) -> Result<Trace, String> {
        self.0.take().map_or_else(|| Err(not_at_hand(path)), |ask| ask(path))
    }
}

impl ScenarioConfig {
    /// The places where a scenario names files.
    pub fn paths_mut(&mut self) -> Vec<&mut String> {
        let mut paths = Vec::new();
        match &mut self.workload {
            WorkloadConfig::Trace(workload) => paths.push(&mut workload.path),
            WorkloadConfig::Rates(workload) => paths.push(&mut workload.path),
            WorkloadConfig::Poisson(_)
            | WorkloadConfig::Gamma(_)
            | WorkloadConfig::Weibull(_)
            | WorkloadConfig::Modulated(_)
            | WorkloadConfig::Phased(_)
            | WorkloadConfig::Sessions(_) => {}
        }
        if let Some(physical) = &mut self.physical {
            if let MobilityConfig::Recorded(recorded) = &mut physical.radio.mobility {
                paths.push(&mut recorded.file);
            }
            if let Some(rates) = &mut physical.radio.recorded_rates {
                paths.push(&mut rates.path);
            }
            if let SitesConfig::File(file) = &mut physical.sites {
                paths.push(&mut file.path);
            }
        }
        paths
    }

    /// The same with the names of its files alone: where a file lies says nothing of what is in it.
    pub(super) fn without_folders(&self) -> Self {
        let mut config = self.clone();
        for path in config.paths_mut() {
            if let Some(name) = Path::new(path.as_str()).file_name() {
                *path = name.to_string_lossy().into_owned();
            }
        }
        config
    }

    /// Reads the files that the physical part names.
    pub(super) fn physical_files(&self, files: &mut impl Files) -> Result<PhysicalFiles, Invalid> {
        let mut read = PhysicalFiles::default();
        let Some(config) = &self.physical else { return Ok(read) };
        let refused = |key: &str, path: &str, why: String| Invalid::new(key, path, why);
        if let MobilityConfig::Recorded(typed) = &config.radio.mobility {
            let key = "physical.radio.mobility.recorded.file";
            read.radio.ways = Some(files.ways(&typed.file).map_err(|why| refused(key, &typed.file, why))?);
        }
        if let Some(typed) = &config.radio.recorded_rates {
            let key = "physical.radio.recorded_rates.path";
            let throughput = files.throughput(&typed.path, typed.format);
            read.radio.throughput = Some(throughput.map_err(|why| refused(key, &typed.path, why))?);
        }
        if let SitesConfig::File(typed) = &config.sites {
            let sites = match shipped::sites(&typed.path) {
                Some(text) => recordings::sites(text.as_bytes()).map_err(|error| error.to_string()),
                None => files.sites(&typed.path),
            };
            let key = "physical.sites.file.path";
            read.sites = Some(sites.map_err(|why| refused(key, &typed.path, why))?);
        }
        Ok(read)
    }
}

/// The files that the physical part of a scenario names, read: recordings and base stations.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PhysicalFiles {
    /// For its radio.
    pub radio: RadioFiles,
    /// The base stations of `[physical.sites.file]`.
    pub sites: Option<Vec<NamedSite>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_file_lies_says_nothing_of_what_is_in_it() {
        let text = shipped::text("trace-lumos5g").unwrap();
        let config: ScenarioConfig = toml::from_str(text).unwrap();
        let mut moved = config.clone();
        moved.paths_mut().into_iter().for_each(|path| *path = format!("some/where/{path}"));
        assert_ne!(moved, config);
        assert_eq!(moved.without_folders(), config);
        moved.paths_mut().into_iter().for_each(|path| path.push('x'));
        assert_ne!(moved.without_folders(), config, "another name is another file");
    }
}
