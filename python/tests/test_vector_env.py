"""`VectorEnv` plays what copies of `Env` play that are stepped by hand, in each autoreset mode."""

import os
import subprocess
import sys

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from thoughtcache import Env, VectorEnv

pytestmark = pytest.mark.filterwarnings("error")
NEXT, SAME, DISABLED = AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP, AutoresetMode.DISABLED
SHORT = {"horizon_slots": 3}
LANES = 4


def legal(generator, masks):
    return np.array([generator.choice(np.flatnonzero(mask)) for mask in masks])


class ByHand:
    """Copies of `Env` that are reset by hand as the mode says."""

    def __init__(self, scenario, mode, seed):
        self.mode = mode
        self.envs = [Env(scenario, overrides=SHORT) for _ in range(LANES)]
        self.first = [env.reset(seed=seed, options={"lane": lane}) for lane, env in enumerate(self.envs)]
        self.has_ended = [False] * LANES

    def step(self, lane, action):
        """Observation, reward, truncated, info, and the last observation and info where the same step began the next episode."""
        env = self.envs[lane]
        if self.has_ended[lane] and self.mode != SAME:
            self.has_ended[lane] = False
            if self.mode == NEXT:
                return (*env.reset(), None, 0.0, False)
            env.reset()
        observation, reward, _, truncated, info = env.step(action)
        self.has_ended[lane] = truncated
        if truncated and self.mode == SAME:
            return (*env.reset(), (observation, info), reward, truncated)
        return observation, info, None, reward, truncated


@pytest.mark.parametrize("mode", list(AutoresetMode))
@pytest.mark.parametrize("scenario", ["tight", "street", "city"])
def test_lanes_play_what_environments_play_by_hand(scenario, mode):
    envs, hands = VectorEnv(scenario, LANES, autoreset_mode=mode, overrides=SHORT), ByHand(scenario, mode, 11)
    generator = np.random.default_rng(0)
    observations, infos = envs.reset(seed=11)
    for lane, (observation, info) in enumerate(hands.first):
        assert (observations[lane] == observation).all()
        assert (infos["action_mask"][lane] == info["action_mask"]).all()
    num_ends = 0
    ended = np.zeros(LANES, bool)
    while num_ends < 3 * LANES:
        if mode == DISABLED and ended.any():
            observations, infos = envs.reset(options={"reset_mask": ended})
        actions = legal(generator, infos["action_mask"])
        observations, rewards, terminated, truncated, infos = envs.step(actions)
        ended = truncated
        assert not terminated.any()
        assert "final_obs" not in infos or mode == SAME
        for lane in range(LANES):
            observation, info, final, reward, has_ended = hands.step(lane, actions[lane])
            assert (observations[lane] == observation).all()
            assert (rewards[lane], truncated[lane]) == (reward, has_ended)
            assert (infos["action_mask"][lane] == info["action_mask"]).all()
            kept = infos
            if final is not None:
                assert infos["_final_obs"][lane]
                assert infos["_final_info"][lane]
                assert (infos["final_obs"][lane] == final[0]).all()
                kept, info = infos["final_info"], final[1]
                assert (kept["action_mask"][lane] == info["action_mask"]).all()
            assert kept["slots_elapsed"][lane] == info["slots_elapsed"]
            if has_ended:
                num_ends += 1
                assert kept["_statistics"][lane]
                assert {name: kept["statistics"][name][lane] for name in info["statistics"]} == info["statistics"]
        assert envs.trajectory_hashes == [env.trajectory_hash for env in hands.envs]
        assert envs.coordinates == [env.coordinates for env in hands.envs]


