use super::*;
use std::fs;
use thoughtcache_agents::learn::config::LearnerConfig;

fn resolve(text: &str, settings: &[&str]) -> Result<Experiment> {
    let settings: Vec<Setting> = settings.iter().map(|typed| typed.parse().unwrap()).collect();
    Source { file: "x.toml".into(), folder: None, text: text.into() }.resolve("x".into(), &settings)
}

fn error(text: &str, settings: &[&str]) -> String {
    format!("{:#}", resolve(text, settings).unwrap_err())
}

const PLAIN: &str = "scenario = \"tight\"\nagent = \"ppo-tight\"\ndecisions = 64_000\n";

#[test]
fn the_resolved_config_is_an_experiment_that_resolves_to_itself() {
    let first = resolve(PLAIN, &["scenario.horizon_slots=50", "agent.ppo.ent_coef=0.02"]).unwrap();
    let text = first.to_toml().unwrap();
    let second = resolve(&text, &[]).unwrap();
    assert_eq!(second.to_toml().unwrap(), text);
    assert_eq!(second.name(), "x");
    assert_eq!(second.scenario.scenario.horizon_slots, 50);
    assert_eq!(second.agent, first.agent);
}

#[test]
fn a_base_is_changed_by_the_file_and_then_by_what_is_typed() {
    let text = "scenario = \"tight\"\ndecisions = 64_000\n[agent]\nfrom = \"ppo-tight\"\n[agent.ppo]\n\
                ent_coef = 0.01\ngamma = 0.8\nignore_entries = [\"age\"]\n";
    let LearnerConfig::Ppo(ppo) = resolve(text, &["agent.ppo.gamma=0.7"]).unwrap().agent.learner else {
        panic!("ppo")
    };
    assert_eq!((ppo.ent_coef, ppo.gamma, ppo.n_steps), (0.01, 0.7, 128));
    assert_eq!(ppo.ignore_entries, ["age"]);
}

#[test]
fn a_run_keeps_what_its_scenario_inherits() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("base.toml", "from = \"tight\"\n[cell]\nmemory_gb = 480.0\n");
    write("child.toml", "from = \"base.toml\"\nname = \"child\"\n");
    let child = folder.path().join("child.toml");
    let named = PLAIN.replace("\"tight\"", &format!("{:?}", child.display().to_string()));
    let first = resolve(&named, &["scenario.horizon_slots=50"]).unwrap();
    // A table of the experiment changes what the file inherits.
    let table = format!(
        "agent = \"ppo-tight\"\ndecisions = 64_000\n[scenario]\nfrom = {:?}\nhorizon_slots = 50\n",
        child.display().to_string()
    );
    assert_eq!(resolve(&table, &[]).unwrap().to_toml().unwrap(), first.to_toml().unwrap());
    drop(folder);
    let again = resolve(&first.to_toml().unwrap(), &[]).unwrap();
    let scenario = &again.scenario.scenario;
    assert_eq!(
        (scenario.name.as_str(), scenario.horizon_slots, scenario.capacity_bytes),
        ("child", 50, 480_000_000_000)
    );
    assert_eq!(scenario.digest, first.scenario.scenario.digest);
}

#[test]
fn a_budget_is_rounded_up_to_whole_steps_of_all_lanes() {
    let rounded = |typed: &str| {
        let experiment = resolve(PLAIN, &[&format!("decisions={typed}")]).unwrap();
        (experiment.agent.num_lanes(), experiment.asked_decisions, experiment.decisions)
    };
    assert_eq!(rounded("1"), (32, 1, 32));
    assert_eq!(rounded("64"), (32, 64, 64));
    assert_eq!(rounded("50000"), (32, 50_000, 50_016));
    let error = resolve(PLAIN, &["decisions=9223372036854775807"]).unwrap_err().to_string();
    assert!(error.ends_with("1 to 9223372036854775776"), "{error}");
}

#[test]
fn a_run_is_kept_as_often_as_it_is_validated_unless_told_otherwise() {
    assert_eq!(resolve(PLAIN, &["eval_every_decisions=6400"]).unwrap().checkpoint_every(), 6_400);
    let keys = ["eval_every_decisions=6400", "checkpoint_every_decisions=0"];
    assert_eq!(resolve(PLAIN, &keys).unwrap().checkpoint_every(), 0);
}

#[test]
fn every_key_of_the_file_can_be_set() {
    let keys = [
        "name=y",
        "decisions=3200",
        "seed=9",
        "eval_every_decisions=0",
        "eval_episodes=21",
        "eval_seed=4",
        "log_every_decisions=1",
        "checkpoint_every_decisions=5",
        "keep_checkpoints=2",
        "agent=dqn-tight",
        "scenario=paper",
    ];
    let experiment = resolve(PLAIN, &keys).unwrap();
    assert_eq!((experiment.name(), experiment.decisions, experiment.seed), ("y", 3200, 9));
    assert_eq!((experiment.eval_every_decisions, experiment.eval_episodes), (0, 21));
    assert_eq!((experiment.eval_seed, experiment.log_every_decisions), (4, 1));
    assert_eq!((experiment.checkpoint_every(), experiment.keep_checkpoints), (5, 2));
    assert_eq!(experiment.agent.algorithm().name(), "dqn");
    assert_eq!(experiment.scenario.scenario.name, "paper");
}

