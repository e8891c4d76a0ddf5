"""Cells as agents keep PettingZoo's contract, and play what `Env` plays."""

import copy

import numpy as np
import pettingzoo
import pytest
from pettingzoo.test import api_test, seed_test

import thoughtcache
from thoughtcache.pettingzoo import CellsEnv

pytestmark = pytest.mark.filterwarnings("error")
SHORT = {"horizon_slots": 4}


@pytest.mark.parametrize("overrides", [None, SHORT])
@pytest.mark.parametrize("scenario", ["city", "tight"])
def test_pettingzoos_tests_find_nothing(scenario, overrides):
    api_test(CellsEnv(scenario, overrides=overrides), num_cycles=1000)
    seed_test(lambda: CellsEnv(scenario, overrides=overrides), num_cycles=100)


def test_the_registry_makes_it():
    env = pettingzoo.make("aec", "thoughtcache/City-v0", purpose="validate")
    assert isinstance(env, CellsEnv)
    assert env.possible_agents == [f"cell_{cell}" for cell in range(7)]
    assert str(env) == "thoughtcache_city_v0"
    assert {pettingzoo.spec("aec", thoughtcache.env_id(name)).kwargs["scenario"] for name in thoughtcache.scenarios()} == set(
        thoughtcache.scenarios()
    )


def test_it_plays_what_an_environment_plays_and_pays_the_cell_that_decided():
    env, alone = CellsEnv("city", overrides={"horizon_slots": 30}), thoughtcache.Env("city", overrides={"horizon_slots": 30})
    generator = np.random.default_rng(0)
    for episode in range(2):
        env.reset(seed=5 if episode == 0 else None)
        observation, info = alone.reset(seed=5 if episode == 0 else None)
        paid = dict.fromkeys(env.possible_agents, 0.0)
        by_hand, total, slot, decided = dict(paid), 0.0, 0, dict.fromkeys(env.possible_agents, 0)
        deciders = []
        for agent in env.agent_iter():
            seen, reward, terminated, truncated, infos = env.last()
            paid[agent] += reward
            if truncated:
                assert not terminated
                assert infos["statistics"] == info["statistics"]
                env.step(None)
                continue
            assert (seen == observation).all()
            assert (infos["action_mask"] == info["action_mask"]).all()
            assert infos["action_mask"].dtype == np.int8
            assert infos["slots_elapsed"] == slot - decided[agent]
            assert [name for name in env.agents if "action_mask" in env.infos[name]] == [agent]
            deciders.append(agent)
            action = int(generator.choice(np.flatnonzero(infos["action_mask"])))
            decided[agent] = slot
            observation, cost, _, has_ended, info = alone.step(action)
            slot += info["slots_elapsed"]
            assert agent == f"cell_{alone.details()['cell']:.0f}"
            by_hand[agent] += cost
            total += cost
            env.step(action)
            assert env.rewards == {name: cost if name == agent else 0.0 for name in env.agents}
            assert all(env.truncations.values()) is has_ended
        assert env.agents == []
        assert env.world.trajectory_hash == alone.trajectory_hash
        assert paid == pytest.approx(by_hand, rel=1e-12)
        assert total == pytest.approx(-info["statistics"]["cost"], rel=1e-9)
        assert len(set(deciders)) == 7
        assert deciders != sorted(deciders), "cells do not decide in turns"


def test_an_agent_that_waits_sees_its_last_row():
    env = CellsEnv("city")
    env.reset(seed=0)
    first = env.agent_selection
    assert [agent for agent in env.agents if env.observe(agent).any()] == [first], "nobody else has had a decision yet"
    env.observe(first)[:] = 9
    while env.agent_selection == first:
        row = env.observe(first)
        env.step(int(env.infos[first]["action_mask"].argmax()))
    assert (env.observe(first) == row).all()


def test_what_cannot_be_done_is_one_message():
    env = CellsEnv("city", overrides=SHORT, illegal_action="raise")
    with pytest.raises(RuntimeError, match="no episode runs: reset the environment"):
        env.step(0)
    env.reset(seed=0)
    with pytest.raises(TypeError, match="an action is a whole number, not None"):
        env.step(None)
    with pytest.raises(ValueError, match="action 55 does not exist; city has actions 0 to 54"):
        env.step(55)
    before = env.world.trajectory_hash
    with pytest.raises(ValueError, match="lane -1"):
        env.reset(options={"lane": -1})
    assert env.world.trajectory_hash == before
    while env.agents:
        agent = env.agent_selection
        if env.truncations[agent]:
            with pytest.raises(ValueError, match="the only valid action is None"):
                env.step(0)
            env.step(None)
        else:
            env.step(int(env.infos[agent]["action_mask"].argmax()))
    with pytest.raises(RuntimeError, match="reset the environment"):
        env.step(None)
    env.close()
    with pytest.raises(RuntimeError, match="closed"):
        env.reset()


def test_options_seeds_and_copies_are_those_of_env():
    env = CellsEnv("city", overrides=SHORT)
    env.reset(seed=3, options={"episode": 2, "lane": 1})
    assert env.world.coordinates == (3, 1, 2)
    again = copy.deepcopy(env)
    for player in (env, again):
        for _ in range(10):
            player.step(int(player.infos[player.agent_selection]["action_mask"].argmax()))
    assert env.world.trajectory_hash == again.world.trajectory_hash
    assert env.agent_selection == again.agent_selection
