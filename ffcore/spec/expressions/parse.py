"""Expression text to a syntax tree that holds nothing outside the allow-list."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator

MAX_TEXT = 10_000  # characters
MAX_INT_BITS = 4096  # of any integer that an expression writes or computes
RESERVED_NAMES = frozenset({"inf", "math"})

_ALLOWED: tuple[type[ast.AST], ...] = (
    ast.Expression, ast.Constant, ast.Name, ast.Load, ast.Store,
    ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow,
    ast.BitAnd, ast.BitOr, ast.BitXor,
    ast.UnaryOp, ast.UAdd, ast.USub, ast.Not, ast.Invert,
    ast.BoolOp, ast.And, ast.Or,
    ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn, ast.Is, ast.IsNot,
    ast.IfExp, ast.List, ast.Tuple, ast.Set, ast.Dict,
    ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.comprehension,
    ast.Call, ast.keyword, ast.Attribute, ast.Subscript,
)  # fmt: skip

_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_GLUED = re.compile(r"\b[0-9][0-9_.]*(?:[eE][-+]?[0-9]+)?(?:if|else|and|or|in|is|not|for)\b")

_LABELS = {
    "JoinedStr": "an f-string",
    "FormattedValue": "an f-string",
    "NamedExpr": "an assignment (:=)",
    "Lambda": "a lambda",
    "Starred": "a starred value (*x)",
    "Slice": "a slice",
    "Await": "await",
    "Yield": "yield",
    "YieldFrom": "yield",
    "LShift": "<<",
    "RShift": ">>",
    "MatMult": "@",
}


class ExpressionError(ValueError):
    """What is wrong with an expression, in one sentence without its place; ``suggestion``: a near name."""

    def __init__(self, message: str, suggestion: str | None = None) -> None:
        super().__init__(message)
        self.suggestion = suggestion


@functools.lru_cache(maxsize=4096)
def parse(text: str) -> ast.expr:
    """The tree of ``text``; raises ExpressionError for anything that is not on the allow-list.

    Callers must not change the tree: it is shared.
    """
    if len(text) > MAX_TEXT:
        raise ExpressionError(f"an expression may have at most {MAX_TEXT} characters, this one has {len(text)}")
    if "\\" in text:
        raise ExpressionError("a backslash is not allowed in an expression")
    line = " ".join(text.split())
    if not line:
        raise ExpressionError("the expression is empty")
    if any(_GLUED.search(part) for part in _QUOTED.split(line)):  # Python would only print a warning
        raise ExpressionError("a space is missing between a number and the word after it")
    try:
        body = ast.parse(line, mode="eval").body
        for node in ast.walk(body):
            _check(node)
    except SyntaxError as error:
        column = f" at column {error.offset}" if error.offset else ""
        raise ExpressionError(f"not a valid expression ({error.msg}{column})") from None
    except (RecursionError, MemoryError):
        raise ExpressionError("the expression is nested too deeply") from None
    except ExpressionError:
        raise
    except ValueError as error:  # null characters and the like
        raise ExpressionError(f"not a valid expression ({error})") from None
    return body


def _check(node: ast.AST) -> None:
    """Refuse ``node`` itself (its children are looked at on their own)."""
    if not isinstance(node, _ALLOWED):
        kind = type(node).__name__
        raise ExpressionError(f"{_LABELS.get(kind, kind)} is not allowed in an expression")
    if isinstance(node, ast.Constant):
        _check_constant(node.value)
    elif isinstance(node, ast.Name) and node.id.startswith("__"):
        raise ExpressionError(f"the name {node.id!r} is not allowed in an expression")
    elif isinstance(node, ast.Attribute) and node.attr.startswith("_"):
        raise ExpressionError(f"the attribute {node.attr!r} is not allowed in an expression")
    elif isinstance(node, ast.comprehension):
        if node.is_async:
            raise ExpressionError("an async comprehension is not allowed in an expression")
        list(target_names(node.target))
    elif isinstance(node, ast.Call) and not isinstance(node.func, (ast.Name, ast.Attribute)):
        raise ExpressionError("only a named function can be called")
    elif isinstance(node, ast.keyword) and node.arg is None:
        raise ExpressionError("** is not allowed in a call")
    elif isinstance(node, ast.Dict) and None in node.keys:
        raise ExpressionError("** is not allowed in a dictionary")


def _check_constant(value: object) -> None:
    if value is not None and not isinstance(value, (bool, int, float, str)):
        raise ExpressionError(f"the constant {value!r} is not allowed in an expression")
    if isinstance(value, int) and value.bit_length() > MAX_INT_BITS:
        raise ExpressionError(f"an integer may have at most {MAX_INT_BITS} bits")


def target_names(target: ast.expr) -> Iterator[str]:
    """Names bound by a comprehension's target, which may only be a name or a tuple of names."""
    if isinstance(target, ast.Name):
        yield target.id
    elif isinstance(target, (ast.Tuple, ast.List)):
        for element in target.elts:
            yield from target_names(element)
    else:
        raise ExpressionError("a comprehension can only bind names")


def free_names(tree: ast.expr, functions: frozenset[str]) -> frozenset[str]:
    """Names that ``tree`` needs from outside; a called name in ``functions`` is not one."""
    found: set[str] = set()
    pending: list[tuple[ast.AST, frozenset[str]]] = [(tree, frozenset())]
    while pending:
        node, bound = pending.pop()
        if isinstance(node, ast.Name):
            if node.id not in bound and node.id not in RESERVED_NAMES:
                found.add(node.id)
        elif isinstance(node, (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)):
            for generator in node.generators:
                pending.append((generator.iter, bound))
                bound = bound | frozenset(target_names(generator.target))
                pending.extend((condition, bound) for condition in generator.ifs)
            results = (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,)
            pending.extend((result, bound) for result in results)
        elif isinstance(node, ast.Call):
            takes_input = bool(node.args or node.keywords)
            if not (takes_input and isinstance(node.func, ast.Name) and node.func.id in functions):
                pending.append((node.func, bound))
            pending.extend((child, bound) for child in (*node.args, *node.keywords))
        else:
            pending.extend((child, bound) for child in ast.iter_child_nodes(node))
    return frozenset(found)
