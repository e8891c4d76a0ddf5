"""Many machines with Ray: training runs of the Rust trainer as trials of Tune, and the judges over many seeds as tasks.

>>> import thoughtcache.ray, ray.tune
>>> space = {"seed": ray.tune.grid_search([1, 2, 3]), "agent.ppo.gamma": ray.tune.grid_search([0.8, 0.9])}
>>> results = thoughtcache.ray.train("tight-ppo.toml", space, storage="/shared", name="gammas")
>>> tables = thoughtcache.ray.compare(["lru", "worth"], "tight", seeds=range(100))
"""

import csv
import fcntl
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote

import ray
from ray import tune

from thoughtcache import judge, trainer
from thoughtcache.judge import Name, Table, World

LOOK_S = 0.2
# As long as a trainer of a node that was lost may take to save its state.
PATIENCE_S = 120.0


def train(
    experiment: Name,
    param_space: dict[str, Any],
    *,
    storage: Name,
    name: str,
    cpus_per_trial: int = 1,
    max_failures: int = 3,
    tune_config: tune.TuneConfig | None = None,
) -> tune.ResultGrid:
    """Trains an experiment with seeds and settings, a trial of Tune each, on all nodes of the cluster; needs `thoughtcache-cli` on them.

    `param_space` has `"seed"` and keys of `thoughtcache train --set` (`"agent.ppo.gamma"`), with values or Tune's `grid_search` and
    distributions. The run of a trial is the folder `STORAGE/NAME/runs/SETTINGS/seed-N`; `storage` and the experiment are at the same
    paths on all nodes. A trial whose node is lost goes on from its newest state on another one, and ends with the bytes of one that was
    not interrupted. The same call again leaves finished runs alone and goes on with the others.

    Each validation is a result of the trial: the columns of `eval.csv` (`decisions`, `mean_cost` ...) and `run`, the folder. A trial that
    fails, for whatever reason, begins again `max_failures` times; then the trainer's message is in `results.errors`. Raises `ValueError`
    when the folder holds runs of another experiment.
    """
    storage, experiment = os.path.abspath(storage), os.path.abspath(experiment)
    runs = os.path.join(storage, name, "runs")
    _claim(runs, experiment)
    return tune.Tuner(
        tune.with_resources(trainable(experiment, runs, threads=cpus_per_trial), {"cpu": cpus_per_trial}),
        param_space=param_space,
        tune_config=tune_config,
        run_config=tune.RunConfig(name=name, storage_path=storage, failure_config=tune.FailureConfig(max_failures=max_failures)),
    ).fit()


