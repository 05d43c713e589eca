"""The Jinja2 sandbox: no Python internals, and no way to take unbounded time or memory.

Every value that a template makes is measured, by its size (characters and items, shared parts
counted each time) and by the work it took; both are limited.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from jinja2 import StrictUndefined, Undefined, nodes
from jinja2.ext import Extension
from jinja2.filters import FILTERS
from jinja2.lexer import Token
from jinja2.runtime import Context, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace
from jinja2.visitor import NodeTransformer

from ffcore.spec.source.files import SourceProblem

MAX_VALUE = 4_000_000  # characters and items of one value
MAX_LINES = 500_000  # of a template
STEPS_OF_TOKEN = 4  # of a template, which is compiled
MAX_WORK = 300_000  # steps of one load: items handled, turns of loops, characters by the `CHARACTERS`
CHARACTERS = 200  # that are handled in a step
MAX_BITS = 4096  # of an integer
MAX_WIDTH = 1000  # of padding and indentation

_STR_METHODS_TEXT = """
    capitalize casefold count endswith find index isalnum isalpha isdecimal isdigit isidentifier islower isnumeric
    isspace istitle isupper join lower lstrip partition removeprefix removesuffix replace rfind rindex rpartition
    rsplit rstrip split splitlines startswith strip swapcase title upper
"""
_FILTERS_TEXT = """
    abs batch capitalize center count d default dictsort first float format groupby indent int items join last length
    list lower map max min reject rejectattr replace reverse round select selectattr slice sort string sum title
    tojson trim unique upper wordcount
"""
_SLOW = ("title", "wordcount")  # filters that look at words by regular expressions
_STR_METHODS = frozenset(_STR_METHODS_TEXT.split())
_FILTERS = tuple(_FILTERS_TEXT.split())


class Meter:
    """Work left to one load."""

    def __init__(self) -> None:
        self.left = MAX_WORK

    def charge(self, work: int) -> None:
        """Use up ``work`` steps; SourceProblem when there are none left."""
        self.left -= work
        if self.left < 0:
            raise SourceProblem(f"the Jinja templates take more than {MAX_WORK} steps")

    def tokens(self, stream: Iterable[Token]) -> Iterator[Token]:
        """The words and signs of a template, charged for: each of them takes its time before anything runs."""
        for token in stream:
            self.charge(STEPS_OF_TOKEN if token.type != "data" else 0)
            yield token

    def template(self, text: str) -> None:
        """Charge for a template that is about to be read, with its comments; SourceProblem for too many lines."""
        if text.count("\n") > MAX_LINES:
            raise SourceProblem(f"there are more than {MAX_LINES:,} lines")
        self.charge(len(text) // CHARACTERS + sum(text.count(begin) for begin in ("{#", "{%", "{{")))

    def measure(self, value: Any) -> int:
        """Size of ``value``, charged; SourceProblem if it is too large.

        Undefined names are refused inside of collections; ``value`` itself may be one, for ``default``.
        """
        size = 0
        pending = [value]
        while pending:
            current = pending.pop()
            if isinstance(current, str):
                length = len(current)
                self.charge(1 + length // CHARACTERS)
            elif isinstance(current, int):
                length = 1 + current.bit_length() // 3  # digits
                self.charge(1 + length // CHARACTERS)
            elif isinstance(current, (list, tuple, set, frozenset)):
                length = len(current)
                self.charge(1 + length)
                pending.extend(current)
            elif isinstance(current, dict):
                length = 2 * len(current)
                self.charge(1 + length)
                pending.extend(current.keys())
                pending.extend(current.values())
            elif isinstance(current, Namespace):
                length = 1
                pending.append(object.__getattribute__(current, "_Namespace__attrs"))
                self.charge(1)
            else:
                if current is not value and isinstance(current, Undefined):
                    str(current)  # raises
                length = 1
                self.charge(1)
            size += length
            if size > MAX_VALUE:
                raise SourceProblem(f"a Jinja value may have at most {MAX_VALUE} characters and items")
        return size


class _Asking(Context):
    """A template's names; each that it looks up is noted."""

    def resolve_or_missing(self, key: str) -> Any:
        if isinstance(self.environment, Sandbox):
            self.environment.asked.add(key)
        return super().resolve_or_missing(key)


