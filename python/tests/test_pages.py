"""Every block of Python in README, docs and docstrings works, and prints what the page says after it.

The blocks of a page are one program, in a folder of its own. `python python/tests/test_pages.py` writes into the pages what they print.
"""

import ast
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Budgets: what stands on a page, and what is run in its place. What such a page prints is not compared.
CUT = {
    "model.learn(200_000)": "model.learn(4_096)",
    "model.learn(100_000)": "model.learn(2_048)",
    ".learn(100_000)": ".learn(4_096)",
    "unmasked.learn(50_000)": "unmasked.learn(1_200)",
    "range(20):\n    algorithm.train()": "range(1):\n    algorithm.train()",
    "num_env_runners=2": "num_env_runners=0",
    '[learnt, "worth"], "tight", episodes=10': '[learnt, "worth"], "tight", episodes=1',
    '[learnt, "worth", "lru"], "tight"': '[learnt, "worth", "lru"], "tight", episodes=1',
    'PPO("MlpPolicy", SB3VecEnv("tight", 16), ': 'PPO("MlpPolicy", SB3VecEnv("tight", 16), n_steps=64, ',
    "seeds=range(100)": "seeds=range(2)",
}
# Lines and blocks that are not run, by a part of them, and why.
NOT_RUN = {
    "thoughtcache.ray.train(": "trains for minutes with the distribution thoughtcache-cli; rllib/test_ray.py runs such trials",
    "num_env_runners=4": "the page about Ray runs the same with less",
}
# Libraries that only one of the two environments has; see conftest.py.
RAY = r"^(?:from|import) .*\b(ray|rllib)\b"
PEERS = r"^(?:from|import) .*\b(pandas|pettingzoo|sb3|sb3_contrib|stable_baselines3|tianshou|torchrl)\b"
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
MARK = "--- the next block"
RUNNER = f"""
import json, sys
namespace = {{"__name__": "__main__"}}
for name, code in json.load(sys.stdin):
    print({MARK!r}, flush=True)
    exec(compile(code, name, "exec"), namespace)
"""


def pages() -> dict[str, list[tuple[str, str | None]]]:
    """The blocks of each page, and what it says that they print. Lines have the numbers of the page."""
    found = {}
    for path in [ROOT / "README.md", ROOT / "python/README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        text = path.read_text()
        blocks = [("\n" * text[: block.start(1)].count("\n") + block[1], block[2]) for block in BLOCK.finditer(text)]
        found[str(path.relative_to(ROOT))] = blocks
    for path in sorted((ROOT / "python/thoughtcache").glob("*.py")):
        tree = ast.parse(path.read_text())
        for node in [tree, *tree.body]:
            said = ast.get_docstring(node) if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) else None
            if said:
                typed = "".join(f"{line[4:]}\n" for line in said.splitlines() if line.startswith((">>> ", "... ")))
                blocks = [block[1] for block in BLOCK.finditer(said + "\n")] + ([typed] if typed else [])
                name = f"{path.relative_to(ROOT)}:{getattr(node, 'name', '')}"
                found[name] = [("import gymnasium, thoughtcache\n" + block, None) for block in blocks]
    return {name: blocks for name, blocks in found.items() if blocks}


PAGES = pages()


def code_of(name: str) -> str:
    return "\n".join(code for code, _ in PAGES[name])


def run(name: str, folder: Path) -> list[str]:
    """What each block prints."""
    blocks = []
    for code, _ in PAGES[name]:
        if any(part in code for part in NOT_RUN):
            code = ""
        for text, small in CUT.items():
            code = code.replace(text, small)
        blocks.append((str(ROOT / name), code))
    variables = {**os.environ, "MPLBACKEND": "agg", "OMP_NUM_THREADS": "1", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
    done = subprocess.run(
        [sys.executable, "-c", RUNNER], input=json.dumps(blocks), cwd=folder, env=variables, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, f"{name}\n{done.stdout}\n{done.stderr}"
    return done.stdout.split(f"{MARK}\n")[1:]


def is_whole(name: str) -> bool:
    return not any(text in code_of(name) for text in [*CUT, *NOT_RUN])


def belongs_here(name: str) -> bool:
    has_ray = importlib.util.find_spec("ray") is not None
    return not re.search(PEERS if has_ray else RAY, code_of(name), re.MULTILINE)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_works_and_prints_what_it_says(name, tmp_path):
    if not belongs_here(name):
        pytest.skip("its libraries are those of the other environment")
    printed = run(name, tmp_path)
    if is_whole(name):
        for (_, said), found in zip(PAGES[name], printed, strict=True):
            assert said is None or said == found, f"{name} is stale; type: python python/tests/test_pages.py"


def test_each_page_runs_in_one_environment_and_each_exception_is_needed():
    for name in PAGES:
        assert not all(re.search(libraries, code_of(name), re.MULTILINE) for libraries in (RAY, PEERS)), name
    everything = "\n".join(map(code_of, PAGES))
    for text in [*CUT, *NOT_RUN]:
        assert text in everything, text


def write() -> None:
    """Puts into the pages what their blocks print."""
    for name in PAGES:
        if belongs_here(name) and is_whole(name) and any(said is not None for _, said in PAGES[name]):
            with tempfile.TemporaryDirectory() as folder:
                printed = iter(run(name, Path(folder)))

            def fresh(block: re.Match[str]) -> str:
                found = next(printed)  # noqa: B023
                return block[0] if block[2] is None else f"```python\n{block[1]}```\n\n```text\n{found}```\n"

            (ROOT / name).write_text(BLOCK.sub(fresh, (ROOT / name).read_text()))


if __name__ == "__main__":
    write()
