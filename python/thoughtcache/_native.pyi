"""The native half of the package."""

from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "MAX_ENVS",
    "Lanes",
    "Policy",
    "Scenario",
    "__version__",
    "compare",
    "evaluate",
    "main",
    "plot",
    "shipped_scenarios",
]

__version__: Final[str]
MAX_ENVS: Final[int]

@final
class Scenario:
    """A scenario, read and checked: what environments, policies and judges are made for."""

    def __new__(
        cls, name: str | None = None, overrides: dict[str, Any] | None = None, policies: Sequence[str] = ...
    ) -> Scenario:
        """Reads a shipped scenario, a TOML file, or that of a run by its folder; without a name the one that the runs among `policies`
        were trained on, and `street` where there is none. `overrides` are values by key, `{"cell.memory_gb": 480}`.

        Raises `ValueError` with the place of every mistake.
        """
    @staticmethod
    def from_toml(text: str, name: str = "scenario") -> Scenario:
        """Reads a scenario from the text of a file, which messages call `name`."""
    @property
    def name(self) -> str:
        """The name in tables."""
    @property
    def toml(self) -> str:
        """The whole scenario as a file, every value in place."""
    @property
    def horizon_slots(self) -> int:
        """The slots of an episode."""
    @property
    def num_cells(self) -> int:
        """The number of cells."""
    @property
    def entries(self) -> list[str]:
        """The names of the numbers of an observation, in order."""
    @property
    def actions(self) -> list[str]:
        """The names of the actions, in order."""
    @property
    def low(self) -> NDArray[np.float32]:
        """The least value of each entry."""
    @property
    def high(self) -> NDArray[np.float32]:
        """The greatest value of each entry."""
    def rules(self) -> list[str]:
        """The rules that decide in it, and the exact optimum where it is tiny."""

@final
class Lanes:
    """Copies of an environment that are stepped together; `Env` and `VectorEnv` are made of it."""

    def __new__(
        cls, scenario: Scenario, num_lanes: int, *, purpose: str, autoreset: str, replaces: bool, copies: bool
    ) -> Lanes: ...
    @staticmethod
    def statistics() -> list[str]:
        """The names of the figures that a step gives of each episode that has ended."""
    def reset(self, coordinates: Sequence[tuple[int, int, int] | None], is_reset: Sequence[bool]) -> None:
        """Begins, in each lane that is marked, the episode at these coordinates (run, lane, episode), or the next one."""
    def observe(self) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """The present observations and masks."""
    def masks_now(self) -> NDArray[np.bool_]:
        """The present masks."""
    def step(
        self, actions: NDArray[np.int64]
    ) -> tuple[
        NDArray[np.float32],
        NDArray[np.float64],
        NDArray[np.bool_],
        NDArray[np.bool_],
        NDArray[np.bool_],
        NDArray[np.uint32],
        NDArray[np.bool_],
        tuple[list[int], NDArray[np.float32], NDArray[np.bool_], NDArray[np.float64]] | None,
    ]:
        """Takes an action a lane. Returns observations, rewards, terminated, truncated, masks, slots elapsed, replaced, and of the lanes that
        have ended their numbers, final rows, final masks and the `statistics` of their episodes, a row for each figure."""
    def details(self) -> dict[str, NDArray[Any]]:
        """Costs by component, counts and cells of the last step."""
    def cells(self) -> list[int]:
        """The cell that the pending decision of each lane is about."""
    def coordinates(self) -> list[tuple[int, int, int]]:
        """Run, lane and episode of each lane."""
    def trajectory_hashes(self) -> tuple[list[int], int]:
        """A digest of what happened in each lane, and one of all."""
    def text(self, lane: int) -> str:
        """The present state of a lane in a few lines."""
    def svg(self, lane: int) -> str:
        """A picture of it, as SVG."""
    def pixels(self, lane: int) -> NDArray[np.uint8]:
        """The same as an array of height x width x 3."""
    def snapshot(self) -> bytes:
        """The whole state."""
    def restore(self, snapshot: bytes) -> None:
        """Comes back to a snapshot."""

@final
class Policy:
    """A rule or a trained network in a scenario."""

    def __new__(cls, name: str, scenario: Scenario) -> Policy: ...
    @property
    def name(self) -> str:
        """The name in tables."""
    @property
    def typed(self) -> str:
        """The name or folder that it was loaded by."""
    @property
    def kind(self) -> str:
        """Where it comes from: `heuristic`, `bound`, `reference`, `ppo` or `dqn`."""
    def act(self, lanes: Lanes) -> NDArray[np.int64]:
        """The decision for each lane."""
    def decide(self, observations: NDArray[np.float32], masks: NDArray[np.bool_]) -> NDArray[np.int64]:
        """The best legal action of each row, for a network."""

_Named = str | tuple[str, Callable[[NDArray[np.float32], NDArray[np.int8]], int]]

def shipped_scenarios() -> list[tuple[str, str]]:
    """The names of the shipped scenarios and what each is, in a line."""

def evaluate(policies: Sequence[_Named], scenario: Scenario, episodes: int, seed: int) -> dict[str, Any]:
    """Plays policies on test episodes, each by itself."""

def compare(
    policies: Sequence[_Named] | None, scenario: Scenario, baseline: str, episodes: int, seed: int, by_run: bool, bound: bool
) -> dict[str, Any]:
    """Plays policies on the same test episodes and compares them with the baseline."""

def plot(kind: str, scenario: Scenario, policy: str, seed: int, episodes: int, cell: int, user: int) -> str:
    """A picture of `scenario plot`, as SVG."""

def main(typed: Sequence[str | PathLike[str]]) -> int:
    """Does what was typed on the command line, the program's name first, and returns the exit code."""