class Sandbox(ImmutableSandboxedEnvironment):
    """The environment of one load; it keeps no template. Its loader gives files that a spec may read.

    ``asked``: the names that templates looked up, defined or not.
    """

    context_class = _Asking
    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self, meter: Meter, extensions: Iterable[type[Extension]] = ()) -> None:
        super().__init__(
            undefined=StrictUndefined, keep_trailing_newline=True, extensions=list(extensions), cache_size=0
        )
        self.meter = meter
        self.asked: set[str] = set()
        self.filters = {name: _guarded(name, FILTERS[name], meter) for name in _FILTERS}
        self.globals.pop("lipsum", None)

    def join_path(self, template: str, parent: str) -> str:
        """Which file asks, by its number, and for what: the loader looks from there."""
        return f"{parent}:{template}"

    # What compiled templates call (see _Metering).

    def tick(self, characters: int) -> None:
        """One turn of a loop, or one call of a macro, that writes this many constant characters."""
        self.meter.charge(1 + characters // CHARACTERS)

    def measured(self, value: Any) -> Any:
        """``value``, charged for."""
        self.meter.measure(value)
        return value

    def join_text(self, parts: list[Any]) -> str:
        """The ``~`` operator."""
        self.meter.measure(parts)
        return "".join(map(str, parts))

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if isinstance(obj, str):
            return attr in _STR_METHODS
        if isinstance(obj, (int, float, bytes, bytearray, complex)):
            return False
        return super().is_safe_attribute(obj, attr, value)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(argument, str):
            self.meter.measure(argument)
        return super().getitem(obj, argument)

    def wrap_str_format(self, value: Any) -> None:
        """Nothing: widths of `str.format` may stand anywhere in its arguments; ``%`` and the filter are checked."""

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        owner = getattr(__obj, "__self__", None)
        for handled in (owner, *args, *kwargs.values()):
            if isinstance(handled, (str, list, tuple, dict, set)):
                __self.meter.measure(handled)
        __self.meter.charge(len(args))
        if isinstance(owner, str):
            if __obj.__name__ == "replace":
                _check_replace(owner, *args[:2])
            elif __obj.__name__ == "join" and args:
                args = (_checked_join(__self.meter, owner, args[0]), *args[1:])
        result = super().call(__context, __obj, *args, **kwargs)
        __self.meter.measure(result)
        return result

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "**":
            _check_power(left, right)
        elif operator == "*":
            _check_product(left, right)
        elif operator == "%" and isinstance(left, str):
            _check_format(self.meter, left, right)
        elif operator == "+" and isinstance(left, (str, list, tuple)) and isinstance(right, (str, list, tuple)):
            _check_size(len(left) + len(right))
        result = super().call_binop(context, operator, left, right)
        self.meter.measure(result)
        return result

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        metered = _Metering().visit(tree)
        assert isinstance(metered, nodes.Template)
        return metered


def written(value: Any, meter: Meter) -> str:
    """The text that ``{{ value }}`` puts into the YAML, charged for."""
    if isinstance(value, Undefined):
        return str(value)  # raises
    if isinstance(value, (Macro, Namespace, Iterator)) or callable(value):
        raise SourceProblem(f"a Jinja {type(value).__name__} cannot be written into YAML")
    meter.measure(value)
    return str(value)


class _Metering(NodeTransformer):
    """Before: ``for``, ``macro``, ``~``, displays, comparisons, slices. After: the same, metered."""

    def visit_For(self, node: nodes.For) -> nodes.Node:
        self.generic_visit(node)
        node.body.insert(0, _tick(node))
        return node

    def visit_Macro(self, node: nodes.Macro) -> nodes.Node:
        self.generic_visit(node)
        node.body.insert(0, _tick(node))
        return node

    def visit_CallBlock(self, node: nodes.CallBlock) -> nodes.Node:
        self.generic_visit(node)
        node.body.insert(0, _tick(node))
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        return _call("join_text", nodes.List(node.nodes, lineno=node.lineno), node.lineno)

    def visit_List(self, node: nodes.List) -> nodes.Node:
        self.generic_visit(node)
        return _call("measured", node, node.lineno)

    def visit_Dict(self, node: nodes.Dict) -> nodes.Node:
        self.generic_visit(node)
        return _call("measured", node, node.lineno)

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:
        self.generic_visit(node)
        return _call("measured", node, node.lineno) if node.ctx == "load" else node

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:
        self.generic_visit(node)
        node.expr = _measured(node.expr)
        for operand in node.ops:
            operand.expr = _measured(operand.expr)
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:
        self.generic_visit(node)
        return _measured(node) if isinstance(node.arg, nodes.Slice) else node

    def visit_Test(self, node: nodes.Test) -> nodes.Node:
        self.generic_visit(node)
        node.node = _measured(node.node)
        node.args = [_measured(argument) for argument in node.args]
        return node


def _measured(node: nodes.Expr) -> nodes.Expr:
    return node if isinstance(node, nodes.Const) else _call("measured", node, node.lineno)


def _call(method: str, argument: nodes.Expr, lineno: int) -> nodes.Call:
    function = nodes.EnvironmentAttribute(method, lineno=lineno)
    return nodes.Call(function, [argument], [], None, None, lineno=lineno)


def _tick(node: nodes.Node) -> nodes.Node:
    characters = sum(len(data.data) for data in node.find_all(nodes.TemplateData))
    call = _call("tick", nodes.Const(characters, lineno=node.lineno), node.lineno)
    return nodes.ExprStmt(call, lineno=node.lineno)


def _check_size(size: int) -> None:
    if size > MAX_VALUE:
        raise SourceProblem(f"a Jinja value may have at most {MAX_VALUE} characters and items")


def _check_power(left: Any, right: Any) -> None:
    whole = isinstance(left, int) and isinstance(right, int)
    if whole and abs(left) > 1 and left.bit_length() * right > MAX_BITS:
        raise SourceProblem(f"an integer may have at most {MAX_BITS} bits")


def _check_product(left: Any, right: Any) -> None:
    for items, times in ((left, right), (right, left)):
        if isinstance(items, (str, list, tuple)) and isinstance(times, int):
            _check_size(len(items) * times)
    if isinstance(left, int) and isinstance(right, int) and left.bit_length() + right.bit_length() > MAX_BITS:
        raise SourceProblem(f"an integer may have at most {MAX_BITS} bits")


def _check_format(meter: Meter, text: str, values: Any) -> None:
    """``values``: of a % format; each place may take the largest of them, every character of it escaped."""
    own = values.values() if isinstance(values, dict) else values if isinstance(values, tuple) else [values]
    largest = 10 * max(map(meter.measure, own), default=0)
    size = len(text)
    for width in re.findall(r"%(?:\([^)]*\))?[^a-zA-Z%]*", text):
        digits = width.rpartition(")")[2]
        if "*" in width or re.search(r"[0-9]{4}", digits):
            raise SourceProblem(f"a width in a % format may be at most {MAX_WIDTH - 1}")
        size += largest + sum(map(int, re.findall(r"[0-9]+", digits)))
    _check_size(size)


def _check_replace(text: Any, old: Any = "", new: Any = "") -> None:
    text, old, new = str(text), str(old), str(new)
    _check_size(len(text) + (text.count(old) if old else len(text) + 1) * len(new))


def _checked_join(meter: Meter, separator: Any, items: Any) -> list[Any]:
    found = list(itertools.islice(items, MAX_VALUE + 1))
    _check_size(meter.measure(found) + len(found) * len(str(separator)))
    return found


def _check_number(limit: int) -> Callable[..., None]:
    def check(value: Any, *args: Any, **kwargs: Any) -> None:
        for argument in (*args, *kwargs.values()):
            too_wide = isinstance(argument, int) and abs(argument) > limit
            if too_wide or (isinstance(argument, str) and len(argument) > limit):
                raise SourceProblem(f"a Jinja filter's argument may be at most {limit}")

    return check


def _check_sum(value: Any, attribute: Any = None, start: Any = 0) -> None:
    if not isinstance(start, (int, float)):
        raise SourceProblem("the sum filter adds numbers only")


_FILTER_CHECKS: dict[str, Callable[..., None]] = {
    "batch": _check_number(100_000),
    "center": _check_number(MAX_WIDTH),
    "indent": _check_number(MAX_WIDTH),
    "round": _check_number(MAX_WIDTH),
    "slice": _check_number(100_000),
    "sum": _check_sum,
    "tojson": _check_number(MAX_WIDTH),
    "replace": lambda text, old, new, count=None: _check_replace(text, old, new),
}


def _guarded(name: str, function: Callable[..., Any], meter: Meter) -> Callable[..., Any]:
    """``function``, with its arguments and result measured and its particular dangers checked."""
    check = _FILTER_CHECKS.get(name)
    n_leading = 1 if hasattr(function, "jinja_pass_arg") else 0  # context or environment comes first

    @functools.wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        for argument in (*args[n_leading:], *kwargs.values()):
            for _ in range(5 if name in _SLOW else 1):
                meter.measure(argument)
        if check is not None:
            check(*args[n_leading:], **kwargs)
        if name == "format":
            _check_format(meter, str(args[n_leading]), kwargs or args[n_leading + 1 :])
        if name == "join":
            separator = kwargs.get("d", args[n_leading + 1] if len(args) > n_leading + 1 else "")
            items = _checked_join(meter, separator, args[n_leading])
            args = (*args[:n_leading], items, *args[n_leading + 1 :])
        result = function(*args, **kwargs)
        meter.measure(result)
        return result

    return guarded
