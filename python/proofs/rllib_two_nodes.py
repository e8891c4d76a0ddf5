"""RLlib's PPO with our masked module on a cluster of two nodes: the validation cost falls by 20 % within five minutes.

    python python/proofs/rllib_two_nodes.py

Needs `thoughtcache[rllib]`. The nodes are processes of this machine. Prints the cost per slot of 20 validation episodes, played greedily,
of the untrained policy and then after every few updates; ends with 0 as soon as the bar is met, and with 1 when the time is over.
"""

import os
import sys
import tempfile
import time

os.environ.update(OMP_NUM_THREADS="1", RAYON_NUM_THREADS="1")  # for the processes of all nodes

import ray
from ray._common.utils import get_default_ray_temp_dir
from ray.cluster_utils import Cluster
from ray.rllib.algorithms.algorithm import Algorithm

from thoughtcache import Scenario, rllib

BAR, LIMIT_S, SEED, UPDATES = 0.20, 300.0, 1, 4


def cost(algorithm: Algorithm, horizon_slots: int) -> float:
    """The mean cost of a slot over the validation episodes."""
    played = algorithm.evaluate()["env_runners"]
    assert played["num_episodes"] == rllib.VALIDATION_EPISODES, played
    return -played["episode_return_mean"] / horizon_slots


def main() -> int:
    """Returns the exit code."""
    horizon_slots = Scenario("tight").horizon_slots
    # Three runners that sample and one that validates fill both nodes.
    algorithm = (
        rllib.ppo_config("tight", num_env_runners=3, num_envs_per_env_runner=32, seed=SEED)
        .training(
            gamma=0.99, lambda_=0.95, lr=6e-4, entropy_coeff=0.003, clip_param=0.2, grad_clip=0.5, use_kl_loss=False,
            train_batch_size_per_learner=4_096, minibatch_size=512, num_epochs=4,
        )
        .build_algo()
    )
    where = algorithm.env_runner_group.foreach_env_runner(lambda _: ray.get_runtime_context().get_node_id(), local_env_runner=False)
    assert len(set(where)) == 2, where
    untrained, begin = cost(algorithm, horizon_slots), time.monotonic()
    print(f"     0 s  {0:>9,} decisions  {untrained:.5f} per slot, untrained", flush=True)
    found, elapsed_s = untrained, 0.0
    while found > (1 - BAR) * untrained and elapsed_s < LIMIT_S:
        for _ in range(UPDATES):
            taken = algorithm.train()["env_runners"]["num_env_steps_sampled_lifetime"]
        found, elapsed_s = cost(algorithm, horizon_slots), time.monotonic() - begin
        print(f"{elapsed_s:>6.0f} s  {int(taken):>9,} decisions  {found:.5f} per slot, {100 * (found / untrained - 1):+.1f} %", flush=True)
    algorithm.stop()
    has_met = found <= (1 - BAR) * untrained and elapsed_s <= LIMIT_S
    verdict = "holds" if has_met else "DOES NOT HOLD"
    print(f"{len(set(where))} nodes: {100 * (found / untrained - 1):+.1f} % after {elapsed_s:.0f} s: {verdict}")
    return 0 if has_met else 1


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        # The cluster notes its address in Ray's usual folder, which a machine that has never run Ray has not.
        os.makedirs(get_default_ray_temp_dir(), exist_ok=True)
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "temp_dir": folder, "include_dashboard": False})
        cluster.add_node(num_cpus=2)
        try:
            ray.init(cluster.address, logging_level="error")
            code = main()
        finally:
            ray.shutdown()
            cluster.shutdown()
    sys.exit(code)
