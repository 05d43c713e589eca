"""What a field of a spec class holds, said once as data: converter, dumper and docs read it.

Every spec class is a mutable attrs class whose fields are made by :func:`spec_field`. A field keeps what the
user wrote (text of an expression, or a value) until the spec is resolved; its place in the file is kept aside.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from functools import cache, partial
from types import MappingProxyType
from typing import Any, TypeAlias, TypeVar, cast

import attrs

from ffcore.errors import ErrorCollector, Position, SpecError, first_unprintable, suggest
from ffcore.spec.quantities import in_unit, is_quantity
from ffcore.spec.source.nodes import Node, YamlMap, YamlScalar

Expression: TypeAlias = str | int | float | bool
"""Text to be evaluated when the spec is resolved, or a value."""

Normalise: TypeAlias = Callable[[Node, ErrorCollector, str], Node]
"""Rewrites a short form to the full form: ``normalise(node, errors, path) -> node``."""


T = TypeVar("T", bound="SpecNode")

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
    if isinstance(kind, One | Many | Tagged) and converter is None:
        converter = partial(_objects, kind)
    if factory is not None:
        return attrs.field(factory=factory, metadata=metadata, converter=converter)
    return attrs.field(default=default, metadata=metadata, converter=converter)


def quoted_as_text(node: Node, errors: ErrorCollector, path: str) -> Node:
    """``{a: "b"}`` is the text b, ``{a: b}`` an expression; quantities (``"4 MiB"``) are numbers all the same.

    A text becomes the expression that it is the value of.
    """
    if not isinstance(node, YamlMap):
        return node
    entries = {}
    for name, (key, value) in node.entries.items():
        if isinstance(value, YamlScalar) and value.quoted and not is_quantity(value.text):
            quote = '"' if "'" in value.text else "'"
            if quote in value.text or "\\" in value.text:
                place = value.position.with_field(f"{path}.{name}")
                errors.add("a text may hold one kind of quotes only, and no backslash", place)
            text = f"{quote}{value.text}{quote}"
            value = YamlScalar(text, text, value.tag, value.position)
        entries[name] = (key, value)
    return YamlMap(entries, node.tag, node.position)


def clean_name(name: Any) -> Any:
    """A name as it is. Raises SpecError for one with characters that are not shown, or change how others are.

    Names go into files, tables, pictures and terminals: what would break one of them is refused here for all.
    """
    if isinstance(name, str) and "<SEP>" in name:
        raise SpecError.one(f"the name {name!r} has '<SEP>' in it, which stands between names in columns of results")
    bad = first_unprintable(name) if isinstance(name, str) else ""
    if bad:
        raise SpecError.one(f"the name {name!r} has a character that is not printable, {bad}: leave it out")
    return name


class NamedList(list[Any]):
    """A list whose items may be looked up by name too, ``einsums["QK"]``; plain dicts become objects on the way in."""

    def __init__(self, kind: Many, items: Iterable[Any] = ()) -> None:
        self._kind = kind
        super().__init__(_object(kind, item) for item in items)

    def __getitem__(self, key: Any) -> Any:
        """The item of that index or name. Raises SpecError for a name that does not exist."""
        if not isinstance(key, str):
            return super().__getitem__(key)
        named = {name: item for item in self if isinstance(name := getattr(item, "name", None), str)}
        if key not in named:
            message = f"no {self._kind.what} {key!r}; there are {', '.join(named) or 'none'}"
            raise SpecError.one(message, suggestion=suggest(key, named))
        return named[key]

    def __contains__(self, key: object) -> bool:
        return any(getattr(i, "name", None) == key for i in self) if isinstance(key, str) else super().__contains__(key)

    def append(self, item: Any) -> None:
        """Add an object, or what a plain dict says of one."""
        super().append(_object(self._kind, item))

    def __reduce__(self) -> Any:
        return NamedList, (self._kind, list(self))


def _objects(kind: One | Many | Tagged, value: Any) -> Any:
    """What a field of objects holds, given as such, or as plain dicts and lists. Raises SpecError for anything else."""
    if isinstance(kind, One):
        return _object(kind, value)
    if isinstance(value, NamedList) or value is None:
        return value
    if not isinstance(value, list | tuple):
        raise SpecError.one(f"expected a list, got {type(value).__name__} {value!r}")
    if isinstance(kind, Many):
        return NamedList(kind, value)
    items = [_object(kind, item) for item in value]
    return value if all(a is b for a, b in zip(items, value, strict=True)) else kind.make(items)


def _object(kind: One | Many | Tagged, value: Any) -> Any:
    if isinstance(value, SpecNode):
        return value
    from ffcore.spec.convert import object_from_plain

    return object_from_plain(kind, value)


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

    def recast(self, cls: type[T]) -> T:
        """The same content as an object of ``cls``, a subclass; its parts are shared."""
        made = cls(**{name: getattr(self, name) for name in spec_fields(type(self))})
        made._positions.update(self._positions)
        made._path = self._path
        return made

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
