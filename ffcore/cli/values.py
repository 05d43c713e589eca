"""``NAME=VALUE`` arguments: reading them, and putting them into a spec."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import attrs

from ffcore.errors import SpecError, suggest

Scalar: TypeAlias = bool | int | float | str | None

_QUANTITY = re.compile(r"[\d.]+(?:e[+-]?\d+)?\s*[A-Za-zµ][A-Za-z/^²2]*")
_WORDS: dict[str, Scalar] = {"true": True, "false": False, "null": None}


def parse_value(text: str) -> Scalar:
    """A number, ``true``, ``false``, ``null``, or else the text itself (an expression of the spec)."""
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def parse_assignments(option: str, items: Iterable[str]) -> dict[str, Scalar]:
    """``["M=64", "KN=32"]`` as a dict. Raises ``SpecError`` for a missing ``=`` and for a name given twice."""
    result: dict[str, Scalar] = {}
    for item in items:
        name, equals, text = item.partition("=")
        name = name.strip()
        if not equals or not name:
            raise SpecError.one(f"{option} {item}: expected NAME=VALUE")
        if name in result:
            raise SpecError.one(f"{option} {item}: {name} is given twice")
        result[name] = parse_value(text.strip())
    return result


def set_in_spec(spec: object, path: str, value: Scalar) -> None:
    """Set ``arch.nodes.MainMemory.tensors.keep`` and the like.

    Each step is an attribute, or the name (or number) of an item of a list or mapping; the last one may add
    an entry to a mapping. Raises ``SpecError``, with a suggestion, for a step that does not exist.
    """
    steps = path.split(".")
    target: Any = spec
    for depth, step in enumerate(steps[:-1], start=1):
        target = _step(target, step, ".".join(steps[:depth]))
    last = steps[-1]
    if _has_field(target, last):
        _assign(target, last, value, path)
    elif isinstance(target, dict):
        target[last] = value
    elif _is_collection(target):
        raise SpecError.one(f"--spec {path}: only a field of {last} can be set, not {last} itself")
    else:
        raise _unknown(target, last, path)


def _assign(target: Any, field: str, value: Scalar, path: str) -> None:
    value = _in_si(target, field, value)
    try:
        setattr(target, field, value)
    except (TypeError, ValueError) as error:
        raise SpecError.one(f"--spec {path}={value}: {error}") from None


def _in_si(target: Any, field: str, value: Scalar) -> Scalar:
    """``16 MiB`` as bits and so on, where the field's metadata names the unit that it is stored in."""
    if not isinstance(value, str) or not attrs.has(type(target)) or not _QUANTITY.fullmatch(value):
        return value
    from ffcore.units import Dimension, parse_quantity

    attribute = attrs.fields_dict(type(target)).get(field)
    unit = attribute.metadata.get("unit", "") if attribute is not None else ""
    known = {dimension.value: dimension for dimension in Dimension if dimension.value}
    return parse_quantity(value, known[unit]) if unit in known else value


def _step(target: Any, step: str, path: str) -> Any:
    if _has_field(target, step):
        return getattr(target, step)
    if _is_collection(target):
        if not isinstance(target, Mapping):
            for item in target:  # items of a list go by their names
                if getattr(item, "name", None) == step:
                    return item
        try:
            return target[int(step) if step.isdecimal() else step]
        except (KeyError, IndexError, TypeError):
            pass
    raise _unknown(target, step, path)


def _is_collection(target: Any) -> bool:
    return hasattr(type(target), "__getitem__") and not isinstance(target, str)


def _has_field(target: Any, name: str) -> bool:
    """Only spec fields and plain properties count: no private names, no methods."""
    if name.startswith("_") or isinstance(target, Mapping):
        return False
    if attrs.has(type(target)) and name in attrs.fields_dict(type(target)):
        return True
    return isinstance(getattr(type(target), name, None), property)


def _unknown(target: Any, name: str, path: str) -> SpecError:
    known: list[str] = []
    if isinstance(target, Mapping):
        known = [str(key) for key in target]
    elif attrs.has(type(target)):
        known = [field.name for field in attrs.fields(type(target)) if not field.name.startswith("_")]
    if _is_collection(target) and not isinstance(target, Mapping):
        known += [str(item.name) for item in target if hasattr(item, "name")]
    listed = f" (there are: {', '.join(known)})" if known else ""
    return SpecError.one(f"--spec {path}: there is no {name!r}{listed}", suggestion=suggest(name, known))
