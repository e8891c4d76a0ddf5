"""The judges: policies by name or of your own on test episodes, side by side, and pictures of an episode."""

import os
from collections.abc import Callable, Iterable
from html import escape
from typing import Any

import numpy as np

from thoughtcache import _native
from thoughtcache.env import Env, checked_seed, read
from thoughtcache.vector import VectorEnv

Name = str | os.PathLike[str]
Decides = Callable[[np.ndarray, np.ndarray], int]
World = Name | _native.Scenario
EPISODES = 40


class Policy:
    """A rule by its name, or the trained network of a run or checkpoint; no PyTorch is needed, and the actions are those of the Rust program."""

    def __init__(self, native: _native.Policy) -> None:
        self._native = native
        self.name = native.name
        self.kind = native.kind

    def act(self, env: Any) -> Any:
        """The decision in a running environment of this package, wrapped or not: a number, or an array for a `VectorEnv`.

        Rules ask the environment by name; a rule with a memory begins anew with each episode.
        """
        world = getattr(env, "unwrapped", env)
        if not isinstance(world, Env | VectorEnv):
            raise TypeError(f"a policy acts in environments of thoughtcache, not in {type(world).__name__}")
        actions = self._native.act(world._open())
        return int(actions[0]) if isinstance(world, Env) else actions

    def __call__(self, observation: np.ndarray, action_mask: np.ndarray) -> Any:
        """The decision for a row and its mask, or for many of each. Trained networks only: a rule needs the environment, see `act`."""
        rows = np.asarray(observation, dtype=np.float32)
        masks = np.asarray(action_mask).astype(np.bool_)
        if rows.ndim not in (1, 2) or masks.ndim != rows.ndim:
            raise ValueError(f"a row and its mask or many of each are needed, not shapes {rows.shape} and {masks.shape}")
        if not np.isfinite(rows).all():
            raise ValueError("an observation has numbers that are not finite")
        actions = self._native.decide(np.ascontiguousarray(np.atleast_2d(rows)), np.ascontiguousarray(np.atleast_2d(masks)))
        return int(actions[0]) if rows.ndim == 1 else actions

    def __repr__(self) -> str:
        return f"<Policy {self.name} ({self.kind})>"


def load_policy(name: Name, scenario: World | None = None, *, overrides: dict[str, Any] | None = None) -> Policy:
    """Loads a rule (`"least-aot"`) or the trained policy of a run or checkpoint by its folder.

    `scenario` is the world that it decides in: that of the run, or `street` for a rule, where it is not given.
    """
    return Policy(_native.Policy(os.fspath(name), _world(scenario, [os.fspath(name)], overrides)))


class Table(dict[str, Any]):
    """The result of `compare` or `evaluate`: a plain dict, which prints as a table and gives pandas its rows.

    >>> import pandas
    >>> pandas.DataFrame(thoughtcache.compare(["lru", "worth"], "tight").rows())
    """

    def rows(self) -> list[dict[str, Any]]:
        """One flat dict a policy: figures by name, `ci95_low`, `cost_switching` and so on."""
        return [dict(_flat(policy)) for policy in self["policies"]]

    def _cells(self) -> list[list[str]]:
        rows = self.rows()
        ratios = [(name, label) for name, label in (("hit_ratio", "hits"), ("edge_ratio", "edge")) if any(name in row for row in rows)]
        head = ["policy", "cost/slot", "95 % interval", *(label for _, label in ratios)]
        is_compared, bound = "baseline" in self, self.get("bound")
        cells = [[*head, *([f"to {self['baseline']}"] if is_compared else []), *(["regret", "closed"] if bound else [])]]
        if bound:
            row = dict(_flat(bound))
            cell = ["(bound)", f"{row['mean_cost']:.4g}", f"[{row['ci95_low']:.4g}, {row['ci95_high']:.4g}]", *("-" for _ in ratios)]
            cells.append([*cell, _interval(row, "relative", "+"), f"{0:.4g}", _percent(1.0)])
        for row in rows:
            cell = [row["name"], f"{row['mean_cost']:.4g}", f"[{row['ci95_low']:.4g}, {row['ci95_high']:.4g}]"]
            cell += [_percent(row.get(name)) for name, _ in ratios]
            if is_compared:
                cell.append(_interval(row, "relative", "+"))
            if bound:
                cell += [f"{row['regret_mean']:.4g} [{row['regret_ci95_low']:.4g}, {row['regret_ci95_high']:.4g}]", _interval(row, "closed")]
            cells.append(cell)
        return cells

    def __str__(self) -> str:
        cells = self._cells()
        widths = [max(len(row[at]) for row in cells) for at in range(len(cells[0]))]
        lines = ["  ".join([row[0].ljust(widths[0]), *(text.rjust(width) for text, width in zip(row[1:], widths[1:], strict=True))]) for row in cells]
        played = f"{self['scenario']}: {self['episodes']} test episodes each, seed {self['seed']}"
        return "\n".join([played, *lines, *filter(None, [self.get("verdict")])])

    def _repr_html_(self) -> str:
        head, *rows = [[escape(cell) for cell in row] for row in self._cells()]

        def line(cells: list[str], tag: str) -> str:
            return "<tr>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in cells) + "</tr>"

        verdict = escape(self.get("verdict") or "")
        return f"<table>{line(head, 'th')}{''.join(line(row, 'td') for row in rows)}</table><p>{verdict}</p>"


