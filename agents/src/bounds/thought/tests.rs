use super::*;
use crate::heuristics::build;
use approx::assert_relative_eq;
use std::sync::Arc;
use thoughtcache_env::gym::api::{Env, Step};
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::gym::observation::DecisionObservation;
use thoughtcache_env::gym::space::{ActionSpace, Decision};
use thoughtcache_env::placement::Placement;
use thoughtcache_env::random::{Purpose, Seed, Stream};

#[test]
fn one_of_two_users_is_served_as_well_by_name_as_by_context_and_worse_by_chance() {
    let world = TwoUsers::new(TwoUsers::PAPER_FADE);
    let (sighted, affinity, (blind, serving_prob)) = (world.sighted(), world.affinity(), world.blind());
    // Eleven answers fill the window; the n-th has kappa = 200 + 80 (n - 1).
    let ages = (0..11).map(|before| 200.0 + 80.0 * f64::from(before));
    let answer = |age: f64| 2.5 * 0.5 / (age * std::f64::consts::LN_2) / 0.0074;
    assert_relative_eq!(affinity, 1.0 + ages.map(answer).sum::<f64>() / 11.0, max_relative = 1e-6);
    assert_relative_eq!(sighted, affinity, max_relative = 1e-6);
    assert!((sighted - 1.5157).abs() < 5e-5 && (blind - 1.9245).abs() < 5e-5, "{sighted} {blind}");
    assert_eq!(serving_prob, 1.0);
    assert_relative_eq!(world.blind_with(0.0), 2.0, max_relative = 1e-9);
    assert_relative_eq!(world.blind_with(0.7), world.blind_with_both(0.7), max_relative = 1e-6);
}

#[test]
fn nobody_can_do_better_than_chance_where_nothing_fades_or_everything_does() {
    let [nothing, all] = [0.0, 1.0].map(TwoUsers::new);
    assert_relative_eq!(nothing.sighted(), nothing.blind().0, max_relative = 1e-6);
    // Every answer has the tokens of its own thought alone, and costs more than the cloud.
    let alone = 2.5 * 0.5 / (200.0 * std::f64::consts::LN_2) / 0.0074;
    assert_relative_eq!(all.affinity(), 1.0 + alone, max_relative = 1e-6);
    assert_relative_eq!(all.sighted(), 2.0, max_relative = 1e-6);
    assert_eq!(all.blind().1, 0.0);
}

#[test]
fn the_best_blind_rule_of_a_world_of_two_services_is_found_among_all() {
    let worlds = (0..40).map(SharedContexts::draw).filter(|world| world.num_services() == 2);
    let mut seen = 0;
    for world in worlds.take(6) {
        let (found, best) = (world.blind(), world.blind_of_all());
        assert_relative_eq!(found, best, max_relative = 1e-5);
        assert!(world.sighted() <= best * (1.0 + 1e-6));
        seen += 1;
    }
    assert_eq!(seen, 6);
}

#[test]
fn where_users_share_contexts_blind_rules_lose_little() {
    let mut shares: Vec<f64> = gaps(30).iter().map(Gap::share).collect();
    shares.sort_by(f64::total_cmp);
    assert!(shares[15] < 1e-3, "the median of {shares:?}");
    assert!((1e-3..0.03).contains(&shares[27]), "the ninth decile of {shares:?}");
}

/// What a policy knows that sees no context, but remembers what it decided.
struct Memory {
    laws: Vec<Law>,
    thoughts: Vec<Thought>,
}

impl Memory {
    fn note(&mut self, before: &DecisionObservation, placement: Placement, step: &Step) {
        if placement == Placement::Edge {
            let served = before.service.index();
            let (_, kept) = self.laws[served].serve(self.thoughts[served], before.num_requests);
            self.thoughts[served] = kept.unwrap_or_default();
        }
        for _ in 0..step.slots_elapsed {
            for (law, thought) in self.laws.iter().zip(&mut self.thoughts) {
                *thought = law.faded(*thought);
            }
        }
    }
}

#[test]
fn who_remembers_what_was_served_knows_every_context_without_seeing_one() {
    let scenario = Arc::new(Scenario::shipped("tight"));
    let space = ActionSpace::new(&scenario.placements, scenario.services.len(), false);
    let laws: Vec<Law> =
        (0..scenario.services.len()).map(|index| Law::of(&scenario, ServiceId::from_index(index))).collect();
    for rule in ["random", "least-aot", "density"] {
        let mut memory = Memory { thoughts: vec![Thought::default(); laws.len()], laws: laws.clone() };
        let mut policy = build(rule, &scenario).unwrap();
        let mut env = DecisionEnv::new(Arc::clone(&scenario));
        let seed = Seed::new(Purpose::Test, 1);
        let mut draws = seed.stream(Stream::Policy);
        env.reset(seed);
        let mut fresh = 0;
        loop {
            let before = env.observation().clone();
            let action = policy.act(&before, &mut draws);
            let Some(Decision::Serve { placement, .. }) = space.decode(action) else { panic!("{action:?}") };
            let step = env.step(&action).unwrap();
            let after = env.observation();
            // A batch that is asked about again has not been served yet.
            if after.fixed_placement.is_none() {
                memory.note(&before, placement, &step);
            }
            for (service, residency) in after.residency.iter().enumerate() {
                if residency.is_resident {
                    assert_eq!(
                        memory.thoughts[service], after.thoughts[service],
                        "{rule}: service {service}"
                    );
                    fresh += usize::from(after.thoughts[service].age_tokens > 0.0);
                } else {
                    memory.thoughts[service] = Thought::default();
                }
            }
            if step.end.is_end() {
                break;
            }
        }
        assert!(fresh > 1_000, "{rule}: {fresh}");
    }
}