#[test]
fn mistakes_name_file_line_key_value_and_what_is_allowed() {
    let whole = resolve(PLAIN, &[]).unwrap().to_toml().unwrap();
    let changed = "scenario = \"tight\"\ndecisions = 64_000\n[agent]\nfrom = \"ppo-tight\"\n[agent.ppo]\n";
    let errors = [
        error(&PLAIN.replace("decisions", "decsions"), &[]),
        error(&PLAIN.replace("64_000", "0"), &[]),
        error(&format!("{PLAIN}eval_episodes = 5\n"), &[]),
        error(&format!("{PLAIN}name = \"a/b\"\n"), &[]),
        error(&PLAIN.replace("\"tight\"", "\"tigth\""), &[]),
        error(&PLAIN.replace("\"ppo-tight\"", "\"ppo\""), &[]),
        error(&PLAIN.replace("\"ppo-tight\"", "3"), &[]),
        error(&format!("{changed}gama = 0.9\n"), &[]),
        error(&format!("{changed}gamma = 1.5\n"), &[]),
        error(&whole.replace("gamma = 0.9", "gamma = 1.5"), &[]),
        error(&whole.replace("gae_lambda", "gea_lambda"), &[]),
        error(&whole.replace("horizon_slots = 200", "horizon_slots = 0"), &[]),
        error(PLAIN, &["agent.ppo.gama=0.9"]),
        error(PLAIN, &["agent.ppo.gamma=nan"]),
        error(PLAIN, &["scenario.horizon_slot=5"]),
        error(PLAIN, &["scenario.cell.memory_gb=-1"]),
        error(PLAIN, &["horizon_slots=5"]),
        error(PLAIN, &["agent.dqn.tau=0"]),
    ];
    insta::assert_snapshot!(errors.join("\n"));
}

/// What a file without and with one wrong line makes a person read.
#[test]
fn every_key_wrong_in_every_way() {
    let keys = [
        ("name", &["3", "\"\"", "\"a/b\"", "\".hidden\"", "\"a\\nb\""][..]),
        ("decisions", &["\"3\"", "-1", "0", "1.5", "nan", "1000", "99999999999999999999"]),
        ("seed", &["\"3\"", "-1", "1.5"]),
        ("eval_every_decisions", &["\"3\"", "-1", "inf"]),
        ("eval_episodes", &["\"3\"", "-1", "0", "19", "9223372036854775807"]),
        ("eval_seed", &["\"3\"", "-1"]),
        ("log_every_decisions", &["\"3\"", "-1", "0"]),
        (
            "agent",
            &["3", "[]", "{}", "\"\"", "\"ppo-tigth\"", "{ from = 3 }", "{ from = \"ppo\" }", "{ sac = {} }"],
        ),
        ("scenario", &["3", "[]", "{}", "\"\"", "\"tigth\"", "{ from = 3 }", "{ from = \"tigth\" }"]),
    ];
    let rest = |key: &str| -> String {
        PLAIN
            .lines()
            .filter(|line| !line.starts_with(key))
            .fold(String::new(), |text, line| text + line + "\n")
    };
    let mut page = String::new();
    for (key, values) in keys {
        let mut say = |what: &str, text: &str, settings: &[&str]| {
            let said =
                resolve(text, settings).map_or_else(|error| format!("{error:#}"), |_| "accepted".into());
            page.extend([key, " ", what, "\n    ", &said, "\n"]);
        };
        say("is missing", &rest(key), &[]);
        say("is misspelt", &format!("{}{}x = 1\n", rest(key), key), &[]);
        for value in values {
            say(&format!("= {value}"), &format!("{key} = {value}\n{}", rest(key)), &[]);
            say(&format!("= {value}, typed"), PLAIN, &[&format!("{key}={value}")]);
        }
    }
    insta::assert_snapshot!(page);
}

#[test]
fn every_shipped_experiment_resolves_or_says_how_to_make_its_recording() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../configs/experiments");
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let config = ExperimentArgs { config: path.clone(), settings: Vec::new(), seed: None };
        match config.load() {
            Ok(experiment) => assert_eq!(experiment.name(), path.file_stem().unwrap().to_str().unwrap()),
            Err(error) => {
                let error = format!("{error:#}");
                assert!(
                    error.contains("make it with: thoughtcache trace import"),
                    "{}: {error}",
                    path.display()
                );
            }
        }
    }
}
