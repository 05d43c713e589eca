"""Settings of all tests, core's and the plugins'."""

from __future__ import annotations

import gc
import os

import pytest
from hypothesis import settings

from tests.examples import QUICK

# One job where a test does not ask for more: the tests have the cores already, a forked worker has to load all kernels
# anew, and results do not depend on the number of jobs (tests/oracle/test_independence.py). Processes inherit it.
os.environ.setdefault("FFCORE_JOBS", "1")

# The same examples in every run: a red run can be repeated, and a green one means the same everywhere.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


def pytest_configure(config: pytest.Config) -> None:
    """`tests.examples` is asked when modules are imported."""
    os.environ[QUICK] = "1" if "not slow" in config.option.markexpr else ""


def pytest_collection_finish(session: pytest.Session) -> None:
    """Modules and tests stay to the end: to go through them at every collection takes a tenth of all the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
