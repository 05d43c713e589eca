"""What a field of a spec class holds, said once as data: converter, dumper and docs read it.

Every spec class is a mutable attrs class whose fields are made by :func:`spec_field`. A field keeps what the
user wrote (text of an expression, or a value) until the spec is resolved; its place in the file is kept aside.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from functools import cache, partial
from types import MappingProxyType
from typing import Any, TypeAlias, cast

import attrs

from ffcore.errors import ErrorCollector, Position, SpecError, is_printable
from ffcore.spec.quantities import in_unit
from ffcore.spec.source.nodes import Node

Expression: TypeAlias = str | int | float | bool
"""Text to be evaluated when the spec is resolved, or a value."""

Normalise: TypeAlias = Callable[[Node, ErrorCollector, str], Node]
"""Rewrites a short form to the full form: ``normalise(node, errors, path) -> node``."""


pure_number = partial(in_unit, unit="")
"""Reader of a table of pure numbers, in which a unit is refused."""


class Kind:
    """Base of the kinds of field content."""


@attrs.frozen
class Value(Kind):
    """An expression or a value."""


@attrs.frozen
class Text(Kind):
    """A name; never evaluated."""


@attrs.frozen
class Flag(Kind):
    """True or False, known before anything is evaluated."""


@attrs.frozen
class Data(Kind):
    """Plain lists, dicts and scalars, checked by the field's own attrs converter."""


@attrs.frozen
class Raw(Kind):
    """The YAML node itself, read by a later stage."""


@attrs.frozen
class One(Kind):
    """One object of a spec class."""

    cls: type


@attrs.frozen
class Many(Kind):
    """A list of objects of a spec class, told apart by ``name`` where they have one; ``repeats``: not by that alone."""

    cls: type
    what: str  # in error messages: "action", "Einsum", ...
    repeats: bool = False


@attrs.frozen
class Tagged(Kind):
    """A list of objects whose YAML tag names the class, looked up in ``classes()``."""

    classes: Callable[[], dict[str, type]]
    make: Callable[[list[Any]], Any] = list


@attrs.frozen
class Table(Kind):
    """A dict from free keys to values or expressions; with ``scalar_key``, a lone value means that key."""

    scalar_key: str = ""


def spec_field(
    kind: Kind,
    *,
    default: Any = None,
    factory: Callable[[], Any] | None = None,
    required: bool = False,
    unit: str = "",
    doc: str = "",
    normalise: Normalise | None = None,
    converter: Callable[[Any], Any] | None = None,
    reader: Callable[[Any], Any] | None = None,
) -> Any:
    """An attrs field with the metadata that converter, dumper and docs need.

    ``required``: must be present in YAML. ``unit``: SI unit of the evaluated number ("" for pure numbers and
    everything that is no number). ``normalise``: rewrites short YAML forms before conversion. ``reader``: what becomes
    of each value, by default that quantities (``128 MiB``) become numbers in ``unit``; in Python too.
    """
    if reader is None and (unit or isinstance(kind, Value)):
        reader = partial(in_unit, unit=unit)
    if reader is not None and converter is None:
        converter = partial(_table_of, reader) if isinstance(kind, Table) else reader
    metadata = {"kind": kind, "unit": unit, "doc": doc, "required": required, "normalise": normalise, "reader": reader}
    if isinstance(kind, Text) and converter is None:
        converter = clean_name
    if factory is not None:
        return attrs.field(factory=factory, metadata=metadata, converter=converter)
    return attrs.field(default=default, metadata=metadata, converter=converter)


def clean_name(name: Any) -> Any:
    """A name as it is. Raises SpecError for one with characters that are not shown, or change how others are.

    Names go into files, tables, pictures and terminals: what would break one of them is refused here for all.
    """
    if not isinstance(name, str) or name.isprintable():
        return name
    bad = next((c for c in name if not is_printable(c)), None)
    if bad is not None:
        raise SpecError.one(f"the name {name!r} has a character that is not printable, U+{ord(bad):04X}: leave it out")
    return name


def _table_of(reader: Callable[[Any], Any], table: Any) -> Any:
    return {key: reader(value) for key, value in table.items()} if isinstance(table, dict) else table


def forget_position(instance: SpecNode, attribute: attrs.Attribute[Any], value: Any) -> Any:
    """attrs ``on_setattr`` hook: a value set in Python no longer stands in the file."""
    positions = getattr(instance, "_positions", None)
    if positions is not None and attribute.name in positions:
        del positions[attribute.name]
    if attribute.converter is not None and callable(attribute.converter):
        return attribute.converter(value)
    return value


@attrs.define(kw_only=True, on_setattr=forget_position)
class SpecNode:
    """Base of all spec classes; knows where in the files each of its fields was set."""

    _positions: dict[str, Position] = attrs.field(factory=dict, init=False, repr=False, eq=False)
    _path: str = attrs.field(default="", init=False, repr=False, eq=False)

    def position_of(self, name: str = "") -> Position | None:
        """Where the field ``name`` (or, by default, the whole object) was set; None if it was set in Python."""
        return self._positions.get(name)

    def place_of(self, name: str) -> Position | None:
        """Where ``name`` was set, else where the object stands: the best place to report an error."""
        found = self._positions.get(name)
        if found is None and (own := self._positions.get("")) is not None:
            return own.with_field(f"{own.field}.{name}" if own.field else name)
        return found

    @classmethod
    def normalise(cls, node: Node, errors: ErrorCollector, path: str) -> Node:
        """Rewrite a short form of the whole object; by default there is none."""
        return node


def spec_fields(cls: type) -> Mapping[str, attrs.Attribute[Any]]:
    """The fields of a spec class that a user may set, by name."""
    return _spec_fields(cast(Hashable, cls))  # instances have no hash, classes have


@cache
def _spec_fields(cls: Any) -> Mapping[str, attrs.Attribute[Any]]:
    return MappingProxyType({a.name: a for a in attrs.fields(cls) if "kind" in a.metadata})
