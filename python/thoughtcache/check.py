"""A checker for vector environments of any library: it plays one and compares all that it returns with Gymnasium's rules."""

import copy
import warnings
from collections import deque
from collections.abc import Iterable
from operator import index
from typing import Any, NoReturn

import gymnasium
import numpy as np
from gymnasium.spaces.utils import is_space_dtype_shape_equiv
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space, concatenate, create_empty_array, iterate

from thoughtcache.env import checked_seed

STEPS = 1000
CALLS_KEPT = 3
"""Data of that many calls before are compared with those of a call: an environment may alternate between buffers."""

Leaves = dict[str, Any]


class VectorEnvError(Exception):
    """A rule of vector environments that does not hold: the rule, the environment, the step and what was found there."""


def check_vector_env(env: gymnasium.vector.VectorEnv[Any, Any, Any], steps: int = STEPS, seed: int = 0) -> None:
    """Plays a vector environment of any library and raises `VectorEnvError` at the first rule that it breaks. Closes the environment.

    It plays `steps` steps of random actions, legal ones where the infos have an `action_mask`, and plays them again. It checks
    - `num_envs`, the four spaces, `metadata["autoreset_mode"]`, `spec` and `closed`; that `close` can be called twice;
    - observations: types and shapes of `observation_space`, and inside it;
    - rewards: finite `float64` of shape `(num_envs,)`; terminated and truncated: `bool` of this shape;
    - infos: arrays of a row for each copy, or dicts of such, each beside its mask `_key`; masks of actions are `int8` with a legal action;
    - seeds: the same seed (a number; a list, where lists are taken) and actions give the same of everything, right after an end too, and
      so does `reset()` after them;
    - the autoreset mode. Next step: the step after an end ignores the action, its reward is 0, its flags are false. Same step: `final_obs`
      and `final_info` are there for the copies that ended, which show the next episode. Disabled: `options={"reset_mask": ...}` resets the
      marked copies only, and a step without it raises;
    - that no data of an earlier call are used again, unless the environment has an attribute `copy` that is `False`.

    It warns when no episode ended within `steps`: the autoreset mode is unchecked then. It keeps all that `steps` steps return: take few
    copies.
    """
    if index(steps) < 1:
        raise ValueError(f"steps={steps}: 1 or more are needed")
    _Check(env, checked_seed(seed)).run(steps)


