"""The distribution `thoughtcache-cli`: the same program with its learners, on the libtorch of the installed PyTorch."""

import os
import sys
from importlib import metadata

from thoughtcache._native import __version__

PROGRAM = "thoughtcache-trainer"


def hand_over(typed: list[str]) -> None:
    """Replaces this process by the program with learners where that is installed; else returns.

    Every command is handed over: which words ask for a learner is known to the program alone, and without learners it does the same.
    A trainer of another version, or without its PyTorch, is not used; a warning says so. PyTorch is not imported.
    """
    trainer, torch = _installed("thoughtcache-cli"), _installed("torch")
    if trainer is None:
        return
    needed = next((line for line in trainer.requires or () if line.startswith("torch")), "")
    found = f"torch=={torch.version.partition('+')[0]}" if torch else "no torch"
    if torch is None or found != needed or trainer.version != __version__:
        asked = f"thoughtcache {trainer.version} and {needed}"
        there = f"thoughtcache {__version__} and {found}"
        print(f"warning: thoughtcache-cli {trainer.version} is not used: it needs {asked}, installed are {there}", file=sys.stderr)
        return
    program = next(str(trainer.locate_file(file)) for file in trainer.files or () if file.name == PROGRAM)
    folders = [str(torch.locate_file("torch/lib")), os.environ.get("LD_LIBRARY_PATH")]
    # The program's children inherit the folders.
    os.execve(program, typed, {**os.environ, "LD_LIBRARY_PATH": os.pathsep.join(filter(None, folders))})


def _installed(name: str) -> metadata.Distribution | None:
    try:
        return metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None
