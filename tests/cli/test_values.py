"""``NAME=VALUE`` arguments and setting fields by path."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from ffcore.cli.values import parse_assignments, parse_value, set_in_spec
from ffcore.errors import SpecError


@pytest.mark.parametrize(
    ("text", "value"),
    [("4", 4), ("1e6", 1e6), ("inf", float("inf")), ("true", True), ("False", False), ("null", None), ("All()", "All()")],
)
def test_values_are_read_like_yaml_scalars(text: str, value: object) -> None:
    assert parse_value(text) == value
    assert type(parse_value(text)) is type(value)


def test_a_value_may_hold_equals_signs() -> None:
    assert parse_assignments("--set", ["A=b==c"]) == {"A": "b==c"}


@pytest.mark.parametrize("items", [["A"], ["=3"], ["A=1", "A=2"]])
def test_wrong_assignments_are_refused(items: list[str]) -> None:
    with pytest.raises(SpecError, match="--set"):
        parse_assignments("--set", items)


@attrs.define
class Rules:
    keep: str = "Nothing"


@attrs.define
class Node:
    name: str
    size: float = attrs.field(default=1, metadata={"unit": "bit"})
    tensors: Rules = attrs.Factory(Rules)
    _secret: int = 0

    @property
    def constraints(self) -> Node:
        return self


@attrs.define
class Tree:
    nodes: list[Node]
    table: dict[str, Any]


def tree() -> Tree:
    return Tree([Node("Main"), Node("Buffer")], {"a": 1})


def test_nodes_go_by_name_or_number_and_groups_by_property() -> None:
    spec = tree()
    set_in_spec(spec, "nodes.Buffer.size", 8)
    set_in_spec(spec, "nodes.0.constraints.tensors.keep", "All")
    set_in_spec(spec, "table.b", 2)
    assert spec.nodes[1].size == 8
    assert spec.nodes[0].tensors.keep == "All"
    assert spec.table == {"a": 1, "b": 2}


def test_quantities_with_units_are_stored_in_the_unit_of_the_field() -> None:
    spec = tree()
    set_in_spec(spec, "nodes.Buffer.size", "16 MiB")
    assert spec.nodes[1].size == 16 * 2**20 * 8
    set_in_spec(spec, "nodes.Buffer.size", "2 * Main.size")
    assert spec.nodes[1].size == "2 * Main.size"  # type: ignore[comparison-overlap]
    with pytest.raises(SpecError, match="measured in J"):
        set_in_spec(spec, "nodes.Buffer.size", "16 pJ")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nodes.Bufer.size", "did you mean 'Buffer'"),
        ("nodes.Buffer.sise", "did you mean 'size'"),
        ("node.Buffer.size", "did you mean 'nodes'"),
        ("nodes.Buffer", "only a field"),
        ("nodes.7.size", "no '7'"),
        ("nodes.Buffer._secret", "no '_secret'"),
        ("nodes.Buffer.__class__", "no '__class__'"),
        ("nodes.append", "only a field"),
    ],
)
def test_wrong_paths_are_refused_with_a_hint(path: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        set_in_spec(tree(), path, 1)
