"""Reading the short text forms of a workload: Einsums, projections, index expressions."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence

import attrs

from ffcore.errors import SpecError

_NAME = r"[A-Za-z_]\w*"
_ACCESS = re.compile(rf"\s*({_NAME})\s*\[([^\[\]]*)\]\s*")
_OPERATOR = re.compile(r"[*+\-/,]")

_SYNTAX = "expected something like 'Y[m, n] = A[m, k] * B[k, n]'"


@attrs.frozen
class AccessText:
    """One tensor of an Einsum's text, with its projection (rank -> index expression)."""

    name: str
    projection: Mapping[str, str]
    output: bool


def parse_einsum(text: str) -> tuple[AccessText, ...]:
    """The tensors of ``"Y[m,n] = A[m,k] * B[k,n]"``: inputs in order, then the output.

    Operators on the right (``* + - /``) are not told apart: the number of operations is that of the iteration
    space. Raises SpecError.
    """
    left, equals, right = text.partition("=")
    if not equals:
        raise SpecError.one(f"{text!r} is no Einsum: {_SYNTAX}")
    outputs, inputs = _accesses(left, text, True), _accesses(right, text, False)
    if len(outputs) != 1:
        raise SpecError.one(f"{text!r} has {len(outputs)} outputs: {_SYNTAX}")
    return (*inputs, *outputs)


def _accesses(side: str, text: str, output: bool) -> list[AccessText]:
    result: list[AccessText] = []
    at = 0
    while True:
        match = _ACCESS.match(side, at)
        if match is None:
            raise SpecError.one(f"{text!r} is no Einsum near {side[at:].strip()!r}: {_SYNTAX}")
        items = [i.strip() for i in match[2].split(",")] if match[2].strip() else []
        result.append(AccessText(match[1], as_projection(items), output))
        at = match.end()
        if at == len(side):
            return result
        if _OPERATOR.match(side, at) is None:
            raise SpecError.one(f"{text!r} is no Einsum near {side[at:].strip()!r}: {_SYNTAX}")
        at += 1


def as_projection(value: object) -> dict[str, str]:
    """A projection in full form (rank -> index expression), from ``[m, k]``, ``[b, P: p]`` or a dict."""
    if isinstance(value, Mapping):
        return {_rank(rank): str(index) for rank, index in value.items()}
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise SpecError.one(f"a projection is a list such as [m, k] or a mapping such as {{M: m, K: k}}, got {value!r}")
    result: dict[str, str] = {}
    for item in value:
        for rank, index in _projection_item(item):
            if rank in result:
                raise SpecError.one(f"rank {rank} appears twice in one projection")
            result[rank] = index
    return result


def _projection_item(item: object) -> list[tuple[str, str]]:
    if isinstance(item, Mapping):
        return [(_rank(rank), str(index)) for rank, index in item.items()]
    if isinstance(item, str):
        rank, colon, index = item.partition(":")
        if colon:
            return [(_rank(rank.strip()), index.strip())]
        if re.fullmatch(_NAME, item):
            return [(item.upper(), item)]
    raise SpecError.one(f"{item!r} is no rank variable; an index expression needs its rank: {{P: {item}}}")


def _rank(name: object) -> str:
    if not isinstance(name, str) or not re.fullmatch(_NAME, name):
        raise SpecError.one(f"{name!r} is no name of a rank")
    return name


def parse_index(text: str) -> tuple[tuple[tuple[str, int], ...], int]:
    """Terms (rank variable, coefficient) and constant of an affine expression such as ``2*p + r``.

    Raises SpecError for anything that is not affine with whole coefficients; one of a variable that stands alone must
    be positive, as an index that runs backwards visits other tiles first.
    """
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise SpecError.one(f"{text!r} is no index expression such as p or 2*p + r") from None
    try:
        terms, constant = _affine(tree)
    except _NotAffineError:
        raise SpecError.one(f"{text!r} is not affine: only sums of rank variables times whole numbers") from None
    except RecursionError:
        raise SpecError.one(f"the index expression {text[:40]!r}... has too many terms") from None
    for variable, coefficient in terms.items():
        if coefficient == 0 or (coefficient < 0 and len(terms) == 1):
            raise SpecError.one(f"{text!r}: the coefficient of {variable} must be positive, got {coefficient}")
    return tuple(terms.items()), constant


class _NotAffineError(Exception):
    pass


def _affine(tree: ast.expr) -> tuple[dict[str, int], int]:
    if isinstance(tree, ast.Name):
        return {tree.id: 1}, 0
    if isinstance(tree, ast.Constant) and type(tree.value) is int:
        return {}, tree.value
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub | ast.UAdd):
        return _scaled(_affine(tree.operand), -1 if isinstance(tree.op, ast.USub) else 1)
    if isinstance(tree, ast.BinOp):
        left, right = _affine(tree.left), _affine(tree.right)
        if isinstance(tree.op, ast.Add):
            return _added(left, right)
        if isinstance(tree.op, ast.Sub):
            return _added(left, _scaled(right, -1))
        if isinstance(tree.op, ast.Mult):
            if not left[0]:
                return _scaled(right, left[1])
            if not right[0]:
                return _scaled(left, right[1])
    raise _NotAffineError


def _scaled(form: tuple[dict[str, int], int], factor: int) -> tuple[dict[str, int], int]:
    return {v: c * factor for v, c in form[0].items()}, form[1] * factor


def _added(a: tuple[dict[str, int], int], b: tuple[dict[str, int], int]) -> tuple[dict[str, int], int]:
    terms = dict(a[0])
    for variable, coefficient in b[0].items():
        terms[variable] = terms.get(variable, 0) + coefficient
    return terms, a[1] + b[1]
