"""Stable-Baselines3 and sb3-contrib on our environments: what they are told is what `VectorEnv` tells, and their algorithms run."""

import pickle

import numpy as np
import pytest
import thoughtcache
import torch
from sb3_contrib import MaskablePPO
from sb3_contrib.common.maskable.evaluation import evaluate_policy
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_checker import check_env
from stable_baselines3.common.vec_env import VecMonitor, VecNormalize
from thoughtcache.sb3 import SB3VecEnv

torch.set_num_threads(1)
pytestmark = pytest.mark.filterwarnings("error")

# An episode of `tight` cut to 10 slots, some 120 decisions.
SHORT = thoughtcache.Scenario("tight", {"horizon_slots": 10})


def legal(masks: np.ndarray, draws: np.random.Generator) -> np.ndarray:
    """A random legal action for each row of masks."""
    return np.where(masks, draws.random(masks.shape), -1.0).argmax(axis=1)


@pytest.mark.parametrize("scenario", ["tight", "street"])
def test_env_passes_the_checker_of_sb3(scenario: str) -> None:
    check_env(thoughtcache.Env(scenario))


def test_a_copy_is_told_what_a_vector_env_played_by_hand_tells() -> None:
    ours, by_hand = SB3VecEnv(SHORT, 3), thoughtcache.VectorEnv(SHORT, 3, autoreset_mode="SameStep")
    ours.seed(5)
    rows, (expected, _) = ours.reset(), by_hand.reset(seed=5)
    assert np.array_equal(rows, expected)
    draws, ends, returns, lengths = np.random.default_rng(0), 0, np.zeros(3), np.zeros(3, int)
    for _ in range(300):
        masks = np.stack(ours.env_method("action_masks"))
        assert np.array_equal(masks, by_hand.action_masks())
        actions = legal(masks, draws)
        rows, rewards, dones, infos = ours.step(actions)
        expected, paid, terminated, truncated, found = by_hand.step(actions)
        assert np.array_equal(rows, expected) and np.array_equal(rewards, paid) and not terminated.any()
        assert np.array_equal(dones, truncated)
        returns, lengths = returns + rewards, lengths + 1
        for lane, info in enumerate(infos):
            assert info["TimeLimit.truncated"] is bool(truncated[lane])
            told = found["final_info"] if dones[lane] else found
            assert info["slots_elapsed"] == told["slots_elapsed"][lane] and info["replaced_action"] is False
            assert ("terminal_observation" in info) == ("episode" in info) == ("statistics" in info) == dones[lane]
            if dones[lane]:
                assert np.array_equal(info["terminal_observation"], found["final_obs"][lane])
                assert not np.array_equal(info["terminal_observation"], rows[lane])
                assert info["episode"]["r"] == pytest.approx(returns[lane]) and info["episode"]["l"] == lengths[lane]
                assert info["statistics"]["slots"] == 10
                returns[lane], lengths[lane], ends = 0, 0, ends + 1
    assert ends >= 3


def test_the_same_actions_give_the_same_trajectory_in_every_interface() -> None:
    ours, vector = SB3VecEnv(SHORT, 2), thoughtcache.VectorEnv(SHORT, 2, autoreset_mode="SameStep")
    alone = [thoughtcache.Env(SHORT) for _ in range(2)]
    ours.seed(7)
    ours.reset()
    vector.reset(seed=7)
    for lane, env in enumerate(alone):
        env.reset(seed=7, options={"lane": lane})
    draws = np.random.default_rng(1)
    for _ in range(100):
        actions = legal(vector.action_masks(), draws)
        _, _, dones, _ = ours.step(actions)
        vector.step(actions)
        for env, action in zip(alone, actions, strict=True):
            env.step(action)
        assert not dones.any()
    hashes = ours.get_attr("trajectory_hash")
    assert hashes == vector.trajectory_hashes == [env.trajectory_hash for env in alone]
    assert ours.envs.trajectory_hash == vector.trajectory_hash
    assert ours.get_attr("coordinates") == [(7, 0, 0), (7, 1, 0)]
    ours.step(legal(vector.action_masks(), draws))
    assert ours.get_attr("trajectory_hash") != hashes


def test_each_step_makes_new_infos_and_rows() -> None:
    env = SB3VecEnv(SHORT, 2)
    first = env.reset()
    kept = first.copy()
    _, rewards, _, infos = env.step(np.zeros(2, int))
    infos[0]["slots_elapsed"] = rewards[0] = -9
    _, rewards, _, later = env.step(np.zeros(2, int))
    assert np.array_equal(first, kept) and later[0]["slots_elapsed"] != -9 and infos[1] is not later[1] and rewards[0] != -9


