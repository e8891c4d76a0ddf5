//! A map of worlds: where a rule that sees the age of thought is cheaper than rules that remember who was served, and than rules that do
//! neither. Each rule is tuned at each point on validation episodes, a quarter as many as are played in the end; the best of each
//! kind on other validation episodes plays the test episodes.

use crate::scenario_file::ScenarioText;
use anyhow::{Context, Result};
use serde::Serialize;
use std::fmt::Write;
use std::sync::Arc;
use thoughtcache_agents::evaluate::EpisodeResult;
use thoughtcache_agents::heuristics::Prepared;
use thoughtcache_agents::heuristics::registry::{Parameter, entry};
use thoughtcache_agents::stats::{Estimate, Resampling, mean, relative_difference};
use thoughtcache_agents::{Contender, Hooks, PolicyKind, Protocol, evaluate, validate};
use thoughtcache_env::scenario::Scenario;
use thoughtcache_env::text::Override;

/// The world in the middle of the maps.
const SCENARIO: &str = "tight-aot";
const CV: &str = "thought.cv";
/// Runs of the validation episodes: those that tune, and those that choose among tuned rules.
const TUNING: u64 = 0;
const CHOICE: u64 = 1;
/// Turns that are alike, and turns that vary.
pub(super) const CVS: [f64; 2] = [0.0, 1.0];

/// Values of an axis, and which of them [`SCENARIO`] has on x and y.
pub(super) const VALUES: usize = 5;
const OWN: [usize; 2] = [2, 3];

/// Rules by what they know of a user's context. Each kind may also play the rules of those that know less.
const KINDS: [(&str, &[&str]); 3] = [
    ("sighted", &["commit"]),
    ("memory", &["recent", "affinity", "keep-alive"]),
    ("blind", &["cloud-only", "lru", "density", "long-thoughts"]),
];

/// An axis of a map: the key of the scenario, its name, and its values.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dimension {
    key: &'static str,
    pub(super) name: &'static str,
    pub(super) values: [f64; VALUES],
}

/// Two things that are changed, all else as in [`SCENARIO`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Map {
    /// The name of its files.
    pub(super) name: &'static str,
    pub(super) x: Dimension,
    pub(super) y: Dimension,
}

/// The maps.
pub(super) const MAPS: [Map; 2] = [
    Map {
        name: "fade-window",
        x: Dimension {
            key: "thought.vanishing_thoughts_per_slot",
            name: "thoughts that fade in a slot",
            values: [0.0, 0.3, 0.6, 0.8, 1.0],
        },
        y: Dimension {
            key: "models.0.window_tokens",
            name: "window, tokens",
            values: [1_000.0, 2_000.0, 4_000.0, 8_000.0, 16_000.0],
        },
    },
    Map {
        name: "users-budget",
        x: Dimension { key: "context.users", name: "users", values: [4.0, 6.0, 8.0, 12.0, 16.0] },
        y: Dimension {
            key: "cell.compute_budget_tflop_per_slot",
            name: "budget, TFLOP a slot",
            values: [140.0, 210.0, 280.0, 350.0, 490.0],
        },
    },
];

/// The best rule of a kind at a point.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Best {
    kind: &'static str,
    rule: String,
    setting: String,
    /// Per slot, on the test episodes.
    cost: f64,
}

/// A point of a map.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Measured {
    map: &'static str,
    pub(super) cv: f64,
    pub(super) x: f64,
    pub(super) y: f64,
    best: Vec<Best>,
    /// Cost of the sighted rule relative to the one with memory, and to the blind one.
    pub(super) beyond_memory: Estimate,
    pub(super) beyond_blind: Estimate,
}

impl Map {
    pub(super) fn num_points(&self) -> usize {
        CVS.len() * self.x.values.len() * self.y.values.len()
    }

    /// All points, those of the first cv first; `done` hears of each.
    pub(super) fn measure(&self, episodes: u64, mut done: impl FnMut()) -> Result<Vec<Measured>> {
        let text = ScenarioText::find(SCENARIO)?;
        let mut points = Vec::with_capacity(self.num_points());
        for cv in CVS {
            for y in self.y.values {
                for x in self.x.values {
                    let values = [(CV, cv), (self.x.key, x), (self.y.key, y)];
                    let changes =
                        values.map(|(key, value)| Override { key: key.into(), value: format!("{value}") });
                    let scenario = text.load(&changes)?.scenario;
                    points.push(self.point(&scenario, [cv, x, y], episodes)?);
                    done();
                }
            }
        }
        Ok(points)
    }

    fn point(&self, scenario: &Arc<Scenario>, [cv, x, y]: [f64; 3], episodes: u64) -> Result<Measured> {
        let mut found = Vec::new();
        let tuned = KINDS.map(|(_, rules)| all_tuned(scenario, rules, episodes.div_ceil(4)));
        let tuned = tuned.into_iter().collect::<Result<Vec<_>>>()?;
        for kind in 0..KINDS.len() {
            let known = tuned[kind..].iter().flatten();
            let best = known.min_by(|a, b| a.0.total_cmp(&b.0)).context("no rule to play")?;
            found.push(best.1.clone());
        }
        let contenders: Vec<Contender> = found
            .iter()
            .map(|(name, setting)| {
                let rule = Prepared::with_parameters(name, scenario, setting)?;
                Ok(Contender::new(*name, PolicyKind::Heuristic, move || rule.instance()))
            })
            .collect::<Result<_>>()?;
        let played =
            evaluate(&contenders, &Protocol::test(Arc::clone(scenario), 0, episodes), Hooks::default())?;
        let costs: Vec<Vec<f64>> = played
            .policies
            .iter()
            .map(|policy| policy.episodes.iter().map(EpisodeResult::cost_per_slot).collect())
            .collect();
        let beyond = |other: usize| {
            relative_difference(&costs[0], &costs[other], Resampling::Independent).with_context(|| {
                format!("nothing costs anything where {} = {x}, {} = {y}", self.x.key, self.y.key)
            })
        };
        let best = KINDS.iter().zip(&found).zip(&costs).map(|(((kind, _), (rule, setting)), costs)| {
            let setting: Vec<String> =
                setting.iter().map(|(name, value)| format!("{name} {value}")).collect();
            Best { kind, rule: (*rule).to_owned(), setting: setting.join(" "), cost: mean(costs) }
        });
        Ok(Measured {
            map: self.name,
            cv,
            x,
            y,
            best: best.collect(),
            beyond_memory: beyond(1)?,
            beyond_blind: beyond(2)?,
        })
    }
}

