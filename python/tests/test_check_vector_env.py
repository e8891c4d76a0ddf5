"""The checker of vector environments passes those that are right, and finds the one rule that a sibling breaks."""

import re
import time
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv, VectorWrapper

import thoughtcache
from thoughtcache import VectorEnvError, check_vector_env

STEPS = 60  # CartPole falls after about 20 random actions
NEXT, SAME, DISABLED = AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP, AutoresetMode.DISABLED


def cart_poles(mode=NEXT, kind=SyncVectorEnv, **kwargs):
    return kind([lambda: gymnasium.make("CartPole-v1")] * 3, autoreset_mode=mode, **kwargs)


def ours(mode=NEXT, scenario="tight", **kwargs):
    return thoughtcache.VectorEnv(scenario, 3, autoreset_mode=mode, overrides={"horizon_slots": 10}, **kwargs)


@pytest.mark.parametrize("mode", list(AutoresetMode))
@pytest.mark.parametrize("copies", [True, False])
def test_environments_of_gymnasium_and_ours_are_right_in_each_mode(mode, copies):
    check_vector_env(cart_poles(mode, copy=copies), STEPS)
    for scenario in ("tight", "street"):
        check_vector_env(ours(mode, scenario, copy=copies), 200)


@pytest.mark.parametrize("mode", [NEXT, SAME])
def test_processes_of_gymnasium_are_right(mode):
    check_vector_env(cart_poles(mode, AsyncVectorEnv), STEPS)


@pytest.mark.parametrize("name", ["Blackjack-v1", "FrozenLake-v1"])
@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_observations_that_are_tuples_or_numbers_are_checked_too(name, mode):
    check_vector_env(SyncVectorEnv([lambda: gymnasium.make(name)] * 2, autoreset_mode=mode), STEPS)


def found(env, steps=STEPS):
    with pytest.raises(VectorEnvError) as error:
        check_vector_env(env, steps)
    env.unwrapped.close()
    return str(error.value)


def test_what_gymnasium_does_not_keep_is_found():
    """Three faults that Gymnasium 1.2.2 and 1.4.0 have: where one is gone, this test says so."""
    assert re.search(
        "the step of a copy that has ended raises; AsyncVectorEnv.* after step 12", found(cart_poles(DISABLED, AsyncVectorEnv))
    )
    assert "a reset right after an end begins anew; AsyncVectorEnv" in found(cart_poles(NEXT, AsyncVectorEnv, shared_memory=False))
    env = gymnasium.make_vec("CartPole-v1", 3, vectorization_mode="vector_entry_point")
    assert "rewards: an array of float64 of shape (3,); CartPoleVectorEnv(CartPole-v1, num_envs=3) in step 0: float32" in found(env)

    class Doubles(VectorWrapper):
        def step(self, actions):
            observations, rewards, *rest = self.env.step(actions)
            return observations, rewards.astype(np.float64), *rest

    assert "closed is True after close" in found(Doubles(gymnasium.make_vec("CartPole-v1", 3, vectorization_mode="vector_entry_point")))


class Changed(VectorWrapper):
    """A right environment of which one thing is changed: attributes, or what `reset` or `step` return."""

    def __init__(self, env, step=None, reset=None, **attributes):
        super().__init__(env)
        self.change_step, self.change_reset, self.calls, self.actions = step, reset, 0, None
        for name, value in attributes.items():
            setattr(type(self), name, value)

    def reset(self, **kwargs):
        returned, self.ended = self.env.reset(**kwargs), np.zeros(3, bool)
        return self.change_reset(self, *returned) if self.change_reset else returned

    def step(self, actions):
        self.calls, self.actions = self.calls + 1, actions
        returned = self.env.step(actions)
        return self.change_step(self, *returned) if self.change_step else returned


def changed(env=None, step=None, reset=None, **attributes):
    """A class of its own, as attributes are set on it."""
    return type("Changed", (Changed,), {})(env or cart_poles(), step, reset, **attributes)


