"""One cluster for all tests of this folder."""

import os
import shutil
import tempfile

import pytest
import ray
import torch
from ray._common.utils import get_default_ray_temp_dir
from ray.cluster_utils import Cluster

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def cluster():
    folder = tempfile.mkdtemp(prefix="tc")  # Ray's sockets need a short path
    # The cluster notes its address in Ray's usual folder, which a machine that has never run Ray has not.
    os.makedirs(get_default_ray_temp_dir(), exist_ok=True)
    os.environ.update(OMP_NUM_THREADS="1", RAYON_NUM_THREADS="1", TUNE_DISABLE_AUTO_CALLBACK_LOGGERS="1")
    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "temp_dir": folder, "include_dashboard": False})
    try:
        ray.init(nodes.address, logging_level="error", log_to_driver=False)
        yield nodes
    finally:
        ray.shutdown()
        nodes.shutdown()
        shutil.rmtree(folder, ignore_errors=True)