def test_the_step_after_an_end_ignores_its_action():
    """Even one that nobody has; an illegal one counts as no replaced one."""
    envs = [VectorEnv("tight", 1, overrides=SHORT, illegal_action="raise") for _ in range(2)]
    generator = np.random.default_rng(0)
    infos, truncated = [env.reset(seed=1) for env in envs][0][1], [False]
    while not truncated[0]:
        actions = legal(generator, infos["action_mask"])
        _, _, _, truncated, infos = [env.step(actions) for env in envs][0]
    one, other = envs[0].step(np.array([0])), envs[1].step(np.array([21]))
    assert (one[0] == other[0]).all()
    assert one[1] == other[1] == 0.0
    assert not other[4]["replaced_action"].any()
    assert envs[0].trajectory_hash == envs[1].trajectory_hash


def test_a_step_of_a_lane_that_ended_raises_where_resets_are_by_hand():
    envs = VectorEnv("tight", 2, overrides=SHORT, autoreset_mode="Disabled")
    envs.reset(seed=0)
    truncated = np.zeros(2, bool)
    while not truncated.any():
        truncated = envs.step(np.zeros(2, np.int64))[3]
    lane = int(np.flatnonzero(truncated)[0])
    before = envs.snapshot()
    with pytest.raises(RuntimeError, match=f"lane {lane}.*reset"):
        envs.step(np.zeros(2, np.int64))
    assert envs.snapshot() == before, "a refused step changes nothing"


def test_seeds_are_a_number_a_list_or_none():
    envs = VectorEnv("tight", 3)
    envs.reset(seed=7)
    assert envs.coordinates == [(7, 0, 0), (7, 1, 0), (7, 2, 0)]
    envs.reset()
    assert envs.coordinates == [(7, 0, 1), (7, 1, 1), (7, 2, 1)]
    envs.reset(seed=[5, None, 7])
    assert envs.coordinates == [(5, 0, 0), (7, 1, 2), (7, 0, 0)]
    envs.reset(seed=np.array([1, 2, 3]))
    assert envs.coordinates == [(1, 0, 0), (2, 0, 0), (3, 0, 0)]
    observations, _ = envs.reset(seed=[4, 4, 9])
    assert (observations[0] == observations[1]).all()
    assert (observations[0] == Env("tight").reset(seed=4)[0]).all()
    runs = []
    for _ in range(2):
        unseeded = VectorEnv("tight", 3)
        unseeded.reset()
        runs.append(unseeded.coordinates[0][0])
        assert unseeded.coordinates == [(runs[-1], lane, 0) for lane in range(3)]
    assert runs[0] != runs[1]


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"seed": [1, 2]}, ValueError, "2 seeds for 3 environments; one each is needed"),
        ({"seed": -1}, ValueError, r"seed -1: 0 to 9223372036854775807 are allowed"),
        ({"seed": 2**63}, ValueError, "seed 9223372036854775808"),
        ({"seed": True}, TypeError, "seed is a whole number, not True"),
        ({"seed": 1.5}, TypeError, "seed is a whole number, not 1.5"),
        ({"seed": "three"}, TypeError, "seed is a whole number, not 'three'"),
        ({"seed": [1, 2.5, 3]}, TypeError, "seed is a whole number, not 2.5"),
        ({"options": {"reset_mask": [True, False, True]}}, TypeError, "is an array of bool, not list"),
        ({"options": {"reset_mask": np.ones(3)}}, TypeError, "is an array of bool, not float64"),
        ({"options": {"reset_mask": np.ones(2, bool)}}, ValueError, r"has shape \(2,\); \(3,\) is needed"),
        ({"options": {"reset_mask": np.zeros(3, bool)}}, ValueError, "marks no environment"),
        ({"options": [1]}, TypeError, r"options are a dict, not \[1\]"),
        ({"options": {"lane": 1}}, ValueError, r"options \['lane'\] are unknown"),
    ],
)
def test_a_wrong_reset_is_one_message_and_changes_nothing(wrong, error, message):
    envs = VectorEnv("tight", 3)
    envs.reset(seed=1)
    before = envs.snapshot()
    with pytest.raises(error, match=message):
        envs.reset(**wrong)
    assert envs.snapshot() == before


