//! Random play in every combination of the decision options, beside a bookkeeper that knows the rules and nothing else.

use rand::RngExt;
use std::collections::BTreeSet;
use std::sync::Arc;
use thoughtcache_env::gym::api::{ActionId, Env};
use thoughtcache_env::gym::check::{CheckSettings, check_env};
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::gym::space::Decision;
use thoughtcache_env::placement::Placement;
use thoughtcache_env::random::{Purpose, Seed, SimRng, Stream};
use thoughtcache_env::scenario::Scenario;
use thoughtcache_env::scenario::shipped;
use thoughtcache_env::text::Override;
use thoughtcache_env::units::{CellId, ServiceId};
use thoughtcache_env::world::Pending;

/// Every combination of granularity, hold, prefetch and up to three cells, with a memory that seldom fits anything.
fn worlds() -> Vec<(String, Arc<Scenario>)> {
    let mut worlds = Vec::new();
    for granularity in ["service", "request"] {
        for hold in [false, true] {
            for prefetch in [false, true] {
                for cells in 1..=3 {
                    if hold && granularity == "service" {
                        continue;
                    }
                    let changes = [
                        ("decision.granularity", granularity.to_owned()),
                        ("decision.hold", hold.to_string()),
                        ("decision.prefetch", prefetch.to_string()),
                        ("cell.count", cells.to_string()),
                        ("cell.memory_gb", "700".into()),
                        ("horizon_slots", "60".into()),
                        ("workload.poisson.mean_requests_per_service", "0.4".into()),
                    ];
                    let overrides: Vec<Override> = changes
                        .iter()
                        .map(|(key, value)| Override { key: (*key).into(), value: value.clone() })
                        .collect();
                    let text = shipped::text("tight").unwrap();
                    let loaded = Scenario::load("tight", text, &overrides, |path| Err(format!("no {path}")));
                    let name = format!("{granularity} hold {hold} prefetch {prefetch} cells {cells}");
                    worlds.push((name, Arc::new(loaded.unwrap_or_else(|error| panic!("{error}")).1)));
                }
            }
        }
    }
    worlds
}

/// What is in memory and what forbids what, kept by hand from the actions alone.
#[derive(Clone, Default)]
struct Books {
    resident: BTreeSet<(CellId, ServiceId)>,
    served: BTreeSet<(CellId, ServiceId)>,
    held: BTreeSet<(CellId, ServiceId)>,
    /// Choices of the pending decision: the service to load ahead, the placement, the victims.
    ahead: Option<ServiceId>,
    placement: Option<Placement>,
    victims: Vec<ServiceId>,
}

impl Books {
    fn bytes(&self, scenario: &Scenario, cell: CellId, which: impl Fn(ServiceId) -> bool) -> u64 {
        let own = self.resident.iter().filter(|(c, service)| *c == cell && which(*service));
        own.map(|(_, service)| scenario.service(*service).bytes).sum()
    }

    fn may_leave(&self, cell: CellId, service: ServiceId) -> bool {
        self.resident.contains(&(cell, service))
            && !self.served.contains(&(cell, service))
            && !self.victims.contains(&service)
    }

    /// Whether so much could be freed that the service fits; and whether something must be freed.
    fn room(&self, scenario: &Scenario, cell: CellId, service: ServiceId) -> (bool, bool) {
        if self.resident.contains(&(cell, service)) {
            return (true, false);
        }
        let bytes = scenario.service(service).bytes;
        let stays = |is_chosen: bool| {
            self.bytes(scenario, cell, |other| {
                !self.victims.contains(&other) && (is_chosen || self.served.contains(&(cell, other)))
            })
        };
        let capacity = scenario.capacity_bytes;
        (stays(false) + bytes <= capacity, stays(true) + bytes > capacity)
    }

    fn allows(&self, scenario: &Scenario, pending: Pending, decision: Decision) -> bool {
        let (cell, service) = match pending {
            Pending::Prefetch(cell) => (cell, self.ahead),
            Pending::Batch(batch) => (batch.cell, Some(batch.service)),
        };
        match (decision, service) {
            (Decision::Pass, _) => matches!(pending, Pending::Prefetch(_)) && self.ahead.is_none(),
            (Decision::Load(service), _) => {
                matches!(pending, Pending::Prefetch(_))
                    && self.ahead.is_none()
                    && !self.resident.contains(&(cell, service))
                    && self.room(scenario, cell, service).0
            }
            (Decision::Serve { .. }, None) => false,
            (Decision::Serve { placement, .. }, Some(_)) if !placement.needs_residency() => {
                self.placement.is_none()
            }
            (Decision::Serve { victim, .. }, Some(service)) => {
                let (fits, must_free) = self.room(scenario, cell, service);
                let is_held =
                    self.held.contains(&(cell, service)) && !self.resident.contains(&(cell, service));
                let is_possible = fits && !is_held;
                is_possible && victim.is_none_or(|victim| must_free && self.may_leave(cell, victim))
            }
        }
    }

