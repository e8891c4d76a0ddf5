//! The second edition of the physical world, `[physical] edition = 2`: that it is one key, and plays.

use crate::plain::plain;
use std::sync::Arc;
use thoughtcache_env::gym::api::{ActionId, Env};
use thoughtcache_env::gym::check::{CheckSettings, check_env};
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::placement::Placement;
use thoughtcache_env::placement::pipeline::Stage;
use thoughtcache_env::random::{Purpose, Seed};
use thoughtcache_env::scenario::{Scenario, shipped};
use thoughtcache_env::text::Override;
use thoughtcache_env::units::ServiceId;

const TEXT: &str = "{ modality = \"text\", deadline_s = 5.0 }";

/// A shipped scenario with `--set` of these.
fn with(name: &str, changes: &[(&str, &str)]) -> Result<Arc<Scenario>, String> {
    let overrides: Vec<Override> =
        changes.iter().map(|(k, v)| Override { key: (*k).into(), value: (*v).into() }).collect();
    let loaded =
        Scenario::load(name, shipped::text(name).unwrap(), &overrides, |path| Err(format!("no {path}")));
    loaded.map(|(_, scenario)| Arc::new(scenario)).map_err(|error| error.to_string())
}

#[test]
fn street_and_city_of_the_second_edition_keep_the_contract() {
    for name in ["street", "city"] {
        let scenario = with(name, &[("physical.edition", "2")]).unwrap();
        let settings = CheckSettings { steps: 3_000, ..CheckSettings::default() };
        let checked = check_env(|| DecisionEnv::new(Arc::clone(&scenario)), settings);
        assert!(checked.unwrap_or_else(|broken| panic!("{broken}")).steps >= 3_000);
    }
}

#[test]
fn an_edition_is_1_or_2_and_text_is_of_the_second() {
    let refused = |changes: &[(&str, &str)]| with("street", changes).unwrap_err();
    let says = |message: &str, what: &str| assert!(message.contains(what), "{message}");
    for typed in ["0", "3"] {
        says(&refused(&[("physical.edition", typed)]), &format!("physical.edition = {typed}: 1 or 2"));
    }
    let text = ("services.0.demands", TEXT);
    let modality = "services[0].demands.modality = \"text\": ";
    says(&refused(&[text]), &format!("{modality}physical.edition = 2, or what a sensor sees"));
    let second = ("physical.edition", "2");
    let stuck = ("decision.placements", "[\"edge\", \"split_cloud_fine\"]");
    says(&refused(&[second, text, stuck]), &format!("{modality}cloud or device among decision.placements"));
    let sensor = ("services.0.demands.modality", "\"text\"");
    says(&refused(&[second, sensor]), "services[0].demands.sensor_kbit = 8000: no such key with modality");
    let image = ("services.0.demands", "{ modality = \"image\", sensor_kbit = 1.0, deadline_s = 5.0 }");
    says(&refused(&[second, image]), "services[0].demands.perception_gflop");
    with("street", &[second, text]).unwrap();
}

#[test]
fn the_first_edition_is_the_world_without_the_key() {
    let play = |changes: &[(&str, &str)]| {
        let mut env = DecisionEnv::new(plain(changes));
        env.reset(Seed::new(Purpose::Train, 1));
        let mut rewards = Vec::new();
        while rewards.len() < 200 && env.is_running() {
            let first = env.observation().legal.iter().position(|&is_legal| is_legal).unwrap();
            rewards.push(env.step(&ActionId::from_index(first)).unwrap().reward);
        }
        (rewards, env.spec().entries.len())
    };
    let ((before, entries), (second, more)) = (play(&[]), play(&[("physical.edition", "2")]));
    assert_eq!(play(&[("physical.edition", "1")]), (before.clone(), entries));
    // One for text, for the air and for the cloud, four for what each of two models does, and what that of the batch does.
    assert!(before != second && more == entries + 15, "{more} instead of {entries}");
}

#[test]
fn a_model_runs_on_as_many_gpus_as_the_memory_of_the_scenario_asks_for() {
    // 160 GB on four GPUs: 40 GB each. Qwen2.5-32B has 65.5 GB, Gemma-2-27B 54.5, Mixtral 93.4; Llama-3.1-8B 16.1.
    let gpus = |changes: &[(&str, &str)], service: u32| {
        let scenario = with("street", changes).unwrap();
        scenario.physical().unwrap().edge(ServiceId(service)).server.num_gpus
    };
    let second = ("physical.edition", "2");
    for (service, name, first, granted) in [
        (7, "qwen-32b", 1.0, 2.0),
        (4, "gemma-27b", 1.0, 2.0),
        (9, "mixtral", 2.0, 4.0),
        (1, "llama-8b", 1.0, 1.0),
    ] {
        assert_eq!((gpus(&[], service), gpus(&[second], service)), (first, granted), "{name}");
    }
    // With 20 GB in all no cell ever holds it; its place in the table stays.
    assert_eq!(gpus(&[second, ("cell.memory_gb", "20.0")], 9), 4.0);
}

#[test]
fn what_is_text_needs_no_perception_and_sends_its_prompt() {
    let scenario = with("street", &[("physical.edition", "2"), ("services.0.demands", TEXT)]).unwrap();
    let mut env = DecisionEnv::new(scenario);
    env.reset(Seed::new(Purpose::Train, 3));
    let mut seen = 0_u32;
    while seen < 20 {
        let facts = env.world().facts().unwrap();
        let is_text = facts.service == ServiceId(0);
        let offered = Placement::ALL.map(|placement| env.observation().place(placement).is_some());
        assert_eq!(offered[Placement::SplitCloudFine.rank()], !is_text);
        let step = env.step(&env.observation().place(Placement::Cloud).unwrap()).unwrap();
        if is_text {
            let bill = env.world().last_bill().unwrap();
            assert_eq!((bill.factors.perception, bill.line(Stage::Perceive).seconds), (1.0, 0.0));
            // 32 bits a token, once the air is free.
            let bits = (bill.line(Stage::Uplink).seconds - facts.air_s) * facts.link.uplink_bps;
            approx::assert_relative_eq!(bits, 32.0 * facts.new_tokens, max_relative = 1e-6);
            seen += 1;
        }
        if step.end.is_end() {
            env.reset(Seed::new(Purpose::Train, 3).with_episode(u64::from(seen)));
        }
    }
}

#[test]
fn handovers_are_told_for_each_kilometre_and_some_go_back() {
    let scenario = with("city", &[("physical.edition", "2")]).unwrap();
    let mut env = DecisionEnv::new(scenario);
    env.reset(Seed::new(Purpose::Train, 1));
    assert_eq!(env.world().handover_rates(), None);
    for _ in 0..5_000 {
        let step = env.step(&env.observation().place(Placement::Device).unwrap()).unwrap();
        if step.end.is_end() {
            break;
        }
    }
    let (world, handovers) = (env.world(), env.world().handovers().unwrap());
    let [per_km, back] = world.handover_rates().unwrap();
    println!("{handovers} handovers, {per_km:.1} a kilometre, {back:.3} of them back");
    assert!(handovers > 50 && per_km > 0.5 && (0.0..0.5).contains(&back), "{handovers} {per_km} {back}");
}
