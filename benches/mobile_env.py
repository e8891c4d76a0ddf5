"""Our radio beside mobile-env's, with equal users, places and area, in turns; fails where ours is not 300 times as fast.

One step of mobile-env moves every user (random waypoint) and computes the SNR of every link (Okumura-Hata, no line of sight, no
shadow, no fading), the data rates of the connected users, utilities, a reward and an observation. One slot of ours moves every user
(Gauss-Markov) and redraws for each link line of sight, correlated shadow, Rician factor and path loss (TR 38.901), then blockage,
association with hysteresis, interference, shares of time, both rates with their fading averaged, and sensing. Ours writes no
observation and pays no reward. Each runs on one thread; processor time counts, and the best of a few rounds of each.

mobile-env's environment is as shipped: its default configuration and central handler, no rendering. Actions are random and are
drawn before the clock runs; the episode begins anew whenever it ends, within the clock.

THOUGHTCACHE names the program: `cargo xtask proofs mobile-env` sets it.
"""

import json
import os
import subprocess
import sys
import time

import gymnasium
import mobile_env  # registers the scenarios

ROUNDS, SECONDS, BAR = 3, 2.0, 300


def theirs(env):
    """User-slots a second of mobile-env."""
    env.reset(seed=1)
    env.action_space.seed(1)
    actions = [env.action_space.sample() for _ in range(1000)]
    steps, begun = -100, time.process_time()
    while steps < 0 or time.process_time() - begun < SECONDS:
        for _ in range(20):
            if env.step(actions[steps % len(actions)])[3]:
                env.reset()
            steps += 1
        if steps == 0:  # warm
            begun = time.process_time()
    return steps / (time.process_time() - begun) * len(env.users)


def ours(env):
    """User-slots a second of `bench radio` with the users, places and area of a scenario of mobile-env."""
    values = {
        "physical.users": len(env.users),
        "cell.count": len(env.stations),
        "physical.sites.places.at_m": [[float(bs.x), float(bs.y)] for bs in env.stations.values()],
        "physical.radio.area.width_m": float(env.width),
        "physical.radio.area.depth_m": float(env.height),
    }
    settings = [word for key, value in values.items() for word in ("--set", f"scenario.{key}={value}")]
    command = [os.environ["THOUGHTCACHE"], "bench", "radio", "--json", "--seconds", str(SECONDS), *settings]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["user_slots_per_s"]


print(f"user-slots a second of processor time, one thread each, best of {ROUNDS} rounds of {SECONDS} s in turns")
print("scenario  users  cells  mobile-env 2.1.0 (MIT)      thoughtcache  ratio")
is_slow = False
for name in ["small", "medium", "large"]:
    env = gymnasium.make(f"mobile-{name}-central-v0").unwrapped
    env.reset(seed=1)
    best = [max(pair) for pair in zip(*((theirs(env), ours(env)) for _ in range(ROUNDS)))]
    ratio = best[1] / best[0]
    is_slow |= ratio < BAR
    print(f"{name:<8}  {len(env.users):>5}  {len(env.stations):>5}  {best[0]:>22.0f}  {best[1]:>16.0f}  {ratio:>5.0f}")
print(f"load average at the end {os.getloadavg()}")
sys.exit(1 if is_slow else 0)
