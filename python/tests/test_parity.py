"""The same scenario, seed and actions lead to the same trajectory in Rust (`env/tests/all/trajectories.rs`), `VectorEnv` and `Env`.

In step t, lane i takes the legal action number (31 t + 17 i) mod n of its n legal ones.
"""

import csv
from pathlib import Path

import numpy as np
import pytest

import thoughtcache

CASES = list(csv.DictReader((Path(__file__).parents[2] / "env/tests/reference/trajectories.csv").open()))
MODES = {"same-step": "SameStep", "next-step": "NextStep"}


def chosen(step: int, lane: int, mask: np.ndarray) -> int:
    legal = mask.nonzero()[0]
    return int(legal[(31 * step + 17 * lane) % len(legal)])


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(case[key] for key in ("scenario", "autoreset", "lanes")))
def test_a_vector_environment_plays_what_rust_plays(case):
    lanes = int(case["lanes"])
    envs = thoughtcache.VectorEnv(case["scenario"], lanes, autoreset_mode=MODES[case["autoreset"]], illegal_action="raise")
    _, infos = envs.reset(seed=int(case["run"]))
    for step in range(int(case["steps"])):
        actions = np.array([chosen(step, lane, mask) for lane, mask in enumerate(infos["action_mask"])])
        *_, infos = envs.step(actions)
    assert f"{envs.trajectory_hash:016x}" == case["digest"]


@pytest.mark.parametrize("scenario", ["tight", "city"])
def test_an_environment_plays_what_each_lane_plays(scenario):
    envs = thoughtcache.VectorEnv(scenario, 3)
    observations, infos = envs.reset(seed=5)
    alone = [thoughtcache.Env(scenario) for _ in range(3)]
    starts = [env.reset(seed=5, options={"lane": lane}) for lane, env in enumerate(alone)]
    assert (observations == [start[0] for start in starts]).all()
    for step in range(2_000):
        actions = np.array([chosen(step, lane, mask) for lane, mask in enumerate(infos["action_mask"])])
        observations, rewards, _, truncated, infos = envs.step(actions)
        for lane, env in enumerate(alone):
            observation, reward, _, is_cut, info = env.step(actions[lane])
            assert (reward, is_cut) == (rewards[lane], truncated[lane])
            assert (observation == observations[lane]).all()
            assert (info["action_mask"] == infos["action_mask"][lane]).all()
        assert not truncated.any(), "within the first episode, whose end is the matter of other tests"
    assert envs.trajectory_hashes == [env.trajectory_hash for env in alone]
