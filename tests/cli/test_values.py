"""``NAME=VALUE`` arguments."""

from __future__ import annotations

import pytest

from ffcore.cli.values import parse_assignments, parse_value, split_assignments
from ffcore.errors import SpecError


@pytest.mark.parametrize(
    ("text", "value"),
    [("4", 4), ("1e6", 1e6), ("inf", float("inf")), ("true", True), ("False", False), ("null", None), ("All", "All")],
)
def test_values_are_read_like_yaml_scalars(text: str, value: object) -> None:
    assert parse_value(text) == value
    assert type(parse_value(text)) is type(value)


def test_a_value_may_hold_equals_signs() -> None:
    assert split_assignments("--set", ["A = b==c"]) == {"A": "b==c"}


@pytest.mark.parametrize("items", [["A"], ["=3"], ["A=1", "A=2"]])
def test_wrong_assignments_are_refused(items: list[str]) -> None:
    with pytest.raises(SpecError, match="--set"):
        parse_assignments("--set", items)
