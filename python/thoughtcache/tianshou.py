"""Tianshou: observations that carry the mask of legal actions, as its algorithms of the DQN family read it."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces


class MaskedObservation(gymnasium.ObservationWrapper[dict[str, np.ndarray], np.int64, np.ndarray]):
    """Observations `{"obs": row, "mask": which actions are legal (bool)}` of an [`Env`](thoughtcache.Env), wrapped or not.

    Networks are made for the shape of `env.observation_space["obs"]`: Tianshou gives them that part. It steps any of its environments
    without the others, so each is an `Env` of its own; after `venv.seed(s)` environment `i` plays the run `s + i`.

    ```python
    from tianshou.env import DummyVectorEnv
    from thoughtcache.tianshou import MaskedObservation

    venv = DummyVectorEnv([lambda: MaskedObservation(gymnasium.make("thoughtcache/Tight-v0"))] * 8)
    ```
    """

    def __init__(self, env: gymnasium.Env[np.ndarray, np.int64]) -> None:
        super().__init__(env)
        if not isinstance(env.action_space, spaces.Discrete) or not env.has_wrapper_attr("action_masks"):
            raise TypeError(f"{env} has no action_masks(): MaskedObservation is for environments of thoughtcache")
        mask: spaces.Space[Any] = spaces.Box(0, 1, (int(env.action_space.n),), np.dtype(np.bool_))  # type: ignore[arg-type]
        both: spaces.Space[Any] = spaces.Dict({"obs": env.observation_space, "mask": mask})
        self.observation_space = both

    def observation(self, observation: np.ndarray) -> dict[str, np.ndarray]:
        """The row with the mask that belongs to it."""
        return {"obs": observation, "mask": self.get_wrapper_attr("action_masks")()}
