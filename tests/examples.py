"""How many random problems a test looks at: fewer where slow tests are left out, as by `make test`."""

from __future__ import annotations

import os
from typing import TypeVar

T = TypeVar("T")

QUICK = "FFCORE_TESTS_QUICK"
"""Set by conftest.py where pytest is told to leave slow tests out."""


def examples(quick: T, all_of_them: T) -> T:
    """The first where slow tests are left out, else the second."""
    return quick if os.environ.get(QUICK) else all_of_them