def _percent(share: float | None, sign: str = "") -> str:
    return "-" if share is None else f"{100 * share:{sign}.1f} %"


def _interval(row: dict[str, Any], name: str, sign: str = "") -> str:
    mean, low, high = (row.get(f"{name}_{part}") for part in ("mean", "ci95_low", "ci95_high"))
    return "-" if mean is None else f"{_percent(mean, sign)} [{_percent(low, sign)}, {_percent(high, sign)}]"


def _flat(values: dict[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}_")
        elif name == "ci95":
            yield from zip((f"{prefix}ci95_low", f"{prefix}ci95_high"), value, strict=True)
        elif not isinstance(value, list):
            yield f"{prefix}{name}", value


def _named(policies: Any) -> list[Any]:
    """Policies as the native judges take them: names, or names with a callable."""
    if callable(policies) or isinstance(policies, str | os.PathLike):
        policies = [policies]
    if not isinstance(policies, Iterable):
        raise TypeError(f"policies are a list or a dict, not {policies!r}")
    named: list[Any] = []
    for policy in policies.items() if isinstance(policies, dict) else policies:
        name, own = policy if isinstance(policies, dict) else (None, policy)
        if name is None and isinstance(own, str | os.PathLike):
            named.append(os.fspath(own))
        elif name is None and isinstance(own, Policy):
            named.append(own._native.typed)  # the judges load it for their scenario
        elif callable(own) and not (isinstance(own, Policy) and own.kind in ("heuristic", "bound", "reference")):
            named.append((str(name or getattr(own, "name", None) or getattr(own, "__name__", type(own).__name__)), own))
        else:
            called = "" if name is None else f"{name}: "
            what = "neither the name of a policy nor" if name is None else "not"
            raise TypeError(f"{called}{own!r} is {what} a callable of observation and mask")
    names = [one if isinstance(one, str) else one[0] for one in named]
    if twice := [one[0] for one in named if not isinstance(one, str) and names.count(one[0]) > 1]:
        raise ValueError(f"two policies are called {twice[0]!r}; a dict gives them names")
    return named


def _world(scenario: World | None, names: list[Any], overrides: dict[str, Any] | None) -> _native.Scenario:
    if scenario is not None:
        return read(scenario, overrides)
    return _native.Scenario(None, overrides, [name for name in names if isinstance(name, str)])


def _with_baseline(named: list[Any], baseline: str) -> list[Any]:
    is_own = any(not isinstance(one, str) and one[0] == baseline for one in named)
    return named if is_own else [*named, baseline]


def evaluate(
    policies: Any, scenario: World | None = None, *, overrides: dict[str, Any] | None = None, episodes: int = EPISODES, seed: int = 0
) -> Table:
    """Plays policies on the test episodes of a seed, each by itself: what they cost, hits, loads.

    A policy is a name of `thoughtcache rules`, the folder of a run, or a callable `policy(observation, action_mask) -> action`; a dict gives
    callables names. One that remembers has `begin_episode()`, and each episode plays with a deep copy of it (of a function there are no
    copies); calls come one at a time, and Ctrl-C waits for the one that is running. `scenario` is a name, a file or a `Scenario`; without it the one that the runs were trained on, or
    `street`.
    """
    named = _named(policies)
    if not named:
        raise ValueError("no policies to evaluate")
    world = _world(scenario, named, overrides)
    return Table(_native.evaluate(named, world, checked_seed(episodes, "episodes"), checked_seed(seed)))


def compare(
    policies: Any = None,
    scenario: World | None = None,
    *,
    baseline: Name = "least-aot",
    overrides: dict[str, Any] | None = None,
    episodes: int = EPISODES,
    seed: int = 0,
    by_run: bool = False,
    bound: bool = False,
) -> Table:
    """Plays policies on the same test episodes and compares each with the baseline, paired: the figures of `thoughtcache compare`.

    Without `policies` all rules take part. Runs that differ in their training seed alone are one row, unless `by_run`. With `bound` the table tells
    what no policy can cost less than, not even one that knows the future, the regret of each policy to it, and the share of the baseline's
    regret that it closes; bounds are kept in `runs/bounds`. See `evaluate` for what a policy and a scenario may be.
    """
    named = None if policies is None else _named(policies)
    baseline = os.fspath(baseline)
    world = _world(scenario, _with_baseline(named or [], baseline), overrides)
    return Table(_native.compare(named, world, baseline, checked_seed(episodes, "episodes"), checked_seed(seed), by_run, bound))


class Picture:
    """A picture as SVG, which notebooks show."""

    def __init__(self, svg: str) -> None:
        self.svg = svg

    def _repr_svg_(self) -> str:
        return self.svg

    def save(self, path: Name) -> None:
        """Writes the file."""
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.svg)


def plot(
    kind: str = "episode",
    scenario: World | None = None,
    *,
    policy: Name = "least-aot",
    overrides: dict[str, Any] | None = None,
    seed: int = 0,
    episodes: int = 20,
    cell: int = 0,
    user: int = 0,
) -> Picture:
    """A picture of `thoughtcache scenario plot`: `"episode"` (what a policy does, slot by slot), `"state"` (the first decision of the second half
    of that episode), and where there is a radio `"channel"` or `"placements"`."""
    name = os.fspath(policy)
    numbers = [checked_seed(number, of) for of, number in (("seed", seed), ("episodes", episodes), ("cell", cell), ("user", user))]
    return Picture(_native.plot(kind, _world(scenario, [name], overrides), name, *numbers))
