"""The environment of one world, for Gymnasium."""

import os
from collections.abc import Callable
from operator import index
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from thoughtcache import _native

RENDER_MODES = ["ansi", "rgb_array"]
MAX_SEED = 2**63
MAX_LANE = 2**32
# What the end of an episode tells.
STATISTICS = _native.Lanes.statistics()


def read(scenario: "str | os.PathLike[str] | _native.Scenario", overrides: dict[str, Any] | None) -> _native.Scenario:
    """The scenario of this name, file or run's folder, changed."""
    if isinstance(scenario, _native.Scenario):
        if overrides:
            raise ValueError("overrides change a scenario while it is read; give them to Scenario(...)")
        return scenario
    return _native.Scenario(os.fspath(scenario), overrides)


def replaces(illegal_action: str) -> bool:
    """Whether an illegal action is replaced."""
    if illegal_action not in ("replace", "raise"):
        raise ValueError(f'illegal_action {illegal_action!r} is neither "replace" nor "raise"')
    return illegal_action == "replace"


def checked_render_mode(render_mode: str | None) -> str | None:
    """The mode, if there is such a one."""
    if render_mode is not None and render_mode not in RENDER_MODES:
        raise ValueError(f"render_mode {render_mode!r} is none of {RENDER_MODES}")
    return render_mode


def whole(number: Any, name: str) -> int:
    """An integer of Python or NumPy."""
    try:
        if not isinstance(number, bool | np.bool_):
            return index(number)
    except TypeError:
        pass
    raise TypeError(f"{name} is a whole number, not {number!r}")


def checked_seed(seed: Any, name: str = "seed", above: int = MAX_SEED) -> int:
    """A seed as a run number, or the number of a lane or an episode."""
    number = whole(seed, name)
    if not 0 <= number < above:
        raise ValueError(f"{name} {number}: 0 to {above - 1} are allowed")
    return number


def checked_options(options: dict[str, Any] | None, *known: str) -> dict[str, Any]:
    """The options of a reset, by name."""
    if options is not None and not isinstance(options, dict):
        raise TypeError(f"options are a dict, not {options!r}")
    if unknown := [name for name in options or {} if name not in known]:
        raise ValueError(f"options {unknown} are unknown; {' and '.join(known)} can be given")
    return options or {}


def spaces_of(scenario: _native.Scenario) -> tuple[spaces.Box, spaces.Discrete]:
    """The spaces of an observation and of an action."""
    return spaces.Box(scenario.low, scenario.high, dtype=np.float32), spaces.Discrete(len(scenario.actions))


