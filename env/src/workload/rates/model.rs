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

use super::{ClientRates, Family};
use crate::random::SimRng;
use crate::units::ServiceId;
use crate::workload::renewal::{GapLaw, Renewal};
use crate::workload::sheet::Sheet;
use crate::workload::trace::{SplitShares, TimeSplit, TraceError, TracePart};

const US_PER_S: u64 = 1_000_000;

/// Which clients belong to which service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RateMap {
    /// Each service is one client: those who ask most in the training part, in that order.
    TopClients {
        /// Only clients of this class of models; of all when absent.
        model: Option<String>,
    },
    /// Each service is all clients of one class of models: those asked for most in the training part, in that order.
    TopModels,
}

/// A client in a period.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Source {
    /// Which of the clients that belong to a service.
    index: u32,
    service: ServiceId,
    rate_per_s: f64,
    law: GapLaw,
}

/// The validated demand of all services.
#[derive(Clone, Debug, PartialEq)]
pub struct RatesModel {
    split: TimeSplit,
    period_us: u64,
    horizon_slots: u32,
    num_sources: usize,
    /// Those who ask in each period.
    periods: Vec<Vec<Source>>,
    service_names: Vec<String>,
    outside_requests: u64,
}

impl RatesModel {
    /// The demand for so many services; `rate_scale` is above 0.
    ///
    /// # Errors
    /// As [`TimeSplit::new`]; [`TraceError::TooFewModels`] when the training part has fewer clients or classes than services;
    /// [`TraceError::UnknownClass`] for a class of models that nobody asks for.
    pub(crate) fn new(
        recording: &ClientRates,
        map: &RateMap,
        num_services: usize,
        rate_scale: f64,
        (slot_s, shares): (f64, SplitShares),
        horizon_slots: u32,
    ) -> Result<Self, TraceError> {
        let period_us = u64::from(recording.period_s()) * US_PER_S;
        let split = TimeSplit::new(slot_s, u64::from(recording.num_periods()) * period_us - 1, shares)?;
        let names = group_names(recording, map)?;
        let group_of = |client: u32| names[client as usize].as_deref();
        let services = most_demanded(recording, &split, num_services, group_of)?;
        let service_of: Vec<Option<ServiceId>> = (0..recording.clients().len() as u32)
            .map(|client| {
                let name = group_of(client)?;
                services.iter().position(|service| service == name).map(ServiceId::from_index)
            })
            .collect();
        let mut index_of = vec![0; service_of.len()];
        let mut num_sources = 0;
        for (index, service) in index_of.iter_mut().zip(&service_of) {
            *index = num_sources;
            num_sources += u32::from(service.is_some());
        }
        let mut periods = vec![Vec::new(); recording.num_periods() as usize];
        let mut outside = 0.0;
        for rate in recording.rates() {
            match service_of[rate.client as usize] {
                None => outside += recording.requests(rate),
                Some(service) => periods[rate.period as usize].push(Source {
                    index: index_of[rate.client as usize],
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
            horizon_slots,
            num_sources: num_sources as usize,
            periods,
            service_names: services,
            outside_requests: libm::round(outside) as u64,
        })
    }

    /// The slots of all parts.
    pub fn split(&self) -> TimeSplit {
        self.split
    }

    /// Slots of a training or validation episode.
    pub fn horizon_slots(&self) -> u32 {
        self.horizon_slots
    }

    /// The client or class of models behind each service.
    pub fn service_names(&self) -> &[String] {
        &self.service_names
    }

    /// Recorded requests of clients that belong to no service.
    pub fn outside_requests(&self) -> u64 {
        self.outside_requests
    }

    /// How many clients belong to a service.
    pub(crate) fn num_sources(&self) -> usize {
        self.num_sources
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

fn seconds(us: u64) -> f64 {
    us as f64 / US_PER_S as f64
}

/// By client: the name of what it is counted with; none for clients that are left out.
fn group_names(recording: &ClientRates, map: &RateMap) -> Result<Vec<Option<String>>, TraceError> {
    if let RateMap::TopClients { model: Some(model) } = map
        && !recording.models().contains(&model.as_str())
    {
        return Err(TraceError::UnknownClass {
            model: model.clone(),
            recorded: recording.models().join(", "),
        });
    }
    let name = |client: &super::Client| match map {
        RateMap::TopModels => Some(client.model.clone()),
        RateMap::TopClients { model } if model.as_ref().is_none_or(|model| *model == client.model) => {
            Some(format!("{}/{}", client.model, client.name))
        }
        RateMap::TopClients { .. } => None,
    };
    Ok(recording.clients().iter().map(name).collect())
}

/// The names with the most requests in the training part; of equal ones the first.
fn most_demanded<'a>(
    recording: &ClientRates,
    split: &TimeSplit,
    num_services: usize,
    name_of: impl Fn(u32) -> Option<&'a str>,
) -> Result<Vec<String>, TraceError> {
    let train_us = split.slots(TracePart::Train).end as u64 * split.slot_us();
    let period_us = u64::from(recording.period_s()) * US_PER_S;
    let mut demand: Vec<(&str, f64)> = Vec::new();
    for rate in recording.rates() {
        // A period that training does not end in counts by the part before its end.
        let trained_us = train_us.saturating_sub(u64::from(rate.period) * period_us).min(period_us);
        let Some(name) = name_of(rate.client).filter(|_| trained_us > 0) else { continue };
        let requests = rate.rate_per_s * seconds(trained_us);
        match demand.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => *sum += requests,
            None => demand.push((name, requests)),
        }
    }
    if demand.len() < num_services {
        return Err(TraceError::TooFewModels {
            asked: num_services as u32,
            present: demand.len() as u32,
            hint: "",
        });
    }
    demand.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    Ok(demand[..num_services].iter().map(|(name, _)| (*name).to_owned()).collect())
}

#[cfg(test)]
mod tests;
