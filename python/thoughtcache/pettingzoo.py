"""Cells as agents that decide one after another, for PettingZoo 1.27.

>>> import pettingzoo, thoughtcache.pettingzoo
>>> env = pettingzoo.make("aec", "thoughtcache/City-v0")

To import this module registers an AEC environment for each shipped scenario, under the names that Gymnasium knows.
"""

import os
from typing import Any

import numpy as np
import pettingzoo
from gymnasium import spaces

from thoughtcache import _native
from thoughtcache.env import RENDER_MODES, Env, spaces_of
from thoughtcache.registration import env_id, scenarios


class CellsEnv(pettingzoo.AECEnv[str, np.ndarray, int]):
    """A scenario whose cells `cell_0`, `cell_1` ... are agents: the one where a batch of requests has arrived decides about it.

    The world, the actions, the observations, the costs, the seeds and the arguments are those of `thoughtcache.Env`, which is `world`: the
    same seed and actions lead to the same `trajectory_hash`. Cells decide in the order in which batches arrive, not in turns.

    - `observe(agent)`: the row of the agent's pending decision; while another decides, that of its last one, and zeros before its first.
    - `rewards`: minus the cost of a decision goes to the agent that decided; the others have 0.
    - `infos[agent]`: `action_mask` (`int8`) while its decision is pending; `slots_elapsed`, the slots since its last decision, and
      `replaced_action`, whether that one was illegal and another was taken; after the end `statistics` of the whole episode.
    - All agents are truncated together, at the scenario's horizon.
    - `reset(options={"lane": i, "episode": e})` as in `Env`; other options are ignored, as PettingZoo's tests ask.
    """

    metadata: dict[str, Any] = {"render_modes": RENDER_MODES, "render_fps": 4, "is_parallelizable": False}  # noqa: RUF012

    def __init__(
        self,
        scenario: "str | os.PathLike[str] | _native.Scenario" = "city",
        *,
        overrides: dict[str, Any] | None = None,
        purpose: str = "train",
        illegal_action: str = "replace",
        render_mode: str | None = None,
    ) -> None:
        super().__init__()
        self.world = Env(scenario, overrides=overrides, purpose=purpose, illegal_action=illegal_action, render_mode=render_mode)
        self.render_mode = render_mode
        self.metadata = {**self.metadata, "name": f"thoughtcache_{self.world.scenario.name}_v0"}
        self.possible_agents = [f"cell_{cell}" for cell in range(self.world.scenario.num_cells)]
        self._spaces = {agent: spaces_of(self.world.scenario) for agent in self.possible_agents}
        self.agents: list[str] = []

    def observation_space(self, agent: str) -> spaces.Box:
        """The rows that an agent sees: the same for all."""
        return self._spaces[agent][0]

    def action_space(self, agent: str) -> spaces.Discrete:
        """The actions that an agent has: the same for all."""
        return self._spaces[agent][1]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Begins an episode: that of the seed, or the next one; see `Env` for what `seed` and `options` mean."""
        known = {name: value for name, value in (options or {}).items() if name in ("lane", "episode")}
        observation, info = self.world.reset(seed=seed, options=known)
        self.agents = list(self.possible_agents)
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self.infos: dict[str, dict[str, Any]] = {agent: {} for agent in self.agents}
        self._skip_agent_selection = None
        self._rows = {agent: np.zeros_like(observation) for agent in self.agents}
        self._slot, self._decided_in_slot = 0, dict.fromkeys(self.agents, 0)
        self._select(observation, info)

    def _select(self, observation: np.ndarray, info: dict[str, Any]) -> None:
        """Gives the pending decision to its cell."""
        agent = self.agent_selection = self.possible_agents[self.world._open().cells()[0]]
        self._rows[agent] = observation
        self.infos[agent] |= {"action_mask": info["action_mask"], "slots_elapsed": self._slot - self._decided_in_slot[agent]}

    def step(self, action: int | None) -> None:
        """Takes the decision of `agent_selection`; `None` once the episode has ended, which takes the agent away."""
        if not self.agents:
            raise RuntimeError("no episode runs: reset the environment")
        agent = self.agent_selection
        if self.truncations[agent]:
            self._was_dead_step(action)
            return
        observation, reward, _, truncated, info = self.world.step(action)
        self._decided_in_slot[agent] = self._slot
        self._slot += info["slots_elapsed"]
        self.infos[agent] = {"replaced_action": info["replaced_action"]}
        self._cumulative_rewards[agent] = 0.0
        self._clear_rewards()
        self.rewards[agent] = reward
        self._accumulate_rewards()
        self._select(observation, info)
        if truncated:
            self.truncations = dict.fromkeys(self.agents, True)
            for of_agent in self.infos.values():
                of_agent["statistics"] = dict(info["statistics"])

    def observe(self, agent: str) -> np.ndarray:
        """The row of an agent's pending or last decision."""
        return self._rows[agent].copy()

    def render(self) -> Any:
        """The present state, as `render_mode` asks."""
        return self.world.render()

    def close(self) -> None:
        """Gives the memory back; later calls raise `RuntimeError`."""
        self.world.close()


for _scenario in scenarios():
    if env_id(_scenario) not in pettingzoo.aec_registry:
        pettingzoo.register("aec", env_id(_scenario), "thoughtcache.pettingzoo:CellsEnv", kwargs={"scenario": _scenario})
