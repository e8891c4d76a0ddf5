//! Every key of an agent, wrong in every way: what a person reads.

use thoughtcache_agents::learn::config::AgentConfig;
use thoughtcache_env::text::parse;

/// What reading and validating say, `accepted` where they say nothing.
fn verdict(text: &str) -> String {
    let config: AgentConfig = match parse("x.toml", text, &[], &[""]) {
        Ok(config) => config,
        Err(error) => return error.to_string(),
    };
    match config.validate() {
        Ok(()) => "accepted".into(),
        Err(invalid) => invalid.in_text("x.toml", text).to_string(),
    }
}

/// Each key of the agent's defaults, changed in every way.
fn page(agent: &str) -> String {
    let config: AgentConfig = parse("x.toml", &format!("[{agent}]\n"), &[], &[]).unwrap();
    let optional = if agent == "ppo" { "clip_range_vf = 0.2\ntarget_kl = 0.1\n" } else { "" };
    let text = toml::to_string(&config).unwrap() + optional;
    assert_eq!(verdict(&text), "accepted");
    let lines: Vec<&str> = text.lines().collect();
    let mut page = String::new();
    for (index, line) in lines.iter().enumerate() {
        let Some((key, value)) = line.split_once(" = ") else { continue };
        let mut with = |what: &str, line: String| {
            let mut changed = lines.clone();
            changed[index] = &line;
            let said = verdict(&(changed.join("\n") + "\n"));
            page.extend([key, " ", what, "\n    ", &said, "\n"]);
        };
        with("is misspelt", format!("{}_{} = {value}", &key[..1], &key[1..]));
        let values: &[&str] = if value.starts_with('"') {
            &["3", "\"\"", "\"nonsense\""]
        } else if value.starts_with('[') {
            &["3", "[-1]", "[0]", "[5000]", "[\"x\"]", "[1, 1, 1, 1, 1, 1, 1, 1, 1]"]
        } else if value == "true" || value == "false" {
            &["1", "\"yes\""]
        } else if value.contains('.') {
            &["\"3\"", "nan", "inf", "-1.0", "0.0", "1e300"]
        } else {
            &["\"3\"", "2.5", "-1", "0", "10000001"]
        };
        for value in values {
            with(&format!("= {value}"), format!("{key} = {value}"));
        }
    }
    page
}

#[test]
fn every_key_of_ppo_wrong_in_every_way() {
    insta::assert_snapshot!(page("ppo"));
}

#[test]
fn every_key_of_dqn_wrong_in_every_way() {
    insta::assert_snapshot!(page("dqn"));
}

#[test]
fn tables_and_combinations_that_contradict_each_other() {
    let cases = [
        ("the file is empty", ""),
        ("the table is misspelt", "[pp]\n"),
        ("another learner", "[sac]\n"),
        ("two learners", "[ppo]\n[dqn]\n"),
        ("a key beside the table", "gamma = 0.9\n[ppo]\n"),
        ("a key of the other learner", "[ppo]\nbuffer_size = 100\n"),
        ("a table that is a word", "ppo = \"tight\"\n"),
        ("a list of the first keys", "ppo = [16, 16, 128]\n"),
        ("an unknown rule to imitate", "warm_start = \"densty\"\n[ppo]\n"),
        ("too many decisions to imitate", "warm_start = \"lru\"\nwarm_start_decisions = 9000000000\n[ppo]\n"),
        ("decisions of no rule", "warm_start_decisions = 5\n[ppo]\n"),
        ("a batch above the rollout", "[ppo]\nn_envs = 1\nn_steps = 10\nbatch_size = 11\n"),
        ("a rollout beyond memory", "[ppo]\nn_envs = 1000000\nn_steps = 5\n"),
        ("exploration that rises", "[dqn]\nexploration_initial_eps = 0.1\nexploration_final_eps = 0.2\n"),
    ];
    let page: Vec<String> =
        cases.iter().map(|(what, text)| format!("{what}\n    {}\n", verdict(text))).collect();
    let page = page.concat();
    insta::assert_snapshot!(page);
}
