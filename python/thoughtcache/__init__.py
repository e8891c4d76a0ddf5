"""LLM agents cached at the edge of a 6G network: Gymnasium environments, rules, trained policies and their judges.

>>> import gymnasium, thoughtcache
>>> env = gymnasium.make("thoughtcache/Street-v0")
>>> observation, info = env.reset(seed=1)
>>> observation, reward, terminated, truncated, info = env.step(env.action_space.sample(info["action_mask"]))

To import the package registers an environment for each shipped scenario (``thoughtcache/Tight-v0`` ...).
"""

from thoughtcache._native import Scenario, __version__
from thoughtcache.check import VectorEnvError, check_vector_env
from thoughtcache.env import Env
from thoughtcache.judge import Picture, Policy, Table, compare, evaluate, load_policy, plot
from thoughtcache.registration import env_id, register_envs, scenarios
from thoughtcache.vector import VectorEnv

__all__ = [
    "Env",
    "Picture",
    "Policy",
    "Scenario",
    "Table",
    "VectorEnv",
    "VectorEnvError",
    "__version__",
    "check_vector_env",
    "compare",
    "env_id",
    "evaluate",
    "load_policy",
    "plot",
    "register_envs",
    "scenarios",
]

register_envs()
