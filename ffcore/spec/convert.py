"""From YAML nodes to spec classes: one converter for all classes, driven by their field metadata."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

import attrs

from ffcore.errors import ErrorCollector, Position, SpecError, first_unprintable, suggest
from ffcore.spec.fields import (
    Data,
    Flag,
    Kind,
    Many,
    One,
    Raw,
    SpecNode,
    Table,
    Tagged,
    Text,
    Value,
    clean_name,
    spec_fields,
)
from ffcore.spec.source.nodes import Node, YamlMap, YamlScalar, YamlSeq, to_plain

T = TypeVar("T", bound=SpecNode)

_MISSING = object()


def describe(node: Node) -> str:
    """What a node is, in words for an error message."""
    if isinstance(node, YamlMap):
        return "a mapping"
    if isinstance(node, YamlSeq):
        return "a list"
    return "nothing" if node.value is None else repr(node.text)


def join_path(path: str, name: str) -> str:
    """The path of a field within what ``path`` names."""
    return f"{path}.{name}" if path else name


def convert(cls: type[T], node: Node, errors: ErrorCollector, path: str = "") -> T | None:
    """An object of ``cls`` from ``node``; everything wrong is added to ``errors`` (then maybe None is returned)."""
    node = cls.normalise(node, errors, path)
    if not isinstance(node, YamlMap):
        errors.add(f"expected a mapping with the fields of {cls.__name__}, got {describe(node)}", _at(node, path))
        return None
    fields = spec_fields(cls)
    values: dict[str, Any] = {}
    positions = {"": _at(node, path)}
    for key, (key_node, value_node) in node.entries.items():
        if key not in fields:
            message = f"unknown field {key!r} of {cls.__name__}"
            errors.add(message, key_node.position.with_field(join_path(path, key)), suggest(key, fields))
            continue
        here = join_path(path, key)
        attribute = fields[key]
        if (normalise := attribute.metadata["normalise"]) is not None:
            value_node = normalise(value_node, errors, here)
        value = _field(attribute, value_node, errors, here)
        if value is not _MISSING:
            values[key] = value
            positions[key] = _at(value_node, here)
            if isinstance(attribute.metadata["kind"], Table | Data):
                positions.update(_inner_positions(key, value_node, here))
    for name, attribute in fields.items():
        if attribute.metadata["required"] and name not in node.entries:
            errors.add(f"{cls.__name__} needs a field {name!r}", positions[""])
    return _build(cls, values, positions, errors, path)


def convert_field(cls: type[SpecNode], name: str, node: Node, errors: ErrorCollector, path: str) -> Any:
    """The value of one field of ``cls`` from a node; everything wrong is added to ``errors``.

    ``null`` empties a field that may be empty.
    """
    attribute = spec_fields(cls)[name]
    if (normalise := attribute.metadata["normalise"]) is not None:
        node = normalise(node, errors, path)
    if isinstance(node, YamlScalar) and node.value is None and attribute.default is None:
        return None  # as if it were not given
    value = _field(attribute, node, errors, path)
    if value is _MISSING:
        if not errors:
            errors.add("expected a value, got nothing", _at(node, path))
        return None
    converter: Any = attribute.converter
    if converter is None:
        return value
    try:
        return converter(value)
    except SpecError as error:
        for problem in error.problems:
            errors.add(problem.message, problem.position or _at(node, path), problem.suggestion)
        return None


def _build(
    cls: type[T], values: dict[str, Any], positions: dict[str, Position], errors: ErrorCollector, path: str
) -> T | None:
    before = len(errors)
    for name, attribute in spec_fields(cls).items():  # run the attrs converters one by one, for their positions
        converter: Any = attribute.converter
        if name in values and converter is not None:
            try:
                values[name] = converter(values[name])
            except SpecError as error:
                for problem in error.problems:
                    place = problem.position or positions.get(name)
                    errors.add(problem.message, place, problem.suggestion)
    if len(errors) > before:
        return None
    result = cls(**values)
    result._positions.update(positions)
    result._path = path
    return result


def _inner_positions(key: str, node: Node, path: str) -> dict[str, Position]:
    """Where the entries of a table, or the items of a plain list, stand."""
    if isinstance(node, YamlMap):
        return {f"{key}.{k}": _at(value, f"{path}.{k}") for k, (_, value) in node.entries.items()}
    if isinstance(node, YamlSeq):
        return {f"{key}.{i}": _at(value, f"{path}.{i}") for i, value in enumerate(node.items)}
    return {}


def _at(node: Node, path: str) -> Position:
    return node.position.with_field(path)


def _field(attribute: attrs.Attribute[Any], node: Node, errors: ErrorCollector, path: str) -> Any:
    kind = cast(Kind, attribute.metadata["kind"])
    if node.tag is not None and not isinstance(kind, Raw):
        errors.add(f"unknown tag !{node.tag} (no tag is expected here)", _at(node, path))
        return _MISSING
    if isinstance(kind, Table | Data):
        _check_inner(node, errors, path)
    if isinstance(node, YamlScalar) and node.value is None and not isinstance(kind, Raw | Value | Text | Flag):
        return _MISSING  # an empty list or mapping: ``spatial:`` with nothing behind it
    if isinstance(kind, Value | Text | Flag):
        return _scalar(kind, node, errors, path)
    if isinstance(kind, One):
        result = convert(kind.cls, node, errors, path)
        return _MISSING if result is None else result
    if isinstance(kind, Many | Tagged):
        return _list(kind, node, errors, path)
    if isinstance(kind, Table):
        return _table(kind, node, attribute.metadata["reader"], errors, path)
    return node if isinstance(kind, Raw) else to_plain(node)


def _check_inner(node: Node, errors: ErrorCollector, path: str) -> None:
    """Note every tag inside of a table or a plain list (nothing there has one), and every text that is not shown."""
    if isinstance(node, YamlScalar):
        _check_text(node, errors, path)
        return
    inner = [value for _, value in node.entries.values()] if isinstance(node, YamlMap) else node.items
    names = list(node.entries) if isinstance(node, YamlMap) else [str(index) for index in range(len(inner))]
    for name, value in zip(names, inner, strict=True):
        if value.tag is not None:
            errors.add(f"unknown tag !{value.tag} (no tag is expected here)", _at(value, join_path(path, name)))
        _check_inner(value, errors, join_path(path, name))


def _check_text(node: YamlScalar, errors: ErrorCollector, path: str) -> None:
    """Texts are shown in summaries and pictures: what a terminal might obey is noted here for all."""
    bad = first_unprintable(node.text, "\n\t")
    if bad:
        errors.add(f"{node.text[:80]!r} has a character that is not printable, {bad}: leave it out", _at(node, path))


def _scalar(kind: Kind, node: Node, errors: ErrorCollector, path: str) -> Any:
    if not isinstance(node, YamlScalar) or node.value is None:
        expected = {Value: "a value or an expression", Text: "a name", Flag: "True or False"}[type(kind)]
        errors.add(f"expected {expected}, got {describe(node)}", _at(node, path))
        return _MISSING
    if isinstance(kind, Flag) and not isinstance(node.value, bool):
        errors.add(f"expected True or False, got {node.text!r}", _at(node, path))
        return _MISSING
    if isinstance(kind, Text):
        return node.text
    _check_text(node, errors, path)
    return node.value


def _table(kind: Table, node: Node, reader: Callable[[Any], Any] | None, errors: ErrorCollector, path: str) -> Any:
    if isinstance(node, YamlScalar) and kind.scalar_key:
        return {kind.scalar_key: node.value}
    if not isinstance(node, YamlMap):
        errors.add(f"expected a mapping, got {describe(node)}", _at(node, path))
        return _MISSING
    table = {}
    for key, (key_node, entry) in node.entries.items():
        table[key] = to_plain(entry)
        try:
            clean_name(key)
        except SpecError as error:
            errors.add(error.problems[0].message, _at(key_node, f"{path}.{key}"))
        try:
            table[key] = reader(table[key]) if reader is not None else table[key]
        except SpecError as error:  # here, where the entry's own line is known
            for problem in error.problems:
                errors.add(problem.message, _at(entry, f"{path}.{key}"), problem.suggestion)
            table[key] = 0
    return table


def _list(kind: Many | Tagged, node: Node, errors: ErrorCollector, path: str) -> Any:
    if not isinstance(node, YamlSeq):
        errors.add(f"expected a list, got {describe(node)}", _at(node, path))
        return _MISSING
    result = []
    first: dict[str, Position] = {}
    for index, item in enumerate(flatten(node)):
        if isinstance(kind, Many) and issubclass(kind.cls, SpecNode):
            item = kind.cls.normalise(item, errors, f"{path}.{index}")  # the full form has a name
        here = f"{path}.{_item_name(item, index)}"
        made = convert(kind.cls, item, errors, here) if isinstance(kind, Many) else _tagged(kind, item, errors, here)
        if made is None:
            continue
        name = getattr(made, "name", None)
        if (
            isinstance(kind, Many) and not kind.repeats and isinstance(name, str) and name
        ):  # arch nodes: checked over the whole tree
            if name in first:
                errors.add(f"duplicate {kind.what} {name!r}; the first is at {first[name]}", _at(item, here))
            first.setdefault(name, item.position)
        result.append(made)
    return result if isinstance(kind, Many) else kind.make(result)


def _tagged(kind: Tagged, node: Node, errors: ErrorCollector, path: str) -> Any:
    classes = kind.classes()
    if node.tag is None:
        errors.add(f"expected a node with a tag, one of {', '.join('!' + c for c in classes)}", _at(node, path))
        return None
    if node.tag not in classes:
        errors.add(f"unknown tag !{node.tag}", _at(node, path), suggest(node.tag, classes))
        return None
    return convert(classes[node.tag], node, errors, path)


def flatten(node: YamlSeq) -> list[Node]:
    """The items of a list, with untagged lists inside it (included parts) spliced in."""
    result: list[Node] = []
    for item in node.items:
        if isinstance(item, YamlSeq) and item.tag is None:
            result.extend(flatten(item))
        else:
            result.append(item)
    return result


def _item_name(node: Node, index: int) -> str:
    if isinstance(node, YamlMap):
        name = node.get("name")
        if isinstance(name, YamlScalar) and name.value is not None:
            return name.text
    return str(index)


def from_plain(data: object, position: Position, item: bool = False) -> Node:
    """YAML nodes from plain dicts, lists and scalars (of a plugin), all at one position.

    A dict with the key ``tag`` (``{"tag": "Memory", ...}``, with or without ``!``) that is an ``item`` of a list
    becomes a tagged node; elsewhere ``tag`` is a name like any other (``variables: {tag: 3}``).
    """
    if isinstance(data, Mapping):
        tagged = item and "tag" in data
        rest = {str(k): v for k, v in data.items() if k != "tag" or not tagged}
        tag = str(data["tag"]).removeprefix("!") if tagged else None
        entries = {k: (YamlScalar(k, k, None, position), from_plain(v, position)) for k, v in rest.items()}
        return YamlMap(entries, tag, position)
    if isinstance(data, list | tuple):
        return YamlSeq([from_plain(element, position, True) for element in data], None, position)
    if data is None or isinstance(data, bool | int | float | str):
        return YamlScalar(data, str(data), None, position)
    raise SpecError.one(f"expected plain data, got {type(data).__name__} {data!r}", position)


def object_from_plain(kind: One | Many | Tagged, data: object) -> Any:
    """The object that plain data (dicts, lists, scalars) says, as in a file; ``tag`` names the type of an arch node.

    Raises SpecError with everything that is wrong with it.
    """
    errors = ErrorCollector()
    node = from_plain(data, Position("<Python>", 0), item=isinstance(kind, Tagged))
    made = _tagged(kind, node, errors, "") if isinstance(kind, Tagged) else convert(kind.cls, node, errors)
    if errors:  # the place is where the caller stands
        fields = [p.position.field if p.position else "" for p in errors.problems]
        raise SpecError(
            [
                attrs.evolve(p, position=None, message=f"{field}: {p.message}" if field else p.message)
                for p, field in zip(errors.problems, fields, strict=True)
            ]
        )
    return made


def dump(node: SpecNode, nested: bool = True) -> dict[str, object]:
    """The required fields of a spec object and those that differ from their defaults, as plain data.

    Objects told apart by their tag get a key ``tag``. ``nested`` False leaves out architecture nodes inside.
    """
    result: dict[str, object] = {}
    plain = type(node)()
    for name, attribute in spec_fields(type(node)).items():
        value = getattr(node, name)
        kind = attribute.metadata["kind"]
        if isinstance(kind, Tagged):
            if nested and value:
                result[name] = [{"tag": type(item).__name__, **dump(item)} for item in value]
        elif attribute.metadata["required"] or value != getattr(plain, name):
            result[name] = _dumped(value)
    return result


def _dumped(value: object) -> object:
    if isinstance(value, SpecNode):
        return dump(value)
    if isinstance(value, enum.Flag):
        return [m.name.lower() for m in type(value) if m in value and m.name]
    if isinstance(value, Mapping):
        return {str(k): _dumped(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_dumped(v) for v in value]
    if isinstance(value, YamlScalar | YamlSeq | YamlMap):
        return to_plain(value)
    return value
