"""Setting a field of a spec by its path, as ``--spec arch.nodes.MainMemory.tensors.keep=All`` does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from ffcore.errors import ErrorCollector, Position, SpecError, SpecProblem, suggest
from ffcore.spec.architecture import NodeList, TensorHolder, walk
from ffcore.spec.convert import convert_field, from_plain
from ffcore.spec.fields import SpecNode, spec_fields
from ffcore.spec.mapper import FFM, Mapper
from ffcore.spec.source import load_text
from ffcore.spec.source.nodes import Node, YamlScalar


def set_path(spec: SpecNode, path: str, value: object) -> None:
    """Set ``path`` (names of fields, of list items, of dict keys, joined by dots) to ``value``."""
    owner, last, walked, reader = _walk(spec, path)
    try:
        _assign(owner, last, value, path, walked, reader)
    except SpecError as error:
        raise SpecError([_without_file(problem, path) for problem in error.problems]) from None


def place_of_path(spec: SpecNode, path: str) -> Position | None:
    """Where the field or list item at ``path`` stands in the files; None if it is a default or was set in Python.

    Raises SpecError for a path that leads nowhere.
    """
    owner, last, walked, _ = _walk(spec, path)
    if isinstance(owner, SpecNode):
        return owner.position_of(last)
    item = _step(owner, last, walked)
    return item.position_of() if isinstance(item, SpecNode) else None


def is_default(spec: SpecNode, path: str) -> bool:
    """Does the field at ``path`` hold what it would if nobody had set it? Raises as `place_of_path`."""
    owner, last, *_ = _walk(spec, path)
    return isinstance(owner, SpecNode) and getattr(owner, last) == spec_fields(type(owner))[last].default


def _walk(spec: SpecNode, path: str) -> tuple[Any, str, str, Callable[[Any], Any] | None]:
    """What holds the last part of ``path``, that part, the path to the holder, and what reads the holder's text."""
    *parts, last = path.split(".")
    owner: Any = spec
    reader: Callable[[Any], Any] | None = None
    walked: list[str] = []
    for part in parts:
        if isinstance(owner, SpecNode) and part in spec_fields(type(owner)):
            reader = spec_fields(type(owner))[part].metadata["reader"]
        owner = _step(owner, part, ".".join(walked))
        walked.append(part)
    return owner, last, ".".join(walked), reader


def steps_below(spec: SpecNode, path: str) -> list[str]:
    """The names that may follow ``path`` ("" for the spec itself); those that lead further end in a dot.

    Raises SpecError for a path that leads nowhere.
    """
    owner: Any = spec
    walked: list[str] = []
    for part in path.split(".") if path else ():
        owner = _step(owner, part, ".".join(walked))
        walked.append(part)
    found: dict[str, Any] = {}
    if isinstance(owner, SpecNode):
        found = {name: getattr(owner, name) for name in spec_fields(type(owner))}
    elif isinstance(owner, NodeList):
        found = {node.name: node for node in walk(owner) if node.name}
    elif isinstance(owner, list):
        found = {getattr(item, "name", "") or str(index): item for index, item in enumerate(owner)}
    elif isinstance(owner, dict):
        found = dict(owner)
    return [f"{name}." if isinstance(value, SpecNode | list | dict) else f"{name}=" for name, value in found.items()]


def _without_file(problem: SpecProblem, path: str) -> SpecProblem:
    """The value stands in no file: the path says all about its place."""
    if problem.position is None or problem.position.file != _file(path):
        return problem
    return attrs.evolve(problem, message=f"{path}: {problem.message}", position=None)


def _file(path: str) -> str:
    return f"<{path}>"


def _step(owner: Any, part: str, walked: str) -> Any:
    if isinstance(owner, TensorHolder) and part == "constraints":
        return owner  # ``constraints.tensors`` is ``tensors``
    if isinstance(owner, Mapper) and part in spec_fields(FFM):
        owner = owner.ffm
    if isinstance(owner, SpecNode):
        _known(part, spec_fields(type(owner)), walked, "field")
        return getattr(owner, part)
    if isinstance(owner, NodeList):
        return owner[int(part)] if part.isdigit() and int(part) < len(owner) else owner[part]
    if isinstance(owner, list):
        named = {getattr(item, "name", ""): item for item in owner} | {str(i): item for i, item in enumerate(owner)}
        _known(part, named, walked, "item")
        return named[part]
    if isinstance(owner, dict):
        _known(part, owner, walked, "entry")
        return owner[part]
    raise SpecError.one(f"{walked} is a value: it has no {part!r}")


def _known(part: str, known: Any, walked: str, what: str) -> None:
    if part not in known:
        names = [n for n in known if not n.isdigit()] or list(known)
        where = f"{walked} has" if walked else "the spec has"
        raise SpecError.one(
            f"{where} no {what} {part!r}; there are {', '.join(names) or 'none'}", None, suggest(part, names)
        )


def _assign(owner: Any, name: str, value: object, path: str, walked: str, reader: Callable[[Any], Any] | None) -> None:
    """``reader``: of the field that ``owner`` is the content of, if it is a table."""
    if isinstance(owner, Mapper) and name in spec_fields(FFM):
        owner = owner.ffm
    if isinstance(owner, dict):
        node = _node(value, path)
        if not isinstance(node, YamlScalar):
            raise SpecError.one(f"{path} must be a value or an expression")
        owner[name] = node.value if reader is None else _read(reader, node)
        return
    if not isinstance(owner, SpecNode):
        raise SpecError.one(f"{walked} has no fields that could be set; name one of its items first")
    fields = spec_fields(type(owner))
    _known(name, fields, walked, "field")
    if isinstance(value, SpecNode):
        setattr(owner, name, value)
        return
    errors = ErrorCollector()
    made = convert_field(type(owner), name, _node(value, path), errors, path)
    errors.raise_if_any()
    setattr(owner, name, made)


def _read(reader: Callable[[Any], Any], node: YamlScalar) -> Any:
    try:
        return reader(node.value)
    except SpecError as error:
        raise SpecError([attrs.evolve(p, position=node.position) for p in error.problems]) from None


def _node(value: object, path: str) -> Node:
    position = Position(_file(path), 1)
    if not isinstance(value, str):
        return from_plain(value, position)
    entries = load_text("value: " + value, position.file).entries
    if entries.keys() != {"value"}:  # of a second line
        raise SpecError.one(f"{path}: {value!r} is more than one value")
    return entries["value"][1]
