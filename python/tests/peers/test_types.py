"""The stub of the native module says what the compiled module has, and the package keeps to its own types."""

import subprocess
import sys

import pytest

CORE = ["env", "vector", "judge", "check", "registration", "trainer"]


@pytest.mark.parametrize(
    "words",
    [
        ["mypy.stubtest", "thoughtcache._native", "--ignore-disjoint-bases"],
        ["mypy", "--strict", "--follow-imports=silent", *(word for name in CORE for word in ("-m", f"thoughtcache.{name}"))],
    ],
    ids=["stubs", "types"],
)
def test_nothing_is_found(words, tmp_path):
    done = subprocess.run([sys.executable, "-m", *words], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