class _Check:
    def __init__(self, env: Any, seed: int) -> None:
        self.env = env
        self.seed = seed
        self.where = "before the first reset"
        self.returned: deque[Leaves] = deque(maxlen=CALLS_KEPT)

    def broken(self, rule: str, found: object) -> NoReturn:
        raise VectorEnvError(f"{rule}; {self.env!r} {self.where}: {found}")

    def run(self, steps: int) -> None:
        self.check_attributes()
        env, self.num_envs, self.mode = self.env, self.env.num_envs, self.env.metadata["autoreset_mode"]
        self.is_reused = getattr(env.unwrapped, "copy", True) is False
        self.rows = _leaves(create_empty_array(env.single_observation_space, self.num_envs, fn=np.zeros))
        actions, records, ended = self.play([None] * steps)
        self.play(actions, records, "the same seed and actions give the same observations, rewards, flags and infos")
        end = next((step for step, lanes in enumerate(ended) if lanes.any()), None)
        if end is None:
            warnings.warn(f"no episode of {env!r} ended in {steps} steps: its autoreset mode is unchecked; give more steps", stacklevel=3)
        else:
            for _ in range(2):
                self.play(actions[: end + 1], records, "a reset right after an end begins anew")
        if self.mode == AutoresetMode.NEXT_STEP:
            self.play(self.with_others(actions, ended), records, "in the next-step mode the step after an end ignores its action")
        elif self.mode == AutoresetMode.SAME_STEP:
            self.check_begun(records, ended)
        self.check_seeds()
        if self.mode == AutoresetMode.DISABLED:
            self.check_reset_mask(actions, ended)
        self.check_close()

    def check_attributes(self) -> None:
        env = self.env
        if not isinstance(env, gymnasium.vector.VectorEnv):
            self.broken("a vector environment is a gymnasium.vector.VectorEnv", f"it is a {type(env).__name__}")
        num_envs = getattr(env, "num_envs", None)
        if isinstance(num_envs, bool) or not isinstance(num_envs, int) or num_envs < 1:
            self.broken("num_envs is the number of copies", repr(num_envs))
        for name in ("single_observation_space", "observation_space", "single_action_space", "action_space"):
            if not isinstance(getattr(env, name, None), gymnasium.Space):
                self.broken(f"{name} is a space of Gymnasium", repr(getattr(env, name, None)))
        batched = batch_space(env.single_observation_space, num_envs)
        # The copies of one environment may have other bounds each.
        if type(env.observation_space) is not type(batched) or not is_space_dtype_shape_equiv(env.observation_space, batched):
            self.broken("observation_space is single_observation_space, num_envs times", f"{env.observation_space}, not {batched}")
        batched = batch_space(env.single_action_space, num_envs)
        if env.action_space != batched:
            self.broken("action_space is single_action_space, num_envs times", f"{env.action_space}, not {batched}")
        mode = env.metadata.get("autoreset_mode")
        if not isinstance(mode, AutoresetMode):
            self.broken('metadata["autoreset_mode"] is a gymnasium.vector.AutoresetMode', repr(mode))
        if env.spec is not None and not isinstance(env.spec, gymnasium.envs.registration.EnvSpec):
            self.broken("spec is an EnvSpec or None", repr(env.spec))
        if env.closed is not False:
            self.broken("closed is False until close is called", repr(env.closed))

    def play(
        self, given: list[Any], records: list[Leaves] | None = None, rule: str = ""
    ) -> tuple[list[Any], list[Leaves], list[np.ndarray]]:
        """Plays these actions, or random ones for `None`. Without records returns what happened, with records compares it with them."""
        recorded: list[Leaves] = []

        def meet(seen: Leaves) -> None:
            if records is None:
                recorded.append(copy.deepcopy(seen))
            elif (where := _difference(records[len(recorded)], seen)) is not None:
                self.broken(rule, _shown(where, records[len(recorded)], seen))
            else:
                recorded.append({})

        self.single_actions = copy.deepcopy(self.env.single_action_space)
        self.single_actions.seed(self.seed)
        self.legal: list[Any] = [None] * self.num_envs
        self.where = f"in reset(seed={self.seed})"
        meet(self.reset(seed=self.seed))
        before = np.zeros(self.num_envs, np.bool_)
        taken, ended = [], []
        for step, actions in enumerate(given):
            if self.mode == AutoresetMode.DISABLED and before.any():
                self.where = f"in the reset before step {step}"
                meet(self.reset_marked(before))
            self.where = f"in step {step}"
            taken.append(self.random_actions() if actions is None else actions)
            seen = self.step(taken[-1])
            now = seen["terminated"] | seen["truncated"]
            self.check_mode(seen, before, now)
            meet(seen)
            ended.append(now)
            before = now
        return taken, recorded, ended

    def random_actions(self) -> Any:
        rows = [self.single_actions.sample() if mask is None else self.single_actions.sample(mask) for mask in self.legal]
        return self.batch(rows)

    def batch(self, rows: list[Any]) -> Any:
        space = self.env.single_action_space
        empty: Any = create_empty_array(space, self.num_envs)
        return copy.deepcopy(concatenate(space, rows, empty))

    def with_others(self, actions: list[Any], ended: list[np.ndarray]) -> list[Any]:
        """The actions, others where the copy had ended in the step before."""
        changed = actions[:1]
        for batch, lanes in zip(actions[1:], ended, strict=False):
            rows = list(iterate(self.env.action_space, batch))
            for lane in np.flatnonzero(lanes):
                samples = (self.single_actions.sample() for _ in range(20))
                rows[lane] = next((sample for sample in samples if not _is_same(sample, rows[lane])), rows[lane])
            changed.append(self.batch(rows) if lanes.any() else batch)
        return changed

    def call(self, rule: str, method: Any, size: int, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        try:
            returned = method(*args, **kwargs)
        except Exception as error:
            raise VectorEnvError(f"{rule}; {self.env!r} {self.where}: {type(error).__name__}: {error}") from error
        if not isinstance(returned, tuple) or len(returned) != size:
            length = f" of {len(returned)}" if isinstance(returned, tuple) else ""
            self.broken(f"a tuple of {size} is returned", f"{type(returned).__name__}{length}")
        return returned

    def reset(self, **kwargs: Any) -> Leaves:
        observations, infos = self.call("reset takes seed and options by keyword", self.env.reset, 2, **kwargs)
        return self.seen(observations, infos, {})

    def reset_marked(self, marks: np.ndarray, **kwargs: Any) -> Leaves:
        """Resets the copies that are marked; the others have to stay as they are."""
        before = self.observations
        seen = self.reset(options={"reset_mask": marks.copy()}, **kwargs)
        for lane in np.flatnonzero(~marks):
            if not _is_same(before[lane], self.observations[lane]):
                found = f"the observation of copy {lane}, which is not marked, was {before[lane]} and is {self.observations[lane]}"
                self.broken('reset(options={"reset_mask": ...}) resets the marked copies only', found)
        return seen

    def step(self, actions: Any) -> Leaves:
        observations, *numbers, infos = self.call("step takes actions of action_space", self.env.step, 5, copy.deepcopy(actions))
        wanted = {"rewards": np.float64, "terminated": np.bool_, "truncated": np.bool_}
        for (name, dtype), array in zip(wanted.items(), numbers, strict=True):
            if not isinstance(array, np.ndarray) or array.dtype != dtype or array.shape != (self.num_envs,):
                self.broken(f"{name}: an array of {np.dtype(dtype)} of shape ({self.num_envs},)", _kind(array))
        if not np.isfinite(numbers[0]).all():
            self.broken("rewards are finite", numbers[0])
        return self.seen(observations, infos, dict(zip(wanted, numbers, strict=True)))

    def seen(self, observations: Any, infos: Any, numbers: Leaves) -> Leaves:
        """Checks what a call returned, and returns it as leaves."""
        env = self.env
        for path, leaf in _leaves(observations).items():
            row = self.rows.get(path)
            if isinstance(row, np.ndarray) and _kind(leaf) != _kind(row):
                self.broken(
                    "observations have the types and shapes of observation_space", f"observations{path} is {_kind(leaf)}, not {_kind(row)}"
                )
        if not env.observation_space.contains(observations):
            self.broken("observations are inside observation_space", self.outside(observations))
        self.check_infos(infos, "infos", needs_masks=True)
        masks = infos.get("action_mask")
        for lane in range(self.num_envs if masks is not None else 0):
            if infos["_action_mask"][lane]:
                self.legal[lane] = self.checked_mask(masks[lane])
        seen = {**_leaves(observations, "observations"), **numbers, **_leaves(infos, "infos")}
        for earlier in () if self.is_reused else self.returned:
            for path, leaf in seen.items():
                known = earlier.get(path)
                if isinstance(leaf, np.ndarray) and isinstance(known, np.ndarray) and np.shares_memory(leaf, known):
                    self.broken(
                        "each call returns new data, unless the attribute copy is False", f"{path} shares memory with an earlier call"
                    )
        self.returned.append(seen)
        self.observations = [copy.deepcopy(row) for row in iterate(env.observation_space, observations)]
        return seen

    def outside(self, observations: Any) -> str:
        space = self.env.single_observation_space
        for lane, row in enumerate(iterate(self.env.observation_space, observations)):
            if isinstance(space, gymnasium.spaces.Box) and not ((row >= space.low) & (row <= space.high)).all():
                at = next(zip(*np.where(~((row >= space.low) & (row <= space.high))), strict=True))
                return f"copy {lane}, entry {at}: {row[at]!r} is not within {space.low[at]!r} to {space.high[at]!r}"
            if not space.contains(row):
                return f"copy {lane}: {row!r}"
        return repr(observations)

    def check_infos(self, infos: Any, path: str, needs_masks: bool) -> None:
        if not isinstance(infos, dict):
            self.broken("infos are a dict", f"{path} is {_kind(infos)}")
        for key, value in infos.items():
            if not isinstance(key, str):
                self.broken("infos have strings as keys", f"{path} has the key {key!r}")
            if key.startswith("_") and key[1:] in infos:
                if not isinstance(value, np.ndarray) or value.dtype != np.bool_ or value.shape != (self.num_envs,):
                    self.broken(f"a mask in infos is an array of bool of shape ({self.num_envs},)", f"{path}[{key!r}] is {_kind(value)}")
                continue
            # A dict within has a mask itself.
            if needs_masks and f"_{key}" not in infos:
                self.broken("each key of infos has a mask _key", f"{path}[{key!r}] has none")
            if isinstance(value, dict):
                self.check_infos(value, f"{path}[{key!r}]", needs_masks=False)
            elif not isinstance(value, np.ndarray) or value.shape[:1] != (self.num_envs,):
                self.broken(f"a value in infos is an array of {self.num_envs} rows or a dict", f"{path}[{key!r}] is {_kind(value)}")

    def checked_mask(self, mask: Any) -> Any:
        for part in mask if isinstance(mask, tuple) else (mask,):
            if not isinstance(part, np.ndarray) or part.dtype != np.int8:
                self.broken("an action_mask is int8, as Space.sample asks", _kind(part))
            if not part.any():
                self.broken("an action_mask has a legal action", mask)
        return copy.deepcopy(mask)

    def check_mode(self, seen: Leaves, before: np.ndarray, now: np.ndarray) -> None:
        """Checks the rewards, flags and infos that the autoreset mode asks for."""
        if self.mode == AutoresetMode.NEXT_STEP:
            for name in ("rewards", "terminated", "truncated"):
                for lane in np.flatnonzero(before & (seen[name] != 0)):
                    found = f"{name}[{lane}] is {seen[name][lane]}"
                    self.broken("in the next-step mode the step after an end has reward 0 and false flags", found)
        for name in ("final_obs", "final_info"):
            marks = seen.get(f"infos['_{name}']")
            if self.mode != AutoresetMode.SAME_STEP:
                if marks is not None:
                    self.broken(f"infos have {name} in the same-step mode only", f"it is there in the mode {self.mode.value}")
            elif not np.array_equal(now if marks is None else marks, now) or (marks is None and now.any()):
                self.broken(
                    f"in the same-step mode infos have {name}, its mask true for the copies that ended", f"ended {now}, mask {marks}"
                )
        if self.mode == AutoresetMode.SAME_STEP:
            for lane in np.flatnonzero(now):
                final = seen["infos['final_obs']"][lane]
                if not self.env.single_observation_space.contains(final):
                    self.broken("final_obs are inside single_observation_space", f"copy {lane}: {final}")

    def check_begun(self, records: list[Leaves], ended: list[np.ndarray]) -> None:
        """Same step: the observation beside an end is the first of the next episode. Observations that never change tell nothing."""
        rows = [{path: leaf for path, leaf in record.items() if path.startswith("observations")} for record in records]
        if all(_difference(rows[0], row) is None for row in rows):
            return
        for record, row, lanes in zip(records[1:], rows[1:], ended, strict=True):
            for lane in np.flatnonzero(lanes):
                final = _leaves(record["infos['final_obs']"][lane], "observations")
                if _difference(final, {path: leaf[lane] for path, leaf in row.items()}) is not None:
                    return
        self.broken("in the same-step mode the observation beside an end is the first of the next episode", "it is final_obs at each end")

    def check_seeds(self) -> None:
        """Checks resets by a list of seeds, and without one after one with."""
        seeds = [self.seed + 3 * lane for lane in range(self.num_envs)]
        try:
            self.env.reset(seed=list(seeds))
        except Exception:  # noqa: BLE001
            takes_lists = False  # Gymnasium asks for numbers only.
        else:
            takes_lists = True
        for kind in [self.seed, seeds] if takes_lists else [self.seed]:
            first = [self.after(kind), self.after(kind)]
            for at, call in enumerate((f"reset(seed={kind})", f"reset() after reset(seed={kind})")):
                self.where = f"in {call}"
                if (path := _difference(first[0][at], first[1][at])) is not None:
                    rule = "the same seed gives the same observations and infos, and so do later resets without one"
                    self.broken(rule, _shown(path, first[0][at], first[1][at]))

    def after(self, seed: Any) -> list[Leaves]:
        self.where = f"in reset(seed={seed})"
        first = copy.deepcopy(self.reset(seed=copy.copy(seed)))
        self.where = f"in reset() after reset(seed={seed})"
        return [first, copy.deepcopy(self.reset())]

    def check_reset_mask(self, actions: list[Any], ended: list[np.ndarray]) -> None:
        """Disabled: marks by hand, and a step of a copy that has ended."""
        self.where = f"in reset(seed={self.seed})"
        first = copy.deepcopy(self.reset(seed=self.seed))
        end = next((step for step, lanes in enumerate(ended) if lanes.any()), len(actions) - 1)
        for step in range(end + 1):
            self.where = f"in step {step}"
            self.step(actions[step])
        self.where = f"after step {end}"
        if ended[end].any():
            try:
                self.env.step(copy.deepcopy(actions[end]))
            except Exception:  # noqa: BLE001, S110
                pass
            else:
                self.broken("in the disabled mode the step of a copy that has ended raises", f"nothing was raised, ended {ended[end]}")
        self.where = f'in reset(seed={self.seed}, options={{"reset_mask": ...}}) after step {end}'
        again = self.reset_marked(np.ones(self.num_envs, np.bool_), seed=self.seed)
        if (path := _difference(first, again)) is not None:
            self.broken("a reset_mask that marks all copies resets all", _shown(path, first, again))
        if self.num_envs > 1:
            self.step(actions[0])
            self.reset_marked(np.arange(self.num_envs) == 0)

    def check_close(self) -> None:
        for self.where in ("in the first close", "in the second close"):
            try:
                self.env.close()
            except Exception as error:
                raise VectorEnvError(f"close can be called twice; {self.env!r} {self.where}: {type(error).__name__}: {error}") from error
            if self.env.closed is not True:
                self.broken("closed is True after close", repr(self.env.closed))


def _items(data: Any) -> Iterable[tuple[str, Any]] | None:
    if isinstance(data, dict):
        return ((f"[{key!r}]", value) for key, value in data.items())
    if isinstance(data, tuple | list):
        return ((f"[{at}]", value) for at, value in enumerate(data))
    return None


def _leaves(data: Any, path: str = "") -> Leaves:
    """The arrays and values within dicts, lists and tuples, by where they are."""
    items = _items(data)
    return {path: data} if items is None else {at: leaf for name, value in items for at, leaf in _leaves(value, path + name).items()}


def _difference(one: Leaves, other: Leaves) -> str | None:
    """Where two differ first."""
    paths = [*one, *(path for path in other if path not in one)]
    return next((path for path in paths if path not in one or path not in other or not _is_same(one[path], other[path])), None)


def _is_same(one: Any, other: Any) -> bool:
    if _items(one) is not None:
        return _difference(_leaves(one), _leaves(other)) is None
    if not isinstance(one, np.ndarray) or not isinstance(other, np.ndarray):
        return bool(type(one) is type(other) and np.all((one == other) | ((one != one) & (other != other))))  # noqa: PLR0124
    if one.dtype == object:
        return one.shape == other.shape and all(map(_is_same, one.flat, other.flat))
    return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=one.dtype.kind in "fc")


def _shown(path: str, one: Leaves, other: Leaves) -> str:
    """What differs there, an entry of it where both are arrays of one shape."""
    first, second = (leaves.get(path, "nothing") for leaves in (one, other))
    if isinstance(first, np.ndarray) and isinstance(second, np.ndarray) and first.shape == second.shape:
        at = next(at for at in np.ndindex(first.shape) if not _is_same(first[at], second[at]))
        path, first, second = f"{path}[{', '.join(map(str, at))}]", first[at], second[at]
    return f"{path} was {first!r} and is {second!r}"


def _kind(value: Any) -> str:
    return f"{value.dtype} of shape {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__
