"""Whatever is called, with whatever arguments: a documented exception or the right thing, no crash and no hang."""

import copy
import multiprocessing
import os
import pickle
import signal
import threading
import time

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv

from thoughtcache import Env, VectorEnv, load_policy

SHORT = {"horizon_slots": 8}
MANY = 300  # more copies than one thread steps
DOCUMENTED = (ValueError, TypeError, RuntimeError)


def play(env, steps=40, seed=0):
    """Goes on from where the environment is."""
    generator = np.random.default_rng(seed)
    for _ in range(steps):
        masks = env.action_masks()
        if isinstance(env, VectorEnv):
            env.step(np.array([generator.choice(np.flatnonzero(mask)) for mask in masks]))
        elif env.step(generator.choice(np.flatnonzero(masks)))[3]:
            env.reset()
    return env.trajectory_hash


WRONG_ACTIONS = [
    (0.0, TypeError, "an action is a whole number, not 0.0"),
    (np.nan, TypeError, "an action is a whole number, not nan"),
    (True, TypeError, "an action is a whole number, not True"),
    (np.True_, TypeError, "an action is a whole number, not"),
    (None, TypeError, "an action is a whole number, not None"),
    ("0", TypeError, "an action is a whole number, not '0'"),
    (np.array([0.0]), TypeError, "an action is a whole number, not"),
    (np.array([0, 1]), TypeError, "an action is a whole number, not"),
    (np.zeros((1, 1), int), TypeError, "an action is a whole number, not"),
    (22, ValueError, "action 22 does not exist; tight has actions 0 to 21"),
    (-1, ValueError, "action -1 does not exist; tight has actions 0 to 21"),
    (2**32, ValueError, "action 4294967296 does not exist; tight has actions 0 to 21"),
    (2**63, ValueError, "action 9223372036854775808 does not exist; tight has actions 0 to 21"),
    (-(2**100), ValueError, "action -1267650600228229401496703205376 does not exist"),
]


@pytest.mark.parametrize(("action", "error", "message"), WRONG_ACTIONS)
def test_a_wrong_action_is_one_message_and_changes_nothing(action, error, message):
    env = Env("tight")
    env.reset(seed=0)
    before = env.snapshot()
    with pytest.raises(error, match=message):
        env.step(action)
    assert env.snapshot() == before
    assert play(env) != 0


@pytest.mark.parametrize("make", [lambda: Env("tight", render_mode="ansi"), lambda: VectorEnv("tight", 1, render_mode="ansi")])
def test_before_the_first_reset_and_after_close_everything_is_refused(make):
    def calls(env):
        yield lambda: env.step(0 if isinstance(env, Env) else np.zeros(1, int))
        yield env.action_masks
        yield env.details
        yield lambda: env.coordinates
        yield lambda: env.trajectory_hash
        yield env.render
        yield lambda: load_policy("lru", "tight").act(env)

    env = make()
    for call in calls(env):
        with pytest.raises(RuntimeError, match="reset"):
            call()
    assert isinstance(env, VectorEnv) or env._repr_svg_() is None
    env.reset(seed=0)
    env.close()
    env.close()
    for call in (*calls(env), env.reset, env.snapshot, lambda: env.restore(b"")):
        with pytest.raises(RuntimeError, match="closed"):
            call()
    for again in (copy.deepcopy(env), pickle.loads(pickle.dumps(env))):
        with pytest.raises(RuntimeError, match="closed"):
            again.reset()


