"""Hands commands that train to the program of the distribution `thoughtcache-cli`, which has the learners."""

import importlib.util
import os
import sys
from pathlib import Path

PROGRAM = "thoughtcache-trainer"
VARIABLE = "THOUGHTCACHE_TRAINER"
# Of these only the distribution with libtorch can do anything; the rest is in this one.
COMMANDS = ("train", "verify")


def is_needed(typed: list[str]) -> bool:
    """Whether these words, the program's name first, ask for a learner."""
    words = [word for word in typed[1:] if not word.startswith("-")]
    is_training = words[:1] and (words[0] in COMMANDS or words[:2] in (["bench", "train"], ["bench", "tiny"]))
    return bool(is_training) and "--help" not in typed and "-h" not in typed and find() is not None


def find() -> Path | None:
    """The program: the one that `THOUGHTCACHE_TRAINER` names, or that of `thoughtcache-cli` where it is installed."""
    place = Path(os.environ.get(VARIABLE) or Path(sys.prefix) / ("Scripts" if os.name == "nt" else "bin") / PROGRAM)
    return place if place.is_file() else None


def torch_libraries() -> Path:
    """The folder of libtorch in the installed PyTorch, which is not imported."""
    found = importlib.util.find_spec("torch")
    if found is None or not found.submodule_search_locations:
        raise RuntimeError("the trainer needs PyTorch 2.11.0: pip install torch==2.11.0")
    return Path(found.submodule_search_locations[0]) / "lib"


def command(words: list[str]) -> tuple[list[str], dict[str, str]]:
    """The trainer with these words, and the variables with which it finds the libraries of PyTorch.

    Raises `RuntimeError` when the program or PyTorch is not installed.
    """
    program = find()
    if program is None:
        raise RuntimeError("training needs the distribution thoughtcache-cli: pip install thoughtcache-cli")
    libraries = os.pathsep.join(filter(None, [str(torch_libraries()), os.environ.get("LD_LIBRARY_PATH")]))
    return [str(program), *words], {**os.environ, "LD_LIBRARY_PATH": libraries}


def run(typed: list[str]) -> None:
    """Replaces this process by the trainer."""
    try:
        words, variables = command(typed[1:])
    except RuntimeError as error:
        sys.exit(f"error: {error}")
    os.execve(words[0], words, variables)
