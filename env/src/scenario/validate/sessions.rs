//! `[workload.sessions]`: from what was typed to the laws of sessions.

use super::super::sessions::{
    SessionsConfig, StartsConfig, TimeConfig, TokensConfig, ToolsConfig, TurnsConfig, UserClassConfig,
};
use super::drawn::{CVS, cycle, states};
use super::{MAX_DECISIONS_PER_SLOT, ZIPF_EXPONENTS, reshuffle};
use crate::invalid::{Invalid, Range, SUM_TOLERANCE, distribution, length, number, positive_share};
use crate::workload::drawn::Process;
use crate::workload::renewal::GapLaw;
use crate::workload::sessions::{GapTime, SessionsModel, Starts, Tokens, Tools, Turns, UserClass};

/// Where the keys of this table begin.
const TABLE: &str = "workload.sessions";
/// The most turns, and the most calls, on average.
const MAX_TURNS: f64 = 1000.0;

/// Fewer sessions a slot, over all users, would make the world wait for ever.
const MIN_SESSIONS_PER_SLOT: f64 = 1e-5;
/// The most sessions that are under way at once, on average: each takes 64 bytes.
const MAX_UNDER_WAY: f64 = 1e6;

/// The settings outside `[workload.sessions]` that sessions depend on.
#[derive(Clone, Copy, Debug)]
pub struct SessionsWorld<'a> {
    /// How many users there are, at least 1.
    pub num_users: u32,
    /// Seconds of a slot, above 0.
    pub slot_s: f64,
    /// Context windows by service in tokens; infinite without a limit.
    pub window_tokens: &'a [f64],
}

impl SessionsConfig {
    /// Checks everything and converts to slots and SI units.
    ///
    /// # Errors
    /// The first value that cannot be meant.
    pub fn validate(&self, world: &SessionsWorld<'_>) -> Result<SessionsModel, Invalid> {
        let key = |key: &str| format!("{TABLE}.{key}");
        let rate_key = key("sessions_per_user_hour");
        let rate = number(&rate_key, self.sessions_per_user_hour, Range::Between(0.0, 3600.0))?;
        let per_slot = rate / 3600.0 * f64::from(world.num_users) * world.slot_s;
        let allowed = format!(
            "more sessions, users or longer slots: they bring {per_slot:e} sessions a slot, at least {MIN_SESSIONS_PER_SLOT:e} are needed"
        );
        Invalid::unless(per_slot >= MIN_SESSIONS_PER_SLOT, &rate_key, rate, allowed)?;
        let process = match &self.starts {
            StartsConfig::Poisson(_) => Process::Poisson,
            StartsConfig::Gamma(law) => {
                Process::Renewal(GapLaw::gamma(number(key("starts.gamma.cv"), law.cv, CVS)?))
            }
            StartsConfig::Weibull(law) => {
                Process::Renewal(GapLaw::weibull(number(key("starts.weibull.cv"), law.cv, CVS)?))
            }
            StartsConfig::Modulated(law) => {
                Process::Modulated(states(&key("starts.modulated.states"), &law.states)?)
            }
        };
        let diurnal = self.diurnal.map(|day| cycle(&key("diurnal"), day)).transpose()?;
        for (service, window) in world.window_tokens.iter().enumerate() {
            let allowed = "at least 2, because a request of a session has a question and an answer";
            Invalid::unless(*window >= 2.0, format!("window of service {service}"), window, allowed)?;
        }
        let model = SessionsModel {
            slot_s: world.slot_s,
            users: user_classes(&self.user_mix, world.num_users)?,
            starts: Starts { process, per_slot, diurnal },
            zipf_exponent: number(key("zipf_exponent"), self.zipf_exponent, ZIPF_EXPONENTS)?,
            reshuffle_slots: reshuffle(&key("reshuffle_slots"), self.reshuffle_slots)?,
            // A window beyond 32 bits becomes the greatest: no context reaches it.
            window_tokens: world.window_tokens.iter().map(|window| *window as u32).collect(),
            turns: turns(&self.turns)?,
            think_time: time(&key("think_time"), &self.think_time)?,
            new_tokens: tokens(&key("new_tokens"), &self.new_tokens)?,
            output_tokens: tokens(&key("output_tokens"), &self.output_tokens)?,
            tools: self.tools.as_ref().map(tools).transpose()?,
        };
        let requests = model.requests_per_slot();
        let allowed = format!(
            "fewer sessions, turns or calls: they bring {requests:.0} requests a slot, {MAX_DECISIONS_PER_SLOT} are allowed"
        );
        Invalid::unless(requests <= MAX_DECISIONS_PER_SLOT, &rate_key, rate, allowed)?;
        let under_way: f64 = model.live_by_kind().iter().sum();
        let allowed = format!(
            "fewer sessions, turns or calls, or shorter times between them: {under_way:.0} sessions would be under way, {MAX_UNDER_WAY} are allowed"
        );
        Invalid::unless(under_way <= MAX_UNDER_WAY, rate_key, rate, allowed)?;
        Ok(model)
    }
}

