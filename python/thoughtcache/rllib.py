"""RLlib (new API stack): environments with the mask in the observation, masked modules for PPO and DQN, and configs that begin with them.

>>> from thoughtcache import rllib
>>> algorithm = rllib.ppo_config("tight", num_env_runners=4, seed=1).training(lr=6e-4).build_algo()
>>> algorithm.train()
"""

from typing import Any, TypeVar

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from gymnasium.vector.utils import batch_space
from ray.rllib.algorithms.algorithm_config import AlgorithmConfig
from ray.rllib.algorithms.dqn import DQNConfig
from ray.rllib.algorithms.dqn.default_dqn_rl_module import QF_PREDS
from ray.rllib.algorithms.dqn.torch.default_dqn_torch_rl_module import DefaultDQNTorchRLModule
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.algorithms.ppo.torch.default_ppo_torch_rl_module import DefaultPPOTorchRLModule
from ray.rllib.core.columns import Columns
from ray.rllib.core.rl_module.rl_module import RLModule, RLModuleSpec
from ray.tune.registry import register_env

from thoughtcache.env import Env, read
from thoughtcache.judge import World
from thoughtcache.registration import NAMESPACE, env_id, scenarios
from thoughtcache.vector import VectorEnv

VALIDATION_EPISODES = 20
Config = TypeVar("Config", bound=AlgorithmConfig)


def _space(observations: gymnasium.Space, actions: Any) -> spaces.Dict:
    masks = spaces.Box(0.0, 1.0, (int(actions.n),), np.float32)
    return spaces.Dict({"observations": observations, "action_mask": masks})


