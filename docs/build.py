"""Builds the documentation site: `python docs/build.py PROGRAM RUSTDOC OUT`, which `cargo xtask docs` calls.

PROGRAM is the finished `thoughtcache`. Copies the pages of docs/ to OUT/source, adds the pages that are generated (scenarios, rules,
command line, the docstrings of the Python package, the notebook) and those that stand elsewhere in the repository, has Sphinx write
OUT/html, and copies the rustdoc into it. Warnings are errors, a link without a target among them. Takes nothing from the network, and
reads the Python package without importing it.
"""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
# Pages that stand outside docs/: where they are, and what they are called in the site.
ELSEWHERE = {
    "configs/README.md": "configuration.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "runs/README.md": "runs.md",
}
# The rule that is played in a scenario's picture: a strong one for each kind of world.
RULES = {"physical": "amortised+myopic", "abstract": "worth"}
PACKAGE = ROOT / "python/thoughtcache"
# Modules that the package alone uses.
INSIDE = {"trainer"}
# A cell of a notebook's page, and what it prints and draws.
CELL = re.compile(r"^```python\n(.*?)^```\n((?:\n```text\n.*?^```\n|\n!\[[^\]]*\]\([^)]*\)\n)*)", re.MULTILINE | re.DOTALL)


def main():
    program, rustdoc, out = (Path(word).resolve() for word in sys.argv[1:])
    source, html = out / "source", out / "html"
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(DOCS, source, ignore=shutil.ignore_patterns("*.py[co]", "__pycache__", "build.py", "requirements.txt"))
    for path, page in ELSEWHERE.items():
        shutil.copyfile(ROOT / path, source / page)
    link_staged_pages(source)
    tell = Program(program)
    scenarios(tell, source / "scenarios")
    rules(tell, source / "rules.md")
    command_line(tell, source / "command-line.md")
    python_api(source)
    (source / "five-minutes.ipynb").write_text(notebook((DOCS / "five-minutes.md").read_text()))
    index_of(source / "results/README.md", sorted((source / "results").glob("[!R]*.md")))
    index_of(source / "decisions/README.md", sorted((source / "decisions").glob("[0-9]*.md")))
    sphinx = [sys.executable, "-m", "sphinx", "-b", "html", "-q", "-n", "-W", "--keep-going", "-j", "auto", "-d", out / "doctrees"]
    done = subprocess.run([*sphinx, source, html], cwd=ROOT)
    if done.returncode:
        sys.exit(1)
    shutil.rmtree(html / "rustdoc", ignore_errors=True)
    for link in re.findall(r'href="(rustdoc/[^"]+)"', (html / "rust-api.html").read_text()):
        if not (rustdoc / link.removeprefix("rustdoc/")).is_file():
            sys.exit(f"error: rust-api.md links to {link}, which rustdoc did not write")
    num_pages = sum(1 for _ in html.rglob("*.html"))
    print(f"{num_pages} pages: {html / 'index.html'}")
    shutil.copytree(rustdoc, html / "rustdoc")


