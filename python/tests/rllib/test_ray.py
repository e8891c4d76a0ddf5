"""Judges as Ray tasks, and training runs as trials that survive a node."""

import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
from ray import tune

import thoughtcache
import thoughtcache.ray
from thoughtcache import trainer

SETTINGS = {"agent.ppo.n_envs": 8, "agent.ppo.n_steps": 64, "agent.ppo.batch_size": 128, "agent.ppo.net_arch": [32, 32]}
EXPERIMENT = """
name = "small"
scenario = "tight"
agent = "ppo-tight"
decisions = 16_384
seed = 1
eval_every_decisions = 4_096
eval_episodes = 20
checkpoint_every_decisions = 512
"""
REUSE = tune.TuneConfig(reuse_actors=True)  # fewer processes to start


def has_trainer() -> bool:
    try:
        return bool(trainer.command([]))
    except RuntimeError:
        return False


needs_trainer = pytest.mark.skipif(not has_trainer(), reason=f"no thoughtcache-cli, and {trainer.VARIABLE} names no program")


def test_judges_over_seeds_find_what_they_find_without_ray(cluster):
    def first_legal(observation, action_mask):
        return int(action_mask.argmax())

    policies, seeds = ["lru", first_legal], [7, 3]
    compared = thoughtcache.ray.compare(policies, "tight", seeds=seeds, baseline="worth", episodes=3)
    assert compared == [thoughtcache.compare(policies, "tight", seed=seed, baseline="worth", episodes=3) for seed in seeds]
    assert [table["seed"] for table in compared] == seeds
    changed = {"cell.memory_gb": 480}
    evaluated = thoughtcache.ray.evaluate("lru", "tight", seeds=seeds, overrides=changed, episodes=3)
    assert evaluated == [thoughtcache.evaluate("lru", "tight", seed=seed, overrides=changed, episodes=3) for seed in seeds]
    assert "lru" in str(compared[0])


def test_what_a_judge_refuses_is_refused_before_any_task(cluster):
    with pytest.raises(ValueError, match="no-such"):
        thoughtcache.ray.compare(["lru"], "no-such", seeds=[1])


def descendants(process: int) -> list[int]:
    """The numbers of a process and all below it."""
    children = [int(child) for task in Path(f"/proc/{process}/task").glob("*/children") for child in task.read_text().split()]
    return [process, *(below for child in children for below in descendants(child))]


def state(run: Path) -> dict[str, bytes]:
    """What seeds fix of a run: its validations, its policies, and the whole state of the learner."""
    files = ["best/policy.safetensors", "last/policy.safetensors", "last/trainer.safetensors"]
    return {name: (run / name).read_bytes() for name in ["eval.csv", *(f"checkpoints/{name}" for name in files)]}


def training(experiment: Path, run: Path, seed: int) -> subprocess.Popen:
    words = ["train", "--quiet", "--end-with-input", f"--config={experiment}", f"--out={run}", f"--seed={seed}"]
    typed, variables = trainer.command([*words, *(f"--set={key}={value}" for key, value in SETTINGS.items())])
    return subprocess.Popen(typed, env=variables, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)


def trained_alone(experiment: Path, run: Path, seed: int) -> dict[str, bytes]:
    with training(experiment, run, seed) as process:
        assert process.wait() == 0
    return state(run)


@needs_trainer
def test_a_trial_waits_for_a_trainer_that_still_saves_its_run(tmp_path):
    experiment, run = tmp_path / "small.toml", tmp_path / "run"
    experiment.write_text(EXPERIMENT.replace("16_384", "16_384_000"))
    with training(experiment, run, 1) as process:
        while not (run / "config.toml").is_file():
            time.sleep(0.02)
        threading.Timer(0.5, process.stdin.close).start()
        thoughtcache.ray._wait_until_free(str(run))
        assert process.wait(timeout=1) == 130, "it ended in good order, before the trial goes on"


@needs_trainer
def test_trials_of_a_node_that_is_killed_go_on_elsewhere_and_end_with_the_same_bytes(cluster, tmp_path):
    experiment = tmp_path / "small.toml"
    experiment.write_text(EXPERIMENT)
    node = cluster.add_node(num_cpus=2)
    [raylet] = node.all_processes["raylet"]
    runs, seeds, killed = tmp_path / "storage/small/runs", [1, 2, 3, 4], {}

    def run_of(seed: int) -> Path:
        [run] = runs.glob(f"*/seed-{seed}")
        return run

    def seed_on_the_node() -> int | None:
        """The seed that the node trains, when its run has a validation behind it and others before it."""
        for process in descendants(raylet.process.pid):
            for word in Path(f"/proc/{process}/cmdline").read_text().split("\0"):
                run = Path(word.removeprefix("--out="))
                # Below its head a line for each validation: one or two of four, so that the run is not at its end when it is killed.
                validations = run / "eval.csv"
                if word.startswith("--out=") and validations.is_file() and len(validations.read_text().splitlines()) in (2, 3):
                    return int(run.name.removeprefix("seed-"))
        return None

    def kill() -> None:
        while not killed:
            time.sleep(0.02)
            try:
                done = [path.parent for path in runs.glob("*/*/provenance.toml") if 'ending = "done"' in path.read_text()]
                seed = seed_on_the_node()
                if done and seed and run_of(seed) not in done:
                    for process in descendants(raylet.process.pid):
                        os.kill(process, signal.SIGKILL)
                    killed.update(seed=seed, done={run: state(run) for run in done}, at=time.monotonic())
            except OSError:  # a process or a file has just gone
                continue

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    try:
        # Two trials at a time, one of them on that node.
        space = {"seed": tune.grid_search(seeds), **SETTINGS}
        results = thoughtcache.ray.train(experiment, space, storage=tmp_path / "storage", name="small", cpus_per_trial=2, tune_config=REUSE)
    finally:
        cluster.remove_node(node, allow_graceful=False)

    assert not results.errors
    assert {result.config["seed"]: result.metrics["decisions"] for result in results} == dict.fromkeys(seeds, 16_384)
    assert len(list((run_of(killed["seed"]) / "tensorboard").iterdir())) == 2, "the run began once and went on once"
    assert {run: state(run) for run in killed["done"]} == killed["done"]
    for run in [run_of(killed["seed"]), *killed["done"]]:
        assert state(run) == trained_alone(experiment, tmp_path / f"alone-{run.name}", int(run.name.removeprefix("seed-")))

    written = (run_of(1) / "checkpoints/last/trainer.safetensors").stat().st_mtime_ns
    [again] = thoughtcache.ray.train(experiment, {**space, "seed": 1}, storage=tmp_path / "storage", name="small", tune_config=REUSE)
    assert again.metrics["decisions"] == 16_384 and again.metrics["run"] == str(run_of(1))
    assert (run_of(1) / "checkpoints/last/trainer.safetensors").stat().st_mtime_ns == written, "a finished run is left alone"


@needs_trainer
def test_a_mistake_is_told_by_the_trial_and_runs_of_another_experiment_are_refused(cluster, tmp_path):
    experiment = tmp_path / "small.toml"
    experiment.write_text(EXPERIMENT)
    space = {"seed": 1, "agent.ppo.gama": 0.9}
    results = thoughtcache.ray.train(experiment, space, storage=tmp_path / "storage", name="small", max_failures=0)
    [error] = results.errors
    assert "agent.ppo.gama" in str(error)
    experiment.write_text(EXPERIMENT + "log_every_decisions = 512\n")
    with pytest.raises(ValueError, match="runs of another experiment"):
        thoughtcache.ray.train(experiment, space, storage=tmp_path / "storage", name="small")
