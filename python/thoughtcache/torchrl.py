"""TorchRL: an environment of tensors whose copies are stepped together in Rust."""

import os
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode

from thoughtcache import _native
from thoughtcache.vector import VectorEnv

try:
    import torch
    from tensordict import TensorDict, TensorDictBase
    from torchrl.data import Binary, Bounded, Categorical, Composite, Unbounded
    from torchrl.envs import EnvBase
except ImportError as error:
    raise ImportError('thoughtcache.torchrl needs TorchRL: pip install "thoughtcache[torchrl]"') from error


class TorchRLEnv(EnvBase):
    """Copies of [`Env`](thoughtcache.Env) for TorchRL, a batch of `num_envs`.

    ## Entries
    `observation` (`float32`), `action_mask` (`bool`: which actions are legal), `action` (`int64`), `reward` (`float32`), and of the last
    step `slots_elapsed` and `replaced_action`. An episode is `truncated`, never `terminated`.

    ## Masks
    With the transform `ActionMask()` random actions are legal; a policy takes `MaskedCategorical` with `action_mask` as its mask. Without
    them an illegal action is replaced by the first legal one, or raises `ValueError` with `illegal_action="raise"`.

    ## Seeds
    After `set_seed(s)` the next `reset()` plays what `VectorEnv.reset(seed=s)` plays.

    ## Arguments
    Those of [`VectorEnv`](thoughtcache.VectorEnv) without the autoreset mode: TorchRL resets what has ended.

    ```python
    from torchrl.envs import ActionMask, TransformedEnv
    from thoughtcache.torchrl import TorchRLEnv

    steps = TransformedEnv(TorchRLEnv("tight", 32), ActionMask()).rollout(100)
    ```
    """

    batch_locked = True

    def __init__(
        self,
        scenario: "str | os.PathLike[str] | _native.Scenario" = "street",
        num_envs: int = 1,
        *,
        overrides: dict[str, Any] | None = None,
        purpose: str = "train",
        illegal_action: str = "replace",
    ) -> None:
        self.envs = VectorEnv(
            scenario,
            num_envs,
            overrides=overrides,
            purpose=purpose,
            illegal_action=illegal_action,
            autoreset_mode=AutoresetMode.DISABLED,
        )
        super().__init__(batch_size=torch.Size([num_envs]))
        batch, world = (num_envs,), self.envs.scenario
        low, high = (torch.from_numpy(bound).expand(*batch, -1) for bound in (world.low, world.high))
        num_actions = len(world.actions)
        self.observation_spec = Composite(
            observation=Bounded(low, high, dtype=torch.float32),
            action_mask=Binary(num_actions, shape=(*batch, num_actions), dtype=torch.bool),
            slots_elapsed=Unbounded((*batch, 1), dtype=torch.int64),
            replaced_action=Binary(shape=(*batch, 1), dtype=torch.bool),
            shape=batch,
        )
        self.action_spec = Categorical(num_actions, shape=batch, dtype=torch.int64)
        self.reward_spec = Unbounded((*batch, 1), dtype=torch.float32)
        flag = Binary(shape=(*batch, 1), dtype=torch.bool)
        self.done_spec = Composite(done=flag, terminated=flag.clone(), truncated=flag.clone(), shape=batch)
        self._seed: int | None = None

    def _reset(self, tensordict: TensorDictBase | None = None, **kwargs: Any) -> TensorDict:
        marks = None if tensordict is None else tensordict.get("_reset", None)
        options = {} if marks is None else {"reset_mask": marks.numpy().reshape(self.envs.num_envs)}
        observations, infos = self.envs.reset(seed=self._seed, options=options)
        self._seed = None
        return self._tensors(observations, infos)

    def _step(self, tensordict: TensorDictBase) -> TensorDict:
        observations, rewards, terminated, truncated, infos = self.envs.step(tensordict["action"].numpy())
        tensors = self._tensors(observations, infos)
        flags = {"terminated": terminated, "truncated": truncated, "done": terminated | truncated}
        tensors.update({name: torch.from_numpy(flag).unsqueeze(-1) for name, flag in flags.items()})
        return tensors.set("reward", torch.from_numpy(rewards.astype(np.float32)).unsqueeze(-1))

    def _tensors(self, observations: np.ndarray, infos: dict[str, Any]) -> TensorDict:
        found = {
            "observation": torch.from_numpy(observations),
            "action_mask": torch.from_numpy(infos["action_mask"].view(np.bool_)),
            "slots_elapsed": torch.from_numpy(infos["slots_elapsed"].astype(np.int64)).unsqueeze(-1),
            "replaced_action": torch.from_numpy(infos["replaced_action"]).unsqueeze(-1),
        }
        return TensorDict(found, batch_size=self.batch_size)

    def _set_seed(self, seed: int | None) -> None:
        self._seed = seed

    def close(self, **kwargs: Any) -> None:
        """Gives the memory back; later calls raise `RuntimeError`."""
        self.envs.close()
        super().close(**kwargs)
