"""The scripts of `examples/` run as they are typed, cut short."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.mark.parametrize("name", ["train_with_sb3", "cleanrl_ppo"])
def test_an_example_trains_and_compares(name: str) -> None:
    typed = [sys.executable, "-W", "error", EXAMPLES / f"{name}.py", "--decisions", "4096", "--episodes", "2"]
    ran = subprocess.run(typed, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("trained") and "\nlearnt " in ran.stdout and "least-aot" in ran.stdout
