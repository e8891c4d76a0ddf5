"""The distribution `thoughtcache-cli`: the same program with its learners, on the libtorch of the installed PyTorch."""

import os
import sys
from importlib import metadata

from thoughtcache._native import __version__

PROGRAM = "thoughtcache-trainer"
# Names a program with learners that finds its libraries by itself: one that cargo has built, say.
VARIABLE = "THOUGHTCACHE_TRAINER"


def command(words: list[str]) -> tuple[list[str], dict[str, str]]:
    """The trainer with these words, and the variables with which it finds the libraries of PyTorch, which is not imported.

    Raises `RuntimeError` when it is not installed, or is of another version, or its PyTorch is.
    """
    if own := os.environ.get(VARIABLE):
        return [own, *words], dict(os.environ)
    trainer, torch = _installed("thoughtcache-cli"), _installed("torch")
    if trainer is None:
        raise RuntimeError(f"training needs the distribution thoughtcache-cli: pip install thoughtcache-cli=={__version__}")
    needed = next((line for line in trainer.requires or () if line.startswith("torch")), "")
    found = f"torch=={torch.version.partition('+')[0]}" if torch else "no torch"
    if torch is None or found != needed or trainer.version != __version__:
        asked = f"thoughtcache {trainer.version} and {needed}"
        there = f"thoughtcache {__version__} and {found}"
        raise RuntimeError(f"thoughtcache-cli {trainer.version} is not used: it needs {asked}, installed are {there}")
    program = next(str(trainer.locate_file(file)) for file in trainer.files or () if file.name == PROGRAM)
    folders = [str(torch.locate_file("torch/lib")), os.environ.get("LD_LIBRARY_PATH")]
    # The program's children inherit the folders.
    return [program, *words], {**os.environ, "LD_LIBRARY_PATH": os.pathsep.join(filter(None, folders))}


def hand_over(typed: list[str]) -> None:
    """Replaces this process by the program with learners where that is installed; else returns, with a warning where it cannot be used.

    Every command is handed over: which words ask for a learner is known to the program alone, and without learners it does the same.
    """
    if not os.environ.get(VARIABLE) and _installed("thoughtcache-cli") is None:
        return
    try:
        words, variables = command(typed[1:])
    except RuntimeError as error:
        print(f"warning: {error}", file=sys.stderr)
        return
    try:
        os.execve(words[0], typed, variables)
    except OSError as error:
        print(f"error: cannot start the trainer {words[0]}: {error.strerror}", file=sys.stderr)
        sys.exit(2)


def _installed(name: str) -> metadata.Distribution | None:
    try:
        return metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None