/// The range of a share that may not be 0.
const SHARE: &str = "a number above 0, at most 1, or no table";

fn tools(typed: &ToolsConfig) -> Result<Tools, Invalid> {
    let key = |key: &str| format!("{TABLE}.tools.{key}");
    let mean_calls = number(key("mean_calls"), typed.mean_calls, Range::Between(1.0, MAX_TURNS));
    Ok(Tools {
        prob: positive_share(&key("prob"), typed.prob, SHARE)?,
        more_prob: 1.0 - 1.0 / mean_calls?,
        time: time(&key("time"), &typed.time)?,
        result_tokens: tokens(&key("result_tokens"), &typed.result_tokens)?,
    })
}

fn user_classes(mix: &[UserClassConfig], num_users: u32) -> Result<Vec<UserClass>, Invalid> {
    if mix.is_empty() {
        return Ok(vec![UserClass { first: 0, count: num_users, start_share: 1.0 }]);
    }
    let table = format!("{TABLE}.user_mix");
    let (mut shares, mut starts) = (0.0, 0.0);
    for (index, class) in mix.iter().enumerate() {
        shares += positive_share(&format!("{table}[{index}].share"), class.share, SHARE)?;
        starts += class.share
            * number(format!("{table}[{index}].activity"), class.activity, Range::Between(0.0, 1e6))?;
    }
    let value = format!("shares that sum to {shares}");
    Invalid::unless((shares - 1.0).abs() <= SUM_TOLERANCE, &table, value, "shares that sum to 1")?;
    let allowed = "an activity above 0: nobody would ever ask";
    Invalid::unless(starts >= 1e-6, &table, "no activity", allowed)?;
    let (mut below, mut first) = (0.0, 0);
    let mut classes = Vec::with_capacity(mix.len());
    for (index, class) in mix.iter().enumerate() {
        below += class.share / shares;
        let end = if index + 1 == mix.len() {
            num_users
        } else {
            (libm::round(below * f64::from(num_users)) as u32).min(num_users)
        };
        let allowed = format!("a share of at least one of the {num_users} users");
        Invalid::unless(end > first, format!("{table}[{index}].share"), class.share, allowed)?;
        let start_share = class.share * class.activity / starts;
        classes.push(UserClass { first, count: end - first, start_share });
        first = end;
    }
    Ok(classes)
}

fn turns(typed: &TurnsConfig) -> Result<Turns, Invalid> {
    match typed {
        TurnsConfig::Geometric(law) => {
            let key = format!("{TABLE}.turns.geometric.mean");
            Ok(Turns::geometric(number(key, law.mean, Range::Between(1.0, MAX_TURNS))?))
        }
        TurnsConfig::Empirical(law) => {
            let key = format!("{TABLE}.turns.empirical.shares");
            length(&key, law.shares.len(), "shares", MAX_TURNS as usize)?;
            distribution(&key, &law.shares, "shares")?;
            Ok(Turns::empirical(&law.shares))
        }
    }
}

fn time(table: &str, typed: &TimeConfig) -> Result<GapTime, Invalid> {
    let range = Range::Between(1e-3, 1e5);
    match typed {
        TimeConfig::Exponential(law) => {
            let mean_s = number(format!("{table}.exponential.mean_s"), law.mean_s, range)?;
            Ok(GapTime::Exponential { mean_s })
        }
        TimeConfig::Lognormal(law) => Ok(GapTime::lognormal(
            number(format!("{table}.lognormal.mean_s"), law.mean_s, range)?,
            number(format!("{table}.lognormal.cv"), law.cv, Range::Between(0.01, 20.0))?,
        )),
    }
}

