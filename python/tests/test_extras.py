"""Whoever lacks the library of an adapter is told what to install."""

import importlib
import sys

import pytest


@pytest.mark.parametrize(("adapter", "missing"), [("sb3", "stable_baselines3.common.monitor"), ("torchrl", "tensordict")])
def test_an_adapter_without_its_library_names_the_extra(adapter: str, missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.delitem(sys.modules, f"thoughtcache.{adapter}", raising=False)
    with pytest.raises(ImportError, match=rf'pip install "thoughtcache\[{adapter}\]"'):
        importlib.import_module(f"thoughtcache.{adapter}")
