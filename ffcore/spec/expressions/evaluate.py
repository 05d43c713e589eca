"""Value and set expressions, evaluated by walking an allow-listed syntax tree: no ``eval``."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache

from ffcore.errors import Position, SpecError, suggest
from ffcore.spec.expressions.functions import (
    FUNCTION_NAMES,
    FUNCTIONS,
    MAP,
    MATH_CONSTANTS,
    MATH_FUNCTIONS,
    call_function,
)
from ffcore.spec.expressions.operations import (
    Budget,
    binary,
    charge_contents,
    compare,
    describe,
    iterate,
    own_budget,
    subscript,
    truth,
    unary,
)
from ffcore.spec.expressions.parse import ExpressionError, free_names, parse
from ffcore.spec.expressions.tensorset import NameSet
from ffcore.units import INFINITY_WORDS

MAX_DEPTH = 100

_FAILURES = (ValueError, TypeError, ArithmeticError, LookupError, RecursionError, MemoryError)


def evaluate(value: object, symbols: Mapping[str, object], position: Position | None = None) -> object:
    """Evaluate ``value``: text is an expression over ``symbols``, anything else is its own value.

    Names are looked up in ``symbols`` first, then ``inf`` and ``math``; a call with arguments means a
    built-in function if there is one of that name. Objects among the symbols expose attributes through
    ``__ff_attributes__`` (names) or ``expression_attributes`` (name -> function of the object) only,
    may stand for a set (``__ff_set__``) and may take part in ``max`` and ``min`` (``__ff_max__(others)``,
    ``__ff_min__(others)``). Raises SpecError, never anything else, for whatever the text holds.
    """
    if not isinstance(value, str):
        return value
    try:
        with own_budget() as budget:
            return _Evaluation(symbols, budget).visit(parse(value), 0)
    except SpecError:
        raise
    except _FAILURES as error:
        raise _spec_error(error, value, position) from None


def names_in(value: object, position: Position | None = None) -> frozenset[str]:
    """Names that an expression needs from outside; empty for anything but text.

    Built-in functions that are called, ``inf``, ``math`` and names bound by comprehensions do not count.
    """
    if not isinstance(value, str):
        return frozenset()
    try:
        return free_names(parse(value), FUNCTION_NAMES)
    except ExpressionError as error:
        raise _spec_error(error, value, position) from None


def _spec_error(error: BaseException, text: str, position: Position | None) -> SpecError:
    if isinstance(error, RecursionError):
        message = "the expression is nested too deeply"
    elif isinstance(error, MemoryError):
        message = "the expression needs too much memory"
    elif isinstance(error, ZeroDivisionError):
        message = "division by zero"
    else:
        message = str(error) or type(error).__name__
    shown = text if len(text) <= 80 else text[:77] + "..."
    return SpecError.one(f"{message}, in {shown!r}", position, getattr(error, "suggestion", None))


@lru_cache(maxsize=256)
def _nearest(name: str, known: frozenset[str]) -> str | None:
    """The known name that was probably meant; the same mistake may be made for each Einsum."""
    return suggest(name, known)


class _Evaluation:
    """One evaluation: its symbols and the steps that are left to it."""

    def __init__(self, symbols: Mapping[str, object], budget: Budget) -> None:
        self.symbols = symbols
        self.local: dict[str, object] = {}  # names bound by the comprehensions around
        self.budget = budget

    def visit(self, node: ast.expr, depth: int) -> object:
        self.budget.charge()
        if depth > MAX_DEPTH:
            raise ExpressionError("the expression is nested too deeply")
        return _VISIT[type(node)](self, node, depth + 1)

    def constant(self, node: ast.Constant, depth: int) -> object:
        return node.value

    def name(self, node: ast.Name, depth: int) -> object:
        name = node.id
        if name in self.local:
            return self.local[name]
        if name in self.symbols:
            return self.symbols[name]
        if name in MATH_CONSTANTS:
            return MATH_CONSTANTS[name]
        if name in FUNCTIONS or name == "math":
            raise ExpressionError(f"{name!r} is a function and can only be called, as in {name}(...)")
        known = {*self.local, *self.symbols, *FUNCTIONS, *MATH_CONSTANTS, "True", "False", "None"}
        guess = "inf" if name.lower() in INFINITY_WORDS else _nearest(name, frozenset(known))
        raise ExpressionError(f"the name {name!r} is undefined", guess)

    def binary(self, node: ast.BinOp, depth: int) -> object:
        # A long sum nests to the left: walk down that side in a loop, not by recursion.
        spine = [node]
        while isinstance(spine[-1].left, ast.BinOp):
            spine.append(spine[-1].left)
            self.budget.charge()
        result = self.visit(spine[-1].left, depth)
        for part in reversed(spine):
            result = binary(type(part.op), result, self.visit(part.right, depth), self.budget)
        return result

    def unary(self, node: ast.UnaryOp, depth: int) -> object:
        return unary(type(node.op), self.visit(node.operand, depth))

    def boolean(self, node: ast.BoolOp, depth: int) -> object:
        stop_at = isinstance(node.op, ast.Or)
        result: object = None
        for operand in node.values:
            result = self.visit(operand, depth)
            if truth(result) is stop_at:
                break
        return result

    def compare(self, node: ast.Compare, depth: int) -> object:
        left = self.visit(node.left, depth)
        for kind, operand in zip(node.ops, node.comparators, strict=True):
            right = self.visit(operand, depth)
            if not compare(type(kind), left, right, self.budget):
                return False
            left = right
        return True

    def conditional(self, node: ast.IfExp, depth: int) -> object:
        return self.visit(node.body if truth(self.visit(node.test, depth)) else node.orelse, depth)

    def sequence(self, node: ast.List | ast.Tuple | ast.Set, depth: int) -> object:
        items = [self.visit(element, depth) for element in node.elts]
        charge_contents(items, self.budget)
        return {ast.List: list, ast.Tuple: tuple, ast.Set: set}[type(node)](items)

    def dictionary(self, node: ast.Dict, depth: int) -> object:
        pairs = zip(node.keys, node.values, strict=True)
        made = {self.visit(k, depth): self.visit(v, depth) for k, v in pairs if k is not None}
        charge_contents(made, self.budget)
        return made

    def comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp, depth: int) -> object:
        items = [self.visit(node.elt, depth) for _ in self.bindings(node.generators, depth)]
        charge_contents(items, self.budget)
        return set(items) if isinstance(node, ast.SetComp) else items

    def dict_comprehension(self, node: ast.DictComp, depth: int) -> object:
        each = self.bindings(node.generators, depth)
        made = {self.visit(node.key, depth): self.visit(node.value, depth) for _ in each}
        charge_contents(made, self.budget)
        return made

    def bindings(self, generators: list[ast.comprehension], depth: int) -> Iterator[None]:
        """Bind the targets to each combination in turn; afterwards the outer names are back."""
        if not generators:
            yield
            return
        first, *rest = generators
        if depth > MAX_DEPTH:
            raise ExpressionError("the expression is nested too deeply")
        outer = self.local
        try:
            for item in iterate(self.visit(first.iter, depth), self.budget):
                self.local = dict(outer)
                self.bind(first.target, item)
                if all(truth(self.visit(condition, depth)) for condition in first.ifs):
                    yield from self.bindings(rest, depth + 1)
        finally:
            self.local = outer

    def bind(self, target: ast.expr, item: object) -> None:
        if isinstance(target, ast.Name):
            self.local[target.id] = item
        elif isinstance(target, (ast.Tuple, ast.List)):
            parts = list(iterate(item, self.budget))
            if len(parts) != len(target.elts):
                raise ExpressionError(f"{len(parts)} values cannot be given to {len(target.elts)} names")
            for element, part in zip(target.elts, parts, strict=True):
                self.bind(element, part)

    def call(self, node: ast.Call, depth: int) -> object:
        if isinstance(node.func, ast.Name) and node.func.id == MAP and MAP not in {*self.local, *self.symbols}:
            return self.mapped(node, depth)
        args = [self.visit(argument, depth) for argument in node.args]
        keywords = {k.arg: self.visit(k.value, depth) for k in node.keywords if k.arg is not None}
        if isinstance(node.func, ast.Attribute) and self.is_math(node.func.value):
            name = node.func.attr
            if name not in MATH_FUNCTIONS:
                raise ExpressionError(f"math.{name} is not a known function", suggest(name, MATH_FUNCTIONS))
            return call_function(name, MATH_FUNCTIONS[name], args, keywords, self.budget)
        if isinstance(node.func, ast.Name):
            name = node.func.id
            shadowed = name in self.local or name in self.symbols
            if name in FUNCTIONS and (args or keywords or not shadowed):
                return call_function(name, FUNCTIONS[name], args, keywords, self.budget)
            if not shadowed:
                raise ExpressionError(
                    f"the function {name!r} is unknown or not allowed", suggest(name, {*FUNCTIONS, *self.symbols})
                )
        called = self.visit(node.func, depth)
        if isinstance(called, NameSet) and not args and not keywords:
            return called()
        raise ExpressionError(f"{describe(called)} cannot be called")

    def mapped(self, node: ast.Call, depth: int) -> list[object]:
        """``map(int, items)``: the function of that name, called with each item."""
        if len(node.args) < 2 or node.keywords or not isinstance(node.args[0], ast.Name):
            raise ExpressionError("map() takes the name of a function, then collections")
        name = node.args[0].id
        if name not in FUNCTIONS:
            raise ExpressionError(f"the function {name!r} is unknown or not allowed", suggest(name, FUNCTIONS))
        columns = [iterate(self.visit(argument, depth), self.budget) for argument in node.args[1:]]
        return [call_function(name, FUNCTIONS[name], list(row), {}, self.budget) for row in zip(*columns, strict=False)]

    def is_math(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Name) and node.id == "math" and "math" not in self.symbols

    def attribute(self, node: ast.Attribute, depth: int) -> object:
        if self.is_math(node.value):
            if node.attr not in MATH_CONSTANTS:
                raise ExpressionError(f"math.{node.attr} is not a known constant", suggest(node.attr, MATH_CONSTANTS))
            return MATH_CONSTANTS[node.attr]
        return read_attribute(self.visit(node.value, depth), node.attr)

    def subscript(self, node: ast.Subscript, depth: int) -> object:
        return subscript(self.visit(node.value, depth), self.visit(node.slice, depth))


def read_attribute(value: object, name: str) -> object:
    """``value.name`` if ``value`` offers that attribute to expressions, else ExpressionError."""
    table = getattr(value, "expression_attributes", None)
    if isinstance(table, Mapping):
        if name in table:
            return table[name](value)
    elif isinstance(value, Mapping):
        if name in value:
            return value[name]
        table = value
    names = {*getattr(value, "__ff_attributes__", ()), *(table if isinstance(table, Mapping) else ())}
    if name in names:
        return getattr(value, name)
    raise ExpressionError(f"{describe(value)} has no attribute {name!r}", suggest(name, map(str, names)))


_VISIT: dict[type[ast.expr], Callable[..., object]] = {
    ast.Constant: _Evaluation.constant,
    ast.Name: _Evaluation.name,
    ast.BinOp: _Evaluation.binary,
    ast.UnaryOp: _Evaluation.unary,
    ast.BoolOp: _Evaluation.boolean,
    ast.Compare: _Evaluation.compare,
    ast.IfExp: _Evaluation.conditional,
    ast.List: _Evaluation.sequence,
    ast.Tuple: _Evaluation.sequence,
    ast.Set: _Evaluation.sequence,
    ast.Dict: _Evaluation.dictionary,
    ast.ListComp: _Evaluation.comprehension,
    ast.SetComp: _Evaluation.comprehension,
    ast.GeneratorExp: _Evaluation.comprehension,
    ast.DictComp: _Evaluation.dict_comprehension,
    ast.Call: _Evaluation.call,
    ast.Attribute: _Evaluation.attribute,
    ast.Subscript: _Evaluation.subscript,
}
