"""Many copies of an environment, stepped together in Rust."""

import os
from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from thoughtcache import _native
from thoughtcache.env import (
    MAX_SEED,
    RENDER_MODES,
    STATISTICS,
    OnLanes,
    checked_options,
    checked_render_mode,
    checked_seed,
    read,
    replaces,
    spaces_of,
    whole,
)

MAX_ENVS = _native.MAX_ENVS
MODES = {
    AutoresetMode.NEXT_STEP: "next-step",
    AutoresetMode.SAME_STEP: "same-step",
    AutoresetMode.DISABLED: "disabled",
}


class VectorEnv(OnLanes, gymnasium.vector.VectorEnv[np.ndarray, np.ndarray, np.ndarray]):
    """Copies of [`Env`](thoughtcache.Env) that are stepped together in Rust, in the threads of `RAYON_NUM_THREADS`.

    ## Description
    Observations, actions, rewards and infos are those of `Env`, one row or number for each copy ("lane"). No number depends on threads.

    ## Seeds
    `reset(seed=s)`: lane `i` plays the episodes of run `s`, lane `i`, from episode 0 on, as the Rust environment does. `reset(seed=[s0, s1, ...])`:
    lane `i` plays what `Env` plays after `reset(seed=si)`; a `None` in the list lets the lane go on to its next episode. `Env` plays lane `i` with
    `options={"lane": i}`.

    ## Autoreset
    `autoreset_mode` is Gymnasium's: `NEXT_STEP` (default; RLlib), `SAME_STEP` (Stable-Baselines3; `info["final_obs"]` and `info["final_info"]`
    hold the end) or `DISABLED` (reset ended lanes with `options={"reset_mask": ...}`).

    ## Information
    As `Env`: an array for each key, with the mask `_key` of the lanes that have it. `details()` tells the costs of the last step on demand.

    ## Arguments
    Those of `Env`, and
    - `num_envs`: the number of copies;
    - `autoreset_mode`: see above;
    - `copy`: with `False`, `reset` and `step` return the same arrays of observations and rewards every time, overwritten by the next call:
      nothing is allocated, and whoever keeps a row has to copy it.

    ```python
    envs = gymnasium.make_vec("thoughtcache/Tight-v0", num_envs=256, vectorization_mode="vector_entry_point")
    ```
    """

    metadata: dict[str, Any] = {"render_modes": RENDER_MODES, "render_fps": 4, "autoreset_mode": AutoresetMode.NEXT_STEP}  # noqa: RUF012

    def __init__(
        self,
        scenario: "str | os.PathLike[str] | _native.Scenario" = "street",
        num_envs: int = 1,
        *,
        overrides: dict[str, Any] | None = None,
        purpose: str = "train",
        illegal_action: str = "replace",
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        copy: bool = True,
        render_mode: str | None = None,
    ) -> None:
        self.scenario = read(scenario, overrides)
        self.num_envs = num_envs = whole(num_envs, "num_envs")
        if not 1 <= num_envs <= MAX_ENVS:
            raise ValueError(f"num_envs={num_envs}: 1 to {MAX_ENVS} are allowed")
        self.purpose = purpose
        self.illegal_action = illegal_action
        self.copy = copy
        self.render_mode = checked_render_mode(render_mode)
        self.autoreset_mode = autoreset_mode if isinstance(autoreset_mode, AutoresetMode) else AutoresetMode(autoreset_mode)
        self.metadata = {**self.metadata, "autoreset_mode": self.autoreset_mode}
        self.single_observation_space, self.single_action_space = spaces_of(self.scenario)
        self.lanes = self._made()
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._has_begun = False
        self._all = np.ones(num_envs, np.bool_)

    def _made(self) -> _native.Lanes:
        return _native.Lanes(
            self.scenario,
            self.num_envs,
            purpose=self.purpose,
            autoreset=MODES[self.autoreset_mode],
            replaces=replaces(self.illegal_action),
            copies=self.copy,
        )

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begins episodes in all lanes, or in those that `options["reset_mask"]` marks; see the class for what `seed` means."""
        lanes = self._open()
        marks = self._marks(checked_options(options, "reset_mask").get("reset_mask"))
        coordinates: list[tuple[int, int, int] | None]
        if seed is None:
            coordinates = [None] * self.num_envs
        elif isinstance(seed, Sequence) and not isinstance(seed, str) or isinstance(seed, np.ndarray) and seed.ndim:
            if len(seed) != self.num_envs:
                raise ValueError(f"{len(seed)} seeds for {self.num_envs} environments; one each is needed")
            coordinates = [None if one is None else (checked_seed(one), 0, 0) for one in seed]
        else:
            run = checked_seed(seed)
            super().reset(seed=run)
            coordinates = [(run, lane, 0) for lane in range(self.num_envs)]
        if not self._has_begun:
            if None in coordinates:
                run = int(self.np_random.integers(MAX_SEED))
                coordinates = [(run, lane, 0) if at is None else at for lane, at in enumerate(coordinates)]
            if not marks.all():
                raise RuntimeError("the first reset begins every environment: call it without a reset_mask")
        lanes.reset(coordinates, marks.tolist())
        self._has_begun = True
        return self._seen()

    def _seen(self) -> tuple[np.ndarray, dict[str, Any]]:
        observations, masks = self._open().observe()
        return observations, self._infos(masks, np.zeros(self.num_envs, np.uint32), np.zeros(self.num_envs, np.bool_))

    def _marks(self, marks: Any) -> np.ndarray:
        if marks is None:
            return np.ones(self.num_envs, np.bool_)
        if not isinstance(marks, np.ndarray) or marks.dtype != np.bool_:
            raise TypeError(f'options["reset_mask"] is an array of bool, not {getattr(marks, "dtype", type(marks).__name__)}')
        if marks.shape != (self.num_envs,):
            raise ValueError(f'options["reset_mask"] has shape {marks.shape}; ({self.num_envs},) is needed')
        if not marks.any():
            raise ValueError('options["reset_mask"] marks no environment')
        return marks

    def step(self, actions: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Takes an action for each copy: whole numbers of shape `(num_envs,)`."""
        actions = np.asarray(actions)
        if actions.dtype.kind not in "iu":
            raise TypeError(f"actions are whole numbers, not {actions.dtype}")
        if actions.shape != (self.num_envs,):
            raise ValueError(f"actions have shape {actions.shape}; ({self.num_envs},) is needed")
        if actions.dtype == np.uint64 and (huge := actions >= MAX_SEED).any():
            lane, last = int(huge.argmax()), len(self.scenario.actions) - 1
            raise ValueError(f"lane {lane}: action {actions[lane]} does not exist; {self.scenario.name} has actions 0 to {last}")
        numbers = actions if actions.dtype == np.int64 and actions.flags.c_contiguous else np.ascontiguousarray(actions, np.int64)
        observations, rewards, terminated, truncated, masks, slots, replaced, ended = self._open().step(numbers)
        infos = self._infos(masks, slots, replaced)
        if ended is not None:
            self._add_ended(infos, *ended)
        return observations, rewards, terminated, truncated, infos

    def _infos(self, masks: np.ndarray, slots: np.ndarray, replaced: np.ndarray) -> dict[str, Any]:
        return {
            "action_mask": masks.view(np.int8),
            "_action_mask": self._all.copy(),
            "slots_elapsed": slots,
            "_slots_elapsed": self._all.copy(),
            "replaced_action": replaced,
            "_replaced_action": self._all.copy(),
        }

    def _add_ended(
        self, infos: dict[str, Any], lanes: list[int], observations: np.ndarray, masks: np.ndarray, totals: np.ndarray
    ) -> None:
        has_ended = np.zeros(self.num_envs, np.bool_)
        has_ended[lanes] = True
        figures = np.zeros((len(totals), self.num_envs))
        figures[:, lanes] = totals
        marks = has_ended[None].repeat(len(totals), axis=0)
        statistics: dict[str, Any] = dict(zip(STATISTICS, figures, strict=True))
        statistics.update(zip((f"_{name}" for name in STATISTICS), marks, strict=True))
        if self.autoreset_mode != AutoresetMode.SAME_STEP:
            infos["statistics"], infos["_statistics"] = statistics, has_ended
            return
        final_obs = np.full(self.num_envs, None, dtype=object)
        final_mask = np.zeros((self.num_envs, masks.shape[1]), np.int8)
        for lane, row, mask in zip(lanes, observations, masks, strict=True):
            final_obs[lane], final_mask[lane] = row, mask
        infos["final_obs"], infos["_final_obs"] = final_obs, has_ended
        infos["final_info"] = {
            "action_mask": final_mask,
            "_action_mask": has_ended.copy(),
            "slots_elapsed": np.where(has_ended, infos["slots_elapsed"], 0),
            "_slots_elapsed": has_ended.copy(),
            "replaced_action": infos["replaced_action"] & has_ended,
            "_replaced_action": has_ended.copy(),
            "statistics": statistics,
            "_statistics": has_ended.copy(),
        }
        infos["_final_info"] = has_ended.copy()
        # What is said beside is of the episode that has begun.
        infos["slots_elapsed"], infos["replaced_action"] = infos["slots_elapsed"] * ~has_ended, infos["replaced_action"] & ~has_ended

    def action_masks(self) -> np.ndarray:
        """Which actions are legal now: `bool` of shape `(num_envs, n)`."""
        return self._open().masks_now()

    def details(self) -> dict[str, np.ndarray]:
        """Costs by component, counts and cells of the last step, an array each."""
        return self._open().details()

    @property
    def coordinates(self) -> list[tuple[int, int, int]]:
        """Run, lane and episode that each copy plays."""
        return self._open().coordinates()

    @property
    def trajectory_hash(self) -> int:
        """A 64-bit digest of all that happened since the last seeded reset, the same as in Rust."""
        return self._open().trajectory_hashes()[1]

    @property
    def trajectory_hashes(self) -> list[int]:
        """The digest of each copy: that of an `Env` which plays the same."""
        return self._open().trajectory_hashes()[0]

    def snapshot(self) -> bytes:
        """The whole state of all copies, for `restore`."""
        return self._open().snapshot()

    def restore(self, snapshot: bytes) -> tuple[np.ndarray, dict[str, Any]]:
        """Comes back to a snapshot of as many copies of the same scenario in the same mode; returns what `reset` returns.

        Raises `ValueError` when it is damaged or of another world or purpose; nothing has changed then. Rules with a memory begin anew.
        """
        self._open().restore(snapshot)
        self._has_begun = True
        return self._seen()

    def render(self) -> tuple[Any, ...] | None:
        """The present state of each copy, as `render_mode` asks."""
        show = self._shown()
        return tuple(show(lane) for lane in range(self.num_envs)) if show else None

    def close_extras(self, **kwargs: Any) -> None:
        """Gives the memory back; later calls raise `RuntimeError`."""
        self.lanes = None
