"""Trains MaskablePPO of sb3-contrib on `tight` and compares it with the rules, on episodes that it never saw.

    pip install "thoughtcache[sb3]"
    python train_with_sb3.py

Half a minute of one core for 200,000 decisions, and as long again for the comparison.
"""

import argparse
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")  # so small a network is faster in one thread; PyTorch reads it when it is imported

import numpy as np
import thoughtcache
from sb3_contrib import MaskablePPO
from stable_baselines3.common.vec_env import VecNormalize
from thoughtcache.sb3 import SB3VecEnv


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--scenario", default="tight")
    asked.add_argument("--decisions", type=int, default=200_000)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--episodes", type=int, default=40, help="test episodes of the comparison")
    given = asked.parse_args()

    began, busy = time.perf_counter(), time.process_time()

    # A decision costs some hundredths: VecNormalize scales the rewards near 1. The observations lie between 0 and 1 already.
    gamma = 0.99  # a decision, of which `tight` has a dozen a slot: what a load brings shows within some ten slots
    envs = VecNormalize(SB3VecEnv(given.scenario, 32), norm_obs=False, gamma=gamma)
    model = MaskablePPO(
        "MlpPolicy",
        envs,
        n_steps=128,  # 32 x 128 decisions an update
        batch_size=512,
        n_epochs=4,
        gamma=gamma,
        ent_coef=0.003,
        learning_rate=lambda left: 6e-4 * left,  # falls to 0 over the budget
        policy_kwargs={"net_arch": [128, 128]},
        seed=given.seed,
        device="cpu",
    )
    model.learn(given.decisions)
    took = f"{time.perf_counter() - began:.0f} s, of the processor {time.process_time() - busy:.0f} s"
    print(f"trained: {model.num_timesteps} decisions in {took}")

    def learnt(observation: np.ndarray, action_mask: np.ndarray) -> np.ndarray:
        return model.predict(observation, deterministic=True, action_masks=action_mask)[0]

    print(thoughtcache.compare(["lru", "worth", learnt], given.scenario, episodes=given.episodes))


if __name__ == "__main__":
    main()
