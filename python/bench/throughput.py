"""How fast `VectorEnv` is beside the native environment and beside Gymnasium's `SyncVectorEnv` of our own `Env`.

`python python/bench/throughput.py [COPIES [SECONDS [ROUNDS]]]`, with the package installed. The native rate is that of `thoughtcache bench env`:
the same number of copies and threads, same-step, actions drawn among all and illegal ones replaced, as in Python. Ours is measured with Gymnasium's own `benchmark_vector_step`, its sampling
of actions included. Each round measures all, one after the other; medians of the rounds are compared. Ends with 1 where `VectorEnv` has less than
70 % of the native rate, or less than 8 times that of `SyncVectorEnv`.
"""

import json
import os
import statistics
import subprocess
import sys

from gymnasium.utils.performance import benchmark_vector_step
from gymnasium.vector import SyncVectorEnv

import thoughtcache

copies, seconds, rounds = (int(word) for word in [*sys.argv[1:], "256", "3", "5"][:3])


def native() -> float:
    line = [sys.executable, "-m", "thoughtcache", "bench", "env", "--scenario", "tight", "--unmasked", "--scaling", "--json"]
    told = subprocess.run([*line, "--lanes", str(copies), "--seconds", str(seconds)], check=True, capture_output=True)
    threads = os.environ.get("RAYON_NUM_THREADS", str(os.cpu_count()))
    return next(row["decisions_per_s"] for row in json.loads(told.stdout)["measurements"] if str(row["threads"]) == threads)


def vector(**arguments) -> float:
    envs = thoughtcache.VectorEnv("tight", copies, autoreset_mode="SameStep", **arguments)
    return benchmark_vector_step(envs, seconds, seed=1)


def sync() -> float:
    return benchmark_vector_step(SyncVectorEnv([lambda: thoughtcache.Env("tight")] * copies), seconds, seed=1)


measures = {"native": native, "VectorEnv": vector, "VectorEnv, copy=False": lambda: vector(copy=False), "SyncVectorEnv": sync}
rates: dict[str, list[float]] = {name: [] for name in measures}
for _ in range(rounds):
    for name, measure in measures.items():
        rates[name].append(measure())
middles = {name: statistics.median(found) for name, found in rates.items()}
print(f"tight, {copies} copies, median of {rounds} rounds of {seconds} s, load {os.getloadavg()[0]:.1f}")
for name, found in rates.items():
    share = middles[name] / middles["native"]
    print(f"{name:<22} {middles[name]:>12,.0f} decisions/s  {share:.2f} of native  ({min(found):,.0f} to {max(found):,.0f})")
ours = middles["VectorEnv"]
print(f"VectorEnv: {ours / middles['native']:.2f} of native (at least .7), {ours / middles['SyncVectorEnv']:.1f} SyncVectorEnv (at least 8)")
sys.exit(0 if ours >= 0.7 * middles["native"] and ours >= 8 * middles["SyncVectorEnv"] else 1)