def _claim(runs: str, experiment: str) -> None:
    """Notes the experiment in the folder of its runs: a run that goes on does so with the config that it has."""
    with open(experiment, encoding="utf-8") as file:
        text = file.read()
    note = os.path.join(runs, "experiment.toml")
    os.makedirs(runs, exist_ok=True)
    if os.path.isfile(note):
        with open(note, encoding="utf-8") as file:
            if file.read() != text:
                raise ValueError(f"{runs} holds runs of another experiment than {experiment}; choose another name")
    else:
        with open(f"{note}.new", "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(f"{note}.new", note)


def trainable(experiment: str, runs: str, *, threads: int = 1) -> Callable[[dict[str, Any]], None]:
    """What a trial does, for a `Tuner` of one's own: trains, or goes on with, the run of its config in the folder `runs`."""

    def thoughtcache_train(config: dict[str, Any]) -> None:
        if "seed" not in config:
            raise ValueError('the parameters of a trial have no "seed"')
        settings = {key: _typed(value) for key, value in sorted(config.items()) if key != "seed"}
        folder = quote(",".join(f"{key}={value}" for key, value in settings.items()), safe="=,[]")
        run = os.path.join(runs, folder, f"seed-{config['seed']}")
        _wait_until_free(run)
        if os.path.isfile(os.path.join(run, "config.toml")):
            words = [f"--resume={run}"]
        else:
            words = [f"--config={experiment}", f"--out={run}", f"--seed={config['seed']}"]
            words += [f"--set={key}={value}" for key, value in settings.items()]
        # The trainer ends in good order when its input does: when this process ends, in whatever way.
        typed, variables = trainer.command(["train", "--quiet", "--end-with-input", *words])
        variables["RAYON_NUM_THREADS"] = str(threads)
        with (
            tempfile.TemporaryFile() as said,
            subprocess.Popen(typed, env=variables, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said) as process,
        ):
            num_reported, code = 0, None
            while code is None:
                time.sleep(LOOK_S)
                code = process.poll()
                validations = _validations(run)
                for validation in validations[num_reported:]:
                    tune.report({**validation, "run": run})
                num_reported = max(num_reported, len(validations))
            if code != 0:
                said.seek(0)
                raise RuntimeError(said.read().decode(errors="replace").strip() or f"the trainer ended with exit code {code}")

    return thoughtcache_train


def _typed(value: Any) -> str:
    """A value as `--set` reads it."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _wait_until_free(run: str) -> None:
    """Waits while a trainer, cut off from its trial, is still saving the state of the run."""
    if not os.path.isdir(run):
        return
    folder, begin = os.open(run, os.O_RDONLY), time.monotonic()
    try:
        while time.monotonic() - begin < PATIENCE_S:
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                time.sleep(LOOK_S)
            except OSError:
                return  # a file system without locks
    finally:
        os.close(folder)


def _validations(run: str) -> list[dict[str, Any]]:
    """The whole lines of `eval.csv`."""
    try:
        with open(os.path.join(run, "eval.csv"), encoding="utf-8", newline="") as file:
            lines = [line for line in file if line.endswith("\n")]
    except FileNotFoundError:
        return []
    rows = csv.DictReader(lines)
    return [{key: int(value) if key == "decisions" else float(value) for key, value in row.items() if value} for row in rows]


@ray.remote
def _judged(judges: Callable[..., Table], policies: Any, scenario: Any, seed: int, options: dict[str, Any]) -> Table:
    os.environ["RAYON_NUM_THREADS"] = "1"  # the processor that the task has
    return judges(policies, scenario, seed=seed, **options)


def _over(judges: Callable[..., Table], policies: Any, world: Any, seeds: Iterable[int], options: dict[str, Any]) -> list[Table]:
    shared = [ray.put(one) for one in (policies, world, options)]
    return ray.get([_judged.remote(judges, shared[0], shared[1], seed, shared[2]) for seed in seeds])


def _visible(policies: Any) -> Any:
    """Policies with folders by their whole paths, since tasks run elsewhere."""
    if policies is None or isinstance(policies, dict):
        return policies
    named = [policies] if isinstance(policies, str | os.PathLike) else list(policies)
    return [os.path.abspath(one) if isinstance(one, str | os.PathLike) and os.path.isdir(one) else one for one in named]


def evaluate(
    policies: Any, scenario: World | None = None, *, seeds: Iterable[int], overrides: dict[str, Any] | None = None, **options: Any
) -> list[Table]:
    """`thoughtcache.evaluate` for each of the seeds, a task of one processor each; the tables in the order of the seeds.

    Folders of runs are at the same paths on all nodes.
    """
    policies = _visible(policies)
    world = judge._world(scenario, judge._named(policies), overrides)
    return _over(judge.evaluate, policies, world, seeds, options)


def compare(
    policies: Any = None,
    scenario: World | None = None,
    *,
    seeds: Iterable[int],
    baseline: Name = "least-aot",
    overrides: dict[str, Any] | None = None,
    **options: Any,
) -> list[Table]:
    """`thoughtcache.compare` for each of the seeds, as `evaluate` does it."""
    policies, (baseline,) = _visible(policies), _visible(os.fspath(baseline))
    world = judge._world(scenario, judge._with_baseline(judge._named(policies or []), baseline), overrides)
    return _over(judge.compare, policies, world, seeds, {"baseline": baseline, **options})
