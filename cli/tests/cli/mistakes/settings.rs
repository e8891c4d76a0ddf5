//! `--set`: unknown keys, wrong types, contradictions.

use super::super::Desk;
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