    /// Books what the environment carried out; `after` is the world after it.
    fn book(&mut self, env: &DecisionEnv, pending: Pending, decision: Decision, is_done: bool, slots: u32) {
        let scenario = env.world().scenario();
        match decision {
            Decision::Load(service) => self.ahead = Some(service),
            Decision::Serve { placement, victim: Some(victim) } => {
                self.placement = Some(placement);
                self.victims.push(victim);
            }
            Decision::Serve { victim: None, .. } | Decision::Pass => {}
        }
        if self.ahead.is_some() {
            self.placement = Some(Placement::Edge);
        }
        if !is_done {
            return;
        }
        let cell = pending.cell();
        let now: BTreeSet<ServiceId> = (0..scenario.services.len())
            .map(ServiceId::from_index)
            .filter(|&service| env.world().cell(cell).cache.is_resident(service))
            .collect();
        for victim in std::mem::take(&mut self.victims) {
            assert!(!now.contains(&victim), "what was named left");
        }
        if let (Pending::Batch(batch), Decision::Serve { placement, .. }) = (pending, decision) {
            let own = (cell, batch.service);
            if placement == Placement::Edge && !scenario.is_per_request {
                self.served.insert(own);
            } else if placement == Placement::Cloud && scenario.has_hold && !self.resident.contains(&own) {
                self.held.insert(own);
            }
        }
        // Who left without being named is the world's own choice; it is taken over.
        self.resident.retain(|(other, _)| *other != cell);
        self.resident.extend(now.into_iter().map(|service| (cell, service)));
        let resident = &self.resident;
        self.served.retain(|entry| resident.contains(entry));
        (self.ahead, self.placement) = (None, None);
        if slots > 0 {
            self.served.clear();
            self.held.clear();
        }
    }
}

fn random_legal(mask: &[bool], rng: &mut SimRng) -> ActionId {
    let legal: Vec<usize> = (0..mask.len()).filter(|&index| mask[index]).collect();
    ActionId::from_index(legal[rng.random_range(0..legal.len())])
}

fn row(env: &DecisionEnv) -> Vec<f32> {
    let mut row = vec![f32::NAN; env.spec().num_entries()];
    env.encode(&mut row);
    row
}

#[test]
fn the_mask_is_what_a_bookkeeper_of_the_rules_would_allow() {
    for (name, scenario) in worlds() {
        let mut env = DecisionEnv::new(Arc::clone(&scenario));
        let mut rng = Seed::new(Purpose::Test, 1).stream(Stream::Policy);
        let (mut choices, mut holds, mut loads_ahead) = (0, 0, 0);
        for episode in 0..2 {
            let mut books = Books::default();
            env.reset(Seed::new(Purpose::Train, 5).with_episode(episode));
            let (mut reward, mut cost, mut slots) = (0.0, 0.0, 0);
            loop {
                let pending = env.world().pending();
                let observation = env.observation();
                for (index, &is_legal) in observation.legal.iter().enumerate() {
                    let decision = observation.space().decode(ActionId::from_index(index)).unwrap();
                    let expected = books.allows(&scenario, pending, decision);
                    assert_eq!(is_legal, expected, "{name}: {decision:?} at {pending:?}");
                }
                for (value, entry) in row(&env).iter().zip(&env.spec().entries) {
                    assert!((entry.low..=entry.high).contains(value), "{name}: {} = {value}", entry.name);
                }
                let action = random_legal(&observation.legal, &mut rng);
                let decision = observation.space().decode(action).unwrap();
                let step = env.step(&action).unwrap();
                let is_done = step.end.is_end() || env.observation().fixed_placement.is_none();
                choices += u32::from(!is_done);
                if !is_done {
                    assert_eq!((step.reward, step.slots_elapsed), (0.0, 0), "{name}");
                }
                loads_ahead +=
                    u32::from(matches!(pending, Pending::Prefetch(_)) && step.info.counters.loads > 0);
                books.book(&env, pending, decision, is_done, step.slots_elapsed);
                holds += books.held.len();
                reward += step.reward;
                cost += step.info.cost.total();
                slots += step.slots_elapsed;
                if step.end.is_end() {
                    break;
                }
            }
            assert!((reward + cost).abs() <= 1e-9 * cost, "{name}: {reward} against {cost}");
            // Elsewhere, empty slots before the first decision belong to no step.
            assert!(!scenario.has_prefetch || slots == 60, "{name}: {slots}");
        }
        assert!(choices > 0, "{name}: several victims were named");
        assert_eq!((holds > 0, loads_ahead > 0), (scenario.has_hold, scenario.has_prefetch), "{name}");
    }
}

