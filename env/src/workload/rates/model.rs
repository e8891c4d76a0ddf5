//! What a world draws from recorded rates: the requests of one part of the recording, slot by slot.
//!
//! *Models.* Each client of a service is a renewal process of its own within each period, with the recorded rate, family and
//! coefficient of variation of its gaps ([`crate::workload::renewal`]); the requests of a service are those of its clients
//! together. Periods begin stationary and independently of each other, so that the mean of each is the recorded one however
//! bursty it is.
//!
//! *Equation.* `mean requests of a client in a slot = sum over its periods of rate_scale * rate * seconds of the slot in it`.
//! A `rate_scale` below 1 is a smaller population that is as bursty as the recorded one: gaps are longer, their coefficient
//! of variation stays (ours).
//!
//! *Assumptions.* Periods of a client depend on each other by their rates only. The slots are split by time
//! ([`TimeSplit`]).

use super::{Client, ClientRates, Family, US_PER_S};
use crate::csv::RecordingError;
use crate::random::SimRng;
use crate::units::ServiceId;
use crate::workload::renewal::{GapLaw, Renewal};
use crate::workload::sheet::Sheet;
use crate::workload::trace::service_map::too_few_models;
use crate::workload::trace::{SplitShares, TimeSplit, TopModelsConfig, TracePart};
use serde::{Deserialize, Serialize};

/// `[workload.rates.services.*]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RateServicesConfig {
    /// Each service is one client: those who ask most in the training part, in that order; the others are served elsewhere.
    TopClients(TopClientsConfig),
    /// Each service is all clients of one class of models: those asked for most in the training part, in that order.
    TopModels(TopModelsConfig),
}

/// `[workload.rates.services.top_clients]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopClientsConfig {
    /// Only clients of this class of models, `language/m-large` say; of all classes when absent.
    pub model: Option<String>,
}

impl RateServicesConfig {
    /// The name of the service that a client belongs to, if it is one of those that are asked for most; `None` for clients that are
    /// left out.
    fn service(&self, client: &Client) -> Option<String> {
        let Client { model, name } = client;
        match self {
            Self::TopModels(_) => Some(model.clone()),
            Self::TopClients(top) if top.model.as_ref().is_some_and(|only| only != model) => None,
            Self::TopClients(_) => Some(format!("{model}/{name}")),
        }
    }
}

/// A client in a period.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Source {
    /// The number of the client among those that belong to a service.
    index: u32,
    service: ServiceId,
    rate_per_s: f64,
    law: GapLaw,
}

/// The validated demand of all services.
#[derive(Clone, Debug, PartialEq)]
pub struct RatesModel {
    /// The slots of all parts.
    pub split: TimeSplit,
    period_us: u64,
    /// How many clients belong to a service.
    pub(crate) num_sources: usize,
    /// The clients that ask in each period.
    periods: Vec<Vec<Source>>,
    /// The client or class of models behind each service.
    pub service_names: Vec<String>,
    /// Recorded requests of clients that belong to no service.
    pub outside_requests: u64,
}

