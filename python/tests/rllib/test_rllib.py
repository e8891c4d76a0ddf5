"""RLlib's own runners and learners on our environments and masked modules."""

import math

import gymnasium
import numpy as np
import pytest
import torch
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.columns import Columns
from ray.rllib.core.rl_module.rl_module import RLModule, RLModuleSpec
from ray.rllib.env.single_agent_env_runner import SingleAgentEnvRunner

import thoughtcache
from thoughtcache import rllib

CONFIGS = [rllib.ppo_config, rllib.dqn_config]


def runner_of(config) -> SingleAgentEnvRunner:
    return SingleAgentEnvRunner(config=config, worker_index=0, num_workers=0)


@pytest.mark.parametrize("config", CONFIGS)
def test_no_illegal_action_in_5000_sampled_steps(config):
    runner = runner_of(config("tight", num_env_runners=0, num_envs_per_env_runner=8, seed=3))
    episodes = runner.sample(num_timesteps=5_000, explore=True)
    taken = np.concatenate([episode.get_actions() for episode in episodes])
    masks = np.concatenate([episode.get_observations()["action_mask"][:-1] for episode in episodes])
    replaced = [info["replaced_action"] for episode in episodes for info in episode.get_infos()]
    assert len(taken) >= 5_000 and not any(replaced)
    assert masks[np.arange(len(taken)), taken].all()
    assert masks.mean() < 0.6, "without masks, some of these actions would have been illegal"
    runner.stop()


@pytest.mark.parametrize("mode", ["vector_entry_point", "sync"])
def test_a_runner_plays_the_trajectory_of_the_vector_environment(mode):
    short = {"horizon_slots": 20}
    config = rllib.ppo_config("tight", overrides=short, num_env_runners=0, num_envs_per_env_runner=3, seed=11)
    runner = runner_of(config.env_runners(gym_env_vectorize_mode=mode))
    step, actions = runner.env.step, []
    runner.env.step = lambda chosen: (actions.append(np.array(chosen)), step(chosen))[1]
    runner.sample(num_timesteps=1_000)
    if mode == "sync":  # Gymnasium gives copy i the seed s + i, and an Env plays lane 0
        seeds, hashes = [11, 12, 13], [env.unwrapped.env.trajectory_hash for env in runner.env.unwrapped.envs]
    else:
        seeds, hashes = 11, runner.env.unwrapped.env.trajectory_hashes
    alone = thoughtcache.VectorEnv("tight", 3, overrides=short)
    alone.reset(seed=seeds)
    ends = sum(int(alone.step(chosen)[3].sum()) for chosen in actions)
    assert ends >= 3, "episodes ended on the way"
    assert alone.trajectory_hashes == hashes
    runner.stop()


def test_the_names_of_gymnasium_are_names_of_rllib():
    rllib.register_rllib()
    config = PPOConfig().environment("thoughtcache/Tight-v0", env_config={"purpose": "validate"})
    config.rl_module(rl_module_spec=RLModuleSpec(module_class=rllib.MaskedPPOModule))
    runner = runner_of(config.env_runners(num_env_runners=0, num_envs_per_env_runner=2, gym_env_vectorize_mode="vector_entry_point"))
    assert runner.env.unwrapped.env.scenario.name == "tight"
    assert runner.env.unwrapped.env.purpose == "validate"
    runner.stop()


def test_single_environments_pass_the_checker_and_a_scenario_is_refused_before_any_worker():
    from gymnasium.utils.env_checker import check_env

    check_env(rllib.MaskedEnv(scenario="tight"), skip_render_check=True)
    with pytest.raises(ValueError, match="no-such"):
        rllib.ppo_config("no-such")


def a_batch(rows: int) -> dict:
    """Observations of `tight` of which the last has a single legal action, 2."""
    env = rllib.MaskedVectorEnv(rows, scenario="tight")
    observations, _ = env.reset(seed=1)
    observations["action_mask"][-1] = 0
    observations["action_mask"][-1, 2] = 1
    return {Columns.OBS: {name: torch.as_tensor(values) for name, values in observations.items()}}


