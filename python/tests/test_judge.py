"""The judges from Python report what the program prints; policies in Python are played as rules are."""

import json
import subprocess
import sys
from pathlib import Path

import gymnasium
import numpy as np
import pytest

import thoughtcache
from thoughtcache import Env, VectorEnv, compare, evaluate, load_policy

REFERENCE = Path(__file__).parents[2] / "runs" / "reference"
TIGHT_PPO = REFERENCE / "tight-ppo"
SHORT = {"horizon_slots": 8}


def printed(*typed):
    done = subprocess.run([sys.executable, "-m", "thoughtcache", *map(str, typed)], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def without_times(document):
    """The figures that seeds fix."""
    return {**document, "policies": [{**policy, "decide_us": None} for policy in document["policies"]]}


def test_compare_reports_what_the_program_prints():
    known = printed("compare", "lru", "worth", "--only", "--scenario", "tight", "--episodes", 3, "--seed", 7, "--json")
    table = compare(["lru", "worth"], "tight", episodes=3, seed=7)
    verdict = table.pop("verdict")
    assert dict(table) == without_times({name: known[name] for name in table})
    assert "worth" in verdict
    assert [row["name"] for row in table.rows()] == ["worth", "least-aot", "lru"]


def test_compare_without_names_reports_all_rules_as_the_program_does():
    known = printed("compare", "--scenario", "tiny-unit3", "--episodes", 1, "--set", "scenario.horizon_slots=20", "--json")
    table = compare(scenario="tiny-unit3", overrides={"horizon_slots": 20}, episodes=1)
    table.pop("verdict")
    assert dict(table) == without_times({name: known[name] for name in table})
    assert "optimal" in {row["name"] for row in table.rows()}


def test_a_bound_gives_regret_as_the_program_does(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # bounds are kept below
    known = printed("compare", "lru", "worth", "--only", "--scenario", "tiny-unit3", "--episodes", 2, "--bound", "--json")
    table = compare(["lru", "worth"], "tiny-unit3", episodes=2, bound=True)
    table.pop("verdict")
    assert dict(table) == without_times({name: known[name] for name in table})
    rows = {row["name"]: row for row in table.rows()}
    assert rows["worth"]["closed_mean"] > 0.5 > rows["least-aot"]["closed_mean"] == 0.0
    assert rows["lru"]["mean_cost"] == pytest.approx(table["bound"]["mean_cost"] + rows["lru"]["regret_mean"])
    assert {"(bound)", "regret", "closed"} <= set(str(table).split())
    assert "regret" not in compare(["lru"], "tiny-unit3", episodes=1).rows()[0]


def test_evaluate_reports_what_the_program_prints():
    known = printed("evaluate", "lru", "worth", "--scenario", "tight", "--episodes", 2, "--seed", 3, "--json")
    found = evaluate(["lru", "worth"], "tight", episodes=2, seed=3)
    costs = found.pop("episode_costs")
    assert dict(found) == without_times({name: known[name] for name in found})
    assert [np.mean(row) for row in costs] == pytest.approx([row["mean_cost"] for row in found["policies"]], rel=1e-12)


def test_a_trained_policy_costs_what_the_program_prints():
    known = printed("evaluate", TIGHT_PPO, "--episodes", 2, "--json")
    found = evaluate([TIGHT_PPO], episodes=2)
    assert found["trajectory_hash"] == known["trajectory_hash"]
    policy = load_policy(TIGHT_PPO)
    assert (policy.name, policy.kind) == ("tight-ppo", "ppo")
    env = Env(TIGHT_PPO, purpose="test")
    for episode, cost in enumerate(found["episode_costs"][0]):
        observation, info = env.reset(seed=0, options={"episode": episode})
        truncated = False
        while not truncated:
            action = policy(observation, info["action_mask"])
            assert action == policy.act(env)
            observation, _, _, truncated, info = env.step(action)
        assert info["statistics"]["cost_per_slot"] == cost
    own = evaluate({"from Python": policy_of(policy)}, "tight", episodes=2)
    assert own["episode_costs"] == found["episode_costs"]


def policy_of(policy):
    return lambda observation, action_mask: policy(observation, action_mask)


def test_a_network_decides_for_rows_as_for_each():
    policy, envs = load_policy(TIGHT_PPO), VectorEnv(TIGHT_PPO, 5)
    observations, infos = envs.reset(seed=0)
    actions = policy(observations, infos["action_mask"])
    assert actions.tolist() == policy.act(envs).tolist()
    assert actions.tolist() == [policy(row, mask) for row, mask in zip(observations, infos["action_mask"], strict=True)]
    assert policy(observations, infos["action_mask"].astype(bool)).tolist() == actions.tolist()
    for wrong in (observations[:, :-1], observations[:3]):
        with pytest.raises(ValueError, match=r"rows of shape .* are needed"):
            policy(wrong, infos["action_mask"])
    for wrong in (observations[None], observations[0]):
        with pytest.raises(ValueError, match=r"a row and its mask or many of each are needed, not shapes"):
            policy(wrong, infos["action_mask"])
    with pytest.raises(ValueError, match="an observation has numbers that are not finite"):
        policy(observations * np.nan, infos["action_mask"])
    with pytest.raises(ValueError, match="without a legal action"):
        policy(observations[0], np.zeros(22, np.int8))


class Alternates:
    """Serves the first and the last legal action in turn, and counts its decisions."""

    name = "alternates"

    def __init__(self):
        self.begun, self.decisions = 0, 0

    def begin_episode(self):
        self.begun, self.decisions = self.begun + 1, 0

    def __call__(self, observation, action_mask):
        assert self.begun == 1, "each episode plays with a copy of its own"
        assert observation.dtype == np.float32
        assert action_mask.dtype == np.int8
        self.decisions += 1
        return np.flatnonzero(action_mask)[-(self.decisions % 2)]


def test_a_policy_of_ones_own_is_played_as_by_hand():
    policy = Alternates()
    found = evaluate([policy], "tight", overrides=SHORT, episodes=2, seed=1)
    assert policy.begun == policy.decisions == 0
    assert [row["name"] for row in found.rows()] == ["alternates"]
    env = Env("tight", overrides=SHORT, purpose="test", illegal_action="raise")
    for episode, cost in enumerate(found["episode_costs"][0]):
        by_hand = Alternates()
        by_hand.begin_episode()
        observation, info = env.reset(seed=1, options={"episode": episode})
        truncated = False
        while not truncated:
            observation, _, _, truncated, info = env.step(by_hand(observation, info["action_mask"]))
        assert info["statistics"]["cost_per_slot"] == cost


def first_legal(observation, action_mask):
    return int(action_mask.argmax())


def test_own_policies_are_compared_with_rules_and_can_be_the_baseline():
    table = compare([first_legal, "lru"], "tight", overrides=SHORT, episodes=2, baseline="first_legal")
    assert table["baseline"] == "first_legal"
    assert {row["name"]: row["kind"] for row in table.rows()} == {"first_legal": "custom", "lru": "heuristic"}
    assert {row["name"] for row in compare({"mine": first_legal}, "tight", overrides=SHORT, episodes=2).rows()} == {"mine", "least-aot"}
    assert "first_legal" in str(table)
    assert "first_legal" in table._repr_html_()


class Fails:
    def __init__(self, decision, error):
        self.left, self.error = decision, error

    def __call__(self, observation, action_mask):
        self.left -= 1
        if self.left < 0:
            raise self.error
        return int(action_mask.argmax())


@pytest.mark.parametrize("error", [KeyError("forgotten"), ZeroDivisionError("in the middle"), StopIteration("end")])
def test_an_exception_of_a_policy_is_the_exception_of_the_judge(error):
    for judge in (evaluate, compare):
        with pytest.raises(type(error), match=str(error.args[0])):
            judge({"fails": Fails(11, error)}, "tight", overrides=SHORT, episodes=2)


class BeginsBadly(Fails):
    def begin_episode(self):
        raise self.error


class CannotBeCopied(Fails):
    def __deepcopy__(self, memo):
        raise self.error


@pytest.mark.parametrize("kind", [BeginsBadly, CannotBeCopied])
def test_so_is_one_of_its_beginning_and_of_its_copy(kind):
    with pytest.raises(OSError, match="not today"):
        evaluate({"fails": kind(100, OSError("not today"))}, "tight", overrides=SHORT, episodes=2)


@pytest.mark.parametrize(
    ("nonsense", "error", "message"),
    [
        (None, TypeError, "nonsense returned None, which is no number of an action"),
        ("load", TypeError, "nonsense returned load, which is no number of an action"),
        (0.5, TypeError, "nonsense returned 0.5"),
        ([1, 2], TypeError, r"nonsense returned \[1, 2\]"),
        (-1, (TypeError, ValueError), "nonsense.*-1"),
        (2**70, (TypeError, ValueError), "nonsense.*1180591620717411303424"),
        (22, ValueError, "nonsense, episode 0, decision 0: action 22 does not exist; tight has actions 0 to 21"),
        (21, ValueError, "nonsense, episode 0, decision 0: .*21"),
    ],
)
def test_nonsense_of_a_policy_is_one_message(nonsense, error, message):
    with pytest.raises(error, match=message):
        evaluate({"nonsense": lambda observation, action_mask: nonsense}, "tight", overrides=SHORT, episodes=2)


@pytest.mark.parametrize(
    ("judged", "error", "message"),
    [
        (["lruu"], ValueError, "lruu"),
        ([5], TypeError, "5 is neither the name of a policy nor a callable"),
        (5, TypeError, "policies are a list or a dict, not 5"),
        ({"five": 5}, TypeError, "five: 5 is not a callable of observation and mask"),
        ([], ValueError, "no policies to evaluate"),
        ({"mine": "lru"}, TypeError, "mine: 'lru' is not a callable"),
        ([first_legal, first_legal], ValueError, "two policies are called 'first_legal'; a dict gives them names"),
    ],
)
def test_a_wrong_policy_is_one_message(judged, error, message):
    with pytest.raises(error, match=message):
        evaluate(judged, "tight", overrides=SHORT, episodes=1)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"episodes": 0}, ValueError, "episodes"),
        ({"episodes": -1}, ValueError, "episodes"),
        ({"episodes": 1.5}, TypeError, "episodes"),
        ({"seed": -1}, ValueError, "seed -1"),
        ({"seed": "one"}, TypeError, "seed"),
        ({"baseline": "lruu"}, ValueError, "lruu"),
        ({"scenario": "tigth"}, ValueError, "tigth"),
    ],
)
def test_a_wrong_argument_is_one_message(wrong, error, message):
    with pytest.raises(error, match=message):
        compare(["lru"], **{"scenario": "tight", "overrides": SHORT, **wrong})


