"""Accelergy's tables: energy reference tables (ERT, in pJ) and area reference tables (ART, in µm²), as YAML.

Read are the forms of versions 0.2 to 0.4: ``tables`` is a list of ``{name, actions}`` or a mapping from names; energies
may depend on ``arguments`` of an action. The action ``leak`` is energy per clock cycle.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from ffcore.plugin import Position, SpecError, suggest
from ffcore_component_costs.facts import AREA, ENERGY, LEAK_ENERGY, Fact, checked

PICOJOULE, SQUARE_MICROMETRE = 1e-12, 1e-12
_LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")


def read_accelergy(text: str, file: str) -> Iterator[Fact]:
    """All facts of a file that holds an ERT, an ART or both. Raises SpecError with file and line."""
    return _Reader(file).facts(text)


class _Reader:
    def __init__(self, file: str) -> None:
        self.file = file

    def facts(self, text: str) -> Iterator[Fact]:
        try:
            root = yaml.compose(text, Loader=_LOADER)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise SpecError.one(f"not valid YAML ({error.problem})", Position(self.file, line)) from None
        except (yaml.YAMLError, RecursionError) as error:
            raise SpecError.one(f"not valid YAML ({type(error).__name__})", Position(self.file, 1)) from None
        top = self.entries(root, "the file") if root is not None else {}
        tables = {name: value for name, value in top.items() if name in ("ERT", "ART")}
        if not tables:
            guess = next((s for name in top if (s := suggest(name, ("ERT", "ART")))), None)
            raise SpecError.one("the file holds neither an ERT nor an ART at its top", Position(self.file, 1), guess)
        for name, node in tables.items():
            content = self.entries(node, name)
            if "tables" not in content:
                raise SpecError.one(f"{name} has no 'tables'", self.place(node))
            for component, table in self.named(content["tables"], f"{name}.tables"):
                yield from self.energies(component, table) if name == "ERT" else self.area(component, table)

    def energies(self, component: str, table: yaml.Node) -> Iterator[Fact]:
        actions = table
        if isinstance(table, yaml.MappingNode):
            actions = self.entries(table, component).get("actions", table)
        for action, node in self.named(actions, component):
            # version 0.2: [{arguments, energy}]
            for row in node.value if isinstance(node, yaml.SequenceNode) else [node]:
                yield self.energy(component, action, row)

    def energy(self, component: str, action: str, row: yaml.Node) -> Fact:
        value: yaml.Node = row
        arguments: tuple[tuple[str, str], ...] = ()
        if isinstance(row, yaml.MappingNode):
            fields = self.entries(row, f"{component}.{action}")
            if "energy" not in fields:
                raise SpecError.one(f"{component}.{action} has no energy", self.place(row))
            value, arguments = fields["energy"], self.arguments(fields.get("arguments"), f"{component}.{action}")
        joules = self.number(value, ENERGY, f"energy of {component}.{action}") * PICOJOULE
        if action == "leak":
            return Fact(component, LEAK_ENERGY, "", joules, self.place(value))
        return Fact(component, ENERGY, action, joules, self.place(value), arguments)

    def area(self, component: str, table: yaml.Node) -> Iterator[Fact]:
        node = table
        if isinstance(table, yaml.MappingNode):
            fields = self.entries(table, component)
            if "area" not in fields:
                raise SpecError.one(f"{component} has no area", self.place(table))
            node = fields["area"]
        square_metres = self.number(node, AREA, f"area of {component}") * SQUARE_MICROMETRE
        yield Fact(component, AREA, "", square_metres, self.place(node))

    def arguments(self, node: yaml.Node | None, what: str) -> tuple[tuple[str, str], ...]:
        if node is None or (isinstance(node, yaml.ScalarNode) and node.value in ("", "null", "~")):
            return ()
        fields = self.entries(node, f"the arguments of {what}")
        return tuple(sorted((n, str(v.value)) for n, v in fields.items() if isinstance(v, yaml.ScalarNode)))

    def named(self, node: yaml.Node, what: str) -> Iterator[tuple[str, yaml.Node]]:
        """The items of a list of ``{name: …}``, or of a mapping from names."""
        if not isinstance(node, yaml.SequenceNode):
            yield from self.entries(node, what).items()
            return
        for item in node.value:
            name = self.entries(item, f"an item of {what}").get("name")
            if not isinstance(name, yaml.ScalarNode):
                raise SpecError.one(f"an item of {what} has no name", self.place(item))
            yield str(name.value), item

    def entries(self, node: yaml.Node, what: str) -> dict[str, yaml.Node]:
        if not isinstance(node, yaml.MappingNode):
            raise SpecError.one(f"{what} must be a mapping", self.place(node))
        found: dict[str, yaml.Node] = {}
        for key, value in node.value:
            name = str(key.value)
            if name in found:
                raise SpecError.one(f"{name!r} stands twice in {what}", self.place(key))
            found[name] = value
        return found

    def number(self, node: yaml.Node, quantity: str, what: str) -> float:
        text = str(node.value) if isinstance(node, yaml.ScalarNode) else ""
        if not _NUMBER.fullmatch(text):
            unit = "pJ" if quantity == ENERGY else "um^2"
            got = repr(text) if text else "something else"
            raise SpecError.one(f"{what} must be a plain number of {unit}, got {got}", self.place(node))
        return checked(float(text), quantity, self.place(node))

    def place(self, node: yaml.Node) -> Position:
        return Position(self.file, node.start_mark.line + 1)
