"""Steps one of mobile-env's scenarios and says how fast: arguments are its name and the seconds to run.

The environment is as shipped: its default configuration and central handler, no rendering. Actions are random (a user connects
to a station or leaves it), and are drawn before the clock runs. The episode begins anew whenever it ends, within the clock.
"""

import sys
import time

import gymnasium
import mobile_env  # registers the scenarios

name, seconds = sys.argv[1], float(sys.argv[2])
env = gymnasium.make(f"mobile-{name}-central-v0").unwrapped
env.reset(seed=1)
env.action_space.seed(1)
actions = [env.action_space.sample() for _ in range(1000)]


def play(steps):
    for step in range(steps):
        truncated = env.step(actions[step % len(actions)])[3]
        if truncated:
            env.reset()


play(100)
# Processor time: other programs count for nothing.
steps, begun = 0, time.process_time()
while time.process_time() - begun < seconds:
    play(20)
    steps += 20
steps_per_s = steps / (time.process_time() - begun)
places = ", ".join(f"[{float(bs.x)}, {float(bs.y)}]" for bs in env.stations.values())
print(f"{len(env.users)};{env.width};{env.height};[{places}];{steps_per_s}")
