"""The names under which Gymnasium makes the shipped scenarios."""

import gymnasium

from thoughtcache import _native

NAMESPACE = "thoughtcache"


def scenarios() -> dict[str, str]:
    """The shipped scenarios by name, and what each is, in a line."""
    return dict(_native.shipped_scenarios())


def env_id(scenario: str) -> str:
    """The name under which Gymnasium makes a shipped scenario: ``thoughtcache/TightRequest-v0`` for ``tight-request``."""
    return f"{NAMESPACE}/{''.join(part.capitalize() for part in scenario.split('-'))}-v0"


def register_envs() -> None:
    """Registers an environment for each shipped scenario, once; to import the package does it.

    Workers of other processes that did not import the package call it themselves.
    """
    for scenario in scenarios():
        name = env_id(scenario)
        if name not in gymnasium.registry:
            gymnasium.register(
                name,
                entry_point="thoughtcache.env:Env",
                vector_entry_point="thoughtcache.vector:VectorEnv",
                kwargs={"scenario": scenario},
            )