class OnLanes:
    """What `Env` and `VectorEnv` have in common: native lanes, open or closed, which copies and pickles take along."""

    lanes: _native.Lanes | None
    render_mode: str | None
    _has_begun: bool

    def _made(self) -> _native.Lanes:
        raise NotImplementedError

    def _open(self) -> _native.Lanes:
        if self.lanes is None:
            raise RuntimeError("the environment is closed")
        return self.lanes

    def _shown(self) -> Callable[[int], Any] | None:
        """What shows a lane as `render_mode` asks."""
        if self.render_mode is None:
            gymnasium.logger.warn("render() without a render_mode: give the environment one of ansi, rgb_array")
            return None
        return self._open().text if self.render_mode == "ansi" else self._open().pixels

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        lanes = state.pop("lanes")
        state["_is_open"] = lanes is not None
        return {**state, "_snapshot": lanes.snapshot() if lanes is not None and self._has_begun else None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        snapshot, is_open = state.pop("_snapshot"), state.pop("_is_open")
        self.__dict__.update(state)
        self.lanes = self._made() if is_open else None
        if snapshot is not None:
            self._open().restore(snapshot)


class Env(OnLanes, gymnasium.Env[np.ndarray, np.int64]):
    """LLM agents at the edge of a 6G network: which models and contexts stay in the memory of a cell, and where each request runs.

    ## Description
    Requests for services (agents with a model and a growing context, their "thoughts") arrive at cells whose GPU memory holds some of the
    models. One step decides about one batch of requests: serve it on the device, at the edge or in the cloud, and whom to evict where the
    edge lacks memory. To load a model costs time; to evict one throws its contexts away; an answer at the edge is the better the fresher
    the context is (its *age of thought*). The scenario says the rest: services, models, radio, prices.

    ## Action Space
    `Discrete(n)`: the placements first, then, where memory can lack, one action for each placement and victim. `scenario.actions` names
    them. Few are legal at a time: `info["action_mask"]` and `action_masks()` say which. An illegal action is replaced by the first legal one,
    which `info["replaced_action"]` tells, or raises `ValueError` with `illegal_action="raise"`.

    ## Observation Space
    `Box(n)` of `float32` between the bounds of each entry, most of them 0 and 1; `scenario.entries` names them: for each service whether it
    is resident, its age of thought and context, its demand; the pending batch; the free memory; in physical worlds the radio links, the
    servers and the request. No clock and no horizon: the task goes on for ever.

    ## Rewards
    Minus the cost that the decision causes, in the cost unit of the scenario: loads, transmission, compute, quality, cloud, and in physical
    worlds memory held and deadlines missed. `details()` tells each component.

    ## Starting State
    The memory as the scenario says, mostly empty, before the first decision of the episode.

    ## Episode End
    The episode is truncated after the scenario's horizon of slots, never terminated: the value of the last observation counts. Several steps
    may fall into one slot; `info["slots_elapsed"]` says how many slots passed, for discounts by time.

    ## Information
    - `action_mask`: `int8`, one for each action, for the observation that is returned;
    - `slots_elapsed`: slots that passed in this step;
    - `replaced_action`: whether the action was illegal and another was taken;
    - `statistics`, in the step that ends an episode: cost per slot, its components, hits, loads, evictions, replaced actions.

    ## Seeds
    `reset(seed=s)` plays episode 0 of the run number `s` of the environment's `purpose`, in lane 0; each later `reset()` the next episode of that
    run. With `purpose="test"` these are the episodes of `thoughtcache compare --seed s`. Episodes for training, validation and test never
    meet, whatever the numbers are. `options={"episode": e, "lane": i}` goes to any other episode. Without a first seed the run number is drawn from
    `np_random`.

    ## Arguments
    - `scenario`: a shipped name, a TOML file, the folder of a training run, or a `thoughtcache.Scenario`;
    - `overrides`: values that replace those of the scenario, by key: `{"cell.memory_gb": 480}`;
    - `purpose`: `"train"`, `"validate"` or `"test"`;
    - `illegal_action`: `"replace"` or `"raise"`;
    - `render_mode`: `"ansi"` (the pending decision in words) or `"rgb_array"` (a picture of cells, users, residents and contexts).

    ```python
    import gymnasium, thoughtcache
    env = gymnasium.make("thoughtcache/Tight-v0", overrides={"cell.memory_gb": 480}, purpose="validate")
    ```

    ## Version History
    - v0: until a first release; CHANGELOG says what moved.
    """

    metadata: dict[str, Any] = {"render_modes": RENDER_MODES, "render_fps": 4}  # noqa: RUF012

    def __init__(
        self,
        scenario: "str | os.PathLike[str] | _native.Scenario" = "street",
        *,
        overrides: dict[str, Any] | None = None,
        purpose: str = "train",
        illegal_action: str = "replace",
        render_mode: str | None = None,
    ) -> None:
        self.scenario = read(scenario, overrides)
        self.render_mode = checked_render_mode(render_mode)
        self.purpose = purpose
        self.illegal_action = illegal_action
        self.observation_space, self.action_space = spaces_of(self.scenario)
        self.lanes = self._made()
        self._has_begun = False

    def _made(self) -> _native.Lanes:
        replacing = replaces(self.illegal_action)
        return _native.Lanes(self.scenario, 1, purpose=self.purpose, autoreset="disabled", replaces=replacing, copies=True)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begins an episode; see the class for what `seed` and `options` mean."""
        lanes = self._open()
        given = checked_options(options, "lane", "episode")
        lane, episode = (
            None if given.get(name) is None else checked_seed(given[name], name, above)
            for name, above in (("lane", MAX_LANE), ("episode", MAX_SEED))
        )
        if seed is not None:
            seed = checked_seed(seed)
        super().reset(seed=seed)
        at = (seed, 0, 0) if seed is not None else None
        if at is None and not self._has_begun:
            at = (int(self.np_random.integers(MAX_SEED)), 0, 0)
        if lane is not None or episode is not None:
            run, known_lane, _ = at or lanes.coordinates()[0]
            at = (run, known_lane if lane is None else lane, episode or 0)
        lanes.reset([at], [True])
        self._has_begun = True
        return self._seen()

    def _seen(self) -> tuple[np.ndarray, dict[str, Any]]:
        observations, masks = self._open().observe()
        return observations[0], self._info(masks, 0, False)

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Takes an action: the number of one, as Python's or NumPy's integer."""
        if isinstance(action, np.ndarray) and action.shape in ((), (1,)):
            action = action.reshape(())[()]
        number = whole(action, "an action")
        if not -MAX_SEED <= number < MAX_SEED:
            raise ValueError(f"action {number} does not exist; {self.scenario.name} has actions 0 to {len(self.scenario.actions) - 1}")
        observations, rewards, terminated, truncated, masks, slots, replaced, ended = self._open().step(np.array([number]))
        info = self._info(masks, int(slots[0]), bool(replaced[0]))
        if ended is not None:
            info["statistics"] = dict(zip(STATISTICS, ended[3][:, 0].tolist(), strict=True))
        return observations[0], float(rewards[0]), bool(terminated[0]), bool(truncated[0]), info

    @staticmethod
    def _info(masks: np.ndarray, slots: int, replaced: bool) -> dict[str, Any]:
        mask: np.ndarray = masks.view(np.int8)[0]
        return {"action_mask": mask, "slots_elapsed": slots, "replaced_action": replaced}

    def action_masks(self) -> np.ndarray:
        """Which actions are legal now: `bool`, one for each."""
        masks = self._open().masks_now()
        return np.asarray(masks[0])

    def details(self) -> dict[str, float]:
        """Costs by component, counts and cells of the last step."""
        return {name: float(values[0]) for name, values in self._open().details().items()}

    @property
    def coordinates(self) -> tuple[int, int, int]:
        """Run, lane and episode that are played."""
        return self._open().coordinates()[0]

    @property
    def trajectory_hash(self) -> int:
        """A 64-bit digest of all that happened since the last seeded reset, the same as in Rust: two runs compared by one number."""
        return self._open().trajectory_hashes()[0][0]

    def snapshot(self) -> bytes:
        """The whole state, for `restore`: the same actions lead to the same future."""
        return self._open().snapshot()

    def restore(self, snapshot: bytes) -> tuple[np.ndarray, dict[str, Any]]:
        """Comes back to a snapshot of an environment of the same scenario; returns what `reset` returns.

        Raises `ValueError` when it is damaged or of another world or purpose; nothing has changed then. Rules with a memory begin anew.
        """
        self._open().restore(snapshot)
        self._has_begun = True
        return self._seen()

    def render(self) -> str | np.ndarray | None:
        """The present state, as `render_mode` asks."""
        show = self._shown()
        return show(0) if show else None

    def _repr_svg_(self) -> str | None:
        return self.lanes.svg(0) if self.lanes is not None and self._has_begun else None

    def close(self) -> None:
        """Gives the memory back; later calls raise `RuntimeError`."""
        self.lanes = None
