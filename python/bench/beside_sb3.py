"""Our PPO and DQN beside MaskablePPO and DQN of Stable-Baselines3: decisions per second of processor time, and what was learnt for it.

    cargo build --release
    python python/bench/beside_sb3.py target/release/thoughtcache

Both learn on `tight` in our native vector environment, with the same network, batch, epochs and budget, in 1 and in 2 threads. Two settings
differ, each as its library has it: ours discounts by slots and multiplies rewards by 3 (DQN: 30), theirs discounts by decisions and
divides rewards by their spread (VecNormalize). DQN of Stable-Baselines3 knows no masks, no dueling and no double network.

Processor time counts all threads. Of ours the time of a run of a tenth of the budget is subtracted, of theirs nothing but `learn()` is
counted, so that neither pays for its start nor for the episodes that it is judged by. Those are paired test episodes. Ends with 1 where ours,
each at its best number of threads, takes less than 1.5 times their decisions, or costs more with its whole interval.
"""

import argparse
import os
import platform
import resource
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


def busy_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def ours(program: Path, agent: str, decisions: int, seed: int, threads: int, out: Path) -> tuple[float, float]:
    """Processor and wall time of a run of our program."""
    values = {"decisions": decisions, "eval_every_decisions": decisions, f"agent.{agent}.torch_threads": threads}
    if agent == "ppo":  # budgets here are shorter than that of the config, whose 30 makes the values learn slowly
        values["agent.ppo.reward_scale"] = 3
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
    asked.add_argument("program", type=Path, help="`thoughtcache` built with PyTorch")
    asked.add_argument("--agent", choices=["ppo", "dqn"], default="ppo")
    asked.add_argument("--decisions", type=int, default=409_600)
    asked.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--episodes", type=int, default=40)
    given = asked.parse_args()

    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; PyTorch {torch.__version__}")
    rows = []
    policies: dict[str, Any] = {}
    kept = tempfile.TemporaryDirectory()
    for threads in given.threads:
        part, folder = given.decisions // 10, Path(kept.name) / str(threads)
        before, _ = ours(given.program, given.agent, part, given.seed, threads, folder / "part")
        busy, wall = ours(given.program, given.agent, given.decisions, given.seed, threads, folder / "run")
        name = f"ours, {threads} threads"
        rows.append((name, wall, busy, (given.decisions - part) / (busy - before)))
        print(f"{name}: {rows[-1][-1]:.0f} decisions a processor second", flush=True)
        policies[name] = thoughtcache.load_policy(folder / "run")
        torch.set_num_threads(threads)
        model, busy, wall, shares = theirs(given.agent, given.decisions, given.seed)
        name = f"theirs, {threads} threads"
        rows.append((name, wall, busy, model.num_timesteps / busy))
        policies[name] = greedy(model)
        print(f"{name}: {rows[-1][-1]:.0f} decisions a processor second: {shares}", flush=True)
    table = thoughtcache.compare(policies, "tight", episodes=given.episodes)
    costs = {row["name"]: row for row in table.rows()}
    print(f"{'':18} {'wall s':>8} {'processor s':>12} {'decisions/processor s':>22} {'cost/slot':>10} {'to least-aot':>13}")
    for name, wall, busy, rate in rows:
        cost, gap = costs[name]["mean_cost"], costs[name]["relative_mean"]
        print(f"{name:18} {wall:8.0f} {busy:12.1f} {rate:22.0f} {cost:10.4f} {100 * gap:+12.1f} %")
    best = {who: max((row for row in rows if row[0].startswith(who)), key=lambda row: row[-1]) for who in ("ours", "theirs")}
    (name, *_, own), (other, *_, their) = best["ours"], best["theirs"]
    pair = thoughtcache.compare({name: policies[name], other: policies[other]}, "tight", baseline=other, episodes=given.episodes)
    row = next(row for row in pair.rows() if row["name"] == name)
    low, high = (100 * row[f"relative_ci95_{end}"] for end in ("low", "high"))
    print(f"each at its best: {own / their:.2f} times the decisions; cost {100 * row['relative_mean']:+.1f} % [{low:+.1f}, {high:+.1f}] of theirs")
    sys.exit(0 if own >= 1.5 * their and low <= 0 else 1)


if __name__ == "__main__":
    main()