def test_rules_ask_for_the_environment_and_policies_for_their_own_world():
    lru = load_policy("lru", "tight")
    with pytest.raises(TypeError, match="lru is a rule: it reads the environment by name, so ask act"):
        lru(np.zeros(191, np.float32), np.ones(22, np.int8))
    env = Env("street")
    with pytest.raises(RuntimeError, match="reset"):
        lru.act(Env("tight"))
    env.reset(seed=0)
    with pytest.raises(ValueError, match="lru was loaded for tight, and this environment plays another scenario, street"):
        lru.act(env)
    for other in (gymnasium.make("CartPole-v1"), None):
        with pytest.raises(TypeError, match="acts in environments of thoughtcache"):
            lru.act(other)
    with pytest.raises(ValueError, match="no-such-run"):
        load_policy("no-such-run")


def test_pictures_are_svg_by_name():
    picture = thoughtcache.plot("episode", "tight", overrides=SHORT)
    assert picture._repr_svg_().startswith("<svg")
    with pytest.raises(ValueError, match=r"'channels' is none of the pictures of this scenario: .*episode"):
        thoughtcache.plot("channels", "tight", overrides=SHORT)


def alone(rule, seed):
    env, policy = Env("tight"), load_policy(rule, "tight")
    env.reset(seed=seed)
    return [(action := policy.act(env), env.step(action))[0] for _ in range(150)]


