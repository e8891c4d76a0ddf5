"""An integer seed means the same episodes in `Env`, in a lane of `VectorEnv` and for the judges."""

import numpy as np
import pytest

import thoughtcache
from thoughtcache import Env, VectorEnv, evaluate, load_policy

SHORT = {"horizon_slots": 8}


def cost(env, policy, **reset):
    """What an episode costs a slot, and its digest."""
    env.reset(**reset)
    truncated = False
    while not truncated:
        *_, truncated, info = env.step(policy.act(env))
    return info["statistics"]["cost_per_slot"]


@pytest.mark.parametrize("rule", ["least-aot", "lru", "worth", "random"])
@pytest.mark.parametrize("scenario", ["tight", "tight-request", "paper", "tiny-unit3", "tiny-drift4"])
def test_episodes_of_the_purpose_test_cost_what_the_judges_report(scenario, rule):
    world = thoughtcache.Scenario(scenario, SHORT)
    env, policy = Env(world, purpose="test"), load_policy(rule, world)
    (known,) = evaluate([rule], world, episodes=3, seed=17)["episode_costs"]
    assert [cost(env, policy, seed=17), cost(env, policy), cost(env, policy)] == known
    assert cost(env, policy, seed=17, options={"episode": 2}) == known[2]
    assert cost(env, policy, options={"episode": 1}) == known[1], "an option of the episode keeps the run"


@pytest.mark.parametrize("rule", ["lru+myopic", "amortised+myopic", "least-aot"])
@pytest.mark.parametrize("scenario", ["street", "city", "office-140ghz"])
def test_so_do_those_with_slots_without_a_request(scenario, rule):
    world = thoughtcache.Scenario(scenario, SHORT)
    env, policy = Env(world, purpose="test"), load_policy(rule, world)
    (known,) = evaluate([rule], world, episodes=3, seed=4)["episode_costs"]
    assert [cost(env, policy, seed=4), cost(env, policy), cost(env, policy)] == known


def test_a_lane_plays_what_an_environment_with_its_options_plays():
    envs = VectorEnv("tight", 3, overrides=SHORT, purpose="test", autoreset_mode="SameStep")
    envs.reset(seed=17)
    policy = load_policy("random", "tight", overrides=SHORT)
    costs = [[], [], []]
    while min(map(len, costs)) < 2:
        *_, ended, infos = envs.step(policy.act(envs))
        for lane in np.flatnonzero(ended):
            costs[lane].append(infos["final_info"]["statistics"]["cost_per_slot"][lane])
    env = Env("tight", overrides=SHORT, purpose="test")
    for lane in range(3):
        for episode in range(2):
            assert cost(env, policy, seed=17, options={"lane": lane, "episode": episode}) == costs[lane][episode]
    known = evaluate(["random"], "tight", overrides=SHORT, episodes=2, seed=17)["episode_costs"][0]
    assert costs[0][:2] == known, "lane 0 plays the episodes of the judges"


def test_the_options_of_a_reset_go_to_an_episode():
    env = Env("tight", overrides=SHORT)
    env.reset(seed=5)
    for options, known in [
        (None, (5, 0, 1)),
        ({"episode": 7}, (5, 0, 7)),
        (None, (5, 0, 8)),
        ({"lane": 3}, (5, 3, 0)),
        ({"lane": 2**32 - 1, "episode": 2**63 - 1}, (5, 2**32 - 1, 2**63 - 1)),
        ({}, (5, 2**32 - 1, 2**63)),
    ]:
        env.reset(options=options)
        assert env.coordinates == known
    env.reset(seed=2**63 - 1, options={"episode": np.int64(2)})
    assert env.coordinates == (2**63 - 1, 0, 2)


def test_training_validation_and_test_never_meet():
    rows = [Env("tight", purpose=purpose).reset(seed=1)[0] for purpose in ("train", "validate", "test")]
    futures = []
    for purpose in ("train", "validate", "test"):
        env = Env("tight", purpose=purpose)
        env.reset(seed=1)
        futures.append([env.step(0)[0].tolist() for _ in range(10)])
    assert len(rows) == 3
    assert futures[0] != futures[1] != futures[2] != futures[0]


def test_without_a_seed_the_run_comes_from_the_generator_of_the_environment():
    runs = set()
    for _ in range(3):
        env = Env("tight")
        env.reset()
        runs.add(env.coordinates[0])
        env.reset()
        assert env.coordinates[1:] == (0, 1)
    assert len(runs) == 3
    drawn = Env("tight")
    drawn.np_random = np.random.default_rng(3)
    drawn.reset()
    assert drawn.coordinates[0] == np.random.default_rng(3).integers(2**63)
