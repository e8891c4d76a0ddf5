//! `--set`: unknown keys, wrong types, contradictions.

use super::super::Desk;
#[cfg(feature = "torch")]
use super::super::repository;
use super::assert_mistakes;

#[test]
fn of_a_scenario() {
    let check = |settings: &str| format!("scenario check tight {settings}");
    let lines: Vec<String> = [
        "--set nothing",
        "--set scenario.horizon_slots",
        "--set =3",
        "--set horizon_slots=3",
        "--set agent.ppo.gamma=0.5",
        "--set scenario.=3",
        "--set scenario..name=x",
        "--set scenario.horizon_slot=3",
        "--set scenario.cell.memory=3",
        "--set scenario.services.3.alhpa=0.5",
        "--set scenario.policies.desnity.margin=1",
        "--set scenario.policies.density.margn=1",
        "--set scenario.policies.density.margin=-1",
        "--set scenario.horizon_slots=",
        "--set scenario.horizon_slots=three",
        "--set scenario.horizon_slots=2.5",
        "--set scenario.horizon_slots=-3",
        "--set scenario.horizon_slots=0",
        "--set scenario.cell.memory_gb=nan",
        "--set scenario.cell.memory_gb=inf",
        "--set scenario.cell=3",
        "--set scenario.cell={}",
        "--set scenario.cell={count=0,memory_gb=1}",
        "--set scenario.name.x=3",
        "--set scenario.services.20.alpha=0.5",
        "--set scenario.services.x.alpha=0.5",
        "--set scenario.services=[]",
        "--set scenario.services.3.model=lama-65b",
        "--set scenario.memory.refresh=evct",
        "--set scenario.quality.logarithmic.base=0.5",
        "--set scenario.quality=linear",
        "--set scenario.workload.poison.zipf_exponent=1",
        "--set scenario.cost.compute_weight=0.5",
        "--set scenario.slot_s=2 --set scenario.cel.count=2 --set scenario.name=x",
        "--set scenario.slot_s=2 --set scenario.slot_s=3",
        "--set scenario.slot_s=2 --set scenario.cost.compute_weight=0.5",
        "--set scenario.workload.trace.path=x.csv",
    ]
    .map(check)
    .to_vec();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    assert_mistakes("settings", &Desk::new(), &lines);
}

/// The paths of all tables below one, as `--set` has them.
#[cfg(feature = "torch")]
fn tables(value: &toml::Value, trail: &str, found: &mut Vec<String>) {
    let Some(table) = value.as_table() else { return };
    for (key, value) in table {
        let path = if trail.is_empty() { key.clone() } else { format!("{trail}.{key}") };
        if value.is_table() {
            found.push(path.clone());
        }
        tables(value, &path, found);
    }
}

/// Experiments name their parts, the config of a run has every table of agent and scenario.
#[cfg(feature = "torch")]
#[test]
fn a_list_is_refused_wherever_an_experiment_has_a_table() {
    let desk = Desk::new();
    let experiments = std::fs::read_dir(repository("configs/experiments")).unwrap();
    let mut files: Vec<_> = experiments.map(|entry| entry.unwrap().path()).collect();
    let runs = ["street-ppo", "tight-dqn"].map(|run| format!("runs/reference/{run}/config.toml"));
    files.extend(runs.iter().map(|run| repository(run)));
    let mut refused = 0;
    for file in files {
        let mut found = Vec::new();
        tables(&toml::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap(), "", &mut found);
        for (table, list) in found.iter().zip(["[]", "[0.5,0.5]", "[16,16,128]"].iter().cycle()) {
            let line = format!("train --config {} --set {table}={list}", file.display());
            let stderr = desk.run(&line).expect(2).stderr;
            assert!(stderr.contains(&format!("--set {table}=[")), "{line}: {stderr}");
            let is_part = table == "agent" || table == "scenario";
            let why = if is_part { "a name, a path or a table [" } else { "a list stands where " };
            assert!(stderr.contains(why), "{line}: {stderr}");
            refused += 1;
        }
    }
    assert!(refused > 50, "{refused}");
}