@pytest.mark.parametrize("rule", ["lru", "random", "density"])
def test_a_policy_remembers_each_environment_by_itself(rule):
    policy, envs = load_policy(rule, "tight"), [Env("tight") for _ in range(2)]
    for seed, env in enumerate(envs):
        env.reset(seed=seed)
    actions = [[], []]
    for _ in range(150):
        for env, taken in zip(envs, actions, strict=True):
            taken.append(policy.act(env))
            env.step(taken[-1])
    assert actions == [alone(rule, 0), alone(rule, 1)]


def test_a_plan_is_not_played_in_a_world_with_other_prices():
    dear = Env("tiny-unit3", overrides={"cost.cloud_per_request": 30.0})
    dear.reset(seed=0)
    with pytest.raises(ValueError, match="optimal was loaded for tiny-unit3, and this environment plays another scenario"):
        load_policy("optimal", "tiny-unit3").act(dear)


def test_a_policy_that_was_loaded_is_judged_like_its_name():
    assert evaluate([load_policy("lru", "tight")], "tight", episodes=2)["episode_costs"] == evaluate("lru", "tight", episodes=2)["episode_costs"]


def test_an_own_baseline_needs_no_scenario():
    table = compare({"mine": first_legal, "worth": first_legal}, baseline="mine", episodes=1)
    assert (table["scenario"], table["baseline"]) == ("street", "mine")


def test_more_episodes_than_anybody_plays_are_one_message():
    for judge in evaluate, compare:
        with pytest.raises(ValueError, match="episodes=1000001: 1 to 1000000 are allowed"):
            judge(["lru"], "tight", episodes=1_000_001)
