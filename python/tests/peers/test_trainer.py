"""Training from two wheels: `thoughtcache`, whose script is typed, and `thoughtcache-cli`, whose program learns."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import pytest
import thoughtcache
from thoughtcache import trainer

try:
    CLI = metadata.distribution("thoughtcache-cli")
except metadata.PackageNotFoundError:
    pytest.skip("thoughtcache-cli is not installed", allow_module_level=True)

TYPED = [sys.executable, "-m", "thoughtcache"]
PROGRAM = next(file.locate() for file in CLI.files if file.name == trainer.PROGRAM)
CONFIG = Path(__file__).parents[3] / "configs/experiments/tight-ppo.toml"
SHORT = [
    "agent.ppo.n_envs=8", "agent.ppo.n_steps=64", "agent.ppo.batch_size=128", "agent.ppo.net_arch=[32,32]",
    "eval_every_decisions=1_024", "scenario.horizon_slots=20", "eval_episodes=20",
]  # fmt: skip


def train(folder, *more, decisions=2_048):
    settings = [word for setting in [*SHORT, f"decisions={decisions}"] for word in ("--set", setting)]
    return [*TYPED, "train", "--config", str(CONFIG), "--out", str(folder), *settings, *more]


def run(typed, code=0, **options):
    done = subprocess.run([str(word) for word in typed], capture_output=True, text=True, timeout=120, **options)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def test_the_doctor_finds_the_libtorch_of_the_installed_pytorch():
    found = json.loads(run([*TYPED, "doctor", "--json"]).stdout)["learners"]["present"]
    torch = metadata.distribution("torch")
    assert Path(found["path"]).samefile(torch.locate_file("torch/lib/libtorch_cpu.so"))
    assert found["version"].startswith("2.11.0") and found["smoke_test_ms"] > 0


def test_the_distributions_have_one_version_and_one_torch():
    assert CLI.version == thoughtcache.__version__
    assert {"thoughtcache", "torch==2.11.0"} == set(CLI.requires)
    assert not any(file.name == "thoughtcache" for file in CLI.files)


def test_the_program_needs_no_newer_glibc_than_its_tag_says_and_knows_no_folder_of_libtorch():
    program = PROGRAM.read_bytes()
    assert max(int(minor) for minor in re.findall(rb"GLIBC_2\.(\d+)", program)) <= 35
    assert b".libtorch/lib" not in program


def test_children_train_each_seed_to_the_bytes_of_training_alone(tmp_path):
    both, alone = tmp_path / "both", tmp_path / "alone"
    run(train(both, "--seeds", "1..2"))
    run(train(alone, "--seed", "2", "--quiet"))
    networks = sorted(file.relative_to(alone) for file in alone.glob("checkpoints/**/*.safetensors"))
    assert networks
    for file in networks:
        assert (alone / file).read_bytes() == (both / "seed-2" / file).read_bytes()
    assert thoughtcache.load_policy(alone).kind != "heuristic"
    run([*TYPED, "verify", "determinism", alone / "config.toml"])


def test_ctrl_c_ends_a_run_in_good_order_and_it_goes_on(tmp_path):
    folder = tmp_path / "run"
    training = subprocess.Popen(train(folder, decisions=100_000_000), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not list(folder.glob("checkpoints/*")):
        assert training.poll() is None, training.communicate()
        time.sleep(0.1)
    training.send_signal(signal.SIGINT)
    said, notes = training.communicate(timeout=60)
    assert training.returncode == 130, notes
    assert "once more to end at once" in notes and f"--resume {folder}" in said + notes
    run([*TYPED, "train", "--resume", folder, "--time-limit", "1s"])


def test_a_trainer_that_cannot_be_started_is_a_mistake_of_one_line():
    done = run([*TYPED, "rules"], code=2, env={**os.environ, trainer.VARIABLE: "/no/such/program"})
    assert done.stderr == "error: cannot start the trainer /no/such/program: No such file or directory\n"


def test_a_trainer_without_its_pytorch_is_not_used_and_everything_but_training_works(tmp_path):
    (tmp_path / "torch-9.0.0.dist-info").mkdir()
    (tmp_path / "torch-9.0.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 9.0.0\n")
    other = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
    done = run([*TYPED, "rules"], env=other)
    assert "needs thoughtcache 0." in done.stderr and "torch==9.0.0" in done.stderr and done.stderr.count("\n") == 1
    assert "least-aot" in done.stdout
    assert "pip install thoughtcache-cli==" in run([*TYPED, "train", "--config", CONFIG], code=2, env=other).stderr
