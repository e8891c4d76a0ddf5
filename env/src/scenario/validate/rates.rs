//! `[workload.rates]`: requests drawn at recorded rates.

use super::super::config::{RatesConfig, ScenarioConfig};
use super::{MAX_DECISIONS_PER_SLOT, MIN_TOTAL_INTENSITY};
use crate::invalid::{Invalid, MAX_NUMBER, Range, number};
use crate::workload::rates::{ClientRates, RateServicesConfig, RatesModel, TopClientsConfig};
use crate::workload::trace::TracePart;
use std::collections::BTreeSet;

impl ScenarioConfig {
    /// The demand of the services.
    pub(super) fn rates(
        &self,
        recording: &ClientRates,
        workload: &RatesConfig,
    ) -> Result<RatesModel, Invalid> {
        let key = "workload.rates.rate_scale";
        let rate_scale = number(key, workload.rate_scale, Range::Positive)?;
        if let RateServicesConfig::TopClients(TopClientsConfig { model: Some(model) }) = &workload.services {
            let recorded: BTreeSet<&str> = recording.clients.iter().map(|client| &*client.model).collect();
            let key = "workload.rates.services.top_clients.model";
            let listed = recorded.iter().copied().collect::<Vec<_>>().join(", ");
            let allowed = format!("a class of models that somebody asks for; recorded are {listed}");
            Invalid::unless(recorded.contains(model.as_str()), key, format!("{model:?}"), allowed)?;
        }
        let path = |allowed: String| Invalid::new("workload.rates.path", &workload.path, allowed);
        let services = self.services.len();
        let model = RatesModel::new(
            recording,
            &workload.services,
            services,
            rate_scale,
            (self.slot_s, workload.split),
        )
        .map_err(|error| path(error.to_string()))?;
        self.fits(model.split.slots(TracePart::Train).len() as u64)?;
        for part in TracePart::ALL {
            let mean = model.mean_requests(part);
            if mean == 0.0 {
                return Err(path(format!(
                    "a recording with requests in every part; its {part} part has none"
                )));
            }
            let least = (rate_scale * MIN_TOTAL_INTENSITY / mean).min(MAX_NUMBER);
            let allowed = format!("at least {least:.1e}: fewer requests would keep the world waiting");
            Invalid::unless(mean >= MIN_TOTAL_INTENSITY, key, rate_scale, allowed)?;
        }
        let greatest = model.greatest_mean();
        let most = rate_scale * MAX_DECISIONS_PER_SLOT / greatest;
        let allowed = format!(
            "at most {most:.1e}: a slot would bring {greatest:.0} requests, {MAX_DECISIONS_PER_SLOT} are allowed"
        );
        Invalid::unless(greatest <= MAX_DECISIONS_PER_SLOT, key, rate_scale, allowed)?;
        Ok(model)
    }
}
