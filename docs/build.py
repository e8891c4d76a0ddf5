"""Builds the documentation site: `python docs/build.py PROGRAM RUSTDOC OUT`, which `cargo xtask docs` calls.

PROGRAM is the finished `thoughtcache`. Copies the pages of docs/ to OUT/source, adds the pages that are generated (scenarios, rules,
command line) and those that stand elsewhere in the repository, has Sphinx write OUT/html, and copies the rustdoc into it. Warnings are
errors, a link without a target among them. Takes nothing from the network.
"""

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
            page += ["", "## One episode", "", f"`thoughtcache scenario plot {name} --policy {RULES[kind]}` draws this episode.", ""]
            for picture in ("episode", "channel", "placements"):
                if (folder / f"{name}-{picture}.svg").is_file():
                    page += [f"![{name}, {picture}: what {RULES[kind]} does]({name}-{picture}.svg)", ""]
            page += ["## Description", "", f"`thoughtcache scenario describe {name}` prints this description.", ""]
            page += ["```text", tell("scenario", "describe", name).rstrip(), "```"]
        elif name.startswith("trace-"):
            page += ["", "This scenario needs its recording, so this page has no picture of it."]
        else:
            sys.exit(f"error: thoughtcache scenario plot {name}: {plotted.stderr.strip()}")
        page += ["", "## The file", "", "```toml", body.strip(), "```", ""]
        (folder / f"{name}.md").write_text("\n".join(page))
    index = ["# Scenarios", "", "A scenario is a world and nothing else. `--scenario NAME` plays one; a file of your own goes in the same place.", ""]
    index += ["| scenario | world |", "|---|---|", *rows, "", "```{toctree}", ":hidden:", "", *names, "```", ""]
    (folder / "index.md").write_text("\n".join(index))


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
             "the cheapest placement for what it decides.", "", "## Parameters", "",
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


if __name__ == "__main__":
    main()
