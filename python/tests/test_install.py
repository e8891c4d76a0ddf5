"""The command line that the package installs; from a folder of sources, `python -m thoughtcache`."""

import json
import re
import signal
import subprocess
import sys
import sysconfig
import time
from importlib import metadata
from pathlib import Path

import pytest
import thoughtcache

SCRIPT = Path(sysconfig.get_path("scripts"), "thoughtcache")
MODULE = [sys.executable, "-m", "thoughtcache"]
TYPED = [str(SCRIPT)] if SCRIPT.is_file() else MODULE


def is_installed(distribution):
    return any(True for _ in metadata.distributions(name=distribution))


def run(*words, typed=TYPED, code=0):
    done = subprocess.run([*typed, *words], capture_output=True, text=True, timeout=120)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def catches_ctrl_c(pid):
    caught = re.search(r"SigCgt:\s*(\w+)", Path(f"/proc/{pid}/status").read_text())[1]
    return bool(int(caught, 16) & 1 << signal.SIGINT - 1)


def test_there_is_one_version():
    assert run("--version").stdout == f"thoughtcache {thoughtcache.__version__}\n"
    if is_installed("thoughtcache"):
        assert metadata.version("thoughtcache") == thoughtcache.__version__


def test_every_shipped_scenario_is_listed():
    lines = run("scenario", "list").stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == list(thoughtcache.scenarios())


def test_compare_prints_what_compare_returns():
    document = json.loads(run("compare", "--scenario", "tight", "lru", "worth", "--episodes", "4", "--json").stdout)
    returned = thoughtcache.compare(["lru", "worth"], "tight", episodes=4)
    del returned["verdict"]  # a sentence, which the program prints below its table
    for table in document, returned:
        for policy in table["policies"]:
            del policy["decide_us"]  # a time
    assert document == returned
    assert {policy["name"] for policy in document["policies"]} == {"lru", "worth", "least-aot"}


def test_evaluate_plays_the_episodes_of_compare():
    words = ["lru", "--scenario", "tight", "--episodes", "4", "--json"]
    evaluated, compared = (json.loads(run(command, *words).stdout) for command in ("evaluate", "compare"))
    cost = {policy["name"]: policy["mean_cost"] for policy in compared["policies"]}
    assert evaluated["policies"][0]["mean_cost"] == cost["lru"]


def test_the_other_commands_answer():
    assert "import" in run("trace", "--help").stdout
    rules = run("rules").stdout
    assert re.search("^least-aot ", rules, re.MULTILINE) and re.search("^worth ", rules, re.MULTILINE)
    assert json.loads(run("bench", "env", "--seconds", "1", "--json").stdout)["scenario"] == "street"


def test_the_doctor_knows_the_version_and_whether_there_are_learners():
    report = json.loads(run("doctor", "--json", typed=MODULE).stdout)
    assert report["version"] == thoughtcache.__version__
    assert ("present" in report["learners"]) == is_installed("thoughtcache-cli")


def test_a_failed_criterion_is_exit_code_1():
    done = run("bench", "env", "--scenario", "tight", "--seconds", "0.1", "--at-least", "1e15", code=1)
    assert "was stated" in done.stderr


def test_a_mistake_is_exit_code_2_with_the_text_of_the_exception():
    done = run("compare", "--scenario", "nowhere", code=2)
    with pytest.raises(ValueError) as raised:
        thoughtcache.Scenario("nowhere")
    assert (done.stdout, done.stderr) == ("", f"error: {raised.value}\n")
    assert "'compare'" in run("compre", code=2).stderr


@pytest.mark.skipif(is_installed("thoughtcache-cli"), reason="the trainer is installed")
@pytest.mark.parametrize("words", ["train --config none.toml", "--quiet verify determinism none.toml", "bench train --config none.toml"])
def test_without_the_trainer_one_line_says_what_to_install(words):
    done = run(*words.split(), code=2)
    assert done.stderr.count("\n") == 1
    assert f"pip install thoughtcache-cli=={thoughtcache.__version__}" in done.stderr


def test_ctrl_c_ends_a_command():
    running = subprocess.Popen([*TYPED, "bench", "env", "--seconds", "600"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for is_python in True, False:  # Python catches Ctrl-C while it starts, and hands it to the program
        while is_python != catches_ctrl_c(running.pid):
            assert running.poll() is None
            time.sleep(0.005)
    running.send_signal(signal.SIGINT)
    said, complaints = running.communicate(timeout=10)
    assert running.returncode == -signal.SIGINT  # 130 in a shell
    assert (said, complaints) == ("", "")


def test_a_reader_that_goes_away_is_no_mistake():
    pipe = f"{subprocess.list2cmdline(TYPED)} scenario describe tight | head -1; exit ${{PIPESTATUS[0]}}"
    done = run("-c", pipe, typed=["bash"])
    assert done.stdout.count("\n") == 1 and done.stderr == ""