def test_it_says_which_attributes_the_copies_have() -> None:
    env = SB3VecEnv(SHORT, 2, purpose="validate")
    env.reset()
    assert env.has_attr("action_masks") and VecMonitor.has_attr(VecNormalize(env), "action_masks") and not env.has_attr("wheels")
    assert env.get_attr("purpose", 0) == ["validate"] and env.get_attr("observation_space") == [env.observation_space] * 2
    assert [mask.shape for mask in env.env_method("action_masks", indices=[1])] == [(env.action_space.n,)]
    assert np.array_equal(env.get_attr("action_masks", [1])[0](), env.action_masks()[1])
    with pytest.raises(AttributeError, match="wheels"):
        env.get_attr("wheels")
    with pytest.raises(AttributeError, match="give the constructor"):
        env.set_attr("purpose", "test")


def test_pictures_of_the_copies_are_tiled() -> None:
    env = SB3VecEnv(SHORT, 2, render_mode="rgb_array")
    env.reset()
    first, second = env.get_images()
    assert first.dtype == np.uint8 and first.shape == second.shape
    assert env.render().size == first.size + second.size


def test_mistakes_are_told() -> None:
    env = SB3VecEnv(SHORT, 2, illegal_action="raise")
    with pytest.raises(RuntimeError, match="reset"):
        env.step(np.zeros(2, int))
    env.reset()
    with pytest.raises(RuntimeError, match="step_async"):
        env.step_wait()
    with pytest.raises(ValueError, match="lane 0: action .* is illegal"):
        env.step((~env.action_masks()).argmax(axis=1))
    with pytest.raises(ValueError, match="knows none"):
        env.set_options({"episode": 3})
    env.set_options()
    env.close()
    with pytest.raises(RuntimeError, match="closed"):
        env.reset()


def test_a_pickled_copy_goes_on_in_the_same_way() -> None:
    env = SB3VecEnv(SHORT, 2)
    env.reset()
    env.step(np.zeros(2, int))
    other = pickle.loads(pickle.dumps(env))
    assert all(np.array_equal(one, two) for one, two in zip(env.step(np.ones(2, int))[:3], other.step(np.ones(2, int))[:3], strict=True))


class Counted(BaseCallback):
    """Counts steps, replaced actions and ended episodes."""

    steps = replaced = ended = 0

    def _on_step(self) -> bool:
        infos = self.locals["infos"]
        self.steps += len(infos)
        self.replaced += sum(info["replaced_action"] for info in infos)
        self.ended += sum("episode" in info for info in infos)
        return True


def test_maskable_ppo_takes_no_illegal_action() -> None:
    counted = Counted()
    model = MaskablePPO("MlpPolicy", SB3VecEnv(SHORT, 4), n_steps=256, batch_size=128, n_epochs=1, seed=1)
    model.learn(2_000, callback=counted)
    assert (counted.steps, counted.replaced) == (2_048, 0) and counted.ended >= 8
    assert len(model.ep_info_buffer) == counted.ended  # of these the algorithm logs the means
    mean, _ = evaluate_policy(model, SB3VecEnv(SHORT, 2, purpose="validate", illegal_action="raise"), n_eval_episodes=2)
    assert mean < 0


@pytest.mark.parametrize("algorithm", [PPO, DQN])
def test_algorithms_without_masks_learn_and_their_illegal_actions_are_counted(algorithm: type) -> None:
    counted = Counted()
    settings = {"n_steps": 64, "n_epochs": 1} if algorithm is PPO else {"learning_starts": 64, "buffer_size": 1_000}
    model = algorithm("MlpPolicy", SB3VecEnv(SHORT, 4), seed=1, **settings)
    before = [weights.clone() for weights in model.policy.parameters()]
    model.learn(768, callback=counted)
    assert counted.steps == 768 and counted.replaced > 0 and counted.ended > 0
    assert any(not np.array_equal(old.detach(), new.detach()) for old, new in zip(before, model.policy.parameters(), strict=True))
    if algorithm is DQN:  # its targets go on at the end of an episode
        buffer = model.replay_buffer
        assert buffer.timeouts.sum() == counted.ended and (buffer.dones.sum() == counted.ended)


def test_the_trained_network_is_judged_one_call_at_a_time() -> None:
    # A network of sb3-contrib keeps the distribution of its last call: two threads would get each other's.
    model = MaskablePPO("MlpPolicy", SB3VecEnv(SHORT, 2), n_steps=64, batch_size=64, seed=1)

    def learnt(observation: np.ndarray, action_mask: np.ndarray) -> np.ndarray:
        return model.predict(observation, deterministic=True, action_masks=action_mask)[0]

    once, again = (thoughtcache.evaluate([learnt], SHORT, episodes=8)["trajectory_hash"] for _ in range(2))
    assert once == again
