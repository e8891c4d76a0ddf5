"""Stable-Baselines3 and sb3-contrib: a `VecEnv` whose copies are stepped together in Rust."""

import os
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode

from thoughtcache import _native
from thoughtcache.env import STATISTICS
from thoughtcache.vector import VectorEnv

try:
    from stable_baselines3.common.monitor import Monitor
    from stable_baselines3.common.vec_env import VecEnv
except ImportError as error:
    raise ImportError('thoughtcache.sb3 needs Stable-Baselines3: pip install "thoughtcache[sb3]"') from error


class SB3VecEnv(VecEnv):
    """Copies of [`Env`](thoughtcache.Env) for the algorithms of Stable-Baselines3 and for `MaskablePPO` of sb3-contrib.

    ## Masks
    `env_method("action_masks")` tells which actions are legal, as `MaskablePPO` asks. PPO and DQN know no masks: an illegal action is
    replaced by the first legal one, or raises `ValueError` with `illegal_action="raise"`.

    ## Episodes
    Where an episode ends, the next one begins in the same step. It is truncated, never terminated, so `infos[i]["TimeLimit.truncated"]` is
    true and the value of `infos[i]["terminal_observation"]` counts.

    ## Information
    `infos[i]` holds `slots_elapsed`, `replaced_action` and `TimeLimit.truncated`; at the end of an episode also `terminal_observation`,
    `statistics` (see `Env`) and `episode`: its return `r` and length `l`, which the algorithms log. A `VecMonitor` is not needed.

    ## Seeds
    After `seed(s)`, which the algorithms call with their own `seed`, the next `reset()` plays what `VectorEnv.reset(seed=s)` plays: copy
    `i` the episodes of run `s`, lane `i`. Runs with neighbouring seeds share no episode.

    ## Arguments
    Those of [`VectorEnv`](thoughtcache.VectorEnv) without the autoreset mode.

    ```python
    from sb3_contrib import MaskablePPO
    from thoughtcache.sb3 import SB3VecEnv

    MaskablePPO("MlpPolicy", SB3VecEnv("tight", 32), n_steps=128, batch_size=512).learn(100_000)
    ```
    """

    def __init__(
        self,
        scenario: "str | os.PathLike[str] | _native.Scenario" = "street",
        num_envs: int = 1,
        *,
        overrides: dict[str, Any] | None = None,
        purpose: str = "train",
        illegal_action: str = "replace",
        render_mode: str | None = None,
    ) -> None:
        self.envs = VectorEnv(
            scenario,
            num_envs,
            overrides=overrides,
            purpose=purpose,
            illegal_action=illegal_action,
            autoreset_mode=AutoresetMode.SAME_STEP,
            render_mode=render_mode,
        )
        self._actions: np.ndarray | None = None
        super().__init__(num_envs, self.envs.single_observation_space, self.envs.single_action_space)

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Sets the run number of the next `reset()`; see the class. Without a number NumPy's global generator draws one."""
        self._seeds = [super().seed(seed)[0]] * self.num_envs
        return self._seeds

    def set_options(self, options: list[dict[str, Any]] | dict[str, Any] | None = None) -> None:
        """Refuses options: `reset()` knows none."""
        if any(options if isinstance(options, list) else [options]):
            raise ValueError(f"options {options}: reset() of SB3VecEnv knows none")

    def reset(self) -> np.ndarray:
        """Begins an episode in each copy and returns the observations, one row each."""
        observations, _ = self.envs.reset(seed=self._seeds[0])
        self._reset_seeds()
        self._actions = None
        return observations

    def step_async(self, actions: np.ndarray) -> None:
        """Takes note of an action for each copy: whole numbers of shape `(num_envs,)`."""
        self._actions = actions

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        """Takes the actions: observations, rewards, which episodes ended, and a dict for each copy."""
        if self._actions is None:
            raise RuntimeError("step_wait() follows step_async(actions)")
        actions, self._actions = self._actions, None
        observations, rewards, terminated, truncated, found = self.envs.step(actions)
        slots, is_replaced = found["slots_elapsed"], found["replaced_action"]
        if "final_info" in found:
            slots, is_replaced = slots + found["final_info"]["slots_elapsed"], is_replaced | found["final_info"]["replaced_action"]
        steps = zip(slots.tolist(), is_replaced.tolist(), truncated.tolist(), strict=True)
        infos: list[dict[str, Any]] = [
            {"slots_elapsed": slots, "replaced_action": replaced, "TimeLimit.truncated": is_truncated}
            for slots, replaced, is_truncated in steps
        ]
        dones = terminated | truncated
        for lane in np.flatnonzero(dones):
            totals = found["final_info"]["statistics"]
            statistics = {name: totals[name][lane].item() for name in STATISTICS}
            infos[lane]["terminal_observation"] = found["final_obs"][lane]
            infos[lane]["statistics"] = statistics
            infos[lane]["episode"] = {"r": -statistics["cost"], "l": int(statistics["decisions"])}
        return observations, rewards, dones, infos

    def action_masks(self) -> np.ndarray:
        """Which actions are legal now: `bool` of shape `(num_envs, n)`."""
        return self.envs.action_masks()

    def env_method(self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any) -> list[Any]:
        """The result of a method for each copy: `action_masks` or `render`."""
        if method_name == "action_masks":
            masks = self.envs.action_masks()
            return [masks[lane] for lane in self._get_indices(indices)]
        return [method(*method_args, **method_kwargs) for method in self.get_attr(method_name, indices)]

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """The attribute of each copy: what `Env` has under that name."""
        if attr_name in ("observation_space", "action_space"):
            values = [getattr(self, attr_name)] * self.num_envs
        elif attr_name in ("action_masks", "render"):
            values = [partial(self._row, attr_name, lane) for lane in range(self.num_envs)]
        elif attr_name == "trajectory_hash":
            values = self.envs.trajectory_hashes
        elif attr_name == "coordinates":
            values = self.envs.coordinates
        elif attr_name in ("scenario", "purpose", "illegal_action", "render_mode", "metadata", "spec"):
            values = [getattr(self.envs, attr_name)] * self.num_envs
        else:
            raise AttributeError(f"the copies of SB3VecEnv have no {attr_name!r} of their own; VectorEnv is its attribute `envs`")
        return [values[lane] for lane in self._get_indices(indices)]

    def _row(self, method: str, lane: int) -> Any:
        return getattr(self.envs, method)()[lane]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Raises `AttributeError`: the copies are made by the constructor and not changed."""
        raise AttributeError(f"set_attr({attr_name!r}): the copies of SB3VecEnv are not changed; give the constructor what they shall be")

    def env_is_wrapped(self, wrapper_class: type, indices: Any = None) -> list[bool]:
        """Whether the copies do what the wrapper does: they tell returns and lengths of episodes as `Monitor` does, so that is true."""
        return [wrapper_class is Monitor for _ in self._get_indices(indices)]

    def get_images(self) -> Sequence[np.ndarray | None]:
        """A picture of each copy, with `render_mode="rgb_array"`."""
        return [None] * self.num_envs if self.render_mode != "rgb_array" else self.envs.render() or []

    def close(self) -> None:
        """Gives the memory back; later calls raise `RuntimeError`."""
        self.envs.close()