def test_ppo_has_no_nan_in_entropy_divergence_and_gradient_with_one_legal_action():
    config = rllib.ppo_config("tight", num_env_runners=0)
    spaces = rllib.MaskedEnv(scenario="tight")
    module = config.get_rl_module_spec(spaces={"default_policy": (spaces.observation_space, spaces.action_space)}).build()
    inputs = module.forward_train(a_batch(3))[Columns.ACTION_DIST_INPUTS]
    chosen = module.get_train_action_dist_cls().from_logits(inputs)
    assert chosen.entropy()[-1] == 0 and chosen.logp(torch.tensor([0, 0, 2]))[-1] == 0
    assert chosen.kl(module.get_train_action_dist_cls().from_logits(inputs.detach())).abs().max() < 1e-6
    chosen.entropy().sum().backward()
    assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in module.parameters())
    assert {int(action) for action in (chosen.sample()[-1] for _ in range(50))} == {2}


def test_dqn_bootstraps_from_and_explores_among_legal_actions_only():
    config = rllib.dqn_config("tight", num_env_runners=0)
    spaces = rllib.MaskedEnv(scenario="tight")
    module = config.get_rl_module_spec(spaces={"default_policy": (spaces.observation_space, spaces.action_space)}).build()
    module.make_target_networks()
    batch = a_batch(3)
    output = module.forward_train({Columns.OBS: batch[Columns.OBS], Columns.NEXT_OBS: batch[Columns.OBS]})
    for name in ("qf_preds", "qf_next_preds", "qf_target_next_preds"):
        assert output[name].isfinite().all() and output[name][-1].argmax() == 2
    explored = {int(module.forward_exploration(batch, t=0)[Columns.ACTIONS][-1]) for _ in range(50)}
    assert explored == {2}


@pytest.mark.parametrize(
    ("config", "training", "num_env_runners"),
    [
        (rllib.ppo_config, {"train_batch_size_per_learner": 512, "minibatch_size": 128, "num_epochs": 1}, 1),
        (rllib.dqn_config, {"num_steps_sampled_before_learning_starts": 64, "train_batch_size_per_learner": 32}, 0),
    ],
)
def test_one_update_changes_the_policy_and_a_checkpoint_keeps_it(cluster, config, training, num_env_runners, tmp_path, monkeypatch):
    monkeypatch.setattr("ray.tune.trainable.trainable.DEFAULT_STORAGE_PATH", str(tmp_path / "results"))  # not in the home
    settings = config("tight", num_env_runners=num_env_runners, seed=5).training(**training).evaluation(evaluation_num_env_runners=0)
    algorithm = settings.build_algo()
    before = {name: values.clone() for name, values in algorithm.get_module().state_dict().items()}
    found = algorithm.train()["learners"]["default_policy"]
    after = algorithm.get_module().state_dict()
    assert math.isfinite(found["total_loss"])
    assert all(values.isfinite().all() for values in after.values())
    assert any(not torch.equal(values, before[name]) for name, values in after.items())
    ours = thoughtcache.compare([rllib.Greedy(algorithm.get_module())], "tight", episodes=2)
    algorithm.save_to_path(tmp_path / "checkpoint")
    algorithm.stop()
    again = RLModule.from_checkpoint(tmp_path / "checkpoint/learner_group/learner/rl_module/default_policy")
    assert thoughtcache.compare([rllib.Greedy(again)], "tight", episodes=2) == ours


def test_a_module_without_masks_in_its_observations_is_refused():
    box = gymnasium.spaces.Box(0, 1, (3,))
    with pytest.raises(ValueError, match="action_mask"):
        rllib.MaskedPPOModule(observation_space=box, action_space=gymnasium.spaces.Discrete(2))


def test_each_evaluation_plays_the_same_validation_episodes_without_a_seed(cluster):
    algorithm = rllib.ppo_config("tight", num_env_runners=0, seed=None).build_algo()
    costs = [algorithm.evaluate()["env_runners"]["episode_return_mean"] for _ in range(2)]
    algorithm.stop()
    assert costs[0] == costs[1]
