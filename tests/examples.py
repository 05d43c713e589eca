"""How much of the same a test looks at: less where slow tests are left out, as by `make test`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, TypeVar

import pytest

T = TypeVar("T")

QUICK = "FFCORE_TESTS_QUICK"
"""Set by conftest.py where pytest is told to leave slow tests out."""


def examples(quick: T, all_of_them: T) -> T:
    """The first where slow tests are left out, else the second."""
    return quick if os.environ.get(QUICK) else all_of_them


def first_few(values: Iterable[object], quick: int) -> list[Any]:
    """Parameters of a test; all but the first ``quick`` are marked slow, as they do more of the same."""
    return [
        v if i < quick else pytest.param(*(v if isinstance(v, tuple) else (v,)), marks=pytest.mark.slow)
        for i, v in enumerate(values)
    ]