impl RatesModel {
    /// Returns the demand for so many services; `rate_scale` is above 0.
    ///
    /// # Errors
    /// As [`TimeSplit::new`]; a training part with fewer clients or classes than services.
    pub(crate) fn new(
        recording: &ClientRates,
        map: &RateServicesConfig,
        num_services: usize,
        rate_scale: f64,
        (slot_s, shares): (f64, SplitShares),
    ) -> Result<Self, RecordingError> {
        let period_us = u64::from(recording.period_s) * US_PER_S;
        let split = TimeSplit::new(slot_s, u64::from(recording.num_periods()) * period_us - 1, shares)?;
        let trained_us = split.slots(TracePart::Train).end as u64 * split.slot_us();
        let mut demands = recording.demand(trained_us, |client| map.service(client));
        if demands.len() < num_services {
            return Err(too_few_models(num_services as u32, demands.len(), ""));
        }
        demands.truncate(num_services);
        let mut num_sources = 0;
        // The service of each client, and which of the clients that belong to one it is.
        let sources: Vec<Option<(u32, ServiceId)>> = recording
            .clients
            .iter()
            .map(|client| {
                let service = demands.get_index_of(&map.service(client)?)?;
                num_sources += 1;
                Some((num_sources - 1, ServiceId::from_index(service)))
            })
            .collect();
        let mut periods = vec![Vec::new(); recording.num_periods() as usize];
        let mut outside = 0.0;
        for rate in &recording.rates {
            match sources[rate.client as usize] {
                None => outside += rate.rate_per_s * f64::from(recording.period_s),
                Some((index, service)) => periods[rate.period as usize].push(Source {
                    index,
                    service,
                    rate_per_s: rate.rate_per_s * rate_scale,
                    law: match rate.family {
                        Family::Gamma => GapLaw::gamma(rate.cv),
                        Family::Weibull => GapLaw::weibull(rate.cv),
                    },
                }),
            }
        }
        Ok(Self {
            split,
            period_us,
            num_sources: num_sources as usize,
            periods,
            service_names: demands.into_keys().collect(),
            outside_requests: libm::round(outside) as u64,
        })
    }

    /// Mean requests of a slot of a part, over the part.
    pub fn mean_requests(&self, part: TracePart) -> f64 {
        let slots = self.split.slots(part);
        let num_slots = slots.len() as f64;
        slots.map(|slot| self.slot_mean(slot)).sum::<f64>() / num_slots
    }

    /// The greatest mean of a slot.
    pub(crate) fn greatest_mean(&self) -> f64 {
        (0..self.split.num_slots()).map(|slot| self.slot_mean(slot)).fold(0.0, f64::max)
    }

    fn slot_mean(&self, slot: usize) -> f64 {
        let rate = |period: usize| self.periods[period].iter().map(|source| source.rate_per_s).sum::<f64>();
        self.stretches(slot).map(|(period, _, length_us)| rate(period) * seconds(length_us)).sum()
    }

    /// The stretches of a slot of the recording by period: which one, its start in the slot and its length, microseconds.
    fn stretches(&self, slot: usize) -> impl Iterator<Item = (usize, u64, u64)> {
        let (begin, slot_us, period_us) =
            (slot as u64 * self.split.slot_us(), self.split.slot_us(), self.period_us);
        let end = (begin + slot_us).min(self.periods.len() as u64 * period_us);
        let mut at = begin;
        std::iter::from_fn(move || {
            (at < end).then(|| {
                let period = at / period_us;
                let until = ((period + 1) * period_us).min(end);
                let stretch = (period as usize, at - begin, until - at);
                at = until;
                stretch
            })
        })
    }

    /// Writes the requests of a slot of a part. The processes go on from the slot before; they begin anew with a period,
    /// with the part, and where there are none yet.
    pub(crate) fn draw(
        &self,
        part: TracePart,
        slot: usize,
        renewals: &mut Vec<Renewal>,
        rng: &mut SimRng,
        sheet: &mut Sheet,
    ) {
        let slot_us = self.split.slot_us();
        let whole = self.split.slots(part).start + slot;
        for (period, begin_us, length_us) in self.stretches(whole) {
            let sources = &self.periods[period];
            let at_us = whole as u64 * slot_us + begin_us;
            if renewals.is_empty() || at_us.is_multiple_of(self.period_us) || (slot, begin_us) == (0, 0) {
                renewals.resize(self.num_sources, Renewal::SILENT);
                for source in sources {
                    renewals[source.index as usize] = Renewal::stationary(source.law, rng);
                }
            }
            for source in sources {
                let span = source.rate_per_s * seconds(length_us);
                let (begin, scale) =
                    (begin_us as f64 / slot_us as f64, length_us as f64 / slot_us as f64 / span);
                renewals[source.index as usize].pass(source.law, span, rng, |at| {
                    sheet.note(begin + at * scale, source.service);
                });
            }
        }
    }
}

pub(super) fn seconds(us: u64) -> f64 {
    us as f64 / US_PER_S as f64
}

#[cfg(test)]
mod tests;