def with_attributes(**attributes):
    return lambda: changed(**attributes)


def with_step(change, env=cart_poles):
    return lambda: changed(env(), step=change)


def with_infos(**infos):
    return with_step(lambda self, *returned: (*returned[:4], {**returned[4], **infos}))


def outside(self, observations, *rest):
    observations[1, 2] = np.nan
    return observations, *rest


def drift(self, observations, *rest):
    return observations + np.float32(1e-6 * self.calls), *rest


def keep(self, observations, *rest):
    """Returns one array for all calls."""
    self.kept = getattr(self, "kept", observations)
    self.kept[:] = observations
    return self.kept, *rest


def keep_two(self, observations, *rest):
    self.kept = getattr(self, "kept", [observations, observations.copy()])
    self.kept[self.calls % 2][:] = observations
    return self.kept[self.calls % 2], *rest


def paid_after_ends(self, observations, rewards, terminated, truncated, infos):
    rewards[self.ended] = 1.0
    self.ended = terminated | truncated
    return observations, rewards, terminated, truncated, infos


def acting_after_ends(self, observations, rewards, terminated, truncated, infos):
    shift = self.ended & (self.actions == 1)
    self.ended = terminated | truncated
    return observations + np.float32(0.01) * shift[:, None], rewards, terminated, truncated, infos


def final_beside_final(self, observations, rewards, terminated, truncated, infos):
    for lane in np.flatnonzero(terminated | truncated):
        observations[lane] = infos["final_obs"][lane]
    return observations, rewards, terminated, truncated, infos


def without_final(self, *returned):
    return *returned[:4], {key: value for key, value in returned[4].items() if key != "_final_info"}


def final_outside(self, *returned):
    for lane in np.flatnonzero(returned[4].get("_final_obs", [])):
        returned[4]["final_obs"][lane] = np.full(4, 99, np.float32)
    return returned


def masks(change):
    def step(self, *returned):
        returned[4]["action_mask"] = change(returned[4]["action_mask"])
        return returned

    return with_step(step, ours)


class ResetsAll(VectorWrapper):
    def reset(self, *, seed=None, options=None):
        return self.env.reset(seed=seed)


class ResetsEndedOnly(VectorWrapper):
    """Begins the episodes that have ended, whatever the mask says."""

    ended = np.zeros(3, bool)

    def reset(self, *, seed=None, options=None):
        if options and not self.ended.any():
            return self.last, {}
        self.last, infos = self.env.reset(seed=seed, options={"reset_mask": self.ended} if options and self.ended.any() else None)
        self.ended = np.zeros(3, bool)
        return self.last, infos

    def step(self, actions):
        returned = self.env.step(actions)
        self.last, self.ended = returned[0].copy(), returned[2] | returned[3]
        return returned


class ForgetsSeeds(VectorWrapper):
    def __init__(self, env, is_forgotten):
        super().__init__(env)
        self.is_forgotten = is_forgotten

    def reset(self, *, seed=None, options=None):
        return self.env.reset(seed=None if self.is_forgotten(seed) else seed, options=options)


class Unseeded(VectorWrapper):
    """Draws a new seed where none is given."""

    def reset(self, *, seed=None, options=None):
        return self.env.reset(seed=time.time_ns() % 2**31 if seed is None else seed, options=options)


class Refuses(VectorWrapper):
    def step(self, actions):
        raise OSError("out of order")


class ClosesOnce(VectorWrapper):
    def close(self, **kwargs):
        if self.closed:
            raise OSError("closed before")
        super().close(**kwargs)


class WithoutReset(VectorEnv):
    num_envs = 3

    def __init__(self, **attributes):
        env = cart_poles()
        known = ("single_observation_space", "observation_space", "single_action_space", "action_space", "metadata")
        self.__dict__.update({name: getattr(env, name) for name in known} | attributes)