@pytest.mark.parametrize("make", [lambda: Env("tight", overrides=SHORT), lambda: VectorEnv("tight", MANY, overrides=SHORT)])
def test_two_threads_on_one_environment_are_refused_or_right(make):
    env = make()
    env.reset(seed=0)
    action = 0 if isinstance(env, Env) else np.zeros(MANY, int)
    steps, unexpected, stop = [0, 0], [], time.monotonic() + 1.0

    def work(thread):
        while time.monotonic() < stop:
            try:
                env.step(action)
                steps[thread] += 1
            except RuntimeError as error:
                if "another thread is stepping this environment" in str(error):
                    continue
                try:  # an episode of `Env` has ended
                    env.reset()
                except RuntimeError as refused:
                    if "another thread" not in str(refused):
                        unexpected.append(refused)
            except BaseException as error:
                unexpected.append(error)
                raise

    threads = [threading.Thread(target=work, args=(thread,), daemon=True) for thread in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert not any(thread.is_alive() for thread in threads)
    assert sum(steps) > 10
    assert not unexpected
    env.reset(seed=0)
    assert play(env, 3) == play_of(make)


def play_of(make):
    env = make()
    env.reset(seed=0)
    return play(env, 3)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_steps_what_its_parent_stepped_with_threads():
    env = VectorEnv("tight", MANY, overrides=SHORT)
    env.reset(seed=0)
    play(env, 3)
    kept = env.snapshot()
    known = play(env, 3)
    env.restore(kept)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(30)  # the child ends, should it hang
        os.write(write, str(play(env, 3)).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as file:
        found = file.read()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert int(found) == known
    assert play(env, 3) == known, "the parent goes on too"


def in_child(connection, env, steps):
    connection.send(play(env, steps))


@pytest.mark.parametrize("make", [lambda: Env("tight", overrides=SHORT), lambda: VectorEnv("tight", MANY, overrides=SHORT)])
def test_a_spawned_process_goes_on_with_an_environment(make):
    env = make()
    env.reset(seed=3)
    play(env, 5)
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    child = context.Process(target=in_child, args=(there, env, 5))
    child.start()
    there.close()
    assert here.poll(60)
    found = here.recv()
    child.join(timeout=30)
    assert child.exitcode == 0
    assert found == play(env, 5)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
@pytest.mark.parametrize(
    "make",
    [
        lambda: Env("tight", overrides=SHORT),
        lambda: Env("street", overrides=SHORT, illegal_action="raise", purpose="validate"),
        lambda: VectorEnv("tight", 3, overrides=SHORT),
        lambda: VectorEnv("tight", 3, overrides=SHORT, copy=False, autoreset_mode="SameStep"),
    ],
)
def test_copies_in_the_middle_of_an_episode_go_on_alike(make, copied):
    env = make()
    fresh = copied(env)
    env.reset(seed=3)
    fresh.reset(seed=3)
    assert play(env, 13) == play(fresh, 13)
    again = copied(env)
    assert again.coordinates == env.coordinates
    assert play(again, 30) == play(env, 30)
    assert (again.purpose, again.illegal_action, again.metadata) == (env.purpose, env.illegal_action, env.metadata)


def test_vector_environments_of_gymnasium_play_ours():
    def made():
        # A process that was not forked imports the package by the part before the colon.
        return gymnasium.make("thoughtcache:thoughtcache/Tight-v0", overrides=SHORT)

    played = []
    for kind in (SyncVectorEnv, AsyncVectorEnv):
        envs = kind([made] * 2)
        observations, infos = envs.reset(seed=1)
        rows = [observations]
        for _ in range(30):
            observations, rewards, *_, infos = envs.step(np.array([mask.argmax() for mask in infos["action_mask"]]))
            rows += [observations, rewards]
        played.append((rows, envs.get_attr("unwrapped")[0].trajectory_hash if kind is SyncVectorEnv else None))
        envs.close()
    assert all((one == other).all() for one, other in zip(played[0][0], played[1][0], strict=True))


WRONG = [None, True, -1, 0, 5, 2**31, 2**63, 2**64, -(2**70), 0.5, np.nan, "x", b"0" * 9, [], [1], [[1]], {}, {"lane": 1}, (), print, 1j]
WRONG += [np.zeros(3), np.zeros(3, bool), np.ones(3, bool), np.zeros((3, 1), int), np.full(3, 99), np.full(3, -1), np.array(["a"] * 3)]
WRONG += [np.full(3, 2**64 - 1, np.uint64), np.array(None), np.zeros(3, "M8[s]"), np.zeros(0, int), np.int8(3), np.ones(3, object)]


def calls_of(generator, env, kept):
    """A call, as text and function: a right one two times in three."""
    is_vector = isinstance(env, VectorEnv)
    is_right = generator.random() < 2 / 3
    wrong = WRONG[generator.integers(len(WRONG))]
    kind = generator.choice(
        [
            "step",
            "reset",
            "seed",
            "options",
            "snapshot",
            "restore",
            "masks",
            "details",
            "hash",
            "coordinates",
            "render",
            "copy",
            "attribute",
        ],
        p=[0.6, 0.04, 0.06, 0.06, 0.03, 0.03, 0.06, 0.04, 0.03, 0.02, 0.01, 0.01, 0.01],
    )
    if kind == "step":
        right = generator.integers(env.single_action_space.n, size=3) if is_vector else generator.integers(env.action_space.n)
        return lambda: env.step(right if is_right else wrong)
    if kind == "seed":
        right = [None, 3, int(generator.integers(2**62))][generator.integers(3)]
        return lambda: env.reset(seed=right if is_right else wrong)
    if kind == "options":
        marks = generator.random(3) < 0.5
        right = {"reset_mask": marks} if is_vector else {"episode": int(generator.integers(9)), "lane": int(generator.integers(2**32))}
        names = list(right)
        broken = wrong if generator.random() < 0.3 else {names[generator.integers(len(names))]: wrong}
        return lambda: env.reset(options=right if is_right else broken)
    if kind == "restore":
        damaged = bytearray(kept[0])
        if not is_right and damaged:
            damaged[generator.integers(len(damaged))] ^= int(generator.integers(1, 256))
            wrong = [wrong, bytes(damaged), bytes(damaged[: generator.integers(len(damaged))])][generator.integers(3)]
        return lambda: env.restore(kept[0] if is_right else wrong)
    if kind == "snapshot":
        return lambda: kept.__setitem__(0, env.snapshot())
    if kind == "copy":
        return lambda: pickle.loads(pickle.dumps(env)).trajectory_hash
    return {
        "reset": env.reset,
        "masks": env.action_masks,
        "details": env.details,
        "hash": lambda: env.trajectory_hash,
        "coordinates": lambda: env.coordinates,
        "render": env.render,
        "attribute": lambda: (repr(env), env.scenario.toml, env.spec, env.np_random_seed),
    }[kind]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("part", range(4))
def test_random_calls_raise_documented_exceptions_only(part):
    """100,000 calls in all."""
    generator = np.random.default_rng(part)
    modes = ["NextStep", "SameStep", "Disabled"]
    refused = done = 0
    made: list = []
    for call in range(25_000):
        if call % 2500 == 0:
            scenario = ["tight", "paper", "tiny-drift4", "street"][generator.integers(4)]
            common = {
                "overrides": SHORT,
                "illegal_action": ["replace", "raise"][generator.integers(2)],
                "render_mode": ["ansi", None][generator.integers(2)],
            }
            vectors = VectorEnv(scenario, 3, autoreset_mode=modes[generator.integers(3)], copy=bool(generator.integers(2)), **common)
            made = [(Env(scenario, **common), [b""]), (vectors, [b""])]
        env, kept = made[generator.integers(2)]
        try:
            calls_of(generator, env, kept)()
            done += 1
        except DOCUMENTED as error:
            assert str(error)
            refused += 1
    for env, _ in made:
        env.reset(seed=1)
        play(env, 3)
    assert min(done, refused) > 5_000
