"""Tianshou on our environment: its random and its learnt policies keep to the masks, and DQN learns."""

import gymnasium
import numpy as np
import pytest
import thoughtcache
import torch
from gymnasium.utils import env_checker
from thoughtcache.tianshou import MaskedObservation
from tianshou.algorithm import DQN
from tianshou.algorithm.algorithm_base import policy_within_training_step
from tianshou.algorithm.modelfree.dqn import DiscreteQLearningPolicy
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.algorithm.random import MARLRandomDiscreteMaskedOffPolicyAlgorithm
from tianshou.data import Collector, VectorReplayBuffer
from tianshou.env import DummyVectorEnv
from tianshou.utils.net.common import Net

torch.set_num_threads(1)
pytestmark = pytest.mark.filterwarnings("error")
# An episode of `tight` cut to 10 slots, some 120 decisions.
SHORT = thoughtcache.Scenario("tight", {"horizon_slots": 10})


def masked() -> MaskedObservation:
    # Whoever takes an illegal action is told.
    return MaskedObservation(thoughtcache.Env(SHORT, illegal_action="raise"))


def test_the_wrapped_environment_passes_the_checker() -> None:
    env = MaskedObservation(thoughtcache.Env(SHORT))
    assert env.reset(seed=1)[0] in env.observation_space
    env_checker.check_reset_seed_determinism(env)
    env_checker.check_step_determinism(env)
    with pytest.raises(TypeError, match="action_masks"):
        MaskedObservation(gymnasium.make("CartPole-v1"))


def test_the_masks_reach_random_policies_in_5000_calls() -> None:
    venv = DummyVectorEnv([masked] * 2)
    venv.seed(3)
    buffer = VectorReplayBuffer(6_000, 2)
    algorithm = MARLRandomDiscreteMaskedOffPolicyAlgorithm(masked().action_space)
    collected = Collector(algorithm, venv, buffer).collect(n_step=5_000, reset_before_collect=True)
    assert collected.n_collected_steps == 5_000
    steps = buffer[:]
    assert len(steps) == 5_000 and steps.obs.mask[np.arange(5_000), steps.act].all()
    assert steps.truncated.sum() > 30 and not steps.terminated.any()


@pytest.mark.parametrize("exploring", [1.0, 0.1])
def test_one_update_of_dqn_with_masks(exploring: float) -> None:
    torch.manual_seed(1)
    env = masked()
    net = Net(state_shape=env.observation_space["obs"].shape, action_shape=env.action_space.n, hidden_sizes=[32])
    policy = DiscreteQLearningPolicy(model=net, action_space=env.action_space, eps_training=exploring)
    algorithm = DQN(policy=policy, optim=AdamOptimizerFactory(lr=1e-3), target_update_freq=10)
    buffer = VectorReplayBuffer(1_000, 2)
    before = [weights.clone() for weights in net.parameters()]
    with policy_within_training_step(policy):
        Collector(algorithm, DummyVectorEnv([masked] * 2), buffer).collect(n_step=300, reset_before_collect=True)
        statistics = algorithm.update(buffer, sample_size=64)
    assert np.isfinite(statistics.loss)
    assert any(not torch.equal(old, new) for old, new in zip(before, net.parameters(), strict=True))
