"""Timeloop's YAML: the sections that its files hold, merged; values as plain data, tags kept under ``tag``."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from ffcore.plugin import Position, SourceProblem, SpecError, read_text

SECTIONS = {
    "architecture": ("architecture", "arch"),
    "problem": ("problem",),
    "mapping": ("mapping",),
    "constraints": ("constraints", "architecture_constraints", "mapspace_constraints", "arch_constraints"),
    "variables": ("variables",),
    "ERT": ("ERT",),
    "ART": ("ART",),
}
"""Section -> the top-level keys that files call it by."""

MAX_VALUES = 100_000
"""Of one file, counting what an alias stands for wherever it stands."""

_IGNORED = ("mapper", "mapspace", "globals", "compound_components", "sparse_optimizations", "layout")


class _Loader(yaml.SafeLoader):
    """YAML in which an unknown tag is kept: ``!Component {...}`` -> ``{..., "tag": "Component"}``."""


def _tagged(loader: Any, suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return {**loader.construct_mapping(node, deep=True), "tag": suffix}
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node)


_Loader.add_multi_constructor("!", _tagged)


def read_files(paths: Iterable[Path]) -> tuple[dict[str, list[Any]], list[str], dict[str, Path]]:
    """Section -> its contents, one of each file that has some; keys that are not read; section -> where it stands.

    Raises SpecError for a file that cannot be read or that holds none of them.
    """
    sections: dict[str, list[Any]] = {}
    unread: list[str] = []
    places: dict[str, Path] = {}
    for path in paths:
        top = _load(path)
        found = False
        for section, keys in SECTIONS.items():
            for key in keys:
                if top.get(key) is not None:
                    sections.setdefault(section, []).append(top[key])
                    places.setdefault(section, path)
                    found = True
        known = {key for keys in SECTIONS.values() for key in keys}
        others = [key for key in top if key not in known]
        if not found and not any(key in _IGNORED for key in others):
            expected = ", ".join(key for key in SECTIONS)
            raise SpecError.one(f"no file of Timeloop's: it has none of {expected}", Position(str(path), 1))
        unread += [f"{path.name}: {key}" for key in others]
    return sections, unread, places


def _load(path: Path) -> dict[str, Any]:
    try:
        text = read_text(path)
    except SourceProblem as problem:
        raise SpecError.one(problem.message, None, problem.suggestion) from None
    try:
        loaded = yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise SpecError.one(f"not valid YAML ({error.problem})", Position(str(path), line)) from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise SpecError.one(f"not valid YAML ({type(error).__name__})", Position(str(path), 1)) from None
    if not isinstance(loaded, dict):
        raise SpecError.one("expected a mapping of sections", Position(str(path), 1))
    try:
        values = _values(loaded, {})
    except RecursionError:
        raise SpecError.one("not valid YAML (a value inside of itself, or too deep)", Position(str(path), 1)) from None
    if values > MAX_VALUES:
        raise SpecError.one(
            f"more than {MAX_VALUES:,} values, those of aliases counted where they stand", Position(str(path), 1)
        )
    return {str(key): value for key, value in loaded.items()}


def _values(value: Any, known: dict[int, int]) -> int:
    """How many values a value holds; ``known``: of those seen, by identity, which an alias shares."""
    if not isinstance(value, dict | list):
        return 1
    if id(value) not in known:
        inside = value.values() if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_values(item, known) for item in inside)
    return known[id(value)]


def shown(value: Any) -> str:
    """A value in a message, shortened."""
    try:
        return reprlib.repr(value)
    except ValueError:
        return "a number of thousands of digits"


def mapping(value: Any, what: str) -> Mapping[str, Any]:
    """A value that must be a mapping, or nothing. Raises SpecError."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise SpecError.one(f"{what} must be a mapping, got {shown(value)}")
    return value


def sequence(value: Any, what: str) -> list[Any]:
    """A value that must be a list, or nothing. Raises SpecError."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise SpecError.one(f"{what} must be a list, got {shown(value)}")
    return value


def number(value: Any, what: str) -> float:
    """A number, also one that YAML 1.1 takes for text (``1e-9``). Raises SpecError."""
    try:
        if isinstance(value, bool):
            raise ValueError
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise SpecError.one(f"{what} must be a number, got {shown(value)}") from None


def whole(value: Any, what: str) -> int:
    """A whole number. Raises SpecError."""
    found = number(value, what)
    if not math.isfinite(found) or not found.is_integer():
        raise SpecError.one(f"{what} must be a whole number, got {shown(value)}")
    return int(found)


def count(value: Any, what: str) -> int:
    """A whole number of at least 1. Raises SpecError."""
    found = whole(value, what)
    if found < 1:
        raise SpecError.one(f"{what} must be at least 1, got {shown(value)}")
    return found


def factors_of(value: Any, what: str) -> dict[str, tuple[str, int]]:
    """``"R=3 P<=4"`` or ``[R=3, P=1]`` -> dimension -> (operator, number). Raises SpecError."""
    if value is None:
        return {}
    if isinstance(value, dict):
        return {str(name): ("=", _factor(n, f"{what}: the factor of {name}")) for name, n in value.items()}
    items = value.replace(",", " ").split() if isinstance(value, str) else sequence(value, what)
    found: dict[str, tuple[str, int]] = {}
    for item in items:
        text = str(item).replace(" ", "").replace("==", "=")
        operator = next((o for o in ("<=", ">=", "=") if o in text), "")
        name, _, number_text = text.partition(operator) if operator else (text[:1], "", text[1:])
        if not name:
            raise SpecError.one(f"{what}: {item!r} is no factor such as R=3")
        found[name] = (operator or "=", _factor(number_text, f"{what}: the factor of {name}"))
    return found


def _factor(value: Any, what: str) -> int:
    """A factor; 0 stands for what the other levels leave."""
    found = whole(value, what)
    if found < 0:
        raise SpecError.one(f"{what} must not be negative, got {shown(value)}")
    return found


def permutation_of(value: Any, dimensions: Iterable[str], what: str) -> list[str]:
    """``"PRK"``, ``"P,R,K"`` or a list -> dimensions, innermost first. Raises SpecError for an unknown one."""
    if value is None:
        return []
    known = list(dimensions)
    if isinstance(value, str):
        words = value.replace(",", " ").split()
        items = [d for word in words for d in ([word] if word in known else list(word))]
    else:
        items = [str(item) for item in sequence(value, what)]
    unknown = next((item for item in items if item not in known), None)
    if unknown is not None:
        raise SpecError.one(f"{what}: the problem has no dimension {unknown!r}; there are {', '.join(known)}")
    return items