/// A rule and its parameters.
type Tuned = (&'static str, Vec<(&'static str, f64)>);

/// These rules with the best parameters that are found, and what they cost in other validation episodes than those that found them.
fn all_tuned(scenario: &Arc<Scenario>, rules: &[&'static str], episodes: u64) -> Result<Vec<(f64, Tuned)>> {
    let with_cost = |&name: &&'static str| {
        let parameters = entry(name)?.parameters;
        let starts: [fn(&Parameter) -> f64; 2] = [|known| known.default, |known| known.grid[0]];
        let mut best = (f64::INFINITY, Vec::new());
        for start in starts {
            let setting = parameters.iter().map(|known| (known.name, start(known))).collect();
            let (cost, setting) = improved(scenario, name, parameters, setting, episodes)?;
            if cost < best.0 {
                best = (cost, setting);
            }
        }
        Ok((cost_of(scenario, name, &best.1, CHOICE, episodes)?, (name, best.1)))
    };
    rules.iter().map(with_cost).collect()
}

/// The parameters of a rule and their cost, after going through the values of one after the other until nothing gets cheaper: a rule of
/// three parameters has too many combinations to try all of them at every point.
fn improved(
    scenario: &Arc<Scenario>,
    name: &str,
    parameters: &[Parameter],
    mut setting: Vec<(&'static str, f64)>,
    episodes: u64,
) -> Result<(f64, Vec<(&'static str, f64)>)> {
    let mut least = cost_of(scenario, name, &setting, TUNING, episodes)?;
    loop {
        let before = least;
        for (place, parameter) in parameters.iter().enumerate() {
            for &value in parameter.grid {
                let kept = setting[place].1;
                setting[place].1 = value;
                let cost =
                    if value == kept { least } else { cost_of(scenario, name, &setting, TUNING, episodes)? };
                if cost < least {
                    least = cost;
                } else {
                    setting[place].1 = kept;
                }
            }
        }
        if least >= before {
            return Ok((least, setting));
        }
    }
}

/// The cost per slot on validation episodes of this run.
fn cost_of(
    scenario: &Arc<Scenario>,
    name: &str,
    setting: &[(&str, f64)],
    run: u64,
    episodes: u64,
) -> Result<f64> {
    let rule = Prepared::with_parameters(name, scenario, setting)?;
    Ok(validate(scenario, run, episodes, &|| rule.instance(), &|| false)?.cost_per_slot())
}

/// All points as a table for programs.
pub(super) fn csv(points: &[Measured]) -> String {
    let mut text = "map,cv,x,y".to_owned();
    for (kind, _) in KINDS {
        let _ = write!(text, ",{kind}_rule,{kind}_setting,{kind}_cost"); // a String takes everything
    }
    text += ",beyond_memory,beyond_memory_low,beyond_memory_high,beyond_blind,beyond_blind_low,beyond_blind_high\n";
    for Measured { map, cv, x, y, best, beyond_memory, beyond_blind } in points {
        let _ = write!(text, "{map},{cv},{x},{y}");
        for Best { rule, setting, cost, .. } in best {
            let _ = write!(text, ",{rule},{setting},{cost:.6}");
        }
        for Estimate { mean, ci95 } in [beyond_memory, beyond_blind] {
            let _ = write!(text, ",{mean:.5},{:.5},{:.5}", ci95.low, ci95.high);
        }
        text.push('\n');
    }
    text
}

/// A table for people: each map at its corners and at the scenario's own place.
pub(super) fn corners(points: &[Measured]) -> String {
    let mut text =
        "| turns | world | sighted | memory | blind | sighted beyond memory | sighted beyond blind |\n\
                    | --- | --- | --- | --- | --- | --- | --- |\n"
            .to_owned();
    for map in &MAPS {
        let place = |axis: &Dimension, value: f64| axis.values.iter().position(|&known| known == value);
        let is_end = |place: Option<usize>| place == Some(0) || place == Some(VALUES - 1);
        let is_shown = |point: &&Measured| {
            let at = [place(&map.x, point.x), place(&map.y, point.y)];
            at == OWN.map(Some) || at.into_iter().all(is_end)
        };
        for point in points.iter().filter(|point| point.map == map.name).filter(is_shown) {
            let Measured { cv, x, y, best, beyond_memory, beyond_blind, .. } = point;
            let turns = if *cv == 0.0 { "alike" } else { "vary" };
            let _ = write!(text, "| {turns} | {}: {x}; {}: {y} |", map.x.name, map.y.name); // a String takes everything
            for Best { rule, cost, .. } in best {
                let _ = write!(text, " {:.2} `{rule}` |", 1e3 * cost);
            }
            let _ = writeln!(text, " {beyond_memory} | {beyond_blind} |");
        }
    }
    text += "\nCosts per slot x 1000.\n";
    text
}
