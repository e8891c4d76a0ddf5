"""`Env` keeps Gymnasium's contract, in every shipped scenario that needs no recording."""

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env, data_equivalence

import thoughtcache
from thoughtcache import Env, env_id, scenarios

pytestmark = pytest.mark.filterwarnings("error")
SCENARIOS = [name for name in scenarios() if not name.startswith("trace-")]
SHORT = {"horizon_slots": 5}


def legal(generator, info):
    return generator.choice(np.flatnonzero(info["action_mask"]))


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_gymnasiums_checker_finds_nothing(scenario):
    check_env(gymnasium.make(env_id(scenario)).unwrapped, skip_render_check=True)


@pytest.mark.parametrize("scenario", ["tight", "street", "city"])
@pytest.mark.parametrize("render_mode", [None, "ansi", "rgb_array"])
def test_gymnasiums_checker_finds_nothing_where_it_renders(scenario, render_mode):
    check_env(gymnasium.make(env_id(scenario), render_mode=render_mode).unwrapped)


def test_every_shipped_scenario_is_registered_or_says_what_recording_it_lacks():
    for scenario in scenarios():
        assert env_id(scenario) in gymnasium.registry
        if scenario not in SCENARIOS:
            with pytest.raises(ValueError, match=f"{scenario}:.*no such recording in the current directory"):
                gymnasium.make(env_id(scenario))


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_same_seed_and_actions_give_the_same_of_everything(scenario):
    one, other = (gymnasium.make(env_id(scenario), overrides=SHORT) for _ in range(2))
    generator = np.random.default_rng(1)
    seen = one.reset(seed=5), other.reset(seed=5)
    truncated = False
    while not truncated:
        assert data_equivalence(*seen, exact=True)
        action = legal(generator, seen[0][-1])
        seen = one.step(action), other.step(action)
        truncated = seen[0][3]
    assert data_equivalence(*seen, exact=True)
    assert one.unwrapped.trajectory_hash == other.unwrapped.trajectory_hash


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_rewards_add_up_to_the_statistics(scenario):
    env = Env(scenario, overrides=SHORT)
    _, info = env.reset(seed=2)
    generator = np.random.default_rng(2)
    rewards, hits, decisions, replaced, truncated = [], 0, 0, 0, False
    while not truncated:
        assert info["action_mask"].dtype == np.int8
        assert (env.action_masks() == info["action_mask"]).all()
        assert "statistics" not in info
        observation, reward, terminated, truncated, info = env.step(int(generator.integers(env.action_space.n)))
        assert env.observation_space.contains(observation)
        assert terminated is False
        assert isinstance(reward, float)
        details = env.details()
        assert reward == pytest.approx(-sum(value for name, value in details.items() if name.startswith("cost_")), rel=1e-12, abs=1e-15)
        rewards.append(reward)
        decisions, hits, replaced = decisions + 1, hits + details["hits"], replaced + info["replaced_action"]
    statistics = info["statistics"]
    assert statistics["slots"] == 5, "the horizon: slots without a request count too"
    assert statistics["cost"] == pytest.approx(-sum(rewards), rel=1e-12)
    assert statistics["cost_per_slot"] == statistics["cost"] / 5
    assert (statistics["hits"], statistics["decisions"], statistics["replaced_actions"]) == (hits, decisions, replaced)
    with pytest.raises(RuntimeError, match="reset"):
        env.step(0)
    env.reset()


def test_an_illegal_action_is_replaced_by_the_first_legal_one_or_raises():
    replaced, raising, legal_one = Env("tight"), Env("tight", illegal_action="raise"), Env("tight")
    for env in (replaced, raising, legal_one):
        _, info = env.reset(seed=3)
    illegal, first = int(np.flatnonzero(info["action_mask"] == 0)[0]), int(np.flatnonzero(info["action_mask"])[0])
    *one, info = replaced.step(illegal)
    assert info["replaced_action"] is True
    *other, info = legal_one.step(first)
    assert info["replaced_action"] is False
    assert data_equivalence(one, other, exact=True)
    assert replaced.trajectory_hash == legal_one.trajectory_hash
    before = raising.snapshot()
    with pytest.raises(ValueError, match=rf"action {illegal} \(.*\) is not legal|{illegal}"):
        raising.step(illegal)
    assert raising.snapshot() == before


@pytest.mark.parametrize("kind", [int, np.int64, np.int32, np.uint8, np.array, lambda action: np.array([action])])
def test_an_action_may_be_any_integer(kind):
    env = Env("tight")
    _, info = env.reset(seed=0)
    action = int(np.flatnonzero(info["action_mask"])[0])
    env.step(action)
    known = env.trajectory_hash
    env.reset(seed=0)
    env.step(kind(action))
    assert env.trajectory_hash == known


def test_a_snapshot_comes_back_to_the_same_future():
    env, other = Env("street"), Env("street")
    _, info = env.reset(seed=1)
    generator = np.random.default_rng(0)
    for _ in range(30):
        *_, info = env.step(legal(generator, info))
    kept = env.snapshot()
    futures = []
    for player in (env, env, other):
        observation, info = player.restore(kept)
        future = [observation]
        generator = np.random.default_rng(1)
        for _ in range(30):
            observation, reward, _, _, info = player.step(legal(generator, info))
            future += [observation, reward]
        futures.append((future, player.trajectory_hash))
    assert data_equivalence(futures[0], futures[1], exact=True)
    assert data_equivalence(futures[0], futures[2], exact=True)
    tight = Env("tight")
    tight.reset(seed=1)
    for damaged in (b"", kept[:-1], kept + b"0", tight.snapshot(), bytes(len(kept))):
        with pytest.raises(ValueError, match="snapshot"):
            env.restore(damaged)
    assert env.trajectory_hash == futures[0][1]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"scenario": "strret"}, "strret"),
        ({"overrides": {"cell.memory_gbs": 480}}, "overrides cell.memory_gbs=480: .*memory_gbs"),
        ({"overrides": {"cell.memory_gb": -1}}, "memory_gb"),
        ({"purpose": "exam"}, 'purpose "exam" is none of "train", "validate", "test"'),
        ({"illegal_action": "ignore"}, 'illegal_action \'ignore\' is neither "replace" nor "raise"'),
        ({"render_mode": "human"}, "render_mode 'human' is none of"),
        ({"scenario": thoughtcache.Scenario("tight"), "overrides": {"cell.memory_gb": 480}}, "give them to Scenario"),
    ],
)
def test_a_wrong_argument_is_one_message(wrong, message):
    with pytest.raises(ValueError, match=message):
        Env(**{"scenario": "tight", **wrong})