def _moved(observations: np.ndarray, info: dict[str, Any]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The mask moves from the info into the observation."""
    info.pop("_action_mask", None)
    return {"observations": observations, "action_mask": info.pop("action_mask").astype(np.float32)}, info


class MaskedEnv(gymnasium.Env[dict[str, np.ndarray], np.int64]):
    """`thoughtcache.Env` whose observation is a dict of `observations` and `action_mask` (`float32`, 1 where an action is legal).

    `env` is the one below: `env.trajectory_hash`, `env.details()`.
    """

    def __init__(self, **options: Any) -> None:
        self.env = Env(**options)
        self.observation_space = _space(self.env.observation_space, self.env.action_space)
        self.action_space = self.env.action_space
        self.metadata, self.render_mode = self.env.metadata, self.env.render_mode

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """See `Env`."""
        super().reset(seed=seed)
        return _moved(*self.env.reset(seed=seed, options=options))

    def step(self, action: Any) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        """See `Env`."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        both, info = _moved(observation, info)
        return both, reward, terminated, truncated, info

    def render(self) -> Any:
        """See `Env`."""
        return self.env.render()

    def close(self) -> None:
        """See `Env`."""
        self.env.close()


class MaskedVectorEnv(gymnasium.vector.VectorEnv[dict[str, np.ndarray], np.ndarray, np.ndarray]):
    """`thoughtcache.VectorEnv` with such observations, a row for each copy; `env` is the one below.

    Its autoreset is the one that RLlib's runners expect, in the next step.
    """

    def __init__(self, num_envs: int, **options: Any) -> None:
        self.env = VectorEnv(num_envs=num_envs, **options)
        self.num_envs, self.metadata, self.render_mode = num_envs, self.env.metadata, self.env.render_mode
        self.single_action_space, self.action_space = self.env.single_action_space, self.env.action_space
        self.single_observation_space = _space(self.env.single_observation_space, self.env.single_action_space)
        self.observation_space = batch_space(self.single_observation_space, num_envs)

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """See `VectorEnv`."""
        return _moved(*self.env.reset(seed=seed, options=options))

    def step(self, actions: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """See `VectorEnv`."""
        observations, rewards, terminated, truncated, infos = self.env.step(actions)
        both, infos = _moved(observations, infos)
        return both, rewards, terminated, truncated, infos

    def render(self) -> Any:
        """See `VectorEnv`."""
        return self.env.render()

    def close_extras(self, **kwargs: Any) -> None:
        """See `VectorEnv`."""
        self.env.close()


def create(context: dict[str, Any]) -> MaskedEnv | MaskedVectorEnv:
    """Makes the environment that `env_config` describes with the arguments of `Env`; of `num_envs` copies where RLlib asks for them."""
    return MaskedVectorEnv(**context) if "num_envs" in context else MaskedEnv(**context)


def register_rllib() -> None:
    """Tells RLlib, on all its workers, the names `thoughtcache` (the scenario stands in `env_config`) and `thoughtcache/Tight-v0` ..."""
    register_env(NAMESPACE, create)
    for scenario in scenarios():
        register_env(env_id(scenario), lambda context, scenario=scenario: create({"scenario": scenario, **context}))


class _MaskedModule(RLModule):
    """Builds the networks for `observations` alone. The mask has no say in the value."""

    def __init__(self, *args: Any, observation_space: gymnasium.Space, **kwargs: Any) -> None:
        if not isinstance(observation_space, spaces.Dict) or set(observation_space) != {"observations", "action_mask"}:
            raise ValueError(f'a masked module needs observations of "observations" and "action_mask", not {observation_space}')
        super().__init__(*args, observation_space=observation_space["observations"], **kwargs)
        self.observation_space = observation_space  # what a checkpoint builds the module from


def _inner(batch: dict[str, Any]) -> dict[str, Any]:
    return {**batch, Columns.OBS: batch[Columns.OBS]["observations"]}


def _legal(batch: dict[str, Any]) -> torch.Tensor:
    return batch[Columns.OBS]["action_mask"] > 0


def _masked(values: Any, batch: dict[str, Any]) -> torch.Tensor:
    """Gives illegal actions the least number: probability 0 exactly, never the greatest, and finite, so that no loss meets infinity."""
    return values.masked_fill(~_legal(batch), torch.finfo(values.dtype).min)


class MaskedPPOModule(_MaskedModule, DefaultPPOTorchRLModule):
    """RLlib's default module for PPO, which gives illegal actions probability 0."""

    def _forward(self, batch: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        output = super()._forward(_inner(batch), **kwargs)
        return {**output, Columns.ACTION_DIST_INPUTS: _masked(output[Columns.ACTION_DIST_INPUTS], batch)}

    def _forward_train(self, batch: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        output = super()._forward_train(_inner(batch), **kwargs)
        return {**output, Columns.ACTION_DIST_INPUTS: _masked(output[Columns.ACTION_DIST_INPUTS], batch)}

    def compute_values(self, batch: dict[str, Any], embeddings: Any = None) -> Any:
        """The value of each observation."""
        return super().compute_values(_inner(batch), embeddings)


class MaskedDQNModule(_MaskedModule, DefaultDQNTorchRLModule):
    """RLlib's default module for DQN, which neither takes nor bootstraps from an illegal action, and explores among the legal ones."""

    def _qf_forward_helper(self, batch: dict[str, Any], encoder: Any, head: Any) -> dict[str, Any]:
        output = super()._qf_forward_helper(_inner(batch), encoder, head)
        return {**output, QF_PREDS: _masked(output[QF_PREDS], batch)}

    def _forward_exploration(self, batch: dict[str, Any], t: int = 0, **kwargs: Any) -> dict[str, Any]:
        output: dict[str, Any] = self._forward_inference(batch)
        self.epsilon_schedule.update(t)
        legal = _legal(batch)
        is_random = torch.rand(len(legal), device=legal.device) < self.epsilon_schedule.get_current_value()
        random = torch.multinomial(legal.float(), 1).squeeze(1)
        return {**output, Columns.ACTIONS: torch.where(is_random, random, output[Columns.ACTIONS])}


def _configured(
    config: Config,
    module: type[RLModule],
    scenario: World,
    overrides: dict[str, Any] | None,
    num_env_runners: int,
    num_envs_per_env_runner: int,
    seed: int | None,
) -> Config:
    register_rllib()
    world = {"scenario": read(scenario, overrides)}  # here, since workers may run where the file is not
    return (
        config.environment(NAMESPACE, env_config={**world, "purpose": "train"})
        .env_runners(
            num_env_runners=num_env_runners,
            num_envs_per_env_runner=num_envs_per_env_runner,
            gym_env_vectorize_mode="vector_entry_point",
        )
        .rl_module(rl_module_spec=RLModuleSpec(module_class=module))
        .evaluation(
            evaluation_num_env_runners=1,
            evaluation_duration=VALIDATION_EPISODES,
            evaluation_duration_unit="episodes",
            evaluation_config=AlgorithmConfig.overrides(
                env_config={**world, "purpose": "validate"},
                explore=False,
                num_envs_per_env_runner=VALIDATION_EPISODES,
                seed=0,  # each evaluation begins there: without one each would play other episodes
            ),
        )
        .debugging(seed=seed)
    )


def ppo_config(
    scenario: World = "street",
    *,
    overrides: dict[str, Any] | None = None,
    num_env_runners: int = 2,
    num_envs_per_env_runner: int = 16,
    seed: int | None = None,
) -> PPOConfig:
    """A config of masked PPO, to go on with: `.training(...)`, `.learners(...)`, `.build_algo()`.

    `num_env_runners` processes, on whichever nodes of the cluster there is room, step `num_envs_per_env_runner` copies each, in Rust;
    with 0 the algorithm's own process does (start it with `OMP_NUM_THREADS=1`: PyTorch's threads slow small networks down).
    `algorithm.evaluate()` plays the same 20 validation episodes greedily each time, whatever `seed` is.
    """
    return _configured(PPOConfig(), MaskedPPOModule, scenario, overrides, num_env_runners, num_envs_per_env_runner, seed)


def dqn_config(
    scenario: World = "street",
    *,
    overrides: dict[str, Any] | None = None,
    num_env_runners: int = 2,
    num_envs_per_env_runner: int = 16,
    seed: int | None = None,
) -> DQNConfig:
    """A config of masked DQN; the arguments are those of `ppo_config`."""
    return _configured(DQNConfig(), MaskedDQNModule, scenario, overrides, num_env_runners, num_envs_per_env_runner, seed)


class Greedy:
    """The greedy policy of a module, for `thoughtcache.compare`: `Greedy(algorithm.get_module())`."""

    def __init__(self, module: RLModule, name: str = "rllib") -> None:
        self.module, self.name = module, name

    def __call__(self, observation: np.ndarray, action_mask: np.ndarray) -> int:
        """The decision for a row and its mask."""
        row = {"observations": torch.as_tensor(observation)[None], "action_mask": torch.as_tensor(action_mask)[None]}
        with torch.no_grad():
            output = self.module.forward_inference({Columns.OBS: row})
        found = output[Columns.ACTIONS] if Columns.ACTIONS in output else output[Columns.ACTION_DIST_INPUTS].argmax(1)
        return int(found[0])