def test_a_reset_mask_resets_the_marked_lanes_only():
    envs = VectorEnv("tight", 3, autoreset_mode=DISABLED)
    with pytest.raises(RuntimeError, match="the first reset begins every environment"):
        envs.reset(seed=1, options={"reset_mask": np.array([True, False, False])})
    _, infos = envs.reset(seed=1)
    generator = np.random.default_rng(0)
    for _ in range(5):
        observations, *_, infos = envs.step(legal(generator, infos["action_mask"]))
    hashes, options = envs.trajectory_hashes, {"reset_mask": np.array([False, True, False])}
    after, infos = envs.reset(options=options)
    assert list(options) == ["reset_mask"], "the caller's dict stays as it was"
    assert envs.coordinates == [(1, 0, 0), (1, 1, 1), (1, 2, 0)]
    assert (after[[0, 2]] == observations[[0, 2]]).all()
    assert (after[1] == Env("tight").reset(seed=1, options={"lane": 1, "episode": 1})[0]).all()
    assert [envs.trajectory_hashes[lane] for lane in (0, 2)] == [hashes[0], hashes[2]]
    envs.reset(seed=9, options=options)
    assert envs.coordinates == [(1, 0, 0), (9, 1, 0), (1, 2, 0)]
    envs.step(legal(generator, envs.action_masks()))


def test_copies_are_new_arrays_and_buffers_are_the_same_ones():
    returned = {}
    for copy in (True, False):
        envs = VectorEnv("tight", 2, copy=copy)
        calls = [envs.reset(seed=3)]
        calls += [envs.step(np.zeros(2, np.int64)) for _ in range(3)]
        assert all(np.shares_memory(one[0], calls[0][0]) is not copy for one in calls[1:])
        assert all(np.shares_memory(one[1], calls[1][1]) is not copy for one in calls[2:])
        assert not any(np.shares_memory(one[3], calls[1][3]) for one in calls[2:])
        returned[copy] = calls[-1]
    assert (returned[True][0] == returned[False][0]).all()
    assert (returned[True][1] == returned[False][1]).all()


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_a_snapshot_comes_back_to_the_same_future(mode):
    envs, other = (VectorEnv("tight", 3, autoreset_mode=mode, overrides=SHORT) for _ in range(2))
    _, infos = envs.reset(seed=1)
    generator = np.random.default_rng(0)
    ended = np.zeros(3, bool)
    while not ended.any():  # one lane waits for its next episode then
        *_, ended, infos = envs.step(legal(generator, infos["action_mask"]))
    kept = envs.snapshot()
    hashes = []
    for player in (envs, envs, other):
        observations, infos = player.restore(kept)
        if mode == DISABLED:
            observations, infos = player.reset(options={"reset_mask": ended})
        player.step(legal(np.random.default_rng(4), infos["action_mask"]))
        hashes.append((player.trajectory_hashes, player.coordinates))
    assert hashes[0] == hashes[1] == hashes[2]
    for wrong in (VectorEnv("tight", 2, autoreset_mode=mode, overrides=SHORT), VectorEnv("street", 3, autoreset_mode=mode)):
        with pytest.raises(ValueError, match=r"snapshot|another"):
            wrong.restore(kept)
    with pytest.raises(ValueError, match="next-step|same-step|disabled|mode"):
        VectorEnv("tight", 3, autoreset_mode=NEXT if mode != NEXT else SAME, overrides=SHORT).restore(kept)


THREADS = """
import numpy as np, thoughtcache
envs = thoughtcache.VectorEnv("tight", 300, overrides={"horizon_slots": 3})
_, infos = envs.reset(seed=1)
for _ in range(60):
    *_, infos = envs.step(infos["action_mask"].argmax(axis=1))
print(envs.trajectory_hash)
"""


def test_threads_do_not_matter():
    def played(threads):
        environment = {**os.environ, "RAYON_NUM_THREADS": str(threads)}
        return subprocess.run(
            [sys.executable, "-c", THREADS], env=environment, capture_output=True, text=True, check=True, timeout=60
        ).stdout

    assert played(1) == played(2) != "0\n"