fn tokens(table: &str, typed: &TokensConfig) -> Result<Tokens, Invalid> {
    Ok(Tokens::lognormal(
        number(format!("{table}.mean"), typed.mean, Range::Between(1.0, 1e7))?,
        number(format!("{table}.cv"), typed.cv, Range::Between(0.0, 20.0))?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = "sessions_per_user_hour = 2.0\nzipf_exponent = 1.0\n";

    fn verdict(text: &str) -> Result<SessionsModel, String> {
        let config: SessionsConfig = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        let written = toml::to_string(&config).unwrap();
        let again: SessionsConfig = toml::from_str(&written).unwrap();
        assert_eq!(format!("{again:?}"), format!("{config:?}"), "{written}");
        let world = SessionsWorld { num_users: 10, slot_s: 0.5, window_tokens: &[1000.0, f64::INFINITY] };
        config.validate(&world).map_err(|invalid| invalid.to_string())
    }

    #[test]
    fn defaults_are_those_of_the_sources() {
        let model = verdict(SMALL).unwrap();
        // 10 users, 2 an hour, half a second: 1/360.
        assert!((model.starts.per_slot - 1.0 / 360.0).abs() < 1e-15);
        assert_eq!((model.turns.mean(), model.window_tokens), (2.0, vec![1000, u32::MAX]));
        assert!((model.think_time.mean_s() - 100.0).abs() < 1e-9);
        assert_eq!(model.users, [UserClass { first: 0, count: 10, start_share: 1.0 }]);
    }

    #[test]
    fn classes_of_users_share_the_numbers_and_the_starts() {
        let mix = "[[user_mix]]\nshare = 0.2\nactivity = 8.0\n[[user_mix]]\nshare = 0.8\nactivity = 0.5\n";
        let model = verdict(&format!("{SMALL}{mix}")).unwrap();
        assert_eq!(
            model.users,
            [
                UserClass { first: 0, count: 2, start_share: 0.8 },
                UserClass { first: 2, count: 8, start_share: 0.2 }
            ]
        );
    }

    #[test]
    fn sessions_that_cannot_be_meant_are_refused() {
        let tools = "[tools]\nprob = 0.3\nmean_calls = 3.0\ntime.exponential.mean_s = 2.0\nresult_tokens = { mean = 400.0, cv = 1.0 }\n";
        assert!(verdict(&format!("{SMALL}{tools}")).is_ok());
        let refusals: Vec<String> = [
            SMALL.replace("2.0", "0.0"),
            SMALL.replace("2.0", "-1.0"),
            SMALL.replace("1.0", "nan"),
            format!("{SMALL}reshuffle_slots = 0\n"),
            format!("{SMALL}starts.gamma.cv = 0.001\n"),
            format!("{SMALL}starts.modulated.states = []\n"),
            format!("{SMALL}diurnal = {{ period_slots = 9, amplitude = 2.0 }}\n"),
            format!("{SMALL}user_mix = [{{ share = 0.5, activity = 1.0 }}]\n"),
            format!("{SMALL}user_mix = [{{ share = 1.0, activity = 0.0 }}]\n"),
            format!(
                "{SMALL}user_mix = [{{ share = 0.01, activity = 1.0 }}, {{ share = 0.99, activity = 1.0 }}]\n"
            ),
            format!("{SMALL}turns.geometric.mean = 0.5\n"),
            format!("{SMALL}turns.empirical.shares = [0.5, 0.4]\n"),
            format!("{SMALL}turns.empirical.shares = []\n"),
            format!("{SMALL}think_time.lognormal = {{ mean_s = 0.0, cv = 1.0 }}\n"),
            format!("{SMALL}think_time.exponential.mean_s = inf\n"),
            format!("{SMALL}new_tokens = {{ mean = 0.5, cv = 1.0 }}\n"),
            format!("{SMALL}output_tokens = {{ mean = 50.0, cv = -1.0 }}\n"),
            format!("{SMALL}{}", tools.replace("0.3", "0.0")),
            format!("{SMALL}{}", tools.replace("3.0", "0.0")),
            SMALL.replace("zipf_exponent = 1.0\n", ""),
        ]
        .iter()
        .map(|text| verdict(text).unwrap_err())
        .collect();
        insta::assert_snapshot!(refusals.join("\n"));
    }
}
