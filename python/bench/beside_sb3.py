"""Our PPO and DQN beside MaskablePPO and DQN of Stable-Baselines3: decisions per second of processor time, and what was learnt for it.

    cargo xtask proofs beside-stable-baselines
    python python/bench/beside_sb3.py target/release/thoughtcache

Both learn on `tight` in our native vector environment, with the same network, batch, epochs and budget. The first seed is trained in 1 and in 2
threads, the others in as many as took the most decisions. What differs: ours discounts by slots and scales rewards (`OURS` was searched for
on validation episodes; DQN: 30), theirs discounts by decisions, divides rewards by their spread (VecNormalize), and has its
own defaults for the rest. DQN of Stable-Baselines3 knows no masks, no dueling and no double network.

Processor time counts all threads. Of ours the time of a run of a tenth of the budget is subtracted, of theirs nothing but `learn()` is
counted, so that neither pays for its start nor for the episodes that it is judged by. Those are paired test episodes. Ends with 1 where ours takes
less than 1.5 times their decisions in the median of the seeds, or costs more with its whole interval over seeds (Student's t).
"""

import argparse
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import thoughtcache
import torch
from sb3_contrib import MaskablePPO
from stable_baselines3 import DQN
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper, VecNormalize
from thoughtcache.sb3 import SB3VecEnv

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "experiments"
GAMMA = 0.99  # a decision: .9 a slot, of a dozen decisions each
PPO: dict[str, Any] = {
    "n_steps": 128,
    "batch_size": 512,
    "n_epochs": 4,
    "ent_coef": 0.003,
    "gae_lambda": 0.95,
    "clip_range": 0.2,
    "max_grad_norm": 0.5,
}
# Of reward scales of 1 to 30, value weights of .5 and 1, lambdas of .9 and .95: the cheapest on validation episodes of six other seeds.
# The experiment's own are chosen for a longer run.
OURS = {"reward_scale": 10, "vf_coef": 1.0, "gae_lambda": 0.9}
DEEP_Q: dict[str, Any] = {
    "buffer_size": 100_000,
    "batch_size": 256,
    "learning_starts": 5_000,
    "train_freq": 1,  # of 32 decisions, one in each environment
    "target_update_interval": 6_400,
    "exploration_fraction": 0.2,
    "exploration_final_eps": 0.02,
    "n_steps": 3,
}

# The 97.5th percentile of Student's t with 1 to 9 degrees of freedom.
STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)