def test_make_vec_makes_it():
    envs = gymnasium.make_vec(
        "thoughtcache/Tight-v0", num_envs=3, vectorization_mode="vector_entry_point", purpose="validate", autoreset_mode="SameStep"
    )
    assert isinstance(envs.unwrapped, VectorEnv)
    assert (envs.num_envs, envs.spec.id, envs.metadata["autoreset_mode"]) == (3, "thoughtcache/Tight-v0", SAME)
    envs.close()
    assert envs.closed


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"num_envs": 2.0}, TypeError, "num_envs is a whole number, not 2.0"),
        ({"num_envs": 0}, ValueError, r"num_envs=0: 1 to"),
        ({"num_envs": -1}, ValueError, "num_envs=-1: 1 to"),
        ({"autoreset_mode": "never"}, ValueError, "never"),
        ({"actions": np.zeros(2, np.int64)}, ValueError, r"actions have shape \(2,\); \(3,\) is needed"),
        ({"actions": np.zeros(3)}, TypeError, "actions are whole numbers, not float64"),
        ({"actions": np.zeros(3, bool)}, TypeError, "actions are whole numbers, not bool"),
        ({"actions": [0, 0, 22]}, ValueError, "lane 2: action 22 does not exist; tight has actions 0 to 21"),
        ({"actions": [0, -1, 0]}, ValueError, "lane 1: action -1 does not exist"),
        ({"actions": np.full(3, 2**64 - 1, np.uint64)}, ValueError, "lane 0: action 18446744073709551615 does not exist"),
    ],
)
def test_a_wrong_argument_is_one_message(wrong, error, message):
    actions = wrong.pop("actions", None)
    with pytest.raises(error, match=message):
        envs = VectorEnv("tight", **{"num_envs": 3, **wrong})
        envs.reset(seed=0)
        envs.step(actions)


@pytest.mark.parametrize("make", [lambda **options: Env("tight", **options), lambda **options: VectorEnv("tight", 3, **options)])
def test_a_snapshot_that_does_not_fit_changes_nothing(make):
    env = make()
    with pytest.raises(RuntimeError, match="call reset first"):
        env.snapshot()
    env.reset(seed=1)
    here, hashes = env.snapshot(), env.trajectory_hash
    for at in (0, 20, len(here) // 2, len(here) - 1):
        damaged = bytearray(here)
        damaged[at] ^= 1
        with pytest.raises(ValueError, match="snapshot"):
            env.restore(bytes(damaged))
    other = make(purpose="test")
    other.reset(seed=1)
    with pytest.raises(ValueError, match="the snapshot is of episodes to test, not to train"):
        env.restore(other.snapshot())
    assert env.snapshot() == here and env.trajectory_hash == hashes


def test_infos_of_a_step_that_ends_an_episode_are_those_of_the_next_one():
    envs = VectorEnv("tight", 2, autoreset_mode="SameStep", overrides={"horizon_slots": 2})
    envs.reset(seed=0)
    while True:
        *_, truncated, infos = envs.step(np.full(2, len(envs.scenario.actions) - 1))  # evicts somebody where nobody has to leave
        if truncated.any():
            break
    ended = truncated.nonzero()[0]
    assert (infos["slots_elapsed"][ended] == 0).all() and not infos["replaced_action"][ended].any()
    assert infos["final_info"]["replaced_action"][ended].all()


def test_what_is_ignored_may_be_any_number():
    envs = VectorEnv("tight", 1, overrides={"horizon_slots": 1})
    envs.reset(seed=0)
    while not envs.step(np.zeros(1, int))[3][0]:
        pass
    envs.step(np.array([-1]))
    with pytest.raises(ValueError, match="action -1 does not exist"):
        envs.step(np.array([-1]))


def test_details_belong_to_the_episode():
    envs = VectorEnv("tight", 1)
    envs.reset(seed=0)
    envs.step(np.zeros(1, int))
    assert envs.details()["requests"][0] > 0
    envs.reset(seed=1)
    assert envs.details()["requests"][0] == 0
