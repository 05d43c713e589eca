"""A short soak in `make test`; `make soak` runs 2,000 specs."""

from __future__ import annotations

import pytest

from tests.soak.soak import GROWTH, Soak, soak


def test_some_specs_leave_nothing_behind() -> None:
    found = soak(5)
    assert found.mapped > 2
    assert found.wrong() == []


@pytest.mark.slow
def test_three_hundred() -> None:
    assert soak(300).wrong() == []


def test_a_leak_is_told() -> None:
    steady = [5e8] * 300
    leaking = [5e8 + n * GROWTH / 100 for n in range(300)]
    counts = {"threads": 1}
    assert Soak(steady, counts, counts).wrong() == []
    assert Soak(leaking, counts, counts).wrong() == ["memory grew by 102 MiB"]
    assert Soak(steady, counts, {"threads": 3}).wrong() == ["2 threads"]
