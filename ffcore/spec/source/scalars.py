"""What the text of a YAML scalar means.

The core schema of YAML 1.2, and beyond it: ``inf``, ``1_000``, and ``1e9`` without a point as a
number. ``yes``, ``no``, ``on``, ``off``, ``y`` and ``n`` are text, since tensors are called so.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ffcore.spec.source.files import SourceProblem
from ffcore.spec.source.nodes import Scalar

_STANDARD = "tag:yaml.org,2002:"
_MAX_DIGITS = 1000

_CONSTANTS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("inf", ".inf", ".Inf", ".INF", "+inf", "+.inf"), float("inf")),
    **dict.fromkeys(("-inf", "-.inf", "-.Inf", "-.INF"), float("-inf")),
}
_INTEGER = re.compile(r"[-+]?[0-9]+(_[0-9]+)*")
_BASED = re.compile(r"[-+]?0(x[0-9a-fA-F]+|o[0-7]+|b[01]+)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(_[0-9]+)*(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


def resolve_plain(text: str) -> Scalar:
    """The value of an unquoted scalar."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    first = text[0]
    if not (first.isdigit() or first in "+-."):
        return text
    if len(text) > _MAX_DIGITS and (_INTEGER.fullmatch(text) or _BASED.fullmatch(text)):
        raise SourceProblem(f"a number may have at most {_MAX_DIGITS} digits")
    if _INTEGER.fullmatch(text):
        return int(text)
    if _BASED.fullmatch(text):
        return int(text, 0)
    return float(text) if _FLOAT.fullmatch(text) else text


def _as_int(text: str) -> Scalar:
    value = resolve_plain(text)
    if isinstance(value, bool) or not isinstance(value, int):
        raise SourceProblem(f"{text!r} is not a whole number")
    return value


def _as_float(text: str) -> Scalar:
    value = resolve_plain(text)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise SourceProblem(f"{text!r} is not a number")
    return float(value)


def _as_bool(text: str) -> Scalar:
    value = resolve_plain(text)
    if not isinstance(value, bool):
        raise SourceProblem(f"{text!r} is neither true nor false")
    return value


_FORCED: dict[str, Callable[[str], Scalar]] = {
    "str": lambda text: text,
    "null": lambda text: None,
    "int": _as_int,
    "float": _as_float,
    "bool": _as_bool,
}


def resolve_scalar(text: str, plain: bool, tag: str | None) -> tuple[Scalar, str | None]:
    """Value and own tag of a scalar, whose raw YAML tag is ``tag``."""
    if tag is not None and tag.startswith(_STANDARD):
        kind = tag[len(_STANDARD) :]
        if kind not in _FORCED:
            raise SourceProblem(f"the tag !!{kind} is not allowed on a scalar")
        return _FORCED[kind](text), None
    return (resolve_plain(text) if plain else text), own_tag(tag)


def collection_tag(tag: str | None, kind: str) -> str | None:
    """Own tag of a list (``seq``) or mapping (``map``), whose raw YAML tag is ``tag``."""
    if tag is not None and tag.startswith(_STANDARD):
        if tag != _STANDARD + kind:
            raise SourceProblem(f"the tag !!{tag[len(_STANDARD) :]} is not allowed here")
        return None
    return own_tag(tag)


def own_tag(tag: str | None) -> str | None:
    """``!Memory`` -> ``Memory``; None for no tag and for the plain ``!``."""
    return None if tag is None else tag.lstrip("!") or None
