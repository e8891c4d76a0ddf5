//! `[workload.poisson]`, `[workload.gamma]`, `[workload.weibull]`, `[workload.modulated]`: requests that are drawn.

use super::super::config::{ScenarioConfig, WorkloadConfig};
use super::{
    MAX_DECISIONS_PER_SLOT, MAX_HORIZON_SLOTS, MAX_INTENSITY, MIN_TOTAL_INTENSITY, ZIPF_EXPONENTS, reshuffle,
};
use crate::invalid::{Invalid, Range, number, positive_share};
use crate::workload::diurnal::Diurnal;
use crate::workload::drawn::{DrawnModel, Process};
use crate::workload::modulated::{ModulatedModel, StateConfig};
use crate::workload::renewal::GapLaw;

/// The coefficients of variation of gaps.
pub(super) const CVS: Range = Range::Between(0.02, 50.0);
/// The most states of a modulated process.
const MAX_STATES: usize = 100;
/// How many slots a state may last on average.
const STATE_SLOTS: Range = Range::Between(0.01, 1e6);
/// How busy a state may be.
const FACTORS: Range = Range::Between(0.0, 1e6);

/// The keys that all drawn workloads share.
struct Popularity {
    table: &'static str,
    mean: f64,
    zipf_exponent: f64,
    reshuffle_slots: Option<u32>,
    diurnal: Option<Diurnal>,
}

/// The shared keys of a workload's table.
macro_rules! popularity {
    ($table:expr, $workload:ident) => {
        Popularity {
            table: $table,
            mean: $workload.mean_requests_per_service,
            zipf_exponent: $workload.zipf_exponent,
            reshuffle_slots: $workload.reshuffle_slots,
            diurnal: $workload.diurnal,
        }
    };
}

impl ScenarioConfig {
    /// The law of requests that are drawn.
    pub(super) fn drawn(&self, num_cells: u32) -> Result<DrawnModel, Invalid> {
        let (popularity, process) = self.process()?;
        let Popularity { table, mean, zipf_exponent, reshuffle_slots, diurnal } = popularity;
        let key = format!("workload.{table}.mean_requests_per_service");
        number(&key, mean, Range::Between(0.0, MAX_INTENSITY))?;
        let exponent = number(format!("workload.{table}.zipf_exponent"), zipf_exponent, ZIPF_EXPONENTS)?;
        let sources = self.services.len() as f64 * f64::from(num_cells);
        let least = MIN_TOTAL_INTENSITY / sources;
        let allowed = format!("at least {least:.1e}: fewer requests would keep the world waiting");
        Invalid::unless(mean >= least, &key, mean, allowed)?;
        let most = MAX_DECISIONS_PER_SLOT / sources;
        let allowed = format!(
            "at most {most}, or decision.granularity = \"service\": every request would be a decision of its own"
        );
        Invalid::unless(mean <= most || !self.is_per_request(), &key, mean, allowed)?;
        let allowed = format!("at most {most}, or [workload.poisson]: every gap is drawn");
        Invalid::unless(mean <= most || !matches!(process, Process::Renewal(_)), key, mean, allowed)?;
        let slots = reshuffle(&format!("workload.{table}.reshuffle_slots"), reshuffle_slots)?;
        let diurnal = diurnal.map(|day| cycle(&format!("workload.{table}.diurnal"), day)).transpose()?;
        Ok(DrawnModel::new(process, self.services.len(), exponent, mean, slots, diurnal))
    }

    fn process(&self) -> Result<(Popularity, Process), Invalid> {
        match &self.workload {
            WorkloadConfig::Gamma(workload) | WorkloadConfig::Weibull(workload) => {
                let is_gamma = matches!(self.workload, WorkloadConfig::Gamma(_));
                let table = if is_gamma { "gamma" } else { "weibull" };
                let cv = number(format!("workload.{table}.cv"), workload.cv, CVS)?;
                let popularity = popularity!(table, workload);
                let law = if is_gamma { GapLaw::gamma(cv) } else { GapLaw::weibull(cv) };
                Ok((popularity, Process::Renewal(law)))
            }
            WorkloadConfig::Modulated(workload) => {
                let popularity = popularity!("modulated", workload);
                Ok((popularity, Process::Modulated(states("workload.modulated.states", &workload.states)?)))
            }
            WorkloadConfig::Poisson(workload) => {
                let popularity = popularity!("poisson", workload);
                Ok((popularity, Process::Poisson))
            }
            WorkloadConfig::Trace(_)
            | WorkloadConfig::Rates(_)
            | WorkloadConfig::Phased(_)
            | WorkloadConfig::Sessions(_) => {
                let allowed = "poisson, gamma, weibull or modulated: only they are drawn from intensities";
                Err(Invalid::new("workload", "another choice", allowed))
            }
        }
    }
}

/// States whose long-run mean is above 0.
pub(super) fn states(key: &str, states: &[StateConfig]) -> Result<ModulatedModel, Invalid> {
    let (value, allowed) = (format!("{} states", states.len()), format!("2 to {MAX_STATES} of them"));
    Invalid::unless((2..=MAX_STATES).contains(&states.len()), key, value, allowed)?;
    let (mut factors, mut mean_slots) = (Vec::new(), Vec::new());
    for (index, state) in states.iter().enumerate() {
        factors.push(number(format!("{key}[{index}].factor"), state.factor, FACTORS)?);
        mean_slots.push(number(format!("{key}[{index}].mean_slots"), state.mean_slots, STATE_SLOTS)?);
    }
    let allowed = "a factor of at least 1e-6 in one of the states: nobody would ever ask";
    Invalid::unless(factors.iter().any(|factor| *factor >= 1e-6), key, format!("{factors:?}"), allowed)?;
    Ok(ModulatedModel::new(factors, mean_slots))
}

/// The cycle of a day, whose intensities are not all alike.
pub(super) fn cycle(key: &str, day: Diurnal) -> Result<Diurnal, Invalid> {
    let allowed = format!("a whole number from 2 to {MAX_HORIZON_SLOTS}");
    let is_inside = (2..=MAX_HORIZON_SLOTS).contains(&day.period_slots);
    Invalid::unless(is_inside, format!("{key}.period_slots"), day.period_slots, allowed)?;
    let allowed = "a number above 0, or no table: all times would be alike";
    positive_share(&format!("{key}.amplitude"), day.amplitude, allowed)?;
    Ok(day)
}