ONES = np.ones(3, np.bool_)
BROKEN = {
    "the class": (lambda: gymnasium.make("CartPole-v1"), "is a gymnasium.vector.VectorEnv;.*it is a TimeLimit"),
    "num_envs": (lambda: WithoutReset(num_envs=0), "num_envs is the number of copies;.*: 0$"),
    "a space": (lambda: WithoutReset(single_action_space=2), "single_action_space is a space of Gymnasium;.*: 2$"),
    "observation_space": (
        with_attributes(observation_space=spaces.Box(-1, 1, (4,))),
        "observation_space is single_observation_space, num_envs times",
    ),
    "action_space": (
        with_attributes(action_space=spaces.MultiDiscrete([2, 2])),
        r"action_space is single_action_space, .*MultiDiscrete\(\[2 2\]\), not",
    ),
    "the mode": (lambda: WithoutReset(metadata={"autoreset_mode": "NextStep"}), r'metadata\["autoreset_mode"\] is .*: \'NextStep\''),
    "spec": (with_attributes(spec="CartPole-v1"), "spec is an EnvSpec or None;.*'CartPole-v1'"),
    "closed before": (with_attributes(closed=None), "closed is False until close is called;.*None"),
    "an exception": (lambda: Refuses(cart_poles()), "step takes actions of action_space;.*in step 0: OSError: out of order"),
    "four values": (with_step(lambda self, *returned: returned[:4]), "a tuple of 5 is returned;.*in step 0: tuple of 4"),
    "reset": (lambda: changed(reset=lambda self, *returned: returned[0]), "a tuple of 2 is returned;.*ndarray"),
    "observations of doubles": (
        with_step(lambda self, o, *rest: (o.astype(np.float64), *rest)),
        r"types and shapes .*float64 of shape \(3, 4\)",
    ),
    "observations of one copy": (with_step(lambda self, o, *rest: (o[:1], *rest)), r"types and shapes of .*shape \(1, 4\), not .*\(3, 4\)"),
    "observations outside": (with_step(outside), r"inside observation_space;.*step 0: copy 1, entry \(.*2.*nan"),
    "rewards of floats": (with_step(lambda self, o, r, *rest: (o, r.astype(np.float32), *rest)), "rewards: an array of float64"),
    "rewards as a list": (with_step(lambda self, o, r, *rest: (o, list(r), *rest)), "rewards: an array of float64 .*: list"),
    "rewards of infinity": (with_step(lambda self, o, r, *rest: (o, r + np.inf, *rest)), "rewards are finite"),
    "flags of numbers": (with_step(lambda self, o, r, t, *rest: (o, r, t.astype(np.int8), *rest)), "terminated: an array of bool .*int8"),
    "one flag for all": (with_step(lambda self, o, r, t, tr, i: (o, r, t, tr.any(), i)), "truncated: an array of bool of shape"),
    "infos as a list": (with_step(lambda self, *returned: (*returned[:4], [{}] * 3)), "infos are a dict;.*infos is list"),
    "infos without a mask": (with_infos(speed=np.zeros(3)), r"each key of infos has a mask _key;.*infos\['speed'\] has none"),
    "a number as key": (with_step(lambda self, *returned: (*returned[:4], {5: ONES})), "infos have strings as keys;.*infos has the key 5"),
    "a mask of numbers": (with_infos(speed=np.zeros(3), _speed=np.ones(3)), "a mask in infos is an array of bool"),
    "infos of one copy": (with_infos(speed=np.zeros(1), _speed=ONES), "is an array of 3 rows or a dict;.*speed"),
    "a list in infos": (with_infos(speed=[0, 0, 0], _speed=ONES), "is an array of 3 rows or a dict;.*list"),
    "a list within a dict": (with_infos(at={"x": [0]}, _at=ONES), r"infos\['at'\]\['x'\] is list"),
    "a mask of bool": (masks(lambda mask: mask.astype(bool)), "an action_mask is int8"),
    "nothing legal": (masks(np.zeros_like), "an action_mask has a legal action"),
    "drift": (with_step(drift), r"the same seed and actions give the same .*observations\[0, 0\] was .* and is"),
    "a clock": (
        with_step(lambda self, *r: (*r[:4], {**r[4], "t": np.full(3, time.time()), "_t": ONES.copy()})),
        r"the same seed and .*infos\['t'\]\[0\] was",
    ),
    "one array": (with_step(keep), "each call returns new data, .*step 1: observations shares memory"),
    "two arrays": (with_step(keep_two), "each call returns new data, .*step 2: observations shares memory"),
    "one mask": (with_infos(speed=np.zeros(3), _speed=ONES), r"each call returns new data, .*infos\['speed'\] shares memory"),
    "forgotten seed": (lambda: ForgetsSeeds(cart_poles(), lambda seed: True), "the same seed and actions .*in reset"),
    "forgotten seeds": (
        lambda: ForgetsSeeds(cart_poles(), lambda seed: isinstance(seed, list)),
        r"the same seed gives .*in reset\(seed=\[0, 3, 6\]\)",
    ),
    "later seeds": (lambda: Unseeded(cart_poles()), r"and so do later resets without one;.*in reset\(\) after reset\(seed=0\)"),
    "next: paid": (with_step(paid_after_ends), r"the step after an end has reward 0 and false flags;.*rewards\[.\] is 1.0"),
    "next: acting": (with_step(acting_after_ends), r"the step after an end ignores its action;.*observations\["),
    "next: final": (with_infos(final_obs=np.full(3, None), _final_obs=~ONES), "infos have final_obs in the same-step mode only"),
    "next, said of same": (
        lambda: changed(cart_poles(SAME), metadata={"autoreset_mode": NEXT}),
        "infos have final_obs in the same-step mode only",
    ),
    "same, said of next": (lambda: changed(cart_poles(), metadata={"autoreset_mode": SAME}), "infos have final_obs, its mask true for"),
    "same: no infos": (with_step(without_final, lambda: cart_poles(SAME)), "(each key of infos has a mask|infos have final_info)"),
    "same: outside": (with_step(final_outside, lambda: cart_poles(SAME)), "final_obs are inside single_observation_space"),
    "same: not begun": (
        with_step(final_beside_final, lambda: cart_poles(SAME)),
        "the observation beside an end is the first of the next episode",
    ),
    "disabled: all": (lambda: ResetsAll(cart_poles(DISABLED)), "resets the marked copies only;.*copy 2, which is not marked"),
    "disabled: some": (lambda: ResetsEndedOnly(cart_poles(DISABLED)), "a reset_mask that marks all copies resets all"),
    "close twice": (lambda: ClosesOnce(cart_poles()), "close can be called twice;.*in the second close: OSError: closed before"),
    "closed after": (lambda: WithoutClosed(cart_poles()), "closed is True after close;.*False"),
}


class WithoutClosed(VectorWrapper):
    def close(self, **kwargs):
        self.env.close_extras()


@pytest.mark.parametrize("name", BROKEN)
def test_what_a_sibling_breaks_is_found(name):
    make, message = BROKEN[name]
    env = make()
    message_found = found(env)
    assert re.search(message, message_found), message_found


def test_a_check_without_an_end_warns():
    with pytest.warns(UserWarning, match="no episode of .* ended in 3 steps: its autoreset mode is unchecked; give more steps"):
        check_vector_env(cart_poles(), 3)


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"seed": -1}])
def test_wrong_arguments_are_refused(wrong):
    with pytest.raises(ValueError, match=r"steps=0|seed -1"):
        check_vector_env(cart_poles(), **wrong)


def test_nothing_warns_where_all_is_right():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_vector_env(ours(), 200)