#[test]
fn prefetch_decisions_come_first_and_cells_by_their_ids() {
    for (name, scenario) in worlds().into_iter().filter(|(_, scenario)| scenario.has_prefetch) {
        let mut env = DecisionEnv::new(Arc::clone(&scenario));
        env.reset(Seed::new(Purpose::Train, 5));
        for slot in 0..60 {
            assert_eq!(env.world().slot(), slot);
            for cell in (0..scenario.num_cells).map(CellId) {
                assert_eq!(env.world().pending(), Pending::Prefetch(cell), "{name}");
                let pass = env.observation().pass().unwrap();
                env.step(&pass).unwrap();
            }
            let mut last = CellId(0);
            while let Pending::Batch(batch) = env.world().pending()
                && env.world().slot() == slot
            {
                assert!(last <= batch.cell, "{name}");
                last = batch.cell;
                let cloud = env.observation().place(Placement::Cloud).unwrap();
                env.step(&cloud).unwrap();
            }
        }
    }
}

#[test]
fn a_snapshot_in_the_middle_of_a_choice_comes_back_to_it() {
    for (name, scenario) in worlds() {
        let mut env = DecisionEnv::new(Arc::clone(&scenario));
        let mut other = DecisionEnv::new(Arc::clone(&scenario));
        let mut rng = Seed::new(Purpose::Test, 2).stream(Stream::Policy);
        env.reset(Seed::new(Purpose::Train, 6));
        let mut num_kept = [0, 0];
        for _ in 0..400 {
            let is_middle = env.observation().fixed_placement.is_some();
            let snapshot = env.snapshot();
            other.restore(&snapshot).unwrap();
            assert_eq!((row(&env), env.world().pending()), (row(&other), other.world().pending()), "{name}");
            assert_eq!(env.observation().legal, other.observation().legal, "{name}");
            let action = random_legal(&env.observation().legal, &mut rng);
            let step = env.step(&action).unwrap();
            assert_eq!(other.step(&action).unwrap(), step, "{name}");
            assert_eq!(other.snapshot(), env.snapshot(), "{name}");
            num_kept[usize::from(is_middle)] += 1;
            if step.end.is_end() {
                env.reset(Seed::new(Purpose::Train, 7));
            }
        }
        assert!(num_kept.iter().all(|&kept| kept > 0), "{name}: {num_kept:?}");
        let before = DecisionEnv::new(Arc::clone(&scenario)).snapshot();
        other.restore(&before).unwrap();
        assert!(other.step(&ActionId(0)).is_err(), "{name}: no episode has begun");
    }
}

#[test]
fn a_snapshot_of_other_options_is_refused() {
    let worlds = worlds();
    for (name, scenario) in &worlds {
        let mut env = DecisionEnv::new(Arc::clone(scenario));
        env.reset(Seed::new(Purpose::Train, 5));
        for (other, other_scenario) in &worlds {
            let mut stranger = DecisionEnv::new(Arc::clone(other_scenario));
            assert_eq!(stranger.restore(&env.snapshot()).is_ok(), name == other, "{name} into {other}");
        }
    }
}

#[test]
fn the_public_checker_finds_nothing_in_any_combination() {
    for (name, scenario) in worlds() {
        let checked = check_env(|| DecisionEnv::new(Arc::clone(&scenario)), CheckSettings::default());
        assert!(checked.is_ok(), "{name}: {}", checked.unwrap_err());
    }
}

#[test]
fn two_policies_on_one_seed_meet_the_same_requests_with_any_option() {
    for (name, scenario) in worlds() {
        let play = |run: u64| {
            let mut env = DecisionEnv::new(Arc::clone(&scenario));
            let mut rng = Seed::new(Purpose::Test, run).stream(Stream::Policy);
            env.reset(Seed::new(Purpose::Train, 5));
            while !env.step(&random_legal(&env.observation().legal, &mut rng)).unwrap().end.is_end() {}
            env.world().exogenous_fingerprint()
        };
        assert_eq!(play(1), play(2), "{name}");
    }
}