class Program:
    """The finished program, asked for what it says."""

    def __init__(self, path):
        self.path = path

    def run(self, *words):
        environment = {**os.environ, "COLUMNS": "100"}
        return subprocess.run([self.path, *words], cwd=ROOT, env=environment, capture_output=True, text=True)

    def __call__(self, *words):
        done = self.run(*words)
        if done.returncode:
            sys.exit(f"error: thoughtcache {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout


def link_staged_pages(source):
    """Turns links that leave docs/ into links to the pages of the site; what the site does not have becomes a download."""
    origins = {source / path.relative_to(DOCS): path for path in DOCS.rglob("*.md")}
    origins.update({source / page: ROOT / path for path, page in ELSEWHERE.items()})
    staged = {origin: page for page, origin in origins.items()}
    staged[ROOT / "README.md"] = source / "index.md"

    def target(page, link):
        path, mark, anchor = link.partition("#")
        if not path or ":" in path:
            return link
        origin = (origins[page].parent / path).resolve()
        if origin.is_dir() and (origin / "README.md").is_file():
            origin /= "README.md"
        if origin in staged:
            place = staged[origin]
        elif origin.is_relative_to(DOCS) or not origin.is_file():
            place = source / origin.relative_to(DOCS) if origin.is_relative_to(DOCS) else source / path
        else:
            place = source / "files" / origin.relative_to(ROOT)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(origin, place)
        return os.path.relpath(place, page.parent) + mark + anchor

    for page in origins:
        text = page.read_text()
        text = re.sub(r"\]\(([^)\s]+)\)", lambda found: f"]({target(page, found[1])})", text)
        page.write_text(text)


def index_of(page, pages):
    """Lists the pages of a folder in the navigation."""
    lines = "\n".join(other.stem for other in pages)
    page.write_text(f"{page.read_text()}\n```{{toctree}}\n:hidden:\n\n{lines}\n```\n")


def scenarios(tell, folder):
    """A page for each shipped scenario: the head of its file, a picture, what the program says of it, and the file."""
    folder.mkdir()
    listed = json.loads(tell("scenario", "list", "--json"))
    names = [scenario["name"] for scenario in listed]
    rows = []
    for name in names:
        text = (ROOT / f"configs/scenarios/{name}.toml").read_text()
        head, body = head_of(text)
        title = head[0].partition(": ")[2].rstrip(".")
        rows.append(f"| [{name}]({name}.md) | {title} |")
        kind = "physical" if "\n[physical" in text else "abstract"
        page = [f"# {name}", "", title[0].upper() + title[1:] + ".", "", *prose(head[1:])]
        plotted = tell.run("scenario", "plot", name, "--policy", RULES[kind], "--out", str(folder), "--quiet")
        if plotted.returncode == 0:
            page += ["", *in_python(name, json.loads(tell("scenario", "describe", name, "--json")))]
            page += ["## One episode", "", f"`thoughtcache scenario plot {name} --policy {RULES[kind]}` draws this episode.", ""]
            for picture in ("state", "episode", "channel", "placements"):
                if (folder / f"{name}-{picture}.svg").is_file():
                    page += [f"![{name}, {picture}: what {RULES[kind]} does]({name}-{picture}.svg)", ""]
            page += ["## Description", "", f"`thoughtcache scenario describe {name}` prints this description.", ""]
            page += ["```text", tell("scenario", "describe", name).rstrip(), "```"]
        elif name.startswith("trace-"):
            page += ["", "This scenario needs its recording, so this page has no picture of it.", "", *in_python(name, None)]
        else:
            sys.exit(f"error: thoughtcache scenario plot {name}: {plotted.stderr.strip()}")
        page += ["", "## The file", "", "```toml", body.strip(), "```", ""]
        (folder / f"{name}.md").write_text("\n".join(page))
    index = ["# Scenarios", "", "A scenario is a world and nothing else. `--scenario NAME` plays one; a file of your own goes in the same place.", ""]
    index += ["| scenario | world |", "|---|---|", *rows, "", "```{toctree}", ":hidden:", "", *names, "```", ""]
    (folder / "index.md").write_text("\n".join(index))


def in_python(name, described):
    """How Gymnasium makes a scenario, and its spaces."""
    called = "".join(part.capitalize() for part in name.split("-"))
    return ["## In Python", "", "```python", "import gymnasium", "import thoughtcache", "",
            f'env = gymnasium.make("thoughtcache/{called}-v0")', "```", "",
            *([f"An observation has {described['num_entries']} numbers, and there are {described['num_actions']} actions; the description",
               "below names them."] if described else ["The recording is looked for in the current directory."]),
            "[Environments](../environments.md) says what a step returns.", ""]


def head_of(text):
    """Splits a file into the lines of its leading comment, without their marks, and the rest."""
    lines = text.splitlines()
    end = next(i for i, line in enumerate(lines) if not line.startswith("#"))
    return [line[1:].removeprefix(" ") for line in lines[:end]], "\n".join(lines[end:])


def prose(lines):
    """Comment lines as Markdown; what is indented is shown as it is typed."""
    indented = re.compile(r"(?:^  .*\n)+", re.MULTILINE)
    return indented.sub(lambda block: f"\n```text\n{textwrap.dedent(block[0])}```\n\n", "\n".join([*lines, ""])).splitlines()


def rules(tell, page):
    """The registry of heuristics: what each does and what it can be tuned by."""
    listed = json.loads(tell("rules", "--json"))
    text = ["# Rules", "", "Every rule of the registry, as `thoughtcache rules` lists them. A rule sees the observation and the mask that a",
            "learner sees. `thoughtcache tune` finds values of its parameters on validation episodes; a scenario keeps them in",
            "`[policies.RULE]`.", "", "| rule | what it does | decides | scenarios |", "|---|---|---|---|"]
    for rule in listed:
        text.append(f"| `{rule['name']}` | {rule['description']} | {rule['decides']} | {rule['scenarios']} |")
    text += ["", "In physical scenarios every rule about a cache has a second name, `RULE+myopic`: the same rule with the same parameters, and",
             "the cheapest placement for what it decides. Every rule looks ahead as `rollout(RULE)`: it tries actions on drawn futures before it",
             "takes one ([Bounds and regret](bounds.md)).", "", "## Parameters", "",
             "| rule | parameter | meaning | default | range |", "|---|---|---|---:|---|"]
    for rule in listed:
        for one in rule["parameters"]:
            text.append(f"| `{rule['name']}` | `{one['name']}` | {one['description']} | {one['default']:g} | {one['low']:g} to {one['high']:g} |")
    page.write_text("\n".join(text) + "\n")


def command_line(tell, page):
    """The help of the program and of every subcommand."""
    text = ["# Command line", "", "This page has the help of every command. From a clone the program is called `target/release/thoughtcache`, or",
            "`cargo run --release --` in place of its name.", ""]

    def add(words):
        said = tell(*words, "--help").rstrip()
        text.extend(["#" * (len(words) + 2) + " " + " ".join(["thoughtcache", *words]), "", "```text", said, "```", ""])
        commands = re.search(r"^Commands:\n((?:  .*\n|\n(?=  ))+)", said, re.MULTILINE)
        for name in re.findall(r"^  (\w[\w-]*)  ", commands[1], re.MULTILINE) if commands else []:
            if name != "help":
                add([*words, name])

    add([])
    page.write_text("\n".join(text))


def python_api(source):
    """Two pages from the docstrings of the Python package: its environments, and the rest with the adapters."""
    modules = {path.stem: public(path.read_text()) for path in [PACKAGE / "_native.pyi", *sorted(PACKAGE.glob("[!_]*.py"))]}
    core = {}
    for node in ast.parse((PACKAGE / "__init__.py").read_text()).body:
        if isinstance(node, ast.ImportFrom):
            found = modules.pop(node.module.rpartition(".")[2])
            core.update({name.name: found[name.name] for name in node.names if name.name in found})
    environments = ["Env", "VectorEnv"]
    text = ["# Environments", "", "`gymnasium.make` makes an `Env`, `gymnasium.make_vec` a `VectorEnv`, under the names of",
            "[the scenarios](scenarios/index.md). This page has their docstrings.", ""]
    for name in environments:
        text += entry("thoughtcache", core[name], 2)
    (source / "environments.md").write_text("\n".join(text))
    text = ["# Python API", "", "[Environments](environments.md) has `Env` and `VectorEnv`.", "", "## `thoughtcache`", ""]
    for name in sorted(core.keys() - set(environments)):
        text += entry("thoughtcache", core[name], 3)
    for module in sorted(modules.keys() - INSIDE):
        said = ast.get_docstring(ast.parse((PACKAGE / f"{module}.py").read_text()))
        text += [f"## `thoughtcache.{module}`", "", *doc(said, 3)]
        for node in modules[module].values():
            text += entry(f"thoughtcache.{module}", node, 3)
    (source / "python-api.md").write_text("\n".join(text))


def public(code):
    """Classes and functions of a module that have a docstring and no underscore; constants in their signatures are numbers."""
    tree = ast.parse(code)
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            for name in ast.walk(tree):
                if isinstance(name, ast.arguments):
                    name.kw_defaults = [node.value if getattr(at, "id", "") == node.targets[0].id else at for at in name.kw_defaults]
    nodes = [node for node in tree.body if isinstance(node, (ast.ClassDef, ast.FunctionDef))]
    return {node.name: node for node in nodes if node.name[0] != "_" and ast.get_docstring(node)}


def entry(module, node, level):
    """A class with its methods, or a function: signature and docstring. A class that is not made by its user has no signature."""
    is_class = isinstance(node, ast.ClassDef)
    methods = [method for method in node.body if isinstance(method, ast.FunctionDef)] if is_class else []
    text = ["#" * level + f" `{node.name}`", ""]
    for made in [method for method in methods if method.name in ("__init__", "__new__")] if is_class else [node]:
        if not is_class or made.args.defaults or made.args.kwonlyargs or made.args.kwarg:
            text += ["```python", f"{module}.{node.name}({arguments(made)})", "```", ""]
    text += doc(ast.get_docstring(node), level + 1)
    methods = [method for method in methods if (method.name[0] != "_" or method.name == "__call__") and ast.get_docstring(method)]
    if methods:
        text += ["#" * (level + 1) + " Methods", ""]
    for method in methods:
        is_property = any(getattr(mark, "id", "") == "property" for mark in method.decorator_list)
        called = method.name if is_property else f"{method.name}({arguments(method)})"
        text += [textwrap.indent(f"`{called}`: {ast.get_docstring(method)}", "  ").replace("  ", "- ", 1), ""]
    return text


def arguments(function):
    """Names and defaults of the arguments, types left out."""
    given = function.args
    for one in [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]:
        if one is not None:
            one.annotation = None
    return re.sub(r"^(self|cls)(, )?", "", ast.unparse(given))


def doc(text, level):
    """A docstring as Markdown: its headings below the level of the page, lines of an interpreter as code, names in place of links."""
    text = re.sub(r"^##(?= )", "#" * level, text, flags=re.MULTILINE)
    text = re.sub(r"(?:^(?:>>>|\.\.\.).*(?:\n|$))+", lambda lines: f"```python\n{lines[0].rstrip()}\n```\n", text, flags=re.MULTILINE)
    return [*re.sub(r"\]\(thoughtcache\.\w+\)", "]", text).replace("[`", "`").replace("`]", "`").splitlines(), ""]


def notebook(text):
    """A page as a notebook: each block of Python is a cell, what it prints and draws is left out."""
    cells, at = [], 0

    def add(kind, source, **more):
        if source.strip():
            lines = source.strip().splitlines(keepends=True)
            cells.append({"cell_type": kind, "id": f"cell-{len(cells)}", "metadata": {}, "source": lines, **more})

    for found in CELL.finditer(text):
        add("markdown", text[at : found.start()])
        add("code", found[1], execution_count=None, outputs=[])
        at = found.end()
    add("markdown", text[at:])
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return json.dumps({"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}, indent=1) + "\n"


if __name__ == "__main__":
    main()