def busy_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def ours(program: Path, agent: str, decisions: int, seed: int, threads: int, out: Path) -> tuple[float, float]:
    """Processor and wall time of a run of our program."""
    values = {"decisions": decisions, "eval_every_decisions": decisions, f"agent.{agent}.torch_threads": threads}
    if agent == "ppo":
        values |= {f"agent.ppo.{key}": value for key, value in OURS.items()}
    typed = [str(program), "train", "--config", str(CONFIGS / f"tight-{agent}.toml"), "--seed", str(seed), "--out", str(out), "--quiet"]
    for key, value in values.items():
        typed += ["--set", f"{key}={value}"]
    began, busy = time.perf_counter(), busy_of_children()
    subprocess.run(typed, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": str(threads)})
    return busy_of_children() - busy, time.perf_counter() - began


class Clocked(VecEnvWrapper):
    """Counts the processor time of steps and masks."""

    busy = 0.0

    def _timed(self, work: Callable[[], Any]) -> Any:
        began = time.thread_time()
        result = work()
        self.busy += time.thread_time() - began
        return result

    def reset(self) -> Any:
        return self.venv.reset()

    def step_wait(self) -> Any:
        return self._timed(self.venv.step_wait)

    def env_method(self, method_name: str, *arguments: Any, indices: Any = None, **named: Any) -> list[Any]:
        return self._timed(lambda: self.venv.env_method(method_name, *arguments, indices=indices, **named))


class Phases(BaseCallback):
    """Counts the processor time of the rollouts, environment and network together."""

    busy = 0.0

    def _on_rollout_start(self) -> None:
        self.began = time.process_time()

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        self.busy += time.process_time() - self.began


def theirs(agent: str, decisions: int, seed: int) -> tuple[Any, float, float, str]:
    """The model, processor and wall time of `learn()`, and where it went."""
    clocked = Clocked(SB3VecEnv("tight", 32))
    env: VecEnv = VecNormalize(clocked, norm_obs=False, gamma=GAMMA)
    common: dict[str, Any] = {"gamma": GAMMA, "seed": seed, "device": "cpu", "policy_kwargs": {"net_arch": [128, 128]}}
    model: Any
    if agent == "ppo":
        model = MaskablePPO("MlpPolicy", env, learning_rate=lambda left: 6e-4 * left, **PPO, **common)
    else:
        model = DQN("MlpPolicy", env, learning_rate=lambda left: 1e-3 * left, **DEEP_Q, **common)
    phases, began, busy = Phases(), time.perf_counter(), time.process_time()
    model.learn(decisions, callback=phases)
    took = time.process_time() - busy
    parts = {"environment and masks": clocked.busy, "rest of the rollout": phases.busy - clocked.busy, "learning": took - phases.busy}
    shares = ", ".join(f"{name} {100 * part / took:.0f} %" for name, part in parts.items())
    return model, took, time.perf_counter() - began, shares


def greedy(model: Any) -> Callable[[np.ndarray, np.ndarray], Any]:
    """The best action of the network; where it knows no masks, the best legal one, which is kind to it."""

    def decide(observation: np.ndarray, action_mask: np.ndarray) -> Any:
        torch.set_num_threads(1)  # in the thread that judges, which does not know what others have set
        if isinstance(model, MaskablePPO):
            return model.predict(observation, deterministic=True, action_masks=action_mask)[0]
        with torch.no_grad():
            values = model.q_net(torch.from_numpy(observation)[None])[0].numpy()
        return int(np.where(action_mask, values, -np.inf).argmax())

    return decide


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    known = os.environ.get("THOUGHTCACHE", "target/release/thoughtcache")
    asked.add_argument("program", type=Path, nargs="?", default=known, help="`thoughtcache` built with PyTorch [%(default)s]")
    asked.add_argument("--agent", choices=["ppo", "dqn"], default="ppo")
    asked.add_argument("--decisions", type=int, default=409_600)
    asked.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    asked.add_argument("--seeds", type=int, choices=range(1, 11), default=5)
    asked.add_argument("--episodes", type=int, default=40)
    given = asked.parse_args()

    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; PyTorch {torch.__version__}", flush=True)
    kept = tempfile.TemporaryDirectory()

    def our_run(seed: int, threads: int) -> tuple[float, Any]:
        part, folder = given.decisions // 10, Path(kept.name) / f"{seed}-{threads}"
        before, _ = ours(given.program, given.agent, part, seed, threads, folder / "part")
        busy, wall = ours(given.program, given.agent, given.decisions, seed, threads, folder / "run")
        rate = (given.decisions - part) / (busy - before)
        print(f"seed {seed}, ours, {threads} threads: {rate:.0f} decisions a processor second, {wall:.0f} s", flush=True)
        return rate, thoughtcache.load_policy(folder / "run")

    def their_run(seed: int, threads: int) -> tuple[float, Any]:
        torch.set_num_threads(threads)
        model, busy, wall, shares = theirs(given.agent, given.decisions, seed)
        rate = model.num_timesteps / busy
        print(f"seed {seed}, theirs, {threads} threads: {rate:.0f} decisions a processor second, {wall:.0f} s: {shares}", flush=True)
        return rate, greedy(model)

    runs = {"ours": our_run, "theirs": their_run}
    found: dict[str, list[tuple[float, Any]]] = {}
    best: dict[str, int] = {}
    for who, run in runs.items():
        first = {threads: run(1, threads) for threads in given.threads}
        best[who] = max(first, key=lambda threads: first[threads][0])
        found[who] = [first[best[who]]]
    for seed in range(2, given.seeds + 1):
        for who, run in runs.items():
            found[who].append(run(seed, best[who]))
    policies = {f"{who} {seed}": policy for who in runs for seed, (_, policy) in enumerate(found[who], 1)}
    table = thoughtcache.compare(policies, "tight", episodes=given.episodes)
    costs = {row["name"]: row["mean_cost"] for row in table.rows()}
    print(f"{'':8} {'threads':>8} {'decisions a processor second':>30}   cost per slot of each seed; least-aot {costs['least-aot']:.4f}")
    for who in runs:
        own = [costs[f"{who} {seed}"] for seed in range(1, given.seeds + 1)]
        print(f"{who:8} {best[who]:8} {statistics.median(rate for rate, _ in found[who]):30.0f}   " + " ".join(f"{cost:.4f}" for cost in own))
    ratios = [own / their for (own, _), (their, _) in zip(found["ours"], found["theirs"], strict=True)]
    more = [costs[f"ours {seed}"] / costs[f"theirs {seed}"] - 1 for seed in range(1, given.seeds + 1)]
    half = STUDENT[given.seeds - 2] * statistics.stdev(more) / given.seeds**0.5 if given.seeds > 1 else 0.0
    middle, ratio = statistics.mean(more), statistics.median(ratios)
    print(
        f"{ratio:.2f} times the decisions ({min(ratios):.2f} to {max(ratios):.2f}); "
        f"cost {100 * middle:+.1f} % [{100 * (middle - half):+.1f}, {100 * (middle + half):+.1f}] of theirs"
    )
    sys.exit(0 if ratio >= 1.5 and middle - half <= 0 else 1)


if __name__ == "__main__":
    main()
