//! The files that a scenario names. This library opens none: whoever does reads them and hands them in.

use crate::radio::mobility::recorded::RecordedPaths;
use crate::radio::recorded_rates::{RadioFiles, RateFormat};
use crate::radio::replay::ThroughputTraces;
use crate::workload::rates::ClientRates;
use crate::workload::trace::Requests;
use crate::workload::trace::import::NamedSite;
use std::marker::PhantomData;

/// Reads what a scenario names; an error text is told at the key that names the file.
pub trait Files {
    /// Recorded requests.
    type Requests: Requests;

    /// The requests of `[workload.trace]`.
    ///
    /// # Errors
    /// Why there are none.
    fn requests(&mut self, path: &str) -> Result<Self::Requests, String>;

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
pub(super) struct OnlyRequests<T, F> {
    ask: Option<F>,
    of: PhantomData<T>,
}

impl<T, F> OnlyRequests<T, F> {
    pub(super) fn new(ask: F) -> Self {
        Self { ask: Some(ask), of: PhantomData }
    }
}

impl<T: Requests, F: FnOnce(&str) -> Result<T, String>> Files for OnlyRequests<T, F> {
    type Requests = T;

    fn requests(&mut self, path: &str) -> Result<T, String> {
        self.ask.take().map_or_else(|| Err(not_at_hand(path)), |ask| ask(path))
    }
}

/// What was read for the physical part of a scenario.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PhysicalFiles {
    /// For its radio.
    pub radio: RadioFiles,
    /// The base stations of `[physical.sites.file]`.
    pub sites: Option<Vec<NamedSite>>,
}
