//! Every path: missing, a folder, empty, binary, too long, of the wrong kind.

use super::super::{Desk, repository};
use super::assert_mistakes;

/// A desk with one file of every kind.
fn desk() -> Desk {
    let desk = Desk::new();
    desk.write("empty", "");
    desk.write("latin", "name = \"x\"\ntitle = \"caf");
    std::fs::write(desk.path("latin"), b"name = \"x\"\ntitle = \"caf\xe9\"\n").unwrap();
    desk.write("long", &"# nothing\n".repeat(500_000));
    desk.write("notes", "These are notes.\n");
    desk.write("one.csv", "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,374,44\n");
    desk.run("trace import one.csv --format azure --out one-trace.csv").expect(0);
    let reference = repository("runs/reference/tight-ppo");
    std::fs::create_dir_all(desk.path("run/checkpoints/best")).unwrap();
    std::fs::create_dir(desk.path("folder")).unwrap();
    for file in [
        "config.toml",
        "provenance.toml",
        "checkpoints/best/policy.safetensors",
        "checkpoints/best/meta.json",
    ] {
        std::fs::copy(reference.join(file), desk.path("run").join(file)).unwrap();
    }
    std::fs::copy(repository("configs/agents/ppo-tight.toml"), desk.path("agent.toml")).unwrap();
    std::fs::copy(repository("configs/scenarios/tight.toml"), desk.path("world.toml")).unwrap();
    std::fs::copy(repository("configs/experiments/tight-dqn.toml"), desk.path("experiment.toml")).unwrap();
    let world = desk.read("world.toml");
    std::fs::create_dir(desk.path("kept")).unwrap();
    desk.write("kept/scenario.toml", &world);
    desk
}

#[test]
fn of_scenarios() {
    assert_mistakes(
        "paths_scenario",
        &desk(),
        &[
            "scenario show tigth",
            "scenario show missing.toml",
            "scenario show no/such/file.toml",
            "scenario show folder",
            "scenario show kept",
            "scenario show empty",
            "scenario show latin",
            "scenario show long",
            "scenario show notes",
            "scenario show one.csv",
            "scenario show one-trace.csv",
            "scenario show run/checkpoints/best/policy.safetensors",
            "scenario show run/checkpoints/best/meta.json",
            "scenario show agent.toml",
            "scenario show experiment.toml",
            "scenario check world.toml missing.toml empty",
        ],
    );
}

#[cfg(feature = "torch")]
#[test]
fn of_experiments_and_agents() {
    assert_mistakes(
        "paths_experiment",
        &desk(),
        &[
            "train --config missing.toml",
            "train --config folder",
            "train --config run",
            "train --config empty",
            "train --config latin",
            "train --config long",
            "train --config notes",
            "train --config one-trace.csv",
            "train --config run/checkpoints/best/policy.safetensors",
            "train --config agent.toml",
            "train --config world.toml",
            "train --config experiment.toml --set agent=ppo-tigth",
            "train --config experiment.toml --set agent=no/such/agent.toml",
            "train --config experiment.toml --set agent=folder",
            "train --config experiment.toml --set agent=empty",
            "train --config experiment.toml --set agent=latin",
            "train --config experiment.toml --set agent=world.toml",
            "train --config experiment.toml --set scenario=tigth",
            "train --config experiment.toml --set scenario=folder",
            "train --config experiment.toml --set scenario=agent.toml",
            "train --config experiment.toml --set scenario=latin",
            "train --config experiment.toml --out notes",
            "train --config experiment.toml --out notes/below",
            "train --config experiment.toml --out run",
            "bench train --config missing.toml",
            "train --resume missing",
            "train --resume folder",
            "train --resume notes",
            "train --resume run --config experiment.toml",
            "train --resume run --set seed=3",
            "train --resume run --seed 3",
            "train --resume run --out other",
            "train --resume run --from step-3",
            "verify resume missing",
            "verify resume folder",
            "verify determinism missing.toml",
            "verify determinism folder",
        ],
    );
}

#[test]
fn of_recordings() {
    let desk = desk();
    let azure = std::fs::read_to_string(repository("configs/scenarios/trace-azure.toml")).unwrap();
    desk.write("replay.toml", &azure);
    let mut damaged = std::fs::read(desk.path("one-trace.csv")).unwrap();
    std::fs::write(desk.path("cut-trace.csv"), &damaged[..damaged.len() - 30]).unwrap();
    let middle = damaged.len() - 30;
    damaged[middle] ^= 1;
    std::fs::write(desk.path("bad-trace.csv"), damaged).unwrap();
    std::fs::write(desk.path("cut.csv.gz"), [0x1f, 0x8b, 8, 0, 0, 0, 0, 0]).unwrap();
    desk.write("many.csv", "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,many,44\n");
    desk.write("day.csv", "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-02-30 18:15:46.6805900,3,44\n");
    desk.write("rowless.csv", "TIMESTAMP,ContextTokens,GeneratedTokens\n");
    desk.write("short.csv", "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,3\n");
    assert_mistakes(
        "paths_recording",
        &desk,
        &[
            "trace import missing.csv --format azure --out new.csv",
            "trace import folder --format azure --out new.csv",
            "trace import empty --format azure --out new.csv",
            "trace import latin --format azure --out new.csv",
            "trace import one-trace.csv --format azure --out new.csv",
            "trace import one.csv --format gentd26 --out new.csv",
            "trace import cut.csv.gz --format azure --out new.csv",
            "trace import many.csv --format azure --out new.csv",
            "trace import day.csv --format azure --out new.csv",
            "trace import short.csv --format azure --out new.csv",
            "trace import rowless.csv --format azure --out new.csv",
            "trace import one.csv --format azure --out folder",
            "trace import one.csv --format azure --out one.csv",
            "trace import one.csv --format gentd26 --load-times missing.csv --out new.csv",
            "trace stats missing-trace.csv",
            "trace stats folder",
            "trace stats empty",
            "trace stats one.csv",
            "trace stats cut-trace.csv",
            "trace stats bad-trace.csv",
            "trace stats one-trace.csv --slot-s 1",
            "trace stats one-trace.csv --slot-s -1",
            "trace stats one-trace.csv --slot-s nan",
            "trace check empty",
            "trace check cut-trace.csv",
            "trace check bad-trace.csv",
            "scenario check replay.toml",
            "scenario check replay.toml --set scenario.workload.trace.path=folder",
            "scenario check replay.toml --set scenario.workload.trace.path=one.csv",
            "scenario check replay.toml --set scenario.workload.trace.path=cut-trace.csv",
            "scenario check replay.toml --set scenario.workload.trace.path=one-trace.csv",
        ],
    );
}

#[test]
fn of_results() {
    assert_mistakes(
        "paths_results",
        &desk(),
        &[
            "compare lru --only --scenario tight --episodes 1 --out-csv folder",
            "compare lru --only --scenario tight --episodes 1 --out-text notes/x.txt",
            "compare lru --only --scenario tight --episodes 1 --out-markdown run",
        ],
    );
}
